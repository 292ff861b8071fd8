"""
What history says would have been saved: an agent's delegations, by kind of task, on another arm than they ran on.

For each agent, and in it for each kind of task and for all of them, the tasks that ran on one arm (the baseline: what
the agent uses when routerd does not choose, or the arm that was asked about) are thought to have run on another. What
they took is known; what they would have taken is what is believed now (`effects`). Beside it stands the audit
(`audit`), which rests on nothing that was believed later.

A figure is given only where both arms have outcomes worth `ENOUGH` of this kind; otherwise it is said what is missing.
Arms of other agents are not compared, since their harness does half the work, nor is the agent itself: the tasks that
it keeps are not those that it hands on.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Literal, TypeVar, get_args

import msgspec
import numpy as np

from routerd.audit import ENOUGH, Audit, audit
from routerd.config import GateConfig
from routerd.effects import COST, SUCCESS, WALL_TIME, Effects, Interval, Moved, moved, saved_in_all
from routerd.evaluation import Seen
from routerd.features import Floats
from routerd.reward import MS_PER_HOUR, Worth

S = TypeVar("S", bound=msgspec.Struct)

Verdict = Literal["switch", "unsure", "worse", "keep", "too_little"]
"""The other arm is as good and worth more; it may be as good, but that is not sure; it is cheaper, but likelier worse
than not; the baseline is worth most; there is not enough to tell."""


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """
    A delegation that ended and is learnt from.

    Attributes:
        arm: What ran.
        x: Features, (DIM,).
        success: Judged success, believed with
        verdicts: its weight in [0, 1].
        chosen: routerd chose what ran.
        drawn: And by lot, with a known chance below 1.
    """

    agent: str
    kind: str
    arm: str
    x: Floats
    success: float | None
    verdicts: float
    wall_time_ms: float | None
    cost_usd: float | None
    chosen: bool = False
    drawn: bool = False


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """
    One of the two arms that are compared.

    Attributes:
        tasks: Its outcomes in the window, of the agent and kind.
        verdicts: What their labels are worth, Σ weights.
        success: Expected on the tasks of the baseline, with its 90 % credible interval.
    """

    arm: str
    tasks: int
    verdicts: float
    success: Interval | None = None


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """
    One agent's delegations of one kind, or of all (kind None).

    Attributes:
        tasks: How many there are.
        moved: How many ran on the baseline: those that the figures are about.
        baseline, candidate: The arms that are compared.
        reason: Why the verdict is what it is, where it is not plain.
        chance_worse: P(the candidate succeeds less often by more than `delta`).
        faster: How many times less time it takes.
        saved_hours, saved_usd: Over the tasks whose time, or cost, is known.
        drawn: Share of the outcomes of both arms that routerd chose by lot; the rest are other people's choices.
        audit: See `Audit`.
    """

    agent: str
    kind: str | None
    tasks: int
    moved: int
    verdict: Verdict
    reason: str | None = None
    baseline: Side | None = None
    candidate: Side | None = None
    chance_worse: float | None = None
    faster: Interval | None = None
    saved_hours: Interval | None = None
    saved_usd: Interval | None = None
    drawn: float | None = None
    audit: Audit | None = None


class SoFar(msgspec.Struct, frozen=True, kw_only=True):
    """
    What routerd's own choices saved: tasks that it sent elsewhere than to the baseline, against the baseline.

    Attributes:
        tasks: How many it sent elsewhere.
        told: How many of them ran on arms of which enough is known.
        success: Success of what ran less that of the baseline, a task.
        audit: Of all decisions by lot as they went, against the baseline always.
    """

    agent: str
    baseline: str
    tasks: int
    told: int
    success: Interval | None = None
    saved_hours: Interval | None = None
    saved_usd: Interval | None = None
    audit: Audit | None = None


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """An arm's part of an agent's delegations, with what they took."""

    agent: str
    arm: str
    tasks: int
    share: float
    hours: float
    cost_usd: float
    untimed: int
    unpriced: int


class Savings(msgspec.Struct, frozen=True, kw_only=True):
    """
    The whole answer.

    Attributes:
        shares: What ran, the most used first.
        lines: The most saved first.
        total_hours, total_usd: Of the lines by kind whose verdict is to switch, together.
        so_far: For each agent for which routerd chose something.
    """

    shares: list[Share]
    lines: list[Line]
    total_hours: Interval | None
    total_usd: Interval | None
    so_far: list[SoFar]


class _Measured(msgspec.Struct, frozen=True):
    """A line with what its sums are made of."""

    line: Line
    hours: Moved | None = None
    dollars: Moved | None = None
    gain: float = 0.0


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """
    What is asked of history.

    Attributes:
        against: The baseline; None for what each agent uses when routerd does not choose.
        in_pool: Whether an arm may be recommended.
        prices: What success, time and money are worth.
        gate: When an arm counts as no worse.
    """

    against: str | None
    in_pool: Callable[[str], bool]
    prices: Worth
    gate: GateConfig


def savings(
    tasks: Sequence[Task], decisions: Sequence[Seen], effects: Sequence[Effects], question: Question
) -> Savings:
    """
    What history says.

    Args:
        tasks: The delegations in the window.
        decisions: Those of the window that led to an outcome.
        effects: Belief in the three targets now; it knows every arm of `tasks`.
        question: See `Question`.
    """
    measured: list[_Measured] = []
    so_far: list[SoFar] = []
    for agent in dict.fromkeys(task.agent for task in tasks):
        mine = [task for task in tasks if task.agent == agent]
        judge = _Judge(effects, question, [one for one in decisions if one.agent == agent], mine)
        kinds = Counter(task.kind for task in mine)
        measured += [judge.line(kind) for kind in kinds]
        if len(kinds) > 1:
            measured.append(judge.line(None))
        if (done := judge.so_far()) is not None:
            so_far.append(done)
    ordered = sorted(measured, key=_rank)
    switched = [one for one in measured if one.line.verdict == "switch" and one.line.kind is not None]
    hours, dollars = _parts(switched)
    return Savings(
        shares=_shares(tasks),
        lines=[one.line for one in ordered],
        total_hours=saved_in_all(effects[WALL_TIME], hours) if hours else None,
        total_usd=saved_in_all(effects[COST], dollars) if dollars else None,
        so_far=so_far,
    )


def _rank(one: _Measured) -> tuple[int, float, int, str, str]:
    line = one.line
    return get_args(Verdict).index(line.verdict), -one.gain, -line.tasks, line.agent, line.kind or ""


def _parts(measured: Sequence[_Measured]) -> tuple[list[Moved], list[Moved]]:
    hours = [one.hours for one in measured if one.hours is not None]
    dollars = [one.dollars for one in measured if one.dollars is not None]
    return hours, dollars


class _Judge:
    """One agent's history."""

    def __init__(
        self, effects: Sequence[Effects], question: Question, decisions: Sequence[Seen], tasks: Sequence[Task]
    ) -> None:
        self._effects = effects
        self._question = question
        self._decisions = decisions
        self._tasks = tasks
        self._agent = tasks[0].agent

    def line(self, kind: str | None) -> _Measured:
        """The best other arm for tasks of a kind, or what is missing to name one."""
        tasks = [task for task in self._tasks if kind in (None, task.kind)]
        baseline = self._question.against or _incumbent(tasks)
        ran = [task for task in tasks if task.arm == baseline]
        bare = Line(
            agent=self._agent,
            kind=kind,
            tasks=len(tasks),
            moved=len(ran),
            verdict="too_little",
            baseline=_side(baseline, tasks),
        )
        if not ran:
            return _Measured(_replace(bare, reason=f"none of them ran on {baseline}"))
        others = sorted({task.arm for task in tasks} - {baseline})
        allowed = [arm for arm in others if arm.startswith("delegate:") and self._question.in_pool(arm)]
        lacking = {arm: _lacking(arm, tasks) for arm in (baseline, *allowed)}
        known = [arm for arm in allowed if lacking[arm] is None]
        if lacking[baseline] is not None or not known:
            return _Measured(_replace(bare, reason=_missing(baseline, others, allowed, lacking)))
        found = [self._compared(bare, arm, ran, tasks) for arm in known]
        return min(found, key=_rank)

    def _compared(self, bare: Line, arm: str, ran: list[Task], tasks: list[Task]) -> _Measured:
        """The tasks of the baseline on another arm."""
        assert bare.baseline is not None
        gate, baseline = self._question.gate, bare.baseline.arm
        x, success = _features(ran), self._effects[SUCCESS]
        even = np.full(len(ran), 1.0 / len(ran))
        before, after = success.summed(baseline, x, even), success.summed(arm, x, even)
        worse = success.chance_below(after - before, -gate.delta)
        hours = self._moved(WALL_TIME, baseline, arm, ran, tasks)
        dollars = self._moved(COST, baseline, arm, ran, tasks)
        gain = len(ran) * self._question.prices.success_usd * success.mean(after - before)
        gain += self._question.prices.hour_usd * (hours.saved.mean if hours else 0.0)
        gain += self._question.prices.money * (dollars.saved.mean if dollars else 0.0)
        cheaper: Verdict = "switch" if worse < gate.epsilon else "unsure" if worse < 0.5 else "worse"
        verdict: Verdict = cheaper if gain > 0.0 else "keep"
        both = [task for task in tasks if task.arm in (baseline, arm)]
        line = _replace(
            bare,
            verdict=verdict,
            baseline=_replace(bare.baseline, success=_probability(success.interval(before))),
            candidate=_replace(_side(arm, tasks), success=_probability(success.interval(after))),
            chance_worse=worse,
            faster=None if hours is None else hours.faster,
            saved_hours=None if hours is None else hours.saved,
            saved_usd=None if dollars is None else dollars.saved,
            drawn=sum(task.drawn for task in both) / len(both),
            audit=audit(
                self._decisions,
                [one for one in self._decisions if bare.kind in (None, one.kind)],
                baseline,
                arm,
                tasks=len(ran),
                prices=self._question.prices,
            ),
        )
        return _Measured(line, hours, dollars, gain)

    def _moved(self, target: int, ran_on: str, other: str, ran: list[Task], tasks: list[Task]) -> Moved | None:
        """Time or cost of the tasks on the other arm; None where too few of either arm are known, or it was free."""
        if any(_known(target, [task for task in tasks if task.arm == arm]) < ENOUGH for arm in (ran_on, other)):
            return None
        told = [(task, took) for task in ran if (took := _took(target, task)) is not None]
        amounts = np.array([took for _, took in told])
        if not amounts.any():
            return None
        return moved(self._effects[target], ran_on, other, _features([task for task, _ in told]), amounts)

    # --- what was saved already -------------------------------------------------------------------------------------

    def so_far(self) -> SoFar | None:
        """What routerd's choices saved against the baseline; None where it chose nothing else."""
        baseline = self._question.against or _incumbent(self._tasks)
        elsewhere = [task for task in self._tasks if task.chosen and task.arm != baseline]
        if not elsewhere:
            return None
        arms = {task.arm for task in elsewhere}
        known = {arm for arm in arms if _lacking(arm, self._tasks) is None}
        if _lacking(baseline, self._tasks) is not None:
            known = set()
        told = [task for task in elsewhere if task.arm in known]
        done = SoFar(agent=self._agent, baseline=baseline, tasks=len(elsewhere), told=len(told))
        if not told:
            return done
        hours = self._against(WALL_TIME, baseline, told)
        dollars = self._against(COST, baseline, told)
        success = self._effects[SUCCESS]
        even = 1.0 / len(told)
        parts = []
        for arm in sorted(known):
            x = _features([task for task in told if task.arm == arm])
            weight = np.full(len(x), even)
            parts.append(success.summed(arm, x, weight) - success.summed(baseline, x, weight))
        return _replace(
            done,
            success=success.interval(sum(parts[1:], parts[0])),
            saved_hours=saved_in_all(self._effects[WALL_TIME], hours, -1.0) if hours else None,
            saved_usd=saved_in_all(self._effects[COST], dollars, -1.0) if dollars else None,
            audit=audit(
                self._decisions,
                self._decisions,
                baseline,
                None,
                tasks=sum(task.chosen for task in self._tasks),
                moved=len(told),
                prices=self._question.prices,
            ),
        )

    def _against(self, target: int, baseline: str, told: list[Task]) -> list[Moved]:
        """The tasks of each arm moved back to the baseline."""
        found = []
        for arm in sorted({task.arm for task in told}):
            part = self._moved(target, arm, baseline, [task for task in told if task.arm == arm], list(self._tasks))
            if part is not None:
                found.append(part)
        return found


def _incumbent(tasks: Sequence[Task]) -> str:
    """The arm that most of what routerd did not choose ran on; where it chose all, most of all."""
    counted = Counter(task.arm for task in tasks if not task.chosen) or Counter(task.arm for task in tasks)
    return min(counted, key=lambda arm: (-counted[arm], arm))


def _side(arm: str, tasks: Sequence[Task]) -> Side:
    own = [task for task in tasks if task.arm == arm]
    return Side(arm=arm, tasks=len(own), verdicts=_known(SUCCESS, own))


def _known(target: int, tasks: Sequence[Task]) -> float:
    """On how much a figure of a target would rest."""
    if target == SUCCESS:
        return sum(task.verdicts for task in tasks if task.success is not None)
    return float(sum(_took(target, task) is not None for task in tasks))


def _took(target: int, task: Task) -> float | None:
    """Hours or dollars."""
    if target == COST:
        return task.cost_usd
    return None if task.wall_time_ms is None else task.wall_time_ms / MS_PER_HOUR


def _lacking(arm: str, tasks: Sequence[Task]) -> str | None:
    """What an arm lacks to be told of, or None."""
    side = _side(arm, tasks)
    if side.verdicts >= ENOUGH:
        return None
    some = f"{side.tasks} outcome{'' if side.tasks == 1 else 's'}"
    return f"{arm} has {some}, worth {side.verdicts:.1f} of the {ENOUGH:.0f} verdicts needed"


def _missing(baseline: str, others: list[str], allowed: list[str], lacking: dict[str, str | None]) -> str:
    """What is missing to compare the baseline with anything."""
    if not others:
        return f"all of them ran on {baseline}: there is nothing to compare it with"
    if not allowed:
        return f"what they ran on beside {baseline} is outside the pool"
    said = [why for arm in (baseline, *allowed) if (why := lacking[arm]) is not None]
    return "; ".join(said[:2]) + (f"; and {len(said) - 2} more" if len(said) > 2 else "")


def _features(tasks: Sequence[Task]) -> Floats:
    return np.array([task.x for task in tasks])


def _probability(interval: Interval) -> Interval:
    """Shown within [0, 1]."""
    return Interval(*(min(max(value, 0.0), 1.0) for value in msgspec.structs.astuple(interval)))


def _replace(one: S, **changes: object) -> S:
    return msgspec.structs.replace(one, **changes)


def _shares(tasks: Sequence[Task]) -> list[Share]:
    """What ran, by agent and arm."""
    groups: dict[tuple[str, str], list[Task]] = {}
    for task in tasks:
        groups.setdefault((task.agent, task.arm), []).append(task)
    found = [
        Share(
            agent=agent,
            arm=arm,
            tasks=len(members),
            share=len(members) / len(tasks),
            hours=sum(_took(WALL_TIME, task) or 0.0 for task in members),
            cost_usd=sum(task.cost_usd or 0.0 for task in members),
            untimed=sum(task.wall_time_ms is None for task in members),
            unpriced=sum(task.cost_usd is None for task in members),
        )
        for (agent, arm), members in groups.items()
    ]
    return sorted(found, key=lambda share: (-share.tasks, share.agent, share.arm))

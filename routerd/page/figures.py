"""What the page shows of belief: each arm over all, and by kind of task, with what it rests on."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from routerd.engine import ArmView
from routerd.events import Contribution, Dispatch, Expected
from routerd.foresight import Foresight

KINDS_SHOWN: Final = 6


class Learnt(msgspec.Struct, frozen=True):
    """An outcome that is learnt from, with its kind of task."""

    kind: str
    contribution: Contribution


class Arm(msgspec.Struct, frozen=True, kw_only=True):
    """
    What is believed of an arm, and on how much.

    Attributes:
        outcomes: That it has: in all, or of a kind.
        verdicts: What their labels are worth, Σ weights.
        expected: 90 % intervals.
        drift: How far its latest success is from that before, in standard errors; None where it cannot be told.
    """

    arm: str
    outcomes: int
    verdicts: float
    expected: Expected
    drift: float | None


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of task: how many outcomes, and the arms that had some of them."""

    kind: str
    outcomes: int
    arms: list[Arm]


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """
    Units of work that ended in the window.

    Attributes:
        delegations, turns: How many were handed on, how many the agents did themselves.
        hours, cost_usd: What they took, as far as it is known.
        unknown: Of which nobody knows how they went.
        censored: That a limit, a login or a fault ended.
        verdicts: What the labels are worth.
        decisions: That routerd made, and
        explored: those that it made in order to learn.
    """

    delegations: int
    turns: int
    hours: float
    cost_usd: float
    unknown: int
    censored: int
    verdicts: float
    decisions: int
    explored: int


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """
    All that is on the page.

    Attributes:
        version: Of routerd.
        since, until: The window of counts, savings and drift, Unix seconds.
        counted: See `Counted`.
        arms: From all outcomes, the most used first.
        kinds: Likewise, the most frequent first; `more_kinds` are left out.
        foresight: See `Foresight`.
        savings: What `routerctl savings --json` says.
        drift: What `routerctl drift --json` says.
    """

    version: str
    since: float
    until: float
    counted: Counted
    arms: list[Arm]
    kinds: list[Kind]
    more_kinds: int
    foresight: Foresight
    savings: dict[str, Any]
    drift: dict[str, Any]


def arms(views: Sequence[ArmView], learnt: Sequence[Learnt], arm_of: Callable[[Dispatch], str]) -> list[Arm]:
    """The arms with outcomes among `learnt`, the most used first; `views` are what is believed of them."""
    outcomes: Counter[str] = Counter()
    verdicts: dict[str, float] = {}
    for one in learnt:
        arm = arm_of(one.contribution.dispatch)
        outcomes[arm] += 1
        if one.contribution.success is not None:
            verdicts[arm] = verdicts.get(arm, 0.0) + one.contribution.weight
    found = [
        Arm(
            arm=view.arm,
            outcomes=outcomes[view.arm],
            verdicts=verdicts.get(view.arm, 0.0),
            expected=view.posterior,
            drift=view.drift,
        )
        for view in views
        if view.arm in outcomes
    ]
    return sorted(found, key=lambda arm: (-arm.outcomes, arm.arm))


def kinds(
    views_of: Callable[[str], Sequence[ArmView]], learnt: Sequence[Learnt], arm_of: Callable[[Dispatch], str]
) -> tuple[list[Kind], int]:
    """The most frequent kinds of task, and how many more there are; `views_of` says what is believed of a kind."""
    counted = Counter(one.kind for one in learnt)
    ordered = sorted(counted, key=lambda kind: (-counted[kind], kind))
    shown = [
        Kind(
            kind=kind,
            outcomes=counted[kind],
            arms=arms(views_of(kind), [one for one in learnt if one.kind == kind], arm_of),
        )
        for kind in ordered[:KINDS_SHOWN]
    ]
    return shown, len(ordered) - len(shown)

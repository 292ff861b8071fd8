"""What `savings`, `drift`, `metrics` and `dashboard` ask of the database: the past, on a read-only connection."""

import sqlite3
from collections.abc import Callable, Iterator

import msgspec

from routerd.drift import Asked
from routerd.evaluation import Seen, seen
from routerd.events import Contribution, Decision, Dispatch, Tokens, arm_dispatch
from routerd.features import looked_at, vector
from routerd.metrics import BUCKETS_S, Sample, histogram
from routerd.page.figures import Counted, Learnt
from routerd.savings import Task
from routerd.spans import Done
from routerd.store.rows import contribution_of
from routerd.store.schema import queries

ArmOf = Callable[[Dispatch], str]
NO_KIND = "unknown"

_decisions = msgspec.json.Decoder(Decision)
_dispatches = msgspec.json.Decoder(Dispatch)
_learnt = msgspec.json.Decoder(Contribution)
_tokens = msgspec.json.Decoder(Tokens)


class Delegated(msgspec.Struct, frozen=True):
    """How many delegations ended, how many of them were censored, and when the first did."""

    count: int
    censored: int
    first_at: float | None


def delegated(connection: sqlite3.Connection, since: float) -> Delegated:
    """Delegations that ended since a moment."""
    count, censored, first_at = connection.execute(queries()["delegated"], (since,)).fetchone()
    return Delegated(count, censored or 0, first_at)


def tasks(connection: sqlite3.Connection, since: float, arm_of: ArmOf, names: frozenset[str]) -> list[Task]:
    """
    Delegations that ended since a moment and are learnt from.

    Args:
        connection: Reads.
        since: Unix seconds.
        arm_of: Spells arms as belief does.
        names: The features that belief looks at (`learning.features`).
    """
    found = []
    for agent, kind, learnt, features, propensity in connection.execute(queries()["tasks_learnt"], (since,)):
        contribution = contribution_of(learnt, features)
        assert contribution is not None
        chosen = contribution.own
        found.append(
            Task(
                agent=agent,
                kind=kind or NO_KIND,
                arm=arm_of(contribution.dispatch),
                x=vector(looked_at(contribution.features, names)),
                success=contribution.success if contribution.weight > 0.0 else None,
                verdicts=contribution.weight,
                wall_time_ms=contribution.wall_time_ms,
                cost_usd=contribution.cost_usd,
                chosen=chosen,
                drawn=chosen and propensity is not None and 0.0 < propensity < 1.0,
            )
        )
    return found


def decisions(connection: sqlite3.Connection, since: float, arm_of: ArmOf) -> list[Seen]:
    """Choices of the policy whose task ended since a moment; pins and what was outside the pool are none."""
    found = []
    for body, agent, kind, learnt in connection.execute(queries()["decisions_learnt"], (since,)):
        decision, outcome = _decisions.decode(body), _learnt.decode(learnt)
        found.append(
            seen(
                decision,
                {one.arm: arm_of(one.dispatch) for one in decision.considered},
                agent=agent,
                kind=kind or NO_KIND,
                arm=arm_of(outcome.dispatch),
                followed=outcome.own,
                success=outcome.success,
                weight=outcome.weight,
                wall_time_ms=outcome.wall_time_ms,
                cost_usd=outcome.cost_usd,
            )
        )
    return found


def asked(connection: sqlite3.Connection, since: float) -> list[Asked]:
    """Units that ended since a moment and for which somebody asked for a dispatch."""
    return [
        Asked(
            agent=agent,
            session_id=session_id,
            executor=executor,
            asked=_dispatches.decode(wanted),
            arm=arm,
            model=model,
            tokens=None if tokens is None else _tokens.decode(tokens),
            at=at,
        )
        for agent, session_id, executor, wanted, arm, model, tokens, at in connection.execute(
            queries()["asked"], (since,)
        )
    ]


def samples(connection: sqlite3.Connection) -> list[Sample]:
    """The database's part of `metrics`."""
    sql = queries()
    task = ("agent", "executor", "arm", "model")
    found = []
    for *known, explored, count in connection.execute(sql["metric_decisions"]):
        labels = dict(zip(("agent", "arm", "basis", "policy"), known, strict=True))
        found.append(Sample("routerd_decisions", {**labels, "explored": _word(explored)}, count))
    for *known, outcome, count in connection.execute(sql["metric_outcomes"]):
        found.append(Sample("routerd_outcomes", {**dict(zip(task, known, strict=True)), "outcome": outcome}, count))
    for *known, estimated, dollars in connection.execute(sql["metric_costs"]):
        labels = {**dict(zip(task, known, strict=True)), "estimated": _word(estimated)}
        found.append(Sample("routerd_cost_dollars", labels, dollars))
    for row in connection.execute(sql["metric_tokens"]):
        for kind, count in zip(("input", "output", "cache_read", "cache_write"), row[4:], strict=True):
            found.append(Sample("routerd_tokens", {**dict(zip(task, row[:4], strict=True)), "kind": kind}, count))
    for row in connection.execute(sql["metric_durations"], BUCKETS_S):
        labels = dict(zip(task, row[:4], strict=True))
        found += histogram("routerd_task_duration_seconds", labels, row[6:], count=row[4], total=row[5])
    for agent, at in connection.execute(sql["metric_last"]):
        found.append(Sample("routerd_last_outcome_timestamp_seconds", {"agent": agent}, at))
    return found


def _word(flag: int) -> str:
    return "true" if flag else "false"


def decided_tasks(connection: sqlite3.Connection, since: float) -> Iterator[tuple[Decision, Done | None]]:
    """Every decision since a moment, oldest first, with the task that followed where that has ended."""
    for body, agent, arm, model, ended_at, wall_time_ms, cost_usd, succeeded, censored, tokens in connection.execute(
        queries()["decisions_and_tasks"], (since,)
    ):
        done = None
        if ended_at is not None:
            done = Done(
                agent=agent,
                provider=arm_dispatch(arm).provider,
                model=model,
                ended_at=ended_at,
                wall_time_ms=wall_time_ms,
                cost_usd=cost_usd,
                succeeded=succeeded,
                censored=censored,
                tokens=None if tokens is None else _tokens.decode(tokens),
            )
        yield _decisions.decode(body), done


def learnt(connection: sqlite3.Connection) -> list[Learnt]:
    """Every outcome that is learnt from, in the order in which they ended."""
    found = []
    for kind, text, features in connection.execute(queries()["outcomes_learnt"]):
        contribution = contribution_of(text, features)
        assert contribution is not None
        found.append(Learnt(kind or NO_KIND, contribution))
    return found


def counted(connection: sqlite3.Connection, since: float) -> Counted:
    """Units that ended, and decisions that were made, since a moment."""
    delegations, turns, hours, cost_usd, unknown, censored, verdicts = connection.execute(
        queries()["ended_in_all"], (since,)
    ).fetchone()
    decisions, explored = connection.execute(queries()["decided_in_all"], (since,)).fetchone()
    return Counted(
        delegations=delegations,
        turns=turns,
        hours=hours,
        cost_usd=cost_usd,
        unknown=unknown,
        censored=censored,
        verdicts=verdicts,
        decisions=decisions,
        explored=explored,
    )

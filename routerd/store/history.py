"""What `savings` and `drift` ask of the database: the past, from a moment on, on a read-only connection."""

import sqlite3
from collections.abc import Callable

import msgspec

from routerd.drift import Asked
from routerd.evaluation import Seen, seen
from routerd.events import Contribution, Decision, Dispatch, Tokens
from routerd.savings import Task
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


def tasks(connection: sqlite3.Connection, since: float, arm_of: ArmOf) -> list[Task]:
    """Delegations that ended since a moment and are learnt from; `arm_of` spells arms as belief does."""
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
                features=contribution.features,
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

"""Questions to the database, each a function on a read-only connection; none is asked on the way to an answer."""

import sqlite3
from collections.abc import Iterator
from typing import Any

import msgspec

from routerd.events import Decision, Signal, Tokens
from routerd.store.batch import decision_key
from routerd.store.rows import decision_of
from routerd.store.schema import queries


class Counts(msgspec.Struct, frozen=True):
    """How much there is. `unknown` are ended outcomes whose success nobody knows."""

    decisions: int
    outcomes: int
    unknown: int
    reports: int


class Summary(msgspec.Struct, frozen=True, array_like=True):
    """One ended outcome, as the table of agents and models needs it."""

    agent: str
    executor: str
    model: str | None
    wall_time_ms: int | None
    cost_usd: float | None
    cost_estimated: bool
    succeeded: float | None
    weight: float
    censored: str | None


class Past(msgspec.Struct, frozen=True, array_like=True):
    """An outcome of the past, to compare a new task with."""

    id: str
    at: float
    agent: str
    arm: str
    succeeded: float | None
    wall_time_ms: int | None
    cost_usd: float | None
    transcript: str | None
    features: dict[str, Any]


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """An ended outcome with all its names; with its goal where text is kept and asked for. `teaches`: it is learnt."""

    id: str
    agent: str
    scope: str
    arm: str
    model: str | None
    kind: str | None
    session_id: str | None
    ended_at: float | None
    wall_time_ms: int | None
    cost_usd: float | None
    tokens: Tokens | None
    succeeded: float | None
    signal: Signal
    censored: str | None
    teaches: bool
    features: dict[str, Any]
    keys: list[str]
    goal: str | None = None


def counts(connection: sqlite3.Connection) -> Counts:
    """The totals of `status`."""
    return Counts(*connection.execute(queries()["counts"]).fetchone())


def completions(connection: sqlite3.Connection) -> dict[str, dict[str, int]]:
    """Ended units by agent and executor."""
    found: dict[str, dict[str, int]] = {}
    for agent, executor, count in connection.execute(queries()["completions"]):
        found.setdefault(agent, {"local": 0, "delegate": 0})[executor] = count
    return found


def summaries(connection: sqlite3.Connection) -> list[Summary]:
    """Every ended outcome."""
    rows = connection.execute(queries()["summary"])
    return msgspec.convert(list(rows), list[Summary], strict=False)


def decision(connection: sqlite3.Connection, decision_id: str) -> Decision | None:
    """A decision as it was made."""
    row = connection.execute(queries()["decision"], (decision_id,)).fetchone()
    return decision_of(row[0]) if row else None


def explored_since(connection: sqlite3.Connection, at: float) -> Iterator[Decision]:
    """The decisions since a time, Unix seconds, that tried something, in order."""
    for (body,) in connection.execute(queries()["explored_since"], (at,)):
        yield decision_of(body)


def outcome_of(connection: sqlite3.Connection, decision_id: str) -> dict[str, Any] | None:
    """What became of a decision, or None while nothing is known."""
    cursor = connection.execute(queries()["outcome_of_decision"], (decision_key(decision_id),))
    row = cursor.fetchone()
    return dict(zip((column[0] for column in cursor.description), row, strict=True)) if row else None


def recent(connection: sqlite3.Connection, limit: int) -> list[Past]:
    """The latest ended outcomes, newest first."""
    rows = connection.execute(queries()["recent"], (limit,))
    return [msgspec.convert((*row[:8], msgspec.json.decode(row[8])), Past) for row in rows]


def ended_since(
    connection: sqlite3.Connection, rowid: int, limit: int, *, text: bool = False
) -> tuple[list[Ended], int]:
    """
    Ended outcomes that were written after a row, in the order of writing, and the last one's rowid.

    Args:
        connection: Any.
        rowid: Of the last row that was seen; 0 for all.
        limit: At most so many.
        text: With their goals.
    """
    rows = connection.execute(queries()["ended_since"], (text, rowid, limit)).fetchall()
    return [_ended(row) for row in rows], rows[-1][0] if rows else rowid


def _ended(row: tuple[Any, ...]) -> Ended:
    _, *plain, tokens, succeeded, signal, censored, teaches, features, goal, keys = row
    names = Ended.__struct_fields__[: len(plain)]
    return Ended(
        **dict(zip(names, plain, strict=True)),
        tokens=None if tokens is None else msgspec.json.decode(tokens, type=Tokens),
        succeeded=succeeded,
        signal=signal,
        censored=censored,
        teaches=bool(teaches),
        features=msgspec.json.decode(features),
        goal=goal or None,
        keys=msgspec.json.decode(keys),
    )


def columns_kept(connection: sqlite3.Connection) -> dict[str, list[str]]:
    """What is kept, by table: the answer to "what do you know of me?"."""
    found: dict[str, list[str]] = {}
    for table, column in connection.execute(queries()["columns_kept"]):
        found.setdefault(table, []).append(column)
    return found

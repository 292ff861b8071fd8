"""
The outcome of one unit of work, joined from all that is known of it: what the log measured, what was reported, and
which decision it followed.

The law: a `Unit` is a function of the *set* of its parts. Parts may arrive in any order and any number of times; what a
log measured wins for time, tokens and cost, an explicit verdict wins for success, the latest verdict over earlier ones.
Units that share a key are one unit.
"""

from collections.abc import Callable, Iterable
from typing import Any, Literal, TypeVar

import msgspec

from routerd.events import (
    LOCAL,
    UNKNOWN,
    Basis,
    Completion,
    Contribution,
    Dispatch,
    Label,
    Outcome,
    Tokens,
)
from routerd.sources.signals import WEIGHTS

T = TypeVar("T")
ArmOf = Callable[[Dispatch], str]


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """A completion as it was read, with its features; its text is already gone unless text is kept."""

    completion: Completion
    features: dict[str, Any]
    origin: str


class Report(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a client or a person said about a unit. `keys` name the unit; the first is used when no log is known."""

    outcome_id: str
    at: float
    by: Literal["report", "feedback"]
    outcome: Outcome
    keys: tuple[str, ...]
    scope: str | None = None
    decision_id: str | None = None
    dispatch: Dispatch | None = None
    features: dict[str, Any] | None = None
    agent: str | None = None
    overridden: bool = False
    note: str | None = None


class Decided(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a unit needs to know of the decision that it followed."""

    decision_id: str
    at: float
    scope: str
    arm: str
    dispatch: Dispatch
    basis: Basis
    features: dict[str, Any]


class Unit(msgspec.Struct, kw_only=True):
    """All that is known of one unit of work. `keys` are in order of arrival, the id first."""

    keys: list[str]
    seen: Seen | None = None
    reports: dict[str, Report] = {}
    decided: Decided | None = None


class Record(msgspec.Struct, kw_only=True):
    """The outcome as it stands: one row of `outcomes`, and what the posteriors are told (None: nothing)."""

    id: str
    agent: str
    scope: str
    executor: str
    arm: str
    model: str | None
    reasoning_effort: str | None
    asked: Dispatch | None
    kind: str | None
    session_id: str | None
    started_at: float | None
    ended_at: float | None
    ended: bool
    wall_time_ms: int | None
    cost_usd: float | None
    cost_estimated: bool
    tokens: Tokens | None
    label: Label
    censored: str | None
    delegations: int
    decision_id: str | None
    transcript: str | None
    features: dict[str, Any]
    contribution: Contribution | None = None


def believed(old: Seen | None, new: Seen) -> Seen:
    """
    Which of two readings of one unit is kept: the fuller one, and of equals the newer reading of the same group.

    Copies of a unit in several files (resumed and forked sessions) have different origins; between them the choice must
    not depend on the order of reading, so equals are settled by the origin's name.
    """
    if old is None:
        return new
    if old.origin == new.origin:
        return new if new.completion.extent >= old.completion.extent else old
    return max(old, new, key=lambda seen: (seen.completion.ended, seen.completion.extent, seen.origin))


def merge(units: Iterable[Unit]) -> Unit:
    """One unit of several that turned out to be the same."""
    first, *others = units
    for other in others:
        first.keys += [key for key in other.keys if key not in first.keys]
        first.reports = {**first.reports, **other.reports}
        first.decided = first.decided or other.decided
        if other.seen is not None:
            first.seen = believed(first.seen, other.seen)
    return first


def identify(unit: Unit) -> str:
    """The id of a unit: the log's own first key, else the first that a client gave."""
    return unit.seen.completion.keys[0] if unit.seen is not None else unit.keys[0]


def settle(unit: Unit, arm_of: ArmOf) -> Record:
    """The outcome of a unit as it stands, by the rules at the head of this module."""
    log, decided = unit.seen.completion if unit.seen is not None else None, unit.decided
    reports = sorted(unit.reports.values(), key=_order) if unit.reports else []
    dispatch = _dispatch(unit, log, reports)
    label, censored = _verdict(log, reports)
    wall_time_ms, cost_usd, ended_at, tokens = (
        (log.wall_time_ms, log.cost_usd, log.ended_at, log.tokens) if log else (None, None, None, None)
    )
    scope = decided.scope if decided else None
    for report in reversed(reports):
        said = report.outcome
        wall_time_ms = said.wall_time_ms if wall_time_ms is None else wall_time_ms
        cost_usd = said.cost_usd if cost_usd is None else cost_usd
        ended_at = _ended_at(report) if ended_at is None else ended_at
        scope = report.scope if scope is None else scope
        tokens = _tokens(said) if tokens is None else tokens
    features = _features(unit, reports)
    kind = features.get("task_kind")
    record = Record(
        id=identify(unit),
        agent=log.agent if log else (_first(report.agent for report in reports) or "unknown"),
        scope=scope or (log.scope if log else "default"),
        executor=dispatch.executor,
        arm=arm_of(dispatch),
        model=dispatch.model or (log.task.parent.model if log and log.task.parent and _is_turn(log) else None),
        reasoning_effort=dispatch.reasoning_effort,
        asked=log.asked if log else None,
        kind=kind if isinstance(kind, str) else None,
        session_id=log.session_id if log else None,
        started_at=log.started_at if log else None,
        ended_at=ended_at,
        ended=log is None or log.ended or bool(reports),
        wall_time_ms=wall_time_ms,
        cost_usd=cost_usd,
        cost_estimated=log.cost_estimated if log and log.cost_usd is not None else False,
        tokens=tokens,
        label=label,
        censored=censored,
        delegations=log.delegations if log else 0,
        decision_id=decided.decision_id if decided else None,
        transcript=log.transcript if log else None,
        features=features,
    )
    if _teaches(record, dispatch, said=_is_said(unit)):
        overridden = any(report.overridden for report in reports)
        chosen = decided is not None and decided.arm == record.arm and decided.basis in ("learned", "prior")
        record.contribution = _contribution(record, dispatch, own=chosen and not overridden)
    return record


def _is_said(unit: Unit) -> bool:
    """
    Whether somebody said what ran, in a report or in a row that does not repeat a log (`extent`): a dispatch that names
    no model is what it was, then.
    """
    seen = unit.seen
    return seen is None or (seen.origin.startswith("jsonl:") and seen.completion.extent > 0)


def _teaches(record: Record, dispatch: Dispatch, *, said: bool) -> bool:
    """
    Whether the posteriors learn of it: nothing of what still runs, of a turn that handed its work on, or of a model
    that nobody knows; `said` as by `_is_said`.

    A censored unit ended before its time for reasons outside the dispatch: neither its verdict nor its time nor its
    cost is what the work would have taken.
    """
    if not record.ended or record.ended_at is None or record.censored:
        return False
    if dispatch.executor == "local":
        return record.delegations == 0
    return said or bool(dispatch.model or dispatch.profile or dispatch.agent)


def _contribution(record: Record, dispatch: Dispatch, *, own: bool) -> Contribution:
    assert record.ended_at is not None
    return Contribution(
        scope=record.scope,
        dispatch=dispatch,
        features=record.features,
        at=record.ended_at,
        success=record.label.value,
        weight=record.label.weight,
        wall_time_ms=record.wall_time_ms,
        cost_usd=record.cost_usd,
        own=own,
    )


def _verdict(log: Completion | None, reports: list[Report]) -> tuple[Label, str | None]:
    for report in reversed(reports):
        if report.outcome.succeeded is not None:
            return Label(float(report.outcome.succeeded), WEIGHTS[report.by], report.by), None
    return (log.label, log.censored) if log else (UNKNOWN, None)


def _dispatch(unit: Unit, log: Completion | None, reports: list[Report]) -> Dispatch:
    """What really ran: the log knows, then what a client says, then what was decided."""
    if log is not None:
        return log.ran
    reported = _first(report.dispatch for report in reversed(reports))
    return reported or (unit.decided.dispatch if unit.decided else None) or LOCAL


def _order(report: Report) -> tuple[float, str]:
    return report.at, report.outcome_id


def _features(unit: Unit, reports: list[Report]) -> dict[str, Any]:
    """As they were when the choice was made, else as the log has them."""
    found = unit.decided.features if unit.decided else None
    if found is None and unit.seen is not None:
        found = unit.seen.features
    return found if found is not None else _first(report.features for report in reports) or {}


def _ended_at(report: Report) -> float:
    return report.outcome.finished_at if report.outcome.finished_at is not None else report.at


def _tokens(said: Outcome) -> Tokens | None:
    known = said.input_tokens is not None or said.output_tokens is not None
    if not known and said.cost_tokens is None:
        return None
    return Tokens(
        input=(said.input_tokens or 0) if known else (said.cost_tokens or 0),
        output=said.output_tokens or 0,
        cache_read=said.cache_read_tokens or 0,
        cache_write=said.cache_write_tokens or 0,
        estimated=not known,
    )


def _is_turn(log: Completion) -> bool:
    return log.ran.executor == "local"


def _first(values: Iterable[T | None]) -> T | None:
    return next((value for value in values if value is not None), None)

"""The store's own shapes: how records become rows of SQLite and come back."""

from typing import Any, TypeVar

import msgspec

from routerd.events import Completion, Contribution, Decision, Dispatch
from routerd.records import Decided, Record, Report, Seen, Unit
from routerd.tail.checkpoint import Checkpoint, Stat, spelt

Values = tuple[Any, ...]
T = TypeVar("T")

OUTCOME_COLUMNS = (
    *("id", "agent", "scope", "executor", "arm", "model", "reasoning_effort", "asked", "kind", "session_id"),
    *("started_at", "ended_at", "ended", "wall_time_ms", "cost_usd", "cost_estimated", "tokens"),
    *("succeeded", "weight", "signal", "censored", "delegations", "decision_id", "transcript"),
    *("features", "learnt", "origin", "log"),
)
_AT = {name: index for index, name in enumerate(OUTCOME_COLUMNS)}

_encoder = msgspec.json.Encoder()
_completions = msgspec.json.Decoder(Completion)
_contributions = msgspec.json.Decoder(Contribution)
_decided = msgspec.json.Decoder(Decided)
_decisions = msgspec.json.Decoder(Decision)
_dispatches = msgspec.json.Decoder(Dispatch)
_mappings = msgspec.json.Decoder(dict[str, Any])
_reports = msgspec.json.Decoder(Report)


def encode(value: Any) -> str:
    """Compact JSON text, so that `sqlite3` on a terminal can read what is kept."""
    return _encoder.encode(value).decode()


def _encoded(value: Any) -> str | None:
    return None if value is None else encode(value)


def outcome_row(record: Record, seen: Seen | None) -> Values:
    """The row of a record, in the order of `OUTCOME_COLUMNS`."""
    learnt = record.contribution
    return (
        record.id,
        record.agent,
        record.scope,
        record.executor,
        record.arm,
        record.model,
        record.reasoning_effort,
        _encoded(record.asked),
        record.kind,
        record.session_id,
        record.started_at,
        record.ended_at,
        int(record.ended),
        record.wall_time_ms,
        record.cost_usd,
        int(record.cost_estimated),
        _encoded(record.tokens),
        record.label.value,
        record.label.weight,
        record.label.signal,
        record.censored,
        record.delegations,
        record.decision_id,
        record.transcript,
        encode(record.features),
        # Features stand in their own column; twice would be a third of the database.
        None if learnt is None else encode(msgspec.structs.replace(learnt, features={})),
        seen.origin if seen else None,
        encode(seen.completion) if seen else None,
    )


def unit_of(row: Values, keys: list[str], reports: list[Report], decided: Decided | None) -> Unit:
    """The unit that a row was settled from."""
    log = row[_AT["log"]]
    seen = None
    if log is not None:
        features = _mappings.decode(row[_AT["features"]])
        seen = Seen(completion=_completions.decode(log), features=features, origin=row[_AT["origin"]])
    identity = row[_AT["id"]]
    return Unit(
        keys=[identity, *(key for key in keys if key != identity)],
        seen=seen,
        reports={report.outcome_id: report for report in reports},
        decided=decided,
    )


def contribution_of(learnt: str | None, features: str) -> Contribution | None:
    """What a row contributes, from its columns `learnt` and `features`."""
    if learnt is None:
        return None
    return msgspec.structs.replace(_contributions.decode(learnt), features=_mappings.decode(features))


def row_contribution(row: Values) -> Contribution | None:
    """What a whole row contributes."""
    return contribution_of(row[_AT["learnt"]], row[_AT["features"]])


def whole_contribution(text: str | None) -> Contribution | None:
    """What a row of `changed` holds: a contribution with its features."""
    return None if text is None else _contributions.decode(text)


def report_row(report: Report, unit: str) -> Values:
    """Columns outcome_id, unit, at, body."""
    return (report.outcome_id, unit, report.at, encode(report))


def report_of(body: str) -> Report:
    """The inverse of `report_row`."""
    return _reports.decode(body)


def decision_row(decision: Decision) -> Values:
    """Columns id, at, scope, agent, session_id, arm, propensity, explored, basis, policy, body."""
    return (
        decision.decision_id,
        decision.at,
        decision.scope,
        decision.agent,
        decision.session_id,
        decision.arm,
        decision.propensity,
        int(decision.explored),
        decision.basis,
        f"{decision.policy.name}/{decision.policy.version}",
        encode(decision),
    )


def decision_of(body: str) -> Decision:
    """The inverse of `decision_row`."""
    return _decisions.decode(body)


def decided_of(body: str) -> Decided:
    """What a unit needs to know of a stored decision."""
    return _decided.decode(body)


def file_row(checkpoint: Checkpoint) -> Values:
    """Columns path, agent, grp, kind, dev, ino, size, mtime_ns, position, checked."""
    stat = checkpoint.stat
    return (
        spelt(checkpoint.path),
        checkpoint.agent,
        spelt(checkpoint.group),
        checkpoint.kind,
        _signed(stat.dev),
        _signed(stat.ino),
        stat.size,
        _signed(stat.mtime_ns),
        checkpoint.position,
        checkpoint.checked,
    )


def file_of(row: Values) -> Checkpoint:
    """The inverse of `file_row`."""
    path, agent, group, kind, dev, ino, size, mtime_ns, position, checked = row
    return Checkpoint(
        path=path,
        agent=agent,
        group=group,
        kind=kind,
        stat=Stat(dev % 2**64, ino % 2**64, size, mtime_ns),
        position=position,
        checked=bool(checked),
    )


def _signed(number: int) -> int:
    """
    SQLite's integers have 64 bits and a sign; the numbers of some file systems use all 64 bits, and a time may be
    anything. One that comes back otherwise has its file read again, no more.
    """
    return (number + 2**63) % 2**64 - 2**63

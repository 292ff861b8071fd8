"""
What a batch of news does to the database: a pure plan, made from the rows that the news touches.

The writer looks up the rows (`Wanted` → `Existing`), asks for the `Plan`, runs it in one transaction together with the
checkpoints, and only then tells the engine and the clients. News of one batch see each other in order.
"""

from collections.abc import Iterator, Sequence

import msgspec

from routerd.errors import NoSuchDecision, OutcomeIdInUse, RequestError
from routerd.events import Contribution, Decision, unit_key
from routerd.records import ArmOf, Decided, Record, Report, Seen, Unit, believed, merge, settle
from routerd.store.rows import OUTCOME_COLUMNS, Values, decision_row, encode, outcome_row, report_row
from routerd.tail.checkpoint import Checkpoint

ENDED = OUTCOME_COLUMNS.index("ended")
NEWS_PER_STEP = 64
"""So many are gone through in about half a millisecond."""
DECISIONS_PER_STEP = 4
"""Likewise; what is written of a decision is long."""

News = Seen | Report | Decision | Checkpoint


def decision_key(decision_id: str) -> str:
    """The key that joins a report to the unit that its decision led to."""
    return unit_key("routerd", "decision", decision_id)


def report_key(outcome_id: str) -> str:
    """The key under which a unit is found again by the id of a report."""
    return unit_key("routerd", "row", outcome_id)


class Wanted(msgspec.Struct, kw_only=True):
    """What must be looked up before a batch can be planned."""

    keys: list[str]
    report_ids: list[str]
    decision_ids: list[str]


class Existing(msgspec.Struct, kw_only=True):
    """The rows that a batch touches, as they are in the database."""

    units: dict[str, Unit] = {}
    rows: dict[str, Values] = {}
    contributions: dict[str, Contribution | None] = {}
    id_by_key: dict[str, str] = {}
    reports: dict[str, Report] = {}
    decided: dict[str, Decided] = {}
    decision_by_key: dict[str, str] = {}
    keys_by_decision: dict[str, list[str]] = {}


class Change(msgspec.Struct, frozen=True):
    """
    An outcome that is new or different.

    Attributes:
        before: What it contributed until now.
        record: What it is now; None when it is gone, for it turned out to be part of another.
        had_ended: Whether it had ended before; None when it is new.
    """

    before: Contribution | None
    record: Record | None
    had_ended: bool | None = None

    @property
    def after(self) -> Contribution | None:
        """What is contributed from now on."""
        return self.record.contribution if self.record is not None else None


class Reported(msgspec.Struct, frozen=True):
    """The answer to a report."""

    outcome_id: str
    duplicate: bool


Answer = Reported | RequestError | None


class Plan(msgspec.Struct, kw_only=True):
    """Rows to write, what changed, and an answer for each item of news; keys of `keyless` units name nothing now."""

    outcomes: list[Values] = []
    gone: list[str] = []
    keyless: list[str] = []
    keys: list[Values] = []
    reports: list[Values] = []
    decisions: list[Values] = []
    decision_keys: list[Values] = []
    files: list[Checkpoint] = []
    journal: list[Values] = []
    changes: list[Change] = []
    answers: list[Answer] = []


def wanted(news: Sequence[News]) -> Wanted:
    """What the database must be asked before `plan`."""
    wants = Wanted(keys=[], report_ids=[], decision_ids=[])
    for item in news:
        match item:
            case Seen():
                wants.keys += item.completion.keys
            case Report():
                wants.keys += (*item.keys, report_key(item.outcome_id))
                wants.report_ids.append(item.outcome_id)
                if item.decision_id is not None:
                    wants.keys.append(decision_key(item.decision_id))
                    wants.decision_ids.append(item.decision_id)
            case _:
                pass
    return wants


def plan(news: Sequence[News], existing: Existing, arm_of: ArmOf) -> Plan:
    """The rows that `news` leads to. `existing` is used up."""
    result = Plan()
    for _ in planning(result, news, existing, arm_of):
        pass
    return result


def planning(result: Plan, news: Sequence[News], existing: Existing, arm_of: ArmOf) -> Iterator[None]:
    """The same into an empty plan, in steps, between which others can be answered."""
    work = _Work(existing)
    for number, item in enumerate(news, start=1):
        result.answers.append(work.take(item))
        if number % (2 * NEWS_PER_STEP) == 0:
            yield
    for item in news:
        match item:
            case Checkpoint():
                result.files.append(item)
            case Decision():
                result.decisions.append(decision_row(item))
                names = (decision_key(item.decision_id), *item.keys)
                result.decision_keys += [(key, item.decision_id) for key in names]
                if len(result.decisions) % DECISIONS_PER_STEP == 0:
                    yield
            case _:
                pass
    yield from work.finish(result, arm_of)


class _Work:
    """The units of a batch while news is taken in. A handle is a unit's id in the database, or its first key."""

    def __init__(self, existing: Existing) -> None:
        self._was = existing
        self._units = existing.units
        self._named_before = dict(existing.id_by_key)
        self._touched: dict[str, None] = {}
        self._gone: list[str] = []
        self._keyless: list[str] = []

    def take(self, item: News) -> Answer:
        match item:
            case Seen():
                self._see(item)
            case Report():
                try:
                    return self._report(item)
                except RequestError as error:
                    return error
            case Decision():
                self._decide(item)
            case Checkpoint():
                pass
        return None

    def finish(self, result: Plan, arm_of: ArmOf) -> Iterator[None]:
        """Settles every touched unit and writes down what differs from the database, in steps."""
        settled: dict[str, Record] = {}
        for number, handle in enumerate(self._touched, start=1):
            settled[handle] = settle(self._units[handle], arm_of)
            if number % NEWS_PER_STEP == 0:
                yield
        kept = {record.id for record in settled.values()}
        for handle in (*self._gone, *self._touched):
            if handle not in kept:
                self._forget(handle, result)
        result.keyless = [handle for handle in self._keyless if handle not in kept]
        for number, (handle, record) in enumerate(settled.items(), start=1):
            if number % NEWS_PER_STEP == 0:
                yield
            unit = self._units[handle]
            row = outcome_row(record, unit.seen)
            was = self._was.rows.get(record.id)
            if row != was:
                before = self._was.contributions.get(record.id)
                result.outcomes.append(row)
                known = self._was.rows.get(handle) if was is None else was  # a report's unit gets the log's id
                result.changes.append(Change(before, record, None if known is None else bool(known[ENDED])))
                result.journal.append((record.id, None if before is None else encode(before)))
            result.keys += [(key, record.id) for key in unit.keys if self._named_before.get(key) != record.id]
            result.reports += [report_row(report, record.id) for report in unit.reports.values()]

    def _forget(self, handle: str, result: Plan) -> None:
        """A row whose unit has another id now."""
        if handle in self._was.rows:
            before = self._was.contributions.get(handle)
            result.gone.append(handle)
            result.changes.append(Change(before, None))
            result.journal.append((handle, None if before is None else encode(before)))

    def _see(self, seen: Seen) -> None:
        if seen.completion.void:
            self._unsee(seen)
            return
        unit = self._unit(seen.completion.keys)
        unit.seen = believed(unit.seen, seen)

    def _unsee(self, seen: Seen) -> None:
        """What the same group said of a unit is taken back; what was reported of it stays."""
        ids = self._was.id_by_key
        for handle in {ids[key] for key in seen.completion.keys if key in ids}:
            unit = self._units[handle]
            if unit.seen is None or unit.seen.origin != seen.origin:
                continue
            unit.seen = None
            self._touched[handle] = None
            if not unit.reports:
                self._touched.pop(handle)
                self._gone.append(handle)
                self._keyless.append(handle)
                del self._units[handle]
                for key in unit.keys:
                    ids.pop(key, None)

    def _decide(self, decision: Decision) -> None:
        """Later news of the batch may belong to it."""
        names = [decision_key(decision.decision_id), *decision.keys]
        self._was.decided[decision.decision_id] = decided_from(decision)
        self._was.keys_by_decision[decision.decision_id] = names
        self._was.decision_by_key.update(dict.fromkeys(names, decision.decision_id))

    def _report(self, report: Report) -> Reported:
        known = self._was.reports.get(report.outcome_id)
        if known is not None:
            return _again(known, report)
        unit = self._unit(self._names(report))
        unit.reports = {**unit.reports, report.outcome_id: report}
        self._was.reports[report.outcome_id] = report
        return Reported(report.outcome_id, duplicate=False)

    def _names(self, report: Report) -> tuple[str, ...]:
        """
        The keys of the unit that a report is about.

        Raises:
            NoSuchDecision: It names only a decision, or an outcome, that nobody knows.
        """
        names = list(report.keys)
        if report.decision_id is not None:
            names += self._was.keys_by_decision.get(report.decision_id, [decision_key(report.decision_id)])
            if report.decision_id not in self._was.decided and report.dispatch is None:
                raise NoSuchDecision(
                    f"decision {report.decision_id!r} is not known here: send task and dispatch with the report",
                    {"decision_id": report.decision_id},
                )
        elif report.dispatch is None and not any(key in self._was.id_by_key for key in names):
            raise NoSuchDecision("no outcome has this id: give the outcome_id or decision_id that routerd answered")
        return (*names, report_key(report.outcome_id))

    def _unit(self, keys: Sequence[str]) -> Unit:
        """The unit that goes by any of `keys`, made or merged where needed, with all of them."""
        ids = self._was.id_by_key
        decisions = self._was.decision_by_key
        decision_id = next((decisions[key] for key in keys if key in decisions), None) if decisions else None
        names = keys if decision_id is None else [*keys, *self._was.keys_by_decision.get(decision_id, ())]
        handles = list(dict.fromkeys([ids[key] for key in names if key in ids]))
        if handles:
            handle, *others = handles
            unit = merge(self._units[each] for each in handles)
            self._gone += [other for other in others if other not in self._gone]
            for other in others:
                self._touched.pop(other, None)
                del self._units[other]
        else:
            handle, unit = names[0], Unit(keys=[])
            self._units[handle] = unit
        unit.keys += [key for key in names if key not in unit.keys]
        if unit.decided is None and decision_id is not None:
            unit.decided = self._was.decided.get(decision_id)
        ids.update(dict.fromkeys(unit.keys, handle))
        self._touched[handle] = None
        return unit


def decided_from(decision: Decision) -> Decided:
    """What a unit needs to know of `decision`."""
    return Decided(
        decision_id=decision.decision_id,
        at=decision.at,
        scope=decision.scope,
        arm=decision.arm,
        dispatch=decision.dispatch,
        basis=decision.basis,
        features=decision.features,
    )


def _again(known: Report, report: Report) -> Reported:
    """
    A report whose id is known already: a retry, or a mistake.

    Raises:
        OutcomeIdInUse: It says something else than the first one did.
    """
    if known.outcome != report.outcome:
        raise OutcomeIdInUse(
            f"outcome id {report.outcome_id!r} was reported before with other members of outcome: use a new id",
            {"outcome_id": report.outcome_id},
        )
    return Reported(report.outcome_id, duplicate=True)

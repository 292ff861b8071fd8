"""
What the writer does in its thread: the rows that a batch touches are looked up, and its plan is one transaction.

Each is one call for the whole batch. A trip to the thread and back takes as long as some dozen statements, and most
batches are a report or two.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from routerd.records import Report
from routerd.store.batch import Existing, Plan, Wanted
from routerd.store.rows import (
    OUTCOME_COLUMNS,
    Values,
    decided_of,
    encode,
    file_row,
    report_of,
    row_contribution,
    unit_of,
)
from routerd.store.schema import queries

DECISION_ID = OUTCOME_COLUMNS.index("decision_id")


def look_up(connection: sqlite3.Connection, wants: Wanted) -> Existing:
    """
    The rows that the wanted keys lead to.

    Raises:
        sqlite3.Error: They cannot be read.
    """
    found = Existing()
    _decisions(connection, wants, found)
    keys = {*wants.keys, *(key for names in found.keys_by_decision.values() for key in names)}
    if not keys:
        return found
    found.id_by_key = dict(_pairs(connection, "keys", keys))
    found.reports = {identity: report_of(body) for identity, body in _pairs(connection, "reports", wants.report_ids)}
    ids = set(found.id_by_key.values())
    if ids:
        _units(connection, ids, found)
    return found


def _decisions(connection: sqlite3.Connection, wants: Wanted, found: Existing) -> None:
    found.decision_by_key = dict(_pairs(connection, "decisions_by_key", wants.keys))
    ids = {*found.decision_by_key.values(), *wants.decision_ids}
    for key, decision_id in _pairs(connection, "decision_keys_of", ids):
        found.decision_by_key[key] = decision_id
        found.keys_by_decision.setdefault(decision_id, []).append(key)
    found.decided = {identity: decided_of(body) for identity, body in _pairs(connection, "decisions", ids)}


def _units(connection: sqlite3.Connection, ids: set[str], found: Existing) -> None:
    keys: dict[str, list[str]] = {}
    for key, identity in _pairs(connection, "keys_of", ids):
        keys.setdefault(identity, []).append(key)
        found.id_by_key[key] = identity
    reports: dict[str, list[Report]] = {}
    for identity, body in _pairs(connection, "reports_of", ids):
        reports.setdefault(identity, []).append(report_of(body))
    rows = connection.execute(queries()["outcomes"], (encode(sorted(ids)),)).fetchall()
    found.rows = {row[0]: tuple(row) for row in rows}
    missing = {row[DECISION_ID] for row in rows} - {None, *found.decided}
    for identity, body in _pairs(connection, "decisions", missing):
        found.decided[identity] = decided_of(body)
    for identity, row in found.rows.items():
        decided = found.decided.get(row[DECISION_ID])
        found.units[identity] = unit_of(row, keys.get(identity, []), reports.get(identity, []), decided)
        found.contributions[identity] = row_contribution(row)


def _pairs(connection: sqlite3.Connection, name: str, values: Iterable[str]) -> list[tuple[str, str]]:
    """Runs a query of two columns for a set of values; no values, no query."""
    if not (listed := sorted(set(values))):
        return []
    return connection.execute(queries()[name], (encode(listed),)).fetchall()


def transact(connection: sqlite3.Connection, result: Plan) -> None:
    """
    One transaction, rows and checkpoints together; SQLite keeps all of it or nothing.

    Raises:
        sqlite3.Error: It could not be committed.
    """
    sql = queries()
    rows: list[tuple[str, list[Values]]] = [
        ("journal", result.journal),
        ("forget_outcome", [(identity,) for identity in result.gone]),
        ("forget_keys", [(identity,) for identity in result.keyless]),
        ("put_outcome", result.outcomes),
        ("put_key", result.keys),
        ("put_report", result.reports),
        ("put_decision", result.decisions),
        ("put_decision_key", result.decision_keys),
        ("put_file", [file_row(checkpoint) for checkpoint in result.files]),
    ]
    wrote = [(sql[name], values) for name, values in rows if values]
    if not wrote:
        return
    with _transaction(connection):
        for statement, values in wrote:
            connection.executemany(statement, values)


def put_snapshot(connection: sqlite3.Connection, body: bytes, at: float, oldest: float) -> None:
    """
    Stores a snapshot, empties the journal and forgets decisions older than `oldest` that led to no outcome.

    Raises:
        sqlite3.Error: It could not be committed.
    """
    sql = queries()
    with _transaction(connection):
        connection.execute(sql["put_snapshot"], (at, body))
        connection.execute(sql["forget_journal"])
        connection.execute(sql["forget_decisions"], (oldest,))
        if connection.execute("SELECT changes()").fetchone()[0]:
            connection.execute(sql["forget_decision_keys"])


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """BEGIN IMMEDIATE … COMMIT. The connection is used by the writer alone, one transaction at a time."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # A failed COMMIT may or may not have ended the transaction.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise

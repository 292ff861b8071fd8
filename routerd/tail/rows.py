"""A SQLite database that somebody else writes, read in short steps: it runs the queries of a `base.Machine`.

Its owner must never wait for us, and must be able to fold its write-ahead log back into the file. So each round of
queries is a read transaction of its own, its rows are fetched, the transaction ends, and only then are they fed.
A round that fails has not been fed at all, and the same round is asked again by the next reading: for the machine it
only took longer. What was written meanwhile may lie where that poll had looked already, so another poll follows.
The file is opened with `mode=ro`: with `immutable=1` SQLite would not look at the write-ahead log, where what was
written last is still standing.
"""

import os
import sqlite3
import time
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol, runtime_checkable
from urllib.parse import quote

from routerd.sources.base import Machine, Query, Row

BUSY_TIMEOUT_MS: Final = 50
"""A reader of a write-ahead log is not locked out but for moments (recovery, a change of journal)."""
RETRY_S: Final = 2.0
"""What could not be read is tried again after so long; what is damaged stays so."""
_TEXT: Final = partial(str, encoding="utf-8", errors="replace")
"""Not every text in a foreign database is UTF-8; one such row must not hide the others."""


class DatabaseUnreadable(OSError):
    """The database cannot be read now: it is gone, locked, damaged, or its directory does not let us. Try later."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: cannot be read: {reason}")
        self.path = path
        self.reason = reason


@runtime_checkable
class Restartable(Protocol):
    """A machine whose cursors mean nothing in another file."""

    def restart(self, path: str) -> None:
        """Another file stands where the database was: begin anew."""


class Database:
    """One database file, on one connection that is kept.

    Attributes:
        path: Where it lies; it need not exist yet.
        half_read: A poll failed after some of its rounds were fed; the next reading goes on with it.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = str(path)
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._version: int | None = None
        self._looked = False
        self._round: list[Query] | None = None
        self.half_read = False
        self._machine: Machine | None = None
        self._schema: int | None = None
        self._columns: dict[str, frozenset[str]] = {}
        self._failed_at: float | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Which file was read, and what is still to be answered, goes to another process; the connection does not."""
        return {**self.__dict__, "_connection": None, "_looked": False, "_failed_at": None}

    @property
    def whole(self) -> bool:
        """Whether the last poll, if it ended, took in all that was there when the reading of it began."""
        return self._version is not None

    def changed(self) -> bool:
        """
        Whether there may be something to read: another connection wrote, another file stands there, or the machine
        says that it is `behind` (it ended a poll early, to be drained).

        Raises:
            DatabaseUnreadable: As for `read`.
        """
        if self._failed_at is not None and time.monotonic() - self._failed_at < RETRY_S:
            return False
        if self._connection is None or self._file != self._identity():
            return True
        return bool(getattr(self._machine, "behind", False)) or self._data_version() != self._version

    def read(self, machine: Machine) -> int:
        """
        One poll, or the rest of one that failed: asks what the machine asks until it asks no more. Returns the number
        of rows.

        Raises:
            DatabaseUnreadable: Nothing of the round that failed was fed; to be read again later.
        """
        count = 0
        while (rows := self.step(machine)) is not None:
            count += rows
        return count

    def step(self, machine: Machine) -> int | None:
        """
        One round of a poll: the number of rows fed, or None when the machine asked for nothing and the poll is over.

        Raises:
            DatabaseUnreadable: As for `read`.
        """
        if not self._looked:
            self._look(machine)
        if self._round is None:
            self._round = machine.queries(self.path)
        if not self._round:
            self._looked = False
            self._end_poll()
            return None
        rows = self._ask(self._round)
        self._round, self.half_read = None, True
        for row in rows:
            machine.feed(row)
        return len(rows)

    def close(self) -> None:
        """Lets go of the file."""
        connection, self._connection = self._connection, None
        self._looked = False
        if connection is not None:
            connection.close()

    def _end_poll(self) -> None:
        """The machine is asked for its first round next."""
        self._round, self.half_read = None, False

    def _look(self, machine: Machine) -> None:
        """The version is read before the rows: what is written in between shows as a change afterwards."""
        identity = self._identity()
        if self._connection is not None and identity != self._file:
            self.close()
        if self._file is not None and identity != self._file and isinstance(machine, Restartable):
            machine.restart(self.path)
            self._end_poll()
        if machine is not self._machine:
            self._end_poll()  # the rest of a poll is for the machine that began it
        self._file = identity
        self._failed_at = None
        version = self._data_version()
        self._version = None if self.half_read else version
        self._machine = machine
        self._looked = True

    def _identity(self) -> tuple[int, int]:
        try:
            stat = os.stat(self.path)
        except OSError as error:
            self.close()
            self._forget()
            raise DatabaseUnreadable(self.path, error.strerror or "it is gone") from None
        return (stat.st_dev, stat.st_ino)

    def _forget(self) -> None:
        """Nobody holds the file any more: another one that has the same number is not the same."""
        if self._file is not None:
            self._file = (0, 0)
        self._end_poll()

    def _data_version(self) -> int:
        try:
            return int(self._open().execute("PRAGMA data_version").fetchone()[0])
        except sqlite3.Error as error:
            raise self._failed(error) from None

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            # Readers may step from any worker thread, one at a time.
            self._connection = sqlite3.connect(
                f"file:{quote(self.path)}?mode=ro",
                uri=True,
                isolation_level=None,
                timeout=BUSY_TIMEOUT_MS / 1000,
                check_same_thread=False,
            )
            self._connection.text_factory = _TEXT
            self._schema = None
        return self._connection

    def _ask(self, queries: list[Query]) -> list[Row]:
        """The rows of one round, from one state of the database."""
        try:
            connection = self._open()
            connection.execute("BEGIN")
            self._look_at_schema(connection)
            rows = [row for query in queries for row in self._rows(connection, query)]
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise self._failed(error) from None
        return rows

    def _rows(self, connection: sqlite3.Connection, query: Query) -> list[Row]:
        known = self._table(connection, query.table)
        if not known or not known.issuperset(query.needs):
            return []
        wanted = ", ".join(_column(column, query) if column in known else "NULL" for column in query.columns)
        order = f" ORDER BY {query.order}" if query.order else ""
        sql = f"SELECT {wanted} FROM {_name(query.table)} WHERE {query.where}{order}"  # noqa: S608 - of our own queries
        found = connection.execute(sql, query.params).fetchall()
        return [Row(self.path, query.name, dict(zip(query.columns, values, strict=True))) for values in found]

    def _look_at_schema(self, connection: sqlite3.Connection) -> None:
        """What is known of the tables is forgotten after every change of the schema."""
        schema = connection.execute("PRAGMA schema_version").fetchone()[0]
        if schema != self._schema:
            self._schema = schema
            self._columns = {}

    def _table(self, connection: sqlite3.Connection, table: str) -> frozenset[str]:
        """The columns of a table, empty when there is none."""
        if table not in self._columns:
            found = connection.execute(f"PRAGMA table_info({_name(table)})").fetchall()
            self._columns[table] = frozenset(column[1] for column in found)
        return self._columns[table]

    def _failed(self, error: sqlite3.Error) -> DatabaseUnreadable:
        """
        A connection that failed is not used again: the next attempt begins with a new one. One that was only kept
        waiting is, for it holds the file, whose number nobody else can have meanwhile.
        """
        self._failed_at = time.monotonic()
        self._looked = False
        if getattr(error, "sqlite_errorname", "").startswith("SQLITE_BUSY"):
            if self._connection is not None and self._connection.in_transaction:
                self._connection.rollback()
            self._version = None  # what was to be read has not been, though nobody may ever write again
            return DatabaseUnreadable(self.path, str(error))
        self.close()
        self._forget()
        return DatabaseUnreadable(self.path, str(error))


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _column(column: str, query: Query) -> str:
    return f"CAST({_name(column)} AS BLOB)" if column in query.as_bytes else _name(column)

"""A database is read beside its owner: short, never in the way, and whatever happens to the file."""

import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from routerd.events import Completion
from routerd.sources.base import Item, Query, Row
from routerd.tail.rows import RETRY_S, Database, DatabaseUnreadable


class Numbers:
    """Asks for numbers above the last one, two at a time."""

    quarantined = 0

    def __init__(self) -> None:
        self.last = 0
        self.rows: list[dict[str, Any]] = []
        self.behind = False
        self.begun: list[str] = []
        self.asks = 2
        self._got = 1

    def feed(self, item: Item) -> None:
        assert isinstance(item, Row)
        self.rows.append(item.values)
        self.last = item.values["n"]
        self._got += 1

    def drain(self, *, idle: bool) -> list[Completion]:
        return []

    def queries(self, path: str) -> list[Query]:
        got, self._got = self._got, 0
        if not got:
            self._got = 1
            return []
        return [
            Query(
                "numbers", path, "numbers", ("n", "name", "colour"),
                where="n > ?", params=(self.last,), needs=("n",), order=f"n LIMIT {self.asks}",
            )
        ]  # fmt: skip

    def restart(self, path: str) -> None:
        self.begun.append(path)
        self.last = 0

    @property
    def read(self) -> list[int]:
        return [row["n"] for row in self.rows]


class Owner:
    """Who writes the database."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.connection = sqlite3.connect(path, isolation_level=None)
        self.connection.execute("PRAGMA journal_mode=WAL")
        self.connection.execute("CREATE TABLE numbers (n INTEGER PRIMARY KEY, name TEXT)")

    def write(self, *numbers: int) -> None:
        self.connection.executemany("INSERT INTO numbers (n, name) VALUES (?, 'x')", [(n,) for n in numbers])


@pytest.fixture
def owner(tmp_path: Path) -> Iterator[Owner]:
    owner = Owner(tmp_path / "numbers.db")
    yield owner
    owner.connection.close()


@pytest.fixture
def database(owner: Owner) -> Iterator[Database]:
    database = Database(owner.path)
    yield database
    database.close()


def test_a_poll_asks_until_nothing_is_asked(owner: Owner, database: Database) -> None:
    owner.write(1, 2, 3, 4, 5)
    machine = Numbers()
    assert database.read(machine) == 5
    assert machine.read == [1, 2, 3, 4, 5]


def test_a_poll_can_be_made_in_steps(owner: Owner, database: Database) -> None:
    owner.write(1, 2, 3)
    machine = Numbers()
    assert [database.step(machine) for _ in range(4)] == [2, 1, 0, None]


def test_what_is_still_in_the_write_ahead_log_is_read(owner: Owner, database: Database) -> None:
    owner.connection.execute("PRAGMA wal_autocheckpoint=0")
    owner.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    owner.write(1)
    assert Path(f"{owner.path}-wal").stat().st_size > 0
    machine = Numbers()
    database.read(machine)
    assert machine.read == [1]


def test_changes_of_others_show(owner: Owner, database: Database) -> None:
    machine = Numbers()
    assert database.changed()
    database.read(machine)
    assert not database.changed()
    owner.write(1)
    assert database.changed()
    database.read(machine)
    assert machine.read == [1]
    assert not database.changed()


def test_a_change_during_a_poll_shows_after_it(owner: Owner, database: Database) -> None:
    owner.write(1, 2)
    machine = Numbers()
    database.step(machine)
    owner.write(0)  # behind the machine's cursor: this poll will not see it
    while database.step(machine) is not None:
        pass
    assert database.changed()


def test_a_machine_that_is_behind_is_asked_again(owner: Owner, database: Database) -> None:
    machine = Numbers()
    database.read(machine)
    machine.behind = True
    assert database.changed()
    machine.behind = False
    assert not database.changed()


def test_between_rounds_nothing_is_held(owner: Owner, database: Database) -> None:
    """The owner can write, and empty its log, while a poll of ours is under way."""
    owner.write(1, 2, 3, 4)
    machine = Numbers()
    database.step(machine)
    owner.write(5)
    busy, _, _ = owner.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    assert busy == 0
    assert Path(f"{owner.path}-wal").stat().st_size == 0
    database.read(machine)
    assert machine.read == [1, 2, 3, 4, 5]


def test_nothing_can_be_written_through_it(owner: Owner, database: Database) -> None:
    database.read(Numbers())
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        database._open().execute("DELETE FROM numbers")


def test_columns_that_are_not_there_are_none_until_they_come(owner: Owner, database: Database) -> None:
    owner.write(1)
    machine = Numbers()
    database.read(machine)
    owner.connection.execute("ALTER TABLE numbers ADD COLUMN colour TEXT DEFAULT 'red'")
    owner.write(2)
    database.read(machine)
    assert machine.rows == [{"n": 1, "name": "x", "colour": None}, {"n": 2, "name": "x", "colour": "red"}]


def test_no_table_and_no_needed_column_are_no_rows(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "other.db")
    connection.execute("CREATE TABLE numbers (name TEXT)")
    connection.execute("INSERT INTO numbers VALUES ('x')")
    connection.commit()
    connection.close()
    database = Database(tmp_path / "other.db")
    assert database.read(Numbers()) == 0
    missing = Query("q", database.path, "nothing", ("a",))
    assert database._ask([missing]) == []
    database.close()


def test_text_that_is_not_utf8_hides_no_other_row(owner: Owner, database: Database) -> None:
    owner.write(1, 2)
    owner.connection.execute("UPDATE numbers SET name = CAST(x'41ff42' AS TEXT) WHERE n = 1")
    machine = Numbers()
    database.read(machine)
    assert [row["name"] for row in machine.rows] == ["A\ufffdB", "x"]


def test_odd_names_are_quoted(tmp_path: Path) -> None:
    path = tmp_path / "a?b#c %41.db"
    connection = sqlite3.connect(path)
    connection.execute('CREATE TABLE "or""der" ("group" TEXT)')
    connection.execute('INSERT INTO "or""der" VALUES (1)')
    connection.commit()
    connection.close()
    database = Database(path)
    assert len(database._ask([Query("q", database.path, 'or"der', ("group",))])) == 1
    database.close()


# --- what can go wrong ----------------------------------------------------------------------------------------------


def test_a_database_that_is_not_there_is_unreadable_until_it_is(tmp_path: Path) -> None:
    database = Database(tmp_path / "numbers.db")
    assert database.changed()
    with pytest.raises(DatabaseUnreadable, match=r"numbers\.db: cannot be read: No such file"):
        database.read(Numbers())
    owner = Owner(tmp_path / "numbers.db")
    owner.write(1)
    assert database.read(Numbers()) == 1
    owner.connection.close()
    database.close()


def test_a_database_that_vanishes_is_unreadable(owner: Owner, database: Database) -> None:
    database.read(Numbers())
    owner.connection.close()
    owner.path.unlink()
    with pytest.raises(DatabaseUnreadable) as error:
        database.changed()
    assert error.value.reason == "No such file or directory"


def test_another_file_in_its_place_is_read_from_its_beginning(tmp_path: Path, owner: Owner, database: Database) -> None:
    owner.write(1, 2, 3)
    machine = Numbers()
    database.read(machine)
    other = Owner(tmp_path / "other.db")
    other.write(1)
    other.connection.close()
    owner.connection.close()
    for suffix in ("-wal", "-shm"):
        Path(f"{owner.path}{suffix}").unlink()  # of the old file; kept because our connection is open
    os.replace(tmp_path / "other.db", owner.path)
    assert database.changed()
    database.read(machine)
    assert machine.begun == [str(owner.path)]
    assert machine.read == [1, 2, 3, 1]


@pytest.mark.parametrize(
    "data", [b"not a database, but some text that is long enough" * 99, b"SQLite format 3\x00" + b"\x10" * 999]
)
def test_a_damaged_database_is_unreadable(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "numbers.db"
    path.write_bytes(data)
    database = Database(path)
    with pytest.raises(DatabaseUnreadable):
        database.read(Numbers())
    with pytest.raises(DatabaseUnreadable):
        database.read(Numbers())
    database.close()


def test_an_empty_file_is_a_database_without_tables(tmp_path: Path) -> None:
    (tmp_path / "numbers.db").touch()
    database = Database(tmp_path / "numbers.db")
    assert database.read(Numbers()) == 0
    database.close()


def test_a_locked_database_is_unreadable_and_feeds_nothing(tmp_path: Path) -> None:
    """Without a write-ahead log a writer locks readers out; the wait is short."""
    path = tmp_path / "numbers.db"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("CREATE TABLE numbers (n INTEGER PRIMARY KEY)")
    connection.execute("INSERT INTO numbers VALUES (1)")
    database, machine = Database(path), Numbers()
    assert database.changed()
    connection.execute("BEGIN EXCLUSIVE")
    with pytest.raises(DatabaseUnreadable, match="locked"):
        database.read(machine)
    assert machine.rows == []
    connection.execute("COMMIT")
    connection.close()
    assert database.read(Numbers()) == 1
    database.close()


def test_what_a_lock_kept_from_being_read_is_read_though_nobody_writes_again(tmp_path: Path) -> None:
    path = tmp_path / "numbers.db"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("CREATE TABLE numbers (n INTEGER PRIMARY KEY)")
    connection.execute("INSERT INTO numbers VALUES (1)")

    class Locked(Numbers):
        """The lock comes between a look at the database's version and its rows."""

        def queries(self, path: str) -> list[Query]:
            if not connection.in_transaction:
                connection.execute("BEGIN EXCLUSIVE")
            return super().queries(path)

    database, machine = Database(path), Numbers()
    with pytest.raises(DatabaseUnreadable, match="locked"):
        database.read(Locked())
    connection.execute("ROLLBACK")
    connection.close()
    deadline = time.monotonic() + 5 * RETRY_S
    while not database.changed():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert database.read(machine) == 1
    assert not database.changed()
    database.close()


def test_a_directory_that_must_not_be_written_is_told_so(tmp_path: Path, owner: Owner) -> None:
    """SQLite needs a place for the index of the write-ahead log; whoever made the log may be gone."""
    owner.write(1)
    place = tmp_path / "sealed"
    place.mkdir()
    for suffix in ("", "-wal"):
        shutil.copy(f"{owner.path}{suffix}", place / f"numbers.db{suffix}")
    place.chmod(0o500)
    database = Database(place / "numbers.db")
    try:
        if os.access(place, os.W_OK):  # root may write everywhere
            assert database.read(Numbers()) == 1
        else:
            with pytest.raises(DatabaseUnreadable):
                database.read(Numbers())
    finally:
        database.close()
        place.chmod(0o700)


def test_a_machine_that_asks_wrongly_is_a_bug_of_ours_and_is_told(owner: Owner, database: Database) -> None:
    wrong = Query("q", str(owner.path), "numbers", ("n",), where="no_such_column > 1")
    with pytest.raises(DatabaseUnreadable, match="no_such_column"):
        database._ask([wrong])

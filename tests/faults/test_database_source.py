"""
Fault 30: a SQLite database that its owner writes, moves, packs and throws away, read by a real daemon meanwhile.

Oracles: L, what a fresh reading of the database tells is known; D, each unit of work once, by the same name.
"""

import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from tests.harness import Daemon
from tests.sources.hermes_logs import STATE, Player, Script
from tests.sources.hermes_poller import fresh


class Owner:
    """A profile of Hermes: what it writes, and what the daemon knows of it."""

    def __init__(self, daemon: Daemon, name: str, schema: int = 22) -> None:
        self.daemon = daemon
        self.home = daemon.place.home / ".hermes" / "profiles" / name
        self.database = self.home / STATE
        self.turns = 0
        self._begin(schema)

    def _begin(self, schema: int) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        self.player = Player(self.home)
        self.script = Script(schema)
        self.session = f"{self.home.name}-{self.turns}"
        self.script.session(self.session, self.turns)

    def write(self, turns: int = 2) -> None:
        """So many questions with their answers, and all that the script holds besides."""
        for _ in range(turns):
            self.turns += 1
            at = self.turns * 10.0
            self.script.user(self.session, at, f"question {self.turns}")
            self.script.says(self.session, at + 5, f"answer {self.turns}")
        self.player.play(self.script.steps)
        self.script.steps.clear()

    def do(self, sql: str) -> None:
        """Something that Hermes, or its user, does to the database."""
        connection = self.player._connection(STATE)
        connection.commit()
        connection.execute(sql).fetchall()

    def another(self, schema: int = 22) -> None:
        """All of it is removed, and another database made, with its own numbers."""
        self.player.close()
        for path in self.home.glob(f"{STATE}*"):
            path.unlink()
        self._begin(schema)

    def known(self) -> set[str]:
        """The units of this profile that the daemon knows to have ended."""
        origin = f"hermes:{self.home}"
        return {
            row[0] for row in self.daemon.place.query(f"SELECT id FROM outcomes WHERE origin = '{origin}' AND ended")
        }

    def told(self) -> set[str]:
        """What a fresh reading tells."""
        return {unit.keys[0] for unit in fresh(self.home).values() if unit.ended and not unit.void}

    def expect(self, *, before: frozenset[str] = frozenset(), turns: int | None = None) -> None:
        """Waits until what a fresh reading tells, and what an earlier one told, is known, and nothing else."""
        told = self.told()
        assert len(told) >= (self.turns if turns is None else turns)
        try:
            self.daemon.until(lambda: self.known() == told | before)
        except AssertionError as error:
            raise AssertionError(
                f"missing {told - self.known()}, too much {self.known() - told - before}: {error}"
            ) from None


@pytest.fixture
def owner(followed: Daemon, request: pytest.FixtureRequest) -> Owner:
    return Owner(followed, request.node.name.replace("[", "-").replace("]", ""))


def test_fault_30_what_is_in_the_log_and_what_was_folded_back(owner: Owner) -> None:
    """L, D: the rows are in the write-ahead log, then in the file, then again in both; then the owner is gone."""
    owner.do("PRAGMA wal_autocheckpoint = 0")
    owner.write()
    owner.expect()
    owner.do("PRAGMA wal_checkpoint(TRUNCATE)")
    owner.write()
    owner.expect()
    owner.player.close()
    assert not Path(f"{owner.database}-wal").exists() or Path(f"{owner.database}-wal").stat().st_size >= 0
    owner.expect()
    owner.player = Player(owner.home)
    owner.write()
    owner.expect()


def test_fault_30_packed_so_that_rows_move(owner: Owner) -> None:
    """L, D: VACUUM numbers the rows of tables without a key anew, and writes every page."""
    owner.write(4)
    owner.expect()
    owner.do("DELETE FROM messages WHERE id < 3")
    known = frozenset(owner.known())
    owner.do("VACUUM")
    owner.write()
    owner.expect(before=known, turns=2)


def test_fault_30_rows_written_anew(owner: Owner) -> None:
    """D: undo and compression delete rows and insert them again under other numbers."""
    owner.write(2)
    owner.expect()
    known = frozenset(owner.known())
    kept = [("user", "question 1", {}), ("assistant", "answer 1", {"finish_reason": "stop"})]
    owner.script.replaces(owner.session, kept, 10.0)
    owner.write()
    owner.expect(before=known, turns=2)
    assert len(owner.known()) <= 5


@pytest.mark.parametrize("schema", [11, 14, 17, 22, 30])
def test_fault_30_every_schema(owner: Owner, schema: int) -> None:
    """L: columns that came with later versions may be missing."""
    owner.another(schema)
    owner.write()
    owner.expect()


def test_fault_30_upgraded_while_it_is_read(owner: Owner) -> None:
    """L, D: columns and tables come while it is followed."""
    owner.another(14)
    owner.write()
    owner.expect()
    for column in ("session_key TEXT", "git_branch TEXT", "profile_name TEXT"):
        owner.do(f"ALTER TABLE sessions ADD COLUMN {column}")
    owner.do("ALTER TABLE messages ADD COLUMN compacted INTEGER NOT NULL DEFAULT 0")
    owner.write()
    owner.expect()


def test_fault_30_locked(owner: Owner) -> None:
    """L: without a write-ahead log a writer locks readers out; nothing that others ask waits for it."""
    owner.do("PRAGMA journal_mode = DELETE")
    owner.write()
    owner.expect()
    other = sqlite3.connect(owner.database, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    os.utime(owner.database)
    for _ in range(20):
        assert owner.daemon.ask("hello")
    other.execute("ROLLBACK")
    other.close()
    owner.write()
    owner.expect()


@pytest.mark.parametrize(("journal", "waits_s"), [("WAL", 0.0), ("DELETE", 1.0)])
def test_fault_30_its_owner_never_waits(owner: Owner, journal: str, waits_s: float) -> None:
    """
    Hermes writes, and folds its log back, while a long history is read: each round of reading is short.

    With a write-ahead log it may write at once whoever reads, so it is given no time to wait. The log can be folded
    back only when nobody reads in it: that is so again and again.
    """
    owner.do(f"PRAGMA journal_mode = {journal}")
    owner.write(400)
    owner.player._connection(STATE).commit()
    writer = sqlite3.connect(owner.database, timeout=waits_s, isolation_level=None)
    for number in range(200):
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE sessions SET title = ? WHERE id = ?", (f"title {number}", owner.session))
        writer.execute("COMMIT")
        if number % 50 == 49 and journal == "WAL":
            owner.daemon.until(lambda: writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0, 5)
    writer.close()
    owner.expect()


def test_fault_30_deleted_and_made_anew(owner: Owner) -> None:
    """L, D: the new one's rows have the numbers of the old one's, and its file may have the same inode."""
    owner.write(3)
    owner.expect()
    for turn in range(3):
        known = frozenset(owner.known())
        owner.another()
        owner.write(1 + turn)
        owner.expect(before=known, turns=1 + turn)


def test_fault_30_a_backup_is_copied_over_it(owner: Owner) -> None:
    """L, D: in place, with the same inode: an older state, then other rows under the same numbers."""
    owner.write(2)
    owner.expect()
    owner.player.close()
    shutil.copy(owner.database, owner.home / "backup")
    owner.player = Player(owner.home)
    owner.write(2)
    owner.expect()
    owner.player.close()
    known = frozenset(owner.known())
    shutil.copyfile(owner.home / "backup", owner.database)
    owner.player = Player(owner.home)
    owner.turns += 100
    owner.write(3)
    owner.expect(before=known, turns=5)


def test_fault_30_cut_short_and_put_right(owner: Owner) -> None:
    """L: half of a file (a copy under way, a short read) is unreadable, and said to be; then it is whole."""
    owner.write(3)
    owner.player.close()
    whole = owner.database.read_bytes()
    owner.another()
    owner.player.close()
    owner.database.write_bytes(whole[: len(whole) // 2])
    owner.daemon.until(lambda: f"{owner.database}" in owner.daemon.log.read_text())
    (owner.home / "new").write_bytes(whole)
    (owner.home / "new").rename(owner.database)
    owner.expect(turns=3)


def test_fault_30_a_place_where_nothing_may_be_written(owner: Owner) -> None:
    """L: a database in a directory that is read-only, as soon as SQLite lets it be read at all."""
    owner.write(2)
    owner.expect()
    owner.player.close()
    known = frozenset(owner.known())
    owner.another()
    owner.write(2)
    owner.database.chmod(0o400)
    owner.home.chmod(0o500)
    try:
        assert owner.daemon.ask("hello")
    finally:
        owner.home.chmod(0o700)
        owner.database.chmod(0o600)
    owner.write(1)
    owner.expect(before=known, turns=3)
    owner.player.close()

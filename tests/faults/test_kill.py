"""
Fault 26 with the real daemon: SIGKILL at system calls of the commit path and at any moment in between (L, D).

`test_power` tries the store at hundreds of moments, `benchmarks/kill.py` the daemon at every write and sync.
"""

import random
import sqlite3
from contextlib import closing
from pathlib import Path

from tests.faults.killing import Killed, migrate_killed, moments
from tests.harness import Place
from tests.store.test_old import OLD, rows, unpacked


def test_fault_26_killed_at_writes_and_syncs_of_the_real_daemon(tmp_path: Path) -> None:
    """Its threads enter the call for the n-th time, and that is the end; the next starts on what is left."""
    killed = Killed(tmp_path)
    died = [killed.at_call(*at) for at in [*moments("pwrite64", 60, 4), *moments("fdatasync", 6, 3)]]
    assert sum(died) >= 4
    killed.check()


def test_fault_26_killed_while_reports_are_on_their_way(tmp_path: Path) -> None:
    """Whoever was answered can rely on it; who was not may ask again and be told `duplicate`."""
    killed = Killed(tmp_path)
    rng = random.Random(9)
    for _ in range(3):
        killed.after_answers(rng.randrange(2, 20))
    assert len(killed.answered) > 10
    killed.check()


def test_fault_26_killed_while_it_brings_an_old_database_up_to_date(tmp_path: Path) -> None:
    """A step of the migration is one transaction: the next start finds the old shape or the new one, and every row."""
    place = Place(tmp_path)
    place.state.mkdir(mode=0o700)
    path = place.state / "routerd.db"
    path.write_bytes(unpacked(1))
    with closing(sqlite3.connect(path)) as connection:
        before = {table: rows(connection, table) for table in OLD[1]}
    assert all(migrate_killed(place, number) for number in (1, 4))
    place.once()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        for table, old in before.items():
            found = rows(connection, table)
            assert [row[: len(was)] for row, was in zip(found, old, strict=True)] == old

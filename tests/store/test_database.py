"""The database file: made, migrated, refused, set aside; and the fold that start-up takes from it."""

import os
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from routerd.errors import StoreError
from routerd.events import Contribution, Label
from routerd.store.database import SCHEMA_VERSION, prepare, read_only, refold
from tests.store.bench import Bench
from tests.store.test_batch import DONE, report, seen

pytestmark = pytest.mark.anyio


def test_a_new_database_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "routerd.db"
    assert prepare(path, 0.0) is None
    assert path.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)


def test_preparing_again_keeps_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "routerd.db"
    prepare(path, 0.0)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("INSERT INTO decision_keys VALUES ('k', 'd')")
    prepare(path, 0.0)
    with closing(read_only(path)) as connection:
        assert connection.execute("SELECT * FROM decision_keys").fetchall() == [("k", "d")]


def test_a_database_of_a_newer_routerd_is_refused_and_left_untouched(tmp_path: Path) -> None:
    path = tmp_path / "routerd.db"
    prepare(path, 0.0)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = path.read_bytes()
    with pytest.raises(StoreError, match="newer routerd"):
        prepare(path, 0.0)
    assert path.read_bytes() == before


@pytest.mark.parametrize("damage", ["text", "middle"])
def test_a_corrupt_database_is_set_aside_and_never_deleted(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "routerd.db"
    prepare(path, 0.0)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(path.read_bytes())
    if damage == "text":
        content = bytearray(b"this was never a database\n" * 100)
    else:
        content[4096:12288] = os.urandom(8192)
    path.write_bytes(content)
    aside = prepare(path, 1700000000.0)
    assert aside == tmp_path / "routerd.db.corrupt-1700000000"
    assert aside.read_bytes() == content
    with closing(read_only(path)) as connection:
        assert connection.execute("SELECT count(*) FROM outcomes").fetchone() == (0,)


def test_a_directory_in_the_place_of_the_database_is_one_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "routerd.db"
    path.mkdir()
    with pytest.raises(StoreError, match=r"routerd\.db: cannot be used"):
        prepare(path, 0.0)


def test_reading_where_there_is_none_says_so(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="has routerd run yet"):
        read_only(tmp_path / "routerd.db")


async def test_a_start_from_the_snapshot_and_its_journal_is_the_fold_of_the_rows(bench: Bench) -> None:
    """Whatever changed after the snapshot, merged and relabelled units among it, is neither lost nor counted twice."""
    await bench.write([seen("t:1"), seen("t:2"), seen("c:3"), seen("t:3", extent=0)])
    kept = [msgspec.json.encode(one) for one in bench.fold()]
    await bench.writer.snapshot(lambda: b"\n".join(kept), 100.0)
    await bench.write([seen("t:1", label=Label(0.0, 0.9, "test"))])
    await bench.write([seen("t:1", label=DONE, wall_time_ms=5), report("o1", "t:2", succeeded=0.0)])
    await bench.write([seen("t:3", "c:3", extent=2), seen("t:4")])

    balance: Counter[bytes] = Counter()

    def restore(body: bytes) -> bool:
        balance.update(body.split(b"\n"))
        return True

    def fold(old: Contribution | None, new: Contribution | None) -> None:
        if old is not None:
            balance[msgspec.json.encode(old)] -= 1
        if new is not None:
            balance[msgspec.json.encode(new)] += 1

    with closing(read_only(bench.path)) as connection:
        assert refold(connection, restore, fold) < 8
    assert sorted(balance.elements()) == sorted(msgspec.json.encode(one) for one in bench.fold())
    assert min(balance.values()) >= 0

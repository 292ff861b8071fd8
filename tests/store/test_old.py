"""
Databases of older shapes open for ever: their bytes are kept in `data/`, one for each shape that was ever released.

`schema-1.db.zst`: made by a daemon on synthetic logs of Codex and rows of outcomes, asked eight times and told of six
outcomes, then killed, so that its snapshot is older than what its journal holds.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import zstandard

from routerd.errors import OutcomeIdInUse
from routerd.store.database import SCHEMA_VERSION, checkpoints, prepare, read_only
from tests.harness import Place

DATA = Path(__file__).with_name("data")
OLD = {1: {"outcomes": 39, "outcome_keys": 55, "reports": 6, "decisions": 8, "decision_keys": 16, "files": 12}}
HAIKU = {"executor": "delegate", "provider": "anthropic", "model": "claude-haiku-4-5"}
LEARNT = {
    "delegate:anthropic:claude-haiku-4-5": 23,
    "local": 4,
    "delegate:acme:big-1@medium": 3,
    "delegate:acme:small-1@low": 2,
}


def unpacked(version: int) -> bytes:
    packed = (DATA / f"schema-{version}.db.zst").read_bytes()
    return zstandard.ZstdDecompressor().decompress(packed, max_output_size=1 << 24)


def shape(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Every table and index with its columns."""
    with closing(sqlite3.connect(path)) as connection:
        names = connection.execute("SELECT name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY name")
        return {
            name: connection.execute(f"PRAGMA table_info({name})").fetchall()
            + connection.execute(f"PRAGMA index_info({name})").fetchall()
            for (name,) in names.fetchall()
        }


def test_the_bytes_of_every_shape_are_kept() -> None:
    """When a migration is added, the database of the shape before it is to be added here."""
    assert set(OLD) == set(range(1, SCHEMA_VERSION))


@pytest.mark.parametrize("version", OLD)
def test_an_old_database_becomes_one_of_today_and_keeps_every_row(tmp_path: Path, version: int) -> None:
    path = tmp_path / "routerd.db"
    path.write_bytes(unpacked(version))
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (version,)
        before = {table: rows(connection, table) for table in OLD[version]}
    assert {table: len(found) for table, found in before.items()} == OLD[version]
    assert prepare(path, 0.0) is None
    prepare(tmp_path / "new.db", 0.0)
    assert shape(path) == shape(tmp_path / "new.db")
    with closing(read_only(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        for table, old in before.items():
            assert [row[: len(was)] for row, was in zip(rows(connection, table), old, strict=True)] == old
        assert len(list(checkpoints(connection))) == OLD[version]["files"]


def rows(connection: sqlite3.Connection, table: str) -> list[tuple[object, ...]]:
    return connection.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall()


@pytest.mark.parametrize("version", OLD)
def test_a_daemon_goes_on_with_an_old_database(tmp_path: Path, version: int) -> None:
    """Its outcomes are believed, its reports known, its decisions remembered; logs that are gone take nothing away."""
    place = Place(tmp_path)
    place.state.mkdir(mode=0o700)
    (place.state / "routerd.db").write_bytes(unpacked(version))
    with place.daemon() as daemon:
        assert {arm["arm"]: arm["n"] for arm in daemon.ask("arms")["arms"]} == LEARNT
        status = daemon.ask("status")
        assert status["counts"] == {"decisions": 8, "outcomes": 37, "unknown": 2, "reports": 6}
        assert status["db"]["schema"] == SCHEMA_VERSION
        said = {"task": {"goal": "x"}, "dispatch": HAIKU}
        again = daemon.ask("report", outcome_id="alone", outcome={"succeeded": True}, **said)
        assert again == {"outcome_id": "alone", "duplicate": True}
        with pytest.raises(OutcomeIdInUse):
            daemon.ask("report", outcome_id="alone", outcome={"succeeded": False}, **said)
        ((decision_id,),) = place.query("SELECT id FROM decisions ORDER BY at DESC LIMIT 1")
        assert daemon.ask("feedback", decision_id=decision_id, verdict="good")["succeeded"] is True
        assert daemon.ask("explain", decision_id=decision_id)["outcome"]["succeeded"] == 1.0
    assert place.query("PRAGMA user_version") == [(SCHEMA_VERSION,)]

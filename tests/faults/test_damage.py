"""A database that is damaged, moved or deleted while the daemon runs, or so large that a start does not look at it."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from routerd.errors import Overloaded
from routerd.store.database import CHECKED_BYTES_MAX
from tests.harness import Daemon, Place

REPORT: dict[str, Any] = {
    "task": {"goal": "x"}, "dispatch": "delegate:anthropic:claude-opus-4-5", "outcome": {"succeeded": True},
}  # fmt: skip
ROW = b'{"id": "%d", "task": {"goal": "x"}, "dispatch": ["local", null], "succeeded": true, "at": 1.0}\n'


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place(tmp_path)
    rows = b"".join(ROW % number for number in range(40))
    made.write({"rows/a.jsonl": rows, ".config/routerd/config.toml": b"[sources.jsonl]\nroots = ['~/rows']\n"})
    return made


def report(daemon: Daemon, name: str) -> Any:
    given = {**REPORT, "dispatch": {"executor": "delegate", "model": "claude-opus-4-5"}}
    return daemon.ask("report", outcome_id=name, **given)


def test_damage_in_a_large_database_is_found_where_it_is_met_and_set_aside(place: Place) -> None:
    with place.daemon() as daemon:
        daemon.until(lambda: daemon.completions() == 40)
        report(daemon, "before")
    database = place.state / "routerd.db"
    with closing(sqlite3.connect(database)) as connection, connection:
        body = "{" + " " * 1_000_000 + "}"
        for number in range(CHECKED_BYTES_MAX // 1_000_000 + 2):
            connection.execute(
                "INSERT INTO decisions VALUES (?, 2e9, 'default', NULL, NULL, 'local', 1, 0, 'prior', 'off/1', ?)",
                (f"d{number}", body),
            )
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        size = connection.execute("PRAGMA page_size").fetchone()[0]
        (root,) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'reports'").fetchone()
    with database.open("r+b") as file:
        file.seek((root - 1) * size)
        file.write(b"\xa5" * size)
    with place.daemon() as daemon:
        with pytest.raises(Overloaded, match="malformed"):
            report(daemon, "met")
        assert daemon.process.wait(20) == 70
    assert "the database is damaged" in daemon.log.read_text()
    with place.daemon() as daemon:
        daemon.until(lambda: daemon.completions() == 40)
        assert report(daemon, "met")["duplicate"] is False
    assert [path.name for path in place.state.glob("*.corrupt-*[0-9]")] != []
    assert not list(place.state.glob("*.damaged"))


def test_what_is_reported_after_the_database_was_deleted_is_refused(place: Place) -> None:
    with place.daemon() as daemon:
        daemon.until(lambda: daemon.completions() == 40)
        report(daemon, "before")
        for path in place.state.glob("routerd.db*"):
            path.unlink()
        with pytest.raises(Overloaded, match="moved or deleted below the running daemon"):
            report(daemon, "after")
        for method in ("status", "reload"):  # they say so too, and nothing falls over
            if method == "reload":
                place.write({".config/routerd/config.toml": b"[providers.foo]\nbase_url = 'http://x/v1'\n"})
            with pytest.raises(Overloaded):
                daemon.ask(method)
        daemon.process.send_signal(1)
        assert daemon.ask("recommend", task={"goal": "x"})["arm"]
    with place.daemon() as daemon:
        assert report(daemon, "after")["duplicate"] is False

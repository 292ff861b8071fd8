"""Faults 27 and 28: a state directory that is missing, damaged, newer, read-only or full, and who may have it."""

import fcntl
import os
import shutil
import socket
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from routerd.store.database import SCHEMA_VERSION
from tests.faults.logs import Logs, place_of, without_privileges
from tests.faults.test_load import small_disk
from tests.harness import PROGRAMS, Place

DATABASE = "routerd.db"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return place_of(tmp_path)


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state directory with three outcomes, made once."""
    place = place_of(tmp_path_factory.mktemp("once"))
    logs = Logs(place, "rows")
    logs.append(logs.rows(1, 2, 3))
    place.once()
    assert logs.known() == {1: 1, 2: 2, 3: 3}
    return place.state


@pytest.fixture
def filled(place: Place, once: Path) -> Logs:
    """A copy of it, and the log that told them."""
    shutil.copytree(once, place.state)
    logs = Logs(place, "rows")
    logs.append(logs.rows(1, 2, 3))
    return logs


def refused(place: Place, *under: str) -> str:
    """What a daemon says that does not start: one line, with exit code 70."""
    done = subprocess.run(
        [*under, str(PROGRAMS / "routerd")], env=place.env, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 70, (done.stdout, done.stderr)
    (line,) = done.stderr.splitlines()
    return line


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.endswith("-shm")}


# --- fault 27: the state ---------------------------------------------------------------------------------------------


def test_fault_27_no_state(filled: Logs) -> None:
    """L: without a database, or without any state directory, everything is read again."""
    shutil.rmtree(filled.place.state)
    with filled.place.daemon() as filled.daemon:
        filled.expect(1, 2, 3)


@pytest.mark.parametrize("damage", ["zeros", "cut", "text", "header", "page"])
def test_fault_27_a_damaged_database_is_set_aside_and_filled_again(filled: Logs, damage: str) -> None:
    """L: starts, says so, and deletes nothing: what a power failure can make of a file."""
    path = filled.place.state / DATABASE
    data = path.read_bytes()
    path.write_bytes(
        {
            "zeros": bytes(len(data)),
            "cut": data[: len(data) // 2 + 100],
            "text": b"no database" * 1000,
            "header": b"\xff" * 100 + data[100:],
            "page": data[: 5 * 4096] + os.urandom(3 * 4096) + data[8 * 4096 :],
        }[damage]
    )
    damaged = path.read_bytes()
    with filled.place.daemon() as filled.daemon:
        filled.expect(1, 2, 3)
        assert "database is corrupt: set aside" in filled.daemon.log.read_text()
    (aside,) = (
        one for one in filled.place.state.glob(f"{DATABASE}.corrupt-*") if one.suffix.endswith(tuple("0123456789"))
    )
    assert aside.read_bytes() == damaged


def test_fault_27_damage_that_shows_only_in_what_is_read_at_the_start(filled: Logs) -> None:
    """An outcome whose text is damaged is left out of belief, and said; nothing else is lost for it."""
    with closing(sqlite3.connect(filled.place.state / DATABASE)) as connection, connection:
        connection.execute("UPDATE outcomes SET learnt = '{broken' WHERE wall_time_ms = 2")
        connection.execute("DELETE FROM snapshot")
    with filled.place.daemon() as filled.daemon:
        assert sum(arm["n"] for arm in filled.daemon.ask("arms")["arms"]) == 2
        assert "damaged: left out" in filled.daemon.log.read_text()


@pytest.mark.parametrize(("column", "snapshot"), [("learnt", False), ("features", True), ("log", True), ("arm", False)])
def test_fault_27_a_changed_byte_in_a_text_harms_no_other_row(filled: Logs, column: str, snapshot: bool) -> None:
    """L: SQLite does not notice it, and cannot read it as text: the daemon starts, and writes, and reads all else."""
    with closing(sqlite3.connect(filled.place.state / DATABASE)) as connection, connection:
        change = f"CAST(CAST({column} AS BLOB) || x'ff' AS TEXT)"
        connection.execute(f"UPDATE outcomes SET {column} = {change} WHERE wall_time_ms = 2")
        if not snapshot:
            connection.execute("DELETE FROM snapshot")
    with filled.place.daemon() as filled.daemon:
        filled.append(filled.row(4))
        filled.daemon.until(lambda: {1, 2, 3, 4} <= filled.known().keys())
        said = {"task": {"goal": "x"}, "dispatch": {"executor": "local"}, "outcome": {"succeeded": True}}
        assert filled.daemon.ask("report", outcome_id="o", **said)["duplicate"] is False
        assert sum(arm["n"] for arm in filled.daemon.ask("arms")["arms"]) >= 4


def test_fault_27_a_snapshot_that_does_not_fit_is_not_believed(filled: Logs) -> None:
    """D: belief is folded from the outcomes, whatever the snapshot and the journal beside it say."""
    with closing(sqlite3.connect(filled.place.state / DATABASE)) as connection, connection:
        connection.execute("INSERT INTO changed SELECT id, learnt FROM outcomes")
        connection.execute("UPDATE changed SET old = json_set(old, '$.at', 12345.0)")
    with filled.place.daemon() as filled.daemon:
        assert sum(arm["n"] for arm in filled.daemon.ask("arms")["arms"]) == 3


def test_fault_27_a_newer_database_is_refused_and_left_as_it_is(filled: Logs) -> None:
    """To the last byte, its write-ahead log included: opening it for writing would fold that in."""
    with closing(sqlite3.connect(filled.place.state / DATABASE, isolation_level=None)) as connection:
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
        connection.execute("CREATE TABLE something_new (x)")
        crashed = contents(filled.place.state)
    for name, data in crashed.items():
        (filled.place.state / name).write_bytes(data)
    assert len(crashed[f"{DATABASE}-wal"]) > 4096
    assert f"newer routerd (schema {SCHEMA_VERSION + 1}" in refused(filled.place)
    after = contents(filled.place.state)
    assert {name: after[name] for name in crashed if name != "lock"} == {
        name: data for name, data in crashed.items() if name != "lock"
    }


@pytest.mark.parametrize("existing", [False, True])
def test_fault_27_a_directory_that_cannot_be_written(filled: Logs, existing: bool) -> None:
    """Says what, where and what to do, whether or not there is a database in it."""
    state, under = filled.place.state, without_privileges()
    if not existing:
        (state / DATABASE).unlink()
    state.chmod(0o500)
    if existing:
        (state / DATABASE).chmod(0o400)
    try:
        said = refused(filled.place, *under)
    finally:
        state.chmod(0o700)
    assert said.startswith(f"routerd: {state}/{DATABASE}: cannot be used: ")
    assert said.endswith("check the disk and the file's permissions")


def test_fault_27_a_disk_that_is_full_at_the_start(place: Place) -> None:
    """Says so; nothing else can be done without a database. The service manager tries again."""
    with small_disk(place.state, 16) as under:
        assert refused(place, *under).endswith("check the disk and the file's permissions")


def test_fault_27_a_database_on_which_another_program_has_a_lock(filled: Logs) -> None:
    """Waits for a moment, then says so."""
    with closing(sqlite3.connect(filled.place.state / DATABASE, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        assert "database is locked" in refused(filled.place)


# --- fault 28: who has the place -------------------------------------------------------------------------------------


def test_fault_28_a_second_daemon(filled: Logs) -> None:
    """One writer: the second is told who the first is, by the state directory and by the socket; the first goes on."""
    with filled.place.daemon() as daemon:
        assert f"another routerd (pid {daemon.process.pid}) runs on this state directory" in refused(filled.place)
        elsewhere = Place(filled.place.home)
        elsewhere.env["ROUTERD_STATE_DIR"] = str(filled.place.home / "other")
        assert f"another routerd (pid {daemon.process.pid}) answers there" in refused(elsewhere)
        assert daemon.ask("hello")["pid"] == daemon.process.pid


def test_fault_28_the_lock_is_the_directory_and_not_a_file_that_can_be_removed(filled: Logs) -> None:
    """One writer, even when somebody tidies up the lock file."""
    with filled.place.daemon() as daemon:
        (filled.place.state / "lock").unlink()
        (filled.place.home / "s.lock").unlink()
        assert "another routerd" in refused(filled.place)
        assert daemon.ask("hello")["pid"] == daemon.process.pid


def test_fault_28_the_old_one_is_still_draining(filled: Logs) -> None:
    """One writer: until the old one has let go, the new one is refused; then it starts."""
    with filled.place.daemon() as daemon:
        os.kill(daemon.process.pid, 19)
        try:
            daemon.process.terminate()
            assert "another routerd" in refused(filled.place)
        finally:
            os.kill(daemon.process.pid, 18)
        assert daemon.process.wait(20) == 0
        with filled.place.daemon() as new:
            assert new.ask("hello")["pid"] == new.process.pid


def test_fault_28_the_lock_is_held_for_life_by_one_process_alone(filled: Logs) -> None:
    """Not by its child, which may outlive it for a moment."""
    filled.append(b"".join(filled.row(n, task={"goal": "x" * 2000}) for n in range(10, 400)), "large.jsonl")
    with filled.place.daemon() as daemon:
        daemon.until(lambda: len(filled.known()) == 393)
        children = Path(f"/proc/{daemon.process.pid}/task/{daemon.process.pid}/children").read_text().split()
        assert children, "the large file was to be read by a child"
        os.kill(int(children[0]), 19)
        daemon.kill()
        try:
            with filled.place.daemon() as new:
                assert new.ask("hello")["pid"] == new.process.pid
        finally:
            os.kill(int(children[0]), 9)


@pytest.mark.parametrize("kind", ["stale", "file", "directory", "other program", "long"])
def test_fault_28_what_stands_at_the_socket(filled: Logs, kind: str) -> None:
    """A stale socket is replaced; whatever else stands there is left alone, and named."""
    path = filled.place.socket
    other = socket.socket(socket.AF_UNIX)
    with closing(other):
        if kind == "long":
            filled.place.env["ROUTERD_SOCKET"] = f"{path}{'x' * 100}"
            assert "too long for a socket" in refused_as_usage(filled.place)
            return
        if kind == "file":
            path.write_text("mine")
        elif kind == "directory":
            path.mkdir()
        else:
            other.bind(str(path))
        if kind == "other program":
            other.listen()
            assert "another program listens there" in refused(filled.place)
        elif kind == "stale":
            other.close()
            with filled.place.daemon() as daemon:
                assert daemon.ask("hello")
        else:
            assert "something stands there that is no socket" in refused_as_usage(filled.place)
        assert kind == "stale" or path.exists()


def refused_as_usage(place: Place) -> str:
    done = place.run("routerd")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    return line


def test_fault_28_a_lock_file_that_somebody_else_locked(filled: Logs) -> None:
    """It says that another one is just starting, for nothing in the file tells who."""
    with (filled.place.state / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "another routerd" in refused(filled.place)

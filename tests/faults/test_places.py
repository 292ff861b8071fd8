"""Faults 20, 22, 23: directories that come and go, files that cannot be read, watches that see nothing (L, B)."""

import os
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.logs import Logs, limits_of_watches, place_of, strace
from tests.harness import Daemon, Place

QUEUE = Path("/proc/sys/fs/inotify/max_queued_events")


def test_fault_20_directories_made_and_filled_and_removed_at_once(logs: Logs) -> None:
    """L, B: a watch on a directory is there only after its first files; what is left standing is read all the same."""
    for number in range(100):
        folder = logs.folder / f"deep/er-{number}"
        folder.mkdir(parents=True)
        (folder / "a.jsonl").write_bytes(logs.row(number))
        if number % 2:
            shutil.rmtree(folder)
    assert logs.daemon is not None
    logs.daemon.until(lambda: set(range(0, 100, 2)) <= logs.known().keys())
    for number in range(0, 100, 2):
        logs.append(logs.row(1000 + number), f"deep/er-{number}/a.jsonl")
    logs.daemon.until(lambda: set(range(1000, 1100, 2)) <= logs.known().keys())
    assert set(logs.known()) <= {*range(100), *range(1000, 1100)}


# --- what cannot be read --------------------------------------------------------------------------------------------


def test_fault_22_permission_denied_and_later_granted(logs: Logs) -> None:
    """L: nothing but a permission changes, so neither a hint nor the file's time tells; it is tried again by itself."""
    logs.append(logs.row(1))
    logs.path().chmod(0)
    logs.append(logs.row(2), "other.jsonl")
    logs.expect(2)
    logs.path().chmod(0o600)
    logs.expect(1, 2)


def test_fault_22_permission_lost_and_regained(logs: Logs) -> None:
    """L: of a file, and of the directory that it is in."""
    logs.append(logs.row(1))
    logs.expect(1)
    logs.path().chmod(0)
    with_descriptor = os.open(logs.folder / "b.jsonl", os.O_WRONLY | os.O_CREAT, 0o600)
    os.write(with_descriptor, logs.row(2))
    logs.expect(1, 2)
    logs.folder.chmod(0)
    os.write(with_descriptor, logs.row(3))
    os.close(with_descriptor)
    logs.folder.chmod(0o700)
    logs.path().chmod(0o600)
    logs.append(logs.row(4))
    logs.expect(1, 2, 3, 4)


def fifo(path: Path) -> None:
    os.mkfifo(path)


def directory(path: Path) -> None:
    path.mkdir()


def listening(path: Path) -> None:
    os.chdir(path.parent)  # a path of a socket must be short
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(path.name)


def dangling(path: Path) -> None:
    path.symlink_to("nowhere")


def endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize("become", [fifo, directory, listening, dangling, endless])
def test_fault_22_a_file_becomes_what_is_no_file(
    logs: Logs, become: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """L, B: it is passed by, others are read meanwhile, and when it is a file again it is read."""
    monkeypatch.chdir("/")  # undone at the end
    logs.append(logs.row(1))
    logs.expect(1)
    logs.path().unlink()
    become(logs.path())
    logs.append(logs.row(2), "other.jsonl")
    logs.expect(1, 2)
    if become is directory:
        logs.path().rmdir()
    else:
        logs.path().unlink()
    logs.append(logs.row(3))
    logs.expect(1, 2, 3)


def test_fault_22_errors_of_the_disk_and_stale_handles(tmp_path: Path) -> None:
    """L: opening fails twice with ESTALE, reading twice with EIO, and nothing about the file changes: tried again."""
    place = place_of(tmp_path)
    logs = Logs(place, "eio")
    logs.append(logs.rows(1, 2))
    under = strace(
        *("-P", str(logs.path()), "-e", "trace=pread64,openat"),
        *("-e", "inject=openat:error=ESTALE:when=1..2", "-e", "inject=pread64:error=EIO:when=1..2"),
    )
    with place.daemon(under=under) as logs.daemon:
        logs.expect(1, 2)
        logs.append(logs.row(3))
        logs.expect(1, 2, 3)
    assert "Stale file handle" in logs.daemon.log.read_text()


# --- watches --------------------------------------------------------------------------------------------------------


def mode(daemon: Daemon, root: str = "logs") -> str:
    """How a root is followed, as `status` says."""
    (found,) = [one["mode"] for one in daemon.ask("status")["sources"] if Path(one["root"]).name == root]
    return str(found)


@pytest.mark.parametrize(("watches", "instances"), [(2, 10), (100, 0)], ids=["ENOSPC", "EMFILE"])
def test_fault_23_no_more_watches_are_to_be_had(tmp_path: Path, watches: int, instances: int) -> None:
    """L within one rescan: the limit of watches, or of their instances, is reached; `status` says that it polls."""
    place = place_of(tmp_path)
    for number in range(5):
        (place.home / "logs" / f"folder-{number}").mkdir()
    logs = Logs(place, "limit")
    with place.daemon(under=limits_of_watches(watches, instances)) as logs.daemon:
        logs.daemon.until(lambda: mode(logs.daemon) == "poll")
        logs.append(logs.row(1))
        logs.expect(1)
        logs.append(logs.row(2))
        logs.append(logs.row(3), "new.jsonl")
        logs.expect(1, 2, 3)
    assert "cannot watch, polling instead" in logs.daemon.log.read_text()


@pytest.fixture(scope="module")
def roots(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Place, Daemon]]:
    """A daemon that follows three roots, and has nothing else to do."""
    place = place_of(tmp_path_factory.mktemp("roots"), roots=("flood", "remade", "remote"))
    with place.daemon() as daemon:
        yield place, daemon


def test_fault_23_the_queue_of_hints_overflows(roots: tuple[Place, Daemon]) -> None:
    """
    L within one rescan: the daemon is stopped while more happens than the kernel keeps, so the last of it has no hint.

    Events of one file in a row are kept as one, so two files take turns.
    """
    place, daemon = roots
    many = int(QUEUE.read_text()) if QUEUE.exists() else 0
    if not 0 < many <= 100_000:
        pytest.skip("the kernel does not say how many hints it keeps, or keeps too many to lose some")
    logs = Logs(place, "overflow", daemon, "flood")
    logs.append(logs.row(1))
    logs.append(logs.row(2), "b.jsonl")
    logs.expect(1, 2)
    with stopped(daemon):
        for number in range(many // 2 + 100):
            os.utime(logs.path("b.jsonl" if number % 2 else "a.jsonl"))
            os.utime(logs.path("a.jsonl" if number % 2 else "b.jsonl"))
        for number in range(10, 20):
            logs.append(logs.row(number), f"new-{number}.jsonl")
        logs.append(logs.row(3))
    logs.expect(1, 2, 3, *range(10, 20))


class stopped:  # noqa: N801 - reads as a word
    """Holds a daemon up, as a suspend does."""

    def __init__(self, daemon: Daemon) -> None:
        self.pid = daemon.process.pid

    def __enter__(self) -> None:
        os.kill(self.pid, 19)

    def __exit__(self, *_: object) -> None:
        os.kill(self.pid, 18)


def test_fault_23_a_root_is_removed_and_made_anew(roots: tuple[Place, Daemon]) -> None:
    """L within one rescan: quickly, so that it is never seen missing, and slowly. The watch is made anew as well."""
    place, daemon = roots
    root = place.home / "remade"
    for turn in range(3):
        logs = Logs(place, f"remade-{turn}", daemon, "remade")
        logs.append(logs.row(1))
        logs.expect(1)
        shutil.rmtree(root)
        if turn == 1:
            daemon.until(lambda: not any(one["root"] == str(root) for one in daemon.ask("status")["sources"]))
        root.mkdir()
    logs = Logs(place, "remade-last", daemon, "remade")
    logs.append(logs.row(1))
    logs.expect(1)
    daemon.until(lambda: mode(daemon, "remade") == "watch")


def test_fault_23_a_place_without_any_events(roots: tuple[Place, Daemon]) -> None:
    """
    L within one rescan: changes behind a symbolic link raise no events, as on a network's file system.

    `status` says that the root is polled as soon as a rescan has found what no hint told of.
    """
    place, daemon = roots
    away = place.home / "elsewhere"
    away.mkdir()
    (place.home / "remote" / "mounted").symlink_to(away)
    logs = Logs(place, "away", daemon, "elsewhere")
    logs.append(logs.row(1))
    logs.expect(1)
    logs.append(logs.row(2))
    logs.expect(1, 2)
    logs.append(logs.row(3))
    logs.append(logs.row(4), "new.jsonl")
    logs.expect(1, 2, 3, 4)
    daemon.until(lambda: mode(daemon, "remote") == "poll")
    here = Logs(place, "here", daemon, "remote")
    here.append(here.row(1))
    here.expect(1)
    here.append(here.row(2))
    here.expect(1, 2)
    daemon.until(lambda: mode(daemon, "remote") == "watch")

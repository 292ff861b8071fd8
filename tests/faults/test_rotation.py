"""Faults 3 to 8, 13, 15, 18 and 19: files get other names, and names other files. For the oracles see `test_lines`."""

import os
import shutil
from collections.abc import Iterator

import pytest

from tests.faults.logs import Logs, place_of


def test_fault_03_renamed_with_an_unread_tail(logs: Logs) -> None:
    """L, D: the new name is a log as well; its lines are those that are known, and one more."""
    logs.append(logs.rows(1, 2))
    logs.expect(1, 2)
    logs.append(logs.row(3))
    logs.path().rename(logs.path("a.1.jsonl"))
    logs.append(logs.row(4))
    logs.expect(1, 2, 3, 4)


@pytest.mark.parametrize("how", ["renamed", "removed", "replaced"])
def test_fault_04_out_of_the_pattern_with_an_unread_tail(logs: Logs, how: str) -> None:
    """L: the file is held open, so what nobody can find by name any more is read to its end."""
    logs.append(logs.rows(1, 2))
    logs.expect(1, 2)
    logs.append(logs.row(3))
    if how == "removed":
        logs.path().unlink()
    else:
        logs.path().rename(logs.path("a.jsonl.1"))
    if how == "replaced":
        logs.append(logs.row(4))
    logs.expect(1, 2, 3, *([4] if how == "replaced" else []))


def test_fault_05_the_writer_goes_on_in_the_renamed_file(logs: Logs) -> None:
    """L, D: for 10 s a file that has left the pattern is read on beside the one that took its place."""
    with logs.path().open("ab", buffering=0) as writer:
        writer.write(logs.rows(1, 2))
        logs.expect(1, 2)
        logs.path().rename(logs.path("a.jsonl.1"))
        logs.append(logs.row(3))
        logs.expect(1, 2, 3)
        writer.write(logs.row(4)[:20])
        writer.write(logs.row(4)[20:])
        logs.expect(1, 2, 3, 4)
        logs.append(logs.row(5))
        writer.write(logs.row(6))
        logs.expect(1, 2, 3, 4, 5, 6)


def test_fault_06_several_rotations_between_two_looks(logs: Logs) -> None:
    """L, D: each file of the chain is read, whatever its name was."""
    logs.append(logs.rows(1, 2))
    logs.expect(1, 2)
    for turn in range(5):
        logs.append(logs.row(10 + turn))
        for number in range(turn, -1, -1):
            logs.path(f"a.{number}.jsonl" if number else "a.jsonl").rename(logs.path(f"a.{number + 1}.jsonl"))
        logs.append(logs.row(20 + turn))
    logs.expect(1, 2, *range(10, 15), *range(20, 25))


def test_fault_08_copied_and_truncated(logs: Logs) -> None:
    """L, D: the copy tells nothing new; the file is read from its beginning, though it is soon as long as before."""
    logs.append(logs.rows(1, 2, 3))
    logs.expect(1, 2, 3)
    logs.append(logs.row(4))
    shutil.copy(logs.path(), logs.path("a.1.jsonl"))
    os.truncate(logs.path(), 0)
    logs.append(logs.rows(5, 6, 7, 8))
    logs.expect(*range(1, 9))


def test_fault_13_two_files_that_begin_alike(logs: Logs) -> None:
    """L: files are told apart by where they are; that their first 8 KiB agree is no reason to read only one."""
    begin = logs.row(1, task={"goal": "x" * 8192})
    for name, number in (("a.jsonl", 2), ("b.jsonl", 3)):
        logs.append(begin + logs.row(number), name)
    logs.expect(1, 2, 3)
    for name, number in (("a.jsonl", 4), ("b.jsonl", 5)):
        logs.append(logs.row(number), name)
    logs.expect(1, 2, 3, 4, 5)


def test_fault_15_replaced_by_a_file_that_begins_alike(logs: Logs) -> None:
    """L, D: an agent that writes its session anew and renames it over the old one."""
    logs.append(logs.rows(1, 2))
    logs.expect(1, 2)
    for last in (3, 4, 5):
        logs.append(logs.rows(*range(1, last + 1)), "new")
        logs.path("new").rename(logs.path())
        logs.expect(*range(1, last + 1))


def test_fault_18_copied_elsewhere_and_restored_from_a_backup(logs: Logs) -> None:
    """D: another inode with known lines tells nothing new; an older state put back takes nothing away."""
    logs.append(logs.rows(1, 2))
    logs.expect(1, 2)
    shutil.copy2(logs.path(), logs.path("backup"))
    shutil.copytree(logs.folder, logs.folder / "copy")
    logs.append(logs.row(3))
    logs.expect(1, 2, 3)
    shutil.copy2(logs.path("backup"), logs.path())
    logs.append(logs.row(4))
    logs.expect(1, 2, 3, 4)
    logs.path("backup").rename(logs.path())
    logs.append(logs.row(5))
    logs.expect(1, 2, 3, 4, 5)


def test_fault_19_links(logs: Logs) -> None:
    """L, D, B: a link to another file than before, a circle of directories, two names of one file."""
    for number in (1, 2):
        logs.append(logs.row(number), f"target-{number}")
    link = logs.path("link.jsonl")
    link.symlink_to("target-1")
    (logs.folder / "round").mkdir()
    (logs.folder / "round" / "again").symlink_to(logs.folder)
    logs.expect(1)
    link.unlink()
    link.symlink_to("target-2")
    logs.expect(1, 2)
    logs.append(logs.row(3))
    os.link(logs.path(), logs.path("same.jsonl"))
    logs.append(logs.row(4))
    logs.expect(1, 2, 3, 4)
    assert logs.daemon is not None
    roots = logs.daemon.ask("status")["sources"]
    assert sum(source["files"] for source in roots) < 200


# --- while nobody looks ---------------------------------------------------------------------------------------------


def completed(logs: Logs) -> list[int]:
    """Fault 2."""
    logs.append(logs.row(3)[25:])
    return [1, 2, 3]


def renamed(logs: Logs) -> list[int]:
    """Fault 7."""
    logs.append(logs.row(3)[25:] + logs.row(4))
    logs.path().rename(logs.path("a.1.jsonl"))
    logs.append(logs.rows(5, 6))
    return [1, 2, 3, 4, 5, 6]


def truncated_and_grown(logs: Logs) -> list[int]:
    """Fault 11."""
    os.truncate(logs.path(), 0)
    logs.append(logs.rows(4, 5, 6, 7))
    return [1, 2, 4, 5, 6, 7]


def made_anew(logs: Logs) -> list[int]:
    """Fault 12: the number of the old file is given to the new one as soon as the old one is gone."""
    number = logs.path().stat().st_ino
    logs.path().unlink()
    for attempt in range(200):
        logs.append(logs.rows(4, 5, 6, 7))
        if logs.path().stat().st_ino == number:
            break
        logs.path().rename(logs.path(f"not-it-{attempt}"))
    for path in logs.folder.glob("not-it-*"):
        path.unlink()
    if not logs.path().exists():
        logs.append(logs.rows(4, 5, 6, 7))  # a file system that gives no number twice
    return [1, 2, 4, 5, 6, 7]


def undone(logs: Logs) -> list[int]:
    """Fault 17."""
    os.truncate(logs.path(), len(logs.row(1)))
    logs.append(logs.rows(4, 5))
    return [1, 2, 4, 5]


def copied(logs: Logs) -> list[int]:
    """Fault 18."""
    shutil.copy(logs.path(), logs.path("new"))
    logs.path("new").rename(logs.path())
    logs.append(logs.row(3)[25:])
    return [1, 2, 3]


CHANGES = {
    "fault_02_completed": completed,
    "fault_07_renamed": renamed,
    "fault_11_truncated_and_grown": truncated_and_grown,
    "fault_12_made_anew": made_anew,
    "fault_17_undone": undone,
    "fault_18_copied": copied,
}
Revived = dict[str, tuple[Logs, list[int]]]


@pytest.fixture(scope="module")
def revived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Revived]:
    """A daemon is killed, every file of its changes, and another starts on what the first left."""
    place = place_of(tmp_path_factory.mktemp("revived"))
    every = {}
    with place.daemon() as daemon:
        for fault in CHANGES:
            every[fault] = logs = Logs(place, fault, daemon)
            logs.append(logs.rows(1, 2) + logs.row(3)[:25])
            logs.expect(1, 2)
        daemon.kill()
    known = {fault: change(every[fault]) for fault, change in CHANGES.items()}
    with place.daemon() as daemon:
        for logs in every.values():
            logs.daemon = daemon
        yield {fault: (every[fault], known[fault]) for fault in CHANGES}


@pytest.mark.parametrize("fault", CHANGES)
def test_faults_02_07_11_12_17_18_while_nobody_looks(revived: Revived, fault: str) -> None:
    """L, T, D: half a line was on disk when the daemon was killed, and what became of it is read once by the next."""
    logs, known = revived[fault]
    logs.expect(*known)
    logs.append(logs.row(8))
    logs.expect(*known, 8)

"""
Faults 1, 9 to 12, 14, 16, 17 and 21: what is written to one file, while a real daemon follows it.

Oracles, of `tests/faults`: L, no complete line is lost; T, no torn record is taken for one; D, nothing is counted
twice; B, memory and the time others wait are bounded.
"""

import os
import time
from pathlib import Path

import pytest

from tests.faults.logs import LINE_BYTES_MAX, Logs, resident_mb
from tests.harness import Daemon, Place
from tests.sources.claude_logs import home_files as claude_files


def test_fault_01_partial_line_completed_later(logs: Logs) -> None:
    """L, T: a line in pieces, also cut inside a character of several bytes, counts once it is whole, and only then."""
    whole = logs.row(1, task={"goal": "é漢🙂" * 20}).decode().encode()
    escaped = logs.row(2).replace(b"task 2", "é漢🙂".encode())
    cut = escaped.index("漢".encode()) + 1
    logs.append(whole[:30])
    logs.append(logs.row(0), "other.jsonl")
    logs.expect(0)
    logs.append(whole[30:] + escaped[:cut])
    logs.expect(0, 1)
    logs.append(escaped[cut:] + logs.row(3)[:-1])
    logs.expect(0, 1, 2, 3)  # whole but for its end
    logs.append(b"\n" + logs.row(4))
    logs.expect(0, 1, 2, 3, 4)


def test_fault_09_copytruncate_with_a_stale_writer_leaves_a_hole(logs: Logs) -> None:
    """L, T: a writer that goes on at its old offset leaves NULs before its next line, more than a line may hold."""
    writer = logs.path().open("wb", buffering=0)
    writer.write(logs.row(1))
    logs.expect(1)
    writer.seek(5 * LINE_BYTES_MAX)
    os.truncate(logs.path(), 0)
    writer.write(logs.row(2) + logs.row(3))
    writer.close()
    logs.expect(1, 2, 3)


def test_fault_10_truncated_and_grown_past_the_old_end_between_looks(logs: Logs) -> None:
    """L, T: the size alone says that lines were added; the bytes say that they are others."""
    logs.append(logs.rows(1, 2))
    logs.expect(1, 2)
    with logs.path().open("r+b") as file:
        file.truncate(0)
        file.write(logs.rows(3, 4, 5, 6))
    logs.expect(1, 2, 3, 4, 5, 6)


def test_fault_12_made_anew_with_the_same_inode_and_longer(logs: Logs) -> None:
    """L, T: the number of the new file says nothing. (While the daemon holds the old one it cannot even be reused.)"""
    logs.append(logs.rows(1, 2))
    logs.expect(1, 2)
    logs.path().unlink()
    logs.append(logs.rows(3, 4, 5))
    logs.expect(1, 2, 3, 4, 5)


@pytest.mark.parametrize("content", [b"", b"one line", b"one line\n"], ids=["empty", "unfinished", "one"])
def test_fault_14_a_file_below_any_minimum(logs: Logs, content: bytes) -> None:
    """L: no file is too small to be read; what grows from nothing is read as well."""
    data = content.replace(b"one line", logs.row(1).strip())
    logs.append(data)
    if data:
        logs.expect(1)
    logs.append(logs.row(1) if not data else b"" if data.endswith(b"\n") else b"\n")
    logs.append(logs.row(2))
    logs.expect(1, 2)


def test_fault_16_an_old_line_edited_in_place_and_longer(logs: Logs) -> None:
    """L, D: the outcome says what the line says now, and nothing behind it is lost or counted twice."""
    logs.append(logs.rows(*range(40)))
    logs.expect(*range(40))
    with logs.path().open("r+b") as file:
        data = file.read()
        file.seek(0)
        file.write(data.replace(logs.row(7), logs.row(7, 70_000)))
    logs.expect(*(set(range(40)) - {7}), n7=70_000)


@pytest.mark.parametrize("grows", [False, True])
def test_fault_16_an_old_line_edited_at_the_same_length(logs: Logs, grows: bool) -> None:
    """
    L: found at once by its time where nothing else was written, and else at the next comparison of the whole file.

    The cost of that comparison, of files that grew since the last one: they are read again every `rescan_all_s`, about
    1 ms a MB, in a thread. The edit is far from the first and the last bytes, which are looked at every time.
    """
    logs.append(logs.rows(*range(100, 180)))
    logs.expect(*range(100, 180))
    with logs.path().open("r+b") as file:
        place = file.read().index(logs.row(140))
        assert place > 4096
        file.seek(place)
        file.write(logs.row(140, 999))
        if grows:
            file.seek(0, os.SEEK_END)
            file.write(logs.row(180))
    logs.expect(*(set(range(100, 181 if grows else 180)) - {140}), n140=999)


def test_fault_17_last_lines_taken_back_and_others_written(logs: Logs) -> None:
    """L, T, D: what was undone stays known (it did happen); what came instead is read, be it as long or longer."""
    logs.append(logs.rows(10, 11, 12))
    logs.expect(10, 11, 12)
    os.truncate(logs.path(), len(logs.rows(10)))
    logs.append(logs.rows(13, 14))
    logs.expect(10, 11, 12, 13, 14)
    os.truncate(logs.path(), len(logs.rows(10, 13)))
    logs.append(logs.rows(15, 16, 17))
    logs.expect(10, 11, 12, 13, 14, 15, 16, 17)


def test_fault_21_bytes_that_are_no_record(logs: Logs) -> None:
    """T, B: each is one quarantined line; the lines around it count, and the longest of them costs no memory."""
    assert logs.daemon is not None
    before = quarantined(logs.daemon)
    memory = resident_mb(logs.daemon)
    deep = b"[" * 5000 + b"]" * 5000
    bad = [
        b"x" * (LINE_BYTES_MAX + 1),
        b'{"half": ',
        b"\xff\xfe{}",
        logs.row(90).strip().replace(b"task", b"\xed\xa0\x80", 1),  # a lone surrogate, as bytes
        b'{"a": ' + deep + b"}",
        b'{"dispatch": ' + deep + b', "succeeded": null}',
        b'{"at": 1e400}',
        b"null",
    ]
    data = b"\xef\xbb\xbf" + logs.row(1).replace(b"\n", b"\r\n")
    data += b"\0" * 100 + logs.row(2) + b"".join(line + b"\n" for line in bad)
    data += b'{"succeeded": false, "succeeded": true,' + logs.row(3)[1:]  # of two equal names one counts
    with logs.path().open("wb") as file:
        file.write(data)
        for _ in range(512):  # 32 MiB without an end
            file.write(b"y" * LINE_BYTES_MAX)
        file.write(b"\n" + logs.row(4))
    logs.expect(1, 2, 3, 4)
    logs.daemon.until(lambda: quarantined(logs.daemon) == before + len(bad) + 1)
    assert resident_mb(logs.daemon) < memory + 24  # a line's limit and a few blocks, were it not for other tests


def test_fault_21_a_byte_that_is_no_utf8_spoils_no_other_line(tmp_path: Path) -> None:
    """L: a record of Claude Code with such bytes in a name and in a text; all that the others tell is known."""
    bad, good = Place(tmp_path / "bad"), Place(tmp_path / "good")
    for name, data in claude_files().items():
        first, end, rest = data.partition(b"\n")
        spoilt = first + end + b'{"type":"assist\xadant","times\xfftamp":"x"}\n' + rest
        good.write({name: data})
        bad.write({name: spoilt if name.endswith(".jsonl") else data})
    good.once()
    bad.once()
    assert [one[0] for one in bad.outcomes()] == [one[0] for one in good.outcomes()]
    assert len(good.outcomes()) > 10


def quarantined(daemon: Daemon | None) -> int:
    assert daemon is not None
    return sum(source["quarantined"] for source in daemon.ask("status")["sources"])


def test_a_file_whose_name_is_no_utf8(logs: Logs) -> None:
    """L: names are bytes; what is told of the file is spelt so that it can be stored."""
    path = os.fsencode(logs.folder) + b"/caf\xe9.jsonl"
    with open(path, "wb") as file:
        file.write(logs.rows(1, 2))
    logs.expect(1, 2)
    with open(path, "ab") as file:
        file.write(logs.row(3))
    logs.expect(1, 2, 3)


def test_a_record_is_learnt_soon_after_it_was_written(logs: Logs) -> None:
    """What the watch is for: the median of 20 appends is far below the next rescan (0.3 s)."""
    logs.append(logs.row(0))
    logs.expect(0)
    took = []
    for number in range(1, 21):
        start = time.monotonic()
        logs.append(logs.row(number))
        assert logs.daemon is not None
        logs.daemon.until(lambda number=number: number in logs.known())
        took.append(time.monotonic() - start)
    assert sorted(took)[10] < 0.3

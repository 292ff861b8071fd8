"""What happens to files while they are read: every fault here is done to real files with a real source."""

import json
import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import zstandard

from routerd.events import Completion
from routerd.records import Seen
from routerd.tail.checkpoint import Checkpoint
from routerd.tail.group import Advance, GroupReader
from tests.sources.codex_logs import home_files

NOW = 2_000_000_000.0
IDLE_S = 3600.0


def row(number: int, **members: Any) -> bytes:
    values = {
        "id": f"r{number}",
        "task": {"goal": f"task {number}"},
        "dispatch": {"executor": "delegate", "model": "m"},
        "succeeded": True,
        "wall_time_ms": number,
        "at": NOW - 100,
    }
    return json.dumps(values | members).encode() + b"\n"


class Reading:
    """One file of generic rows, read by a reader that is kept; what it said so far, by id."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.reader = GroupReader("jsonl", str(path), line_bytes_max=100_000)
        self.known: dict[str, int | None] = {}
        self.checkpoint: Checkpoint | None = None

    def step(self, *, idle: bool = False, budget: int = 1 << 20) -> Advance:
        written = self.path.stat().st_mtime if self.path.exists() else NOW
        return self.advance(now=written + IDLE_S + 1 if idle else written, budget=budget)

    def advance(self, *, now: float, budget: int = 1 << 20) -> Advance:
        def describe(completion: Completion, origin: str) -> Seen:
            return Seen(completion=completion, features={}, origin=origin)

        step = self.reader.advance(
            {str(self.path): "lines"}, describe, now=now, idle_after_s=IDLE_S, budget_bytes=budget
        )
        for seen in step.seen:
            self.known[seen.completion.keys[0].rsplit(":", 1)[-1]] = seen.completion.wall_time_ms
        for checkpoint in step.checkpoints:
            self.checkpoint = checkpoint
        return step

    def position(self) -> int | None:
        return self.checkpoint.position if self.checkpoint is not None else None

    def times(self) -> list[int | None]:
        return sorted(self.known.values(), key=str)


@pytest.fixture
def reading(tmp_path: Path) -> Reading:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"")
    return Reading(path)


def test_appended_lines_are_read_once(reading: Reading) -> None:
    reading.path.write_bytes(row(1))
    assert len(reading.step().seen) == 1
    with reading.path.open("ab") as file:
        file.write(row(2))
    assert len(reading.step().seen) == 1
    assert reading.step().seen == []
    assert reading.times() == [1, 2]


def test_an_unfinished_line_waits_for_its_end(reading: Reading) -> None:
    whole = row(1, task={"goal": "é" * 10})
    for cut in (1, 20, len(whole) - 30, len(whole) - 2):
        reading.path.write_bytes(whole[:cut])
        reading = Reading(reading.path)
        assert reading.step().seen == []
        with reading.path.open("ab") as file:
            file.write(whole[cut:])
        assert len(reading.step().seen) == 1


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_whole_last_line_is_read_before_its_end_is_written_and_not_again_after(reading: Reading, end: bytes) -> None:
    reading.path.write_bytes(row(1) + row(2).rstrip())
    assert len(reading.step().seen) == 2
    for data in (end, row(3).rstrip(), end + row(4)):
        with reading.path.open("ab") as file:
            file.write(data)
        reading.step()
    assert reading.times() == [1, 2, 3, 4]
    assert reading.reader.quarantined == 0
    assert reading.position() == reading.path.stat().st_size


def test_a_last_line_that_goes_on_after_all_is_read_afresh(reading: Reading) -> None:
    reading.path.write_bytes(row(1) + row(2).rstrip())
    reading.step()
    with reading.path.open("ab") as file:
        file.write(b" " + row(3))
    reading.step()
    assert reading.times()[0] == 1
    assert reading.reader.quarantined == 1  # two rows on one line are no row


def test_half_a_record_at_the_end_is_no_record(reading: Reading) -> None:
    reading.path.write_bytes(row(1) + row(2)[:40])
    reading.step(idle=True)
    reading.step()
    assert reading.times() == [1]
    assert reading.reader.quarantined == 0


def test_a_file_that_was_cut_and_has_grown_past_its_old_size_is_read_afresh(reading: Reading) -> None:
    reading.path.write_bytes(row(1) + row(2))
    reading.step()
    reading.path.write_bytes(row(7) + row(8) + row(9))
    reading.step()
    assert reading.times() == [1, 2, 7, 8, 9]


def test_an_old_line_edited_in_place_at_the_same_length_is_found(reading: Reading) -> None:
    reading.path.write_bytes(row(1) + row(2))
    reading.step()
    before = reading.path.read_bytes()
    reading.path.write_bytes(before.replace(b'"wall_time_ms": 1', b'"wall_time_ms": 5'))
    os.utime(reading.path, (NOW, NOW))
    reading.step()
    assert reading.times() == [2, 5]


def test_a_file_replaced_by_another_with_the_same_beginning_is_read_afresh(reading: Reading) -> None:
    reading.path.write_bytes(row(1) + row(2))
    reading.step()
    other = reading.path.with_name("other")
    other.write_bytes(row(1) + row(2) + row(3))
    other.rename(reading.path)
    reading.step()
    assert reading.times() == [1, 2, 3]


def test_last_lines_taken_back_and_others_written(reading: Reading) -> None:
    reading.path.write_bytes(row(1) + row(2) + row(3))
    reading.step()
    reading.path.write_bytes(row(1) + row(4) + row(5) + row(6))
    reading.step()
    assert reading.times() == [1, 2, 3, 4, 5, 6]


def test_a_hole_of_nuls_is_passed_over(reading: Reading) -> None:
    reading.path.write_bytes(row(1))
    reading.step()
    with reading.path.open("r+b") as file:
        file.truncate(0)
        file.seek(5000)
        file.write(row(2))
    reading.step()
    assert reading.times() == [1, 2]


def test_what_a_file_becomes_that_is_no_file_any_more_is_passed_over(reading: Reading) -> None:
    reading.path.write_bytes(row(1))
    reading.step()
    reading.path.unlink()
    assert reading.step().done
    os.mkfifo(reading.path)
    assert reading.step().done
    reading.path.unlink()
    reading.path.mkdir()
    assert reading.step().done
    assert reading.times() == [1]


def test_a_reader_goes_on_in_another_process_where_it_stopped_in_the_first(reading: Reading) -> None:
    reading.path.write_bytes(b"".join(row(n) for n in range(200)))
    assert not reading.step(budget=1000).done
    assert reading.position() is None
    reading.reader = pickle.loads(pickle.dumps(reading.reader))
    steps = 1
    while not reading.step(budget=5000).done:
        steps += 1
    assert steps > 3
    assert len(reading.known) == 200
    assert reading.position() == reading.path.stat().st_size


def test_a_broken_line_is_counted_and_the_rest_is_read(reading: Reading) -> None:
    reading.path.write_bytes(row(1) + b'{"half": \n' + b"\xff\xfe\n" + b"x" * 200_000 + b"\n" + row(2))
    reading.step()
    assert reading.times() == [1, 2]
    assert reading.reader.quarantined == 3


def test_a_checkpoint_is_given_once(reading: Reading) -> None:
    reading.path.write_bytes(row(1))
    assert len(reading.step().checkpoints) == 1
    assert reading.step().checkpoints == []


def test_a_compressed_log_says_what_the_plain_one_said(tmp_path: Path) -> None:
    def read(files: dict[str, bytes]) -> set[tuple[str, ...]]:
        reader = GroupReader("codex", "g", line_bytes_max=1 << 20)
        for name, data in files.items():
            (tmp_path / name).write_bytes(data)
        step = reader.advance(
            {str(tmp_path / name): "lines" for name in files},
            lambda completion, origin: Seen(completion=completion, features={}, origin=origin),
            now=NOW,
            idle_after_s=IDLE_S,
            budget_bytes=1 << 30,
        )
        return {seen.completion.keys for seen in step.seen}

    plain = {Path(name).name: data for name, data in home_files().items()}
    packed = {f"{name}.zst": zstandard.ZstdCompressor().compress(data) for name, data in plain.items()}
    assert read(plain) == read(packed) != set()


def test_a_compressed_log_that_is_cut_short_is_said_to_be_unreadable(tmp_path: Path) -> None:
    path = tmp_path / "rollout-x.jsonl.zst"
    path.write_bytes(b"\x28\xb5\x2f\xfd" + b"nothing like it")
    reader = GroupReader("codex", "g", line_bytes_max=1 << 20)
    step = reader.advance(
        {str(path): "lines"},
        lambda completion, origin: Seen(completion=completion, features={}, origin=origin),
        now=NOW,
        idle_after_s=IDLE_S,
        budget_bytes=1 << 20,
    )
    assert str(path) in step.unreadable

"""The tail as the daemon runs it, on real files, with sources that behave and one that does not."""

import json
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from routerd.config import Config, SourceConfig, TailConfig
from routerd.events import Completion
from routerd.records import Seen
from routerd.sources import SOURCES
from routerd.sources.base import Claim, Item, Machine, Query
from routerd.tail.checkpoint import Checkpoint
from routerd.tail.follow import LOOKS_MAX, Tail
from routerd.tail.reading import WAITING_MAX

pytestmark = pytest.mark.anyio


def row(number: int) -> bytes:
    values = {"id": f"r{number}", "task": {"goal": "x"}, "dispatch": ["local", None], "succeeded": True, "at": 1.0}
    return json.dumps(values).encode() + b"\n"


class Heard:
    """What the tail delivered."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.checkpoints: dict[str, Checkpoint] = {}

    async def take(self, news: Sequence[Seen | Checkpoint]) -> None:
        for item in news:
            if isinstance(item, Checkpoint):
                self.checkpoints[item.path] = item
            else:
                self.ids.append(item.completion.keys[0].rsplit(":", 1)[-1])

    async def until(self, condition: Callable[[], bool]) -> None:
        with anyio.fail_after(10):
            while not condition():  # noqa: ASYNC110 - the tail has no event for it: it knows no listeners
                await anyio.sleep(0.01)


def describe(completion: Completion, origin: str) -> Seen:
    return Seen(completion=completion, features={}, origin=origin)


def tail_of(root: Path, heard: Heard, *, agent: str = "jsonl", watch: bool = True, rescan_all_s: float = 0.3) -> Tail:
    others = {name: SourceConfig(enabled=False) for name in SOURCES if name != agent}
    config = Config(
        sources={**others, agent: SourceConfig(roots=[str(root)])},
        tail=TailConfig(watch=watch, rescan_recent_s=0.2, rescan_all_s=rescan_all_s),
    )
    return Tail(config, {"HOME": str(root)}, describe=describe, deliver=heard.take)


@asynccontextmanager
async def following(tail: Tail) -> AsyncIterator[None]:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(tail.follow)
        yield
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize("watch", [True, False])
async def test_what_is_there_and_what_comes_is_read_once(tmp_path: Path, watch: bool) -> None:
    (tmp_path / "a.jsonl").write_bytes(row(1))
    heard = Heard()
    async with following(tail_of(tmp_path, heard, watch=watch)):
        await heard.until(lambda: heard.ids == ["r1"])
        with (tmp_path / "a.jsonl").open("ab") as file:
            file.write(row(2))
        await heard.until(lambda: heard.ids == ["r1", "r2"])
        (tmp_path / "deep" / "er").mkdir(parents=True)
        (tmp_path / "deep" / "er" / "b.jsonl").write_bytes(row(3))
        await heard.until(lambda: heard.ids == ["r1", "r2", "r3"])
        await anyio.sleep(0.5)
    assert heard.ids == ["r1", "r2", "r3"]


async def test_a_root_that_comes_into_being_later_is_found(tmp_path: Path) -> None:
    heard = Heard()
    async with following(tail_of(tmp_path / "later", heard)):
        await anyio.sleep(0.2)
        (tmp_path / "later").mkdir()
        (tmp_path / "later" / "a.jsonl").write_bytes(row(1))
        await heard.until(lambda: heard.ids == ["r1"])


async def test_of_very_many_files_a_rescan_looks_at_some_and_comes_to_all(tmp_path: Path) -> None:
    """Behind a link that came after the watch there are no hints, and no walk comes: all is found in its turn."""
    root, behind, heard = tmp_path / "root", tmp_path / "behind", Heard()
    root.mkdir()
    behind.mkdir()
    many = LOOKS_MAX + 100
    for number in range(many):
        (behind / f"{number}.jsonl").write_bytes(row(number))
    (root / "first.jsonl").write_bytes(row(many))
    tail = tail_of(root, heard, rescan_all_s=600)
    async with following(tail):
        await heard.until(lambda: len(heard.ids) == 1)
        with open(root / "first.jsonl", "ab") as file:  # noqa: ASYNC230 - a few bytes
            file.write(row(many + 1))
        await heard.until(lambda: len(heard.ids) == 2)
        (root / "link").symlink_to(behind)
        await heard.until(lambda: len(heard.ids) == many + 2)
        assert tail.status()[0].mode == "watch"
        last = list(tail.registry.files)[-1]
        with open(last, "ab") as file:  # noqa: ASYNC230 - a few bytes
            file.write(row(many + 2))
        await heard.until(lambda: f"r{many + 2}" in heard.ids)
        await heard.until(lambda: tail.status()[0].mode == "poll")
    assert len(heard.ids) == len(set(heard.ids)) == many + 3


async def test_what_was_read_before_a_restart_is_not_read_again(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(row(1))
    first, second = Heard(), Heard()
    await tail_of(tmp_path, first).catch_up()
    again = tail_of(tmp_path, second)
    again.registry.restore(first.checkpoints.values(), [])
    (tmp_path / "b.jsonl").write_bytes(row(2))
    await again.catch_up()
    assert (first.ids, second.ids) == (["r1"], ["r2"])


async def test_a_large_log_is_read_in_the_child_and_followed_here(tmp_path: Path) -> None:
    path = tmp_path / "large.jsonl"
    path.write_bytes(b"".join(row(n) for n in range(5000)))
    heard = Heard()
    async with following(tail_of(tmp_path, heard)):
        await heard.until(lambda: len(heard.ids) == 5000)
        with path.open("ab") as file:
            file.write(row(5000))
        await heard.until(lambda: len(heard.ids) == 5001)
    assert heard.ids[-1] == "r5000"
    assert heard.checkpoints[str(path)].position == path.stat().st_size


async def test_the_newest_session_is_read_first(tmp_path: Path) -> None:
    for age in range(4):
        path = tmp_path / f"{age}.jsonl"
        path.write_bytes(b"".join(row(age * 10_000 + n) for n in range(4000)))
        os.utime(path, (1e9 - age, 1e9 - age))
    heard = Heard()
    await tail_of(tmp_path, heard).catch_up()
    assert [int(name[1:]) // 10_000 for name in heard.ids[::4000]] == [0, 1, 2, 3]


async def test_large_logs_of_the_very_same_time_are_read_one_after_the_other(tmp_path: Path) -> None:
    """As copies may be. The child remembers four that it has half read, and would read a fifth afresh for ever."""
    for number in range(6):
        path = tmp_path / f"{number}.jsonl"
        path.write_bytes(b"".join(row(number * 10_000 + n) for n in range(8000)))
        os.utime(path, (1e9, 1e9))
    heard = Heard()
    with anyio.fail_after(60):
        await tail_of(tmp_path, heard).catch_up()
    assert sorted(int(name[1:]) for name in heard.ids) == [n for n in range(60_000) if n % 10_000 < 8000]


async def test_many_small_and_old_logs_are_each_read_once(tmp_path: Path) -> None:
    """More than wait for the daemon itself, so that the child takes some of them, beside a large one."""
    for number in range(4 * WAITING_MAX):
        path = tmp_path / f"{number}.jsonl"
        path.write_bytes(row(number))
        os.utime(path, (1e9 - number, 1e9 - number))
    (tmp_path / "large.jsonl").write_bytes(b"".join(row(n) for n in range(10_000, 14_000)))
    heard = Heard()
    await tail_of(tmp_path, heard).catch_up()
    expected = [*range(4 * WAITING_MAX), *range(10_000, 14_000)]
    assert sorted(heard.ids) == sorted(f"r{number}" for number in expected)
    assert len(heard.checkpoints) == 4 * WAITING_MAX + 1


class Buggy:
    """A source whose machine fails on what it is fed."""

    agent = "buggy"
    polled = False

    def roots(self, env: object) -> list[str]:
        return []

    def enters(self, root: str, directory: str) -> bool:
        return True

    def claim(self, root: str, path: str, head: Callable[[], bytes]) -> Claim | None:
        return Claim(path, "lines")

    def open(self, group: str) -> Machine:
        return BuggyMachine()


class BuggyMachine:
    quarantined = 0

    def feed(self, item: Item) -> None:
        raise ZeroDivisionError

    def drain(self, *, idle: bool) -> list[Completion]:
        return []

    def queries(self, path: str) -> list[Query]:
        return []


async def test_a_source_with_a_bug_does_not_end_the_tail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SOURCES, "buggy", Buggy())
    (tmp_path / "x").write_bytes(b"{}\n")
    heard = Heard()
    tail = tail_of(tmp_path, heard, agent="buggy")
    with anyio.fail_after(10):
        await tail.catch_up()
    (group,) = tail.registry.groups.values()
    assert group.failures == 3

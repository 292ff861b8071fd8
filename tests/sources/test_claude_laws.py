"""What holds of every session of Claude Code, however it is cut up and in whatever order it is read."""

import json
import pathlib
import pickle
import random
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from routerd.events import Completion
from routerd.sources.base import Document, Item, Line
from routerd.sources.claude_code import SOURCE
from routerd.sources.claude_code_session import HALF_MAX, SETTLED_MAX
from tests.sources.claude_logs import HOMES, PROMPT, SESSION, Home, Log, background, broken_off, delegated, parallel
from tests.sources.claude_units import units
from tests.sources.reading import HOME, claims, lines, read, store


@pytest.mark.parametrize("build", HOMES)
def test_any_cut_any_interleaving_and_a_pickle_on_the_way_end_the_same(build: Callable[[], Home]) -> None:
    home = build()
    whole = read(SOURCE, home.data)
    assert whole
    for seed in range(60):
        assert read(SOURCE, home.data, rng=random.Random(seed)) == whole


@pytest.mark.parametrize("build", HOMES)
def test_any_order_of_the_files_ends_the_same(build: Callable[[], Home]) -> None:
    home = build()
    for order in home.reordered():
        assert read(SOURCE, order) == read(SOURCE, home.data)


def items(home: Home) -> list[list[Item]]:
    """The items of a home's files."""
    (claimed,) = claims(SOURCE, home.data).values()
    files: list[list[Item]] = []
    for path, claim in claimed.items():
        data = home.data[path[len(HOME) + 1 :]]
        files.append([Document(path, data)] if claim.kind == "document" else list(lines(path, data)))
    return files


def prefixes(files: list[list[Item]]) -> Iterator[tuple[list[Item], list[Item]]]:
    """Every prefix of every file, with and without the other files before it, and all that is then left."""
    for number, file in enumerate(files):
        others = [item for other, rest in enumerate(files) if other != number for item in rest]
        for end in range(len(file) + 1):
            yield file[:end], [*file[end:], *others]
            yield [*others, *file[:end]], file[end:]


@pytest.mark.parametrize("idle", [False, True])
@pytest.mark.parametrize("build", HOMES)
def test_a_drain_after_any_prefix_of_any_file_changes_nothing_in_the_end(
    build: Callable[[], Home], *, idle: bool
) -> None:
    home = build()
    whole = {key: unit for key, unit in read(SOURCE, home.data).items() if unit.ended}
    for before, after in prefixes(items(home)):
        machine, known = SOURCE.open(f"{HOME}/.claude/projects/{SESSION}"), dict[str, Completion]()
        for part in (before, after):
            for item in part:
                machine.feed(item)
            store(known, machine.drain(idle=idle))
            machine = pickle.loads(pickle.dumps(machine))
        store(known, machine.drain(idle=True))
        assert {key: unit for key, unit in known.items() if unit.ended} == whole


@pytest.mark.parametrize("build", HOMES)
def test_what_did_not_change_is_not_given_again(build: Callable[[], Home]) -> None:
    machine = SOURCE.open(f"{HOME}/.claude/projects/{SESSION}")
    for file in items(build()):
        for item in file:
            machine.feed(item)
    machine.drain(idle=False)
    assert machine.drain(idle=False) == []
    machine.drain(idle=True)
    assert machine.drain(idle=True) == []
    assert machine.drain(idle=False) == []


def size(turns: int) -> int:
    """Bytes of a machine that has read so many turns, each with a child of its own."""
    home = Home()
    machine = SOURCE.open(f"/r/{SESSION}")
    for number in range(turns):
        home.main.lines.clear()
        home.main.user(f"Do number {number}")
        home.main.delegate(f"toolu_{number}", PROMPT)
        child = Log(SESSION, f"a{number}", clock=home.clock)
        child.user(PROMPT)
        child.say("word " * 100)
        home.main.completed(f"toolu_{number}", f"a{number}")
        home.main.say()
        for name, log in ((f"{SESSION}/subagents/agent-a{number}.jsonl", child), (f"{SESSION}.jsonl", home.main)):
            for line in log.lines:
                machine.feed(Line(f"/r/p/{name}", 0, line))
        assert len(machine.drain(idle=False)) == 2
    return len(pickle.dumps(machine))


def test_memory_is_bounded_by_what_is_open() -> None:
    few, many = size(SETTLED_MAX + 20), size(SETTLED_MAX + 420)
    assert (many - few) / 400 < 150  # bytes: a name or two of each child


def test_children_without_a_parent_are_kept_for_it_but_not_without_end() -> None:
    machine = SOURCE.open(f"/r/{SESSION}")
    line = Log(SESSION, "a0")
    line.user(PROMPT)
    line.say()
    for number in range(HALF_MAX + 50):
        for data in line.lines:
            machine.feed(Line(f"/r/p/{SESSION}/subagents/agent-a{number}.jsonl", 0, data))
    assert len(machine.drain(idle=False)) == HALF_MAX + 50
    assert pickle.dumps(machine).count(PROMPT.encode()) <= HALF_MAX
    assert machine.drain(idle=True) == []


def test_an_independent_count_agrees(tmp_path: pathlib.Path) -> None:
    for build in (delegated, parallel, broken_off, background):
        directory = tmp_path / build.__name__
        home = build()
        for path, data in home.data.items():
            (directory / path).parent.mkdir(parents=True, exist_ok=True)
            (directory / path).write_bytes(data)
        script = pathlib.Path(__file__).with_name("count_claude.py")
        done = subprocess.run([sys.executable, script, directory], capture_output=True, check=True)
        counted, found = json.loads(done.stdout), units(home)
        assert counted["turns"]["prompts"] + counted["turns"]["commands"] == sum(
            unit.ran.executor == "local" for unit in found
        )
        begun = counted["delegations"] + (build is broken_off)  # one that was refused at work: its own file tells
        assert begun == sum(unit.ran.executor == "delegate" for unit in found)


def test_the_independent_count_tells_the_answers_apart(tmp_path: pathlib.Path) -> None:
    home = broken_off()
    home.main.delegate("toolu_5", PROMPT)
    home.main.launched("toolu_5", "a5")
    path = tmp_path / ".claude/projects/p"
    path.mkdir(parents=True)
    (path / f"{SESSION}.jsonl").write_bytes(home.main.data)
    script = pathlib.Path(__file__).with_name("count_claude.py")
    done = subprocess.run([sys.executable, script, tmp_path], capture_output=True, check=True)
    assert json.loads(done.stdout) == {
        "calls": 4,
        "statuses": {"async_launched": 1, "refused": 1, "unanswered": 1, "unknown type": 1},
        "delegations": 2,
        "turns": {"prompts": 1, "commands": 1},
    }

"""A home of Hermes is read while it grows: any moments give what one reading at the end gives, and nothing twice."""

import json
import random
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from routerd.sources.base import Document
from routerd.sources.hermes import HermesMachine
from routerd.sources.hermes_reading import PAGE_MAX
from routerd.tail.rows import Database
from tests.sources.hermes_logs import EVIDENCE, STATE, T0, Player, Script, answer, day, entry, play, single
from tests.sources.hermes_poller import Poller, Units, fresh, grown, named

SCHEMAS = (11, 16, 22, 30)


@pytest.mark.parametrize("schema", SCHEMAS)
def test_read_after_every_step_it_gives_what_one_reading_gives(tmp_path: Path, schema: int) -> None:
    assert grown(tmp_path, day(schema), lambda number: True) == fresh(tmp_path)


@pytest.mark.parametrize("seed", range(6))
def test_read_at_any_moments_it_gives_what_one_reading_gives(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    script = day()
    chance = rng.choice([0.05, 0.3])
    assert grown(tmp_path, script, lambda number: rng.random() < chance) == fresh(tmp_path)


@pytest.mark.parametrize("seed", range(12))
def test_growing_while_it_is_read_it_moves_no_name(tmp_path: Path, seed: int) -> None:
    """Hermes writes between the rounds of a poll, a whole delegation perhaps. What shares a key has one first key."""
    rng = random.Random(seed)
    chance = rng.choice([0.3, 0.9])
    steps = day().steps
    player, machine, database = Player(tmp_path), HermesMachine(str(tmp_path)), Database(tmp_path / STATE)
    player.play([steps.pop(0)])
    owners: dict[str, str] = {}
    units: Units = {}
    for _ in range(1000):
        while database.step(machine) is not None:
            while steps and rng.random() < chance:
                player.play([steps.pop(0)])
        for document in player.dumps:
            machine.feed(Document(str(document), document.read_bytes()))
        for unit in machine.drain(idle=False):
            units[unit.keys[0]] = unit
            assert {owners.setdefault(key, unit.keys[0]) for key in unit.keys} == {unit.keys[0]}
        if not steps and not machine.behind and not database.changed():
            break
    assert steps == []
    assert units == fresh(tmp_path)
    database.close()
    player.close()


@pytest.mark.parametrize("written", [True, False])
def test_a_delegation_that_is_newer_than_what_is_known_of_sessions_waits(tmp_path: Path, written: bool) -> None:
    """The child began and ended after the poll had looked for sessions, the answer was read in the same poll."""
    script = Script()
    single(script)
    begun = next(number for number, step in enumerate(script.steps) if "please count" in step[0][2])
    if not written:
        script.steps = [step for step in script.steps if "child" not in step[0][2]]
    player, machine, database = Player(tmp_path), HermesMachine(str(tmp_path)), Database(tmp_path / STATE)
    player.play(script.steps[: begun + 1])
    database.read(machine)
    machine.drain(idle=False)
    player.play(script.steps[begun + 1 : begun + 2])
    database.step(machine)  # heads, which know of the call
    player.play(script.steps[begun + 2 :])
    database.read(machine)
    first = {unit.keys[0] for unit in machine.drain(idle=False)}
    database.read(machine)
    then = {unit.keys[0] for unit in machine.drain(idle=False)}
    name = "hermes:child:child" if written else "hermes:delegation:deleg_0a1b2c3d#0"
    assert {key for key in first | then if ":turn:" not in key} == {name}
    database.close()
    player.close()


def test_a_result_in_the_background_that_is_newer_than_what_is_known_of_sessions_waits(tmp_path: Path) -> None:
    script = Script()
    script.session("chat", 0.0)
    script.user("chat", 0.1, "in the background, please")
    script.calls("chat", 1.0, "call_later", "delegate_task", {"goal": "take long"})
    script.dispatched("chat", 1.2, "call_later", "deleg_77777777", ["take long"])
    asked = len(script.steps)
    script.whole_child("kid", "chat", 1.3, "take long")
    script.came_back("deleg_77777777", 5.0, "completed", [entry()])
    player, machine, database = Player(tmp_path), HermesMachine(str(tmp_path)), Database(tmp_path / STATE)
    player.play(script.steps[: asked - 1])
    database.read(machine)
    player.play(script.steps[asked - 1 : asked])
    database.step(machine)  # heads
    database.step(machine)  # pages, with the handle of the call
    player.play(script.steps[asked:])
    told = []
    for _ in range(3):
        database.read(machine)
        told += [unit.keys[0] for unit in machine.drain(idle=False) if unit.ran.executor == "delegate"]
    assert set(told) == {"hermes:child:kid"}
    database.close()
    player.close()


def test_nothing_new_is_told_once(tmp_path: Path) -> None:
    play(tmp_path, day())
    poller = Poller(tmp_path)
    poller.poll()
    given = poller.given
    poller.poll()
    poller.poll(idle=True)
    assert poller.given == given == len(poller.units)
    poller.close()


# --- rows that are written anew -------------------------------------------------------------------------------------


def chat() -> tuple[Script, list[tuple[Any, ...]]]:
    """A session in the middle of its second turn, and its rows as a compaction keeps them."""
    script = Script()
    script.session("root", 0.0)
    script.user("root", 0.1, "first")
    script.says("root", 1.0, "One.")
    script.user("root", 2.0, "second")
    calls = json.dumps([{"id": "call_ls", "type": "function", "function": {"name": "terminal", "arguments": "{}"}}])
    script.message("root", "assistant", 3.0, "", tool_calls=calls, finish_reason="tool_calls")
    script.result("root", 3.2, "call_ls", "terminal", {"output": "", "exit_code": 0})
    kept = [
        ("user", "first", {}),
        ("assistant", "[CONTEXT COMPACTION — REFERENCE ONLY] Earlier turns were compacted.", {}),
        ("user", "second", {}),
        ("assistant", "", {"tool_calls": calls, "finish_reason": "tool_calls"}),
        ("tool", json.dumps({"output": "", "exit_code": 0}), {"tool_call_id": "call_ls", "tool_name": "terminal"}),
    ]
    return script, kept


def finish(script: Script) -> None:
    script.says("root", 6.0, "Two.")
    script.user("root", 7.0, "first")
    script.says("root", 8.0, "One again.")
    script.ends("root", 9.0)


@pytest.mark.parametrize("way", ["whole", "without its question", "with a note merged into its question"])
@pytest.mark.parametrize("often", [True, False])
def test_compaction_in_place_counts_nothing_twice(tmp_path: Path, often: bool, way: str) -> None:
    script, kept = chat()
    if way == "without its question":
        kept = [row for row in kept if row[1] != "second"]
    elif way == "with a note merged into its question":
        kept[2] = ("user", "second\n\n[Your active task list was preserved across context compression]", {})
    script.compacts("root", kept, 4.0)
    finish(script)
    units = grown(tmp_path, script, lambda number: often)
    assert units == fresh(tmp_path)
    turns = sorted(units.values(), key=lambda unit: unit.started_at or 0.0)
    assert [(unit.task.goal, unit.wall_time_ms) for unit in turns] == [
        ("first", 900),
        ("second", 4000),
        ("first", 1000),
    ]
    assert len({unit.keys[0] for unit in turns}) == 3


def test_a_second_compaction_in_place_counts_nothing_twice(tmp_path: Path) -> None:
    script, kept = chat()
    script.compacts("root", kept, 4.0)
    script.says("root", 5.0, "Two.")
    script.user("root", 5.5, "third")
    script.compacts("root", [*kept, ("assistant", "Two.", {"finish_reason": "stop"}), ("user", "third", {})], 5.6)
    script.says("root", 6.0, "Three.")
    script.ends("root", 9.0)
    units = named(grown(tmp_path, script, lambda number: True))
    assert {name: unit.ended_at for name, unit in units.items()} == {
        "first": T0 + 1.0,
        "second": T0 + 5.0,
        "third": T0 + 6.0,
    }


@pytest.mark.parametrize("result", [json.dumps(answer(entry())), "[Old tool output cleared to save context space]"])
def test_a_call_that_is_written_anew_is_one_call(tmp_path: Path, result: str) -> None:
    script = Script()
    single(script)
    calls = json.dumps(
        [{"id": "call_single", "function": {"name": "delegate_task", "arguments": '{"goal": "Count the files"}'}}]
    )
    kept = [
        ("user", "please count", {}),
        ("assistant", "", {"tool_calls": calls, "finish_reason": "tool_calls"}),
        ("tool", result, {"tool_call_id": "call_single", "tool_name": "delegate_task"}),
        ("assistant", "There are three.", {"finish_reason": "stop"}),
    ]
    script.compacts("root", kept, 7.0)
    units = grown(tmp_path, script, lambda number: True)
    assert units == fresh(tmp_path)
    assert {name: unit.delegations for name, unit in named(units).items()} == {"please count": 1, "child:child": 0}


def test_the_same_words_with_the_same_answer_after_a_compaction_are_another_turn(tmp_path: Path) -> None:
    script, kept = chat()
    script.says("root", 3.5, "Two.")
    script.user("root", 4.0, "more")
    script.says("root", 4.3, "ok")
    said = ("assistant", "Two.", {"finish_reason": "stop"})
    more = [("user", "more", {}), ("assistant", "ok", {"finish_reason": "stop"})]
    script.compacts("root", [*kept, said, *more], 5.0)
    script.user("root", 8.0, "more")
    script.says("root", 8.3, "ok")
    script.compacts("root", [*kept[:2], *more, *more], 9.0)
    script.user("root", 12.0, "more")
    script.says("root", 12.3, "ok")
    script.ends("root", 13.0)
    units = grown(tmp_path, script, lambda number: True)
    assert units == fresh(tmp_path)
    assert sorted((unit.started_at or 0.0) - T0 for unit in units.values() if unit.task.goal == "more") == [
        4.0,
        8.0,
        12.0,
    ]
    assert len(units) == 5


def test_rows_that_were_deleted_and_written_anew_count_nothing_twice(tmp_path: Path) -> None:
    """/retry and /undo did so before soft rewinding: ids and times are new, what is said is not."""
    script, _ = chat()
    script.says("root", 3.5, "Two, wrong.")
    script.replaces("root", [("user", "first", {}), ("assistant", "One.", {"finish_reason": "stop"})], 4.0)
    script.user("root", 4.1, "second")
    script.says("root", 5.0, "Two.")
    script.ends("root", 9.0)
    units = grown(tmp_path, script, lambda number: True)
    assert units.keys() == fresh(tmp_path).keys()
    assert sorted(unit.task.goal for unit in units.values()) == ["first", "second"]


def test_what_was_taken_back_was_not_what_was_wanted(tmp_path: Path) -> None:
    script = Script()
    script.session("root", 0.0)
    first = script.user("root", 0.1, "do it")
    script.says("root", 1.0, "Done.")
    script.rewinds("root", first)
    script.user("root", 2.0, "do it")
    script.says("root", 3.0, "Done properly.")
    script.ends("root", 4.0)
    units = grown(tmp_path, script, lambda number: True)
    assert units == fresh(tmp_path)
    assert [unit.label.signal for unit in units.values()] == ["next_message", "completed"]


def test_a_session_that_is_taken_up_again_goes_on(tmp_path: Path) -> None:
    script = Script()
    single(script)
    script.change("sessions", "root", ended_at=None, end_reason=None)
    script.user("root", 90_000.0, "and tomorrow?")
    script.says("root", 90_001.0, "The same.")
    script.ends("root", 90_002.0)
    units = grown(tmp_path, script, lambda number: True)
    assert units == fresh(tmp_path)
    assert set(named(units)) == {"please count", "child:child", "and tomorrow?"}


def test_a_count_that_some_version_does_not_keep_is_believed_no_more(tmp_path: Path) -> None:
    """Without that every new row would have the whole session read anew."""
    script = Script()
    script.session("root", 0.0)
    for number in range(40):
        script.steps.append([script._message("root", "user", number, f"ask {number}")])
        script.steps.append([script._message("root", "assistant", number + 0.5, "yes", finish_reason="stop")])
    player, poller = Player(tmp_path), Poller(tmp_path)
    for step in script.steps:
        player.play([step])
        poller.poll()
    member = poller.machine._reading.families["root"].members["root"]
    assert (member.fed, member.trusted) == (80, False)
    assert len(poller.units) == 40
    player.close()
    poller.close()


# --- a long history -------------------------------------------------------------------------------------------------


def months(sessions: int, turns: int) -> Script:
    script = Script()
    for number in range(sessions):
        root, at = f"root-{number:05d}", number * 1000.0
        script.session(root, at)
        for turn in range(turns):
            script.user(root, at + turn, f"ask {turn}")
            script.says(root, at + turn + 0.5, "yes")
        script.ends(root, at + turns)
    script.steps = [[part for step in script.steps for part in step]]
    return script


def test_a_long_history_is_read_in_parts_and_leaves_nothing_in_memory(tmp_path: Path) -> None:
    play(tmp_path, months(300, 8))
    machine = HermesMachine(str(tmp_path))
    database = Database(tmp_path / STATE)
    told = []
    while True:
        database.read(machine)
        assert sum(len(family.members) for family in machine._reading.families.values()) <= 60
        told.append(len(machine.drain(idle=False)))
        if not machine.behind:
            break
    assert sum(told) == 2400
    assert max(told) < 2000
    assert len(told) > 1
    assert machine._reading.families == {}
    database.close()


def test_a_long_session_is_read_in_pages(tmp_path: Path) -> None:
    play(tmp_path, months(1, PAGE_MAX))
    rounds = 0
    machine = HermesMachine(str(tmp_path))
    database = Database(tmp_path / STATE)
    while (rows := database.step(machine)) is not None:
        assert rows <= PAGE_MAX + 10
        rounds += 1
    assert rounds >= 3
    assert len(machine.drain(idle=False)) == PAGE_MAX
    database.close()


def test_a_poll_with_nothing_new_is_one_round(tmp_path: Path) -> None:
    play(tmp_path, months(30, 4))
    machine = HermesMachine(str(tmp_path))
    database = Database(tmp_path / STATE)
    database.read(machine)
    machine.drain(idle=False)
    assert not database.changed()
    asked = machine.queries(str(tmp_path / STATE))
    assert {query.name for query in asked} == {"sequence", "newest", "moved", "heads", "asked"}
    database.close()


def test_background_rows_of_the_last_instant_are_not_fetched_again(tmp_path: Path) -> None:
    play(tmp_path, day())
    machine = HermesMachine(str(tmp_path))
    database = Database(tmp_path / STATE)
    for _ in range(3):
        rows = database.read(machine)
        machine.drain(idle=False)
    assert rows == 4  # sequence, newest, moved, asked
    database.close()


def test_evidence_before_the_first_reading_reads_nothing_twice(tmp_path: Path) -> None:
    play(tmp_path, day())
    counts = []
    for first in (STATE, EVIDENCE):
        machine = HermesMachine(str(tmp_path))
        for name in sorted((STATE, EVIDENCE), key=lambda name: name != first):
            database = Database(tmp_path / name)
            if name == STATE:
                counts.append(database.read(machine))
            else:
                database.read(machine)
            database.close()
    assert counts[0] == counts[1]


def test_a_backup_that_is_copied_over_the_database_is_read_anew(tmp_path: Path) -> None:
    play(tmp_path / "other", months(2, 3))
    play(tmp_path / "home", day())
    poller = Poller(tmp_path / "home")
    before = len(poller.poll())
    source = sqlite3.connect(tmp_path / "other" / STATE)
    target = sqlite3.connect(tmp_path / "home" / STATE)
    with source, target:
        source.backup(target)
    source.close()
    target.close()
    assert len(poller.poll()) == before + 6
    poller.close()


def test_another_file_in_its_place_is_read_anew(tmp_path: Path) -> None:
    play(tmp_path / "other", day())
    play(tmp_path / "home", months(2, 3))
    poller = Poller(tmp_path / "home")
    assert len(poller.poll()) == 6
    (tmp_path / "other" / STATE).rename(tmp_path / "home" / STATE)
    assert len(poller.poll()) == 6 + len(fresh(tmp_path / "home"))
    poller.close()


def test_evidence_and_dumps_that_come_later_change_what_was_told(tmp_path: Path) -> None:
    script = Script()
    single(script)
    script.session("other", 100.0)
    script.user("other", 100.1, "unanswered")
    script.ends("other", 101.0)
    player, poller = Player(tmp_path), Poller(tmp_path)
    player.play(script.steps)
    poller.poll()
    late = Script()
    late.verified("child", "2026-09-21T14:13:24+00:00", "failed")
    late.dumped("other", 503)
    player.play(late.steps[1:])
    units = named(poller.poll())
    assert units["child:child"].label.signal == "verification"
    assert units["unanswered"].censored == "overload"
    player.close()
    poller.close()

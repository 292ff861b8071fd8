"""Where Claude Code's sessions lie, how their lines are framed, and what holds of every session."""

import json

import msgspec
import pytest

from routerd.events import Completion, Label, Tokens
from routerd.sources.base import Document, Line, Row
from routerd.sources.claude_code import SOURCE
from tests.sources.claude_logs import (
    OTHER,
    PROJECT,
    PROMPT,
    SESSION,
    Home,
    Log,
    asking,
    delegated,
)
from tests.sources.claude_units import delegation
from tests.sources.reading import read

# --- where it lies ----------------------------------------------------------------------------------------------------


def test_roots_follow_the_agents_own_variable() -> None:
    assert SOURCE.roots({"HOME": "/h"}) == ["/h/.claude/projects"]
    assert SOURCE.roots({"HOME": "/h", "CLAUDE_CONFIG_DIR": "/c/"}) == ["/c/projects"]
    assert SOURCE.roots({}) == []


@pytest.mark.parametrize(
    "name",
    [
        f"p/{SESSION}/tool-results/x.txt",
        f"p/{SESSION}/subagents/workflows/w1/journal.jsonl",
        "p/agent-acompact-1f.jsonl",
        f"p/{SESSION}/subagents/agent-aside_question-1f.meta.json",
        "p/sessions-index.json",
        "p/notes.jsonl",
    ],
)
def test_other_files_are_not_read(name: str) -> None:
    assert SOURCE.claim("/r", f"/r/{name}", lambda: b'{"a":1}') is None


def test_a_file_with_another_name_is_known_by_its_first_record() -> None:
    head = json.dumps({"type": "user", "sessionId": SESSION}).encode()
    claim = SOURCE.claim("/r", "/r/p/export.jsonl", lambda: head)
    assert claim is not None
    assert (claim.group, claim.kind) == (f"/r/{SESSION}", "lines")


def test_what_is_not_a_session_is_not_entered() -> None:
    assert SOURCE.enters("/r", f"/r/p/{SESSION}/subagents")
    assert not SOURCE.enters("/r", f"/r/p/{SESSION}/tool-results")


# --- copies and framing -----------------------------------------------------------------------------------------------


def copied(home: Home, session: str, upto: int) -> dict[str, bytes]:
    """The files of a session that begins with a copy of another's history."""
    lines = [line.replace(home.session.encode(), session.encode()) for line in home.main.lines[:upto]]
    return {f"{PROJECT}/{session}.jsonl": b"".join(line + b"\n" for line in lines)}


def test_copies_of_history_have_the_same_names() -> None:
    home = delegated()
    whole = read(SOURCE, home.data)
    copy = read(SOURCE, copied(home, OTHER, len(home.main.lines)))
    assert {unit.keys[0] for unit in copy.values()} == {unit.keys[0] for unit in whole.values()}
    for unit in copy.values():
        assert unit.extent <= whole[unit.keys[0]].extent


def test_of_two_copies_the_fuller_has_the_larger_extent() -> None:
    home = delegated()
    whole = read(SOURCE, home.data)
    for upto in range(1, len(home.main.lines)):
        for unit in read(SOURCE, copied(home, OTHER, upto)).values():
            assert unit.extent < whole[unit.keys[0]].extent


def test_an_answer_that_was_not_copied_is_no_answer() -> None:
    home = asking()
    home.main.delegate("toolu_1", PROMPT)
    home.main.result(
        "toolu_1", "[Tool call result not in this copy: this session was copied from another session]", error=True
    )
    unit = delegation(home)
    assert (unit.ended, unit.label.signal) == (True, "unknown")


def test_a_child_in_another_directory_belongs_to_its_session() -> None:
    home = delegated()
    path = f"{PROJECT}/{SESSION}/subagents/agent-a1.jsonl"
    home.files[path.replace("-app/", "-app-worktree/")] = home.files.pop(path)
    assert len(delegation(home).keys) == 2


def fed(data: bytes) -> tuple[int, list[Completion]]:
    machine = SOURCE.open(f"/r/{SESSION}")
    machine.feed(Line(f"/r/p/{SESSION}.jsonl", 0, data))
    return machine.quarantined, machine.drain(idle=True)


def fed_all(log: Log) -> tuple[int, list[Completion]]:
    machine = SOURCE.open(f"/r/{SESSION}")
    for line in log.lines:
        machine.feed(Line(f"/r/p/{SESSION}.jsonl", 0, line))
    return machine.quarantined, machine.drain(idle=True)


def test_two_records_on_one_line() -> None:
    log = Log()
    log.user("One")
    log.user("Two")
    quarantined, found = fed(b"".join(log.lines))
    assert (quarantined, [unit.task.goal for unit in found]) == (0, ["One", "Two"])


def test_nuls_and_bytes_that_are_no_text() -> None:
    log = Log()
    log.user("One XX here")
    quarantined, found = fed(b"\0\0" + log.lines[0].replace(b"XX", b"\xff\xfe"))
    assert (quarantined, found[0].task.goal) == (0, "One �� here")


def test_half_a_surrogate() -> None:
    log = Log()
    log.user("One XX here")
    quarantined, found = fed(log.lines[0].replace(b"XX", b"\\ud83d"))
    assert (quarantined, found[0].task.goal) == (0, "One ? here")


def test_half_a_surrogate_in_a_result() -> None:
    log = Log()
    log.user("Test it")
    log.call("toolu_1", "Bash", {"command": "pytest XX"})
    log.result("toolu_1", "Exit code 1 XX", error=True)
    log.say()
    log.lines = [line.replace(b"XX", b"\\ud83d") for line in log.lines]
    quarantined, (unit,) = fed_all(log)
    assert (quarantined, unit.label) == (0, Label(0.0, 0.9, "test"))


def test_numbers_out_of_all_proportion() -> None:
    log = Log()
    log.user("Go")
    log.say(usage=(-5, 10**30, 10**300, 0))
    log.add("system", subtype="turn_duration", durationMs=-4)
    quarantined, (unit,) = fed_all(log)
    assert quarantined == 0
    assert unit.wall_time_ms == 0
    assert unit.tokens == Tokens(output=2**40, cache_read=2**40)
    msgspec.msgpack.encode(unit)


@pytest.mark.parametrize(
    "data",
    [
        b"{",
        b"no",
        b"[1",
        b'{"type":"user","message":7}',
        b'{"type":"assistant","message":{"content":[1]}}',
        b"[" * 100_000,
    ],
)
def test_what_cannot_be_read_is_counted(data: bytes) -> None:
    assert fed(data) == (1, [])


def test_a_record_and_half_of_another() -> None:
    log = Log()
    log.user("One")
    quarantined, found = fed(log.lines[0] + b'{"type":"us')
    assert (quarantined, len(found)) == (1, 1)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"7",
        b"null",
        b'"x"',
        b"{}",
        b'{"type":"new-in-9.0","message":7,"data":[1]}',
        b'{"type":"progress","data":{"type":"mcp_progress","message":"half"}}',
        b'{"type":"summary","summary":"x","leafUuid":"y"}',
        b'{"type":null}',
        b'{"type":"user"}',
        b'{"type":"assistant","message":null}',
        b'{"type":"queue-operation","operation":"enqueue","content":7}',
    ],
)
def test_records_of_unknown_kinds_are_passed_over(data: bytes) -> None:
    assert fed(data) == (0, [])


def test_a_note_that_is_none_is_counted() -> None:
    machine = SOURCE.open(f"/r/{SESSION}")
    machine.feed(Document(f"/r/p/{SESSION}/subagents/agent-a1.meta.json", b"[]"))
    machine.feed(Row("/r/x.db", "q", {}))
    assert machine.quarantined == 2
    assert machine.queries("/r/x.db") == []

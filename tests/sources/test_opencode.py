import sqlite3
from typing import Any

import pytest

from routerd.events import Completion, Dispatch, Parent, Tokens
from routerd.sources.base import Claim, Row
from routerd.sources.opencode import PAGE_ROWS, SOURCE, OpenCodeMachine
from tests.sources.codex_logs import CWD
from tests.sources.opencode_logs import HOME, Session, database, delegating, home_files, stored
from tests.sources.reading import polls, read

ROOT = "/h/.local/share/opencode"
Units = dict[str, Completion]


def from_database(*sessions: Session, idle: bool = False) -> Units:
    return read(SOURCE, {f"{HOME}/opencode.db": database(*sessions)}, idle=idle)


def from_files(*sessions: Session, idle: bool = False) -> Units:
    return read(SOURCE, stored(*sessions), idle=idle)


def asked() -> Session:
    return Session("a", 0).told("Go")


def test_places() -> None:
    assert SOURCE.roots({"HOME": "/h"}) == [ROOT]
    assert SOURCE.roots({"HOME": "/h", "XDG_DATA_HOME": "/d"}) == ["/d/opencode"]
    assert [SOURCE.enters(ROOT, f"{ROOT}/{part}") for part in ("storage", "storage/part", "log", "storage/todo")] == [
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("path", "claim"),
    [
        ("opencode.db", Claim(f"{ROOT}/opencode.db", "database")),
        ("opencode-beta.db", Claim(f"{ROOT}/opencode-beta.db", "database")),
        ("storage/session/p/ses_a.json", Claim("ses_a", "document")),
        ("storage/message/ses_a/msg_1.json", Claim("ses_a", "document")),
        ("storage/part/msg_1/prt_1.json", Claim("ses_a", "document")),
        ("storage/project/p.json", None),
        ("auth.json", None),
    ],
)
def test_claims(path: str, claim: Claim | None) -> None:
    assert SOURCE.claim(ROOT, f"{ROOT}/{path}", lambda: b'{\n  "id": "prt_1",\n  "sessionID": "ses_a"') == claim


def test_a_home_holds_its_units() -> None:
    found = read(SOURCE, home_files())
    assert sorted(unit.ran.executor for unit in found.values()) == ["delegate"] * 4 + ["local"] * 6
    assert all(unit.ended for unit in found.values())


@pytest.mark.parametrize("reading", [from_database, from_files])
def test_a_turn_is_read_whole(reading: Any) -> None:
    session = Session("a", 0).told("Fix the parser", model={"variant": "high"})
    session.begin().shell("pytest -q", 1).done("", "tool-calls").begin().shell("pytest -q", 0).done()
    (unit,) = reading(session).values()
    assert unit.keys == (f"opencode:turn:{session.user}",)
    assert (unit.ended, unit.task.goal, unit.task.cwd, unit.session_id) == (True, "Fix the parser", CWD, "ses_a")
    assert unit.task.parent == Parent(provider="acme", model="big-1", reasoning_effort="high")
    assert unit.tokens == Tokens(input=800, output=100, cache_read=1200, cache_write=10)
    assert (unit.cost_usd, unit.wall_time_ms) == (0.5, 8000)
    assert (unit.label.signal, unit.label.value) == ("test", 1.0)


def test_a_delegation_and_its_call() -> None:
    root, child = delegating("a", 0)
    found = from_database(root, child)
    first, later = sorted(
        (unit for unit in found.values() if unit.ran.executor == "delegate"), key=lambda unit: unit.keys
    )
    assert first.keys[0] == f"opencode:child:{child.id}"
    assert [key for key in first.keys if ":tool:" in key] == [f"opencode:tool:{call}" for call in calls(root, "task")]
    assert first.ran == Dispatch(executor="delegate", provider="acme", model="small-1")
    assert (first.task.goal, first.task.kind, first.session_id) == ("Find the callers", "explore", root.id)
    assert later.keys == (f"opencode:child:{child.id}#{child.user}",)
    assert [unit.delegations for unit in found.values() if unit.task.goal == "Fix the parser"] == [1]


def calls(session: Session, tool: str) -> list[str]:
    return [part["callID"] for _, part in session.parts.values() if part.get("tool") == tool]


def test_a_session_that_moved_into_the_database_keeps_its_names() -> None:
    sessions = delegating("a", 0)
    new, old = from_database(*sessions, idle=True), from_files(*sessions, idle=True)
    assert len(new) == len(old)
    assert all(any(set(unit.keys) & set(other.keys) for other in new.values()) for unit in old.values())


@pytest.mark.parametrize(
    ("name", "data", "signal", "censored"),
    [
        ("MessageAbortedError", {"message": "x"}, "interrupted", None),
        ("MessageOutputLengthError", {}, "budget", None),
        ("ProviderAuthError", {"message": "x"}, "unknown", "auth"),
        ("APIError", {"message": "x", "statusCode": 429}, "unknown", "usage_limit"),
        ("APIError", {"message": "x", "statusCode": 529}, "unknown", "overload"),
        ("APIError", {"message": "x", "statusCode": 400}, "unknown", "harness"),
        ("UnknownError", {"message": "You have hit your usage limit"}, "unknown", "usage_limit"),
    ],
)
def test_an_error_tells_the_end(name: str, data: dict[str, Any], signal: str, censored: str | None) -> None:
    (unit,) = from_database(asked().begin().failed(name, **data)).values()
    assert (unit.ended, unit.label.signal, unit.censored) == (True, signal, censored)


def test_silence_is_a_failure() -> None:
    (unit,) = from_database(asked().begin().done("")).values()
    assert unit.label.signal == "empty"


def test_what_nobody_asked_for_is_no_turn() -> None:
    session = asked().begin().done()
    session.parts = {}
    assert from_database(session, idle=True) == {}


def test_a_turn_runs_until_its_last_message_says_so() -> None:
    session = asked().begin().done("", "tool-calls")
    assert [unit.ended for unit in from_database(session).values()] == [False]
    assert [unit.ended for unit in from_database(session, idle=True).values()] == [True]


def test_a_turn_that_was_left_ends_when_others_go_on_for_an_hour() -> None:
    left, other = asked().begin(), Session("b", 4000).told("Go").begin().done()
    assert [unit.ended for unit in from_database(left, other).values()] == [True, True]


def test_only_what_changed_is_read_again() -> None:
    session, machine = asked().begin(), OpenCodeMachine("db")
    assert [[unit.ended for unit in drained] for drained in polls(machine, "db", database(session))] == [[False]]
    session.done()
    assert [[unit.ended for unit in drained] for drained in polls(machine, "db", database(session))] == [[True]]
    assert list(polls(machine, "db", database(session))) == [[]]
    assert machine._sessions == {}


def test_a_large_database_is_read_in_pages() -> None:
    session = Session("a", 0)
    for number in range(PAGE_ROWS):
        session.told(f"Task {number}").begin().done()
    machine = OpenCodeMachine("db")
    drained = list(polls(machine, "db", database(session)))
    assert len(drained) == 3  # two messages a turn, and a look whether there is more
    assert {unit.task.goal for unit in drained[1]} >= {f"Task {PAGE_ROWS - 1}"}
    ended = {unit.keys[0] for units in drained for unit in units if unit.ended}
    assert len(ended) == PAGE_ROWS


def test_columns_that_are_missing_are_done_without() -> None:
    connection = sqlite3.connect(":memory:")
    connection.executescript("CREATE TABLE message (id TEXT, data TEXT)")
    assert list(polls(OpenCodeMachine("db"), "db", connection.serialize())) == [[]]
    connection.close()


def test_a_row_of_another_kind_does_not_stop_the_reading() -> None:
    machine = OpenCodeMachine("db")
    connection = sqlite3.connect(":memory:")
    connection.deserialize(database(asked().begin().done()))
    connection.execute("INSERT INTO message VALUES ('msg_x', 'ses_x', 0, 'never', '{')")
    connection.commit()
    assert [len(drained) for drained in polls(machine, "db", connection.serialize())] == [1]
    assert machine.quarantined == 1
    machine.feed(Row("db", "page", {}))
    connection.close()

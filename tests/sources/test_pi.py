from typing import Any

import pytest

from routerd.events import Completion, Parent, Tokens
from routerd.sources.pi import SOURCE
from tests.sources.pi_logs import Session, home_files
from tests.sources.reading import read


def units(session: Session, *, idle: bool = False) -> list[Completion]:
    return list(read(SOURCE, {session.path: session.data}, idle=idle).values())


def test_a_home_holds_its_turns() -> None:
    assert len(read(SOURCE, home_files())) == 5


def test_a_turn_is_read_whole() -> None:
    session = Session(0).told("Fix the parser").shell("pytest -q", 0).said()
    (unit,) = units(session)
    assert unit.keys == (f"pi:turn:{session.id}/{unit.started_at}",)
    assert (unit.ended, unit.task.goal, unit.ran.executor, unit.wall_time_ms) == (True, "Fix the parser", "local", 3000)
    assert unit.task.parent == Parent(provider="acme", model="big-1", reasoning_effort="high")
    assert unit.tokens == Tokens(input=800, output=100, cache_read=1200, cache_write=20)
    assert unit.cost_usd == 0.5
    assert (unit.label.signal, unit.label.value) == ("test", 1.0)


@pytest.mark.parametrize(
    ("answer", "signal", "censored"),
    [
        ({"stop": "stop"}, "completed", None),
        ({"stop": "length"}, "budget", None),
        ({"stop": "aborted"}, "interrupted", None),
        ({"stop": "error", "errorMessage": "401 invalid x-api-key"}, "unknown", "auth"),
        ({"stop": "error", "errorMessage": "429 rate limit exceeded"}, "unknown", "usage_limit"),
        ({"stop": "error", "errorMessage": "529 overloaded"}, "unknown", "overload"),
    ],
)
def test_the_stop_reason_tells_the_end(answer: dict[str, Any], signal: str, censored: str | None) -> None:
    (unit,) = units(Session(0).told("Go").said(**answer))
    assert (unit.ended, unit.label.signal, unit.censored) == (True, signal, censored)


def test_silence_is_a_failure() -> None:
    (unit,) = units(Session(0).told("Go").answer())
    assert unit.label.signal == "empty"


def test_a_failed_check_after_the_last_edit_decides() -> None:
    (unit,) = units(Session(0).told("Go").shell("pytest", 0).call("edit", "e").result("e").shell("pytest", 1).said())
    assert (unit.label.signal, unit.label.value) == ("test", 0.0)
    (unit,) = units(Session(0).told("Go").shell("pytest", 127).said())
    assert unit.label.signal == "completed"


def test_a_message_steers_a_turn_that_works_and_begins_one_after_a_long_time() -> None:
    session = Session(0).told("Go").shell("ls", 0).told("Not that one").said()
    assert [unit.task.goal for unit in units(session)] == ["Go"]
    session = Session(0).told("Go").call("bash", "c", command="ls")
    session.at += 4000
    session.told("Again").said()
    assert [(unit.task.goal, unit.label.signal) for unit in units(session)] == [
        ("Go", "dangling"),
        ("Again", "completed"),
    ]


def test_the_copied_history_of_a_branch_is_not_counted_again() -> None:
    old = Session(0).told("Old words").said()
    branch = Session(100, 1, branchedFrom="/home/user/old.jsonl")
    branch.entries += old.entries[1:]
    (unit,) = units(branch.told("New words").said())
    assert unit.task.goal == "New words"


def test_a_turn_left_open_ends_when_nobody_touches_the_log() -> None:
    session = Session(0).told("Go").call("bash", "c", command="ls")
    assert [unit.ended for unit in units(session)] == [False]
    assert [(unit.ended, unit.label.value) for unit in units(session, idle=True)] == [(True, None)]

from typing import Any

import pytest

from routerd.events import Completion, Dispatch, Parent
from routerd.sources.base import Claim
from routerd.sources.copilot import SOURCE
from tests.sources.copilot_logs import Session, home_files
from tests.sources.reading import read


def units(session: Session, *, idle: bool = False) -> dict[str, Completion]:
    return read(SOURCE, {session.path: session.data}, idle=idle)


def turns(session: Session, *, idle: bool = False) -> list[Completion]:
    return [unit for unit in units(session, idle=idle).values() if unit.ran.executor == "local"]


def test_a_session_is_named_by_its_directory() -> None:
    root = "/h/.copilot/session-state"
    assert SOURCE.claim(root, f"{root}/abc/events.jsonl", lambda: b"") == Claim("abc", "lines")
    assert SOURCE.claim(root, f"{root}/abc/session.db", lambda: b"") is None
    assert SOURCE.enters(root, f"{root}/abc")
    assert not SOURCE.enters(root, f"{root}/abc/files")


def test_a_home_holds_its_units() -> None:
    found = read(SOURCE, home_files())
    assert sorted(unit.ran.executor for unit in found.values()) == ["delegate"] * 3 + ["local"] * 3


def test_a_turn_is_read_whole() -> None:
    (unit,) = turns(Session(0).told("Fix the parser").shell("pytest -q", 0).said())
    assert (unit.ended, unit.task.goal, unit.wall_time_ms, unit.tokens) == (True, "Fix the parser", 6000, None)
    assert unit.task.parent == Parent(provider="github-copilot", model="big-1", reasoning_effort="high")
    assert (unit.label.signal, unit.label.value) == ("test", 1.0)


def test_an_exit_code_is_believed_over_the_tools_success() -> None:
    (unit,) = turns(Session(0).told("Go").shell("pytest", 1).said())
    assert (unit.label.signal, unit.label.value) == ("test", 0.0)


def test_a_delegation_is_told_by_its_events() -> None:
    session = Session(0).told("Go").delegate("call_1", "Find it", model="mid-1").result("call_1").said()
    unit = units(session)["copilot:tool:call_1"]
    assert unit.ran == Dispatch(executor="delegate", provider="github-copilot", model="mid-1")
    assert unit.task.parent == Parent(provider="github-copilot", model="big-1", reasoning_effort="high")
    assert (unit.task.goal, unit.task.kind, unit.wall_time_ms) == ("Find it", "explore", 2500)
    assert (unit.ended, unit.label.signal) == (True, "completed")
    assert [turn.delegations for turn in turns(session)] == [1]


def test_what_a_subagent_does_is_not_the_turns() -> None:
    session = Session(0).told("Go").delegate("call_1", "Find it")
    assert [turn.ended for turn in turns(session)] == [False]


def test_a_refused_call_is_no_delegation() -> None:
    session = Session(0).told("Go").call("task", "call_1", prompt="Find it").result("call_1", success=False).said()
    assert list(units(session, idle=True).values()) == turns(session)


@pytest.mark.parametrize(
    ("kind", "data", "signal", "censored"),
    [
        ("abort", {"reason": "user_initiated"}, "interrupted", None),
        ("session.error", {"message": "401 Unauthorized"}, "unknown", "auth"),
        ("session.error", {"message": "You have hit your usage limit"}, "unknown", "usage_limit"),
    ],
)
def test_other_ends(kind: str, data: dict[str, Any], signal: str, censored: str | None) -> None:
    (unit,) = turns(Session(0).told("Go").add(kind, **data))
    assert (unit.ended, unit.label.signal, unit.censored) == (True, signal, censored)


def test_a_failed_subagent_is_censored_by_its_error() -> None:
    session = Session(0).told("Go").delegate("call_1", "Find it", error="503 Service Unavailable").said()
    assert units(session)["copilot:tool:call_1"].censored == "overload"


def test_a_turn_keeps_the_model_that_was_asked_for_where_an_answer_names_its_own() -> None:
    session = Session(0).told("Go").add("assistant.message", content="Done.", model="small-1").add("assistant.turn_end")
    (unit,) = turns(session)
    assert unit.asked == Dispatch(executor="local", model="big-1")
    assert unit.task.parent is not None
    assert unit.task.parent.model == "small-1"
    assert [unit.asked for unit in turns(Session(0).told("Go").said())] == [None]

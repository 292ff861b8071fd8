"""The status line says the last pick of its session, and is empty rather than wrong."""

import json
from pathlib import Path
from typing import Any

import pytest

from routerd.integrations.statusline import line
from tests.harness import Place
from tests.integrations import hooking

HAIKU = {"executor": "delegate", "provider": "anthropic", "model": "claude-haiku-5-5", "reasoning_effort": "low"}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def shown(place: Place, payload: Any, agent: str = "claude-code", **env: str) -> str:
    return hooking.run(place, "statusline", agent, payload=payload, **env).decode()


def test_the_last_pick_its_success_and_the_mode(place: Place) -> None:
    task = {"goal": "Count the tests", "agent": "claude-code", "session_id": "one"}
    with place.daemon() as daemon:
        assert shown(place, {"session_id": "one"}) == "routerd · advise\n"
        pick = daemon.ask("recommend", task=task, candidates=[HAIKU])
        daemon.until(lambda: place.query("SELECT 1 FROM decisions"))
        percent = f"{100 * pick['expected']['success']['mean']:.0f}%"
        said = shown(place, {"session_id": "one"}, ROUTERD_MODE="shadow")
        assert said == f"routerd claude-haiku-5-5@low {percent} · shadow\n"
        daemon.ask("report", decision_id=pick["decision_id"], outcome={"succeeded": True}, task=task, dispatch=HAIKU)
    assert shown(place, {"session_id": "one"}) == f"routerd claude-haiku-5-5@low {percent} ✓ · advise\n"
    assert shown(place, {"session_id": "two"}) == "routerd · advise\n"
    assert shown(place, {"session_id": "one"}, agent="codex") == "routerd · advise\n"


@pytest.mark.parametrize("payload", [b"", b"{", b"[]", b"{}", b'{"session_id": []}', b"\xff", b"[" * 100_000])
def test_whatever_is_wrong_the_line_is_empty(place: Place, payload: bytes) -> None:
    assert shown(place, payload) == "\n"


@pytest.mark.parametrize("data", [None, b"", b"no database", b"SQLite format 3\0" + b"\0" * 4000])
def test_without_a_database_the_line_is_empty(place: Place, data: bytes | None) -> None:
    if data is not None:
        place.write({"state/routerd.db": data})
    assert shown(place, json.dumps({"session_id": "one"}).encode()) == "\n"


def test_an_agent_that_is_none_has_an_empty_line(place: Place) -> None:
    assert shown(place, {"session_id": "one"}, agent="no-such-agent") == "\n"


@pytest.mark.parametrize(("succeeded", "mark"), [(None, ""), (1.0, " ✓"), (0.0, " ✗")])
def test_success_is_marked_once_it_is_known(succeeded: float | None, mark: str) -> None:
    decision = {"dispatch": {"executor": "local"}, "expected": {"success": {"mean": 0.931}}}
    assert line((decision, succeeded), "enforce") == f"routerd local 93%{mark} · enforce"

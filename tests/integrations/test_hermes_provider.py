"""
The plugin in a Hermes that has a place for delegation providers (0.22.5 and later).

No such version is on PyPI: this is `fake_hermes.Core`, which follows the documentation of that seam and no more. It
fails closed, so what matters most is that routerd's provider never does.
"""

import json
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from routerd.integrations.hermes.call import PATIENCE_S
from tests.harness import Daemon
from tests.integrations.fake_hermes import Core, DelegationProvider
from tests.integrations.hermes_fixtures import (
    ASK,
    CODE,
    DEEPSEEK,
    GLM,
    OPEN,
    SLACK_S,
    USUAL,
    Start,
    batch,
    daemon,
    home,
    parent,
    ran,
    start,
)
from tests.integrations.hooking import decisions

__all__ = ["daemon", "home", "start"]  # fixtures


def test_it_is_the_official_way_and_the_only_one(start: Start) -> None:
    hermes, plugin = start("enforce", Core())
    builder = hermes.tool._build_child_agent
    hermes.calls(parent(), batch(OPEN, CODE))
    assert ran(hermes) == [DEEPSEEK, GLM]
    assert hermes.tool._build_child_agent is builder
    assert [pick.state for pick in plugin.last] == ["applied", "applied"]


@pytest.mark.parametrize("mode", ["off", "shadow", "advise"])
def test_in_the_other_modes_children_run_as_by_hermes_own_provider(start: Start, mode: str) -> None:
    hermes, _ = start(mode, Core({"reasoning_effort": "low"}))
    result = json.loads(hermes.calls(parent(), batch(OPEN, CODE)))
    assert {child.ran for child in hermes.children} == {("custom", "stub-big", "low", "key-parent")}
    assert ("routerd" in result) == (mode == "advise")


def test_a_pinned_delegation_is_left_alone(start: Start) -> None:
    hermes, _ = start("enforce", Core({"provider": "zai", "model": "own-model"}))
    hermes.calls(parent(), batch(OPEN, CODE))
    assert {child.ran for child in hermes.children} == {("zai", "own-model", None, "key-z")}


def test_without_an_answer_the_route_is_empty(start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROUTERD_SOCKET", str(tmp_path / "none"))
    hermes, _ = start("enforce", Core())
    hermes.calls(parent(), batch(OPEN, CODE))
    assert ran(hermes) == [USUAL, USUAL]
    about: dict[str, Any] = {"config": hermes.section, "parent": {}}
    assert hermes.providers["routerd"].route_task({"goal": OPEN}, **about) == {}


def test_without_hermes_own_provider_the_section_is_handed_back(start: Start) -> None:
    hermes, _ = start("shadow", Core({"model": "own-model", "reasoning_effort": "low"}))
    del hermes.providers["default"]
    about: dict[str, Any] = {"config": hermes.section, "parent": {}}
    route = hermes.providers["routerd"].route_task({"goal": OPEN}, **about)
    assert route == {"model": "own-model", "reasoning_effort": "low"}


@pytest.mark.parametrize("task", [None, {}, {"goal": 7}, [], "x", {"task": None}])
def test_whatever_it_is_asked_it_answers_a_route(start: Start, task: Any) -> None:
    hermes, _ = start("enforce", Core())
    assert hermes.providers["routerd"].route_task(task, config=hermes.section, parent={}) == {}
    assert hermes.providers["routerd"].route_task({"task": {"goal": OPEN}}, config={}, parent={}) == {}


def test_asked_out_of_the_blue_it_decides_and_applies_nothing_without_an_incumbent(
    daemon: Daemon, start: Start
) -> None:
    hermes, _ = start("enforce", Core())
    before = decisions(daemon, "hermes")
    assert hermes.providers["routerd"].route_task({"goal": OPEN}, config={}, parent={}) == {}
    assert decisions(daemon, "hermes") == before + 1


def test_a_route_without_credentials_is_not_given_for_it_would_fail_the_call(start: Start) -> None:
    hermes, plugin = start("enforce", Core())
    del hermes.accounts["zai"]
    hermes.calls(parent(), batch(OPEN, CODE))
    assert ran(hermes) == [DEEPSEEK, USUAL]
    assert plugin.last[1].state == "left to Hermes, which has no credentials for zai"


def test_a_backend_that_is_another_is_told(start: Start) -> None:
    hermes, plugin = start("enforce", Core({"backend": "default"}))
    hermes.calls(parent(), batch(OPEN, CODE))
    assert ran(hermes) == [USUAL, USUAL]
    assert "delegation.backend is not routerd: nothing can be applied" in plugin.on_command("")


def test_a_silent_daemon_is_waited_for_once(start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A provider may be asked task by task, where the call that they belong to cannot be seen."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "s"))
        listening.listen()
        monkeypatch.setenv("ROUTERD_SOCKET", str(tmp_path / "s"))
        hermes, _ = start("enforce", Core(), patience_s=PATIENCE_S)
        began = time.monotonic()
        for _ in range(20):
            assert hermes.providers["routerd"].route_task({"goal": OPEN}, config={}, parent={}) == {}
        assert time.monotonic() - began < PATIENCE_S + SLACK_S


def test_do_it_yourself_is_said_before_any_route(start: Start) -> None:
    hermes, _ = start("enforce", Core())
    assert json.loads(hermes.calls(parent(), {"goal": ASK}))["status"] == "not_delegated"
    assert hermes.children == []


def test_two_tasks_with_one_goal_each_take_their_own_pick(start: Start) -> None:
    hermes, plugin = start("enforce", Core())
    hermes.calls(parent(), batch(OPEN, OPEN))
    assert ran(hermes) == [DEEPSEEK, DEEPSEEK]
    assert [pick.state for pick in plugin.last] == ["applied", "applied"]


def test_a_provider_class_that_asks_for_more_is_left_alone(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    class Stricter(DelegationProvider):
        def something_new(self) -> None: ...

        something_new.__isabstractmethod__ = True  # type: ignore[attr-defined]

    class StricterCore(Core):
        base = Stricter

    hermes, plugin = start("enforce", StricterCore({"backend": "default"}))
    hermes.calls(parent(), batch(OPEN, CODE))
    assert ran(hermes) == [USUAL, USUAL]
    assert "does not take routerd as a delegation provider" in plugin.on_command("")
    assert "something_new" in caplog.text

"""
The Hermes plugin against a real daemon, inside a small true Hermes (`fake_hermes`): what each mode does to children,
and what a failing daemon or another version does to Hermes.
"""

import json
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from routerd.integrations.hermes import register
from routerd.integrations.hermes.call import PATIENCE_S
from tests.harness import Daemon
from tests.integrations.fake_hermes import Agent, Hermes, without
from tests.integrations.hermes_fixtures import (
    ASK,
    CODE,
    DEEPSEEK,
    GLM,
    OPEN,
    PATIENT_S,
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
from tests.test_client import BAD, server

__all__ = ["daemon", "home", "start"]  # fixtures


# --- modes ----------------------------------------------------------------------------------------------------------


def test_enforce_gives_each_task_of_a_batch_its_own_provider_model_and_effort(daemon: Daemon, start: Start) -> None:
    hermes, plugin = start("enforce")
    result = json.loads(hermes.calls(parent(), batch(OPEN, CODE)))
    assert ran(hermes) == [DEEPSEEK, GLM]
    assert [entry["model"] for entry in result["results"]] == ["deepseek-v4-pro", "glm-5.2"]
    assert "routerd" not in result
    assert [pick.state for pick in plugin.last] == ["applied", "applied"]
    assert (hermes.children[0].max_tokens, hermes.children[1].request_overrides) == (4096, {"x": 1})
    told = daemon.ask("explain", decision_id=plugin.last[0].decision["decision_id"])  # type: ignore[index]
    assert told["chosen"] == "delegate:deepseek:deepseek-v4-pro@max#leaf"


def test_the_builder_of_0_17_takes_fewer_things_and_the_same_route(start: Start) -> None:
    hermes, _ = start("enforce", Hermes(old=True))
    hermes.calls(parent(), batch(OPEN, CODE))
    assert ran(hermes) == [DEEPSEEK, GLM]


def test_off_asks_nothing_and_shadow_changes_nothing(daemon: Daemon, start: Start) -> None:
    before = decisions(daemon, "hermes")
    hermes, _ = start("off")
    plain = hermes.calls(parent(), batch(OPEN, CODE))
    assert decisions(daemon, "hermes") == before
    shadowed, _ = start("shadow")
    assert shadowed.calls(parent(), batch(OPEN, CODE)) == plain
    assert ran(shadowed) == ran(hermes) == [USUAL, USUAL]
    assert decisions(daemon, "hermes") == before + 2


def test_advise_tells_the_agent_and_changes_nothing_else(start: Start) -> None:
    hermes, _ = start("advise")
    result = json.loads(hermes.calls(parent(), batch(OPEN, ASK)))
    assert ran(hermes) == [USUAL, USUAL]
    head, first, second = result.pop("routerd")
    assert head == "advice only, nothing was changed"
    assert first.startswith("task 1: it would run on deepseek:deepseek-v4-pro@max rather than on custom:stub-big; ")
    assert second.startswith("task 2: you would do it yourself; ")
    assert len(result["results"]) == 2


def test_advise_says_nothing_where_it_would_do_the_same(start: Start) -> None:
    hermes, plugin = start("advise")
    own = parent(
        provider="deepseek", model="deepseek/DeepSeek-V4-Pro", reasoning_config={"enabled": True, "effort": "max"}
    )
    assert "routerd" not in json.loads(hermes.calls(own, {"goal": OPEN}))
    assert plugin.last[0].decision is not None


def test_other_tools_pass(daemon: Daemon, start: Start) -> None:
    before = decisions(daemon, "hermes")
    hermes, _ = start("enforce")
    assert hermes.calls(parent(), {"command": "ls"}, tool="terminal") == '{"ran": {"command": "ls"}}'
    assert decisions(daemon, "hermes") == before


def test_a_child_that_delegates_is_asked_about_with_its_depth(daemon: Daemon, start: Start) -> None:
    hermes, plugin = start("enforce")
    hermes.calls(parent(depth=1, platform="subagent"), {"goal": OPEN, "role": "orchestrator"})
    (pick,) = plugin.last
    assert (pick.task["depth"], pick.task["role"]) == (1, "orchestrator")
    assert pick.dispatch.get("role") == "leaf"  # routerd's own max_spawn_depth is 1 unless somebody says otherwise
    assert "cwd" not in pick.task


def test_a_child_that_is_built_by_another_way_meanwhile_is_none_of_the_calls(start: Start) -> None:
    """A child's own tools may build children while the call that sent it runs, on the same thread."""
    hermes, _ = start("enforce")
    inner: list[Agent] = []

    def stopped(**_: Any) -> None:
        if not inner:
            usual = {"toolsets": None, "model": None, "max_iterations": 1, "task_count": 1, "context": None}
            inner.append(
                hermes.tool._build_child_agent(task_index=0, goal=OPEN, parent_agent=hermes.children[0], **usual)
            )

    hermes.context.register_hook("subagent_stop", stopped)
    hermes.calls(parent(), {"goal": OPEN})
    assert [child.ran for child in hermes.children] == [DEEPSEEK, (*DEEPSEEK[:3], "key-d")]
    assert inner[0].request_overrides == {}
    assert hermes.children[1].max_tokens is None


def test_the_texts_of_a_large_batch_fit_on_a_line(daemon: Daemon, start: Start) -> None:
    hermes, plugin = start("shadow")
    tasks = [{"goal": "ü" * 100_000, "context": "\x00" * 100_000} for _ in range(10)]
    hermes.calls(parent(), {"tasks": tasks})
    assert len([pick for pick in plugin.last if pick.decision]) == len(plugin.last) == 8


# --- what the user has chosen ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("section", "usual"),
    [
        ({"model": "own-model"}, ("custom", "own-model", None, "key-parent")),
        ({"provider": "zai", "model": "own-model"}, ("zai", "own-model", None, "key-z")),
        (
            {"base_url": "http://own.test/v1", "model": "m", "reasoning_effort": "low"},
            ("custom", "m", "low", "key-parent"),
        ),
    ],
)
def test_a_pinned_delegation_is_left_alone(
    start: Start, section: dict[str, Any], usual: tuple[str | None, ...]
) -> None:
    hermes, plugin = start("enforce", Hermes(section=section))
    result = json.loads(hermes.calls(parent(), batch(OPEN, CODE)))
    assert ran(hermes) == [usual, usual]
    assert "routerd" not in result
    assert {pick.pinned for pick in plugin.last} == {True}


def test_a_pin_inside_the_pool_is_recorded_as_one(start: Start) -> None:
    section = {"provider": "zai", "model": "glm-5.2", "reasoning_effort": "high"}
    hermes, plugin = start("enforce", Hermes(section=section))
    hermes.calls(parent(), {"goal": OPEN})
    assert ran(hermes) == [GLM]
    (pick,) = plugin.last
    assert pick.decision is not None
    assert (pick.decision["basis"], pick.decision["propensity"]) == ("pinned", 1.0)


def test_an_effort_that_the_user_set_stays_while_the_model_is_chosen(start: Start) -> None:
    hermes, _ = start("enforce", Hermes(section={"reasoning_effort": "low"}))
    hermes.calls(parent(), batch(OPEN, CODE))
    assert [child.effort for child in hermes.children] == ["low", "low"]
    assert [child.model for child in hermes.children] == ["deepseek-v4-pro", "glm-5.2"]


# --- doing it oneself -----------------------------------------------------------------------------------------------


def test_do_it_yourself_is_an_answer_and_no_error_and_is_not_said_twice(start: Start) -> None:
    hermes, plugin = start("enforce")
    agent = parent()
    result = json.loads(hermes.calls(agent, batch(ASK, ASK)))
    assert result["status"] == "not_delegated"
    assert "error" not in result
    assert hermes.children == []
    assert {pick.state for pick in plugin.last} == {"applied: the agent does it itself"}
    assert "results" in json.loads(hermes.calls(agent, batch(ASK, ASK), name="call_second000"))
    assert ran(hermes) == [USUAL, USUAL]


def test_a_batch_is_not_split(start: Start) -> None:
    hermes, _ = start("enforce")
    hermes.calls(parent(), batch(ASK, OPEN))
    assert ran(hermes) == [USUAL, DEEPSEEK]


# --- nothing to rely on ---------------------------------------------------------------------------------------------


def untouched(start: Start) -> None:
    hermes, plugin = start("enforce", patience_s=PATIENCE_S)
    began = time.monotonic()
    hermes.calls(parent(), batch(OPEN, CODE))
    assert time.monotonic() - began < 0.05 + SLACK_S
    assert ran(hermes) == [USUAL, USUAL]
    assert {pick.state for pick in plugin.last} == {"no answer from routerd"}


def test_with_no_daemon_hermes_does_what_it_would_have_done(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROUTERD_SOCKET", str(tmp_path / "none"))
    untouched(start)


def test_a_daemon_that_hangs_costs_the_time_that_was_promised(daemon: Daemon, start: Start) -> None:
    daemon.process.send_signal(signal.SIGSTOP)
    try:
        untouched(start)
    finally:
        daemon.process.send_signal(signal.SIGCONT)


@pytest.mark.parametrize("garbage", sorted(BAD))
def test_what_is_not_routerd_does_no_harm(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, garbage: str
) -> None:
    monkeypatch.setenv("ROUTERD_SOCKET", str(tmp_path / "s"))
    with server(tmp_path / "s", BAD[garbage]):
        untouched(start)


RESULTS: list[Any] = [
    None,
    7,
    [],
    {},
    {"decisions": 1},
    {"decisions": [1, 2]},
    {"decisions": [{"dispatch": 1, "gate": {}}] * 2},
]


@pytest.mark.parametrize("result", RESULTS)
def test_an_answer_that_says_something_else_counts_as_none(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, result: Any
) -> None:
    def answers(connection: Any) -> None:
        with connection.makefile("rb") as lines:
            lines.readline()
            connection.sendall(json.dumps({"jsonrpc": "2.0", "id": 1, "result": result}).encode() + b"\n")

    monkeypatch.setenv("ROUTERD_SOCKET", str(tmp_path / "s"))
    with server(tmp_path / "s", answers):
        untouched(start)


def test_what_hermes_has_no_credentials_for_is_left_to_hermes(start: Start) -> None:
    hermes, plugin = start("enforce")
    del hermes.accounts["zai"]
    hermes.calls(parent(), batch(OPEN, CODE))
    assert ran(hermes) == [DEEPSEEK, USUAL]
    assert plugin.last[1].state == "left to Hermes, which cannot run it: Cannot resolve delegation provider 'zai'"


def canned(dispatch: dict[str, Any]) -> Callable[[Any], None]:
    """A daemon that always chooses one dispatch and is sure of it."""
    sure = {"decision_id": "d", "arm": "x", "basis": "learned", "gate": {"apply": True}}
    pick = {**sure, "dispatch": dispatch, "resolved": {"dispatch": dispatch}}
    results = {"recommend_batch": {"decisions": [pick]}}

    def answers(connection: Any) -> None:
        with connection.makefile("rb") as lines:
            result = results.get(json.loads(lines.readline())["method"])
            connection.sendall(json.dumps({"jsonrpc": "2.0", "id": 1, "result": result}).encode() + b"\n")

    return answers


@pytest.mark.parametrize(
    ("dispatch", "expected"),
    [
        ({"provider": "openai", "model": "m"}, ("openai-api", "m", None, "key-o")),
        ({"provider": "custom", "model": "m", "reasoning_effort": "low"}, ("custom", "m", "low", "key-parent")),
        ({"model": "m", "reasoning_effort": "enormous"}, ("custom", "m", None, "key-parent")),
        ({"model": "m", "reasoning_effort": "none"}, ("custom", "m", "none", "key-parent")),
        ({"agent": "codex", "model": "m"}, USUAL),
        ({"profile": "reviewer"}, USUAL),
        ({"provider": "zai"}, USUAL),
    ],
)
def test_a_route_is_spelt_as_hermes_does(
    start: Start,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    dispatch: dict[str, Any],
    expected: tuple[str | None, ...],
) -> None:
    monkeypatch.setenv("ROUTERD_SOCKET", str(tmp_path / "s"))
    with server(tmp_path / "s", canned({"executor": "delegate", **dispatch})):
        hermes, plugin = start("enforce")
        hermes.accounts["openai-api"] = {"base_url": "https://openai.test/v1", "api_key": "key-o"}
        hermes.calls(parent(), {"goal": OPEN})
        plugin.reporter.finish(PATIENT_S)
    assert ran(hermes) == [expected]


@pytest.mark.parametrize(
    ("function", "parameter"), [("_build_child_agent", "override_provider"), ("_resolve_delegation_credentials", "cfg")]
)
def test_a_version_that_builds_otherwise_is_only_watched(
    daemon: Daemon, start: Start, caplog: pytest.LogCaptureFixture, function: str, parameter: str
) -> None:
    hermes = Hermes()
    without(hermes.tool, function, parameter)
    before = decisions(daemon, "hermes")
    hermes, plugin = start("enforce", hermes)
    hermes.calls(parent(), batch(OPEN, CODE))
    hermes.calls(parent(), batch(ASK, ASK))
    assert ran(hermes) == [USUAL] * 4
    assert decisions(daemon, "hermes") == before + 4
    assert "only watch" in caplog.text
    assert "only watching" in plugin.on_command("")


def test_a_version_that_hides_who_delegates_is_asked_about_all_the_same(daemon: Daemon, start: Start) -> None:
    hermes = Hermes()
    without(hermes.tool, "delegate_task", "role")
    before = decisions(daemon, "hermes")
    hermes, plugin = start("enforce", hermes)
    hermes.calls(parent(), batch(OPEN, CODE))
    assert ran(hermes) == [USUAL, USUAL]
    assert decisions(daemon, "hermes") == before + 2
    assert [pick.incumbent for pick in plugin.last] == [None, None]


def test_a_version_without_middleware_is_told_so_once(caplog: pytest.LogCaptureFixture) -> None:
    register(object())
    assert "needs Hermes 0.17 or newer" in caplog.text


@pytest.mark.parametrize(
    "arguments",
    [{}, {"goal": "  "}, {"tasks": []}, {"tasks": "[{"}, {"tasks": [{"goal": ""}]}, {"tasks": [7]}, {"goal": 7}],
)
def test_a_call_that_hermes_refuses_is_not_asked_about(daemon: Daemon, start: Start, arguments: dict[str, Any]) -> None:
    before = decisions(daemon, "hermes")
    hermes, _ = start("enforce")
    for text in (arguments, {**arguments, "role": "boss"}):
        with suppress(AttributeError, ValueError):  # this Hermes' own way to refuse
            hermes.calls(parent(), text)
    assert (hermes.children, decisions(daemon, "hermes")) == ([], before)

"""Claude Code's hook beside a real daemon, none, and others in its place: a delegation goes on in any case."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routerd.integrations import claude_code, hook
from tests.harness import PROGRAMS, Daemon, Place
from tests.integrations import hooking
from tests.integrations.hooking import (
    CALM,
    REPLY,
    altered,
    anything,
    claude_call,
    decisions,
    returned,
    seed,
    sure,
    transcript,
)
from tests.sources.claude_logs import Home, delegated
from tests.test_client import BAD, SLACK_S, TIME_S, server

AGENT = {"AI_AGENT": "claude-code_2-1-329_harness"}
HAIKU = {"executor": "delegate", "provider": "anthropic", "model": "claude-haiku-5-5", "reasoning_effort": "low"}
SONNET = {"executor": "delegate", "provider": "anthropic", "model": "claude-sonnet-5-5", "reasoning_effort": "medium"}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


# --- a real daemon ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    place = Place(tmp_path_factory.mktemp("home"))
    config = place.home / "config.toml"
    config.write_text(CALM)
    with place.daemon("--config", str(config)) as running:
        seed(running, "claude-code", HAIKU, SONNET)
        yield running


def ask(daemon: Daemon, payload: dict[str, Any], mode: str) -> Any:
    """What the hook says; asked again where the machine was too busy for an answer in time."""
    before = decisions(daemon, "claude-code")
    said = None
    deadline = time.monotonic() + 20
    while said is None and time.monotonic() < deadline:
        said = hooking.hook(daemon.place, "claude-code", "PreToolUse", payload, mode, **AGENT)
        if mode in ("off", "shadow"):
            break
    if mode != "off":
        daemon.until(lambda: decisions(daemon, "claude-code") > before)
    return said


def test_the_modes_with_a_daemon_that_is_sure(daemon: Daemon) -> None:
    transcript(daemon.place, REPLY)
    payload = {**claude_call(daemon.place), "tool_use_id": "toolu_modes"}
    before = decisions(daemon, "claude-code")
    assert ask(daemon, payload, "off") is None
    assert decisions(daemon, "claude-code") == before
    assert ask(daemon, payload, "shadow") is None
    assert "model haiku, effort low" in ask(daemon, payload, "advise")["hookSpecificOutput"]["additionalContext"]
    changed = ask(daemon, payload, "enforce")["hookSpecificOutput"]["updatedInput"]
    assert changed == {**payload["tool_input"], "model": "haiku", "effort": "low"}


def test_a_delegation_is_one_outcome_whoever_tells_of_it_first(daemon: Daemon) -> None:
    """Decision, hook and log name it by its call, its child or both; the log is written last."""
    place = daemon.place
    home: Home = delegated(model="claude-haiku-5-5")
    payload = claude_call(place)
    transcript(place, REPLY)
    assert ask(daemon, payload, "enforce") is not None
    decided = place.query("SELECT decision_id FROM decision_keys WHERE key = 'claude-code:tool:toolu_1'")
    for event, extra in (
        ("PostToolUse", {"tool_response": returned(place)["tool_response"]}),
        ("SubagentStop", {"agent_id": "a1", "agent_type": "general-purpose"}),
    ):
        assert hooking.hook(place, "claude-code", event, {**payload, **extra}) is None
    sql = "SELECT decision_id, signal FROM outcomes WHERE id LIKE 'claude-code:%'"
    daemon.until(lambda: len(place.query(sql)) == 1)
    place.write(home.data)
    daemon.until(lambda: place.query(f"{sql} AND executor = 'delegate' AND log IS NOT NULL"))
    assert place.query(f"{sql} AND executor = 'delegate'") == [(*decided[0], "completed")]


def test_a_pin_is_recorded(daemon: Daemon) -> None:
    payload = {**claude_call(daemon.place, model="opus"), "tool_use_id": "toolu_pinned"}
    before = decisions(daemon, "claude-code")
    assert hooking.hook(daemon.place, "claude-code", "PreToolUse", payload, "enforce", **AGENT) is None
    daemon.until(lambda: decisions(daemon, "claude-code") > before)
    rows = daemon.place.query("SELECT basis, arm FROM decisions WHERE agent = 'claude-code' ORDER BY at DESC LIMIT 1")
    assert rows == [("pinned", "delegate:anthropic:claude-opus-5-5")]


# --- whatever answers, or does not ------------------------------------------------------------------------------------


def test_with_no_daemon_nothing_changes(place: Place) -> None:
    assert hooking.hook(place, "claude-code", "PreToolUse", claude_call(place)) is None


def test_a_daemon_that_is_held_changes_nothing(daemon: Daemon) -> None:
    os.kill(daemon.process.pid, signal.SIGSTOP)
    try:
        said = hooking.hook(daemon.place, "claude-code", "PreToolUse", claude_call(daemon.place), "enforce", **AGENT)
    finally:
        os.kill(daemon.process.pid, signal.SIGCONT)
    assert said is None


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_daemon_changes_nothing_and_is_not_waited_for(place: Place, name: str) -> None:
    held: list[float] = []

    def answer(connection: Any) -> None:
        begin = time.monotonic()
        try:
            BAD[name](connection)
            while connection.recv(1 << 16):
                pass
        finally:
            held.append(time.monotonic() - begin)

    with server(place.socket, answer):
        for event in ("PreToolUse", "PostToolUse"):
            payload = claude_call(place) if event == "PreToolUse" else returned(place)
            assert hooking.hook(place, "claude-code", event, payload) is None
    assert max(held) < TIME_S + SLACK_S


@pytest.mark.parametrize("dispatch", [{"model": "no-such-model"}, "haiku", None, [], {"executor": "local"}])
def test_a_pick_that_the_tool_would_refuse_changes_nothing(place: Place, dispatch: Any) -> None:
    with sure(place.socket, lambda _: dispatch) as asked:
        assert hooking.hook(place, "claude-code", "PreToolUse", claude_call(place)) is None
    assert asked


@pytest.mark.parametrize(
    "payload",
    [b"", b"{", b"null", b"[]", b'"x"', b"\xff\xfe", b"[" * 100_000, b"\0" * 1000, b'{"tool_input": 3}', b"9" * 10_000],
)
def test_a_payload_that_is_none_changes_nothing(place: Place, payload: bytes) -> None:
    for event in ("PreToolUse", "PostToolUse", "NoSuchEvent"):
        assert hooking.hook(place, "claude-code", event, payload) is None


@pytest.mark.parametrize("arguments", [[], ["claude-code"], ["no-such-agent", "PreToolUse"], ["claude-code", "a", "b"]])
def test_a_wrong_command_line_is_said_and_does_no_harm(place: Place, arguments: list[str]) -> None:
    done = place.run("routerctl", "hook", *arguments)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (0, "", 1)


def test_the_socket_may_be_named(place: Place) -> None:
    with sure(place.home / "other", lambda candidates: candidates[-1]) as asked:
        flags = ["hook", "claude-code", "PreToolUse", "--json", f"--socket={place.home / 'other'}"]
        said = hooking.run(place, *flags, payload=claude_call(place), ROUTERD_MODE="enforce")
    assert asked
    assert json.loads(said)["hookSpecificOutput"]["updatedInput"]


def test_an_agent_that_has_gone_is_no_error(place: Place) -> None:
    """Its end of the pipe is closed before anything is said."""
    with sure(place.socket, lambda candidates: candidates[-1]):
        reading, writing = os.pipe()
        os.close(reading)
        try:
            done = subprocess.run(
                [str(PROGRAMS / "routerctl"), "hook", "claude-code", "PreToolUse"],
                input=json.dumps(claude_call(place)).encode(),
                env={**place.env, "ROUTERD_MODE": "enforce"},
                stdout=writing,
                stderr=subprocess.PIPE,
                check=False,
                timeout=30,
            )
        finally:
            os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.fixture(scope="module")
def eager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A place where whatever answers is always sure of the last candidate."""
    place = Place(tmp_path_factory.mktemp("home"))
    with sure(place.socket, lambda candidates: candidates[-1]):
        yield place


def said(place: Place, event: str, data: bytes) -> Any:
    """What the hook would say, in this process; an exception is what `main` makes silence of."""
    env = {**place.env, "ROUTERD_MODE": "enforce"}
    try:
        output = hook.run("claude-code", event, data, env, str(place.socket))
    except (ValueError, TypeError, RecursionError):
        return None
    return json.loads(output) if output else None


events = st.sampled_from(["PreToolUse", "PostToolUse", "SubagentStop", "StopFailure", "SubagentStart"])


@given(events, st.binary(max_size=200) | anything.map(lambda value: json.dumps(value).encode()))
@settings(max_examples=150, deadline=None)
def test_whatever_comes_in_the_hook_says_nothing(eager: Place, event: str, data: bytes) -> None:
    assert said(eager, event, data) is None


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_whatever_is_said_is_the_whole_input_and_a_model_that_the_tool_takes(eager: Place, data: st.DataObject) -> None:
    payload = data.draw(altered(claude_call(eager)))
    output = said(eager, data.draw(events), json.dumps(payload).encode())
    if output is None:
        return
    updated = output["hookSpecificOutput"]["updatedInput"]
    assert updated["model"] in claude_code.FAMILIES
    as_before = [payload["tool_input"]["effort"]] if "effort" in payload["tool_input"] else []
    assert updated.get("effort", "low") in [*claude_code.EFFORTS, *claude_code.OWN_EFFORTS, *as_before]
    assert {**payload["tool_input"], **updated} == updated

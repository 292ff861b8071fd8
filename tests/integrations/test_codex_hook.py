"""Codex's hook: what it asks, what it changes, and that a delegation goes on whatever answers or does not."""

import json
import os
import signal
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routerd.integrations import codex, delegation, hook
from routerd.integrations.codex import CATALOG, Session, session
from tests.harness import Daemon, Place
from tests.integrations import hooking
from tests.integrations.hooking import CALM, GOAL, SESSION, altered, anything, codex_call, decisions, seed, sure
from tests.sources.codex_logs import Rollout
from tests.test_client import BAD, SLACK_S, TIME_S, server

MODELS = CATALOG[0, 169]
LUNA = {"executor": "delegate", "provider": "openai", "model": "gpt-6-luna", "reasoning_effort": "low"}
SOL = {"executor": "delegate", "provider": "openai", "model": "gpt-6-sol", "reasoning_effort": "medium"}
KNOWN = Session(version=(0, 169), provider="openai", effort="medium", root=SESSION, catalog=MODELS)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def began(place: Place, at: float = 0.0, **meta: Any) -> str:
    """The path of a rollout that has just begun its first turn, `at` seconds after it usually does."""
    log = Rollout(at, **{"model_provider": "openai", **meta})
    log.add("turn_context", {"turn_id": "t1", "model": "gpt-6-sol", "effort": "medium"})
    place.write({log.path: log.data})
    return str(place.home / log.path)


def later(place: Place, **meta: Any) -> str:
    """As `began`, but a minute from now, when all that lies there now is old."""
    return began(place, time.time() + 60 - 1_780_000_000, **meta)


def plan(known: Session = KNOWN, *, version: int = 2, **given: Any) -> delegation.Plan:
    made = codex.plan(codex_call("", version=version, **given), known)
    assert made is not None
    return made


# --- what is asked ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [1, 2])
def test_the_catalogue_is_offered_with_an_effort_each(version: int) -> None:
    made = plan(version=version)
    assert made.params["incumbent"] == SOL
    assert len(made.ways) == 3 * len(MODELS)
    assert (LUNA, {"model": "gpt-6-luna", "reasoning_effort": "low"}) in made.ways
    assert made.params["ref"] == {"agent": "codex", "session_id": SESSION, "tool_use_id": "call_1"}
    assert made.params["task"] == {
        "goal": GOAL,
        "cwd": "/home/user/project",
        "parent": {"provider": "openai", "model": "gpt-6-sol", "reasoning_effort": "medium"},
        "agent": "codex",
        "session_id": SESSION,
    }


def test_the_parents_own_high_effort_is_offered_too() -> None:
    known = Session(provider="openai", effort="max", catalog=MODELS)
    efforts = {candidate.get("reasoning_effort") for candidate in plan(known).params["candidates"]}
    assert efforts == {"low", "medium", "high", "max"}


def test_a_provider_that_is_not_known_to_serve_the_catalogue_is_not_asked_for_it() -> None:
    payload = {**codex_call(""), "model": "my-model"}
    for provider, count in (("gateway", 1), ("openai", 1 + 3 * len(MODELS))):
        made = codex.plan(payload, Session(provider=provider, effort="medium", catalog=MODELS))
        assert made is not None
        assert len(made.ways) == count


def test_a_role_of_ours_runs_what_the_catalogue_has_not() -> None:
    roles = {"routerd-glm-4-7-low": {"model": "glm-4.7", "model_reasoning_effort": "low"}, "routerd-odd": {}}
    made = plan(Session(provider="gateway", effort="medium", generated=roles))
    way = {"executor": "delegate", "provider": "gateway", "model": "glm-4.7", "reasoning_effort": "low"}
    assert made.ways[1:] == [(way, {"agent_type": "routerd-glm-4-7-low"})]


@pytest.mark.parametrize(
    ("given", "pin"),
    [
        ({"model": "gpt-5.6-sol"}, {"executor": "delegate", "provider": "openai", "model": "gpt-5.6-sol"}),
        ({"reasoning_effort": "high"}, {**SOL, "reasoning_effort": "high"}),
    ],
)
def test_what_somebody_settled_is_told_and_never_changed(given: dict[str, Any], pin: dict[str, str]) -> None:
    made = plan(**given)
    assert made.params["pinned"] == pin
    pick = {"dispatch": pin, "basis": "pinned", "gate": {"apply": True, "reason": "a pin"}}
    assert delegation.verdict(made, pick, "enforce") is None


@pytest.mark.parametrize("given", [{"agent_type": "reviewer"}, {"message": ""}, {"message": 3, "items": [3, {}]}])
def test_what_nobody_can_know_is_left_alone(given: dict[str, Any]) -> None:
    assert codex.plan(codex_call("", **given), KNOWN) is None


def test_a_default_role_with_settings_of_its_own_is_left_alone() -> None:
    assert codex.plan(codex_call(""), Session(provider="openai", catalog=MODELS, redefined=True)) is None


def test_a_message_may_come_in_parts() -> None:
    made = plan(version=1, message=None, items=[{"type": "text", "text": "Count"}, {"type": "image"}, {"text": "all"}])
    assert made.params["task"]["goal"] == "Count\nall"


def test_where_there_is_nothing_to_choose_from_nothing_is_asked() -> None:
    payload = {name: value for name, value in codex_call("").items() if name != "model"}
    assert codex.plan(payload, Session(provider="openai")) is None


def test_another_tool_is_none_of_our_business() -> None:
    assert codex.plan({**codex_call(""), "tool_name": "Bash"}, KNOWN) is None


# --- what the files say -----------------------------------------------------------------------------------------------


def test_the_rollout_tells_provider_effort_version_and_depth(place: Place) -> None:
    spawned = {"subagent": {"thread_spawn": {"depth": 2}}}
    known = session(codex_call(began(place, source=spawned, session_id="root")), place.env)
    assert (known.provider, known.effort, known.version) == ("openai", "medium", (0, 169))
    assert (known.root, known.depth, known.catalog) == ("root", 2, MODELS)


@pytest.mark.parametrize("version", ["0.170.0", "0.16.9", "", "x.y", 3])
def test_of_another_version_nobody_knows_what_the_tool_takes(place: Place, version: Any) -> None:
    assert session(codex_call(began(place, cli_version=version)), place.env).catalog == ()


def test_a_catalogue_that_somebody_replaced_or_codex_renewed_counts(place: Place) -> None:
    payload = codex_call(began(place))
    shown = [{"slug": "gpt-6-luna", "visibility": "list"}, {"slug": "gpt-6-sol", "visibility": "hide"}, 3]
    place.write({".codex/models_cache.json": json.dumps({"models": shown}).encode()})
    assert session(payload, place.env).catalog == ("gpt-6-luna",)
    place.write({".codex/config.toml": b'model_catalog_json = "mine.json"\n'})
    assert session(payload, place.env).catalog == ()


def test_a_role_counts_from_the_next_session_on(place: Place) -> None:
    name, text = codex.role_file({"model": 'say "x"', "reasoning_effort": "low"})
    assert name == "routerd-say-x-low.toml"
    assert tomllib.loads(text)["model"] == 'say "x"'
    assert tomllib.loads(text).keys() >= {"name", "description", "developer_instructions"}
    place.write({f".codex/agents/{name}": text.encode(), ".codex/agents/own.toml": b'model = "x"'})
    assert not session(codex_call(began(place)), place.env).generated
    known = session(codex_call(later(place)), place.env)
    assert {role: settings["model"] for role, settings in known.generated.items()} == {name[:-5]: 'say "x"'}
    assert known.generated[name[:-5]]["model_reasoning_effort"] == "low"


def test_a_file_for_the_default_role_is_found(place: Place) -> None:
    payload = codex_call(began(place))
    assert not session(payload, place.env).redefined
    place.write({".codex/agents/default.toml": b""})
    assert session(payload, place.env).redefined


# --- what becomes of the answer ---------------------------------------------------------------------------------------


def test_enforced_the_input_is_whole_and_allowed() -> None:
    payload = codex_call("", fork_turns="all")
    pick = {"dispatch": LUNA, "basis": "prior", "gate": {"apply": True, "reason": "sure"}, "reason": "because"}
    found = delegation.verdict(plan(), pick, "enforce")
    assert found is not None
    assert codex.answer(payload, found)["hookSpecificOutput"] == {
        "hookEventName": "PreToolUse",
        "permissionDecision": "allow",
        "updatedInput": {**payload["tool_input"], "model": "gpt-6-luna", "reasoning_effort": "low"},
    }


def test_advised_nothing_is_allowed_or_changed() -> None:
    pick = {"dispatch": LUNA, "basis": "prior", "gate": {"apply": True, "reason": "sure"}, "reason": "because"}
    found = delegation.verdict(plan(), pick, "advise")
    assert found is not None
    words = "routerd would run this with model gpt-6-luna, reasoning_effort low: because."
    output = codex.answer(codex_call(""), found)
    assert output == {"hookSpecificOutput": {"hookEventName": "PreToolUse", "additionalContext": words}}


# --- a real daemon ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    place = Place(tmp_path_factory.mktemp("home"))
    config = place.home / "config.toml"
    config.write_text(CALM)
    with place.daemon("--config", str(config)) as running:
        seed(running, "codex", LUNA, SOL)
        yield running


@pytest.mark.parametrize("version", [1, 2])
def test_the_modes_with_a_daemon_that_is_sure(daemon: Daemon, version: int) -> None:
    payload = codex_call(began(daemon.place, version), version=version)

    def said(mode: str) -> Any:
        return hooking.hook(daemon.place, "codex", "PreToolUse", payload, mode)

    before = decisions(daemon, "codex")
    assert said("off") is None
    assert decisions(daemon, "codex") == before
    assert said("shadow") is None
    daemon.until(lambda: decisions(daemon, "codex") > before)
    advised = daemon.until(lambda: said("advise"))
    assert "model gpt-6-luna, reasoning_effort low" in advised["hookSpecificOutput"]["additionalContext"]
    output = daemon.until(lambda: said("enforce"))["hookSpecificOutput"]
    assert output["permissionDecision"] == "allow"
    assert output["updatedInput"] == {**payload["tool_input"], "model": "gpt-6-luna", "reasoning_effort": "low"}


def test_a_daemon_that_is_held_changes_nothing(daemon: Daemon) -> None:
    payload = codex_call(began(daemon.place, 9))
    os.kill(daemon.process.pid, signal.SIGSTOP)
    try:
        assert hooking.hook(daemon.place, "codex", "PreToolUse", payload) is None
    finally:
        os.kill(daemon.process.pid, signal.SIGCONT)


# --- whatever answers, or does not ------------------------------------------------------------------------------------


def test_with_no_daemon_nothing_changes(place: Place) -> None:
    assert hooking.hook(place, "codex", "PreToolUse", codex_call(began(place))) is None


@pytest.mark.parametrize("name", ["hangs", "drips", "floods", "not JSON"])
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
        assert hooking.hook(place, "codex", "PreToolUse", codex_call(began(place))) is None
    assert max(held) < TIME_S + SLACK_S


@pytest.mark.parametrize("dispatch", [{**LUNA, "model": "stub"}, {**LUNA, "reasoning_effort": "minimal"}, "x", None])
def test_a_pick_that_the_tool_would_refuse_changes_nothing(place: Place, dispatch: Any) -> None:
    with sure(place.socket, lambda _: dispatch) as asked:
        assert hooking.hook(place, "codex", "PreToolUse", codex_call(began(place))) is None
    assert asked


@pytest.mark.parametrize("event", ["PostToolUse", "SubagentStop", "NoSuchEvent"])
def test_no_other_event_says_or_asks_anything(place: Place, event: str) -> None:
    with sure(place.socket, lambda candidates: candidates[-1]) as asked:
        assert hooking.hook(place, "codex", event, codex_call(began(place))) is None
    assert not asked


@pytest.fixture(scope="module")
def eager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Place, str]]:
    """A place where whatever answers is always sure of the last candidate, and a rollout there."""
    place = Place(tmp_path_factory.mktemp("home"))
    with sure(place.socket, lambda candidates: candidates[-1]):
        yield place, began(place)


def said(place: Place, data: bytes) -> Any:
    """What the hook would say, in this process; an exception is what `main` makes silence of."""
    env = {**place.env, "ROUTERD_MODE": "enforce"}
    try:
        output = hook.run("codex", "PreToolUse", data, env, str(place.socket))
    except (ValueError, TypeError, RecursionError):
        return None
    return json.loads(output) if output else None


@given(st.binary(max_size=200) | anything.map(lambda value: json.dumps(value).encode()))
@settings(max_examples=100, deadline=None)
def test_whatever_comes_in_the_hook_says_nothing(eager: tuple[Place, str], data: bytes) -> None:
    assert said(eager[0], data) is None


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_whatever_is_said_is_the_whole_input_and_a_model_that_the_tool_takes(
    eager: tuple[Place, str], data: st.DataObject
) -> None:
    payload = data.draw(altered(codex_call(eager[1])))
    output = said(eager[0], json.dumps(payload).encode())
    if output is None:
        return
    updated = output["hookSpecificOutput"]["updatedInput"]
    assert output["hookSpecificOutput"]["permissionDecision"] == "allow"
    assert updated["model"] in MODELS
    assert updated["reasoning_effort"] in codex.EFFORTS
    assert {**payload["tool_input"], **updated} == updated

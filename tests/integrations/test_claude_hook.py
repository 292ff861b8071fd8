"""Claude Code's hook: what it asks, by which files, what it changes, and what it reports."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from routerd.integrations import claude_code, delegation
from routerd.integrations.claude_code_files import Session, front, numbers, session
from tests.harness import PROGRAMS, Place
from tests.integrations import hooking
from tests.integrations.hooking import REPLY, SESSION, claude_call, returned, sure, transcript
from tests.sources.claude_logs import PROJECT

OLD, NEW = (2, 1, 197), (2, 1, 329)
AGENT = {"AI_AGENT": "claude-code_2-1-329_harness"}
HAIKU = {"executor": "delegate", "provider": "anthropic", "model": "claude-haiku-5-5", "reasoning_effort": "low"}
SONNET = {"executor": "delegate", "provider": "anthropic", "model": "claude-sonnet-5-5", "reasoning_effort": "medium"}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def plan(place: Place, known: Session, env: dict[str, str] | None = None, **given: Any) -> delegation.Plan:
    made = claude_code.plan(claude_call(place, **given), env or {}, known)
    assert made is not None
    return made


def models(made: delegation.Plan) -> list[str]:
    return [candidate["model"] for candidate in made.params["candidates"]]


# --- what is asked ----------------------------------------------------------------------------------------------------


def test_before_effort_could_be_set_only_models_are_offered(place: Place) -> None:
    made = plan(place, Session(version=OLD, parent="claude-sonnet-5"))
    assert models(made) == ["claude-sonnet-5", "claude-haiku-4-5", "claude-opus-4-8", "claude-fable-5"]
    assert all("reasoning_effort" not in candidate for candidate in made.params["candidates"])
    assert made.params["incumbent"] == {"executor": "delegate", "provider": "anthropic", "model": "claude-sonnet-5"}
    assert [changes for _, changes in made.ways] == [{}, {"model": "haiku"}, {"model": "opus"}, {"model": "fable"}]


def test_where_effort_counts_it_is_offered_and_always_set_with_the_model(place: Place) -> None:
    made = plan(place, Session(version=NEW, parent="claude-sonnet-5-5"))
    assert made.params["incumbent"] == SONNET
    assert len(made.ways) == 12
    assert (HAIKU, {"model": "haiku", "effort": "low"}) in made.ways
    assert all(changes.keys() == {"model", "effort"} for _, changes in made.ways[1:])


def test_the_question_names_the_delegation_as_the_log_does(place: Place) -> None:
    params = plan(place, Session(version=NEW, parent="claude-sonnet-5-5"), subagent_type="Explore").params
    assert params["ref"] == {"agent": "claude-code", "session_id": SESSION, "tool_use_id": "toolu_1"}
    assert params["task"] == {
        "goal": hooking.GOAL,
        "kind": "explore",
        "cwd": "/home/user/app",
        "parent": {"model": "claude-sonnet-5-5", "provider": "anthropic", "reasoning_effort": "medium"},
        "agent": "claude-code",
        "session_id": SESSION,
    }


def test_a_childs_own_delegation_is_one_level_down(place: Place) -> None:
    payload = {**claude_call(place), "agent_id": "a1"}
    made = claude_code.plan(payload, {}, Session(version=NEW, parent="claude-haiku-5-5"))
    assert made is not None
    assert made.params["task"]["depth"] == 1


def test_a_family_that_is_the_parents_own_means_the_parents_model(place: Place) -> None:
    made = plan(place, Session(version=NEW, parent="claude-sonnet-4-6"))
    assert "claude-sonnet-5-5" not in models(made)
    assert {"model": "sonnet", "effort": "low"} in [changes for _, changes in made.ways]


def test_a_parent_that_takes_no_effort_has_a_family_that_takes_none(place: Place) -> None:
    payload = {name: value for name, value in claude_call(place).items() if name != "effort"}
    made = claude_code.plan(payload, {}, Session(version=NEW, parent="claude-haiku-4-5"))
    assert made is not None
    own = [candidate for candidate in made.params["candidates"] if candidate["model"] == "claude-haiku-4-5"]
    assert (
        own
        == [made.params["incumbent"]]
        == [{"executor": "delegate", "provider": "anthropic", "model": "claude-haiku-4-5"}]
    )


def test_a_family_may_stand_for_a_model_of_ones_own(place: Place) -> None:
    env = {"ANTHROPIC_DEFAULT_HAIKU_MODEL": "my-gateway/small"}
    made = plan(place, Session(version=OLD, parent="claude-sonnet-5"), env)
    assert ({"executor": "delegate", "model": "my-gateway/small"}, {"model": "haiku"}) in made.ways


def test_in_a_cloud_only_what_is_known_to_be_spelt_so_is_offered(place: Place) -> None:
    parent = "us.anthropic.claude-sonnet-5-v1:0"
    made = plan(place, Session(version=OLD, parent=parent), {"CLAUDE_CODE_USE_BEDROCK": "1"})
    assert made.params["candidates"] == [{"executor": "delegate", "provider": "bedrock", "model": parent}]


def test_without_a_known_parent_there_is_no_incumbent(place: Place) -> None:
    made = plan(place, Session(version=NEW))
    assert "incumbent" not in made.params
    assert len(made.ways) == 12


PINS: list[tuple[tuple[int, ...], dict[str, str], dict[str, str], dict[str, str], str]] = [
    (NEW, {"model": "opus"}, {}, {}, "claude-opus-5-5"),
    (OLD, {"model": "opus"}, {}, {}, "claude-opus-4-8"),
    (NEW, {"model": "sonnet"}, {}, {}, "claude-sonnet-4-6"),
    (NEW, {}, {"CLAUDE_CODE_SUBAGENT_MODEL": "haiku"}, {}, "claude-haiku-5-5"),
    (NEW, {}, {"CLAUDE_CODE_SUBAGENT_MODEL": "glm-4.7"}, {}, "glm-4.7"),
    (NEW, {"model": "opus"}, {"CLAUDE_CODE_SUBAGENT_MODEL": "haiku"}, {}, "claude-opus-5-5"),
    (OLD, {"model": "opus"}, {"CLAUDE_CODE_SUBAGENT_MODEL": "haiku"}, {}, "claude-haiku-4-5"),
    (NEW, {"model": "opus"}, {"CLAUDE_CODE_SUBAGENT_MODEL": "inherit"}, {}, "claude-opus-5-5"),
    (NEW, {}, {}, {"model": "claude-opus-4-6"}, "claude-opus-4-6"),
    (NEW, {}, {}, {"model": "inherit", "effort": "high"}, "claude-sonnet-4-6"),
]


@pytest.mark.parametrize(("version", "call", "env", "definition", "model"), PINS)
def test_what_somebody_settled_is_told_and_never_changed(
    place: Place, version: Any, call: Any, env: Any, definition: Any, model: str
) -> None:
    known = Session(version=version, parent="claude-sonnet-4-6", definition=definition)
    made = plan(place, known, env, **call)
    assert made.params["pinned"]["model"] == model
    pick = {"dispatch": made.params["pinned"], "basis": "pinned", "gate": {"apply": True, "reason": "a pin"}}
    for mode in ("advise", "enforce"):
        assert delegation.verdict(made, pick, mode) is None


def test_inherit_for_all_delegations_settles_nothing(place: Place) -> None:
    made = plan(place, Session(version=OLD, parent="claude-sonnet-5"), {"CLAUDE_CODE_SUBAGENT_MODEL": "inherit"})
    assert "pinned" not in made.params


@pytest.mark.parametrize(
    "given",
    [
        {"subagent_type": "statusline-setup"},
        {"subagent_type": "plugin:reviewer"},
        {"resume": "a1"},
        {"team_name": "t"},
        {"prompt": None},
        {"prompt": ""},
    ],
)
def test_what_nobody_can_know_is_left_alone(place: Place, given: dict[str, Any]) -> None:
    assert claude_code.plan(claude_call(place, **given), {}, Session(version=NEW, parent="claude-sonnet-5-5")) is None


def test_another_tool_is_none_of_our_business(place: Place) -> None:
    payload = {**claude_call(place), "tool_name": "Bash"}
    assert claude_code.plan(payload, {}, Session(version=NEW, parent="claude-sonnet-5-5")) is None


def test_an_agent_of_ones_own_without_a_model_is_routed(place: Place) -> None:
    known = Session(version=OLD, parent="claude-sonnet-5", definition={"name": "reviewer"})
    assert plan(place, known, subagent_type="reviewer").params["task"]["kind"] == "reviewer"


def test_a_generated_agent_stands_in_for_the_general_one_only(place: Place) -> None:
    name, text = claude_code.agent_file({"model": "my-gateway/glm-4.7", "reasoning_effort": "low"})
    assert name == "routerd-my-gateway-glm-4-7-low.md"
    known = Session(version=NEW, parent="claude-sonnet-5-5", generated={name[:-3]: front(text.encode())})
    way = {"executor": "delegate", "model": "my-gateway/glm-4.7", "reasoning_effort": "low"}
    assert (way, {"subagent_type": name[:-3]}) in plan(place, known).ways
    assert way not in plan(place, known, subagent_type="Explore").params["candidates"]


def test_a_long_goal_still_fits_on_a_line_of_the_socket(place: Place) -> None:
    made = plan(place, Session(version=NEW, parent="claude-sonnet-5-5"), prompt="\U0001f600" * 300_000)
    assert len(json.dumps(made.params)) < 1 << 20


# --- what the files say -----------------------------------------------------------------------------------------------


def test_the_parents_model_is_that_of_its_last_answer(place: Place) -> None:
    older = {**REPLY, "message": {"role": "assistant", "model": "claude-opus-5-5"}}
    said = {"type": "user", "message": {"role": "user", "content": '"assistant" "model":"claude-opus-5-5"'}}
    broken = {"type": "assistant", "message": {"role": "assistant", "model": "<synthetic>"}}
    transcript(place, older, REPLY, broken, said)
    known = session(claude_call(place), place.env)
    assert (known.parent, known.version) == ("claude-sonnet-5-5", NEW)


def test_a_child_that_delegates_is_the_parent(place: Place) -> None:
    transcript(place, REPLY)
    transcript(place, {**REPLY, "message": {"role": "assistant", "model": "claude-haiku-5-5"}}, child="a1")
    assert session({**claude_call(place), "agent_id": "a1"}, place.env).parent == "claude-haiku-5-5"


def test_before_the_first_answer_is_written_what_was_told_or_set_up_counts(place: Place) -> None:
    place.write({".claude/settings.json": b'{"model": "opus[1m]"}'})
    assert session(claude_call(place), place.env).parent == "opus[1m]"
    place.write({"app/.claude/settings.json": b'{"model": "haiku"}'})
    payload = {**claude_call(place), "cwd": f"{place.home}/app"}
    assert session(payload, place.env).parent == "haiku"
    assert session(payload, {**place.env, "ANTHROPIC_MODEL": "sonnet"}).parent == "sonnet"
    assert session(payload, {**place.env, "ANTHROPIC_MODEL": "opusplan"}).parent is None
    transcript(
        place, {"type": "attachment", "attachment": {"type": "model", "identity": {"modelId": "claude-opus-5-5"}}}
    )
    assert session(payload, place.env).parent == "claude-opus-5-5"


def test_before_the_first_answer_the_agents_own_command_line_tells(place: Place) -> None:
    """The hook is run by a shell that the agent runs: whoever is above it says `--model`."""
    script = "import subprocess, sys; sys.exit(subprocess.call(['sh', '-c', sys.argv[1] + '; true']))"
    command = f"{PROGRAMS / 'routerctl'} hook claude-code PreToolUse"
    with sure(place.socket, lambda candidates: candidates[-1]) as asked:
        subprocess.run(
            [sys.executable, "-c", script, command, "--model", "opus"],
            input=json.dumps(claude_call(place)).encode(),
            env={**place.env, **AGENT, "ROUTERD_MODE": "shadow"},
            check=True,
            timeout=30,
        )
    assert asked[0]["params"]["incumbent"]["model"] == "claude-opus-5-5"


def test_an_agents_definition_is_found_by_its_name_wherever_it_lies(place: Place) -> None:
    place.write(
        {
            ".claude/agents/team/one.md": b'---\nname: reviewer\nmodel: opus # strong\neffort: "high"\n---\nReview.',
            "app/.claude/agents/plain.md": b"\xef\xbb\xbf---\ndescription: x\n---\nmodel: no\n",
            ".claude/agents/odd.md": b"no front matter",
            ".claude/agents/\xff.md".encode("utf-8", "surrogateescape").decode("latin-1"): b"\xff\xfe",
        }
    )
    payload = {**claude_call(place, subagent_type="reviewer"), "cwd": f"{place.home}/app"}
    found = session(payload, place.env).definition
    assert found == {"name": "reviewer", "model": "opus", "effort": "high"}
    plain = session({**payload, "tool_input": {"subagent_type": "plain"}}, place.env).definition
    assert plain == {"description": "x"}
    assert session({**payload, "tool_input": {"subagent_type": "none"}}, place.env).definition is None


def test_a_generated_agent_that_the_session_was_not_told_of_is_not_offered(place: Place) -> None:
    name, text = claude_code.agent_file({"model": "glm-4.7"})
    place.write({f".claude/agents/{name}": text.encode()})
    transcript(place, REPLY)
    assert not session(claude_call(place), place.env).generated
    listed = {"type": "agent_listing_delta", "addedTypes": ["Explore", "routerd-glm-4-7", 3]}
    transcript(place, {"type": "attachment", "attachment": listed}, REPLY)
    assert session(claude_call(place), place.env).generated["routerd-glm-4-7"]["model"] == "glm-4.7"


@pytest.mark.parametrize(
    ("text", "found"), [("2.1.329", NEW), ("2-1-329", NEW), ("2.1.0-beta", ()), ("", ()), (None, ()), (3, ())]
)
def test_a_version_is_numbers_or_unknown(text: Any, found: tuple[int, ...]) -> None:
    assert numbers(text) == found


# --- what becomes of the answer ---------------------------------------------------------------------------------------


def answered(place: Place, mode: Any, **pick: Any) -> Any:
    made = plan(place, Session(version=NEW, parent="claude-sonnet-5-5"))
    gate = {"apply": True, "reason": "sure"}
    whole = {"dispatch": HAIKU, "basis": "learned", "gate": gate, "reason": "a\nreason", **pick}
    found = delegation.verdict(made, whole, mode)
    return None if found is None else claude_code.answer(claude_call(place), found)


def test_enforced_the_input_is_whole_and_says_why(place: Place) -> None:
    said = answered(place, "enforce")
    output = said["hookSpecificOutput"]
    assert output["updatedInput"] == {**claude_call(place)["tool_input"], "model": "haiku", "effort": "low"}
    assert said["systemMessage"] == "routerd runs this with model haiku, effort low: a reason."


def test_advised_the_agent_is_told_and_the_input_stays(place: Place) -> None:
    said = answered(place, "advise", gate={"apply": False, "reason": "not sure"})
    assert said == {
        "hookSpecificOutput": {
            "hookEventName": "PreToolUse",
            "additionalContext": "routerd would run this with model haiku, effort low: a reason. "
            "It would not do so unasked: not sure.",
        }
    }


@pytest.mark.parametrize("mode", ["off", "shadow"])
def test_below_advice_nothing_is_said(place: Place, mode: str) -> None:
    assert answered(place, mode) is None


@pytest.mark.parametrize(
    "pick",
    [
        {"gate": {"apply": False, "reason": "no"}},
        {"gate": {"apply": "yes"}},
        {"gate": None},
        {"dispatch": SONNET},
        {"dispatch": {**HAIKU, "model": "gpt-5.5"}},
        {"dispatch": {**HAIKU, "reasoning_effort": "extreme"}},
        {"dispatch": "haiku"},
        {"dispatch": None},
        {"basis": "off"},
        {"basis": "fallback"},
        {"basis": ["learned"]},
    ],
)
def test_enforced_nothing_changes_but_for_a_sure_pick_that_was_offered(place: Place, pick: dict[str, Any]) -> None:
    assert answered(place, "enforce", **pick) is None


# --- what is reported -------------------------------------------------------------------------------------------------


def test_a_delegation_that_came_back_has_both_of_its_names_and_its_time(place: Place) -> None:
    report = claude_code.outcome("PostToolUse", returned(place), {})
    assert report is not None
    assert report["outcome"] == {"succeeded": None, "wall_time_ms": 834}
    assert report["ref"] == {
        "agent": "claude-code",
        "session_id": SESSION,
        "tool_use_id": "toolu_1",
        "child_id": "a1",
    }
    assert report["dispatch"] == {"executor": "delegate", "provider": "anthropic", "model": "claude-haiku-5-5"}


def test_an_error_in_the_guise_of_a_result_has_no_time(place: Place) -> None:
    report = claude_code.outcome("PostToolUse", returned(place, totalTokens=0), {})
    assert report is not None
    assert "wall_time_ms" not in report["outcome"]


@pytest.mark.parametrize("response", [{"status": "async_launched"}, {"status": None}, {"resolvedModel": None}])
def test_what_has_only_begun_is_not_reported(place: Place, response: dict[str, Any]) -> None:
    assert claude_code.outcome("PostToolUse", returned(place, **response), {}) is None


def test_a_child_that_stopped_is_named_by_the_note_beside_its_records(place: Place) -> None:
    transcript(place, {**REPLY, "message": {"role": "assistant", "model": "claude-haiku-5-5"}}, child="a1")
    payload = {**claude_call(place), "agent_id": "a1", "agent_type": "general-purpose"}
    for event, error in (("SubagentStop", {}), ("StopFailure", {"error": "rate_limit"})):
        report = claude_code.outcome(event, {**payload, **error}, {})
        assert report is not None
        assert report["outcome"] == {"succeeded": None, **error}
        assert report["ref"] == {"agent": "claude-code", "session_id": SESSION, "child_id": "a1"}
    place.write({f"{PROJECT}/{SESSION}/subagents/agent-a1.meta.json": b'{"toolUseId": "toolu_1"}'})
    named = claude_code.outcome("SubagentStop", payload, {})
    assert named is not None
    assert named["ref"]["tool_use_id"] == "toolu_1"


def test_a_failure_of_the_agent_itself_is_no_delegation(place: Place) -> None:
    assert claude_code.outcome("StopFailure", {**claude_call(place), "error": "rate_limit"}, {}) is None

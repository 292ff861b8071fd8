"""Traps of Claude Code's logs: delegations, and how they end."""

import pytest

from routerd.events import Dispatch, Label, Parent, Ref, Tokens, ref_keys
from tests.sources.claude_logs import MODEL, PROMPT, SESSION, SMALL, Home, asking, delegated, text
from tests.sources.claude_units import delegation, delegations, turn

# --- a delegation that the parent waited for --------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Task", "Agent"])
def test_the_tool_changed_its_name(name: str) -> None:
    assert delegation(delegated(name=name)).keys == (
        "claude-code:tool:toolu_1",
        f"claude-code:child:{SESSION}/a1",
    )


def test_a_list_of_things_to_do_is_no_delegation() -> None:
    home = asking()
    home.main.call("toolu_1", "TaskCreate", {"subject": "x", "prompt": "y"})
    home.main.result("toolu_1")
    assert delegations(home) == []


def test_the_childs_file_tells_the_model_and_the_parents_what_was_asked() -> None:
    unit = delegation(delegated(model=SMALL, subagent_type="Explore"))
    assert unit.ran == Dispatch(executor="delegate", provider="anthropic", model=SMALL)
    assert unit.asked == Dispatch(executor="delegate", profile="Explore")
    assert unit.task.kind == "explore"
    assert unit.task.goal == PROMPT
    assert unit.task.depth == 1
    assert unit.task.parent == Parent(provider="anthropic", model=MODEL)
    assert unit.label == Label(1.0, 0.2, "completed")
    assert unit.ended


def test_a_model_that_was_asked_for_by_an_alias() -> None:
    assert delegation(delegated(model_alias="x", model=SMALL)).asked is not None
    home = asking()
    home.main.delegate("toolu_1", PROMPT, model="haiku", effort="low")
    home.worked("a1", PROMPT)
    home.main.completed("toolu_1", "a1")
    unit = delegation(home)
    assert unit.asked == Dispatch(executor="delegate", model="haiku", reasoning_effort="low", profile="general-purpose")
    assert unit.task.kind is None


def test_the_total_in_the_answer_is_the_last_context_and_not_what_was_spent() -> None:
    assert delegation(delegated()).tokens == Tokens(input=20, output=40, cache_read=600, cache_write=80)


def test_the_time_is_the_harnesss_measure() -> None:
    unit = delegation(delegated())
    assert unit.wall_time_ms == 4000
    assert unit.started_at is not None
    assert unit.ended_at is not None
    assert unit.started_at < unit.ended_at


def test_without_a_measure_the_time_is_from_call_to_answer() -> None:
    home = asking()
    home.main.delegate("toolu_1", PROMPT)
    home.main.clock.tick(60)
    home.main.completed("toolu_1", "a1", totalDurationMs=None)
    assert delegation(home).wall_time_ms == 61_000


def test_a_client_can_name_the_same_unit() -> None:
    keys = set(delegation(delegated()).keys)
    assert set(ref_keys(Ref(agent="claude-code", tool_use_id="toolu_1"))) <= keys
    assert set(ref_keys(Ref(agent="claude-code", session_id=SESSION, child_id="a1"))) <= keys


def test_the_effort_where_it_is_recorded() -> None:
    home = asking()
    home.main.delegate("toolu_1", PROMPT)
    child = home.child("a1")
    child.user(PROMPT)
    child.say(effort="high", perTurnEffort="medium")
    home.main.completed("toolu_1", "a1")
    assert delegation(home).ran.reasoning_effort == "high"


def test_a_long_context_is_the_same_model() -> None:
    home = asking()
    home.main.delegate("toolu_1", PROMPT)
    home.main.completed("toolu_1", "a1", resolvedModel="claude-sonnet-5[1m]")
    assert delegation(home).ran.model == "claude-sonnet-5"


@pytest.mark.parametrize(
    ("model", "message", "provider"),
    [
        ("claude-haiku-4-5", "msg_01", "anthropic"),
        ("us.anthropic.claude-haiku-4-5-v1:0", "msg_01", "bedrock"),
        ("claude-haiku-4-5", "msg_bdrk_01", "bedrock"),
        ("claude-haiku-4-5@20251001", "msg_01", "vertex"),
        ("deepseek-v4-pro", "0a1b", None),
    ],
)
def test_the_provider_only_where_the_spelling_tells(model: str, message: str, provider: str | None) -> None:
    home = Home()
    child = home.child("a1")
    child.user(PROMPT)
    child.say(model=model, message=message, request=None)
    assert delegation(home).ran == Dispatch(executor="delegate", provider=provider, model=model)


# --- without the child's file -----------------------------------------------------------------------------------------


def test_without_the_childs_file_tokens_are_unknown_rather_than_wrong() -> None:
    home = asking()
    home.main.delegate("toolu_1", PROMPT)
    home.main.completed("toolu_1", "a1")
    unit = delegation(home)
    assert unit.tokens is None
    assert unit.ran.model is None
    assert unit.label.signal == "completed"


def test_progress_records_show_the_child_but_for_its_last_word() -> None:
    shown = Home().worked("a1", PROMPT)
    home = asking()
    home.main.delegate("toolu_1", PROMPT)
    for line in shown.lines[:3]:
        home.main.mirrored("toolu_1", "a1", line)
    home.main.completed("toolu_1", "a1")
    unit = delegation(home)
    assert unit.ran.model == SMALL
    assert unit.tokens == Tokens(input=11, output=28, cache_read=390, cache_write=40, estimated=True)
    assert unit.label.signal == "completed"


def test_progress_records_and_the_childs_file_are_one_run() -> None:
    home = asking()
    home.main.delegate("toolu_1", PROMPT)
    child = home.worked("a1", PROMPT)
    for line in child.lines:
        home.main.mirrored("toolu_1", "a1", line)
    home.main.completed("toolu_1", "a1")
    assert delegation(home).tokens == Tokens(input=20, output=40, cache_read=600, cache_write=80)


# --- ends -------------------------------------------------------------------------------------------------------------


def test_a_call_with_no_answer_runs_until_nobody_touches_the_log() -> None:
    home = asking()
    home.main.delegate("toolu_1", PROMPT)
    assert delegations(home, idle=False) == []
    unit = delegation(home)
    assert (unit.ended, unit.label, unit.censored) == (True, Label(None, 0.0, "unknown"), None)


def test_a_child_that_is_at_work_is_running() -> None:
    home = asking()
    home.main.delegate("toolu_1", PROMPT)
    home.child("a1").user(PROMPT)
    unit = delegation(home, idle=False)
    assert (unit.ended, unit.ended_at, unit.wall_time_ms) == (False, None, None)


def test_a_call_that_a_person_refused_is_none() -> None:
    home = asking()
    home.main.delegate("toolu_1", PROMPT)
    home.main.refused("toolu_1")
    home.main.interrupted(tool=True)
    assert delegations(home) == []
    assert turn(home).delegations == 0


def test_an_unknown_kind_of_child_is_none() -> None:
    home = asking()
    home.main.delegate("toolu_1", PROMPT, subagent_type="nobody")
    home.main.failed("toolu_1", "Agent type 'nobody' not found. Available agents: general-purpose")
    home.main.say()
    assert delegations(home) == []
    assert turn(home).delegations == 0


def test_a_child_that_was_interrupted_at_work_has_the_answer_of_a_refused_one() -> None:
    home = asking()
    home.main.delegate("toolu_1", PROMPT)
    child = home.child("a1", note={"agentType": "general-purpose", "toolUseId": "toolu_1"})
    child.user(PROMPT)
    child.call("toolu_2", "Read", {})
    child.result("toolu_2")
    child.call("toolu_3", "Bash", {"command": "sleep 9"})
    child.refused("toolu_3")
    child.interrupted(tool=True)
    home.main.refused("toolu_1")
    home.main.interrupted(tool=True)
    unit = delegation(home)
    assert (unit.ended, unit.label.signal, unit.label.value, unit.censored) == (True, "interrupted", 0.0, None)


def test_an_interruption_before_the_first_result_says_nothing_about_the_child() -> None:
    home = asking()
    home.main.delegate("toolu_1", PROMPT)
    child = home.child("a1")
    child.user(PROMPT)
    child.interrupted()
    home.main.failed("toolu_1", "[Request interrupted by user for tool use]")
    unit = delegation(home)
    assert (unit.label.value, unit.censored) == (None, "interrupted")


def test_a_refusal_that_was_none() -> None:
    home = asking()
    home.main.delegate("toolu_1", PROMPT)
    home.main.failed(
        "toolu_1",
        "The user doesn't want to proceed with this tool use. STOP what you are doing. Correction to the text above: "
        "this call was stopped while running, not refused before it ran.",
    )
    unit = delegation(home)
    assert (unit.ended, unit.label.signal) == (True, "interrupted")
    assert not turn(home).waited


@pytest.mark.parametrize(
    ("error", "status", "said", "censored"),
    [
        ("authentication_failed", 401, "Failed to authenticate. API Error: 401 no", "auth"),
        ("rate_limit", 429, "API Error: Request rejected (429) · slow down", "overload"),
        ("rate_limit", 429, "You've hit your limit · resets 3pm", "usage_limit"),
        ("server_error", 500, "API Error: 500 {}", "overload"),
        ("server_error", 529, "API Error: 529 overloaded", "overload"),
        ("server_error", None, "API Error: Unable to connect to API (ConnectionRefused)", "overload"),
        (None, None, "Credit balance is too low", "usage_limit"),
        (None, None, "Invalid API key · Please run /login", "auth"),
        ("invalid_request", 400, "API Error: 400 tools.0: no", "harness"),
    ],
)
def test_completed_may_stand_over_an_api_error(error: str | None, status: int | None, said: str, censored: str) -> None:
    home = asking()
    home.main.delegate("toolu_1", PROMPT)
    child = home.child("a1")
    child.user(PROMPT)
    child.broken(said, error=error, status=status)
    home.main.completed("toolu_1", "a1", totalTokens=0, totalToolUseCount=0, resolvedModel=MODEL)
    unit = delegation(home)
    assert (unit.label.value, unit.censored, unit.ran.model) == (None, censored, MODEL)


def test_completed_over_an_api_error_shows_without_the_childs_file() -> None:
    home = asking()
    home.main.delegate("toolu_1", PROMPT)
    structured = {"status": "completed", "agentId": "a1", "totalTokens": 0, "totalToolUseCount": 0}
    home.main.result("toolu_1", [text("API Error: 500 {}")], structured=structured)
    assert delegation(home).censored == "overload"


def test_a_context_that_is_too_long_is_the_childs_own_limit() -> None:
    home = Home()
    child = home.child("a1")
    child.user(PROMPT)
    child.broken("Prompt is too long", error="invalid_request", status=400)
    unit = delegation(home)
    assert (unit.label.signal, unit.label.value, unit.censored) == ("budget", 0.0, None)


def test_a_retry_that_came_through_is_no_failure() -> None:
    home = Home()
    child = home.child("a1")
    child.user(PROMPT)
    child.broken("API Error: 529 overloaded", error="server_error", status=529)
    child.say()
    assert (delegation(home).label.signal, delegation(home).censored) == ("completed", None)


def test_newer_versions_answer_an_api_error_as_an_error() -> None:
    home = asking()
    home.main.delegate("toolu_1", PROMPT)
    home.main.failed(
        "toolu_1", "Agent terminated early due to an API error: no (error type authentication_failed, HTTP 401)"
    )
    assert (delegation(home).ended, delegation(home).censored) == (True, "auth")


def test_an_empty_reply_leaves_no_record_in_the_child() -> None:
    home = asking()
    home.main.delegate("toolu_1", PROMPT)
    child = home.child("a1", note={"agentType": "general-purpose", "toolUseId": "toolu_1"})
    child.user(PROMPT)
    child.add("api-request", querySource="sdk", params={"model": SMALL, "output_config": {"effort": "low"}})
    child.user("[Your previous response had no visible output. Please continue.]", isMeta=True)
    home.main.failed("toolu_1", "No assistant messages found")
    unit = delegation(home)
    assert (unit.label.signal, unit.label.value, unit.tokens) == ("empty", 0.0, None)
    assert unit.ran == Dispatch(executor="delegate", provider="anthropic", model=SMALL, reasoning_effort="low")


def test_a_child_cut_off_in_a_call_has_no_verdict_and_no_time() -> None:
    home = Home()
    child = home.child("a1")
    child.user(PROMPT)
    child.call("toolu_2", "Bash", {"command": "make"})
    assert not delegation(home, idle=False).ended
    unit = delegation(home)
    assert (unit.ended, unit.label.signal, unit.label.value, unit.wall_time_ms) == (True, "dangling", None, None)


def test_a_shutdown_is_nobodys_failure() -> None:
    home = Home()
    child = home.child("a1")
    child.user(PROMPT)
    child.call("toolu_2", "Read", {})
    child.user("[Request interrupted: the session ended before this agent finished. Nobody asked it to stop.]")
    assert delegation(home).censored == "shutdown"


def test_the_agent_that_stops_by_itself_is_weak_evidence_and_a_test_is_better() -> None:
    home = Home()
    child = home.child("a1")
    child.user(PROMPT)
    child.bash("toolu_2", "pytest -q")
    child.edit("toolu_3")
    child.bash("toolu_4", "uv run pytest -q", exit_code=1)
    child.say("All tests pass.")
    assert delegation(home).label == Label(0.0, 0.9, "test")


def test_a_test_before_the_last_edit_says_nothing() -> None:
    home = Home()
    child = home.child("a1")
    child.user(PROMPT)
    child.bash("toolu_2", "pytest -q")
    child.edit("toolu_3")
    child.say()
    assert delegation(home).label.signal == "completed"


def test_a_refused_or_background_check_is_no_verdict() -> None:
    home = Home()
    child = home.child("a1")
    child.user(PROMPT)
    child.call("toolu_2", "Bash", {"command": "pytest -q"})
    child.refused("toolu_2")
    child.call("toolu_3", "Bash", {"command": "pytest -q", "run_in_background": True})
    child.result("toolu_3", "Command running in background with ID: b1")
    child.call("toolu_4", "Bash", {"command": "pytest -q"})
    child.result("toolu_4", "Command running in background with ID: b2")
    child.say()
    unit = delegation(home)
    assert unit.label.signal == "completed"
    assert unit.waited


@pytest.mark.parametrize("code", [126, 127, 137, 143])
def test_a_check_that_did_not_run_or_was_killed_is_no_verdict(code: int) -> None:
    home = Home()
    child = home.child("a1")
    child.user(PROMPT)
    child.bash("toolu_2", "pytest -q", exit_code=code)
    child.say()
    assert delegation(home).label.signal == "completed"


def test_a_test_that_failed_and_then_passed_is_a_success() -> None:
    home = Home()
    child = home.child("a1")
    child.user(PROMPT)
    child.bash("toolu_2", "npm test", exit_code=1)
    child.edit("toolu_3")
    child.bash("toolu_4", "npm test")
    child.say()
    assert delegation(home).label == Label(1.0, 0.9, "test")


def test_other_ways_to_run_on_are_not_completed() -> None:
    home = asking()
    home.main.delegate("toolu_1", PROMPT)
    home.main.result("toolu_1", "ok", structured={"status": "teammate_spawned", "agentId": "a1"})
    assert not delegation(home, idle=False).ended


def test_arguments_of_another_shape_do_not_hide_a_call() -> None:
    home = asking()
    home.main.delegate("toolu_1", PROMPT, effort=3, run_in_background="no", message={"type": "x"})
    home.main.completed("toolu_1", "a1")
    unit = delegation(home)
    assert unit.task.goal == PROMPT
    assert unit.asked == Dispatch(executor="delegate", profile="general-purpose")

"""Traps of Claude Code's logs: children in the background, alone, resumed and nested; and their tokens."""

import random

import pytest

from routerd.events import Dispatch, Label, Parent, Tokens
from routerd.sources.base import Line
from routerd.sources.claude_code import SOURCE
from tests.sources.claude_logs import (
    MODEL,
    PROJECT,
    PROMPT,
    SESSION,
    SMALL,
    Home,
    asking,
    background,
    delegated,
    text,
    use,
)
from tests.sources.claude_units import delegation, delegations, turn, units
from tests.sources.reading import read

# --- in the background ------------------------------------------------------------------------------------------------


def test_launched_is_not_completed() -> None:
    unit = delegation(background(), idle=False)
    assert (unit.ended, unit.ran.model) == (False, SMALL)


def test_never_notified_is_unknown() -> None:
    unit = delegation(background())
    assert (unit.ended, unit.label) == (True, Label(None, 0.0, "unknown"))


@pytest.mark.parametrize("tool", ["toolu_1", None])
def test_a_notice_comes_twice_and_may_lack_the_call(tool: str | None) -> None:
    home = background()
    home.worked("a1", PROMPT)
    home.main.notified("a1", tool=tool)
    home.main.say("It is done.")
    unit = delegation(home, idle=False)
    assert (unit.ended, unit.label.signal, unit.wall_time_ms) == (True, "completed", 7000)
    assert turn(home).delegations == 1


def test_a_notice_of_a_shell_command_is_none_of_ours() -> None:
    home = asking()
    home.main.notified("b1", summary='Background command "make" failed with exit code 1', status="failed")
    assert delegations(home) == []


def test_a_finished_child_needs_no_notice() -> None:
    home = background()
    home.worked("a1", PROMPT)
    unit = delegation(home, idle=False)
    assert (unit.ended, unit.label.signal) == (True, "completed")


def test_failed_may_stand_over_a_finished_child() -> None:
    home = background()
    home.worked("a1", PROMPT)
    home.main.notified("a1", status="failed", summary='Agent "A task" failed: classifyHandoffIfNeeded is not defined')
    assert (delegation(home).label.signal, delegation(home).censored) == ("completed", None)


def test_failed_by_the_harness_without_the_childs_file() -> None:
    home = background()
    home.main.notified("a1", status="failed", summary='Agent "A task" failed: classifyHandoffIfNeeded is not defined')
    assert delegation(home).censored == "harness"


def test_failed_by_an_api_error() -> None:
    home = background()
    home.main.notified(
        "a1",
        status="failed",
        summary='Agent "A task" failed: Agent terminated early due to an API error: API Error: 529 x '
        "(error type server_error, HTTP 529)",
    )
    assert delegation(home).censored == "overload"


def test_killed_is_interrupted() -> None:
    home = background()
    child = home.child("a1")
    child.user(PROMPT)
    child.call("toolu_2", "Read", {})
    child.result("toolu_2")
    home.main.notified("a1", tool="toolu_1", status="killed", summary='Task "A task" was stopped by the user')
    assert (delegation(home).label.signal, delegation(home).label.value) == ("interrupted", 0.0)


def test_a_look_at_a_task_tells_its_end() -> None:
    home = background()
    home.main.call("toolu_2", "TaskOutput", {"task_id": "a1", "block": True})
    home.main.result(
        "toolu_2",
        "<retrieval_status>success</retrieval_status>\n\n<task_id>a1</task_id>\n\n<task_type>local_agent</task_type>\n\n"
        "<status>completed</status>\n\n<output>\n<status>failed</status></output>",
    )
    assert (delegation(home).ended, delegation(home).label.signal) == (True, "completed")


def test_a_notice_hours_later_amends_what_was_unknown() -> None:
    home = background()
    before = delegation(home)
    home.main.notified("a1")
    after = delegation(home)
    assert before.keys == after.keys
    assert (before.label.signal, after.label.signal) == ("unknown", "completed")


# --- children alone, further requests, children of children -----------------------------------------------------------


@pytest.mark.parametrize("layout", ["nested", "within", "beside", "workflow"])
def test_a_child_whose_parents_file_is_gone(layout: str) -> None:
    home = Home()
    home.worked("a1", PROMPT, layout=layout, note={"agentType": "Explore"} if layout == "nested" else None)
    del home.files[f"{PROJECT}/{SESSION}.jsonl"]
    unit = delegation(home)
    assert unit.keys == (f"claude-code:child:{SESSION}/a1",)
    assert unit.session_id == SESSION
    assert (unit.task.goal, unit.task.parent, unit.ended) == (PROMPT, None, True)
    assert unit.wall_time_ms == 3000
    assert unit.task.kind == ("explore" if layout == "nested" else None)


def test_the_note_beside_the_file_names_the_call() -> None:
    home = Home()
    home.worked("a1", PROMPT, note={"agentType": "general-purpose", "toolUseId": "toolu_1", "model": "haiku"})
    unit = delegation(home)
    assert unit.keys[0] == "claude-code:tool:toolu_1"
    assert unit.asked == Dispatch(executor="delegate", model="haiku", profile="general-purpose")


def test_a_full_id_in_the_note_is_not_what_was_asked_for() -> None:
    home = Home()
    home.worked("a1", PROMPT, note={"agentType": "Plan", "model": "claude-sonnet-5-5"})
    assert delegation(home).asked == Dispatch(executor="delegate", profile="Plan")


def test_a_killed_session_leaves_a_call_and_a_child_that_only_the_words_link() -> None:
    home = asking()
    home.main.delegate("toolu_1", PROMPT)
    child = home.child("a1", layout="beside")
    child.user(PROMPT)
    child.call("toolu_2", "Read", {})
    assert len(delegation(home).keys) == 2


def test_the_same_words_twice_link_nothing() -> None:
    home = asking()
    home.main.delegate("toolu_1", PROMPT)
    home.main.delegate("toolu_2", PROMPT)
    home.child("a1").user(PROMPT)
    assert len(delegations(home)) == 3


@pytest.mark.parametrize("tool", ["SendMessage", "Task"])
def test_a_resumed_child_goes_on_in_the_same_file(tool: str) -> None:
    home = delegated()
    again = "Now count them again, please"
    given = {"to": "a1", "message": again} if tool == "SendMessage" else {"prompt": again, "resume": "a1"}
    home.main.call("toolu_5", tool, given)
    child = home.files[f"{PROJECT}/{SESSION}/subagents/agent-a1.jsonl"]
    if tool == "SendMessage":
        home.main.result("toolu_5", [text("{}")], structured={"success": True, "resumedAgentId": "a1"})
        child.user(f"The coordinator sent a message:\n{again}", isMeta=True, origin={"kind": "coordinator"})
    else:
        child.user(again)
    child.say(model=SMALL)
    if tool == "SendMessage":
        home.main.notified("a1", tool="toolu_5")
    else:
        home.main.completed("toolu_5", "a1")
    first, second = delegations(home)
    assert first.keys == ("claude-code:tool:toolu_1", f"claude-code:child:{SESSION}/a1")
    assert second.keys[0] == "claude-code:tool:toolu_5"
    assert second.keys[1].startswith(f"claude-code:child:{SESSION}/a1#")
    assert (second.task.goal, second.ran.model) == (again, SMALL)
    assert first.tokens == Tokens(input=20, output=40, cache_read=600, cache_write=80)
    assert second.tokens == Tokens(input=10, output=20, cache_read=300, cache_write=40)
    assert (first.ended, second.ended) == (True, True)


def test_a_message_to_a_child_at_work_is_no_request() -> None:
    home = background()
    child = home.child("a1")
    child.user(PROMPT)
    child.call("toolu_2", "Read", {})
    child.result("toolu_2")
    home.main.call("toolu_3", "SendMessage", {"to": "a1", "message": "Be quick"})
    home.main.result("toolu_3", [text("{}")], structured={"success": True, "message": "queued"})
    child.user("The coordinator sent a message:\nBe quick", isMeta=True, origin={"kind": "coordinator"})
    child.say()
    assert delegation(home).task.goal == PROMPT


def test_a_child_of_a_child_is_found_once_and_one_deeper() -> None:
    home = asking()
    home.main.delegate("toolu_1", PROMPT)
    child = home.child("a1")
    child.user(PROMPT)
    child.delegate("toolu_2", "Count one directory")
    home.worked("a2", "Count one directory")
    child.result("toolu_2", [text("Done."), text("agentId: a2 (use SendMessage)\n<usage>\nduration_ms: 77</usage>")])
    child.say()
    home.main.completed("toolu_1", "a1")
    inner, outer = sorted(delegations(home), key=lambda unit: -unit.task.depth)
    assert (outer.task.depth, outer.delegations, inner.task.depth, inner.delegations) == (1, 1, 2, 0)
    assert inner.keys == ("claude-code:tool:toolu_2", f"claude-code:child:{SESSION}/a2")
    assert inner.wall_time_ms == 77
    assert inner.task.parent == Parent(provider="anthropic", model=MODEL)


@pytest.mark.parametrize("name", ["acompact-1f", "aprompt_suggestion-1f", "aside_question-1f"])
def test_children_that_the_client_runs_for_itself_are_dropped(name: str) -> None:
    home = Home()
    home.worked(name, PROMPT, note={"agentType": "x", "toolUseId": "toolu_9"})
    assert units(home) == []


def test_a_warm_up_is_dropped() -> None:
    home = Home()
    child = home.child("a1", layout="beside")
    child.user("Warmup")
    child.say("Ready.")
    assert units(home) == []


def test_a_childs_own_reminders_are_no_requests() -> None:
    home = Home()
    child = home.worked("a1", PROMPT)
    child.user("<system-reminder>x</system-reminder>")
    child.user("Stop hook feedback: go on", isMeta=True)
    child.say()
    assert delegation(home).tokens == Tokens(input=30, output=60, cache_read=900, cache_write=120)


# --- tokens -----------------------------------------------------------------------------------------------------------


def test_one_response_is_many_lines() -> None:
    home = Home()
    child = home.child("a1")
    child.user(PROMPT)
    child.reply(text("Let me see."), use("toolu_2", "Read", {}), stop="tool_use", message="m1")
    child.result("toolu_2")
    child.reply(use("toolu_3", "Read", {}), stop="tool_use", message="m1")
    child.result("toolu_3")
    child.say()
    assert delegation(home).tokens == Tokens(input=20, output=40, cache_read=600, cache_write=80)


def test_the_largest_usage_of_a_response_is_the_last() -> None:
    home = Home()
    child = home.child("a1")
    child.user(PROMPT)
    child.say("Let", usage=(10, 1, 0, 0), message="m1", stop=None)
    child.say("me see", usage=(10, 70, 0, 0), message="m1")
    child.say("me see", usage=(10, 2, 0, 0), message="m1")
    assert delegation(home).tokens == Tokens(input=10, output=70)


def test_a_placeholder_for_the_output_is_guessed_from_its_length() -> None:
    home = Home()
    child = home.child("a1")
    child.user(PROMPT)
    child.say("word " * 400, usage=(10, 1, 0, 0), stop=None)
    tokens = delegation(home).tokens
    assert tokens is not None
    assert (tokens.input, tokens.estimated) == (10, True)
    assert 450 <= tokens.output <= 550


def test_a_response_of_another_endpoint_has_no_request_id() -> None:
    home = Home()
    child = home.child("a1")
    child.user(PROMPT)
    child.say("One", message="m1", request=None, model="deepseek-v4-pro")
    child.say("Two", message="m1", request=None, model="deepseek-v4-pro")
    child.say("Three", message="m2", request=None, model="deepseek-v4-pro")
    assert delegation(home).tokens == Tokens(input=20, output=40, cache_read=600, cache_write=80)


def test_what_the_client_makes_up_has_no_model() -> None:
    home = Home()
    child = home.worked("a1", PROMPT)
    child.say("No response requested.", model="<synthetic>", usage=(9, 9, 9, 9))
    unit = delegation(home)
    assert unit.ran.model == SMALL
    assert unit.tokens == Tokens(input=20, output=40, cache_read=600, cache_write=80)


def test_a_running_child_is_not_forgotten_while_others_end() -> None:
    home = asking()
    names = [f"a{number}" for number in range(200)]
    for name in names:
        home.main.delegate(f"toolu_{name}", f"Do {name}")
        home.main.completed(f"toolu_{name}", name)
    machine = SOURCE.open(f"/r/{SESSION}")
    for line in home.main.lines:
        machine.feed(Line(f"/r/p/{SESSION}.jsonl", 0, line))
    children = {name: Home().worked(name, f"Do {name}") for name in names}
    for name in names:
        children[name].say("One word more.", model=SMALL)
    found = {}
    for name in reversed(names):
        for line in children[name].lines:
            machine.feed(Line(f"/r/p/{SESSION}/subagents/agent-{name}.jsonl", 0, line))
            for unit in machine.drain(idle=False):
                found[unit.keys[0]] = unit
    assert {unit.tokens for unit in found.values() if unit.ran.executor == "delegate"} == {
        Tokens(input=30, output=60, cache_read=900, cache_write=120)
    }


def test_a_childs_depth_follows_its_parents() -> None:
    home = Home()
    for number in (3, 2, 1):
        child = home.child(f"a{number}", note={"spawnDepth": 5} if number == 1 else None)
        child.user(f"Level {number}")
        if number < 3:
            child.delegate(f"toolu_{number + 1}", f"Level {number + 1}")
            child.result(f"toolu_{number + 1}", [text("Done."), text(f"agentId: a{number + 1} (use SendMessage)")])
        child.say()
    for order in home.reordered():
        found = read(SOURCE, order, rng=random.Random(3)).values()
        assert sorted((unit.task.goal, unit.task.depth) for unit in found) == [
            ("Level 1", 5),
            ("Level 2", 6),
            ("Level 3", 7),
        ]

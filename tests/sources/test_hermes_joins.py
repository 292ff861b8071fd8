"""Which child did which task of Hermes, who speaks in its rows, and what it cost; each trap has a test of its name."""

import json
from pathlib import Path
from typing import Any

import pytest

from routerd.events import Label, Tokens
from tests.sources.hermes_logs import T0, Script, answer, entry, play, single
from tests.sources.hermes_poller import grown, read, read_home

# --- who is whose ---------------------------------------------------------------------------------------------------


def test_a_child_without_a_mark_is_known_by_its_goal(tmp_path: Path) -> None:
    script = Script(11)
    script.session("root", 0.0)
    script.user("root", 0.1, "please")
    script.calls("root", 1.0, "call_old", "delegate_task", {"goal": "Count"})
    script.whole_child("kid", "root", 2.0, "Count", source="cli")
    script.session("other", 3.0, parent_session_id="root")  # /background, say: a session like any other
    script.user("other", 3.1, "Something else")
    script.says("other", 4.0, "Yes.")
    script.result("root", 6.0, "call_old", "delegate_task", answer(entry(), delegation=None))
    script.says("root", 7.0, "Done.")
    script.ends("root", 7.1)
    assert set(read(tmp_path, script)) == {"please", "child:kid", "Something else"}


def continued(reason: str) -> Script:
    """A session that goes on in another, with copies of what it held; the second turn was under way."""
    script = Script()
    script.session("old", 0.0)
    script.user("old", 0.1, "first")
    script.says("old", 1.0, "One.")
    script.user("old", 2.0, "second")
    script.calls("old", 3.0, "call_ls", "terminal", {"command": "ls"})
    script.result("old", 3.2, "call_ls", "terminal", {"output": "", "exit_code": 0})
    if reason == "marked":
        script.session("new", 4.1, parent_session_id="old", model_config=json.dumps({"_branched_from": "old"}))
    else:
        script.ends("old", 4.0, reason)
        script.session("new", 4.1, parent_session_id="old")
    script.user("new", 4.2, "first")
    script.says("new", 4.3, "One.")
    script.user("new", 4.4, "[CONTEXT COMPACTION — REFERENCE ONLY] Earlier turns were compacted.")
    script.user("new", 4.5, "second")
    script.calls("new", 4.6, "call_ls", "terminal", {"command": "ls"})
    script.result("new", 4.7, "call_ls", "terminal", {"output": "", "exit_code": 0})
    script.says("new", 6.0, "Two.")
    script.user("new", 7.0, "first")  # the same words once more are another turn
    script.says("new", 8.0, "One again.")
    script.ends("new", 9.0)
    return script


@pytest.mark.parametrize("often", [True, False])
@pytest.mark.parametrize("reason", ["compression", "branched", "marked"])
def test_compaction_and_branch_are_no_delegations_and_no_second_turns(tmp_path: Path, reason: str, often: bool) -> None:
    units = grown(tmp_path, continued(reason), lambda number: often)
    turns = sorted(units.values(), key=lambda unit: unit.started_at or 0.0)
    assert [(unit.task.goal, unit.wall_time_ms, unit.ended) for unit in turns] == [
        ("first", 900, True),
        ("second", 4000, True),
        ("first", 1000, True),
    ]


def test_a_turn_that_was_cut_runs_until_it_goes_on(tmp_path: Path) -> None:
    script = continued("compression")
    begun = next(number for number, step in enumerate(script.steps) if "new" in step[0][2])
    script.steps = script.steps[:begun]
    units = read(tmp_path, script)
    assert {name: unit.ended for name, unit in units.items()} == {"first": True, "second": False}


def test_a_child_that_was_cut_runs_until_it_goes_on(tmp_path: Path) -> None:
    script = Script()
    script.session("root", 0.0)
    script.user("root", 0.1, "please")
    script.calls("root", 1.0, "call_long", "delegate_task", {"goal": "Take long"})
    script.child("kid", "root", 2.0)
    script.user("kid", 2.1, "Take long")
    script.counts("kid", 3.0)
    script.ends("kid", 4.0, "compression")
    assert not read(tmp_path / "cut", script)["child:kid"].ended
    script.child("kid-2", "root", 4.1, parent_session_id="kid")
    script.user("kid-2", 4.2, "Take long")
    script.counts("kid-2", 8.0)
    script.says("kid-2", 9.0, "- Did: it")
    script.ends("kid-2", 9.1)
    script.result("root", 10.0, "call_long", "delegate_task", answer(entry()))
    script.says("root", 11.0, "Done.")
    script.ends("root", 11.1)
    units = read(tmp_path / "whole", script)
    assert set(units) == {"please", "child:kid"}
    unit = units["child:kid"]
    assert (unit.wall_time_ms, unit.tokens) == (7100, Tokens(input=3200, output=200, cache_read=800))


@pytest.mark.parametrize("cut_at", [1.5, 4.0])
def test_a_child_of_a_conversation_that_is_compacted_stays_a_child(tmp_path: Path, cut_at: float) -> None:
    """It may even start after the cut: it was built before."""
    script = Script()
    single(script)
    script.change("sessions", "root", ended_at=T0 + cut_at, end_reason="compression")
    script.session("next", 6.5, parent_session_id="root")
    script.user("next", 7.0, "go on")
    script.says("next", 8.0, "Yes.")
    script.ends("next", 9.0)
    assert set(read(tmp_path, script)) == {"please count", "child:child", "go on"}


@pytest.mark.parametrize("link", ["NULL", "'root'"])
def test_an_orphaned_child_stands_alone(tmp_path: Path, link: str) -> None:
    script = Script()
    single(script)
    script.do(
        f"UPDATE sessions SET parent_session_id = {link} WHERE id = 'child'",
        "DELETE FROM messages WHERE session_id = 'root'",
        "DELETE FROM sessions WHERE id = 'root'",
    )
    unit = read(tmp_path, script)["child:child"]
    assert unit.keys == ("hermes:child:child",)
    assert (unit.task.goal, unit.task.parent, unit.task.cwd) == ("Count the files", None, None)


def test_a_child_that_lost_its_link_is_found_by_its_origin(tmp_path: Path) -> None:
    script = Script()
    single(script)
    script.change("sessions", "child", parent_session_id=None)
    units = read(tmp_path, script)
    assert len(units) == 2
    assert units["child:child"].keys[1] == "hermes:delegation:deleg_0a1b2c3d#0"


def test_a_child_that_was_deleted_is_told_by_its_result(tmp_path: Path) -> None:
    script = Script()
    single(script)
    script.do("DELETE FROM messages WHERE session_id = 'child'", "DELETE FROM sessions WHERE id = 'child'")
    unit = read(tmp_path, script)["delegation:deleg_0a1b2c3d#0"]
    assert unit.keys[1:] == ("hermes:tool:call_single#0", "hermes:tool:call_single")
    assert (unit.ran.model, unit.wall_time_ms) == ("small-model", 9900)
    assert unit.tokens == Tokens(input=2000, output=100, estimated=True)


def test_children_with_one_goal_are_told_apart_by_tokens_or_not_at_all(tmp_path: Path) -> None:
    for same in (True, False):
        script = Script()
        script.session("root", 0.0)
        script.user("root", 0.1, "twice")
        script.calls("root", 1.0, "call_twice", "delegate_task", {"tasks": [{"goal": "Count"}, {"goal": "Count"}]})
        script.whole_child("kid-1", "root", 2.0, "Count")
        script.whole_child("kid-2", "root", 2.1, "Count")
        if not same:
            script.counts("kid-1", 3.0, output_tokens=222)
        entries = [entry(0), entry(1, tokens={"input": 2000, "output": 100 if same else 222})]
        script.result("root", 6.0, "call_twice", "delegate_task", answer(*entries))
        script.says("root", 7.0, "Done.")
        script.ends("root", 7.1)
        units = read(tmp_path / str(same), script)
        assert len(units["child:kid-1"].keys) == len(units["child:kid-2"].keys) == (1 if same else 3)
        if not same:
            assert units["child:kid-1"].keys[2] == "hermes:tool:call_twice#1"


@pytest.mark.parametrize("calls", [1, 2])
def test_a_child_that_was_told_other_words_is_known_when_no_other_can_be_meant(tmp_path: Path, calls: int) -> None:
    script = Script()
    script.session("root", 0.0)
    script.user("root", 0.1, "please")
    for number in range(calls):
        script.calls("root", 1.0 + number / 10, f"call_root_{number}", "delegate_task", {"goal": f"Count {number}"})
        script.whole_child(f"kid-{number}", "root", 2.0 + number / 10, f"Rewritten by a plug-in {number}")
    for number in range(calls):
        result = answer(entry(status="timeout"), delegation=f"deleg_{number}")
        script.result("root", 6.0, f"call_root_{number}", "delegate_task", result)
    script.says("root", 7.0, "Done.")
    script.ends("root", 7.1)
    units = read(tmp_path, script)
    assert units["child:kid-0"].keys[1:2] == (("hermes:delegation:deleg_0#0",) if calls == 1 else ())
    assert units["child:kid-0"].label.signal == ("budget" if calls == 1 else "completed")


def test_tool_ids_that_name_two_calls_name_the_first(tmp_path: Path) -> None:
    """Some models number their calls from one in every conversation; a shared key would make one unit of two."""
    script = Script()
    for number, name in enumerate(["call_0001", "call_0001", "functions.delegate_task:0", "call_7"]):
        at, root = 10.0 * number, f"root-{number}"
        script.session(root, at)
        script.user(root, at + 0.1, f"please {number}")
        script.calls(root, at + 1.0, name, "delegate_task", {"goal": "Count"})
        script.whole_child(f"kid-{number}", root, at + 2.0, "Count")
        script.result(root, at + 6.0, name, "delegate_task", answer(entry(), delegation=f"deleg_{number}"))
        script.says(root, at + 7.0, "Done.")
        script.ends(root, at + 7.1)
    units = read(tmp_path, script)
    assert units["child:kid-0"].keys[2:] == ("hermes:tool:call_0001#0", "hermes:tool:call_0001")
    assert all(units[f"child:kid-{number}"].keys[2:] == () for number in (1, 2, 3))


def test_a_refused_call_is_no_unit(tmp_path: Path) -> None:
    script = Script()
    script.session("root", 0.0)
    script.user("root", 0.1, "please")
    script.calls("root", 1.0, "call_no", "delegate_task", {"goal": "Count"})
    script.result("root", 1.1, "call_no", "delegate_task", {"error": "Delegation is paused."})
    script.says("root", 2.0, "I cannot.")
    script.ends("root", 2.1)
    units = read(tmp_path, script)
    assert set(units) == {"please"}
    assert units["please"].delegations == 0


@pytest.mark.parametrize(
    "shape",
    [
        lambda text: text + "\n\n[Tool loop warning: the same call was made {3} times]",
        lambda text: "\x00json:" + text,
        lambda text: '<persisted-output path="/tmp/x">' + text[:40] + " deleg_0a1b2c3d …</persisted-output>",
    ],
)
def test_a_result_need_not_be_plain_json(tmp_path: Path, shape: Any) -> None:
    script = Script()
    single(script, result=shape(json.dumps(answer(entry()))))
    unit = read(tmp_path, script)["child:child"]
    assert unit.keys[1] == "hermes:delegation:deleg_0a1b2c3d#0"
    assert unit.label == Label(1.0, 0.2, "completed")


# --- who speaks -----------------------------------------------------------------------------------------------------


def test_notes_and_news_in_the_users_role_are_no_turns(tmp_path: Path) -> None:
    script = Script()
    script.session("root", 0.0)
    script.user("root", 0.0, "overheard in the group", observed=1)
    script.user("root", 0.1, "do it")
    script.says("root", 1.0, "I will", finish_reason="incomplete")
    script.user("root", 1.1, "[System: Continue now. Execute the required tool calls.]")
    script.user("root", 1.2, "[PRIOR CONTEXT — for reference only; not a new message]")
    script.runs("root", 2.0, "call_ls", "ls", 0)
    script.says("root", 3.0, "Checked?", finish_reason="verification_required")
    script.says("root", 4.0, "Done.")
    script.user("root", 9.0, "[IMPORTANT: Background process p1 completed (exit code 0).]")
    script.says("root", 10.0, "Good to know.")
    script.ends("root", 11.0)
    units = read(tmp_path, script)
    assert set(units) == {"do it"}
    assert (units["do it"].wall_time_ms, units["do it"].extent) == (3900, 6)


def test_a_spent_budget_ends_a_turn_in_failure(tmp_path: Path) -> None:
    script = Script()
    script.session("root", 0.0)
    script.user("root", 0.1, "loop")
    script.runs("root", 1.0, "call_ls", "ls", 0)
    script.user("root", 2.0, "You've reached the maximum number of tool-calling iterations allowed. Please provide…")
    script.says("root", 3.0, "Not finished.", finish_reason=None)
    script.ends("root", 3.1)
    assert read(tmp_path, script)["loop"].label == Label(0.0, 0.5, "budget")


def test_a_turn_that_a_person_stopped(tmp_path: Path) -> None:
    script = Script()
    script.session("root", 0.0)
    script.user("root", 0.1, "go")
    script.runs("root", 1.0, "call_ls", "ls", 0)
    script.says("root", 2.0, "Operation interrupted.", finish_reason=None)
    script.user("root", 3.0, "go elsewhere")
    script.calls("root", 4.0, "call_ask", "clarify", {"question": "where?"})
    script.result("root", 5.0, "call_ask", "clarify", {"answer": "there"})
    script.says("root", 6.0, "There.")
    script.ends("root", 7.0)
    units = read(tmp_path, script)
    assert units["go"].label == Label(0.0, 0.3, "interrupted")
    assert (units["go"].waited, units["go elsewhere"].waited) == (False, True)


# --- what it cost ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "cost", "estimated"),
    [
        ({"estimated_cost_usd": 0.0, "cost_status": "unknown"}, None, False),
        ({"estimated_cost_usd": 0.5, "cost_status": None}, None, False),
        ({"estimated_cost_usd": 0.0, "cost_status": "included"}, None, False),
        ({"estimated_cost_usd": 0.25, "cost_status": "estimated"}, 0.25, True),
        ({"estimated_cost_usd": 0.25, "actual_cost_usd": 0.2, "cost_status": "actual"}, 0.2, False),
    ],
)
def test_a_cost_of_nothing_is_not_free(
    tmp_path: Path, columns: dict[str, Any], cost: float | None, estimated: bool
) -> None:
    script = Script()
    single(script)
    script.counts("child", 4.0, **columns)
    unit = read(tmp_path, script)["child:child"]
    assert (unit.cost_usd, unit.cost_estimated) == (cost, estimated)


def test_a_turn_has_its_part_of_what_its_session_cost(tmp_path: Path) -> None:
    script = Script()
    script.session("root", 0.0)
    for number in range(4):
        script.user("root", number + 0.1, f"ask {number}")
        script.says("root", number + 0.5, f"answer {number}")
    script.counts("root", 5.0, actual_cost_usd=1.0, cost_status="actual", input_tokens=4000)
    play(tmp_path / "open", script)
    assert all(unit.tokens is None for unit in read_home(tmp_path / "open").values())
    script.ends("root", 6.0)
    units = read(tmp_path, script)
    assert {(unit.cost_usd, unit.cost_estimated) for unit in units.values()} == {(0.25, True)}
    assert {unit.tokens for unit in units.values()} == {Tokens(input=1000, output=25, cache_read=100, estimated=True)}


def test_auxiliary_models_are_not_what_it_ran_on(tmp_path: Path) -> None:
    script = Script()
    single(script)
    script.usage("child", 9.0, model="title-model", provider="auto", calls=99, task="title_generation")
    assert read(tmp_path, script)["child:child"].ran.model == "small-model"


def test_a_fallback_that_did_the_work_is_what_it_ran_on(tmp_path: Path) -> None:
    script = Script()
    single(script)
    script.usage("child", 4.0, model="fallback-model", provider="other", calls=9)
    ran = read(tmp_path, script)["child:child"].ran
    assert (ran.provider, ran.model) == ("other", "fallback-model")


def test_a_provider_that_was_never_accounted_is_the_parents_for_the_parents_model(tmp_path: Path) -> None:
    for model, provider in (("big-model", "acme"), ("small-model", None)):
        script = Script()
        script.session("root", 0.0)
        script.user("root", 0.1, "try")
        script.calls("root", 1.0, "call_try_it", "delegate_task", {"goal": "the task"})
        script.child("kid", "root", 2.0, model=model)
        script.user("kid", 2.1, "the task")
        script.ends("kid", 4.0)
        script.result(
            "root", 5.0, "call_try_it", "delegate_task", answer(entry(status="timeout", exit_reason="timeout"))
        )
        script.says("root", 6.0, "Well.")
        script.ends("root", 6.1)
        assert read(tmp_path / model, script)["child:kid"].ran.provider == provider

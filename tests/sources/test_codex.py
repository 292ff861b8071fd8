import json
import random
from typing import Any

import pytest

from routerd.events import LOCAL, Completion, Dispatch, Parent, Tokens
from routerd.sources.base import GOAL_CHARS_MAX, Claim, Document, Line
from routerd.sources.codex import SOURCE, CodexMachine
from tests.sources.codex_logs import Rollout, delegating, first_form, home_files, older, stopped, uid
from tests.sources.reading import lines, read


def units(*rollouts: Rollout, idle: bool = False, rng: random.Random | None = None) -> dict[str, Completion]:
    return read(SOURCE, {rollout.path: rollout.data for rollout in rollouts}, idle=idle, rng=rng)


def child(rollout: Rollout, turn: str = "") -> str:
    return f"codex:child:{rollout.id}" + (f"#{turn}" if turn else "")


def turn(rollout: Rollout) -> str:
    return f"codex:turn:{rollout.turn}"


def alone(**turn_members: Any) -> Rollout:
    """A top-level thread with a turn under way."""
    return Rollout(0).begin(**turn_members).told("Fix the build")


def only(rollout: Rollout, *, idle: bool = False) -> Completion:
    (unit,) = units(rollout, idle=idle).values()
    return unit


# --- where it lies --------------------------------------------------------------------------------------------------


def test_roots_follow_the_agents_own_variable() -> None:
    assert SOURCE.roots({"HOME": "/h"}) == ["/h/.codex/sessions", "/h/.codex/archived_sessions"]
    assert SOURCE.roots({"HOME": "/h", "CODEX_HOME": "/c"}) == ["/c/sessions", "/c/archived_sessions"]
    assert SOURCE.roots({}) == []


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.zst"])
def test_rollouts_are_claimed_plain_and_compressed(suffix: str) -> None:
    path = f"/h/.codex/sessions/2026/01/01/rollout-2026-01-01T00-00-00-{uid(0)}{suffix}"
    assert SOURCE.claim("/h/.codex/sessions", path, lambda: b"{}\n") == Claim(uid(0), "lines")


@pytest.mark.parametrize("head", [b"", b'{"type": "session_meta", "payload": {"id": "'])
def test_a_rollout_is_claimed_once_its_first_record_is_written(head: bytes) -> None:
    """Before, nobody knows whose child it is; a guess would stay."""
    path = f"/h/.codex/sessions/2026/01/01/rollout-2026-01-01T00-00-00-{uid(0)}.jsonl"
    assert SOURCE.claim("/h/.codex/sessions", path, lambda: head) is None


@pytest.mark.parametrize("name", ["history.jsonl", "state_5.sqlite", f"rollout-x-{uid(0)}.json", "rollout-1.jsonl"])
def test_other_files_are_not(name: str) -> None:
    assert SOURCE.claim("/h/.codex/sessions", f"/h/.codex/sessions/{name}", lambda: b"") is None


def test_a_group_is_the_root_session_or_where_that_is_not_told_the_parent() -> None:
    root, first, *_ = delegating()
    assert SOURCE.claim("", first.path, lambda: first.data).group == root.id  # type: ignore[union-attr]
    older_child = Rollout.child(root, 5, 5)
    del older_child.records[0]["payload"]["session_id"]
    assert SOURCE.claim("", older_child.path, lambda: older_child.data).group == root.id  # type: ignore[union-attr]


def test_a_head_longer_than_what_is_looked_at_still_tells_the_group() -> None:
    root, first, *_ = delegating()
    first.records[0]["payload"]["base_instructions"]["text"] = "x" * 100_000
    assert SOURCE.claim("", first.path, lambda: first.data[:65536]).group == root.id  # type: ignore[union-attr]


# --- delegations ----------------------------------------------------------------------------------------------------


def test_every_delegation_is_found_once() -> None:
    root, first, second, forked, named = delegating()
    found = units(root, first, second, forked, named)
    later = [key for key in found if key.startswith(child(first) + "#")]
    assert set(found) == {turn(root), *map(child, (first, second, forked, named)), *later}
    assert len(later) == 1
    assert all(unit.ended for unit in found.values())


def test_a_delegation_joins_what_its_own_file_and_its_parents_say() -> None:
    root, first, *_ = delegating()
    unit = units(root, first)[child(first)]
    assert unit.keys == (child(first), "codex:tool:call_root_1")
    assert unit.ran == Dispatch(executor="delegate", provider="acme", model="small-1", reasoning_effort="low")
    assert unit.asked == Dispatch(executor="delegate", model="small-1", reasoning_effort="low")
    assert unit.task.parent == Parent(provider="acme", model="big-1", reasoning_effort="medium")
    assert (unit.task.goal, unit.task.kind, unit.task.depth, unit.task.agent) == (
        "Count the files",
        "explorer",
        0,
        "codex",
    )
    assert unit.session_id == unit.task.session_id == root.id
    assert unit.tokens == Tokens(input=800, cache_read=1200, output=100)
    assert unit.wall_time_ms == 1500
    assert unit.transcript is not None
    assert unit.transcript.endswith(first.path)


def test_a_child_is_whole_without_its_parents_file() -> None:
    _, first, *_ = delegating()
    unit = units(first)[child(first)]
    assert unit.keys == (child(first),)
    assert (unit.ended, unit.asked, unit.task.parent) == (True, None, None)
    assert unit.ran.model == "small-1"


def test_a_child_whose_file_is_missing_is_known_from_its_parent() -> None:
    root, first, *_ = delegating()
    running = units(root)[child(first)]
    assert (running.keys, running.ended) == ((child(first), "codex:tool:call_root_1"), False)
    ended = units(root, idle=True)[child(first)]
    assert (ended.ended, ended.label.value, ended.wall_time_ms) == (True, None, None)


def test_a_child_known_by_its_place_alone_gets_the_key_of_the_call() -> None:
    root = Rollout(0).begin().told("Go").call("spawn_agent", "call_1", task_name="read", message="Read the docs")
    root.output("call_1", '{"task_name": "/root/read"}').said().complete()
    assert set(units(root)) == {turn(root)}
    assert set(units(root, idle=True)) == {turn(root), "codex:tool:call_1"}
    named = Rollout.child(root, 2, 2, place="/root/read")
    named.begin(parent=root).handed("z" * 200).said().complete()
    joined = units(root, named, idle=True)
    assert set(joined) == {turn(root), child(named)}
    assert joined[child(named)].task.goal == "Read the docs"


@pytest.mark.parametrize("output", ["Unknown model `x` for spawn_agent. Available models: a, b", ""])
def test_a_refused_spawn_is_no_delegation(output: str) -> None:
    root = alone().call("spawn_agent", "call_1", message="Count", model="x").output("call_1", output).said().complete()
    found = units(root, idle=True)
    assert set(found) == {turn(root)}
    assert found[turn(root)].delegations == 0


def test_a_sealed_task_is_named_by_its_call() -> None:
    root, *_, named = delegating()
    assert units(root, named)[child(named)].task.goal == "read_docs"
    assert units(named)[child(named)].task.goal == "read_docs"


def test_an_unsealed_task_is_read() -> None:
    root = Rollout(0)
    named = Rollout.child(root, 1, 1, place="/root/x").begin(parent=root).handed("Read all of it").said().complete()
    assert units(named)[child(named)].task.goal == "Read all of it"


def test_a_nested_child_is_a_delegation_of_the_child() -> None:
    root, *_ = delegating()
    outer = Rollout.child(root, 5, 5).begin(parent=root, model="mid-1").told("Split it")
    inner = Rollout.child(outer, 6, 6, depth=2)
    outer.spawn(inner, "call_outer", "Count").said().complete()
    inner.begin(parent=outer).told("Count").said().complete()
    found = units(outer, inner)
    assert found[child(inner)].task.depth == 1
    assert found[child(inner)].task.parent == Parent(provider="acme", model="mid-1", reasoning_effort="medium")
    assert (found[child(outer)].delegations, found[child(outer)].task.depth) == (1, 0)


@pytest.mark.parametrize(
    "source", [{"subagent": "review"}, {"subagent": {"other": "guardian"}}, {"internal": "memory"}]
)
def test_threads_of_the_harness_are_no_work(source: dict[str, Any]) -> None:
    assert units(Rollout(0, source=source).begin().told("Judge this").said().complete(), idle=True) == {}


def test_a_review_inside_a_thread_is_none_of_its_turns() -> None:
    rollout = alone().said().complete()
    own = rollout.turn
    rollout.turn = uid(5)
    attribution = {"parent_turn_id": uid(4), "root_turn_id": uid(4)}
    rollout.event("task_started", turn_id=rollout.turn, turn_attribution=attribution)
    rollout.event("item_completed", thread_id=uid(3), item={"type": "UserMessage", "content": [{"text": "Review"}]})
    rollout.event("task_complete", turn_id=uid(4), last_agent_message=None)
    assert set(units(rollout, idle=True)) == {f"codex:turn:{own}"}


def test_a_turn_that_nobody_asked_for_is_none() -> None:
    assert units(Rollout(0).begin().said().complete(), idle=True) == {}


def test_the_copied_history_of_a_fork_is_not_counted_again() -> None:
    root = alone().shell("pytest", 0).total(5).said().complete()
    fork = Rollout(60, 7, forked_from_id=root.id).copied(root)
    fork.begin().told("Try it another way").total(6).said().complete()
    (unit,) = units(fork).values()
    assert unit.task.goal == "Try it another way"
    assert unit.tokens == Tokens(input=400, cache_read=600, output=50)
    assert unit.label.signal == "completed"
    assert set(units(root, fork)) == {turn(root), turn(fork)}


def test_a_fork_without_turn_events_is_cut_where_the_copies_time_ends() -> None:
    fork = Rollout(60, 7, forked_from_id=uid(0))
    fork.event("user_message", message="Old words").event("agent_message", message="Old answer")
    fork.at += 30
    fork.event("user_message", message="New words").event("agent_message", message="New answer")
    (unit,) = units(fork, idle=True).values()
    assert unit.task.goal == "New words"


# --- how a turn ends ------------------------------------------------------------------------------------------------

LIMIT = {"response_too_many_failed_attempts": {"http_status_code": 429}}


@pytest.mark.parametrize(
    ("message", "info", "censored"),
    [
        ("unexpected status 401 Unauthorized", {"http_connection_failed": {"http_status_code": 401}}, "auth"),
        ("Log in again", "unauthorized", "auth"),
        ("exceeded retry limit, last status: 429 Too Many Requests", LIMIT, "usage_limit"),
        ("exceeded retry limit, last status: 429 Too Many Requests", None, "usage_limit"),
        ("You've hit your usage limit.", None, "usage_limit"),
        ("", "usage_limit_exceeded", "usage_limit"),
        ("We're currently experiencing high demand", "internal_server_error", "overload"),
        ("stream disconnected before completion", "other", "overload"),
        ("unexpected status 503 Service Unavailable", None, "overload"),
        ("unexpected status 400 Bad Request", "other", "harness"),
    ],
)
def test_an_api_error_is_no_verdict_on_the_model(message: str, info: Any, censored: str) -> None:
    unit = only(alone().failed(message, info))
    assert (unit.ended, unit.censored, unit.label.value) == (True, censored, None)


def test_an_error_event_of_older_versions_says_the_same() -> None:
    unit = only(alone().event("error", message="unexpected status 401 Unauthorized").complete(None))
    assert unit.censored == "auth"


def test_a_full_context_window_is_a_spent_budget() -> None:
    unit = only(alone().failed("too long", "context_window_exceeded"))
    assert (unit.censored, unit.label.signal, unit.label.value) == (None, "budget", 0.0)


def test_silence_is_a_failure_and_a_word_a_weak_success() -> None:
    assert (only(alone().complete(None)).label.signal, only(alone().complete(None)).label.value) == ("empty", 0.0)
    assert (only(alone().complete("Ok")).label.signal, only(alone().complete("Ok")).label.value) == ("completed", 1.0)


def test_a_child_that_is_cut_off_is_judged_by_who_did_it() -> None:
    asked, by_person, ended, by_parent = stopped()
    found = units(asked, by_person, ended, by_parent)
    assert (found[child(by_person)].label.signal, found[child(by_person)].censored) == ("interrupted", None)
    assert (found[child(by_parent)].label.value, found[child(by_parent)].censored) == (None, "shutdown")
    assert (found[turn(asked)].label.signal, found[turn(asked)].censored) == ("interrupted", None)


def test_an_interrupt_before_anything_was_done_says_nothing() -> None:
    assert only(alone().aborted()).censored == "interrupted"


def test_a_turn_without_an_end_runs_until_nobody_touches_the_log() -> None:
    assert only(alone().call("exec_command", "call_1", cmd="ls")).ended is False
    unit = only(alone().call("exec_command", "call_1", cmd="ls"), idle=True)
    assert (unit.ended, unit.label.signal, unit.label.value, unit.wall_time_ms) == (True, "dangling", None, None)


def test_a_turn_that_goes_on_after_the_idle_time_gets_its_real_end() -> None:
    rollout, machine = alone(), CodexMachine()
    for line in lines("rollout", rollout.data):
        machine.feed(line)
    assert [unit.ended for unit in machine.drain(idle=True)] == [True]
    assert machine.drain(idle=True) == []
    for line in lines("rollout", alone().said().complete().data[len(rollout.data) :]):
        machine.feed(line)
    (unit,) = machine.drain(idle=False)
    assert (unit.ended, unit.label.signal) == (True, "completed")


def test_the_next_turn_ends_one_that_never_ended() -> None:
    rollout = alone()
    first = rollout.turn
    rollout.begin().told("Go on").said().complete()
    found = units(rollout)
    assert (found[f"codex:turn:{first}"].ended, found[f"codex:turn:{first}"].label.value) == (True, None)
    assert found[turn(rollout)].task.goal == "Go on"


def test_a_turn_that_is_taken_back_was_not_what_was_wanted() -> None:
    rollout = alone().said().complete().event("thread_rolled_back", num_turns=1)
    assert (only(rollout).label.signal, only(rollout).label.value) == ("next_message", 0.0)


# --- what is read of a turn -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("exit_codes", "signal", "value"),
    [
        ([1, 0], "test", 1.0),
        ([0, 1], "test", 0.0),
        ([127], "completed", 1.0),
        ([-1], "completed", 1.0),
        ([137], "completed", 1.0),
    ],
)
def test_the_last_check_decides(exit_codes: list[int], signal: str, value: float) -> None:
    rollout = alone()
    for exit_code in exit_codes:
        rollout.shell("pytest -q", exit_code)
    unit = only(rollout.said().complete())
    assert (unit.label.signal, unit.label.value) == (signal, value)


def test_an_edit_makes_earlier_checks_void() -> None:
    assert only(alone().shell("pytest", 0).edit().said().complete()).label.signal == "completed"
    assert only(alone().edit().shell("pytest", 0).said().complete()).label.signal == "test"


@pytest.mark.parametrize(
    "output",
    [
        "Exit code: 1\nWall time: 2 seconds\nOutput:\nExit code: 0",
        "Chunk ID: 1\nProcess exited with code 1\nOutput:\n",
        json.dumps({"output": "exited with code 0", "metadata": {"exit_code": 1, "duration_seconds": 0.1}}),
        [{"type": "input_text", "text": "Exit code: 1"}],
    ],
)
def test_exit_codes_are_read_from_what_the_model_was_told(output: Any) -> None:
    rollout = alone().call("shell", "call_1", command=["bash", "-lc", "cargo test"]).output("call_1", output)
    assert only(rollout.said().complete()).label.value == 0.0


def test_a_check_that_runs_on_is_read_when_it_ends() -> None:
    rollout = alone().call("exec_command", "call_1", cmd="pytest").output("call_1", "Process running with session ID 7")
    rollout.call("write_stdin", "call_2", session_id=7, chars="").output(
        "call_2", "Process exited with code 1\nOutput:\n"
    )
    assert only(rollout.said().complete()).label.value == 0.0


def test_repeated_totals_are_counted_once() -> None:
    unit = only(alone().total(1).total(1).total(3).total(3).said().complete())
    assert unit.tokens == Tokens(input=1200, cache_read=1800, output=150)


def test_a_total_that_falls_is_counted_anew() -> None:
    unit = only(alone().total(5).total(1).said().complete())
    assert unit.tokens == Tokens(input=800, cache_read=1200, output=100)


def test_the_turns_own_count_is_believed_over_totals() -> None:
    unit = only(alone().used(1).total(7).used(2).total(9).said().complete())
    assert unit.tokens == Tokens(input=800, cache_read=1200, output=100)


def test_model_and_effort_are_those_of_the_turn() -> None:
    rollout = alone(model="big-1", effort="high").said().complete()
    rollout.begin(model="small-1", effort=None).told("And now this").said().complete()
    first, second = units(rollout).values()
    assert first.task.parent == Parent(provider="acme", model="big-1", reasoning_effort="high")
    assert second.task.parent == Parent(provider="acme", model="small-1")
    assert first.ran == second.ran == LOCAL


def test_waiting_for_a_person_is_told() -> None:
    assert only(alone().call("request_user_input", "call_1").said().complete()).waited
    escalated = {"cmd": "rm -r build", "sandbox_permissions": "require_escalated"}
    assert not only(alone().call("exec_command", "call_1", **escalated).said().complete()).waited
    asking = alone().context(approval_policy="on-request").call("exec_command", "call_1", **escalated)
    assert only(asking.said().complete()).waited


def test_a_later_message_steers_the_same_turn() -> None:
    assert only(alone().told("No, the other one").said().complete()).task.goal == "Fix the build"


def test_a_long_task_is_cut() -> None:
    assert len(only(Rollout(0).begin().told("x" * 100_000).said().complete()).task.goal) == GOAL_CHARS_MAX


# --- older forms ----------------------------------------------------------------------------------------------------


def test_without_turn_events_a_message_begins_a_turn_and_the_next_one_ends_it() -> None:
    (rollout,) = older()
    first, second = units(rollout, idle=True).values()
    assert (first.task.goal, first.ended, first.label.signal, first.label.value) == (
        "Rename the function",
        True,
        "test",
        1.0,
    )
    assert first.tokens == second.tokens == Tokens(input=800, cache_read=1200, output=100)
    assert (second.task.goal, second.label.value) == ("Now run the tests", 0.0)
    assert units(rollout)[second.keys[0]].ended is False


def test_without_turn_events_the_next_turns_model_is_not_this_ones() -> None:
    rollout = Rollout(0).context("big-1").event("user_message", message="One").event("agent_message", message="Done")
    rollout.context("small-1").event("user_message", message="Two").event("agent_message", message="Done")
    parents = [unit.task.parent for unit in units(rollout, idle=True).values()]
    assert parents == [
        Parent(provider="acme", model="big-1", reasoning_effort="medium"),
        Parent(provider="acme", model="small-1", reasoning_effort="medium"),
    ]


def test_a_child_of_a_version_without_turn_events_is_a_delegation() -> None:
    root = Rollout(0)
    old = Rollout.child(root, 1, 1).context("small-1").event("user_message", message="Count")
    old.event("agent_message", message="Three")
    (unit,) = units(old, idle=True).values()
    assert (unit.keys, unit.ran.model, unit.label.signal) == ((child(old),), "small-1", "completed")


def test_the_first_form_is_tolerated() -> None:
    (unit,) = read(SOURCE, dict([first_form()])).values()
    assert (unit.task.goal, unit.ended, unit.label.signal, unit.wall_time_ms) == (
        "Fix the test",
        True,
        "completed",
        None,
    )


# --- the machine ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
def test_any_order_of_parent_and_children_gives_the_same(seed: int) -> None:
    rollouts = delegating() + stopped()
    assert units(*rollouts, rng=random.Random(seed)) == units(*rollouts)


def test_what_is_not_read_is_counted() -> None:
    machine = CodexMachine()
    for data in (
        b"{",
        b'{"payload": 1}',
        b'{"type": "event_msg", "payload": {"type": "x", "duration_ms": -1}}',
        b"[" * 9000,
    ):
        machine.feed(Line("rollout", 0, data))
    machine.feed(Document("rollout", b"{}"))
    assert machine.quarantined == 5
    assert machine.drain(idle=True) == []


def test_memory_does_not_grow_with_what_was_read() -> None:
    machine = CodexMachine()
    rollout = Rollout(0)
    sizes = []
    for _ in range(3):
        for _ in range(200):
            rollout.records = rollout.records[:1]
            rollout.begin().told("x" * 5000).shell("pytest", 0).used(1).said().complete()
            for line in lines("rollout", rollout.data):
                machine.feed(line)
            machine.drain(idle=False)
        sizes.append(_goal_chars(machine))
    assert sizes == [5000, 5000, 5000]  # the last turn alone, in case it is taken back


def _goal_chars(machine: CodexMachine) -> int:
    threads = machine._threads.values()
    held = sum(len(unit.completion.task.goal) for unit in machine._held.values())
    return held + sum(len(thread.last[1].completion.task.goal) for thread in threads if thread.last)


def test_home_files_hold_every_form() -> None:
    assert len(read(SOURCE, home_files())) == 13

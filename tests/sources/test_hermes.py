"""What the rows of Hermes say of its turns and delegations; each trap of its logs has a test of its name."""

from pathlib import Path
from typing import Any

import pytest

from routerd.events import LOCAL, Completion, Dispatch, Label, Parent, Task, Tokens
from routerd.sources import SOURCES
from routerd.sources.base import Claim
from tests.sources.hermes_logs import T0, Script, answer, build_home, day, entry, play, single
from tests.sources.hermes_poller import read, read_home

SCHEMAS = (11, 14, 16, 17, 22, 30)
DANGLING = Label(None, 0.0, "dangling")


def gave_up(summary: str, **members: Any) -> dict[str, Any]:
    """A result whose run was not completed, whatever the cause."""
    return entry(summary=summary, **members, exit_reason="max_iterations")


def told(home: Path, result: dict[str, Any], *, dump: int | None = None) -> Completion:
    """A delegated task whose child came to no last word, and whose parent was given this result."""
    script = Script()
    script.session("root", 0.0)
    script.user("root", 0.1, "try it")
    script.calls("root", 1.0, "call_try_it", "delegate_task", {"goal": "the task"})
    script.child("kid", "root", 2.0)
    script.user("kid", 2.1, "the task")
    if dump is not None:
        script.dumped("kid", dump)
    script.ends("kid", 4.0)
    script.result("root", 5.0, "call_try_it", "delegate_task", answer(result))
    script.says("root", 6.0, "Well.")
    script.ends("root", 6.1)
    return read(home, script)["child:kid"]


def child_with(home: Path, *checks: tuple[str, int]) -> Completion:
    """A child that ran these commands, with these exit codes, and came to its last word."""
    script = Script()
    script.session("root", 0.0)
    script.user("root", 0.1, "try it")
    script.calls("root", 1.0, "call_try_it", "delegate_task", {"goal": "the task"})
    script.child("kid", "root", 2.0)
    script.user("kid", 2.1, "the task")
    for number, (command, code) in enumerate(checks):
        if command == "edit":
            script.calls("kid", 3.0 + number, f"call_kid_{number}", "patch", {"path": "a.py"})
            script.result("kid", 3.5 + number, f"call_kid_{number}", "patch", {"success": True})
        else:
            script.runs("kid", 3.0 + number, f"call_kid_{number}", command, code)
    script.says("kid", 20.0, "All tests pass.")
    script.ends("kid", 20.1)
    script.result("root", 21.0, "call_try_it", "delegate_task", answer(entry()))
    script.says("root", 22.0, "Well.")
    script.ends("root", 22.1)
    return read(home, script)["child:kid"]


# --- what a day gives -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("schema", SCHEMAS)
def test_every_schema_gives_the_same_units(tmp_path: Path, schema: int) -> None:
    units = read(tmp_path, day(schema))
    assert {name: unit.label.value for name, unit in units.items()} == {
        "please count": 1.0,
        "child:child": 1.0,
        "fix the tests": 1.0,
        "thanks, and the docs?": 1.0,
        "do both": 1.0,
        "child:kid-a": 1.0,
        "child:kid-b": 1.0,
        "child:grandchild": 1.0,
        "now the same for C": 0.0 if schema >= 14 else 1.0,  # before, /undo left nothing
        "now the same for D, please": 1.0,
        "try four": 1.0,
        "child:kid-401": None,
        "child:kid-slow": 0.0,
        "child:kid-mute": 0.0,
        "child:kid-test": 0.0,
    }
    assert all(unit.ended for unit in units.values())


def test_a_delegation_is_whole(tmp_path: Path) -> None:
    script = Script()
    single(script)
    assert read(tmp_path, script)["child:child"] == Completion(
        keys=(
            "hermes:child:child",
            "hermes:delegation:deleg_0a1b2c3d#0",
            "hermes:tool:call_single#0",
            "hermes:tool:call_single",
        ),
        agent="hermes",
        task=Task(
            goal="Count the files",
            context="use the shell",
            cwd="/home/u/shop",
            parent=Parent(provider="acme", model="big-model"),
            role="leaf",
            agent="hermes",
            session_id="root",
        ),
        ran=Dispatch(executor="delegate", provider="acme", model="small-model", role="leaf"),
        asked=Dispatch(executor="delegate", role="leaf"),
        session_id="root",
        started_at=T0 + 2.0,
        ended_at=T0 + 5.0,
        wall_time_ms=3000,
        tokens=Tokens(input=1600, output=100, cache_read=400),
        label=Label(1.0, 0.2, "completed"),
        transcript="/home/user/.hermes/cache/delegation/live/deleg_0a1b2c3d/task-0.log",
        extent=4,
    )


def test_a_turn_is_whole(tmp_path: Path) -> None:
    units = read(tmp_path, day())
    turn = units["fix the tests"]
    assert turn.keys == (turn.keys[0],)
    assert turn.keys[0].startswith("hermes:turn:alone/")
    assert turn.ran == LOCAL
    assert turn.task.parent == Parent(provider="acme", model="big-model")
    assert (turn.task.cwd, turn.session_id, turn.wall_time_ms) == ("/home/u/shop", "alone", 2900)
    assert turn.label == Label(1.0, 0.9, "test")
    assert turn.delegations == 0
    assert units["do both"].delegations == 2
    # Hermes counts tokens by session: three of its four answers were this turn's.
    assert turn.tokens == Tokens(input=1200, output=75, cache_read=300, estimated=True)


def test_a_batch_in_the_background_is_told_by_task(tmp_path: Path) -> None:
    units = read(tmp_path, day())
    a, b = units["child:kid-a"], units["child:kid-b"]
    assert a.keys == ("hermes:child:kid-a", "hermes:delegation:deleg_11111111#0", "hermes:tool:call_batch#0")
    assert b.keys == ("hermes:child:kid-b", "hermes:delegation:deleg_11111111#1", "hermes:tool:call_batch#1")
    assert (a.task.context, b.task.context) == ("ctx A", None)
    assert (a.ran.role, b.ran.role) == ("leaf", "orchestrator")
    assert (a.ran.reasoning_effort, b.ran.reasoning_effort) == ("high", None)
    assert (a.asked, b.asked) == (None, Dispatch(executor="delegate", role="orchestrator"))


def test_depth_is_that_of_the_asker(tmp_path: Path) -> None:
    units = read(tmp_path, day())
    assert (units["child:kid-b"].task.depth, units["child:grandchild"].task.depth) == (0, 1)
    assert units["child:grandchild"].task.parent == Parent(provider="acme", model="small-model")
    assert units["child:grandchild"].session_id == "kid-b"


def test_a_profile_is_a_scope_of_its_own(tmp_path: Path) -> None:
    build_home(tmp_path)
    assert {unit.scope for unit in read_home(tmp_path).values()} == {"default"}
    profile = read_home(tmp_path / "profiles" / "writer")
    assert {name: unit.scope for name, unit in profile.items()} == {
        "please count": "writer",
        "child:page-child": "writer",
    }
    assert profile["child:page-child"].ran.profile is None


# --- how it came out ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("result", "label", "censored"),
    [
        (entry(), Label(1.0, 0.2, "completed"), None),
        (gave_up("- Did: some", api_calls=4), Label(0.0, 0.5, "budget"), None),
        (gave_up("⚠️ No reply: the model returned empty content"), Label(0.0, 0.5, "empty"), None),
        (gave_up("(empty)", status="failed"), Label(0.0, 0.5, "empty"), None),
        (entry(status="failed", exit_reason="error", summary=None), Label(0.0, 0.5, "empty"), None),
        (gave_up("HTTP 401: invalid api key"), DANGLING, "auth"),
        (gave_up("HTTP 429: slow down"), DANGLING, "usage_limit"),
        (gave_up("Billing or credits exhausted: HTTP 402"), DANGLING, "usage_limit"),
        (gave_up("API call failed after 3 retries: HTTP 503: down"), DANGLING, "overload"),
        (gave_up("HTTP 400: no such parameter"), DANGLING, "harness"),
        (gave_up("HTTP 400: maximum context length is 4096"), Label(0.0, 0.5, "budget"), None),
        (entry(status="timeout", exit_reason="timeout", summary=None), Label(0.0, 0.5, "budget"), None),
        (entry(status="interrupted", exit_reason="interrupted"), Label(0.0, 0.3, "interrupted"), "interrupted"),
        (entry(status="error", summary=None, error="KeyError: 'x'"), Label(None, 0.0, "unknown"), "harness"),
        (entry(status="failed", exit_reason="error", error="HTTP 500: boom", summary=None), DANGLING, "overload"),
    ],
)
def test_status_is_not_success(tmp_path: Path, result: dict[str, Any], label: Label, censored: str | None) -> None:
    unit = told(tmp_path, result)
    assert unit.ended
    assert (unit.label, unit.censored) == (label, censored)


def test_words_of_an_error_in_a_summary_of_one_who_came_to_its_end_are_words(tmp_path: Path) -> None:
    assert told(tmp_path, entry(summary="HTTP 401: that is what the server answers now")).censored is None


@pytest.mark.parametrize(
    ("status", "censored"), [(401, "auth"), (403, "auth"), (429, "usage_limit"), (500, "overload"), (404, "harness")]
)
def test_a_request_dump_says_why(tmp_path: Path, status: int, censored: str) -> None:
    unit = told(tmp_path, gave_up("…"), dump=status)
    assert (unit.label, unit.censored) == (DANGLING, censored)


def test_a_request_dump_says_why_of_a_turn(tmp_path: Path) -> None:
    script = Script()
    script.session("root", 0.0)
    script.user("root", 0.1, "said")
    script.says("root", 1.0, "Yes.")
    script.user("root", 2.0, "unanswered")
    script.dumped("root", None, "connection refused")
    script.ends("root", 4.0)
    units = read(tmp_path, script)
    assert (units["said"].censored, units["unanswered"].censored) == (None, "overload")


def test_a_dump_of_every_request_says_nothing(tmp_path: Path) -> None:
    script = Script()
    single(script)
    script.dumped("child", 401)  # a fallback came to the end all the same
    script.dumped("root", None, error=None)  # HERMES_DUMP_REQUESTS
    assert read(tmp_path, script)["child:child"].label == Label(1.0, 0.2, "completed")


@pytest.mark.parametrize(
    ("checks", "label"),
    [
        ([("pytest -q", 0)], Label(1.0, 0.9, "test")),
        ([("pytest -q", 1)], Label(0.0, 0.9, "test")),
        ([("pytest -q", 1), ("edit", 0), ("pytest -q", 0)], Label(1.0, 0.9, "test")),
        ([("pytest -q", 0), ("edit", 0)], Label(1.0, 0.2, "completed")),
        ([("pytest -q", 127)], Label(1.0, 0.2, "completed")),
        ([("ls", 2)], Label(1.0, 0.2, "completed")),
    ],
)
def test_the_last_check_after_the_last_edit_counts(tmp_path: Path, checks: list[tuple[str, int]], label: Label) -> None:
    assert child_with(tmp_path, *checks).label == label


@pytest.mark.parametrize(("at", "value"), [("2026-09-21T14:13:24+00:00", 0.0), ("2026-09-21T16:13:21+02:00", 1.0)])
def test_recorded_verification_counts_after_the_last_edit(tmp_path: Path, at: str, value: float) -> None:
    """Its times are ISO with a zone, those of the rows Unix seconds: the first is after the edit at T0 + 3.5 s."""
    script = Script()
    script.session("root", 0.0)
    script.user("root", 0.1, "change it")
    script.calls("root", 1.0, "call_edit", "patch", {"path": "a.py"})
    script.result("root", 3.5, "call_edit", "patch", {"success": True})
    script.says("root", 9.0, "Changed.")
    script.verified("root", at, "failed")
    script.ends("root", 9.1)
    assert read(tmp_path, script)["change it"].label.value == value


def test_a_check_that_did_not_run_is_what_hermes_says_it_is(tmp_path: Path) -> None:
    assert read(tmp_path, day())["child:kid-test"].label == Label(0.0, 0.8, "verification")


# --- what runs, and what never ends ---------------------------------------------------------------------------------


def background(state: str, results: list[dict[str, Any]], *, child_ends: bool) -> Script:
    script = Script()
    script.session("chat", 0.0)
    script.user("chat", 0.1, "in the background, please")
    script.calls("chat", 1.0, "call_later", "delegate_task", {"goal": "take long"})
    script.dispatched("chat", 1.2, "call_later", "deleg_77777777", ["take long"])
    script.child("kid", "chat", 1.3)
    script.user("kid", 1.4, "take long")
    script.says("chat", 2.0, "It is at work.")
    if child_ends:
        script.ends("kid", 9.0)
    if state != "running":
        script.came_back("deleg_77777777", 10.0, state, results)
    return script


def test_a_running_child_is_open_until_nobody_touches_its_log(tmp_path: Path) -> None:
    play(tmp_path, background("running", [], child_ends=False))
    assert not read_home(tmp_path)["child:kid"].ended
    idle = read_home(tmp_path, idle=True)["child:kid"]
    assert idle.ended
    assert idle.label.value is None


def test_others_that_go_on_for_an_hour_end_it_too(tmp_path: Path) -> None:
    script = background("running", [], child_ends=False)
    script.session("other", 3000.0)
    script.user("other", 3000.1, "meanwhile")
    script.says("other", 3601.0, "yes")
    assert not read(tmp_path / "a", script)["child:kid"].ended
    script.user("other", 3700.0, "later")
    assert read(tmp_path / "b", script)["child:kid"].ended


@pytest.mark.parametrize("child_ends", [True, False])
def test_a_lost_owner_is_a_shutdown(tmp_path: Path, child_ends: bool) -> None:
    unit = read(tmp_path, background("unknown", [], child_ends=child_ends))["child:kid"]
    assert (unit.ended, unit.censored, unit.label.value) == (True, "shutdown", None)


def test_a_process_killed_before_the_answer_is_a_shutdown(tmp_path: Path) -> None:
    script = Script()
    script.session("root", 0.0)
    script.user("root", 0.1, "wait for it")
    script.calls("root", 1.0, "call_wait", "delegate_task", {"goal": "take long"})
    script.child("kid", "root", 2.0)
    script.user("kid", 2.1, "take long")
    script.ends("kid", 9.0)
    script.ends("root", 9.1)
    units = read(tmp_path, script)
    assert units["child:kid"].censored == "shutdown"
    assert units["wait for it"].label == Label(None, 0.0, "dangling")


def test_a_conversation_that_was_cut_may_still_hear_of_its_child(tmp_path: Path) -> None:
    script = Script()
    script.session("root", 0.0)
    script.user("root", 0.1, "wait for it")
    script.calls("root", 1.0, "call_wait", "delegate_task", {"goal": "take long"})
    script.child("kid", "root", 2.0)
    script.user("kid", 2.1, "take long")
    script.ends("kid", 9.0)
    script.ends("root", 9.1, "compression")
    assert read(tmp_path, script)["child:kid"].censored is None


def test_a_pruned_background_row_is_told_by_its_message(tmp_path: Path) -> None:
    script = background("completed", [entry()], child_ends=True)
    script.do("DELETE FROM async_delegations")
    text = (
        "[ASYNC DELEGATION BATCH COMPLETE — deleg_77777777]\nA background fan-out of 1 subagent(s) has finished.\n\n"
        "--- ✗ TASK 1/1: take long  (status=timeout, 30.0s) ---\n(no summary — status=timeout: timed out)"
    )
    script.user("chat", 20.0, text)
    script.says("chat", 21.0, "It took too long.")
    assert read(tmp_path, script)["child:kid"].label == Label(0.0, 0.5, "budget")


# --- where it lies --------------------------------------------------------------------------------------------------


def test_roots_are_the_main_home_and_the_named_one() -> None:
    source = SOURCES["hermes"]
    assert source.roots({}) == []
    assert source.roots({"HOME": "/home/user"}) == ["/home/user/.hermes"]
    assert source.roots({"HERMES_HOME": "/srv/h"}) == ["/srv/h"]
    assert source.roots({"HOME": "/home/user", "HERMES_HOME": "/srv/h/"}) == ["/srv/h", "/home/user/.hermes"]
    profile = "/home/user/.hermes/profiles/writer"
    assert source.roots({"HOME": "/home/user", "HERMES_HOME": profile}) == ["/home/user/.hermes"]


@pytest.mark.parametrize(
    ("path", "claim"),
    [
        ("/r/state.db", Claim("/r", "database")),
        ("/r/verification_evidence.db", Claim("/r", "database")),
        ("/r/sessions/request_dump_x_1.json", Claim("/r", "document")),
        ("/r/profiles/writer/state.db", Claim("/r/profiles/writer", "database")),
        ("/r/profiles/writer/sessions/request_dump_x_1.json", Claim("/r/profiles/writer", "document")),
        ("/r/state.db-wal", None),
        ("/r/backups/state.db", None),
        ("/r/profiles/writer/old/state.db", None),
        ("/r/sessions/session_x.json", None),
        ("/r/kanban.db", None),
    ],
)
def test_claims(path: str, claim: Claim | None) -> None:
    source = SOURCES["hermes"]
    assert source.claim("/r", path, lambda: b"") == claim
    folder = path.rpartition("/")[0]
    while claim is not None and folder != "/r":
        assert source.enters("/r", folder)
        folder = folder.rpartition("/")[0]


def test_a_database_that_is_named_itself_is_read() -> None:
    assert SOURCES["hermes"].claim("/copy/state.db", "/copy/state.db", lambda: b"") == Claim("/copy", "database")

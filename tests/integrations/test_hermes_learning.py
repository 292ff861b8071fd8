"""What is learnt of the children that Hermes ran with the plugin in it, and what `/routerd` says of it."""

import json
import os
import signal
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from routerd.integrations.hermes.reports import Reporter
from routerd.integrations.modes import kept
from tests.harness import Daemon, Place
from tests.integrations.fake_hermes import Hermes
from tests.integrations.hermes_fixtures import (
    CODE,
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
from tests.sources.hermes_logs import Player, Script, answer, entry

__all__ = ["daemon", "home", "start"]  # fixtures


# --- what is learnt -------------------------------------------------------------------------------------------------


def outcomes(daemon: Daemon, hermes: Any) -> list[dict[str, Any]]:
    """The rows of the children that are known, in the order of the tasks."""
    columns = ("id", "arm", "signal", "succeeded", "decision_id", "wall_time_ms", "learnt")
    rows = daemon.place.query(
        f"SELECT key, {', '.join(columns)} FROM outcomes JOIN outcome_keys ON outcome_id = id WHERE ended"
    )
    found = {row[0]: dict(zip(columns, row[1:], strict=True)) for row in rows}
    names = [f"hermes:child:{child.session_id}" for child in hermes.children]
    return [found[name] for name in names if name in found]


def reports(daemon: Daemon, hermes: Any) -> int:
    """How many reports there are of its children."""
    names = ", ".join(f"'hermes:{child.session_id}'" for child in hermes.children)
    ((count,),) = daemon.place.query(f"SELECT count(*) FROM reports WHERE outcome_id IN ({names})")
    return int(count)


@pytest.mark.parametrize("background", [False, True])
def test_a_child_is_reported_with_its_decision_and_what_ran(daemon: Daemon, start: Start, background: bool) -> None:
    hermes, plugin = start("enforce")
    hermes.background = background
    hermes.ends[CODE] = {"status": "timeout", "seconds": 2.5}
    hermes.calls(parent(), batch(OPEN, CODE), name="call_1")  # an id that others have as well
    hermes.join()
    found = daemon.until(lambda: len(rows := outcomes(daemon, hermes)) == 2 and rows)
    wanted = [pick.decision["decision_id"] for pick in plugin.last if pick.decision]
    assert [one["decision_id"] for one in found] == wanted
    assert [one["arm"] for one in found] == [
        "delegate:deepseek:deepseek-v4-pro@max#leaf",
        "delegate:zai:glm-5.2@high#leaf",
    ]
    assert [one["wall_time_ms"] for one in found] == [1500, 2500]
    assert [one["signal"] for one in found] == ["unknown", "unknown"]  # Hermes' own word for it is not believed
    assert [json.loads(one["learnt"])["own"] for one in found] == [True, True]
    (body,) = daemon.place.query(f"SELECT body FROM reports WHERE unit = '{found[1]['id']}'")
    assert json.loads(body[0])["outcome"]["error"] == "timeout"


def test_what_hermes_chose_itself_is_reported_as_its_own(daemon: Daemon, start: Start) -> None:
    hermes, _ = start("shadow")
    hermes.calls(
        parent(provider="zai", model="glm-5.2", reasoning_config={"enabled": True, "effort": "high"}), {"goal": CODE}
    )
    (one,) = daemon.until(lambda: outcomes(daemon, hermes))
    assert one["arm"] == "delegate:zai:glm-5.2@high#leaf"
    assert json.loads(one["learnt"])["own"] is False


def test_a_profile_has_a_scope_of_its_own(daemon: Daemon, home: Place, start: Start) -> None:
    hermes, _ = start("shadow", Hermes(home=str(home.home / ".hermes" / "profiles" / "night")))
    hermes.calls(parent(), {"goal": CODE})
    (one,) = daemon.until(lambda: outcomes(daemon, hermes))
    assert json.loads(one["learnt"])["scope"] == "night"


def test_a_child_that_fell_back_to_another_model_is_reported_as_what_it_ran_on(daemon: Daemon, start: Start) -> None:
    hermes, _ = start("enforce")
    hermes.background = True
    hermes.calls(parent(), {"goal": CODE})
    hermes.children[0].provider, hermes.children[0].model = "anthropic", "claude-haiku-4-5"
    hermes.join()
    (one,) = daemon.until(lambda: outcomes(daemon, hermes))
    assert one["arm"].startswith("delegate:anthropic:claude-haiku-4-5@high")


def test_report_and_log_are_one_outcome_with_the_logs_label(daemon: Daemon, start: Start) -> None:
    """The second task's tests failed, which Hermes calls `completed`."""
    hermes, plugin = start("enforce")
    agent = parent()
    arguments = batch(OPEN, CODE)
    hermes.calls(agent, arguments, name="call_7f3e2d1c0b")
    daemon.until(lambda: reports(daemon, hermes) == 2)
    first, second = (child.session_id for child in hermes.children)
    script = Script()
    script.session(agent.session_id, 0.0, billing_provider="custom", model="stub-big")
    script.user(agent.session_id, 0.1, "do both")
    script.calls(agent.session_id, 1.0, "call_7f3e2d1c0b", "delegate_task", arguments)
    effort = {"billing_provider": "deepseek", "model": "deepseek-v4-pro"}
    script.whole_child(first, agent.session_id, 2.0, OPEN, effort="max", **effort)
    script.child(second, agent.session_id, 2.1, effort="high", billing_provider="zai", model="glm-5.2")
    script.user(second, 2.2, CODE)
    script.runs(second, 2.5, "call_tests00001", "pytest -q", 1)
    script.counts(second, 3.0, billing_provider="zai", model="glm-5.2")
    script.says(second, 4.0, "- Did: it")
    script.ends(second, 4.1)
    script.result(agent.session_id, 6.0, "call_7f3e2d1c0b", "delegate_task", answer(entry(0), entry(1)))
    script.says(agent.session_id, 7.0, "Done.")
    script.ends(agent.session_id, 7.1)
    player = Player(daemon.place.home / ".hermes")
    player.play(script.steps)
    player.close()
    found = daemon.until(
        lambda: (
            [one["signal"] for one in outcomes(daemon, hermes)] == ["completed", "test"] and outcomes(daemon, hermes)
        )
    )
    assert [one["id"] for one in found] == [f"hermes:child:{first}", f"hermes:child:{second}"]
    assert [one["succeeded"] for one in found] == [1.0, 0.0]
    assert [one["decision_id"] for one in found] == [
        pick.decision["decision_id"] for pick in plugin.last if pick.decision
    ]
    assert reports(daemon, hermes) == 2
    same_call = daemon.place.query(
        "SELECT count(*) FROM outcomes WHERE session_id = ?".replace("?", f"'{agent.session_id}'")
    )
    assert same_call == [(3,)]  # the two children, and the turn that sent them


def test_reports_wait_for_nobody(daemon: Daemon, start: Start) -> None:
    """The daemon hangs when the children end; it is told when it goes on."""
    hermes, _ = start("enforce")
    hermes.background = True
    hermes.calls(parent(), batch(OPEN, CODE))
    daemon.process.send_signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        hermes.join()
        assert time.monotonic() - began < SLACK_S
    finally:
        daemon.process.send_signal(signal.SIGCONT)
    daemon.until(lambda: len(outcomes(daemon, hermes)) == 2)


def test_a_report_is_tried_again_until_a_daemon_is_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place(tmp_path)
    for name, value in place.env.items():
        monkeypatch.setenv(name, value)
    reporter = Reporter(pauses_s=(0.0, *[0.02] * 1000))
    task = {"goal": "x", "agent": "hermes"}
    dispatch = {"executor": "delegate", "model": "claude-haiku-4-5"}
    reporter.tell({"outcome_id": "hermes:late", "task": task, "dispatch": dispatch, "outcome": {"wall_time_ms": 7}})
    with place.daemon() as running:
        running.until(lambda: place.query("SELECT 1 FROM reports WHERE outcome_id = 'hermes:late'"))
        reporter.finish(PATIENT_S)


def test_one_report_too_many_is_dropped_and_the_end_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROUTERD_SOCKET", str(tmp_path / "s"))
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "s"))
        listening.listen()
        reporter = Reporter(pauses_s=(0.0,))
        began = time.monotonic()
        for _ in range(2000):
            reporter.tell({"outcome": {}})
        reporter.finish()
        assert time.monotonic() - began < 0.05 + SLACK_S


# --- /routerd -------------------------------------------------------------------------------------------------------


def test_routerd_shows_the_last_picks_and_why(start: Start) -> None:
    hermes, plugin = start("enforce")
    assert plugin.on_command("").splitlines()[1] == "nothing was delegated yet"
    hermes.calls(parent(), batch(OPEN, CODE))
    text = hermes.context.commands["routerd"]("")
    head, *lines = text.splitlines()
    assert head == "routerd: enforce; routerd 0.1.0 answers"
    assert lines[0] == f"- {OPEN}: deepseek:deepseek-v4-pro@max (applied)"
    assert "best expected" in lines[1]
    assert lines[2].startswith("  gate: P(success drops")


def test_routerd_says_that_no_daemon_answers(start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROUTERD_SOCKET", str(tmp_path / "none"))
    _, plugin = start("advise")
    assert plugin.on_command(None).splitlines()[0] == "routerd: advise; no daemon answers"


def test_a_mode_holds_for_the_process_and_with_save_for_good(start: Start) -> None:
    hermes, plugin = start("advise")
    said = hermes.context.commands["routerd"]
    assert said("mode enforce") == "routerd: enforce, for this Hermes process"
    assert (plugin.mode(), kept(os.environ)) == ("enforce", {})
    said("off")
    hermes.calls(parent(), batch(OPEN, CODE))
    assert ran(hermes) == [USUAL, USUAL]
    assert said("mode shadow --save").startswith("routerd: shadow, kept in ")
    assert kept(os.environ) == {"hermes": "shadow"}
    said("off")
    assert said("on") == "routerd: shadow, for this Hermes process"
    said("off --save")
    assert said("on") == "routerd: advise, for this Hermes process"
    assert said("mode loud") == "no such mode 'loud'; there are off, shadow, advise, enforce"
    for wrong in ("help", "mode", "on off", "--save"):
        assert said(wrong).startswith("usage: /routerd ")


def test_a_mode_that_cannot_be_kept_holds_all_the_same(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "file"))
    _, plugin = start("advise")
    assert plugin.on_command("mode enforce --save").startswith("routerd: enforce, for this Hermes process; ")
    assert plugin.mode() == "enforce"

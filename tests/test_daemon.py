"""The whole of routerd from outside: a real process, real files, a real socket."""

import json
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from routerd.client import call, subscribe
from routerd.errors import NoSuchDecision, OutcomeIdInUse, RequestError
from tests.harness import Place
from tests.sources.codex_logs import home_files

HAIKU = {"executor": "delegate", "provider": "anthropic", "model": "claude-haiku-4-5"}
TASK = {"goal": "Fix the parser of the configuration in config.py", "agent": "codex", "session_id": "s1"}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def counted(status: dict[str, Any]) -> dict[str, dict[str, int]]:
    return {source["agent"]: source["completions"] for source in status["sources"]}


# --- reading --------------------------------------------------------------------------------------------------------


def test_a_second_reading_adds_nothing(place: Place) -> None:
    place.write(home_files())
    first = place.once()
    rows = place.outcomes()
    assert len(rows) > 5
    assert counted(place.once()) == counted(first)
    assert place.outcomes() == rows


def test_a_rebuilt_database_has_the_same_rows(place: Place) -> None:
    place.write(home_files())
    place.once()
    rows = place.outcomes()
    for path in place.state.glob("routerd.db*"):
        path.unlink()
    place.once()
    assert place.outcomes() == rows


@pytest.mark.parametrize("share", [0.1, 0.35, 0.5, 0.8, 0.97])
def test_files_cut_anywhere_and_then_completed_give_the_same_database(
    place: Place, tmp_path_factory: pytest.TempPathFactory, share: float
) -> None:
    whole = Place(tmp_path_factory.mktemp("whole"))
    whole.write(home_files())
    whole.once()
    place.write({name: data[: int(len(data) * share)] for name, data in home_files().items()})
    place.once()
    place.write(home_files())
    place.once()
    assert shown(place) == shown(whole)


def test_what_is_written_while_it_runs_is_learnt_once(place: Place, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Every file grows line by line; the rows are those of a single reading of the whole."""
    whole = Place(tmp_path_factory.mktemp("whole"))
    whole.write(home_files())
    whole.once()
    with place.daemon() as daemon:
        for name, data in home_files().items():
            place.write({name: b""})
            with (place.home / name).open("ab") as file:
                for line in data.splitlines(keepends=True):
                    file.write(line)
                    file.flush()
        daemon.until(lambda: shown(place) == shown(whole), 10)


def shown(place: Place) -> str:
    """The outcomes, without where the files lie."""
    return repr(place.outcomes()).replace(str(place.home), "")


# --- asking ---------------------------------------------------------------------------------------------------------


def test_a_question_its_report_and_its_explanation(place: Place) -> None:
    with place.daemon() as daemon:
        assert daemon.ask("hello") | {"pid": 0, "started_at": 0} == {
            "name": "routerd",
            "version": "0.1.0",
            "protocol": 1,
            "pid": 0,
            "started_at": 0,
        }
        pick = daemon.ask("recommend", task=TASK, candidates=["local", HAIKU], ref={"agent": "codex", "child_id": "c1"})
        assert pick["arm"] in ("local", "delegate:anthropic:claude-haiku-4-5")
        early = daemon.ask("explain", decision_id=pick["decision_id"])
        assert early["chosen"] == pick["arm"]
        assert sum(arm["propensity"] for arm in early["arms"]) == pytest.approx(1.0)
        told = daemon.ask(
            "report",
            decision_id=pick["decision_id"],
            outcome={"succeeded": True, "wall_time_ms": 4200, "cost_usd": 0.02},
        )
        assert told["duplicate"] is False
        late = daemon.ask("explain", decision_id=pick["decision_id"])
        assert late["outcome"]["succeeded"] == 1.0
        assert late["outcome"]["wall_time_ms"] == 4200
        arms = {arm["arm"]: arm for arm in daemon.ask("arms")["arms"]}
        assert arms[pick["arm"]]["n"] == 1
        assert daemon.ask("feedback", decision_id=pick["decision_id"], verdict="bad")["succeeded"] is False
        assert daemon.ask("explain", decision_id=pick["decision_id"])["outcome"]["succeeded"] == 0.0
        counts = daemon.ask("status")["counts"]
        assert counts == {"decisions": 1, "outcomes": 1, "unknown": 0, "reports": 2}


def test_a_pin_wins_and_is_learnt_from_as_somebodys_own_choice(place: Place) -> None:
    with place.daemon() as daemon:
        pick = daemon.ask("recommend", task=TASK, candidates=["local"], pinned=HAIKU)
        assert (pick["arm"], pick["basis"], pick["propensity"]) == (
            "delegate:anthropic:claude-haiku-4-5",
            "pinned",
            1.0,
        )
        daemon.ask("report", decision_id=pick["decision_id"], outcome={"succeeded": True})
    (learnt,) = place.query("SELECT learnt FROM outcomes")
    assert json.loads(learnt[0])["own"] is False


def test_what_is_wrong_with_a_request_is_said_with_its_code(place: Place) -> None:
    with place.daemon() as daemon:
        wrong: list[tuple[str, dict[str, Any], int]] = [
            ("recommend", {"task": {"goal": "x", "gaol": 1}}, -32602),
            ("recommend", {"task": {"goal": "x"}, "candidates": ["opus"]}, -32602),
            ("recommend", {"task": {"goal": "x"}, "candidates": [HAIKU], "constraints": {"max_cost_usd": 0}}, -32004),
            ("report", {"outcome": {"succeeded": True}, "decision_id": "d_none"}, NoSuchDecision.code),
            ("feedback", {"outcome_id": "o_none", "verdict": "good"}, NoSuchDecision.code),
            ("explain", {"decision_id": "d_none"}, NoSuchDecision.code),
            ("resolve", {"model": "no-such-model"}, -32003),
            ("subscribe", {"events": ["everything"]}, -32602),
            ("nonsense", {}, -32601),
        ]
        for method, params, code in wrong:
            with pytest.raises(RequestError) as caught:
                daemon.ask(method, **params)
            assert caught.value.code == code, (method, params, caught.value)


def test_a_report_is_on_disk_when_it_is_answered_whatever_happens_then(place: Place) -> None:
    with place.daemon() as daemon:
        for number in range(20):
            daemon.ask("report", outcome_id=f"o{number}", task=TASK, dispatch=HAIKU, outcome={"succeeded": number % 2})
        daemon.kill()
    with place.daemon() as daemon:
        assert daemon.ask("status")["counts"]["reports"] == 20
        again = daemon.ask("report", outcome_id="o3", task=TASK, dispatch=HAIKU, outcome={"succeeded": 1})
        assert again == {"outcome_id": "o3", "duplicate": True}
        with pytest.raises(OutcomeIdInUse):
            daemon.ask("report", outcome_id="o3", task=TASK, dispatch=HAIKU, outcome={"succeeded": 0})
        (arm,) = daemon.ask("arms")["arms"]
        assert (arm["arm"], arm["n"]) == ("delegate:anthropic:claude-haiku-4-5", 20)


def test_belief_after_a_crash_is_belief_before_it(place: Place) -> None:
    """The first daemon's snapshot is older than its last reports; the journal bridges them."""
    place.write(home_files())
    with place.daemon() as daemon:
        daemon.caught_up()
    with place.daemon() as daemon:
        daemon.caught_up()
        for number in range(5):
            daemon.ask("report", outcome_id=f"o{number}", task=TASK, dispatch=HAIKU, outcome={"succeeded": True})
        before = daemon.settled_arms()
        assert max(arm["n"] for arm in before) >= 5
        daemon.kill()
    place.run("routerd", "--once", check=True)
    with place.daemon() as daemon:
        after = daemon.ask("arms")["arms"]
    assert [(arm["arm"], arm["n"]) for arm in after] == [(arm["arm"], arm["n"]) for arm in before]
    for old, new in zip(before, after, strict=True):
        assert new["posterior"]["success"]["mean"] == pytest.approx(old["posterior"]["success"]["mean"], abs=1e-8)


def test_who_listens_is_told(place: Place) -> None:
    with place.daemon() as daemon:
        heard: list[dict[str, Any]] = []
        events = subscribe(["decision", "outcome", "delegate.*"], socket=place.socket)
        ready = threading.Event()

        def listen() -> None:
            ready.set()
            for event in events:
                heard.append(event)
                if len(heard) == 4:
                    return

        listener = threading.Thread(target=listen)
        listener.start()
        ready.wait(5)
        daemon.until(lambda: daemon.ask("status"))
        pick = daemon.ask("recommend", task=TASK, candidates=[HAIKU])
        daemon.ask("report", decision_id=pick["decision_id"], outcome={"succeeded": True})
        listener.join(10)
        assert [event["event"] for event in heard] == [
            "decision", "outcome", "delegate.task_spawned", "delegate.task_completed",
        ]  # fmt: skip
        assert heard[0]["decision_id"] == heard[1]["decision_id"] == pick["decision_id"]


def test_a_recommendation_is_answered_while_a_backlog_is_read(place: Place) -> None:
    files = home_files()
    place.write({name.replace(".jsonl", f"-{n}.jsonl"): data for name, data in files.items() for n in range(20)})
    with place.daemon() as daemon:
        for _ in range(50):
            assert daemon.ask("recommend", task={"goal": "x"}, candidates=["local", HAIKU])["decision_id"]


# --- configuration and surroundings ---------------------------------------------------------------------------------


def test_a_reload_takes_the_new_configuration_and_refuses_a_bad_one(place: Place) -> None:
    path = place.home / "config.toml"
    path.write_text("[gate]\ndelta = 0.05\n")
    with place.daemon("--config", str(path)) as daemon:
        path.write_text("[gate]\ndelta = 0.2\n[catalog.aliases]\nmine = 'claude-haiku-4-5'\n")
        answer = daemon.ask("reload")
        assert answer["changed"] == ["catalog.aliases", "gate.delta"]
        assert daemon.ask("resolve", model="mine")["dispatch"]["model"] == "claude-haiku-4-5"
        path.write_text("[gate]\ndetla = 0.2\n")
        with pytest.raises(RequestError, match=r"gate\.detla: no such key; did you mean 'delta'"):
            daemon.ask("reload")
        assert daemon.ask("resolve", model="mine")["dispatch"]["model"] == "claude-haiku-4-5"
        path.write_text("")
        daemon.process.send_signal(signal.SIGHUP)
        daemon.until(lambda: "configuration reloaded" in daemon.log.read_text().split("did you mean")[-1])
        with pytest.raises(RequestError):
            daemon.ask("resolve", model="mine")


def one_line(text: str) -> str:
    (line,) = text.strip().splitlines()
    return line


def test_an_unknown_key_is_exit_78_with_its_path_and_the_nearest_name(place: Place) -> None:
    (place.home / "c.toml").write_text("[policy]\nnaem = 'off'\n")
    for arguments in (["--check-config"], ["--once"], []):
        done = place.run("routerd", "--config", "c.toml", *arguments)
        assert done.returncode == 78
        assert one_line(done.stderr) == "routerd: c.toml: policy.naem: no such key; did you mean 'name'?"


def test_a_second_daemon_is_told_who_has_the_place(place: Place) -> None:
    with place.daemon() as daemon:
        done = place.run("routerd")
        assert done.returncode == 70
        assert f"another routerd (pid {daemon.process.pid}) runs on this state directory" in one_line(done.stderr)
        assert daemon.ask("hello")


def test_a_log_directory_that_is_a_file_and_an_unreadable_log_stop_nothing(place: Place) -> None:
    place.write(home_files())
    place.write({".claude/projects": b"not a directory"})
    broken = next(iter(home_files())).replace("rollout-", "rollout-0", 1)
    (place.home / broken).symlink_to("/nonexistent")
    (place.home / broken.replace("rollout-0", "rollout-1")).mkdir()
    done = place.run("routerd", "--once", "--json", check=True)
    assert counted(json.loads(done.stdout))["codex"]["delegate"] > 0
    (said,) = [line for line in done.stderr.splitlines() if line.startswith("cannot be read: ")]
    assert said == f"cannot be read: {place.home}/.claude/projects: it is not a directory"


def test_a_corrupt_database_is_set_aside_and_filled_again_from_the_logs(place: Place) -> None:
    place.write(home_files())
    first = place.once()
    (place.state / "routerd.db").write_bytes(b"no database" * 1000)
    done = place.run("routerd", "--once", "--json", check=True)
    assert "set aside" in done.stderr
    assert counted(json.loads(done.stdout)) == counted(first)
    assert list(place.state.glob("routerd.db.corrupt-*"))


def test_a_stale_socket_does_not_stop_a_start(place: Place) -> None:
    with place.daemon() as daemon:
        daemon.kill()
    assert place.socket.exists()
    with place.daemon() as daemon:
        assert daemon.ask("hello")["pid"] == daemon.process.pid
    assert not place.socket.exists()


def test_files_are_for_their_owner_alone(place: Place) -> None:
    with place.daemon():
        assert place.state.stat().st_mode & 0o777 == 0o700
        assert place.socket.stat().st_mode & 0o777 == 0o600
        assert {path.stat().st_mode & 0o077 for path in place.state.iterdir()} == {0}


def test_prompt_text_is_nowhere_in_the_state_directory(place: Place) -> None:
    place.write(home_files())
    secret = "Zanzibar-quagmire"
    with place.daemon() as daemon:
        daemon.caught_up()
        pick = daemon.ask("recommend", task={"goal": secret, "context": secret}, candidates=[HAIKU])
        daemon.ask("report", decision_id=pick["decision_id"], task={"goal": secret}, outcome={"succeeded": True})
    for path in place.state.iterdir():
        content = path.read_bytes()
        assert secret.encode() not in content
        assert b"Count the" not in content
    assert secret not in daemon.log.read_text()


def test_no_daemon_is_exit_69_in_one_line(place: Place) -> None:
    done = place.run("routerctl", "status")
    assert done.returncode == 69
    assert "cannot be reached" in one_line(done.stderr)
    with pytest.raises(Exception, match="cannot be reached"):
        call("hello", socket=place.socket)

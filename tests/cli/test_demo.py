"""`routerctl demo`: what is played is what is read, nothing of the user's is touched, and nothing is left behind."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from routerd.cli.demo.story import AGENTS, DAY_S, MOVED, PINNED, SPAN_DAYS, Agent, Session, history
from routerd.cli.demo.writing import write
from tests.harness import PROGRAMS, Place
from tests.sources.codex_logs import home_files

NOW = 1_790_000_000.0


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Demonstrations are made below TMPDIR."""
    place = Place(tmp_path)
    (tmp_path / "t").mkdir()
    place.env["TMPDIR"] = str(tmp_path / "t")
    return place


def left(place: Place) -> list[str]:
    return sorted(path.name for path in (place.home / "t").iterdir())


class Running:
    """A demonstration in the foreground."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.process = subprocess.Popen(
            [str(PROGRAMS / "routerctl"), "demo", "--every-s", "0.2", "--json"],
            env=place.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.process.communicate()[1]
        self.told: Any = json.loads(line)

    def verb(self, *arguments: str) -> Any:
        return json.loads(self.place.run("routerctl", "demo", "--", *arguments, "--json", check=True).stdout)

    def end(self, number: int = signal.SIGINT) -> tuple[int, str]:
        self.process.send_signal(number)
        _, said = self.process.communicate(timeout=30)
        return self.process.returncode, said.decode()


@pytest.fixture
def demo(place: Place) -> Iterator[Running]:
    running = Running(place)
    with running.process:  # closes its pipes
        yield running
        if running.process.poll() is None:
            running.end()


def sessions(agent: Agent) -> list[Session]:
    """As `write` plays them, in the same order of draws."""
    rng = np.random.default_rng(3)
    for one in AGENTS:
        found = list(history(one, NOW, rng))
        if one is agent:
            return found
    raise AssertionError


def test_every_delegation_is_read_as_it_was_played(place: Place) -> None:
    """Agent by agent and model by model: how many there were, how many succeeded, and how long they took."""
    write(place.home, NOW, np.random.default_rng(3))
    place.once()
    for agent in AGENTS:
        tasks = [task for session in sessions(agent) for task in session.tasks]
        for model in agent.shares:
            played = [task for task in tasks if task.model == model]
            found = place.query(
                "SELECT succeeded, wall_time_ms, cost_usd FROM outcomes WHERE executor = 'delegate' AND ended "
                f"AND agent = '{agent.name}' AND model = '{model}'"
            )
            assert len(found) == len(played) > 20
            assert sum(row[0] for row in found) == sum(task.succeeded for task in played)
            told_s = sum(row[1] for row in found) / 1000.0
            assert told_s == pytest.approx(sum(task.seconds for task in played), rel=0.03)
            assert all(row[2] > 0.0 for row in found)
    alone = [one.alone for one in sessions(AGENTS[0]) if one.alone]
    (row,) = place.query(
        "SELECT count(*), sum(succeeded) FROM outcomes WHERE executor = 'local' AND agent = 'claude-code' "
        "AND learnt IS NOT NULL"
    )
    assert row == (len(alone), sum(one.succeeded for one in alone))


def test_the_story_has_what_the_verbs_are_to_find() -> None:
    claude, codex, _ = (sessions(agent) for agent in AGENTS)
    pinned = [task for session in claude for task in session.tasks if (task.asked, task.model) == PINNED]
    assert len(pinned) >= 10
    moved = [task for session in codex for task in session.tasks if task.model == MOVED[0]]
    late = [task.succeeded for task in moved if NOW - task.at < 14 * DAY_S]
    early = [task.succeeded for task in moved if NOW - task.at >= 14 * DAY_S]
    assert sum(late) / len(late) < sum(early) / len(early) - 0.3
    assert all(NOW - session.at <= SPAN_DAYS * DAY_S for session in claude)
    assert len({task.id for session in claude for task in session.tasks}) == sum(len(one.tasks) for one in claude)


def test_all_that_can_be_done_with_one(place: Place, demo: Running) -> None:
    """Looked at while it goes on; there is one at a time; killed, it leaves no daemon, and the next one tidies up."""
    assert demo.told["environment"]["ROUTERD_SOCKET"].startswith(str(place.home / "t"))
    _what_there_is_to_see(demo)
    second = place.run("routerctl", "demo")
    assert second.returncode == 2
    assert "a demonstration runs already" in second.stderr
    daemon = int(Path(demo.told["base"], "s.lock").read_text())
    demo.process.kill()
    subprocess.run(["timeout", "30", "tail", f"--pid={daemon}", "-f", "/dev/null"], check=True)
    done = place.run("routerctl", "demo", "--", "explain", "d_none")  # on one of its own
    assert done.returncode == 1
    assert "is played for this command alone" in done.stderr
    assert "no decision 'd_none'" in done.stderr
    assert left(place) == []
    assert not place.state.exists()


def _what_there_is_to_see(demo: Running) -> None:
    drift = demo.verb("drift")
    assert [(one["asked"], one["ran"]) for one in drift["strayed"]] == [PINNED]
    moved = [one["arm"] for one in drift["moved"]]
    assert f"delegate:openai:{MOVED[0]}@medium" in moved  # routerd's picks are left to chance: so may another one be
    savings = demo.verb("savings")
    audits = [line["audit"] for line in savings["lines"] if line["agent"] == "claude-code" and line["audit"]]
    assert any(audit["decisions"] and audit["success"]["figure"] for audit in audits)
    assert {line["verdict"] for line in savings["lines"]} & {"switch", "unsure"}
    believed = demo.verb("arms", "--kind", "refactorer")["arms"]
    arms = {one["arm"]: one["posterior"]["success"]["mean"] for one in believed}
    assert arms["delegate:anthropic:claude-haiku-5-5"] < arms["delegate:anthropic:claude-opus-5-5"] - 0.2
    assert "local" in arms
    decision = demo.verb("events", "--event", "decision", "--count", "1")
    explained = demo.verb("explain", decision["decision_id"])
    assert explained["nearest"][0]["transcript"].startswith(demo.told["home"])
    assert explained["prices"] == {"success_usd": 5.0, "hour_usd": 10.0, "money": 1.0}
    assert demo.verb("replay", demo.told["replay"], "--orders", "1")["tasks"] == 150


def test_the_users_own_daemon_and_logs_are_left_alone(place: Place) -> None:
    """And it tidies up when its terminal closes."""
    place.write(home_files())
    with place.daemon() as own:
        own.until(lambda: own.completions() > 10)
        before, seen = own.completions(), snapshot(place)
        demo = Running(place)
        with demo.process:
            assert demo.end(signal.SIGHUP)[0] == 0
        assert left(place) == []
        assert own.completions() == before
        assert snapshot(place) == seen


def snapshot(place: Place) -> dict[str, int]:
    """The user's files and when they were written; the daemon's own database lives."""
    return {
        str(path): path.stat().st_mtime_ns
        for path in place.home.rglob("*")
        if path.is_file() and place.state not in path.parents and path.name != "daemon.log"
    }


def test_somebody_elses_directory_is_not_used(place: Place) -> None:
    there = place.home / "t" / f"routerd-demo-{os.getuid()}"
    there.mkdir(mode=0o755)
    there.chmod(0o777)
    done = place.run("routerctl", "demo")
    assert done.returncode == 2
    assert "not a directory of your own alone" in done.stderr
    assert list(there.iterdir()) == []

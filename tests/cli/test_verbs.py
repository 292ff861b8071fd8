"""Every verb as a person types it: against a real daemon and without one, as text and as JSON."""

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from routerd.cli.app import VERBS
from tests.harness import Daemon, Place
from tests.sources.codex_logs import home_files

OPUS = "delegate:anthropic:claude-opus-5"


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    place = Place(tmp_path_factory.mktemp("home"))
    place.write(home_files())
    with place.daemon() as running:
        running.caught_up()
        running.until(lambda: running.completions() > 5)
        yield running


@pytest.fixture
def alone(tmp_path: Path) -> Place:
    return Place(tmp_path)


def text(place: Place, *arguments: str, code: int = 0) -> str:
    done = place.run("routerctl", *arguments)
    assert done.returncode == code, (arguments, done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    if code:
        assert done.stderr.count("\n") <= 1
    return done.stdout + done.stderr


def data(place: Place, *arguments: str) -> Any:
    return json.loads(text(place, *arguments, "--json"))


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(alone: Place, verb: str) -> None:
    shown = text(alone, verb, "--help")
    assert "Usage: routerctl" in shown
    if verb != "config":
        assert f"routerctl {verb}" in shown.partition("Example:")[2]


def test_the_list_of_verbs_says_what_each_is_for(alone: Place) -> None:
    shown = " ".join(text(alone, "--help").replace("│", " ").split())
    assert all(f"{verb} {line}" in shown for verb, (_, line) in VERBS.items())


def test_status(daemon: Daemon) -> None:
    assert "codex" in text(daemon.place, "status")
    assert data(daemon.place, "status")["sources"][0]["agent"] == "codex"


def test_arms(daemon: Daemon) -> None:
    shown = text(daemon.place, "arms")
    assert "local" in shown
    assert "big-1" in shown
    arms = data(daemon.place, "arms", "--kind", "explore")["arms"]
    assert {"arm", "prior", "posterior", "n", "last_seen", "drift", "in_pool", "dispatch"} <= arms[0].keys()


def test_a_question_from_recommend_to_feedback(daemon: Daemon) -> None:
    place = daemon.place
    flags = ["--candidate", "local", "--candidate", OPUS, "--incumbent", "local", "--agent", "codex", "--no-explore"]
    pick = data(place, "recommend", "fix the parser", *flags)
    assert pick["arm"] in ("local", OPUS)
    shown = text(place, "recommend", "fix the parser", *flags, "--dry-run")
    assert pick["reason"].split(";")[0][:20] in " ".join(shown.split())
    assert "is on disk" in text(place, "report", "--decision-id", pick["decision_id"], "--succeeded", "no")
    shown = text(place, "explain", pick["decision_id"])
    assert "outcome: success 0 %" in shown
    assert "nearest tasks" in shown
    assert data(place, "feedback", pick["decision_id"], "good")["succeeded"] is True
    outcome = data(place, "report", "--goal", "x", "--dispatch", OPUS, "--outcome-id", "mine", "--succeeded", "yes")
    assert outcome == {"outcome_id": "mine", "duplicate": False}
    assert "did not succeed" in text(place, "feedback", "mine", "bad", "--note", "no")


def test_a_pin_on_the_command_line(daemon: Daemon) -> None:
    pick = data(daemon.place, "recommend", "x", "--pin", OPUS)
    assert (pick["arm"], pick["basis"]) == (OPUS, "pinned")
    assert "no arm id" in text(daemon.place, "recommend", "x", "--pin", "opus", code=2)


def test_events(daemon: Daemon) -> None:
    heard = threading.Event()

    def ask_until_heard() -> None:
        while not heard.wait(0.05):
            daemon.ask("recommend", task={"goal": "x"}, candidates=["local"])

    asking = threading.Thread(target=ask_until_heard)
    asking.start()
    try:
        shown = text(daemon.place, "events", "--event", "decision", "--count", "1")
    finally:
        heard.set()
        asking.join()
    assert json.loads(shown)["event"] == "decision"


@pytest.mark.parametrize("running", [True, False])
def test_models_and_resolve_work_with_and_without_a_daemon(daemon: Daemon, alone: Place, running: bool) -> None:
    place = daemon.place if running else alone
    assert "claude-opus" in text(place, "models", "--tier", "frontier")
    assert "--provider" in text(place, "models", "--prompt")
    assert "s.e." in text(place, "models", "--report")
    assert data(place, "models")["models"]
    assert data(place, "resolve", "opus")["dispatch"]["provider"] == "anthropic"
    assert "ANTHROPIC_API_KEY" in text(place, "resolve", "sonnet", "--global")
    assert "did you mean 'sonnet'" in text(place, "resolve", "sonet", code=1)


def test_import_reads_rows_once_and_names_the_broken_ones(alone: Place) -> None:
    rows = [
        {"task": {"goal": "a"}, "dispatch": ["delegate", "fast-worker"], "wall_time_ms": 30_000, "succeeded": True},
        {"features": {"task_kind": "typo-fix"}, "dispatch": ["local", None], "cost_tokens": 900, "succeeded": False},
        {"task": {"goal": "a"}, "dispatch": "nowhere", "succeeded": True},
    ]
    path = alone.home / "rows.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\nnot json\n")
    shown = text(alone, "import", str(path))
    assert "rows.jsonl: line 3: " in shown
    assert "rows.jsonl: line 4: " in shown
    assert "2 finished tasks learnt, 2 rows broken" in " ".join(shown.split())
    assert data(alone, "import", str(path))["completions"] == 0
    assert alone.query("SELECT count(*) FROM outcomes") == [(2,)]
    assert "no such file" in text(alone, "import", "nowhere.jsonl", code=2)


@pytest.mark.parametrize("named", ["old", "old/.codex", "old/.codex/sessions/2026"])
def test_import_reads_the_logs_of_another_home_or_a_part_of_one(alone: Place, named: str) -> None:
    alone.write({f"old/{name}": content for name, content in home_files().items()})
    answer = data(alone, "import", named)
    assert answer["files"] >= 10
    assert answer["completions"] > 5
    assert data(alone, "import", named)["completions"] == 0


def test_import_hands_its_paths_to_a_daemon(daemon: Daemon) -> None:
    path = daemon.place.home / "more.jsonl"
    path.write_text(json.dumps({"task": {"goal": "b"}, "dispatch": OPUS, "succeeded": True}) + "\n")
    assert data(daemon.place, "import", "more.jsonl") | {"broken": []} == {"files": 1, "completions": 1, "broken": []}


def test_config(alone: Place) -> None:
    shown = json.loads(text(alone, "config", "path", "--json", code=1))
    assert shown == {"path": str(alone.home / ".config/routerd/config.toml"), "exists": False}
    assert "can be used" in text(alone, "config", "check")
    (alone.home / "c.toml").write_text(text(alone, "config", "show"))
    assert "c.toml: can be used" in text(alone, "config", "check", "c.toml")
    (alone.home / "c.toml").write_text("[pool]\nmodels = ['no-such-model-at-all']\n")
    assert "pool.models" in text(alone, "config", "check", "c.toml", code=78)
    assert "no such file" in text(alone, "config", "check", "d.toml", code=78)


def test_privacy_lists_every_column_that_there_is(alone: Place) -> None:
    assert "not there yet" in text(alone, "privacy")
    alone.write(home_files())
    alone.once()
    tables = data(alone, "privacy")["tables"]
    with closing(sqlite3.connect(alone.state / "routerd.db")) as connection:
        for table, columns in tables.items():
            found = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            assert columns == found


def test_a_wrong_flag_is_exit_2_with_a_hint(alone: Place) -> None:
    assert "--json" in text(alone, "status", "--jsn", code=2)
    assert "routerctl" in text(alone, "nonsense", code=2)


def test_colour_is_off_in_a_pipe(daemon: Daemon) -> None:
    assert "\x1b" not in text(daemon.place, "arms")


def test_once_ends_with_a_table(alone: Place) -> None:
    alone.write(home_files())
    done = alone.run("routerd", "--once", check=True)
    heading = done.stdout.splitlines()[0].split()
    assert heading == ["agent", "model", "tasks", "success", "evidence", "median", "cost", "unknown", "censored"]
    assert "(itself)" in done.stdout


def test_once_with_no_logs_says_where_it_looked(alone: Place) -> None:
    done = alone.run("routerd", "--once", check=True)
    assert str(alone.home / ".claude/projects") in done.stderr
    assert "(not there)" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("recommend", "x", "--max-cost-usd", "nan"), "--max-cost-usd: must be a finite number, not nan"),
        (("recommend", "x", "--min-success", "inf"), "--min-success: must be a finite number, not inf"),
        (("report", "--goal", "x", "--dispatch", "local", "--cost-usd", "inf"), "--cost-usd: must be a finite number"),
        (("report", "--goal", "x", "--dispatch", "foo"), "--dispatch: 'foo' is no arm id"),
        (("recommend", "x", "--pin", "foo"), "--pin: 'foo' is no arm id"),
    ],
)
def test_a_flag_that_cannot_be_used_is_named(daemon: Daemon, arguments: tuple[str, ...], said: str) -> None:
    done = daemon.place.run("routerctl", *arguments)
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr


def test_an_arm_is_shown_as_it_is_spelt(daemon: Daemon) -> None:
    """Some terminals' libraries make pictures of words between colons."""
    done = daemon.place.run("routerctl", "recommend", "x", "--candidate", "delegate:llama:x", "--candidate", "local")
    assert "delegate:llama:x" in done.stdout

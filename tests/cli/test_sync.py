"""`sync hindsight` as a person types it: the real client against a small server, a real daemon beside it."""

import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from routerd.integrations.mirror import sent_path
from routerd.integrations.outcome_documents import ROW
from tests.harness import PROGRAMS, Daemon, Place
from tests.hindsight_server import Hindsight, hindsight
from tests.integrations.test_mirror import report
from tests.integrations.test_mirror import sync as mirrored
from tests.sources.codex_logs import home_files


@pytest.fixture
def server() -> Iterator[Hindsight]:
    with hindsight() as running:
        yield running


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    place = Place(tmp_path_factory.mktemp("home"))
    place.write(home_files())
    with place.daemon() as running:
        running.caught_up()
        running.until(lambda: running.completions() > 5)
        yield running


def sync(place: Place, server: Hindsight, *flags: str) -> dict[str, Any]:
    done = place.run("routerctl", "sync", "hindsight", "--url", server.url, "--json", *flags, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def said(place: Place, *flags: str) -> tuple[int, str]:
    done = place.run("routerctl", "sync", "hindsight", *flags)
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    return done.returncode, done.stderr


def test_errors_are_one_line_with_a_remedy(daemon: Daemon) -> None:
    place = daemon.place
    code, line = said(place, "--url", "http://127.0.0.1:1")
    assert code == 69
    assert "http://127.0.0.1:1: Hindsight cannot be reached" in line
    code, line = said(place, "--with-text")
    assert code == 78
    assert "set privacy.store_text = true" in line


def test_without_the_package_it_says_what_to_install(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.write({"shadow/hindsight_client.py": b"raise ModuleNotFoundError(name='hindsight_client')\n"})
    place.env["PYTHONPATH"] = str(tmp_path / "shadow")
    code, line = said(place)
    assert code == 78
    assert line.endswith("not installed: pip install 'routerd[hindsight]'\n")


# --- following ------------------------------------------------------------------------------------------------------


@contextmanager
def following(place: Place, server: Hindsight) -> Iterator[subprocess.Popen[bytes]]:
    """A process that follows; if nobody ended it, it is stopped as systemd would."""
    command = [str(PROGRAMS / "routerctl"), "sync", "hindsight", "--url", server.url, "--follow"]
    log = place.home / "sync.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=place.env, cwd=place.home, stdout=output, stderr=output)
    try:
        try:
            yield process
        except AssertionError as error:
            error.add_note(log.read_text())
            raise
        if process.poll() is None:
            process.terminate()
            assert process.wait(10) == 0, log.read_text()
        assert "Traceback" not in log.read_text()
    finally:
        process.kill()
        process.wait()


def test_it_follows_over_a_time_without_a_server_and_through_a_kill(daemon: Daemon, server: Hindsight) -> None:
    def there(name: str) -> Callable[[], bool]:
        return lambda: name in server.documents()

    server.down = True
    with following(daemon.place, server) as process:
        daemon.until(lambda: "next try in 1 s" in (daemon.place.home / "sync.log").read_text())
        server.down = False
        first = report(daemon, "while it was down")
        server.wait_for(there(first))
        second = report(daemon, "while it follows")
        server.wait_for(there(second))
        sent = len(server.batches)
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    third = report(daemon, "while nobody follows")
    with following(daemon.place, server):
        server.wait_for(there(third))
    later = {name for batch in server.batches[sent:] for name in batch}
    assert {third} <= later <= {second, third}  # it may have died before it noted the last batch


# --- there and back -------------------------------------------------------------------------------------------------


def test_an_empty_database_learns_from_the_documents_what_the_other_knew(
    daemon: Daemon, server: Hindsight, tmp_path: Path
) -> None:
    report(daemon, "z", cost_usd=0.25)
    count, _, _ = mirrored(daemon.place, server)
    assert sync(daemon.place, server) == {
        "url": server.url, "bank": "routerd", "sent": 0, "forgotten": 0, "refused": 0, "kept": 0
    }  # fmt: skip
    learnt = {name: one for name, one in server.documents().items() if ROW in one["metadata"]}
    assert 5 < len(learnt) < count == len(server.documents())
    good = next(iter(learnt.values()))["metadata"][ROW].replace('"keys":["', '"keys":["x:turn:')
    others = {
        "another's": {"document_id": "another's", "tags": ["mine"], "metadata": {ROW: good}},
        "broken": {"document_id": "broken", "tags": ["routerd"], "metadata": {ROW: "{"}},
    }
    server.documents().update(others)

    other = Place(tmp_path / "other")
    other.home.mkdir()
    answer = sync(other, server, "--seed")
    assert (answer["documents"], answer["completions"]) == (count + 1, len(learnt))
    columns = "id, agent, scope, arm, kind, session_id, ended_at, wall_time_ms, cost_usd, succeeded, weight, signal"
    same = f"SELECT {columns} FROM outcomes WHERE learnt IS NOT NULL ORDER BY id"
    assert other.query(same) == daemon.place.query(same)

    before = json.dumps(server.banks, sort_keys=True)
    assert mirrored(other, server) == (0, 0, 0)
    sent_path(other.state, server.url, "routerd").unlink()
    assert mirrored(other, server) == (len(learnt), 0, 0)
    assert json.dumps(server.banks, sort_keys=True) == before  # what is read back makes the same documents

    # The agent's logs are found after all: a unit that both tell of is one, and the log is believed.
    other.write(home_files())
    other.once()
    assert other.query("SELECT count(*) FROM outcomes WHERE id LIKE 'routerd:%'")[0][0] > 0
    logs = "SELECT id, arm, succeeded, features FROM outcomes WHERE agent = 'codex' AND id LIKE 'codex:%' ORDER BY id"
    assert other.query(logs) == daemon.place.query(logs)

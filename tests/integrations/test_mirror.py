"""A bank kept like the database: the real client against a small server, beside a real daemon's database."""

import json
import shutil
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import pytest

from routerd.errors import ConfigError, RouterdError, StoreError, UnreachableError
from routerd.integrations.hindsight import Bank, Refused
from routerd.integrations.mirror import BATCH, Mirror, Pass, Sent, sent_path
from tests.harness import Daemon, Place
from tests.hindsight_server import Hindsight, hindsight
from tests.sources.codex_logs import home_files

PICK = {"executor": "delegate", "provider": "zai", "model": "glm-4.7"}


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


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A database with more outcomes than go into one request; text is kept."""
    place = Place(tmp_path_factory.mktemp("imported"))
    rows = [
        {
            "id": f"r{number}",
            "task": {"goal": "Sort the coins"},
            "dispatch": "local" if number % 3 else "delegate:zai:glm-4.7",
            "succeeded": bool(number % 2),
            "at": 1_790_000_000 + number,
        }
        for number in range(BATCH + 5)
    ]
    place.write(
        {
            ".config/routerd/config.toml": b"[privacy]\nstore_text = true\n",
            "rows.jsonl": "".join(json.dumps(row) + "\n" for row in rows).encode(),
        }
    )
    place.run("routerctl", "import", "rows.jsonl", check=True)
    return place


@pytest.fixture
def full(imported: Place, tmp_path: Path) -> Place:
    """A copy of that."""
    place = Place(tmp_path / "home")
    shutil.copytree(imported.home, place.home)
    return place


async def _whole(place: Place, url: str, bank: str, key: str | None, text: bool) -> Pass:
    async with Bank(url, bank, key) as there:
        with closing(Sent(sent_path(place.state, url, bank))) as sent:
            return await Mirror(there, place.state / "routerd.db", sent, text=text).whole()


def sync(
    place: Place, server: Hindsight, bank: str = "routerd", *, key: str | None = None, text: bool = False
) -> tuple[int, int, int]:
    """How many documents were sent, taken out and refused."""
    done = anyio.run(_whole, place, server.url, bank, key, text)
    return done.sent, done.forgotten, done.refused


def report(daemon: Daemon, goal: str, **outcome: Any) -> str:
    """The id of a new outcome."""
    told = daemon.ask("report", task={"goal": goal}, dispatch=PICK, outcome={"succeeded": True, **outcome})
    return f"routerd:row:{told['outcome_id']}"


def test_every_outcome_has_its_document_and_nothing_is_sent_twice(daemon: Daemon, server: Hindsight) -> None:
    place = daemon.place
    known = {row[0] for row in place.query("SELECT id FROM outcomes WHERE ended = 1")}
    assert sync(place, server) == (len(known), 0, 0)
    assert server.documents().keys() == known
    assert server.created == [{"bank": "routerd", "retain_extraction_mode": "chunks", "enable_observations": False}]
    assert sync(place, server) == (0, 0, 0)
    assert len(server.created) == 1
    assert all(agent.startswith("routerd ") for agent in server.agents)
    kept = json.dumps(server.banks)
    assert str(place.home) not in kept  # no path of this machine


def test_a_corrected_label_and_a_joined_outcome_change_their_documents(daemon: Daemon, server: Hindsight) -> None:
    place = daemon.place
    pick = daemon.ask("recommend", task={"goal": "x"}, candidates=[PICK])
    daemon.ask("report", decision_id=pick["decision_id"], outcome={"succeeded": True})
    other = report(daemon, "y", cost_usd=0.5)
    sync(place, server)
    decided = f"routerd:decision:{pick['decision_id']}"
    assert "it succeeded, as reported" in server.documents()[decided]["content"]

    daemon.ask("feedback", decision_id=pick["decision_id"], verdict="bad")
    assert sync(place, server) == (1, 0, 0)
    assert "it failed, as the user said" in server.documents()[decided]["content"]

    # A report that knows both names: the two were one unit all along.
    daemon.ask(
        "report",
        decision_id=pick["decision_id"],
        ref={"agent": "codex", "tool_use_id": "call_root_1"},
        outcome={"succeeded": True},
    )
    assert sync(place, server) == (1, 1, 0)
    assert decided not in server.documents()
    assert other in server.documents()


def test_a_run_that_dies_is_gone_on_with(full: Place, server: Hindsight) -> None:
    server.refused = {"jsonl:row:r22"}  # in the second batch, which is then sent one by one
    assert sync(full, server) == (BATCH + 4, 0, 1)
    assert [len(batch) for batch in server.batches] == [BATCH, 1, 1, 1, 1]
    server.refused = set()
    assert sync(full, server) == (1, 0, 0)
    [state] = full.state.glob("hindsight-*.db")
    assert stat.S_IMODE(state.stat().st_mode) == 0o600
    with closing(sqlite3.connect(state)) as connection:  # as if it had died between the server's answer and the note
        connection.execute("DELETE FROM sent WHERE id = 'jsonl:row:r3'")
        connection.commit()
    assert sync(full, server) == (1, 0, 0)
    assert len(server.documents()) == BATCH + 5


def test_a_bank_that_was_deleted_is_filled_again_and_two_banks_are_two(full: Place, server: Hindsight) -> None:
    sync(full, server)
    server.banks.clear()
    assert sync(full, server) == (BATCH + 5, 0, 0)
    assert sync(full, server, "other one") == (BATCH + 5, 0, 0)
    assert server.banks.keys() == {"routerd", "other one"}


def test_a_lost_database_takes_nothing_out_of_the_bank(full: Place, server: Hindsight) -> None:
    sync(full, server)
    for file in full.state.glob("routerd.db*"):
        file.unlink()
    (full.home / "rows.jsonl").write_text('{"features":{},"dispatch":"local","succeeded":true,"at":1,"id":"new"}\n')
    full.run("routerctl", "import", "rows.jsonl", check=True)
    done = anyio.run(_whole, full, server.url, "routerd", None, False)
    assert done == Pass(sent=1, kept=BATCH + 5)
    assert len(server.documents()) == BATCH + 6


def test_text_goes_along_only_if_it_is_asked_for(full: Place, server: Hindsight) -> None:
    sync(full, server)
    assert "coins" not in json.dumps(server.banks)
    assert sync(full, server, text=True) == (BATCH + 5, 0, 0)
    assert all(one["content"].endswith("The task: Sort the coins") for one in server.documents().values())


async def _recent(place: Place, server: Hindsight, then: Any) -> tuple[Pass, Pass]:
    async with Bank(server.url, "routerd") as bank:
        with closing(Sent(sent_path(place.state, server.url, "routerd"))) as sent:
            mirror = Mirror(bank, place.state / "routerd.db", sent)
            await mirror.whole()
            await anyio.to_thread.run_sync(then)
            return await mirror.recent(), await mirror.recent()


def test_a_pass_over_what_is_new_finds_a_row_that_was_replaced(daemon: Daemon, server: Hindsight) -> None:
    outcome = report(daemon, "the last row of all").removeprefix("routerd:row:")  # SQLite may use its rowid again

    def correct() -> None:
        daemon.ask("feedback", outcome_id=outcome, verdict="bad")

    assert anyio.run(_recent, daemon.place, server, correct) == (Pass(sent=1), Pass())
    assert "it failed" in server.documents()[f"routerd:row:{outcome}"]["content"]


# --- what goes wrong ------------------------------------------------------------------------------------------------


def test_a_server_that_cannot_be_used_is_told_from_one_that_cannot_be_reached(full: Place, server: Hindsight) -> None:
    server.key = "letmein"
    with pytest.raises(ConfigError, match=r"says 401: .*who are you.*--api-key-env"):
        sync(full, server)
    assert sync(full, server, key="letmein") == (BATCH + 5, 0, 0)
    server.down = True
    with pytest.raises(UnreachableError, match="says 503"):
        sync(full, server)
    server.url = "http://127.0.0.1:1"
    with pytest.raises(UnreachableError, match=r"127\.0\.0\.1:1: Hindsight cannot be reached"):
        sync(full, server)


def test_what_answers_otherwise_is_not_hindsight(full: Place, server: Hindsight) -> None:
    server.garbled = True
    with pytest.raises(RouterdError, match="what answers is not Hindsight"):
        sync(full, server)


def test_without_a_database_it_says_so(server: Hindsight, tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.state.mkdir()
    with pytest.raises(StoreError, match="has routerd run yet"):
        sync(place, server)


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_refusal_is_of_the_documents(status: int) -> None:
    error = Bank("http://x", "b").said(status, "too\nlong")
    assert isinstance(error, Refused)
    assert isinstance(error, RouterdError)
    assert str(error) == f"http://x: Hindsight says {status}: too long"

"""Rounds of queries that fail and rows that are broken lose nothing else of a home of Hermes."""

import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from routerd.sources.base import Document, Line, Query, Row
from routerd.sources.hermes import HermesMachine
from routerd.tail.rows import Database
from tests.sources.hermes_logs import EVIDENCE, STATE, Player, Script, day, play, single
from tests.sources.hermes_poller import Units, fresh, read


@pytest.mark.parametrize("seed", range(8))
def test_a_round_that_failed_loses_nothing(tmp_path: Path, seed: int) -> None:
    """A round may fail at any time; whoever asks again gets what was not read."""
    rng = random.Random(seed)
    script = day()
    player, machine = Player(tmp_path), HermesMachine(str(tmp_path))
    units: Units = {}
    database = Database(tmp_path / STATE)
    for step in [*script.steps, [], []]:
        player.play([step])
        last = not step
        while queries := machine.queries(str(tmp_path / STATE)):
            if not last and rng.random() < 0.3:
                continue  # nothing is fed, as when the database was locked
            for row in database._ask(queries):
                machine.feed(row)
        for document in player.dumps:
            machine.feed(Document(str(document), document.read_bytes()))
        units |= {unit.keys[0]: unit for unit in machine.drain(idle=False)}
    assert units == fresh(tmp_path)
    player.close()
    database.close()


def test_a_database_without_tables_asks_once(tmp_path: Path) -> None:
    machine = HermesMachine(str(tmp_path))
    for name in (STATE, EVIDENCE):
        path = str(tmp_path / name)
        assert machine.queries(path)
        assert machine.queries(path) == []
        assert machine.queries(path)
    assert machine.queries(str(tmp_path / "other.db")) == []


@given(
    values=st.dictionaries(
        st.sampled_from(["id", "session_id", "role", "content", "tool_calls", "timestamp", "parent_session_id", "seq"]),
        st.none() | st.integers() | st.floats() | st.binary(max_size=8) | st.text(max_size=8),
    ),
    query=st.sampled_from(
        ["messages", "session", "sweep", "kids", "found", "heads", "moved", "background", "event", "?"]
    ),
)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_row_is_survived(values: dict[str, Any], query: str) -> None:
    machine = HermesMachine("/home/user/.hermes")
    for _ in range(3):
        machine.queries("/home/user/.hermes/state.db")
        machine.feed(Row("/home/user/.hermes/state.db", query, values))
        machine.feed(Row("/home/user/.hermes/state.db", "asked", {}))
        machine.drain(idle=False)
    machine.drain(idle=True)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"session_id": 3}', b'{"session_id": "x", "error": 3}', b"\xff"])
def test_any_dump_is_survived(data: bytes) -> None:
    machine = HermesMachine("/home/user/.hermes")
    machine.feed(Document("d", data))
    machine.feed(Line("l", 0, data))
    assert machine.quarantined == 1
    assert machine.drain(idle=True) == []


def test_a_row_that_cannot_be_read_hides_no_other(tmp_path: Path) -> None:
    script = Script()
    single(script)
    script.do(
        "UPDATE messages SET content = CAST(x'ff00fe' AS TEXT), timestamp = 'then' WHERE id = 5",
        "INSERT INTO messages (session_id, role, content, timestamp) VALUES ('root', 'user', x'00', 'x')",
        "UPDATE sessions SET model_config = '{', cwd = 7 WHERE id = 'root'",
    )
    assert {"please count", "child:child"} <= set(read(tmp_path, script))


def test_a_query_of_every_round_is_answered_by_every_database(tmp_path: Path) -> None:
    """The last query of a round is what tells that the round took place."""
    play(tmp_path, day(11))
    database = Database(tmp_path / STATE)
    [*_, last] = HermesMachine(str(tmp_path)).queries(str(tmp_path / STATE))
    assert isinstance(last, Query)
    assert len(database._ask([last])) == 1
    database.close()

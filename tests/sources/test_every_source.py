"""The laws of `routerd.sources.base`, for every source: each offers a small synthetic home and nothing else."""

import json
import random
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from routerd.events import Completion
from routerd.sources import SOURCES
from routerd.sources.base import Document, Line, Machine
from tests.sources.damage import damaged, garbled, home, items, survives
from tests.sources.reading import HOME, claims, lines, polls, read, roots

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
SEEDS = range(12)

every_source = pytest.mark.parametrize("agent", sorted(SOURCES))
any_input = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def machines(agent: str) -> Iterator[tuple[Machine, dict[str, bytes]]]:
    """A fresh machine for every group of the home, with the group's files by absolute path."""
    files = home(agent)
    for group, claimed in claims(SOURCES[agent], files).items():
        yield SOURCES[agent].open(group), {path: files[path[len(HOME) + 1 :]] for path in claimed}


# --- where it lies --------------------------------------------------------------------------------------------------


@every_source
def test_it_is_known_by_the_name_that_it_has_itself(agent: str) -> None:
    assert SOURCES[agent].agent == agent
    assert isinstance(SOURCES[agent].polled, bool)


@every_source
def test_without_a_home_there_is_nowhere_to_look(agent: str) -> None:
    assert SOURCES[agent].roots({}) == []
    assert all(root.startswith(f"{HOME}/") for root in SOURCES[agent].roots({"HOME": HOME}))


@every_source
@given(name=st.text(max_size=40), head=st.binary(max_size=80))
@any_input
def test_claim_asks_nothing_of_a_file(agent: str, name: str, head: bytes) -> None:
    source = SOURCES[agent]
    for root in source.roots({"HOME": HOME}):
        path = f"{root}/{name}"
        assert source.enters(root, path) in (True, False)
        claim = source.claim(root, path, lambda: head)
        assert claim is None or claim.kind in ("lines", "document", "database")


# --- what it tells --------------------------------------------------------------------------------------------------


@every_source
def test_its_home_holds_several_units_and_all_of_them_end(agent: str) -> None:
    units = read(SOURCES[agent], home(agent)).values()
    assert len(units) >= 3
    assert all(unit.ended for unit in units)
    assert {unit.ran.executor for unit in units} <= {"local", "delegate"}


@every_source
def test_every_unit_is_whole(agent: str) -> None:
    for key, unit in read(SOURCES[agent], home(agent)).items():
        assert unit.keys[0] == key
        assert all(name.startswith(f"{agent}:") for name in unit.keys)
        assert unit.agent == unit.task.agent == agent
        assert unit.ran.agent is None
        assert unit.ran.profile is None
        assert unit.wall_time_ms is None or unit.wall_time_ms >= 0
        assert unit.tokens is None or min(unit.tokens.input, unit.tokens.output, unit.tokens.cache_read) >= 0
        assert unit.label.value is None or 0 <= unit.label.value <= 1
        assert unit.transcript is not None
        assert unit.transcript.startswith(HOME)
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(unit), type=Completion) == unit


# --- the laws -------------------------------------------------------------------------------------------------------


@every_source
@pytest.mark.parametrize("seed", SEEDS)
def test_any_cuts_and_any_order_of_files_give_the_same(agent: str, seed: int) -> None:
    """Laws 1, 2 and 4: read in shuffled pieces, drained anywhere, the machine pickled on the way."""
    files = home(agent)
    assert read(SOURCES[agent], files, rng=random.Random(seed)) == read(SOURCES[agent], files)


@every_source
def test_reading_twice_gives_the_same_names(agent: str) -> None:
    assert read(SOURCES[agent], home(agent)).keys() == read(SOURCES[agent], home(agent)).keys()


@every_source
def test_a_unit_is_given_again_only_when_it_changed(agent: str) -> None:
    for machine, files in machines(agent):
        _read(agent, machine, files)
        assert machine.drain(idle=False) == []
        machine.drain(idle=True)
        assert machine.drain(idle=True) == []
        assert machine.drain(idle=False) == []


@every_source
def test_idle_ends_what_is_open_and_invents_no_success(agent: str) -> None:
    for machine, files in machines(agent):
        open_units: dict[str, Completion] = {}
        for drained in _read(agent, machine, files):
            open_units |= {unit.keys[0]: unit for unit in drained}
        open_units = {key: unit for key, unit in open_units.items() if not unit.ended}
        ended = {unit.keys[0]: unit for unit in machine.drain(idle=True)}
        assert open_units.keys() <= ended.keys()
        assert all(unit.ended for unit in ended.values())


def _read(agent: str, machine: Machine, files: Mapping[str, bytes]) -> Iterator[list[Completion]]:
    """Feeds a group's files plainly; what each drain gave."""
    drained = []
    for path, data in files.items():
        claim = SOURCES[agent].claim(_root(agent, path), path, lambda data=data: data)  # type: ignore[misc]
        assert claim is not None
        if claim.kind == "database":
            drained += list(polls(machine, path, data))
        else:
            for item in lines(path, data) if claim.kind == "lines" else [Document(path, data)]:
                machine.feed(item)
            drained.append(machine.drain(idle=False))
    return iter(drained)


def _root(agent: str, path: str) -> str:
    return next(root for root in roots(SOURCES[agent]) if path.startswith(root + "/"))


# --- law 3: whatever the bytes are ----------------------------------------------------------------------------------


@every_source
@given(data=st.binary(max_size=200))
@any_input
def test_random_bytes_are_survived(agent: str, data: bytes) -> None:
    survives(agent, [Line("path", 0, data), Document("path", data)])


@every_source
@given(value=JSON)
@any_input
def test_random_json_is_survived(agent: str, value: Any) -> None:
    data = json.dumps(value).encode()
    survives(agent, [Line("path", 0, data), Document("path", data)])


@every_source
@given(rng=st.randoms(use_true_random=False), value=JSON)
@any_input
def test_a_damaged_home_is_survived(agent: str, rng: random.Random, value: Any) -> None:
    """Every record of the home, some of them changed, cut, doubled or lost."""
    survives(agent, damaged(agent, rng, lambda: value))


@every_source
@pytest.mark.parametrize("seed", range(4))
def test_spoilt_bytes_are_survived(agent: str, seed: int) -> None:
    """Records that are nearly right: `benchmarks/fuzz.py` does as many as there is time for."""
    rng = random.Random(seed)
    survives(agent, [garbled(item, rng, 0.3) for item in items(agent)])

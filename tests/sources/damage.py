"""Homes of every source, whole and damaged, and what their machines must survive."""

import importlib
import json
import pickle
import random
from collections.abc import Callable
from functools import cache
from typing import Any

import msgspec
import pytest

from routerd.events import Completion
from routerd.sources import SOURCES
from routerd.sources.base import Document, Item, Line, Machine, Row
from tests.sources.reading import HOME, claims, lines, polls

HOMES = {
    "claude-code": "claude_logs",
    "codex": "codex_logs",
    "copilot": "copilot_logs",
    "gemini": "gemini_logs",
    "hermes": "hermes_logs",
    "jsonl": "jsonl_logs",
    "opencode": "opencode_logs",
    "pi": "pi_logs",
}
"""The module beside this one whose `home_files()` gives a home: paths relative to it, and what the files hold."""


def home(agent: str) -> dict[str, bytes]:
    """The synthetic home of a source."""
    module = importlib.import_module(f"tests.sources.{HOMES[agent]}") if agent in HOMES else None
    home_files = getattr(module, "home_files", None)
    if home_files is None:
        pytest.fail(f"source {agent!r} has no home: name in HOMES a module of tests/sources that has `home_files()`")
    files: dict[str, bytes] = home_files()
    return files


@cache
def items(agent: str) -> list[Item]:
    """All that the home's lines, documents and databases come to."""
    found: list[Item] = []
    files = home(agent)
    for group, claimed in claims(SOURCES[agent], files).items():
        for path, claim in claimed.items():
            data = files[path[len(HOME) + 1 :]]
            if claim.kind == "lines":
                found += lines(path, data)
            elif claim.kind == "document":
                found.append(Document(path, data))
            else:
                recorder = _Recorder(SOURCES[agent].open(group))
                list(polls(recorder, path, data))
                found += recorder.fed
    return found


class _Recorder:
    """A machine that remembers what it was fed."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.fed: list[Item] = []
        self.quarantined = 0

    def feed(self, item: Item) -> None:
        self.fed.append(item)
        self.machine.feed(item)

    def drain(self, *, idle: bool) -> list[Completion]:
        return self.machine.drain(idle=idle)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.machine, name)


def survives(agent: str, fed: list[Item]) -> None:
    """A machine takes all of it, drained and packed up on the way, and says nothing that cannot be written down."""
    machine = SOURCES[agent].open("group")
    for number, item in enumerate(fed):
        machine.feed(item)
        if number % 16 == 0:
            msgspec.msgpack.encode(machine.drain(idle=False))
    machine = pickle.loads(pickle.dumps(machine))
    msgspec.msgpack.encode(machine.drain(idle=True))
    assert machine.quarantined >= 0


def damaged(agent: str, rng: random.Random, value: Callable[[], Any]) -> list[Item]:
    """Every record of the home, some of them changed, cut, doubled or lost; `value` is what a member becomes."""
    found: list[Item] = []
    for item in items(agent):
        found += _damage(item, rng, value()) if rng.random() < 0.2 else [item]
    return found


def _damage(item: Item, rng: random.Random, value: Any) -> list[Item]:
    way = rng.choice(["changed", "cut", "doubled", "lost"])
    if way == "lost":
        return []
    if way == "doubled":
        return [item, item]
    if isinstance(item, Row):
        key = rng.choice(list(item.values))
        if isinstance(value, str):  # SQLite's texts come as characters, whatever bytes they are
            value = value.encode(errors="replace").decode()
        return [Row(item.path, item.query, {**item.values, key: value if way == "changed" else None})]
    data = item.data[: rng.randrange(len(item.data) + 1)] if way == "cut" else _changed(item.data, rng, value)
    return [Line(item.path, item.offset, data) if isinstance(item, Line) else Document(item.path, data)]


def _changed(data: bytes, rng: random.Random, value: Any) -> bytes:
    """The JSON with one member, anywhere in it, replaced."""
    try:
        whole = json.loads(data)
    except ValueError:
        return data
    place = whole
    while isinstance(place, dict | list) and place:
        key = rng.choice(list(place) if isinstance(place, dict) else range(len(place)))
        if not isinstance(place[key], dict | list) or not place[key] or rng.random() < 0.3:
            place[key] = value
            break
        place = place[key]
    return json.dumps(whole).encode()


def spoilt(data: bytes, rng: random.Random, other: bytes) -> bytes:
    """Some bytes flipped, cut out, doubled, or spliced in from another record."""
    bad = bytearray(data)
    for _ in range(rng.randrange(1, 5)):
        start = rng.randrange(len(bad) + 1)
        end = min(len(bad), start + rng.randrange(1, 40))
        way = rng.randrange(5)
        if way == 0 and start < len(bad):
            bad[start] ^= 1 << rng.randrange(8)
        elif way == 1:
            del bad[start:end]
        elif way == 2:
            bad[start:start] = bad[start:end] * rng.randrange(1, 50)
        elif way == 3:
            place = rng.randrange(len(other) + 1)
            bad[start:end] = other[place : place + rng.randrange(1, 200)]
        else:
            bad[start:end] = rng.randbytes(end - start)
    return bytes(bad)


def garbled(item: Item, rng: random.Random, share: float = 0.1) -> Item:
    """A record as it is or, as often as `share` says, with its bytes spoilt."""
    if isinstance(item, Row) or rng.random() >= share:
        return item
    data = spoilt(item.data, rng, item.data[::-1])
    return Line(item.path, item.offset, data) if isinstance(item, Line) else Document(item.path, data)

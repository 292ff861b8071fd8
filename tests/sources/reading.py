"""A reader for tests: takes the files of a small synthetic home through a source, whole or cut up at random."""

import pickle
import random
import sqlite3
from collections.abc import Iterator, Mapping

import msgspec

from routerd.events import Completion
from routerd.sources.base import Claim, Document, Item, Line, Machine, Query, Row, Source

HOME = "/home/user"
HEAD_BYTES = 64 * 1024
ROUNDS_MAX = 100


def roots(source: Source) -> list[str]:
    """Where a source looks in the home; one that looks only where it is told to is told to look there."""
    return source.roots({"HOME": HOME}) or [HOME]


def claims(source: Source, files: Mapping[str, bytes]) -> dict[str, dict[str, Claim]]:
    """The claims of a home's files (paths relative to it), by group and absolute path."""
    groups: dict[str, dict[str, Claim]] = {}
    for relative, data in files.items():
        path = f"{HOME}/{relative}"
        for root in roots(source):
            if path.startswith(root + "/") and all(source.enters(root, part) for part in _above(root, path)):
                claim = source.claim(root, path, lambda data=data: data[:HEAD_BYTES])  # type: ignore[misc]
                if claim is not None:
                    groups.setdefault(claim.group, {})[path] = claim
                    break
    return groups


def _above(root: str, path: str) -> Iterator[str]:
    names = path[len(root) + 1 :].split("/")[:-1]
    return (f"{root}/{'/'.join(names[: end + 1])}" for end in range(len(names)))


def lines(path: str, data: bytes) -> Iterator[Line]:
    """The complete lines of a file."""
    offset = 0
    for line in data.split(b"\n")[:-1]:
        yield Line(path, offset, line)
        offset += len(line) + 1


def polls(machine: Machine, path: str, data: bytes) -> Iterator[list[Completion]]:
    """Polls a database until the machine has seen all of it: what it drained after each poll."""
    connection = sqlite3.connect(":memory:")
    connection.deserialize(data)
    connection.row_factory = sqlite3.Row
    for _ in range(ROUNDS_MAX):
        while queries := machine.queries(path):
            for row in [row for query in queries for row in _rows(connection, query)]:
                machine.feed(row)
        yield machine.drain(idle=False)
        if not getattr(machine, "behind", False):
            break
    else:
        raise AssertionError(f"the machine is still behind after {ROUNDS_MAX} polls")
    connection.close()


def _rows(connection: sqlite3.Connection, query: Query) -> Iterator[Row]:
    there = {row[1] for row in connection.execute(f"PRAGMA table_info({query.table})")}
    if not there or not set(query.needs) <= there:
        return
    columns = ", ".join(_column(name, query) if name in there else f'NULL AS "{name}"' for name in query.columns)
    order = f" ORDER BY {query.order}" if query.order else ""
    for row in connection.execute(f"SELECT {columns} FROM {query.table} WHERE {query.where}{order}", query.params):
        yield Row(query.path, query.name, dict(row))


def _column(name: str, query: Query) -> str:
    return f'CAST("{name}" AS BLOB) AS "{name}"' if name in query.as_bytes else f'"{name}"'


def read(
    source: Source, files: Mapping[str, bytes], *, rng: random.Random | None = None, idle: bool = True
) -> dict[str, Completion]:
    """
    The units of a home by their first key, as a store would end up with them.

    Args:
        source: The source.
        files: The home.
        rng: Shuffles and interleaves the files, drains anywhere and pickles on the way; without it all is plain.
        idle: Drain once more as a reader does when nobody has touched the logs for long.
    """
    known: dict[str, Completion] = {}
    for group, claimed in claims(source, files).items():
        machine = source.open(group)
        streams = [_steps(path, claim, files[path[len(HOME) + 1 :]]) for path, claim in claimed.items()]
        for item in _mixed(streams, rng):
            if isinstance(item, Database):
                for completions in polls(machine, item.path, item.data):
                    store(known, completions)
            else:
                machine.feed(item)
            if rng is not None and rng.random() < 0.3:
                store(known, machine.drain(idle=False))
                machine = pickle.loads(pickle.dumps(machine))
        store(known, machine.drain(idle=False))
        if idle:
            store(known, machine.drain(idle=True))
    return known


def store(known: dict[str, Completion], completions: list[Completion]) -> None:
    """Takes completions in as a store does: one that shares a key with a known one replaces it."""
    for completion in completions:
        for key in [key for key, old in known.items() if set(old.keys) & set(completion.keys)]:
            del known[key]
        if not completion.void:
            known[completion.keys[0]] = completion


class Database(msgspec.Struct, frozen=True):
    """The bytes of a database file: one poll of it."""

    path: str
    data: bytes


Step = Item | Database


def _steps(path: str, claim: Claim, data: bytes) -> list[Step]:
    if claim.kind == "lines":
        return list(lines(path, data))
    return [Document(path, data)] if claim.kind == "document" else [Database(path, data)] * 2


def _mixed(streams: list[list[Step]], rng: random.Random | None) -> Iterator[Step]:
    if rng is None:
        for whole in streams:
            yield from whole
        return
    pending = [iter(stream) for stream in streams]
    run = rng.choice([0.0, 0.9])
    while pending:
        stream = rng.choice(pending)
        for step in stream:
            yield step
            if rng.random() > run:
                break
        else:
            pending.remove(stream)

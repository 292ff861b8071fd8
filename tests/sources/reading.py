"""A reader for tests: takes the files of a small synthetic home through a source, whole or cut up at random."""

import pickle
import random
import sqlite3
from collections.abc import Iterator, Mapping

from routerd.events import Completion
from routerd.sources.base import Claim, Document, Item, Line, Machine, Row, Source

HOME = "/home/user"
HEAD_BYTES = 64 * 1024
ROUNDS_MAX = 100


def claims(source: Source, files: Mapping[str, bytes]) -> dict[str, dict[str, Claim]]:
    """The claims of a home's files (paths relative to it), by group and absolute path."""
    groups: dict[str, dict[str, Claim]] = {}
    for relative, data in files.items():
        path = f"{HOME}/{relative}"
        for root in source.roots({"HOME": HOME}):
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


def poll(machine: Machine, path: str, data: bytes) -> None:
    """Puts the machine's queries to a database until it asks nothing more."""
    with sqlite3.connect(":memory:") as connection:
        connection.deserialize(data)
        connection.row_factory = sqlite3.Row
        for _ in range(ROUNDS_MAX):
            queries = machine.queries(path)
            if not queries:
                break
            for query in queries:
                there = {row[1] for row in connection.execute(f"PRAGMA table_info({query.table})")}
                if not there or not set(query.needs) <= there:
                    continue
                columns = ", ".join(f'"{name}"' if name in there else f'NULL AS "{name}"' for name in query.columns)
                order = f" ORDER BY {query.order}" if query.order else ""
                sql = f"SELECT {columns} FROM {query.table} WHERE {query.where}{order}"
                for row in connection.execute(sql, query.params):
                    machine.feed(Row(path, query.name, dict(row)))
        else:
            raise AssertionError(f"the machine still asks after {ROUNDS_MAX} rounds")
    connection.close()


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
        streams = [_items(path, claim, files[path[len(HOME) + 1 :]]) for path, claim in claimed.items()]
        for item in _mixed(streams, rng):
            if isinstance(item, Line | Document):
                machine.feed(item)
            else:
                poll(machine, *item)
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
        known[completion.keys[0]] = completion


Step = Item | tuple[str, bytes]


def _items(path: str, claim: Claim, data: bytes) -> list[Step]:
    if claim.kind == "lines":
        return list(lines(path, data))
    return [Document(path, data)] if claim.kind == "document" else [(path, data), (path, data)]


def _mixed(streams: list[list[Step]], rng: random.Random | None) -> Iterator[Step]:
    if rng is None:
        for stream in streams:
            yield from stream
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

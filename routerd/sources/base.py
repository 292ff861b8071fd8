"""What a source of completions is: a small machine that consumes the items of one group and says what it has seen end.

A source knows one kind of log: where it lies, which files belong together (a *group*: a session with its children, or
a database), and how its records spell tasks. It does no I/O. The reader feeds a group's items into the group's machine
in file order (the order *between* the files of a group is not fixed) and drains what changed:

    machine = source.open(group)
    for item in items:
        machine.feed(item)
    completions = machine.drain(idle=False)

Laws, which the suite for every source checks (`tests/sources/test_every_source.py`):

1. A completion's first key is the same on every reading, and `drain` gives a completion again only when it changed.
2. A machine built afresh from all items ends with the same completions, wherever the items were cut into drains.
3. `feed` raises nothing, whatever the bytes are: what it cannot read is counted in `quarantined`.
4. A machine's memory is bounded by what is open, not by what was read; it can be pickled.
"""

from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Any, Literal, Protocol

import msgspec

from routerd.events import Completion

FileKind = Literal["lines", "document", "database"]

IDLE_AFTER_S = 3600.0
"""A unit with no end in a log that nobody has touched for so long has ended, unknown (CONTRACT §4)."""

HEAD_BYTES = 64 * 1024
"""So much of a file may be looked at to claim it."""

GOAL_CHARS_MAX = 16_384
"""Of a task's text no more is kept in memory; features look at no more."""


class Line(msgspec.Struct, frozen=True):
    """One complete line of a log, without its newline; `offset` is where it begins in the (decompressed) file."""

    path: str
    offset: int
    data: bytes


class Document(msgspec.Struct, frozen=True):
    """The whole of a small file that is rewritten rather than appended to."""

    path: str
    data: bytes


class Row(msgspec.Struct, frozen=True, gc=False):
    """One row of a database: the name of the query that found it, and its columns (absent ones are None)."""

    path: str
    query: str
    values: dict[str, Any]


Item = Line | Document | Row


class Query(msgspec.Struct, frozen=True):
    """A question to a database. `columns` that the table does not have come back as None; no table, no rows.

    Attributes:
        name: Comes back on each `Row`.
        path: Which database file of the group.
        table: Table to read.
        columns: Columns wanted.
        where: SQL condition with `?` for `params`; it may name only columns of `needs`.
        needs: Columns without which the query gives no rows.
        order: SQL of ORDER BY, or empty.
        as_bytes: Columns of text that come as the bytes that they are, which spares long ones being decoded.
    """

    name: str
    path: str
    table: str
    columns: tuple[str, ...]
    where: str = "1"
    params: tuple[Any, ...] = ()
    needs: tuple[str, ...] = ()
    order: str = ""
    as_bytes: tuple[str, ...] = ()


class Claim(msgspec.Struct, frozen=True):
    """A file that a source reads: the group that it belongs to, and how it is read."""

    group: str
    kind: FileKind


class Machine(Protocol):
    """The memory of one group."""

    quarantined: int
    """Items that could not be read."""

    def feed(self, item: Item) -> None:
        """
        Takes in one item; never raises on what a log may hold.

        A machine whose logs a person writes may say what it could not use, and why, in a list `refused` of its own;
        the reader takes it from there.
        """

    def drain(self, *, idle: bool) -> list[Completion]:
        """
        The completions that are new or changed since the last drain, running ones included.

        Args:
            idle: Nobody has touched the group for `IDLE_AFTER_S`: what is still open has ended, unknown.
        """

    def queries(self, path: str) -> list[Query]:
        """
        What to ask the database `path` next; an empty list ends the poll. Line and document sources never ask.

        The reader runs them in one short read transaction, feeds the rows, and asks again until nothing is asked;
        the next poll begins after `drain`. A machine is asked for its next round only when all rows of the last one
        were fed: what fails is not fed at all, and run again later.
        """


class Source(Protocol):
    """One kind of log."""

    agent: str

    polled: bool
    """Its roots are looked at every second and its databases asked for changes, instead of being watched: for roots
    that hold much besides logs."""

    def roots(self, env: Mapping[str, str]) -> list[str]:
        """Directories where this agent keeps its logs, from its own variable or under `HOME`; they need not exist."""

    def enters(self, root: str, directory: str) -> bool:
        """Whether anything below `directory`, itself below `root`, may be claimed; elsewhere the walk does not go."""

    def claim(self, root: str, path: str, head: Callable[[], bytes]) -> Claim | None:
        """
        Whether and how a file below `root` is read.

        Args:
            root: One of `roots`.
            path: The file, absolute.
            head: Gives the first 64 KiB of the file; called only where the path does not tell enough.
        """

    def open(self, group: str) -> Machine:
        """A machine that has seen nothing yet."""


class Emitter:
    """Remembers what was given out, so that `drain` gives a completion again only when it changed."""

    def __init__(self) -> None:
        self._given: dict[str, bytes] = {}

    def changed(self, completions: list[Completion]) -> list[Completion]:
        """Those of `completions` that were not given out in this form before."""
        fresh = []
        for completion in completions:
            form = blake2b(msgspec.msgpack.encode(completion), digest_size=8).digest()
            if self._given.get(completion.keys[0]) != form:
                self._given[completion.keys[0]] = form
                fresh.append(completion)
        return fresh

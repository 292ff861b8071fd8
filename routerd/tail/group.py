"""
One group of files read into its machine: the synchronous half of the tail, the same in the daemon and in its child.

The reader keeps the machine and, for each file, how far it was taken in. `advance` takes in what is new, up to a
budget, and gives what the machine drained together with the checkpoints that belong to it. Where a file is not what it
was, the machine is thrown away and the whole group is read afresh: completions have stable ids, so nothing is counted
twice.
"""

import os
from collections.abc import Callable
from typing import Any

import msgspec
import zstandard

from routerd.events import Completion
from routerd.records import Seen
from routerd.sources import SOURCES
from routerd.sources.base import Document, FileKind, Line, Machine
from routerd.tail.checkpoint import HEAD_BYTES, MARKER_BYTES, Checkpoint, Identity, Stat, fate
from routerd.tail.files import BLOCK_BYTES, decompressed, document, look, opened
from routerd.tail.lines import LineSplitter
from routerd.tail.rows import Database, DatabaseUnreadable

DescribeFn = Callable[[Completion, str], Seen]


class Advance(msgspec.Struct, kw_only=True):
    """
    What one step of reading gave.

    Attributes:
        seen: Completions, new or changed.
        checkpoints: How far the files that were looked at are taken in now.
        bytes_read: For progress.
        done: Everything that is there was taken in.
        unreadable: Why files could not be read, by path.
    """

    seen: list[Seen]
    checkpoints: list[Checkpoint]
    bytes_read: int
    done: bool
    unreadable: dict[str, str]


def origin_of(agent: str, group: str) -> str:
    """The name of a group over all agents."""
    return f"{agent}:{group}"


class GroupReader:
    """
    Reads one group.

    Args:
        agent: Name in `SOURCES`.
        group: The group's name, as the source gave it.
        line_bytes_max: Longer lines are dropped.
    """

    def __init__(self, agent: str, group: str, *, line_bytes_max: int) -> None:
        self.agent = agent
        self.group = group
        self._line_bytes_max = line_bytes_max
        self._begin()

    def _begin(self) -> None:
        self.machine: Machine = SOURCES[self.agent].open(self.group)
        self._splitters: dict[str, LineSplitter] = {}
        self._identities: dict[str, Identity] = {}
        self._taken: dict[str, Stat] = {}
        self._running: list[frozenset[str]] = []
        self._given: dict[str, Checkpoint] = {}
        self._databases: dict[str, Database] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Connections stay behind: the next reading opens its own."""
        return {**self.__dict__, "_databases": {}}

    @property
    def open(self) -> bool:
        """Whether a unit still runs, as far as the group tells."""
        return bool(self._running)

    @property
    def quarantined(self) -> int:
        """Items that could not be read, too long lines among them."""
        return self.machine.quarantined + sum(splitter.dropped for splitter in self._splitters.values())

    def advance(
        self, files: dict[str, FileKind], describe: DescribeFn, *, now: float, idle_after_s: float, budget_bytes: int
    ) -> Advance:
        """
        Takes in what is new.

        Args:
            files: The group's files; ones that have vanished are passed over, what they said stays.
            describe: Makes of a completion what the store keeps.
            now: Unix seconds.
            idle_after_s: A group untouched for so long has no running units.
            budget_bytes: Stop after about so many bytes; `done` tells whether more is there.
        """
        stats = {path: stat for path, kind in files.items() if (stat := look(path, kind)) is not None}
        for path in self._given.keys() - stats.keys():
            del self._given[path]  # should it come back, whoever asks is told again how far it was read
        step = Advance(seen=[], checkpoints=[], bytes_read=0, done=True, unreadable={})
        if any(self._rewritten(path, files[path], stat) for path, stat in stats.items()):
            self._begin()
        for path, stat in stats.items():
            if self._taken.get(path) == stat and files[path] != "database":
                continue
            if step.bytes_read >= budget_bytes:
                step.done = False
                break
            try:
                self._take(path, files[path], stat, budget_bytes - step.bytes_read, step)
            except (OSError, zstandard.ZstdError, DatabaseUnreadable) as error:
                step.unreadable[path] = str(error)
        # A long history is read in parts, so that what is known of the first part is drained before the next; and what
        # a document says may ask for another look at the database.
        step.done = step.done and not getattr(self.machine, "behind", False)
        if step.done:
            self._take_rests()
        idle = step.done and all(now - stat.mtime_ns / 1e9 > idle_after_s for stat in stats.values())
        self._drain(describe, step, idle=idle)
        step.checkpoints = self._checkpoints(files)
        return step

    def _take_rests(self) -> None:
        """
        Takes in last lines that nobody ended, where they are whole: half an object is no object, and a whole one does
        not go on. Should it go on after all, the group is read afresh.
        """
        for path, splitter in self._splitters.items():
            if _is_object(splitter.rest):
                self.machine.feed(Line(path, *splitter.take_rest()))

    def _take(self, path: str, kind: FileKind, stat: Stat, budget: int, step: Advance) -> None:
        if kind == "lines" and not path.endswith(".zst"):
            self._lines(path, stat, budget, step)
            return
        if kind == "lines":
            with opened(path) as descriptor:
                self._compressed(path, descriptor)
        elif kind == "document":
            self.machine.feed(Document(path, document(path)))
        else:
            self._database(path).read(self.machine)
        step.bytes_read += max(0, stat.size - (self._taken[path].size if path in self._taken else 0))
        self._taken[path] = stat

    def _lines(self, path: str, stat: Stat, budget: int, step: Advance) -> None:
        splitter = self._splitters.setdefault(path, LineSplitter(line_bytes_max=self._line_bytes_max))
        feed = self.machine.feed
        with opened(path) as descriptor:
            while budget > 0 and (block := os.pread(descriptor, min(BLOCK_BYTES, budget), splitter.received)):
                budget -= len(block)
                step.bytes_read += len(block)
                for offset, line in splitter.push(block):
                    feed(Line(path, offset, line))
            self._identities[path] = _identity(descriptor, splitter.position)
        if splitter.received < stat.size:
            step.done = False
        else:
            # The file may have grown since it was looked at; then the next look differs and the rest is read.
            self._taken[path] = stat

    def _compressed(self, path: str, descriptor: int) -> None:
        splitter = LineSplitter(line_bytes_max=self._line_bytes_max)
        self._splitters[path] = splitter
        for block in decompressed(descriptor):
            for offset, line in splitter.push(block):
                self.machine.feed(Line(path, offset, line))

    def _database(self, path: str) -> Database:
        if path not in self._databases:
            self._databases[path] = Database(path)
        return self._databases[path]

    def _drain(self, describe: DescribeFn, step: Advance, *, idle: bool) -> None:
        for completion in self.machine.drain(idle=idle):
            keys = frozenset(completion.keys)
            self._running = [unit for unit in self._running if not unit & keys]
            if not completion.ended and not completion.void:
                self._running.append(keys)
            step.seen.append(describe(completion, origin_of(self.agent, self.group)))
        if idle:
            self._running = []

    def _rewritten(self, path: str, kind: FileKind, stat: Stat) -> bool:
        """Whether a file that was read is no longer the one that was read."""
        taken, identity = self._taken.get(path), self._identities.get(path)
        if kind == "lines" and path.endswith(".zst"):
            return taken is not None and taken != stat
        if kind != "lines" or identity is None or taken == stat:
            return False
        if taken is not None and taken.size == stat.size:
            return True  # written, and no longer than before: an old line was edited
        try:
            with opened(path) as descriptor:
                head = os.pread(descriptor, len(identity.head), 0)
                marker = os.pread(descriptor, len(identity.marker), identity.position - len(identity.marker))
                if (splitter := self._splitters[path]).rest_taken:
                    end = os.pread(descriptor, 2, splitter.received)
                    if end and not end.startswith((b"\n", b"\r\n")):
                        return True
        except OSError:
            return False
        return fate(identity, stat, head, marker) == "rewritten"

    def _checkpoints(self, files: dict[str, FileKind]) -> list[Checkpoint]:
        """Those that are new since they were last given."""
        fresh = []
        for path, stat in self._taken.items():
            splitter = self._splitters.get(path)
            checkpoint = Checkpoint(
                path=path,
                agent=self.agent,
                group=self.group,
                kind=files[path],
                stat=stat,
                position=splitter.position if splitter is not None else stat.size,
            )
            if self._given.get(path) != checkpoint:
                self._given[path] = checkpoint
                fresh.append(checkpoint)
        return fresh

    def changed(self) -> bool:
        """Whether somebody committed to one of the group's databases since it was read."""
        return any(database.changed() for database in self._databases.values())

    def close(self) -> None:
        """Lets go of open databases."""
        for database in self._databases.values():
            database.close()
        self._databases = {}


def _is_object(text: bytes) -> bool:
    if not text.rstrip().endswith(b"}"):
        return False
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _identity(descriptor: int, position: int) -> Identity:
    found = os.fstat(descriptor)
    marker = min(MARKER_BYTES, position)
    return Identity(
        dev=found.st_dev,
        ino=found.st_ino,
        position=position,
        head=os.pread(descriptor, min(HEAD_BYTES, position), 0),
        marker=os.pread(descriptor, marker, position - marker),
    )

"""
One group of files read into its machine: the synchronous half of the tail, the same in the daemon and in its child.

The reader keeps the machine and, for each file, how far it was taken in. `advance` takes in what is new, up to a
budget, and gives what the machine drained together with the checkpoints that belong to it. Where a file is not what it
was, the machine is thrown away and the whole group is read afresh: completions have stable ids, so nothing is counted
twice.

A file that no longer lies at its path (renamed, removed, replaced) is read on for a while, into the machine that it was
read into: who writes it may not know yet.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import msgspec
import zstandard

from routerd.events import Completion
from routerd.records import Seen
from routerd.sources import SOURCES
from routerd.sources.base import Document, FileKind, Line, Machine
from routerd.tail.checkpoint import Checkpoint, Stat, spelt
from routerd.tail.files import decompressed, document, look, opened
from routerd.tail.lines import LineSplitter
from routerd.tail.logfile import LogFile
from routerd.tail.rows import Database, DatabaseUnreadable

HELD_MAX = 4
"""So many files of a group, those written last, are held open."""
MOVED_S = 10.0
"""A file that has moved is read on for so long."""

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
        refused: What in them could not be used, and why, for a person; only where a source tells.
        afresh: A file was not what it was: the group is read from its beginning.
    """

    seen: list[Seen]
    checkpoints: list[Checkpoint]
    bytes_read: int
    done: bool
    unreadable: dict[str, str]
    refused: list[str] = []
    afresh: bool = False


def origin_of(agent: str, group: str) -> str:
    """The name of a group over all agents, as it is stored."""
    return f"{agent}:{spelt(group)}"


class _Moved(msgspec.Struct):
    """A file that no longer lies at its path, the machine that it was read into, and since when."""

    file: LogFile
    machine: Machine
    since: float


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
        self._held: dict[str, LogFile] = {}
        self._moved: list[_Moved] = []
        self._databases: dict[str, Database] = {}
        self._begin()

    def _begin(self) -> None:
        self.machine: Machine = SOURCES[self.agent].open(spelt(self.group))
        self._files: dict[str, LogFile] = {}
        self._dropped: dict[str, int] = {}
        self._taken: dict[str, Stat] = {}
        self._running: list[frozenset[str]] = []
        self._given: dict[str, Checkpoint] = {}
        self._written_at: float | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Open files stay behind: the next reading opens its own."""
        return {**self.__dict__, "_held": {}, "_moved": []}

    @property
    def open(self) -> bool:
        """Whether a unit still runs, as far as the group tells."""
        return bool(self._running)

    @property
    def moving(self) -> bool:
        """Whether files are read that no longer lie at their paths: `advance` is to be called now and then."""
        return bool(self._moved)

    @property
    def quarantined(self) -> int:
        """Items that could not be read, too long lines among them."""
        dropped = sum(file.splitter.dropped for file in self._files.values()) + sum(self._dropped.values())
        return self.machine.quarantined + dropped

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
        self._written_at = max((stat.mtime_ns / 1e9 for stat in stats.values()), default=self._written_at)
        for path in self._given.keys() - stats.keys():
            del self._given[path]  # should it come back, whoever asks is told again how far it was read
        step = Advance(seen=[], checkpoints=[], bytes_read=0, done=True, unreadable={})
        renamed = self._read_moved(stats, describe, step, now=now, budget=budget_bytes)
        if step.done and (renamed or any(self._rewritten(path, files[path], stat) for path, stat in stats.items())):
            self._drain(describe, step, idle=False)
            self._let_go(self._files)
            self._begin()
            step.afresh = True
        for path, stat in stats.items():
            if self._taken.get(path) == stat and files[path] != "database":
                continue
            if step.bytes_read >= budget_bytes or not step.done:
                step.done = False
                break
            try:
                self._take(path, files[path], stat, budget_bytes - step.bytes_read, step)
            except (OSError, zstandard.ZstdError, DatabaseUnreadable) as error:
                step.unreadable[path] = str(error)
        if self._half_read(files):
            step.done = True  # for now: who writes the database is in the way, and half a poll tells nothing
            return step
        # A long history is read in parts, so that what is known of the first part is drained before the next; and what
        # a document says may ask for another look at the database.
        behind = self._behind
        step.done = step.done and not behind
        if step.done:
            self._take_rests()
        # A file whose time is as far ahead of the clock is not being written either: who writes it sets it to now.
        idle = step.done and all(abs(now - stat.mtime_ns / 1e9) > idle_after_s for stat in stats.values())
        self._drain(describe, step, idle=idle)
        if not behind:
            step.checkpoints = self.checkpoints(files)
        return step

    # --- files that have moved --------------------------------------------------------------------------------------

    def _read_moved(
        self, stats: dict[str, Stat], describe: DescribeFn, step: Advance, *, now: float, budget: int
    ) -> bool:
        """
        Reads on what is no longer where it was, before anything else is made of what stands there now.

        Returns:
            Whether a file has another name in the group now, under which the machine would be told all of it again.
        """
        renamed = False
        for path, file in list(self._held.items()):
            if path not in stats or not file.is_at(stats[path]):
                self._moved.append(_Moved(self._held.pop(path), self.machine, now))
        for moved in self._moved.copy():
            with suppress(OSError):
                self._read_on(moved, budget - step.bytes_read, step)
            if moved.machine is not self.machine:
                step.seen += [self._described(one, describe) for one in moved.machine.drain(idle=False)]
            found = [path for path, stat in stats.items() if moved.file.is_at(stat)]
            if step.bytes_read >= budget:
                step.done = False
            elif found or not 0 <= now - moved.since < MOVED_S:
                renamed = renamed or any(path != moved.file.path for path in found)
                moved.file.close()
                self._moved.remove(moved)
        return renamed

    def _read_on(self, moved: _Moved, budget: int, step: Advance) -> None:
        if moved.file.rewritten(moved.file.state()):
            # Cut and written anew before it moved: a machine that knows nothing of what it said is told what it says.
            moved.file.begin_again()
            moved.machine = SOURCES[self.agent].open(spelt(self.group))
        self._feed(moved.machine, moved.file, budget, step)
        _take_rest(moved.machine, moved.file)

    def hold(self) -> None:
        """Opens the files that were read last, after the reader came from another process."""
        for path in list(self._files)[-HELD_MAX:]:
            with suppress(OSError):
                if self._files[path].open():
                    self._held[path] = self._files[path]

    def _hold(self, file: LogFile) -> None:
        """Holds a file open that was just read, and lets go of the one that was read longest ago."""
        self._held.pop(file.path, None)
        self._held[file.path] = file
        self._let_go(list(self._held)[:-HELD_MAX])

    def _let_go(self, paths: Iterable[str]) -> None:
        """Closes files, but for those that are read on although they have moved."""
        for path in paths:
            self._held.pop(path, None)
            if not any(moved.file is self._files[path] for moved in self._moved):
                self._files[path].close()

    # --- taking in --------------------------------------------------------------------------------------------------

    def _take_rests(self) -> None:
        for file in self._files.values():
            _take_rest(self.machine, file)

    def _take(self, path: str, kind: FileKind, stat: Stat, budget: int, step: Advance) -> None:
        if kind == "lines" and not path.endswith(".zst"):
            self._lines(path, stat, budget, step)
            return
        if kind == "lines":
            with opened(path) as descriptor:
                self._compressed(path, descriptor)
        elif kind == "document":
            self.machine.feed(Document(spelt(path), document(path)))
        elif not self._read_database(path):
            step.done = False
            return
        step.bytes_read += max(0, stat.size - (self._taken[path].size if path in self._taken else 0))
        self._taken[path] = stat

    def _lines(self, path: str, stat: Stat, budget: int, step: Advance) -> None:
        file = self._files.get(path) or LogFile(path, self._line_bytes_max)
        if not file.open():
            step.done = False  # replaced since it was looked at: the next look finds that
            return
        self._files[path] = file
        self._hold(file)
        self._feed(self.machine, file, budget, step)
        if file.splitter.received < stat.size:
            step.done = False
        else:
            # The file may have grown since it was looked at; then the next look differs and the rest is read.
            self._taken[path] = stat
            file.checked = file.checked or stat

    def _feed(self, machine: Machine, file: LogFile, budget: int, step: Advance) -> None:
        feed, path, splitter = machine.feed, spelt(file.path), file.splitter
        for block in file.blocks(budget):
            step.bytes_read += len(block)
            for offset, line in splitter.push(block):
                feed(Line(path, offset, line))

    def _compressed(self, path: str, descriptor: int) -> None:
        splitter = LineSplitter(line_bytes_max=self._line_bytes_max)
        for block in decompressed(descriptor):
            for offset, line in splitter.push(block):
                self.machine.feed(Line(spelt(path), offset, line))
        self._dropped[path] = splitter.dropped

    @property
    def _behind(self) -> bool:
        return bool(getattr(self.machine, "behind", False))

    def _half_read(self, files: Iterable[str]) -> bool:
        """Whether a database of these is to be read on before anything is told."""
        return any(self._databases[path].half_read for path in files if path in self._databases)

    def _read_database(self, path: str) -> bool:
        """Whether all that was there when the reading began is read; else there is more to read at once."""
        database = self._database(path)
        database.read(self.machine)
        return database.whole and not self._behind

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
            step.seen.append(self._described(completion, describe))
        step.refused += self._refused()
        if idle:
            self._running = []

    def _refused(self) -> list[str]:
        refused: list[str] = getattr(self.machine, "refused", [])
        told = refused.copy()
        refused.clear()
        return told

    def _described(self, completion: Completion, describe: DescribeFn) -> Seen:
        """What the store keeps. What ended, and nobody wrote down when, had ended when its files were last written."""
        if completion.ended and completion.ended_at is None and not completion.void:
            completion = msgspec.structs.replace(completion, ended_at=self._written_at)
        return describe(completion, self._origin)

    @property
    def _origin(self) -> str:
        return origin_of(self.agent, self.group)

    def _rewritten(self, path: str, kind: FileKind, stat: Stat) -> bool:
        """Whether a file that was read is no longer the one that was read."""
        taken, file = self._taken.get(path), self._files.get(path)
        if kind == "lines" and path.endswith(".zst"):
            return taken is not None and taken != stat
        if kind != "lines" or file is None or taken == stat:
            return False
        try:
            return file.rewritten(stat)
        except OSError:
            return False

    def checkpoints(self, files: dict[str, FileKind]) -> list[Checkpoint]:
        """How far the group's files are taken in, where that is new since it was last given."""
        if self._half_read(files):
            return []
        fresh = []
        for path, stat in self._taken.items():
            if path not in files:
                continue
            file = self._files.get(path)
            checkpoint = Checkpoint(
                path=path,
                agent=self.agent,
                group=self.group,
                kind=files[path],
                stat=stat,
                position=file.splitter.position if file is not None else stat.size,
                checked=file is None or file.checked == stat,
            )
            if self._given.get(path) != checkpoint:
                self._given[path] = checkpoint
                fresh.append(checkpoint)
        return fresh

    def changed(self) -> bool:
        """Whether somebody committed to one of the group's databases since it was read."""
        return any(database.changed() for database in self._databases.values())

    def check(self) -> bool:
        """
        Whether all that was taken of the files that grew is still there, read again to the last byte: finds an old line
        that was edited in a file that went on growing. What is not is read afresh by the next `advance`.
        """
        whole = True
        for path, file in self._files.items():
            stat = self._taken.get(path)
            if stat is None or stat == file.checked:
                continue
            with suppress(OSError):
                if file.check():
                    file.checked = stat
                else:
                    del self._taken[path]
                    whole = False
            if path not in self._held:
                self._let_go([path])
        return whole

    def close(self) -> None:
        """Lets go of open files and databases."""
        for file in [*self._files.values(), *(moved.file for moved in self._moved)]:
            file.close()
        self._held, self._moved = {}, []
        for database in self._databases.values():
            database.close()


def _take_rest(machine: Machine, file: LogFile) -> None:
    """
    Takes in a last line that nobody ended, where it is whole: half an object is no object, and a whole one does not go
    on. Should it go on after all, the file is read afresh.
    """
    if _is_object(file.splitter.rest):
        machine.feed(Line(spelt(file.path), *file.splitter.take_rest()))


def _is_object(text: bytes) -> bool:
    if not text.rstrip().endswith(b"}"):
        return False
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True

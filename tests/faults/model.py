"""
A model of logs: a list of lines for each file, beside the files themselves, and the real tail and store that read them.

What may happen to logs is a list of steps; each is done to the model and to real files. Between them the tail looks, is
stopped, started or killed. The oracles, after any steps: every line that stands in a file is known with what it says
(L), nothing is known that never stood there whole (T), and what the writer told of changes is what is on disk (D).
"""

import itertools
import json
import os
import shutil
import sqlite3
from collections import deque
from collections.abc import Collection, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from routerd.store import database
from tests.faults.life import Life, fold

NAMES = ("a.jsonl", "b.jsonl")
TICK_NS = 10_000_000
"""A change of the same length within one tick of the kernel's clock (4 ms) shows nowhere: steps are further apart."""

ENDS = frozenset({"restart", "kill", "read_and_kill"})
"""Steps after which another life begins."""

Step = tuple[Any, ...]


class Line(msgspec.Struct):
    """A line as it stands in a file."""

    number: int
    value: int
    data: bytes


class World:
    """
    The model, the files, and whoever reads them.

    Args:
        home: A new directory.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.logs = home / "logs"
        self.logs.mkdir()
        (home / "state").mkdir()
        self.files: dict[str, list[Line]] = {}
        self.partial: dict[str, tuple[Line, int]] = {}
        self.said: dict[int, set[int]] = {}
        """Every value that ever stood in a whole line, by number."""
        self.owed: set[int] = set()
        """What must be known at the next look, wherever it stands by then."""
        self.copied: set[int] = set()
        """
        What stood in files of two names. Of two that differ the one that tells more is believed, and of equals the one
        whose name is later: so an edit in one of them may go unheeded.
        """
        self.touched: set[str] = set()
        """Files that came or changed in the present life."""
        self.held: set[str] = set()
        """Those of them that it has read since: it holds them open. A file that is as the last life left it is not."""
        self.life: Life
        self._next = 0
        self._rotations = 0
        self._now_ns = 0
        self._left: Path | None = None

    async def play(self, steps: Sequence[Step]) -> None:
        """Does all steps and checks the oracles at every look."""
        left = deque([*steps, ("look",), ("compare",)])
        while left:
            self.held.clear()
            self.touched.clear()
            async with Life.begun(self.home) as self.life:
                while left:
                    name, *arguments = left.popleft()
                    done = getattr(self, name)(*arguments)
                    if done is not None:
                        await done
                    if name in ENDS:
                        self._keep_owed(())
                        break
            if self._left is not None:
                shutil.rmtree(self.home / "state")
                self._left.rename(self.home / "state")
                self._left = None

    # --- what agents and people do to logs ---------------------------------------------------------------------------

    def append(self, name: str, count: int) -> None:
        """Whole lines at the end."""
        self._end_partial(name)
        lines = [self._line() for _ in range(count)]
        self._write(name, lines)

    def part(self, name: str, share: float) -> None:
        """The beginning of a line, which some later step may complete."""
        self._end_partial(name)
        line = self._line(whole=False)
        cut = max(1, int(len(line.data) * share))
        if cut >= len(line.data) - 1:  # whole but for its end: it counts
            self._say(line)
            self.owed.add(line.number)
        self.files.setdefault(name, [])
        self.partial[name] = (line, cut)
        self._put(name, line.data[:cut], "ab")

    def rotate(self, name: str, unread: int) -> None:
        """Renamed to another name of a log, after so many more lines."""
        if name in self.files:
            self.append(name, unread)
            self._rotations += 1
            self._rename(name, f"{name.removesuffix('.jsonl')}.{self._rotations}.jsonl")

    def rotate_away(self, name: str, unread: int) -> None:
        """Renamed to a name that is no log's, after so many more lines: what was held open is read to its end."""
        if name in self.files:
            self._write(name, [self._line() for _ in range(unread)] if name not in self.partial else [])
            self._forget(name)
            self._rotations += 1
            (self.logs / name).rename(self.logs / f"{name}.{self._rotations}")

    def delete(self, name: str, unread: int) -> None:
        """Removed, after so many more lines."""
        if name in self.files:
            self._write(name, [self._line() for _ in range(unread)] if name not in self.partial else [])
            self._forget(name)
            (self.logs / name).unlink()

    def copy_truncate(self, name: str, count: int) -> None:
        """Copied to another log, cut to nothing, and written to again."""
        if name not in self.files:
            return
        self._end_partial(name)
        self._rotations += 1
        copy = f"{name.removesuffix('.jsonl')}.{self._rotations}.jsonl"
        shutil.copy(self.logs / name, self.logs / copy)
        self.files[copy] = [msgspec.structs.replace(line) for line in self.files[name]]
        self.copied |= {line.number for line in self.files[copy]}
        self.touched.add(copy)
        self._anew(name, [self._line() for _ in range(count)])

    def truncate(self, name: str, count: int) -> None:
        """Cut to nothing, and written to again, maybe past its old end."""
        if name in self.files:
            self._drop_unread(name)
            self._anew(name, [self._line() for _ in range(count)])

    def replace(self, name: str, count: int) -> None:
        """Another file with the same lines and more is renamed over it."""
        if name not in self.files:
            return
        self._end_partial(name)
        lines = [*self.files[name], *(self._line() for _ in range(count))]
        (self.logs / "new").write_bytes(b"".join(line.data for line in lines))
        (self.logs / "new").rename(self.logs / name)
        self.files[name] = lines
        self._moved(name, name)
        self.owed |= {line.number for line in lines}

    def undo(self, name: str, back: int, count: int) -> None:
        """The last lines are cut off, and others written."""
        if name not in self.files:
            return
        self._end_partial(name)
        kept = self.files[name][: max(0, len(self.files[name]) - back)]
        self._drop_unread(name, keep=kept)
        self._anew(name, [*kept, *(self._line() for _ in range(count))])

    def edit(self, name: str, place: float, longer: bool, more: int) -> None:
        """An old line says something else, in as many bytes or more, and so many lines follow."""
        if not self.files.get(name):
            return
        self._end_partial(name)
        lines = self.files[name]
        line = lines[int(place * len(lines))]
        line.value = 10**8 + (line.value + 1) % 10**7 if longer else 10**6 + (line.value + 1) % 10**6
        line.data = row(line.number, line.value)
        self._say(line)
        self._anew(name, [*lines, *(self._line() for _ in range(more))])

    def hole(self, name: str, count: int) -> None:
        """Cut to nothing while its writer goes on at its old offset."""
        if name not in self.files:
            return
        self._drop_unread(name)
        path, lines = self.logs / name, [self._line() for _ in range(count)]
        with path.open("r+b") as writer:
            writer.seek(0, os.SEEK_END)
            os.truncate(path, 0)
            writer.write(b"".join(line.data for line in lines))
        self._tick(name)
        self.files[name] = lines
        self.owed |= {line.number for line in lines}

    # --- what happens to the daemon ----------------------------------------------------------------------------------

    async def look(self) -> None:
        """A rescan; then every line that could be read by now is known."""
        await self.life.look()
        self.held |= self.touched
        self.touched.clear()
        known = self._known()
        missing = (self.owed | {line.number for lines in self.files.values() for line in lines}) - known.keys()
        assert not missing, f"lost: {missing}"
        for number, value in known.items():
            assert value in self.said.get(number, set()), f"never written: {number} with {value}"
        self.owed.clear()
        self._check_fold()

    async def compare(self) -> None:
        """The seldom rescan; then every line that stood in one file alone is known with what it says now."""
        await self.life.compare()
        known = self._known()
        standing: dict[int, set[int]] = {}
        for lines in self.files.values():
            for line in lines:
                standing.setdefault(line.number, set()).add(line.value)
        for number, values in standing.items():
            if number in self.copied:
                continue
            assert known[number] in values, f"{number} is known as {known[number]}, and says {values}"
        self._check_fold()

    def restart(self) -> None:
        """Stopped as systemd stops it, and started again."""

    def kill(self) -> None:
        """
        Killed: what is in its files at this moment is all that is left, and the next one starts on that.

        Copies of the files while it writes are just that, as long as the log is not folded into the database, which is
        not done before 4 MB.
        """
        self._left = self.home / "left"
        self._left.mkdir()
        for suffix in ("", "-wal"):
            path = self.home / "state" / f"routerd.db{suffix}"
            if path.exists():
                shutil.copy(path, self._left / path.name)

    async def read_and_kill(self, writes: int) -> None:
        """Killed while it reads, after so many writes: the rest of what it read is lost with it."""
        left = itertools.count(1 - writes)

        def count() -> None:
            if next(left) == 0:
                self.kill()

        self.life.on_written = count
        await self.life.look()
        if self._left is None:
            self.kill()

    # --- the files ---------------------------------------------------------------------------------------------------

    def _line(self, *, whole: bool = True) -> Line:
        self._next += 1
        line = Line(self._next, 10**6 + self._next, row(self._next, 10**6 + self._next))
        if whole:
            self._say(line)
        return line

    def _say(self, line: Line) -> None:
        self.said.setdefault(line.number, set()).add(line.value)

    def _end_partial(self, name: str) -> None:
        """What was begun is ended, before anything else is written."""
        if name in self.partial:
            line, cut = self.partial.pop(name)
            self._say(line)
            self._put(name, line.data[cut:], "ab")
            self.files[name].append(line)
            self.owed.add(line.number)

    def _write(self, name: str, lines: list[Line]) -> None:
        self._put(name, b"".join(line.data for line in lines), "ab")
        self.files.setdefault(name, []).extend(lines)
        self.owed |= {line.number for line in lines}

    def _anew(self, name: str, lines: list[Line]) -> None:
        """Written anew in place."""
        self.partial.pop(name, None)
        self._put(name, b"".join(line.data for line in lines), "r+b")
        self.files[name] = lines
        self.owed |= {line.number for line in lines}

    def _put(self, name: str, data: bytes, mode: str) -> None:
        with (self.logs / name).open(mode) as file:
            if mode == "r+b":
                file.truncate(0)
            file.write(data)
        self._tick(name)

    def _tick(self, name: str) -> None:
        """No two changes in one tick of the clock."""
        self.touched.add(name)
        path = self.logs / name
        found = path.stat()
        self._now_ns = max(self._now_ns + TICK_NS, found.st_mtime_ns)
        os.utime(path, ns=(self._now_ns, self._now_ns))

    def _rename(self, old: str, new: str) -> None:
        (self.logs / old).rename(self.logs / new)
        self.files[new] = self.files.pop(old)
        self.copied |= {line.number for line in self.files[new]}
        if old in self.partial:
            self.partial[new] = self.partial.pop(old)
        self._moved(old, new)

    def _moved(self, old: str, new: str) -> None:
        """Another file stands there than was read."""
        self.held.discard(old)
        self.touched.discard(old)
        self.touched.add(new)

    def _forget(self, name: str) -> None:
        """A file is gone from the model; where nobody holds it open, what was not read of it is owed no more."""
        lines = self.files.pop(name)
        if name in self.partial:
            lines.append(self.partial.pop(name)[0])
        if name not in self.held:
            self._drop(lines)
        self.held.discard(name)
        self.touched.discard(name)

    def _drop_unread(self, name: str, keep: Sequence[Line] = ()) -> None:
        """Bytes are gone: what was not read of them is owed no more."""
        lines, self.files[name] = self.files[name], list(keep)
        self._drop(lines)
        if name in self.partial:
            self._drop([self.partial.pop(name)[0]])

    def _drop(self, lines: Sequence[Line]) -> None:
        self._keep_owed(self.owed - {line.number for line in lines})

    def _keep_owed(self, numbers: Collection[int]) -> None:
        """Only these are still owed, and what stands in a file: what was held open is gone with who held it."""
        standing = {line.number for rest in self.files.values() for line in rest}
        self.owed &= standing | {line.number for line, _ in self.partial.values()} | set(numbers)

    # --- what is known -----------------------------------------------------------------------------------------------

    def _known(self) -> dict[int, int]:
        with closing(sqlite3.connect(self.home / "state" / "routerd.db")) as connection:
            found = connection.execute("SELECT id, wall_time_ms FROM outcomes").fetchall()
        return {int(identity.rpartition(":")[2]): value for identity, value in found}

    def _check_fold(self) -> None:
        """What was told of changes, one by one, adds up to what is on disk."""
        on_disk: list[bytes] = []
        with closing(database.read_only(self.home / "state" / "routerd.db")) as connection:
            database.refold(connection, lambda _: False, lambda old, new: fold(on_disk, old, new))
        assert sorted(on_disk) == sorted(self.life.folded)


def row(number: int, value: int) -> bytes:
    """A line; all of one number are equally long but for the digits of their values. Every third is a long one."""
    values = {
        "id": str(number),
        "task": {"goal": f"task {number} é" + f" {number}" * (1500 if number % 3 == 0 else 0)},
        "dispatch": {"executor": "delegate", "model": "m"},
        "succeeded": True,
        "wall_time_ms": value,
        "at": 1_790_000_000,
    }
    return json.dumps(values, ensure_ascii=False).encode() + b"\n"

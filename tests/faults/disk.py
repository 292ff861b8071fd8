# ruff: noqa: N802 - the names are those of SQLite
"""
A disk that remembers: every write, truncation, sync and deletion of a SQLite database, in their order.

From that can be said, for any moment, what is left of the files when the process is killed there (all that was written,
for the kernel has it) and when the power fails there (what was synced, and of the rest whatever the disk happened to
have written: nothing, a beginning, any part, a write torn in two).
"""

import asyncio
import itertools
import random
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import apsw
import msgspec

T = TypeVar("T")

SECTOR = 512
_names = itertools.count()


class Op(msgspec.Struct, frozen=True):
    """Something that was done to a file: `data` at `at`, cut to `at` bytes, synced, or deleted."""

    kind: str
    file: str
    at: int = 0
    data: bytes = b""


class Disk:
    """
    The files of one database, in memory, as a VFS of SQLite.

    Args:
        files: What lies there, safely, by the end of its name: `""` is the database, `"-wal"` its log.

    Attributes:
        ops: All that was done since.
    """

    def __init__(self, files: dict[str, bytes]) -> None:
        self.first = dict(files)
        self.files = {name: bytearray(data) for name, data in files.items()}
        self.ops: list[Op] = []
        self.name = f"remembers-{next(_names)}"
        self.vfs = _Vfs(self)

    def do(self, op: Op) -> None:
        """Does and remembers it."""
        self.ops.append(op)
        _apply(self.files, op)

    def killed(self, moment: int) -> dict[str, bytearray]:
        """The files after a kill before the operation of this number."""
        files = {name: bytearray(data) for name, data in self.first.items()}
        for op in self.ops[:moment]:
            _apply(files, op)
        return files

    def unpowered(self, moment: int, rng: random.Random, how: str) -> dict[str, bytearray]:
        """
        The files after a power failure before the operation of this number.

        Args:
            moment: Number of the operation.
            rng: Decides what the disk had written of what nobody had told it to.
            how: What is left of that: `none`, a `prefix`, or any `part` of it, the last write torn.
        """
        files = {name: bytearray(data) for name, data in self.first.items()}
        unsynced: list[Op] = []
        for op in self.ops[:moment]:
            if op.kind == "sync":
                for one in unsynced:
                    if one.file == op.file:
                        _apply(files, one)
                unsynced = [one for one in unsynced if one.file != op.file]
            else:
                unsynced.append(op)
        if how == "prefix":
            unsynced = unsynced[: rng.randrange(len(unsynced) + 1)]
        elif how == "part":
            unsynced = [_torn(op, rng) if rng.random() < 0.2 else op for op in unsynced if rng.random() < 0.5]
        for op in unsynced if how != "none" else ():
            _apply(files, op)
        return files

    def connect(self) -> "Connection":
        """A connection to the database on this disk."""
        connection = apsw.Connection("/db", vfs=self.name)
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")  # so that the log needs no shared memory
        return Connection(connection)


def _apply(files: dict[str, bytearray], op: Op) -> None:
    if op.kind == "delete":
        files.pop(op.file, None)
        return
    data = files.setdefault(op.file, bytearray())
    if op.kind == "truncate":
        del data[op.at :]
    elif op.kind == "write":
        if len(data) < op.at:
            data.extend(bytes(op.at - len(data)))
        data[op.at : op.at + len(op.data)] = op.data


def _torn(op: Op, rng: random.Random) -> Op:
    """Only some sectors of a write."""
    return msgspec.structs.replace(op, data=op.data[: rng.randrange(len(op.data) // SECTOR + 1) * SECTOR])


class _Vfs(apsw.VFS):
    def __init__(self, disk: Disk) -> None:
        self.disk = disk
        super().__init__(disk.name, "")

    def xOpen(self, name: Any, flags: list[int]) -> "_File":  # type: ignore[override]
        flags[1] = flags[0]
        path = str(name.filename()) if isinstance(name, apsw.URIFilename) else str(name)
        return _File(self.disk, path.removeprefix("/db"))

    def xDelete(self, filename: str, syncdir: bool) -> None:
        self.disk.do(Op("delete", filename.removeprefix("/db")))

    def xAccess(self, pathname: str, flags: int) -> bool:
        return pathname.removeprefix("/db") in self.disk.files

    def xFullPathname(self, name: str) -> str:
        return name


class _File:
    """A file as SQLite sees it; nobody else has it, so locks mean nothing."""

    def __init__(self, disk: Disk, name: str) -> None:
        self.disk = disk
        self.name = name
        disk.files.setdefault(name, bytearray())

    def xRead(self, amount: int, offset: int) -> bytes:
        return bytes(self.disk.files[self.name][offset : offset + amount])

    def xWrite(self, data: bytes, offset: int) -> None:
        self.disk.do(Op("write", self.name, offset, bytes(data)))

    def xTruncate(self, newsize: int) -> None:
        self.disk.do(Op("truncate", self.name, newsize))

    def xSync(self, flags: int) -> None:
        self.disk.do(Op("sync", self.name))

    def xFileSize(self) -> int:
        return len(self.disk.files[self.name])

    def xFileControl(self, op: int, ptr: int) -> bool:
        return False

    def xCheckReservedLock(self) -> bool:
        return False

    def xLock(self, level: int) -> None:
        pass

    def xUnlock(self, level: int) -> None:
        pass

    def xClose(self) -> None:
        pass

    def xSectorSize(self) -> int:
        return SECTOR

    def xDeviceCharacteristics(self) -> int:
        return 0


class Connection:
    """A connection of apsw that speaks as one of sqlite3, and runs what the writer does in its thread."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    async def run(self, work: Callable[[Any], T]) -> T:
        """See `database.Connection`."""
        await asyncio.sleep(0)  # as one that waits for a thread: others go on meanwhile
        return work(self)

    @property
    def in_transaction(self) -> bool:
        return self._connection.in_transaction

    def execute(self, sql: str, values: Sequence[Any] = ()) -> apsw.Cursor:
        return self._told(lambda: self._connection.execute(sql, values))

    def executemany(self, sql: str, values: Iterable[Sequence[Any]]) -> None:
        self._told(lambda: self._connection.executemany(sql, values).fetchall())

    def close(self) -> None:
        self._connection.close()

    def _told(self, what: Callable[[], T]) -> T:
        """Errors by the names that sqlite3 has for them."""
        try:
            return what()
        except apsw.Error as error:
            raise sqlite3.OperationalError(str(error)) from error


def put(files: dict[str, bytearray], path: Path) -> None:
    """Lays the files of a database where it can be opened."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        place = path.with_name(path.name + suffix)
        place.unlink(missing_ok=True)
        if suffix in files:
            place.write_bytes(files[suffix])

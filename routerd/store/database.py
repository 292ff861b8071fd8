"""
The database file: opened, brought to the present shape, or set aside when it cannot be read.

A database of an older routerd is migrated in one transaction a step; one of a newer routerd is refused and left
untouched; a corrupt one is renamed, never deleted, and a new one is filled from the logs.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import aiosqlite
import msgspec
import structlog

from routerd.errors import StoreError
from routerd.events import Contribution
from routerd.store.rows import contribution_of, file_of, whole_contribution
from routerd.store.schema import migrations, queries
from routerd.tail.checkpoint import Checkpoint

log = structlog.get_logger(__name__)

SCHEMA_VERSION = len(migrations())
CHECKED_BYTES_MAX = 64 * 1024 * 1024
"""Up to this size every page is looked at when the database is opened (about 0.1 s); beyond it, start-up would wait."""

WAIT_S = 2.0
"""For another process that has the database, at the start."""

SETTINGS = ("PRAGMA synchronous = FULL", "PRAGMA busy_timeout = 1000", "PRAGMA journal_size_limit = 67108864")
"""Of the writing connection. FULL: what was committed is there after a power failure too."""

T = TypeVar("T")
Fold = Callable[[Contribution | None, Contribution | None], None]


def prepare(path: Path, now: float) -> Path | None:
    """
    Makes sure that a usable database of the present shape lies at `path`.

    Args:
        path: The database file; its directory exists.
        now: Unix seconds, for the name of what is set aside.

    Returns:
        Where a corrupt database was moved to, or None.

    Raises:
        StoreError: It is of a newer routerd, or cannot be opened or written.
    """
    try:
        _refuse_newer(path)
        if _mark(path).exists():
            aside = set_aside(path, now)
            _mark(path).unlink()  # before anything new is written: no start may set that aside
            _migrate(path)
            return aside
        _migrate(path)
    except sqlite3.DatabaseError as error:
        if not is_corrupt(error):
            raise StoreError(f"{path}: cannot be used: {error}; check the disk and the file's permissions") from None
        aside = set_aside(path, now)
        _migrate(path)
        return aside
    return None


def is_corrupt(error: sqlite3.Error) -> bool:
    """Whether an error says that the file is damaged, and not that the disk, permissions or others are in the way."""
    return isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError)


def mark_damaged(path: Path) -> None:
    """Has the next start set the database aside: in a large one it would not look for damage."""
    _mark(path).touch()


def _mark(path: Path) -> Path:
    return path.with_name(f"{path.name}.damaged")


def at_its_place(path: Path) -> Callable[[], None]:
    """A function that raises `sqlite3.OperationalError` once another file, or none, lies where one lies now."""

    def identity() -> tuple[int, int] | None:
        try:
            found = os.stat(path)
        except OSError:
            return None
        return found.st_dev, found.st_ino

    opened = identity()

    def check() -> None:
        if identity() != opened:
            raise sqlite3.OperationalError(f"{path} was moved or deleted below the running daemon: restart routerd")

    return check


class Connection(aiosqlite.Connection):
    """A connection in a thread of its own, in which a whole transaction is one call."""

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """What `work` gives, called in the thread; once begun it is done, whoever cancels."""
        found: T = await self._execute(work, self._conn)  # type: ignore[no-untyped-call]
        return found


async def connect(path: Path) -> Connection:
    """The writing connection; transactions are begun and ended by hand."""
    connection = Connection(lambda: sqlite3.connect(path, isolation_level=None), iter_chunk_size=64)
    await connection
    await connection.run(_set)
    return connection


def _set(connection: sqlite3.Connection) -> None:
    connection.text_factory = text_of
    for setting in SETTINGS:
        connection.execute(setting)


def text_of(data: bytes) -> str:
    """
    A text as it is stored. One in which bits have changed is no UTF-8 any more: then it is a damaged text, in one row,
    where SQLite's own reading would be an error for whoever reads any row beside it.
    """
    return data.decode("utf-8", "replace")


def read_only(path: Path) -> sqlite3.Connection:
    """
    A connection that cannot write.

    Raises:
        StoreError: There is no database, or it cannot be read.
    """
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=5.0)
        connection.text_factory = text_of
        version = connection.execute("PRAGMA user_version").fetchone()[0]
    except sqlite3.Error as error:
        raise StoreError(f"{path}: cannot be read: {error}; has routerd run yet?") from None
    if version != SCHEMA_VERSION:
        connection.close()
        raise StoreError(f"{path}: is of schema {version}, this routerd reads {SCHEMA_VERSION}: run routerd once")
    return connection


def checkpoints(connection: sqlite3.Connection) -> Iterator[Checkpoint]:
    """How far each file was read."""
    return map(file_of, connection.execute(queries()["files"]))


def running(connection: sqlite3.Connection) -> set[str]:
    """The origins (groups) of units that had not ended when they were last read."""
    return {row[0] for row in connection.execute(queries()["running"])}


def refold(connection: sqlite3.Connection, restore: Callable[[bytes], bool], fold: Fold) -> int:
    """
    Brings the engine to the fold of the rows on disk: from the snapshot and what changed since, else from all rows.

    Args:
        connection: Any connection to the database.
        restore: Takes a snapshot; False when it is of another version.
        fold: Takes back one contribution and adds another.

    Returns:
        The number of contributions that were folded.
    """
    sql, count = queries(), 0
    stored = connection.execute(sql["snapshot"]).fetchone()
    if stored is not None and restore(stored[1]):
        for old, text, features in connection.execute(sql["changed"]):
            fold(whole_contribution(old), contribution_of(text, features))
            count += 1
        return count
    for contribution in learnt(connection):
        fold(None, contribution)
        count += 1
    return count


def learnt(connection: sqlite3.Connection) -> Iterator[Contribution]:
    """What every outcome contributes; a row that is damaged contributes nothing, and is told of."""
    for text, features in connection.execute(queries()["learnt"]):
        try:
            contribution = contribution_of(text, features)
        except msgspec.DecodeError as error:
            log.error("an outcome in the database is damaged: left out", error=str(error))
            continue
        assert contribution is not None
        yield contribution


def _refuse_newer(path: Path) -> None:
    """
    Looks at the version without writing: to open a newer database for writing could already change it.

    Raises:
        StoreError: It is of a newer routerd.
    """
    if not path.exists():
        return
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=WAIT_S)) as connection:
        try:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
        except sqlite3.OperationalError:
            return  # its log cannot be read without writing: who may write is told what is wrong
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"{path}: was written by a newer routerd (schema {version}, this one knows {SCHEMA_VERSION}): "
            "upgrade routerd, or start it with another --state-dir"
        )


def _migrate(path: Path) -> None:
    """
    Brings the database at `path` to `SCHEMA_VERSION`.

    A step and its `user_version` are one transaction: a crash leaves the database at the step before.
    """
    old_mask = os.umask(0o077)  # SQLite creates the file, its WAL and its shared memory with these permissions
    try:
        with closing(sqlite3.connect(path, isolation_level=None, timeout=WAIT_S)) as connection:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            for step, script in enumerate(migrations()[version:], start=version + 1):
                connection.executescript(f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {step};\nCOMMIT;")
            small = path.stat().st_size <= CHECKED_BYTES_MAX
            if small and connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
                raise sqlite3.DatabaseError("quick_check failed")
    finally:
        os.umask(old_mask)


def set_aside(path: Path, now: float) -> Path:
    """Renames a corrupt database with its WAL; what is in it may still be rescued by hand."""
    aside = path.with_name(f"{path.name}.corrupt-{int(now)}")
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    log.error("database is corrupt: set aside, a new one is filled from the logs", path=str(path), aside=str(aside))
    return aside

"""
Keeps a bank like the database: one document for each ended outcome.

What was sent is kept beside the database, a digest for each outcome, and written down after the server has said that it
has it. So a run that died, at whatever moment, is gone on with: at worst a batch is sent twice, which changes nothing.

A pass over what was written lately follows the rowids, for a row that changes moves to the end. A pass over the whole
finds what that cannot see: outcomes that are gone because they turned out to be part of others.
"""

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from hashlib import blake2b
from pathlib import Path
from typing import Final, Protocol

import msgspec
import structlog

from routerd.errors import StoreError
from routerd.integrations.hindsight import Refused
from routerd.integrations.outcome_documents import Document, document
from routerd.store import reader
from routerd.store.database import read_only
from routerd.store.reader import Ended

log = structlog.get_logger(__name__)

ROWS_READ: Final = 500
BATCH: Final = 20
"""Documents in one request; a server without a model takes some 30 ms for each."""
GONE_SHARE_MAX: Final = 0.1
GONE_MAX: Final = 20
"""If more is gone at once, the database is another one, and the mirror is what is left of the old."""


class BankLike(Protocol):
    """Where documents go."""

    async def make(self) -> bool:
        """Creates it where it is not there; whether it was not."""

    async def retain(self, documents: Sequence[Document]) -> None:
        """Puts them there."""

    async def forget(self, document_id: str) -> None:
        """Takes one out."""


class Pass(msgspec.Struct):
    """What one pass did. `kept` are documents that are no longer told of, and were left where they are."""

    sent: int = 0
    forgotten: int = 0
    refused: int = 0
    kept: int = 0

    def __bool__(self) -> bool:
        return any(msgspec.structs.astuple(self))


class Sent:
    """
    Digests of what the server has, by outcome, in a file of its own.

    Raises:
        sqlite3.Error: It cannot be used.
    """

    def __init__(self, path: Path) -> None:
        old_mask = os.umask(0o077)
        try:
            self._connection = sqlite3.connect(path, isolation_level=None)
            self._connection.execute("CREATE TABLE IF NOT EXISTS sent (id TEXT PRIMARY KEY, digest TEXT) WITHOUT ROWID")
        finally:
            os.umask(old_mask)

    def close(self) -> None:
        """Nothing is pending: every change is a transaction."""
        self._connection.close()

    def digests(self, ids: Sequence[str]) -> dict[str, str]:
        """What was sent of these."""
        return dict(
            self._connection.execute(
                "SELECT id, digest FROM sent WHERE id IN (SELECT value FROM json_each(?))",
                (msgspec.json.encode(ids).decode(),),
            )
        )

    def ids(self) -> set[str]:
        """All that was sent."""
        return {row[0] for row in self._connection.execute("SELECT id FROM sent")}

    def add(self, digests: Iterable[tuple[str, str]]) -> None:
        """These are on the server."""
        with self._connection:
            self._connection.execute("BEGIN")
            self._connection.executemany("INSERT OR REPLACE INTO sent (id, digest) VALUES (?, ?)", digests)

    def clear(self) -> None:
        """Nothing is there."""
        self._connection.execute("DELETE FROM sent")

    def drop(self, document_id: str) -> None:
        """This is no longer there."""
        self._connection.execute("DELETE FROM sent WHERE id = ?", (document_id,))


def sent_path(state: Path, url: str, bank: str) -> Path:
    """Where it is kept what a bank of a server has."""
    name = blake2b(f"{url.rstrip('/')} {bank}".encode(), digest_size=6).hexdigest()
    return state / f"hindsight-{name}.db"


class Mirror:
    """
    Sends what has changed.

    Args:
        bank: Where to.
        database: routerd's own, read only.
        sent: What is there.
        text: Goals go along, where the database has them.
    """

    def __init__(self, bank: BankLike, database: Path, sent: Sent, *, text: bool = False) -> None:
        self._bank = bank
        self._database = database
        self._sent = sent
        self._text = text
        self._rowid = 0

    async def whole(self) -> Pass:
        """
        Brings the bank to what the database holds.

        Raises:
            RouterdError: The database cannot be read, or the server does not take what is sent.
        """
        if await self._bank.make():
            self._sent.clear()
        self._rowid = 0
        done, there = Pass(), set[str]()
        for rows in self._read():
            there.update(row.id for row in rows)
            await self._send(rows, done)
        gone = self._sent.ids() - there
        if len(gone) > max(GONE_MAX, GONE_SHARE_MAX * (len(there) + len(gone))):
            done.kept = len(gone)
            log.warning("the database is another one: documents of the old one are left", documents=len(gone))
            return done
        for one in sorted(gone):
            await self._forget(one, done)
        return done

    async def recent(self) -> Pass:
        """
        Brings to the bank what was written since the last pass.

        Raises:
            RouterdError: As for `whole`.
        """
        done = Pass()
        for rows in self._read():
            await self._send(rows, done)
        return done

    def _read(self) -> Iterator[list[Ended]]:
        """What was written after the last row that was read; no connection is held while things are sent."""
        while True:
            try:
                with closing(read_only(self._database)) as connection:
                    rows, rowid = reader.ended_since(connection, self._rowid, ROWS_READ, text=self._text)
            except sqlite3.Error as error:
                raise StoreError(f"{self._database}: cannot be read: {error}") from None
            if not rows:
                return
            yield rows
            self._rowid = rowid  # not before they were sent

    async def _send(self, rows: Sequence[Ended], done: Pass) -> None:
        known = self._sent.digests([row.id for row in rows])
        changed = [one for row in rows if (one := document(row)).digest != known.get(row.id)]
        for start in range(0, len(changed), BATCH):
            await self._retain(changed[start : start + BATCH], done)
        others = [key for row in rows for key in row.keys if key != row.id]
        for id_ in self._sent.digests(others):  # what was an outcome of its own is part of another now
            await self._forget(id_, done)

    async def _retain(self, documents: Sequence[Document], done: Pass) -> None:
        """Sends a batch; where it is refused, each by itself, so that one does not hold up the others."""
        try:
            await self._bank.retain(documents)
        except Refused as error:
            if len(documents) > 1:
                for one in documents:
                    await self._retain([one], done)
                return
            done.refused += 1
            log.warning("refused", outcome=documents[0].document_id, reason=str(error))
            return
        self._sent.add((one.document_id, one.digest) for one in documents)
        done.sent += len(documents)

    async def _forget(self, document_id: str, done: Pass) -> None:
        await self._bank.forget(document_id)
        self._sent.drop(document_id)
        done.forgotten += 1

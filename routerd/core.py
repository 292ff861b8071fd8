"""
The engine with the database behind it and the tail before it: all of routerd but its socket.

    open   prepare the database · fold the engine from snapshot and journal · start the writer
    run    what the tail reads and what clients report goes to the writer; what is on disk goes to the engine
    close  the writer drains · a last snapshot
"""

import gc
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing
from hashlib import blake2b
from pathlib import Path

import anyio
import anyio.lowlevel
import anyio.to_thread
import msgspec
import numpy as np
import structlog

from routerd import __version__
from routerd.budget import DAY_S
from routerd.catalog import Catalog
from routerd.config import Config
from routerd.describe import priced
from routerd.engine import Engine
from routerd.errors import StoreError
from routerd.events import Contribution, Dispatch, arm_id
from routerd.records import Seen
from routerd.store import database, reader
from routerd.store.batch import Change
from routerd.store.writer import Writer
from routerd.tail.checkpoint import Checkpoint
from routerd.tail.follow import Tail
from routerd.tail.worker import describer

log = structlog.get_logger(__name__)

REFRESH_PAUSE_S = 0.05
"""Belief follows the outcomes within so long; a solve costs a few milliseconds, so oftener would be felt."""


SOLVE_PAUSE_S = 0.001
"""Between two steps of a solve, for whoever waits."""


class Core:
    """
    See the head of this module.

    Args:
        config: The configuration.
        connection: The writing connection.
        path: The database, for reading.
    """

    def __init__(self, config: Config, connection: database.Connection, path: Path) -> None:
        self.config = config
        self.path = path
        self.catalog = Catalog(config, os.environ)
        self.engine = _new_engine(self.config, self.catalog)
        self.writer = Writer(
            connection,
            config.store,
            arm_of=self.arm_of,
            on_change=self._changed,
            check=database.at_its_place(path),
        )
        self.tail = Tail(config, os.environ, describe=describer(config, self.catalog), deliver=self._deliver)
        self.listeners: list[Callable[[Change], None]] = []
        self.dirty = anyio.Event()
        self._loading = anyio.Lock()
        self._warming = self.catalog.warming()
        self._loaded = False
        self._changes = 0
        self._snapshot_of = 0
        self._spelling = _spelling(config)

    def arm_of(self, dispatch: Dispatch) -> str:
        """The arm of a dispatch: two spellings of one model are one arm."""
        return arm_id(self.catalog.canonical(dispatch))

    def load(self) -> int:
        """
        Brings the engine and the tail to where the database says that they were.

        Returns:
            The number of contributions that had to be folded one by one.
        """
        now = time.time()

        def fold(old: Contribution | None, new: Contribution | None) -> None:
            self.engine.observe(old, new, now)

        def fold_what_can_be(old: Contribution | None, new: Contribution | None) -> None:
            try:
                fold(old, new)
            except ValueError as error:
                log.error("outcome cannot be learnt", reason=str(error))

        with closing(database.read_only(self.path)) as connection:
            try:
                folded = database.refold(connection, self._restore, fold)
            except (ValueError, msgspec.DecodeError) as error:
                log.error("snapshot and journal cannot be used: folding all outcomes", reason=str(error))
                self.engine = _new_engine(self.config, self.catalog)
                folded = database.refold(connection, lambda _: False, fold_what_can_be)
            _recall_trials(self.engine, connection, now)
            self.tail.registry.restore(database.checkpoints(connection), database.running(connection))
        return folded

    def _restore(self, snapshot: bytes) -> bool:
        try:
            if not snapshot.startswith(self._spelling):
                raise ValueError("models are spelt otherwise than then")
            self.engine.restore(snapshot[len(self._spelling) :])
        except ValueError as error:
            log.info("snapshot is of another version: folding all outcomes", reason=str(error))
            return False
        return True

    def _changed(self, changes: Sequence[Change]) -> None:
        """Told by the writer what is on disk now."""
        now = time.time()
        for change in changes:
            try:
                self.engine.observe(change.before, change.after, now)
            except Exception as error:  # it is on disk already: the rest of the batch is not to suffer
                log.error("outcome cannot be learnt", id=change.record and change.record.id, reason=str(error))
            for listener in self.listeners:
                listener(change)
        self._changes += len(changes)
        self.dirty.set()

    async def _deliver(self, news: Sequence[Seen | Checkpoint]) -> None:
        """What the tail read goes to the writer, with its price."""
        if not self._loaded:
            await self.load_prices()
        price = self.catalog.price
        await self.writer.put([priced(item, price) if isinstance(item, Seen) else item for item in news])

    async def load_prices(self) -> None:
        """The price list takes some tenths of a second to import, which no question is to wait for."""
        async with self._loading:
            if not self._loaded:
                await anyio.to_thread.run_sync(next, self._warming, None)
                self._loaded = True

    async def warm(self) -> None:
        """Makes ready, beside the first questions, what they would have to wait for: belief, and each model's price."""
        self.dirty.set()
        for _ in self._warming:
            await anyio.sleep(SOLVE_PAUSE_S)
        gc.freeze()  # what is there now stays: to look through all of it takes 50 ms, in the middle of an answer

    async def warm_to_read(self) -> None:
        """The same where nobody asks, once there is something to read."""
        await self.tail.reading.noticed.wait()
        await self.load_prices()

    async def refresh(self) -> None:
        """Solves belief anew soon after outcomes came in."""
        while True:
            await self.dirty.wait()
            self.dirty = anyio.Event()
            for _ in self.engine.refreshing(time.time()):
                await anyio.sleep(SOLVE_PAUSE_S)
            await anyio.sleep(REFRESH_PAUSE_S)

    async def write(self) -> None:
        """
        Runs the writer.

        Raises:
            StoreError: The database is damaged; the next start sets it aside.
        """
        try:
            await self.writer.serve()
        except* StoreError:
            database.mark_damaged(self.path)
            raise

    async def snapshots(self) -> None:
        """Stores the engine's sums every so often, so that a start need not fold everything."""
        while True:
            await anyio.sleep(self.config.store.snapshot_every_s)
            await self.snapshot()

    async def snapshot(self) -> None:
        """Stores the engine's sums if they changed."""
        if self._changes == self._snapshot_of:
            return
        try:
            await self.writer.snapshot(self._body, time.time())
        except sqlite3.Error as error:
            log.warning("snapshot could not be written; the next start folds all outcomes", error=str(error))

    def _body(self) -> bytes:
        self._snapshot_of = self._changes
        return self._spelling + self.engine.snapshot()

    async def reconfigure(self, config: Config) -> None:
        """
        Puts another configuration in force: policy, prices, pool and the names of models; the rest needs a restart.

        Raises:
            ConfigError: The catalogue cannot be made of it.
            StoreError, sqlite3.Error: The outcomes cannot be read. In either case the old one stays in force.
        """
        catalog = Catalog(config, os.environ)
        catalog.check()
        async with self.writer.turn:  # nothing is learnt meanwhile
            spelling = _spelling(config)
            if spelling == self._spelling:
                self.engine.reconfigure(config, catalog)
            else:
                self.engine = await self._learnt_anew(config, catalog)
            self.config, self.catalog, self._spelling = config, catalog, spelling
        self.dirty.set()

    async def _learnt_anew(self, config: Config, catalog: Catalog) -> Engine:
        """Another engine, of the outcomes on disk, since models, and so arms, may have other names now."""
        engine = _new_engine(config, catalog)
        now = time.time()
        with closing(database.read_only(self.path)) as connection:
            for number, contribution in enumerate(database.learnt(connection)):
                engine.observe(None, contribution, now)
                if number % 8 == 7:
                    await anyio.lowlevel.checkpoint()
            _recall_trials(engine, connection, now)
        return engine


def _new_engine(config: Config, catalog: Catalog) -> Engine:
    return Engine(config, catalog, np.random.default_rng(config.policy.seed))


def _recall_trials(engine: Engine, connection: sqlite3.Connection, now: float) -> None:
    """What was tried today counts against today's allowance, whoever decided it."""
    for decision in reader.explored_since(connection, now - now % DAY_S):
        engine.tried(decision)


def _spelling(config: Config) -> bytes:
    """Changes whenever a model may be spelt otherwise: a snapshot of sums by arm is good for one spelling only."""
    return blake2b(msgspec.json.encode([__version__, config.catalog, config.providers]), digest_size=16).digest()


@asynccontextmanager
async def core(config: Config, path: Path) -> AsyncIterator[Core]:
    """
    The core with its writer running; on leaving, all that was handed to the writer is written, then a snapshot.

    Raises:
        StoreError: The database cannot be used.
    """
    database.prepare(path, time.time())
    async with AsyncExitStack() as stack:
        parts = await _loaded(config, path, stack)
        async with anyio.create_task_group() as writing:
            writing.start_soon(parts.write)
            try:
                yield parts
            finally:
                parts.writer.close()
        await parts.snapshot()


async def _loaded(config: Config, path: Path, stack: AsyncExitStack) -> Core:
    """The core as the database says that it was. In a large one damage may show only now: it is set aside then too."""
    for attempt in range(2):
        connection = await database.connect(path)
        try:
            parts = Core(config, connection, path)
            log.debug("engine loaded", folded=parts.load())
        except sqlite3.DatabaseError as error:
            await _closed(connection)
            if attempt or not database.is_corrupt(error):
                raise StoreError(f"{path}: cannot be read: {error}; check the disk") from None
            database.set_aside(path, time.time())
            database.prepare(path, time.time())
        except BaseException:
            await _closed(connection)
            raise
        else:
            stack.push_async_callback(_closed, connection)
            return parts
    raise AssertionError("unreachable")


async def _closed(connection: database.Connection) -> None:
    with anyio.CancelScope(shield=True):
        await connection.close()

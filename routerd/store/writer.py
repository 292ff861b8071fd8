"""
The one writer of the database: news in, one transaction a batch, and only then word to those who wait.

At each step, what is left if the process dies there:

    1. news arrives on the stream          nothing was promised; logs are read again, clients ask again
    2. rows are looked up, the plan made   likewise
    3. BEGIN … rows, checkpoints, journal  SQLite rolls the whole batch back: likewise
    4. COMMIT returned (synchronous=FULL)  the batch is on disk, with the checkpoints that say so
    5. engine told                         at start-up the journal brings the snapshot up to the rows
    6. clients answered                    a client that asks again gets `duplicate: true`

The commit in flight is the batching window: while one batch is written, the next gathers.
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Sequence
from functools import partial

import anyio
import anyio.lowlevel
import structlog
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from routerd.config import StoreConfig
from routerd.errors import Overloaded, RequestError, StoreError
from routerd.records import ArmOf, Report
from routerd.store.batch import Answer, Change, News, Plan, Reported, planning, wanted
from routerd.store.database import Connection, is_corrupt
from routerd.store.statements import look_up, put_snapshot, transact

log = structlog.get_logger(__name__)

RETRY_AFTER_S = 1.0
CHANGES_PER_SLICE = 8
"""The engine is told so many changes at a time (about 0.5 ms), then whoever waits on the loop has a turn."""

CAPACITY = 4096
"""Writes that may wait, and decisions."""
DECISIONS_WAIT_S = 0.03
"""Decisions are written with the next report or log, or after so long: nobody waits for them on disk, but 50 ms are
promised."""
LOG_WRITES_MAX = 16
"""Of logs so many, a few dozen rows each: more would only lie in memory while the database is slow."""
UNWRITABLE = (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.InterfaceError, sqlite3.ProgrammingError)
"""What is wrong with a row. Every other error of SQLite is one of the file, the disk or another process."""

Check = Callable[[], None]
OnChange = Callable[[Sequence[Change]], None]


class _Write:
    """News with somebody who may wait for its answers."""

    __slots__ = ("answers", "done", "news", "on_done")

    def __init__(self, news: Sequence[News], on_done: Callable[[], None] | None = None) -> None:
        self.news = news
        self.done = asyncio.Event()  # anyio's takes thrice as long to make and to wait for
        self.on_done = on_done
        self.answers: list[Answer] = []

    def finish(self, answers: list[Answer]) -> None:
        """Nothing more will be done about it."""
        self.answers = answers
        self.done.set()
        if self.on_done is not None:
            self.on_done()


class Writer:
    """
    Owns the writing connection.

    Run `serve` in a task; `put` for logs (waits while the stream is full), `put_soon` for decisions (never waits),
    `commit` for reports (returns once they are on disk). `close` ends `serve` when all that was put is written.

    Args:
        connection: The writing one.
        config: How much is one batch.
        arm_of: The arm of a dispatch.
        on_change: Told what is on disk.
        check: Called before each batch; raises a `sqlite3.Error` where it would be written to no avail.
    """

    def __init__(
        self,
        connection: Connection,
        config: StoreConfig,
        *,
        arm_of: ArmOf,
        on_change: OnChange,
        check: Check = lambda: None,
    ) -> None:
        self.dropped = 0
        self.moved_at = time.monotonic()
        self._connection = connection
        self._config = config
        self._arm_of = arm_of
        self._on_change = on_change
        self._check = check
        self.turn = anyio.Lock()
        self._room = anyio.Semaphore(LOG_WRITES_MAX)
        self._asked: set[_Write] = set()
        self._decided: list[News] = []
        self._some_decided = anyio.Event()
        self._failing: Overloaded | None = None
        self._closing = False
        self._send: MemoryObjectSendStream[_Write]
        self._receive: MemoryObjectReceiveStream[_Write]
        self._send, self._receive = anyio.create_memory_object_stream(CAPACITY)

    @property
    def pending(self) -> int:
        """Writes that wait now, of at most `CAPACITY`."""
        return self._receive.statistics().current_buffer_used

    async def put(self, news: Sequence[News]) -> None:
        """Hands over what a log said; waits while the database cannot keep up."""
        await self._room.acquire()
        await self._send.send(_Write(news, self._room.release))

    async def write(self, news: Sequence[News]) -> list[Answer]:
        """Hands over news and waits until it is on disk; the answers are in order, errors among them."""
        write = _Write(news)
        await self._send.send(write)
        await write.done.wait()
        return write.answers

    def put_soon(self, news: News) -> None:
        """Hands over a decision from where nobody may wait; when too many wait it is dropped, and counted."""
        if len(self._decided) >= CAPACITY:
            self.dropped += 1
            return
        self._decided.append(news)
        self._some_decided.set()

    async def commit(self, report: Report) -> Reported:
        """
        Returns once the report is on disk.

        Raises:
            NoSuchDecision: It names nothing that is known.
            OutcomeIdInUse: Its id was used for something else.
            Overloaded: Too much waits, or the database cannot be written now.
        """
        if self._failing is not None:
            raise self._failing
        write = _Write([report])
        try:
            self._send.send_nowait(write)
        except anyio.WouldBlock:
            raise Overloaded("too many reports are waiting to be written: try again") from None
        self._asked.add(write)
        try:
            await write.done.wait()
        finally:
            self._asked.discard(write)
        answer = write.answers[0]
        if isinstance(answer, RequestError):
            raise answer
        assert answer is not None
        return answer

    def close(self) -> None:
        """
        No more news: `serve` writes what is there and returns. Where that cannot be done now, it is left: nobody was
        told that it is written, and logs are read again.
        """
        self._closing = True
        self._send.close()

    async def serve(self) -> None:
        """
        Writes batch after batch until `close`; a batch once begun is finished, whoever cancels.

        Raises:
            StoreError: The database is damaged.
        """
        async with self._receive, anyio.create_task_group() as tasks:
            tasks.start_soon(self._remind)
            async for first in self._receive:
                with anyio.CancelScope(shield=True):
                    await self._write(self._gather(first))
            with anyio.CancelScope(shield=True):
                await self._write(self._gather(_Write([])))
            tasks.cancel_scope.cancel()

    async def _remind(self) -> None:
        """Lets decisions be written when nothing else is for a while."""
        while True:
            await self._some_decided.wait()
            await anyio.sleep(DECISIONS_WAIT_S)
            self._some_decided = anyio.Event()
            if self._decided:
                await self._send.send(_Write([]))

    def _gather(self, first: _Write) -> list[_Write]:
        """Decisions come first, for what follows may be about them."""
        batch = [_Write(self._decided), first]
        rows, self._decided = len(self._decided) + len(first.news), []
        while rows < self._config.batch_rows_max:
            try:
                batch.append(self._receive.receive_nowait())
            except (anyio.WouldBlock, anyio.EndOfStream):
                break
            rows += len(batch[-1].news)
        return batch

    async def _write(self, batch: list[_Write]) -> None:
        """Commits a batch. While that cannot be done, reports are refused, and all else is kept and tried again."""
        if self._closing and self._failing is not None:
            _leave(batch, self._failing)
        while batch := [write for write in batch if not write.done.is_set()]:
            news = [item for write in batch for item in write.news]
            try:
                async with self.turn:
                    self._check()
                    existing = await self._connection.run(partial(look_up, wants=wanted(news)))
                    result = Plan()
                    for _ in planning(result, news, existing, self._arm_of):
                        await anyio.lowlevel.checkpoint()
                    await self._connection.run(partial(transact, result=result))
                    await self._tell(result.changes)
            except UNWRITABLE as error:
                await self._write_apart(batch, error)
                return
            except sqlite3.Error as error:
                self._fail(batch, error)
                if is_corrupt(error):
                    raise StoreError(f"the database is damaged ({error}): start again, and it is set aside") from None
                if not self._closing:
                    await anyio.sleep(RETRY_AFTER_S)
                continue
            except Exception as error:  # a bug, or news that nobody foresaw: the rest of the batch is not to suffer
                await self._write_apart(batch, error)
                return
            self.moved_at = time.monotonic()
            _answer(batch, result)
            if self._failing is not None:
                log.info("database can be written again")
                self._failing = None
        if not self._closing:
            self._failing = None

    def _fail(self, batch: list[_Write], error: sqlite3.Error) -> None:
        """The database cannot be written now: who waits for it is told so at once; at the end all is left."""
        if self._failing is None:
            log.error("database cannot be written, trying again", error=str(error), every_s=RETRY_AFTER_S)
        self.moved_at = time.monotonic()
        self._failing = Overloaded(f"the database cannot be written now: {error}")
        _leave([*self._asked, *(batch if self._closing else ())], self._failing)
        self._asked.clear()

    async def _write_apart(self, batch: list[_Write], error: Exception) -> None:
        """Writes the news of a batch one by one, and leaves out what cannot be written by itself either."""
        if len(batch) == 1 and len(batch[0].news) == 1:
            kind = type(batch[0].news[0]).__name__
            log.error("cannot be written: left out", news=kind, error=type(error).__name__)
            batch[0].finish([RequestError("internal error; the daemon's log says more")])
            return
        for write in batch:
            answers = []
            for item in write.news:
                single = _Write([item])
                await self._write([single])
                answers += single.answers
            if not write.done.is_set():
                write.finish(answers)

    async def _tell(self, changes: Sequence[Change]) -> None:
        for start in range(0, len(changes), CHANGES_PER_SLICE):
            self._on_change(changes[start : start + CHANGES_PER_SLICE])
            await anyio.lowlevel.checkpoint()

    async def snapshot(self, body: Callable[[], bytes], at: float) -> None:
        """
        Stores the fold of all that was committed, and empties the journal.

        Args:
            body: Called when no batch is half done, so that what it gives is the fold of exactly the rows on disk.
            at: Now, Unix seconds; decisions older than the configured age that led to no outcome are forgotten.
        """
        oldest = at - self._config.decisions_keep_days * 86400
        with anyio.CancelScope(shield=True):
            async with self.turn:
                await self._connection.run(partial(put_snapshot, body=body(), at=at, oldest=oldest))


def _leave(writes: list[_Write], error: RequestError) -> None:
    """Answers all with `error`; they are not written."""
    for write in writes:
        if not write.done.is_set():
            write.finish([error for _ in write.news])


def _answer(batch: list[_Write], result: Plan) -> None:
    answers = iter(result.answers)
    for write in batch:
        write.finish([next(answers) for _ in write.news])

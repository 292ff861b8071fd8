"""A tail and a writer on a database, without a socket and an engine: what it reads, and what it tells of that."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path

import anyio
import msgspec

from routerd.config import Config, SourceConfig, StoreConfig
from routerd.events import Completion, Contribution, arm_id
from routerd.records import Seen
from routerd.sources import SOURCES
from routerd.store import database
from routerd.store.batch import Change
from routerd.store.writer import Writer
from routerd.tail.checkpoint import Checkpoint
from routerd.tail.follow import Tail


class Life:
    """A tail and a writer on a database, from a start to a stop or a kill."""

    def __init__(self, writer: Writer, folded: list[bytes]) -> None:
        self.writer = writer
        self.folded = folded
        """What belief would rest on: told at the start, and since."""
        self.tail: Tail
        self.on_written: Callable[[], None] | None = None
        """Called when something that was read has been written."""

    @classmethod
    @asynccontextmanager
    async def begun(cls, home: Path) -> AsyncIterator["Life"]:
        """Starts on what is on disk."""
        path = home / "state" / "routerd.db"
        database.prepare(path, 0.0)
        folded: list[bytes] = []

        def told(changes: Sequence[Change]) -> None:
            for change in changes:
                fold(folded, change.before, change.after)

        others = {name: SourceConfig(enabled=False) for name in SOURCES if name != "jsonl"}
        config = Config(sources={**others, "jsonl": SourceConfig(roots=[str(home / "logs")])})
        connection = await database.connect(path)
        try:
            writer = Writer(connection, StoreConfig(batch_rows_max=4), arm_of=arm_id, on_change=told)
            life = cls(writer, folded)
            life.tail = Tail(config, {"HOME": str(home)}, describe=describe, deliver=life._deliver)
            with closing(database.read_only(path)) as reading:
                database.refold(reading, lambda _: False, lambda old, new: fold(folded, old, new))
                life.tail.registry.restore(database.checkpoints(reading), database.running(reading))
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(writer.serve)
                try:
                    yield life
                finally:
                    writer.close()
        finally:
            await connection.close()

    async def _deliver(self, news: Sequence[Seen | Checkpoint]) -> None:
        await self.writer.put(news)
        if self.on_written is not None:
            await self.writer.write([])
            self.on_written()

    async def look(self) -> None:
        """One rescan of everything: names, and what moved."""
        self.tail.reading.read_moving()
        await self.tail.catch_up()
        await self.writer.write([])

    async def compare(self) -> None:
        """The rescan that reads whole files again, which comes seldom: those that have grown at an earlier one."""
        await self.look()
        await self.tail.reading.check()
        await self.look()


def describe(completion: Completion, origin: str) -> Seen:
    """The completion as it is, without features."""
    return Seen(completion=completion, features={}, origin=origin)


def fold(folded: list[bytes], old: Contribution | None, new: Contribution | None) -> None:
    """Takes back and adds; what was never added cannot be taken back."""
    if old is not None:
        folded.remove(msgspec.json.encode(old))
    if new is not None:
        folded.append(msgspec.json.encode(new))

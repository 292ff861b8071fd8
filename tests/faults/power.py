"""A history of the store on a disk that remembers, and what every moment of it would have left behind."""

import random
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import anyio
import msgspec
import numpy as np

from routerd.catalog import Catalog
from routerd.config import Config
from routerd.engine import Engine
from routerd.events import Completion, Dispatch, Label, Outcome, Task, arm_id
from routerd.records import Report, Seen
from routerd.store import database
from routerd.store.batch import Change
from routerd.store.writer import Writer
from routerd.tail.checkpoint import Checkpoint, Stat
from tests.faults.disk import Disk, put

HAIKU = Dispatch(executor="delegate", provider="anthropic", model="claude-haiku-4-5")
AT = 1_790_000_000.0
HOWS = ("none", "prefix", "part")
"""What a power failure leaves of that which was written and not synced."""


class History:
    """
    Reports that several clients send at once, beside rows of a log with their checkpoint and now and then a snapshot.

    Args:
        home: A new directory.
        settings: Of the connection, in place of the store's own.
    """

    def __init__(self, home: Path, settings: tuple[str, ...] = database.SETTINGS) -> None:
        self.home = home
        self.path = home / "routerd.db"
        self.config = Config()
        self.answered: list[tuple[int, str]] = []
        """How much had been done to the disk when a report was answered."""
        self.disk: Disk
        self._settings = settings
        self._catalog = Catalog(self.config, {})

    async def make(self, *, reports: int = 12, rows: int = 15) -> None:
        """Each of four clients sends so many reports, and the log has so many rows."""
        database.prepare(self.path, 0.0)
        self.disk = Disk({"": self.path.read_bytes()})
        connection = self.disk.connect()
        for setting in (*self._settings, "PRAGMA wal_autocheckpoint = 30"):
            connection.execute(setting)
        engine = self._engine()

        def learn(changes: Sequence[Change]) -> None:
            for change in changes:
                engine.observe(change.before, change.after, AT)

        writer = Writer(cast("database.Connection", connection), self.config.store, arm_of=arm_id, on_change=learn)
        async with anyio.create_task_group() as writing:
            writing.start_soon(writer.serve)
            async with anyio.create_task_group() as tasks:
                for client in range(4):
                    tasks.start_soon(self._reports, writer, client, reports)
                tasks.start_soon(self._rows, writer, engine, rows)
            writer.close()
        connection.close()

    def _engine(self) -> Engine:
        return Engine(self.config, self._catalog, np.random.default_rng(1))

    async def _reports(self, writer: Writer, client: int, count: int) -> None:
        for number in range(count):
            name = f"{client}.{number}"
            outcome = Outcome(succeeded=float(number % 2), wall_time_ms=1000 + number, cost_usd=0.01)
            said = Report(
                outcome_id=name, at=AT + number, by="report", outcome=outcome, keys=(f"t:{name}",), dispatch=HAIKU
            )
            await writer.commit(said)
            self.answered.append((len(self.disk.ops), name))

    async def _rows(self, writer: Writer, engine: Engine, count: int) -> None:
        for number in range(count):
            row = Completion(
                keys=(f"row:{number}",), agent="jsonl", task=Task(goal=""), ran=HAIKU, ended_at=AT + number,
                label=Label(1.0, 0.2, "completed"), wall_time_ms=1000, extent=1,
            )  # fmt: skip
            seen = Seen(completion=row, features={}, origin="jsonl:/a.jsonl")
            read = Checkpoint(
                path="/a.jsonl", agent="jsonl", group="/a.jsonl", kind="lines", stat=Stat(1, 2, number, 3),
                position=number + 1,
            )  # fmt: skip
            await writer.write([seen, read])
            if number % 4 == 3:
                await writer.snapshot(engine.snapshot, AT)

    # --- what is left -----------------------------------------------------------------------------------------------

    def lost_after(self, moment: int, files: dict[str, bytearray]) -> set[str]:
        """
        Reports that had been answered before a moment and are not in the files that it left.

        Whatever was lost, the database opens, is whole, and its checkpoint and its rows go together.
        """
        put(files, self.path)
        assert database.prepare(self.path, 0.0) is None
        with closing(sqlite3.connect(self.path)) as connection:
            found = {row[0] for row in connection.execute("SELECT outcome_id FROM reports")}
            known = {row[0] for row in connection.execute("SELECT id FROM outcomes WHERE id LIKE 'row:%'")}
            (position,) = connection.execute("SELECT coalesce(max(position), 0) FROM files").fetchone()
        assert known == {f"row:{number}" for number in range(position)}
        return {name for done, name in self.answered if done <= moment} - found

    def check_belief(self) -> None:
        """A start on the files that were laid last believes what the fold of all committed rows believes, to 1e-8."""
        started, folded = self._started(), self._started("snapshot", "changed")
        assert [arm["n"] for arm in started] == [arm["n"] for arm in folded]
        for one, other in zip(map(numbers, started), map(numbers, folded), strict=True):
            assert max((abs(a - b) for a, b in zip(one, other, strict=True)), default=0.0) < 1e-8

    def _started(self, *forget: str) -> list[dict[str, Any]]:
        with closing(sqlite3.connect(self.path)) as connection, connection:
            for table in forget:
                connection.execute(f"DELETE FROM {table}")
        engine = self._engine()

        def restore(snapshot: bytes) -> bool:
            engine.restore(snapshot)
            return True

        with closing(database.read_only(self.path)) as connection:
            database.refold(connection, restore, lambda old, new: engine.observe(old, new, AT))
        return [msgspec.to_builtins(arm) for arm in engine.arms("default", None, AT + 1000)]


def numbers(tree: Any) -> list[float]:
    """Every number in a tree of plain values, in order."""
    if isinstance(tree, dict):
        return [number for name in sorted(tree) for number in numbers(tree[name])]
    if isinstance(tree, list | tuple):
        return [number for one in tree for number in numbers(one)]
    return [float(tree)] if isinstance(tree, int | float) else []


def moments(history: History, count: int, rng: random.Random) -> list[int]:
    """So many moments of the history, or all of them; where a commit ends more often than elsewhere."""
    every = range(len(history.disk.ops) + 1)
    return list(every) if count >= len(every) else sorted(rng.sample(every, count))

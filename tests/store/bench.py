"""A database in a temporary directory with the real writer's look-ups and transactions, driven batch by batch."""

import sqlite3
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import anyio
import msgspec

from routerd.config import StoreConfig
from routerd.events import Contribution, Decision, Dispatch, Estimate, Expected, Gate, Policy, arm_id
from routerd.store.batch import Answer, Change, News
from routerd.store.database import connect, prepare, refold
from routerd.store.writer import Writer

FLAT = Expected(Estimate(0.5, 0, 1, 0), Estimate(1, 1, 1, 0), Estimate(1, 1, 1, 0))


def decision(decision_id: str, dispatch: Dispatch, *, keys: tuple[str, ...] = (), at: float = 50.0) -> Decision:
    """A decision for `dispatch` as the engine would have made it."""
    return Decision(
        decision_id=decision_id,
        at=at,
        scope="default",
        features={"task_kind": "explore"},
        arm=arm_id(dispatch),
        dispatch=dispatch,
        propensity=0.5,
        explored=False,
        basis="learned",
        expected=FLAT,
        utility=0.0,
        considered=(),
        top=3,
        gate=Gate(False, "no incumbent"),
        reason="",
        policy=Policy("thompson_sampling", "1"),
        keys=keys,
    )


POISON = "a model that the catalogue chokes on"


def arm_of(dispatch: Dispatch) -> str:
    """The arm of a dispatch, with a catalogue that has a bug."""
    if dispatch.model == POISON:
        raise ZeroDivisionError
    return arm_id(dispatch)


class Bench:
    """Writes news through a real `Writer` and looks at what is in the file."""

    def __init__(self, path: Path, writer: Writer, changes: list[Change]) -> None:
        self.path = path
        self.writer = writer
        self.answers: list[Answer] = []
        self._changes = changes

    @classmethod
    @asynccontextmanager
    async def fresh(cls) -> AsyncIterator["Bench"]:
        """A new database, with its writer serving."""
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "routerd.db"
            prepare(path, 0.0)
            connection = await connect(path)
            changes: list[Change] = []
            writer = Writer(connection, StoreConfig(), arm_of=arm_of, on_change=changes.extend)
            try:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(writer.serve)
                    yield cls(path, writer, changes)
                    writer.close()
            finally:
                await connection.close()

    async def write(self, news: Sequence[News]) -> list[Change]:
        """One batch; what it changed."""
        before = len(self._changes)
        self.answers += await self.writer.write(news)
        return self._changes[before:]

    def last(self) -> Answer:
        """The latest answer."""
        return self.answers[-1]

    def query(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        """Rows as mappings, read by a connection of its own."""
        with closing(sqlite3.connect(self.path)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(sql, values)]

    def rows(self) -> list[dict[str, Any]]:
        """All outcomes."""
        return self.query("SELECT * FROM outcomes ORDER BY id")

    def row(self, identity: str) -> dict[str, Any]:
        """One outcome."""
        (row,) = self.query("SELECT * FROM outcomes WHERE id = ?", identity)
        return row

    def units(self) -> dict[str, list[str]]:
        """The keys of each unit."""
        found: dict[str, list[str]] = {row["id"]: [] for row in self.rows()}
        for row in self.query("SELECT * FROM outcome_keys ORDER BY key"):
            found[row["outcome_id"]].append(row["key"])
        return found

    def fold(self) -> list[Contribution]:
        """What a start from these rows would teach."""
        learnt: list[Contribution] = []

        def add(old: Contribution | None, new: Contribution | None) -> None:
            if old is not None:
                learnt.remove(old)
            if new is not None:
                learnt.append(new)

        with closing(sqlite3.connect(self.path)) as connection:
            refold(connection, lambda _: False, add)
        return learnt

    def told(self) -> list[Contribution]:
        """What the engine was taught by the changes so far."""
        balance: Counter[bytes] = Counter()
        for change in self._changes:
            if change.before is not None:
                balance[msgspec.json.encode(change.before)] -= 1
            if change.after is not None:
                balance[msgspec.json.encode(change.after)] += 1
        assert all(count >= 0 for count in balance.values())
        return [msgspec.json.decode(key, type=Contribution) for key in balance.elements()]

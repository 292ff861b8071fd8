"""
A reading of a database may fail at any query, while its owner goes on writing: nothing is lost, nothing told twice.

Oracles: in the end all is known that a reading tells which nothing disturbed; and whenever a checkpoint says that a
database is read as it is, what an undisturbed reading tells of it is known by then.
"""

import pickle
import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import chain, count
from pathlib import Path
from typing import Literal

import pytest

from routerd.events import Completion
from routerd.records import Seen
from routerd.sources.base import FileKind, Query, Row
from routerd.tail.files import look
from routerd.tail.group import Advance, GroupReader
from routerd.tail.rows import Database, DatabaseUnreadable
from tests.sources.hermes_logs import EVIDENCE, STATE, Player, day
from tests.sources.opencode_logs import SCHEMA, delegating, write
from tests.sources.reading import store
from tests.tail.test_rows import Numbers
from tests.tail.test_rows import Owner as NumbersOwner

Fault = Literal["locked", "SQLITE_BUSY", "SQLITE_IOERR"]
Write = Callable[[], None]
Begin = Callable[[Path, str], tuple["Home", list[Write], Write]]


class Failing(Database):
    """
    A database that cannot be read at chosen moments.

    Attributes:
        fails: Whether what is asked next fails: a round, which its owner's lock keeps waiting, or a single query.
    """

    def __init__(self, path: Path, fault: Fault, fails: Callable[[], bool]) -> None:
        super().__init__(path)
        self.fault = fault
        self.fails = fails

    def _ask(self, queries: list[Query]) -> list[Row]:
        if self.fault == "locked" and self.fails():
            with closing(sqlite3.connect(self.path, isolation_level=None)) as owner:
                owner.execute("BEGIN EXCLUSIVE")
                return super()._ask(queries)
        return super()._ask(queries)

    def _rows(self, connection: sqlite3.Connection, query: Query) -> list[Row]:
        if self.fault != "locked" and self.fails():
            error = sqlite3.OperationalError("fails as it was told to")
            error.sqlite_errorname = self.fault
            raise error
        return super()._rows(connection, query)


class Nth:
    """True once: at the n-th call."""

    def __init__(self, n: int) -> None:
        self.left = n

    def __call__(self) -> bool:
        self.left -= 1
        return self.left == -1


class Chance:
    """True now and then."""

    def __init__(self, seed: int, part: float) -> None:
        self.rng = random.Random(seed)
        self.part = part

    def __call__(self) -> bool:
        return self.rng.random() < self.part


class Home:
    """What an agent wrote, and who reads it."""

    def __init__(self, agent: str, group: Path, databases: list[Path]) -> None:
        self.agent = agent
        self.group = group
        self.databases = databases
        self.known: dict[str, Completion] = {}
        self.reader = self._opened()

    def _opened(self) -> GroupReader:
        return GroupReader(self.agent, str(self.group), line_bytes_max=1 << 20)

    @property
    def files(self) -> dict[str, FileKind]:
        found: dict[str, FileKind] = {str(path): "document" for path in sorted(self.group.glob("sessions/*.json"))}
        return found | {str(path): "database" for path in self.databases if path.exists()}

    def disturb(self, fault: Fault, fails: Callable[[], bool]) -> None:
        """From now on the first of the databases fails when it is said to."""
        path = self.databases[0]
        self.reader._databases[str(path)] = Failing(path, fault, fails)

    def step(self) -> Advance:
        step = _advanced(self.reader, self.files)
        store(self.known, [seen.completion for seen in step.seen])
        if any(one.path == str(self.databases[0]) and one.stat == look(one.path, one.kind) for one in step.checkpoints):
            assert self.known == self.undisturbed(), "a checkpoint says that all is read"
        return step

    def settle(self) -> bool:
        """Reads until all is read, or something cannot be: whether all is."""
        for _ in range(100):
            step = self.step()
            if step.unreadable:
                return False
            if step.done:
                return True
        raise AssertionError("it never ends")

    def undisturbed(self) -> dict[str, Completion]:
        """What a reading tells that nothing disturbs."""
        known: dict[str, Completion] = {}
        with closing(self._opened()) as reader:
            done = False
            while not done:
                step = _advanced(reader, self.files)
                assert not step.unreadable
                store(known, [seen.completion for seen in step.seen])
                done = step.done
        return known

    def hand_over(self) -> None:
        """The reader goes to another process."""
        self.reader.close()
        self.reader = pickle.loads(pickle.dumps(self.reader))


def _advanced(reader: GroupReader, files: dict[str, FileKind]) -> Advance:
    def describe(completion: Completion, origin: str) -> Seen:
        return Seen(completion=completion, features={}, origin=origin)

    return reader.advance(files, describe, now=0.0, idle_after_s=1e12, budget_bytes=1 << 20)


def hermes(place: Path, journal: str) -> tuple[Home, list[Write], Write]:
    """A home of Hermes, with what it writes in four parts."""
    player, script = Player(place), day()
    player._connection(STATE).execute(f"PRAGMA journal_mode = {journal}")
    steps, size = script.steps, -(-len(script.steps) // 4)
    parts = [[*chain(*steps[start : start + size])] for start in range(0, len(steps), size)]

    def writing(part: int) -> Write:
        return lambda: player.play([parts[part]])

    return Home("hermes", place, [place / STATE, place / EVIDENCE]), [writing(n) for n in range(4)], player.close


def opencode(place: Path, journal: str) -> tuple[Home, list[Write], Write]:
    """A database of OpenCode, with what it writes in four parts; the last goes on with sessions of the first ones."""
    place.mkdir(parents=True)
    path = place / "opencode.db"
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA journal_mode = {journal}")
    connection.executescript(SCHEMA)
    pairs = [delegating(name, at) for name, at in (("a", 0), ("b", 200), ("c", 400))]

    def begins(number: int) -> Write:
        def write_it() -> None:
            write(connection, *pairs[number])
            connection.commit()

        return write_it

    def goes_on() -> None:
        for root, child in pairs:
            root.at = child.at = 1000.0
            root.done("Went on.").told("And more").begin().delegate(child, "Look once more").done()
            child.told("Look once more").begin(modelID="small-1", mode="explore").done("Four.")
            write(connection, root, child)
        connection.commit()

    home = Home("opencode", path, [path])
    return home, [begins(0), begins(1), begins(2), goes_on], connection.close


@contextmanager
def begun(begin: Begin, place: Path, journal: str) -> Iterator[tuple[Home, list[Write]]]:
    """A home of which nothing is written yet, and the parts that can be."""
    home, parts, close = begin(place, journal)
    try:
        yield home, parts
    finally:
        home.reader.close()
        close()


@pytest.mark.parametrize(
    ("journal", "fault", "writes"),
    [
        ("DELETE", "locked", False),
        ("DELETE", "locked", True),
        ("WAL", "SQLITE_BUSY", True),
        ("WAL", "SQLITE_IOERR", True),
    ],
)
@pytest.mark.parametrize("begin", [hermes, opencode])
def test_it_may_fail_at_every_query(tmp_path: Path, begin: Begin, journal: str, fault: Fault, writes: bool) -> None:
    """`writes`: the owner goes on between the failure and the next reading, and then never again."""
    for number in count():
        with begun(begin, tmp_path / str(number), journal) as (home, parts):
            before, after = (parts[:2], parts[2:]) if writes else (parts, [])
            for part in before:
                part()
            home.disturb(fault, Nth(number))
            if home.settle():  # so many queries there are not
                break
            for part in after:
                part()
            if number % 2:
                home.hand_over()
            assert home.settle()
            assert home.known == home.undisturbed()
    assert number >= 2


@pytest.mark.parametrize("begin", [hermes, opencode])
@pytest.mark.parametrize("fault", ["SQLITE_BUSY", "SQLITE_IOERR"])
@pytest.mark.parametrize("seed", range(8))
def test_it_may_fail_again_and_again(tmp_path: Path, begin: Begin, fault: Fault, seed: int) -> None:
    with begun(begin, tmp_path / "home", "WAL") as (home, parts):
        home.disturb(fault, Chance(seed, 0.1))
        for part in parts:
            part()
            for _ in range(3):
                home.settle()
                home.hand_over()
        while not home.settle():
            home.hand_over()
        assert home.known == home.undisturbed()


def test_a_poll_that_failed_goes_on_and_another_follows(tmp_path: Path) -> None:
    """What was written meanwhile, behind the place where the poll stood, is not taken for read."""
    owner, machine = NumbersOwner(tmp_path / "numbers.db"), Numbers()
    database = Failing(owner.path, "SQLITE_BUSY", Nth(1))
    owner.write(1, 2, 3)
    with pytest.raises(DatabaseUnreadable):
        database.read(machine)
    assert (machine.read, database.half_read) == ([1, 2], True)
    owner.write(0)
    assert database.read(machine) == 1
    assert (machine.read, database.half_read) == ([1, 2, 3], False)
    assert (database.whole, database.changed()) == (False, True)
    database.read(machine)
    assert (database.whole, database.changed()) == (True, False)
    database.close()
    owner.connection.close()


def test_the_rest_of_a_poll_is_not_for_another_machine(tmp_path: Path) -> None:
    owner = NumbersOwner(tmp_path / "numbers.db")
    database = Failing(owner.path, "SQLITE_BUSY", Nth(1))
    owner.write(1, 2, 3)
    with pytest.raises(DatabaseUnreadable):
        database.read(Numbers())
    machine = Numbers()
    database.read(machine)
    assert machine.read == [1, 2, 3]
    assert database.whole
    database.close()
    owner.connection.close()

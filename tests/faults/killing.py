"""A real daemon that is killed again and again on one state directory, and what those who asked it were answered."""

import random
import shutil
import sqlite3
import threading
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.faults.logs import Logs, place_of, strace
from tests.harness import Daemon, Place

HAIKU = {"executor": "delegate", "provider": "anthropic", "model": "claude-haiku-4-5"}
CALLERS = 3


class Killed:
    """
    Lives of a daemon that end with SIGKILL.

    Args:
        home: A new directory.

    Attributes:
        answered: Ids of reports that were answered, by any of them.
    """

    def __init__(self, home: Path) -> None:
        self.place = place_of(home)
        self.logs = Logs(self.place, "rows")
        self.answered: list[str] = []
        self._asked = 0
        self._rows = 0
        self._lock = threading.Lock()

    def at_call(self, name: str, number: int) -> bool:
        """
        Killed by the kernel as one of its threads enters the system call `name` for the time of this number; False when
        all that it was asked was done before.
        """
        when = ("-e", "trace=pwrite64,fdatasync", "-e", f"inject={name}:signal=KILL:when={number}")
        return self._life(strace(*when), reports=8)

    def after_answers(self, count: int) -> None:
        """Killed from outside when so many reports have been answered, while others are on their way."""
        self._life([], reports=1000, until=count)

    def _life(self, under: list[str], *, reports: int, until: int | None = None) -> bool:
        for _ in range(5):
            self._rows += 1
            self.logs.append(self.logs.row(self._rows), f"{self._rows % 3}.jsonl")
        daemon = Daemon(self.place, under=under)
        enough = threading.Event()
        callers = [threading.Thread(target=self._report, args=(daemon, reports, until, enough)) for _ in range(CALLERS)]
        try:
            with suppress(AssertionError):  # it may die before it is ready
                daemon.wait_ready()
                for caller in callers:
                    caller.start()
                if until is not None:
                    enough.wait(30)
                    daemon.kill()
                for caller in callers:
                    caller.join()
            return daemon.process.poll() is not None
        finally:
            if daemon.process.poll() is None:
                daemon.kill()

    def _report(self, daemon: Daemon, count: int, until: int | None, enough: threading.Event) -> None:
        answered = 0
        with suppress(Exception):  # it dies while it is asked
            while answered < count and not enough.is_set():
                with self._lock:
                    self._asked += 1
                    name = f"o{self._asked}"
                said = {"outcome_id": name, "task": {"goal": "x"}, "dispatch": HAIKU}
                daemon.ask("report", **said, outcome={"succeeded": len(name) % 2 == 0, "wall_time_ms": 1000})
                self.answered.append(name)
                answered += 1
                if until is not None and answered >= until:
                    enough.set()

    def check(self) -> None:
        """L, D: what was answered is there, every row is known once, belief is the fold of what is committed."""
        with closing(sqlite3.connect(self.place.state / "routerd.db")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            found = {row[0] for row in connection.execute("SELECT outcome_id FROM reports")}
        assert set(self.answered) <= found
        assert len(found) <= self._asked
        with self.place.daemon() as self.logs.daemon:
            self.logs.expect(*range(1, self._rows + 1))
            started = self.logs.daemon.settled_arms()
        folded = self._folded_anew()
        assert [arm["n"] for arm in started] == [arm["n"] for arm in folded]
        for one, other in zip(started, folded, strict=True):
            assert one["posterior"]["success"]["mean"] == pytest.approx(other["posterior"]["success"]["mean"], abs=1e-8)

    def _folded_anew(self) -> Any:
        """The arms of a daemon on a copy of the database that has no snapshot."""
        home = self.place.home / "folded"
        home.mkdir()
        copy = place_of(home)
        shutil.copytree(self.place.state, copy.state)
        with closing(sqlite3.connect(copy.state / "routerd.db")) as connection, connection:
            connection.execute("DELETE FROM snapshot")
            connection.execute("DELETE FROM changed")
        with copy.daemon() as daemon:
            return daemon.settled_arms()


def moments(name: str, most: int, count: int) -> list[tuple[str, int]]:
    """So many calls of a name out of the first `most`, the same ones every time."""
    return [(name, number) for number in sorted(random.Random(name).sample(range(1, most + 1), count))]


def migrate_killed(place: Place, number: int) -> bool:
    """A daemon that is killed at a write, of this number, of its start; False when it made fewer."""
    under = strace("-e", "trace=pwrite64", "-e", f"inject=pwrite64:signal=KILL:when={number}")
    daemon = Daemon(place, "--once", "--json", under=under)
    return daemon.process.wait(60) != 0

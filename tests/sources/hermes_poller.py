"""Reads a synthetic home of Hermes as the tail does, through real SQLite connections."""

import pickle
from collections.abc import Callable
from pathlib import Path

from routerd.events import LOCAL, Completion
from routerd.sources.base import Document
from routerd.sources.hermes import HermesMachine
from routerd.tail.rows import Database
from tests.sources.hermes_logs import EVIDENCE, STATE, Player, Script, play

Units = dict[str, Completion]


class Poller:
    """A machine with what it has told so far; `given` counts every telling."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.machine = HermesMachine(str(home))
        self.units: Units = {}
        self.given = 0
        self._databases = [Database(home / EVIDENCE), Database(home / STATE)]
        self._read: set[Path] = set()

    def poll(self, *, idle: bool = False) -> Units:
        """Dumps, then the databases until the machine is not behind; drains after each round of both."""
        for path in sorted((self.home / "sessions").glob("*.json")):
            if path not in self._read:
                self._read.add(path)
                self.machine.feed(Document(str(path), path.read_bytes()))
        behind = True
        while behind:
            for database in self._databases:
                if Path(database.path).exists():
                    database.read(self.machine)
            behind = self.machine.behind
            for unit in self.machine.drain(idle=idle):
                self.units[unit.keys[0]] = unit
                self.given += 1
        return self.units

    def close(self) -> None:
        for database in self._databases:
            database.close()


def read(home: Path, script: Script, *, idle: bool = False) -> Units:
    """The units of a script: a delegation by its first key less `hermes:`, a turn by what was asked."""
    play(home, script)
    return read_home(home, idle=idle)


def read_home(home: Path, *, idle: bool = False) -> Units:
    """The units of a home that was written."""
    poller = Poller(home)
    poller.poll()
    if idle:
        poller.poll(idle=True)
    poller.close()
    assert poller.machine.quarantined == 0
    return named(poller.units)


def named(units: Units) -> Units:
    """Units by short names; that no two have one name is checked."""
    short = [
        (unit.task.goal if unit.ran == LOCAL else key.removeprefix("hermes:"), unit) for key, unit in units.items()
    ]
    assert len(dict(short)) == len(units)
    return dict(short)


def grown(home: Path, script: Script, cuts: Callable[[int], bool]) -> Units:
    """The units of a script that is played step by step and read after the steps that `cuts` names."""
    player, poller = Player(home), Poller(home)
    for number, step in enumerate(script.steps):
        player.play([step])
        if cuts(number):
            poller.poll()
            poller.machine = pickle.loads(pickle.dumps(poller.machine))
    poller.poll()
    player.close()
    poller.close()
    return poller.units


def fresh(home: Path) -> Units:
    """The units of a home in one reading, by first key."""
    poller = Poller(home)
    poller.poll()
    poller.close()
    return poller.units

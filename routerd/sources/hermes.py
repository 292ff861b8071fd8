"""Hermes Agent: `$HERMES_HOME` or `~/.hermes`, and every profile in `profiles/<name>/` of it.

A group is a home: its `state.db` (schemas 11 to 30 were looked at; which columns there are is asked, never assumed),
its `verification_evidence.db`, and the request dumps that Hermes writes when a model call failed for good.

    hermes_reading   which rows of `state.db` are asked for next
    hermes_family    sessions that belong together, and which child did which task
    hermes_turns     a conversation, row by row
    hermes_units     turns and delegated tasks as completions
    hermes_rows      what single values say

Each round of queries ends with a row that every database with tables has. Without it nothing is concluded from rows
that did not come: Hermes is about to make its tables.
"""

import os.path
from collections.abc import Callable, Mapping
from typing import Any, Final

from routerd.events import Completion
from routerd.sources import hermes_rows as rows
from routerd.sources.base import Claim, Document, Emitter, Item, Machine, Query, Row
from routerd.sources.hermes_reading import Reading
from routerd.sources.hermes_units import AGENT, World, units

STATE: Final = "state.db"
EVIDENCE: Final = "verification_evidence.db"
DUMPS: Final = "sessions"
PROFILES: Final = "profiles"

EVENTS_MAX: Final = 500
DONE_MAX: Final = 1000
"""With so many units told and not drained a poll ends early."""


class HermesMachine:
    """A home of Hermes."""

    def __init__(self, home: str) -> None:
        self.quarantined = 0
        self._state = os.path.join(home, STATE)
        self._evidence = os.path.join(home, EVIDENCE)
        profiles, name = os.path.split(home)
        scope = name if os.path.basename(profiles) == PROFILES else "default"
        self._world = World(path=self._state, scope=scope, dumps={}, evidence={}, owners={})
        self._reading = Reading(self._state, self._world)
        self._done: list[Completion] = []
        self._asked: set[str] = set()
        self._events: int | None = None
        self._event_mark = 0
        self._early = False
        self._again = False
        self._emitter = Emitter()

    @property
    def behind(self) -> bool:
        """There is more to ask: the poll ended early, or another file told something of a session that was read."""
        return self._early or self._again

    def restart(self, path: str) -> None:
        """Another file stands at `path`: cursors into the old one mean nothing."""
        self._asked.discard(path)
        if path == self._state:
            self._early = False
            self._reading = Reading(self._state, self._world)
        else:
            self._events, self._event_mark = None, 0

    def feed(self, item: Item) -> None:
        """A row or a request dump; see `base.Machine`."""
        try:
            match item:
                case Row(query="messages"):
                    self._reading.message(item.values)
                case Row(query="asked"):
                    self._asked.discard(item.path)
                    if item.path == self._state:
                        self._reading.answered()
                case Row(query="sequence"):
                    if self._reading.is_beyond(rows.count(item.values["seq"])):
                        self.restart(self._state)
                case Row(query="event"):
                    self._verified(item.values)
                case Row():
                    self._reading.take(item.query, item.values)
                case Document():
                    self._dumped(item.data)
                case _:
                    self.quarantined += 1
        except (TypeError, ValueError, KeyError, AttributeError, OverflowError):
            self.quarantined += 1

    def drain(self, *, idle: bool) -> list[Completion]:
        """See `base.Machine`."""
        told, self._done = self._done, []
        self._again = False
        for family in [family for family in self._reading.families.values() if not family.waiting]:
            resting = frozenset(m.id for m in family.members.values() if self._world.rests(m))
            if idle or resting != family.resting:
                family.tell_anew()
            if family.changed:
                told += units(family, self._world, idle=idle)
                family.changed, family.resting = False, resting
            if idle:
                self._reading.drop(family)
        return self._emitter.changed(told)

    def queries(self, path: str) -> list[Query]:
        """See `base.Machine`; the last query of every round is there to be answered."""
        if path not in (self._state, self._evidence):
            return []
        if path in self._asked:  # the database has no tables yet
            self._asked.discard(path)
            self._break_off(path)
            return []
        asked = self._state_round() if path == self._state else self._event_round()
        if not asked:
            return []
        self._asked.add(path)
        return [*asked, Query("asked", path, "sqlite_master", ("type",), order="rowid LIMIT 1")]

    def _state_round(self) -> list[Query]:
        self._early = len(self._done) >= DONE_MAX
        if self._early:
            self._reading.broken_off()
            return []
        asked = self._reading.round()
        for family in self._reading.finished:
            family.tell_anew()
            self._done += units(family, self._world, idle=False)
        self._reading.finished = []
        # AUTOINCREMENT never gives an id twice, so the sequence goes back only if another file was copied over this.
        sequence = Query("sequence", self._state, "sqlite_sequence", ("seq",), where="name = 'messages'")
        return [sequence, *asked] if asked else []

    def _break_off(self, path: str) -> None:
        if path == self._state:
            self._reading.broken_off()
        else:
            self._events = None

    def _event_round(self) -> list[Query]:
        if self._events is not None and self._events < EVENTS_MAX:
            self._events = None
            return []
        self._events = 0
        return [
            Query(
                "event",
                self._evidence,
                "verification_events",
                ("id", "session_id", "status", "created_at"),
                where="id > ?",
                params=(self._event_mark,),
                needs=("id",),
                order=f"id LIMIT {EVENTS_MAX}",
            )
        ]

    def _verified(self, values: Mapping[str, Any]) -> None:
        self._events = (self._events or 0) + 1
        self._event_mark = max(self._event_mark, int(values["id"]))
        at = rows.when(values["created_at"])
        if at is not None and values["status"] in ("passed", "failed"):
            session = str(values["session_id"])
            self._world.evidence.setdefault(session, []).append((at, values["status"] == "passed"))
            self._again |= self._reading.judged(session)

    def _dumped(self, data: bytes) -> None:
        found = rows.cause_of_dump(data)
        if found is not None:
            self._world.dumps[found[0]] = found[1]
            self._again |= self._reading.judged(found[0])


class Hermes:
    """The source of Hermes homes."""

    agent = AGENT
    polled = True  # skills, caches and sandboxes lie there too

    def roots(self, env: Mapping[str, str]) -> list[str]:
        """The home that `$HERMES_HOME` names, and the main one; profiles lie inside."""
        main = os.path.join(env["HOME"], ".hermes") if env.get("HOME") else None
        own = os.path.normpath(env["HERMES_HOME"]) if env.get("HERMES_HOME") else None
        if own is None or main is None:
            return [root for root in (own, main) if root is not None]
        return [main] if own == main or own.startswith(main + os.sep) else [own, main]

    def enters(self, root: str, directory: str) -> bool:
        """Profiles, and the directories of request dumps."""
        home, name = os.path.split(os.path.normpath(directory))
        root = os.path.normpath(root)
        return (
            (home == root and name == PROFILES) or (name == DUMPS and _is_home(root, home)) or _is_home(root, directory)
        )

    def claim(self, root: str, path: str, head: Callable[[], bytes]) -> Claim | None:
        """The databases of the root and of its profiles, and their request dumps; copies elsewhere are none."""
        folder, name = os.path.split(path)
        home, parent = os.path.split(folder)
        if name in (STATE, EVIDENCE):
            return Claim(folder, "database") if path == root or _is_home(root, folder) else None
        is_dump = parent == DUMPS and name.startswith("request_dump_") and name.endswith(".json")
        return Claim(home, "document") if is_dump and _is_home(root, home) else None

    def open(self, group: str) -> Machine:
        """A machine that has seen nothing yet."""
        return HermesMachine(group)


SOURCE: Final = Hermes()


def _is_home(root: str, folder: str) -> bool:
    root, folder = os.path.normpath(root), os.path.normpath(folder)
    return folder == root or os.path.dirname(folder) == os.path.join(root, PROFILES)

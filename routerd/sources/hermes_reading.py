"""Which rows of Hermes' `state.db` are asked for next, and what those that came mean for that.

The rows are updated in place, deleted and written anew, so a cursor over `messages.id` finds which sessions something
happened to, and no more. A session is read as part of its family, from the beginning unless the family is in memory.
A family leaves memory when it rests: every session of it has ended, or was silent for an hour by the database's own
clock. So memory holds what is going on, and a first reading goes through the families a few at a time.

A poll is a list of steps, each skipped when it has nothing to ask:

    heads       what happened since the last poll: new messages, changed background work, sessions that go on
    fetch       rows of sessions that are not in memory, and of those above them, up to the root of the family
    explore     children of what came into memory
    background  rows of background work that a conversation waits for
    pages       messages of members, those of a parent before those of its children
    sweep       on a first reading: the next sessions by id

What a round means is concluded when it was answered to its end.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from routerd.sources import hermes_rows as rows
from routerd.sources.base import Query
from routerd.sources.hermes_family import Background, Family, Member, Route
from routerd.sources.hermes_units import World

HEADS_MAX: Final = 2000
PAGE_MAX: Final = 250
MEMBERS_MAX: Final = 8
SWEEP_MAX: Final = 50
NAMES_MAX: Final = 200
"""Sizes of a round: some thousand rows, a few of them long, are read in some ten milliseconds."""

_SESSION: Final = (
    "id", "source", "model", "model_config", "parent_session_id", "started_at", "ended_at", "end_reason",
    "message_count", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "cwd",
    "billing_provider", "estimated_cost_usd", "actual_cost_usd", "cost_status", "rewind_count",
)  # fmt: skip
_MESSAGE: Final = (
    "id", "session_id", "role", "content", "tool_call_id", "tool_calls", "tool_name", "timestamp", "finish_reason",
    "observed", "active", "compacted", "_compressed_summary",
)  # fmt: skip
_USAGE: Final = (
    "session_id", "model", "billing_provider", "billing_base_url", "billing_mode", "api_call_count", "first_seen",
    "last_seen",
)  # fmt: skip


_PAGE: Final = f"SELECT id FROM messages WHERE session_id = ? AND id > ? ORDER BY id LIMIT {PAGE_MAX}"  # noqa: S608 - a constant
"""First the ids alone, from the index: whole rows would all be sorted for each page, with what they hold."""


class Reading:
    """
    How far a `state.db` is read, and the families in memory.

    Attributes:
        families: By the id of the root session.
        finished: Families that rest and were read; whoever takes them drops them.
    """

    def __init__(self, path: str, world: World) -> None:
        self.path = path
        self.families: dict[str, Family] = {}
        self.finished: list[Family] = []
        self._world = world
        self._roots: dict[str, str] = {}
        self._mark: int | None = None
        self._swept_to: str | None = ""
        self._background_mark = 0.0
        self._at_mark: set[str] = set()
        self._heads_read = False
        self._lost: set[str] = set()
        self._found: dict[str, Member] = {}
        self._gone: set[str] = set()
        self._swept: list[Member] = []
        self._there: set[str] = set()
        self._wanted: dict[str, str] = {}
        self._counts: dict[str, int] = {}
        self._conclude: Callable[[], None] | None = None
        self._names: list[str] = []

    # --- what came --------------------------------------------------------------------------------------------------

    def take(self, query: str, values: Mapping[str, Any]) -> None:
        """Takes in one row of any query but `messages`."""
        self._counts[query] = self._counts.get(query, 0) + 1
        match query:
            case "heads":
                self._mark = max(self._mark or 0, int(values["id"]))
                self._clock(values["timestamp"])
                self._touched(str(values["session_id"]))
            case "newest":
                self._clock(values["timestamp"])
                if self._mark is None:
                    self._mark = int(values["id"])
            case "session":
                self._session(values)
            case "found" | "kids":
                member = _member(values)
                self._found[member.id] = member
            case "sweep":
                self._swept.append(_member(values))
            case "there":
                self._there.add(str(values["id"]))
            case "usage":
                self._usage(values)
            case "moved":
                self._moved(values)
            case "background":
                self._background(values)

    def message(self, values: Mapping[str, Any]) -> None:
        """Takes in one row of `messages`."""
        session = str(values["session_id"])
        self._counts[session] = self._counts.get(session, 0) + 1
        if (family := self.family_of(session)) is not None:
            at = family.add(session, values)
            self._world.newest = max(self._world.newest, at)

    def family_of(self, session: str) -> Family | None:
        """The family of a session, if it is in memory."""
        return self.families.get(self._roots.get(session, ""))

    def judged(self, session: str) -> bool:
        """
        Something is known of a session beside its rows: its units are to be told anew.

        Returns whether the database has to be asked for it again.
        """
        family = self.family_of(session)
        if family is not None:
            family.tell_anew()
            return False
        if self._swept_to is not None and session > self._swept_to:
            return False
        self._lost.add(session)
        return True

    def drop(self, family: Family) -> None:
        """Takes a family out of memory; if something happens to it, it is read anew."""
        self.families.pop(family.root, None)
        for name in family.members:
            self._roots.pop(name, None)

    def is_beyond(self, last: int) -> bool:
        """Whether ids were read that the database has not given out yet: an older copy was put in its place."""
        return self._mark is not None and last < self._mark

    def _clock(self, at: Any) -> None:
        self._world.newest = max(self._world.newest, rows.number(at) or 0.0)

    def _touched(self, session: str) -> None:
        family = self.family_of(session)
        if family is None:
            self._lost.add(session)
        else:
            family.members[session].stale = True

    def _session(self, values: Mapping[str, Any]) -> None:
        family = self.family_of(str(values["id"]))
        if family is None:
            return
        member = family.members[str(values["id"])]
        before = (member.ended_at, member.tokens, member.cost, member.end_reason)
        route = member.route
        member.refresh(values)
        family.changed |= before != (member.ended_at, member.tokens, member.cost, member.end_reason)
        if member.route != route:
            family.tell_anew()
        member.stale |= family.moved(member)

    def _usage(self, values: Mapping[str, Any]) -> None:
        session = str(values["session_id"])
        if (family := self.family_of(session)) is not None:
            name = "\n".join(str(values[column]) for column in _USAGE[1:5])
            family.members[session].routes[name] = Route(
                rows.text(values["model"]),
                rows.text(values["billing_provider"]),
                rows.count(values["api_call_count"]),
                rows.number(values["first_seen"]),
                rows.number(values["last_seen"]),
            )

    def _moved(self, values: Mapping[str, Any]) -> None:
        """A row of background work changed. Rows of the last instant come again and again, so they are remembered."""
        name, at = str(values["delegation_id"]), rows.number(values["updated_at"]) or 0.0
        if at > self._background_mark:
            self._background_mark, self._at_mark = at, set()
        elif name in self._at_mark:
            return
        self._at_mark.add(name)
        self._clock(at)
        session = rows.text(values["parent_session_id"]) or ""
        root = self._roots.get(session)
        if root is not None:
            self._wanted[name] = root
        elif session:
            self.judged(session)

    def _background(self, values: Mapping[str, Any]) -> None:
        name = str(values["delegation_id"])
        family = self.families.get(self._wanted.get(name, ""))
        if family is not None:
            entries = rows.entries_of(rows.json_of(values["result_json"]))
            family.background[name] = Background(str(values["state"]), entries, rows.number(values["completed_at"]))
            family.tell_anew()

    # --- what is asked next -----------------------------------------------------------------------------------------

    def round(self) -> list[Query]:
        """The next queries; an empty list ends the poll."""
        self._counts = {}
        for step in (self._heads, self._fetch, self._explore, self._ask_background, self._pages, self._sweep):
            if asked := step():
                return asked
        self._heads_read = False
        return []

    def answered(self) -> None:
        """All rows of the round were taken in."""
        conclude, self._conclude = self._conclude, None
        if conclude is not None:
            conclude()

    def broken_off(self) -> None:
        """The poll ends here, whatever was asked last."""
        self._conclude = None
        self._heads_read = False

    def _heads(self) -> list[Query]:
        if self._heads_read:
            return []
        self._conclude = self._headed
        going = [
            member.id
            for family in self.families.values()
            for member in family.members.values()
            if not self._world.rests(member)
        ]
        asked = [
            self._ask("newest", "messages", ("id", "timestamp"), order="id DESC LIMIT 1"),
            self._ask(
                "moved",
                "async_delegations",
                ("delegation_id", "parent_session_id", "updated_at"),
                where="updated_at >= ?",
                params=(self._background_mark,),
                order="updated_at",
            ),
            *(self._ask_in("session", "sessions", _SESSION, "id", names) for names in _batches(going)),
        ]
        if self._mark is not None:
            asked.append(
                self._ask(
                    "heads",
                    "messages",
                    ("id", "session_id", "timestamp"),
                    where="id > ?",
                    params=(self._mark,),
                    order=f"id LIMIT {HEADS_MAX}",
                )
            )
        return asked

    def _headed(self) -> None:
        self._mark = self._mark or 0
        self._world.mark = self._mark
        self._heads_read = self._counts.get("heads", 0) < HEADS_MAX

    def _fetch(self) -> list[Query]:
        self._lost = {name for name in self._lost if name not in self._roots}
        if not self._lost:
            return []
        self._names = sorted(self._lost)[:NAMES_MAX]
        self._conclude = self._fetched
        return [self._ask_in("found", "sessions", _SESSION, "id", self._names)]

    def _fetched(self) -> None:
        """Goes up to the roots; whoever does not come was deleted."""
        self._lost.difference_update(self._names)
        self._gone.update(set(self._names) - self._found.keys())
        above = {member.parent_id for member in self._found.values() if member.parent_id is not None}
        above -= self._found.keys() | self._roots.keys() | self._gone
        if above:
            self._lost |= above
            return
        found, self._found, self._gone = self._found, {}, set()
        for member in found.values():
            self._adopt(member, found)

    def _adopt(self, member: Member, found: Mapping[str, Member]) -> None:
        """Puts a session into the family of the topmost session above it that exists."""
        line = [member]
        while (parent := found.get(line[-1].parent_id or "")) is not None and parent not in line:
            line.append(parent)
        root = self._roots.get(line[-1].parent_id or "", line[-1].id)
        family = self.families.setdefault(root, Family(root))
        for above in reversed(line):
            self._join(family, above)

    def _join(self, family: Family, member: Member) -> None:
        if member.id not in self._roots:
            self._roots[member.id] = family.root
            family.join(member)

    def _explore(self) -> list[Query]:
        names = [name for family in self.families.values() for name in family.unexplored]
        if not names:
            return []
        self._names = names[:NAMES_MAX]
        self._conclude = self._explored
        return [self._ask_in("kids", "sessions", _SESSION, "parent_session_id", self._names)]

    def _explored(self) -> None:
        for name in self._names:
            if (family := self.family_of(name)) is not None:
                family.unexplored.remove(name)
        found, self._found = self._found, {}
        for member in found.values():
            if (family := self.family_of(member.parent_id or "")) is not None:
                self._join(family, member)

    def _ask_background(self) -> list[Query]:
        for family in self.families.values():
            if family.changed and not family.waiting:
                self._wanted.update((name, family.root) for name in family.unanswered())
        self._names = list(self._wanted)[:MEMBERS_MAX]
        if not self._names:
            return []
        self._conclude = self._answered
        columns = ("delegation_id", "state", "result_json", "completed_at")
        return [self._ask_in("background", "async_delegations", columns, "delegation_id", self._names)]

    def _answered(self) -> None:
        for name in self._names:
            family = self.families.get(self._wanted.pop(name, ""))
            if family is not None:
                family.asked.add(name)

    def _pages(self) -> list[Query]:
        stale = [(f, m) for f in self.families.values() for m in f.members.values() if m.stale]
        ready = [member for family, member in stale if family.ready(member)] or [member for _, member in stale]
        if not ready:
            return []
        members = ready[:MEMBERS_MAX]
        self._names = [member.id for member in members]
        self._conclude = self._paged
        return [
            self._ask_in("session", "sessions", _SESSION, "id", self._names),
            self._ask_in("usage", "session_model_usage", _USAGE, "session_id", self._names, also="task = ''"),
            *(
                self._ask(
                    "messages",
                    "messages",
                    _MESSAGE,
                    where=f"id IN ({_PAGE})",
                    params=(member.id, member.cursor),
                    order="id",
                )
                for member in members
            ),
        ]

    def _paged(self) -> None:
        for name in self._names:
            if (family := self.family_of(name)) is not None:
                family.read(family.members[name], self._counts.get(name, 0), PAGE_MAX)

    def _sweep(self) -> list[Query]:
        """Nothing waits to be read. What rests is finished; then the next sessions are looked at."""
        for family in list(self.families.values()):
            if all(self._world.rests(member) for member in family.members.values()):
                self.finished.append(family)
                self.drop(family)
        if self._swept:
            self._conclude = self._orphaned
            parents = [member.parent_id or "" for member in self._swept]
            return [self._ask_in("there", "sessions", ("id",), "id", names) for names in _batches(parents)]
        if self._swept_to is None:
            return []
        self._conclude = self._looked
        order = f"id LIMIT {SWEEP_MAX}"
        return [self._ask("sweep", "sessions", _SESSION, where="id > ?", params=(self._swept_to,), order=order)]

    def _looked(self) -> None:
        """Roots begin families; who has a parent is reached from there, if that exists."""
        swept, self._swept = self._swept, []
        self._swept_to = swept[-1].id if len(swept) == SWEEP_MAX else None
        for member in swept:
            if member.id in self._roots:
                continue
            if member.parent_id is None:
                self._join(self.families.setdefault(member.id, Family(member.id)), member)
            elif member.linked:
                self._swept.append(member)
            else:
                self._lost.add(member.id)

    def _orphaned(self) -> None:
        swept, self._swept = self._swept, []
        there, self._there = self._there, set()
        for member in swept:
            if member.parent_id not in there:
                self._join(self.families.setdefault(member.id, Family(member.id)), member)

    def _ask(
        self,
        name: str,
        table: str,
        columns: tuple[str, ...],
        *,
        where: str = "1",
        params: tuple[Any, ...] = (),
        order: str = "",
    ) -> Query:
        needs = ("id", "session_id") if table == "messages" else ("id",) if table == "sessions" else ()
        return Query(name, self.path, table, columns, where=where, params=params, needs=needs, order=order)

    def _ask_in(
        self, name: str, table: str, columns: tuple[str, ...], column: str, names: Iterable[str], *, also: str = "1"
    ) -> Query:
        params = tuple(names)
        where = f"{column} IN ({', '.join('?' * len(params))}) AND {also}"
        needs = (column, "task") if "task" in also else (column,)
        return Query(name, self.path, table, columns, where=where, params=params, needs=needs)


def _member(values: Mapping[str, Any]) -> Member:
    member = Member(id=str(values["id"]), routes={})
    member.refresh(values)
    return member


def _batches(names: list[str]) -> list[list[str]]:
    return [names[i : i + NAMES_MAX] for i in range(0, len(names), NAMES_MAX)]

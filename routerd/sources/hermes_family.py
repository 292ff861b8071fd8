"""Hermes sessions that belong together: a conversation, those that continue it, and the children that they sent out.

No row says which child did which task. A child knows its parent session, and its first message is the goal; the call
knows when it was made and answered. So a task is joined to the child with its goal that started in that time; among
several with one goal the tokens of the results tell, or nothing does.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from routerd.events import Tokens
from routerd.sources import hermes_rows as rows
from routerd.sources.hermes_rows import Asked, Entry
from routerd.sources.hermes_turns import Call, Conversation

CLOCK_SLACK_S: Final = 2.0
"""Rows of a parent and of its child are stamped by different threads, before and behind their writing."""


class Route(msgspec.Struct, frozen=True):
    """What the main loop of a session ran on for a while."""

    model: str | None
    provider: str | None
    calls: int = 0
    first: float | None = None
    last: float | None = None


class Member(msgspec.Struct, kw_only=True):
    """
    A session, as its row says, and how far its messages were read.

    Attributes:
        marked: It says itself that it is a delegated child.
        origin: The session that sent it out, by its own word.
        cursor: Id of the last of its messages that was read.
        fed: Number of its messages that were read.
        offset: `message_count` less `fed` when it was first read to the end: the same for ever, if rows are only added.
        linked: Its row names its parent; where that is lost, only `origin` does.
        stale: There may be more to read.
    """

    id: str
    parent_id: str | None = None
    marked: bool = False
    origin: str | None = None
    linked: bool = False
    branched: bool = False
    route: Route = Route(None, None)
    effort: str | None = None
    started_at: float = 0.0
    ended_at: float | None = None
    end_reason: str | None = None
    tokens: Tokens | None = None
    cost: float | None = None
    cost_estimated: bool = False
    cwd: str | None = None
    message_count: int | None = None
    rewinds: int = 0
    routes: dict[str, Route] = {}
    cursor: int = 0
    fed: int = 0
    offset: int | None = None
    seen_rewinds: int = 0
    suspect: int | None = None
    trusted: bool = True
    last_at: float = 0.0
    stale: bool = True

    def refresh(self, values: Mapping[str, Any]) -> None:
        """Takes over what the row says now."""
        config = rows.json_of(values.get("model_config"))
        config = config if isinstance(config, dict) else {}
        origin = config.get("_delegate_from")
        self.origin = rows.text(origin)
        parent = rows.text(values.get("parent_session_id"))
        self.linked = parent is not None
        self.parent_id = parent or self.origin
        self.marked = values.get("source") == "subagent" or origin is not None
        self.branched = config.get("_branched_from") is not None
        self.route = Route(rows.text(values.get("model")), rows.text(values.get("billing_provider")))
        self.effort = rows.effort_of(config)
        self.started_at = rows.number(values.get("started_at")) or 0.0
        self.ended_at = rows.number(values.get("ended_at"))
        self.end_reason = rows.text(values.get("end_reason"))
        self.tokens = _tokens(values)
        self.cost, self.cost_estimated = _cost(values)
        self.cwd = rows.text(values.get("cwd"))
        found = rows.number(values.get("message_count"))
        self.message_count = None if found is None else int(found)
        self.rewinds = rows.count(values.get("rewind_count"))
        self.last_at = max(self.last_at, self.started_at)


def _tokens(values: Mapping[str, Any]) -> Tokens | None:
    tokens = Tokens(
        input=rows.count(values.get("input_tokens")),
        output=rows.count(values.get("output_tokens")),
        cache_read=rows.count(values.get("cache_read_tokens")),
        cache_write=rows.count(values.get("cache_write_tokens")),
    )
    return tokens if tokens.total else None


def _cost(values: Mapping[str, Any]) -> tuple[float | None, bool]:
    """A cost of 0 whose status is unknown is no cost; that of a subscription is left to the price list."""
    status = values.get("cost_status")
    actual = rows.number(values.get("actual_cost_usd"))
    if actual is not None and (actual > 0.0 or status == "actual"):
        return actual, False
    if status in (None, "unknown", "included"):
        return None, False
    return rows.number(values.get("estimated_cost_usd")), True


class Match(msgspec.Struct, frozen=True):
    """A task of a call, with the session of the child that did it as far as it is known; `sure`: no other could be."""

    call: Call
    index: int
    asker: str
    child: str | None
    sure: bool = True

    @property
    def asked(self) -> Asked:
        """What was asked for."""
        return self.call.tasks[self.index]


class Background(msgspec.Struct, frozen=True):
    """A row of `async_delegations`: how far a delegation in the background is."""

    state: str
    entries: tuple[Entry, ...]
    completed_at: float | None


class Family:
    """A root session with all that descend from it.

    Attributes:
        members: By session id.
        conversations: By the session that begins each (its head).
        chains: The sessions of each conversation, by its head, in order.
        background: By delegation id.
        unexplored: Members whose children were not asked for yet.
        asked: Delegations whose row of background work was asked for.
        changed: Something was read since its units were told; `resting` is which members rested then.
        told: Turns and children that were told as they will stay, unless all is to be told anew.
    """

    def __init__(self, root: str) -> None:
        self.root = root
        self.members: dict[str, Member] = {}
        self.conversations: dict[str, Conversation] = {}
        self.chains: dict[str, list[str]] = {}
        self.background: dict[str, Background] = {}
        self.unexplored: list[str] = []
        self.asked: set[str] = set()
        self.changed = True
        self.resting: frozenset[str] = frozenset()
        self.told: set[str] = set()
        self._heads: dict[str, str] = {}

    @property
    def waiting(self) -> bool:
        """There is more of it to read."""
        return bool(self.unexplored) or any(member.stale for member in self.members.values())

    def tell_anew(self) -> None:
        """Something bears on units that were told already."""
        self.changed = True
        self.told = set()

    def join(self, member: Member) -> None:
        """Takes in a session."""
        self.members[member.id] = member
        self.unexplored.append(member.id)
        self.changed = True
        if (parent := self.members.get(member.parent_id or "")) is not None:
            parent.stale = True  # whether this is a child or goes on where the parent was cut, the parent's row says

    def add(self, session: str, row: Mapping[str, Any]) -> float:
        """Takes in one row of `messages`, of a member whose parent was read to its end; gives its time."""
        member = self.members[session]
        head = self._heads.get(session) or self._place(member)
        member.cursor = int(row["id"])
        member.fed += 1
        at = rows.number(row.get("timestamp")) or 0.0
        member.last_at = max(member.last_at, at)
        self.changed = True
        self.conversations[head].add(session, row, at)
        return at

    def read(self, member: Member, page: int, page_max: int) -> None:
        """
        A page of `page` messages of a member was taken in, its row with them.

        If that was the last page, its counts say whether rows were only added. If not, its conversation is forgotten,
        to be read anew; once only, where nothing comes of it: not every version kept the count.
        """
        if page >= page_max:
            return
        member.stale = False
        member.trusted &= member.message_count is not None
        rewound = member.rewinds != member.seen_rewinds
        offset = (member.message_count or 0) - member.fed
        if member.offset is None:
            if member.suspect is not None:
                member.trusted, member.suspect = member.suspect != member.fed, None
        elif rewound or (member.trusted and offset != member.offset):
            fed = member.fed
            self._forget(member.id)
            member.suspect = None if rewound else fed
            return
        member.offset, member.seen_rewinds = offset, member.rewinds

    def moved(self, member: Member) -> bool:
        """Whether a member's counts say that there is something to read."""
        offset = (member.message_count or 0) - member.fed
        return member.rewinds != member.seen_rewinds or (member.trusted and offset != member.offset)

    def _forget(self, session: str) -> None:
        head = self._heads.get(session, session)
        for name in self.chains.pop(head, [session]):
            self._heads.pop(name, None)
            member = self.members[name]
            member.cursor, member.fed, member.offset, member.stale = 0, 0, None, True
        self.conversations.pop(head, None)
        self.tell_anew()

    def _place(self, member: Member) -> str:
        """The conversation of a session: its parent's when it continues that, else one of its own."""
        parent = self.members.get(member.parent_id or "")
        head = self._heads.get(parent.id) if parent is not None and _continues(member, parent) else None
        if head is None:
            head = member.id
            self.conversations[head] = Conversation(single=member.marked)
            self.chains[head] = []
        else:
            self.conversations[head].continued()
        self.chains[head].append(member.id)
        self._heads[member.id] = head
        return head

    def ready(self, member: Member) -> bool:
        """Whether its messages may be read: those of the session before it come first."""
        parent = self.members.get(member.parent_id or "")
        return parent is None or not parent.stale or parent is member

    def asker_of(self, head: str) -> str | None:
        """The head of the conversation that a conversation was sent out from."""
        return self._heads.get(self.members[head].parent_id or "")

    def unanswered(self) -> list[str]:
        """Delegations in the background of which nothing more was asked yet."""
        answers = (call.answer for conversation in self.conversations.values() for call in conversation.calls)
        names = (answer.delegation_id for answer in answers if answer is not None and not answer.entries)
        return [name for name in names if name is not None and name not in self.asked]

    def matches(self) -> list[Match]:
        """Every task that was asked for and not refused, with its child."""
        children: dict[str, list[str]] = {}
        for head in self.conversations:
            asker = self.asker_of(head)
            if asker is not None and asker != head:
                children.setdefault(asker, []).append(head)
        found: list[Match] = []
        for head, conversation in self.conversations.items():
            if conversation.calls:
                found += self._joined(head, conversation, children.get(head, []))
        return found

    def _joined(self, asker: str, conversation: Conversation, children: Iterable[str]) -> list[Match]:
        pool: dict[str, list[str]] = {}
        for child in sorted(children, key=lambda name: (self.members[name].started_at, name)):
            pool.setdefault(_norm(self._goal(child)), []).append(child)
        found = [
            match
            for call in sorted(conversation.calls, key=lambda call: call.at)
            if not call.refused
            for match in self._of_call(asker, call, pool)
        ]
        return self._leftovers(found, [child for kept in pool.values() for child in kept])

    def _goal(self, child: str) -> str:
        turns = self.conversations[child].turns
        return turns[0].goal if turns else ""

    def _of_call(self, asker: str, call: Call, pool: dict[str, list[str]]) -> list[Match]:
        goals: dict[str, list[int]] = {}
        for index, task in enumerate(call.tasks):
            goals.setdefault(_norm(task.goal), []).append(index)
        found = []
        for goal, indexes in goals.items():
            free = [child for child in pool.get(goal, []) if self._in_time(call, child)][: len(indexes)]
            for index, child, sure in self._dealt(call, indexes, free):
                found.append(Match(call, index, asker, child, sure))
                if child is not None:
                    pool[goal].remove(child)
        return sorted(found, key=lambda match: match.index)

    def _in_time(self, call: Call, child: str) -> bool:
        started = self.members[child].started_at
        latest = call.answered_at if call.answer is not None and call.answer.entries else None
        return call.at - CLOCK_SLACK_S <= started and (latest is None or started <= latest + CLOCK_SLACK_S)

    def _dealt(self, call: Call, indexes: list[int], free: list[str]) -> list[tuple[int, str | None, bool]]:
        """Which of the tasks with one goal was done by which of the children with that goal."""
        if len(indexes) == 1:
            return [(indexes[0], free[0] if free else None, True)]
        entries = {entry.index: entry for entry in self.entries(call)}
        dealt: dict[int, str] = {}
        for index in indexes:
            entry = entries.get(index)
            alike = [c for c in free if c not in dealt.values() and entry is not None and self._tokens_fit(entry, c)]
            if len(alike) == 1:
                dealt[index] = alike[0]
        sure = set(dealt) if len({entries[index].tokens for index in dealt}) == len(dealt) else set()
        rest = [child for child in free if child not in dealt.values()]
        for index in indexes:
            if index not in dealt and rest:
                dealt[index] = rest.pop(0)
        return [(index, dealt.get(index), index in sure) for index in indexes]

    def _tokens_fit(self, entry: Entry, child: str) -> bool:
        """A result counts cached tokens as input, a session does not."""
        tokens = self.members[child].tokens or Tokens()
        return entry.tokens == (tokens.input + tokens.cache_read + tokens.cache_write, tokens.output)

    def _leftovers(self, found: list[Match], left: list[str]) -> list[Match]:
        """A task without a child and the only child without a task in its time are one, whatever its first message."""
        wanted = {_norm(match.asked.goal) for match in found}
        left = [child for child in left if self.members[child].marked and _norm(self._goal(child)) not in wanted]
        if not left:
            return found
        paired = []
        for match in found:
            near = [child for child in left if match.child is None and self._in_time(match.call, child)]
            if len(near) == 1 and sum(m.child is None for m in found if m.call is match.call) == 1:
                left.remove(near[0])
                match = Match(match.call, match.index, match.asker, near[0], match.sure)  # noqa: PLW2901
            paired.append(match)
        return paired

    def entries(self, call: Call) -> tuple[Entry, ...]:
        """The results of a call: in its answer, in the table of background work, or in the message that told them."""
        answer = call.answer
        if answer is None or answer.entries:
            return answer.entries if answer is not None else ()
        name = answer.delegation_id or ""
        if (row := self.background.get(name)) is not None and row.entries:
            return row.entries
        head = self._heads.get(call.session_id)
        return self.conversations[head].notices.get(name, ()) if head is not None else ()


def _continues(member: Member, parent: Member) -> bool:
    """Whether a session goes on where another was cut: /branch, or compaction into a new session."""
    if member.branched:
        return True
    cut = parent.end_reason in ("compression", "branched") and parent.ended_at is not None
    return cut and member.origin != parent.id and member.started_at >= (parent.ended_at or 0.0)


def _norm(goal: str) -> str:
    return " ".join(goal.split())

"""The units of work of a Hermes family as completions: its turns, and its delegated tasks.

How a delegation came out is told by several rows, none of which can be trusted alone. In 0.19 `status` is `completed`
after an HTTP 401, an empty reply and a spent budget; `exit_reason` is `max_iterations` for all three; the child's
`end_reason` is always `agent_close`. What is used, strongest first: checks and verifications that the child ran; why
its model call failed (request dump, or the words that took the place of a summary); timeout, interruption; an empty
reply; a spent budget; that it came to its last word.
"""

import re
from collections.abc import Iterator
from typing import Final

import msgspec

from routerd.events import LOCAL, UNKNOWN, Censoring, Completion, Dispatch, Label, Parent, Task, Tokens, unit_key
from routerd.events import child_key as _child_key
from routerd.sources import hermes_rows as rows
from routerd.sources.base import IDLE_AFTER_S
from routerd.sources.hermes_family import Background, Family, Match, Member, Route
from routerd.sources.hermes_rows import Cause, Entry
from routerd.sources.hermes_turns import Conversation, Turn
from routerd.sources.signals import End, Trace, judged

AGENT: Final = "hermes"

_COMMON_ID: Final = re.compile(r"(?:functions\.)?[A-Za-z_.]*[:_-]?\d{1,3}")
"""Ids that some models give to their calls, numbered anew in every conversation."""


class World(msgspec.Struct, kw_only=True):
    """
    What is known beside the families.

    Attributes:
        path: Of the database.
        dumps: Why a model call failed for good, by session.
        evidence: Verifications that Hermes recorded, by session: when, and whether passed.
        owners: Which call first used a tool id: some models number theirs from 1 in every session.
        newest: The latest time that any row bears.
        mark: Up to this id of a message it is known which sessions there are.
    """

    path: str
    scope: str
    dumps: dict[str, Cause] = {}
    evidence: dict[str, list[tuple[float, bool]]] = {}
    owners: dict[str, str] = {}
    newest: float = 0.0
    mark: int = 0

    def rests(self, member: Member) -> bool:
        """Nothing more is expected of a session: it ended, or others went on for long without it."""
        return member.ended_at is not None or self.newest - member.last_at > IDLE_AFTER_S

    def owns(self, match: Match) -> bool:
        """Whether a call's tool id names it and no other."""
        name = match.call.id
        if not name or _COMMON_ID.fullmatch(name):
            return False
        owner = f"{match.call.session_id}/{match.call.at}"
        return self.owners.setdefault(rows.digest(name), owner) == owner


def units(family: Family, world: World, *, idle: bool) -> list[Completion]:
    """The units of a family that were not told as they will stay; with `idle` what is open has ended, unknown."""
    matches = family.matches()
    by_child = {match.child: match for match in matches if match.child is not None}
    found: list[Completion] = []
    for head, conversation in family.conversations.items():
        if head in by_child or family.members[head].marked:
            if head not in family.told:
                found.append(_Child(family, world, head, by_child.get(head), idle=idle).completion())
        else:
            found += _turns(family, world, head, conversation, idle=idle)
    lost = [match for match in matches if match.child is None]
    return found + [unit for match in lost if (unit := _without_child(family, world, match)) is not None]


# --- turns ----------------------------------------------------------------------------------------------------------


def _turns(family: Family, world: World, head: str, conversation: Conversation, *, idle: bool) -> Iterator[Completion]:
    chain = [family.members[name] for name in family.chains[head]]
    tail = chain[-1]
    resting = idle or (world.rests(tail) and tail.end_reason != "compression")
    last = conversation.turns[-1] if conversation.turns else None
    # A dump bears a local time without its zone, so it goes to the last turn of its session that came to no last word.
    broken = {turn.session_id: turn.name for turn in conversation.turns if not turn.final}
    for turn in conversation.turns:
        if turn.name in family.told:
            continue
        if turn.final and turn is not last:
            family.told.add(turn.name)
        ended = turn.final or turn is not last or resting
        cause = world.dumps.get(turn.session_id) if broken.get(turn.session_id) == turn.name else None
        share = _share(turn, family, conversation.answers) if resting and ended else None
        yield Completion(
            keys=(unit_key(AGENT, "turn", turn.name),),
            agent=AGENT,
            scope=world.scope,
            task=Task(
                goal=turn.goal,
                cwd=_cwd(chain),
                parent=_parent(chain, turn.started_at, turn.last_at),
                agent=AGENT,
                session_id=turn.session_id,
            ),
            ran=LOCAL,
            session_id=turn.session_id,
            started_at=turn.started_at,
            ended_at=turn.last_at if ended else None,
            ended=ended,
            wall_time_ms=_ms(turn.last_at - turn.started_at) if turn.final else None,
            waited=turn.waited,
            tokens=share[0] if share else None,
            cost_usd=share[1] if share else None,
            cost_estimated=bool(share and share[2]),
            label=_label(turn, "budget" if cause and cause.censored is None else turn.end, world) if ended else UNKNOWN,
            censored=cause.censored if cause and ended else None,
            delegations=turn.delegations,
            transcript=world.path,
            extent=turn.rows,
        )


def _share(turn: Turn, family: Family, answers: dict[str, int]) -> tuple[Tokens | None, float | None, bool]:
    """
    A turn's part of what its sessions used, by its part of the model's answers: tokens, cost, whether that is a guess.

    Hermes counts by session. A turn that is alone in its sessions has all, exactly.
    """
    tokens, cost, guessed = Tokens(), None, False
    for session, count in turn.calls.items():
        member = family.members[session]
        part = count / max(count, answers.get(session, 0))
        if member.tokens is not None:
            tokens += _part(member.tokens, part)
        if member.cost is not None:
            cost = (cost or 0.0) + member.cost * part
        guessed |= member.cost_estimated or part < 1.0
    return tokens if tokens.total else None, cost, guessed and cost is not None


def _part(tokens: Tokens, part: float) -> Tokens:
    if part == 1.0:
        return tokens
    return Tokens(
        input=round(tokens.input * part),
        output=round(tokens.output * part),
        cache_read=round(tokens.cache_read * part),
        cache_write=round(tokens.cache_write * part),
        estimated=True,
    )


# --- delegations ----------------------------------------------------------------------------------------------------


class _Child:
    """A child's conversation, with the task and the result that the asker's rows hold of it, if they were found."""

    def __init__(self, family: Family, world: World, head: str, match: Match | None, *, idle: bool) -> None:
        self.family = family
        self.world = world
        self.head = head
        self.match = match
        self.idle = idle
        self.chain = [family.members[name] for name in family.chains[head]]
        turns = family.conversations[head].turns
        self.turn = turns[0] if turns else None
        self.entry = _entry(family, match)
        self.background = _background(family, match)

    def completion(self) -> Completion:
        first, tail = self.chain[0], self.chain[-1]
        route = _route(self.chain)
        asker = _chain(self.family, self.family.asker_of(self.head))
        parent = _parent(asker, first.started_at, first.started_at)
        if route.provider is None and parent is not None and parent.model == route.model:
            route = Route(route.model, parent.provider)  # a run that failed before its first accounted call
        lost = self._lost()
        cut = tail.end_reason == "compression"
        rests = self.idle or self.world.rests(tail)
        ended = self.entry is not None or lost or (rests and not cut)
        end, censored = self._end(lost=lost) if ended else ("unknown", None)
        if self.entry is not None and tail.ended_at is not None:
            self.family.told.add(self.head)
        wall_s = self._wall_s()
        cost, guessed = _costs(self.chain)
        asked = self.match.asked if self.match else None
        role = asked.role if asked else "leaf"
        return Completion(
            keys=(_child_key(AGENT, None, self.head), *(_keys(self.family, self.world, self.match))),
            agent=AGENT,
            scope=self.world.scope,
            task=Task(
                goal=asked.goal if asked else self.turn.goal if self.turn else "",
                context=asked.context if asked else None,
                cwd=_cwd(asker),
                parent=parent,
                depth=_depth(self.family, self.family.asker_of(self.head)),
                role=role,
                agent=AGENT,
                session_id=first.parent_id,
            ),
            ran=Dispatch(
                executor="delegate",
                provider=route.provider,
                model=route.model,
                reasoning_effort=first.effort,
                role=role,
            ),
            asked=asked.asked if asked else None,
            session_id=first.parent_id,
            started_at=first.started_at or None,
            ended_at=self._ended_at() if ended else None,
            ended=ended,
            wall_time_ms=_ms(wall_s) if ended and wall_s is not None else None,
            waited=self.turn is not None and self.turn.waited,
            tokens=_sum(self.chain),
            cost_usd=cost,
            cost_estimated=guessed,
            label=_label(self.turn, end, self.world, {m.id for m in self.chain}) if ended else UNKNOWN,
            censored=censored,
            delegations=sum(turn.delegations for turn in self.family.conversations[self.head].turns),
            transcript=(self.entry and self.entry.transcript) or self.world.path,
            extent=sum(turn.rows for turn in self.family.conversations[self.head].turns),
        )

    def _lost(self) -> bool:
        """Its process ended before it: the table says so, or nobody will ever answer the call."""
        if self.background is not None:
            return self.background.state == "unknown"
        if self.entry is not None or self.match is None or self.match.call.answer is not None:
            return False
        asker = self.family.chains[self.match.asker][-1]
        member = self.family.members[asker]
        return self.world.rests(member) and member.end_reason != "compression"

    def _end(self, *, lost: bool) -> tuple[End, Censoring | None]:
        final = self.turn is not None and self.turn.final
        dumps = (self.world.dumps.get(member.id) for member in reversed(self.chain))
        cause = None if final else next((dump for dump in dumps if dump is not None), None)
        if self.entry is not None:
            return _told(self.entry, cause or _cause_of(self.entry), self.turn)
        if cause is not None:
            return _caused(cause)
        if lost and not final:
            return "dangling", "shutdown"
        return (self.turn.end if self.turn is not None else "unknown"), None

    def _wall_s(self) -> float | None:
        """From its own rows: the duration in the result counts nudges and waiting, a batch waits for its slowest."""
        first, tail = self.chain[0], self.chain[-1]
        if tail.ended_at is not None and first.started_at:
            return tail.ended_at - first.started_at
        return self.entry.duration_s if self.entry is not None else None

    def _ended_at(self) -> float:
        tail = self.chain[-1]
        if tail.ended_at is not None:
            return tail.ended_at
        if self.background is not None and self.entry is not None and self.background.completed_at is not None:
            return self.background.completed_at
        return tail.last_at


def _without_child(family: Family, world: World, match: Match) -> Completion | None:
    """
    A task with a result and no child's session: it was deleted, or never written.

    That is not believed while the asker goes on, or when the answer is newer than what is known of sessions: a unit
    that is told under another name than its child's would later have two.
    """
    entry = _entry(family, match)
    keys = _keys(family, world, match)
    asker = _chain(family, match.asker)
    if entry is None or not keys or match.call.answer_row > world.mark or not all(world.rests(m) for m in asker):
        return None
    background = _background(family, match)
    end, censored = _told(entry, _cause_of(entry), None)
    ended_at = background.completed_at if background is not None else match.call.answered_at
    return Completion(
        keys=keys,
        agent=AGENT,
        scope=world.scope,
        task=Task(
            goal=match.asked.goal,
            context=match.asked.context,
            cwd=_cwd(asker),
            parent=_parent(asker, match.call.at, match.call.at),
            depth=_depth(family, match.asker),
            role=match.asked.role,
            agent=AGENT,
            session_id=match.call.session_id,
        ),
        ran=Dispatch(executor="delegate", model=entry.model, role=match.asked.role),
        asked=match.asked.asked,
        session_id=match.call.session_id,
        started_at=match.call.at,
        ended_at=ended_at,
        wall_time_ms=_ms(entry.duration_s) if entry.duration_s is not None else None,
        tokens=Tokens(input=entry.tokens[0], output=entry.tokens[1], estimated=True) if entry.tokens else None,
        label=_label(None, end, world),
        censored=censored,
        transcript=entry.transcript or world.path,
    )


def _keys(family: Family, world: World, match: Match | None) -> tuple[str, ...]:
    """The names of a task by its call; none where it is not certain which of several it is."""
    if match is None or not match.sure:
        return ()
    call, index = match.call, match.index
    keys = []
    if call.answer is not None and call.answer.delegation_id is not None:
        keys.append(unit_key(AGENT, "delegation", f"{call.answer.delegation_id}#{index}"))
    if world.owns(match):
        keys.append(unit_key(AGENT, "tool", f"{call.id}#{index}"))
        if len(call.tasks) == 1:
            keys.append(unit_key(AGENT, "tool", call.id))
    return tuple(keys)


def _entry(family: Family, match: Match | None) -> Entry | None:
    if match is None:
        return None
    return next((entry for entry in family.entries(match.call) if entry.index == match.index), None)


def _background(family: Family, match: Match | None) -> Background | None:
    if match is None or match.call.answer is None:
        return None
    return family.background.get(match.call.answer.delegation_id or "")


def _cause_of(entry: Entry) -> Cause | None:
    """An aborted run has the error in place of its summary."""
    if entry.status in ("error", "failed") or entry.exit_reason in ("max_iterations", "error"):
        return rows.cause_of_words(entry.words) or rows.cause_of_words(entry.error)
    return None


def _caused(cause: Cause) -> tuple[End, Censoring | None]:
    return ("budget", None) if cause.censored is None else ("dangling", cause.censored)


def _told(entry: Entry, cause: Cause | None, turn: Turn | None) -> tuple[End, Censoring | None]:
    """How a task ended, by its result; `exit_reason` stands above `status`, which is `completed` for nearly all."""
    if cause is not None:
        return _caused(cause)
    if "timeout" in (entry.status, entry.exit_reason):
        return "budget", None
    if "interrupted" in (entry.status, entry.exit_reason):
        return "interrupted", "interrupted"
    if entry.status == "error":
        return "unknown", "harness"
    if entry.words.startswith(rows.NO_REPLY) or entry.words.strip() == rows.EMPTY:
        return "empty", None
    if entry.status == "failed" and not entry.words:
        return "empty", None
    if entry.status == "failed" or entry.exit_reason in ("max_iterations", "error"):
        return "budget", None
    return (turn.end if turn is not None and turn.end != "dangling" else "completed"), None


# --- what both have -------------------------------------------------------------------------------------------------


def _label(turn: Turn | None, end: End, world: World, sessions: set[str] | None = None) -> Label:
    """The strongest signal: the trace's own, else what Hermes recorded after the last edit."""
    if turn is None:
        return Trace().label(end)
    label = turn.trace.label(end)
    if label.signal in ("test", "verification"):
        return label
    since = turn.edited_at or turn.started_at
    until = turn.last_at if sessions is None else float("inf")
    recorded = [
        (at, passed)
        for session in sessions or {turn.session_id}
        for at, passed in world.evidence.get(session, ())
        if since <= at <= until
    ]
    return judged("verification", max(recorded)[1]) if recorded else label


def _chain(family: Family, head: str | None) -> list[Member]:
    return [family.members[name] for name in family.chains[head]] if head is not None else []


def _depth(family: Family, asker: str | None) -> int:
    """How many of those above a task are children themselves."""
    depth = 0
    seen: set[str] = set()
    while asker is not None and asker not in seen and family.members[asker].marked:
        seen.add(asker)
        depth += 1
        asker = family.asker_of(asker)
    return depth


def _cwd(chain: list[Member]) -> str | None:
    return next((member.cwd for member in reversed(chain) if member.cwd), None)


def _parent(chain: list[Member], start: float, end: float) -> Parent | None:
    """What a conversation ran on in a time: the route begun last of those then in use, else what its row says."""
    if not chain:
        return None
    routes = [route for member in chain for route in member.routes.values()]
    used = [r for r in routes if (r.first or 0.0) <= end and (r.last or 0.0) >= start]
    member = max((m for m in chain if m.started_at <= end), key=lambda m: m.started_at, default=chain[0])
    route = max(used, key=lambda r: r.first or 0.0) if used else member.route
    return Parent(provider=route.provider, model=route.model, reasoning_effort=member.effort)


def _route(chain: list[Member]) -> Route:
    """What a child ran on: where a fallback switched its model, the one that did most of the work."""
    routes = [route for member in chain for route in member.routes.values() if route.calls]
    return max(routes, key=lambda r: (r.calls, r.first or 0.0)) if routes else chain[0].route


def _sum(chain: list[Member]) -> Tokens | None:
    total = sum((member.tokens for member in chain if member.tokens is not None), Tokens())
    return total if total.total else None


def _costs(chain: list[Member]) -> tuple[float | None, bool]:
    known = [member for member in chain if member.cost is not None]
    if not known:
        return None, False
    return sum(member.cost or 0.0 for member in known), any(member.cost_estimated for member in known)


def _ms(seconds: float) -> int:
    return max(0, round(seconds * 1000))

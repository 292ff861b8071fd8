"""The units of a Claude Code session as completions: a turn of its agent, and a delegation to a child."""

from hashlib import blake2b
from typing import Final

import msgspec
from msgspec import field

from routerd.events import LOCAL, UNKNOWN, Completion, Dispatch, Parent, Task, child_key, unit_key
from routerd.sources import claude_code_records as records
from routerd.sources import claude_code_texts as texts
from routerd.sources.claude_code_delegations import Delegation
from routerd.sources.claude_code_records import Meta, Record
from routerd.sources.claude_code_runs import Run, between_ms

AGENT: Final = "claude-code"
GENERAL: Final = "general-purpose"
"""The kind of child that is none."""


class Turn(msgspec.Struct, kw_only=True):
    """
    A person's request and what the agent did about it.

    Attributes:
        name: The request's record.
        lasted_ms: Time at work, where the harness measured it.
        over: The next turn began.
        given: Form in which it was last given out.
    """

    name: str
    at: float | None
    run: Run
    lasted_ms: int | None = None
    over: bool = False
    dirty: bool = True
    given: bytes = b""

    def lasted(self, record: Record) -> None:
        """The harness measured a stretch of work that came to its end; there may be several."""
        self.lasted_ms = (self.lasted_ms or 0) + records.whole(record.duration_ms)
        if self.run.quiet:
            self.run.stop = self.run.stop or "end_turn"
        self.dirty = True


class Child(msgspec.Struct, kw_only=True):
    """
    What is known of a child over all its requests.

    Attributes:
        run: Its work on the latest one, as its own file tells.
        runs: How many its file told of.
        asked: Calls that its parents made of it, in order.
        resumed: How many of them were not the first.
        dropped: The client runs it for itself.
    """

    run: Run | None = None
    runs: int = 0
    asked: list[str] = field(default_factory=list)
    resumed: int = 0
    meta: Meta | None = None
    dropped: bool = False


def fresh(unit: Turn | Delegation, completion: Completion) -> bool:
    """Whether a unit's completion is not what was last given out; from then on it is."""
    form = blake2b(msgspec.msgpack.encode(completion), digest_size=8).digest()
    changed, unit.given = form != unit.given, form
    return changed


def turn_unit(turn: Turn, session: str, *, idle: bool) -> Completion:
    """What the agent did itself about one request."""
    run = turn.run
    ended = turn.over or idle or run.at_rest
    end, censored = run.ending() if ended else ("unknown", None)
    lasted = turn.lasted_ms if turn.lasted_ms is not None else between_ms(turn.at, run.last)
    return Completion(
        keys=(unit_key(AGENT, "turn", turn.name),),
        agent=AGENT,
        task=Task(
            goal=run.goal,
            cwd=run.cwd,
            parent=_parent(run.provider, run.model, run.effort),
            agent=AGENT,
            session_id=session,
        ),
        ran=LOCAL,
        asked=Dispatch(executor="local", model=run.wanted) if run.wanted is not None else None,
        session_id=session,
        started_at=turn.at,
        ended_at=run.last if ended else None,
        ended=ended,
        wall_time_ms=lasted if ended and run.replies > 0 and end != "dangling" else None,
        waited=run.waited,
        tokens=run.tokens(),
        label=run.trace.label(end) if ended and censored is None else UNKNOWN,
        censored=censored,
        delegations=len(run.calls),
        transcript=run.path,
        extent=run.records,
    )


def delegation_unit(one: Delegation, child: Child, session: str, *, depth: int, ended: bool) -> Completion:
    """What a child did for its parent."""
    call, run = one.call, one.run or one.mirror
    end, censored = one.ending()
    model = one.model()
    return Completion(
        keys=_keys(one, session),
        agent=AGENT,
        task=Task(
            goal=(call.prompt if call is not None else "") or (run.goal if run is not None else ""),
            kind=_kind(one, child),
            cwd=(run.cwd if run is not None else None) or (call.cwd if call is not None else None),
            parent=_parent(call.parent_provider, call.parent_model, call.parent_effort) if call is not None else None,
            depth=depth,
            agent=AGENT,
            session_id=session,
        ),
        ran=Dispatch(
            executor="delegate",
            provider=(run.provider if run is not None else None) or texts.provider_of(model),
            model=model,
            reasoning_effort=run.effort if run is not None else None,
        ),
        asked=_asked(one, child),
        session_id=session,
        started_at=one.started_at,
        ended_at=one.ended_at if ended else None,
        ended=ended,
        wall_time_ms=one.wall_time_ms if ended else None,
        waited=any(run.waited for run in (one.run, one.mirror) if run is not None),
        tokens=one.tokens(),
        label=one.label(end) if ended and censored is None else UNKNOWN,
        censored=censored if ended else None,
        delegations=len(one.run.calls) if one.run is not None else 0,
        transcript=run.path if run is not None else call.path if call is not None else None,
        extent=one.extent,
    )


def _keys(one: Delegation, session: str) -> tuple[str, ...]:
    """The call's name, and the child's: of a further request with the record that it began with."""
    keys = [unit_key(AGENT, "tool", one.tool)] if one.tool is not None else []
    if one.agent is not None and one.index == 0:
        keys.append(child_key(AGENT, session, one.agent))
    elif one.agent is not None and one.run is not None:
        keys.append(child_key(AGENT, session, f"{one.agent}#{one.run.uuid or one.index}"))
    return tuple(keys)


def _kind(one: Delegation, child: Child) -> str | None:
    """The kind of child: as it was run, or else as it was asked for."""
    told = [one.answer.kind if one.answer is not None else None, one.call.kind if one.call is not None else None]
    noted = child.meta.agent_type if child.meta is not None else None
    kind = next((kind for kind in (*told, noted, one.run.kind if one.run is not None else None) if kind), None)
    return kind.lower() if kind is not None and kind != GENERAL else None


def _asked(one: Delegation, child: Child) -> Dispatch | None:
    """
    What somebody asked for: the call tells; without it the note beside the child's file, if it has an alias.

    A full id there is what the client settled on itself.
    """
    model = effort = profile = None
    if one.call is not None:
        model, effort, profile = one.call.model, one.call.effort, one.call.kind
    elif child.meta is not None and one.index == 0:
        model, profile = child.meta.model, child.meta.agent_type
        model = model if model is not None and "-" not in model else None
    if not (model or effort or profile):
        return None
    return Dispatch(executor="delegate", model=model, reasoning_effort=effort, profile=profile)


def _parent(provider: str | None, model: str | None, effort: str | None) -> Parent | None:
    return Parent(provider=provider, model=model, reasoning_effort=effort) if model or effort else None

"""What flows through routerd: tasks, dispatches, completions and outcomes, as plain values.

The wire (CONTRACT §3.1), the sources and the store all speak in these. Nothing here does anything; laws that tie the
values together (the spelling of an arm, the keys of a unit of work) stand beside them as small pure functions.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Any, Final, Literal
from urllib.parse import quote, unquote

import msgspec
from msgspec import Meta

Executor = Literal["local", "delegate"]
Role = Literal["leaf", "orchestrator"]
Scalar = float | str | bool

Whole = Annotated[int, Meta(ge=0, le=2**53)]
"""A count or a duration from a client: never negative, and exact in every reader of JSON."""
NotNegative = Annotated[float, Meta(ge=0.0)]
Fraction = Annotated[float, Meta(ge=0.0, le=1.0)]
Moment = Annotated[float, Meta(ge=0.0, lt=253_402_300_800.0)]
"""Unix seconds, up to the year 9999: the last that a calendar here can say."""

Signal = Literal[
    "report",  # a client said so
    "feedback",  # a person said so
    "test",  # exit code of the last test or build after the last edit
    "verification",  # the agent's own verification record
    "next_message",  # the next human message, where it is plain
    "interrupted",  # a person stopped it
    "dangling",  # it ended in the middle of a tool call
    "empty",  # it ended with nothing said
    "budget",  # its turn or iteration budget was spent
    "completed",  # the model stopped by itself: weak
    "unknown",  # nothing is known
]
Censoring = Literal["usage_limit", "auth", "overload", "harness", "shutdown", "interrupted"]


class Wire(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Base of the values that clients send: unknown members are refused, defaults are left out."""


class Parent(Wire, frozen=True, kw_only=True):
    """What the agent that hands over the task runs on."""

    provider: str | None = None
    model: str | None = None
    reasoning_effort: str | None = None
    tier: str | None = None


class Task(Wire, frozen=True, kw_only=True):
    """A unit of work as it is known before anyone is chosen to do it. Text is used for features and not stored."""

    goal: str
    context: str | None = None
    kind: str | None = None
    repo: str | None = None
    cwd: str | None = None
    token_estimate: Whole | None = None
    parent: Parent | None = None
    depth: Whole = 0
    role: Role | None = None
    agent: str | None = None
    session_id: str | None = None
    features: dict[str, Scalar] | None = None


class Dispatch(Wire, frozen=True, kw_only=True):
    """Who does a task: the agent itself (`local`), or a child with these set."""

    executor: Executor
    agent: str | None = None
    profile: str | None = None
    provider: str | None = None
    model: str | None = None
    reasoning_effort: str | None = None
    role: Role | None = None


LOCAL = Dispatch(executor="local")


class Outcome(Wire, frozen=True, kw_only=True):
    """How a task went, as a client reports it. `succeeded` is in [0, 1]; times in ms, costs in US dollars."""

    succeeded: bool | Fraction | None = None
    wall_time_ms: Whole | None = None
    cost_usd: NotNegative | None = None
    cost_tokens: Whole | None = None
    input_tokens: Whole | None = None
    output_tokens: Whole | None = None
    cache_read_tokens: Whole | None = None
    cache_write_tokens: Whole | None = None
    error: str | None = None
    finished_at: Moment | None = None


class Ref(Wire, frozen=True, kw_only=True):
    """Names a unit of work as the agent's own log does."""

    agent: str
    session_id: str | None = None
    tool_use_id: str | None = None
    child_id: str | None = None
    delegation_id: str | None = None
    task_index: Whole | None = None


class Tokens(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Tokens by kind, disjoint: `input` holds neither cache reads nor cache writes, `output` holds reasoning."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    estimated: bool = False

    def __add__(self, other: Tokens) -> Tokens:
        return Tokens(
            input=self.input + other.input,
            output=self.output + other.output,
            cache_read=self.cache_read + other.cache_read,
            cache_write=self.cache_write + other.cache_write,
            estimated=self.estimated or other.estimated,
        )

    @property
    def total(self) -> int:
        """All tokens that were paid for, of every kind."""
        return self.input + self.output + self.cache_read + self.cache_write


class Label(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whether it worked: `value` in [0, 1] or unknown, believed with `weight` in [0, 1], by which signal."""

    value: float | None
    weight: float
    signal: Signal


UNKNOWN = Label(None, 0.0, "unknown")


class Completion(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One unit of work as a log tells it: a delegation (child run), or a turn that the agent did itself.

    Attributes:
        keys: Names of the unit, most telling first (see `unit_key`); units that share one are the same unit. The
            first is its id, the same on every reading.
        task: What was asked. For a turn, `task.parent` is what the agent itself runs on.
        ran: The dispatch that really ran; `executor` tells a delegation from a turn.
        asked: The dispatch that was asked for, as far as somebody asked; its set parts only. Of a turn the model that
            the API was asked for, where the log tells it beside the one that answered.
        ended: False while it runs: kept, not counted and not learnt from.
        waited: `wall_time_ms` holds waiting for a person (a permission, an answer).
        tokens: The unit's own, without those of its children.
        label: Success as far as the log shows it.
        censored: Why it says nothing about the dispatch (a usage limit, a failed login…); its label is not scored.
        delegations: Children that it started. A turn that delegated is not the agent's own work alone.
        transcript: Path of the file that tells the whole story.
        extent: How much of the unit was seen (records). Of two copies in different files the larger is believed.
        void: It turned out to be no unit of work (a call that was refused after all): what an earlier reading of the
            same group said of it is taken back.
    """

    keys: tuple[str, ...]
    agent: str
    task: Task
    ran: Dispatch
    asked: Dispatch | None = None
    scope: str = "default"
    session_id: str | None = None
    started_at: float | None = None
    ended_at: float | None = None
    ended: bool = True
    wall_time_ms: int | None = None
    waited: bool = False
    tokens: Tokens | None = None
    cost_usd: float | None = None
    cost_estimated: bool = False
    label: Label = UNKNOWN
    censored: Censoring | None = None
    delegations: int = 0
    transcript: str | None = None
    extent: int = 0
    void: bool = False


# --- what is told of a delegation ------------------------------------------------------------------------------------


class DelegateEvent(StrEnum):
    """What happens to a delegated task, under the names that Hermes gave it."""

    TASK_SPAWNED = "delegate.task_spawned"
    TASK_PROGRESS = "delegate.task_progress"
    TASK_COMPLETED = "delegate.task_completed"
    TASK_FAILED = "delegate.task_failed"
    TASK_THINKING = "delegate.task_thinking"
    TOOL_STARTED = "delegate.tool_started"
    TOOL_COMPLETED = "delegate.tool_completed"


LEGACY_EVENTS: Final[Mapping[str, DelegateEvent]] = {
    "_thinking": DelegateEvent.TASK_THINKING,
    "reasoning.available": DelegateEvent.TASK_THINKING,
    "tool.started": DelegateEvent.TOOL_STARTED,
    "tool.completed": DelegateEvent.TOOL_COMPLETED,
    "subagent_progress": DelegateEvent.TASK_PROGRESS,
    "subagent.progress": DelegateEvent.TASK_PROGRESS,
    "subagent.spawn_requested": DelegateEvent.TASK_SPAWNED,
    "subagent.start": DelegateEvent.TASK_SPAWNED,
    "subagent.thinking": DelegateEvent.TASK_THINKING,
    "subagent.tool": DelegateEvent.TOOL_STARTED,
    "subagent.complete": DelegateEvent.TASK_COMPLETED,
}
"""What Hermes' callbacks still say, as its `DelegateEvent` maps them; the life of a subagent by its nearest event."""


def event_name(name: str) -> str:
    """The name of an event in force; others, and patterns, stay as they are."""
    return LEGACY_EVENTS.get(name, name)


# --- questions and answers ------------------------------------------------------------------------------------------

Objective = Literal["balanced", "fast", "cheap", "best"]
Basis = Literal["learned", "prior", "pinned", "fallback", "off"]


class Constraints(Wire, frozen=True, kw_only=True):
    """What an arm must satisfy to be considered at all."""

    max_cost_usd: NotNegative | None = None
    max_wall_time_ms: Whole | None = None
    min_success: Fraction | None = None
    tiers: list[str] | None = None


class Recommend(Wire, frozen=True, kw_only=True):
    """The params of `recommend` (CONTRACT §3.2). Candidates and incumbent are dispatches or arm ids."""

    task: Task
    ref: Ref | None = None
    scope: str = "default"
    candidates: list[Dispatch | str] | None = None
    incumbent: Dispatch | str | None = None
    pinned: Dispatch | None = None
    constraints: Constraints | None = None
    objective: Objective | None = None
    explore: bool | None = None
    top: Whole = 3
    dry_run: bool = False


class Estimate(msgspec.Struct, frozen=True, gc=False):
    """A mean with its 90 % credible interval; `n` is the effective number of outcomes behind it."""

    mean: float
    low: float
    high: float
    n: float


class Expected(msgspec.Struct, frozen=True, gc=False):
    """What is expected of an arm on this task."""

    success: Estimate
    wall_time_ms: Estimate
    cost_usd: Estimate


class Considered(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One arm as a decision saw it; `removed_by` names what took it out of the choice."""

    arm: str
    dispatch: Dispatch
    expected: Expected
    utility: float
    propensity: float = 0.0
    p_best: float = 0.0
    removed_by: str | None = None


class Gate(msgspec.Struct, frozen=True):
    """Whether the pick may be applied without asking, and why."""

    apply: bool
    reason: str


class Policy(msgspec.Struct, frozen=True):
    """Which policy chose, and the version of its arithmetic."""

    name: str
    version: str


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """An answer to `Recommend`, with all that `explain` and later evaluation need."""

    decision_id: str
    at: float
    scope: str
    features: dict[str, Any]
    arm: str
    dispatch: Dispatch
    propensity: float
    explored: bool
    basis: Basis
    expected: Expected
    utility: float
    considered: tuple[Considered, ...]
    top: int
    gate: Gate
    reason: str
    policy: Policy
    keys: tuple[str, ...] = ()
    agent: str | None = None
    session_id: str | None = None
    warnings: tuple[str, ...] = ()


class Contribution(msgspec.Struct, frozen=True, kw_only=True):
    """
    What one outcome says to the posteriors: the part of a record that the engine folds, or takes back.

    Attributes:
        dispatch: As it ran; the engine makes the arm of it.
        features: `features.Features` as stored (a plain mapping), known before the choice.
        at: When it ended, Unix seconds; the time bucket follows from it.
        success: Value in [0, 1], or None for unknown or censored.
        weight: Belief in `success`, in [0, 1].
        own: The dispatch was chosen by routerd with a known propensity; otherwise by somebody else (observational).
    """

    scope: str
    dispatch: Dispatch
    features: dict[str, Any]
    at: float
    success: float | None = None
    weight: float = 0.0
    wall_time_ms: int | None = None
    cost_usd: float | None = None
    own: bool = False


# --- the spelling of an arm -----------------------------------------------------------------------------------------


def _quote(part: str) -> str:
    return quote(part, safe="!$&'()*+,;=[]~^|{} ").replace(" ", "%20")


def _unquote(part: str) -> str | None:
    return unquote(part) or None


@lru_cache(maxsize=4096)
def arm_id(dispatch: Dispatch) -> str:
    """
    The stable id of a dispatch: `local`, or `delegate:[agent/[profile/]][provider:]model@effort#role`, set parts only.

    A profile without an agent keeps the agent's slash (`delegate:/profile/…`). Inside a part, `% / : @ #`, white space
    and what is not printable ASCII are percent-encoded, so that `arm_dispatch` gives the same dispatch back. `local`
    is one arm: what the agent itself runs on is context.
    """
    if dispatch.executor == "local":
        return "local"
    head = ""
    if dispatch.agent is not None or dispatch.profile is not None:
        head = _quote(dispatch.agent or "") + "/"
    if dispatch.profile is not None:
        head += _quote(dispatch.profile) + "/"
    provider = "" if dispatch.provider is None else _quote(dispatch.provider) + ":"
    effort = "" if dispatch.reasoning_effort is None else "@" + _quote(dispatch.reasoning_effort)
    role = "" if dispatch.role is None else "#" + dispatch.role
    return f"delegate:{head}{provider}{_quote(dispatch.model or '')}{effort}{role}"


@lru_cache(maxsize=4096)
def arm_dispatch(arm: str) -> Dispatch:
    """
    The dispatch that an arm id spells; the inverse of `arm_id`.

    Raises:
        ValueError: `arm` is not the spelling of a dispatch.
    """
    if arm == "local":
        return LOCAL
    kind, found, rest = arm.partition(":")
    if kind != "delegate" or not found:
        raise ValueError(f"{arm!r} is no arm id: it is neither 'local' nor 'delegate:…'")
    rest, _, role = rest.partition("#")
    rest, _, effort = rest.partition("@")
    *head, core = rest.split("/")
    if len(head) > 2 or role not in ("", "leaf", "orchestrator"):
        raise ValueError(f"{arm!r} is no arm id: expected delegate:[agent/[profile/]][provider:]model@effort#role")
    provider, colon, model = core.rpartition(":")
    return Dispatch(
        executor="delegate",
        agent=_unquote(head[0]) if head else None,
        profile=_unquote(head[1]) if len(head) == 2 else None,
        provider=_unquote(provider) if colon else None,
        model=_unquote(model),
        reasoning_effort=_unquote(effort),
        role=role or None,  # type: ignore[arg-type]
    )


# --- the names of a unit of work ------------------------------------------------------------------------------------

SESSION_SCOPED_CHILDREN = frozenset({"claude-code"})
"""Agents whose child ids are short and unique only within a session."""


def unit_key(agent: str, what: Literal["tool", "child", "delegation", "turn", "decision", "row"], name: str) -> str:
    """The name of a unit of work, the same from whichever record it is seen: `agent:what:name`."""
    return f"{agent}:{what}:{name}"


def child_key(agent: str, session_id: str | None, child_id: str) -> str:
    """The key of a child run by its own id; with its session where ids are unique only within one."""
    return unit_key(agent, "child", f"{session_id}/{child_id}" if agent in SESSION_SCOPED_CHILDREN else child_id)


def ref_keys(ref: Ref) -> tuple[str, ...]:
    """The keys that a client's `ref` stands for, most telling first; empty when it names no unit."""
    keys = []
    if ref.tool_use_id is not None:
        index = "" if ref.task_index is None else f"#{ref.task_index}"
        keys.append(unit_key(ref.agent, "tool", ref.tool_use_id + index))
    if ref.delegation_id is not None:
        keys.append(unit_key(ref.agent, "delegation", f"{ref.delegation_id}#{ref.task_index or 0}"))
    if ref.child_id is not None:
        keys.append(child_key(ref.agent, ref.session_id, ref.child_id))
    return tuple(keys)

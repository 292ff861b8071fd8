"""One line of a Codex rollout, as far as it is read: typed, so that the rest is passed over without being built."""

import re
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Raw

from routerd.events import Censoring, Dispatch, Tokens
from routerd.sources import values
from routerd.sources.base import GOAL_CHARS_MAX
from routerd.sources.signals import End

Count = Annotated[int, Meta(ge=0, le=2**53)]
Milliseconds = Annotated[float, Meta(ge=0, le=2**53)]
NULL: Final = Raw(b"null")


class Usage(msgspec.Struct, gc=False):
    """`input_tokens` holds what was read from and written to the cache, `output_tokens` holds reasoning."""

    input_tokens: Count = 0
    cached_input_tokens: Count = 0
    cache_write_input_tokens: Count = 0
    output_tokens: Count = 0

    def tokens(self) -> Tokens:
        """The same, disjoint."""
        cached, written = self.cached_input_tokens, self.cache_write_input_tokens
        rest = max(0, self.input_tokens - cached - written)
        return Tokens(input=rest, output=self.output_tokens, cache_read=cached, cache_write=written)

    def since(self, before: "Usage") -> "Usage | None":
        """The growth of a total, or None where it fell."""
        grown = [
            now - then for now, then in zip(msgspec.structs.astuple(self), msgspec.structs.astuple(before), strict=True)
        ]
        return Usage(*grown) if min(grown) >= 0 else None


class Counted(msgspec.Struct, gc=False):
    """What `token_count` says; `total_token_usage` is the thread's, `last_token_usage` the last call's."""

    total_token_usage: Usage | None = None
    last_token_usage: Usage | None = None


class Attribution(msgspec.Struct, gc=False):
    """Where a turn comes from: the turn of the parent thread, and that of the root session."""

    parent_turn_id: str | None = None
    root_turn_id: str | None = None


class Failure(msgspec.Struct):
    """An API error that ended a turn."""

    message: str
    info: Any

    @classmethod
    def of(cls, message: Any, info: Any) -> "Failure":
        """From the members that an error has, whatever they hold."""
        return cls(message if isinstance(message, str) else "", info)


class TurnItem(msgspec.Struct, gc=False):
    """What `item_completed` completes (0.129 or later)."""

    type: str = ""
    id: str | None = None
    tool: str | None = None
    kind: str | None = None
    command: Any = None
    exit_code: int | None = None
    content: Raw = NULL
    model: str | None = None
    reasoning_effort: str | None = None
    receiver_thread_ids: list[str] = []
    agent_thread_id: str | None = None


class Payload(msgspec.Struct, gc=False):
    """The members of every kind of payload that matter here; a record leaves out what it does not have."""

    type: str = ""
    id: str | None = None
    session_id: str | None = None
    parent_thread_id: str | None = None
    forked_from_id: str | None = None
    source: Any = None
    agent_role: str | None = None
    model_provider: str | None = None
    cwd: str | None = None
    thread_id: str | None = None
    turn_id: str | None = None
    model: str | None = None
    effort: str | None = None
    reasoning_effort: str | None = None
    approval_policy: Any = None
    approvals_reviewer: str | None = None
    turn_attribution: Attribution | None = None
    last_agent_message: str | None = None
    error: Any = None
    codex_error_info: Any = None
    reason: str | None = None
    duration_ms: Milliseconds | None = None
    num_turns: int = 0
    message: Any = None
    info: Counted | None = None
    turn_token_usage: Usage | None = None
    thread_token_usage: Usage | None = None
    item: TurnItem | None = None
    role: str | None = None
    name: str | None = None
    call_id: str | None = None
    arguments: Any = None
    command: Any = None
    exit_code: int | None = None
    new_thread_id: str | None = None
    output: Raw = NULL
    content: Raw = NULL


class Record(msgspec.Struct, gc=False):
    """A line. The first versions wrote items without an envelope: their `payload` is what stands at the top."""

    type: str = ""
    timestamp: str | None = None
    payload: Payload | None = None


_record = msgspec.json.Decoder(Record).decode
_bare = msgspec.json.Decoder(Payload).decode

_HEAD: Final = re.compile(
    rb'\{"timestamp":"(?P<time>[^"\\]*)",(?:"ordinal":\d+,)?"type":"'
    rb'(?:world_state|compacted|response_item","payload":\{"type":"(?:message|reasoning|ghost_snapshot|web_search_call)"'
    rb'|event_msg","payload":\{"type":"(?:agent_reasoning\w*|thread_settings_applied|exec_command_output_delta)"'
    rb'|response_item","payload":\{"type":"(?:function|custom_tool)_call_output",'
    rb'(?:"id":(?:"[^"\\]*"|null),)?"call_id":"(?P<call>[^"\\]*)","output":)'
)
"""Records that hold most of the bytes and nothing that is read here; or the output of a `call`, seldom read."""


class Skimmed(msgspec.Struct, gc=False):
    """A record of which only the head was looked at; with a `call`, that was answered."""

    timestamp: str
    call: str | None


def skim(data: bytes) -> Skimmed | None:
    """What the head of a record tells, where that may be enough; None for other records, and other ways to write."""
    found = _HEAD.match(data)
    if found is None:
        return None
    time, call = found.groups()
    if call is None:
        return Skimmed("", None)
    return Skimmed(time.decode("ascii", "replace"), call.decode("utf-8", "replace")) if data.endswith(b"}}") else None


def decode(data: bytes) -> Record:
    """
    A line as a record.

    Raises:
        ValueError: It is not JSON, or not such a record.
        RecursionError: It is nested too deeply.
    """
    record = _record(data)
    if record.payload is None:
        payload = _bare(data)
        record = Record("session_meta" if not record.type and payload.id else "bare", record.timestamp, payload)
    return record


def handed_task(content: Any) -> str | None:
    """The task in a message from the parent (multi-agent v2); None where it is sealed, or no task."""
    head = values.text(content)
    if not head.startswith("Message Type: NEW_TASK"):
        return None
    parts = values.items(content)
    sealed = [part["encrypted_content"] for part in parts if isinstance(part.get("encrypted_content"), str)]
    return readable(sealed[0] if sealed else head.partition("Payload:\n")[2])


def readable(task: str) -> str | None:
    """A task cut to what is kept; None for a sealed one, which is a long word with no white space in it."""
    sealed = len(task) >= 80 and not any(character.isspace() for character in task[:4096])
    return None if sealed or not task else task[:GOAL_CHARS_MAX]


def asked(call: dict[str, Any]) -> Dispatch | None:
    """What a spawn call asks for."""
    model, effort = values.string(call, "model"), values.string(call, "reasoning_effort")
    return Dispatch(executor="delegate", model=model, reasoning_effort=effort) if model or effort else None


def verdict(failure: Failure) -> tuple[End, Censoring | None]:
    """What an API error says of a turn: nearly always nothing about the model."""
    info = failure.info
    name = next(iter(info), "") if isinstance(info, dict) else str(info or "")
    status = values.member(values.mapping(info), name).get("http_status_code")
    if name == "context_window_exceeded":
        return "budget", None
    if name in ("bad_request", "sandbox_error"):
        return "unknown", "harness"
    return "unknown", values.censoring(f"{name} {failure.message}", status if isinstance(status, int) else None)

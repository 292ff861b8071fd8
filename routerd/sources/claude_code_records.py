"""Records of Claude Code's session files as typed values.

Only what the source uses is decoded; everything else in a line is skipped by the decoder, which is most of its bytes.
A record of an unknown type is none of ours. Lines that are not quite JSON are recovered by `decode`: two records on one
line, NULs from a crash, bytes that are not UTF-8.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Raw, field

from routerd.events import Tokens
from routerd.sources.base import GOAL_CHARS_MAX
from routerd.sources.values import NOT_JSON

SYNTHETIC: Final = "<synthetic>"
"""The model of records that the harness makes up."""

WANTED: Final = frozenset({"user", "assistant", "system", "queue-operation", "progress", "api-request"})
"""Types that are read; metadata, attachments, snapshots and whatever a later version adds are skipped."""

TOLD: Final = frozenset({"user", "assistant"})
"""Types of which every record must be readable; others come in shapes that are none of ours."""


COUNT_MAX: Final = 2**40

_PROGRESS: Final = b'"type":"progress","data":{"type":"'
_CHILD: Final = b'agent_progress"'
_HEAD_BYTES: Final = 1024

T = TypeVar("T")


class Skimmed(msgspec.Struct, rename="camel", gc=False):
    """A part of a record; unknown members are skipped."""


class Usage(msgspec.Struct, gc=False):
    """Tokens of one API response, as every one of its lines repeats them."""

    input_tokens: float | None = None
    output_tokens: float | None = None
    cache_read_input_tokens: float | None = None
    cache_creation_input_tokens: float | None = None

    def tokens(self) -> Tokens:
        """The same in the kinds that routerd knows; Claude's input holds no cache."""
        return Tokens(
            input=whole(self.input_tokens),
            output=whole(self.output_tokens),
            cache_read=whole(self.cache_read_input_tokens),
            cache_write=whole(self.cache_creation_input_tokens),
        )


class Block(msgspec.Struct, gc=False):
    """One block of a message: text, thinking, a tool call or its result. `Raw` parts live only as long as the line."""

    type: str = ""
    id: str | None = None
    name: str | None = None
    tool_use_id: str | None = None
    is_error: bool | None = None
    input: Raw = Raw()
    content: Raw = Raw()
    text: Raw = Raw()
    thinking: Raw = Raw()


class Message(msgspec.Struct, gc=False):
    """What went to or came from the model."""

    id: str | None = None
    model: str | None = None
    stop_reason: str | None = None
    content: str | list[Block] | None = None
    usage: Usage | None = None


class Mirrored(Skimmed, gc=False):
    """`data` of a progress record: a child's record, shown in its parent's file by versions 2.1.9 to 2.1.78."""

    type: str | None = None
    agent_id: str | None = None
    message: "Record | None" = None


class Record(Skimmed, gc=False):
    """One record of a session or of a child; see `WANTED`."""

    type: str = ""
    subtype: str | None = None
    uuid: str | None = None
    timestamp: str | None = None
    cwd: str | None = None
    is_sidechain: bool | None = None
    is_meta: bool | None = None
    is_compact_summary: bool | None = None
    is_visible_in_transcript_only: bool | None = None
    is_api_error_message: bool | None = None
    api_error_status: float | None = None
    error: Any = None
    request_id: str | None = None
    effort: Any = None
    per_turn_effort: Any = None
    requested_model: str | None = None
    attribution_agent: str | None = None
    prompt_source: str | None = None
    origin: Any = None
    permission_decision: Any = None
    tool_use_result: Raw = Raw()
    message: Message | None = None
    duration_ms: float | None = None
    content: Raw = Raw()
    data: Mirrored | None = None
    parent_tool_use_id: str | None = field(name="parentToolUseID", default=None)
    params: Any = None
    query_source: str | None = None

    @property
    def at(self) -> float | None:
        """Unix seconds."""
        return seconds(self.timestamp)


class Header(msgspec.Struct, gc=False):
    """What tells records apart."""

    type: str = ""


class Meta(Skimmed, gc=False):
    """`agent-<id>.meta.json`: what the harness notes of a child beside its file."""

    agent_type: str | None = None
    tool_use_id: str | None = None
    spawn_depth: int | None = None
    model: str | None = None


class Input(msgspec.Struct, gc=False):
    """Arguments of the tools that matter: shells, delegations, messages to children (some of them no texts)."""

    command: str | None = None
    run_in_background: Any = None
    prompt: str | None = None
    description: str | None = None
    subagent_type: str | None = None
    model: str | None = None
    effort: Any = None
    resume: str | None = None
    message: Any = None

    @property
    def task(self) -> str:
        """What a child is to do."""
        said = self.message if isinstance(self.message, str) else None
        return self.prompt or said or self.description or ""


class Result(Skimmed, gc=False):
    """`toolUseResult` of a delegation. Its `usage` is the last API call's, not the run's."""

    status: str | None = None
    agent_id: str | None = None
    agent_type: str | None = None
    resolved_model: str | None = None
    resumed_agent_id: str | None = None
    total_duration_ms: float | None = None
    total_tokens: float | None = None
    total_tool_use_count: float | None = None
    usage: Usage | None = None


_RECORD: Final = msgspec.json.Decoder(Record)
_HEADER: Final = msgspec.json.Decoder(Header)
_INPUT: Final = msgspec.json.Decoder(Input)
_RESULT: Final = msgspec.json.Decoder(Result)
_ANY: Final[msgspec.json.Decoder[Any]] = msgspec.json.Decoder()
_META: Final = msgspec.json.Decoder(Meta)


Decoded = tuple[list[Record], bool]
"""The records of a line that are of interest, and whether all of it could be read."""


def decode(data: bytes) -> Decoded:
    """The records of a line: one as a rule, none where it is of another type."""
    at = data.find(_PROGRESS, 0, _HEAD_BYTES)
    if at > 0 and _is_other_progress(data, at):
        return [], True
    try:
        return _typed(data)
    except NOT_JSON:
        return _recovered(data)


def _is_other_progress(data: bytes, at: int) -> bool:
    """
    Whether a line says how a command or a hook is doing, and not a child: a quarter of some sessions' lines.

    Quotes within a text are escaped, so what stands at `at` can only be a record's own members; and no object begins
    before them, so they are those of the outermost. A line that is written otherwise, or holds two, is decoded.
    """
    return (
        not data.startswith(_CHILD, at + len(_PROGRESS))
        and data.find(b"{", 1, at) < 0
        and b"}{" not in data
        and data.endswith(b"}")
    )


def _typed(data: bytes) -> Decoded:
    try:
        record = _RECORD.decode(data)
    except msgspec.ValidationError:
        return [], _type(data) not in TOLD
    return ([record] if record.type in WANTED else []), True


def _type(data: bytes) -> str:
    try:
        return _HEADER.decode(data).type
    except msgspec.ValidationError:
        msgspec.json.decode(data)  # no record, but JSON: else it raises
        return ""


def _recovered(data: bytes) -> Decoded:
    """Records out of a line that is not one JSON value."""
    text = data.decode(errors="replace").replace("\0", "").strip()
    found: list[Record] = []
    whole = True
    try:
        for value in _values(text):
            records, fine = _typed(json.dumps(value, ensure_ascii=False).encode(errors="replace"))
            found, whole = found + records, whole and fine
    except (ValueError, RecursionError):
        whole = False
    return found, whole


def _values(text: str) -> Iterator[Any]:
    decoder, end = json.JSONDecoder(), 0
    while end < len(text):
        value, end = decoder.raw_decode(text, end)
        yield value
        while end < len(text) and text[end].isspace():
            end += 1


def results(record: Record) -> list[Block]:
    """The results of tools in a user record."""
    content = record.message.content if record.message is not None else None
    return [block for block in content if block.type == "tool_result"] if isinstance(content, list) else []


def is_answer(record: Record) -> bool:
    """Whether a record shows that a model was asked, be it in vain."""
    message = record.message
    return message is not None and (message.model != SYNTHETIC or bool(record.is_api_error_message))


def decode_input(raw: Raw) -> Input:
    """Arguments of a tool call; those of another shape have none of interest."""
    return _part(_INPUT, raw) or Input()


def decode_result(raw: Raw) -> Result:
    """The structured result of a tool; a text or another shape has none of interest."""
    return _part(_RESULT, raw) or Result()


def _part(decoder: msgspec.json.Decoder[T], raw: Raw) -> T | None:
    """A part of a record; None where it has another shape. Half a surrogate in a text does not spoil it."""
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError:
        return None
    except NOT_JSON:
        pass
    try:
        return decoder.decode(json.dumps(json.loads(bytes(raw)), ensure_ascii=False).encode(errors="replace"))
    except (ValueError, RecursionError):
        return None


def decode_meta(data: bytes) -> Meta | None:
    """What stands beside a child's file; None where it is no such document."""
    try:
        return _META.decode(data)
    except NOT_JSON:
        return None


def seconds(timestamp: str | None) -> float | None:
    """Unix seconds of an ISO time; one that names no zone is UTC."""
    if not timestamp:
        return None
    try:
        at = datetime.fromisoformat(timestamp)
        return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def clip(text: str) -> str:
    """As much of a task's text as is kept."""
    return text[:GOAL_CHARS_MAX]


def string(raw: Raw) -> str:
    """The text in a JSON value: the string itself, or the text blocks of a list."""
    value: Any = _part(_ANY, raw)
    if isinstance(value, str):
        return value
    blocks = [block for block in value if isinstance(block, dict)] if isinstance(value, list) else []
    return "\n".join(text for block in blocks if isinstance(text := block.get("text"), str))


def whole(number: float | None) -> int:
    """A count or a duration as it may be added up: never negative, and never out of all proportion."""
    if number is None or number <= 0:
        return 0
    return int(number) if number < COUNT_MAX else COUNT_MAX


def member(value: Any, key: str) -> str | None:
    """A text member of an object that is not typed."""
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, str) else None

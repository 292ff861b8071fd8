"""Records of Claude Code's session files as typed values, and the fixed texts in them that the harness itself writes.

Only what the source uses is decoded; everything else in a line is skipped by the decoder, which is most of its bytes.
A record of an unknown type is none of ours. Lines that are not quite JSON are recovered by `decode`: two records on one
line, NULs from a crash, bytes that are not UTF-8.

Texts are matched only where the harness writes them, never a person's or a model's words.
"""

import json
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final, Literal

import msgspec
from msgspec import Raw, field

from routerd.events import Censoring, Tokens
from routerd.sources.base import GOAL_CHARS_MAX
from routerd.sources.signals import End

WANTED: Final = frozenset({"user", "assistant", "system", "queue-operation", "progress", "api-request"})
"""Types that are read; metadata, attachments, snapshots and whatever a later version adds are skipped."""

CHARS_PER_TOKEN: Final = 4
"""Of a response whose token count is a placeholder the output is guessed: about four characters a token."""


class Skimmed(msgspec.Struct, rename="camel"):
    """A part of a record; unknown members are skipped."""


class Usage(msgspec.Struct):
    """Tokens of one API response, as every one of its lines repeats them."""

    input_tokens: float | None = None
    output_tokens: float | None = None
    cache_read_input_tokens: float | None = None
    cache_creation_input_tokens: float | None = None

    def tokens(self) -> Tokens:
        """The same in the kinds that routerd knows; Claude's input holds no cache."""
        return Tokens(
            input=int(self.input_tokens or 0),
            output=int(self.output_tokens or 0),
            cache_read=int(self.cache_read_input_tokens or 0),
            cache_write=int(self.cache_creation_input_tokens or 0),
        )


class Block(msgspec.Struct):
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


class Message(msgspec.Struct):
    """What went to or came from the model."""

    id: str | None = None
    model: str | None = None
    stop_reason: str | None = None
    content: str | list[Block] | None = None
    usage: Usage | None = None


class Mirrored(Skimmed):
    """`data` of a progress record: a child's record, shown in its parent's file by versions 2.1.9 to 2.1.78."""

    type: str | None = None
    agent_id: str | None = None
    message: "Record | None" = None


class Record(Skimmed):
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

    @property
    def at(self) -> float | None:
        """Unix seconds."""
        return seconds(self.timestamp)


class Meta(Skimmed):
    """`agent-<id>.meta.json`: what the harness notes of a child beside its file."""

    agent_type: str | None = None
    tool_use_id: str | None = None
    spawn_depth: int | None = None
    model: str | None = None
    launched_with_defaults: bool | None = None


class Input(msgspec.Struct):
    """Arguments of the tools that matter: shells, delegations, messages to children."""

    command: str | None = None
    run_in_background: bool | None = None
    prompt: str | None = None
    description: str | None = None
    subagent_type: str | None = None
    model: str | None = None
    effort: str | None = None
    resume: str | None = None
    message: str | None = None


class Result(Skimmed):
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


class Notice(msgspec.Struct, frozen=True):
    """A `<task-notification>`, or what a look at a background task told: a child came to rest."""

    task: str
    tool: str | None
    status: str
    summary: str
    duration_ms: int | None
    at: float | None


_RECORD: Final = msgspec.json.Decoder(Record)
_HEADER: Final = msgspec.json.Decoder(msgspec.defstruct("Header", [("type", str, "")]))
_INPUT: Final = msgspec.json.Decoder(Input)
_RESULT: Final = msgspec.json.Decoder(Result)
_META: Final = msgspec.json.Decoder(Meta)


class Unreadable(ValueError):
    """A line that holds something that cannot be read."""


def decode(data: bytes) -> list[Record]:
    """
    The records of a line that are of interest: one as a rule.

    Raises:
        Unreadable: Some of the line is no JSON, or a wanted record has not the shape that it should have.
    """
    try:
        return _typed(data)
    except (msgspec.DecodeError, RecursionError):
        return _recovered(data)


def _typed(data: bytes) -> list[Record]:
    try:
        record = _RECORD.decode(data)
    except msgspec.ValidationError:
        if _is_wanted(data):
            raise Unreadable from None
        return []
    return [record] if record.type in WANTED else []


def _is_wanted(data: bytes) -> bool:
    try:
        return _HEADER.decode(data).type in WANTED  # type: ignore[attr-defined]
    except msgspec.ValidationError:
        return False


def _recovered(data: bytes) -> list[Record]:
    """Records out of a line that is not one JSON value."""
    text = data.decode(errors="replace").replace("\0", "").strip()
    records: list[Record] = []
    try:
        for value in _values(text):
            records += _typed(json.dumps(value, ensure_ascii=False).encode(errors="replace"))
    except (ValueError, RecursionError):
        if not records:
            raise Unreadable from None
    return records


def _values(text: str) -> Iterator[Any]:
    decoder, end = json.JSONDecoder(), 0
    while end < len(text):
        value, end = decoder.raw_decode(text, end)
        yield value
        while end < len(text) and text[end].isspace():
            end += 1


def decode_input(raw: Raw) -> Input:
    """Arguments of a tool call; those of another shape have none of interest."""
    try:
        return _INPUT.decode(raw)
    except msgspec.MsgspecError:
        return Input()


def decode_result(raw: Raw) -> Result:
    """The structured result of a tool; a text or another shape has none of interest."""
    try:
        return _RESULT.decode(raw)
    except msgspec.MsgspecError:
        return Result()


def decode_meta(data: bytes) -> Meta:
    """
    What stands beside a child's file.

    Raises:
        Unreadable: It is not such a document.
    """
    try:
        return _META.decode(data)
    except (msgspec.MsgspecError, RecursionError):
        raise Unreadable from None


def seconds(timestamp: str | None) -> float | None:
    """Unix seconds of an ISO time."""
    try:
        return datetime.fromisoformat(timestamp).timestamp() if timestamp else None
    except (ValueError, OverflowError):
        return None


def clip(text: str) -> str:
    """As much of a task's text as is kept."""
    return text[:GOAL_CHARS_MAX]


def string(raw: Raw) -> str:
    """The text in a JSON value: the string itself, or the text blocks of a list."""
    try:
        value = msgspec.json.decode(raw)
    except msgspec.MsgspecError:
        return ""
    if isinstance(value, str):
        return value
    blocks = [block for block in value if isinstance(block, dict)] if isinstance(value, list) else []
    return "\n".join(text for block in blocks if isinstance(text := block.get("text"), str))


def member(value: Any, key: str) -> str | None:
    """A text member of an object that is not typed."""
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, str) else None


# --- user records ----------------------------------------------------------------------------------------------------

Said = Literal["human", "command", "coordinator", "notice", "interrupt", "shutdown", "aside"]

_INTERRUPT: Final = "[Request interrupted by user"
_SHUTDOWN: Final = ("[Request interrupted: ", "[Agent call interrupted: ", "[Tool call interrupted: ")
_TYPED: Final = frozenset({"typed", "queued", "suggestion_accepted", "sdk"})
_TAG: Final = re.compile(r"\s*(?:<[a-z][\w-]*[\s/>]|Caveat: )")
_COMMAND: Final = re.compile(r"\s*<command-(?:name|message)>")
_COMMAND_PARTS: Final = re.compile(r"<command-(name|args)>(.*?)</command-\1>", re.DOTALL)
_HARNESS_TAG: Final = re.compile(r"\s*<(?:command-|local-command-|bash-|task-notification|system-reminder|teammate-)")
_NOTICE: Final = re.compile(r"\s*<task-notification>")
_NOTICE_PART: Final = re.compile(r"<(task[-_]id|tool-use-id|status|summary)>(.*?)</\1>", re.DOTALL)
_DURATION: Final = re.compile(r"<duration_ms>(\d{1,12})</duration_ms>")


def spoken(record: Record) -> tuple[Said, str]:
    """
    Who speaks in a user record that holds no tool result, and the text.

    A list of blocks may begin with what an editor adds in tags; the person's words stand behind it.
    """
    content = record.message.content if record.message is not None else None
    if isinstance(content, list):
        texts = [string(block.text) for block in content if block.type == "text"]
        own = [text for text in texts if not _TAG.match(text)] or texts
        text, picture = "\n".join(own), any(block.type == "image" for block in content)
    else:
        text, picture = content or "", False
    if text.startswith(_INTERRUPT):
        return "interrupt", text
    if text.startswith(_SHUTDOWN):
        return "shutdown", text
    if _NOTICE.match(text):
        return "notice", text
    origin = member(record.origin, "kind")
    if origin == "coordinator":
        return "coordinator", text
    hidden = record.is_meta or record.is_compact_summary or record.is_visible_in_transcript_only
    if hidden or origin not in (None, "human") or record.prompt_source == "system":
        return "aside", text
    if _COMMAND.match(text):
        parts = dict(_COMMAND_PARTS.findall(text))
        return "command", f"{parts.get('name', '')} {parts.get('args', '')}".strip()
    if _TAG.match(text) and (record.prompt_source not in _TYPED or _HARNESS_TAG.match(text)):
        return "aside", text
    return ("human" if text.strip() or picture else "aside"), text


def notice(text: str, at: float | None) -> Notice | None:
    """What a notification says, or the result of looking at a task; the child's own words in it are not looked at."""
    head = re.split("<(?:result|output)>", text, maxsplit=1)[0]
    parts = {name.replace("_", "-"): value.strip() for name, value in reversed(_NOTICE_PART.findall(head))}
    if parts.get("status") not in ("completed", "failed", "killed", "stopped") or not parts.get("task-id"):
        return None
    durations = _DURATION.findall(text.rpartition("<usage>")[2])
    return Notice(
        task=parts["task-id"],
        tool=parts.get("tool-use-id"),
        status=parts["status"],
        summary=parts.get("summary", "")[:1000],
        duration_ms=int(durations[0]) if durations else None,
        at=at,
    )


_CHILD: Final = re.compile(r'^agentId: ([\w-]+) \(|"resumedAgentId":"([\w-]+)"', re.MULTILINE)
_TOOK: Final = re.compile(r"^duration_ms: (\d{1,12})", re.MULTILINE)


def child_in(text: str) -> str | None:
    """The child's id that stands at the end of a delegation's result."""
    found = _CHILD.findall(text)
    return (found[-1][0] or found[-1][1]) if found else None


def duration(text: str) -> int | None:
    """The time that stands at the end of a delegation's result."""
    found = _TOOK.findall(text)
    return int(found[-1]) if found else None


# --- how things end --------------------------------------------------------------------------------------------------

REFUSED: Final = (
    "The user doesn't want to ",
    "User rejected tool use",
    "[Tool call skipped",
    "[Tool call not completed",
)
NOT_COPIED: Final = "[Tool call result not in this copy"
EXIT_CODE: Final = "Exit code "
IN_BACKGROUND: Final = "Command running in background"
EMPTY: Final = "No assistant messages found"
HARNESS_BUG: Final = "classifyHandoffIfNeeded"

_STATUS: Final = re.compile(r"API Error:? \(?(\d{3})\b|\bHTTP (\d{3})\b")
_ERROR_TYPE: Final = re.compile(r"\(error type (\w+)")
_LIMIT: Final = re.compile(
    r"hit your .*limit|reached your .*limit|(?<!not your )usage limit|limit reached|out of .*usage|Credit balance"
)
_LOGIN: Final = re.compile(r"Invalid API key|/login|OAuth|authenticat", re.IGNORECASE)
_API: Final = re.compile(r"API Error|Connection error|Request timed out|Agent terminated early due to an API error")
_TOO_LONG: Final = re.compile(r"[Pp]rompt is too long|Input is too long")

_BY_NAME: Final[dict[str, Censoring]] = {
    "authentication_failed": "auth",
    "oauth_org_not_allowed": "auth",
    "cloud_credential_error": "auth",
    "account_on_hold": "auth",
    "verification_required": "auth",
    "billing_error": "usage_limit",
    "overloaded": "overload",
    "server_error": "overload",
    "model_not_found": "harness",
}

Ending = tuple[End, Censoring | None]
"""How something ended, and why that says nothing about who did it."""


def api_failure(text: str, name: str | None = None, status: int | None = None) -> Ending | None:
    """
    What an API error means; None where the text is none.

    A context that is too long is the arm's own limit (`budget`). Limits, logins and overload are nobody's failure. What
    cannot be told apart further is the harness's.

    Args:
        text: The message that the harness shows for it.
        name: Its class, where the record has one.
        status: The HTTP status, where the record has one.
    """
    found = _ERROR_TYPE.search(text)
    name = name or (found[1] if found else None)
    numbers = _STATUS.search(text)
    status = status or (int(numbers[1] or numbers[2]) if numbers else None)
    if _TOO_LONG.search(text) or name == "max_output_tokens":
        return "budget", None
    if _LIMIT.search(text) or status == 402:
        return "unknown", "usage_limit"
    if name in _BY_NAME:
        return "unknown", _BY_NAME[name]
    if status in (401, 403) or (status is None and _LOGIN.search(text)):
        return "unknown", "auth"
    if status == 429 or name == "rate_limit" or (status or 0) >= 500:
        return "unknown", "overload"
    if name is not None or status is not None:
        return "unknown", "harness"
    return ("unknown", "overload") if _API.search(text) else None


def told(text: str) -> Ending | None:
    """How a delegation ended by the error that its parent was told; None where it seems never to have begun."""
    if EMPTY in text:
        return "empty", None
    if HARNESS_BUG in text:
        return "unknown", "harness"
    bare = text.removeprefix("Error: ")
    if bare.startswith(_INTERRUPT):
        return "interrupted", None
    if bare.startswith(_SHUTDOWN):
        return "unknown", "shutdown"
    return api_failure(text) if _API.search(text) else None


# --- models ----------------------------------------------------------------------------------------------------------

SYNTHETIC: Final = "<synthetic>"

_BEDROCK: Final = re.compile(r"(?:[a-z]{2,6}\.)?anthropic\.|arn:aws[\w-]*:bedrock:")
_VERTEX: Final = re.compile(r"claude-[\w.-]+@\w+$")


def model_of(name: str | None) -> str | None:
    """A model as it is spelled, without the mark of a long context; None for what the harness made up."""
    return name.removesuffix("[1m]") if name and name != SYNTHETIC else None


def provider_of(model: str | None, message_id: str | None = None) -> str | None:
    """The provider where the spelling of the model or of the response's id tells; a gateway's own names do not."""
    if message_id is not None and message_id.startswith("msg_bdrk_"):
        return "bedrock"
    if message_id is not None and message_id.startswith("msg_vrtx_"):
        return "vertex"
    if model is None:
        return None
    if _BEDROCK.match(model):
        return "bedrock"
    if _VERTEX.match(model):
        return "vertex"
    return "anthropic" if model.startswith("claude-") else None

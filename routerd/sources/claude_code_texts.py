"""The fixed texts that Claude Code's harness writes into its records, and what they mean.

They are matched only where the harness writes them, never a person's or a model's own words.
"""

import re
from functools import lru_cache
from typing import Final, Literal

import msgspec

from routerd.events import Censoring
from routerd.sources.claude_code_records import SYNTHETIC, Record, member, string
from routerd.sources.signals import End


class Notice(msgspec.Struct, frozen=True):
    """A `<task-notification>`, or what a look at a background task told: a child came to rest."""

    task: str
    tool: str | None
    status: str
    summary: str
    duration_ms: int | None
    at: float | None


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
    if is_notice(text):
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


def is_notice(text: str) -> bool:
    """Whether it is a notification."""
    return _NOTICE.match(text) is not None


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
STOPPED: Final = "stopped while running"
"""Within the text of a refusal, from 2.1.329 on: it was none."""
NOT_COPIED: Final = "[Tool call result not in this copy"
LAUNCHED: Final = "Async agent launched"
EXIT_CODE: Final = re.compile(r"Exit code (\d{1,3})\b")
SIGNAL_CODE_MIN: Final = 126
"""From here on a command was not found, not run or killed: its exit code is no verdict."""
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
    if bare.startswith(_INTERRUPT) or STOPPED in text:
        return "interrupted", None
    if bare.startswith(_SHUTDOWN):
        return "unknown", "shutdown"
    return api_failure(text) if _API.search(text) else None


# --- models ----------------------------------------------------------------------------------------------------------

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
    return _provider_of_model(model) if model is not None else None


@lru_cache(maxsize=64)
def _provider_of_model(model: str) -> str | None:
    if _BEDROCK.match(model):
        return "bedrock"
    if _VERTEX.match(model):
        return "vertex"
    return "anthropic" if model.startswith("claude-") else None

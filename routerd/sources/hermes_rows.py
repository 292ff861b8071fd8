"""What the rows of Hermes Agent's databases say: texts, tool calls, results of delegations, reasons of failures.

Pure functions of one value each; a value of an unexpected shape reads as nothing.
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from hashlib import blake2b
from typing import Any, Final, Literal

import msgspec

from routerd.events import Censoring, Dispatch, Role
from routerd.sources.base import GOAL_CHARS_MAX
from routerd.sources.values import NOT_JSON

DELEGATE: Final = "delegate_task"
EDITORS: Final = frozenset({"write_file", "patch", "edit_file", "apply_patch", "str_replace"})
CLARIFY: Final = "clarify"
TERMINAL: Final = "terminal"

Kind = Literal["human", "note", "notice"]

NO_REPLY: Final = "⚠️ No reply"
BUDGET_SPENT: Final = "You've reached the maximum number of tool-calling iterations"
INTERRUPTED: Final = "Operation interrupted"
EMPTY: Final = "(empty)"
NOT_THE_END: Final = frozenset(
    {"tool_calls", "incomplete", "verification_required", "verify_hook_continue", "kanban_terminal_required"}
)
"""Finish reasons after which Hermes itself lets the model go on."""

_NOTES: Final = (
    BUDGET_SPENT,
    "[System: ",
    "[IMPORTANT: MCP servers have been reloaded",
    "[Your active task list was preserved",
    "[Continuing toward your standing goal]",
    "[CONTEXT COMPACTION",
    "[CONTEXT SUMMARY]",
    "[PRIOR CONTEXT ",
    "Continue from the compressed conversation context above",
    "You just executed tool calls but returned",
)
_NOTICES: Final = ("[ASYNC DELEGATION ", "[IMPORTANT: Background process ")

_TELLING: Final = re.compile(rf'"name"\s*:\s*"(?:{DELEGATE}|{TERMINAL}|{CLARIFY})"|\\u00')
"""Or a letter written as a number, which Hermes does not do."""
_ID: Final = re.compile(r'"id"\s*:\s*"([^"]+)"')
_JSON_PREFIX: Final = "\x00json:"
_DELEGATION_ID: Final = re.compile(r"\bdeleg_\w{1,64}")
_LIVE: Final = re.compile(r"(deleg_\w{1,64})/task-(\d+)\.log$")
_TASK_LINE: Final = re.compile(
    r"^--- \S+ TASK (\d+)/\d+.*?\(status=(\w+)(?:, api_calls=\d+)?(?:, ([\d.]+)s)?\) ---\n(.{0,200})", re.MULTILINE
)
_HTTP: Final = re.compile(r"^(?:API call failed after \d+ retries: )?(?:HTTP|Error code:) (\d{3})\b")
_BILLING: Final = "Billing or credits exhausted"
_TOO_LONG: Final = re.compile(r"context.?(?:length|window|overflow)|prompt is too long|too many tokens", re.IGNORECASE)
_HEAD_CHARS: Final = 200


class Asked(msgspec.Struct, frozen=True):
    """One task of a `delegate_task` call: what it says, and the parts of the dispatch that it names."""

    goal: str
    context: str | None
    role: Role
    asked: Dispatch | None


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """How one task of a call came out, by the parent's account. In 0.19 `status` alone says nothing."""

    index: int
    status: str
    exit_reason: str | None = None
    duration_s: float | None = None
    model: str | None = None
    tokens: tuple[int, int] | None = None
    words: str = ""
    error: str = ""
    delegation_id: str | None = None
    transcript: str | None = None


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came back from a `delegate_task` call: results, a handle of work in the background, or a refusal."""

    entries: tuple[Entry, ...] = ()
    delegation_id: str | None = None
    refused: bool = False


class Cause(msgspec.Struct, frozen=True):
    """Why a model call failed for good: something that says nothing of the model, or its context was full (None)."""

    censored: Censoring | None


def text_of(content: Any) -> str:
    """The text of a message: plain, or the text parts of a list."""
    if not isinstance(content, str):
        return ""
    if not content.startswith(_JSON_PREFIX):
        return text(content) or ""
    parts = json_of(content)
    if not isinstance(parts, list):
        return ""
    return "\n".join(found for part in parts if (found := _str(part, "text")) is not None)


def json_of(content: Any) -> Any:
    """The JSON value with which a text begins (tool messages may have a warning behind it), or None."""
    if not isinstance(content, str):
        return None
    text = content.removeprefix(_JSON_PREFIX)
    try:
        return msgspec.json.decode(text)
    except NOT_JSON:
        pass
    try:
        return json.JSONDecoder().raw_decode(text)[0]
    except (ValueError, RecursionError):
        return None


def kind_of(text: str) -> Kind:
    """Who speaks in a message of the user's role: a person, Hermes to the running turn, or Hermes with news."""
    if not text.startswith(("[", "You", "Continue ")):
        return "human"
    if text.startswith(_NOTICES):
        return "notice"
    return "note" if text.startswith(_NOTES) else "human"


def digest(*parts: str) -> str:
    """A short name of a text, the same in every process."""
    return blake2b("\x1f".join(parts).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def may_tell(tool_calls: Any) -> bool:
    """Whether the calls of a message hold one that is looked at; most do not, and need not be decoded."""
    return not isinstance(tool_calls, str) or _TELLING.search(tool_calls) is not None


def first_id(tool_calls: Any) -> str:
    """The id of the first call of a message, without decoding it; or how the text begins."""
    text = tool_calls if isinstance(tool_calls, str) else ""
    found = _ID.search(text)
    return found[1] if found else text[:_HEAD_CHARS]


def calls_of(tool_calls: Any) -> list[tuple[str, str, Any]]:
    """The calls of an assistant's message as (id, tool, arguments as they stand)."""
    found = []
    value = json_of(tool_calls)
    for call in value if isinstance(value, list) else []:
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            continue
        name = _str(call, "id") or _str(call, "call_id") or ""
        found.append((name, function["name"], function.get("arguments")))
    return found


def arguments_of(value: Any) -> dict[str, Any]:
    """The arguments of a call, which are an object or the text of one."""
    arguments = json_of(value) if isinstance(value, str) else value
    return arguments if isinstance(arguments, dict) else {}


def asked_of(value: Any) -> list[Asked]:
    """The tasks of a `delegate_task` call. The call's own role holds for tasks that name none; its context does not."""
    arguments = arguments_of(value)
    tasks = arguments.get("tasks")
    if isinstance(tasks, str):
        tasks = json_of(tasks)
    listed = [task for task in tasks if isinstance(task, dict)] if isinstance(tasks, list) else []
    return [_asked(task, arguments) for task in listed or [arguments] if _str(task, "goal")]


def _asked(task: Mapping[str, Any], call: Mapping[str, Any]) -> Asked:
    named = {
        "profile": _str(task, "profile") or _str(call, "profile"),
        "provider": _str(task, "provider") or _str(call, "provider"),
        "model": _str(task, "model") or _str(call, "model"),
        "reasoning_effort": _str(task, "reasoning_effort") or _str(call, "reasoning_effort"),
    }
    role = _role(task) or _role(call)
    asked = Dispatch(executor="delegate", role=role, **named) if role or any(named.values()) else None
    context = _str(task, "context")
    return Asked(
        goal=(_str(task, "goal") or "")[:GOAL_CHARS_MAX],
        context=context[:GOAL_CHARS_MAX] if context else None,
        role=role or "leaf",
        asked=asked,
    )


def answer_of(content: Any) -> Answer:
    """The result of a `delegate_task` call as its tool message holds it."""
    value = json_of(content)
    if isinstance(value, dict):
        entries = entries_of(value)
        delegation = _str(value, "delegation_id") or next((e.delegation_id for e in entries if e.delegation_id), None)
        refused = not entries and delegation is None
        return Answer(entries=entries, delegation_id=delegation, refused=refused)
    # A result of more than 100,000 characters is kept elsewhere, with a preview in its place.
    found = _DELEGATION_ID.search(content[:100_000]) if isinstance(content, str) else None
    return Answer(delegation_id=found[0] if found else None)


def entries_of(value: Any) -> tuple[Entry, ...]:
    """The entries of `results`, in a tool message or in `async_delegations.result_json`."""
    results = value.get("results") if isinstance(value, dict) else None
    return tuple(
        _entry(e, i) for i, e in enumerate(results if isinstance(results, list) else []) if isinstance(e, dict)
    )


def _entry(entry: Mapping[str, Any], place: int) -> Entry:
    tokens = entry.get("tokens")
    live = _str(entry, "live_transcript")
    found = _LIVE.search(live) if live else None
    return Entry(
        index=_int(entry, "task_index") if _int(entry, "task_index") is not None else place,  # type: ignore[arg-type]
        status=_str(entry, "status") or "",
        exit_reason=_str(entry, "exit_reason"),
        duration_s=number(entry.get("duration_seconds")),
        model=_str(entry, "model"),
        tokens=(_int(tokens, "input") or 0, _int(tokens, "output") or 0) if isinstance(tokens, dict) else None,
        words=(_str(entry, "summary") or "")[:_HEAD_CHARS],
        error=(_str(entry, "error") or "")[:_HEAD_CHARS],
        delegation_id=found[1] if found else None,
        transcript=live,
    )


def notice_of(text: str) -> tuple[str, tuple[Entry, ...]] | None:
    """The results in the message with which a background delegation comes back; they outlive their database row."""
    found = _DELEGATION_ID.search(text[:_HEAD_CHARS])
    if found is None:
        return None
    entries = tuple(
        Entry(
            index=int(line[1]) - 1,
            status=line[2],
            duration_s=number(line[3]),
            words=line[4],
        )
        for line in _TASK_LINE.finditer(text)
    )
    return found[0], entries


def effort_of(config: Any) -> str | None:
    """The effort of `model_config.reasoning_config`; None where the session takes what its parent or the model has."""
    reasoning = config.get("reasoning_config") if isinstance(config, dict) else None
    if not isinstance(reasoning, dict):
        return None
    return "none" if reasoning.get("enabled") is False else _str(reasoning, "effort")


def cause_of_dump(data: bytes) -> tuple[str, Cause] | None:
    """The session and the cause that a request dump tells of; None when it tells of no failure."""
    try:
        dump = msgspec.json.decode(data)
    except NOT_JSON:
        return None
    error = dump.get("error") if isinstance(dump, dict) else None
    session = _str(dump, "session_id") if isinstance(dump, dict) else None
    if not isinstance(error, dict) or session is None:
        return None  # HERMES_DUMP_REQUESTS writes every request
    status = _int(error, "status_code") or _int(error, "response_status")
    return session, _cause(status, f"{error.get('code')} {error.get('message')}")


def cause_of_words(words: str) -> Cause | None:
    """The cause in what an aborted run gives as its summary: `HTTP 401: invalid api key`."""
    if words.startswith(_BILLING):
        return Cause("usage_limit")
    found = _HTTP.match(words)
    return _cause(int(found[1]), words) if found else None


def _cause(status: int | None, words: str) -> Cause:
    if status in (401, 403):
        return Cause("auth")
    if status in (402, 429):
        return Cause("usage_limit")
    if status is None or status in (408, 409) or status >= 500:
        return Cause("overload")
    # A full context is the model's limit, met on this task; every other refusal of a request is the harness's.
    return Cause(None) if status == 413 or _TOO_LONG.search(words[:4096]) else Cause("harness")


def when(text: Any) -> float | None:
    """Unix seconds of an ISO time with its zone."""
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.timestamp() if moment.tzinfo is not None else None


def number(value: Any) -> float | None:
    """A number, also where SQLite holds it as text."""
    if type(value) is float:
        return value if abs(value) < 1e15 else None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if abs(found) < 1e15 else None


def count(value: Any) -> int:
    """A count that is not negative."""
    found = number(value)
    return int(found) if found is not None and found > 0 else 0


def text(value: Any) -> str | None:
    """A text that says something. Halves of surrogate pairs, which JSON can spell, are no text."""
    if not isinstance(value, str) or not value:
        return None
    return value if value.isascii() else value.encode("utf-8", "replace").decode()


def _str(value: Any, key: str) -> str | None:
    return text(value.get(key)) if isinstance(value, Mapping) else None


def _int(value: Any, key: str) -> int | None:
    found = value.get(key) if isinstance(value, Mapping) else None
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def _role(task: Mapping[str, Any]) -> Role | None:
    role = str(task.get("role") or "").strip().lower()
    return role if role in ("leaf", "orchestrator") else None  # type: ignore[return-value]

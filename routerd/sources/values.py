"""Small readers of loosely typed JSON: what a log may hold instead of what it should is passed over, never raised."""

import re
from datetime import datetime
from typing import Any, Final, TypeGuard

import msgspec
from msgspec import Raw

from routerd.events import Censoring

NOT_JSON: Final = (msgspec.DecodeError, UnicodeError, RecursionError)
"""What msgspec raises for bytes or text that it cannot read: bytes that are no UTF-8 are no `DecodeError` to it."""

COUNT_MAX: Final = 2**53
"""Larger numbers are no counts of anything."""

_STATUS: Final = re.compile(
    r"\b(?:status:?|HTTP|error:?|code:?)\s*(?:code\s*)?\(?([45]\d\d)\b|^\s*([45]\d\d)\b", re.IGNORECASE
)
_AUTH: Final = re.compile(r"unauthori[sz]ed|authenticat|api[ _-]key|log ?in again", re.IGNORECASE)
_LIMIT: Final = re.compile(
    r"usage[ _]limit|rate[ _]limit|quota|spend[ _]limit|session_budget|too many requests", re.IGNORECASE
)


def record(data: bytes) -> dict[str, Any]:
    """
    A JSON object.

    Raises:
        ValueError: It is none.
    """
    found = loaded(data)
    if not isinstance(found, dict):
        raise ValueError("not a JSON object")
    return found


def loaded(value: Any) -> Any:
    """A JSON value out of its text; None for what is no JSON; what is no text is itself."""
    try:
        return msgspec.json.decode(value) if isinstance(value, str | bytes | Raw) else value
    except NOT_JSON:
        return None


def mapping(value: Any) -> dict[str, Any]:
    """A JSON object, or the text of one; empty for anything else."""
    found = loaded(value)
    return found if isinstance(found, dict) else {}


def member(value: dict[str, Any], *path: str) -> dict[str, Any]:
    """The object at a path of members; empty where there is none."""
    for key in path:
        value = mapping(value.get(key))
    return value


def items(value: Any) -> list[dict[str, Any]]:
    """The objects in a list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def string(value: dict[str, Any], key: str) -> str | None:
    """A member that is a string with something in it."""
    found = value.get(key)
    return found if isinstance(found, str) and found else None


def count(value: dict[str, Any], key: str) -> int:
    """A member that counts something; 0 where there is none."""
    found = value.get(key)
    return int(found) if _is_number(found) and 0 <= found <= COUNT_MAX else 0


def number(value: dict[str, Any], key: str) -> float | None:
    """A member that is a number, not negative."""
    found = value.get(key)
    return float(found) if _is_number(found) and 0 <= found <= COUNT_MAX else None


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def seconds(timestamp: Any) -> float | None:
    """Unix seconds of an ISO timestamp, or of a number of milliseconds; None for anything else."""
    if _is_number(timestamp):
        return timestamp / 1000 if 0 < timestamp < COUNT_MAX else None
    try:
        return datetime.fromisoformat(timestamp).timestamp() if isinstance(timestamp, str) else None
    except (ValueError, OverflowError):
        return None


def text(content: Any) -> str:
    """The text of a message or an output: itself, of its parts, or of what is in it."""
    if isinstance(content, str):
        return content
    if isinstance(content, dict):
        inner = content.get("content") or content.get("output") or content.get("text")
        return "" if isinstance(inner, dict) else text(inner)
    return "\n".join(part["text"] for part in items(content) if isinstance(part.get("text"), str))


def command(value: Any) -> str:
    """A command as one would type it; of `bash -lc X` it is X."""
    if isinstance(value, list) and value and all(isinstance(word, str) for word in value):
        return value[-1] if len(value) == 3 and value[1].startswith("-") else " ".join(value)
    return value if isinstance(value, str) else ""


def censoring(message: str, status: int | None = None) -> Censoring:
    """Why an API error says nothing about the model: by its HTTP status, or where there is none by its words."""
    if status is None and (found := _STATUS.search(message)):
        status = int(found[1] or found[2])
    if status in (401, 403) or (status is None and _AUTH.search(message)):
        return "auth"
    if status == 429 or _LIMIT.search(message):
        return "usage_limit"
    return "harness" if status is not None and status < 500 else "overload"


def did_run(exit_code: int) -> bool:
    """Whether an exit code is a program's own: 126, 127 and what a signal leaves say that it did not run to its end."""
    return 0 <= exit_code < 126

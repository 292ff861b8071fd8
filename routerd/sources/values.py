"""Small readers of loosely typed JSON: what a log may hold instead of what it should is passed over, never raised."""

import re
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Any, Final, TypeVar, get_args, get_origin

import msgspec
from msgspec import Raw

from routerd.events import Censoring

NOT_JSON: Final = (msgspec.DecodeError, UnicodeError, RecursionError)
"""What msgspec raises for bytes or text that it cannot read: bytes that are no UTF-8 are no `DecodeError` to it."""

COUNT_MAX: Final = 2**53
"""Larger numbers are no counts of anything."""

NULL: Final = Raw(b"null")

S = TypeVar("S", bound=msgspec.Struct)

_untyped: Final = msgspec.json.Decoder().decode

_NUMBERS: Final = (int, float)
"""Not bool, which Python takes for a number."""

_STATUS: Final = re.compile(
    r"\b(?:status:?|HTTP|error:?|code:?)\s*(?:code\s*)?\(?([45]\d\d)\b|^\s*([45]\d\d)\b", re.IGNORECASE
)
_AUTH: Final = re.compile(r"unauthori[sz]ed|authenticat|api[ _-]key|log ?in again", re.IGNORECASE)
_LIMIT: Final = re.compile(
    r"usage[ _]limit|rate[ _]limit|quota|spend[ _]limit|session_budget|too many requests", re.IGNORECASE
)


def reader(kind: type[S]) -> Callable[[bytes | Raw], S]:
    """
    What reads a JSON object as a Struct; members of another type than they should have are left out.

    Members that the Struct does not name are passed over and never built, which is most of a log's bytes.

    Returns:
        A function of the object's text; it raises ValueError where that is no JSON object.
    """
    strict = msgspec.json.Decoder(kind).decode

    def read(data: bytes | Raw) -> S:
        try:
            return strict(data)
        except msgspec.ValidationError:
            return _fitting(kind, record(data))
        except RecursionError:
            raise ValueError("nested too deeply") from None

    return read


def list_reader(kind: type[S]) -> Callable[[Raw], list[S]]:
    """What reads the objects of a list as Structs, like `reader`; anything else is none."""
    strict = msgspec.json.Decoder(list[kind]).decode  # type: ignore[valid-type]

    def read(data: Raw) -> list[S]:
        try:
            return strict(data)
        except NOT_JSON:
            return [_fitting(kind, one) for one in items(loaded(data))]

    return read


def _fitting(kind: type[S], members: dict[str, Any]) -> S:
    """A Struct of those members that have the right type."""
    fitting = {}
    for field in msgspec.structs.fields(kind):
        if field.encode_name in members:
            with suppress(msgspec.ValidationError):
                fitting[field.name] = _fitted(field.type, members[field.encode_name])
    return kind(**fitting)


def _fitted(kind: Any, value: Any) -> Any:
    """A value as the type that it should have; of an object, and of a list of them, what fits."""
    if kind is Raw:
        return Raw(msgspec.json.encode(value))
    for option in get_args(kind) or (kind,):
        if isinstance(value, dict) and isinstance(option, type) and issubclass(option, msgspec.Struct):
            return _fitting(option, value)
        if isinstance(value, list) and get_origin(option) is list:
            return [_fitting(get_args(option)[0], one) for one in items(value)]
    return msgspec.convert(value, kind)


def record(data: bytes | Raw) -> dict[str, Any]:
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
    if not isinstance(value, (str, bytes, Raw)):
        return value
    try:
        return _untyped(value)
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
    return whole(value.get(key))


def number(value: dict[str, Any], key: str) -> float | None:
    """A member that is a number, not negative."""
    return positive(value.get(key))


def whole(value: Any) -> int:
    """A number as a count; 0 for what is none."""
    return int(value) if type(value) in _NUMBERS and 0 <= value <= COUNT_MAX else 0


def positive(value: Any) -> float | None:
    """A number that is not negative; None for what is none."""
    return float(value) if type(value) in _NUMBERS and 0 <= value <= COUNT_MAX else None


def seconds(timestamp: Any) -> float | None:
    """Unix seconds of an ISO timestamp, or of a number of milliseconds; None for anything else."""
    if isinstance(timestamp, str):
        try:
            return datetime.fromisoformat(timestamp).timestamp()
        except (ValueError, OverflowError):
            return None
    return timestamp / 1000 if type(timestamp) in _NUMBERS and 0 < timestamp < COUNT_MAX else None


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


class _Arguments(msgspec.Struct, gc=False):
    command: Any = None


_arguments: Final = reader(_Arguments)


def command_in(arguments: Raw) -> str:
    """The command among the arguments of a call, which are an object or the text of one."""
    try:
        return command(_arguments(arguments).command)
    except ValueError:
        return command(mapping(loaded(arguments)).get("command"))


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

"""Lines of JSON-RPC 2.0 in, values out, and back.

Whatever the bytes of a line are, `read_request` gives a `Request` or a `Refused`; it raises nothing. What is wrong is
said with the path of the member that is wrong. -32700 and -32600 stand for the whole line: their reply's id is null
where none can be read.
"""

import re
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from routerd.errors import InvalidParams, InvalidRequest, MethodNotFound, ParseError, RequestError
from routerd.rpc.limits import excess
from routerd.rpc.messages import METHODS, ErrorObject, Params, error_object

Id = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | str
"""Echoed in the reply. Longer integers are not promised to survive in any JSON library."""

SHOWN_CHARS_MAX: Final = 200
"""Of what a client sent no more is repeated in a message."""


class Request(msgspec.Struct, frozen=True):
    """A request that can be handled; `id` is UNSET for a notification, which gets no reply."""

    id: Id | UnsetType
    method: str
    params: Params


class Refused(msgspec.Struct, frozen=True):
    """A line that cannot be handled; `id` is None where none could be read, and UNSET where none may be answered."""

    id: Id | UnsetType | None
    error: RequestError


class _Envelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A request before its params are looked at."""

    jsonrpc: Literal["2.0"]
    method: str
    id: Id | UnsetType = UNSET
    params: Raw = Raw(b"{}")


class _Reply(msgspec.Struct, frozen=True):
    id: Id
    result: Any
    jsonrpc: str = "2.0"


class _Failure(msgspec.Struct, frozen=True):
    id: Id | None
    error: ErrorObject
    jsonrpc: str = "2.0"


class _Notification(msgspec.Struct, frozen=True):
    method: str
    params: Any
    jsonrpc: str = "2.0"


_ENVELOPE: Final = msgspec.json.Decoder(_Envelope)
_PARAMS: Final[dict[str, msgspec.json.Decoder[Params]]] = {
    method: msgspec.json.Decoder(kind) for method, kind in METHODS.items()
}
_ENCODER: Final = msgspec.json.Encoder()
_NOT_JSON: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding raises. A ValidationError (JSON, but not what was wanted) is a DecodeError too: ask for it first."""


def read_request(line: bytes | bytearray) -> Request | Refused:
    """What a line asks for, or why it asks for nothing that can be answered."""
    try:
        envelope = _ENVELOPE.decode(line)
    except _NOT_JSON as error:
        return _refused(line, error)
    decoder = _PARAMS.get(envelope.method)
    if decoder is None:
        known = ", ".join(METHODS)
        return Refused(envelope.id, MethodNotFound(f"no method {_shown(envelope.method)!r}; known are {known}"))
    try:
        params = _params(decoder, envelope.params)
        wrong = excess(params, len(line))
    except msgspec.ValidationError as error:
        wrong = explain(str(error))
    except _NOT_JSON as error:
        return Refused(None, _parse_error(error))
    if wrong is not None:
        path, reason = wrong
        return Refused(envelope.id, InvalidParams(f"{path}: {reason}", {"path": path, "reason": reason}))
    return Request(envelope.id, envelope.method, params)


def _params(decoder: msgspec.json.Decoder[Params], params: Raw) -> Params:
    """The params; missing, null and {} are alike."""
    try:
        return decoder.decode(params)
    except msgspec.ValidationError:
        if bytes(params) != b"null":
            raise
        return decoder.decode(b"{}")


def _refused(line: bytes | bytearray, why: Exception) -> Refused:
    """What is wrong with a line that is no request, as exactly as can be said."""
    try:
        value = msgspec.json.decode(line)
    except msgspec.ValidationError as error:
        return Refused(None, InvalidRequest(": ".join(explain(str(error), whole="the request"))))
    except _NOT_JSON as error:
        return Refused(None, _parse_error(error))
    if isinstance(value, list):
        return Refused(None, InvalidRequest("batches are not taken; send one request a line"))
    identifier = value.get("id") if isinstance(value, dict) else None
    try:
        known = msgspec.convert(identifier, Id | None)
    except msgspec.ValidationError:
        known = None
    return Refused(known, InvalidRequest(": ".join(explain(str(why), whole="the request"))))


def _parse_error(error: Exception) -> ParseError:
    if isinstance(error, RecursionError):
        return ParseError("not JSON that can be read: nested too deeply")
    if isinstance(error, UnicodeDecodeError):
        return ParseError("not JSON: not UTF-8")
    return ParseError(f"not JSON: {error}")


_AT: Final = re.compile(r"(?s)(.*?)(?: - at `\$((?:\.[^`\s.\[]+|\[\d+\]|\[\.\.\.\])*)`)?")
_MEMBER: Final = re.compile(r"(?s)Object (contains unknown|missing required) field `(.*)`")


def explain(message: str, *, whole: str = "params") -> tuple[str, str]:
    """
    A message of msgspec as the path of the wrong member, and the reason; `whole` is the path of what was decoded.

    >>> explain("Object contains unknown field `goall` - at `$.task`")
    ('task.goall', 'no such member')
    """
    found = _AT.fullmatch(message)
    reason, path = (found[1], (found[2] or "").lstrip(".")) if found else (message, "")
    if member := _MEMBER.fullmatch(reason):
        path = f"{path}.{_shown(member[2])}" if path else _shown(member[2])
        return path, "is missing" if member[1] == "missing required" else "no such member"
    return path or whole, _shown(reason[:1].lower() + reason[1:]).replace("`", "")


def _shown(text: str) -> str:
    return text if len(text) <= SHOWN_CHARS_MAX else text[:SHOWN_CHARS_MAX] + "…"


def reply(id_: Id, result: object) -> bytes:
    """The line that answers a request; `result` is a Struct, or whatever else msgspec encodes."""
    return _ENCODER.encode(_Reply(id_, result)) + b"\n"


def failure(id_: Id | None, error: RequestError) -> bytes:
    """The line that refuses a request."""
    return _ENCODER.encode(_Failure(id_, error_object(error))) + b"\n"


def notification(method: str, params: object) -> bytes:
    """A line that the daemon sends unasked."""
    return _ENCODER.encode(_Notification(method, params)) + b"\n"

"""Asking the daemon, from a program that has other things to do: one call that connects, asks, reads and closes.

    pick = ask("recommend", {"task": {"goal": "…"}}, default=None)     never raises, never takes longer than its time
    told = call("report", {...}, timeout_s=5)                          raises what routerd expects to go wrong

It needs nothing but the standard library, and little of that: a hook starts Python for one question, and `socket`,
`json`, `typing` and `pathlib` each take longer to import than the question takes. `_socket` is what `socket` is made
of; for `json` see `quick_json`.
"""

from __future__ import annotations

import os
import sys
from _socket import AF_UNIX, SO_PEERCRED, SOCK_STREAM, SOL_SOCKET
from _socket import socket as Socket  # noqa: N812
from time import monotonic, sleep

from routerd.places import socket_path
from routerd.quick_json import dumps, loads

TYPE_CHECKING = False  # `typing` itself is what takes long
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any, NoReturn

    StrPath = str | os.PathLike[str]

TIMEOUT_S = 0.04
"""An agent waits for routerd no longer than 50 ms (CONTRACT §4); the rest is for whoever schedules its process."""

REPLY_BYTES_MAX = 64 * 1024 * 1024
"""Something that answers with more on one line is not routerd."""

_ID = 1


class BadReply(OSError):
    """What answers is not routerd."""


def ask(
    method: str,
    params: Mapping[str, Any] | None = None,
    *,
    socket: StrPath | None = None,
    timeout_s: float = TIMEOUT_S,
    default: Any = None,
) -> Any:
    """
    The result of a method, or `default` whatever goes wrong: no daemon, no answer in time, an error for an answer.

    Args:
        method: As in CONTRACT §3.2.
        params: Its params.
        socket: Path of the daemon's socket, where it is not in its usual place.
        timeout_s: For all of it, connecting included.
        default: Returned when there is no result.
    """
    try:
        return read_reply(_exchange(method, params, socket, timeout_s))["result"]
    except Exception:  # whatever it is, the agent does what it would have done without us
        return default


def call(
    method: str,
    params: Mapping[str, Any] | None = None,
    *,
    socket: StrPath | None = None,
    timeout_s: float = TIMEOUT_S,
) -> Any:
    """
    The result of a method; arguments as for `ask`.

    Raises:
        UnreachableError: No daemon answers within the time.
        RequestError: It answers with an error; of the class that the error's code has in `routerd.errors`.
    """
    try:
        reply = read_reply(_exchange(method, params, socket, timeout_s))
    except OSError as error:
        unreachable(error, socket, timeout_s)
    return result_of(reply)


def subscribe(events: Iterable[str] | None = None, *, socket: StrPath | None = None) -> Iterator[dict[str, Any]]:
    """
    Events as they come (`{"event", "at", …}`), until the daemon goes.

    Args:
        events: Their names; None for all.
        socket: As for `ask`.

    Raises:
        UnreachableError: No daemon answers, or it went away.
        RequestError: It refuses.
    """
    timeout_s = 5.0
    try:
        with _Line(socket, timeout_s) as line:
            line.send(request("subscribe", {} if events is None else {"events": list(events)}))
            result_of(read_reply(line.read()))
            line.deadline = None
            while True:
                yield notification_of(line.read())
    except OSError as error:
        unreachable(error, socket, timeout_s)


class _Line:
    """A connection that gives up at its deadline (monotonic seconds; None for never)."""

    def __init__(self, socket: StrPath | None, timeout_s: float) -> None:
        self.deadline: float | None = monotonic() + timeout_s
        self._rest = b""
        self._socket = Socket(AF_UNIX, SOCK_STREAM)
        try:
            self._connect(socket_path(os.environ, socket))
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> _Line:
        return self

    def __exit__(self, *error: object) -> None:
        self._socket.close()

    def _connect(self, path: str) -> None:
        while True:
            self._set_timeout()
            try:
                self._socket.connect(path)
            except BlockingIOError:  # the daemon is behind with accepting; a Unix socket does not wait by itself
                sleep(0.001)
                continue
            check_peer(self._socket.getsockopt(SOL_SOCKET, SO_PEERCRED, 12))
            return

    def send(self, data: bytes) -> None:
        self._set_timeout()
        self._socket.sendall(data)

    def read(self) -> bytes:
        """The next line."""
        parts = [self._rest]
        held = len(self._rest)
        while b"\n" not in parts[-1]:
            self._set_timeout()
            part = self._socket.recv(262_144)
            held += len(part)
            if not part:
                raise BadReply("the daemon closed the connection")
            if held > REPLY_BYTES_MAX:
                raise BadReply("what answers is not routerd: its line does not end")
            parts.append(part)
        line, _, self._rest = b"".join(parts).partition(b"\n")
        return line

    def _set_timeout(self) -> None:
        """What is left of the time; `settimeout(0)` would mean something else."""
        if self.deadline is None:
            self._socket.settimeout(None)
            return
        left = self.deadline - monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self._socket.settimeout(left)


def _exchange(method: str, params: Mapping[str, Any] | None, socket: StrPath | None, timeout_s: float) -> bytes:
    with _Line(socket, timeout_s) as line:
        line.send(request(method, params))
        return line.read()


# --- what `aio` shares ----------------------------------------------------------------------------------------------


def request(method: str, params: Mapping[str, Any] | None) -> bytes:
    """The line that asks."""
    message = {"jsonrpc": "2.0", "id": _ID, "method": method, "params": params or {}}
    return dumps(message).encode() + b"\n"


def read_reply(line: bytes) -> dict[str, Any]:
    """
    The reply on a line, with a `result` or an `error`.

    Raises:
        BadReply: It is no reply to what was asked.
    """
    reply = _object(line)
    if reply.get("id") not in (_ID, None) or not ("result" in reply or isinstance(reply.get("error"), dict)):
        raise BadReply("what answers is not routerd: not a reply")
    return reply


def notification_of(line: bytes) -> dict[str, Any]:
    """
    The params of the notification on a line.

    Raises:
        BadReply: It is none.
    """
    params = _object(line).get("params")
    if not isinstance(params, dict):
        raise BadReply("what answers is not routerd: not a notification")
    return params


def _object(line: bytes) -> dict[str, Any]:
    try:
        value = loads(line)
    except (ValueError, RecursionError):
        raise BadReply("what answers is not routerd: not JSON") from None
    if not isinstance(value, dict):
        raise BadReply("what answers is not routerd: not an object")
    return value


def result_of(reply: Mapping[str, Any]) -> Any:
    """
    The result in a reply.

    Raises:
        RequestError: The reply is an error.
    """
    if "result" in reply:
        return reply["result"]
    from routerd.errors import RequestError  # noqa: PLC0415

    error = reply["error"]
    kinds = {kind.code: kind for kind in RequestError.__subclasses__()}
    raise kinds.get(error.get("code"), RequestError)(str(error.get("message", "no reason given")), error.get("data"))


def unreachable(error: OSError, socket: StrPath | None, timeout_s: float) -> NoReturn:
    """
    Says that nobody answers, and what to do.

    Raises:
        UnreachableError: Always.
    """
    from routerd.errors import UnreachableError  # noqa: PLC0415

    reason = f"no answer within {timeout_s:g} s" if isinstance(error, TimeoutError) else error.strerror or str(error)
    path = socket_path(os.environ, socket)
    raise UnreachableError(f"{path}: routerd cannot be reached: {reason}; start it with: routerd") from None


def check_peer(credentials: bytes) -> None:
    """
    Sees to it that the text of a task goes to the own user's daemon and to no other (pid, uid and gid, 4 bytes each).

    Raises:
        BadReply: Another user listens.
    """
    if int.from_bytes(credentials[4:8], sys.byteorder) != os.getuid():
        raise BadReply("another user listens there")

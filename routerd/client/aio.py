"""`routerd.client` for programs that run on asyncio: the same calls, awaited."""

from __future__ import annotations

import asyncio
import os
import socket as sockets
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from routerd.client import (
    REPLY_BYTES_MAX,
    TIMEOUT_S,
    BadReply,
    check_peer,
    notification_of,
    read_reply,
    request,
    result_of,
    unreachable,
)
from routerd.places import socket_path

if TYPE_CHECKING:
    from routerd.client import StrPath


async def ask(
    method: str,
    params: Mapping[str, Any] | None = None,
    *,
    socket: StrPath | None = None,
    timeout_s: float = TIMEOUT_S,
    default: Any = None,
) -> Any:
    """The result of a method, or `default` whatever goes wrong; see `routerd.client.ask`."""
    try:
        return (await _exchange(method, params, socket, timeout_s))["result"]
    except Exception:  # whatever it is, the agent does what it would have done without us
        return default


async def call(
    method: str,
    params: Mapping[str, Any] | None = None,
    *,
    socket: StrPath | None = None,
    timeout_s: float = TIMEOUT_S,
) -> Any:
    """
    The result of a method; see `routerd.client.call`.

    Raises:
        UnreachableError: No daemon answers within the time.
        RequestError: It answers with an error.
    """
    try:
        reply = await _exchange(method, params, socket, timeout_s)
    except OSError as error:
        unreachable(error, socket, timeout_s)
    return result_of(reply)


async def subscribe(
    events: Iterable[str] | None = None, *, socket: StrPath | None = None
) -> AsyncGenerator[dict[str, Any], None]:
    """
    Events as they come; see `routerd.client.subscribe`.

    Raises:
        UnreachableError: No daemon answers, or it went away.
        RequestError: It refuses.
    """
    timeout_s = 5.0
    try:
        async with asyncio.timeout(timeout_s) as waiting, _connected(socket) as (reader, writer):
            writer.write(request("subscribe", {} if events is None else {"events": list(events)}))
            result_of(read_reply(await reader.readuntil()))
            waiting.reschedule(None)
            while True:
                yield notification_of(await reader.readuntil())
    except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        told = error if isinstance(error, OSError) else BadReply("the daemon closed the connection")
        unreachable(told, socket, timeout_s)


async def _exchange(
    method: str, params: Mapping[str, Any] | None, socket: StrPath | None, timeout_s: float
) -> dict[str, Any]:
    async with asyncio.timeout(timeout_s), _connected(socket) as (reader, writer):
        try:
            writer.write(request(method, params))
            return read_reply(await reader.readuntil())
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            raise BadReply("the daemon closed the connection, or what answers is not routerd") from None


@asynccontextmanager
async def _connected(socket: StrPath | None) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    path = socket_path(os.environ, socket)
    reader, writer = await asyncio.open_unix_connection(path, limit=REPLY_BYTES_MAX)
    try:
        made: sockets.socket = writer.get_extra_info("socket")
        check_peer(made.getsockopt(sockets.SOL_SOCKET, sockets.SO_PEERCRED, 12))
        yield reader, writer
    finally:
        writer.transport.abort()

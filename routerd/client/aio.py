"""`routerd.client` for programs that run on asyncio: the same calls, awaited."""

from __future__ import annotations

import asyncio
import os
import socket as sockets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from routerd.client import (
    REPLY_BYTES_MAX,
    TIMEOUT_S,
    BadReply,
    check_peer,
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


async def _exchange(
    method: str, params: Mapping[str, Any] | None, socket: StrPath | None, timeout_s: float
) -> dict[str, Any]:
    async with asyncio.timeout(timeout_s):
        path = socket_path(os.environ, socket)
        reader, writer = await asyncio.open_unix_connection(path, limit=REPLY_BYTES_MAX)
        try:
            made: sockets.socket = writer.get_extra_info("socket")
            check_peer(made.getsockopt(sockets.SOL_SOCKET, sockets.SO_PEERCRED, 12))
            writer.write(request(method, params))
            return read_reply(await reader.readuntil())
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            raise BadReply("the daemon closed the connection, or what answers is not routerd") from None
        finally:
            writer.transport.abort()

"""The socket's server: lines to handlers, replies back in order.

`serving` is the whole of it: while its body runs, the socket is served. Synchronous methods are answered inside
`data_received`; those that must wait (a report, for the disk) become tasks, and what follows them on the same
connection waits in its queue, so that replies come in the order of requests.

What bounds a connection: it is not read while it has `requests_in_flight_max` requests unanswered, while its peer does
not read, or while others have their turn. Nothing is dropped for that; the kernel makes the peer wait. Only a
subscriber that does not read is cut off, since nothing makes events wait.
"""

import asyncio
import os
import socket as sockets
import struct
import sys
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, Protocol

import anyio
import msgspec
import structlog
from msgspec import UNSET, UnsetType

from routerd.config import SocketConfig
from routerd.errors import Overloaded, ParseError, RequestError, ShuttingDown
from routerd.rpc.framing import Lines, LineTooLong
from routerd.rpc.jsonrpc import Id, Refused, failure, notification, read_request, reply
from routerd.rpc.messages import Params

log = structlog.get_logger(__name__)

TURN_S: Final = 0.001
"""A connection with many requests waiting hands over to the others after so long."""

WRITE_BYTES: Final = 65_536
"""Replies are joined into writes of about so much."""

HALF_SENT_BYTES_MAX: Final = 128 * 1024 * 1024
"""So much may be held of lines without their end, all connections together: of thousands, each within its limit."""

EVENT_BYTES_MAX: Final = 4 * 1024 * 1024
"""A subscriber that has so much to read and does not is cut off."""

DROP_S: Final = 1.0
"""After a line that cannot be held, what comes is dropped for so long at most (CONTRACT §3)."""

LINGER_S: Final = 1.0
"""A peer that does not take its last replies is waited for so long."""

BACKLOG: Final = 4096
"""Connections that the kernel holds until they are accepted; it has its own limit below which this is brought."""


class Peer(Protocol):
    """What a handler may know of, and do to, the connection that asks."""

    def notify(self, event: Mapping[str, Any]) -> None:
        """Sends a notification `event`, now or after the replies that come first; never waits."""


class Handlers(Protocol):
    """What the requests mean."""

    def handle(self, params: Params, peer: Peer) -> msgspec.Struct | Awaitable[msgspec.Struct]:
        """
        The result, or an awaitable of it for what has to wait; it is awaited even when the peer has gone.

        Raises:
            RequestError: Becomes the error of the reply; so does one that the awaitable raises.
        """

    def closed(self, peer: Peer) -> None:
        """The connection is gone: forget it."""


class _Slot:
    """The place of a reply in the order of replies; None until it is known, empty where none is to be sent."""

    __slots__ = ("line",)

    def __init__(self, line: bytes | None) -> None:
        self.line = line


class Connection(asyncio.Protocol):
    """One connection. Written for `asyncio`'s selector loop, which calls every method from the loop."""

    __slots__ = (
        "_dropping",
        "_ended",
        "_flushing",
        "_half_sent",
        "_held",
        "_lines",
        "_out",
        "_queue",
        "_reading",
        "_server",
        "_transport",
        "_writable",
        "_yielded",
    )

    _transport: asyncio.Transport

    def __init__(self, server: "Server") -> None:
        self._server = server
        self._lines = Lines(server.limits.line_bytes_max)
        self._queue: deque[_Slot] = deque()  # from the first request that waits on
        self._out: list[bytes] = []  # may be written, and is not yet
        self._held = 0  # bytes in both
        self._half_sent = 0  # bytes that wait for more, as the server knows
        self._reading = True
        self._writable = True
        self._yielded = False  # others have their turn, and `_work` is to be called again
        self._flushing = False  # a write is to come at the end of this round of the loop
        self._dropping = False  # the rest of too long a line
        self._ended = False  # no more requests will be taken

    # --- what the loop tells ----------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if not self._server.admit(self, _peer_uid(transport)):
            self._ended = True
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended = True
        self._lines = Lines(0)
        self._count_half_sent()
        self._out.clear()
        self._server.leave(self)

    def data_received(self, data: bytes) -> None:
        if self._ended:
            return
        if self._dropping:
            if b"\n" in data:
                self.end()
            return
        self._lines.feed(data)
        self._work()
        if self._half_sent and self._server.half_sent > HALF_SENT_BYTES_MAX and not self._ended:
            self._lines = Lines(self._server.limits.line_bytes_max)
            self._drop(Overloaded("too many lines are half sent: send this one again, on a new connection"))

    def eof_received(self) -> bool:
        """The peer will say no more; it may still want the replies."""
        if not self._dropping and self._lines:
            self._add(failure(None, ParseError("not JSON-RPC: the last line has no newline")))
        self.end()
        return True

    def pause_writing(self) -> None:
        self._writable = False

    def resume_writing(self) -> None:
        self._writable = True
        if not self._yielded:
            self._work()

    # --- what the server asks ---------------------------------------------------------------------------------------

    @property
    def settled(self) -> bool:
        """Nothing that was read waits for its reply."""
        return not self._queue and (self._reading or self._ended)

    def end(self) -> None:
        """Takes no more requests; closes when those taken are answered."""
        self._ended = True
        self._flush()

    def abort(self) -> None:
        """Closes now."""
        self._ended = True
        self._transport.abort()

    def notify(self, event: Mapping[str, Any]) -> None:
        if self._ended:
            return
        self._add(notification("event", event))
        self._flush_soon()
        waiting = self._held + self._transport.get_write_buffer_size()
        if waiting > EVENT_BYTES_MAX:
            log.warning("subscriber cut off: it does not read its events", bytes=waiting)
            self.abort()

    # --- requests ---------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        """Answers what came in, until all is answered or something has to be waited for."""
        until = self._server.time() + TURN_S
        left = True
        while not self._blocked:
            try:
                line = self._lines.take()
            except LineTooLong as error:
                self._drop(error, ended=error.ended)
                return
            if line is None:
                left = False
                break
            self._answer(line)
            if self._lines and self._server.time() > until:
                break
        self._count_half_sent()
        self._flush()
        self._yielded = left and not self._blocked
        if self._yielded:
            self._server.soon(self._work)
        self._read_if_able()

    def _count_half_sent(self) -> None:
        self._server.half_sent += len(self._lines) - self._half_sent
        self._half_sent = len(self._lines)

    @property
    def _blocked(self) -> bool:
        return self._ended or not self._writable or len(self._queue) >= self._server.limits.requests_in_flight_max

    def _read_if_able(self) -> None:
        """What is not read stays with the kernel, which makes the peer wait: that bounds what is held here."""
        able = not self._yielded and not self._blocked
        if able == self._reading or self._ended:
            return
        self._reading = able
        if able:
            self._transport.resume_reading()
            self._server.changed()
        else:
            self._transport.pause_reading()

    def _answer(self, line: bytearray) -> None:
        request = read_request(line)
        if isinstance(request, Refused):
            if request.id is not UNSET:
                self._add(failure(request.id, request.error))
            return
        try:
            if self._server.stopping:
                raise ShuttingDown("the daemon is stopping; ask again when it is back")
            answer = self._server.handlers.handle(request.params, self)
        except Exception as error:
            self._add(_failed(request.id, request.method, error))
            return
        if isinstance(answer, Awaitable):
            slot = _Slot(None)
            self._queue.append(slot)
            self._server.start(self._wait(slot, request.id, request.method, answer))
        elif request.id is not UNSET:
            self._add(_answered(request.id, request.method, answer))

    async def _wait(self, slot: _Slot, id_: Id | UnsetType, method: str, answer: Awaitable[msgspec.Struct]) -> None:
        """Fills the slot of a request that has to wait, whatever becomes of it."""
        line = b"" if id_ is UNSET else failure(id_, ShuttingDown("the daemon stopped before it was done; ask again"))
        try:
            line = _answered(id_, method, await answer)
        except Exception as error:
            line = _failed(id_, method, error)
        finally:  # on cancellation too
            slot.line = line
            self._held += len(line)
            self._flush_soon()

    def _drop(self, error: RequestError, *, ended: bool = False) -> None:
        """A line that cannot be held: says so, takes in what its sender has yet to send of it, and closes."""
        self._count_half_sent()
        self._add(failure(None, error))
        if ended:
            self.end()
            return
        self._dropping = True
        self._yielded = False
        self._server.later(DROP_S, self.end)
        self._flush()
        self._reading = True
        self._transport.resume_reading()

    # --- replies ----------------------------------------------------------------------------------------------------

    def _add(self, line: bytes) -> None:
        """A line that is known already: to be written, in its place."""
        self._held += len(line)
        if self._queue:
            self._queue.append(_Slot(line))
            return
        self._out.append(line)
        if self._held > WRITE_BYTES:
            self._write()

    def _flush_soon(self) -> None:
        """Once for all replies that become known in this round of the loop."""
        if not self._flushing:
            self._flushing = True
            self._server.soon(self._flushed)

    def _flushed(self) -> None:
        self._flushing = False
        self._flush()
        if not self._reading and not self._yielded:
            self._work()
        self._server.changed()

    def _flush(self) -> None:
        """Writes what is known up to the first reply that is not; closes where nothing more is to come."""
        while self._queue and (line := self._queue[0].line) is not None:
            self._queue.popleft()
            self._out.append(line)
        if self._out:
            self._write()
        if self._ended and not self._queue and not self._transport.is_closing():
            self._transport.close()
            self._server.later(LINGER_S, self._transport.abort)

    def _write(self) -> None:
        data = b"".join(self._out)
        self._out.clear()
        self._held -= len(data)
        if not self._transport.is_closing():
            self._transport.write(data)


def _answered(id_: Id | UnsetType, method: str, result: object) -> bytes:
    """The line of a result; one that cannot be spelt in JSON is a bug, and answered as such."""
    try:
        return b"" if id_ is UNSET else reply(id_, result)
    except Exception as error:
        return _failed(id_, method, error)


def _failed(id_: Id | UnsetType, method: str, error: Exception) -> bytes:
    """The line of an error. One that was not foreseen is logged, and nothing of it goes on the wire."""
    if isinstance(error, RequestError):
        try:
            return b"" if id_ is UNSET else failure(id_, error)
        except Exception as unspeakable:  # its data is nothing that JSON knows
            error = unspeakable
    with suppress(Exception):  # a log that cannot be written must not take the daemon with it
        log.error("request failed", method=method, exc_info=error)
    return b"" if id_ is UNSET else failure(id_, RequestError("internal error; the daemon's log says more"))


def _peer_uid(transport: asyncio.Transport) -> int:
    socket: sockets.socket = transport.get_extra_info("socket")
    credentials = socket.getsockopt(sockets.SOL_SOCKET, sockets.SO_PEERCRED, struct.calcsize("3i"))
    uid: int = struct.unpack("3i", credentials)[1]
    return uid


class Server:
    """What the connections of one socket share. Made by `serving`."""

    def __init__(self, handlers: Handlers, limits: SocketConfig, uid: int) -> None:
        loop = asyncio.get_running_loop()
        self.handlers = handlers
        self.limits = limits
        self.time = loop.time
        self.soon = loop.call_soon
        self.later = loop.call_later
        self.connections: set[Connection] = set()
        self.half_sent = 0
        self.stopping = False
        self._uid = uid
        self._loop = loop
        self._tasks: set[asyncio.Task[None]] = set()
        self._full = False
        self._change = anyio.Event()

    def admit(self, connection: Connection, uid: int) -> bool:
        """Whether a connection may stay; if so, it is one of ours from now on."""
        if uid != self._uid:
            log.warning("connection refused: another user", uid=uid)
            return False
        if len(self.connections) >= self.limits.connections_max:
            if not self._full:
                log.warning("connections refused: there are too many", connections_max=self.limits.connections_max)
            self._full = True
            return False
        self._full = False
        self.connections.add(connection)
        return True

    def leave(self, connection: Connection) -> None:
        """A connection is gone."""
        if connection in self.connections:
            self.connections.remove(connection)
            self.handlers.closed(connection)
            self.changed()

    def start(self, waiting: Coroutine[Any, Any, None]) -> None:
        """
        Lets a request wait beside the others. Not in a task group of anyio: what that keeps of a task takes four times
        as long as the task itself, and a report is little else.
        """
        task = self._loop.create_task(waiting)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def changed(self) -> None:
        """Something happened that `drain` may wait for."""
        self._change.set()

    async def drain(self, *, grace_s: float, deadline_s: float) -> None:
        """
        Lets the connections go.

        Args:
            grace_s: For so long requests are still answered; later ones are told that the daemon stops.
            deadline_s: For so long replies that wait are waited for.
        """
        await self._until(lambda: not self.connections, grace_s)
        self.stopping = True
        await self._until(lambda: all(one.settled for one in self.connections), deadline_s)
        for task in self._tasks:
            task.cancel()  # whose requests are answered then: not done
        for connection in self.connections.copy():
            connection.end()
        await self._until(lambda: not self.connections, LINGER_S)
        for connection in self.connections.copy():
            connection.abort()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _until(self, condition: Callable[[], bool], within_s: float) -> None:
        with anyio.move_on_after(within_s):
            while not condition():
                self._change = anyio.Event()
                await self._change.wait()


@asynccontextmanager
async def serving(
    socket: sockets.socket,
    handlers: Handlers,
    limits: SocketConfig,
    *,
    grace_s: float = 0.25,
    deadline_s: float = 5.0,
) -> AsyncIterator[Server]:
    """
    Serves a listening socket while the body runs, and lets its connections go in order after it.

    Leave the body by its end to stop in order: what waits for a reply gets it. When the body is cancelled, what waits
    is cancelled with it, and told so.

    Args:
        socket: Listening; it is closed here, its path is not removed.
        handlers: What the requests mean.
        limits: See `SocketConfig`. The caller sees to it that so many files may be open.
        grace_s: See `Server.drain`.
        deadline_s: See `Server.drain`.
    """
    loop = asyncio.get_running_loop()
    socket.setblocking(False)
    # From 3.13 on asyncio would remove the path by itself, even that of a socket which systemd handed over.
    keep: dict[str, Any] = {"cleanup_socket": False} if sys.version_info >= (3, 13) else {}
    server = Server(handlers, limits, os.getuid())
    acceptor = await loop.create_unix_server(lambda: Connection(server), sock=socket, backlog=BACKLOG, **keep)
    try:
        yield server
    except BaseException:
        grace_s = deadline_s = 0.0  # something else is wrong; this must not hold it up
        raise
    finally:
        acceptor.close()
        with anyio.CancelScope(shield=True):
            await server.drain(grace_s=grace_s, deadline_s=deadline_s)

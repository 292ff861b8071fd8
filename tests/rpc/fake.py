"""Handlers that do as little as can be told apart, and a client that speaks raw bytes."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from routerd.errors import NoSuchDecision
from routerd.rpc.messages import (
    ExplainParams,
    FeedbackParams,
    HelloParams,
    HelloResult,
    Params,
    ReloadResult,
    ReportParams,
    ReportResult,
    SubscribeParams,
    SubscribeResult,
)
from routerd.rpc.server import Peer, Server


class FakeHandlers:
    """`hello` answers at once, `report` when `commit` is called with its outcome id, `arms` with `size` bytes."""

    def __init__(self) -> None:
        self.seen: list[Params] = []
        self.reports: dict[str, asyncio.Future[None]] = {}
        self.peers: list[Peer] = []
        self.closed_peers: list[Peer] = []
        self.size = 10

    def handle(self, params: Params, peer: Peer) -> msgspec.Struct | Awaitable[msgspec.Struct]:
        self.seen.append(params)
        match params:
            case HelloParams():
                return HelloResult(version=params.client or "", pid=1, started_at=0.0)
            case ReportParams():
                return self._report(params.outcome_id or "")
            case ExplainParams():
                raise NoSuchDecision(f"no decision {params.decision_id}")
            case FeedbackParams():
                return self._feedback(params)
            case SubscribeParams():
                self.peers.append(peer)
                return SubscribeResult(subscribed=params.events or ["decision"])
            case _:
                return ReloadResult(path="x" * self.size, changed=[])

    def closed(self, peer: Peer) -> None:
        self.closed_peers.append(peer)

    def tell(self, event: dict[str, Any]) -> None:
        """Sends every subscriber an event."""
        for peer in self.peers:
            peer.notify(event)

    async def commit(self, *outcome_ids: str) -> None:
        """Lets these reports be answered, once they have come in."""
        for outcome_id in outcome_ids:
            await until(lambda wanted=outcome_id: wanted in self.reports)
            self.reports[outcome_id].set_result(None)

    async def _report(self, outcome_id: str) -> ReportResult:
        self.reports[outcome_id] = asyncio.get_running_loop().create_future()
        await self.reports[outcome_id]
        return ReportResult(outcome_id=outcome_id, duplicate=False)

    async def _feedback(self, params: FeedbackParams) -> ReportResult:
        await asyncio.sleep(0)
        if params.note == "bug":
            raise ZeroDivisionError("secret")
        if params.note == "NaN":
            return ReportResult(outcome_id="\ud800", duplicate=False)
        raise NoSuchDecision("none", {"late": True})


class Client:
    """A raw connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, *lines: bytes) -> None:
        self.writer.write(b"".join(lines))

    async def read(self) -> Any:
        """The next message, or None where there is none any more."""
        async with asyncio.timeout(5):
            line = await self.reader.readline()
        return json.loads(line) if line else None

    async def ask(self, method: str, id_: Any = 1, **params: Any) -> Any:
        self.send(request(method, id_, **params))
        return await self.read()

    async def closed(self) -> bool:
        """Waits for the end of the connection; nothing may come before it."""
        try:
            return await self.read() is None
        except ConnectionResetError:
            return True
        finally:
            self.writer.transport.abort()


async def connect(path: Path) -> Client:
    """A raw connection that its user closes."""
    reader, writer = await asyncio.open_unix_connection(path, limit=1 << 24)
    return Client(reader, writer)


@dataclass
class Daemon:
    """A server, what it asks, and where it listens."""

    handlers: FakeHandlers
    server: Server
    path: Path

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        client = await connect(self.path)
        try:
            yield client
        finally:
            client.writer.transport.abort()
            await asyncio.sleep(0)


def request(method: str, id_: Any = 1, **params: Any) -> bytes:
    message = {"jsonrpc": "2.0", "method": method, "params": params}
    return json.dumps(message if id_ is None else {**message, "id": id_}).encode() + b"\n"


def report(outcome_id: str, id_: Any = 1) -> bytes:
    return request("report", id_, outcome={}, decision_id="d", outcome_id=outcome_id)


def ids(replies: list[Any]) -> list[Any]:
    return [one["id"] for one in replies]


async def until(condition: Callable[..., Any]) -> None:
    """Waits for something that will be, and that nothing announces."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0)

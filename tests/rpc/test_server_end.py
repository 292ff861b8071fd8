"""How the socket's server ends: what was asked is answered, and nobody holds it up."""

import asyncio
import time
from typing import Any

import anyio
import pytest

from tests.rpc.conftest import Start
from tests.rpc.fake import Client, connect, ids, report, request, until

pytestmark = pytest.mark.anyio


async def test_at_the_end_what_was_asked_is_answered_and_the_rest_is_told_so(daemon: Start) -> None:
    async with anyio.create_task_group() as tasks:
        stop = anyio.Event()
        connected = anyio.Event()

        async def serve() -> None:
            async with daemon(stop={"grace_s": 0.5}) as one:
                clients.append(await connect(one.path))
                servers.append(one)
                connected.set()
                await stop.wait()

        clients: list[Client] = []
        servers: list[Any] = []
        tasks.start_soon(serve)
        await connected.wait()
        client, one = clients[0], servers[0]
        client.send(report("pending", 1))
        await until(lambda: "pending" in one.handlers.reports)
        stop.set()
        await asyncio.sleep(0.02)
        with pytest.raises(ConnectionRefusedError):
            await connect(one.path)
        client.send(request("explain", 2, decision_id="in the grace"))
        await until(lambda: one.server.stopping)
        client.send(request("hello", 3))
        await asyncio.sleep(0.05)
        await one.handlers.commit("pending")
        replies = [await client.read() for _ in range(3)]
        assert ids(replies) == [1, 2, 3]
        assert replies[0]["result"]["outcome_id"] == "pending"
        assert replies[1]["error"]["code"] == -32001
        assert replies[2]["error"]["code"] == -32006
        assert await client.closed()


async def test_at_the_deadline_what_still_waits_is_told_that_it_was_not_done(daemon: Start) -> None:
    async with daemon(stop={"deadline_s": 0.05}) as one:
        client = await connect(one.path)
        client.send(report("stuck", 1))
        await until(lambda: "stuck" in one.handlers.reports)
    answer = await client.read()
    assert (answer["id"], answer["error"]["code"]) == (1, -32006)
    assert await client.closed()


async def test_with_nobody_connected_the_end_takes_no_time(daemon: Start) -> None:
    async with daemon(stop={"grace_s": 60, "deadline_s": 60}):
        start = time.monotonic()
    assert time.monotonic() - start < 1


async def test_the_socket_file_is_left_to_whoever_made_it(daemon: Start) -> None:
    """It may be systemd's, which goes on listening."""
    async with daemon() as one:
        path = one.path
    assert path.is_socket()


async def test_a_peer_that_does_not_read_does_not_hold_up_the_end(daemon: Start) -> None:
    start = time.monotonic()
    async with daemon(stop={"deadline_s": 0.05}) as one:
        one.handlers.size = 100_000
        client = await connect(one.path)
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        client.send(*(request("reload", number) for number in range(100)))
        await until(lambda: one.handlers.seen)
    assert time.monotonic() - start < 3
    client.writer.transport.abort()


async def test_a_cancelled_server_ends_at_once_and_tells_those_who_wait(daemon: Start) -> None:
    clients = []
    with anyio.CancelScope() as scope:
        async with daemon(stop={"grace_s": 60, "deadline_s": 60}) as one:
            clients.append(await connect(one.path))
            clients[0].send(report("stuck", 1))
            await until(lambda: "stuck" in one.handlers.reports)
            scope.cancel()
            await asyncio.sleep(60)
    assert (await clients[0].read())["error"]["code"] == -32006
    assert await clients[0].closed()

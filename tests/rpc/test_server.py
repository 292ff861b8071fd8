"""What the socket promises while it is served (CONTRACT §3), over real sockets."""

import asyncio
import os
import random
import socket
import time
import tracemalloc
from contextlib import AsyncExitStack
from typing import Any

import anyio
import pytest
from structlog.testing import capture_logs

from routerd.errors import NoArmLeft
from routerd.rpc import server as server_module
from routerd.rpc.server import EVENT_BYTES_MAX, HALF_SENT_BYTES_MAX
from tests.rpc.conftest import Start
from tests.rpc.fake import connect, ids, report, request, until

pytestmark = pytest.mark.anyio


async def test_a_request_is_answered(daemon: Start) -> None:
    async with daemon() as one, one.client() as client:
        answer = await client.ask("hello", "a", client="me")
        assert answer["jsonrpc"] == "2.0"
        assert answer["id"] == "a"
        assert answer["result"]["name"] == "routerd"
        assert answer["result"]["version"] == "me"


async def test_bytes_cut_at_every_place_give_the_same_answer(daemon: Start) -> None:
    message = request("hello", 1, client="é")
    async with daemon() as one, one.client() as client:
        for cut in range(len(message) + 1):
            client.send(message[:cut])
            await asyncio.sleep(0)
            client.send(message[cut:])
            assert (await client.read())["result"]["version"] == "é"


async def test_replies_come_in_the_order_of_requests_whatever_is_done_first(daemon: Start) -> None:
    async with daemon() as one, one.client() as client:
        client.send(
            request("hello", 0),
            report("slow", 1),
            request("hello", 2),
            request("explain", 3, decision_id="x"),
            report("fast", 4),
            request("feedback", 5, verdict="good", decision_id="x"),
            b"nonsense\n",
            request("hello", 6),
        )
        assert (await client.read())["id"] == 0
        await one.handlers.commit("fast")
        await one.handlers.commit("slow")
        replies = [await client.read() for _ in range(7)]
        assert ids(replies) == [1, 2, 3, 4, 5, None, 6]
        assert [one.get("error", {}).get("code") for one in replies] == [None, None, -32001, None, -32001, -32700, None]


async def test_order_holds_for_any_mixture(daemon: Start) -> None:
    """200 requests on each of 5 connections, half of them reports, committed in random order."""
    rng = random.Random(7)
    async with daemon(requests_in_flight_max=200) as one, anyio.create_task_group() as tasks:

        async def talk(name: int) -> None:
            async with one.client() as client:
                slow = [number for number in range(200) if rng.random() < 0.5]
                for number in range(200):
                    client.send(report(f"{name}.{number}", number) if number in slow else request("hello", number))
                rng.shuffle(slow)
                for number in slow:
                    await one.handlers.commit(f"{name}.{number}")
                    if rng.random() < 0.2:
                        await asyncio.sleep(0)
                assert ids([await client.read() for _ in range(200)]) == list(range(200))

        for name in range(5):
            tasks.start_soon(talk, name)


async def test_connections_do_not_wait_for_one_another(daemon: Start) -> None:
    async with daemon() as one, one.client() as slow, one.client() as fast:
        slow.send(report("never"))
        assert (await fast.ask("hello", 5))["id"] == 5
        await one.handlers.commit("never")
        assert (await slow.read())["result"] == {"outcome_id": "never", "duplicate": False}


async def test_a_client_with_thousands_of_requests_waiting_lets_others_have_their_turn(daemon: Start) -> None:
    """Each of its requests takes 0.2 ms: without turns the other would wait for hundreds of milliseconds."""
    async with daemon() as one, one.client() as greedy, one.client() as other:
        plain = one.handlers.handle

        def slow(params: Any, peer: Any) -> Any:
            until = time.perf_counter() + 0.0002
            while time.perf_counter() < until:
                pass
            return plain(params, peer)

        one.handlers.handle = slow  # type: ignore[method-assign]
        greedy.send(*(request("hello", number) for number in range(3000)))
        await until(lambda: one.handlers.seen)
        assert (await other.ask("hello", "other"))["id"] == "other"
        assert len(one.handlers.seen) < 300
        assert ids([await greedy.read() for _ in range(3000)]) == list(range(3000))


QUIET = [
    request("hello", None, client="quiet"),
    report("quiet", None),
    request("explain", None, decision_id="x"),
    request("explain", None),
    request("no_such", None),
    request("feedback", None, verdict="good", decision_id="x", note="bug"),
]


async def test_notifications_are_done_and_not_answered(daemon: Start) -> None:
    async with daemon() as one, one.client() as client:
        with capture_logs() as logged:
            client.send(*QUIET)
            await one.handlers.commit("quiet")
            assert (await client.ask("hello", 9))["id"] == 9
        assert len(one.handlers.seen) == 5
        assert [one["event"] for one in logged] == ["request failed"]


async def test_a_handler_that_fails_is_logged_and_tells_nothing(daemon: Start) -> None:
    async with daemon() as one, one.client() as client:
        with capture_logs() as logged:
            client.send(request("feedback", 1, verdict="good", decision_id="x", note="bug"))
            assert (await client.read())["error"] == {
                "code": -32603,
                "message": "internal error; the daemon's log says more",
            }
            client.send(request("feedback", 2, verdict="good", decision_id="x", note="NaN"))
            assert (await client.read())["error"]["code"] == -32603
            one.handlers.handle = None  # type: ignore[method-assign,assignment]
            assert (await client.ask("hello", 3))["error"]["code"] == -32603
        assert [one["event"] for one in logged] == ["request failed"] * 3
        assert isinstance(logged[0]["exc_info"], ZeroDivisionError)


async def test_data_of_an_error_that_is_not_json_is_an_internal_error(daemon: Start) -> None:
    async with daemon() as one, one.client() as client:

        def refuse(params: Any, peer: Any) -> Any:
            raise NoArmLeft("none", {"why": object()})

        one.handlers.handle = refuse  # type: ignore[method-assign]
        with capture_logs():
            assert (await client.ask("hello", 3))["error"]["code"] == -32603


async def test_a_cancelled_commit_is_answered_and_harms_nobody_else(daemon: Start) -> None:
    async with daemon() as one, one.client() as client, one.client() as other:
        client.send(report("cancelled"))
        await until(lambda: "cancelled" in one.handlers.reports)
        one.handlers.reports["cancelled"].cancel()
        assert (await client.read())["error"]["code"] == -32006
        other.send(report("next"))
        await one.handlers.commit("next")
        assert "result" in await other.read()


@pytest.mark.parametrize("newline", [True, False])
async def test_too_long_a_line_is_refused_dropped_and_closed(daemon: Start, newline: bool) -> None:
    async with daemon(line_bytes_max=4096) as one, one.client() as client:
        client.send(report("first", 1), b"x" * 4097)
        await one.handlers.commit("first")
        assert (await client.read())["id"] == 1
        answer = await client.read()
        assert (answer["id"], answer["error"]["code"]) == (None, -32600)
        start = time.monotonic()
        client.send(b"x" * 300_000 + (b"\n" + request("hello", 2) if newline else b""))
        assert await client.closed()
        waited = time.monotonic() - start
        assert waited < 0.5 if newline else 0.5 < waited < 2
        assert len(one.handlers.seen) == 1


async def test_a_line_of_the_greatest_length_is_answered_and_one_byte_more_is_not(daemon: Start) -> None:
    async with daemon() as one, one.client() as client:
        message = request("hello", 1)[:-1]
        client.send(message.ljust(1 << 20) + b"\n")
        assert (await client.read())["id"] == 1
        client.send(message.ljust((1 << 20) + 1) + b"\n")
        assert (await client.read())["error"]["code"] == -32600
        assert await client.closed()


async def test_a_peer_that_says_no_more_still_gets_its_replies(daemon: Start) -> None:
    async with daemon() as one, one.client() as client:
        client.send(report("late", 1), request("hello", 2))
        client.writer.write_eof()
        await one.handlers.commit("late")
        assert ids([await client.read(), await client.read()]) == [1, 2]
        assert await client.closed()
        await until(lambda: not one.server.connections)


async def test_a_last_line_without_a_newline_is_no_request(daemon: Start) -> None:
    async with daemon() as one, one.client() as client:
        client.send(request("hello")[:-1])
        client.writer.write_eof()
        assert (await client.read())["error"]["code"] == -32700
        assert await client.closed()
        assert one.handlers.seen == []


async def test_a_peer_that_goes_before_its_reply_has_its_report_done_and_is_forgotten(daemon: Start) -> None:
    async with daemon() as one:
        async with one.client() as client:
            client.send(report("orphan"), request("subscribe"))
            await until(lambda: one.handlers.peers)
        await one.handlers.commit("orphan")
        await until(lambda: not one.server.connections)
        assert one.handlers.closed_peers == one.handlers.peers
        one.handlers.tell({"event": "decision"})
        async with one.client() as client:
            assert (await client.ask("hello", 5))["id"] == 5


# --- what is bounded ------------------------------------------------------------------------------------------------


async def test_beyond_its_cap_a_connection_is_not_read_and_nothing_is_dropped(daemon: Start) -> None:
    async with daemon(requests_in_flight_max=10) as one, one.client() as client:
        client.send(*(report(str(number), number) for number in range(100)))
        await until(lambda: len(one.handlers.reports) == 10)
        await asyncio.sleep(0.05)
        assert len(one.handlers.reports) == 10
        for number in range(100):
            await one.handlers.commit(str(number))
            assert len(one.handlers.reports) <= number + 11
        assert ids([await client.read() for _ in range(100)]) == list(range(100))


@pytest.mark.parametrize("cap", [1, 2, 5])
async def test_at_its_cap_a_connection_goes_on_whenever_replies_and_requests_meet(daemon: Start, cap: int) -> None:
    """Requests come in pieces of any size while reports are committed: none is left lying until more comes."""
    rng = random.Random(cap)
    async with daemon(requests_in_flight_max=cap) as one, one.client() as client, anyio.create_task_group() as tasks:
        lines = [
            report(str(number), number) if rng.random() < 0.7 else request("hello", number) for number in range(600)
        ]

        async def send() -> None:
            rest = b"".join(lines)
            while rest:
                size = rng.randrange(1, 400)
                client.send(rest[:size])
                rest = rest[size:]
                for _ in range(rng.randrange(3)):
                    await asyncio.sleep(0)

        async def commit() -> None:
            for number, line in enumerate(lines):
                if b"report" in line:
                    await one.handlers.commit(str(number))

        tasks.start_soon(send)
        tasks.start_soon(commit)
        assert ids([await client.read() for _ in lines]) == list(range(600))


async def test_a_thousand_requests_are_in_flight_at_once(daemon: Start) -> None:
    async with daemon() as one, one.client() as client:
        client.send(*(report(str(number), number) for number in range(1024)))
        await until(lambda: len(one.handlers.reports) == 1024)
        await one.handlers.commit(*(str(number) for number in reversed(range(1024))))
        assert ids([await client.read() for _ in range(1024)]) == list(range(1024))


async def test_a_peer_that_does_not_read_is_not_read_and_costs_little(daemon: Start) -> None:
    """10,000 replies of 10 kB would be 100 MB; a write of 64 kB, its reply and what the kernel holds are kept."""
    async with daemon() as one, one.client() as client:
        one.handlers.size = 10_000
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        tracemalloc.start()
        try:
            for number in range(10_000):
                client.send(request("reload", number))
                if number % 1000 == 0:
                    await asyncio.sleep(0.01)
            before = tracemalloc.get_traced_memory()[0]
            await asyncio.sleep(0.2)
            grown = tracemalloc.get_traced_memory()[0] - before
        finally:
            tracemalloc.stop()
        answered = len(one.handlers.seen)
        assert answered < 1000
        assert grown < 2_000_000
        client.writer.transport.resume_reading()  # type: ignore[attr-defined]
        assert ids([await client.read() for _ in range(10_000)]) == list(range(10_000))


async def test_a_thousand_connections_are_served_at_once(daemon: Start) -> None:
    async with daemon() as one:
        clients = [await connect(one.path) for _ in range(1024)]
        try:
            for number, client in enumerate(clients):
                client.send(request("hello", number))
            for number, client in enumerate(clients):
                assert (await client.read())["id"] == number
            assert len(one.server.connections) == 1024
        finally:
            for client in clients:
                client.writer.transport.abort()
            await until(lambda: not one.server.connections)


async def test_connections_beyond_the_limit_are_closed_at_once_and_room_is_found_again(daemon: Start) -> None:
    async with daemon(connections_max=2) as one, one.client() as first:
        assert (await first.ask("hello", 1))["id"] == 1
        async with one.client() as second:
            assert (await second.ask("hello", 1))["id"] == 1
            with capture_logs() as logged:
                for _ in range(3):
                    async with one.client() as third:
                        assert await third.closed()
            assert [one["event"] for one in logged] == ["connections refused: there are too many"]
        await until(lambda: len(one.server.connections) == 1)
        async with one.client() as again:
            assert (await again.ask("hello", 1))["id"] == 1


# --- who may connect ------------------------------------------------------------------------------------------------


async def test_another_user_is_closed_at_once(daemon: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """As seen from the daemon; the kernel's own word on another user's process is the next test."""
    uid = os.getuid()
    async with daemon() as one:
        monkeypatch.setattr(server_module, "_peer_uid", lambda _: uid + 1)
        with capture_logs() as logged:
            async with one.client() as client:
                client.send(request("hello"))
                assert await client.closed()
        assert (logged[0]["event"], logged[0]["uid"]) == ("connection refused: another user", uid + 1)
        assert one.handlers.seen == []
        assert one.handlers.closed_peers == []


@pytest.mark.skipif(os.getuid() != 0, reason="only root can take on another user's id")
async def test_a_process_of_another_user_gets_nothing(daemon: Start) -> None:
    async with daemon() as one:
        for parent in one.path.parents[:-1]:
            if parent.owner() == "root" and parent != one.path.parents[-2]:
                parent.chmod(0o755)
        one.path.chmod(0o666)
        pid = os.fork()
        if pid == 0:  # nothing of the test may go on in the child
            os._exit(_answered_as(65534, str(one.path)))
        status = await asyncio.to_thread(lambda: os.waitpid(pid, 0)[1])
        assert os.waitstatus_to_exitcode(status) == 0
        assert one.handlers.seen == []


def _answered_as(uid: int, path: str) -> int:
    """0: connected and closed; 1: answered; 2: could not even connect, so that nothing was shown."""
    try:
        os.setuid(uid)
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(5)
            client.connect(path)
            try:
                client.sendall(request("hello"))
                return 1 if client.recv(1) else 0
            except (BrokenPipeError, ConnectionResetError):
                return 0
    except BaseException:
        return 2


# --- events ---------------------------------------------------------------------------------------------------------


async def test_a_subscriber_is_told_after_its_reply(daemon: Start) -> None:
    async with daemon() as one, one.client() as client, one.client() as other:
        client.send(report("slow", 1), request("subscribe", 2, events=["decision"]))
        await until(lambda: one.handlers.peers)
        one.handlers.tell({"event": "decision", "n": 1})
        await one.handlers.commit("slow")
        assert ids([await client.read(), await client.read()]) == [1, 2]
        one.handlers.tell({"event": "decision", "n": 2})
        for number in (1, 2):
            expected = {"jsonrpc": "2.0", "method": "event", "params": {"event": "decision", "n": number}}
            assert await client.read() == expected
        assert (await other.ask("hello", 3))["id"] == 3


async def test_a_subscriber_that_does_not_read_is_cut_off(daemon: Start) -> None:
    async with daemon() as one, one.client() as client:
        await client.ask("subscribe")
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        sent = 0
        with capture_logs() as logged:
            while one.server.connections and sent < 10 * EVENT_BYTES_MAX:
                one.handlers.tell({"event": "decision", "text": "x" * 10_000})
                sent += 10_000
                if sent % 1_000_000 == 0:
                    await asyncio.sleep(0)
        assert [one["event"] for one in logged] == ["subscriber cut off: it does not read its events"]
        assert EVENT_BYTES_MAX < sent < 2 * EVENT_BYTES_MAX


async def test_lines_that_are_half_sent_take_no_more_memory_than_they_may_together(daemon: Start) -> None:
    """Each is within its own limit; who would make it too much is refused, and others are answered as ever."""
    async with daemon() as one, one.client() as other, AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(one.client()) for _ in range(HALF_SENT_BYTES_MAX // 1_000_000 + 20)]
        for client in clients:
            client.send(b" " * 1_000_000)
            await client.writer.drain()
        answer = await clients[-1].read()
        assert (answer["id"], answer["error"]["code"]) == (None, -32005)
        assert await clients[-1].closed()
        assert HALF_SENT_BYTES_MAX - 2_000_000 < one.server.half_sent <= HALF_SENT_BYTES_MAX
        other.send(request("hello", 1))
        assert (await other.read())["id"] == 1
        clients[0].send(request("hello", 2))  # what was half sent may be whole now
        assert (await clients[0].read())["id"] == 2
    await until(lambda: one.server.half_sent == 0)

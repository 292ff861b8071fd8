"""
Those who mean ill, or are broken, on the socket of a real daemon: whatever they do, others are answered.

Bounds are those of `test_load`: a median below 0.1 s and no answer later than 2 s, on a machine that is busy.
"""

import json
import resource
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.faults.logs import place_of, resident_mb
from tests.faults.test_load import answered_all_the_while
from tests.harness import Daemon
from tests.rpc.hostile import message, messages

CALLERS = 10
ANSWERS = 100
"""So many questions are asked meanwhile, at least."""


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One that lives through all of it, and has made no error of its own."""
    place = place_of(tmp_path_factory.mktemp("hostile"))
    with place.daemon() as running:
        yield running
        assert running.ask("hello")["pid"] == running.process.pid
        running.until(lambda: open_files(running.process.pid) < 60)
    assert "request failed" not in running.log.read_text()
    assert "Traceback" not in running.log.read_text()


def open_files(pid: int) -> int:
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


def connected(daemon: Daemon) -> socket.socket:
    made = socket.socket(socket.AF_UNIX)
    made.settimeout(60)
    made.connect(str(daemon.place.socket))
    return made


def replies_to(daemon: Daemon, lines: list[bytes]) -> list[bytes]:
    """All that comes back to lines that are sent at one go."""
    with connected(daemon) as client:

        def send() -> None:
            client.sendall(b"".join(lines))
            client.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        data = b"".join(iter(lambda: client.recv(1 << 16), b""))
        sender.join()
    return data.splitlines()


def test_ten_thousand_hostile_messages(daemon: Daemon) -> None:
    """
    Each is answered by one reply of JSON-RPC that says what is wrong, and none by `internal error`; no line is taken
    for two, and memory does not grow with what was sent.
    """
    replies_to(daemon, messages(300, 1))
    memory = resident_mb(daemon)
    batches = [messages(10_000 // CALLERS, seed) for seed in range(CALLERS)]
    with answered_all_the_while(daemon, ANSWERS), ThreadPoolExecutor(CALLERS) as callers:
        answers = list(callers.map(lambda lines: replies_to(daemon, lines), batches))
    for lines, replies in zip(batches, answers, strict=True):
        assert len(replies) == len(lines) - sum(map(is_notification, lines))
    codes = [json.loads(reply).get("error", {}).get("code") for replies in answers for reply in replies]
    assert -32603 not in codes
    assert {None, -32700, -32600, -32601, -32602} <= set(codes)
    assert resident_mb(daemon) < memory + 40


def is_notification(line: bytes) -> bool:
    """A request without an id, which is never answered."""
    try:
        read = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(read, dict) and "id" not in read and isinstance(read.get("method"), str)


@contextmanager
def many_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_thousand_who_say_nothing_and_hundreds_who_never_finish(daemon: Daemon) -> None:
    """Idle connections, ones that have said half a line, ones that are half closed, ones that never read."""
    memory = resident_mb(daemon)
    question = message("hello", {}) + b"\n"
    with many_files(), ExitStack() as stack:
        clients = [stack.enter_context(connected(daemon)) for _ in range(1400)]
        with answered_all_the_while(daemon, ANSWERS):
            for number, client in enumerate(clients[1000:]):
                client.sendall(question[: number % len(question)])  # slow writers
            for client in clients[1100:1200]:
                client.shutdown(socket.SHUT_WR)  # half open: it may still read
            for client in clients[1200:1300]:
                client.shutdown(socket.SHUT_RD)  # it will never read
            for client in clients[1300:]:
                client.sendall(b"\n" + question * 50)
            for place in range(len(question)):  # byte by byte
                for client in clients[:20]:
                    client.sendall(question[place : place + 1])
            for client in clients[:20]:
                assert json.loads(client.recv(1 << 16))["result"]["name"] == "routerd"
        assert resident_mb(daemon) < memory + 60


def test_floods_beyond_what_may_be_in_flight(daemon: Daemon) -> None:
    """
    Ten who ask as fast as the kernel takes it and never read, reports among it: they are made to wait, by the kernel.
    """
    haiku = {"executor": "delegate", "provider": "anthropic", "model": "claude-haiku-4-5"}
    asked = message("recommend", {"task": {"goal": "x"}, "candidates": ["local", haiku]}) + b"\n"
    said = message(
        "report", {"outcome_id": "same", "task": {"goal": "x"}, "dispatch": haiku, "outcome": {"succeeded": True}}
    )
    memory = resident_mb(daemon)
    with ExitStack() as stack:
        clients = [stack.enter_context(connected(daemon)) for _ in range(10)]
        with answered_all_the_while(daemon, ANSWERS):
            for client in clients:
                client.setblocking(False)
            stuck = 0
            for _ in range(200):
                for number, client in enumerate(clients):
                    try:
                        client.send((asked if number % 2 else said + b"\n") * 50)
                    except BlockingIOError:
                        stuck += 1
            assert stuck > 0
        assert resident_mb(daemon) < memory + 40


def test_lines_that_are_too_long_from_several_at_once(daemon: Daemon) -> None:
    """32 MiB without an end, from each of five: refused once it is too long, and not kept."""
    memory = resident_mb(daemon)

    def send(_: int) -> bytes:
        with connected(daemon) as client:
            try:
                for _ in range(512):
                    client.sendall(b"x" * 65_536)
            except (BrokenPipeError, ConnectionResetError):
                pass
            try:
                return client.recv(1 << 16)
            except ConnectionResetError:
                return b""

    with answered_all_the_while(daemon, ANSWERS), ThreadPoolExecutor(5) as callers:
        answers = list(callers.map(send, range(5)))
    for answer in filter(None, answers):
        assert json.loads(answer.splitlines()[0])["error"]["code"] == -32600
    assert resident_mb(daemon) < memory + 20

"""A client that asks never waits longer than its time and never raises; one that calls says what is wrong."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from routerd import client
from routerd.client import aio
from routerd.errors import InvalidParams, NoSuchDecision, RequestError, UnreachableError
from tests.harness import WITHIN_S

Answer = Callable[[socket.socket], None]

TIME_S = 0.05
SLACK_S = 0.2
"""For a machine that is busy with other things."""


@contextmanager
def server(path: Path, answer: Answer) -> Iterator[None]:
    """Something that listens at `path` and does `answer` with each connection."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen(8)

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection, suppress(OSError, ValueError):
                    answer(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()


def replies(**members: Any) -> Answer:
    """Reads a request and answers with its id and these members."""

    def answer(connection: socket.socket) -> None:
        with connection.makefile("rb") as lines:
            asked = json.loads(lines.readline())
            connection.sendall(json.dumps({"jsonrpc": "2.0", "id": asked["id"], **members}).encode() + b"\n")

    return answer


def says(data: bytes, *, then_wait: bool = False) -> Answer:
    """Says something whatever is asked."""

    def answer(connection: socket.socket) -> None:
        connection.sendall(data)
        if then_wait:
            while connection.recv(4096):
                pass

    return answer


def floods(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"x" * 65536)


def drips(connection: socket.socket) -> None:
    """A byte now and then: a timeout for each read would never end."""
    while True:
        connection.sendall(b" ")
        time.sleep(TIME_S / 5)


BAD: dict[str, Answer] = {
    "hangs": says(b"", then_wait=True),
    "half a reply": says(b'{"jsonrpc":"2.0","id":1', then_wait=True),
    "drips": drips,
    "floods": floods,
    "closes": says(b""),
    "closes in the middle": says(b'{"jsonrpc"'),
    "not JSON": says(b"HTTP/1.1 400 Bad Request\r\n", then_wait=True),
    "not UTF-8": says(b"\xff\xfe\n", then_wait=True),
    "not an object": says(b"[]\n", then_wait=True),
    "nested too deeply": says(b"[" * 100_000 + b"\n", then_wait=True),
    "neither result nor error": says(b'{"id":1}\n', then_wait=True),
    "an error that is none": says(b'{"id":1,"error":"no"}\n', then_wait=True),
    "another's reply": says(b'{"id":77,"result":1}\n', then_wait=True),
}


def ask_aio(*args: Any, **kwargs: Any) -> Any:
    return asyncio.run(aio.ask(*args, **kwargs))


def call_aio(*args: Any, **kwargs: Any) -> Any:
    return asyncio.run(aio.call(*args, **kwargs))


asks = pytest.mark.parametrize("ask", [client.ask, ask_aio])
calls = pytest.mark.parametrize("call", [client.call, call_aio])


@asks
@calls
def test_the_result_is_given(tmp_path: Path, ask: Any, call: Any) -> None:
    with server(tmp_path / "s", replies(result={"arm": "local"})):
        given = ask("recommend", {"task": {"goal": "é\n"}}, socket=tmp_path / "s", timeout_s=WITHIN_S)
        assert given == call("recommend", socket=str(tmp_path / "s"), timeout_s=WITHIN_S) == {"arm": "local"}


@pytest.mark.parametrize("result", [None, False, 0, [], {}])
def test_an_empty_result_is_a_result(tmp_path: Path, result: Any) -> None:
    with server(tmp_path / "s", replies(result=result)):
        assert client.ask("status", socket=tmp_path / "s", default="default") == result


def test_what_is_sent_is_one_line_of_json_rpc(tmp_path: Path) -> None:
    sent: list[bytes] = []

    def keep(connection: socket.socket) -> None:
        sent.append(connection.recv(4096))
        connection.sendall(b'{"id":1,"result":0}\n')

    with server(tmp_path / "s", keep):
        client.call("hello", {"client": "a\nb\u2028"}, socket=tmp_path / "s", timeout_s=5)
        client.call("status", socket=tmp_path / "s", timeout_s=5)
    assert [one.count(b"\n") for one in sent] == [1, 1]
    assert json.loads(sent[0]) == {"jsonrpc": "2.0", "id": 1, "method": "hello", "params": {"client": "a\nb\u2028"}}
    assert json.loads(sent[1])["params"] == {}


@asks
@pytest.mark.parametrize("kind", BAD)
def test_whoever_asks_gets_the_default_within_the_time(tmp_path: Path, ask: Any, kind: str) -> None:
    with server(tmp_path / "s", BAD[kind]):
        ask(
            "status", socket=tmp_path / "s", timeout_s=TIME_S, default="default"
        )  # what is imported on first use is now
        start = time.monotonic()
        assert ask("status", socket=tmp_path / "s", timeout_s=TIME_S, default="default") == "default"
        assert time.monotonic() - start < TIME_S + SLACK_S


@calls
@pytest.mark.parametrize("kind", BAD)
def test_whoever_calls_is_told_in_one_line(tmp_path: Path, call: Any, kind: str) -> None:
    with server(tmp_path / "s", BAD[kind]), pytest.raises(UnreachableError, match="cannot be reached") as caught:
        call("status", socket=tmp_path / "s", timeout_s=TIME_S)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 69


@asks
def test_with_no_daemon_the_default_is_given_at_once(tmp_path: Path, ask: Any) -> None:
    (tmp_path / "file").touch()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "dead"))
    for path in ("none", "file", "dead", "x" * 200, "nul\0"):
        start = time.monotonic()
        assert ask("status", socket=tmp_path / path, timeout_s=5, default=1) == 1
        assert time.monotonic() - start < SLACK_S


def test_with_no_daemon_whoever_calls_is_told_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(
        UnreachableError, match=r"none: routerd cannot be reached: No such file.*start it with: routerd"
    ):
        client.call("status", socket=tmp_path / "none")


def test_a_daemon_whose_queue_is_full_is_waited_for_no_longer_than_the_time(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as busy:
        busy.bind(path)
        busy.listen(0)
        waiting = []
        while True:
            one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            waiting.append(one)
            if one.connect_ex(path):
                break
        start = time.monotonic()
        assert client.ask("status", socket=path, timeout_s=TIME_S, default=1) == 1
        assert TIME_S <= time.monotonic() - start < TIME_S + SLACK_S
        for one in waiting:
            one.close()


@asks
def test_params_that_cannot_be_sent_give_the_default(tmp_path: Path, ask: Any) -> None:
    with server(tmp_path / "s", replies(result=1)):
        for params in ({"x": object()}, {"x": float("nan")}, {"x": b""}):
            assert ask("status", params, socket=tmp_path / "s", default=2) == 2


@calls
def test_an_error_is_raised_as_what_it_is(tmp_path: Path, call: Any) -> None:
    data = {"path": "task.goall", "reason": "no such member"}
    cases: list[tuple[int, type[RequestError]]] = [
        (-32602, InvalidParams),
        (-32001, NoSuchDecision),
        (-32603, RequestError),
        (-1, RequestError),
    ]
    for number, (code, kind) in enumerate(cases):
        path = tmp_path / str(number)
        error = {"code": code, "message": "what is wrong", "data": data}
        with server(path, replies(error=error)), pytest.raises(RequestError, match="what is wrong") as caught:
            call("recommend", socket=path, timeout_s=5)
        assert type(caught.value) is kind
        assert caught.value.data == data


@asks
def test_an_error_is_no_result_for_whoever_asks(tmp_path: Path, ask: Any) -> None:
    with server(tmp_path / "s", replies(error={"code": -32602, "message": "x"})):
        assert ask("recommend", socket=tmp_path / "s", timeout_s=5, default="default") == "default"


@asks
def test_nothing_is_sent_to_another_users_daemon(tmp_path: Path, ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    got: list[bytes] = []
    with server(tmp_path / "s", lambda connection: got.append(connection.recv(4096))):
        uid = os.getuid()
        monkeypatch.setattr(os, "getuid", lambda: uid + 1)
        assert ask("recommend", {"task": {"goal": "private"}}, socket=tmp_path / "s", timeout_s=5, default=0) == 0
    assert got == [b""]


def test_events_come_until_the_daemon_goes(tmp_path: Path) -> None:
    def tell(connection: socket.socket) -> None:
        with connection.makefile("rb") as lines:
            asked = json.loads(lines.readline())
            assert asked["params"] == {"events": ["decision"]}
            told = [{"id": asked["id"], "result": {"subscribed": ["decision"]}}]
            told += [{"jsonrpc": "2.0", "method": "event", "params": {"event": "decision", "at": at}} for at in (1, 2)]
            data = b"".join(json.dumps(one).encode() + b"\n" for one in told)
            connection.sendall(data[:-10])
            time.sleep(0.01)
            connection.sendall(data[-10:])

    with server(tmp_path / "s", tell):
        events = client.subscribe(["decision"], socket=tmp_path / "s")
        assert next(events) == {"event": "decision", "at": 1}
        assert next(events) == {"event": "decision", "at": 2}
        with pytest.raises(UnreachableError, match="closed the connection"):
            next(events)


def test_the_socket_is_found_where_the_daemon_puts_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROUTERD_SOCKET", str(tmp_path / "s"))
    with server(tmp_path / "s", replies(result=1)):
        assert client.call("status", timeout_s=5) == 1


WEIGH = """
import sys
before = set(sys.modules)
import time
start = time.perf_counter()
from routerd.client import ask
seconds = time.perf_counter() - start
assert ask("status", socket="/nowhere", default="default") == "default"
print(seconds, *sorted(set(sys.modules) - before))
"""


def test_a_hook_pays_little_for_importing_it() -> None:
    """Neither importing the client nor finding no daemon loads what takes long; of five tries the best counts."""
    best = 1.0
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    for _ in range(5):
        done = subprocess.run([sys.executable, "-c", WEIGH], env=env, capture_output=True, text=True, check=True)
        seconds, *loaded = done.stdout.split()
        own = {"routerd", "routerd.client", "routerd.places", "routerd.quick_json"}
        assert set(loaded) <= {"__future__", "_socket", "_json", *own}
        best = min(best, float(seconds))
    assert best < 0.015

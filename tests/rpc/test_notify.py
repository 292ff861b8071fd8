import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from routerd.rpc import notify


@pytest.fixture(params=["path", "abstract"])
def systemd(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[dict[str, str], socket.socket]]:
    """A datagram socket as systemd has one, and the environment that names it."""
    name = f"@routerd-test-{os.getpid()}" if request.param == "abstract" else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind("\0" + name[1:] if name[0] == "@" else name)
        receiver.settimeout(1)
        yield {"NOTIFY_SOCKET": name}, receiver


def test_systemd_is_told(systemd: tuple[dict[str, str], socket.socket]) -> None:
    env, receiver = systemd
    for tell, told in (
        (notify.ready, b"READY=1"),
        (notify.alive, b"WATCHDOG=1"),
        (notify.stopping, b"STOPPING=1"),
    ):
        assert tell(env)
        assert receiver.recv(1024) == told


def test_a_reload_carries_its_time_in_the_same_datagram(systemd: tuple[dict[str, str], socket.socket]) -> None:
    env, receiver = systemd
    before = time.monotonic_ns() // 1000
    assert notify.reloading(env)
    first, second = receiver.recv(1024).decode().split("\n")
    assert first == "RELOADING=1"
    name, _, value = second.partition("=")
    assert name == "MONOTONIC_USEC"
    assert before <= int(value) <= time.monotonic_ns() // 1000


@pytest.mark.parametrize("env", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:1"}, {"NOTIFY_SOCKET": "/no"}])
def test_without_systemd_nothing_happens(env: dict[str, str]) -> None:
    assert not notify.ready(env)


def test_a_full_queue_is_not_waited_for(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "n"))
        env = {"NOTIFY_SOCKET": str(tmp_path / "n")}
        assert not all(notify.alive(env) for _ in range(100_000))


@pytest.mark.parametrize(
    ("env", "interval_s"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "10000000"}, 5.0),
        ({"WATCHDOG_USEC": "10000000", "WATCHDOG_PID": "7"}, 5.0),
        ({"WATCHDOG_USEC": "10000000", "WATCHDOG_PID": "8"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_watchdog_is_fed_twice_in_its_time(env: dict[str, str], interval_s: float | None) -> None:
    assert notify.watchdog_interval_s(env, 7) == interval_s

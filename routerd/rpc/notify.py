"""What is told to systemd: started, reloading, alive, stopping (sd_notify(3)). Without systemd nothing happens."""

import socket
import time
from collections.abc import Mapping


def notify(env: Mapping[str, str], *lines: str) -> bool:
    """Sends `lines` to the socket that `NOTIFY_SOCKET` names; returns whether they were sent. Never waits or raises."""
    place = env.get("NOTIFY_SOCKET", "")
    if not place.startswith(("/", "@")):
        return False
    address = "\0" + place[1:] if place[0] == "@" else place
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sender:
            sender.sendto("\n".join(lines).encode(), address)
    except (OSError, ValueError):
        return False
    return True


def ready(env: Mapping[str, str]) -> bool:
    """Started, or done with reloading."""
    return notify(env, "READY=1")


def reloading(env: Mapping[str, str]) -> bool:
    """The configuration is being read again; `ready` must follow. The time tells it from an older reload."""
    return notify(env, "RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")


def alive(env: Mapping[str, str]) -> bool:
    """The watchdog is fed."""
    return notify(env, "WATCHDOG=1")


def stopping(env: Mapping[str, str]) -> bool:
    """The end has begun."""
    return notify(env, "STOPPING=1")


def watchdog_interval_s(env: Mapping[str, str], pid: int) -> float | None:
    """How often `alive` is to be said: twice in the time that systemd allows; None where it does not watch `pid`."""
    allowed = env.get("WATCHDOG_USEC", "")
    if not allowed.isdecimal() or int(allowed) == 0 or env.get("WATCHDOG_PID", str(pid)) != str(pid):
        return None
    return int(allowed) / 2e6

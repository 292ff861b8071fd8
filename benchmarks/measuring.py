"""What the benchmarks of speed share: a client that asks in a closed loop, percentiles, processes, and the results."""

import argparse
import json
import math
import os
import platform
import re
import select
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from importlib.metadata import version
from itertools import cycle
from pathlib import Path
from typing import Any

import with_tests  # noqa: F401

from tests.harness import Place

GOAL_BYTES = 2048
PROSE = (
    "The nightly import drops rows whose amount has a comma in it, and the totals of report {0} are wrong since then. "
    "Find out where that happens, mend it so that both spellings are read, and keep the public interface as it is. "
    "Look at src/billing/part{0}.py first; tests/test_part{1}.py shows what is expected. Run the tests at the end. "
)
MODELS = (
    "claude-opus-4-5", "claude-sonnet-4-5", "claude-haiku-4-5", "gpt-5.2", "gpt-5-mini", "gemini-2.5-pro",
    "gemini-2.5-flash",
)  # fmt: skip
ARMS = ["local", *({"executor": "delegate", "model": model} for model in MODELS)]
"""Eight."""

# --- what is asked --------------------------------------------------------------------------------------------------


def goal(number: int) -> str:
    """A task of 2 KB: prose with a few paths in it."""
    return (PROSE.format(number, number + 1) * 9)[:GOAL_BYTES]


def task(number: int) -> dict[str, Any]:
    parent = {"provider": "anthropic", "model": MODELS[0]}
    return {"goal": goal(number), "repo": f"host/owner/name{number % 8}", "agent": "hermes", "parent": parent}


def request(method: str, params: dict[str, Any]) -> bytes:
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def recommends(count: int = 64) -> list[bytes]:
    """Questions with 8 candidates and a goal of 2 KB, each another one."""
    return [request("recommend", {"task": task(n), "candidates": ARMS, "incumbent": ARMS[1]}) for n in range(count)]


def reports(name: str) -> Iterator[bytes]:
    """Reports without end, each of another outcome."""
    head, tail = request("report", {
        "outcome_id": "@", "task": {"goal": "Count the lines", "repo": "host/owner/name"}, "dispatch": ARMS[2],
        "outcome": {"succeeded": True, "wall_time_ms": 41_000, "cost_usd": 0.02},
    }).split(b"@")  # fmt: skip
    number = 0
    while True:
        number += 1
        yield head + f"{name}-{number}".encode() + tail


def outcomes(start: int, end: int, *, at: float) -> Iterator[bytes]:
    """Rows of the source `jsonl`: what eight arms did with tasks of eight repositories, over 120 days until `at`."""
    for number in range(start, end):
        row = {
            "id": f"o{number}",
            "task": {
                "goal": f"Fix part{number % 64}.py so that its test passes",
                "repo": f"host/owner/name{number % 8}",
            },
            "dispatch": ARMS[number % 8] if number % 8 else {"executor": "local"},
            "succeeded": number * 7919 % 10 < 4 + number % 8 / 2,
            "wall_time_ms": 20_000 + number * 104_729 % 90_000,
            "cost_usd": 0.01 + number * 15_485_863 % 1000 / 1000,
            "at": at - number * 7919 % 10_368_000,
        }
        yield json.dumps(row).encode() + b"\n"


def home(folder: Path) -> Place:
    """A home whose daemon reads rows of outcomes in `rows` below it, and the agents' logs in their usual places."""
    (folder / "rows").mkdir(parents=True)
    place = Place(folder)
    config = f"[sources.jsonl]\nroots = [{json.dumps(str(folder / 'rows'))}]\n"
    place.write({".config/routerd/config.toml": config.encode()})
    return place


def with_outcomes(place: Place, start: int, end: int) -> None:
    """Puts outcomes where the daemon of a `home` reads them."""
    with (place.home / "rows" / f"{start}.jsonl").open("wb") as file:
        file.writelines(outcomes(start, end, at=time.time()))


# --- asking ---------------------------------------------------------------------------------------------------------


def ask(
    path: str | Path,
    lines: Iterator[bytes],
    *,
    connections: int = 1,
    depth: int = 1,
    seconds: float = math.inf,
    until: Callable[[], bool] = lambda: False,
) -> tuple[list[float], float]:
    """
    Keeps `depth` requests in flight on each connection, for so long or until something is so.

    Returns:
        The time of each request in µs, and requests per second.

    Raises:
        SystemExit: An answer is an error, or the server went away.
    """
    poll, peers = select.epoll(), {}
    taken: list[float] = []
    clock = time.perf_counter
    with ExitStack() as stack:
        stack.callback(poll.close)
        for _ in range(connections):
            peer = stack.enter_context(socket.socket(socket.AF_UNIX))
            peer.connect(str(path))
            poll.register(peer.fileno(), select.EPOLLIN)
            peers[peer.fileno()] = (peer, deque[float]())
        start = clock()
        for peer, sent in peers.values():
            sent.extend([clock()] * depth)
            peer.sendall(b"".join(next(lines) for _ in range(depth)))
        while (now := clock()) < start + seconds and not until():
            for descriptor, _ in poll.poll():
                peer, sent = peers[descriptor]
                data = peer.recv(1 << 20)
                if not data or b'"error"' in data:
                    raise SystemExit(f"the server answers {data[:500]!r}")
                done = data.count(b"\n")
                now = clock()
                taken.extend(now - sent.popleft() for _ in range(done))
                if done:
                    sent.extend([now] * done)
                    peer.sendall(b"".join(next(lines) for _ in range(done)))
        elapsed = clock() - start
    return [1e6 * one for one in taken], len(taken) / elapsed


def questions() -> Iterator[bytes]:
    """`recommends` over and over."""
    return cycle(recommends())


# --- figures --------------------------------------------------------------------------------------------------------


def percentiles(times: Sequence[float], digits: int = 1) -> dict[str, float]:
    """p50, p99, p99.9 and how many."""
    ordered = sorted(times)
    found = {
        name: round(ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)], digits)
        for name, share in (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999))
    }
    return found | {"n": len(ordered)}


class Process:
    """A running process and its children, as `/proc` tells of them."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def children(self) -> list[int]:
        with open(f"/proc/{self.pid}/task/{self.pid}/children") as file:
            return [int(pid) for pid in file.read().split()]

    def memory_mb(self, what: str = "VmRSS") -> float:
        """`VmRSS` is what it holds now, `VmHWM` the most that it ever held."""
        with open(f"/proc/{self.pid}/status") as file:
            found = re.search(rf"{what}:\s+(\d+) kB", file.read())
        return int(found[1]) / 1024 if found else 0.0

    def cpu_s(self) -> float:
        """Seconds of a processor, of it and of its children that live."""
        return sum(_cpu_s(pid) for pid in (self.pid, *self.children()))


def _cpu_s(pid: int) -> float:
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def most_memory(process: Process, known: dict[int, float]) -> dict[int, float]:
    """The most that a process and each of its children held, with what was known of them before."""
    try:
        for pid in (process.pid, *process.children()):
            known[pid] = max(known.get(pid, 0.0), Process(pid).memory_mb("VmHWM"))
    except (FileNotFoundError, ProcessLookupError):
        pass
    return known


# --- options and results --------------------------------------------------------------------------------------------


def options(text: str | None, add: Callable[[argparse.ArgumentParser], None] = lambda _: None) -> argparse.Namespace:
    """`--quick`, `--write` and what `add` adds."""
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a small run, to see that it works")
    parser.add_argument("--write", action="store_true", help="write the figures to benchmarks/results")
    add(parser)
    return parser.parse_args()


def machine() -> dict[str, Any]:
    """What the figures come from."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return {
        "at": time.strftime("%Y-%m-%d"),
        "cpu": cpu[1] if cpu else platform.machine(),
        "cpus": len(os.sched_getaffinity(0)),
        "load_before": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        **{name: version(name) for name in ("routerd", "msgspec", "numpy", "aiosqlite")},
    }


def finish(name: str, about: dict[str, Any], figures: Any, *, write: bool) -> None:
    """Writes benchmarks/results/NAME.json, if that is wanted."""
    if write:
        path = Path(__file__).parent / "results" / f"{name}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({"machine": about, name: figures}, indent=2) + "\n")


def table(rows: Sequence[dict[str, Any]]) -> None:
    """Prints rows with the same members under each other."""
    head = list(rows[0])
    cells = [head, *([_cell(row.get(name)) for name in head] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    for row in cells:
        print("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)), flush=True)


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.2f}" if abs(value) < 10 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)

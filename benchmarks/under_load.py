"""How long a recommendation takes while everything else happens too: a cold backlog is read, and reports are written.

    python benchmarks/under_load.py [--megabytes 1000] [--quick] [--write]

The closed loop of `latency.py` (8 arms, goals of 2 KB, one connection, depth 1; no process is bound to a cpu) asks the
daemon: when it has nothing else to do; while another process reports 1,000 outcomes a second; while it also reads a
gigabyte of logs that it never saw; and idle once more. The bare server of `latency.py` is asked in turns with it, for
what the machine itself becomes when all its cpus are busy. Figures go to benchmarks/results/under_load.json.
"""

import argparse
import asyncio
import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any

import with_tests  # noqa: F401
from latency import LEARNT, server
from made_logs import make
from measuring import (
    Process,
    ask,
    finish,
    home,
    machine,
    most_memory,
    options,
    percentiles,
    questions,
    reports,
    table,
    with_outcomes,
)

from tests.harness import Daemon

REPORTS_A_SECOND = 1000
TICK_S = 0.01
TURN_S = 0.5


async def report(socket: str, acknowledged: "Synchronized[int]") -> None:
    """Reports at an even pace, whether or not the answers keep up, for ever."""
    reader, writer = await asyncio.open_unix_connection(socket)
    lines = reports("paced")

    async def count() -> None:
        while data := await reader.read(1 << 20):
            acknowledged.value += data.count(b"\n")

    counting = asyncio.create_task(count())
    begun, sent = time.monotonic(), 0
    while not counting.done():
        due = int((time.monotonic() - begun) * REPORTS_A_SECOND)
        writer.write(b"".join(next(lines) for _ in range(due - sent)))
        sent = due
        await asyncio.sleep(TICK_S)


@contextmanager
def reporting(socket: Path) -> Iterator["Synchronized[int]"]:
    """A process that reports; counts what was acknowledged."""
    acknowledged = multiprocessing.Value("i", 0)
    process = multiprocessing.Process(target=lambda: asyncio.run(report(str(socket), acknowledged)))
    process.start()
    try:
        yield acknowledged
    finally:
        process.kill()
        process.join()


def phase(name: str, servers: dict[str, Path], over: Callable[[float], bool]) -> dict[str, Any]:
    """Asks daemon and bare server in turns until `over` (which is told the seconds since the beginning)."""
    times: dict[str, list[float]] = {who: [] for who in servers}
    begun = time.monotonic()
    while not over(time.monotonic() - begun):
        for who, path in servers.items():
            times[who] += ask(path, questions(), seconds=TURN_S)[0]
    seconds = time.monotonic() - begun
    return {"while": name, "s": round(seconds, 1), **{who: percentiles(taken) for who, taken in times.items()}}


def with_reports(name: str, servers: dict[str, Path], over: Callable[[float], bool]) -> dict[str, Any]:
    with reporting(servers["daemon"]) as acknowledged:
        time.sleep(1)
        before = acknowledged.value
        found = phase(name, servers, over)
        return found | {"reports a second": round((acknowledged.value - before) / found["s"])}


def read(running: Daemon, files: int) -> bool:
    """Whether all of the backlog is read."""
    sources = [one for one in running.ask("status")["sources"] if one["agent"] == "claude-code"]
    return sum(one["files"] for one in sources) >= files and not any(one["lag_bytes"] for one in sources)


def measure(folder: Path, megabytes: int, seconds: float) -> list[dict[str, Any]]:
    backlog = make("claude-code", folder / "backlog", megabytes)
    files = sum(1 for _ in (folder / "backlog").rglob("*.jsonl"))
    place = home(folder / "home")
    with_outcomes(place, 0, LEARNT)
    with server("bare", folder) as (bare, _), place.daemon() as running:
        running.until(lambda: running.completions() == LEARNT)
        process, memory = Process(running.process.pid), dict[int, float]()
        servers = {"bare": bare, "daemon": place.socket}

        def read_all(_: float) -> bool:
            most_memory(process, memory)
            return read(running, files)

        found = [
            phase("nothing", servers, lambda s: s > seconds),
            with_reports("reports", servers, lambda s: s > seconds),
        ]
        (folder / "backlog" / ".claude").rename(place.home / ".claude")
        both = with_reports("reports and backlog", servers, read_all)
        children = [most for pid, most in memory.items() if pid != process.pid]
        both |= {
            "backlog MB/s": round(backlog / 1e6 / both["s"], 1),
            "daemon MB": round(memory[process.pid]),
            "child MB": round(max(children, default=0.0)),
        }
        return [*found, both, phase("nothing again", servers, lambda s: s > seconds)]


def row(found: dict[str, Any], idle: dict[str, Any]) -> dict[str, Any]:
    """A line of the table."""
    shares = {f"{who} p99 x idle": round(found[who]["p99"] / idle[who]["p99"], 2) for who in ("bare", "daemon")}
    figures = {f"{who} {share}": found[who][share] for who in ("bare", "daemon") for share in ("p50", "p99")}
    rest = ("reports a second", "backlog MB/s", "daemon MB", "child MB")
    return {"while": found["while"], **figures, **shares, **{name: found.get(name, "") for name in rest}}


def main() -> None:
    def amount(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--megabytes", type=int, default=1000)

    chosen = options(__doc__, amount)
    about = machine()
    with tempfile.TemporaryDirectory() as folder:
        megabytes, seconds = (40, 3.0) if chosen.quick else (chosen.megabytes, 20.0)
        found = measure(Path(folder), megabytes, seconds)
    print("times in µs")
    table([row(one, found[0]) for one in found])
    finish("under_load", about, found, write=chosen.write)


if __name__ == "__main__":
    main()

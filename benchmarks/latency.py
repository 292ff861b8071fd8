"""How long a recommendation takes over the socket, beside the least that Python can do on one.

    python benchmarks/latency.py [--quick] [--write]

Each request is a `recommend` with 8 arms and a goal of 2 KB, one of 64. Three servers, each a process of its own, are
asked in turns in a closed loop by one client, so that whatever else the machine does falls on all alike:

    bare      an `asyncio.Protocol` that decodes the request with one msgspec decoder and sends back one prebuilt
              result: no order, no limits, no checks of the peer
    server    routerd's server, with a handler that does nothing
    daemon    routerd as it starts, with 320 outcomes learnt

"same" cpu: client and server share one, which shows the work done; "two" adds what waking costs. Printed is how far the
daemon is above the bare server; with `--write` all figures go to benchmarks/results/latency.json.
"""

import argparse
import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import msgspec
from measuring import MODELS, ask, finish, home, machine, options, percentiles, questions, table, with_outcomes

from routerd.config import SocketConfig
from routerd.events import Dispatch, Estimate, Expected, Gate, Policy, Recommend
from routerd.rpc.listen import bound
from routerd.rpc.messages import Alternative, RecommendResult
from routerd.rpc.server import serving

LOADS = ((1, 1), (1, 16), (64, 1), (64, 16))
"""Connections, and requests in flight on each."""
LEARNT = 320

# --- servers --------------------------------------------------------------------------------------------------------


def result() -> Any:
    """What both servers answer: a decision with three alternatives."""
    one = Estimate(0.8125, 0.6875, 0.9375, 12.5)
    expected = Expected(one, one, one)
    dispatches = [Dispatch(executor="delegate", model=model) for model in MODELS[:4]]
    return RecommendResult(
        decision_id="d_0193b0a2c4d87f12",
        arm=f"delegate:{MODELS[0]}",
        dispatch=dispatches[0],
        propensity=0.625,
        explored=False,
        basis="learned",
        expected=expected,
        utility=0.4375,
        alternatives=[
            Alternative(arm=f"delegate:{one.model}", dispatch=one, p_best=0.125, utility=0.25, expected=expected)
            for one in dispatches[1:]
        ],
        gate=Gate(True, "no worse than the incumbent"),
        reason="the best by expected worth",
        policy=Policy("thompson_sampling", "1"),
    )


async def serve_bare(path: str) -> None:
    """The least that answers."""

    class Ask(msgspec.Struct):
        jsonrpc: str
        id: int
        method: str
        params: Recommend

    class Reply(msgspec.Struct):
        id: int
        result: Any
        jsonrpc: str = "2.0"

    decode, encode, answer = msgspec.json.Decoder(Ask).decode, msgspec.json.Encoder().encode, result()

    class Bare(asyncio.Protocol):
        rest = b""

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            self.transport = transport

        def data_received(self, data: bytes) -> None:
            *lines, self.rest = (self.rest + data).split(b"\n")
            self.transport.write(b"".join(encode(Reply(decode(line).id, answer)) + b"\n" for line in lines))

    server = await asyncio.get_running_loop().create_unix_server(Bare, path, backlog=1024)
    await server.serve_forever()


async def serve_fake(path: str) -> None:
    """routerd's server, with a handler that does nothing."""
    answer = result()

    class Nothing:
        def handle(self, params: Any, peer: Any) -> Any:
            return answer

        def closed(self, peer: Any) -> None:
            pass

    with bound(path) as listening:
        async with serving(listening, Nothing(), SocketConfig()):
            await asyncio.Event().wait()


@contextmanager
def server(name: str, folder: Path) -> Iterator[tuple[Path, int]]:
    """A server that answers, in a process of its own; gives its socket and its process id."""
    path = folder / f"{name}.sock"
    process = subprocess.Popen([sys.executable, __file__, "--serve", name, str(path)])
    try:
        deadline = time.monotonic() + 60
        while not answers(path):
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{name} does not answer")
            time.sleep(0.1)
        yield path, process.pid
    finally:
        process.terminate()
        process.wait()


def answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


@contextmanager
def daemon(folder: Path) -> Iterator[tuple[Path, int]]:
    """The daemon, as `server` gives the others."""
    place = home(folder / "home")
    with_outcomes(place, 0, LEARNT)
    with place.daemon() as running:
        running.until(lambda: running.completions() == LEARNT)
        yield place.socket, running.process.pid


# --- measuring ------------------------------------------------------------------------------------------------------


def measure(
    servers: dict[str, tuple[Path, int]], load: tuple[int, int], seconds: float, rounds: int
) -> dict[str, dict[str, float]]:
    """Asks each server in turns; the first round is not counted."""
    times: dict[str, list[float]] = {name: [] for name in servers}
    rates: dict[str, list[float]] = {name: [] for name in servers}
    for turn in range(rounds + 1):
        for name in servers if turn % 2 else reversed(servers):
            taken, rate = ask(servers[name][0], questions(), connections=load[0], depth=load[1], seconds=seconds)
            if turn:
                times[name] += taken
                rates[name].append(rate)
    return {name: percentiles(times[name]) | {"rps": round(sum(rates[name]) / rounds)} for name in servers}


def placements() -> dict[str, tuple[int, int]]:
    """The cpu of the client and that of the servers."""
    cpus = sorted(os.sched_getaffinity(0))
    return {"same": (cpus[0], cpus[0])} | ({"two": (cpus[0], cpus[1])} if len(cpus) > 1 else {})


def row(cpus: str, load: tuple[int, int], found: dict[str, dict[str, float]]) -> dict[str, Any]:
    """A line of the table."""
    bare, ours = found["bare"], found["daemon"]
    return {
        "cpus": cpus,
        "connections": load[0],
        "depth": load[1],
        **{f"{name} p50": figures["p50"] for name, figures in found.items()},
        "above bare p50": ours["p50"] - bare["p50"],
        "above bare p99": ours["p99"] - bare["p99"],
        "x bare p50": round(ours["p50"] / bare["p50"], 2),
        **{f"{name} rps": figures["rps"] for name, figures in found.items()},
    }


def main() -> None:
    def serve(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--serve", nargs=2, metavar=("NAME", "PATH"), help=argparse.SUPPRESS)

    chosen = options(__doc__, serve)
    if chosen.serve:
        name, path = chosen.serve
        asyncio.run(serve_bare(path) if name == "bare" else serve_fake(path))
        return
    seconds, rounds = (0.3, 2) if chosen.quick else (0.6, 6)
    about, figures, rows = machine(), [], []
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        servers = {name: stack.enter_context(server(name, Path(folder))) for name in ("bare", "server")}
        servers["daemon"] = stack.enter_context(daemon(Path(folder)))
        for cpus, (here, there) in placements().items():
            os.sched_setaffinity(0, {here})
            for _, pid in servers.values():
                pin(pid, there)
            for load in LOADS:
                found = measure(servers, load, seconds, rounds)
                figures.append({"cpus": cpus, "connections": load[0], "depth": load[1], **found})
                rows.append(row(cpus, load, found))
    print("times in µs; p50 and p99 above the bare server are what routerd costs")
    table(rows)
    finish("latency", about, figures, write=chosen.write)


def pin(pid: int, cpu: int) -> None:
    """Puts every thread of a process on one cpu."""
    for thread in os.listdir(f"/proc/{pid}/task"):
        os.sched_setaffinity(int(thread), {cpu})


if __name__ == "__main__":
    main()

"""How long a recommendation takes over the socket, beside the least that Python can do on one.

    python benchmarks/latency.py                    routerd's server with a handler that does nothing
    python benchmarks/latency.py --daemon           the daemon itself, as `routerd` starts it, on an empty home
    python benchmarks/latency.py --json

Each request is a `recommend` with 8 candidates. The bare server beside it is an `asyncio.Protocol` that decodes the
same request with one msgspec decoder and sends back one prebuilt result: no order, no limits, no checks of the peer.
Both are processes of their own, asked in turns in a closed loop by one client, so that whatever else the machine does
falls on both. "same cpu": client and server share one, which shows the work done; "two cpus" adds what waking costs.
"""

import argparse
import asyncio
import json
import math
import os
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import msgspec

from routerd.config import SocketConfig
from routerd.events import Dispatch, Estimate, Expected, Gate, Policy, Recommend
from routerd.rpc.listen import bound
from routerd.rpc.messages import Alternative, RecommendResult
from routerd.rpc.server import serving

LOADS = ((1, 1), (1, 16), (64, 1), (64, 16))
"""Connections, and requests in flight on each."""

MODELS = ("claude-opus-4-5", "claude-sonnet-4-5", "claude-haiku-4-5", "gpt-5.2", "gpt-5-mini", "glm-4.7", "kimi-k2")
REQUEST = {
    "task": {
        "goal": "Fix the failing test in parser.py: an empty line at the end of the file makes it give up. Run it.",
        "repo": "example",
        "agent": "hermes",
        "parent": {"provider": "anthropic", "model": "claude-opus-4-5"},
    },
    "candidates": ["local", *({"executor": "delegate", "model": model} for model in MODELS)],
    "incumbent": {"executor": "delegate", "model": MODELS[0]},
}

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
def server(name: str, folder: Path) -> Iterator[tuple[str, int]]:
    """A server in a process of its own; gives its socket and its process id."""
    path = str(folder / f"{name}.sock")
    command = [sys.executable, __file__, "--serve", name, path]
    env = dict(os.environ)
    if name == "daemon":
        home = folder / "home"
        home.mkdir()
        command = [
            str(Path(sys.executable).with_name("routerd")),
            "--socket",
            path,
            "--state-dir",
            str(folder / "state"),
        ]
        env = {"HOME": str(home), "PATH": os.environ.get("PATH", "")}
    process = subprocess.Popen(command, env=env, stderr=(folder / f"{name}.log").open("w"))
    try:
        wait_for(path, process, folder / f"{name}.log")
        yield path, process.pid
    finally:
        process.terminate()
        process.wait()


def wait_for(path: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    for _ in range(600):
        if process.poll() is not None:
            raise SystemExit(f"a server did not start:\n{log.read_text()}")
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(path) == 0:
                return
        time.sleep(0.1)
    raise SystemExit("a server did not answer within a minute")


# --- the client -----------------------------------------------------------------------------------------------------


def ask(path: str, connections: int, depth: int, seconds: float) -> tuple[list[float], float]:
    """
    Keeps `depth` requests in flight on each connection.

    Returns:
        The time of each request in µs, and requests per second.
    """
    message = {"jsonrpc": "2.0", "id": 1, "method": "recommend", "params": REQUEST}
    line = json.dumps(message, separators=(",", ":")).encode() + b"\n"
    poll, peers = select.epoll(), {}
    taken: list[float] = []
    clock = time.perf_counter
    with ExitStack() as stack:
        stack.callback(poll.close)
        for _ in range(connections):
            peer = stack.enter_context(socket.socket(socket.AF_UNIX))
            peer.connect(path)
            poll.register(peer.fileno(), select.EPOLLIN)
            peers[peer.fileno()] = (peer, deque[float]())
        for peer, sent in peers.values():
            sent.extend([clock()] * depth)
            peer.sendall(line * depth)
        start = clock()
        end = start + seconds
        while (now := clock()) < end:
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
                    peer.sendall(line * done)
        elapsed = clock() - start
    return [1e6 * one for one in taken], len(taken) / elapsed


def percentile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)]


def measure(servers: dict[str, tuple[str, int]], load: tuple[int, int], seconds: float, rounds: int) -> dict[str, Any]:
    """Asks each server in turns; the first round is not counted."""
    times: dict[str, list[float]] = {name: [] for name in servers}
    rates: dict[str, list[float]] = {name: [] for name in servers}
    for turn in range(rounds + 1):
        for name in servers if turn % 2 else reversed(servers):
            taken, rate = ask(servers[name][0], *load, seconds)
            if turn:
                times[name] += taken
                rates[name].append(rate)
    found = {}
    for name in servers:
        ordered = sorted(times[name])
        p50, p99, p999 = (round(percentile(ordered, share), 1) for share in (0.5, 0.99, 0.999))
        found[name] = {
            "p50": p50,
            "p99": p99,
            "p99.9": p999,
            "rps": round(sum(rates[name]) / rounds),
            "n": len(ordered),
        }
    return found


def placements() -> dict[str, tuple[int, int]]:
    """The cpu of the client and that of the servers."""
    cpus = sorted(os.sched_getaffinity(0))
    return {"same cpu": (cpus[0], cpus[0])} | ({"two cpus": (cpus[0], cpus[1])} if len(cpus) > 1 else {})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--daemon", action="store_true", help="measure the daemon instead of its server alone")
    parser.add_argument("--seconds", type=float, default=0.5, help="of one round on one server")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--serve", nargs=2, metavar=("NAME", "PATH"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        name, path = options.serve
        asyncio.run(serve_bare(path) if name == "bare" else serve_fake(path))
        return
    ours = "daemon" if options.daemon else "server"
    rows = []
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        servers = {name: stack.enter_context(server(name, Path(folder))) for name in ("bare", ours)}
        for placement, (here, there) in placements().items():
            os.sched_setaffinity(0, {here})
            for _, pid in servers.values():
                os.sched_setaffinity(pid, {there})
            for load in LOADS:
                found = measure(servers, load, options.seconds, options.rounds)
                ratio = {name: round(found[ours][name] / found["bare"][name], 2) for name in ("p50", "p99", "p99.9")}
                rows.append({"cpus": placement, "connections": load[0], "depth": load[1], **found, "ratio": ratio})
                if not options.json:
                    show(rows[-1], ours, first=len(rows) == 1)
    if options.json:
        print(json.dumps(rows))


def show(row: dict[str, Any], ours: str, *, first: bool) -> None:
    if first:
        print("times in µs".rjust(21), "bare".rjust(34), ours.rjust(34), "ratio".rjust(22))
        columns = "     p50      p99    p99.9      rps"
        print("cpus      conns depth", columns, columns, "   p50    p99  p99.9")
    cells = [f"{row['cpus']:9} {row['connections']:5} {row['depth']:5}"]
    cells += ["".join(f"{row[name][key]:>9}" for key in ("p50", "p99", "p99.9", "rps"))[1:] for name in ("bare", ours)]
    cells.append("".join(f"{row['ratio'][key]:>7.2f}" for key in ("p50", "p99", "p99.9"))[1:])
    print(" ".join(cells), flush=True)


if __name__ == "__main__":
    main()

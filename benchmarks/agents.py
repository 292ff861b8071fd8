"""
Real agents, a real daemon, no model: does routerd see every delegation once, as it really ran, and how soon?

    python benchmarks/agents.py [--tools DIR] [--work DIR] [--only NAME …] [--scenario NAME …]

Installs Hermes Agent from PyPI and Claude Code and Codex CLI from npm into DIR (about a gigabyte, once), drives each
through every scenario of the stub endpoints in `--tools`, with routerd running on the same HOME, and compares what
routerd tells its listeners with what the stub was really asked for. Prints a line a scenario; exit code 1 when anything
differs.

Needs network for the installation, npm for Claude Code and Codex, and the stubs (`claude_stub.py`, `codex_stub.py`,
`hermes_stub.py`), which are not part of this repository.
"""

import argparse
import json
import os
import queue
import shutil
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from routerd.client import call, subscribe
from routerd.errors import UnreachableError

ROOT = Path(__file__).parents[1]
CLAUDE_OLD, CLAUDE_NEW, CODEX, HERMES = "2.1.197", "2.1.329", "0.169.0", "0.19.0"
LAYOUT = "{:8} {:15} {:11} {:5} {:34} {:44} {:44} {}"
SETTLED_S = 1.0
WITHIN_S = 8.0
"""So long is waited for what a scenario should show; what comes later counts as missing."""


@dataclass(frozen=True)
class Child:
    """
    A delegation that a scenario makes.

    Attributes:
        signal: What its label should rest on.
        censored: Why it should not be scored, if so.
    """

    signal: str = "completed"
    censored: str | None = None


OK, FAILED_TESTS, EMPTY = Child(), Child("test"), Child("empty")
AUTH, LIMIT, OVERLOAD = (Child("unknown", why) for why in ("auth", "usage_limit", "overload"))

COMMON = {
    "single": [OK],
    "batch": [OK, OK],
    "toolerr": [OK],
    "pytest": [FAILED_TESTS, OK],
    "nest": [OK, OK],
    "empty": [EMPTY],
    "http401": [AUTH],
    "http429": [LIMIT],
    "http500": [OVERLOAD],
    "bash": [],
    "plain": [],
}


@dataclass
class Agent:
    """
    One agent of one version.

    Attributes:
        name: As on the command line of this benchmark.
        agent: As routerd calls it.
        stub: File name of its endpoint.
        scenarios: What each is expected to show.
        prepare: Installs it and writes its configuration; gives command and environment.
        asked: (model, effort) of each child by the stub's log, one a child.
    """

    name: str
    agent: str
    stub: str
    scenarios: dict[str, list[Child]]
    prepare: Callable[[Path, Path, int], tuple[Callable[[str], list[str]], dict[str, str]]]
    asked: Callable[[list[dict[str, Any]]], "Counter[tuple[str | None, str | None]]"]
    seen: dict[str, dict[str, Any]] = field(default_factory=dict)


# --- Claude Code ----------------------------------------------------------------------------------------------------


def npm(work: Path, name: str, *packages: str) -> Path:
    """Installs npm packages once; the directory of modules."""
    place = work / name
    if not (place / "node_modules").exists():
        command = ["npm", "install", "--prefix", str(place), "--force", *packages]
        if shutil.which("npm") is None or subprocess.run(command, check=False, stdout=sys.stderr).returncode:
            sys.exit(f"{' '.join(packages)} cannot be installed: it needs npm, and its registry within reach")
    return place / "node_modules"


def claude(version: str) -> Callable[[Path, Path, int], tuple[Callable[[str], list[str]], dict[str, str]]]:
    def prepare(work: Path, home: Path, port: int) -> tuple[Callable[[str], list[str]], dict[str, str]]:
        package = "@anthropic-ai/claude-code-linux-x64"
        binary = npm(work, f"claude-{version}", f"{package}@{version}") / package / "claude"
        env = {
            "ANTHROPIC_BASE_URL": f"http://127.0.0.1:{port}",
            "ANTHROPIC_API_KEY": "sk-ant-stub-0000",
            "IS_SANDBOX": "1",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_TELEMETRY": "1",
            "DISABLE_AUTOUPDATER": "1",
            "CLAUDE_CODE_MAX_RETRIES": "1",
        }
        flags = ["--output-format", "json", "--dangerously-skip-permissions", "--model", "sonnet"]
        return lambda scenario: [str(binary), "-p", f"RUN:{scenario}", *flags], env

    return prepare


def claude_asked(log: list[dict[str, Any]]) -> Counter[tuple[str | None, str | None]]:
    """By the header that tells a child's requests from its parent's."""
    children: dict[str, tuple[str | None, str | None]] = {}
    for line in log:
        headers = {name.lower(): value for name, value in line["headers"].items()}
        if line["who"] == "child" and (child := headers.get("x-claude-code-agent-id")):
            children[child] = (line["model"], (line.get("output_config") or {}).get("effort"))
    return Counter(children.values())


CLAUDE = {
    **COMMON,
    "background": [OK],
    "http429": [OVERLOAD],  # a rate limit; a spent plan is another error
    "http529": [OVERLOAD],
    "loop": [OK],
    "sonnet": [OK],
    "haiku": [OK],
    "badtype": [],
    "self401": [],
    "self529": [],
}


# --- Codex ----------------------------------------------------------------------------------------------------------


def codex(*flags: str) -> Callable[[Path, Path, int], tuple[Callable[[str], list[str]], dict[str, str]]]:
    def prepare(work: Path, home: Path, port: int) -> tuple[Callable[[str], list[str]], dict[str, str]]:
        binary = npm(work, f"codex-{CODEX}", f"@openai/codex@{CODEX}") / ".bin" / "codex"
        (home / ".codex").mkdir(parents=True, exist_ok=True)
        (home / ".codex" / "config.toml").write_text(
            f"""model = "stub-big"
model_provider = "stub"
model_reasoning_effort = "medium"
approval_policy = "never"
sandbox_mode = "danger-full-access"
[model_providers.stub]
name = "stub"
base_url = "http://127.0.0.1:{port}/v1"
wire_api = "responses"
env_key = "STUB_KEY"
request_max_retries = 1
stream_max_retries = 1
"""
        )
        env = {"CODEX_HOME": str(home / ".codex"), "STUB_KEY": "sk-stub-0000"}
        return lambda one: [str(binary), "exec", "--skip-git-repo-check", *flags, f"RUN:{one}"], env

    return prepare


def codex_asked(log: list[dict[str, Any]]) -> Counter[tuple[str | None, str | None]]:
    """One a turn of each thread that is not the root's."""
    turns: dict[tuple[str, str], tuple[str | None, str | None]] = {}
    for line in log:
        about = line.get("metadata") or {}
        if line["path"].endswith("/responses") and line["who"] == "child" and about.get("thread_id"):
            turn = (about["thread_id"], about.get("turn_id") or "")
            turns[turn] = (line["model"], (line.get("reasoning") or {}).get("effort"))
    return Counter(turns.values())


CODEX_SCENARIOS = {
    **COMMON,
    "nest": [OK],  # its children are not offered the tool to delegate
    "failed": [OVERLOAD],
    "model": [OK],
    "badmodel": [],
    "fork": [OK],
    "follow": [OK, OK],
    "self401": [],
    "self500": [],
    "nowait": [Child("unknown", "shutdown")],
}


# --- Hermes ---------------------------------------------------------------------------------------------------------


def hermes(work: Path, home: Path, port: int) -> tuple[Callable[[str], list[str]], dict[str, str]]:
    place = work / f"hermes-{HERMES}"
    if not (place / "bin" / "hermes").exists():
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
        subprocess.run([str(place / "bin" / "pip"), "install", "-q", f"hermes-agent=={HERMES}"], check=True)
    (home / ".hermes").mkdir(parents=True, exist_ok=True)
    (home / ".hermes" / "config.yaml").write_text(
        f"""model:
  {{default: stub-big, provider: custom, base_url: "http://127.0.0.1:{port}/v1", api_key: sk, context_length: 128000}}
delegation:
  {{model: stub-small, reasoning_effort: high, max_iterations: 4, child_timeout_seconds: 10, max_spawn_depth: 2}}
"""
    )
    subprocess.run(["git", "init", "-q", str(home / "work")], check=True)
    (home / "work" / "pyproject.toml").write_text('[project]\nname = "x"\nversion = "0"\n')
    env = {"HERMES_HOME": str(home / ".hermes"), "HERMES_ACCEPT_HOOKS": "1"}
    return lambda scenario: [str(place / "bin" / "hermes"), "-z", f"RUN:{scenario}"], env


def hermes_asked(log: list[dict[str, Any]]) -> Counter[tuple[str | None, str | None]]:
    """The stub's log does not tell whose request it is; each child is asked for at least what one request says."""
    efforts = [_effort(line["effort"]) for line in log if line["model"] == "stub-small"]
    return Counter({("stub-small", effort): 1 for effort in efforts if effort is not None})


def _effort(written: Any) -> str | None:
    return written.get("effort") if isinstance(written, dict) else written


HERMES_SCENARIOS = {
    "single": [OK],
    "batch": [OK, OK],
    "pytest": [FAILED_TESTS, OK],
    "empty": [EMPTY],
    "h401": [AUTH],
    "h500": [OVERLOAD],
    "loop": [Child("budget")],
    "nest": [OK, OK],
    "slow": [Child("budget")],
    "tool": [],
    "plain": [],
}

AGENTS = [
    Agent("hermes", "hermes", "hermes_stub.py", HERMES_SCENARIOS, hermes, hermes_asked),
    Agent(f"claude-{CLAUDE_OLD}", "claude-code", "claude_stub.py", CLAUDE, claude(CLAUDE_OLD), claude_asked),
    Agent(f"claude-{CLAUDE_NEW}", "claude-code", "claude_stub.py", CLAUDE, claude(CLAUDE_NEW), claude_asked),
    Agent("codex-v1", "codex", "codex_stub.py", CODEX_SCENARIOS, codex(), codex_asked),
    Agent("codex-v2", "codex", "codex_stub.py", CODEX_SCENARIOS, codex("--enable", "multi_agent_v2"), codex_asked),
]


# --- running --------------------------------------------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def process(command: list[str], env: dict[str, str], log: Path) -> Iterator[None]:
    """Runs a program beside us; it is ended with the block."""
    with log.open("ab") as out:
        running = subprocess.Popen(command, env=env, stdout=out, stderr=out)
        try:
            yield
        finally:
            running.terminate()
            running.wait(20)


class Ear:
    """Hears every outcome that the daemon tells, from a thread of its own."""

    def __init__(self, path: Path) -> None:
        self._heard: queue.Queue[dict[str, Any]] = queue.Queue()
        deadline = time.monotonic() + 30
        while True:
            try:
                call("hello", socket=path, timeout_s=1)
                break
            except Exception:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
        threading.Thread(target=self._listen, args=(path,), daemon=True).start()
        time.sleep(0.2)

    def _listen(self, path: Path) -> None:
        with suppress(UnreachableError):  # the daemon has stopped
            for event in subscribe(["outcome"], socket=path):
                self._heard.put({**event, "heard": time.time()})

    def take(self, known: dict[str, dict[str, Any]], wanted: Callable[[], bool]) -> None:
        """
        Takes in what is heard, by unit, until `wanted` and nothing more comes, or too late.

        The first hearing of a unit keeps its time; what it says may still be put right by the next record.
        """
        deadline = time.monotonic() + WITHIN_S
        while time.monotonic() < deadline:
            try:
                event = self._heard.get(timeout=SETTLED_S)
            except queue.Empty:
                if wanted():
                    return
                continue
            first = known.get(event["outcome_id"], event)
            known[event["outcome_id"]] = {**event, "first_heard": first.get("first_heard", event["heard"])}


def matches(found: list[dict[str, Any]], expected: list[Child]) -> bool:
    """Whether every expected end was seen, each once."""
    wanted = Counter(child.censored or child.signal for child in expected)
    return Counter(one["censored"] or one["signal"] for one in found) == wanted


def run(agent: Agent, tools: Path, work: Path) -> list[tuple[str, ...]]:
    """Every scenario of one agent; a row each."""
    home = work / f"home-{agent.name}"
    shutil.rmtree(home, ignore_errors=True)
    (home / "work").mkdir(parents=True)
    port, stub_log = free_port(), home / "stub.jsonl"
    command, extra = agent.prepare(work, home, port)
    env = {"HOME": str(home), "PATH": f"{_tests_that_fail(home)}:{os.environ['PATH']}", **extra}
    path = home / "s"
    routerd = [
        str(Path(sys.executable).with_name("routerd")),
        "--socket",
        str(path),
        "--state-dir",
        str(home / "state"),
    ]
    stub = [sys.executable, str(tools / agent.stub), str(port), str(stub_log)]
    with process(stub, env, home / "stub.out"), process(routerd, env, home / "routerd.log"):
        ear = Ear(path)
        time.sleep(0.5)
        return [
            scenario(agent, name, expected, command=command, env=env, ear=ear, stub_log=stub_log)
            for name, expected in agent.scenarios.items()
        ]


def _tests_that_fail(home: Path) -> Path:
    """A directory with a `pytest` in it, so that what the scenarios call has a verdict."""
    program = home / "bin" / "pytest"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho '1 failed in 0.01s'\nexit 1\n")
    program.chmod(0o755)
    for profile in (".profile", ".bash_profile", ".bashrc"):  # Hermes runs its commands in a login shell
        (home / profile).write_text('export PATH="$HOME/bin:$PATH"\n')
    return program.parent


def scenario(
    agent: Agent,
    name: str,
    expected: list[Child],
    *,
    command: Callable[[str], list[str]],
    env: dict[str, str],
    ear: Ear,
    stub_log: Path,
) -> tuple[str, ...]:
    """One scenario: run the agent, listen, compare."""
    before = stub_log.stat().st_size if stub_log.exists() else 0
    known: dict[str, dict[str, Any]] = {}
    subprocess.run(
        command(name),
        env=env,
        cwd=Path(env["HOME"]) / "work",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
        check=False,
    )

    def children() -> list[dict[str, Any]]:
        return [one for one in known.values() if one["executor"] == "delegate"]

    ear.take(known, lambda: matches(children(), expected))
    log = [json.loads(line) for line in stub_log.read_bytes()[before:].decode().splitlines()]
    asked = agent.asked(log)
    ran = Counter((one["model"], one["reasoning_effort"]) for one in children())
    same = not asked or (agent.agent == "hermes" and ran.keys() <= asked.keys()) or _alike(ran, asked)
    late = [one["first_heard"] - one["ended_at"] for one in children() if one["ended_at"]]
    ends = ", ".join(f"{one['censored'] or one['signal']}" for one in children()) or "none"
    good = matches(children(), expected) and same
    delay = f"{max(late):.2f}" if late else ""
    verdict, count = "ok" if good else "DIFFERS", f"{len(children())}/{len(expected)}"
    return (verdict, agent.name, name, count, ends, _shown(ran), _shown(asked), delay)


def _alike(ran: Counter[tuple[str | None, str | None]], asked: Counter[tuple[str | None, str | None]]) -> bool:
    """
    Whether the same models ran as were asked for.

    Where an agent's log has no effort, or after an empty reply no model, only the rest is compared.
    """
    if ran == asked or (ran.keys() == {(None, None)} and ran.total() == asked.total()):
        return True
    without = all(effort is None for _, effort in ran)
    return without and {model for model, _ in ran} == {model for model, _ in asked} and ran.total() == asked.total()


def _shown(counts: Counter[tuple[str | None, str | None]]) -> str:
    return " ".join(f"{model}@{effort or '-'}" + (f"x{n}" if n > 1 else "") for (model, effort), n in counts.items())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tools", type=Path, default=ROOT.parent / "shared" / "tools")
    parser.add_argument("--work", type=Path, default=Path.home() / ".cache" / "routerd-agents")
    parser.add_argument("--only", nargs="*", default=[agent.name for agent in AGENTS])
    parser.add_argument("--scenario", nargs="*", help="only these, of those that an agent has")
    parser.add_argument("--json", type=Path, help="write the rows here too")
    options = parser.parse_args()
    if not options.tools.is_dir():
        print(f"{options.tools}: the stub endpoints are not there; name their directory with --tools", file=sys.stderr)
        return 2
    options.work.mkdir(parents=True, exist_ok=True)
    headings = ("", "agent", "scenario", "seen", "ends", "ran", "asked of the stub", "delay s")
    rows: list[tuple[str, ...]] = []
    print(LAYOUT.format(*headings))
    for agent in AGENTS:
        if options.scenario is not None:
            agent.scenarios = {name: agent.scenarios[name] for name in options.scenario if name in agent.scenarios}
        if agent.name in options.only:
            for row in run(agent, options.tools, options.work):
                print(LAYOUT.format(*row), flush=True)
                rows.append(row)
    delays = [float(row[-1]) for row in rows if row[-1]]
    wrong = [row for row in rows if row[0] != "ok"]
    if delays:
        print(f"\n{len(rows)} scenarios, {len(wrong)} differ")
        print(f"from a task's end to its outcome: median {statistics.median(delays):.2f} s, most {max(delays):.2f} s")
    if options.json:
        options.json.write_text(json.dumps([dict(zip(headings, row, strict=True)) for row in rows], indent=1))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

"""
Real agents whose hooks ask a real daemon, no model: does a delegation run on what routerd chose, and else on what it
would have run on anyway?

    python benchmarks/ask_agents.py [--tools DIR] [--work DIR] [--only NAME …] [--case NAME …] [--json FILE]

Claude Code and Codex CLI (installed into DIR as by `agents.py`) delegate one task to the stub endpoints in `--tools`,
with the hooks in their settings. What the child asks the stub for is compared with what it asks for without a hook:

    off, shadow, advise     the child is what it would have been; asked or not, told or not
    enforce                 it is what the decision says, one that reports had made the gate let through; the outcome is
                            counted once and is that decision's
    pinned, everywhere      a model in the call, and one for all delegations, stay as they are, in enforce
    stopped, killed         a daemon that SIGSTOP holds, and one that ended by SIGKILL with its socket left behind
    none, garbage, silent   no socket at all, and two at its other end that are no daemon
    refused                 an answer that the tool would refuse
    each                    every candidate that the hook offers, one after the other: the tool takes it, and it runs

`hook ms` is how long the hook before the delegation took, its process included; in `silent` the other end of the socket
measured how long it was waited for. Exit code 1 when anything differs.
"""

import argparse
import json
import os
import shutil
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agents import CLAUDE_NEW, CLAUDE_OLD, ROOT, claude, claude_asked, codex, codex_asked, free_port, process

from routerd.client import call
from routerd.events import arm_dispatch
from routerd.integrations import claude_code
from routerd.integrations import codex as codex_cli

LAYOUT = "{:8} {:15} {:11} {:34} {:34} {:>8}  {}"
HEADINGS = ("", "agent", "case", "without a hook", "asked of the stub", "hook ms", "note")
PROGRAMS = Path(sys.executable).parent
WAIT_MS = 50
SILENT_RUNS = 5
SEEDED = 60
TRIES = 4
BYPASS = "--dangerously-bypass-hook-trust"
GOALS = ("Count the files in {}", "List what {} exports", "Say where {} is used", "Explain how {} is built")
CONFIG = """[policy]
exploration = 0.0
explore_floor = 0.0
sticky_s = 0.0
"""
"""The best arm is chosen, so that what is expected of a run is known."""

Asked = tuple[str | None, str | None]


@dataclass(frozen=True)
class Agent:
    """
    One agent of one version.

    Attributes:
        name: As on the command line of this benchmark.
        agent: As routerd calls it.
        stub: File name of its endpoint.
        prepare: Gives command and environment, as in `agents.py`.
        asked: What each child asked of the stub.
        good: The dispatch that the reports speak well of, and `bad` the one that runs by itself.
        pins: Words in the prompt that set a model in the call, and a variable that sets it for all.
    """

    name: str
    agent: str
    stub: str
    prepare: Callable[[Path, Path, int], tuple[Callable[[str], list[str]], dict[str, str]]]
    asked: Callable[[list[dict[str, Any]]], Any]
    good: str
    bad: str
    pin: str
    everywhere: dict[str, str] = field(default_factory=dict)


AGENTS = [
    Agent(
        f"claude-{CLAUDE_OLD}",
        "claude-code",
        "claude_stub.py",
        claude(CLAUDE_OLD),
        claude_asked,
        "delegate:anthropic:claude-haiku-4-5",
        "delegate:anthropic:claude-sonnet-5",
        "MODEL=opus",
        {"CLAUDE_CODE_SUBAGENT_MODEL": "opus"},
    ),
    Agent(
        f"claude-{CLAUDE_NEW}",
        "claude-code",
        "claude_stub.py",
        claude(CLAUDE_NEW),
        claude_asked,
        "delegate:anthropic:claude-haiku-5-5@low",
        "delegate:anthropic:claude-sonnet-5-5@medium",
        "MODEL=opus",
        {"CLAUDE_CODE_SUBAGENT_MODEL": "opus"},
    ),
    Agent(
        "codex-v1",
        "codex",
        "codex_stub.py",
        codex(BYPASS),
        codex_asked,
        "delegate:stub:stub-small@low",
        "delegate:stub:stub-big@medium",
        "MODEL=gpt-6-luna EFFORT=high",
    ),
    Agent(
        "codex-v2",
        "codex",
        "codex_stub.py",
        codex(BYPASS, "--enable", "multi_agent_v2", "-m", "gpt-6-sol"),
        codex_asked,
        "delegate:stub:gpt-6-luna@low",
        "delegate:stub:gpt-6-sol@medium",
        "MODEL=gpt-5.6-sol EFFORT=high",
    ),
]


# --- what stands in for the daemon -----------------------------------------------------------------------------------


class Impostor:
    """Listens where the daemon would, answers with what `reply` makes of a line, and measures how long it is held."""

    def __init__(self, path: Path, reply: Callable[[bytes], bytes]) -> None:
        self.lines: list[bytes] = []
        self.held_ms: list[float] = []
        self._reply = reply
        self._listening = socket.socket(socket.AF_UNIX)
        path.unlink(missing_ok=True)
        self._listening.bind(str(path))
        self._listening.listen(16)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                threading.Thread(target=self._answer, args=(connection, time.perf_counter()), daemon=True).start()

    def _answer(self, connection: socket.socket, begin: float) -> None:
        with connection, suppress(OSError), connection.makefile("rb") as lines:
            for line in lines:
                self.lines.append(line)
                connection.sendall(self._reply(line))
            self.held_ms.append((time.perf_counter() - begin) * 1000)

    def close(self) -> None:
        """Nobody listens there any more."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()


def picks(choose: Callable[[list[dict[str, Any]]], dict[str, Any]]) -> Callable[[bytes], bytes]:
    """Replies of a daemon that is sure of a dispatch; `choose` names it, of the candidates."""

    def reply(line: bytes) -> bytes:
        asked = json.loads(line)
        result: dict[str, Any] = {"outcome_id": "x", "duplicate": False}
        if asked["method"] == "recommend":
            chosen = choose(asked["params"]["candidates"])
            gate = {"apply": True, "reason": "sure"}
            result = {"dispatch": chosen, "basis": "learned", "gate": gate, "reason": "because"}
        return json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result}).encode() + b"\n"

    return reply


# --- one agent -------------------------------------------------------------------------------------------------------


class Bench:
    """One agent with its home, its endpoint and its daemon."""

    def __init__(self, agent: Agent, tools: Path, work: Path) -> None:
        self.agent = agent
        self.home = work / f"asking-{agent.name}"
        shutil.rmtree(self.home, ignore_errors=True)
        (self.home / "work").mkdir(parents=True)
        self.port, self.log = free_port(), self.home / "stub.jsonl"
        self.command, extra = agent.prepare(work, self.home, self.port)
        self.socket, self.state = self.home / "s", self.home / "state"
        own = {"ROUTERD_SOCKET": str(self.socket), "ROUTERD_STATE_DIR": str(self.state)}
        self.env = {"HOME": str(self.home), "PATH": os.environ["PATH"], **own, **extra}
        self.stub = [sys.executable, str(tools / agent.stub), str(self.port), str(self.log)]
        self.rows: list[tuple[str, ...]] = []
        self.plain: Asked = (None, None)
        self.generated: dict[str, str] = {}

    def install(self) -> None:
        """Hooks as `routerctl install` writes them, each timed, and a model that runs by way of a generated file."""
        timed = self.home / "timed"
        timed.write_text(
            '#!/bin/sh\nbegin=$(date +%s%N)\n"$@"\ncode=$?\n'
            'echo "$4 $(( ($(date +%s%N) - begin) / 1000 )) $code" >> "$HOME/hooks.log"\nexit $code\n'
        )
        timed.chmod(0o755)
        module: Any = claude_code if self.agent.agent == "claude-code" else codex_cli
        run = f"{timed} {PROGRAMS / 'routerctl'} hook {self.agent.agent}"
        hooks = {
            event: [
                {
                    "matcher": matcher,
                    "hooks": [{"type": "command", "command": f"{run} {event}", "timeout": module.HOOK_TIMEOUT_S}],
                }
            ]
            for event, matcher in module.HOOKS.items()
        }
        place = Path(module.config_dir(self.env))
        (place / "agents").mkdir(parents=True, exist_ok=True)
        settings = place / ("settings.json" if self.agent.agent == "claude-code" else "hooks.json")
        settings.write_text(json.dumps({"hooks": hooks}))
        other = {"model": "stub-small", "reasoning_effort": "low"}
        self.generated = {**({"provider": "stub"} if self.agent.agent == "codex" else {}), **other}
        name, text = claude_code.agent_file(other) if self.agent.agent == "claude-code" else codex_cli.role_file(other)
        (place / "agents" / name).write_text(text)
        time.sleep(1.1)  # Codex dates its sessions to the second: what is generated must be older

    def delegate(self, mode: str, words: str = "", **env: str) -> list[Asked]:
        """Lets the agent delegate one task; what its children asked of the stub."""
        before = self.log.stat().st_size if self.log.exists() else 0
        subprocess.run(
            self.command(f"single {words}".strip()),
            env={**self.env, "ROUTERD_MODE": mode, **env},
            cwd=self.home / "work",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=120,
            check=False,
        )
        lines = [json.loads(line) for line in self.log.read_bytes()[before:].decode().splitlines()]
        return list(self.agent.asked(lines).elements())

    def hook_ms(self) -> tuple[float | None, bool]:
        """How long the last hook before a delegation took, and whether every hook of the run ended well."""
        path = self.home / "hooks.log"
        lines = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        fields = [line.split() for line in lines]
        took = [int(us) / 1000 for event, us, _ in fields if event == "PreToolUse"]
        return (took[-1] if took else None), all(code == "0" for _, _, code in fields)

    def row(self, case: str, wanted: Asked, found: list[Asked], note: str = "", *, good: bool = True) -> None:
        """Judges a run, and prints it."""
        ms, ended_well = self.hook_ms()
        good = good and ended_well and found == [wanted]
        shown = " ".join(map(_shown, found)) or "no child"
        verdict = "ok" if good else "DIFFERS"
        row = (verdict, self.agent.name, case, _shown(self.plain), shown, "" if ms is None else f"{ms:.0f}", note)
        self.rows.append(row)
        print(LAYOUT.format(*row), flush=True)

    @contextmanager
    def daemon(self) -> Iterator[int]:
        """A daemon on the home of the agent; its process id."""
        config = self.home / "config.toml"
        config.write_text(CONFIG)
        command = [str(PROGRAMS / "routerd"), "--config", str(config)]
        with (self.home / "routerd.log").open("ab") as out:
            running = subprocess.Popen(command, env=self.env, stdout=out, stderr=out)
            try:
                self._until(lambda: call("hello", socket=self.socket, timeout_s=1))
                yield running.pid
            finally:
                with suppress(ProcessLookupError):
                    os.kill(running.pid, signal.SIGCONT)
                running.terminate()
                running.wait(20)

    def _until(self, condition: Callable[[], Any], within_s: float = 30.0) -> Any:
        deadline = time.monotonic() + within_s
        while True:
            try:
                if found := condition():
                    return found
            except Exception:
                if time.monotonic() > deadline:
                    raise
            if time.monotonic() > deadline:
                return None
            time.sleep(0.1)

    def seed(self) -> None:
        """Reports, as a client would send them: one arm does well, the other does not."""
        for arm, worked in ((self.agent.good, True), (self.agent.bad, False)):
            dispatch = {
                name: value
                for name in ("executor", "provider", "model", "reasoning_effort")
                if (value := getattr(arm_dispatch(arm), name)) is not None
            }
            for number in range(SEEDED):
                goal = GOALS[number % len(GOALS)].format(f"module{number}")
                params = {
                    "task": {"goal": goal, "agent": self.agent.agent},
                    "dispatch": dispatch,
                    "outcome": {"succeeded": worked, "wall_time_ms": 20_000, "cost_usd": 0.01},
                    "outcome_id": f"{arm}/{number}",
                }
                call("report", params, socket=self.socket, timeout_s=10)
        time.sleep(0.5)  # belief follows the outcomes

    # --- the cases -------------------------------------------------------------------------------------------------

    def run(self, cases: set[str]) -> None:
        """All cases; `plain` first, which the others are compared with."""
        with process(self.stub, self.env, self.home / "stub.out"):
            time.sleep(0.7)
            self.plain = self.delegate("off")[0]
            self.install()
            with self.daemon() as pid:
                self.seed()
                for case in WITH_DAEMON:
                    if case in cases and (case != "everywhere" or self.agent.everywhere):
                        self.with_daemon(case, pid)
            if "none" in cases:
                self.socket.unlink(missing_ok=True)
                self.row("none", self.plain, self.delegate("enforce"))
            self.without_daemon(cases)

    def with_daemon(self, case: str, pid: int) -> None:
        if case in ("off", "shadow", "advise"):
            before = self.decisions()
            found = self.delegate(case)
            asked = self.decisions() - before
            self.row(case, self.plain, found, f"{asked} decisions", good=asked == (case != "off"))
        elif case == "enforce":
            self.enforce()
        elif case == "killed":
            os.kill(pid, signal.SIGKILL)
            left = self._until(lambda: refuses(self.socket))
            self.row(case, self.plain, self.delegate("enforce"), "its socket is still there", good=bool(left))
        elif case == "stopped":
            os.kill(pid, signal.SIGSTOP)
            found = self.delegate("enforce")
            os.kill(pid, signal.SIGCONT)
            self.row(case, self.plain, found)
        else:
            words, env = (self.agent.pin, {}) if case == "pinned" else ("", self.agent.everywhere)
            self.unhooked(words, env, case)

    def unhooked(self, words: str, env: dict[str, str], case: str) -> None:
        """Somebody has settled the model: compared with what runs where no hook asks."""
        wanted = self.delegate("off", words, **env)
        self.hook_ms()
        before = self.decisions()
        found = self.delegate("enforce", words, **env)
        basis = self.decision()["basis"] if self.decisions() > before else "none"
        self.row(case, wanted[0] if wanted else (None, None), found, f"basis {basis}", good=basis == "pinned")

    def enforce(self) -> None:
        found, tries = self.delegate("enforce"), 1
        while found == [self.plain] and tries < TRIES:  # the answer came too late: this machine does other things too
            found, tries = self.delegate("enforce"), tries + 1
        decision = self._until(self.decision) or {}
        dispatch = decision.get("dispatch", {})
        chosen = (dispatch.get("model"), dispatch.get("reasoning_effort"))
        if chosen[1] is None and found:
            chosen = (chosen[0], found[0][1])  # this version's hook cannot say
        count = self._until(lambda: self.outcomes(decision.get("decision_id", "")), 10.0) or []
        # 2.1.197 is asked for by the undated name, and asks the endpoint by the dated one
        if found and found[0][0] and chosen[0] and found[0][0].startswith(f"{chosen[0]}-20"):
            chosen = (found[0][0], chosen[1])
        applied = decision.get("gate", {}).get("apply") is True and chosen != self.plain
        note = f"gate {'open' if applied else 'shut'}; {len(count)} outcome of it, on {', '.join(count)}; try {tries}"
        self.row("enforce", chosen, found, note, good=applied and count == [decision.get("arm")])

    def without_daemon(self, cases: set[str]) -> None:
        """Others in the daemon's place."""
        offered: list[dict[str, Any]] = []

        def refused(candidates: list[dict[str, Any]]) -> dict[str, Any]:
            offered.extend(one for one in candidates if one not in offered)
            return {"executor": "delegate", "model": "no-such-model", "reasoning_effort": "extreme"}

        for case, reply in (
            ("garbage", lambda _: b"HTTP/1.1 400 Bad Request\r\n\r\n{}\n"),
            ("refused", picks(refused)),
        ):
            if case in cases or (case == "refused" and "each" in cases):
                server = Impostor(self.socket, reply)
                found = self.delegate("enforce")
                server.close()
                self.row(case, self.plain, found, f"{len(server.lines)} asked", good=bool(server.lines))
        if "silent" in cases:
            self.silent()
        if "each" in cases:
            generated = {"executor": "delegate", **self.generated}
            for candidate in [*offered, *([] if generated in offered else [generated])]:
                self.each(candidate)

    def silent(self) -> None:
        """What never answers is waited for: the median of what each run's first question was held."""
        held: list[float] = []
        for _ in range(SILENT_RUNS):
            server = Impostor(self.socket, lambda _: b"")
            found = self.delegate("enforce")
            server.close()
            held += server.held_ms[:1]
            if found != [self.plain]:
                break
        middle = statistics.median(held or [float("inf")])
        note = f"held {middle:.0f} ms, most {max(held, default=0.0):.0f}"
        self.row("silent", self.plain, found, note, good=middle < WAIT_MS and len(held) == SILENT_RUNS)

    def each(self, candidate: dict[str, Any]) -> None:
        """A daemon that is sure of one of the candidates; an agent that was told late of it is asked again."""
        seen: list[list[dict[str, Any]]] = []

        def choose(candidates: list[dict[str, Any]]) -> dict[str, Any]:
            seen.append(candidates)
            return candidate

        server = Impostor(self.socket, picks(choose))
        found, tries = self.delegate("enforce"), 1
        while tries < TRIES and candidate not in seen[-1]:
            found, tries = self.delegate("enforce"), tries + 1
        server.close()
        model, effort = candidate.get("model"), candidate.get("reasoning_effort")
        asked = found[0] if found else (None, None)
        if asked[0] and model and asked[0].startswith(f"{model}-20"):
            model = asked[0]
        expected = (model, effort if effort is not None else asked[1])
        note = f"{_shown((candidate.get('model'), effort))} was offered, at try {tries}"
        self.row("each", expected, found, note, good=candidate in seen[-1])

    # --- what the daemon wrote -------------------------------------------------------------------------------------

    def _rows(self, sql: str, *values: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.state / "routerd.db")) as connection:
            return connection.execute(sql, values).fetchall()

    def decisions(self) -> int:
        """How many there are, once the last one is written."""
        time.sleep(0.3)
        return int(self._rows("SELECT count(*) FROM decisions")[0][0])

    def decision(self) -> dict[str, Any]:
        """The last one."""
        rows = self._rows("SELECT body, basis FROM decisions ORDER BY at DESC LIMIT 1")
        return {**json.loads(rows[0][0]), "basis": rows[0][1]} if rows else {}

    def outcomes(self, decision_id: str) -> list[str]:
        """The arms of the ended outcomes of a decision's delegation, by the log."""
        sql = "SELECT arm FROM outcomes WHERE decision_id = ? AND ended = 1 AND log IS NOT NULL"
        return [row[0] for row in self._rows(sql, decision_id)]


def refuses(path: Path) -> bool:
    """Whether there is a socket with nobody behind it."""
    with socket.socket(socket.AF_UNIX) as asking:
        try:
            asking.connect(str(path))
        except ConnectionRefusedError:
            return True
        return False


def _shown(asked: Asked) -> str:
    return f"{asked[0]}@{asked[1] or '-'}"


WITH_DAEMON = ("off", "shadow", "advise", "enforce", "pinned", "everywhere", "stopped", "killed")
CASES = (*WITH_DAEMON, "none", "garbage", "silent", "refused", "each")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tools", type=Path, default=ROOT.parent / "shared" / "tools")
    parser.add_argument("--work", type=Path, default=Path.home() / ".cache" / "routerd-agents")
    parser.add_argument("--only", nargs="*", default=[agent.name for agent in AGENTS])
    parser.add_argument("--case", nargs="*", default=CASES, help="only these")
    parser.add_argument("--json", type=Path, help="write the rows here too")
    options = parser.parse_args()
    if not options.tools.is_dir():
        print(f"{options.tools}: the stub endpoints are not there; name their directory with --tools", file=sys.stderr)
        return 2
    options.work.mkdir(parents=True, exist_ok=True)
    print(LAYOUT.format(*HEADINGS))
    rows: list[tuple[str, ...]] = []
    for agent in AGENTS:
        if agent.name in options.only:
            bench = Bench(agent, options.tools, options.work)
            bench.run(set(options.case))
            rows += bench.rows
    wrong = [row for row in rows if row[0] != "ok"]
    print(f"\n{len(rows)} runs, {len(wrong)} differ")
    if options.json:
        options.json.write_text(json.dumps([dict(zip(HEADINGS, row, strict=True)) for row in rows], indent=1))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

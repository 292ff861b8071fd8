"""A HOME with a real Hermes, routerd's plugin in it, a daemon and three stub endpoints; for `hermes_plugin.py`."""

import json
import os
import pty
import re
import select
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from agents import _effort, _tests_that_fail, free_port, process

from routerd.client import call
from routerd.integrations.hermes.call import PATIENCE_S

Run = tuple[str | None, str, str | None]
"""Model, key and effort of a child, as its endpoint was asked."""

PARENT_KEY, KEYS = "sk-parent", ("sk-stub2", "sk-stub3")
BY_HERMES: Run = ("stub-big", PARENT_KEY, None)
BY_ROUTERD: tuple[Run, Run] = (("deepseek-v4-pro", KEYS[0], "max"), ("glm-5.2", KEYS[1], "high"))
DEEPSEEK, GLM = ("deepseek", "deepseek-v4-pro"), ("zai", "glm-5.2")
BATCH = "pytest"
GOALS = ("PYTEST run the unit tests", "WRITEF add new.py")
CONTEXT = "this repository"
"""What the stub's parent delegates in `RUN:pytest`: two kinds of task, so that there is something to choose by."""
WITHIN_S = 20.0
TRIES = 4
BLANK = re.compile(r"\x1b(\[[0-9;?]*[A-Za-z]|\][^\x07]*\x07|[()][A-Z0-9]|.)|[^\x21-\x7e]")
"""What a terminal is told beside the text, and everything between two words."""
PROMPT = b"\xe2\x9d\xaf"  # an angle

CLOCK = '''
"""Writes down how long routerd was waited for when a child starts; told to, it stops the child as the TUI does."""
import json, os, threading

def started(child_subagent_id=None, **_):
    from routerd.integrations.hermes.call import CALL
    call = CALL.get()
    if call is not None:
        with open(os.environ["CLOCK"], "a") as file:
            file.write(json.dumps({"waited_ms": call.patience.waited_ms}) + "\\n")
    if os.environ.get("STOP_CHILD"):
        from tools.delegate_tool import interrupt_subagent
        threading.Timer(2.0, interrupt_subagent, [child_subagent_id]).start()

def register(ctx):
    ctx.register_hook("subagent_start", started)
'''


class World:
    """A HOME with Hermes, routerd and three stub endpoints in it; all end with the block."""

    def __init__(self, place: Path, home: Path, tools: Path, delegation: str = "") -> None:
        shutil.rmtree(home, ignore_errors=True)
        (home / "work").mkdir(parents=True)
        self.home = home
        self.ports = [free_port() for _ in range(3)]
        self.socket = home / "s"
        self.clock = home / "clock.jsonl"
        self._hermes = str(place / "bin" / "hermes")
        self._tools = tools
        self._seen = [0, 0, 0]
        self._daemon: subprocess.Popen[bytes] | None = None
        self.env = {
            "HOME": str(home),
            "PATH": f"{_tests_that_fail(home)}:{os.environ['PATH']}",
            "HERMES_HOME": str(home / ".hermes"),
            "HERMES_ACCEPT_HOOKS": "1",
            "ROUTERD_SOCKET": str(self.socket),
            "ROUTERD_STATE_DIR": str(home / "state"),
            "CLOCK": str(self.clock),
            "DEEPSEEK_API_KEY": KEYS[0],
            "DEEPSEEK_BASE_URL": f"http://127.0.0.1:{self.ports[1]}/v1",
            "GLM_API_KEY": KEYS[1],
            "GLM_BASE_URL": f"http://127.0.0.1:{self.ports[2]}/v1",
        }
        self._write(delegation)

    def _write(self, delegation: str) -> None:
        url = f"http://127.0.0.1:{self.ports[0]}/v1"
        (self.home / ".hermes" / "plugins" / "clock").mkdir(parents=True)
        (self.home / ".hermes" / "plugins" / "clock" / "__init__.py").write_text(CLOCK)
        (self.home / ".hermes" / "plugins" / "clock" / "plugin.yaml").write_text("name: clock\nversion: '1'\n")
        (self.home / ".hermes" / "config.yaml").write_text(
            f"""model:
  {{default: stub-big, provider: custom, base_url: "{url}", api_key: {PARENT_KEY}, context_length: 128000}}
delegation: {{max_iterations: 4, child_timeout_seconds: 10, max_spawn_depth: 2{delegation}}}
plugins: {{enabled: [routerd, clock]}}
"""
        )
        (self.home / ".config" / "routerd").mkdir(parents=True)
        (self.home / ".config" / "routerd" / "config.toml").write_text(
            """[pool]
models = [
  {model = "deepseek-v4-pro", provider = "deepseek", reasoning_effort = "max"},
  {model = "glm-5.2", provider = "zai", reasoning_effort = "high"},
]
on_outside = "fallback"
[policy]
name = "epsilon_greedy"
epsilon = 0.0
"""
        )
        subprocess.run(["git", "init", "-q", str(self.home / "work")], check=True)
        (self.home / "work" / "pyproject.toml").write_text('[project]\nname = "x"\nversion = "0"\n')

    @contextmanager
    def running(self) -> Iterator["World"]:
        """With its endpoints and its daemon."""
        stub, out = str(self._tools / "hermes_stub.py"), self.home / "stub.out"
        commands = [[sys.executable, stub, str(port), str(self.log(i))] for i, port in enumerate(self.ports)]
        with (
            process(commands[0], self.env, out),
            process(commands[1], self.env, out),
            process(commands[2], self.env, out),
        ):
            self.start()
            try:
                yield self
            finally:
                self.end()

    def log(self, i: int) -> Path:
        """The log of an endpoint."""
        return self.home / f"stub{i}.jsonl"

    # --- the daemon ---

    def start(self) -> None:
        """Starts a daemon and waits until it answers."""
        routerd = Path(sys.executable).with_name("routerd")
        with (self.home / "routerd.log").open("ab") as out:
            self._daemon = subprocess.Popen([str(routerd)], env=self.env, stdout=out, stderr=out)
        self.until(lambda: self.ask("hello"))

    def signal(self, number: int) -> None:
        """Sends the daemon a signal."""
        assert self._daemon is not None
        self._daemon.send_signal(number)
        if number == signal.SIGKILL:
            self._daemon.wait(10)

    def end(self) -> None:
        """Ends the daemon, if one runs."""
        if self._daemon is not None and self._daemon.poll() is None:
            self._daemon.send_signal(signal.SIGCONT)
            self._daemon.terminate()
            self._daemon.wait(20)

    def ask(self, method: str, **params: Any) -> Any:
        """A method's result."""
        return call(method, params, socket=self.socket, timeout_s=10)

    def until(self, condition: Callable[[], Any], within_s: float = WITHIN_S, every_s: float = 0.05) -> bool:
        """Whether a condition came true in time."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            with suppress(Exception):
                if condition():
                    return True
            time.sleep(every_s)
        return False

    def teach(self, good: Mapping[str, tuple[str, str] | None]) -> None:
        """
        Reports outcomes as they would have come with time: what works, on which of the goals.

        Args:
            good: Per goal the (provider, model) that works, or None where only the agent itself does.
        """
        arms: dict[tuple[str, str] | None, dict[str, Any]] = {
            None: {"executor": "local"},
            ("custom", "stub-big"): _delegate("custom", "stub-big", None),
            DEEPSEEK: _delegate(*DEEPSEEK, "max"),
            GLM: _delegate(*GLM, "high"),
        }
        for goal in GOALS:
            task = {
                "goal": goal, "context": CONTEXT, "role": "leaf", "agent": "hermes", "cwd": str(self.home / "work"),
                "parent": {"provider": "custom", "model": "stub-big"},
            }  # fmt: skip
            for arm, dispatch in arms.items():
                outcome = {"succeeded": arm == good[goal], "wall_time_ms": 1000, "cost_usd": 0.01}
                for _ in range(40):
                    self.ask("report", task=task, dispatch=dispatch, outcome=outcome)

    def rows(self, sql: str) -> list[sqlite3.Row]:
        """Rows of the daemon's database."""
        with closing(sqlite3.connect(f"file:{self.home / 'state' / 'routerd.db'}?mode=ro", uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            return connection.execute(sql).fetchall()

    # --- Hermes ---

    def begin(self, scenario: str, mode: str, **env: str) -> subprocess.Popen[bytes]:
        """Starts Hermes on a scenario."""
        self._begin()
        with (self.home / "hermes.out").open("ab") as out:
            return subprocess.Popen(
                [
                    "env",
                    "--default-signal=INT",
                    self._hermes,
                    "-z",
                    f"RUN:{scenario}",
                ],  # a job in the background ignores it
                env={**self.env, "ROUTERD_MODE": mode, **env},
                cwd=self.home / "work",
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )

    def hermes(self, scenario: str, mode: str, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Runs Hermes on a scenario; `meanwhile` runs beside it."""
        running = self.begin(scenario, mode)
        meanwhile()
        running.wait(180)

    def answered(self, scenario: str, mode: str) -> int:
        """Runs Hermes on a scenario, again where the answer came too late: this machine does other things too."""
        for number in range(1, TRIES + 1):
            self.hermes(scenario, mode)
            if self.waited_ms() < PATIENCE_S * 1000:
                return number
        return TRIES

    def terminal(self, mode: str, *lines: tuple[str, Callable[[str], bool]]) -> list[bool]:
        """Runs Hermes in a terminal, where delegations go to the background; whether each line did what it should.

        Args:
            mode: That of the plugin.
            lines: What is typed, and what should come of it: given what the screen shows since, without blanks.
        """
        self._begin()
        pid, terminal = pty.fork()
        if pid == 0:
            os.chdir(self.home / "work")
            env = {**self.env, "ROUTERD_MODE": mode, "TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"}
            os.execve(self._hermes, [self._hermes], env)
        screen = _Screen(terminal, self.home / "terminal.out")
        try:
            screen.until(lambda: PROMPT in screen.text, 90)
            screen.until(lambda: False, 2)  # it draws its banner
            found = [screen.after(line, done) for line, done in lines]
            os.write(terminal, b"/quit\r")
            screen.until(lambda: os.waitpid(pid, os.WNOHANG)[0] == pid, 20)
        finally:
            with suppress(ProcessLookupError, ChildProcessError):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            os.close(terminal)
        return found

    def _begin(self) -> None:
        self._seen = [len(self._lines(i)) for i in range(3)]
        self.clock.unlink(missing_ok=True)

    def _lines(self, i: int) -> list[dict[str, Any]]:
        path = self.log(i)
        lines = path.read_text().splitlines() if path.exists() else []
        return [json.loads(line) for line in lines]

    def requests(self) -> list[dict[str, Any]]:
        """What the endpoints were asked since Hermes began, in order of time."""
        found = [line for i in range(3) for line in self._lines(i)[self._seen[i] :]]
        return sorted(found, key=lambda line: line["at"])

    def children(self) -> Counter[Run]:
        """What each child of a batch ran on, one entry a child: its first request has its goal for its last message."""
        return Counter(
            (line["model"], line["key"], _effort(line["effort"]))
            for line in self.requests()
            if line["last"].get("content") in GOALS
        )

    def answers(self) -> list[dict[str, Any]]:
        """What the parent was told by `delegate_task`."""
        tools = [line["last"] for line in self.requests() if line["last"].get("role") == "tool"]
        texts = [tool["content"] for tool in tools if tool.get("name") == "delegate_task"]
        return [json.JSONDecoder().raw_decode(text)[0] for text in texts]

    def gap_ms(self) -> float:
        """From the parent's first request to the first of a child."""
        first, *others = self.requests()
        child = next(line for line in others if line["last"].get("content") in GOALS)
        return float(child["at"] - first["at"]) * 1000.0

    def waited_ms(self) -> float:
        """The longest that a call waited for routerd, by the plugin's own clock; 0 where it was not asked."""
        lines = self.clock.read_text().splitlines() if self.clock.exists() else []
        return max((float(json.loads(line)["waited_ms"]) for line in lines), default=0.0)


class _Screen:
    """What a program writes to its terminal, read so that it can go on; kept in a file for whoever looks."""

    def __init__(self, terminal: int, log: Path) -> None:
        self.text = b""
        self._terminal = terminal
        self._log = log

    def after(self, line: str, done: Callable[[str], bool]) -> bool:
        """Types a line; whether what it should do was done in time."""
        begin = len(self.text)
        os.write(self._terminal, f"{line}\r".encode())
        found = self.until(lambda: done(BLANK.sub("", self.text[begin:].decode(errors="replace"))), 90)
        self.until(lambda: False, 1)
        return found

    def until(self, condition: Callable[[], bool], within_s: float) -> bool:
        """Whether a condition came true in time."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            if select.select([self._terminal], [], [], 0.05)[0]:
                try:
                    self.text += os.read(self._terminal, 65536)
                except OSError:  # the program has ended
                    return condition()
                self._log.write_bytes(self.text)
            with suppress(ChildProcessError):
                if condition():
                    return True
        return False


def _delegate(provider: str, model: str, effort: str | None) -> dict[str, Any]:
    dispatch = {"executor": "delegate", "provider": provider, "model": model, "role": "leaf"}
    return dispatch if effort is None else {**dispatch, "reasoning_effort": effort}

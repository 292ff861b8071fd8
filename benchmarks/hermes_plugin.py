"""
A real Hermes with routerd's plugin, a real daemon, no model: what runs where, what an outage costs, what is learnt.

    python benchmarks/hermes_plugin.py [--tools DIR] [--work DIR] [--hermes VERSION] [--runs N] [--json FILE]

Installs Hermes Agent from PyPI into a virtual environment of its own below DIR (once, 230 MB), and this tree's routerd
into it with `pip install --no-deps`: neither numpy nor msgspec is there. Hermes is driven by the stub endpoint
`hermes_stub.py` in `--tools`, three times over: the parent's endpoint, and those of two providers that Hermes knows and
sends efforts to. What ran is read from the stubs' logs. Prints a line a check; exit code 1 when anything differs, 0
with a clear word where PyPI is out of reach.

    routes     a batch of two in every mode; a pinned `delegation.model`; advice to do it oneself
    outages    no daemon, killed (-9) and stopped (SIGSTOP) in the middle: what was waited, and who learns it later
    outcomes   every scenario of the stub, and children that are stopped: learnt once, with label and decision
"""

import argparse
import json
import os
import pty
import re
import select
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from agents import HERMES, HERMES_SCENARIOS, ROOT, Child, _effort, _tests_that_fail, free_port, matches, process

from routerd.client import call
from routerd.integrations.hermes.call import PATIENCE_S

Run = tuple[str | None, str, str | None]
"""Model, key and effort of a child, as its endpoint was asked."""

PARENT_KEY, KEYS = "sk-parent", ("sk-stub2", "sk-stub3")
BY_HERMES: Run = ("stub-big", PARENT_KEY, None)
BY_ROUTERD: tuple[Run, Run] = (("deepseek-v4-pro", KEYS[0], "max"), ("glm-5.2", KEYS[1], "high"))
BATCH = "pytest"
GOALS = ("PYTEST run the unit tests", "WRITEF add new.py")
CONTEXT = "this repository"
"""What the stub's parent delegates in `RUN:pytest`: two kinds of task, so that there is something to choose by."""
WAIT_MS_MAX = 50.0
WITHIN_S = 20.0
TRIES = 4
BLANK = re.compile(r"\x1b(\[[0-9;?]*[A-Za-z]|\][^\x07]*\x07|[()][A-Z0-9]|.)|[^\x21-\x7e]")
"""What a terminal is told beside the text, and everything between two words."""
PROMPT = b"\xe2\x9d\xaf"  # an angle
LAYOUT = "{:8} {:9} {:34} {:52} {}"

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


# --- installing -----------------------------------------------------------------------------------------------------


def installed(work: Path, version: str) -> Path | None:
    """The environment with Hermes and the plugin of this tree; None where PyPI is out of reach."""
    place = work / f"hermes-plugin-{version}"
    pip = [str(place / "bin" / "pip"), "install", "-q"]
    if not (place / "bin" / "hermes").exists():
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
        done = subprocess.run([*pip, f"hermes-agent=={version}"], check=False, capture_output=True, text=True)
        if done.returncode:
            shutil.rmtree(place)
            print(f"skipped: hermes-agent {version} cannot be installed: {done.stderr.strip().splitlines()[-1]}")
            return None
    with tempfile.TemporaryDirectory() as source:  # so that building leaves nothing in the tree
        for name in ("pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(ROOT / name, source)
        for name in ("routerd", "systemd"):
            shutil.copytree(ROOT / name, Path(source) / name)
        done = subprocess.run(
            [*pip, "--no-deps", "--force-reinstall", source], check=False, capture_output=True, text=True
        )
    if done.returncode:
        sys.exit(f"the plugin cannot be built: {done.stderr.strip().splitlines()[-1]}")
    return place


def import_ms(place: Path, module: str, *before: str) -> float:
    """How long a module takes to import, median of nine fresh starts; `before` is loaded already."""
    code = (
        f"import {', '.join(('time', 'sys', *before))}; began = time.perf_counter(); import {module}; "
        "print((time.perf_counter() - began) * 1e3); assert not {'numpy', 'msgspec', 'anyio'} & sys.modules.keys()"
    )
    runs = [subprocess.check_output([str(place / "bin" / "python"), "-c", code], text=True) for _ in range(9)]
    return statistics.median(map(float, runs))


# --- a home ---------------------------------------------------------------------------------------------------------


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
                break
        return number

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


# --- checks ---------------------------------------------------------------------------------------------------------

Row = tuple[str, str, str, str, str]
DEEPSEEK, GLM = ("deepseek", "deepseek-v4-pro"), ("zai", "glm-5.2")
GOOD: dict[str, tuple[str, str] | None] = {GOALS[0]: DEEPSEEK, GOALS[1]: GLM}


def row(part: str, what: str, *, good: bool, shown: str, more: str = "") -> Row:
    line = ("ok" if good else "DIFFERS", part, what, shown, more)
    print(LAYOUT.format(*line), flush=True)
    return line


def shown(runs: Counter[Run]) -> str:
    return " ".join(
        f"{model}@{effort or '-'}/{key[3:]}" + (f" x{n}" if n > 1 else "")
        for (model, key, effort), n in sorted(runs.items(), key=str)
    )


def routes(place: Path, home: Path, tools: Path) -> Iterator[Row]:
    """A batch of two in every mode."""
    plain: set[str] = set()
    with World(place, home / "modes", tools).running() as world:
        world.teach(GOOD)
        for mode in ("off", "shadow", "advise", "enforce"):
            before = world.ask("status")["counts"]["decisions"]
            tries = world.answered(BATCH, mode)
            runs, answers = world.children(), world.answers()
            told = [answer.get("routerd") for answer in answers]
            keys = {key for answer in answers for key in answer}
            plain = keys if mode == "off" else plain
            expected = Counter(BY_ROUTERD) if mode == "enforce" else Counter({BY_HERMES: 2})
            decided = world.ask("status")["counts"]["decisions"] - before
            said = len(told[0]) == 3 if mode == "advise" and told[0] else keys == plain
            good = runs == expected and decided == (0 if mode == "off" else 2 * tries) and said and len(answers) == 1
            more = f"{decided} decisions" + (", and the agent was told" if told[0] else "")
            yield row("routes", f"batch, {mode}", good=good, shown=shown(runs), more=more)
        yield background(world)
        yield commands(world)
    with World(place, home / "pinned", tools, ", model: stub-small, reasoning_effort: high").running() as world:
        world.teach(GOOD)
        world.answered(BATCH, "enforce")
        good = world.children() == Counter({("stub-small", PARENT_KEY, "high"): 2})
        yield row("routes", "delegation.model pinned, enforce", good=good, shown=shown(world.children()))
    with World(place, home / "local", tools).running() as world:
        world.teach(dict.fromkeys(GOALS, None))
        world.answered(BATCH, "enforce")
        statuses = [answer.get("status") for answer in world.answers()]
        good = statuses == ["not_delegated"] and not world.children()
        yield row(
            "routes",
            "all better done by oneself, enforce",
            good=good,
            shown=f"children: {shown(world.children()) or 'none'}",
            more=str(statuses),
        )


def background(world: World) -> Row:
    """In a terminal the call returns at once, and the children run and are reported on other threads."""
    before = {one["id"] for one in _children(world)}

    def found() -> list[sqlite3.Row]:
        return [one for one in _children(world, "AND ended AND signal != 'unknown'") if one["id"] not in before]

    world.terminal("enforce", (f"RUN:{BATCH}", lambda _: len(found()) == 2))
    labels = Counter(one["signal"] for one in found())
    own = [json.loads(one["learnt"])["own"] for one in found()]
    good = world.children() == Counter(BY_ROUTERD) and labels == Counter(["test", "completed"]) and own == [True, True]
    more = f"learnt: {', '.join(labels) or 'nothing'}, as routerd's own choice: {own}"
    return row("routes", "batch in the background, enforce", good=good, shown=shown(world.children()), more=more)


def commands(world: World) -> Row:
    """`/routerd` in a conversation: shows the last picks and why, switches for the session and for good."""
    before = {one["id"] for one in _children(world)}

    def ran(_: str) -> bool:
        return len([one for one in _children(world, "AND ended") if one["id"] not in before]) == 2

    typed: dict[str, Callable[[str], bool]] = {
        "/routerd": lambda text: "routerd:off;routerd" in text and "answers" in text,
        "/routerd mode enforce": lambda text: "routerd:enforce,forthisHermesprocess" in text,
        f"RUN:{BATCH}": ran,
        "/routerd ": lambda text: text.count("(applied)") == 2 and "gate:" in text,
        "/routerd off --save": lambda text: "routerd:off,keptin" in text,
    }
    found = world.terminal("off", *typed.items())
    modes = world.home / ".config" / "routerd" / "modes.json"
    kept = json.loads(modes.read_text()) if modes.exists() else None
    modes.unlink(missing_ok=True)
    good = all(found) and world.children() == Counter(BY_ROUTERD) and kept == {"hermes": "off"}
    said = f"{sum(found)} of {len(found)} lines did what they should"
    return row("routes", "/routerd in a conversation", good=good, shown=said, more=shown(world.children()))


def outages(place: Path, home: Path, tools: Path, runs: int) -> Iterator[Row]:
    """What an outage costs, and whether what happened in it is learnt afterwards."""
    with World(place, home / "outages", tools).running() as world:
        world.teach(GOOD)

        def when_asked(number: int) -> Callable[[], None]:
            """Sends the signal when the parent's first request has come: the delegation is then on its way."""
            log = world.log(0)

            def act() -> None:
                size = log.stat().st_size
                world.until(lambda: log.stat().st_size > size, 60, every_s=0.001)
                world.signal(number)

            return act

        def outage(
            what: str, mode: str, expected: Counter[Run], act: Callable[[], None], after: Callable[[], None]
        ) -> Row:
            waits, gaps, ran = [], [], Counter[Run]()
            for _ in range(runs):
                world.hermes(BATCH, mode, act)
                waits.append(world.waited_ms())
                gaps.append(world.gap_ms())
                ran += world.children()
                after()
            good = ran == Counter({run: count * runs for run, count in expected.items()}) and max(waits) < WAIT_MS_MAX
            text = f"waited for routerd: most {max(waits):.1f} ms; to the first child {statistics.median(gaps):.0f} ms"
            return row("outages", what, good=good, shown=text, more=shown(ran))

        nothing: Callable[[], None] = lambda: None  # noqa: E731
        by_hermes = Counter({BY_HERMES: 2})
        yield outage("off, for comparison", "off", by_hermes, nothing, nothing)
        yield outage("daemon answers, enforce", "enforce", Counter(BY_ROUTERD), nothing, nothing)
        yield outage("kill -9 in the middle, enforce", "enforce", by_hermes, when_asked(signal.SIGKILL), world.start)
        cont = lambda: world.signal(signal.SIGCONT)  # noqa: E731
        yield outage("kill -STOP in the middle, enforce", "enforce", by_hermes, when_asked(signal.SIGSTOP), cont)
        world.end()
        yield outage("no daemon, enforce", "enforce", by_hermes, nothing, nothing)
        world.start()
        wanted = 2 * runs * 5
        world.until(lambda: learnt(world) >= wanted)
        time.sleep(1.0)
        yield row(
            "outages",
            "learnt afterwards from the log",
            good=learnt(world) == wanted,
            shown=f"{learnt(world)} of {wanted} children, each once",
        )


def learnt(world: World) -> int:
    """How many children of Hermes are in the database, ended and labelled."""
    return len(_children(world, "AND ended AND signal != 'unknown'"))


def _children(world: World, more: str = "") -> list[sqlite3.Row]:
    return world.rows(f"SELECT * FROM outcomes WHERE executor = 'delegate' AND id LIKE 'hermes:%' {more}")


STOPPED = {"stopped": [Child("interrupted", "interrupted")], "ctrl-c": [Child("unknown", "shutdown")]}
"""A child that a person stops, and one whose Hermes is ended; both are the scenario `slow`."""


def outcomes(place: Path, home: Path, tools: Path) -> Iterator[Row]:
    """Every scenario, reported by the plugin and read from the log: one outcome each."""
    with World(place, home / "outcomes", tools).running() as world:
        for name, expected in {**HERMES_SCENARIOS, **STOPPED}.items():
            yield _scenario(world, name, expected)


def _scenario(world: World, name: str, expected: list[Child]) -> Row:
    before = {one["id"] for one in _children(world)}
    reports = len(world.rows("SELECT 1 FROM reports"))
    running = world.begin(
        "slow" if name in STOPPED else name, "shadow", **({"STOP_CHILD": "1"} if name == "stopped" else {})
    )
    if name == "ctrl-c":
        world.until(lambda: any("SLOW" in str(line["last"].get("content")) for line in world.requests()), 60)
        running.send_signal(signal.SIGINT)
    running.wait(180)

    def found() -> list[dict[str, Any]]:
        return [dict(one) for one in _children(world) if one["id"] not in before]

    world.until(lambda: matches(found(), expected), 15)
    time.sleep(0.5)  # what is counted twice would come now
    ends = ", ".join(one["censored"] or one["signal"] for one in found()) or "none"
    decided = sum(one["decision_id"] is not None for one in found())
    told = len(world.rows("SELECT 1 FROM reports")) - reports
    good = matches(found(), expected) and decided == len(expected)
    seen = f"{len(found())}/{len(expected)} {ends}"
    return row("outcomes", name, good=good, shown=seen, more=f"{decided} decided, {told} reported")


# --- running --------------------------------------------------------------------------------------------------------


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tools", type=Path, default=ROOT.parent / "shared" / "tools")
    parser.add_argument("--work", type=Path, default=Path.home() / ".cache" / "routerd-agents")
    parser.add_argument("--hermes", default=HERMES, help="its version on PyPI")
    parser.add_argument("--runs", type=int, default=3, help="of each outage")
    parser.add_argument("--only", nargs="*", default=["routes", "outages", "outcomes"])
    parser.add_argument("--json", type=Path, help="write the rows here too")
    options = parser.parse_args()
    if not (options.tools / "hermes_stub.py").is_file():
        print(f"{options.tools}: hermes_stub.py is not there; name its directory with --tools", file=sys.stderr)
        return 2
    options.work.mkdir(parents=True, exist_ok=True)
    place = installed(options.work.resolve(), options.hermes)
    if place is None:
        return 0
    loaded = ("json", "threading", "logging", "inspect", "queue", "functools", "contextvars", "weakref")
    times = {
        "entry point": import_ms(place, "routerd.integrations.hermes"),
        "client": import_ms(place, "routerd.client"),
        "all of the plugin": import_ms(place, "routerd.integrations.hermes.plugin", *loaded),
    }
    print("imports: " + ", ".join(f"{name} {ms:.1f} ms" for name, ms in times.items()) + "\n")
    home = options.work.resolve() / f"home-hermes-plugin-{options.hermes}"
    print(LAYOUT.format("", "part", "what", "seen", ""))
    parts: dict[str, Callable[[], Iterator[Row]]] = {
        "routes": lambda: routes(place, home, options.tools),
        "outages": lambda: outages(place, home, options.tools, options.runs),
        "outcomes": lambda: outcomes(place, home, options.tools),
    }
    rows = [line for name in options.only for line in parts[name]()]
    wrong = sum(line[0] != "ok" for line in rows)
    print(f"\nHermes {options.hermes}: {len(rows)} checks, {wrong} differ")
    if options.json:
        names = ("verdict", "part", "what", "seen", "more")
        found = {
            "hermes": options.hermes,
            "import_ms": times,
            "rows": [dict(zip(names, line, strict=True)) for line in rows],
        }
        options.json.write_text(json.dumps(found, indent=1))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

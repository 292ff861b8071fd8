"""What the tests of the Hermes plugin share: a daemon that was taught three kinds of task, and a Hermes beside it.

The fixtures are imported by name where they are used, so that each module of tests has a daemon of its own.
"""

import itertools
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from routerd.integrations.hermes.plugin import Plugin, attach
from tests.harness import Daemon, Place
from tests.integrations.fake_hermes import Agent, Hermes

SLACK_S = 0.2
"""For a machine that is busy with other things."""
PATIENT_S = 10.0
"""Where the time is not what is tested."""

CODE, OPEN, ASK = "WRITE new.py", "run the unit tests", "what is in here?"
"""Goals of three kinds. The daemon has been taught that another arm is good at each."""
DEEPSEEK = ("deepseek", "deepseek-v4-pro", "max", "key-d")
GLM = ("zai", "glm-5.2", "high", "key-z")
USUAL = ("custom", "stub-big", None, "key-parent")
ARMS = {
    CODE: {"executor": "delegate", "provider": "zai", "model": "glm-5.2", "reasoning_effort": "high"},
    OPEN: {"executor": "delegate", "provider": "deepseek", "model": "deepseek-v4-pro", "reasoning_effort": "max"},
    ASK: {"executor": "local"},
    "nothing": {"executor": "delegate", "provider": "custom", "model": "stub-big"},
}
CONFIG = b"""
[pool]
models = [
  {model = "deepseek-v4-pro", provider = "deepseek", reasoning_effort = "max"},
  {model = "glm-5.2", provider = "zai", reasoning_effort = "high"},
]
on_outside = "fallback"
[policy]
name = "epsilon_greedy"
epsilon = 0.0
"""
NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    place = Place(tmp_path_factory.mktemp("home"))
    place.write({".config/routerd/config.toml": CONFIG, ".hermes/.keep": b""})
    with place.daemon() as running:
        for goal, (good, dispatch) in itertools.product((CODE, OPEN, ASK), ARMS.items()):
            task = {
                "goal": goal,
                "role": "leaf",
                "agent": "hermes",
                "parent": {"provider": "custom", "model": "stub-big"},
            }
            ran = dispatch if dispatch["executor"] == "local" else {**dispatch, "role": "leaf"}
            outcome = {"succeeded": goal == good, "wall_time_ms": 1000, "cost_usd": 0.01}
            for _ in range(10):
                running.ask("report", task=task, dispatch=ran, outcome=outcome)
        taught = 10 * 3 - 0.1
        running.until(
            lambda: sum(one["posterior"]["success"]["n"] > taught for one in running.ask("arms")["arms"]) == len(ARMS)
        )
        yield running


@pytest.fixture
def home(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> Place:
    """The daemon's home, which is this process's as well."""
    for name in ("ROUTERD_MODE", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in daemon.place.env.items():
        monkeypatch.setenv(name, value)
    return daemon.place


Start = Callable[..., tuple[Any, Plugin]]


@pytest.fixture
def start(home: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Starts a Hermes with the plugin loaded, in a mode. What it reports is told before the next test."""
    plugins: list[Plugin] = []

    def started(mode: str, hermes: Hermes | None = None, patience_s: float = PATIENT_S) -> tuple[Any, Plugin]:
        hermes = hermes or Hermes(home=str(home.home / ".hermes"))
        for name, module in hermes.modules().items():
            monkeypatch.setitem(sys.modules, name, module)
        monkeypatch.setenv("ROUTERD_MODE", mode)
        plugins.append(Plugin(patience_s))
        attach(hermes.context, plugins[-1])
        return hermes, plugins[-1]

    yield started
    for plugin in plugins:
        plugin.reporter.finish(PATIENT_S)


def parent(**members: Any) -> Agent:
    return Agent(f"session-{next(NUMBERS)}", **members)


def batch(*goals: str) -> dict[str, Any]:
    return {"tasks": [{"goal": goal} for goal in goals]}


def ran(hermes: Hermes) -> list[tuple[str | None, ...]]:
    return [child.ran for child in hermes.children]

"""
What is played in the demonstration: invented tasks of an invented project, and how each model really does on them.

Every number here is made up, and the screens say so. The models differ in what a user would like to find out: for
looking around the small one is as good as the large one and much cheaper; for work across files it is not. One model
of Codex is worse since ten days ago, and two pinned agents of Claude Code ran another model than was asked for.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
import numpy as np

DAY_S: Final = 86_400.0
PROJECT: Final = "/home/you/shop"
WISH: Final = "The next step of the plan"
SPAN_DAYS: Final = 60.0
MOVED_DAYS: Final = 14.0
TOKENS_OUT: Final = 0.04
"""Of the tokens of a task so many are written by the model; of the rest nine tenths come from its cache."""


class Skill(msgspec.Struct, frozen=True):
    """How a model does on a kind of task: chance of success, median minutes, median thousands of tokens."""

    success: float
    minutes: float
    kilotokens: float


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """
    One delegation as it went.

    Attributes:
        id: 12 hexadecimal digits, its own.
        kind: The sub-agent's name.
        asked: The model that the call named, or None.
        model, provider: What ran.
        at: When it began, Unix seconds.
        tokens: Input, output, cache reads, cache writes.
    """

    id: str
    kind: str
    goal: str
    asked: str | None
    model: str
    provider: str
    at: float
    seconds: float
    succeeded: bool
    tokens: tuple[int, int, int, int]

    @property
    def ended(self) -> float:
        """Unix seconds."""
        return self.at + self.seconds


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """
    A session of an agent that handed on some tasks, one after the other, and then perhaps did one itself (`alone`);
    `lead` is the model of the agent itself.
    """

    id: str
    lead: str
    at: float
    wish: str
    tasks: list[Task]
    alone: Task | None = None

    @property
    def handed_on(self) -> float:
        """When the last of the tasks was told of, Unix seconds."""
        return self.tasks[-1].ended + 20.0

    @property
    def ended(self) -> float:
        """Unix seconds."""
        return self.handed_on if self.alone is None else self.alone.ended


class Agent(msgspec.Struct, frozen=True, kw_only=True):
    """An agent, the models that it hands tasks to with their share of the past, and how each does by kind of task."""

    name: str
    lead: str
    shares: dict[str, float]
    skills: dict[str, dict[str, Skill]]
    providers: dict[str, str]
    sessions: int


KINDS: Final = ("explore", "test-writer", "refactorer", "docs-writer")
GOALS: Final = {
    "explore": (
        "Find where {a} is computed and list every caller of src/{b}.py",
        "Say which modules import src/{b}.py and which of them could do without {a}",
        "Look for places where {a} is read before it is set; start in src/{b}.py",
    ),
    "test-writer": (
        "Write tests for {a} in tests/test_{b}.py; cover the empty case and the one that fails",
        "tests/test_{b}.py misses what happens when {a} is zero: add it and run the suite",
    ),
    "refactorer": (
        "Move {a} out of src/{b}.py into src/{c}.py and change src/app.py and every caller with it",
        "Replace {a} in src/{b}.py, src/{c}.py and src/api/{b}.ts by one function, and keep the tests green",
    ),
    "docs-writer": (
        "Bring docs/{b}.md in line with what {a} does now",
        "Write docs/{c}.md: how {a} works, with an example that runs",
    ),
}
WORDS_A: Final = (
    "the discount",
    "the tax rate",
    "the stock level",
    "the shipping fee",
    "the session age",
    "the cart sum",
)
WORDS_B: Final = ("prices", "orders", "stock", "users", "mail", "search")
WORDS_C: Final = ("rules", "money", "dates", "limits")


def _skills(*rows: tuple[float, float, float]) -> dict[str, Skill]:
    return {kind: Skill(*row) for kind, row in zip(KINDS, rows, strict=True)}


CLAUDE_CODE: Final = Agent(
    name="claude-code",
    lead="claude-opus-5-5",
    shares={"claude-opus-5-5": 0.55, "claude-sonnet-5-5": 0.25, "claude-haiku-5-5": 0.2},
    skills={
        "claude-opus-5-5": _skills((0.95, 3.4, 260), (0.92, 5.5, 420), (0.9, 9.0, 900), (0.95, 4.0, 300)),
        "claude-sonnet-5-5": _skills((0.94, 2.3, 210), (0.88, 4.0, 380), (0.72, 8.0, 850), (0.94, 2.8, 250)),
        "claude-haiku-5-5": _skills((0.95, 1.0, 180), (0.6, 3.0, 420), (0.3, 7.0, 900), (0.9, 1.6, 220)),
    },
    providers={},
    sessions=60,
)
CODEX: Final = Agent(
    name="codex",
    lead="gpt-6.1-sol",
    shares={"gpt-6.1-sol": 0.5, "gpt-6.1-terra": 0.5},
    skills={
        "gpt-6.1-sol": _skills((0.94, 2.8, 300), (0.9, 5.0, 500), (0.85, 8.0, 900), (0.93, 3.0, 280)),
        "gpt-6.1-terra": _skills((0.95, 1.7, 260), (0.93, 3.5, 420), (0.9, 6.0, 800), (0.95, 2.0, 240)),
    },
    providers={"gpt-6.1-sol": "openai", "gpt-6.1-terra": "openai"},
    sessions=36,
)
HERMES: Final = Agent(
    name="hermes",
    lead="glm-5.3",
    shares={"glm-5.3": 0.6, "deepseek-v4-pro": 0.4},
    skills={
        "glm-5.3": _skills((0.92, 2.5, 240), (0.85, 5.0, 450), (0.75, 9.0, 900), (0.92, 3.0, 260)),
        "deepseek-v4-pro": _skills((0.9, 2.0, 260), (0.7, 5.5, 520), (0.55, 10.0, 950), (0.88, 3.2, 280)),
    },
    providers={"glm-5.3": "zai", "deepseek-v4-pro": "deepseek"},
    sessions=20,
)
AGENTS: Final = (CLAUDE_CODE, CODEX, HERMES)

MOVED: Final = ("gpt-6.1-terra", 0.6)
"""Since `MOVED_DAYS` ago its success is so much lower."""
PINNED: Final = ("opus", "claude-sonnet-5-5")
"""What some sessions of Claude Code ask for, and what runs."""
PINNED_EVERY: Final = 12


def goal(kind: str, rng: np.random.Generator) -> str:
    """The words of a task."""
    form = GOALS[kind][int(rng.integers(len(GOALS[kind])))]
    a, b, c = (words[int(rng.integers(len(words)))] for words in (WORDS_A, WORDS_B, WORDS_C))
    return form.format(a=a, b=b, c=c)


def played(
    agent: Agent,
    kind: str,
    text: str,
    model: str,
    *,
    at: float,
    now: float,
    rng: np.random.Generator,
    asked: str | None = None,
) -> Task:
    """How a task goes on a model: by chance, as its skill says."""
    skill = agent.skills[model][kind]
    success = skill.success
    if model == MOVED[0] and now - at < MOVED_DAYS * DAY_S:
        success = max(0.05, success - MOVED[1])
    total = 1000.0 * skill.kilotokens * math.exp(rng.normal(0.0, 0.3))
    read = total * (1.0 - TOKENS_OUT)
    return Task(
        id=rng.bytes(6).hex(),
        kind=kind,
        goal=text,
        asked=asked,
        model=model,
        provider=agent.providers.get(model, ""),
        at=at,
        seconds=60.0 * skill.minutes * math.exp(rng.normal(0.0, 0.35)),
        succeeded=bool(rng.random() < success),
        tokens=(round(0.05 * read), round(total * TOKENS_OUT), round(0.9 * read), round(0.05 * read)),
    )


def history(agent: Agent, now: float, rng: np.random.Generator) -> Iterator[Session]:
    """The agent's sessions of the last `SPAN_DAYS`, the oldest first."""
    for number in range(agent.sessions):
        begin = at = now - DAY_S * SPAN_DAYS * (agent.sessions - number) / agent.sessions
        pinned = agent is CLAUDE_CODE and number % PINNED_EVERY == PINNED_EVERY - 1
        tasks: list[Task] = []
        for _ in range(int(rng.integers(3, 9))):
            kind = KINDS[int(rng.choice(len(KINDS), p=(0.4, 0.25, 0.2, 0.15)))]
            models = list(agent.shares)
            model = models[int(rng.choice(len(models), p=list(agent.shares.values())))]
            asked = family(model) if agent is CLAUDE_CODE else None
            if pinned:
                asked, model = PINNED
            tasks.append(played(agent, kind, goal(kind, rng), model, at=at + 15.0, now=now, rng=rng, asked=asked))
            at = tasks[-1].ended
        alone = None
        if agent is CLAUDE_CODE:
            kind = KINDS[int(rng.integers(len(KINDS)))]
            alone = played(agent, kind, goal(kind, rng), agent.lead, at=at + 60.0, now=now, rng=rng)
        yield Session(id=rng.bytes(16).hex(), lead=agent.lead, at=begin, wish=WISH, tasks=tasks, alone=alone)


def family(model: str) -> str:
    """The word by which Claude Code's tool knows a model."""
    return model.split("-")[1]


def matrix(agent: Agent, count: int, now: float, rng: np.random.Generator) -> Iterator[dict[str, object]]:
    """Tasks with the outcome of every model on each, for `routerctl replay`: the head, then the tasks."""
    names: Sequence[str] = list(agent.shares)
    dispatches = {name: {"executor": "delegate", "provider": "anthropic", "model": name} for name in names}
    yield {"name": "demo", "source": "made up", "arms": {name: {"dispatch": dispatches[name]} for name in names}}
    for _ in range(count):
        kind = KINDS[int(rng.integers(len(KINDS)))]
        text = goal(kind, rng)
        tasks = {name: played(agent, kind, text, name, at=now, now=now, rng=rng) for name in names}
        outcomes = {
            name: {"succeeded": float(one.succeeded), "wall_time_ms": round(1000.0 * one.seconds)}
            for name, one in tasks.items()
        }
        yield {"task": {"goal": text, "kind": kind, "agent": agent.name}, "outcomes": outcomes}

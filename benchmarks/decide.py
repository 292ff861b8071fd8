"""
How long the engine takes to decide and to learn, beside a bare matrix-vector product in the same run.

    python benchmarks/decide.py [--seconds N] [--write]

Everything is measured in turns of some calls in one process, so that a slow moment of the machine falls on all
alike; the `floor`, numpy's `argmax(theta @ x)` over 64 features, says how fast the machine was. `pick` is the decision:
belief, utility, propensities and draw; `answer` is all that `recommend` does: features, pick, and what explains it.
Microseconds. With `--write` the figures go to benchmarks/results/decide.json.
"""

import argparse
import json
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as in the daemon: threads cost more than they bring at this size

import msgspec
import numpy as np

from routerd.config import Config
from routerd.engine import Engine
from routerd.events import Contribution, Dispatch, Parent, Recommend, Task
from routerd.features import extract, vector
from routerd.slate import CatalogLike

NOW = 2_000_000_000.0
DAY_S = 86_400.0
BLOCK = {"floor": 100, "features": 100, "pick": 100, "answer": 100, "update": 100, "solve": 1}
"""How many calls of each step are made in one turn."""
PROSE = (
    "The nightly import drops rows whose amount has a comma in it, and the totals of the report are wrong since then. "
    "Find out where that happens, mend it so that both spellings are read, and keep the public interface as it is. "
    "Look at {} first; {} shows what is expected. Please run the tests when you are done, and say what you changed. "
)
FILES = ["src/billing/importer.py", "tests/test_importer.py", "docs/format.md", "config/limits.toml"]


class Attributes(msgspec.Struct, frozen=True, kw_only=True):
    capability: float | None
    capability_se: float
    log_price: float | None
    family: str | None
    effort_level: float | None
    executor: str
    role: str | None
    strengths: tuple[str, ...] = ()


class Catalog(CatalogLike):
    """So many models, made up."""

    def __init__(self, arms: int) -> None:
        self.arms = [Dispatch(executor="delegate", provider="p", model=f"model-{i}") for i in range(arms)]
        self._known = {
            dispatch: Attributes(
                capability=0.4 + 0.5 * i / arms,
                capability_se=0.05,
                log_price=-1.0 + 4.0 * i / arms,
                family=f"f{i % 5}",
                effort_level=None,
                executor="delegate",
                role=None,
            )
            for i, dispatch in enumerate(self.arms)
        }

    def canonical(self, dispatch: Dispatch) -> Dispatch:
        return dispatch

    def attributes(self, dispatch: Dispatch) -> Attributes:
        return self._known.get(dispatch) or self._known[self.arms[0]]

    def in_pool(self, dispatch: Dispatch) -> bool:
        return dispatch in self._known

    def pool_dispatches(self) -> list[Dispatch]:
        return self.arms

    def tier(self, dispatch: Dispatch) -> str | None:
        return "mid" if dispatch in self._known else None

    def tiers(self, dispatch: Dispatch) -> frozenset[str]:
        return frozenset({"mid"}) if dispatch in self._known else frozenset()


def goals(rng: np.random.Generator, count: int) -> list[Task]:
    """Tasks of 2 KB each: prose with a few paths in it."""
    tasks = []
    for _ in range(count):
        text = "".join(PROSE.format(*rng.choice(FILES, 2)) for _ in range(8))
        parent = Parent(provider="p", model="model-0")
        tasks.append(Task(goal=text[:2048], repo="host/owner/name", agent="codex", parent=parent))
    return tasks


def contributions(rng: np.random.Generator, catalog: Catalog, tasks: list[Task], count: int) -> list[Contribution]:
    return [
        Contribution(
            scope="default",
            dispatch=catalog.arms[int(rng.integers(len(catalog.arms)))],
            features=extract(tasks[i % len(tasks)]),
            at=NOW - float(rng.integers(120)) * DAY_S,
            success=float(rng.random() < 0.6),
            weight=1.0,
            wall_time_ms=int(rng.lognormal(11, 1)),
            cost_usd=float(rng.lognormal(-2, 1)),
            own=True,
        )
        for i in range(count)
    ]


def timed(step: Callable[[int], object], turn: int) -> float:
    begun = time.perf_counter()
    step(turn)
    return (time.perf_counter() - begun) * 1e6


def measure(arms: int, seconds: float) -> dict[str, dict[str, float]]:
    """p50 and p99 of each step at so many arms, in microseconds."""
    rng = np.random.default_rng(0)
    catalog = Catalog(arms)
    engine = Engine(Config(), catalog, rng)
    tasks = goals(rng, 64)
    outcomes = contributions(rng, catalog, tasks, 40 * arms)
    for outcome in outcomes:
        engine.observe(None, outcome, NOW)
    engine.refresh(NOW)
    theta, x = rng.normal(size=(arms, 64)), rng.normal(size=64)
    requests = [Recommend(task=task, candidates=list(catalog.arms)) for task in tasks]
    features = [extract(task) for task in tasks]
    xs = [vector(one) for one in features]
    steps: dict[str, Callable[[int], object]] = {
        "floor": lambda i: np.argmax(theta @ x),
        "features": lambda i: vector(extract(tasks[i % len(tasks)])),
        "pick": lambda i: engine.pick(requests[i % len(requests)], features[i % len(tasks)], xs[i % len(tasks)], NOW),
        "answer": lambda i: engine.recommend(requests[i % len(requests)], NOW, "d"),
        "update": lambda i: engine.observe(None, outcomes[i % len(outcomes)], NOW),
        "solve": lambda i: engine.refresh(NOW),
    }
    taken: dict[str, list[float]] = {name: [] for name in steps}
    end = time.perf_counter() + seconds
    turn = 0
    while time.perf_counter() < end:
        for name, step in steps.items():
            for _ in range(BLOCK[name]):
                turn += 1
                taken[name].append(timed(step, turn))
    return {
        name: {"p50": float(np.percentile(values, 50)), "p99": float(np.percentile(values, 99)), "times": len(values)}
        for name, values in taken.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0, help="for each number of arms")
    parser.add_argument("--write", action="store_true", help="write benchmarks/results/decide.json")
    options = parser.parse_args()
    results = {str(arms): measure(arms, options.seconds) for arms in (8, 50)}
    print(f"{'arms':>4}  {'step':10} {'p50 us':>9} {'p99 us':>9} {'x floor':>8}")
    for arms, steps in results.items():
        for name, figures in steps.items():
            ratio = figures["p50"] / steps["floor"]["p50"]
            print(f"{arms:>4}  {name:10} {figures['p50']:9.1f} {figures['p99']:9.1f} {ratio:8.1f}")
    if options.write:
        about = {"python": platform.python_version(), "numpy": np.__version__, "machine": platform.machine()}
        path = Path(__file__).parent / "results" / "decide.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({"unit": "microseconds", **about, "arms": results}, indent=2) + "\n")


if __name__ == "__main__":
    main()

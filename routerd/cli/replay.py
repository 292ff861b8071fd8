"""`routerctl replay FILE`: what each policy would have earned on tasks whose outcomes are all known."""

import gzip
import math
import os
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

# Small matrices: threads of the linear algebra library would only get into each other's way.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import msgspec
import numpy as np
from cyclopts import Parameter
from rich.progress import Progress

from routerd.cli.common import DEFAULTS, Common, own_config, show
from routerd.cli.view import console, print_table
from routerd.config import Config
from routerd.errors import UsageError
from routerd.matrix import Matrix, read
from routerd.policies import POLICIES
from routerd.replay import EnginePlayer, NewPlayer, best_fixed, interval, marks, score_orders

BESIDE = "epsilon_greedy"
"""Played beside the default policy, for comparison."""


def replay(
    file: Path,
    *,
    policy: Annotated[list[str] | None, Parameter(negative=())] = None,
    orders: int = 20,
    seed: int = 0,
    cost_weight: float = 0.1,
    common: Common = DEFAULTS,
) -> int:
    """What each policy would have earned on tasks whose outcomes are all known. Works without a daemon.

    Every task arrives once, in random orders; a policy sees only the outcomes of its own choices. 0 is as good as
    choosing at random, 1 as good as knowing every outcome beforehand.

    Example: routerctl replay outcomes.jsonl.gz --policy thompson_sampling --policy ucb

    Parameters
    ----------
    file: Path
        The first line names the arms, each further line is a task with the outcome of every arm (.jsonl or .jsonl.gz).
    policy: list[str]
        thompson_sampling, ucb, epsilon_greedy or off; give it once for each. Without it, the configured one and
        epsilon_greedy.
    orders: int
        How many random orders are played.
    seed: int
        The same seed gives the same scores.
    cost_weight: float
        What a cost at the 95th percentile takes from a reward, where a success is worth 1.
    """
    _check(orders=orders, seed=seed, cost_weight=cost_weight)
    config = own_config()
    names = _names(policy, config)
    matrix = _matrix(file)
    game = {"cost_weight": cost_weight, "orders": orders, "seed": seed}
    fixed = best_fixed(matrix.rewards(cost_weight))
    with _progress(len(names) * orders) as bars:
        answer = {
            "file": str(file),
            "tasks": len(matrix.tasks),
            "arms": len(matrix.arms),
            "orders": orders,
            "policies": {name: _policy(matrix, _using(config, name), game, bars) for name in names},
            "best_fixed": _scores(matrix, lambda _: fixed, game)["score"],
        }
    return show(answer, common, render)


def _check(*, orders: int, seed: int, cost_weight: float) -> None:
    if orders < 1:
        raise UsageError(f"--orders {orders}: at least one order must be played")
    if seed < 0:
        raise UsageError(f"--seed {seed}: give a whole number from 0 on")
    if not 0.0 <= cost_weight < math.inf:
        raise UsageError(f"--cost-weight {cost_weight}: give a number from 0 on")


def _names(wanted: list[str] | None, config: Config) -> list[str]:
    for name in wanted or ():
        if name not in POLICIES:
            raise UsageError(f"--policy {name}: there is no such policy; there are {', '.join(POLICIES)}")
    return list(dict.fromkeys(wanted or [config.policy.name, BESIDE]))


def _using(config: Config, name: str) -> Config:
    return msgspec.structs.replace(config, policy=msgspec.structs.replace(config.policy, name=name))


def _matrix(file: Path) -> Matrix:
    try:
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as lines:
            return read(lines)
    except UsageError as error:
        raise UsageError(f"{file}: {error}") from None
    except (OSError, EOFError, zlib.error) as error:
        raise UsageError(f"{file}: cannot be read: {getattr(error, 'strerror', None) or error}") from None


@contextmanager
def _progress(total: int) -> Iterator[Progress]:
    """A bar over all orders, on a terminal only."""
    out = console(stderr=True)
    with Progress(console=out, transient=True, disable=not out.is_terminal) as bars:
        bars.add_task("orders", total=total)
        yield bars


def _policy(matrix: Matrix, config: Config, game: dict[str, Any], bars: Progress) -> dict[str, Any]:
    begun = time.perf_counter()

    def new(rng: np.random.Generator) -> EnginePlayer:
        return EnginePlayer(matrix, config, cost_weight=game["cost_weight"], rng=rng)

    found = _scores(matrix, new, game, bars)
    return {**found, "seconds": round(time.perf_counter() - begun, 3)}


def _scores(matrix: Matrix, new: NewPlayer, game: dict[str, Any], bars: Progress | None = None) -> dict[str, Any]:
    """`score` and `ci95` of one player, by mark."""
    rows = []
    for row in score_orders(matrix, new, **game):
        rows.append(row)
        if bars is not None:
            bars.advance(bars.task_ids[0])
    names = marks(len(matrix.tasks))
    means = np.mean(rows, axis=0).tolist()
    ends = np.transpose(interval(np.array(rows), game["seed"])).tolist()
    return {"score": dict(zip(names, means, strict=True)), "ci95": dict(zip(names, ends, strict=True))}


def render(answer: dict[str, Any]) -> None:
    """A row for each policy, and what lies between its scores and the best that choosing one arm could give."""
    out = console()
    out.print(
        f"{answer['file']}: {answer['tasks']} tasks, {answer['arms']} arms, mean of {answer['orders']} orders",
        soft_wrap=True,
    )
    out.print("0 is choosing at random, 1 is knowing every outcome beforehand; [95 % interval over the orders]\n")
    at = list(answer["best_fixed"])
    rows = [
        (name, *(_cell(found, mark) for mark in at), f"{found['seconds']:.1f}")
        for name, found in answer["policies"].items()
    ]
    rows.append(("best single arm, in hindsight", *(f"{answer['best_fixed'][mark]:.3f}" for mark in at), ""))
    headings = ("policy", *(f"at {mark}" if mark.isdigit() else mark for mark in at), "seconds")
    fewer = [name for name in headings[1:-2] if name != "at 100"]
    print_table(out, headings, rows, right=range(1, len(headings)), less=("seconds", *fewer))


def _cell(found: dict[str, Any], mark: str) -> str:
    low, high = found["ci95"][mark]
    return f"{found['score'][mark]:.3f}\n[{low:.2f}, {high:.2f}]"

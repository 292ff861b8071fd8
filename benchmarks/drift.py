"""
What forgetting is worth when the best arm gets worse, and what it costs when nothing changes.

    python benchmarks/drift.py [--data DIR] [--orders N] [--jobs N] [--write]

On the three files of real outcomes (see benchmarks/README.md) a task arrives every six hours. Half-way the arm that is
best over the file degrades: each of its successes is lost with probability 1/2. Scores (CONTRACT §5, cost weight 0.1,
right priors) are those of the first and of the second half alone, against random choice and the oracle of that half.
A half-life of `none` never forgets. With `--write` the figures go to benchmarks/results/drift.json.
"""

import argparse
import json
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, Final

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as in the daemon

import msgspec
import numpy as np
import numpy.typing as npt
from matrices import FILES, load, using
from peers import BetaThompson, EpsilonGreedy, tabled

from routerd.config import Config
from routerd.matrix import Matrix
from routerd.replay import EnginePlayer, Player, best_fixed, interval, played, scores

Floats = npt.NDArray[np.float64]

WEIGHT: Final = 0.1
DAYS_PER_TASK: Final = 0.25
HALF_LIVES: Final = (15.0, 30.0, 60.0, 90.0, 180.0, None)
PEERS: Final[dict[str, Callable[..., Player]]] = {
    "epsilon-greedy, no features": EpsilonGreedy,
    "Beta-Thompson, no features": BetaThompson,
}
FOREVER_DAYS: Final = 1e9


class Job(msgspec.Struct, frozen=True):
    """One player on one file, with or without drift. `half_life` is None for a peer."""

    name: str
    half_life: float | None
    file: str
    drifts: bool
    orders: int
    tasks: int


MATRICES: dict[str, Matrix] = {}


def begin(folder: Path | None) -> None:
    """Loads the files, once in each process."""
    MATRICES.update(load(folder))


def arranged(matrix: Matrix, order: int, tasks: int, *, drifts: bool) -> Matrix:
    """So many tasks in the order of their arrival; with drift the best arm loses half its successes half-way."""
    rng = np.random.default_rng([0, order])
    rows = rng.permutation(len(matrix.tasks))[:tasks]
    succeeded = matrix.succeeded[rows].copy()
    kept = rng.random(tasks - tasks // 2) < 0.5
    if drifts:
        best = best_fixed(matrix.rewards(WEIGHT)).choose(0)
        succeeded[tasks // 2 :, best] *= kept
    return msgspec.structs.replace(
        matrix,
        tasks=[matrix.tasks[row] for row in rows.tolist()],
        succeeded=succeeded,
        cost_usd=None if matrix.cost_usd is None else matrix.cost_usd[rows],
    )


def player(job: Job, matrix: Matrix, rng: np.random.Generator) -> Player:
    if job.half_life is None:
        return PEERS[job.name](tabled(matrix, WEIGHT), rng)
    config = using(Config().policy.name)
    learning = msgspec.structs.replace(config.learning, half_life_days=job.half_life)
    config = msgspec.structs.replace(config, learning=learning)
    return EnginePlayer(matrix, config, cost_weight=WEIGHT, rng=rng, days_per_task=DAYS_PER_TASK)


def work(job: Job) -> list[list[float]]:
    """The scores of both halves in each order."""
    rows = []
    for order in range(job.orders):
        matrix = arranged(MATRICES[job.file], order, job.tasks, drifts=job.drifts)
        chosen = played(player(job, matrix, np.random.default_rng([0, order, 1])), np.arange(job.tasks))
        rewards, half = matrix.rewards(WEIGHT), job.tasks // 2
        halves = [(chosen[:, :half], half), (chosen[:, half:], job.tasks - half)]
        rows.append([float(scores(rewards, part, [length])[0]) for part, length in halves])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of the three files")
    parser.add_argument("--orders", type=int, default=20)
    parser.add_argument("--tasks", type=int, default=800)
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--write", action="store_true", help="write benchmarks/results/drift.json")
    options = parser.parse_args()
    begin(options.data)
    players = {
        **{f"half-life {'none' if days is None else f'{days:g} days'}": days or FOREVER_DAYS for days in HALF_LIVES},
        **dict.fromkeys(PEERS),
    }
    jobs = [
        Job(name, half_life, file, drifts, options.orders, options.tasks)
        for name, half_life in players.items()
        for drifts in (True, False)
        for file in FILES
    ]
    if options.jobs > 1:
        results = ProcessPoolExecutor(options.jobs, initializer=begin, initargs=(options.data,)).map(work, jobs)
    else:
        results = map(work, jobs)
    by_file: dict[tuple[str, bool], list[list[list[float]]]] = {}
    for job, rows in zip(jobs, results, strict=True):
        by_file.setdefault((job.name, job.drifts), []).append(rows)
    found = {key: np.mean(files, axis=0) for key, files in by_file.items()}  # (orders, 2)
    report = [row(name, found) for name in players]
    if options.write:
        path = Path(__file__).parent / "results" / "drift.json"
        path.parent.mkdir(exist_ok=True)
        about = {"orders": options.orders, "tasks": options.tasks, "days_per_task": DAYS_PER_TASK}
        path.write_text(json.dumps({**about, "players": report}, indent=1) + "\n")


def row(name: str, found: dict[tuple[str, bool], Floats]) -> dict[str, Any]:
    """Prints and gives what was found of one player."""
    drift, still = found[name, True], found[name, False]
    apart = (drift - found["half-life none", True])[:, 1:]
    low, high = interval(apart, 0)
    first, second = drift.mean(axis=0).tolist()
    shown = {
        "name": name,
        "first half": first,
        "second half": second,
        "second / first": second / first,
        "second, above never forgetting": [float(apart.mean()), float(low[0]), float(high[0])],
        "first half, no drift": float(still[:, 0].mean()),
        "second half, no drift": float(still[:, 1].mean()),
    }
    print(
        f"{name:30} drift {first:+.3f} | {second:+.3f} ({second / first:.2f}), "
        f"above never {apart.mean():+.3f} [{low[0]:+.3f},{high[0]:+.3f}]; "
        f"no drift {still[:, 0].mean():+.3f} | {still[:, 1].mean():+.3f}",
        flush=True,
    )
    return shown


if __name__ == "__main__":
    main()

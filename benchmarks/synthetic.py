"""
Matrices of known outcomes that nobody measured, for what the real ones do not hold: laws known, outcomes drawn.

    python benchmarks/synthetic.py [--matrices N] [--write]        plays N of each kind, prints a table
    python benchmarks/synthetic.py --out DIR                        writes them as replay files, for `routerctl replay`

Kinds: `outlier` one arm far ahead of the rest · `equal` all arms alike · `clusters` a good half and a bad half · `odds`
success rises with price, so that what is best depends on what money is worth. A task belongs to one of six kinds, some
of which are harder for everyone. Priors are `right` (the true means with a little noise, prices off by a log-normal of
sd .7), `none`, `shuffled` or `flipped`. With `--write` the figures go to benchmarks/results/synthetic.json.
"""

import argparse
import json
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as in the daemon

import numpy as np
import numpy.typing as npt
from matrices import PRIORS, engine, using
from peers import PEERS, tabled

from routerd.config import Config
from routerd.matrix import Matrix, read
from routerd.replay import NewPlayer, interval, marks, score_orders

Floats = npt.NDArray[np.float64]

KINDS: Final = ("outlier", "equal", "clusters", "odds")
ARMS: Final = (4, 12, 50)
TASKS: Final = 1000
TASK_KINDS: Final = 6
WEIGHT: Final = 0.1
BESIDE: Final = ("epsilon-greedy 0.1, no features", "Beta-Thompson, no features")


def lines(kind: str, *, arms: int, tasks: int = TASKS, seed: int = 0) -> Iterator[bytes]:
    """The lines of a replay file, with right priors; the same for the same arguments."""
    rng = np.random.default_rng([seed, KINDS.index(kind), arms])
    mean, price = _law(kind, arms, rng)
    names = [f"m{i:02}" for i in range(arms)]
    yield _line(
        {
            "name": f"{kind}-{arms}",
            "source": f"benchmarks/synthetic.py, seed {seed}",
            "arms": {
                name: {
                    "dispatch": {"executor": "delegate", "provider": "made-up", "model": name},
                    "prior": {
                        "capability": round(float(np.clip(mean[i] + rng.normal(0.0, 0.03), 0.02, 0.98)), 4),
                        "cost_usd": round(float(price[i] * rng.lognormal(0.0, 0.7)), 6),
                    },
                }
                for i, name in enumerate(names)
            },
        }
    )
    harder = rng.normal(0.0, 0.12, TASK_KINDS)
    for _ in range(tasks):
        group = int(rng.integers(TASK_KINDS))
        won = rng.random(arms) < np.clip(mean - harder[group], 0.02, 0.98)
        cost = price * rng.lognormal(-0.125, 0.5, arms)
        outcomes = {
            name: {"succeeded": float(won[i]), "cost_usd": round(float(cost[i]), 6)} for i, name in enumerate(names)
        }
        yield _line({"task": {"goal": f"a task of group {group}", "kind": f"group-{group}"}, "outcomes": outcomes})


def _law(kind: str, arms: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Mean success and mean cost of each arm, in a random order."""
    shuffled = rng.permutation(arms)
    price = 0.02 * 100.0 ** rng.random(arms)
    if kind == "outlier":
        return np.where(shuffled == 0, 0.85, 0.5), price
    if kind == "equal":
        return np.full(arms, 0.6), price
    if kind == "clusters":
        return np.where(shuffled < arms / 2, 0.75, 0.45), price
    share = shuffled / (arms - 1)
    return 0.45 + 0.35 * share, 0.02 * 100.0**share


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value).encode() + b"\n"


def played(matrix: Matrix, seed: int) -> dict[str, Floats]:
    """Scores of the default policy by what it is told, and of two peers without features, in one order, (marks,)."""
    config, table = using(Config().policy.name), tabled(matrix, WEIGHT)
    players: dict[str, NewPlayer] = {
        **{f"priors {how}": engine(matrix, config, cost_weight=WEIGHT, priors=how) for how in PRIORS},
        **{name: partial(PEERS[name], table) for name in BESIDE},
    }
    return {
        name: next(score_orders(matrix, new, cost_weight=WEIGHT, orders=1, seed=seed, until=200))
        for name, new in players.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--matrices", type=int, default=10)
    parser.add_argument("--out", type=Path, help="write the files to this folder instead of playing them")
    parser.add_argument("--write", action="store_true", help="write benchmarks/results/synthetic.json")
    options = parser.parse_args()
    names = [name for name in marks(200) if name != "end"]
    results: dict[str, Any] = {}
    for kind in KINDS:
        for arms in ARMS:
            if options.out is not None:
                options.out.mkdir(parents=True, exist_ok=True)
                (options.out / f"{kind}-{arms}.jsonl").write_bytes(b"".join(lines(kind, arms=arms)))
                continue
            print(f"\n{kind}, {arms} arms" + "".join(f"{mark:>22}" for mark in names), flush=True)
            scores = [played(read(lines(kind, arms=arms, seed=seed)), seed) for seed in range(options.matrices)]
            for name in scores[0]:
                rows = np.array([one[name] for one in scores])
                mean, (low, high) = rows.mean(axis=0), interval(rows, 0)
                cells = [f"{mean[i]:+.3f} [{low[i]:+.2f},{high[i]:+.2f}]" for i in range(len(names))]
                print(f"{name:34}" + "".join(f"{cell:>22}" for cell in cells), flush=True)
                results.setdefault(f"{kind}-{arms}", {})[name] = dict(zip(names, mean.tolist(), strict=False))
    if options.write and results:
        path = Path(__file__).parent / "results" / "synthetic.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({"matrices": options.matrices, "scores": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()

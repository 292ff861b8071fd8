"""
What routerd's policies and other people's bandits earn on real outcomes, by `routerd.replay`, all in one run.

    pip install -e '.[bench]'
    [KEPT=DIR] python benchmarks/policies.py [--data DIR] [--quick] [--jobs N] [--write]

Three files of real outcomes (see benchmarks/README.md), the same random orders for everyone, scores as in CONTRACT §5:
0 is choosing at random, 1 knowing every outcome. Tables are means over the three files; intervals are 95 % by bootstrap
over the orders, files fixed. At cost weight 0.1 orders are played to the mark 1000, at the other weights to 200. The
engine is told the files' priors as they are, none, the scores flipped or shuffled (see `matrices.told`); peers know
none. Then: what exploring more costs with right priors against what it saves with flipped ones, and how often the
engine's 90 % intervals hold. With `--write` the figures go to benchmarks/results/policies.json.

It takes an hour or two. What was played is kept in the folder KEPT, so that another run goes on where one was stopped.
"""

import argparse
import importlib.util
import json
import os
import platform
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from hashlib import blake2b
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as in the daemon; and peers are measured on equal terms

import msgspec
import numpy as np
import numpy.typing as npt
from matrices import FILES, PRIORS, engine, load, using
from peers import MODULES, PEERS, TOLD, tabled

from routerd.config import Config
from routerd.matrix import Matrix
from routerd.replay import EnginePlayer, NewPlayer, best_fixed, interval, marks, play, score_orders

Floats = npt.NDArray[np.float64]

WEIGHT = 0.1
OTHER_WEIGHTS = (0.0, 0.3)
DEFAULT = Config().policy.name
BEST_FIXED = "best single arm, in hindsight"
FRONTIER = (0.0, 0.1, 0.15, 0.2, 0.25, 0.35, 0.5)
"""Values of `exploration`."""
TARGETS = {"50": 0.27, "200": 0.35, "1000": 0.40}
"""Of the default policy with right priors at cost weight 0.1."""
CALIBRATED_AT = 200


class Entry(msgspec.Struct, frozen=True):
    """One player: a peer by name, or a policy of ours with what it is told and its settings."""

    name: str
    policy: str | None = None
    priors: str = "right"
    settings: dict[str, float] = {}

    def player(self, matrix: Matrix, cost_weight: float) -> NewPlayer:
        """Gives a new player for each order."""
        if self.policy is not None:
            config = using(self.policy, **self.settings)
            return engine(matrix, config, cost_weight=cost_weight, priors=self.priors)
        if self.name == BEST_FIXED:
            fixed = best_fixed(matrix.rewards(cost_weight))
            return lambda _: fixed
        table = tabled(matrix, cost_weight)
        return lambda rng: PEERS[self.name](table, rng)


class Job(msgspec.Struct, frozen=True):
    """One player on one file at one cost weight."""

    entry: Entry
    file: str
    cost_weight: float
    orders: int
    until: int


MATRICES: dict[str, Matrix] = {}
KEPT = Path(os.environ["KEPT"]) if "KEPT" in os.environ else None


def begin(folder: Path | None) -> None:
    """Loads the files, once in each process."""
    MATRICES.update(load(folder))


def work(job: Job) -> list[list[float]]:
    """The scores of each order, by mark."""
    matrix = MATRICES[job.file]
    new = job.entry.player(matrix, job.cost_weight)
    found = score_orders(matrix, new, cost_weight=job.cost_weight, orders=job.orders, seed=0, until=job.until)
    return [row.tolist() for row in found]


def kept(job: Job) -> list[list[float]]:
    """The same, from the folder of an earlier run where it is there."""
    if KEPT is None:
        return work(job)
    path = KEPT / f"{blake2b(msgspec.json.encode(job), digest_size=12).hexdigest()}.json"
    if not path.exists():
        path.write_bytes(msgspec.json.encode(work(job)))
    return msgspec.json.decode(path.read_bytes(), type=list[list[float]])


def run(jobs: list[Job], processes: int, folder: Path | None) -> Iterator[Floats]:
    """The scores of each job, (orders, marks), in their order."""
    begun = time.perf_counter()
    if processes > 1:
        pool = ProcessPoolExecutor(processes, initializer=begin, initargs=(folder,))
        results: Iterator[list[list[float]]] = pool.map(kept, jobs)
    else:
        results = map(kept, jobs)
    for number, result in enumerate(results, start=1):
        print(f"\r{number} of {len(jobs)}, {time.perf_counter() - begun:.0f} s ", end="", file=sys.stderr, flush=True)
        yield np.array(result)
    print(file=sys.stderr)


def field(entries: Sequence[Entry], weight: float, orders: int, until: int) -> list[Job]:
    return [Job(entry, file, weight, orders, until) for entry in entries for file in FILES]


def ours(policy: str, priors: str) -> Entry:
    return Entry(f"{policy}, priors {priors}", policy, priors)


def entries(*, all_policies: bool) -> list[Entry]:
    """Who plays. `epsilon_greedy` and `ucb` of ours play at one cost weight only."""
    policies = ["ucb", "epsilon_greedy"] if all_policies else []
    return [
        *(ours(DEFAULT, priors) for priors in PRIORS),
        *(ours(policy, priors) for policy in policies for priors in ("right", "none", "flipped")),
        *(Entry(name) for name in PEERS),
        Entry(BEST_FIXED),
    ]


# --- what is found --------------------------------------------------------------------------------------------------


class Found(msgspec.Struct, frozen=True):
    """The scores at one cost weight: by player and file, (orders, marks)."""

    weight: float
    marks: list[str]
    by_file: dict[str, dict[str, Floats]]

    def mean(self, name: str) -> Floats:
        """Over the files, (orders, marks)."""
        mean: Floats = np.mean(list(self.by_file[name].values()), axis=0)
        return mean

    def at(self, name: str, mark: str) -> float:
        return float(self.mean(name)[:, self.marks.index(mark)].mean())

    def table(self) -> dict[str, dict[str, object]]:
        """As JSON: score and interval by mark, and by file."""
        found: dict[str, dict[str, object]] = {}
        for name, files in self.by_file.items():
            low, high = interval(self.mean(name), 0)
            found[name] = {
                "score": dict(zip(self.marks, self.mean(name).mean(axis=0).tolist(), strict=True)),
                "ci95": dict(zip(self.marks, np.transpose([low, high]).tolist(), strict=True)),
                "files": {
                    file: dict(zip(self.marks, rows.mean(axis=0).tolist(), strict=True)) for file, rows in files.items()
                },
            }
        return found


def gathered(jobs: list[Job], results: Iterator[Floats]) -> dict[float, Found]:
    found: dict[float, Found] = {}
    for job, rows in zip(jobs, results, strict=True):
        names = [name for name in marks(job.until) if name != "end"]
        one = found.setdefault(job.cost_weight, Found(job.cost_weight, names, {}))
        one.by_file.setdefault(job.entry.name, {})[job.file] = rows[:, : len(names)]
    return found


def show(found: Found) -> None:
    """Score and interval of each player, the best at the last mark first."""
    print(f"\ncost weight {found.weight:g}: mean of {len(FILES)} files [95 % over the orders]")
    print(f"{'':40}" + "".join(f"{mark:>20}" for mark in found.marks))
    for name in sorted(found.by_file, key=lambda name: -found.at(name, found.marks[-1])):
        low, high = interval(found.mean(name), 0)
        cells = (
            f"{score:+.3f} [{a:+.2f},{b:+.2f}]"
            for score, a, b in zip(found.mean(name).mean(axis=0), low, high, strict=True)
        )
        print(f"{name:40}" + "".join(f"{cell:>20}" for cell in cells))


def show_apart(found: Found) -> None:
    """The default with right priors less each peer, order by order."""
    print(f"\n{DEFAULT} with right priors, less each peer, order by order [95 %]")
    for name in PEERS:
        apart = found.mean(ours(DEFAULT, "right").name) - found.mean(name)
        low, high = interval(apart, 0)
        cells = (f"{mean:+.3f} [{a:+.2f},{b:+.2f}]" for mean, a, b in zip(apart.mean(axis=0), low, high, strict=True))
        print(f"{name:40}" + "".join(f"{cell:>20}" for cell in cells))


def targets(found: Found) -> list[tuple[str, bool]]:
    """What is aimed at, and whether it is reached; marks that were not played are left out."""
    right, none, flipped = (ours(DEFAULT, priors).name for priors in ("right", "none", "flipped"))
    lines: list[tuple[str, bool]] = []

    def best(names: Iterable[str], mark: str) -> tuple[float, str]:
        return max((found.at(name, mark), name) for name in names)

    for mark, least in TARGETS.items():
        if mark in found.marks:
            score = found.at(right, mark)
            lines.append((f"priors right at {mark}: {score:.3f}, aim {least:.2f}", score >= least))
            peer, name = best(PEERS, mark)
            lines.append((f"priors right at {mark}: {score:.3f}, best peer {peer:.3f} ({name})", score > peer))
    for mark in found.marks[1:]:
        score, (peer, name) = found.at(none, mark), best(PEERS.keys() - TOLD, mark)
        lines.append(
            (f"no priors at {mark}: {score:.3f}, best peer less .03 {peer - 0.03:.3f} ({name})", score >= peer - 0.03)
        )
    lines.append((f"priors flipped at 50: {found.at(flipped, '50'):.3f}, aim -0.05", found.at(flipped, "50") >= -0.05))
    if "500" in found.marks:
        score, beta = found.at(flipped, "500"), found.at("Beta-Thompson, no features", "500")
        lines.append((f"priors flipped at 500: {score:.3f}, Beta-Thompson {beta:.3f}", score > beta))
    return lines


# --- the frontier and the intervals ---------------------------------------------------------------------------------


def frontier(orders: int, processes: int, folder: Path | None) -> list[dict[str, float]]:
    """What exploring costs when the priors are right, and saves when they are flipped, at cost weight 0.1."""
    told = ("right", "none", "flipped")
    entries = [Entry(f"{one} {priors}", DEFAULT, priors, {"exploration": one}) for one in FRONTIER for priors in told]
    jobs = field(entries, WEIGHT, orders, 200)
    found = gathered(jobs, run(jobs, processes, folder))[WEIGHT]
    return [
        {"exploration": one}
        | {f"{priors} at {mark}": found.at(f"{one} {priors}", mark) for mark in ("50", "200") for priors in told}
        for one in FRONTIER
    ]


def coverage(priors: str, orders: int) -> dict[str, float]:
    """How often the 90 % interval of an arm's mean success holds its mean over the file, after 200 tasks, by file."""
    shares = {}
    for file, matrix in MATRICES.items():
        held: list[bool] = []
        made: list[EnginePlayer] = []
        build = engine(matrix, using(DEFAULT), cost_weight=WEIGHT, priors=priors)

        def new(rng: np.random.Generator) -> EnginePlayer:
            player = build(rng)  # noqa: B023 - used within this turn of the loop
            assert isinstance(player, EnginePlayer)
            made.append(player)  # noqa: B023
            return player

        for _ in play(matrix, new, orders=orders, seed=1, until=CALIBRATED_AT):
            player = made.pop()
            for view in player.engine.arms("default", None, player.now):
                low, high = view.posterior.success.low, view.posterior.success.high
                held.append(low <= matrix.succeeded[:, player.columns[view.arm]].mean() <= high)
        shares[file] = float(np.mean(held))
    return {**shares, "mean": float(np.mean(list(shares.values())))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of the three files")
    parser.add_argument("--orders", type=int, default=20)
    parser.add_argument("--quick", action="store_true", help="5 orders of 200 tasks, one cost weight")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--write", action="store_true", help="write benchmarks/results/policies.json")
    options = parser.parse_args()
    if missing := [name for name in MODULES if importlib.util.find_spec(name) is None]:
        sys.exit(f"{missing[0]} is not installed; pip install -e '.[bench]'")
    begin(options.data)
    orders = 5 if options.quick else options.orders
    jobs = field(entries(all_policies=True), WEIGHT, orders, 200 if options.quick else 1000)
    for weight in () if options.quick else OTHER_WEIGHTS:
        jobs += field(entries(all_policies=False), weight, orders, 200)
    found = gathered(jobs, run(jobs, options.jobs, options.data))
    for one in found.values():
        show(one)
    show_apart(found[WEIGHT])
    reached = targets(found[WEIGHT])
    print()
    for line, met in reached:
        print(f"{'reached' if met else 'MISSED '}  {line}")
    points = frontier(orders, options.jobs, options.data)
    print(f"\n{DEFAULT}: exploration; right, no and flipped priors at 50, at 200")
    for point in points:
        print("  ".join(f"{value:+.3f}" for value in point.values()))
    held = {priors: coverage(priors, orders) for priors in ("right", "none", "flipped")}
    print(f"\n90 % intervals of arms' mean success after {CALIBRATED_AT} tasks hold the file's mean, share:")
    for priors, shares in held.items():
        print(f"{priors:8}" + "".join(f"{file:>6} {share:.3f}" for file, share in shares.items()))
    if options.write:
        result = {
            "orders": orders,
            "about": {"python": platform.python_version(), "numpy": np.__version__, "machine": platform.machine()},
            "scores": {f"{weight:g}": one.table() for weight, one in found.items()},
            "targets": [{"what": line, "reached": met} for line, met in reached],
            "frontier": points,
            "coverage": held,
        }
        path = Path(__file__).parent / "results" / "policies.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()

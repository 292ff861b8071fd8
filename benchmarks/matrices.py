"""What the benchmarks of policies play: the shared files of known outcomes, and the priors told to the engine."""

import gzip
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from routerd.config import Config
from routerd.matrix import ArmPrior, Matrix, read
from routerd.replay import EnginePlayer, NewPlayer

FILES = {"ze": "zeroeval.jsonl.gz", "mp": "mmlu_pro.jsonl.gz", "pb": "paretobandit_k4.jsonl.gz"}
SHARED = Path(__file__).resolve().parents[2] / "shared" / "data" / "replay"  # beside the repository
PRIORS = ("right", "none", "flipped", "shuffled")
"""As the file has them; no word of any; the scores mirrored about their mean; the scores dealt out at random."""


def load(folder: Path | None) -> dict[str, Matrix]:
    """The three files from `folder`, else from $ROUTERD_REPLAY_DATA, else the shared folder; ends if there are none."""
    place = folder or Path(os.environ.get("ROUTERD_REPLAY_DATA", SHARED))
    missing = [name for name in FILES.values() if not (place / name).is_file()]
    if missing:
        sys.exit(f"{place}: there is no {missing[0]}; name the folder of the replay files with --data")
    found = {}
    for key, name in FILES.items():
        with gzip.open(place / name) as lines:
            found[key] = read(lines)
    return found


def told(matrix: Matrix, how: str, rng: np.random.Generator) -> list[ArmPrior]:
    """What the engine is told of each arm: one of `PRIORS`. Prices stay right, unless there is no prior at all."""
    known = [arm.prior for arm in matrix.arms.values()]
    if how == "right":
        return known
    if how == "none":
        return [ArmPrior() for _ in known]
    scored = [i for i, prior in enumerate(known) if prior.capability is not None]
    values = [_logit(known[i].capability or 0.0) for i in scored]
    if how == "flipped":
        values = [2.0 * float(np.mean(values)) - value for value in values]
    elif how == "shuffled":
        values = [values[i] for i in rng.permutation(len(values))]
    else:
        raise ValueError(f"{how}: priors are one of {', '.join(PRIORS)}")
    for i, value in zip(scored, values, strict=True):
        known[i] = msgspec.structs.replace(known[i], capability=1.0 / (1.0 + math.exp(-value)))
    return known


def engine(matrix: Matrix, config: Config, *, cost_weight: float, priors: str, days_per_task: float = 0.0) -> NewPlayer:
    """The engine as a player, told these priors; shuffled ones are dealt anew for each order."""

    def new(rng: np.random.Generator) -> EnginePlayer:
        dealt: Sequence[ArmPrior] = told(matrix, priors, rng)
        return EnginePlayer(matrix, config, cost_weight=cost_weight, rng=rng, priors=dealt, days_per_task=days_per_task)

    return new


def using(policy: str, **settings: float) -> Config:
    """The default configuration with this policy, and its settings changed."""
    config = Config()
    return msgspec.structs.replace(config, policy=msgspec.structs.replace(config.policy, name=policy, **settings))


def _logit(score: float) -> float:
    score = min(max(score, 0.01), 0.99)
    return math.log(score / (1.0 - score))

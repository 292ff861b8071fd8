"""
Thompson sampling, directed by information: draws from the joint belief say what each arm may lose, and what it teaches.

Thompson (1933) chooses an arm as often as it is the best of a draw. That goes on for long after the few hundred tasks
that a person has, most of all where many arms are nearly as good. So the same draws are asked for two more numbers
(Russo and Van Roy, Learning to optimize via information-directed sampling, 2018, the variance-based form): with a* the
best arm of a draw,

    Δ_a = E[max U] - E[U_a]                        regret
    v_a = Σ_b P(a* = b) (E[U_a | a* = b] - E[U_a])²     what the outcome of a would tell of which arm is the best

and the arms are mixed so that Δ / v^exploration is the least; one or two arms are enough for that. At exploration 1/2
this is theirs, Δ²/v; at 0 the best expected arm is certain. The floor keeps every harmless arm possible.

The engine draws the arm from these propensities: exact by construction.
"""

from collections.abc import Sequence
from itertools import combinations
from operator import mul

import numpy as np

from routerd.config import PolicyConfig
from routerd.policies.base import Belief, with_floor

_NOTHING = 1e-12
"""Regret and information below this are rounding."""


class ThompsonSampling:
    """See the head of this module."""

    name = "thompson_sampling"
    version = "2"
    learns = True

    def __init__(self, config: PolicyConfig) -> None:
        self._exploration = config.exploration

    def propensities(self, belief: Belief) -> list[float]:
        """See `PolicyLike.propensities`."""
        shares = [0.0] * len(belief.utility)
        for arm, share in mixture(*regret_and_information(belief), self._exploration):
            shares[arm] += share
        return with_floor(shares, belief)


def regret_and_information(belief: Belief) -> tuple[list[float], list[float]]:
    """Δ in US dollars and v in their square, of each of the K arms."""
    sums = belief.deviations @ belief.won.T  # (K, K): of the deviations of a where b is the best
    points = belief.won.shape[1]
    weights = np.array([1.0 / (points * max(points * share, 1.0)) for share in belief.wins], np.float32)
    information: list[float] = ((sums * sums) @ weights).tolist()
    best = sum(map(mul, belief.wins, belief.utility)) + float(sums.trace()) / points
    return [max(best - mean, _NOTHING) for mean in belief.utility], information


def mixture(regret: Sequence[float], information: Sequence[float], exploration: float) -> list[tuple[int, float]]:
    """
    The shares of at most two arms that make regret / information^exploration the least.

    Between two arms, i of less regret and j of more information, the ratio of q parts of j has one stationary point
    for an exploration e below 1: q = (e v' d - d' v) / ((1 - e) d' v'), with d, v of i and d', v' what j has more.
    """
    frontier: list[int] = []
    for arm in sorted(range(len(regret)), key=regret.__getitem__):
        if not frontier or information[arm] > information[frontier[-1]]:
            frontier.append(arm)

    def ratio(d: float, v: float) -> float:
        return float(d / max(v, _NOTHING) ** exploration)

    least, shares = min((ratio(regret[arm], information[arm]), [(arm, 1.0)]) for arm in frontier)
    for i, j in combinations(frontier, 2):
        d, v = regret[i], information[i]
        more_d, more_v = regret[j] - d, information[j] - v
        if exploration >= 1.0 or more_d <= 0.0:
            continue
        q = (exploration * more_v * d - more_d * v) / ((1.0 - exploration) * more_d * more_v)
        if 0.0 < q < 1.0 and (mixed := ratio(d + q * more_d, v + q * more_v)) < least:
            least, shares = mixed, [(i, 1.0 - q), (j, q)]
    return shares

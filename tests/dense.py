"""Belief by the long way: every outcome a row of one design over all effects of all arms, one solve, no blocks."""

import math
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from routerd.config import LearningConfig
from routerd.events import Contribution
from routerd.evidence import row_of
from routerd.features import DIM
from routerd.posterior import SHARED
from routerd.prior import PRIORS, Prior

Floats = npt.NDArray[np.float64]
DAY_S = 86_400.0


class Outcome(msgspec.Struct, frozen=True):
    """An outcome of one target: row of its arm, features, value, weight."""

    arm: int
    x: Floats
    y: float
    weight: float


class Dense:
    """
    The joint belief of one target.

    Args:
        outcomes: With their weights as they count now.
        attributes: z_a, (K, ATTRIBUTES).
        prior: Of this target.
    """

    def __init__(self, outcomes: list[Outcome], attributes: Floats, prior: Prior) -> None:
        self._attributes = attributes
        self._q = len(prior.arm_sd)
        X = np.array([self.row(one.arm, one.x) for one in outcomes])
        y = np.array([one.y for one in outcomes])
        w = np.array([one.weight for one in outcomes])
        tau = 1.0 / noise(outcomes, prior) ** 2
        prior_mean = np.zeros(X.shape[1])
        prior_mean[:SHARED] = prior.mean
        sds, log_p = [], []
        for factor, chance in prior.scales:
            sd = self._sd(prior, factor)
            V = (X * sd**2) @ X.T + np.diag(1.0 / (tau * w))
            left = y - X @ prior_mean
            log_p.append(math.log(chance) - 0.5 * np.linalg.slogdet(V)[1] - 0.5 * left @ np.linalg.solve(V, left))
            sds.append(math.log(factor))
        p = np.exp(np.array(log_p) - max(log_p))
        sd = self._sd(prior, math.exp(float(p @ sds) / p.sum()))
        precision = np.diag(sd**-2.0) + tau * (X.T * w) @ X
        self.cov: Floats = np.linalg.inv(precision)
        self.mean: Floats = self.cov @ (sd**-2.0 * prior_mean + tau * X.T @ (w * y))

    def _sd(self, prior: Prior, factor: float) -> Floats:
        arm_sd = prior.arm_sd.copy()
        arm_sd[0] *= factor
        return np.concatenate([prior.sd, *([arm_sd] * len(self._attributes))])

    def row(self, arm: int, x: Floats) -> Floats:
        """What multiplies the effects in f_arm(x)."""
        row = np.zeros(SHARED + len(self._attributes) * self._q)
        row[:DIM], row[DIM:SHARED] = x, self._attributes[arm]
        row[SHARED + arm * self._q : SHARED + (arm + 1) * self._q] = x[: self._q]
        return row

    def at(self, gradient: Floats) -> tuple[float, float]:
        """Mean and standard deviation of a linear function of the effects."""
        return float(gradient @ self.mean), math.sqrt(float(gradient @ self.cov @ gradient))


def noise(outcomes: list[Outcome], prior: Prior) -> float:
    """The spread of outcomes around their arm's mean, arm by arm; the prior's counts as 10 outcomes."""
    squares, freedom = 10.0 * prior.noise_sd**2, 10.0
    for arm in {one.arm for one in outcomes}:
        y = np.array([one.y for one in outcomes if one.arm == arm])
        w = np.array([one.weight for one in outcomes if one.arm == arm])
        squares += float(np.sum(w * (y - np.average(y, weights=w)) ** 2))
        freedom += max(float(w.sum()) - 1.0, 0.0)
    return math.sqrt(squares / freedom)


def dense(
    learnt: list[tuple[int, Contribution]], attributes: Floats, learning: LearningConfig, now: float
) -> list[Dense]:
    """Belief in the three targets from outcomes with the rows of their arms."""
    return [
        Dense(outcomes, attributes, prior)
        for outcomes, prior in zip(weighted(learnt, learning, now), PRIORS, strict=True)
    ]


def weighted(learnt: list[tuple[int, Contribution]], learning: LearningConfig, now: float) -> list[list[Outcome]]:
    """
    The outcomes of each target as they count now.

    An outcome counts half after the half-life, in whole spans; what others chose counts as `observed_max` at most.
    """
    span_s, half_life_s = learning.span_days * DAY_S, learning.half_life_days * DAY_S
    found: list[tuple[int, bool, Any, float]] = []
    for arm, contribution in learnt:
        age_s = max(now // span_s - contribution.at // span_s, 0.0) * span_s
        found.append((arm, contribution.own, row_of(contribution), 2.0 ** (-age_s / half_life_s)))
    targets = []
    for target in range(len(PRIORS)):
        others: dict[int, float] = {}
        for arm, own, row, decay in found:
            others[arm] = others.get(arm, 0.0) + (0.0 if own else decay * row.weights[target])
        outcomes = []
        for arm, own, row, decay in found:
            bound = 1.0 if own else min(1.0, learning.observed_max / max(others[arm], 1e-9))
            if weight := float(row.weights[target]) * decay * bound:
                outcomes.append(Outcome(arm, row.z[target, :DIM], float(row.z[target, DIM]), weight))
        targets.append(outcomes)
    return targets

"""
What a policy is: it says with which probability each arm is to be chosen. The engine draws the arm.

So the propensity that is logged is the one by which the arm was drawn, exactly, for every policy: later evaluation
needs no estimate of it.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Protocol

import msgspec
import numpy as np
import numpy.typing as npt

from routerd.config import PolicyConfig

Floats = npt.NDArray[np.float64]
Draws = npt.NDArray[np.float32]
"""Seven digits are enough of a random number, and take half the time."""

POINTS = 256
"""How many draws stand for a belief: shares are then multiples of 0.4 %."""
_ONES = np.ones(POINTS, np.float32)


class Belief(msgspec.Struct, frozen=True, kw_only=True):
    """
    What a policy sees of the K arms that may be chosen.

    Attributes:
        utility: Expected utility in US dollars.
        draws: Of the true utilities, from a narrowed belief (see `narrowed`), (K, N).
        wins: How often each arm is the best of them.
        harmless: Whether an arm is not expected to do worse than what would be used otherwise.
        floor: Probability to spread over those.
        incumbent: Row of what would be used otherwise, if it is among them.
    """

    utility: list[float]
    draws: Draws
    wins: list[float]
    harmless: list[bool]
    floor: float = 0.0
    incumbent: int | None = None


class PolicyLike(Protocol):
    """One way to choose."""

    name: str
    version: str
    """Of its arithmetic: it changes when the same belief would give other propensities."""
    learns: bool
    """Whether it looks at outcomes at all."""

    def __init__(self, config: PolicyConfig) -> None: ...

    def propensities(self, belief: Belief) -> list[float]:
        """The probability of each arm; together they are 1."""


class Points:
    """
    Standard normal points, symmetric about 0; the same ones for every decision.

    Laid through a belief they are its draws, so that the same belief gives the same propensities.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._half = np.empty((0, POINTS // 2), dtype=np.float32)
        self._points: dict[int, Draws] = {}

    def of(self, dimensions: int) -> Draws:
        """The points, (dimensions, POINTS); more dimensions leave the first ones as they were."""
        if len(self._half) < dimensions:
            more = self._rng.standard_normal((dimensions - len(self._half), POINTS // 2))
            self._half = np.concatenate([self._half, more.astype(np.float32)])
        if dimensions not in self._points:
            half = self._half[:dimensions]
            self._points[dimensions] = np.concatenate([half, -half], axis=1)
        return self._points[dimensions]


def narrowed(
    utility: Sequence[float],
    joint: Floats,
    owners: int,
    points: Points,
    config: PolicyConfig,
    *,
    outcomes: float = 0.0,
    scale: float = 1.0,
) -> Draws:
    """
    Draws of the true utilities from a narrowed belief and, beside them, from belief as wide as it is, (2, K, N).

    Args:
        utility: Means, in US dollars, K of them.
        joint: What is in doubt, as in `posterior.Predicted`, (K, p + owners).
        owners: How many of its last columns are an arm's own.
        points: Laid through belief.
        config: How far to narrow.
        outcomes: How many have been judged, in all.
        scale: US dollars for one unit of what `joint` gives.

    Textbook sampling draws from belief as wide as it is, and goes on exploring long after the few hundred tasks that a
    person has. How far to narrow it is not the same for all doubt. Whether a score or a price tells anything is learnt
    from every outcome of every arm, and a prior that misleads must be found out: `exploration_shared`. What is an
    arm's own takes outcomes of that arm alone, which are dear: `exploration`. That pays back over the tasks to come;
    who has had n of them will have about n more, so it grows with the root of n, to 1 at most.
    """
    own = min(1.0, config.exploration * math.sqrt(1.0 + outcomes / config.exploration_outcomes))
    columns = joint.shape[1]
    widths = _widths(columns - owners, owners, config.exploration_shared, own, scale)
    draws: Draws = (widths * joint.astype(np.float32)) @ points.of(columns)
    draws += np.array(utility, np.float32)[:, None]
    return draws


@lru_cache(maxsize=64)
def _widths(shared: int, owners: int, shared_width: float, own_width: float, scale: float) -> Draws:
    """What multiplies the columns of `joint`, narrowed and not, (2, 1, shared + owners)."""
    widths = np.full((2, 1, shared + owners), scale, np.float32)
    widths[0, :, :shared] *= shared_width
    widths[0, :, shared:] *= own_width
    return widths


def best_shares(draws: Draws) -> list[list[float]]:
    """How often each arm is the best of N draws, for several beliefs, (B, K, N)."""
    won = (draws == draws.max(axis=1, keepdims=True)).astype(np.float32)
    counts: list[list[float]] = np.dot(won, _ONES[: draws.shape[2]]).tolist()
    return [[count / total for count in one] for one, total in zip(counts, map(sum, counts), strict=True)]


def certain(row: int, arms: int) -> list[float]:
    """All probability on one arm."""
    p = [0.0] * arms
    p[row] = 1.0
    return p


def with_floor(p: list[float], belief: Belief) -> list[float]:
    """Propensities of which the floor is taken and spread evenly over the arms that may be tried without harm."""
    each, rest = belief.floor / sum(belief.harmless), 1.0 - belief.floor
    return [rest * share + each * harmless for share, harmless in zip(p, belief.harmless, strict=True)]

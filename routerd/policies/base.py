"""
What a policy is: it says with which probability each arm is to be chosen. The engine draws the arm.

So the propensity that is logged is the one by which the arm was drawn, exactly, for every policy: later evaluation
needs no estimate of it.
"""

import math
from typing import Protocol

import msgspec
import numpy as np
import numpy.typing as npt

from routerd.config import PolicyConfig

Floats = npt.NDArray[np.float64]
Draws = npt.NDArray[np.float32]
"""Seven digits are enough of a random number, and take half the time."""
Bools = npt.NDArray[np.bool_]

POINTS = 256
"""How many draws stand for a belief: shares are then multiples of 0.4 %."""


class Belief(msgspec.Struct, frozen=True, kw_only=True):
    """
    What a policy sees of the K arms that may be chosen.

    Attributes:
        utility: Expected utility in US dollars, (K,).
        draws: Of the true utilities, from a narrowed belief (see `narrowed`), (K, N).
        wins: How often each arm is the best of them, (K,).
        harmless: Arms that are not expected to do worse than what would be used otherwise, (K,).
        floor: Probability to spread over those.
        incumbent: Row of what would be used otherwise, if it is among them.
    """

    utility: Floats
    draws: Draws
    wins: Floats
    harmless: Bools
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

    def propensities(self, belief: Belief) -> Floats:
        """The probability of each arm, (K,), summing to 1."""


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


def narrowed(utility: Floats, shared: Draws, own: Draws, config: PolicyConfig, outcomes: float = 0.0) -> Draws:
    """
    Draws of the true utilities from a narrowed belief and, beside them, from belief as wide as it is, (2, K, N).

    Args:
        utility: Means, (K,).
        shared: Draws around the means of what the utilities owe to effects that arms share, (K, N).
        own: Draws of what is an arm's own, likewise and independent.
        config: How far to narrow.
        outcomes: How many have been judged, in all.

    Textbook sampling draws from belief as wide as it is, and goes on exploring long after the few hundred tasks that a
    person has. How far to narrow it is not the same for all doubt. Whether a score or a price tells anything is learnt
    from every outcome of every arm, and a prior that misleads must be found out: `exploration_shared`. What is an
    arm's own takes outcomes of that arm alone, which are dear: `exploration`. That pays back over the tasks to come;
    who has had n of them will have about n more, so it grows with the root of n, to 1 at most.
    """
    own_width = min(1.0, config.exploration * math.sqrt(1.0 + outcomes / config.exploration_outcomes))
    draws = np.empty((2, *shared.shape), dtype=np.float32)
    np.multiply(own, np.float32(own_width), out=draws[0])
    draws[0] += shared * np.float32(config.exploration_shared)
    np.add(own, shared, out=draws[1])
    draws += utility.astype(np.float32)[:, None]
    return draws


def best_shares(draws: Draws) -> Floats:
    """How often each arm is the best of N draws, (…, K, N); (…, K), summing to 1."""
    won = (draws == draws.max(axis=-2, keepdims=True)).sum(axis=-1)
    shares: Floats = won / won.sum(axis=-1, keepdims=True)
    return shares


def certain(row: int, arms: int) -> Floats:
    """All probability on one arm."""
    p = np.zeros(arms)
    p[row] = 1.0
    return p


def with_floor(p: Floats, belief: Belief) -> Floats:
    """Propensities of which the floor is taken and spread evenly over the arms that may be tried without harm."""
    if belief.floor == 0.0:
        return p
    spread: Floats = belief.harmless * (belief.floor / np.count_nonzero(belief.harmless))
    spread += (1.0 - belief.floor) * p
    return spread

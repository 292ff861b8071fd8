"""
What a policy is: it says with which probability each arm is to be chosen. The engine draws the arm.

So the propensity that is logged is the one by which the arm was drawn, exactly, for every policy: later evaluation
needs no estimate of it.
"""

from collections.abc import Sequence
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
OUTCOMES_HALFWAY = 1000.0
"""After so many outcomes three quarters of the doubt about what is an arm's own are explored; found on replays (see
benchmarks/README.md)."""
_ONES = np.ones(POINTS, np.float32)


class Belief(msgspec.Struct, frozen=True, kw_only=True):
    """
    What a policy sees of the K arms that may be chosen.

    Attributes:
        utility: Expected utility in US dollars.
        deviations: How far from it the true utilities are in N draws from the narrowed belief (see `drawn`), (K, N).
        won: Whether an arm is the best in a draw, 1 or 0, (K, N).
        wins: How often each is: the chance to be the best of them.
        harmless: Whether an arm is not expected to do worse than what would be used otherwise.
        floor: Probability to spread over those.
        incumbent: Row of what would be used otherwise, if it is among them.
    """

    utility: list[float]
    deviations: Draws
    won: Draws
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


def own_explored(outcomes: float) -> float:
    """
    The part of the doubt about what is an arm's own that is explored after an effective number of outcomes.

    It takes outcomes of that arm alone to settle: more than the first few hundred tasks pay for. Nobody knows how many
    tasks are to come, but where there were many, there will be many, and so what is found out will be of use for long.
    """
    return 0.5 + 0.5 * outcomes / (outcomes + OUTCOMES_HALFWAY)


def drawn(shared: Floats, own: Floats, points: Points, *, explored: float, scale: float = 1.0) -> Draws:
    """
    How far the true utilities are from what is expected, N draws from a narrowed belief and from the whole, (2, K, N).

    Args:
        shared: H, (K, p), and
        own: what is each arm's own, (K,): their covariance is H Hᵀ + diag(own) (see `posterior.Predicted`).
        points: Laid through it.
        explored: To what part what is an arm's own is narrowed (see `own_explored`). What arms share is not: whether a
            score or a price tells anything is learnt from every outcome of every arm, and one that misleads must be
            found out.
        scale: Multiplies the deviations.
    """
    arms, p = shared.shape
    normal = points.of(p + arms)
    deviations: Draws = np.empty((2, arms, POINTS), np.float32)
    narrowed, whole = deviations
    np.matmul(np.multiply(shared, scale, dtype=np.float32), normal[:p], out=whole)
    apart = np.multiply(np.sqrt(own), scale, dtype=np.float32)[:, None] * normal[p:]
    np.add(whole, np.float32(explored) * apart, out=narrowed)
    whole += apart
    return deviations


def winners(utility: Sequence[float], deviations: Draws) -> tuple[Draws, list[list[float]]]:
    """For each of B beliefs: the best arm of each draw, (B, K, N) of 1 and 0, and how often each is; equals share."""
    draws = deviations + np.array(utility, np.float32)[:, None]
    won = (draws == np.maximum.reduce(draws, axis=1, keepdims=True)).astype(np.float32)
    counts: list[list[float]] = np.dot(won, _ONES[: draws.shape[2]]).tolist()
    return won, [[count / total for count in one] for one, total in zip(counts, map(sum, counts), strict=True)]


def certain(row: int, arms: int) -> list[float]:
    """All probability on one arm."""
    p = [0.0] * arms
    p[row] = 1.0
    return p


def with_floor(p: list[float], belief: Belief) -> list[float]:
    """Propensities of which the floor is taken and spread evenly over the arms that may be tried without harm."""
    each, rest = belief.floor / sum(belief.harmless), 1.0 - belief.floor
    return [rest * share + each * harmless for share, harmless in zip(p, belief.harmless, strict=True)]

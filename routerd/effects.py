"""
What belief says of many tasks at once: sums over tasks and differences between arms, with their joint doubt.

Of a target, f_a(x) = (x, z_a)·ψ + v·φ_a is linear in the effects (ψ, φ_1 … φ_K), which are jointly Gaussian (see
`posterior`). So a weighted sum of f over tasks and arms is a gradient in the effects, its mean the gradient times their
means, and its variance the gradient's length under their covariance: what two arms or two tasks owe to the same effect
cancels, or adds up, as it should. With c_a = D_a⁻¹h_a and φ_a = c_a - G_aᵀψ + noise of covariance D_a⁻¹,

    var(g) = | Rᵀ (g_ψ - Σ_a G_a g_a) |² + Σ_a g_aᵀ D_a⁻¹ g_a,   R Rᵀ = cov(ψ)

Time and cost are linear in their logarithm. A ratio of sums of them follows by the delta method: its logarithm is taken
to be normal around its value at the mean of the effects, with the variance of its gradient there (Oehlert 1992). That
value is a median; like everywhere in routerd, doubt about the mean widens the interval and does not move it.
"""

import math
from collections.abc import Mapping
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from routerd.evidence import TARGETS
from routerd.features import DIM
from routerd.posterior import Solved, solve
from routerd.prior import PRIORS
from routerd.reward import LN10, Z90, normal_cdf

Floats = npt.NDArray[np.float64]

SUCCESS: Final = TARGETS.index("success")
WALL_TIME: Final = TARGETS.index("wall_time")
COST: Final = TARGETS.index("cost")


class Interval(msgspec.Struct, frozen=True):
    """A figure with its 90 % interval."""

    mean: float
    low: float
    high: float


class Linear(msgspec.Struct, frozen=True):
    """A linear function of the effects of one target: its gradient by ψ, (p,), and by every φ_a, (K, q)."""

    shared: Floats
    arms: Floats

    def __add__(self, other: "Linear") -> "Linear":
        return Linear(self.shared + other.shared, self.arms + other.arms)

    def __sub__(self, other: "Linear") -> "Linear":
        return Linear(self.shared - other.shared, self.arms - other.arms)

    def __rmul__(self, factor: float) -> "Linear":
        return Linear(factor * self.shared, factor * self.arms)


class Effects:
    """
    The effects of one target as they are believed.

    Args:
        solved: As `posterior.solve` gives it.
        rows: Row of each arm.
        attributes: z_a, (K, ATTRIBUTES).
    """

    def __init__(self, solved: Solved, rows: Mapping[str, int], attributes: Floats) -> None:
        self._solved = solved
        self._rows = rows
        self._attributes = attributes

    def expected(self, arm: str, x: Floats) -> Floats:
        """The mean of f on each of n tasks, (n,), with features `x`, (n, DIM)."""
        row, solved = self._rows[arm], self._solved
        q = solved.arms.shape[1]
        shared = x @ solved.shared[:DIM] + float(self._attributes[row] @ solved.shared[DIM:])
        total: Floats = shared + x[:, :q] @ solved.arms[row]
        return total

    def summed(self, arm: str, x: Floats, weight: Floats) -> Linear:
        """Σ_i weight_i f_arm(x_i) as a function of the effects; `weight` is (n,)."""
        row, total = self._rows[arm], float(weight.sum())
        features = weight @ x
        arms = np.zeros_like(self._solved.arms)
        arms[row] = features[: arms.shape[1]]
        return Linear(np.concatenate([features, total * self._attributes[row]]), arms)

    def mean(self, what: Linear) -> float:
        """Its expected value."""
        return float(what.shared @ self._solved.shared + np.sum(what.arms * self._solved.arms))

    def sd(self, what: Linear) -> float:
        """Its standard deviation."""
        solved = self._solved
        through = what.shared - np.einsum("kpq,kq->p", solved.gain, what.arms)
        own = float(np.einsum("kq,kqr,kr->", what.arms, solved.own, what.arms))
        return math.sqrt(float(np.sum((solved.root.T @ through) ** 2)) + max(own, 0.0))

    def interval(self, what: Linear) -> Interval:
        """Mean and 90 % interval."""
        mean, half = self.mean(what), Z90 * self.sd(what)
        return Interval(mean, mean - half, mean + half)

    def chance_below(self, what: Linear, bound: float) -> float:
        """P(what < bound)."""
        return normal_cdf((bound - self.mean(what)) / max(self.sd(what), 1e-12))


def effects(moments: Floats, attributes: Floats, arms: list[str]) -> tuple[Effects, ...]:
    """
    The effects of the three targets.

    Args:
        moments: (K, 3, WIDTH, WIDTH), as the engine's `sums` gives them.
        attributes: z_a, (K, ATTRIBUTES).
        arms: Their ids, by row.
    """
    rows = {arm: row for row, arm in enumerate(arms)}
    return tuple(
        Effects(solve(moments[:, target], attributes, prior), rows, attributes) for target, prior in enumerate(PRIORS)
    )


class Moved(msgspec.Struct, frozen=True):
    """
    What tasks would take on another arm than they did, for time or cost.

    Attributes:
        amount: What they took, Σ c_i.
        ratio: What they would have taken, over that: Σ c_i r_i / Σ c_i with r_i = 10^(f_other(x_i) - f_ran(x_i)).
        gradient: Of the ratio's logarithm.
        sd: Of the ratio's logarithm.
    """

    amount: float
    ratio: float
    gradient: Linear
    sd: float

    @property
    def saved(self) -> Interval:
        """Σ c_i less what they would have taken, in the unit of the amount."""
        spread = math.exp(Z90 * self.sd)
        return Interval(
            self.amount * (1.0 - self.ratio),
            self.amount * (1.0 - self.ratio * spread),
            self.amount * (1.0 - self.ratio / spread),
        )

    @property
    def faster(self) -> Interval:
        """How many times less the other arm takes."""
        spread = math.exp(Z90 * self.sd)
        return Interval(1.0 / self.ratio, 1.0 / (self.ratio * spread), spread / self.ratio)


def moved(target: Effects, ran: str, other: str, x: Floats, took: Floats) -> Moved:
    """
    What n tasks that ran on one arm would have taken on another.

    Args:
        target: Effects of time or cost.
        ran: The arm that they ran on.
        other: The other arm.
        x: Their features, (n, DIM).
        took: What each took, (n,); not all 0.

    What was spent is known; of the other arm only how much more or less it takes of a task like this. What the two
    owe to the same, the hardness of the task and the noise of outcomes, cancels in the ratio.
    """
    r = np.exp(LN10 * (target.expected(other, x) - target.expected(ran, x)))
    would = took * r
    share = LN10 * would / would.sum()
    gradient = target.summed(other, x, share) - target.summed(ran, x, share)
    return Moved(float(took.sum()), float(would.sum() / took.sum()), gradient, target.sd(gradient))


def saved_in_all(target: Effects, parts: list[Moved], sign: float = 1.0) -> Interval:
    """
    Σ of what parts save (or with `sign` -1 lose), by the delta method: parts rest on the same effects.

    Raises:
        ValueError: There are no parts.
    """
    if not parts:
        raise ValueError("nothing to add up")
    first, *others = (part.amount * part.ratio * part.gradient for part in parts)
    gradient = sum(others, first)
    mean = sign * sum(part.amount * (1.0 - part.ratio) for part in parts)
    half = Z90 * target.sd(gradient)
    return Interval(mean, mean - half, mean + half)

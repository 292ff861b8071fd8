"""
What an outcome is worth, in US dollars: success, less the time that it took, less the money that it cost.

    U = success_usd · P(success) - hour_usd · E[hours] - money · E[US$]

The objective shifts what is dear: `fast` multiplies the hour, `cheap` the money, `best` the success, each by the
configured `emphasis`. Time and cost are log-normal, so their expectations are above their medians.
"""

import math
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from routerd.config import ObjectiveConfig
from routerd.events import Estimate, Objective
from routerd.evidence import COST_UNIT_USD, WALL_TIME_UNIT_MS

Floats = npt.NDArray[np.float64]

LN10: Final = math.log(10.0)
MS_PER_HOUR: Final = 3_600_000.0
Z90: Final = 1.6448536269514722
"""Of a normal distribution, 90 % lie within so many standard deviations."""


class Worth(msgspec.Struct, frozen=True, kw_only=True):
    """
    Prices of what matters.

    Attributes:
        success_usd: Of one success.
        hour_usd: Of one hour of wall time.
        money: Of one dollar spent; 1 unless the objective says otherwise.
        cost_usd_max: What is spent beyond this counts no more; replays need it, whose reward is capped.
        hours_max: The same of time.
    """

    success_usd: float
    hour_usd: float
    money: float = 1.0
    cost_usd_max: float | None = None
    hours_max: float | None = None


def worth(config: ObjectiveConfig, objective: Objective | None) -> Worth:
    """The prices under an objective; the configured one where a request names none."""
    name = objective or config.default
    return Worth(
        success_usd=config.success_usd * (config.emphasis if name == "best" else 1.0),
        hour_usd=config.hour_usd * (config.emphasis if name == "fast" else 1.0),
        money=config.emphasis if name == "cheap" else 1.0,
    )


def utility(prices: Worth, success: Floats, wall_time: Floats, cost: Floats, noise_sd: Floats) -> Floats:
    """
    Expected utility of each arm in US dollars, shape (K,).

    Args:
        prices: What things are worth.
        success: Expected success, (K,).
        wall_time: Mean of log10 wall time in the unit of `evidence`, (K,).
        cost: Mean of log10 cost, likewise.
        noise_sd: Of one outcome, for the three targets, (3,).

    An arm is not charged for what we do not know of it: the noise of outcomes widens an expectation, doubt about
    their mean does not. Otherwise whatever is new would look dear and never be tried.
    """
    total = prices.success_usd * success
    if prices.hour_usd > 0.0:
        unit = WALL_TIME_UNIT_MS / MS_PER_HOUR
        total = total - prices.hour_usd * expectation(wall_time, noise_sd[1], unit, prices.hours_max)
    if prices.money > 0.0:
        total = total - prices.money * expectation(cost, noise_sd[2], COST_UNIT_USD, prices.cost_usd_max)
    return total


def expectation(mean: Floats, sd: float, unit: float, most: float | None = None) -> Floats:
    """
    E[min(v, most)] where log10(v / unit) is normal with `mean`, (K,), and `sd`.

    For ln v ~ N(m, s²): E[min(v, c)] = exp(m + s²/2) Φ((ln c - m - s²) / s) + c (1 - Φ((ln c - m) / s)), the formula of
    a capped log-normal loss (Klugman, Panjer and Willmot, Loss Models, appendix A.5.1.1).
    """
    m, s = mean * LN10 + math.log(unit), sd * LN10
    whole: Floats = np.exp(m + s * s / 2.0)
    if most is None:
        return whole
    at = math.log(most)
    below: Floats = np.array([normal_cdf((at - value - s * s) / s) for value in m])
    above: Floats = np.array([1.0 - normal_cdf((at - value) / s) for value in m])
    return whole * below + most * above


def success_estimates(mean: Floats, sd: Floats, n: Floats) -> list[Estimate]:
    """Estimates of a probability of success, within [0, 1]."""
    rows = np.stack([mean, mean - Z90 * sd, mean + Z90 * sd]).clip(0.0, 1.0).tolist()
    return [Estimate(m, low, high, k) for m, low, high, k in zip(*rows, n.tolist(), strict=True)]


def scale_estimates(mean: Floats, sd: Floats, noise_sd: float, unit: float, n: Floats) -> list[Estimate]:
    """
    Estimates on the natural scale of something log-normal: the expected value and its 90 % credible interval.

    The interval is that of the expected value, not of one outcome; `unit` is the value of 10^0.
    """
    s = noise_sd * LN10
    centre = mean * LN10 + (math.log(unit) + s * s / 2.0)
    spread = Z90 * LN10 * sd
    rows = np.exp(np.stack([centre, centre - spread, centre + spread])).tolist()
    return [Estimate(m, low, high, k) for m, low, high, k in zip(*rows, n.tolist(), strict=True)]


def normal_cdf(z: float) -> float:
    """Φ(z)."""
    return 0.5 * math.erfc(-z / math.sqrt(2.0))

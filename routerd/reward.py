"""
What an outcome is worth, in US dollars: success, less the time that it took, less the money that it cost.

    U = success_usd · P(success) - hour_usd · E[hours] - money · E[US$]

The objective shifts what is dear: `fast` multiplies the hour, `cheap` the money, `best` the success, each by the
configured `emphasis`. Time and cost are log-normal, so their expectations are above their medians.
"""

import math
from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from routerd.config import ObjectiveConfig
from routerd.events import Estimate, Expected, Objective
from routerd.evidence import COST_UNIT_USD, WALL_TIME_UNIT_MS
from routerd.posterior import Predicted

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


def levels(noise_sd: Floats) -> tuple[float, float]:
    """
    Expected time and cost where the mean of their log10 is 0, as ln; `noise_sd` is that of one outcome, (3,).

    The mean of a log-normal is above its median, by the noise of outcomes; doubt about the mean itself widens the
    interval alone. Otherwise whatever is new would look dear and never be tried.
    """
    wall_time, cost = (0.5 * (LN10 * noise_sd[1:]) ** 2).tolist()
    return math.log(WALL_TIME_UNIT_MS) + wall_time, math.log(COST_UNIT_USD) + cost


class Means(msgspec.Struct, frozen=True):
    """What is expected of each arm: a probability that may lie a little outside [0, 1], milliseconds, US dollars."""

    success: list[float]
    wall_time_ms: list[float]
    cost_usd: list[float]


def means(predicted: Predicted, level: tuple[float, float]) -> Means:
    """Belief on natural scales; `level` as from `levels`."""
    success, *scales = predicted.mean
    wall_time_ms, cost_usd = ([math.exp(LN10 * x + at) for x in scale] for scale, at in zip(scales, level, strict=True))
    return Means(success, wall_time_ms, cost_usd)


def estimates(predicted: Predicted, expected: Means) -> list[Expected]:
    """
    What is believed of each arm, with its 90 % credible interval.

    The intervals are of the expected values, not of one outcome; a probability is shown within [0, 1].
    """
    sds, n = [list(map(math.sqrt, each)) for each in predicted.variance], predicted.n
    return list(
        map(
            Expected,
            map(_probability, expected.success, sds[0], n[0]),
            map(_amount, expected.wall_time_ms, sds[1], n[1]),
            map(_amount, expected.cost_usd, sds[2], n[2]),
        )
    )


def _probability(mean: float, sd: float, n: float) -> Estimate:
    half = Z90 * sd
    return Estimate(_bounded(mean), _bounded(mean - half), _bounded(mean + half), n)


def _bounded(p: float) -> float:
    return 0.0 if p < 0.0 else min(p, 1.0)


def _amount(mean: float, sd: float, n: float) -> Estimate:
    factor = math.exp(LN10 * Z90 * sd)
    return Estimate(mean, mean / factor, mean * factor, n)


def utility(prices: Worth, predicted: Predicted, expected: Means, noise_sd: Floats) -> list[float]:
    """Expected utility of each arm in US dollars."""
    hours, cost_usd = [ms / MS_PER_HOUR for ms in expected.wall_time_ms], expected.cost_usd
    if prices.hours_max is not None:
        hours = capped(predicted.mean[1], noise_sd[1], WALL_TIME_UNIT_MS / MS_PER_HOUR, prices.hours_max)
    if prices.cost_usd_max is not None:
        cost_usd = capped(predicted.mean[2], noise_sd[2], COST_UNIT_USD, prices.cost_usd_max)
    success_usd, hour_usd, money = prices.success_usd, prices.hour_usd, prices.money
    each = zip(expected.success, hours, cost_usd, strict=True)
    return [success_usd * p - hour_usd * h - money * c for p, h, c in each]


def capped(mean: Sequence[float], sd: float, unit: float, most: float) -> list[float]:
    """
    E[min(v, most)] where log10(v / unit) is normal with `mean` and `sd`.

    For ln v ~ N(m, s²): E[min(v, c)] = exp(m + s²/2) Φ((ln c - m - s²) / s) + c (1 - Φ((ln c - m) / s)), the limited
    expected value of a log-normal (Klugman, Panjer and Willmot, Loss Models, appendix A).
    """
    s, at = sd * LN10, math.log(most)
    values = []
    for m in [one * LN10 + math.log(unit) for one in mean]:
        below = math.exp(m + s * s / 2.0) * normal_cdf((at - m - s * s) / s)
        values.append(below + most * (1.0 - normal_cdf((at - m) / s)))
    return values


def normal_cdf(z: float) -> float:
    """Φ(z)."""
    return 0.5 * math.erfc(-z / math.sqrt(2.0))

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
from routerd.events import Estimate, Expected, Objective
from routerd.evidence import COST_UNIT_USD, WALL_TIME_UNIT_MS
from routerd.posterior import Predicted

Floats = npt.NDArray[np.float64]

LN10: Final = math.log(10.0)
MS_PER_HOUR: Final = 3_600_000.0
LOG_UNITS: Final[Floats] = np.log([[WALL_TIME_UNIT_MS], [COST_UNIT_USD]])
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


class Natural(msgspec.Struct, frozen=True):
    """
    Expected values on their natural scales, for the 3 targets and K arms: probability, milliseconds, US dollars.

    Attributes:
        mean: (3, K).
        low: Where their 90 % credible intervals begin. The interval is that of the expected value, not of one outcome.
        high: Where they end.
    """

    mean: Floats
    low: Floats
    high: Floats


def natural(predicted: Predicted, noise_sd: Floats) -> Natural:
    """
    What is believed, on natural scales.

    Args:
        predicted: Success, and log10 of time and cost.
        noise_sd: Of one outcome, for the three targets, (3,).

    The mean of a log-normal is above its median, by the noise of outcomes; doubt about the mean itself widens the
    interval alone. Otherwise whatever is new would look dear and never be tried.
    """
    scale = LN10 * noise_sd[1:, None]
    centre = predicted.mean.copy()
    spread = Z90 * predicted.sd
    centre[1:] = LN10 * centre[1:] + (LOG_UNITS + scale * scale / 2.0)
    spread[1:] *= LN10
    rows = np.array([centre, centre - spread, centre + spread])
    np.exp(rows[:, 1:], out=rows[:, 1:])
    return Natural(rows[0], *rows[1:, :, :])


def estimates(shown: Natural, n: Floats) -> list[Expected]:
    """The same as values, one for each arm; a probability is shown within [0, 1]. `n` is (3, K)."""
    rows = np.array([shown.mean, shown.low, shown.high, n])
    np.clip(rows[:3, 0], 0.0, 1.0, out=rows[:3, 0])
    return [
        Expected(Estimate(*success), Estimate(*wall_time), Estimate(*cost))
        for success, wall_time, cost in rows.transpose(2, 1, 0).tolist()
    ]


def utility(prices: Worth, predicted: Predicted, shown: Natural, noise_sd: Floats) -> Floats:
    """Expected utility of each arm in US dollars, (K,)."""
    hours, cost_usd = shown.mean[1] / MS_PER_HOUR, shown.mean[2]
    if prices.hours_max is not None:
        hours = capped(predicted.mean[1], noise_sd[1], WALL_TIME_UNIT_MS / MS_PER_HOUR, prices.hours_max)
    if prices.cost_usd_max is not None:
        cost_usd = capped(predicted.mean[2], noise_sd[2], COST_UNIT_USD, prices.cost_usd_max)
    total: Floats = prices.success_usd * shown.mean[0] - prices.hour_usd * hours - prices.money * cost_usd
    return total


def capped(mean: Floats, sd: float, unit: float, most: float) -> Floats:
    """
    E[min(v, most)] where log10(v / unit) is normal with `mean`, (K,), and `sd`.

    For ln v ~ N(m, s²): E[min(v, c)] = exp(m + s²/2) Φ((ln c - m - s²) / s) + c (1 - Φ((ln c - m) / s)), the limited
    expected value of a log-normal (Klugman, Panjer and Willmot, Loss Models, appendix A).
    """
    s, at = sd * LN10, math.log(most)
    values = []
    for m in (mean * LN10 + math.log(unit)).tolist():
        below = math.exp(m + s * s / 2.0) * normal_cdf((at - m - s * s) / s)
        values.append(below + most * (1.0 - normal_cdf((at - m) / s)))
    return np.array(values)


def normal_cdf(z: float) -> float:
    """Φ(z)."""
    return 0.5 * math.erfc(-z / math.sqrt(2.0))

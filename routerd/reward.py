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
BOUNDS: Final[Floats] = np.array([0.0, -Z90, Z90])


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
        rows: The mean, and where its 90 % credible interval begins and ends, (3, 3, K). The interval is that of the
            expected value, not of one outcome.
    """

    rows: Floats

    @property
    def mean(self) -> Floats:
        """(3, K)."""
        mean: Floats = self.rows[0]
        return mean


def natural(predicted: Predicted, noise_sd: Floats) -> Natural:
    """
    What is believed, on natural scales.

    Args:
        predicted: Success, and log10 of time and cost.
        noise_sd: Of one outcome, for the three targets, (3,).

    The mean of a log-normal is above its median, by the noise of outcomes; doubt about the mean itself widens the
    interval alone. Otherwise whatever is new would look dear and never be tried.
    """
    rows = np.multiply.outer(BOUNDS, predicted.sd)
    rows += predicted.mean
    scales = rows[:, 1:]
    scales *= LN10
    scales += LOG_UNITS + (0.5 * LN10 * LN10) * np.square(noise_sd[1:, None])
    np.exp(scales, out=scales)
    return Natural(rows)


def estimates(shown: Natural, n: Floats) -> list[Expected]:
    """The same as values, one for each arm; a probability is shown within [0, 1]. `n` is (3, K)."""
    means, lows, highs = shown.rows.tolist()
    bounded = [[min(max(value, 0.0), 1.0) for value in row[0]] for row in (means, lows, highs)]
    targets = [
        list(map(Estimate, *stats, weights))
        for stats, weights in zip((bounded, *zip(means[1:], lows[1:], highs[1:], strict=True)), n.tolist(), strict=True)
    ]
    return list(map(Expected, *targets))


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

"""
Spending caps that bend the choice before they bite, and the daily allowance of exploration.

A cap is paced as a constrained problem's dual variable is (primal-dual pacing, Balseiro and Gur 2019): the nearer the
cap, the more a dollar weighs in the utility. Here the price is a function of what the outcomes of the last day and week
cost, so that it too depends on the set of outcomes and not on their order:

    price(u) = 1 + max(0, u - 1/2) / (1 - u)        u: the part of the cap that is used

Up to half a cap nothing changes; at three quarters a dollar counts double, at nine tenths five times. At the cap only
the cheapest arm is left.
"""

import math
from typing import Final

from routerd.config import BudgetConfig, PolicyConfig

HOUR_S: Final = 3600.0
DAY_S: Final = 24.0 * HOUR_S
WEEK_S: Final = 7.0 * DAY_S
COST_USD_MAX: Final = 1e9
"""No task costs so much; whatever does is an error of who measured it."""
PRICE_MAX: Final = 50.0
MICRO: Final = 1_000_000


class Spending:
    """What outcomes cost, by the hour in which they ended; whole micro-dollars, so that sums are exact."""

    def __init__(self) -> None:
        self._hours: dict[int, int] = {}

    def add(self, at: float, cost_usd: float | None, sign: int) -> None:
        """Counts a cost (1) or takes it back (-1)."""
        if cost_usd is None or not 0.0 < cost_usd < COST_USD_MAX:
            return
        hour = math.floor(at / HOUR_S)
        left = self._hours.pop(hour, 0) + sign * round(cost_usd * MICRO)
        if left:
            self._hours[hour] = left

    def between(self, begin: float, end: float) -> float:
        """US dollars in the hours from that of `begin` to that of `end`, both included."""
        hours = range(math.floor(begin / HOUR_S), math.floor(end / HOUR_S) + 1)
        return sum(self._hours.get(hour, 0) for hour in hours) / MICRO

    def used(self, config: BudgetConfig, now: float) -> float:
        """The part of a cap that is used: the larger of the day's and the week's; 0 where there is no cap."""
        caps = ((config.usd_per_day, DAY_S), (config.usd_per_week, WEEK_S))
        return max((self.between(now - window_s, now) / cap for cap, window_s in caps if cap is not None), default=0.0)

    def pack(self) -> dict[int, int]:
        """For `unpack`."""
        return dict(sorted(self._hours.items()))

    @classmethod
    def unpack(cls, hours: dict[int, int]) -> "Spending":
        """The inverse of `pack`."""
        spending = cls()
        spending._hours = dict(hours)
        return spending


def price(used: float) -> float:
    """What a dollar weighs when so much of the cap is used; see the head of this module."""
    if used >= 1.0:
        return PRICE_MAX
    return min(1.0 + max(0.0, used - 0.5) / (1.0 - used), PRICE_MAX)


class Allowance:
    """What trying arms in order to learn has cost since midnight (UTC), beyond the arm that was expected to be best."""

    def __init__(self) -> None:
        self._day = 0
        self._usd = 0.0
        self._minutes = 0.0

    def left(self, config: PolicyConfig, now: float) -> bool:
        """Whether more may be tried today."""
        self._turn(now)
        return self._usd < config.explore_usd_per_day and self._minutes < config.explore_minutes_per_day

    def take(self, usd: float, minutes: float, now: float) -> None:
        """Counts what a trial is expected to cost more than the best arm; less is nothing."""
        self._turn(now)
        self._usd += max(usd, 0.0)
        self._minutes += max(minutes, 0.0)

    def _turn(self, now: float) -> None:
        day = math.floor(now / DAY_S)
        if day != self._day:
            self._day, self._usd, self._minutes = day, 0.0, 0.0

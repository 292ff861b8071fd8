"""
What would have to change for another pick: the same belief, asked with other prices.

The utility of an arm is linear in each price (see `reward`), so the price at which another arm overtakes the leader
is where two lines meet. Only what was written down with the decision is used: success, time, cost and utility of each
arm. The prices that were in force come out of these too, whatever the objective of the request was and however near
a spending cap: of all objectives it is the one under which a single weight of money gives every utility back.
"""

import math
from collections.abc import Sequence
from typing import Literal, get_args

import msgspec

from routerd.config import ObjectiveConfig
from routerd.events import Considered, Objective
from routerd.reward import MS_PER_HOUR, Worth, worth

PriceName = Literal["hour_usd", "success_usd", "money"]

EXACT = 1e-6
"""In US dollars: utilities are stored with the expectations that they follow from, so they agree to rounding."""
FACTOR_MAX = 1000.0
"""A price that would have to be so many times another one is no answer to anybody's question."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """
    One price, all else as it was, at which another arm is worth most.

    Attributes:
        price: Which.
        at: What it was.
        to: What it would have to be: the smallest change in this direction, rounded away to two figures.
        arm: The one that would be worth most then.
    """

    price: PriceName
    at: float
    to: float
    arm: str


def prices_of(considered: Sequence[Considered], config: ObjectiveConfig) -> Worth | None:
    """The prices by which these arms were valued; None where no objective of the configuration explains the values."""
    known = [one for one in considered if 0.0 < one.expected.success.mean < 1.0]  # others are shown cut off
    objectives = [worth(config, name) for name in (config.default, *get_args(Objective))]
    if known:
        dearest = max(known, key=lambda one: one.expected.cost_usd.mean)
        objectives += [_nearer_a_cap(dearest, prices) for prices in objectives if len(known) > 1]
    return next((prices for prices in objectives if known and all(_fits(one, prices) for one in known)), None)


def _nearer_a_cap(dearest: Considered, prices: Worth) -> Worth:
    """The prices with the weight of money that explains the value of one arm; the dearest tells it best."""
    spent = max(dearest.expected.cost_usd.mean, EXACT)
    return msgspec.structs.replace(prices, money=prices.money + (value(dearest, prices) - dearest.utility) / spent)


def _fits(one: Considered, prices: Worth) -> bool:
    return prices.money > 0.0 and math.isclose(value(one, prices), one.utility, rel_tol=EXACT, abs_tol=EXACT)


def value(one: Considered, prices: Worth) -> float:
    """What an arm is worth under some prices, in US dollars (see `reward`)."""
    expected = one.expected
    hours = expected.wall_time_ms.mean / MS_PER_HOUR
    return prices.success_usd * expected.success.mean - prices.hour_usd * hours - prices.money * expected.cost_usd.mean


def changes(considered: Sequence[Considered], prices: Worth) -> list[Change]:
    """
    The smallest change of each price, up and down, at which another allowed arm is worth most; the smallest first.

    Arms that were ruled out stay so. Of two arms that are worth the same the first one leads.
    """
    allowed = [one for one in considered if one.removed_by is None]
    if len(allowed) < 2:
        return []
    names: tuple[PriceName, ...] = get_args(PriceName)
    found = [_change(allowed, name, getattr(prices, name), upwards) for name in names for upwards in (True, False)]
    return sorted((one for one in found if one is not None), key=_size)


def _size(change: Change) -> float:
    return abs(math.log(change.to / change.at)) if change.at > 0.0 and change.to > 0.0 else math.inf


def _change(allowed: Sequence[Considered], name: PriceName, at: float, upwards: bool) -> Change | None:
    """The first arm to overtake the leader while one price moves one way."""
    leader = _best(allowed, name, 0.0)
    steps = []
    for one in allowed:
        faster = _slope(one, name) - _slope(leader, name)
        if faster > 0.0 if upwards else faster < 0.0:
            steps.append((leader.utility - one.utility) / faster)
    step = min(steps, key=abs, default=None)
    if step is None:
        return None
    to = _rounded(at + step, at)
    if to < 0.0 or to > FACTOR_MAX * max(at, 1.0):
        return None
    best = _best(allowed, name, to - at)
    return None if best is leader else Change(price=name, at=at, to=to, arm=best.arm)


def _slope(one: Considered, name: PriceName) -> float:
    """By how much its utility rises with a price."""
    expected = one.expected
    match name:
        case "success_usd":
            return expected.success.mean
        case "hour_usd":
            return -expected.wall_time_ms.mean / MS_PER_HOUR
        case "money":
            return -expected.cost_usd.mean


def _best(allowed: Sequence[Considered], name: PriceName, step: float) -> Considered:
    return max(allowed, key=lambda one: one.utility + step * _slope(one, name))


def _rounded(value: float, away_from: float) -> float:
    """
    The next number of two figures beyond `value`, seen from `away_from`.

    >>> _rounded(37.2, 10.0), _rounded(3.72, 10.0), _rounded(40.0, 10.0)
    (38.0, 3.7, 41.0)
    """
    if value <= 0.0:
        return 0.0 if value == 0.0 else value
    unit = 10.0 ** (math.floor(math.log10(value)) - 1)
    figures = math.floor(value / unit + 1e-9) + 1 if value > away_from else math.ceil(value / unit - 1e-9) - 1
    return round(figures * unit, 12)

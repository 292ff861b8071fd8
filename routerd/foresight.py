"""
Each outcome as it was expected before it came: how fast belief learns, and whether it is as sure as it may be.

The outcomes are gone through in the order in which they ended. Before one is learnt from, belief of then says what it
expects of that arm on that task (Dawid 1984, prequential analysis). So no figure here knows what it is judged by.
Beside it stands what was expected before any outcome at all, by the arm's attributes alone: what learning is worth is
the difference.

Belief is solved anew whenever outcomes have grown by a twentieth, so that a long history takes hundreds of solves and
not one an outcome; of a very long one only some outcomes, evenly spread, are looked at, though all are learnt from.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

import msgspec
import numpy as np

from routerd.audit import ENOUGH
from routerd.engine import Engine
from routerd.events import Contribution
from routerd.evidence import EMPTY, TARGETS, row_of
from routerd.features import DIM, Floats, looked_at
from routerd.posterior import Hand, Posterior
from routerd.prior import ATTRIBUTES, PRIORS
from routerd.slate import CatalogLike, Directory, Known
from routerd.summary import wilson

GROWTH: Final = 0.05
LOOKED_AT_MAX: Final = 4000
FIRST_WINDOW: Final = 20
"""The first point of a learning curve stands for so many outcomes, the next for as many, each after that for double."""
BINS_MAX: Final = 8
LEVELS: Final = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
Z_LEVELS: Final = (0.125661, 0.253347, 0.385320, 0.524401, 0.674490, 0.841621, 1.036433, 1.281552, 1.644854)
"""Φ⁻¹((1 + level) / 2): so many standard deviations to either side hold that share of a normal distribution."""


class Foreseen(msgspec.Struct, frozen=True):
    """
    n outcomes in the order in which they ended, of three targets: success, log10 of minutes, log10 of ten cents.

    Attributes:
        expected: By belief of just before, (n, 3); success within [0, 1].
        sd: Of one outcome around it, (n, 3).
        untaught: What was expected before any outcome, (n, 3).
        y: What came, (n, 3).
        weight: How far it is believed, 0 where it is not known, (n, 3).
        number: Which outcome of all it was, from 0, (n,).
    """

    expected: Floats
    sd: Floats
    untaught: Floats
    y: Floats
    weight: Floats
    number: Floats


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """
    A window of a learning curve: outcomes from number `begin` to before `end`.

    Attributes:
        error: Of success the mean squared error (Brier 1950), weighted by the verdicts; of time and cost the factor
            within which half of the outcomes were. None where there is too little.
        untaught: The same, of what was expected before any outcome.
        weight: On how much that rests.
    """

    begin: int
    end: int
    error: float | None
    untaught: float | None
    weight: float


class Bin(msgspec.Struct, frozen=True, kw_only=True):
    """Outcomes of which about the same was expected: what was, and how many went well, with its 90 % interval."""

    expected: float
    went_well: float
    low: float
    high: float
    verdicts: float


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """The share of n outcomes within intervals that were said to hold each of `LEVELS`; None where n is too small."""

    n: int
    shares: list[float] | None


class Foresight(msgspec.Struct, frozen=True, kw_only=True):
    """
    What became of what was expected.

    Attributes:
        outcomes: That are learnt from.
        looked_at: How many of them were foreseen.
        curves: Of success, time and cost.
        bins: Calibration of success, from the least expected to the most; none where there is too little.
        verdicts: What the labels are worth, Σ weights.
        held: Calibration of time and cost.
    """

    outcomes: int
    looked_at: int
    curves: dict[str, list[Point]]
    bins: list[Bin]
    verdicts: float
    held: dict[str, Held]


def foresight(
    contributions: Sequence[Contribution], engine: Engine, catalog: CatalogLike, names: frozenset[str]
) -> Foresight:
    """
    How well outcomes were foreseen.

    Args:
        contributions: All that is learnt from.
        engine: One that has seen nothing; it has learnt all of them afterwards.
        catalog: The same as the engine's.
        names: The features that belief looks at (`learning.features`).
    """
    seen = foreseen(sorted(contributions, key=lambda one: one.at), engine, catalog, names)
    return Foresight(
        outcomes=len(contributions),
        looked_at=len(seen.number),
        curves={name: curve(seen, target, len(contributions)) for target, name in enumerate(TARGETS)},
        bins=bins(seen),
        verdicts=float(seen.weight[:, 0].sum()),
        held={name: held(seen, target) for target, name in enumerate(TARGETS) if name != "success"},
    )


def foreseen(
    contributions: Sequence[Contribution], engine: Engine, catalog: CatalogLike, names: frozenset[str]
) -> Foreseen:
    """Goes through the outcomes, which are in order; see `foresight`."""
    directory = Directory(catalog)
    untaught = _Hands(Posterior([], np.empty((0, *EMPTY.shape)), np.empty((0, ATTRIBUTES)), PRIORS))
    step = max(1, math.ceil(len(contributions) / LOOKED_AT_MAX))
    found: list[tuple[Floats, ...]] = []
    for begin, end in _blocks(len(contributions)):
        now = contributions[begin].at
        engine.refresh(now)
        sums = engine.sums("default", now)
        belief = _Hands(Posterior(sums.arms, sums.moments, sums.attributes, PRIORS))
        for number in range(begin, end):
            if number % step == 0:
                one = contributions[number]
                row = row_of(msgspec.structs.replace(one, features=looked_at(one.features, names)))
                known, x = directory.known(one.dispatch), row.z[0, :DIM]
                mean, sd = belief.expected(known, x)
                before, _ = untaught.expected(known, x)
                found.append((mean, sd, before, row.z[:, DIM], row.weights, np.array(float(number))))
        for contribution in contributions[begin:end]:
            engine.observe(None, contribution, now)
    columns = [np.array(column) for column in zip(*found, strict=True)] or [np.empty((0, len(TARGETS)))] * 6
    return Foreseen(*columns)


class _Hands:
    """One belief, in one arm at a time."""

    def __init__(self, belief: Posterior) -> None:
        self._belief = belief
        self._hands: dict[str, Hand] = {}

    def expected(self, known: Known, x: Floats) -> tuple[Floats, Floats]:
        """Mean and standard deviation of one outcome of the three targets, each (3,); success within [0, 1]."""
        hand = self._hands.get(known.arm)
        if hand is None:
            row = self._belief.rows.get(known.arm, self._belief.untried)
            hand = self._hands[known.arm] = self._belief.hand(np.array([row]), known.design[None, :])
        told = hand.predict(x)
        success, *scales = (of_arm for (of_arm,) in told.mean)
        mean = np.array([min(max(success, 0.0), 1.0), *scales])
        return mean, np.sqrt(np.array(told.variance)[:, 0] + self._belief.noise_sd**2)


def _blocks(count: int) -> Iterator[tuple[int, int]]:
    """Outcomes that are foreseen by one belief: from, to before."""
    begin = 0
    while begin < count:
        end = min(count, begin + max(1, int(begin * GROWTH)))
        yield begin, end
        begin = end


# --- how fast it learns ---------------------------------------------------------------------------------------------


def curve(seen: Foreseen, target: int, outcomes: int) -> list[Point]:
    """The learning curve of a target."""
    points = []
    for begin, end in windows(outcomes):
        inside = (seen.number >= begin) & (seen.number < end) & (seen.weight[:, target] > 0.0)
        weight = seen.weight[inside, target]
        errors = [
            _error(target, one[inside, target] - seen.y[inside, target], weight)
            for one in (seen.expected, seen.untaught)
        ]
        points.append(Point(begin=begin, end=end, error=errors[0], untaught=errors[1], weight=float(weight.sum())))
    return points


def windows(outcomes: int) -> list[tuple[int, int]]:
    """Of a learning curve; a last one of less than half its size is part of the one before."""
    edges = [0]
    while edges[-1] < outcomes:
        edges.append(max(FIRST_WINDOW, 2 * edges[-1]))
    size = edges[-1] - edges[-2] if len(edges) > 1 else 0
    if len(edges) > 2 and outcomes - edges[-2] < size / 2:
        edges.pop()
    if len(edges) > 1:
        edges[-1] = outcomes
    return list(pairwise(edges))


def _error(target: int, off: Floats, weight: Floats) -> float | None:
    if weight.sum() < ENOUGH:
        return None
    if TARGETS[target] == "success":
        return float(np.sum(weight * off * off) / np.sum(weight))
    return float(10.0 ** np.median(np.abs(off)))


# --- whether it is as sure as it may be -----------------------------------------------------------------------------


def bins(seen: Foreseen) -> list[Bin]:
    """Calibration of success: bins worth as many verdicts each, at least `ENOUGH`; none where two would not be."""
    judged = seen.weight[:, 0] > 0.0
    expected, y, weight = (column[judged, 0] for column in (seen.expected, seen.y, seen.weight))
    count = min(BINS_MAX, int(weight.sum() / ENOUGH)) if len(weight) else 0
    if count < 2:
        return []
    order = np.argsort(expected, kind="stable")
    expected, y, weight = expected[order], y[order], weight[order]
    middle = np.cumsum(weight) - weight / 2.0
    place = np.minimum((middle / weight.sum() * count).astype(int), count - 1)
    return [_bin(expected[place == one], y[place == one], weight[place == one]) for one in range(count)]


def _bin(expected: Floats, y: Floats, weight: Floats) -> Bin:
    total = float(weight.sum())
    rate = float(np.sum(weight * y)) / total
    low, high = wilson(rate, total)
    return Bin(expected=float(np.sum(weight * expected)) / total, went_well=rate, low=low, high=high, verdicts=total)


def held(seen: Foreseen, target: int) -> Held:
    """Calibration of time or cost."""
    known = seen.weight[:, target] > 0.0
    off = np.abs(seen.y[known, target] - seen.expected[known, target]) / seen.sd[known, target]
    if len(off) < 2 * ENOUGH:
        return Held(n=len(off), shares=None)
    return Held(n=len(off), shares=[float(np.mean(off <= z)) for z in Z_LEVELS])

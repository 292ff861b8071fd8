"""
Additive sufficient statistics: what the current outcomes say, as sums that can be added to and taken back exactly.

The law: the sums depend on the *set* of outcomes and on nothing else. For a joint Gaussian over shared effects and
effects of arms, all that the data say is in Σ w z zᵀ per arm, with z = (x, y). Features x, target y and weight w are
put on binary grids, so that each product and each sum up to 2·10^6 outcomes is a float64 with nothing rounded off:
then order, repetition and correction leave the same bits.

Bits of a sum: x and y are multiples of 2^-10 within ±8, w of 2^-6 within 1; a term w y y is a multiple of 2^-26
within 2^6, and 2^21 of them stay below 2^53 · 2^-26.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from routerd.events import Contribution
from routerd.features import DIM, GRID, VERSION, vector

Floats = npt.NDArray[np.float64]

TARGETS: Final = ("success", "wall_time", "cost")
Y_LIMIT: Final = 8.0
WEIGHT_GRID: Final = 2.0**-6
WALL_TIME_UNIT_MS: Final = 60_000.0
COST_UNIT_USD: Final = 0.1
COST_MIN_USD: Final = 1e-6
"""What costs nothing counts as this much, since its logarithm must exist."""
VALUE_MAX: Final = 1e15
"""No time and no cost is so large; whatever is, is an error of who measured it."""

WIDTH: Final = DIM + 1
"""Of z = (x, y)."""
EMPTY: Final[Floats] = np.zeros((len(TARGETS), WIDTH, WIDTH))
EMPTY.setflags(write=False)
FORMAT: Final = 1
"""Of a snapshot."""
DRIFT_OUTCOMES_MIN: Final = 10.0
"""With fewer outcomes on either side, drift cannot be told from chance."""
_UPPER: Final = np.triu_indices(WIDTH)


ROWS_WAITING_MAX: Final = 32
"""So many outcomes wait in a cell and are then added at once: its 44 KB are gone through for all of them together."""
CELLS_WAITING_MAX: Final = 128
"""In so many cells outcomes may wait; a cell takes 20 to 100 µs to add up."""
CELLS_PER_STEP: Final = 8


class Row(msgspec.Struct, frozen=True):
    """One outcome on the grids: its weights, shape (3,), and z for each target, shape (3, WIDTH)."""

    weights: Floats
    z: Floats


class Terms(msgspec.Struct, frozen=True, gc=False):
    """The same as a `Row` with nothing said twice: features x, (DIM,), and 3 weights and 3 targets."""

    x: Floats
    weights: tuple[float, float, float]
    y: tuple[float, float, float]


class Cell:
    """
    The outcomes of one arm in one span of time.

    Args:
        count: How many.
        moments: Σ w z zᵀ per target, (3, WIDTH, WIDTH); the cell's own from now on.
    """

    __slots__ = ("_moments", "_waiting", "count")

    def __init__(self, count: int, moments: Floats) -> None:
        self.count = count
        self._moments = moments
        self._waiting: list[tuple[int, Terms]] = []

    @property
    def moments(self) -> Floats:
        """Σ w z zᵀ per target, (3, WIDTH, WIDTH), of all that was added."""
        self.settle()
        return self._moments

    def add(self, terms: Terms, sign: int) -> None:
        """Adds an outcome (`sign` 1) or takes it back (-1)."""
        self.count += sign
        self._waiting.append((sign, terms))
        if len(self._waiting) >= ROWS_WAITING_MAX:
            self.settle()

    def settle(self) -> None:
        """Adds what waits. The sums are exact, so it does not matter when, nor in which order BLAS adds."""
        if not self._waiting:
            return
        z = np.empty((len(TARGETS), len(self._waiting), WIDTH))
        z[:, :, :DIM] = np.concatenate([one.x for _, one in self._waiting]).reshape(-1, DIM)
        z[:, :, DIM] = np.array([one.y for _, one in self._waiting]).T
        weights = np.array(
            [(sign * one.weights[0], sign * one.weights[1], sign * one.weights[2]) for sign, one in self._waiting]
        )
        self._moments += (z * weights.T[:, :, None]).transpose(0, 2, 1) @ z
        self._waiting.clear()


Cells = dict[tuple[int, bool], Cell]
"""By span of time, and by whether routerd chose."""


def row_of(contribution: Contribution) -> Row:
    """
    An outcome on the grids.

    Success is itself, clipped to [0, 1]; time and cost are log10 of multiples of a minute and of ten cents. What is
    unknown, not finite or negative has weight 0.
    """
    terms = terms_of(contribution)
    z = np.empty((len(TARGETS), WIDTH))
    z[:, :DIM] = terms.x
    z[:, DIM] = terms.y
    return Row(np.array(terms.weights), z)


def terms_of(contribution: Contribution) -> Terms:
    """See `row_of`."""
    weight, success = contribution.weight, contribution.success
    if success is None or not (math.isfinite(success) and math.isfinite(weight)):
        weight = success = 0.0
    timed, wall_time = _log_ratio(contribution.wall_time_ms, WALL_TIME_UNIT_MS, 1.0)
    priced, cost = _log_ratio(contribution.cost_usd, COST_UNIT_USD, COST_MIN_USD)
    return Terms(
        vector(contribution.features),
        (_on_grid(weight, 0.0, 1.0, WEIGHT_GRID), timed, priced),
        (_on_grid(success, 0.0, 1.0, GRID), wall_time, cost),
    )


class Evidence:
    """
    The cells of every arm, by scope and by span of time.

    Each outcome is in its own scope and in `everywhere`, the sum over all scopes. Cells of what was chosen by routerd
    (`own`) and by others are apart, since they are believed differently.

    Args:
        span_s: Length of a span of time in seconds.
    """

    everywhere: Final = "default"

    def __init__(self, span_s: float) -> None:
        self.span_s = span_s
        self._scopes: dict[str, dict[str, Cells]] = {}
        self._last_seen: dict[tuple[str, str], float] = {}
        self._waiting: dict[Cell, None] = {}

    def span(self, at: float) -> int:
        """The span of time that holds `at`."""
        return math.floor(at / self.span_s)

    def fold(self, changes: Sequence[tuple[str, Contribution, int]]) -> None:
        """
        Takes back (-1) and adds (1) what outcomes say about their arms.

        Raises:
            ValueError: What is taken back was never added, or a time is not finite; nothing has changed then.
        """
        for arm, contribution, sign in changes:
            if not math.isfinite(contribution.at):
                raise ValueError(f"the time of an outcome must be finite, not {contribution.at}")
            if sign < 0 and self._key(contribution) not in self.arms(contribution.scope).get(arm, {}):
                raise ValueError(f"an outcome of {arm} is taken back that was never added")
        for arm, contribution, sign in changes:
            at, scope, terms, key = contribution.at, contribution.scope, terms_of(contribution), self._key(contribution)
            for where in (self.everywhere,) if scope == self.everywhere else (self.everywhere, scope):
                self._fold(where, arm, key, terms, sign)
                if self._last_seen.get((where, arm), -math.inf) < at:
                    self._last_seen[where, arm] = at

    def _key(self, contribution: Contribution) -> tuple[int, bool]:
        return math.floor(contribution.at / self.span_s), contribution.own

    def _fold(self, scope: str, arm: str, key: tuple[int, bool], terms: Terms, sign: int) -> None:
        arms = self._scopes.setdefault(scope, {})
        cells = arms.setdefault(arm, {})
        cell = cells.get(key)
        if cell is None:
            cell = cells[key] = Cell(0, EMPTY.copy())
        cell.add(terms, sign)
        self._waiting[cell] = None
        if len(self._waiting) > CELLS_WAITING_MAX:
            self._settle_oldest()
        if cell.count == 0:
            del cells[key]
            self._waiting.pop(cell, None)
            if not cells:
                del arms[arm]

    def settling(self) -> Iterator[None]:
        """Adds up what waits, in steps of a millisecond at most; whoever asks for sums afterwards finds little left."""
        for number in range(1, len(self._waiting) + 1):
            if not self._waiting:
                return  # outcomes were taken back meanwhile
            self._settle_oldest()
            if number % CELLS_PER_STEP == 0:
                yield

    def _settle_oldest(self) -> None:
        oldest = next(iter(self._waiting))
        del self._waiting[oldest]
        oldest.settle()

    def arms(self, scope: str) -> dict[str, Cells]:
        """The arms with outcomes in a scope."""
        return self._scopes.get(scope, {})

    def count(self, scope: str, arm: str) -> int:
        """How many outcomes an arm has in a scope."""
        return sum(cell.count for cell in self.arms(scope).get(arm, {}).values())

    def last_seen(self, scope: str, arm: str) -> float | None:
        """When an arm's latest outcome in a scope ended, as far as was seen; for showing only."""
        return self._last_seen.get((scope, arm))

    def decayed(self, scope: str, arm: str, now: float, half_life_s: float) -> tuple[Floats, Floats]:
        """
        Σ of an arm's cells, each weighted by 2^(-age / half-life), (3, WIDTH, WIDTH): own ones, others' ones.

        Age is counted in whole spans, so that belief changes only when an outcome or a new span comes. The order of
        summation is that of time, whatever the order of arrival.
        """
        today = self.span(now)
        sums = {True: EMPTY.copy(), False: EMPTY.copy()}
        for (span, own), cell in sorted(self.arms(scope).get(arm, {}).items()):
            sums[own] += cell.moments * 2.0 ** (-max(today - span, 0) * self.span_s / half_life_s)
        return sums[True], sums[False]

    def drift(self, scope: str, arm: str) -> float | None:
        """
        How far an arm's success in its latest spans is from that before, in standard errors of the difference.

        The latest spans are as many as hold `DRIFT_OUTCOMES_MIN` judged outcomes; None unless as many came before.
        """
        recent, before = np.zeros(3), np.zeros(3)
        for _, cell in sorted(self.arms(scope).get(arm, {}).items(), reverse=True):
            m = cell.moments[0]
            (recent if recent[0] < DRIFT_OUTCOMES_MIN else before)[:] += m[0, 0], m[0, DIM], m[DIM, DIM]
        if min(recent[0], before[0]) < DRIFT_OUTCOMES_MIN:
            return None
        rates = [part[1] / part[0] for part in (recent, before)]
        pooled = (recent + before) / (recent + before)[0]
        variance = (pooled[2] - pooled[1] ** 2) * (1.0 / recent[0] + 1.0 / before[0])
        return float((rates[0] - rates[1]) / math.sqrt(variance)) if variance > 0.0 else 0.0

    def pack(self) -> bytes:
        """All of it as bytes, the same for the same set of outcomes."""
        cells = [
            (scope, arm, span, own, cell.count, cell.moments[:, _UPPER[0], _UPPER[1]].tobytes())
            for scope, arms in sorted(self._scopes.items())
            for arm, by_span in sorted(arms.items())
            for (span, own), cell in sorted(by_span.items())
        ]
        seen = [(*key, self._last_seen[key]) for key in sorted(self._last_seen) if key[1] in self.arms(key[0])]
        return msgspec.msgpack.encode(_Packed(FORMAT, VERSION, self.span_s, cells, seen))

    @classmethod
    def unpack(cls, data: bytes, span_s: float) -> "Evidence":
        """
        The inverse of `pack`.

        Raises:
            ValueError: It is not such bytes, or of other features or another length of span.
        """
        try:
            packed = msgspec.msgpack.decode(data, type=_Packed)
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            raise ValueError(f"no snapshot: {error}") from None
        if (packed.format, packed.features, packed.span_s) != (FORMAT, VERSION, span_s):
            raise ValueError("a snapshot of another version, or of other spans of time")
        evidence = cls(span_s)
        for scope, arm, span, own, count, raw in packed.cells:
            if len(raw) != EMPTY[:, _UPPER[0], _UPPER[1]].nbytes:
                raise ValueError("a snapshot with a cell of the wrong size")
            moments = EMPTY.copy()
            moments[:, _UPPER[0], _UPPER[1]] = np.frombuffer(raw).reshape(len(TARGETS), -1)
            moments[:, _UPPER[1], _UPPER[0]] = moments[:, _UPPER[0], _UPPER[1]]
            evidence._scopes.setdefault(scope, {}).setdefault(arm, {})[span, own] = Cell(count, moments)
        evidence._last_seen = {(scope, arm): at for scope, arm, at in packed.seen}
        return evidence


class _Packed(msgspec.Struct, frozen=True, array_like=True):
    """The form of `Evidence.pack`."""

    format: int
    features: int
    span_s: float
    cells: list[tuple[str, str, int, bool, int, bytes]]
    seen: list[tuple[str, str, float]]


def _log_ratio(value: float | None, unit: float, least: float) -> tuple[float, float]:
    """1 and log10 of a value in a unit, on the grid; 0 and 0 where there is no such value."""
    if value is None or not 0 <= value < VALUE_MAX:
        return 0.0, 0.0
    return 1.0, _on_grid(math.log10(max(value, least) / unit), -Y_LIMIT, Y_LIMIT, GRID)


def _on_grid(value: float, least: float, most: float, grid: float) -> float:
    return round(max(least, min(most, value)) / grid) * grid

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
from collections.abc import Sequence
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


class Row(msgspec.Struct, frozen=True):
    """One outcome on the grids: its weights, shape (3,), and z for each target, shape (3, WIDTH)."""

    weights: Floats
    z: Floats


class Cell(msgspec.Struct):
    """
    The outcomes of one arm in one span of time.

    Attributes:
        count: How many.
        moments: Σ w z zᵀ per target, (3, WIDTH, WIDTH).
    """

    count: int
    moments: Floats

    def add(self, row: Row, sign: int) -> None:
        """Adds an outcome (`sign` 1) or takes it back (-1)."""
        self.count += sign
        scaled = row.z * (sign * row.weights)[:, None]
        self.moments += scaled[:, :, None] * row.z[:, None, :]


Cells = dict[tuple[int, bool], Cell]
"""By span of time, and by whether routerd chose."""


def row_of(contribution: Contribution) -> Row:
    """
    An outcome on the grids.

    Success is itself, clipped to [0, 1]; time and cost are log10 of multiples of a minute and of ten cents. What is
    unknown, not finite or negative has weight 0.
    """
    wall_time = _log_ratio(contribution.wall_time_ms, WALL_TIME_UNIT_MS, 1.0)
    cost = _log_ratio(contribution.cost_usd, COST_UNIT_USD, COST_MIN_USD)
    success = contribution.success if _is_finite(contribution.success) else None
    weight = contribution.weight if success is not None and _is_finite(contribution.weight) else 0.0
    weights = [_weight(weight), float(wall_time is not None), float(cost is not None)]
    z = np.empty((len(TARGETS), WIDTH))
    z[:, :DIM] = vector(contribution.features)
    z[:, DIM] = [_target(min(max(success or 0.0, 0.0), 1.0)), _target(wall_time or 0.0), _target(cost or 0.0)]
    return Row(np.array(weights), z)


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
            row = row_of(contribution)
            for scope in {self.everywhere, contribution.scope}:
                self._fold(scope, arm, self._key(contribution), row, sign)
                seen = self._last_seen.get((scope, arm), contribution.at)
                self._last_seen[scope, arm] = max(seen, contribution.at)

    def _key(self, contribution: Contribution) -> tuple[int, bool]:
        return self.span(contribution.at), contribution.own

    def _fold(self, scope: str, arm: str, key: tuple[int, bool], row: Row, sign: int) -> None:
        arms = self._scopes.setdefault(scope, {})
        cells = arms.setdefault(arm, {})
        cell = cells.get(key)
        if cell is None:
            cell = cells[key] = Cell(0, EMPTY.copy())
        cell.add(row, sign)
        if cell.count == 0:
            del cells[key]
        if not cells:
            del arms[arm]

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


def _log_ratio(value: float | None, unit: float, least: float) -> float | None:
    """log10 of a value in a unit, or None where there is no such value."""
    if value is None or not 0 <= value < VALUE_MAX:
        return None
    return math.log10(max(value, least) / unit)


def _is_finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _target(value: float) -> float:
    return round(max(-Y_LIMIT, min(Y_LIMIT, value)) / GRID) * GRID


def _weight(value: float) -> float:
    return round(max(0.0, min(1.0, value)) / WEIGHT_GRID) * WEIGHT_GRID

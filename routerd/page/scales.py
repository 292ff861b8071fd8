"""From values to places on a chart, and the marks that a person expects on an axis."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import msgspec

from routerd.units import duration

_S: Final = 1000.0
_MIN: Final = 60 * _S
_H: Final = 60 * _MIN
TIMES_MS: Final = (
    *(0.1 * _S, 0.3 * _S, _S, 3 * _S, 10 * _S, 30 * _S, _MIN, 3 * _MIN, 10 * _MIN, 30 * _MIN),
    *(_H, 3 * _H, 10 * _H, 30 * _H, 100 * _H),
)
MONEY_USD: Final = tuple(m * 10.0**e for e in range(-6, 5) for m in (1, 3))
COUNTS: Final = tuple(m * 10**e for e in range(7) for m in (1, 2, 5))
FACTORS: Final = (1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0)


class Span(msgspec.Struct, frozen=True):
    """A value with its 90 % interval."""

    mean: float
    low: float
    high: float


class Scale(msgspec.Struct, frozen=True, kw_only=True):
    """
    An axis.

    Attributes:
        low, high: The values at its ends.
        begin, end: Where these lie.
        marks: Values with a line and a word.
        word: How a mark is said.
        log: Whether equal factors are equal distances.
    """

    low: float
    high: float
    begin: float
    end: float
    marks: tuple[float, ...]
    word: Callable[[float], str]
    log: bool = False

    def at(self, value: float) -> float:
        """Where a value lies; what is beyond an end lies on it."""
        low, high, here = self.low, self.high, min(max(value, self.low), self.high)
        if self.log:
            low, high, here = math.log(low), math.log(high), math.log(here)
        return self.begin + (self.end - self.begin) * (here - low) / (high - low)


def logarithmic(
    values: Iterable[float], marks: Sequence[float], begin: float, end: float, word: Callable[[float], str]
) -> Scale:
    """From the mark below all values to the one above, with no more marks between them than can be read."""
    known = [value for value in values if value > 0.0 and math.isfinite(value)] or [marks[0]]
    low = max((mark for mark in marks if mark <= min(known)), default=min(known))
    high = min((mark for mark in marks if mark >= max(known)), default=max(known))
    if high <= low:
        high = min((mark for mark in marks if mark > low), default=10.0 * low)
    inside = [mark for mark in marks if low <= mark <= high]
    most = max(2, int(abs(end - begin) / 46.0))
    if len(inside) > most:
        inside = [inside[round(number * (len(inside) - 1) / (most - 1))] for number in range(most)]
    return Scale(low=low, high=high, begin=begin, end=end, marks=tuple(inside), word=word, log=True)


def linear(low: float, high: float, begin: float, end: float, word: Callable[[float], str], *, steps: int = 4) -> Scale:
    """From `low` to `high`, with about so many round steps."""
    if high <= low:
        high = low + 1.0
    rough = (high - low) / steps
    base = 10.0 ** math.floor(math.log10(rough))
    step = next(base * factor for factor in (1.0, 2.0, 2.5, 5.0, 10.0) if base * factor >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    marks = [one * step for one in range(first, first + 40) if one * step <= high + 1e-9 * step]
    return Scale(low=low, high=high, begin=begin, end=end, marks=tuple(marks), word=word)


def time_word(ms: float) -> str:
    """A mark of time: 10 s, 3 min, 1 h."""
    for unit, name in ((_H, "h"), (_MIN, "min"), (_S, "s")):
        if ms >= unit:
            return f"{ms / unit:g} {name}"
    return duration(ms)


def money_word(usd: float) -> str:
    """A mark of money: $0.03, $10."""
    return f"${usd:,.0f}" if usd >= 1.0 else f"${usd:g}" if usd >= 1e-4 else f"${usd:.0e}"


def percent_word(share: float) -> str:
    """A mark of a share."""
    return f"{100 * share:.0f} %"


def times_word(factor: float) -> str:
    """A mark of a factor."""
    return f"{factor:g} x"


def count_word(number: float) -> str:
    """A mark of a number of things."""
    return f"{number:,.0f}"


def number_word(number: float) -> str:
    """A mark of a number without a unit."""
    return f"{number:.2g}"


def signed_word(number: float) -> str:
    """A number above or below 0."""
    return f"{number:+.3g}" if number else "0"


def success_floor(spans: Iterable[Span]) -> float:
    """Where an axis of success begins: a round value below all, and low enough that little does not look like much."""
    return max(0.0, min(0.8, math.floor(10 * min(one.low for one in spans)) / 10))

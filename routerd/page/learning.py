"""The section on what learning was worth, and on whether belief is as sure as it may be."""

from collections.abc import Sequence
from typing import Final
from xml.etree.ElementTree import Element

from routerd.audit import ENOUGH
from routerd.foresight import LEVELS, Bin, Foresight, Point
from routerd.page import charts
from routerd.page.charts import WIDTH, Curve, Told
from routerd.page.figures import Figures
from routerd.page.parts import Parts, card, count, grid, lead, missing, note, numbers, percents
from routerd.page.scales import (
    COUNTS,
    FACTORS,
    Span,
    count_word,
    linear,
    logarithmic,
    number_word,
    percent_word,
    success_floor,
    times_word,
)
from routerd.units import percent

TARGETS: Final = (("success", "Success"), ("wall_time", "Time"), ("cost", "Cost"))
HELD: Final = (("time", "wall_time"), ("cost", "cost"))


def learning(figures: Figures) -> Parts:
    """Learning curves and calibration."""
    seen = figures.foresight
    if not seen.outcomes:
        return [missing("There is no outcome yet to foresee.")]
    every = f" {seen.looked_at:,} of {seen.outcomes:,} were looked at." if seen.looked_at < seen.outcomes else ""
    return [
        lead(_learnt(seen)),
        grid(*(_curve(name, title, seen.curves[name]) for name, title in TARGETS), _calibration(seen), _held(seen)),
        *_numbers(seen),
        note(
            "Each outcome is foreseen by what was believed just before it, from those that had ended by then: nothing "
            f"here knows what it is judged by.{every} What went well is what the labels say, weak ones as far as they "
            f"are believed. A point rests on outcomes worth at least {ENOUGH:.0f}."
        ),
    ]


def _learnt(seen: Foresight) -> str:
    """What learning was worth at the end of the curves."""
    said = []
    for name, title in TARGETS[1:]:
        known = [(one.error, one.untaught) for one in seen.curves[name] if one.error and one.untaught]
        if known:
            error, untaught = known[-1]
            said.append(f"{title.lower()} within a factor of {error:.1f} (by what is known beforehand: {untaught:.1f})")
    if not said:
        return f"{count(seen.outcomes, 'outcome')} so far: too few for a learning curve."
    return f"Of the latest outcomes, half came in their {', and in their '.join(said)}."


def _curve(name: str, title: str, points: Sequence[Point]) -> Element:
    heading = f"{title}: {'mean squared error' if name == 'success' else 'half are within a factor of'}"
    values = [value for one in points for value in (one.error, one.untaught) if value is not None]
    if len(values) < 4:
        rest = sum(one.weight for one in points)
        short = f"two points need outcomes worth {ENOUGH:.0f} each, and all are worth {rest:.0f}"
        return card(heading, None, missing(f"Not enough to tell: {short}."))
    middles = [max((one.begin * one.end) ** 0.5, one.end / 2.0) for one in points]
    x = logarithmic([middles[0], middles[-1]], COUNTS, 44.0, WIDTH - 76, count_word)
    y = linear(0.0, max(values) * 1.05, 176.0, 24.0, number_word)
    if name != "success":
        y = logarithmic([1.0, *values], FACTORS, 176.0, 24.0, times_word)
    before = tuple(_point(at, one.untaught) for at, one in zip(middles, points, strict=True))
    learnt = tuple(_point(at, one.error) for at, one in zip(middles, points, strict=True))
    said = f"{heading}, against the outcomes seen: by what was learnt, and by what is known beforehand."
    told = Told(f"curve-{name}", heading, said, "outcomes seen →", "off by ↑")
    return card(
        heading, charts.curves(told, [Curve("beforehand", before, "before"), Curve("learnt", learnt, "learnt")], x, y)
    )


def _point(at: float, value: float | None) -> tuple[float, float] | None:
    return None if value is None else (at, value)


def _calibration(seen: Foresight) -> Element:
    title = "Success: expected, and came"
    if not seen.bins:
        short = f"outcomes worth {2 * ENOUGH:.0f} verdicts are needed, and all are worth {seen.verdicts:.0f}"
        return card(title, None, missing(f"Not enough to tell: {short}."))
    spans = [Span(one.went_well, one.low, one.high) for one in seen.bins]
    floor = success_floor([*spans, *(Span(one.expected, one.expected, one.expected) for one in seen.bins)])
    x = linear(floor, 1.0, 44.0, WIDTH - 20, percent_word)
    y = linear(floor, 1.0, 226.0, 24.0, percent_word)
    points = [(one.expected, came, one.verdicts) for one, came in zip(seen.bins, spans, strict=True)]
    said = f"{count(len(points), 'group')} of outcomes by expected success, with the share that went well."
    told = Told("calibration", title, said, "expected →", "went well ↑")
    return card(title, charts.reliability(told, points, x, y))


def _held(seen: Foresight) -> Element:
    title = "Time and cost: within the interval"
    drawn = [
        Curve(label, tuple(zip(LEVELS, shares, strict=True)), label)
        for label, name in HELD
        if (shares := seen.held[name].shares) is not None
    ]
    if not drawn:
        short = (
            f"{2 * ENOUGH:.0f} known times or costs are needed, and there are {max(seen.held[n].n for _, n in HELD)}"
        )
        return card(title, None, missing(f"Not enough to tell: {short}."))
    x = linear(0.0, 1.0, 44.0, WIDTH - 44, percent_word)
    y = linear(0.0, 1.0, 226.0, 24.0, percent_word)
    said = "For intervals that were said to hold 10 to 90 % of outcomes, the share that they held; best on the line."
    told = Told("held", title, said, "said to hold →", "held ↑")
    return card(title, charts.curves(told, drawn, x, y, even=True))


# --- the numbers ----------------------------------------------------------------------------------------------------


def _numbers(seen: Foresight) -> Parts:
    windows = [
        (f"{one.begin + 1:,}-{one.end:,}", title.lower(), f"{one.weight:.1f}", *_errors(name, one))
        for name, title in TARGETS
        for one in seen.curves[name]
    ]
    shares = [
        (percent_word(level), *(_share(seen, name, index) for _, name in HELD)) for index, level in enumerate(LEVELS)
    ]
    tables: Parts = [
        numbers(
            "how far expectations were off", ("outcomes", "of", "rests on", "learnt", "beforehand"), windows, words=2
        )
    ]
    if seen.bins:
        heads = ("expected success", "went well", "verdicts")
        tables.append(numbers("what was expected, and what came", heads, [_bin(one) for one in seen.bins], words=0))
    if any(held.shares for held in seen.held.values()):
        tables.append(numbers("within the intervals", ("said to hold", "time held", "cost held"), shares, words=0))
    return tables


def _errors(name: str, one: Point) -> tuple[str, ...]:
    digits = "{:.3f}" if name == "success" else "{:.2f} x"
    return tuple("too little" if value is None else digits.format(value) for value in (one.error, one.untaught))


def _bin(one: Bin) -> tuple[str, ...]:
    return percent(one.expected), percents(Span(one.went_well, one.low, one.high)), f"{one.verdicts:.1f}"


def _share(seen: Foresight, name: str, index: int) -> str:
    shares = seen.held[name].shares
    return "too little" if shares is None else percent(shares[index])

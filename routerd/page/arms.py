"""The sections on what is believed: each arm's success, time and cost, over all and by kind of task."""

from collections.abc import Callable, Sequence
from typing import Final
from xml.etree.ElementTree import Element

from routerd.audit import ENOUGH
from routerd.page import charts
from routerd.page.charts import WIDTH, Blob, Row, Told, Track
from routerd.page.elements import Child, el
from routerd.page.figures import Arm, Figures, Kind
from routerd.page.parts import (
    NO_OUTCOMES,
    Parts,
    arm,
    arm_name,
    card,
    count,
    grid,
    lead,
    missing,
    moneys,
    note,
    numbers,
    percents,
    span,
    times,
    wide_grid,
)
from routerd.page.scales import (
    MONEY_USD,
    TIMES_MS,
    Scale,
    Span,
    linear,
    logarithmic,
    money_word,
    percent_word,
    success_floor,
    time_word,
)
from routerd.units import dollars, duration, percent

ARMS_SHOWN: Final = charts.COLOURS
ROWS_SHOWN: Final = 6
HEADS: Final = ("outcomes", "verdicts", "success", "time", "cost")


# --- over all -------------------------------------------------------------------------------------------------------


def tradeoff(figures: Figures) -> Parts:
    """Success against time and against cost."""
    if not figures.arms:
        return [missing(NO_OUTCOMES)]
    shown = figures.arms[:ARMS_SHOWN]
    times_taken = [span(one.expected.wall_time_ms) for one in shown]
    costs = [span(one.expected.cost_usd) for one in shown]
    table = [(arm_name(one.arm), *_numbers(one)) for one in figures.arms]
    return [
        lead(*_best(figures.arms)),
        wide_grid(
            _ellipses("time", shown, times_taken, _wide(times_taken, TIMES_MS, time_word)),
            _ellipses("cost", shown, costs, _wide(costs, MONEY_USD, money_word)),
        ),
        _legend(shown),
        numbers("each arm on the average task so far", ("arm", *HEADS), table),
        _how(figures.arms, shown),
    ]


def _wide(spans: Sequence[Span], marks: Sequence[float], word: Callable[[float], str]) -> Scale:
    return logarithmic([value for one in spans for value in (one.low, one.high)], marks, 44.0, WIDTH - 16, word)


def _ellipses(what: str, shown: Sequence[Arm], across: Sequence[Span], x: Scale) -> Element:
    ups = [span(one.expected.success) for one in shown]
    y = linear(success_floor(ups), 1.0, 226.0, 24.0, percent_word, steps=5)
    blobs = [
        Blob(arm_name(one.arm), a, up, one.verdicts >= ENOUGH) for one, a, up in zip(shown, across, ups, strict=True)
    ]
    title = f"Success and {what}"
    said = f"{count(len(shown), 'arm')} with the 90 % intervals of success and {what}; the numbers are in the table."
    told = Told(f"arms-{what}", title, said, f"{what} of a task →", "success ↑")
    return card(title, charts.ellipses(told, blobs, x, y))


def _best(arms: Sequence[Arm]) -> list[Child]:
    """Which arms stand out, of those that tasks are handed to and of which enough is known."""
    handed = [one for one in arms if one.arm != "local"]
    sure = [one for one in handed if one.verdicts >= ENOUGH]
    if len(sure) < 2:
        few = f"of {count(len(handed), 'arm')} that tasks are handed to, {len(sure) or 'none'}"
        said = f"Not enough to tell which is best: {few} has outcomes worth {ENOUGH:.0f} verdicts."
        return [said, " Verdicts come from tests that ran, and from ", el("code", "routerctl feedback"), "."]
    best = max(sure, key=lambda one: one.expected.success.mean)
    quick = min(sure, key=lambda one: one.expected.wall_time_ms.mean)
    cheap = min(sure, key=lambda one: one.expected.cost_usd.mean)
    rest = f" {len(sure)} of {len(handed)} rest on enough to be named here." if len(sure) < len(handed) else ""
    return [
        "Of the arms that tasks are handed to, expected to succeed most: ",
        arm(best.arm),
        f" ({percent(best.expected.success.mean)}); to be quickest: ",
        arm(quick.arm),
        f" ({duration(quick.expected.wall_time_ms.mean)}); to be cheapest: ",
        arm(cheap.arm),
        f" ({dollars(cheap.expected.cost_usd.mean)}).{rest}",
    ]


def _legend(shown: Sequence[Arm]) -> Element:
    items = [
        el(
            "li",
            el("b", el("span", charts.letter(index)), class_=f"c{index % charts.COLOURS}"),
            el("span", arm(one.arm), el("em", f" {count(one.outcomes, 'outcome')}, worth {one.verdicts:.0f}")),
        )
        for index, one in enumerate(shown)
    ]
    return el("ul", *items, class_="legend")


def _how(arms: Sequence[Arm], shown: Sequence[Arm]) -> Element:
    said = (
        "An ellipse spans the 90 % intervals of what is expected of an arm on the average task. Up and left is better."
    )
    if any(one.verdicts < ENOUGH for one in shown):
        said += f" Dashed: outcomes worth fewer than {ENOUGH:.0f} verdicts; its price, score and relatives speak more."
    if len(arms) > len(shown):
        said += f" {count(len(arms) - len(shown), 'less used arm')} in the table only."
    return note(said, " The same as ", el("code", "routerctl arms"), ".")


def _numbers(one: Arm) -> tuple[str, ...]:
    expected = one.expected
    spans = span(expected.success), span(expected.wall_time_ms), span(expected.cost_usd)
    return f"{one.outcomes:,}", f"{one.verdicts:.1f}", percents(spans[0]), times(spans[1]), moneys(spans[2])


# --- by kind of task ------------------------------------------------------------------------------------------------


def by_kind(figures: Figures) -> Parts:
    """Each kind of task: the arms that did some of them."""
    if not figures.kinds:
        return [missing(NO_OUTCOMES)]
    scales = _columns([one for kind in figures.kinds for one in kind.arms[:ROWS_SHOWN]])
    letters = {one.arm: index for index, one in enumerate(figures.arms[:ARMS_SHOWN])}
    table = [(kind.kind, arm_name(one.arm), *_numbers(one)) for kind in figures.kinds for one in kind.arms]
    more = f" {count(figures.more_kinds, 'rarer kind')} not shown." if figures.more_kinds else ""
    return [
        lead("What is expected of each arm on a task of that kind that is average otherwise, with 90 % intervals."),
        grid(*(_kind(number, kind, letters, scales) for number, kind in enumerate(figures.kinds))),
        numbers("each arm by kind of task", ("kind", "arm", *HEADS), table, words=2),
        note(
            "At the right: how many outcomes of the kind. What an arm has not done of a kind it owes to what it did of "
            f"others, and to its relatives. Dotted: fewer than {ENOUGH:.0f} verdicts of the kind.{more} The same as ",
            el("code", "routerctl arms --kind KIND"),
            ".",
        ),
    ]


def _columns(arms: Sequence[Arm]) -> list[Scale]:
    """The scales of success, time and cost, the same for all kinds."""
    ends = [(WIDTH / 3 * column + 2, WIDTH / 3 * (column + 1) - 14) for column in range(3)]
    times_taken = [value for one in arms for value in (one.expected.wall_time_ms.low, one.expected.wall_time_ms.high)]
    costs = [value for one in arms for value in (one.expected.cost_usd.low, one.expected.cost_usd.high)]
    floor = success_floor([span(one.expected.success) for one in arms])
    return [
        Scale(low=floor, high=1.0, begin=ends[0][0], end=ends[0][1], marks=(floor, 1.0), word=percent_word),
        logarithmic(times_taken, TIMES_MS, *ends[1], time_word),
        logarithmic(costs, MONEY_USD, *ends[2], money_word),
    ]


def _kind(number: int, kind: Kind, letters: dict[str, int], scales: Sequence[Scale]) -> Element:
    shown = kind.arms[:ROWS_SHOWN]
    title = f"{kind.kind}: {count(kind.outcomes, 'outcome')}"
    said = f"Success, time and cost of {count(len(shown), 'arm')} with 90 % intervals; the numbers are in the table."
    rows = [_row(one, letters.get(one.arm)) for one in shown]
    chart = charts.tracks(Told(f"kind-{number}", title, said), rows, scales, ("success", "time", "cost"))
    more = len(kind.arms) - len(shown)
    return card(title, chart, missing(f"and {count(more, 'arm')} in the table") if more else None)


def _row(one: Arm, colour: int | None) -> Row:
    success, wall_time, cost = one.expected.success, one.expected.wall_time_ms, one.expected.cost_usd
    return Row(
        name=arm_name(one.arm),
        aside=f"{one.outcomes:,}",
        tracks=(
            Track(span(success), percent(success.mean)),
            Track(span(wall_time), duration(wall_time.mean)),
            Track(span(cost), dollars(cost.mean)),
        ),
        colour=colour,
        sure=one.verdicts >= ENOUGH,
    )

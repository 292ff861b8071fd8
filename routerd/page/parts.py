"""Pieces that every section of the page is made of, and how things are said in them."""

from collections.abc import Sequence
from typing import Final
from xml.etree.ElementTree import Element

from routerd.events import Estimate
from routerd.page.elements import Child, el, short
from routerd.page.scales import Span
from routerd.units import dollars, duration, money

Parts = list[Element | None]

NAME_CHARS_MAX: Final = 60
NO_OUTCOMES: Final = (
    "There is no outcome yet to learn from. Let routerd read your agents' logs (routerd --once); "
    "routerctl doctor says what is in the way."
)


def section(name: str, title: str, *parts: Child) -> Element:
    """A section with its heading."""
    return el("section", el("h2", title, id=f"{name}-h"), *parts, id=name, aria_labelledby=f"{name}-h")


def lead(*children: Child) -> Element:
    """What a section says, in a sentence or two."""
    return el("p", *children, class_="lead")


def note(*children: Child) -> Element:
    """How something was made, in small print."""
    return el("p", *children, class_="note")


def missing(text: str) -> Element:
    """Why there is nothing to see."""
    return el("p", text, class_="missing")


def grid(*children: Child) -> Element:
    """Charts beside each other where there is room."""
    return el("div", *children, class_="grid")


def wide_grid(*children: Child) -> Element:
    """The same, filling the line."""
    return el("div", *children, class_="grid wide")


def card(title: str, chart: Element | None, *more: Child) -> Element:
    """A chart, or words, under a heading."""
    return el("div", el("h3", title), chart, *more, class_="card")


def numbers(caption: str, heads: Sequence[str], rows: Sequence[Sequence[str]], *, words: int = 1) -> Element:
    """The numbers of a chart as a table that opens; the first `words` columns are words. It scrolls by keyboard too."""

    def cells(tag: str, row: Sequence[str]) -> list[Element]:
        kinds = [None if index < words else "num" for index in range(len(row))]
        if tag == "th":
            return [el("th", text, scope="col", class_=kind) for text, kind in zip(row, kinds, strict=True)]
        first = el("th", row[0], scope="row")
        return [first, *(el("td", text, class_=kind) for text, kind in zip(row[1:], kinds[1:], strict=True))]

    table = el(
        "table",
        el("caption", caption),
        el("thead", el("tr", *cells("th", heads))),
        el("tbody", *(el("tr", *cells("td", row)) for row in rows)),
    )
    scroll = el("div", table, class_="scroll", tabindex="0", role="region", aria_label=caption)
    return el("details", el("summary", f"The numbers: {caption}"), scroll)


# --- how things are said --------------------------------------------------------------------------------------------


def arm_name(arm: str) -> str:
    """An arm for a person: `local` is the agent itself."""
    return "the agent itself" if arm == "local" else arm.removeprefix("delegate:")


def arm(name: str) -> Element:
    """An arm's name in a sentence: it breaks no line, and what nobody would read to its end is cut in the middle."""
    return el("span", short(arm_name(name), NAME_CHARS_MAX), class_="arm")


def span(one: Estimate | dict[str, float]) -> Span:
    """The interval of an estimate, or of a figure of an answer."""
    if isinstance(one, dict):
        return Span(one["mean"], one["low"], one["high"])
    return Span(one.mean, one.low, one.high)


def percents(one: Span) -> str:
    """93 % [81-98]."""
    return f"{100 * one.mean:.0f} % [{100 * one.low:.0f}-{100 * one.high:.0f}]"


def times(one: Span) -> str:
    """54 s [40 s-70 s]."""
    return f"{duration(one.mean)} [{duration(one.low)}-{duration(one.high)}]"


def moneys(one: Span) -> str:
    """$0.31 [$0.20 to $0.50]."""
    return f"{dollars(one.mean)} [{dollars(one.low)} to {dollars(one.high)}]"


def savings(one: Span) -> str:
    """$312.00 [$220.00 to $390.00]; below 0 where more was spent."""
    return f"{money(one.mean)} [{money(one.low)} to {money(one.high)}]"


def hours(one: Span) -> str:
    """6.4 h [5.1 to 7.9]."""
    return f"{one.mean:.1f} h [{one.low:.1f} to {one.high:.1f}]"


def odds(chance: float) -> str:
    """A probability of which neither 0 nor 1 is ever sure."""
    return "under 1 %" if chance < 0.005 else "over 99 %" if chance >= 0.995 else f"{100 * chance:.0f} %"


def count(number: int, one: str, many: str | None = None) -> str:
    """1 task, 2 tasks."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"

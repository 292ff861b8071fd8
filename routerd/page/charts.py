"""
Charts as inline SVG: pure functions of values, drawn for a width that a phone shows one to one.

Colours are classes (`c0` … `c7`, see `page.css`), so that light and dark are the style sheet's affair; an arm is told
by its letter as well, for whoever does not see colours apart. Each chart is an image with a title and a sentence; its
numbers stand in a table beside it.
"""

import math
from collections.abc import Sequence
from typing import Final
from xml.etree.ElementTree import Element

import msgspec

from routerd.page.elements import el, put, short
from routerd.page.scales import Scale, Span

WIDTH: Final = 340.0
COLOURS: Final = 8
CHAR: Final = 6.4
"""Width of a character at the size of the charts' words, on average."""
KAPPA: Final = 0.5523
"""How far the handles of a Bézier curve reach for a quarter of an ellipse."""
ROOM: Final = 14.0
"""So far apart, two letters do not touch."""


class Told(msgspec.Struct, frozen=True):
    """
    What a chart is called and says.

    Attributes:
        name: Unique on the page.
        title: In a few words.
        said: The sentence for whoever cannot see it.
        across, up: What its axes are.
    """

    name: str
    title: str
    said: str
    across: str = ""
    up: str = ""


def letter(index: int) -> str:
    """An arm's letter."""
    return chr(ord("A") + index)


def picture(told: Told, height: float, *children: Element) -> Element:
    """The frame of a chart."""
    return el(
        "svg",
        el("title", told.title, id=f"{told.name}-t"),
        el("desc", told.said, id=f"{told.name}-d"),
        *children,
        viewBox=f"0 0 {WIDTH:.0f} {height:.0f}",
        role="img",
        aria_labelledby=f"{told.name}-t {told.name}-d",
    )


def word(x: float, y: float, text: str, anchor: str = "start", class_: str | None = None) -> Element:
    """A word at a place."""
    return el("text", text, x=x, y=y, text_anchor=None if anchor == "start" else anchor, class_=class_)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Element:
    """A straight line."""
    return el("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def axes(x: Scale, y: Scale, told: Told) -> Element:
    """The grid of a chart with its marks and what the axes are."""
    group = el("g", class_="axes")
    for mark in x.marks:
        at = x.at(mark)
        put(group, line(at, y.begin, at, y.end, "tick"), word(at, y.begin + 16, x.word(mark), "middle"))
    for mark in y.marks:
        at = y.at(mark)
        put(group, line(x.begin, at, x.end, at, "tick"), word(x.begin - 6, at + 4, y.word(mark), "end"))
    put(group, word(x.end, y.begin + 33, told.across, "end", "what"), word(0, y.end - 10, told.up, class_="what"))
    return group


# --- two intervals at once ------------------------------------------------------------------------------------------


class Blob(msgspec.Struct, frozen=True):
    """An arm with two intervals: across and up. `sure` is whether it rests on enough."""

    name: str
    across: Span
    up: Span
    sure: bool


def ellipses(told: Told, blobs: Sequence[Blob], x: Scale, y: Scale) -> Element:
    """Each arm as a blob that spans its two intervals, with a dot at the means and its letter."""
    group, dots, taken = el("g"), el("g"), [(x.at(one.across.mean), y.at(one.up.mean)) for one in blobs]
    for index, one in reversed(list(enumerate(blobs))):
        dashed = "" if one.sure else " unsure"
        blob = el("path", el("title", one.name), d=_outline(one, x, y), class_=f"blob c{index % COLOURS}{dashed}")
        put(group, blob)
    labels: list[tuple[float, float]] = []
    for index, one in enumerate(blobs):
        at = taken[index]
        put(dots, el("circle", el("title", one.name), cx=at[0], cy=at[1], r=4, class_=f"dot c{index % COLOURS}"))
        spot = _free(at, [*taken, *labels], x, y)
        labels.append(spot)
        put(dots, word(spot[0], spot[1] + 4, letter(index), "middle", f"letter c{index % COLOURS}"))
    return picture(told, y.begin + 40, axes(x, y, told), group, dots)


def _outline(one: Blob, x: Scale, y: Scale) -> str:
    """Four quarters of ellipses: from the means to either end of either interval, which need not be as far."""
    cx, cy = x.at(one.across.mean), y.at(one.up.mean)
    left, right, top, bottom = x.at(one.across.low), x.at(one.across.high), y.at(one.up.high), y.at(one.up.low)
    path = [f"M{left:.1f} {cy:.1f}"]
    for x0, y0, x1, y1 in ((left, cy, cx, top), (cx, top, right, cy), (right, cy, cx, bottom), (cx, bottom, left, cy)):
        flat = y0 == cy  # a quarter that begins on the horizontal axis leaves it upright
        bend = (x0, y0 + KAPPA * (y1 - y0), x1 - KAPPA * (x1 - x0), y1)
        round_ = (x0 + KAPPA * (x1 - x0), y0, x1, y1 - KAPPA * (y1 - y0))
        handles = bend if flat else round_
        path.append(f"C{handles[0]:.1f} {handles[1]:.1f} {handles[2]:.1f} {handles[3]:.1f} {x1:.1f} {y1:.1f}")
    return "".join(path) + "Z"


def _free(at: tuple[float, float], taken: Sequence[tuple[float, float]], x: Scale, y: Scale) -> tuple[float, float]:
    """A place for a letter beside a dot: the nearest that no other dot or letter is close to."""
    spots = [
        (at[0] + reach * math.cos(turn * math.pi / 4), at[1] + reach * math.sin(turn * math.pi / 4))
        for reach in (12.0, 22.0, 32.0)
        for turn in range(8)
    ]
    inside = [one for one in spots if x.begin + 6 < one[0] < x.end - 4 and y.end + 4 < one[1] < y.begin - 5]

    def room(spot: tuple[float, float]) -> float:
        return min((math.dist(spot, other) for other in taken if other != at), default=ROOM)

    return next((one for one in inside if room(one) >= ROOM), max(inside or spots, key=room))


# --- intervals in rows ----------------------------------------------------------------------------------------------


class Track(msgspec.Struct, frozen=True):
    """One interval of a row and how it is said; without a span the words stand alone."""

    span: Span | None
    said: str


class Row(msgspec.Struct, frozen=True):
    """A name with intervals; `colour` is an arm's, or None. `sure` is whether it rests on enough."""

    name: str
    aside: str
    tracks: tuple[Track, ...]
    colour: int | None = None
    sure: bool = True


ROW: Final = 54.0


def tracks(told: Told, rows: Sequence[Row], scales: Sequence[Scale], heads: Sequence[str]) -> Element:
    """Rows of intervals, one column for each scale; scales say where the columns are."""
    top, height = 22.0, 22.0 + ROW * len(rows)
    group = el("g")
    for scale, head in zip(scales, heads, strict=True):
        put(group, word(scale.begin, 11, head, class_="what"))
        for mark in scale.marks:
            at = scale.at(mark)
            anchor = "start" if at <= scale.begin + 4 else "end" if at >= scale.end - 4 else "middle"
            put(group, word(at, height + 8, scale.word(mark), anchor))
    for index, row in enumerate(rows):
        put(group, _row(row, top + ROW * index, scales))
    return picture(told, height + 16, el("g", group, class_="axes"))


def _row(row: Row, y: float, scales: Sequence[Scale]) -> Element:
    colour = "ink" if row.colour is None else f"c{row.colour % COLOURS}"
    group = el("g", class_="row")
    begin = 0.0
    if row.colour is not None:
        put(group, word(0, y + 12, letter(row.colour), class_=f"letter {colour}"))
        begin = 14.0
    room = int((WIDTH - begin - CHAR * len(row.aside) - 8) / CHAR)
    put(group, el("text", el("title", row.name), short(row.name, room), x=begin, y=y + 12, class_="name"))
    put(group, word(WIDTH, y + 12, row.aside, "end"))
    for scale, track in zip(scales, row.tracks, strict=True):
        middle = y + 24
        put(group, line(scale.begin, middle, scale.end, middle, "rail"))
        put(group, *(line(scale.at(mark), middle - 5, scale.at(mark), middle + 5, "tick") for mark in scale.marks))
        if track.span is not None:
            low, high, mean = (scale.at(value) for value in (track.span.low, track.span.high, track.span.mean))
            unsure = "" if row.sure else " unsure"
            put(group, line(low, middle, max(high, low + 0.5), middle, f"bar {colour}{unsure}"))
            put(group, el("circle", cx=mean, cy=middle, r=4, class_=f"dot {colour}"))
        put(group, word(scale.begin, y + 42, track.said, class_="said"))
    return group


# --- lines ----------------------------------------------------------------------------------------------------------


class Curve(msgspec.Struct, frozen=True):
    """A line through points, with its name at the end; a missing point breaks it."""

    name: str
    points: tuple[tuple[float, float] | None, ...]
    class_: str


def curves(told: Told, drawn: Sequence[Curve], x: Scale, y: Scale, *, even: bool = False) -> Element:
    """Lines with a dot at each point; with `even`, from corner to corner where both axes say the same."""
    group, ends = el("g"), []
    if even:
        put(group, line(x.at(x.low), y.at(y.low), x.at(x.high), y.at(y.high), "even"))
    for one in drawn:
        for part in _parts(one.points):
            places = [(x.at(a), y.at(b)) for a, b in part]
            path = " ".join(f"{a:.1f},{b:.1f}" for a, b in places)
            put(group, el("polyline", points=path, class_=f"curve {one.class_}"))
            put(group, *(el("circle", cx=a, cy=b, r=3, class_=f"dot {one.class_}") for a, b in places))
            end = places[-1]
        ends.append((end[1], one))
    lowest = y.begin + 1
    for at, one in sorted(ends, key=lambda item: -item[0]):
        lowest = min(at, lowest - 14)
        put(group, word(x.end + 6, lowest + 4, one.name, class_=f"end {one.class_}"))
    return picture(told, y.begin + 40, axes(x, y, told), group)


def _parts(points: Sequence[tuple[float, float] | None]) -> list[list[tuple[float, float]]]:
    parts: list[list[tuple[float, float]]] = [[]]
    for point in points:
        if point is None:
            parts.append([])
        else:
            parts[-1].append(point)
    return [part for part in parts if part]


def reliability(told: Told, found: Sequence[tuple[float, Span, float]], x: Scale, y: Scale) -> Element:
    """
    What was expected against what came, and the line where both are one.

    Args:
        told: See `Told`.
        found: What was expected, what came with its interval, and how many verdicts that rests on.
        x: The axis of what was expected.
        y: That of what came.
    """
    group = el("g", line(x.at(x.low), y.at(x.low), x.at(x.high), y.at(x.high), "even"))
    most = max((verdicts for _, _, verdicts in found), default=1.0)
    for expected, came, verdicts in found:
        at = x.at(expected)
        put(group, line(at, y.at(came.low), at, y.at(came.high), "whisker learnt"))
        put(group, el("circle", cx=at, cy=y.at(came.mean), r=3 + 2 * (verdicts / most) ** 0.5, class_="dot learnt"))
    return picture(told, y.begin + 40, axes(x, y, told), group)


def shares(told: Told, rows: Sequence[tuple[str, str, float]]) -> Element:
    """Bars of a share of 1: (name, how it is said, share)."""
    group, height = el("g", class_="axes"), ROW * len(rows)
    for index, (label, text, share) in enumerate(rows):
        y = ROW * index
        put(group, el("text", el("title", label), short(label, int(WIDTH / CHAR)), x=0, y=y + 12, class_="name"))
        put(group, el("rect", x=0, y=y + 18, width=WIDTH, height=6, rx=3, class_="rail"))
        put(group, el("rect", x=0, y=y + 18, width=max(3.0, WIDTH * share), height=6, rx=3, class_="fill stray"))
        put(group, word(0, y + 42, text, class_="said"))
    return picture(told, height, group)

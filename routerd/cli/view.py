"""How things look on a terminal: one console, tables without clutter, and units that a person reads."""

import json
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from routerd.units import ago, dollars, duration, interval, percent, size

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

__all__ = [
    "ago",
    "bar",
    "console",
    "dollars",
    "duration",
    "interval",
    "percent",
    "print_json",
    "print_table",
    "size",
    "table",
]


def console(*, stderr: bool = False) -> "Console":
    """A console that is plain when its output is a pipe or NO_COLOR is set; `COLUMNS` is honoured."""
    from rich.console import Console  # noqa: PLC0415 - JSON needs none of it

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else 140
    return Console(file=stream, highlight=False, soft_wrap=False, width=width, markup=False, emoji=False)


def print_json(value: Any) -> None:
    """One JSON value on stdout."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n")


def table(headings: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> "Table":
    """A table without frames; the columns in `right` are aligned to the right."""
    from rich.table import Table  # noqa: PLC0415

    view = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for number, heading in enumerate(headings):
        view.add_column(heading, justify="right" if number in right else "left", overflow="fold")
    for row in rows:
        view.add_row(*row)
    return view


def print_table(
    to: "Console",
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    right: Sequence[int] = (),
    less: Sequence[str] = (),
) -> None:
    """
    Prints a table that fits: columns with nothing in them are left out, and where there is no room those of `less`, in
    this order. What was left out for want of room is named below. A name in the first column that would take half of
    the room is broken instead.
    """
    kept = [number for number, _ in enumerate(headings) if any(row[number] for row in rows)]
    gone: list[str] = []
    for name in (None, *less):
        if name is not None and headings.index(name) in kept:
            kept.remove(headings.index(name))
            gone.append(name)
        view = table(
            [headings[number] for number in kept],
            [[row[number] for number in kept] for row in rows],
            right=[place for place, number in enumerate(kept) if number in right],
        )
        view.columns[0].max_width = max(16, FIRST_COLUMN * to.width // 100)
        if to.measure(view, options=to.options.update(width=WIDTH_MAX)).maximum <= to.width:
            break
    to.print(view)
    if gone:
        to.print(f"(no room for: {', '.join(gone)}; a wider terminal or --json has it)", style="dim")


FIRST_COLUMN = 47
"""Percent of the room that the first column may take."""
WIDTH_MAX = 1000
"""No table is so wide."""


def bar(mean: float, low: float, high: float, width: int = 24) -> str:
    """
    A probability as a place on a line from 0 to 1, with its interval.

    >>> bar(0.5, 0.25, 0.75, 9)
    '  ├─●─┤  '
    """
    at = [round(min(max(value, 0.0), 1.0) * (width - 1)) for value in (low, mean, high)]
    cells = [" "] * width
    cells[at[0] : at[2] + 1] = "─" * (at[2] + 1 - at[0])
    cells[at[0]], cells[at[2]] = "├", "┤"
    cells[at[1]] = "●"
    return "".join(cells)

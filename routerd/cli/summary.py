"""The first table, on a terminal."""

from collections.abc import Iterator, Sequence

from rich.console import Console

from routerd.cli.view import dollars, duration, interval, print_table
from routerd.summary import Line


def show(lines: Sequence[Line], to: Console) -> None:
    """What each agent's models did. Where there is little room an agent's name stands above its lines."""
    rows: list[tuple[str, ...]] = [
        (
            line.agent,
            line.model if line.executor == "delegate" else f"{line.model} (itself)",
            str(line.tasks),
            interval(line.success, line.low, line.high),
            f"{line.evidence:.0f}",
            duration(line.median_wall_time_ms),
            ("~" if line.cost_estimated and line.cost_usd is not None else "") + dollars(line.cost_usd),
            str(line.unknown),
            str(line.censored),
        )
        for line in lines
    ]
    if to.width < ROOMY:
        rows = list(_grouped(rows))
        print_table(to, ("", *HEADINGS[1:]), rows, right=RIGHT, less=("evidence", "unknown", "censored"))
    else:
        print_table(to, HEADINGS, rows, right=RIGHT)
    to.print(
        "\nsuccess: 90 % interval; evidence: how many explicit verdicts the signals in the logs are worth;"
        "\ncost: by list price (~ where tokens had to be estimated); censored: ended by a limit, a login or a fault.",
        style="dim",
    )


HEADINGS = ("agent", "model", "tasks", "success", "evidence", "median", "cost", "unknown", "censored")
RIGHT = (2, 4, 5, 6, 7, 8)
ROOMY = 120


def _grouped(rows: Sequence[tuple[str, ...]]) -> Iterator[tuple[str, ...]]:
    agent = None
    for row in rows:
        if row[0] != agent:
            agent = row[0]
            yield ("", agent, *("" for _ in row[2:]))
        yield ("", f"  {row[1]}", *row[2:])

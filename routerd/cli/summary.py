"""The first table, on a terminal."""

from collections.abc import Sequence

from rich.console import Console

from routerd.cli.view import dollars, duration, interval, table
from routerd.summary import Line


def show(lines: Sequence[Line], to: Console) -> None:
    """What each agent's models did."""
    rows = [
        (
            line.agent,
            line.model if line.executor == "delegate" else f"{line.model} (itself)",
            str(line.tasks),
            interval(line.success, line.low, line.high),
            f"{line.evidence:.0f}",
            duration(line.median_wall_time_ms),
            ("~" if line.cost_estimated else "") + dollars(line.cost_usd),
            str(line.unknown),
            str(line.censored),
        )
        for line in lines
    ]
    headings = ("agent", "model", "tasks", "success", "evidence", "median", "cost", "unknown", "censored")
    to.print(table(headings, rows, right=(2, 4, 5, 6, 7, 8)))
    to.print(
        "\nsuccess: 90 % interval; evidence: how many explicit verdicts the signals in the logs are worth;"
        "\ncost: by list price (~ where tokens had to be estimated); censored: ended by a limit, a login or a fault.",
        style="dim",
    )

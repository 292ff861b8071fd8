"""`routerctl arms`: what is believed of each dispatch."""

from typing import Any

from routerd.cli.common import DEFAULTS, Common, ask, show
from routerd.cli.view import ago, console, dollars, duration, interval, print_table


def arms(*, scope: str | None = None, kind: str | None = None, common: Common = DEFAULTS) -> int:
    """What is believed of each dispatch, and on how much evidence.

    Example: routerctl arms --kind explore

    Parameters
    ----------
    scope: str
        What is believed in this scope alone.
    kind: str
        For tasks of this kind, instead of an average task.
    """
    return show(ask("arms", {"scope": scope, "kind": kind}, common), common, render)


def render(answer: dict[str, Any]) -> None:
    """A table, the best known first."""
    import time  # noqa: PLC0415

    from routerd.drift import MOVED_SE  # noqa: PLC0415 - numpy comes with it

    out = console()
    if not answer["arms"]:
        out.print(
            "no arm is known yet: no task has ended, and [pool] names no model; `routerctl status` says what is read"
        )
        return
    rows = []
    for arm in answer["arms"]:
        after = arm["posterior"]
        success = after["success"]
        rows.append(
            (
                arm["arm"],
                interval(success["mean"], success["low"], success["high"]),
                f"{arm['n']:.1f}",
                duration(after["wall_time_ms"]["mean"]),
                dollars(after["cost_usd"]["mean"]),
                "never" if arm["last_seen"] is None else ago(time.time() - arm["last_seen"]),
                f"{arm['drift']:+.1f} s.e." if abs(arm["drift"] or 0.0) >= MOVED_SE else "",
                "" if arm["in_pool"] else "outside",
            )
        )
    headings = ("arm", "success", "n", "time", "cost", "last seen", "drift", "pool")
    print_table(out, headings, rows, right=(2, 3, 4), less=("last seen", "n", "cost", "time", "drift"))

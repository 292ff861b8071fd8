"""`routerctl explain DECISION_ID`: what was known, believed and ruled out when a pick was made."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from routerd.cli.common import DEFAULTS, Common, ask, show
from routerd.cli.view import ago, bar, console, dollars, duration, interval, percent, print_table

if TYPE_CHECKING:
    from rich.console import Console

CHANGES_SHOWN = 3
ROOMY = 110
"""Columns of a terminal from which on bars can be long."""


def explain(decision_id: str, *, common: Common = DEFAULTS) -> int:
    """What was known, believed and ruled out when a pick was made, and what would have changed it.

    Example: routerctl explain d_1a1fc41f800fa931e48

    Parameters
    ----------
    decision_id: str
        As `recommend`, `events` and the agents' notes give it.
    """
    return show(ask("explain", {"decision_id": decision_id}, common), common, render)


def render(answer: dict[str, Any], to: "Console | None" = None) -> None:
    """The pick, its rivals, the gate, what would change it, the features and the nearest tasks of the past."""
    out = to or console()
    out.print(f"{answer['chosen']}  ({ago(time.time() - answer['at'])}, {answer['policy']['name']})", style="bold")
    if answer.get("reason"):
        out.print(answer["reason"])
    gate = answer["gate"]
    out.print(f"gate: {'apply' if gate['apply'] else 'advice only'}: {gate['reason']}\n")
    _arms(answer["arms"], out)
    _ruled_out(answer["arms"], out)
    _otherwise(answer, out)
    out.print(f"\nfeatures: {_features(answer['task']['features'])}")
    evidence = answer["evidence"]
    out.print(
        f"evidence: {evidence['own']:.1f} outcomes of routerd's own decisions, "
        f"{evidence['logs']:.1f} of others' choices in logs, {evidence['prior']:.1f} that the prior is worth"
    )
    if answer.get("outcome"):
        _outcome(answer["outcome"], out)
    _nearest(answer["nearest"], out)


def _features(features: dict[str, Any]) -> str:
    """What was seen of the task; what was not (no, none, 0) is left to --json, as are the numbers of its text."""
    seen = [
        name if value is True else f"{name} {value}"
        for name, value in features.items()
        if value and not isinstance(value, list)
    ]
    return ", ".join(seen) or "nothing that tells it from others"


HEADINGS = ("arm", "success", "", "time", "cost", "worth", "chance", "n", "time 90 %", "cost 90 %")


def _arms(arms: list[dict[str, Any]], out: "Console") -> None:
    """What was expected of each, the best first; the bars go from 0 % to 100 % success."""
    width = 24 if out.width >= ROOMY else 10
    rows = []
    for arm in arms:
        success, time_ms, cost = (arm["expected"][name] for name in ("success", "wall_time_ms", "cost_usd"))
        rows.append(
            (
                arm["arm"],
                bar(success["mean"], success["low"], success["high"], width),
                interval(success["mean"], success["low"], success["high"]),
                duration(time_ms["mean"]),
                dollars(cost["mean"]),
                f"{arm['utility']:+.3f}",
                "out" if arm.get("removed_by") else percent(arm["propensity"]),
                f"{success['n']:.1f}",
                f"{duration(time_ms['low'])} - {duration(time_ms['high'])}",
                f"{dollars(cost['low'])} - {dollars(cost['high'])}",
            )
        )
    print_table(
        out,
        HEADINGS,
        rows,
        right=(3, 4, 5, 6, 7, 8, 9),
        less=("cost 90 %", "time 90 %", "n", "chance", "worth", "cost", "time"),
    )


def _ruled_out(arms: list[dict[str, Any]], out: "Console") -> None:
    """Which constraint removed what, and whether it mattered."""
    gone = [arm for arm in arms if arm.get("removed_by")]
    best = max((arm["utility"] for arm in arms if not arm.get("removed_by")), default=None)
    if gone:
        out.print("\nruled out:")
    for arm in gone:
        mattered = "; it would have been worth most" if best is not None and arm["utility"] > best else ""
        out.print(f"  {arm['arm']}: {arm['removed_by']}{mattered}")


def _otherwise(answer: dict[str, Any], out: "Console") -> None:
    """What would have to change for another arm to be worth most."""
    left = [arm for arm in answer["arms"] if not arm.get("removed_by")]
    prices = answer.get("prices")
    if len(left) < 2 or prices is None:
        return
    leader = max(left, key=lambda arm: arm["utility"])["arm"]
    weighed = f"at {_price('success_usd', prices['success_usd'])} and {_price('hour_usd', prices['hour_usd'])}"
    if prices["money"] != 1.0:
        weighed += f", with {_price('money', prices['money'])}"
    said = "the pick" if leader == answer["chosen"] else leader
    out.print(f"\n{said} was worth most {weighed}; what would change that:")
    for change in answer["otherwise"][:CHANGES_SHOWN]:
        out.print(f"  at {_price(change['price'], change['to'])}: {change['arm']}")
    if not answer["otherwise"]:
        out.print("  no other price of success, time or money would")


def _price(name: str, value: float) -> str:
    """A price in words."""
    if name == "money":
        return f"a dollar counting {value:.3g} times"
    return f"${value:,.10g} {'an hour' if name == 'hour_usd' else 'a success'}"


def _outcome(outcome: dict[str, Any], out: "Console") -> None:
    why = f" ({outcome['error']})" if outcome.get("error") else ""
    out.print(
        f"outcome: success {percent(outcome.get('succeeded'))}{why}, {duration(outcome.get('wall_time_ms'))}, "
        f"{dollars(outcome.get('cost_usd'))}"
    )


def _nearest(nearest: list[dict[str, Any]], out: "Console") -> None:
    if not nearest:
        out.print("\nno task of your own past resembles it yet")
        return
    rows = [
        (
            str(number),
            ago(time.time() - past["at"]) if past["at"] is not None else "?",
            past["agent"],
            past["arm"],
            _mark(past["succeeded"]),
            duration(past["wall_time_ms"]),
            dollars(past["cost_usd"]),
            f"{past['similarity']:.2f}",
        )
        for number, past in enumerate(nearest, start=1)
    ]
    out.print("\nnearest tasks of your own past:")
    headings = ("", "when", "agent", "arm", "success", "time", "cost", "likeness")
    print_table(out, headings, rows, right=(5, 6, 7), less=("agent", "when", "cost"))
    _transcripts(nearest, out)


def _mark(succeeded: float | None) -> str:
    if succeeded is None:
        return "? not known"
    return f"{'✓' if succeeded >= 0.5 else '✗'} {percent(succeeded)}"


def _transcripts(nearest: list[dict[str, Any]], out: "Console") -> None:
    """Where they can be read; a link on terminals that know links. Long paths are not broken."""
    from rich.style import Style  # noqa: PLC0415 - JSON needs none of it
    from rich.text import Text  # noqa: PLC0415

    by_path: dict[str, list[str]] = {}
    for number, past in enumerate(nearest, start=1):
        if past.get("transcript"):
            by_path.setdefault(past["transcript"], []).append(str(number))
    for path, numbers in by_path.items():
        link = Style(dim=True, link=Path(path).as_uri() if Path(path).is_absolute() else None)
        out.print(Text(f"{', '.join(numbers)}: {path}", style=link), soft_wrap=True)

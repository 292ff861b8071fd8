"""`routerctl explain DECISION_ID`: what was known, believed and ruled out when a pick was made."""

import time
from typing import TYPE_CHECKING, Any

from routerd.cli.common import DEFAULTS, Common, ask, show
from routerd.cli.recommend import expected_row
from routerd.cli.view import ago, console, dollars, duration, percent, table

if TYPE_CHECKING:
    from rich.console import Console


def explain(decision_id: str, *, common: Common = DEFAULTS) -> int:
    """What was known, believed and ruled out when a pick was made.

    Example: routerctl explain d_0193
    """
    return show(ask("explain", {"decision_id": decision_id}, common), common, render)


def render(answer: dict[str, Any]) -> None:
    """The pick, its rivals, the gate, the features and the nearest tasks of the past."""
    out = console()
    out.print(f"{answer['chosen']}  ({ago(time.time() - answer['at'])}, {answer['policy']['name']})", style="bold")
    gate = answer["gate"]
    out.print(f"gate: {'apply' if gate['apply'] else 'advice only'}: {gate['reason']}\n")
    rows = [
        (
            *expected_row(arm["arm"], arm["expected"], arm["utility"]),
            percent(arm["propensity"]),
            arm.get("removed_by", ""),
        )
        for arm in answer["arms"]
    ]
    out.print(table(("arm", "success", "time", "cost", "worth", "chance", "removed by"), rows, right=(2, 3, 4, 5)))
    features = answer["task"]["features"]
    shown = ", ".join(f"{name} {value}" for name, value in features.items() if not isinstance(value, list))
    out.print(f"\nfeatures: {shown}")
    evidence = answer["evidence"]
    out.print(
        f"evidence: {evidence['own']:.1f} outcomes of routerd's own decisions, "
        f"{evidence['logs']:.1f} of others' choices in logs, {evidence['prior']:.1f} that the prior is worth"
    )
    if answer.get("outcome"):
        _outcome(answer["outcome"], out)
    _nearest(answer["nearest"], out)


def _outcome(outcome: dict[str, Any], out: "Console") -> None:
    why = f" ({outcome['error']})" if outcome.get("error") else ""
    out.print(
        f"outcome: success {percent(outcome.get('succeeded'))}{why}, {duration(outcome.get('wall_time_ms'))}, "
        f"{dollars(outcome.get('cost_usd'))}"
    )


def _nearest(nearest: list[dict[str, Any]], out: "Console") -> None:
    if not nearest:
        return
    rows = [
        (
            ago(time.time() - past["at"]),
            past["agent"],
            past["arm"],
            percent(past["succeeded"]),
            duration(past["wall_time_ms"]),
            dollars(past["cost_usd"]),
            f"{past['similarity']:.2f}",
        )
        for past in nearest
    ]
    out.print("\nnearest tasks of your own past:")
    out.print(table(("when", "agent", "arm", "success", "time", "cost", "likeness"), rows, right=(3, 4, 5, 6)))

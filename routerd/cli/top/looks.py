"""How things look in `routerctl top`: from answers and events of the daemon to cells of its tables. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from routerd.cli.view import ago, bar, dollars, duration, interval, percent, size

BAR_WIDTH = 22


def arm_cells(arm: Mapping[str, Any], first: Mapping[str, Any], now: float) -> list[str]:
    """
    An arm as it is believed in now; `first` is what was believed when the view was opened.

    The fifth cell says how far the interval of its success has narrowed since then, in points to either side.
    """
    success, before = arm["posterior"]["success"], first["posterior"]["success"]
    return [
        arm["arm"],
        "" if arm["in_pool"] else "out",
        bar(success["mean"], success["low"], success["high"], BAR_WIDTH),
        interval(success["mean"], success["low"], success["high"]),
        _narrowed(_half(before), _half(success)),
        f"{arm['n']:.0f}",
        duration(arm["posterior"]["wall_time_ms"]["mean"]),
        dollars(arm["posterior"]["cost_usd"]["mean"]),
        "never" if arm["last_seen"] is None else ago(now - arm["last_seen"]),
    ]


ARM_HEADINGS = ("arm", "pool", "success, 0 to 100 %", "", "±", "n", "time", "cost", "last seen")


def _half(estimate: Mapping[str, Any]) -> float:
    return 50.0 * (float(estimate["high"]) - float(estimate["low"]))


def _narrowed(before: float, now: float) -> str:
    return f"±{now:.1f}" if f"{before:.1f}" == f"{now:.1f}" else f"±{before:.1f} → ±{now:.1f}"


EVENT_HEADINGS = ("at", "", "agent", "arm", "how", "id")


def event_cells(event: Mapping[str, Any]) -> list[str] | None:
    """A line of the feed; None for events that are shown elsewhere."""
    at = datetime.fromtimestamp(event["at"]).astimezone().strftime("%H:%M:%S")
    if event["event"] == "decision":
        how = f"picked, {percent(event['propensity'])} by chance, {event['basis']}"
        return [at, "→", event.get("agent") or "", event["arm"], how, event["decision_id"]]
    if event["event"] == "outcome":
        kind = f", {event['kind']}" if event.get("kind") else ""
        how = f"{_success(event)}, {duration(event['wall_time_ms'])}, {dollars(event['cost_usd'])}{kind}"
        return [at, _mark(event), event["agent"], event["arm"], how, event.get("decision_id") or ""]
    return None


def _mark(event: Mapping[str, Any]) -> str:
    if event["censored"] or event["succeeded"] is None:
        return "?"
    return "✓" if event["succeeded"] >= 0.5 else "✗"


def _success(event: Mapping[str, Any]) -> str:
    if event["censored"]:
        return f"not judged ({event['censored']})"
    if event["succeeded"] is None:
        return "not known"
    said = "succeeded" if event["succeeded"] >= 0.5 else "failed"
    return f"{said} ({event['signal']})" if event.get("signal") else said


def headline(status: Mapping[str, Any], latency_ms: float) -> str:
    """One line on the daemon itself."""
    counts, queue = status["counts"], status["queue"]
    return (
        f"routerd {status['version']}, up {duration(1000.0 * status['uptime_s'])}, {status['policy']['name']}   "
        f"{counts['decisions']} decisions, {counts['outcomes']} outcomes   "
        f"queue {queue['pending']} of {queue['capacity']}   answers in {latency_ms:.1f} ms"
    )


def sources(status: Mapping[str, Any], now: float) -> str:
    """A line for each root."""
    lines = []
    for one in status["sources"]:
        seen = "never" if one["last_event_at"] is None else ago(now - one["last_event_at"])
        lag = "caught up" if not one["lag_bytes"] else f"{size(one['lag_bytes'])} behind"
        where = one["root"] or "(its logs are gone)"
        lines.append(f"{one['agent']:12} {lag:16} {one['files']:6} files  last {seen:12} {one['mode']:6} {where}")
    return "\n".join(lines) or "no logs were found; `routerd --once` names the places where it looks"

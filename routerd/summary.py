"""The first table: what each agent's models did, from the outcomes alone, with no model of anything behind it."""

import math
import statistics
from collections.abc import Iterable

import msgspec

from routerd.store.reader import Summary

Z_90 = 1.6449
"""Two-sided 90 % of the normal distribution."""


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """
    The outcomes of one agent on one model.

    Attributes:
        tasks: Ended units, of which `unknown` have no label and `censored` are not scored.
        success: Mean label, weighted by how much each is believed; None when nothing is known.
        low: Lower end of the 90 % interval of `success`.
        high: Its upper end.
        evidence: Sum of the weights: the number of explicit verdicts that this is worth.
        median_wall_time_ms: Of those whose time is known.
        cost_usd: Sum, by list price where the log has none; `cost_estimated` when tokens were estimated.
    """

    agent: str
    executor: str
    model: str
    tasks: int
    unknown: int
    censored: int
    success: float | None
    low: float | None
    high: float | None
    evidence: float
    median_wall_time_ms: float | None
    cost_usd: float | None
    cost_estimated: bool


def wilson(mean: float, n: float) -> tuple[float, float]:
    """
    The 90 % score interval of a proportion.

    Args:
        mean: Observed proportion in [0, 1].
        n: Number of observations, > 0; need not be whole.

    Wilson (1927), J. Am. Stat. Assoc. 22, 209-212.
    """
    z2 = Z_90 * Z_90
    centre = (mean + z2 / (2 * n)) / (1 + z2 / n)
    half = Z_90 / (1 + z2 / n) * math.sqrt(mean * (1 - mean) / n + z2 / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def tabulate(outcomes: Iterable[Summary]) -> list[Line]:
    """A line for each agent, executor and model, the most used first within an agent."""
    groups: dict[tuple[str, str, str], list[Summary]] = {}
    for outcome in outcomes:
        groups.setdefault((outcome.agent, outcome.executor, outcome.model or "unknown"), []).append(outcome)
    lines = [_line(*name, members) for name, members in groups.items()]
    return sorted(lines, key=lambda line: (line.agent, line.executor, -line.tasks, line.model))


def _line(agent: str, executor: str, model: str, outcomes: list[Summary]) -> Line:
    scored = [(one.succeeded, one.weight) for one in outcomes if one.succeeded is not None and not one.censored]
    evidence = sum(weight for _, weight in scored)
    success = sum(value * weight for value, weight in scored) / evidence if evidence > 0 else None
    low, high = wilson(success, evidence) if success is not None else (None, None)
    times = [one.wall_time_ms for one in outcomes if one.wall_time_ms is not None and not one.censored]
    costs = [one.cost_usd for one in outcomes if one.cost_usd is not None]
    return Line(
        agent=agent,
        executor=executor,
        model=model,
        tasks=len(outcomes),
        unknown=sum(one.succeeded is None and not one.censored for one in outcomes),
        censored=sum(one.censored is not None for one in outcomes),
        success=success,
        low=low,
        high=high,
        evidence=evidence,
        median_wall_time_ms=statistics.median(times) if times else None,
        cost_usd=math.fsum(costs) if costs else None,
        cost_estimated=any(one.cost_estimated for one in outcomes),
    )

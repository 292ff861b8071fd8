"""
Off-policy evaluation: what another way of choosing would have earned, from decisions whose chances were logged.

A row i is a decision that was followed: an arm a_i, drawn with the logged chance p_i(a_i), and what was seen of it,
y_i. Asked is the mean of y had the tasks gone by another rule π(a | x), here mostly "always one arm". With
r_i = π(a_i | x_i) / p_i(a_i), and q̂ what was expected of an arm on the task:

    IPS    1/n Σ r_i y_i                                      Horvitz and Thompson (1952)
    SNIPS  Σ r_i y_i / Σ r_i                                  Swaminathan and Joachims (2015)
    DM     1/n Σ q̂(x_i, π)                                    the direct method: no better than q̂
    DR     1/n Σ [ q̂(x_i, π) + r_i (y_i - q̂(x_i, a_i)) ]      Dudík, Langford and Li (2011)

IPS and DR are unbiased where the chances are right and q̂ was fixed before y was seen. Both hold here by construction:
`routerd` draws by the chances that it logs, and q̂ is what was expected when the decision was made, so it knows nothing
of the outcome that it is corrected by. The chances followed from earlier outcomes; the sums are martingales then, and
their intervals are those of the normal distribution, which may be too narrow for small samples (Hadad et al. 2021).

Rows have weights w_i (how far a verdict is believed): every mean is Σ w_i (·) / Σ w_i. Rows of one group are one draw
(the same question in one session gets the same answer), so that standard errors add up within groups.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from routerd.events import Decision
from routerd.reward import MS_PER_HOUR, Z90, Worth

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]

TARGETS: Final = ("success", "hours", "dollars", "utility")


class Rows(msgspec.Struct, frozen=True, kw_only=True):
    """
    Decisions and outcomes under a rule, each of shape (n,).

    Attributes:
        ratio: Chance of what ran under the rule, over its logged chance.
        y: What was seen.
        q: What was expected of the rule's arm.
        q_ran: What was expected of the arm that ran.
        weight: How far y is believed, > 0.
        group: Number of the draw that a row belongs to.
    """

    ratio: Floats
    y: Floats
    q: Floats
    q_ran: Floats
    weight: Floats
    group: Ints


class Value(msgspec.Struct, frozen=True):
    """An estimate with its standard error and its 90 % interval."""

    mean: float
    se: float
    low: float
    high: float


def ips(rows: Rows) -> Value:
    """Inverse propensity score."""
    return _mean(rows.ratio * rows.y, rows.weight, rows.group)


def snips(rows: Rows) -> Value:
    """Self-normalised: bounded by what was seen, at the price of a bias of order 1/n. Needs one row with r > 0."""
    return _mean(rows.y, rows.weight * rows.ratio, rows.group)


def direct(rows: Rows) -> Value:
    """The direct method; its interval tells how tasks differ, and nothing of how wrong q̂ may be."""
    return _mean(rows.q, rows.weight, rows.group)


def doubly_robust(rows: Rows) -> Value:
    """Right where either the chances or q̂ are."""
    return _mean(dr_scores(rows), rows.weight, rows.group)


def dr_scores(rows: Rows) -> Floats:
    """What each row says of the rule, (n,); their weighted mean is the doubly robust estimate."""
    scores: Floats = rows.q + rows.ratio * (rows.y - rows.q_ran)
    return scores


def difference(one: Rows, other: Rows) -> Value:
    """The doubly robust estimate of one rule less that of another on the same rows: their errors are paired."""
    return _mean(dr_scores(one) - dr_scores(other), one.weight, one.group)


def effective_sample_size(rows: Rows) -> float:
    """(Σ w r)² / Σ (w r)² over draws: so many rows of equal weight would tell as much (Kish 1965)."""
    drawn = _by_group(rows.weight * rows.ratio, rows.group)
    squares = float(np.sum(drawn * drawn))
    return float(np.sum(drawn)) ** 2 / squares if squares > 0.0 else 0.0


def _mean(values: Floats, weight: Floats, group: Ints) -> Value:
    """
    Σ w v / Σ w with its standard error, √(G / (G - 1) Σ_g (Σ_{i in g} w_i (v_i - mean))²) / Σ w over G groups.

    With one row a group and equal weights this is the usual standard error of a mean. Rows with no weight are none.
    """
    there = weight > 0.0
    values, weight, group = values[there], weight[there], group[there]
    total = float(np.sum(weight))
    mean = float(np.sum(weight * values)) / total
    errors = _by_group(weight * (values - mean), group)
    groups = len(np.unique(group))
    se = float(np.sqrt(groups / (groups - 1) * np.sum(errors * errors))) / total if groups > 1 else float("inf")
    return Value(mean, se, mean - Z90 * se, mean + Z90 * se)


def _by_group(values: Floats, group: Ints) -> Floats:
    return np.bincount(group, weights=values).astype(np.float64, copy=False)


# --- decisions as rows ----------------------------------------------------------------------------------------------


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """
    A decision with what became of it.

    Attributes:
        chances: Logged propensity of each arm that might have been drawn.
        expected: What was expected of each then: success, hours, dollars.
        arm: What ran, which is what was drawn.
        draw: The same for decisions that are one draw.
        followed: What ran is what was drawn, and nobody overrode it.
        success: Judged success in [0, 1], believed with `weight`; None while unknown.
        hours: Wall time.
        dollars: Cost.
    """

    agent: str
    kind: str | None
    arm: str
    draw: str
    chances: Mapping[str, float]
    expected: Mapping[str, tuple[float, float, float]]
    followed: bool
    success: float | None
    weight: float
    hours: float | None
    dollars: float | None


def seen(
    decision: Decision,
    arms: Mapping[str, str],
    *,
    agent: str,
    kind: str | None,
    arm: str,
    followed: bool,
    success: float | None,
    weight: float,
    wall_time_ms: float | None,
    cost_usd: float | None,
) -> Seen:
    """
    A decision as a row.

    Args:
        decision: As it was made.
        arms: The arms that it considered, by their ids then, as they are spelt now.
        agent: Whose task it was.
        kind: Of the task.
        arm: What ran, as it is spelt now.
        followed: See `Seen`.
        success: Judged success, believed with
        weight: in [0, 1].
        wall_time_ms: Wall time.
        cost_usd: Cost.
    """
    chances: dict[str, float] = {}
    expected: dict[str, tuple[float, float, float]] = {}
    for one in decision.considered:
        if one.propensity > 0.0:
            name, then = arms[one.arm], one.expected
            chances[name] = chances.get(name, 0.0) + one.propensity
            expected[name] = (then.success.mean, then.wall_time_ms.mean / MS_PER_HOUR, then.cost_usd.mean)
    same = f"{decision.session_id}/{sorted(decision.features.items(), key=lambda item: item[0])}"
    return Seen(
        agent=agent,
        kind=kind,
        arm=arm,
        draw=decision.decision_id if decision.session_id is None else same,
        chances=chances,
        expected=expected,
        followed=followed,
        success=success if weight > 0.0 else None,
        weight=weight,
        hours=None if wall_time_ms is None else wall_time_ms / MS_PER_HOUR,
        dollars=cost_usd,
    )


def usable(decisions: Sequence[Seen], arms: Sequence[str]) -> list[Seen]:
    """
    Those that tell of every one of `arms`: drawn by lot, followed, and each of the arms might have been drawn.

    A pin and an override leave nothing to chance, nor does a decision with exploration off.
    """
    return [
        one
        for one in decisions
        if one.followed and one.arm in one.chances and all(0.0 < one.chances.get(arm, 0.0) < 1.0 for arm in arms)
    ]


def always(arm: str | None, decisions: Sequence[Seen], target: str, prices: Worth) -> Rows:
    """
    The rows of the rule "always `arm`", or with None of things as they went, where the target was seen.

    Args:
        arm: Might have been drawn in each of them.
        decisions: As `usable` gives them.
        target: One of `TARGETS`.
        prices: For utility, US dollars.
    """
    known = [(one, y) for one in decisions if (y := _value(target, one, prices)) is not None]
    draws = {draw: number for number, draw in enumerate(dict.fromkeys(one.draw for one, _ in known))}
    ran = [_expected(target, one, one.arm, prices) for one, _ in known]
    ruled = [_expected(target, one, arm or one.arm, prices) for one, _ in known]
    judged = target in ("success", "utility")
    return Rows(
        ratio=np.array([1.0 if arm is None else (one.arm == arm) / one.chances[arm] for one, _ in known]),
        y=np.array([y for _, y in known]),
        q=np.array(ruled),
        q_ran=np.array(ran),
        weight=np.array([one.weight if judged else 1.0 for one, _ in known]),
        group=np.array([draws[one.draw] for one, _ in known], dtype=np.intp),
    )


def _value(target: str, one: Seen, prices: Worth) -> float | None:
    known = {"success": one.success, "hours": one.hours, "dollars": one.dollars}
    if target != "utility":
        return known[target]
    if one.success is None or one.hours is None or one.dollars is None:
        return None
    return _utility(one.success, one.hours, one.dollars, prices)


def _expected(target: str, one: Seen, arm: str, prices: Worth) -> float:
    success, hours, dollars = one.expected[arm]
    expected = {"success": success, "hours": hours, "dollars": dollars}
    return expected[target] if target != "utility" else _utility(success, hours, dollars, prices)


def _utility(success: float, hours: float, dollars: float, prices: Worth) -> float:
    return prices.success_usd * success - prices.hour_usd * hours - prices.money * dollars

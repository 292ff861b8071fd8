"""
The audit of a saving: two rules compared by the decisions that were drawn by lot, and by nothing that came after them.

See `evaluation` for the estimate. It is given for a target only where both rules have an effective sample of `ENOUGH`.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from routerd.effects import Interval
from routerd.evaluation import Rows, Seen, always, difference, effective_sample_size, usable
from routerd.reward import Worth

ENOUGH: Final = 10.0
"""Verdicts, known times, known costs, effective sample size: with fewer than so many, no figure is given."""
FOLLOWED_MIN: Final = 0.95
"""Where an agent runs something else than was drawn more often than this leaves room for, the logged chances are not
those of what ran: it is only advised, or not even that."""


class Audited(msgspec.Struct, frozen=True, kw_only=True):
    """One target of the audit; without the figure, one of the effective sample sizes is below `ENOUGH`."""

    figure: Interval | None
    ess_baseline: float
    ess_candidate: float


class Audit(msgspec.Struct, frozen=True, kw_only=True):
    """
    The doubly robust estimate from decisions that were drawn by lot; hours and dollars are for all tasks of the line.

    Attributes:
        decisions: Those that might have drawn either arm.
        success: Candidate less baseline, a task.
        utility_usd: Likewise.
        reason: Why there is none.
    """

    decisions: int
    success: Audited | None = None
    saved_hours: Audited | None = None
    saved_usd: Audited | None = None
    utility_usd: Audited | None = None
    reason: str | None = None


def audit(
    decisions: Sequence[Seen],
    own: Sequence[Seen],
    baseline: str,
    arm: str | None,
    *,
    tasks: int,
    moved: int | None = None,
    prices: Worth,
) -> Audit:
    """
    "Always `arm`" less "always `baseline`".

    Args:
        decisions: All of the agent's, which tell whether routerd was in charge.
        own: Those of them that the question is about.
        baseline: An arm.
        arm: An arm, or None for things as they went.
        tasks: For how many tasks hours and dollars are reckoned.
        moved: How many of them ran on another arm than the baseline, where that is not all: the rest differ by nothing,
            and success and utility are told for each that did.
        prices: Of utility.
    """
    if not own:
        return Audit(decisions=0, reason="routerd decided none of these")
    followed = sum(one.followed for one in decisions)
    if followed < FOLLOWED_MIN * len(decisions):
        said = f"what routerd drew ran in {followed} of {len(decisions)} decisions only, so it was not in charge"
        return Audit(decisions=0, reason=said)
    fit = usable(own, [baseline] if arm is None else [baseline, arm])
    if not fit:
        return Audit(decisions=0, reason="no decision left both to chance")

    def compared(target: str, times: float) -> Audited:
        return _audited(always(baseline, fit, target, prices), always(arm, fit, target, prices), times)

    each = tasks / moved if moved else 1.0
    return Audit(
        decisions=len(fit),
        success=compared("success", each),
        saved_hours=compared("hours", -float(tasks)),
        saved_usd=compared("dollars", -float(tasks)),
        utility_usd=compared("utility", each),
    )


def _audited(before: Rows, after: Rows, times: float) -> Audited:
    """The doubly robust difference, `times` over."""
    sizes = [effective_sample_size(rows) for rows in (before, after)]
    figure = None
    if min(sizes) >= ENOUGH:
        value = difference(after, before)
        low, high = sorted((times * value.low, times * value.high))
        figure = Interval(times * value.mean, low, high)
    return Audited(figure=figure, ess_baseline=sizes[0], ess_candidate=sizes[1])

"""
One choice, from belief to decision: what is expected of each arm, which are ruled out, which one is drawn, and why.

In order of force: the pool (see `slate`), an explicit pin, the constraints, the policy. The gate judges the pick
afterwards; it never changes it.
"""

from collections.abc import Collection, Sequence
from typing import Any, Final

import msgspec
import numpy as np

from routerd.config import Config
from routerd.errors import NoArmLeft
from routerd.events import Basis, Considered, Constraints, Decision, Expected, Gate, Policy, Recommend, ref_keys
from routerd.features import Floats
from routerd.gate import judge
from routerd.policies import Belief, Points, PolicyLike, certain, drawn, own_explored, winners
from routerd.posterior import Predicted
from routerd.prior import STRENGTH, SUCCESS
from routerd.reward import Means, Worth, estimates, means, utility
from routerd.slate import CatalogLike, Option, Slate


class View(msgspec.Struct, frozen=True):
    """What is expected of the K arms of a slate on one task."""

    predicted: Predicted
    means: Means
    utility: list[float]


class Picked(msgspec.Struct, frozen=True, kw_only=True):
    """
    The arm that was drawn, and from what.

    Attributes:
        seen: What was expected.
        slate: What there was to choose from.
        removed: What took each arm out of the choice, or None.
        row: The arm's.
        propensities: Of all arms, with which each would have been drawn.
        p_best: The chance of each to be the best.
        basis: What the choice rests on.
        capped: A spending cap was reached.
    """

    seen: View
    slate: Slate
    removed: list[str | None]
    row: int
    propensities: list[float]
    p_best: list[float]
    basis: Basis
    capped: bool


def view(predicted: Predicted, noise_sd: Floats, level: tuple[float, float], prices: Worth) -> View:
    """What is expected of each arm; `noise_sd` is that of one outcome, per target, (3,), `level` as from `levels`."""
    expected = means(predicted, level)
    return View(predicted, expected, utility(prices, predicted, expected, noise_sd))


def strengthened(predicted: Predicted, slate: Slate, kind: object) -> Predicted:
    """
    Belief with the strengths that the pool claims for its arms, as prior means of the arms' own effects.

    A prior mean m that is worth N outcomes still moves the mean by m N / (N + n) after n of them.
    """
    worth_outcomes = (SUCCESS.noise_sd / SUCCESS.arm_sd[0]) ** 2
    for row, option in enumerate(slate.options):
        if kind in option.known.strengths:
            predicted.mean[0][row] += STRENGTH * worth_outcomes / (worth_outcomes + predicted.n[0][row])
    return predicted


def removals(
    request: Recommend, slate: Slate, expected: Means, catalog: CatalogLike, *, capped: bool
) -> list[str | None]:
    """
    What takes each arm out of the choice, or None; an arm whose tier nobody knows is in none of `tiers`.

    With a spending cap reached (`capped`) the cheapest of those that are left stays alone.
    """
    options, limits = slate.options, request.constraints
    removed = [
        option.removed_by or (_over_limit(option, expected, row, catalog) if option.known.limited else None)
        for row, option in enumerate(options)
    ]
    if limits is not None:
        own = catalog.tiers_of_parent(request.task.parent)
        for row, option in enumerate(options):
            dispatch = option.known.dispatch
            tiers = own if dispatch.executor == "local" else catalog.tiers(dispatch)
            removed[row] = removed[row] or _broken(limits, expected, row, tiers)
    if capped:
        left = [row for row, why in enumerate(removed) if why is None]
        cheapest = min(left, key=lambda row: expected.cost_usd[row], default=None)
        removed = [why or (None if row == cheapest else "budget") for row, why in enumerate(removed)]
    return removed


def _over_limit(option: Option, expected: Means, row: int, catalog: CatalogLike) -> str | None:
    return catalog.over_limit(
        option.known.dispatch, cost_usd=expected.cost_usd[row], wall_time_ms=expected.wall_time_ms[row]
    )


def _broken(limits: Constraints, expected: Means, row: int, tiers: Collection[str]) -> str | None:
    """The first constraint that an arm does not meet."""
    if limits.max_cost_usd is not None and expected.cost_usd[row] > limits.max_cost_usd:
        return "max_cost_usd"
    if limits.max_wall_time_ms is not None and expected.wall_time_ms[row] > limits.max_wall_time_ms:
        return "max_wall_time_ms"
    if limits.min_success is not None and expected.success[row] < limits.min_success:
        return "min_success"
    if limits.tiers is not None and not set(tiers) & set(limits.tiers):
        return "tiers"
    return None


def draw(
    seen: View,
    slate: Slate,
    removed: list[str | None],
    *,
    explore: bool,
    floor: float,
    prices: Worth,
    capped: bool,
    config: Config,
    policy: PolicyLike,
    points: Points,
    rng: np.random.Generator,
) -> Picked:
    """
    Draws an arm from the policy's propensities; with `explore` off it is the one of best expected utility.

    `floor` is spread over the harmless arms: those not expected to succeed less than the incumbent (with none: than the
    best), by δ. `capped` says that a spending cap is reached.

    Raises:
        NoArmLeft: Nothing is left to choose from.
    """
    arms = len(slate.options)
    if slate.pinned is not None:
        return Picked(
            seen=seen,
            slate=slate,
            removed=removed,
            row=slate.pinned,
            propensities=certain(slate.pinned, arms),
            p_best=[0.0] * arms,
            basis="pinned" if slate.fallback is None else "fallback",
            capped=capped,
        )
    free = [row for row, why in enumerate(removed) if why is None]
    if not free:
        data = {option.known.arm: why for option, why in zip(slate.options, removed, strict=True)}
        raise NoArmLeft("no arm meets the constraints: " + ", ".join(f"{a} ({why})" for a, why in data.items()), data)
    values = [seen.utility[row] for row in free]
    shared, own = seen.predicted.shared, seen.predicted.own
    if len(free) < arms:
        shared, own = shared[free], own[free]
    explored = own_explored(sum(seen.predicted.n[0]))
    deviations = drawn(shared, own, points, explored=explored, scale=prices.success_usd)
    won, (wins, p_wins) = winners(values, deviations)
    best = values.index(max(values))
    if policy.learns and not explore:
        p = certain(best, len(free))
    else:
        success = seen.means.success
        incumbent = free.index(slate.incumbent) if slate.incumbent in free else None
        least = success[free[best if incumbent is None else incumbent]] - config.gate.delta
        p = policy.propensities(
            Belief(
                utility=values,
                deviations=deviations[0],
                won=won[0],
                wins=wins,
                harmless=[success[row] >= least for row in free],
                floor=floor,
                incumbent=incumbent,
            )
        )
    propensities, p_best = [0.0] * arms, [0.0] * arms
    for row, share, is_best in zip(free, p, p_wins, strict=True):
        propensities[row], p_best[row] = share, is_best
    basis: Basis = "off"
    if policy.learns:
        basis = "learned" if any(n[row] for n in seen.predicted.n for row in free) else "prior"
    return Picked(
        seen=seen,
        slate=slate,
        removed=removed,
        row=free[_drawn(p, rng)],
        propensities=propensities,
        p_best=p_best,
        basis=basis,
        capped=capped,
    )


def _drawn(p: list[float], rng: np.random.Generator) -> int:
    """A row by its probability."""
    left = float(rng.random()) * sum(p)
    for row, share in enumerate(p):
        left -= share
        if left < 0.0:
            return row
    return max(range(len(p)), key=p.__getitem__)


def decision(
    request: Recommend,
    picked: Picked,
    *,
    now: float,
    decision_id: str,
    features: dict[str, Any],
    config: Config,
    policy: Policy,
) -> Decision:
    """The decision with all that explains it; `considered` is in order of utility, those ruled out last."""
    seen, options, removed, chosen = picked.seen, picked.slate.options, picked.removed, picked.row
    values, expected = seen.utility, estimates(seen.predicted, seen.means)
    order = sorted(range(len(options)), key=lambda row: (removed[row] is not None, -values[row]))
    considered = tuple(
        [
            Considered(
                arm=options[row].known.arm,
                dispatch=options[row].dispatch,
                expected=expected[row],
                utility=values[row],
                propensity=picked.propensities[row],
                p_best=picked.p_best[row],
                removed_by=removed[row],
            )
            for row in order
        ]
    )
    at = order.index(chosen)
    explored = at != 0 and picked.basis in ("learned", "prior")
    return Decision(
        decision_id=decision_id,
        at=now,
        scope=request.scope,
        features=features,
        arm=considered[at].arm,
        dispatch=considered[at].dispatch,
        propensity=picked.propensities[chosen],
        explored=explored,
        basis=picked.basis,
        expected=expected[chosen],
        utility=values[chosen],
        considered=considered,
        top=request.top,
        gate=_gate(picked, config),
        reason=_reason(picked, considered, at, explored=explored),
        policy=policy,
        keys=() if request.ref is None else ref_keys(request.ref),
        agent=request.task.agent,
        session_id=request.task.session_id,
        warnings=(
            *([picked.slate.fallback] if picked.slate.fallback else ()),
            *picked.slate.warnings,
            *((CAPPED,) if picked.capped else ()),
        ),
    )


CAPPED: Final = "a spending cap is reached: only the cheapest is left"


def _gate(picked: Picked, config: Config) -> Gate:
    if picked.basis == "pinned":
        return Gate(True, "an explicit pin is obeyed")
    if picked.basis in ("off", "fallback"):
        return Gate(False, "nothing was chosen by what was learnt")
    seen, slate = picked.seen, picked.slate
    arms = [option.known.arm for option in slate.options]
    return judge(seen.predicted, seen.utility, arms, pick=picked.row, incumbent=slate.incumbent, config=config.gate)


def _reason(picked: Picked, considered: Sequence[Considered], at: int, *, explored: bool) -> str:
    """Why the arm at place `at`, in one sentence with numbers."""
    chosen = considered[at]
    said = f"{chosen.arm}: {_numbers(chosen.expected)}"
    if picked.basis == "pinned":
        return f"pinned by the caller; {said}"
    if picked.basis == "fallback":
        return f"{picked.slate.fallback}; {said}"
    if picked.basis == "off":
        return f"the policy is off; {said}"
    rival = next((one for one in considered if one.removed_by is None and one is not chosen), None)
    if rival is None:
        return f"the only arm left; {said}"
    gap = chosen.utility - rival.utility
    against = f"{rival.arm}: {_numbers(rival.expected)}"
    if explored:
        return f"tried in order to learn, at ${-gap:.3f} less than the best; {said}; best {against}"
    head = "best by what is known beforehand" if picked.basis == "prior" else "best expected"
    return f"{head}, by ${gap:.3f}; {said}; next {against}"


def _numbers(expected: Expected) -> str:
    success, wall_time, cost = expected.success, expected.wall_time_ms, expected.cost_usd
    return (
        f"success {success.mean:.2f} ({success.low:.2f}-{success.high:.2f}, n={success.n:.0f}), "
        f"{wall_time.mean / 1000.0:.0f} s, ${cost.mean:.3f}"
    )

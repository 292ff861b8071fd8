"""
One choice, from belief to decision: what is expected of each arm, which are ruled out, which one is drawn, and why.

In order of force: the pool (see `slate`), an explicit pin, the constraints, the policy. The gate judges the pick
afterwards; it never changes it.
"""

from collections.abc import Collection, Sequence
from typing import Any

import msgspec
import numpy as np

from routerd.config import Config
from routerd.errors import NoArmLeft
from routerd.events import Basis, Considered, Constraints, Decision, Expected, Gate, Policy, Recommend, ref_keys
from routerd.features import Floats
from routerd.gate import judge
from routerd.policies import Belief, Points, PolicyLike, best_shares, certain, narrowed
from routerd.posterior import Predicted
from routerd.prior import STRENGTH, SUCCESS
from routerd.reward import Worth, estimates, utility
from routerd.slate import CatalogLike, Option, Slate


class View(msgspec.Struct, frozen=True):
    """What is expected of the K arms of a slate on one task."""

    predicted: Predicted
    expected: list[Expected]
    utility: list[float]


class Pick(msgspec.Struct, frozen=True):
    """The arm that was drawn, by its row, with all arms' propensities and chances of being the best."""

    row: int
    propensities: list[float]
    p_best: list[float]
    basis: Basis


def view(predicted: Predicted, noise_sd: Floats, level: tuple[float, float], prices: Worth) -> View:
    """What is expected of each arm; `noise_sd` is that of one outcome, per target, (3,), `level` as from `levels`."""
    expected = estimates(predicted, level)
    return View(predicted, expected, utility(prices, predicted, expected, noise_sd))


def strengthened(predicted: Predicted, slate: Slate, kind: object) -> Predicted:
    """
    Belief with the strengths that the pool claims for its arms, as prior means of the arms' own effects.

    A prior mean m that is worth N outcomes still moves the mean by m N / (N + n) after n of them.
    """
    worth_outcomes = (SUCCESS.noise_sd / SUCCESS.arm_sd[0]) ** 2
    for row, option in enumerate(slate.options):
        if kind in option.known.strengths:
            predicted.mean[0, row] += STRENGTH * worth_outcomes / (worth_outcomes + predicted.n[0][row])
    return predicted


def removals(
    request: Recommend, slate: Slate, expected: Sequence[Expected], catalog: CatalogLike, *, capped: bool
) -> list[str | None]:
    """
    What takes each arm out of the choice, or None; an arm whose tier nobody knows is in none of `tiers`.

    With a spending cap reached (`capped`) the cheapest of those that are left stays alone.
    """
    removed = [
        option.removed_by or (_over_limit(option, arm, catalog) if option.known.limited else None)
        for option, arm in zip(slate.options, expected, strict=True)
    ]
    if request.constraints is not None:
        own = catalog.tiers_of_parent(request.task.parent)
        tiers = [
            own if option.known.dispatch.executor == "local" else catalog.tiers(option.known.dispatch)
            for option in slate.options
        ]
        removed = [
            why or _broken(request.constraints, arm, names)
            for why, arm, names in zip(removed, expected, tiers, strict=True)
        ]
    if capped:
        left = [row for row, why in enumerate(removed) if why is None]
        cheapest = min(left, key=lambda row: expected[row].cost_usd.mean, default=None)
        removed = [why or (None if row == cheapest else "budget") for row, why in enumerate(removed)]
    return removed


def _over_limit(option: Option, arm: Expected, catalog: CatalogLike) -> str | None:
    return catalog.over_limit(option.known.dispatch, cost_usd=arm.cost_usd.mean, wall_time_ms=arm.wall_time_ms.mean)


def _broken(limits: Constraints, arm: Expected, tiers: Collection[str]) -> str | None:
    """The first constraint that an arm does not meet."""
    if limits.max_cost_usd is not None and arm.cost_usd.mean > limits.max_cost_usd:
        return "max_cost_usd"
    if limits.max_wall_time_ms is not None and arm.wall_time_ms.mean > limits.max_wall_time_ms:
        return "max_wall_time_ms"
    if limits.min_success is not None and arm.success.mean < limits.min_success:
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
    outcomes: float,
    prices: Worth,
    config: Config,
    policy: PolicyLike,
    points: Points,
    rng: np.random.Generator,
) -> Pick:
    """
    Draws an arm from the policy's propensities; with `explore` off it is the one of best expected utility.

    `floor` is spread over the harmless arms: those not expected to succeed less than the incumbent (with none: than the
    best), by δ. `outcomes` says how many have been judged, in all.

    Raises:
        NoArmLeft: Nothing is left to choose from.
    """
    arms = len(slate.options)
    if slate.pinned is not None:
        basis: Basis = "pinned" if slate.fallback is None else "fallback"
        return Pick(slate.pinned, certain(slate.pinned, arms), [0.0] * arms, basis)
    free = [row for row, why in enumerate(removed) if why is None]
    if not free:
        data = {option.known.arm: why for option, why in zip(slate.options, removed, strict=True)}
        raise NoArmLeft("no arm meets the constraints: " + ", ".join(f"{a} ({why})" for a, why in data.items()), data)
    values = [seen.utility[row] for row in free]
    joint = seen.predicted.joint if len(free) == arms else seen.predicted.joint[free]
    draws = narrowed(values, joint, arms, points, config.policy, outcomes=outcomes, scale=prices.success_usd)
    wins, true_wins = best_shares(draws)
    best = values.index(max(values))
    if policy.learns and not explore:
        p = certain(best, len(free))
    else:
        success = seen.predicted.mean[0].tolist()
        incumbent = free.index(slate.incumbent) if slate.incumbent in free else None
        least = success[free[best if incumbent is None else incumbent]] - config.gate.delta
        p = policy.propensities(
            Belief(
                utility=values,
                draws=draws[0],
                wins=wins,
                harmless=[success[row] >= least for row in free],
                floor=floor,
                incumbent=incumbent,
            )
        )
    propensities, p_best = [0.0] * arms, [0.0] * arms
    for row, share, is_best in zip(free, p, true_wins, strict=True):
        propensities[row], p_best[row] = share, is_best
    if policy.learns:
        basis = "learned" if any(n[row] for n in seen.predicted.n for row in free) else "prior"
    else:
        basis = "off"
    return Pick(free[_drawn(p, rng)], propensities, p_best, basis)


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
    slate: Slate,
    seen: View,
    removed: list[str | None],
    pick: Pick,
    *,
    now: float,
    decision_id: str,
    features: dict[str, Any],
    config: Config,
    policy: PolicyLike,
    warnings: tuple[str, ...] = (),
) -> Decision:
    """The decision with all that explains it; `considered` is in order of utility, those ruled out last."""
    arms = [option.known.arm for option in slate.options]
    values = seen.utility
    considered = [
        Considered(
            arm=arms[row],
            dispatch=slate.options[row].dispatch,
            expected=seen.expected[row],
            utility=values[row],
            propensity=pick.propensities[row],
            p_best=pick.p_best[row],
            removed_by=removed[row],
        )
        for row in sorted(range(len(arms)), key=lambda row: (removed[row] is not None, -values[row]))
    ]
    best = considered[0].arm
    explored = pick.basis in ("learned", "prior") and arms[pick.row] != best
    return Decision(
        decision_id=decision_id,
        at=now,
        scope=request.scope,
        features=features,
        arm=arms[pick.row],
        dispatch=slate.options[pick.row].dispatch,
        propensity=pick.propensities[pick.row],
        explored=explored,
        basis=pick.basis,
        expected=seen.expected[pick.row],
        utility=values[pick.row],
        considered=tuple(considered),
        top=request.top,
        gate=_gate(seen, slate, pick, config),
        reason=_reason(seen, slate, pick, considered, explored=explored),
        policy=Policy(policy.name, policy.version),
        keys=() if request.ref is None else ref_keys(request.ref),
        agent=request.task.agent,
        session_id=request.task.session_id,
        warnings=(*([slate.fallback] if slate.fallback else ()), *slate.warnings, *warnings),
    )


def _gate(seen: View, slate: Slate, pick: Pick, config: Config) -> Gate:
    if pick.basis == "pinned":
        return Gate(True, "an explicit pin is obeyed")
    if pick.basis in ("off", "fallback"):
        return Gate(False, "nothing was chosen by what was learnt")
    arms = [option.known.arm for option in slate.options]
    return judge(seen.predicted, seen.utility, arms, pick=pick.row, incumbent=slate.incumbent, config=config.gate)


def _reason(seen: View, slate: Slate, pick: Pick, considered: list[Considered], *, explored: bool) -> str:
    """Why this arm, in one sentence with numbers."""
    arm = slate.options[pick.row].known.arm
    said = f"{arm}: {_numbers(seen.expected[pick.row])}"
    if pick.basis == "pinned":
        return f"pinned by the caller; {said}"
    if pick.basis == "fallback":
        return f"{slate.fallback}; {said}"
    if pick.basis == "off":
        return f"the policy is off; {said}"
    rivals = [one for one in considered if one.removed_by is None and one.arm != arm]
    if not rivals:
        return f"the only arm left; {said}"
    rival = rivals[0]
    gap = seen.utility[pick.row] - rival.utility
    against = f"{rival.arm}: {_numbers(rival.expected)}"
    if explored:
        return f"tried in order to learn, at ${-gap:.3f} less than the best; {said}; best {against}"
    head = "best by what is known beforehand" if pick.basis == "prior" else "best expected"
    return f"{head}, by ${gap:.3f}; {said}; next {against}"


def _numbers(expected: Expected) -> str:
    success, wall_time, cost = expected.success, expected.wall_time_ms, expected.cost_usd
    return (
        f"success {success.mean:.2f} ({success.low:.2f}-{success.high:.2f}, n={success.n:.0f}), "
        f"{wall_time.mean / 1000.0:.0f} s, ${cost.mean:.3f}"
    )

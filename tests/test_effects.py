"""Sums over tasks and differences between arms: against one big solve, and against draws from it."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from routerd.config import LearningConfig
from routerd.effects import COST, SUCCESS, WALL_TIME, Effects, effects, moved, saved_in_all
from routerd.events import Contribution, Dispatch, Task
from routerd.evidence import EMPTY, Evidence
from routerd.features import extract, vector
from routerd.prior import ATTRIBUTES
from tests.dense import DAY_S, Dense, dense

Floats = npt.NDArray[np.float64]

LEARNING = LearningConfig()
NOW = 2_000_000_000.0
ARMS = ["delegate:a", "delegate:b", "delegate:c"]
ATTRIBUTES_OF = np.random.default_rng(5).normal(size=(3, ATTRIBUTES)) * (np.arange(ATTRIBUTES) != 4)


def history(seed: int = 0, n: int = 120) -> list[tuple[int, Contribution]]:
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(n):
        arm = int(rng.integers(3))
        members: dict[str, Any] = {
            "features": extract(Task(goal=f"task {rng.integers(99)}", kind=f"kind {rng.integers(3)}")),
            "at": NOW - float(rng.uniform(0, 100)) * DAY_S,
            "success": float(rng.random() < 0.5 + 0.15 * arm),
            "weight": float(rng.choice([0.25, 1.0])),
            "wall_time_ms": int(rng.lognormal(11 + 0.3 * arm, 0.7)),
            "cost_usd": float(rng.lognormal(-2 + arm, 0.5)) if rng.random() < 0.8 else None,
            "own": bool(rng.random() < 0.4),
        }
        found.append((arm, Contribution(scope="default", dispatch=Dispatch(executor="delegate"), **members)))
    return found


def believed(learnt: list[tuple[int, Contribution]]) -> tuple[Effects, ...]:
    """The effects, by the sums of `evidence` and the rule of the engine for what others chose."""
    evidence = Evidence(LEARNING.span_days * DAY_S)
    evidence.fold([(ARMS[arm], contribution, 1) for arm, contribution in learnt])
    moments = np.empty((3, *EMPTY.shape))
    for row, arm in enumerate(ARMS):
        own, observed = evidence.decayed("default", arm, NOW, LEARNING.half_life_days * DAY_S)
        bound = np.minimum(1.0, LEARNING.observed_max / np.maximum(observed[:, 0, 0], 1e-9))
        moments[row] = own + bound[:, None, None] * observed
    return effects(moments, ATTRIBUTES_OF, ARMS)


LEARNT = history()
MINE = believed(LEARNT)
THEIRS = dense(LEARNT, ATTRIBUTES_OF, LEARNING, NOW)
X = np.array([vector(contribution.features) for arm, contribution in LEARNT if arm == 0])
TOOK = np.random.default_rng(1).lognormal(0.0, 1.0, len(X))


def contrast(belief: Dense, weight: Floats, other: int) -> Floats:
    """Σ weight_i (f_other(x_i) - f_0(x_i)) as a gradient."""
    steps = np.array([belief.row(other, x) - belief.row(0, x) for x in X])
    total: Floats = weight @ steps
    return total


@pytest.mark.parametrize("target", [SUCCESS, WALL_TIME, COST])
def test_sums_and_differences_equal_those_of_one_big_solve(target: int) -> None:
    """To 1e-8, mean and standard deviation, with any weights."""
    weight = np.linspace(0.1, 1.0, len(X))
    what = MINE[target].summed(ARMS[2], X, weight) - MINE[target].summed(ARMS[0], X, weight)
    mean, sd = THEIRS[target].at(contrast(THEIRS[target], weight, 2))
    assert MINE[target].mean(what) == pytest.approx(mean, abs=1e-8)
    assert MINE[target].sd(what) == pytest.approx(sd, abs=1e-8)
    expected = [THEIRS[target].row(1, x) @ THEIRS[target].mean for x in X]
    assert MINE[target].expected(ARMS[1], X) == pytest.approx(np.array(expected), abs=1e-8)


def test_doubt_that_arms_share_cancels_in_their_difference() -> None:
    """After six outcomes most of the doubt is about tasks, and that is the same for every arm."""
    early = believed(history(n=6))[COST]
    even = np.full(len(X), 1.0 / len(X))
    one, other = (early.summed(arm, X, even) for arm in ARMS[:2])
    assert early.sd(one - one) == pytest.approx(0.0, abs=1e-9)
    assert early.sd(other - one) < 0.9 * math.hypot(early.sd(one), early.sd(other))


def test_what_was_spent_times_the_ratio_by_the_long_way() -> None:
    r = [10.0 ** float((THEIRS[COST].row(2, x) - THEIRS[COST].row(0, x)) @ THEIRS[COST].mean) for x in X]
    would = float(TOOK @ r)
    gradient = contrast(THEIRS[COST], TOOK * r / would * math.log(10.0), 2)
    _, sd = THEIRS[COST].at(gradient)
    found = moved(MINE[COST], ARMS[0], ARMS[2], X, TOOK)
    spent = float(TOOK.sum())
    assert found.saved.mean == pytest.approx(spent - would)
    assert found.saved.low == pytest.approx(spent - would * math.exp(1.6448536 * sd), rel=1e-6)
    assert found.saved.high == pytest.approx(spent - would * math.exp(-1.6448536 * sd), rel=1e-6)
    assert found.faster.mean == pytest.approx(spent / would)


@pytest.mark.parametrize("target", [WALL_TIME, COST])
def test_the_delta_method_agrees_with_draws(target: int) -> None:
    """
    20,000 joint draws of all effects: ends of the interval within .02 of the amount.

    A 5 % quantile of 20,000 draws has a standard error of √(.05·.95/20000)/φ(1.645) = .015 standard deviations.
    """
    rng = np.random.default_rng(2)
    belief = THEIRS[target]
    draws = rng.multivariate_normal(belief.mean, belief.cov, size=20_000, method="cholesky")
    steps = np.array([belief.row(1, x) - belief.row(0, x) for x in X])
    saved = TOOK.sum() - 10.0 ** (draws @ steps.T) @ TOOK
    found = moved(MINE[target], ARMS[0], ARMS[1], X, TOOK).saved
    low, middle, high = np.quantile(saved, [0.05, 0.5, 0.95])
    tolerance = 0.02 * float(TOOK.sum())
    assert (found.low, found.mean, found.high) == pytest.approx((low, middle, high), abs=tolerance)


def test_parts_that_rest_on_the_same_add_up() -> None:
    """The same tasks in two halves: in all they save what they save together, and no surer."""
    whole = moved(MINE[COST], ARMS[0], ARMS[2], X, TOOK)
    halves = [moved(MINE[COST], ARMS[0], ARMS[2], X[part], TOOK[part]) for part in (slice(None, 9), slice(9, None))]
    together, one = saved_in_all(MINE[COST], halves), saved_in_all(MINE[COST], [whole])
    assert together.mean == pytest.approx(one.mean)
    assert together.high - together.low == pytest.approx(one.high - one.low)
    back = saved_in_all(MINE[COST], halves, -1.0)
    assert (back.mean, back.low, back.high) == pytest.approx((-together.mean, -together.high, -together.low))
    with pytest.raises(ValueError, match="nothing"):
        saved_in_all(MINE[COST], [])


def test_a_chance_is_that_of_the_normal_distribution() -> None:
    even = np.full(len(X), 1.0 / len(X))
    what = MINE[SUCCESS].summed(ARMS[2], X, even) - MINE[SUCCESS].summed(ARMS[0], X, even)
    found = MINE[SUCCESS].interval(what)
    assert MINE[SUCCESS].chance_below(what, found.low) == pytest.approx(0.05)
    assert MINE[SUCCESS].chance_below(what, found.high) == pytest.approx(0.95)

"""Estimates of what was not chosen: by hand, against coba, and what the law of large numbers says of them."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from coba.environments import OpeRewards
from coba.primitives import Interaction

from routerd.evaluation import (
    Rows,
    Seen,
    Value,
    always,
    difference,
    direct,
    doubly_robust,
    effective_sample_size,
    ips,
    snips,
    usable,
)
from routerd.reward import Worth

Floats = npt.NDArray[np.float64]
PRICES = Worth(success_usd=5.0, hour_usd=10.0)


def rows(
    ratio: list[float],
    y: list[float],
    q: list[float] | None = None,
    *,
    q_ran: list[float] | None = None,
    weight: list[float] | None = None,
    group: list[int] | None = None,
) -> Rows:
    expected = q or [0.0] * len(y)
    return Rows(
        ratio=np.array(ratio),
        y=np.array(y),
        q=np.array(expected),
        q_ran=np.array(q_ran or expected),
        weight=np.array(weight or [1.0] * len(y)),
        group=np.array(group or range(len(y)), dtype=np.intp),
    )


def seen(arm: str, *, p: float = 0.5, **more: Any) -> Seen:
    """A decision between `a` and `b`; `p` is the chance of `a`."""
    members: dict[str, Any] = {
        "agent": "codex",
        "kind": "docs",
        "arm": arm,
        "draw": str(more.pop("draw", id(more))),
        "chances": {"a": p, "b": 1.0 - p},
        "expected": {"a": (0.5, 1.0, 2.0), "b": (0.25, 2.0, 1.0)},
        "followed": True,
        "success": 1.0,
        "weight": 1.0,
        "hours": 0.5,
        "dollars": 3.0,
    }
    return Seen(**(members | more))


# --- by hand --------------------------------------------------------------------------------------------------------


def test_the_four_estimates_by_hand() -> None:
    """Two of four tasks went to the arm, with chances 1/2 and 1/4."""
    one = rows([2.0, 0.0, 4.0, 0.0], [1.0, 0.0, 0.5, 1.0], [0.5, 0.5, 0.75, 0.25], q_ran=[0.5, 0.1, 0.75, 0.2])
    assert ips(one).mean == pytest.approx((2.0 * 1.0 + 4.0 * 0.5) / 4)
    assert snips(one).mean == pytest.approx((2.0 * 1.0 + 4.0 * 0.5) / 6)
    assert direct(one).mean == pytest.approx((0.5 + 0.5 + 0.75 + 0.25) / 4)
    assert doubly_robust(one).mean == pytest.approx((0.5 + 2 * 0.5 + 0.5 + 0.75 - 4 * 0.25 + 0.25) / 4)
    assert effective_sample_size(one) == pytest.approx(6.0**2 / (2.0**2 + 4.0**2))


def test_the_standard_error_is_that_of_a_mean() -> None:
    y = [0.0, 1.0, 1.0, 0.5, 0.25]
    value = ips(rows([1.0] * 5, y))
    assert value.se == pytest.approx(np.std(y, ddof=1) / math.sqrt(5))
    assert (value.low, value.high) == pytest.approx(
        (value.mean - 1.6449 * value.se, value.mean + 1.6449 * value.se), 1e-4
    )


def test_a_weight_counts_as_so_many_rows() -> None:
    twice = rows([1.0, 2.0], [0.0, 1.0], [0.5, 0.5], weight=[2.0, 1.0])
    thrice = rows([1.0, 1.0, 2.0], [0.0, 0.0, 1.0], [0.5, 0.5, 0.5])
    for estimate in (ips, snips, direct, doubly_robust):
        assert estimate(twice).mean == pytest.approx(estimate(thrice).mean)
    without = rows([1.0, 2.0, 9.0], [0.0, 1.0, 9.0], [0.5, 0.5, 9.0], weight=[2.0, 1.0, 0.0])
    assert doubly_robust(without) == doubly_robust(twice)


def test_rows_of_one_draw_are_one_row() -> None:
    """Each of three draws seen four times tells as much as each seen once."""
    once = rows([2.0, 0.0, 2.0], [1.0, 0.0, 0.5], [0.5, 0.5, 0.25])
    often = rows([2.0, 0.0, 2.0] * 4, [1.0, 0.0, 0.5] * 4, [0.5, 0.5, 0.25] * 4, group=[0, 1, 2] * 4)
    for estimate in (ips, snips, direct, doubly_robust):
        assert estimate(often).se == pytest.approx(estimate(once).se)
    assert effective_sample_size(often) == pytest.approx(effective_sample_size(once))


def test_a_difference_is_paired() -> None:
    """What two rules have in common is no doubt about their difference."""
    one = rows([1.0] * 4, [0.0, 1.0, 2.0, 3.0])
    other = rows([1.0] * 4, [0.5, 1.5, 2.5, 3.5])
    assert difference(one, other) == Value(-0.5, 0.0, -0.5, -0.5)


def test_nothing_that_ran_is_no_sample_and_one_row_has_no_error() -> None:
    assert effective_sample_size(rows([0.0, 0.0], [1.0, 1.0])) == 0.0
    assert ips(rows([1.0], [1.0])).se == math.inf


# --- against coba ---------------------------------------------------------------------------------------------------


def logged(n: int, seed: int) -> tuple[list[dict[str, Any]], Floats]:
    """Interactions of coba: two arms, a chance that depends on the task, a reward that depends on both."""
    rng = np.random.default_rng(seed)
    interactions = []
    p = rng.uniform(0.2, 0.8, n)
    for i in range(n):
        context = round(float(rng.normal()), 3)
        arm = "a" if rng.random() < p[i] else "b"
        reward = float(rng.random() < (0.8 if arm == "a" else 0.4 + 0.1 * math.tanh(context)))
        probability = float(p[i] if arm == "a" else 1.0 - p[i])
        interactions.append(
            {"context": context, "actions": ["a", "b"], "action": arm, "reward": reward, "probability": probability}
        )
    return interactions, p


def of_coba(kind: str, interactions: list[dict[str, Any]], arm: str) -> Floats:
    """What coba's reward function of each interaction gives for an arm."""
    filtered = OpeRewards(kind).filter([Interaction(one) for one in interactions])
    return np.array([float(one["rewards"](arm)) for one in filtered])


@pytest.mark.parametrize("arm", ["a", "b"])
def test_ips_and_dr_are_those_of_coba(arm: str) -> None:
    """With coba's own reward model (by Vowpal Wabbit) for q, estimates and their scores agree to float32's rounding."""
    interactions, _ = logged(300, seed=3)
    ratio = [(one["action"] == arm) / one["probability"] for one in interactions]
    y = [one["reward"] for one in interactions]
    assert ips(rows(ratio, y)).mean == pytest.approx(of_coba("IPS", interactions, arm).mean(), rel=1e-12)
    q = of_coba("DM", interactions, arm)
    mine = rows(ratio, y, q.tolist())
    scores = of_coba("DR", interactions, arm)
    assert np.ptp(q) > 0.01
    assert direct(mine).mean == pytest.approx(q.mean(), rel=1e-12)
    assert doubly_robust(mine).mean == pytest.approx(scores.mean(), rel=1e-5)
    assert doubly_robust(mine).se == pytest.approx(scores.std(ddof=1) / math.sqrt(300), rel=1e-5)


def test_estimates_are_unbiased_however_wrong_the_expectation() -> None:
    """
    400 histories of 100 tasks; arm b is worth .4 on average.

    The mean of 400 estimates lies within 4 of its standard errors of the truth; for IPS and DR with a useless q. The
    direct method is as wrong as its q. DR's 90 % interval holds the truth in 90 of 100 by about 4·√(.9·.1/400) = .06.
    """
    estimates: dict[str, list[float]] = {"ips": [], "dr": []}
    held = 0
    for seed in range(400):
        interactions, _ = logged(100, seed)
        ratio = [(one["action"] == "b") / one["probability"] for one in interactions]
        mine = rows(ratio, [one["reward"] for one in interactions], [0.9] * 100)
        truth = float(np.mean([0.4 + 0.1 * math.tanh(one["context"]) for one in interactions]))
        found = doubly_robust(mine)
        estimates["ips"].append(ips(mine).mean - truth)
        estimates["dr"].append(found.mean - truth)
        held += found.low <= truth <= found.high
        assert direct(mine).mean == pytest.approx(0.9)
    for errors in estimates.values():
        assert abs(np.mean(errors)) < 4 * np.std(errors) / math.sqrt(400)
    assert held / 400 == pytest.approx(0.9, abs=0.06)


# --- decisions as rows ----------------------------------------------------------------------------------------------


def test_what_left_nothing_to_chance_is_left_out() -> None:
    fit = [seen("a"), seen("b")]
    pinned = seen("a", chances={"a": 1.0})
    certain = seen("a", p=1.0)
    overridden = seen("b", followed=False)
    elsewhere = seen("c")
    other = seen("a", chances={"a": 0.5, "c": 0.5})
    assert usable([*fit, pinned, certain, overridden, elsewhere, other], ["a", "b"]) == fit
    assert usable([*fit, other], ["a"]) == [*fit, other]


@pytest.mark.parametrize(
    ("target", "y", "expected"),
    [
        ("success", 1.0, 0.5),
        ("hours", 0.5, 1.0),
        ("dollars", 3.0, 2.0),
        ("utility", 5.0 - 5.0 - 3.0, 2.5 - 10.0 - 2.0),
    ],
)
def test_a_target_is_read_off_its_members(target: str, y: float, expected: float) -> None:
    one = always("a", [seen("a", p=0.25), seen("b", p=0.25)], target, PRICES)
    assert one.ratio.tolist() == [4.0, 0.0]
    assert one.y.tolist() == [y, y]
    assert one.q.tolist() == [expected, expected]
    assert one.q_ran.tolist()[0] == expected
    assert one.q_ran.tolist()[1] != expected


def test_what_nobody_knows_is_left_out_target_by_target() -> None:
    some = [seen("a"), seen("b", success=None), seen("a", hours=None), seen("b", dollars=None)]
    sizes = {target: len(always("a", some, target, PRICES).y) for target in ("success", "hours", "dollars", "utility")}
    assert sizes == {"success": 3, "hours": 3, "dollars": 3, "utility": 1}


def test_success_counts_by_its_verdict_and_time_does_not() -> None:
    some = [seen("a", weight=0.2), seen("b")]
    assert always("a", some, "success", PRICES).weight.tolist() == [0.2, 1.0]
    assert always("a", some, "hours", PRICES).weight.tolist() == [1.0, 1.0]


def test_things_as_they_went_are_their_own_mean() -> None:
    some = [seen("a", dollars=1.0), seen("b", dollars=4.0)]
    assert doubly_robust(always(None, some, "dollars", PRICES)).mean == pytest.approx(2.5)

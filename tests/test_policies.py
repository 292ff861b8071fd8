"""One suite for every policy, and what is particular to each."""

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from routerd.config import PolicyConfig
from routerd.policies import POLICIES, Belief, Points, PolicyLike, best_shares, narrowed
from routerd.policies.base import POINTS

BELIEFS = st.integers(1, 40).flatmap(
    lambda arms: st.tuples(
        st.lists(st.floats(-100, 100), min_size=arms, max_size=arms),
        st.lists(st.floats(1e-6, 100), min_size=arms, max_size=arms),
        st.lists(st.booleans(), min_size=arms, max_size=arms),
    )
)


def belief(
    utility: list[float], sds: list[float], harmless: list[bool] | None = None, seed: int = 0, **more: float
) -> Belief:
    wide = np.diag(sds) / math.sqrt(2.0)  # half the variance is shared, the other half an arm's own
    draws = narrowed(
        utility,
        np.concatenate([wide, wide], axis=1),
        len(sds),
        Points(np.random.default_rng(seed)),
        PolicyConfig(**more),  # type: ignore[arg-type]
    )
    safe = list(harmless or [True] * len(utility))
    safe[utility.index(max(utility))] = True  # the reference is always harmless to itself
    return Belief(utility=utility, draws=draws[0], wins=best_shares(draws)[0], harmless=safe)


def policy(name: str, **more: float) -> PolicyLike:
    return POLICIES[name](PolicyConfig(**more))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_is_listed_under_its_name(name: str) -> None:
    assert policy(name).name == name
    assert policy(name).version


@pytest.mark.parametrize("name", POLICIES)
@given(made=BELIEFS)
def test_propensities_are_a_distribution_and_the_same_for_the_same_belief(
    name: str, made: tuple[list[float], list[float], list[bool]]
) -> None:
    one = policy(name)
    p = one.propensities(belief(*made))
    assert len(p) == len(made[0])
    assert min(p) >= 0.0
    assert sum(p) == pytest.approx(1.0)
    assert p == one.propensities(belief(*made))


@pytest.mark.parametrize("name", sorted(POLICIES.keys() - {"off"}))
def test_a_policy_that_learns_prefers_what_is_plainly_better(name: str) -> None:
    p = policy(name).propensities(belief([0.0, 5.0, 0.0], [0.1, 0.1, 0.1]))
    assert p.index(max(p)) == 1
    assert p[1] > 0.85


def test_off_takes_the_incumbent_else_the_first() -> None:
    plain = belief([0.0, 5.0, 1.0], [1.0, 1.0, 1.0])
    assert policy("off").propensities(plain) == [1.0, 0.0, 0.0]
    held = msgspec.structs.replace(plain, incumbent=2)
    assert policy("off").propensities(held) == [0.0, 0.0, 1.0]


@pytest.mark.parametrize("gap", [0.0, 0.5, 1.0, 2.0])
def test_thompson_shares_of_two_arms_are_the_chances_of_being_best(gap: float) -> None:
    """
    P(arm 1 best) = Φ(gap / √2) for two independent arms of sd 1; the frequency over 256 points has a standard error of
    at most √(.25 / 256) = .031, and 4 of them are allowed.
    """
    one = policy("thompson_sampling")
    exact = 0.5 * math.erfc(-gap / 2.0)
    wide = belief([0.0, gap], [1.0, 1.0], exploration=1.0, exploration_shared=1.0)
    assert one.propensities(wide)[1] == pytest.approx(exact, abs=0.125)


def test_exploration_narrows_what_thompson_tries() -> None:
    def tries(own: float, shared: float) -> float:
        doubt = belief([0.0, 1.0], [1.0, 1.0], exploration=own, exploration_shared=shared)
        return float(policy("thompson_sampling").propensities(doubt)[0])

    assert tries(0.0, 0.0) == 0.0
    assert tries(0.0, 0.0) < tries(0.5, 0.0) < tries(1.0, 1.0)
    assert tries(0.0, 0.0) < tries(0.0, 0.5) < tries(1.0, 1.0)


@pytest.mark.parametrize("name", ["thompson_sampling", "ucb"])
def test_the_floor_reaches_harmless_arms_only(name: str) -> None:
    sure = belief([0.0, 9.0, 8.0], [0.01, 0.01, 0.01], harmless=[False, True, True])
    p = policy(name).propensities(msgspec.structs.replace(sure, floor=0.1))
    assert p == pytest.approx([0.0, 0.95, 0.05])


@pytest.mark.parametrize(("wide", "expected"), [(1.0, [0.0, 1.0]), (0.0, [1.0, 0.0])])
def test_ucb_takes_what_may_still_be_best(wide: float, expected: list[float]) -> None:
    doubt = belief([1.0, 0.9], [0.01, 1.0], exploration=wide, exploration_shared=wide)
    assert policy("ucb").propensities(doubt) == expected


def test_epsilon_greedy_spreads_epsilon_over_all() -> None:
    p = policy("epsilon_greedy", epsilon=0.3).propensities(belief([0.0, 1.0, 0.5], [1.0, 1.0, 1.0]))
    assert p == pytest.approx([0.1, 0.8, 0.1])


def test_points_are_symmetric_and_stay_when_more_arms_come() -> None:
    points = Points(np.random.default_rng(3))
    few = points.of(4)
    many = points.of(9)
    assert many.shape == (9, POINTS)
    assert np.array_equal(many[:4], few)
    assert few.sum(axis=1) == pytest.approx(np.zeros(4))


def test_shares_count_how_often_an_arm_is_the_best() -> None:
    assert best_shares(np.array([[[0, 5, 0, 0], [1, 1, 1, 1]]], dtype=np.float32)) == [[0.25, 0.75]]

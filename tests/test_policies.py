"""One suite for every policy, and what is particular to each."""

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from routerd.config import PolicyConfig
from routerd.policies import POLICIES, Belief, Points, PolicyLike, drawn, winners
from routerd.policies.base import POINTS, own_explored
from routerd.policies.thompson_sampling import mixture, regret_and_information

BELIEFS = st.integers(1, 40).flatmap(
    lambda arms: st.tuples(
        st.lists(st.floats(-100, 100), min_size=arms, max_size=arms),
        st.lists(st.floats(1e-6, 100), min_size=arms, max_size=arms),
        st.lists(st.booleans(), min_size=arms, max_size=arms),
    )
)


def belief(utility: list[float], sds: list[float], harmless: list[bool] | None = None, seed: int = 0) -> Belief:
    part = np.array(sds) * math.sqrt(0.5)  # half the variance is shared, the other half an arm's own
    deviations = drawn(part[:, None], part**2, Points(np.random.default_rng(seed)), explored=0.5)
    safe = list(harmless or [True] * len(utility))
    safe[utility.index(max(utility))] = True  # the reference is always harmless to itself
    won, wins = winners(utility, deviations)
    return Belief(utility=utility, deviations=deviations[1], won=won[1], wins=wins[1], harmless=safe)


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
def test_wins_are_the_chances_of_being_best(gap: float) -> None:
    """
    P(arm 1 best) = Φ(gap) for two arms of sd 1 that share half their variance; the frequency over 256 points has a
    standard error of at most √(.25 / 256) = .031, and 4 of them are allowed.
    """
    exact = 0.5 * math.erfc(-gap / math.sqrt(2.0))
    assert belief([0.0, gap], [1.0, 1.0]).wins[1] == pytest.approx(exact, abs=0.125)


def test_regret_and_information_are_those_of_two_arms() -> None:
    """
    Of two independent arms of mean 0 and sd 1, E[max U] = 1/√π; that is what the winner is ahead of its mean, and the
    loser behind, so that v = 1/π. Of 256 points Δ has a standard error below .1, v one below .05; an average over 1,000
    such sets is within .02 of both.
    """
    found = []
    for seed in range(1000):
        deviations = drawn(np.zeros((2, 1)), np.ones(2), Points(np.random.default_rng(seed)), explored=0.5)
        won, wins = winners([0.0, 0.0], deviations)
        one = Belief(utility=[0.0, 0.0], deviations=deviations[1], won=won[1], wins=wins[1], harmless=[True, True])
        found.append(regret_and_information(one))
    regret, information = np.mean(found, axis=0)
    assert regret == pytest.approx([1.0 / math.sqrt(math.pi)] * 2, abs=0.02)
    assert information == pytest.approx([1.0 / math.pi] * 2, abs=0.02)


RATIOS = st.lists(st.tuples(st.floats(1e-3, 1e3), st.floats(1e-6, 1e3)), min_size=1, max_size=8)


@given(made=RATIOS, exploration=st.floats(0.0, 1.0))
def test_no_mixture_of_two_arms_is_better_than_the_one_taken(
    made: list[tuple[float, float]], exploration: float
) -> None:
    def ratio(shares: list[tuple[int, float]]) -> float:
        d, v = (sum(share * made[arm][which] for arm, share in shares) for which in (0, 1))
        return float(d / v**exploration)

    taken = mixture([d for d, _ in made], [v for _, v in made], exploration)
    assert sum(share for _, share in taken) == pytest.approx(1.0)
    for i in range(len(made)):
        for j in range(len(made)):
            for q in np.linspace(0.0, 1.0, 11):
                assert ratio(taken) <= ratio([(i, 1.0 - q), (j, q)]) * (1.0 + 1e-9)


def test_exploration_is_what_thompson_tries() -> None:
    """The second arm is expected to be a little worse, but it alone can tell anything."""

    def tries(exploration: float) -> float:
        return policy("thompson_sampling", exploration=exploration).propensities(belief([1.0, 0.9], [0.01, 1.0]))[1]

    assert tries(0.0) == 0.0
    assert tries(0.0) < tries(0.15) <= tries(0.5)


@pytest.mark.parametrize("name", ["thompson_sampling", "ucb"])
def test_the_floor_reaches_harmless_arms_only(name: str) -> None:
    sure = belief([0.0, 9.0, 8.0], [0.01, 0.01, 0.01], harmless=[False, True, True])
    p = policy(name).propensities(msgspec.structs.replace(sure, floor=0.1))
    assert p == pytest.approx([0.0, 0.95, 0.05])


@pytest.mark.parametrize(("optimism", "expected"), [(1.0, [0.0, 1.0]), (0.0, [1.0, 0.0])])
def test_ucb_takes_what_may_still_be_best(optimism: float, expected: list[float]) -> None:
    assert policy("ucb", optimism=optimism).propensities(belief([1.0, 0.9], [0.01, 1.0])) == expected


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


def test_wins_count_how_often_an_arm_is_the_best() -> None:
    won, wins = winners([0.0, 1.0], np.array([[[0, 5, 0, 0], [0, 0, 0, 0]]], dtype=np.float32))
    assert won.tolist() == [[[0, 1, 0, 0], [1, 0, 1, 1]]]
    assert wins == [[0.25, 0.75]]


def test_what_is_an_arms_own_is_explored_in_part() -> None:
    """Of 128 independent points, since they are symmetric, a variance has a standard error of √(2 / 128) = .125."""
    shared, own = np.array([[1.0], [0.0]]), np.array([1e-12, 1.0])
    narrowed, whole = drawn(shared, own, Points(np.random.default_rng(0)), explored=0.7, scale=2.0).var(axis=2)
    assert whole == pytest.approx([4.0, 4.0], rel=0.5)
    assert narrowed == pytest.approx(whole * [1.0, 0.7**2], rel=1e-4)


def test_more_of_an_arms_own_is_explored_the_longer_the_record() -> None:
    parts = [own_explored(outcomes) for outcomes in (0.0, 250.0, 1000.0, 1e9)]
    assert parts == pytest.approx([0.5, 0.6, 0.75, 1.0])

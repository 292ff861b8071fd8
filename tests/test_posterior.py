"""
The law of the statistics and of the belief solved from them: a function of the set of outcomes and of the time.
"""

import math
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routerd.events import LOCAL, Contribution, Dispatch, Task
from routerd.evidence import (
    CELLS_WAITING_MAX,
    COST_UNIT_USD,
    EMPTY,
    ROWS_WAITING_MAX,
    TARGETS,
    WALL_TIME_UNIT_MS,
    WIDTH,
    Evidence,
    row_of,
)
from routerd.features import DIM, extract, vector
from routerd.posterior import SHARED, Posterior, Solved, solve
from routerd.prior import ATTRIBUTES, COST, PRIORS, SUCCESS, Prior
from routerd.prior import LOCAL as LOCAL_AT

Floats = npt.NDArray[np.float64]

DAY_S = 86_400.0
SPAN_S = 14 * DAY_S
NOW = 1_000 * SPAN_S

NUMBERS = st.one_of(st.floats(), st.integers(-(10**20), 10**20).map(float), st.sampled_from([0.0, 1.0, 1e-300, 1e300]))
OUTCOMES = st.builds(
    Contribution,
    scope=st.sampled_from(["default", "one", "two"]),
    dispatch=st.just(LOCAL),
    features=st.builds(
        lambda kind, tokens, size: {"task_kind": kind, "rough_token_estimate": tokens, "size": size},
        st.sampled_from(["docs", "debug", None]),
        st.integers(0, 10**6),
        NUMBERS,
    ),
    at=st.floats(NOW - 40 * SPAN_S, NOW + SPAN_S),
    success=st.one_of(st.none(), st.sampled_from([0.0, 1.0]), NUMBERS),
    weight=st.one_of(st.sampled_from([0.0, 0.2, 1.0]), NUMBERS),
    wall_time_ms=st.one_of(st.none(), st.integers(-5, 10**30)),
    cost_usd=st.one_of(st.none(), NUMBERS),
    own=st.booleans(),
)
NAMED = st.tuples(st.sampled_from(["a", "b", "c"]), OUTCOMES)


def outcome(kind: str, success: float, *, at: float = NOW, **more: Any) -> Contribution:
    return Contribution(
        scope="default",
        dispatch=LOCAL,
        features=extract(Task(goal="x", kind=kind)),
        at=at,
        success=success,
        weight=more.pop("weight", 1.0),
        own=True,
        **more,
    )


def folded(outcomes: list[tuple[str, Contribution]]) -> Evidence:
    evidence = Evidence(SPAN_S)
    for arm, contribution in outcomes:
        evidence.fold([(arm, contribution, 1)])
    return evidence


def moments(evidence: Evidence, arms: list[str]) -> Floats:
    return np.array([sum(evidence.decayed("default", arm, NOW, 90 * DAY_S)) for arm in arms]).reshape(-1, *EMPTY.shape)


def fixed(prior: Prior) -> Prior:
    """The same prior with nothing to learn about the arms' scale."""
    return msgspec.structs.replace(prior, scales=((1.0, 1.0),))


# --- the statistics -------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.lists(NAMED, max_size=12), st.lists(NAMED, max_size=6), st.randoms(use_true_random=False))
def test_statistics_depend_on_the_set_alone_bit_for_bit(
    current: list[tuple[str, Contribution]], replaced: list[tuple[str, Contribution]], random: Any
) -> None:
    """Any order, any repetition that is taken back, and any label corrected later leave the same bits."""
    scratch = folded(current)
    evidence = Evidence(SPAN_S)
    steps: list[tuple[str, Contribution, Contribution | None]] = []
    for i, (arm, new) in enumerate(current):
        wrong = msgspec.structs.replace(new, success=random.random(), weight=random.random(), cost_usd=None)
        steps.append((arm, new, wrong if i % 2 else None))
    random.shuffle(steps)
    for arm, passing in replaced:
        evidence.fold([(arm, passing, 1)])
    for arm, new, earlier in steps:
        evidence.fold([(arm, earlier or new, 1)])
    random.shuffle(replaced)
    for arm, passing in replaced:
        evidence.fold([(arm, passing, -1)])
    random.shuffle(steps)
    for arm, new, earlier in steps:
        evidence.fold([(arm, earlier or new, -1), (arm, new, 1)])
    # When an outcome was last seen is for showing and is no statistic.
    evidence._last_seen, scratch._last_seen = {}, {}
    assert evidence.pack() == scratch.pack()


def test_outcomes_that_wait_in_their_cells_count() -> None:
    """More in one cell, and in more cells, than may wait, some taken back: the sums are those of one at a time."""
    rng = np.random.default_rng(3)
    outcomes = [
        outcome(f"kind {i % 5}", float(i % 3) / 2.0, at=NOW - SPAN_S * float(span), wall_time_ms=1000 + i)
        for i, span in enumerate([*[0] * (2 * ROWS_WAITING_MAX + 7), *rng.permutation(2 * CELLS_WAITING_MAX)])
    ]
    evidence = folded([("a", one) for one in outcomes])
    evidence.fold([("a", one, -1) for one in outcomes[::4]])
    kept = [one for i, one in enumerate(outcomes) if i % 4]
    expected = EMPTY.copy()
    for row in map(row_of, kept):
        expected += (row.z * row.weights[:, None])[:, :, None] * row.z[:, None, :]
    own, observed = evidence.decayed("default", "a", NOW, math.inf)
    assert np.array_equal(own, expected)
    assert not observed.any()
    assert evidence.count("default", "a") == len(kept)


def test_sums_of_a_million_outcomes_lose_nothing() -> None:
    """The largest terms, 2^20 times, then taken away again: what is left is the small one, to the last bit."""
    small = row_of(outcome("debug", 0.001, weight=0.02, cost_usd=1e-6))
    largest = row_of(outcome("docs", 1.0, cost_usd=1e14, wall_time_ms=10**14))
    z = np.full_like(largest.z, 4.0)
    z[:, DIM] = 8.0 - 2.0**-10
    term = z[:, :, None] * z[:, None, :]
    mine = (small.z * small.weights[:, None])[:, :, None] * small.z[:, None, :]
    total = mine.copy()
    for _ in range(20):
        total += total - mine + (term if total is not None else 0)  # doubles: 2^20 - 1 large terms and the small one
    assert np.array_equal(total - (2**20 - 1) * term, mine)


def test_taking_back_what_was_never_added_is_an_error_and_changes_nothing() -> None:
    evidence = folded([("a", outcome("docs", 1.0))])
    before = evidence.pack()
    with pytest.raises(ValueError, match="never added"):
        evidence.fold([("a", outcome("docs", 1.0), -1), ("b", outcome("docs", 1.0), -1)])
    with pytest.raises(ValueError, match="finite"):
        evidence.fold([("a", outcome("docs", 1.0), -1), ("a", outcome("docs", 1.0, at=math.nan), 1)])
    assert evidence.pack() == before


def test_an_outcome_weighs_half_after_the_half_life() -> None:
    evidence = folded([("a", outcome("docs", 1.0, at=NOW - 10 * SPAN_S)), ("a", outcome("docs", 1.0, at=NOW + 9e9))])
    own, observed = evidence.decayed("default", "a", NOW, 10 * SPAN_S)
    assert own[0, 0, 0] == pytest.approx(1.5)  # what seems to come from the future weighs no more than the present
    assert not observed.any()


def test_targets_are_read_off_their_scales() -> None:
    row = row_of(outcome("docs", 0.25, wall_time_ms=10 * int(WALL_TIME_UNIT_MS), cost_usd=COST_UNIT_USD / 100))
    assert row.z[:, DIM].tolist() == [0.25, 1.0, -2.0]
    assert row.weights.tolist() == [1.0, 1.0, 1.0]
    assert row_of(outcome("docs", 0.0, wall_time_ms=-1, cost_usd=math.nan)).weights.tolist() == [1.0, 0.0, 0.0]
    assert row_of(outcome("docs", math.nan, cost_usd=0.0)).weights.tolist() == [0.0, 0.0, 1.0]


@settings(max_examples=25, deadline=None)
@given(st.lists(NAMED, max_size=8))
def test_a_snapshot_comes_back_bit_for_bit(outcomes: list[tuple[str, Contribution]]) -> None:
    packed = folded(outcomes).pack()
    assert Evidence.unpack(packed, SPAN_S).pack() == packed


@pytest.mark.parametrize("data", [b"", b"\x00", b"not a snapshot", folded([]).pack()[:-1]])
def test_what_is_no_snapshot_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="snapshot"):
        Evidence.unpack(data, SPAN_S)


def test_a_snapshot_of_other_spans_is_refused() -> None:
    with pytest.raises(ValueError, match="spans"):
        Evidence.unpack(folded([]).pack(), SPAN_S / 2)


def test_drift_tells_a_fall_from_chance() -> None:
    def history(rates: list[float]) -> float | None:
        spans = [
            ("a", outcome("docs", float(i < rate * 20), at=NOW - age * SPAN_S))
            for age, rate in enumerate(rates)
            for i in range(20)
        ]
        return folded(spans).drift("default", "a")

    fall, still = history([0.2, 0.8, 0.8]), history([0.8, 0.8, 0.8])
    assert fall is not None
    assert fall < -4.0
    assert still == pytest.approx(0.0)
    assert history([0.5]) is None


# --- the belief -----------------------------------------------------------------------------------------------------


def batch(rows: list[tuple[int, Floats, float, float]], attributes: Floats, prior: Prior, tau: float) -> Any:
    """
    The same posterior by the direct way: the design of all effects of all arms at once, and one solve.

    Args:
        rows: Arm, x, y and weight of each outcome.
    """
    K = len(attributes)
    size = SHARED + K * len(prior.arm_sd)
    precision = np.diag(np.concatenate([prior.sd**-2.0, *([prior.arm_sd**-2.0] * K)]))
    r = np.zeros(size)
    r[:SHARED] = prior.mean * prior.sd**-2.0
    for arm, x, y, weight in rows:
        row = design(arm, x, attributes[arm], K, prior)
        precision += tau * weight * np.outer(row, row)
        r += tau * weight * y * row
    return np.linalg.solve(precision, r), np.linalg.solve(precision, np.eye(size))


def design(arm: int, x: Floats, z: Floats, arms: int, prior: Prior) -> Floats:
    """The row of one outcome in the design of all effects: shared ones, then those of each arm in turn."""
    q = len(prior.arm_sd)
    row = np.zeros(SHARED + arms * q)
    row[:DIM], row[DIM:SHARED] = x, z
    row[SHARED + arm * q : SHARED + (arm + 1) * q] = x[:q]
    return row


def simulated(seed: int, arms: int, outcomes: int) -> list[tuple[str, Contribution]]:
    rng = np.random.default_rng(seed)
    return [
        (
            f"a{rng.integers(arms)}",
            outcome(
                f"kind {rng.integers(5)}",
                float(rng.random() < 0.6),
                weight=float(rng.choice([0.2, 0.5, 1.0])),
                wall_time_ms=int(rng.lognormal(11, 1)),
                cost_usd=float(rng.lognormal(-2, 1)) if rng.random() < 0.7 else None,
            ),
        )
        for _ in range(outcomes)
    ]


@pytest.mark.parametrize("target", range(3))
def test_belief_equals_the_batch_solution(target: int) -> None:
    """Mean and covariance of all arms, and of one never tried, to 1e-8 of one big solve that knows no blocks."""
    outcomes = simulated(seed=target, arms=4, outcomes=80)
    arms = [f"a{i}" for i in range(4)]
    attributes = np.random.default_rng(1).normal(size=(5, ATTRIBUTES))
    priors = tuple(fixed(prior) for prior in PRIORS)
    posterior = Posterior(arms, moments(folded(outcomes), arms), attributes[:4], priors)
    rows = []
    for arm, contribution in outcomes:
        row = row_of(contribution)
        if row.weights[target]:
            z = row.z[target]
            ahead = beforehand(PRIORS[target], attributes[int(arm[1:])], z[:DIM])
            rows.append((int(arm[1:]), z[:DIM], float(z[DIM]) - ahead, float(row.weights[target])))
    tau = 1.0 / noise(rows, PRIORS[target]) ** 2
    mean, cov = batch(rows, attributes, PRIORS[target], tau)
    x = vector(extract(Task(goal="What?", kind="kind 3", repo="r")))
    G = np.array([design(arm, x, attributes[arm], 5, PRIORS[target]) for arm in range(5)])
    predicted = posterior.predict(x, np.arange(5), attributes)
    own = np.array([beforehand(PRIORS[target], attributes[arm], x) for arm in range(5)])
    assert predicted.mean[target] == pytest.approx(G @ mean + own, abs=1e-8)
    assert np.sqrt(predicted.variance[target]) == pytest.approx(np.sqrt(np.diagonal(G @ cov @ G.T)), abs=1e-8)
    if target == 0:
        assert predicted.shared @ predicted.shared.T + np.diag(predicted.own) == pytest.approx(G @ cov @ G.T, abs=1e-8)
    assert predicted.n[target][4] == 0.0


def beforehand(prior: Prior, attributes: Floats, x: Floats) -> float:
    """What is expected of the agent itself beyond what its attributes say."""
    return float(attributes[LOCAL_AT] * (prior.local @ x[: len(prior.local)]))


def noise(rows: list[tuple[int, Floats, float, float]], prior: Prior) -> float:
    """The spread of outcomes around their arm's mean, by the loop; the prior's counts as 10 outcomes."""
    squares, freedom = 10.0 * prior.noise_sd**2, 10.0
    for arm in {row[0] for row in rows}:
        y = np.array([row[2] for row in rows if row[0] == arm])
        w = np.array([row[3] for row in rows if row[0] == arm])
        squares += float(np.sum(w * (y - np.average(y, weights=w)) ** 2))
        freedom += max(float(w.sum()) - 1.0, 0.0)
    return math.sqrt(squares / freedom)


def test_the_scale_of_arms_is_weighted_by_marginal_likelihood() -> None:
    """Against log N(y; m, V) with the covariance of all outcomes written out."""
    outcomes = simulated(seed=7, arms=3, outcomes=30)
    arms = ["a0", "a1", "a2"]
    attributes = np.random.default_rng(2).normal(size=(3, ATTRIBUTES))
    rows = []
    for arm, contribution in outcomes:
        row = row_of(contribution)
        x = row.z[0, :DIM]
        own = beforehand(SUCCESS, attributes[int(arm[1:])], x)
        rows.append((int(arm[1:]), x, float(row.z[0, DIM]) - own, float(row.weights[0])))
    X = np.array([design(arm, x, attributes[arm], 3, SUCCESS) for arm, x, _, _ in rows])
    y = np.array([row[2] for row in rows])
    log_p, sds = [], []
    for factor, chance in SUCCESS.scales:
        arm_sd = SUCCESS.arm_sd.copy()
        arm_sd[0] *= factor
        sd = np.concatenate([SUCCESS.sd, arm_sd, arm_sd, arm_sd])
        V = (X * sd**2) @ X.T + np.diag(noise(rows, SUCCESS) ** 2 / np.array([row[3] for row in rows]))
        left = y - X[:, :SHARED] @ SUCCESS.mean
        log_p.append(math.log(chance) - 0.5 * np.linalg.slogdet(V)[1] - 0.5 * left @ np.linalg.solve(V, left))
        sds.append(arm_sd[0])
    p = np.exp(np.array(log_p) - max(log_p))
    expected = math.exp(float(np.sum(p * np.log(sds)) / p.sum()))
    solved = solve(moments(folded(outcomes), arms)[:, 0], attributes, SUCCESS)
    assert solved.arm_sd == pytest.approx(expected, rel=1e-8)


def arms_with(rates: list[float]) -> Solved:
    outcomes = [
        (f"a{i}", outcome(f"kind {kind}", float(j < rate * 10)))
        for i, rate in enumerate(rates)
        for kind in range(8)
        for j in range(10)
    ]
    arms = [f"a{i}" for i in range(len(rates))]
    return solve(moments(folded(outcomes), arms)[:, 0], np.zeros((len(arms), ATTRIBUTES)), SUCCESS)


def test_one_arm_far_ahead_widens_the_scale_and_equal_arms_narrow_it() -> None:
    usual = SUCCESS.arm_sd[0]
    assert arms_with([0.9] + [0.1] * 4).arm_sd > 1.2 * usual  # their spread is 0.36
    assert arms_with([0.5] * 13).arm_sd < 0.8 * usual


def test_noise_is_learnt() -> None:
    rng = np.random.default_rng(0)
    outcomes = [("a", outcome("docs", 0.9 + 0.05 * rng.standard_normal())) for _ in range(300)]
    assert solve(moments(folded(outcomes), ["a"])[:, 0], np.zeros((1, ATTRIBUTES)), SUCCESS).noise_sd < 0.12


def test_an_untried_arm_is_what_its_attributes_say() -> None:
    attributes = np.zeros((2, ATTRIBUTES))
    attributes[:, 0] = [1.0, -1.0]
    untaught = Posterior([], np.empty((0, *EMPTY.shape)), np.empty((0, ATTRIBUTES)), PRIORS)
    predicted = untaught.predict(vector({}), np.array([0, 0]), attributes)
    assert predicted.mean[0] == pytest.approx([0.7, 0.5])
    assert predicted.n == [[0.0, 0.0]] * 3


def test_a_price_is_the_first_guess_of_a_cost() -> None:
    attributes = np.zeros((2, ATTRIBUTES))
    attributes[:, 2] = [0.0, 1.0]  # ten times the price
    untaught = Posterior([], np.empty((0, *EMPTY.shape)), np.empty((0, ATTRIBUTES)), PRIORS)
    cheap, dear = untaught.predict(vector({}), np.array([0, 0]), attributes).mean[2]
    assert dear - cheap == pytest.approx(COST.mean[DIM + 2])


@settings(max_examples=40, deadline=None)
@given(
    st.lists(NAMED, min_size=1, max_size=25),
    st.integers(1, 2000),
    st.lists(st.floats(-4.0, 4.0), min_size=ATTRIBUTES, max_size=ATTRIBUTES),
)
def test_belief_stays_finite_and_positive_definite(
    outcomes: list[tuple[str, Contribution]], copies: int, attributes: list[float]
) -> None:
    """Whatever was measured, and however often: the covariance can be drawn from."""
    arms = ["a", "b", "c"]
    M = np.zeros((3, len(TARGETS), WIDTH, WIDTH))
    evidence = folded(outcomes)
    for row, arm in enumerate(arms):
        M[row] = copies * sum(evidence.decayed("default", arm, NOW, 90 * DAY_S))
    designs = np.array([attributes, np.zeros(ATTRIBUTES), np.negative(attributes), attributes])
    posterior = Posterior(arms, M, designs[:3], PRIORS)
    for _, contribution in outcomes:
        predicted = posterior.predict(vector(contribution.features), np.arange(4), designs)
        assert np.isfinite(predicted.mean).all()
        assert np.min(predicted.variance) > 0.0
        assert np.isfinite(np.linalg.cholesky(predicted.shared @ predicted.shared.T + np.diag(predicted.own))).all()


def test_a_hundred_thousand_outcomes_of_any_kind_leave_belief_finite() -> None:
    """Most are ordinary; some are absurd: not a number, infinite, negative, huge, taken back at once."""
    rng = np.random.default_rng(5)
    odd = [math.nan, math.inf, -math.inf, -1.0, 0.0, 1e300, 5e-324, 1.0]
    evidence = Evidence(DAY_S)
    kinds = [extract(Task(goal=f"look at src/a{i}.py", kind=f"k{i}")) for i in range(20)]
    arms = [f"delegate:m{i}" for i in range(6)]
    for turn in range(100_000):
        strange = rng.random() < 0.1
        value = odd[int(rng.integers(len(odd)))] if strange else float(rng.random())
        one = Contribution(
            scope="default",
            dispatch=Dispatch(executor="delegate"),
            features=kinds[int(rng.integers(20))],
            at=float(rng.integers(10)) * DAY_S,
            success=value,
            weight=value if strange else 1.0,
            wall_time_ms=value if strange else 1000.0 * value,  # type: ignore[arg-type]  # logs hold anything
            cost_usd=value,
        )
        arm = arms[int(rng.integers(len(arms)))]
        evidence.fold([(arm, one, 1)])
        if rng.random() < 0.2:
            evidence.fold([(arm, one, -1)])
        if turn % 10_000 == 9_999:
            moments = np.stack([sum(evidence.decayed("default", a, 10 * DAY_S, 5 * DAY_S)) for a in arms])
            posterior = Posterior(arms, moments, np.zeros((len(arms), ATTRIBUTES)), PRIORS)
            predicted = posterior.predict(vector(kinds[0]), np.arange(len(arms)), np.zeros((len(arms), ATTRIBUTES)))
            assert np.isfinite(predicted.mean).all()
            assert np.min(predicted.variance) > 0.0
            assert np.linalg.eigvalsh(predicted.shared @ predicted.shared.T + np.diag(predicted.own)).min() > 0.0

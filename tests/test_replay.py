"""Replays: the form of the file, the arithmetic of scores, and what the engine is told, sees and says as it plays."""

import gzip
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pytest

from routerd.config import BudgetConfig, Config, PolicyConfig
from routerd.errors import UsageError
from routerd.matrix import ArmPrior, Matrix, read
from routerd.policies import POLICIES
from routerd.replay import (
    SOLVED_EACH,
    EnginePlayer,
    Fixed,
    Player,
    best_fixed,
    interval,
    marks,
    play,
    played,
    score_orders,
    scores,
)
from tests.harness import Place

Floats = npt.NDArray[np.float64]
Edit = Callable[[list[Any]], object]

ARMS = {
    "able": {
        "dispatch": {"executor": "delegate", "provider": "p", "model": "big"},
        "prior": {"capability": 0.8, "cost_usd": 0.02},
    },
    "cheap": {
        "dispatch": {"executor": "delegate", "provider": "p", "model": "small"},
        "prior": {"capability": 0.4, "cost_usd": 0.001},
    },
}


def row(able: tuple[float, float], cheap: tuple[float, float], **task: Any) -> dict[str, Any]:
    """A task with (success, cost) of both arms."""
    return {
        "task": {"goal": "say it", **task},
        "outcomes": {
            name: {"succeeded": success, "cost_usd": cost}
            for name, (success, cost) in (("able", able), ("cheap", cheap))
        },
    }


SMALL = [
    {"arms": ARMS, "name": "small", "source": "made up"},
    row((1, 0.04), (0, 0.0)),
    row((1, 0.04), (1, 0.0), kind="docs"),
    row((0, 0.04), (1, 0.0)),
    row((1, 0.04), (0.5, 0.0)),
]


def encoded(values: Sequence[Any]) -> list[bytes]:
    return [json.dumps(value).encode() + b"\n" for value in values]


def matrix(values: Sequence[Any] = SMALL) -> Matrix:
    return read(encoded(values))


def world(
    rates: Sequence[float], *, tasks: int, seed: int = 0, costs: Sequence[float] | None = None, kinds: int = 4
) -> Matrix:
    """A matrix whose arms succeed at these rates, some kinds of task being harder for all; scores tell the rates."""
    rng = np.random.default_rng(seed)
    harder = rng.normal(0.0, 0.1, kinds)
    names = [f"m{i}" for i in range(len(rates))]
    price = costs or [0.01 * 2**i for i in range(len(rates))]
    lines: list[Any] = [
        {
            "arms": {
                name: {
                    "dispatch": {"executor": "delegate", "model": name},
                    "prior": {"capability": rate, "cost_usd": cost},
                }
                for name, rate, cost in zip(names, rates, price, strict=True)
            }
        }
    ]
    for _ in range(tasks):
        kind = int(rng.integers(kinds))
        chance = np.clip(np.array(rates) - harder[kind], 0.02, 0.98)
        won = rng.random(len(rates)) < chance
        outcomes = {
            name: {"succeeded": float(won[i]), "cost_usd": float(price[i] * rng.lognormal(0, 0.3))}
            for i, name in enumerate(names)
        }
        lines.append({"task": {"goal": f"task of kind {kind}", "kind": f"kind-{kind}"}, "outcomes": outcomes})
    return matrix(lines)


def player(
    game: Matrix, *, weight: float = 0.1, seed: int = 0, priors: list[ArmPrior] | None = None, **policy: Any
) -> EnginePlayer:
    config = Config(policy=PolicyConfig(**policy))
    return EnginePlayer(game, config, cost_weight=weight, rng=np.random.default_rng(seed), priors=priors)


class ByTask:
    """Plays what it was told beforehand, task by task, and remembers what it was shown."""

    def __init__(self, arms: Sequence[int]) -> None:
        self._arms = arms
        self.asked: list[int] = []
        self.shown: list[tuple[int, int]] = []

    def choose(self, task: int) -> int:
        self.asked.append(task)
        return self._arms[task]

    def learn(self, task: int, arm: int) -> None:
        self.shown.append((task, arm))


# --- the file -------------------------------------------------------------------------------------------------------


def test_a_file_is_read_as_the_contract_has_it() -> None:
    small = matrix()
    assert (small.name, small.source) == ("small", "made up")
    assert list(small.arms) == ["able", "cheap"]
    assert small.arms["able"].prior == ArmPrior(0.8, 0.02)
    assert small.tasks[1].kind == "docs"
    assert small.succeeded.tolist() == [[1, 0], [1, 1], [0, 1], [1, 0.5]]
    assert small.cost.tolist() == [[0.04, 0.0]] * 4
    assert small.wall_time_ms is None


def test_priors_names_and_costs_may_be_left_out_and_unknown_members_are_passed_over() -> None:
    lines: list[Any] = [
        {"arms": {"me": {"dispatch": {"executor": "local"}}}, "version": 3},
        {"task": {"goal": "x"}, "outcomes": {"me": {"succeeded": True, "judge": "someone"}}, "id": 7},
    ]
    bare = read([b"\n", *encoded(lines), b" \r\n"])
    assert bare.arms["me"].prior == ArmPrior()
    assert (bare.cost.tolist(), bare.c95, bare.rewards(0.5).tolist()) == ([[0.0]], 0.0, [[1.0]])


def without(name: str) -> Edit:
    return lambda rows: rows[2]["outcomes"].pop(name)


BROKEN: dict[str, tuple[Edit, str]] = {
    "an arm is missing": (without("cheap"), "line 3: no outcome of 'cheap'"),
    "an arm is unknown": (
        lambda rows: rows[2]["outcomes"].update(other={"succeeded": 1}),
        "line 3: an outcome of 'other'",
    ),
    "success is no number": (lambda rows: rows[4]["outcomes"]["able"].update(succeeded="yes"), "line 5: "),
    "success is above 1": (lambda rows: rows[4]["outcomes"]["able"].update(succeeded=2), "line 5: "),
    "success is missing": (lambda rows: rows[4]["outcomes"]["able"].pop("succeeded"), "line 5: .*succeeded"),
    "cost is negative": (lambda rows: rows[1]["outcomes"]["able"].update(cost_usd=-1), "line 2: "),
    "cost is missing": (lambda rows: rows[3]["outcomes"]["able"].pop("cost_usd"), "line 4: .*'able' has no cost_usd"),
    "the task has no goal": (lambda rows: rows[1]["task"].pop("goal"), "line 2: .*goal"),
    "a feature has a name of ours": (lambda rows: rows[1]["task"].update(features={"depth": 1}), "line 2: .*depth"),
    "the task has a typing error": (lambda rows: rows[1]["task"].update(kinds="docs"), "line 2: .*kinds"),
    "there are no arms": (lambda rows: rows[0].update(arms={}), "line 1: .*arms"),
    "arms are missing": (lambda rows: rows[0].pop("arms"), "line 1: .*arms"),
    "a score is above 1": (lambda rows: rows[0]["arms"]["able"]["prior"].update(capability=80), "line 1: "),
    "two arms are the same": (
        lambda rows: rows[0]["arms"]["able"].update(dispatch=rows[0]["arms"]["cheap"]["dispatch"]),
        "line 1: arms 'able' and 'cheap' have the same dispatch",
    ),
    "there is no task": (lambda rows: rows.__delitem__(slice(1, None)), "line 1: the file ends without a task"),
    "there is nothing": (lambda rows: rows.clear(), "line 1: "),
}


@pytest.mark.parametrize("edit", BROKEN)
def test_a_broken_line_is_named(edit: str) -> None:
    rows = json.loads(json.dumps(SMALL))
    change, said = BROKEN[edit]
    change(rows)
    with pytest.raises(UsageError, match=f"^{said}"):
        matrix(rows)


def test_what_is_no_json_is_named_by_its_line() -> None:
    for number in (1, 3):
        lines = encoded(SMALL)
        lines[number - 1] = b'{"arms": \xff\n'
        with pytest.raises(UsageError, match=f"^line {number}: "):
            read(lines)


# --- rewards and scores ---------------------------------------------------------------------------------------------


def test_a_reward_is_success_less_the_share_of_c95() -> None:
    """c = .04 four times and 0 four times: the 95th percentile of the eight is .04."""
    small = matrix()
    assert small.c95 == pytest.approx(0.04)
    assert small.rewards(0.1).tolist() == [
        pytest.approx(one) for one in ([0.9, 0.0], [0.9, 1.0], [-0.1, 1.0], [0.9, 0.5])
    ]


def test_costs_above_c95_count_as_c95() -> None:
    """Costs 0 to 99 and one of 1,000: of 101 in order the 95th percentile is that at place 95, and no more is taken."""
    lines: list[Any] = [{"arms": {"able": ARMS["able"]}}]
    lines += [
        {"task": {"goal": "x"}, "outcomes": {"able": {"succeeded": 1, "cost_usd": cost}}}
        for cost in [*range(100), 1000]
    ]
    one = matrix(lines)
    assert one.c95 == 95.0
    assert one.rewards(0.5)[-1, 0] == pytest.approx(0.5)
    assert one.rewards(0.5)[19, 0] == pytest.approx(1.0 - 0.5 * 19 / 95)


def test_wall_time_is_the_cost_where_no_cost_is_given() -> None:
    rows = json.loads(json.dumps(SMALL))
    for line in rows[1:]:
        for outcome in line["outcomes"].values():
            outcome["wall_time_ms"] = int(outcome["cost_usd"] * 1e6)
    both = matrix(rows)
    assert both.wall_time_ms is not None
    assert both.cost.max() == 0.04  # where both are given it is the cost
    del rows[1]["outcomes"]["able"]["wall_time_ms"]
    partly = matrix(rows)
    assert (partly.wall_time_ms, partly.cost.tolist()) == (None, both.cost.tolist())  # nothing rests on it
    rows[1]["outcomes"]["able"]["wall_time_ms"] = int(both.wall_time_ms[0, list(both.arms).index("able")])
    for line in rows[1:]:
        for outcome in line["outcomes"].values():
            del outcome["cost_usd"]
    timed = matrix(rows)
    assert timed.cost_usd is None
    assert timed.c95 == 40_000
    assert timed.rewards(0.1).tolist() == both.rewards(0.1).tolist()


def test_scores_by_hand() -> None:
    """
    Rewards at W = 0: (1, 0), (1, 1), (0, 1), (1, .5). In this order random choice earns .5, 1.5, 2, 2.75 and the oracle
    1, 2, 3, 4; the able arm earns 1, 2, 2, 3. Its scores are 1, 1, 0 and .25 / 1.25.
    """
    rewards = matrix().rewards(0.0)
    order = np.arange(4)
    able = played(Fixed(0), order)
    assert scores(rewards, able, [1, 2, 3, 4]) == pytest.approx([1.0, 1.0, 0.0, 0.2])
    oracle = played(ByTask(rewards.argmax(axis=1).tolist()), order)
    assert scores(rewards, oracle, [1, 2, 3, 4]) == pytest.approx([1.0] * 4)
    worst = played(ByTask(rewards.argmin(axis=1).tolist()), order)
    assert scores(rewards, worst, [4])[0] == pytest.approx((1.5 - 2.75) / 1.25)


def test_random_choice_scores_about_0() -> None:
    """3,000 tasks, a gap of at least .2 between oracle and random, a reward's sd .5: s.e. .5 / √3000 / .2 = .046."""
    game = world([0.3, 0.5, 0.7], tasks=3000)
    picks = np.random.default_rng(5).integers(3, size=3000).tolist()
    rewards = game.rewards(0.1)
    assert (rewards.max(axis=1) - rewards.mean(axis=1)).mean() > 0.2
    assert abs(scores(rewards, played(ByTask(picks), np.arange(3000)), [3000])[0]) < 4 * 0.046


def test_where_nothing_can_be_won_the_score_is_0() -> None:
    same = np.ones((3, 2))
    assert scores(same, played(Fixed(1), np.arange(3)), [1, 3]).tolist() == [0.0, 0.0]


def test_the_best_single_arm_is_that_of_the_whole_file() -> None:
    assert best_fixed(np.array([[0.0, 1.0], [0.0, 1.0], [1.0, 0.5]])).choose(0) == 1


def test_marks_beyond_the_file_are_left_out() -> None:
    assert marks(29) == {"end": 29}
    assert marks(200) == {"30": 30, "50": 50, "100": 100, "200": 200, "end": 200}


def test_intervals_are_of_the_mean_over_orders() -> None:
    """Of 400 orders with sd 1 the mean's interval is ±1.96 / 20 = .098; the bootstrap's own error is well below .02."""
    rows = np.random.default_rng(0).normal(size=(400, 1))
    low, high = interval(rows, 0)
    assert high[0] - low[0] == pytest.approx(2 * 1.96 * rows.std() / 20, abs=0.02)
    assert low[0] < rows.mean() < high[0]


# --- playing --------------------------------------------------------------------------------------------------------


def test_each_task_arrives_once_in_an_order_that_is_the_same_for_every_player() -> None:
    game = world([0.5, 0.5], tasks=40)
    first, second = [ByTask([0] * 40) for _ in range(3)], [ByTask([1] * 40) for _ in range(3)]
    for players in (first, second):
        left: list[Player] = list(players)
        list(play(game, lambda _, left=left: left.pop(0), orders=3, seed=4))  # type: ignore[misc]
    for one, other in zip(first, second, strict=True):
        assert sorted(one.asked) == list(range(40))
        assert one.asked == other.asked
        assert one.shown == [(task, 0) for task in one.asked]
    assert len({tuple(one.asked) for one in first}) == 3


def game_scores(game: Matrix, *, seed: int, policy: str = "thompson_sampling") -> list[list[float]]:
    config = Config(policy=PolicyConfig(name=policy))  # type: ignore[arg-type]
    found = score_orders(
        game,
        lambda rng: EnginePlayer(game, config, cost_weight=0.1, rng=rng),
        cost_weight=0.1,
        orders=2,
        seed=seed,
    )
    return [row.tolist() for row in found]


def test_a_seed_determines_everything() -> None:
    game = world([0.3, 0.6, 0.7], tasks=40)
    assert game_scores(game, seed=3) == game_scores(game, seed=3)
    assert game_scores(game, seed=3) != game_scores(game, seed=4)


def test_it_learns_from_what_it_chose() -> None:
    """The better arm is .9 against .1 and no prior tells: 150 tasks are far more than enough to tell them apart."""
    game = world([0.1, 0.9], tasks=150, costs=[0.01, 0.01])
    bare = player(game, priors=[ArmPrior(), ArmPrior()], weight=0.0)
    _, arms = played(bare, np.arange(150))
    assert (arms[50:] == 1).mean() > 0.9
    (views,) = ({view.arm: view for view in bare.engine.arms("default", None, bare.now)},)
    assert sum(view.n for view in views.values()) == 150
    assert views["delegate:m1"].posterior.success.mean > 0.7


def test_between_two_solves_at_most_two_percent_more_outcomes_come() -> None:
    """What the engine knows at a decision, as it says itself, is never further behind than the module promises."""
    game = world([0.4, 0.6], tasks=3 * SOLVED_EACH)
    one = player(game)
    for task in range(len(game.tasks)):
        arm = one.choose(task)
        assert one.decision is not None
        known = sum(arm.expected.success.n for arm in one.decision.considered)
        assert task - task // SOLVED_EACH <= known + 1e-6 <= task + 1e-3
        one.learn(task, arm)


FLIPPED = [ArmPrior(0.4, 0.01), ArmPrior(0.8, 0.01)]
RIGHT = [ArmPrior(0.8, 0.01), ArmPrior(0.4, 0.01)]


@pytest.mark.parametrize(("priors", "better"), [(RIGHT, 0), (FLIPPED, 1)])
def test_priors_reach_the_engine(priors: list[ArmPrior], better: int) -> None:
    one = player(matrix(), priors=priors, exploration=0.0, explore_floor=0.0)
    assert one.choose(0) == better
    assert one.decision is not None
    assert one.decision.basis == "prior"


def test_the_files_own_priors_are_used_and_no_other() -> None:
    """The file says that `opus` is the worst of two; the registry would say otherwise."""
    rows = json.loads(json.dumps(SMALL))
    rows[0]["arms"]["able"] = {
        "dispatch": {"executor": "delegate", "provider": "anthropic", "model": "claude-opus-5"},
        "prior": {"capability": 0.2},
    }
    rows[0]["arms"]["cheap"]["prior"] = {"capability": 0.9}
    one = player(matrix(rows), weight=0.0, exploration=0.0, explore_floor=0.0)
    assert one.choose(0) == 1


def test_with_no_priors_arms_are_alike() -> None:
    one = player(matrix(), priors=[ArmPrior(), ArmPrior()])
    one.choose(0)
    assert one.decision is not None
    first, second = one.decision.considered
    assert first.utility == pytest.approx(second.utility)
    assert first.expected.success == second.expected.success


def test_the_policy_knows_the_cost_weight() -> None:
    """Success .8 at c95 against .6 at next to nothing: worth .8 - W against .6, so that W = .5 turns the choice."""
    game = world([0.8, 0.6], tasks=200, costs=[0.5, 0.001])
    shares = {}
    for weight in (0.0, 0.5):
        _, arms = played(player(game, weight=weight), np.arange(200))
        shares[weight] = float((arms[100:] == 0).mean())
    assert shares[0.0] > 0.8
    assert shares[0.5] < 0.2


def test_time_is_weighed_like_money_where_the_file_has_only_time() -> None:
    game = world([0.8, 0.6], tasks=200, costs=[0.5, 0.001])
    assert game.cost_usd is not None
    timed = msgspec.structs.replace(game, wall_time_ms=np.round(game.cost_usd * 1e6), cost_usd=None)
    _, arms = played(player(timed, weight=0.5, priors=[ArmPrior(), ArmPrior()]), np.arange(200))
    assert (arms[100:] == 0).mean() < 0.2


def test_the_unit_of_money_does_not_matter() -> None:
    """A file in cents is the same game as one in dollars, bit for bit up to rounding of the quotient."""
    game = world([0.8, 0.6, 0.7], tasks=50)
    assert game.cost_usd is not None
    arms = {
        name: msgspec.structs.replace(arm, prior=ArmPrior(arm.prior.capability, (arm.prior.cost_usd or 0.0) * 128))
        for name, arm in game.arms.items()
    }
    dear = msgspec.structs.replace(game, arms=arms, cost_usd=game.cost_usd * 128)
    plays = [played(player(one), np.arange(50)).tolist() for one in (game, dear)]
    assert plays[0] == plays[1]


def test_a_session_named_in_tasks_does_not_make_it_repeat_itself() -> None:
    rows = json.loads(json.dumps([SMALL[0], *[SMALL[1]] * 60]))
    for line in rows[1:]:
        line["task"]["session_id"] = "s"
    one = player(matrix(rows), exploration=0.5, explore_floor=0.5)
    assert len(set(played(one, np.arange(60))[1].tolist())) == 2


def test_caps_in_the_users_own_dollars_and_days_do_not_apply() -> None:
    config = Config(budget=BudgetConfig(usd_per_day=1e-6), policy=PolicyConfig(explore_usd_per_day=0.0))
    game = world([0.5, 0.5], tasks=40, costs=[0.01, 0.01])
    one = EnginePlayer(game, config, cost_weight=0.1, rng=np.random.default_rng(0))
    least = []
    for task in range(40):
        one.learn(task, one.choose(task))
        assert one.decision is not None
        assert [arm.removed_by for arm in one.decision.considered] == [None, None]
        least.append(min(arm.propensity for arm in one.decision.considered))
    assert max(least[20:]) >= config.policy.explore_floor / 2 - 1e-9


def test_time_goes_by_between_tasks() -> None:
    game = world([0.5, 0.5], tasks=10)
    one = EnginePlayer(game, Config(), cost_weight=0.1, rng=np.random.default_rng(0), days_per_task=2.0)
    begun = one.now
    played(one, np.arange(10))
    assert one.now - begun == 20 * 86_400.0


# --- what is promised of decisions and intervals ----------------------------------------------------------------------


@pytest.mark.parametrize("name", POLICIES)
def test_arms_are_chosen_as_often_as_their_propensities_say(name: str) -> None:
    """
    Over a whole replay the count of an arm less the sum of its propensities is a martingale with variance Σ p (1 - p);
    four standard errors are allowed.
    """
    game = world([0.4, 0.55, 0.6, 0.5], tasks=250, seed=2)
    one = player(game, name=name, explore_floor=0.2, epsilon=0.2, seed=6)
    excess, variance = np.zeros(4), np.zeros(4)
    for task in range(250):
        arm = one.choose(task)
        assert one.decision is not None
        p = np.zeros(4)
        for considered in one.decision.considered:
            p[one.columns[considered.arm]] = considered.propensity
        assert one.decision.propensity == pytest.approx(p[arm])
        excess += np.eye(4)[arm] - p
        variance += p * (1.0 - p)
        one.learn(task, arm)
    assert (np.abs(excess) <= 4.0 * np.sqrt(variance) + 1e-9).all()


def coverage(worlds: int, **policy: Any) -> tuple[float, list[float]]:
    """
    Over worlds with five arms whose rates are drawn from N(.6, .15²), every other one with no priors: how many of the
    90 % intervals of arms' mean success hold their mean over the file after 200 tasks, and the widths of those of arms
    with 40 outcomes or more.
    """
    held, widths = [], []
    for seed in range(worlds):
        rates = np.clip(np.random.default_rng([99, seed]).normal(0.6, 0.15, 5), 0.05, 0.95).tolist()
        game = world(rates, tasks=600, seed=seed)
        one = player(game, seed=seed, priors=[ArmPrior()] * 5 if seed % 2 else None, **policy)
        played(one, np.arange(200))
        for view in one.engine.arms("default", None, one.now):
            seen = view.posterior.success
            held.append(seen.low <= game.succeeded[:, one.columns[view.arm]].mean() <= seen.high)
            if view.n >= 40:
                widths.append(seen.high - seen.low)
    return float(np.mean(held)), widths


def test_intervals_hold_what_they_say_where_arms_are_chosen_evenly() -> None:
    """Arms and worlds pooled; what is promised is 85 to 95 %."""
    share, _ = coverage(10, name="epsilon_greedy", epsilon=1.0)
    assert 0.85 <= share <= 0.95


def test_intervals_of_what_a_policy_leaves_untried_are_wide_and_of_what_it_tried_are_not() -> None:
    """
    The default policy tries most arms a few times only: their intervals are mostly prior, wider than they need to be,
    and never narrower. 40 outcomes alone would give 2 · 1.645 · .49 / √40 = .25; doubt that arms share adds to it.
    """
    share, widths = coverage(12)
    assert share >= 0.85
    assert np.median(widths) < 0.25
    assert max(widths) < 0.5


# --- the verb -------------------------------------------------------------------------------------------------------


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place(tmp_path)
    game = world([0.4, 0.7], tasks=60)
    names = list(game.arms)
    assert game.cost_usd is not None
    lines: list[Any] = [{"arms": msgspec.to_builtins(game.arms), "name": "made", "source": "here"}]
    for task, won, cost in zip(game.tasks, game.succeeded.tolist(), game.cost_usd.tolist(), strict=True):
        outcomes = {name: {"succeeded": won[i], "cost_usd": cost[i]} for i, name in enumerate(names)}
        lines.append({"task": msgspec.to_builtins(task), "outcomes": outcomes})
    made.write({"made.jsonl": b"".join(encoded(lines)), "made.jsonl.gz": gzip.compress(b"".join(encoded(lines)))})
    return made


def answer(place: Place, *arguments: str) -> Any:
    return json.loads(place.run("routerctl", "replay", *arguments, "--json", check=True).stdout)


def test_replay_answers_as_the_contract_has_it(place: Place) -> None:
    plain = answer(place, "made.jsonl", "--orders", "3")
    assert (plain["file"], plain["tasks"], plain["arms"], plain["orders"]) == ("made.jsonl", 60, 2, 3)
    assert list(plain["policies"]) == ["thompson_sampling", "epsilon_greedy"]
    assert list(plain["best_fixed"]) == ["30", "50", "end"]
    for found in plain["policies"].values():
        assert found.keys() == {"score", "ci95", "seconds"}
        for mark, score in found["score"].items():
            low, high = found["ci95"][mark]
            assert low <= score <= high <= 1.0
    packed = answer(place, "made.jsonl.gz", "--orders", "3", "--seed", "0", "--cost-weight", "0.1")
    timeless = [{name: one["score"] for name, one in each["policies"].items()} for each in (plain, packed)]
    assert timeless[0] == timeless[1]


def test_replay_plays_the_policies_it_is_told_and_the_configured_one(place: Place) -> None:
    named = ("--policy", "off", "--policy", "ucb", "--policy", "off")
    assert list(answer(place, "made.jsonl", *named, "--orders", "1")["policies"]) == ["off", "ucb"]
    place.write({".config/routerd/config.toml": b'[policy]\nname = "ucb"\n'})
    assert list(answer(place, "made.jsonl", "--orders", "1")["policies"]) == ["ucb", "epsilon_greedy"]


def test_replay_as_text(place: Place) -> None:
    done = place.run("routerctl", "replay", "made.jsonl", "--orders", "2", check=True)
    assert "60 tasks, 2 arms" in done.stdout
    assert "thompson_sampling" in done.stdout
    assert "best single arm" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere.jsonl"], "nowhere.jsonl: cannot be read: No such file"),
        (["."], "cannot be read"),
        (["made.jsonl", "--policy", "best"], "--policy best: there is no such policy; there are thompson_sampling"),
        (["made.jsonl", "--orders", "0"], "--orders 0"),
        (["made.jsonl", "--seed=-1"], "--seed -1"),
        (["made.jsonl", "--cost-weight=-0.1"], "--cost-weight -0.1"),
        (["made.jsonl", "--cost-weight", "nan"], "--cost-weight nan"),
        (["broken.jsonl"], "broken.jsonl: line 61: no outcome of 'm1'"),
        (["cut.jsonl.gz"], "cut.jsonl.gz: cannot be read"),
        (["plain.jsonl.gz"], "plain.jsonl.gz: cannot be read"),
    ],
)
def test_what_cannot_be_played_is_bad_usage_in_one_line(place: Place, arguments: list[str], said: str) -> None:
    whole, packed = (place.home / "made.jsonl").read_bytes(), (place.home / "made.jsonl.gz").read_bytes()
    *kept, last = whole.splitlines(keepends=True)
    row = json.loads(last)
    del row["outcomes"]["m1"]
    place.write(
        {
            "broken.jsonl": b"".join([*kept, *encoded([row])]),
            "cut.jsonl.gz": packed[: len(packed) // 2],
            "plain.jsonl.gz": whole,
        }
    )
    done = place.run("routerctl", "replay", *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""

"""The engine as its callers see it: what a decision honours, and what belief depends on."""

import math
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routerd.config import (
    BudgetConfig,
    Config,
    DelegationConfig,
    FeatureName,
    GateConfig,
    LearningConfig,
    PolicyConfig,
    PoolConfig,
)
from routerd.engine import ArmView, Engine
from routerd.errors import InvalidParams, NoArmLeft, OutsidePool
from routerd.events import LOCAL, Constraints, Contribution, Decision, Parent, Recommend, Ref, Task, arm_id
from routerd.features import extract
from routerd.prior import LOCAL_WINS
from tests.fake_catalog import Attributes, FakeCatalog, model

NOW = 2_000_000_000.0
DAY_S = 86_400.0
MODELS = {
    "big": Attributes(capability=0.8, log_price=math.log(30.0), family="x"),
    "middle": Attributes(capability=0.6, log_price=math.log(5.0), family="x"),
    "small": Attributes(capability=0.4, log_price=math.log(1.0), family="y"),
}
TIERS = {"big": "frontier", "middle": "mid", "small": "light"}
CANDIDATES = [model(name) for name in MODELS]
TASK = Task(goal="rename the class in src/app.py")


def engine(config: Config | None = None, *, pool: set[str] | None = None, seed: int = 0, **more: Any) -> Engine:
    models = more.pop("models", MODELS)
    catalog = FakeCatalog(models, tiers=TIERS, words={"light": "little"}, pool=pool, **more)
    return Engine(config or Config(), catalog, np.random.default_rng(seed))


def ask(one: Engine, *, now: float = NOW, decision_id: str = "d", **more: Any) -> Decision:
    return one.recommend(Recommend(**{"task": TASK, "candidates": CANDIDATES, **more}), now, decision_id)


def outcome(name: str | None, success: float | None, *, own: bool = True, **more: Any) -> Contribution:
    return Contribution(
        scope=more.pop("scope", "default"),
        dispatch=LOCAL if name is None else model(name),
        features=more.pop("features", None) or extract(more.pop("task", TASK)),
        at=more.pop("at", NOW - DAY_S),
        success=success,
        weight=more.pop("weight", 1.0),
        own=own,
        **more,
    )


def teach(one: Engine, rates: dict[str, float], times: int = 60, **more: Any) -> Engine:
    for name, rate in rates.items():
        for i in range(times):
            one.observe(None, outcome(name, float(i < rate * times), **more), NOW)
    while one.refresh(NOW):
        pass
    return one


def view(one: Engine, name: str, scope: str = "default") -> ArmView:
    return next(arm for arm in one.arms(scope, None, NOW) if arm.arm == arm_id(model(name)))


# --- deciding -------------------------------------------------------------------------------------------------------


def test_a_decision_explains_itself() -> None:
    made = ask(engine(), scope="s", ref=Ref(agent="codex", tool_use_id="t"), top=2, decision_id="d-1")
    assert (made.decision_id, made.at, made.scope, made.top) == ("d-1", NOW, "s", 2)
    assert made.keys == ("codex:tool:t",)
    assert made.basis == "prior"
    assert {one.arm for one in made.considered} == {arm_id(dispatch) for dispatch in CANDIDATES}
    assert sum(one.propensity for one in made.considered) == pytest.approx(1.0)
    chosen = next(one for one in made.considered if one.arm == made.arm)
    assert (chosen.propensity, chosen.utility, chosen.expected) == (made.propensity, made.utility, made.expected)
    assert made.features["task_kind"] == "file-edit"
    assert [one.utility for one in made.considered] == sorted((one.utility for one in made.considered), reverse=True)
    assert made.arm in made.reason
    assert made.policy.name == "thompson_sampling"
    assert msgspec.json.decode(msgspec.json.encode(made), type=Decision) == made


def test_intervals_hold_their_means() -> None:
    one = teach(engine(), {"big": 0.9}, wall_time_ms=90_000, cost_usd=0.5)
    for expected in (arm.expected for arm in ask(one).considered):
        for estimate in (expected.success, expected.wall_time_ms, expected.cost_usd):
            assert estimate.low <= estimate.mean <= estimate.high
    learnt = view(one, "big").posterior
    assert learnt.wall_time_ms.mean == pytest.approx(90_000, rel=0.35)
    assert learnt.cost_usd.mean == pytest.approx(0.5, rel=0.35)
    assert learnt.success.n == learnt.cost_usd.n > 50


def test_it_learns_what_works() -> None:
    made = ask(teach(engine(), {"big": 0.2, "middle": 0.9, "small": 0.2}), explore=False)
    assert made.arm == "delegate:middle"
    assert made.basis == "learned"
    assert made.propensity == 1.0
    assert not made.explored


def test_the_arm_is_drawn_by_its_propensity() -> None:
    """4,000 draws: a share's standard error is at most √(.25 / 4000) = .008, and 4 of them are allowed."""
    one = engine(Config(policy=PolicyConfig(exploration=0.5, explore_usd_per_day=1e9)))
    made = [ask(one) for _ in range(4000)]
    expected = {arm.arm: arm.propensity for arm in made[0].considered}
    assert len({decision.propensity for decision in made}) <= 3  # the same belief, the same propensities
    for arm, p in expected.items():
        assert sum(decision.arm == arm for decision in made) / 4000 == pytest.approx(p, abs=0.032)


def removed(made: Decision) -> dict[str, str | None]:
    return {arm.arm: arm.removed_by for arm in made.considered}


def test_an_arm_whose_key_is_missing_is_taken_out_and_a_pin_on_it_is_warned_about() -> None:
    one = engine(keys={"big": "BIG_KEY"})
    made = ask(one)
    assert removed(made)["delegate:big"] == "credential: BIG_KEY is not set"
    assert made.arm != "delegate:big"
    assert "BIG_KEY" in ask(one, pinned=model("big")).warnings[0]


def test_a_limit_of_the_pool_takes_out_what_is_expected_to_cost_more() -> None:
    assert removed(ask(engine(limits={"big": 0.001})))["delegate:big"] == "pool limit: max_cost_usd"
    assert removed(ask(engine(limits={"big": 1000.0})))["delegate:big"] is None


def test_an_orchestrator_too_deep_is_offered_as_a_leaf() -> None:
    orchestrator = msgspec.structs.replace(model("big"), role="orchestrator")
    deep = ask(engine(), task=Task(goal="g", depth=1), candidates=[orchestrator])
    assert (deep.dispatch.role, deep.arm) == ("leaf", "delegate:big#leaf")
    assert "leaf" in deep.warnings[0]
    flat = ask(engine(), candidates=[orchestrator])
    assert (flat.dispatch.role, flat.warnings) == ("orchestrator", ())
    pinned = ask(engine(), task=Task(goal="g", depth=1), pinned=orchestrator)
    assert (pinned.dispatch.role, len(pinned.warnings)) == ("leaf", 1)


def test_a_strength_counts_until_outcomes_say_otherwise() -> None:
    strong = {**MODELS, "small": msgspec.structs.replace(MODELS["small"], strengths=("docs",))}

    def success(models: dict[str, Attributes], kind: str, outcomes: int) -> float:
        one = engine(models=models)
        for i in range(outcomes):
            one.observe(None, outcome("small", float(i % 2), task=Task(goal="g", kind=kind)), NOW)
        one.refresh(NOW)
        made = ask(one, task=Task(goal="g", kind=kind), candidates=["delegate:small"])
        return made.considered[0].expected.success.mean

    assert success(strong, "docs", 0) - success(MODELS, "docs", 0) == pytest.approx(0.05)
    assert success(strong, "debug", 0) == success(MODELS, "debug", 0)
    assert 0.0 < success(strong, "docs", 60) - success(MODELS, "docs", 60) < 0.01


def test_the_floor_is_off_once_trying_has_cost_enough() -> None:
    """With nothing to explore, what is drawn besides the best comes from the floor alone."""
    policy = PolicyConfig(exploration=0.0, explore_floor=0.5, explore_minutes_per_day=0.01)
    one = teach(engine(Config(policy=policy)), {"big": 0.9}, wall_time_ms=60_000, cost_usd=0.1)
    teach(one, {"middle": 0.9}, wall_time_ms=90_000, cost_usd=0.1)
    tried = [decision for decision in (ask(one) for _ in range(200)) if decision.explored]
    assert 1 <= len(tried) < 20
    assert ask(one).considered[0].propensity == 1.0
    assert ask(one, now=NOW + DAY_S).considered[0].propensity < 1.0


def test_near_a_cap_a_dollar_weighs_more_and_at_it_the_cheapest_is_left() -> None:
    def made(cap: float | None) -> Decision:
        one = engine(Config(budget=BudgetConfig(usd_per_day=cap)))
        for name, cost in (("big", 0.9), ("small", 0.1)):
            for _ in range(20):
                one.observe(None, outcome(name, 1.0, cost_usd=cost, at=NOW - 60.0), NOW)
        one.refresh(NOW)
        return ask(one, candidates=[model("big"), model("small")], explore=False)

    def gap(decision: Decision) -> float:
        utility = {arm.arm: arm.utility for arm in decision.considered}
        return utility["delegate:small"] - utility["delegate:big"]

    free, near, over = made(None), made(25.0), made(10.0)  # 20 US dollars are spent
    assert gap(made(1000.0)) == gap(free) < gap(near)
    assert free.warnings == near.warnings == ()
    assert over.arm == "delegate:small"
    assert {arm.removed_by for arm in over.considered} == {None, "budget"}
    assert "cap" in over.warnings[0]


def test_what_was_spent_is_in_the_snapshot() -> None:
    config = Config(budget=BudgetConfig(usd_per_day=1.0))
    one = engine(config)
    one.observe(None, outcome("big", 1.0, cost_usd=5.0, at=NOW - 60.0), NOW)
    other = engine(config)
    other.restore(one.snapshot())
    assert "cap" in ask(other).warnings[0]


def test_a_feature_that_is_not_to_be_looked_at_changes_nothing() -> None:
    features: list[FeatureName] = ["rough_token_estimate", "parent_model_tier"]

    def asked(config: Config) -> set[float]:
        one = engine(config)
        for i in range(40):
            one.observe(None, outcome("big", float(i % 2), task=Task(goal="g", kind=f"kind-{i % 2}")), NOW)
        one.refresh(NOW)
        tasks = [Task(goal="g", kind=kind, repo=repo) for kind, repo in (("kind-0", "h/a/b"), ("kind-1", "h/c/d"))]
        made = [ask(one, task=task) for task in tasks]
        assert [decision.features["task_kind"] for decision in made] == ["kind-0", "kind-1"]
        return {decision.considered[0].expected.success.mean for decision in made}

    assert len(asked(Config())) == 2
    assert len(asked(Config(learning=LearningConfig(features=features)))) == 1


def test_freshly_seeded_easy_tasks_stay_and_the_hardest_are_delegated() -> None:
    """
    The published benchmark of ten tasks: never delegating was best on seven, always on one, and a rule that delegates
    the hard ones on the two hardest (`prior.LOCAL_WINS`). Ten sizes of task stand for their difficulty.
    """
    own, rule, always = LOCAL_WINS
    tasks = [Task(goal="g", token_estimate=round(500 * 2**i)) for i in range(own + rule + always)]
    chosen = [ask(engine(), task=task, candidates=["local", "delegate:"], explore=False).arm for task in tasks]
    assert set(chosen[: len(tasks) // 2]) == {"local"}
    assert set(chosen[-rule:]) == {"delegate:"}


def test_without_exploration_the_best_is_certain() -> None:
    one = engine(Config(policy=PolicyConfig(exploration=0.5)))
    best = ask(one, explore=False).considered[0]
    assert {ask(one, explore=False).arm for _ in range(20)} == {best.arm}
    assert best.propensity == 1.0


def test_candidates_are_echoed_and_spellings_of_one_arm_are_one() -> None:
    made = ask(engine(), candidates=[model("BIG"), "delegate:big", "local"])
    assert sorted(one.arm for one in made.considered) == ["delegate:big", "local"]
    assert {one.dispatch.model for one in made.considered} == {"BIG", None}


def test_what_is_no_arm_id_is_named() -> None:
    for params, path in (
        ({"candidates": ["local", "nonsense"]}, "candidates.1"),
        ({"candidates": []}, "candidates"),
        ({"incumbent": "nonsense"}, "incumbent"),
    ):
        with pytest.raises(InvalidParams) as caught:
            ask(engine(), **params)
        assert caught.value.data is not None
        assert caught.value.data["path"] == path


def test_with_no_candidates_the_known_arms_are_considered() -> None:
    one = teach(engine(), {"odd": 0.5}, times=2)
    arms = {arm.arm for arm in ask(one, candidates=None).considered}
    assert arms == {"local", "delegate:odd", *(arm_id(dispatch) for dispatch in CANDIDATES)}


def test_the_arms_considered_unasked_are_bounded_and_the_most_used_come_first() -> None:
    one = teach(engine(), {f"m{i}": 0.5 for i in range(80)}, times=1)
    one = teach(one, {"m71": 0.5}, times=5)
    considered = ask(one, candidates=None).considered
    assert len(considered) == 32
    assert "delegate:m71" in {arm.arm for arm in considered}


@pytest.mark.parametrize(
    ("constraints", "left"),
    [
        (Constraints(tiers=["mid"]), {"delegate:middle"}),
        (Constraints(tiers=["little"]), {"delegate:small"}),
        (Constraints(max_cost_usd=0.15), {"delegate:small"}),
        (Constraints(min_success=0.6), {"delegate:big", "delegate:middle"}),
        (Constraints(max_wall_time_ms=10**9), {"delegate:big", "delegate:middle", "delegate:small"}),
    ],
)
def test_constraints_take_arms_out_and_say_so(constraints: Constraints, left: set[str]) -> None:
    one = teach(engine(), {"big": 0.9, "middle": 0.9, "small": 0.3}, cost_usd=1.0, wall_time_ms=1000)
    one = teach(one, {"small": 0.3}, cost_usd=0.01, times=200)
    made = ask(one, constraints=constraints)
    named = {name for name in Constraints.__struct_fields__ if getattr(constraints, name) is not None}
    assert {arm.arm for arm in made.considered if arm.removed_by is None} == left
    assert {arm.removed_by for arm in made.considered} - {None} <= named
    assert made.arm in left
    assert all(arm.propensity == 0.0 for arm in made.considered if arm.removed_by)


def test_when_no_arm_is_left_each_is_said_to_be_removed_by_what() -> None:
    with pytest.raises(NoArmLeft) as caught:
        ask(engine(), constraints=Constraints(tiers=["mid"], min_success=0.65))
    assert caught.value.data == {
        "delegate:big": "tiers",
        "delegate:middle": "min_success",
        "delegate:small": "min_success",
    }


def test_the_agent_itself_has_the_tier_of_its_model() -> None:
    tiers = Constraints(tiers=["frontier"])
    mine = Task(goal="x", parent=Parent(model="big"))
    made = ask(engine(), task=mine, candidates=["local", "delegate:small"], constraints=tiers)
    assert made.arm == "local"
    assert made.features["parent_model_tier"] == "frontier"


# --- pool and pins --------------------------------------------------------------------------------------------------


@settings(max_examples=50, deadline=None)
@given(
    pool=st.sets(st.sampled_from(sorted(MODELS))),
    candidates=st.one_of(st.none(), st.lists(st.sampled_from([*MODELS, "BIG", "odd"]), min_size=1)),
    pinned=st.one_of(st.none(), st.sampled_from([*MODELS, "odd"])),
    incumbent=st.one_of(st.none(), st.sampled_from([*MODELS, "odd"])),
    fallback=st.booleans(),
)
def test_nothing_outside_the_pool_is_ever_recommended(
    pool: set[str], candidates: list[str] | None, pinned: str | None, incumbent: str | None, fallback: bool
) -> None:
    config = Config(pool=PoolConfig(on_outside="fallback" if fallback else "refuse"))
    one = teach(engine(config, pool=pool), {"odd": 1.0}, times=3)
    try:
        made = ask(
            one,
            candidates=candidates and [model(name) for name in candidates],
            pinned=pinned and model(pinned),
            incumbent=incumbent and model(incumbent),
        )
    except OutsidePool:
        assert not fallback
        return
    assert made.dispatch.executor == "local" or (made.dispatch.model or "").lower() in pool


def test_a_pin_wins_over_constraints_and_policy_and_gate() -> None:
    one = teach(engine(), {"small": 0.0, "big": 1.0})
    made = ask(one, pinned=model("small"), constraints=Constraints(min_success=0.9), incumbent=model("big"))
    assert (made.arm, made.basis, made.propensity, made.explored) == ("delegate:small", "pinned", 1.0, False)
    assert made.gate.apply


def test_a_pin_need_not_be_a_candidate() -> None:
    assert ask(engine(), candidates=["local"], pinned=model("BIG")).dispatch == model("BIG")


def test_a_pin_outside_the_pool_is_refused_or_gives_way_to_the_default() -> None:
    with pytest.raises(OutsidePool, match="odd"):
        ask(engine(pool={"big", "small"}), pinned=model("odd"))
    config = Config(pool=PoolConfig(on_outside="fallback"), delegation=DelegationConfig(model="small"))
    made = ask(engine(config, pool={"big", "small"}), pinned=model("odd"))
    assert (made.arm, made.basis, made.propensity) == ("delegate:small", "fallback", 1.0)
    assert "odd" in made.warnings[0]
    assert not made.gate.apply


def test_candidates_outside_the_pool_are_removed_and_all_of_them_refused() -> None:
    made = ask(engine(pool={"big"}))
    assert {arm.arm: arm.removed_by for arm in made.considered} == {
        "delegate:big": None,
        "delegate:middle": "pool",
        "delegate:small": "pool",
    }
    with pytest.raises(OutsidePool):
        ask(engine(pool={"big"}), candidates=["delegate:small"])


def test_off_chooses_the_incumbent_and_tries_nothing() -> None:
    one = teach(engine(Config(policy=PolicyConfig(name="off"))), {"big": 1.0, "small": 0.0})
    made = ask(one, incumbent=model("small"))
    assert (made.arm, made.basis, made.propensity, made.explored) == ("delegate:small", "off", 1.0, False)
    assert ask(one).arm == "delegate:big"  # the first


# --- the gate -------------------------------------------------------------------------------------------------------


def test_the_gate_opens_only_when_sure() -> None:
    assert not ask(engine(), incumbent=model("small"), explore=False).gate.apply
    one = teach(engine(), {"big": 0.95, "small": 0.3}, times=100)
    made = ask(one, incumbent=model("small"), explore=False)
    assert made.arm == "delegate:big"
    assert made.gate.apply
    assert "n=100" in made.reason


def test_the_gate_stays_shut_without_an_incumbent_or_a_gain() -> None:
    one = teach(engine(), {"big": 0.95, "small": 0.3}, times=100)
    assert "no incumbent" in ask(one).gate.reason
    same = ask(one, incumbent=model("big"), explore=False)
    assert not same.gate.apply
    assert "already" in same.gate.reason


def test_the_gate_asks_for_a_gain_too() -> None:
    """Not worse in success, but dearer: nothing to gain by taking the candidate for the incumbent."""
    one = teach(engine(Config(gate=GateConfig(epsilon=1.0))), {"big": 0.9}, cost_usd=5.0)
    one = teach(one, {"small": 0.9}, cost_usd=0.01)
    made = ask(one, candidates=["delegate:big"], incumbent=model("small"))
    assert not made.gate.apply
    assert "nothing to gain" in made.gate.reason


# --- objectives -----------------------------------------------------------------------------------------------------


def test_objectives_choose_differently() -> None:
    one = teach(engine(), {"big": 0.95}, times=150, cost_usd=0.5, wall_time_ms=300_000)
    one = teach(one, {"middle": 0.7}, times=150, cost_usd=0.4, wall_time_ms=20_000)
    one = teach(one, {"small": 0.6}, times=150, cost_usd=0.01, wall_time_ms=400_000)
    picks = {name: ask(one, objective=name, explore=False).arm for name in ("fast", "cheap", "best")}
    assert picks == {"fast": "delegate:middle", "cheap": "delegate:small", "best": "delegate:big"}


# --- stickiness -----------------------------------------------------------------------------------------------------


def test_a_session_gets_one_answer_to_one_question() -> None:
    one = engine(Config(policy=PolicyConfig(name="epsilon_greedy", epsilon=1.0)))
    mine = Task(goal="fix it", session_id="s")
    made = [ask(one, task=mine, now=NOW + i, decision_id=f"d{i}") for i in range(30)]
    assert len({decision.arm for decision in made}) == 1
    assert made[7] == msgspec.structs.replace(made[0], decision_id="d7", at=NOW + 7)
    assert len({ask(one).arm for _ in range(30)}) > 1  # outside a session each question stands alone
    shown = [ask(one, task=mine, now=NOW + i, top=i % 4, dry_run=i % 2 == 0) for i in range(30)]
    assert {decision.arm for decision in shown} == {made[0].arm}
    assert [decision.top for decision in shown[:4]] == [0, 1, 2, 3]
    later = {ask(one, task=mine, now=NOW + i * 3600.0).arm for i in range(1, 40)}
    assert len(later) > 1


def test_a_dry_run_is_not_remembered() -> None:
    one = engine(Config(policy=PolicyConfig(name="epsilon_greedy", epsilon=1.0)))
    mine = Task(goal="fix it", session_id="s")
    assert len({ask(one, task=mine, dry_run=True).arm for _ in range(30)}) > 1


def test_what_belief_rests_on_is_what_it_is_solved_from() -> None:
    """In a scope others count by a part, and a scope that has nothing of its own is the default."""
    one = engine(Config(learning=LearningConfig(scope_pooling=0.3, half_life_days=1e6)))
    for scope in ("good", "bad"):
        for number in range(20):
            one.observe(None, outcome("big", 1.0, own=scope == "good" and number < 5, scope=scope), NOW)
    one.refresh(NOW)
    for scope in ("default", "good", "bad", "unused"):
        made = ask(one, scope=scope, candidates=[model("big")])
        own, logs, _ = one.shares(scope, "delegate:big", NOW)
        assert own + logs == pytest.approx(made.expected.success.n, abs=1e-3), scope
    assert one.shares("good", "delegate:big", NOW)[:2] == pytest.approx((5.0, 15.0 + 0.3 * 20), abs=1e-3)
    assert one.shares("unused", "delegate:big", NOW)[:2] == pytest.approx((5.0, 35.0), abs=1e-3)


# --- belief ---------------------------------------------------------------------------------------------------------


def history(seed: int) -> list[Contribution]:
    rng = np.random.default_rng(seed)
    return [
        outcome(
            str(rng.choice([*MODELS, "odd"])),
            float(rng.integers(2)) if rng.random() < 0.8 else None,
            own=bool(rng.integers(2)),
            scope=str(rng.choice(["default", "work"])),
            at=NOW - float(rng.integers(300)) * DAY_S,
            task=Task(goal="x", kind=str(rng.choice(["docs", "debug"]))),
            cost_usd=float(rng.random()),
        )
        for _ in range(60)
    ]


@pytest.mark.parametrize("seed", range(3))
def test_belief_depends_on_the_set_of_outcomes_and_not_on_how_they_came(seed: int) -> None:
    current = history(seed)
    straight, winding = engine(), engine()
    for contribution in current:
        straight.observe(None, contribution, NOW)
    rng = np.random.default_rng(seed)
    for i in rng.permutation(len(current)):
        wrong = msgspec.structs.replace(current[i], success=0.5, own=not current[i].own, at=NOW)
        winding.observe(None, wrong, NOW)
        winding.refresh(NOW)
        winding.observe(wrong, current[i], NOW)
        winding.observe(current[i], current[i], NOW)
        winding.observe(None, current[0], NOW)
        winding.observe(current[0], None, NOW)
    for scope in ("default", "work", "elsewhere"):
        for one in (straight, winding):
            ask(one, scope=scope)
            while one.refresh(NOW):
                pass
        assert ask(straight, scope=scope).considered == ask(winding, scope=scope).considered


def test_a_changed_label_replaces_the_old_one() -> None:
    one, bad, good = engine(), outcome("big", 0.0), outcome("big", 1.0)
    one.observe(None, bad, NOW)
    one.observe(bad, good, NOW)
    other = engine()
    other.observe(None, good, NOW)
    assert one.snapshot() == other.snapshot()
    with pytest.raises(ValueError, match="never"):
        one.observe(outcome("small", 0.0), None, NOW)


def test_a_snapshot_restores_belief() -> None:
    one = teach(engine(), {"big": 0.9, "small": 0.1})
    other = engine()
    ask(other)
    other.restore(one.snapshot())
    other.refresh(NOW)
    assert ask(other).considered == ask(one).considered
    with pytest.raises(ValueError, match="snapshot"):
        other.restore(b"nothing")


def test_belief_stands_still_until_it_is_refreshed() -> None:
    one = engine()
    before = ask(one).considered
    one.observe(None, outcome("big", 0.0), NOW)
    assert ask(one).considered == before
    assert not one.refresh(NOW)
    assert ask(one).considered != before


def test_belief_is_solved_in_steps_and_stands_still_until_the_last() -> None:
    one, whole = engine(), engine()
    before = ask(one).considered
    ask(whole)
    one.observe(None, outcome("big", 0.0), NOW)
    whole.observe(None, outcome("big", 0.0), NOW)
    whole.refresh(NOW)
    steps = 0
    for _ in one.refreshing(NOW):
        assert ask(one).considered == before
        if not steps:
            one.observe(None, outcome("small", 0.0), NOW)  # counts the next time
        steps += 1
    assert steps > 2
    assert ask(one).considered == ask(whole).considered
    assert list(one.refreshing(NOW))
    assert ask(one).considered != ask(whole).considered
    assert not list(one.refreshing(NOW))


def test_old_outcomes_fade() -> None:
    fresh = teach(engine(), {"big": 0.0}, times=20, at=NOW)
    old = teach(engine(), {"big": 0.0}, times=20, at=NOW - 360 * DAY_S)
    assert view(old, "big").posterior.success.n == pytest.approx(20 / 16, rel=0.15)
    assert view(fresh, "big").posterior.success.mean < view(old, "big").posterior.success.mean
    assert view(old, "big").n == 20


def test_a_new_span_of_time_makes_belief_stale() -> None:
    one = teach(engine(), {"big": 0.0}, times=20)
    n = view(one, "big").posterior.success.n
    one.refresh(NOW + 100 * DAY_S)
    assert view(one, "big").posterior.success.n < n / 1.8


def test_what_others_chose_counts_to_a_bound() -> None:
    config = Config(learning=LearningConfig(observed_max=30.0))
    assert view(teach(engine(config), {"big": 0.5}, times=200, own=False), "big").posterior.success.n == 30.0
    assert view(teach(engine(config), {"big": 0.5}, times=200, at=NOW), "big").posterior.success.n == 200.0


def test_a_scope_has_its_own_belief_drawn_to_that_of_all() -> None:
    one = teach(engine(), {"big": 0.2}, times=40, at=NOW)
    one = teach(one, {"big": 0.9}, times=10, scope="work", at=NOW)
    work, everywhere = view(one, "big", "work"), view(one, "big")
    assert (work.n, everywhere.n) == (10, 50)
    assert work.posterior.success.n == pytest.approx(10 + 0.3 * 40)
    assert work.posterior.success.mean > everywhere.posterior.success.mean + 0.1
    assert view(one, "big", "unheard of").posterior == everywhere.posterior


def test_arms_shows_prior_and_posterior() -> None:
    one = teach(engine(pool={"big", "small"}), {"big": 0.1, "odd": 0.5})
    shown = {arm.arm: arm for arm in one.arms("default", "file-edit", NOW)}
    assert shown.keys() == {"delegate:big", "delegate:small", "delegate:odd"}
    big, small, odd = shown["delegate:big"], shown["delegate:small"], shown["delegate:odd"]
    assert big.posterior.success.mean < big.prior.success.mean
    assert (big.n, small.n, small.last_seen) == (60, 0, None)
    assert big.last_seen == NOW - DAY_S
    assert (big.in_pool, odd.in_pool) == (True, False)
    assert big.drift is None


def test_context_matters_once_it_is_seen() -> None:
    one = engine()
    docs, debug = Task(goal="x", kind="docs"), Task(goal="x", kind="debug")
    for task, good, bad in ((docs, "small", "big"), (debug, "big", "small")):
        teach(one, {good: 0.9, bad: 0.2}, times=120, task=task, cost_usd=0.1)
    two = [model("small"), model("big")]
    assert ask(one, task=docs, candidates=two, explore=False).arm == "delegate:small"
    assert ask(one, task=debug, candidates=two, explore=False).arm == "delegate:big"


def test_another_configuration_keeps_what_was_learnt() -> None:
    one = teach(engine(), {"big": 0.1, "small": 0.9})
    before = one.snapshot()
    one.reconfigure(Config(policy=PolicyConfig(name="ucb")), FakeCatalog(MODELS, tiers=TIERS, pool={"big"}))
    assert one.snapshot() == before
    made = ask(one)
    assert made.arm == "delegate:big"
    assert made.policy.name == "ucb"

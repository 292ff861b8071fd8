"""Spending caps and the allowance of exploration."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routerd.budget import DAY_S, PRICE_MAX, WEEK_S, Allowance, Spending, price
from routerd.config import BudgetConfig, PolicyConfig

NOW = 2_000_000_000.0

COSTS = st.lists(st.tuples(st.floats(NOW - 2 * WEEK_S, NOW), st.floats(0.0, 100.0)), max_size=30)


@given(costs=COSTS, data=st.data())
def test_what_was_spent_does_not_depend_on_the_order_and_can_be_taken_back(
    costs: list[tuple[float, float]], data: st.DataObject
) -> None:
    one, other = Spending(), Spending()
    for at, cost in costs:
        one.add(at, cost, 1)
    for at, cost in data.draw(st.permutations(costs)):
        other.add(at, cost, 1)
    other.add(NOW, 3.21, 1)
    other.add(NOW, 3.21, -1)
    assert one.pack() == other.pack()
    assert Spending.unpack(one.pack()).between(NOW - DAY_S, NOW) == one.between(NOW - DAY_S, NOW)


def test_each_cap_looks_back_over_its_own_time() -> None:
    spending = Spending()
    spending.add(NOW - 3600, 2.0, 1)
    spending.add(NOW - 3 * DAY_S, 30.0, 1)
    spending.add(NOW - 9 * DAY_S, 500.0, 1)
    assert spending.used(BudgetConfig(usd_per_day=10.0), NOW) == pytest.approx(0.2)
    assert spending.used(BudgetConfig(usd_per_day=10.0, usd_per_week=40.0), NOW) == pytest.approx(0.8)
    assert spending.used(BudgetConfig(), NOW) == 0.0


@pytest.mark.parametrize("cost", [None, 0.0, -1.0, float("nan"), float("inf")])
def test_what_is_no_cost_is_not_counted(cost: float | None) -> None:
    spending = Spending()
    spending.add(NOW, cost, 1)
    assert spending.pack() == {}


def test_a_dollar_weighs_more_the_nearer_the_cap() -> None:
    assert [price(used) for used in (0.0, 0.5, 0.75, 0.9, 1.0, 3.0)] == pytest.approx(
        [1, 1, 2, 5, PRICE_MAX, PRICE_MAX]
    )
    steps = [price(i / 100.0) for i in range(100)]
    assert steps == sorted(steps)


def test_the_allowance_is_for_a_day() -> None:
    config = PolicyConfig(explore_usd_per_day=1.0, explore_minutes_per_day=10.0)
    allowance = Allowance()
    allowance.take(0.6, -5.0, NOW)
    assert allowance.left(config, NOW)
    allowance.take(0.6, 0.0, NOW)
    assert not allowance.left(config, NOW)
    assert allowance.left(config, NOW + DAY_S)
    allowance.take(-3.0, 11.0, NOW + DAY_S)
    assert not allowance.left(config, NOW + DAY_S)

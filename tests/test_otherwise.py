"""What would have to change for another pick: checked by asking again with the prices that it names."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routerd.config import ObjectiveConfig
from routerd.events import Considered, Dispatch, Estimate, Expected, Objective
from routerd.otherwise import Change, changes, prices_of, value
from routerd.reward import Worth, worth

PRICES = Worth(success_usd=5.0, hour_usd=10.0)


def considered(
    name: str, success: float, minutes: float, dollars: float, prices: Worth = PRICES, removed_by: str | None = None
) -> Considered:
    def sure(mean: float) -> Estimate:
        return Estimate(mean, mean, mean, 9.0)

    one = Considered(
        arm=name,
        dispatch=Dispatch(executor="delegate", model=name),
        expected=Expected(sure(success), sure(60_000.0 * minutes), sure(dollars)),
        utility=0.0,
        removed_by=removed_by,
    )
    return Considered(
        arm=one.arm, dispatch=one.dispatch, expected=one.expected, utility=value(one, prices), removed_by=removed_by
    )


ARMS = st.lists(
    st.tuples(st.floats(0.05, 0.95), st.floats(0.1, 100.0), st.floats(0.001, 20.0), st.booleans()),
    min_size=1,
    max_size=6,
).map(
    lambda rows: [
        considered(f"arm{number}", *row[:3], removed_by="tiers" if row[3] else None) for number, row in enumerate(rows)
    ]
)


def asked_again(arms: list[Considered], name: str, price: float) -> list[str]:
    """All allowed arms that are worth most (to rounding) with one price changed."""
    prices = Worth(**{**{key: getattr(PRICES, key) for key in ("success_usd", "hour_usd", "money")}, name: price})
    worths = {one.arm: value(one, prices) for one in arms if one.removed_by is None}
    return [arm for arm, worth_usd in worths.items() if worth_usd >= max(worths.values()) - 1e-9]


@given(ARMS)
def test_at_the_price_named_the_arm_named_is_worth_most(arms: list[Considered]) -> None:
    for change in changes(arms, PRICES):
        assert change.to >= 0.0
        assert change.at == getattr(PRICES, change.price)
        assert change.arm in asked_again(arms, change.price, change.to)
        assert change.arm not in asked_again(arms, change.price, change.at)[:1]


@given(ARMS, st.floats(0.0, 0.9))
def test_short_of_it_the_leader_leads(arms: list[Considered], part: float) -> None:
    """The price is rounded away by at most a unit of its second figure: nine tenths of the way short of that."""
    for change in changes(arms, PRICES):
        unit = 10.0 ** (math.floor(math.log10(change.to)) - 1) if change.to > 0.0 else 0.0
        sign = 1.0 if change.to > change.at else -1.0
        crossing = change.to - sign * 2.0 * unit
        if (crossing - change.at) * sign > 0.0:
            between = change.at + part * (crossing - change.at)
            assert set(asked_again(arms, change.price, change.at)) & set(asked_again(arms, change.price, between))


@given(ARMS)
def test_no_change_is_named_where_none_would_do(arms: list[Considered]) -> None:
    """Over a wide grid of each price, the leader is only ever replaced where a change says so."""
    leaders = asked_again(arms, "money", 1.0)
    found = changes(arms, PRICES)
    for name in ("success_usd", "hour_usd", "money"):
        at = getattr(PRICES, name)
        for factor in (0.0, 0.01, 0.1, 0.5, 2.0, 10.0, 100.0):
            if leaders and not set(asked_again(arms, name, factor * at)) & set(leaders):
                assert any(one.price == name and (one.to > at) == (factor > 1.0) for one in found), (name, factor)


def test_an_example() -> None:
    """Opus: 0.2 more success, for $0.50 and 7 minutes more: it is worth $0.667 less, until a success is worth $8.34."""
    arms = [considered("haiku", 0.7, 2.0, 0.1), considered("opus", 0.9, 9.0, 0.6)]
    found = {(one.price, one.to): one.arm for one in changes(arms, PRICES)}
    assert found == {("success_usd", 8.4): "opus", ("hour_usd", 4.2): "opus"}
    assert [one.price for one in changes(arms, PRICES)] == ["success_usd", "hour_usd"]


def test_nothing_to_say() -> None:
    better = considered("better", 0.9, 1.0, 0.1)
    assert changes([better], PRICES) == []
    assert changes([better, considered("ruled out", 1.0, 0.1, 0.01, removed_by="tiers")], PRICES) == []
    assert all(isinstance(one, Change) for one in changes([better, considered("dearer", 0.8, 2.0, 0.2)], PRICES))


@pytest.mark.parametrize("objective", ["balanced", "fast", "cheap", "best"])
@given(arms=ARMS)
def test_the_prices_come_out_of_what_was_written_down(objective: Objective, arms: list[Considered]) -> None:
    """Whichever objective the request had: the values that come back are those that were stored."""
    config = ObjectiveConfig(emphasis=3.0)
    mine = worth(config, objective)
    arms = [
        considered(
            one.arm,
            one.expected.success.mean,
            one.expected.wall_time_ms.mean / 60_000.0,
            one.expected.cost_usd.mean,
            mine,
        )
        for one in arms
    ]
    found = prices_of(arms, config)
    assert found is not None
    assert all(value(one, found) == pytest.approx(one.utility, abs=1e-5) for one in arms)
    if len(arms) > 3:
        assert found == mine


def test_near_a_spending_cap_a_dollar_weighs_more() -> None:
    capped = Worth(success_usd=5.0, hour_usd=10.0, money=3.7)
    rows = ((0.7, 2.0, 0.1), (0.9, 8.0, 0.6), (0.6, 1.0, 0.3))
    found = prices_of([considered(str(row), *row, capped) for row in rows], ObjectiveConfig())
    assert found is not None
    assert found.money == pytest.approx(3.7)
    assert (found.success_usd, found.hour_usd) == (5.0, 10.0)


def test_values_that_no_objective_explains_are_left_alone() -> None:
    other = Worth(success_usd=17.0, hour_usd=3.0)
    rows = ((0.7, 2.0, 0.1), (0.9, 8.0, 0.6), (0.6, 1.0, 0.3))
    assert prices_of([considered(str(row), *row, other) for row in rows], ObjectiveConfig()) is None

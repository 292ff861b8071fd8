"""The audit: when there is one, and when it must say why not."""

import pytest

from routerd.audit import audit
from routerd.evaluation import Seen
from tests.test_evaluation import PRICES, seen


def drawn(n: int, *, followed: int | None = None) -> list[Seen]:
    """Every other decision drew `a`; all but the first few ran `a`, or what was drawn."""
    obeyed = n if followed is None else followed
    return [seen("ab"[i % 2], draw=i, dollars=3.0 - i % 2, followed=i < obeyed) for i in range(n)]


def test_hours_and_dollars_are_for_all_tasks() -> None:
    found = audit(drawn(40), drawn(40), "a", "b", tasks=100, prices=PRICES)
    assert found.decisions == 40
    assert found.saved_usd is not None
    assert found.saved_usd.figure is not None
    assert found.saved_usd.figure.mean == pytest.approx(100.0)
    assert found.saved_usd.ess_baseline == pytest.approx(20.0)


@pytest.mark.parametrize(("decisions", "told"), [(18, False), (20, True)])
def test_below_ten_effective_decisions_on_a_side_there_is_no_figure(decisions: int, told: bool) -> None:
    found = audit(drawn(decisions), drawn(decisions), "a", "b", tasks=1, prices=PRICES)
    assert found.saved_usd is not None
    assert (found.saved_usd.figure is not None) is told
    assert found.saved_usd.ess_candidate == pytest.approx(decisions / 2)


@pytest.mark.parametrize(("followed", "in_charge"), [(38, True), (37, False)])
def test_who_does_not_follow_leaves_no_fair_sample(followed: int, in_charge: bool) -> None:
    """95 % of 40 decisions are 38."""
    decisions = drawn(40, followed=followed)
    found = audit(decisions, decisions, "a", "b", tasks=1, prices=PRICES)
    assert (found.reason is None) is in_charge
    if not in_charge:
        assert found.decisions == 0
        assert "37 of 40" in (found.reason or "")


def test_no_decision_and_no_chance_are_said_to_be_the_reason() -> None:
    assert audit([], [], "a", "b", tasks=1, prices=PRICES).reason == "routerd decided none of these"
    certain = [seen("a", p=1.0)]
    assert "to chance" in (audit(certain, certain, "a", "b", tasks=1, prices=PRICES).reason or "")


def test_things_as_they_went_against_one_arm_always() -> None:
    """Half ran on b, a dollar cheaper: half a dollar a task."""
    found = audit(drawn(40), drawn(40), "a", None, tasks=40, prices=PRICES)
    assert found.saved_usd is not None
    assert found.saved_usd.figure is not None
    assert found.saved_usd.figure.mean == pytest.approx(20.0)
    assert found.saved_usd.ess_candidate == pytest.approx(40.0)

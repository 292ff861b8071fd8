"""The methods of the contract are all there, and a decision is shown as it promises."""

from typing import get_args

import msgspec

from routerd.events import Considered, Decision, Dispatch, Estimate, Expected, Gate, Policy, arm_id
from routerd.rpc.messages import METHODS, HelloResult, Params, recommended

ONE = Estimate(0.5, 0.25, 0.75, 4.0)
EXPECTED = Expected(ONE, ONE, ONE)


def considered(model: str, utility: float, removed_by: str | None = None) -> Considered:
    dispatch = Dispatch(executor="delegate", model=model)
    return Considered(
        arm=arm_id(dispatch), dispatch=dispatch, expected=EXPECTED, utility=utility, removed_by=removed_by
    )


def decision(top: int, warnings: tuple[str, ...] = ()) -> Decision:
    arms = (
        considered("a", 0.1),
        considered("b", 0.3),
        considered("c", 0.9, removed_by="max_cost_usd"),
        considered("d", 0.2),
        considered("e", 0.3),
    )
    return Decision(
        decision_id="d_1",
        at=1.0,
        scope="default",
        features={},
        arm=arms[1].arm,
        dispatch=arms[1].dispatch,
        propensity=0.5,
        explored=False,
        basis="learned",
        expected=EXPECTED,
        utility=0.3,
        considered=arms,
        top=top,
        gate=Gate(True, "no worse"),
        reason="why",
        policy=Policy("off", "1"),
        warnings=warnings,
    )


def test_every_method_of_the_contract_has_its_params() -> None:
    contract = "hello recommend recommend_batch report feedback explain arms models resolve status subscribe reload"
    assert set(METHODS) == {*contract.split(), "import"}
    assert set(METHODS.values()) == set(get_args(Params))


def test_a_decision_is_answered_with_the_members_of_the_contract() -> None:
    shown = msgspec.to_builtins(recommended(decision(2)))
    contract = "decision_id arm dispatch propensity explored basis expected utility alternatives gate reason policy"
    assert set(shown) == set(contract.split())
    assert shown["dispatch"] == {"executor": "delegate", "model": "b"}
    assert shown["expected"]["success"] == {"mean": 0.5, "low": 0.25, "high": 0.75, "n": 4.0}
    assert shown["gate"] == {"apply": True, "reason": "no worse"}
    assert set(shown["alternatives"][0]) == {"arm", "dispatch", "p_best", "utility", "expected"}


def test_alternatives_are_the_best_others_that_were_not_removed() -> None:
    def alternatives(top: int) -> list[str]:
        return [one.dispatch.model or "" for one in recommended(decision(top)).alternatives]

    assert alternatives(2) == ["e", "d"]
    assert alternatives(9) == ["e", "d", "a"]
    assert alternatives(0) == []


def test_warnings_are_shown_where_there_are_any() -> None:
    assert msgspec.to_builtins(recommended(decision(1, ("outside the pool",))))["warnings"] == ("outside the pool",)


def test_hello_tells_the_protocol() -> None:
    shown = msgspec.to_builtins(HelloResult(version="1", pid=2, started_at=3.0))
    assert shown == {"name": "routerd", "version": "1", "protocol": 1, "pid": 2, "started_at": 3.0}

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routerd.events import LOCAL, Dispatch, Ref, arm_dispatch, arm_id, ref_keys

PART = st.none() | st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
DISPATCHES = st.builds(
    Dispatch,
    executor=st.just("delegate"),
    agent=PART,
    profile=PART,
    provider=PART,
    model=PART,
    reasoning_effort=PART,
    role=st.sampled_from([None, "leaf", "orchestrator"]),
)


@given(DISPATCHES)
def test_an_arm_id_gives_its_dispatch_back(dispatch: Dispatch) -> None:
    assert arm_dispatch(arm_id(dispatch)) == dispatch


@given(DISPATCHES, DISPATCHES)
def test_two_dispatches_never_share_an_arm_id(a: Dispatch, b: Dispatch) -> None:
    assert (arm_id(a) == arm_id(b)) == (a == b)


def test_local_is_one_arm_whatever_it_runs_on() -> None:
    assert arm_id(Dispatch(executor="local", provider="anthropic", model="claude-opus-4-5")) == "local"
    assert arm_dispatch("local") == LOCAL


@pytest.mark.parametrize(
    ("dispatch", "arm"),
    [
        (Dispatch(executor="delegate", model="glm-4.7"), "delegate:glm-4.7"),
        (
            Dispatch(executor="delegate", provider="anthropic", model="claude-opus-4-5", reasoning_effort="high"),
            "delegate:anthropic:claude-opus-4-5@high",
        ),
        (
            Dispatch(executor="delegate", provider="openrouter", model="z-ai/glm-4.7:free", role="leaf"),
            "delegate:openrouter:z-ai%2Fglm-4.7%3Afree#leaf",
        ),
        (Dispatch(executor="delegate", profile="fast-worker"), "delegate:/fast-worker/"),
        (Dispatch(executor="delegate", agent="codex", model="gpt-6-sol"), "delegate:codex/gpt-6-sol"),
        (Dispatch(executor="delegate", provider="ollama"), "delegate:ollama:"),
    ],
)
def test_the_spelling_of_an_arm_is_fixed(dispatch: Dispatch, arm: str) -> None:
    assert arm_id(dispatch) == arm
    assert arm_dispatch(arm) == dispatch


@pytest.mark.parametrize("arm", ["", "remote", "delegate", "opus", "delegate:a/b/c/d", "delegate:m#boss"])
def test_what_is_no_arm_id_is_refused(arm: str) -> None:
    with pytest.raises(ValueError, match="no arm id"):
        arm_dispatch(arm)


def test_a_ref_names_the_unit_in_every_way_it_can() -> None:
    ref = Ref(agent="hermes", tool_use_id="call_1", delegation_id="deleg_1", child_id="c1", task_index=1)
    assert ref_keys(ref) == ("hermes:tool:call_1#1", "hermes:delegation:deleg_1#1", "hermes:child:c1")
    assert ref_keys(Ref(agent="claude-code", session_id="s", child_id="a1")) == ("claude-code:child:s/a1",)
    assert ref_keys(Ref(agent="codex")) == ()

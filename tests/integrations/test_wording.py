"""Names of dispatches in texts for a model: read back as they were written, and without the colon of an arm id."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routerd.errors import InvalidParams
from routerd.events import LOCAL, Dispatch, arm_id
from routerd.integrations.wording import dispatch_named, named, named_arm, without_arm_ids

words = st.none() | st.from_regex(r"[a-z][a-z0-9.]{0,6}(-[a-z0-9]{1,5}){0,2}", fullmatch=True)
dispatches = st.just(LOCAL) | st.builds(
    Dispatch,
    executor=st.just("delegate"),
    agent=words,
    profile=words,
    provider=words,
    model=words.filter(lambda model: model != "local"),
    reasoning_effort=words,
    role=st.sampled_from([None, "leaf", "orchestrator"]),
)


@given(dispatches)
def test_a_name_is_read_back(dispatch: Dispatch) -> None:
    assert dispatch_named(named(dispatch), "who") == dispatch
    assert named_arm(arm_id(dispatch)) == named(dispatch)
    assert dispatch_named(arm_id(dispatch), "who") == dispatch


@pytest.mark.parametrize(
    ("text", "dispatch"),
    [
        (" Local ", LOCAL),
        ("opus", Dispatch(executor="delegate", model="opus")),
        ("glm-4.7:free", Dispatch(executor="delegate", model="glm-4.7:free")),
        ("glm-4.7 --provider=zai", Dispatch(executor="delegate", model="glm-4.7", provider="zai")),
        ("o3 (effort high)", Dispatch(executor="delegate", model="o3", reasoning_effort="high")),
    ],
)
def test_spellings(text: str, dispatch: Dispatch) -> None:
    assert dispatch_named(text, "who") == dispatch


@pytest.mark.parametrize("text", ["", "--provider", "opus --fast", "x" * 300, "delegate:a/b/c/d", "opus (role boss)"])
def test_what_names_nobody_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(InvalidParams, match=r"^who: ") as caught:
        dispatch_named(text, "who")
    assert caught.value.data is not None
    assert caught.value.data["path"] == "who"


def test_sentences_of_the_daemon_lose_their_arm_ids_and_nothing_else() -> None:
    said = "best, by $0.3; delegate:zai:glm-4.7: success 0.66 (0.00-1.00, n=0), 38 s; next delegate:a/r/x:m@high#leaf."
    assert without_arm_ids(said) == (
        "best, by $0.3; glm-4.7 --provider zai: success 0.66 (0.00-1.00, n=0), 38 s; "
        "next m --provider x (effort high) (profile r) (agent a) (role leaf)."
    )
    assert without_arm_ids("nothing against local") == "nothing against local"

"""What holds for any text."""

from collections.abc import Callable
from functools import partial
from typing import TypeVar

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from routerd.catalog import Call, Catalog, ResolveParams
from routerd.catalog.names import MEMO_MAX
from routerd.catalog.registry import load
from routerd.errors import RequestError
from routerd.events import Constraints, Dispatch, Parent, Recommend, Task, Tokens, arm_dispatch, arm_id
from tests.catalog.conftest import make_catalog

T = TypeVar("T")

CATALOG = make_catalog()
POOLED = make_catalog('[pool]\nmodels = ["haiku", {model = "glm-4.7", provider = "zai"}]\non_outside = "fallback"\n')
IDS = [model.id for model in load().models]

pieces = st.sampled_from(
    [*IDS, "opus", "anthropic", "openrouter", "/", ":", "-", "@", "20250929", "latest", "free", "v1:0", "us.",
     "arn:aws:bedrock:", "--provider", "--global", " ", "70b", "high", "thinking", "[1m]", "~", "models/", "=", "0613",
     "."]
)  # fmt: skip
FORMS = (
    "{}", "{}-20250929", "{}@20250929", "{}-2025-09-29", "{}-latest", "~{}", "openrouter/x/{}", "us.anthropic.{}-v1:0",
    "models/{}", "{}[1m]",
)  # fmt: skip
texts = st.one_of(st.text(max_size=80), st.lists(pieces, max_size=6).map("".join))
maybe = st.one_of(st.none(), texts)


@st.composite
def dispatches(draw: st.DrawFn) -> Dispatch:
    return Dispatch(
        executor=draw(st.sampled_from(["local", "delegate"])),
        provider=draw(maybe),
        model=draw(maybe),
        reasoning_effort=draw(maybe),
        role=draw(st.sampled_from([None, "leaf", "orchestrator"])),
    )


def outcome(call: Callable[[], T]) -> T | None:
    """What a call gives, or None where it says in one line what is wrong."""
    try:
        return call()
    except RequestError as error:
        said = error.message
    assert len(said) < 2000
    assert "\n" not in said
    return None


@given(dispatches())
def test_canonical_never_fails_and_is_settled(dispatch: Dispatch) -> None:
    """Once canonical, a dispatch stays as it is; and its arm id says what it is."""
    is_ = CATALOG.canonical(dispatch)
    assert CATALOG.canonical(is_) == is_
    assert arm_dispatch(arm_id(is_)).role == (is_.role if is_.executor == "delegate" else None)
    attributes = CATALOG.attributes(dispatch)
    assert attributes.capability is None or 0.0 <= attributes.capability <= 1.0
    assert attributes.capability_se > 0.0
    CATALOG.tiers(dispatch)
    CATALOG.in_pool(dispatch)


@given(st.sampled_from(IDS), st.sampled_from(FORMS))
def test_what_services_put_around_a_name_makes_no_other_model(id_: str, form: str) -> None:
    assert CATALOG.canonical(Dispatch(executor="delegate", model=form.format(id_))).model == id_


@given(maybe, maybe, maybe, maybe, maybe)
def test_resolution_answers_or_says_why_not(
    model: str | None, provider: str | None, effort: str | None, parent: str | None, call: str | None
) -> None:
    params = ResolveParams(
        model=model, provider=provider, reasoning_effort=effort, parent=Parent(model=parent), call=Call(model=call)
    )
    for catalog in (CATALOG, POOLED):
        answer = outcome(partial(catalog.resolve, params))
        if answer is not None:
            msgspec.json.encode(answer)
            assert catalog.in_pool(answer.dispatch)


@given(st.lists(dispatches(), min_size=1, max_size=3), st.lists(texts, max_size=2))
def test_a_question_passes_or_is_told_what_is_wrong(candidates: list[Dispatch], tiers: list[str]) -> None:
    request = Recommend(task=Task(goal="x"), candidates=[*candidates], constraints=Constraints(tiers=tiers))
    outcome(partial(CATALOG.check_request, request))
    for dispatch in candidates:
        reached = CATALOG.reached(dispatch, None, 0)
        assert reached is None or reached.dispatch.role == dispatch.role


@given(st.text(min_size=1, max_size=20))
def test_ten_kilobytes_are_refused(text: str) -> None:
    long = (text * 10_240)[:10_240]
    with pytest.raises(RequestError) as refused:
        CATALOG.resolve(ResolveParams(model=long))
    assert len(refused.value.message) < 200
    dispatch = Dispatch(executor="delegate", model=long)
    assert CATALOG.canonical(dispatch) == dispatch
    assert CATALOG.price(None, long, Tokens(input=1), None) is None


def test_memories_are_bounded() -> None:
    catalog: Catalog = make_catalog()
    for i in range(2 * MEMO_MAX):
        catalog.canonical(Dispatch(executor="delegate", model=f"acme-{i}"))
    assert catalog.canonical.cache_info().currsize <= MEMO_MAX

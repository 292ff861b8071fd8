"""What holds for any text."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from routerd.catalog import Catalog, Resolved, ResolveParams
from routerd.catalog.names import MEMO_MAX
from routerd.catalog.registry import load
from routerd.errors import RequestError
from routerd.events import Dispatch, Parent, Tokens, arm_dispatch, arm_id
from tests.catalog.conftest import make_catalog

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
    params = ResolveParams(model=model, provider=provider, reasoning_effort=effort, parent=Parent(model=parent))
    for catalog in (CATALOG, POOLED):
        (answer,) = catalog.resolve_batch([params], ResolveParams(model=call))
        if isinstance(answer, Resolved):
            msgspec.json.encode(answer)
            assert catalog.in_pool(answer.dispatch)
        else:
            assert isinstance(answer, RequestError)
            assert len(answer.message) < 2000
            assert "\n" not in answer.message


@given(st.text(min_size=1, max_size=20))
def test_ten_kilobytes_are_refused(text: str) -> None:
    long = (text * 10_240)[:10_240]
    (answer,) = CATALOG.resolve_batch([ResolveParams(model=long)])
    assert isinstance(answer, RequestError)
    assert len(answer.message) < 200
    dispatch = Dispatch(executor="delegate", model=long)
    assert CATALOG.canonical(dispatch) == dispatch
    assert CATALOG.price(None, long, Tokens(input=1), None) is None


def test_memories_are_bounded() -> None:
    catalog: Catalog = make_catalog()
    for i in range(2 * MEMO_MAX):
        catalog.canonical(Dispatch(executor="delegate", model=f"acme-{i}"))
    assert catalog.canonical.cache_info().currsize <= MEMO_MAX

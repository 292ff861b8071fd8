"""Pool, tiers, aliases, escalation, and the texts that agents read."""

import inspect

import msgspec
import pytest

from routerd.catalog import Catalog, ResolveParams, text
from routerd.errors import InvalidParams, NoArmLeft, UnknownModel
from routerd.events import LOCAL, Dispatch, Parent, arm_id
from tests.catalog.conftest import Make

SETUP = """
[catalog.tiers]
small = "haiku"
medium = "sonnet"
large = "opus"
[catalog.aliases]
coder = "glm-4.7 --provider zai"
[pool]
models = [
  "haiku",
  {model = "sonnet", strengths = ["refactor"], max_cost_usd = 0.5, max_wall_time_ms = 600000},
  {model = "opus", strengths = ["debug", "design"]},
  {model = "glm-4.7", provider = "zai"},
  {agent = "codex", profile = "deep"},
]
"""


def delegate(model: str, **parts: str) -> Dispatch:
    return msgspec.convert({"executor": "delegate", "model": model, **parts}, Dispatch)


def test_membership(make: Make) -> None:
    catalog = make(SETUP)
    for inside in (
        delegate("haiku"),
        delegate("claude-haiku-5-5", provider="openrouter", reasoning_effort="high"),
        delegate("us.anthropic.claude-haiku-5-5-20261007-v1:0"),
        delegate("z-ai/glm-4.7"),
        delegate("coder"),
        Dispatch(executor="delegate", agent="codex", profile="deep"),
        LOCAL,
    ):
        assert catalog.in_pool(inside), inside
    for outside in (
        delegate("glm-4.7", provider="openrouter"),
        delegate("glm-4.7:free"),
        delegate("gpt-5"),
        delegate("claude-haiku-4-5"),
        Dispatch(executor="delegate"),
        Dispatch(executor="delegate", agent="codex"),
    ):
        assert not catalog.in_pool(outside), outside


def test_without_a_pool_everything_is_allowed(catalog: Catalog) -> None:
    assert catalog.in_pool(delegate("acme-one"))
    assert catalog.in_pool(Dispatch(executor="delegate"))
    assert catalog.pool_dispatches() == []


def test_the_pool_as_dispatches(make: Make) -> None:
    assert [arm_id(dispatch) for dispatch in make(SETUP).pool_dispatches()] == [
        "delegate:anthropic:claude-haiku-5-5",
        "delegate:anthropic:claude-sonnet-5-5",
        "delegate:anthropic:claude-opus-5-5",
        "delegate:zai:glm-4.7",
        "delegate:codex/deep/",
    ]


def test_strengths_and_limits(make: Make) -> None:
    catalog = make(SETUP)
    assert catalog.attributes(delegate("opus")).strengths == ("debug", "design")
    assert catalog.attributes(delegate("haiku")).strengths == ()
    assert catalog.limits(delegate("sonnet")).max_cost_usd == 0.5
    assert catalog.limits(delegate("sonnet")).max_wall_time_ms == 600_000
    assert catalog.limits(delegate("opus")).max_cost_usd is None


def test_a_missing_credential_is_named(make: Make) -> None:
    """Only a variable that the configuration names is demanded: agents sign in by themselves, too."""
    text = SETUP + '[providers.zai]\ncredential_env = "MY_GLM_KEY"\n'
    catalog = make(text)
    assert catalog.missing_credential(delegate("glm-4.7")) == "credential: MY_GLM_KEY is not set"
    assert catalog.missing_credential(delegate("z-ai/glm-4.7", reasoning_effort="high")) is not None
    assert catalog.missing_credential(delegate("opus")) is None
    assert catalog.missing_credential(delegate("glm-4.7", provider="novita")) is None
    assert catalog.missing_credential(Dispatch(executor="local", provider="zai", model="glm-4.7")) is None
    assert make(text, {"MY_GLM_KEY": "x"}).missing_credential(delegate("glm-4.7")) is None
    assert make(text, {"MY_GLM_KEY": ""}).missing_credential(delegate("glm-4.7")) is not None


def test_limits_of_the_pool(make: Make) -> None:
    catalog = make(SETUP)
    sonnet, opus = delegate("sonnet"), delegate("opus")
    assert catalog.over_limit(sonnet, cost_usd=0.5, wall_time_ms=600_000.0) is None
    assert catalog.over_limit(sonnet, cost_usd=0.51, wall_time_ms=1.0) == "pool limit: max_cost_usd 0.5"
    assert catalog.over_limit(sonnet, cost_usd=0.1, wall_time_ms=6e5 + 1) == "pool limit: max_wall_time_ms 600000"
    assert catalog.over_limit(opus, cost_usd=1e9, wall_time_ms=1e12) is None
    assert catalog.over_limit(LOCAL, cost_usd=1e9, wall_time_ms=1e12) is None


def test_strengths_are_spelled_as_features_spell_kinds(make: Make) -> None:
    from routerd.events import Task  # noqa: PLC0415
    from routerd.features import extract  # noqa: PLC0415

    catalog = make('[pool]\nmodels = [{model = "opus", strengths = [" Debug ", "STRASSE"]}, "haiku"]\n')
    kind = str(extract(Task(goal="x", kind="Straße"))["task_kind"])
    assert catalog.attributes(delegate("opus")).strengths == ("debug", kind)
    assert catalog.is_strong(delegate("opus"), kind)
    assert catalog.is_strong(delegate("claude-opus-5-5", reasoning_effort="max"), "debug")
    assert not catalog.is_strong(delegate("opus"), "review")
    assert not catalog.is_strong(delegate("opus"), None)
    assert not catalog.is_strong(delegate("haiku"), "debug")


# --- tiers and aliases ------------------------------------------------------------------------------------------------


def test_a_tier_is_a_model(make: Make) -> None:
    catalog = make(SETUP)
    assert catalog.resolve(ResolveParams(model="large")).dispatch.model == "claude-opus-5-5"
    assert catalog.canonical(delegate("small")) == catalog.canonical(delegate("haiku"))
    assert catalog.tiers(delegate("claude-opus-5-5", provider="bedrock")) == {"large", "frontier"}
    assert catalog.tiers(delegate("gpt-4o")) == {"advanced"}
    assert catalog.tier(delegate("opus")) == "frontier"
    assert catalog.tier(delegate("acme-one")) is None
    assert catalog.tiers(delegate("acme-one")) == frozenset()


def test_the_tiers_of_what_the_agent_itself_runs_on(make: Make) -> None:
    catalog = make(SETUP)
    assert catalog.tiers_of_parent(Parent(model="claude-opus-5-5")) == {"large", "frontier"}
    assert catalog.tiers_of_parent(Parent(provider="bedrock", model="opus", tier="huge")) == {
        "large", "frontier", "huge",
    }  # fmt: skip
    assert catalog.tiers_of_parent(Parent(tier="light")) == {"light"}
    assert catalog.tiers_of_parent(Parent()) == catalog.tiers_of_parent(None) == frozenset()


def test_an_alias_of_the_users_stands_before_a_built_in_one(make: Make) -> None:
    catalog = make('[catalog.aliases]\nopus = "claude-opus-4-5"\nBoss = "opus"\n')
    assert catalog.canonical(delegate("opus")).model == "claude-opus-4-5"
    assert catalog.canonical(delegate("boss")).model == "claude-opus-4-5"
    (old,) = [info for info in catalog.models() if info.id == "claude-opus-4-5"]
    assert old.aliases == ["opus", "Boss"]
    (new,) = [info for info in catalog.models() if info.id == "claude-opus-5-5"]
    assert new.aliases == []


def test_an_alias_with_a_provider(make: Make) -> None:
    catalog = make('[catalog.aliases]\nopus = "opus --provider openrouter"\n')
    assert arm_id(catalog.canonical(delegate("opus"))) == "delegate:openrouter:claude-opus-5-5"
    assert arm_id(catalog.canonical(delegate("opus", provider="bedrock"))) == "delegate:bedrock:claude-opus-5-5"
    assert catalog.resolve(ResolveParams(model="opus")).dispatch.model == "anthropic/claude-opus-5.5"


def test_aliases_in_a_circle_stand_for_themselves(make: Make) -> None:
    catalog = make('[catalog.aliases]\na = "b"\nb = "a"\n')
    assert catalog.canonical(delegate("a")).model == "a"


# --- the list ---------------------------------------------------------------------------------------------------------


def test_the_list_is_ranked_and_filtered(make: Make) -> None:
    catalog = make(SETUP)
    infos = catalog.models()
    scores = [info.capability.fit or info.capability.score for info in infos if info.capability]
    assert scores == sorted(scores, reverse=True)
    assert {info.id for info in infos if info.in_pool} == {
        "claude-haiku-5-5", "claude-sonnet-5-5", "claude-opus-5-5", "glm-4.7",
    }  # fmt: skip
    assert [info.id for info in catalog.models(tier="large")] == ["claude-opus-5-5"]
    assert all(info.tier == "mid" for info in catalog.models(tier="mid"))
    assert catalog.models(tier="mid")
    assert {info.provider for info in catalog.models(provider="xai")} == {"x-ai"}
    assert "glm-4.7" in {info.id for info in catalog.models(provider="openrouter")}
    assert {info.id for info in catalog.models(tier="mid", provider="google")} < {
        info.id for info in catalog.models(tier="mid")
    }


def test_a_list_of_what_does_not_exist_is_an_error(make: Make) -> None:
    catalog = make(SETUP)
    with pytest.raises(InvalidParams, match="no such tier 'forntier'; known are small, medium, large, frontier") as bad:
        catalog.models(tier="forntier")
    assert bad.value.data is not None
    assert bad.value.data["path"] == "tier"
    with pytest.raises(UnknownModel, match="no such provider 'opnrouter'; did you mean 'openrouter'"):
        catalog.models(provider="opnrouter")


def test_models_that_the_user_lists_at_a_provider_are_in_the_list(make: Make) -> None:
    catalog = make('[providers.lab]\nbase_url = "http://x"\nmodels = ["lab-70b", "glm-4.7"]\n')
    assert [(info.id, info.provider) for info in catalog.models(provider="lab")] == [
        ("glm-4.7", "lab"),
        ("lab-70b", "lab"),
    ]
    assert ("glm-4.7", "zai") in [(info.id, info.provider) for info in catalog.models()]


def test_a_model_of_the_pool_that_the_registry_does_not_list_is_in_the_list(make: Make) -> None:
    catalog = make(
        '[pool]\nmodels = [{model = "acme-70b", provider = "vllm"}, {model = "opus", provider = "openrouter"}]\n'
    )
    inside = [(info.id, info.provider) for info in catalog.models() if info.in_pool]
    assert inside == [("claude-opus-5-5", "openrouter"), ("acme-70b", "vllm")]
    assert "- acme-70b --provider vllm" in catalog.prompt()


def test_the_wire_form(catalog: Catalog) -> None:
    (info,) = [info for info in catalog.models() if info.id == "gpt-4o"]
    wire = msgspec.json.decode(msgspec.json.encode(info))
    assert wire["tier"] == "advanced"
    assert wire["capability"]["path"] == "weighted"
    assert wire["capability"].keys() >= {"score", "path", "source", "se"}
    assert wire["price"].keys() >= {"input", "output"}
    assert wire["context_length"] == 128_000
    assert wire.keys() >= {"id", "provider", "aliases", "strengths", "in_pool"}


# --- texts for agents -------------------------------------------------------------------------------------------------


def test_every_text_for_a_model_shows_the_three_spellings_and_warns_against_the_colon(make: Make) -> None:
    constants = [value for name, value in inspect.getmembers(text) if name.isupper() and isinstance(value, str)]
    assert len(constants) >= 2
    catalogs = [make(config) for config in ("", SETUP, '[pool]\nmodels = [{agent = "codex"}]\n')]
    made = [shown for catalog in catalogs for shown in (catalog.prompt(), catalog.schema())]
    for shown in (*constants, *made, text.tool("Recommends.")):
        assert "an alias (" in shown
        assert "its id (" in shown
        assert " --provider " in shown
        assert "Never write provider:model (not " in shown
        assert "a colon belongs to a model's variant" in shown


def test_the_spellings_shown_are_true(make: Make) -> None:
    """What the text holds up as right resolves, inside the pool; what it warns against does not."""
    catalog = make(SETUP)
    for shown in (catalog.prompt(), catalog.schema()):
        example, alias, full, wrong = (
            shown.split(f"{before} (")[1].split(")")[0]
            for before in ("its id", "an alias", "one provider", "provider:model")
        )
        for right in (example, alias, full):
            assert catalog.in_pool(catalog.resolve(ResolveParams(model=right)).dispatch)
        with pytest.raises(UnknownModel, match="colon belongs"):
            catalog.resolve(ResolveParams(model=wrong.removeprefix("not ")))


def test_the_schema_text_holds_the_pool(make: Make) -> None:
    closed = make(SETUP).schema()
    assert "Allowed, the ablest first: claude-opus-5-5 (good at debug, design), claude-" in closed
    assert "glm-4.7" in closed
    assert "gpt-" not in closed
    assert make(SETUP).schema() == closed
    without = make().schema()
    assert "Known, the ablest first: " in without
    assert ", and more. " in without
    assert len(without) < 1200


def test_the_prompt_is_the_same_every_time(make: Make) -> None:
    first = make(SETUP).prompt()
    assert make(SETUP, {"ANTHROPIC_API_KEY": "x"}).prompt() == first
    assert first.encode() == make(SETUP).prompt().encode()
    assert first.index("claude-opus-5-5") < first.index("claude-haiku-5-5")
    assert "good at debug, design" in first
    assert "gpt-5" not in first


def test_without_a_pool_the_prompt_shows_the_newest_of_each_family(catalog: Catalog) -> None:
    shown = catalog.prompt()
    assert "- claude-opus-5-5 " in shown
    assert "- claude-opus-4-5" not in shown
    assert len(shown) < 8000


# --- escalation -------------------------------------------------------------------------------------------------------


def test_one_tier_up_for_each_failed_attempt(make: Make) -> None:
    catalog = make(SETUP)
    small, medium, large = delegate("small"), delegate("medium"), delegate("large")
    assert catalog.escalation([small], medium) is None
    assert catalog.escalation([small, medium], large) is None
    assert catalog.escalation([medium], large) is None
    assert catalog.escalation([large], small) is None
    assert catalog.escalation([small], small) is None
    too_far = "2 tiers above the last failed attempt; one step for each is allowed"
    assert catalog.escalation([small], large) == too_far
    assert catalog.escalation([small, small], large) == too_far
    assert catalog.escalation([medium, small], large) == too_far
    assert catalog.escalation([], large) is None


def test_what_is_in_no_tier_of_the_users_stands_where_its_score_puts_it(make: Make) -> None:
    catalog = make('[catalog.tiers]\nsmall = "gpt-4"\nmedium = "gpt-4o"\nlarge = "gpt-5"\n')
    small, large = delegate("small"), delegate("large")
    gemma, mini = delegate("gemma-2-9b"), delegate("gpt-4.1")  # below gpt-4; between gpt-4o and gpt-5
    assert catalog.escalation([gemma], small) is None
    assert catalog.escalation([gemma], large) is not None
    assert catalog.escalation([small], mini) is None
    assert catalog.escalation([mini], large) is None
    assert catalog.escalation([small], delegate("acme-one")) == "its tier is not known"
    assert catalog.escalation([delegate("acme-one")], delegate("acme-one")) is None


def test_escalation_stays_within_pool_and_budget(make: Make) -> None:
    catalog = make(SETUP)
    small, medium = delegate("small"), delegate("medium")
    assert catalog.escalation([small], delegate("gpt-5")) == "outside the pool"
    assert catalog.escalation([small], medium, cost_usd=0.4, budget_usd=0.5) is None
    assert catalog.escalation([small], medium, cost_usd=0.6, budget_usd=0.5) == (
        "over the budget: its cost is $0.60, $0.50 are left"
    )
    assert "its cost is unknown" in (catalog.escalation([small], medium, budget_usd=0.5) or "")


def test_without_own_tiers_the_four_count(catalog: Catalog) -> None:
    light, mid, frontier = delegate("gemma-2-9b"), delegate("gpt-4"), delegate("opus")
    assert catalog.escalation([light], mid) is None
    assert catalog.escalation([light], frontier) is not None
    assert catalog.escalation([light], delegate("acme-one")) == "its tier is not known"


def test_a_client_asks_the_guard_by_naming_its_failed_attempts(make: Make) -> None:
    catalog = make(SETUP)
    assert catalog.resolve(ResolveParams(model="medium", failed=["small"])).dispatch.model == "claude-sonnet-5-5"
    for tried in ("small", "delegate:anthropic:claude-haiku-5-5", delegate("haiku", reasoning_effort="low"), "local"):
        with pytest.raises(NoArmLeft) as refused:
            catalog.resolve(ResolveParams(model="large", failed=[tried], parent=Parent(model="haiku")))
        assert refused.value.data == {
            "delegate:anthropic:claude-opus-5-5": (
                "escalation: 2 tiers above the last failed attempt; one step for each is allowed"
            )
        }
    with pytest.raises(NoArmLeft, match="over the budget"):
        catalog.resolve(ResolveParams(model="medium", failed=["small"], cost_usd=2.0, budget_usd=1.0))
    with pytest.raises(InvalidParams, match=r"^failed\[1\]: .* is no arm id"):
        catalog.resolve(ResolveParams(model="medium", failed=["small", "delegate:a/b/c/d"]))


# --- the one spelling -------------------------------------------------------------------------------------------------


def test_providers_and_efforts_have_one_spelling_too(catalog: Catalog) -> None:
    for provider in ("z-ai", "Z_AI", "zhipu", "zai"):
        assert catalog.canonical(delegate("glm-4.7", provider=provider)).provider == "zai"
    assert catalog.canonical(delegate("opus", reasoning_effort="X-High")).reasoning_effort == "xhigh"
    assert catalog.canonical(delegate("opus", reasoning_effort="Adaptive")).reasoning_effort == "adaptive"
    assert catalog.canonical(delegate("gpt-5-low", reasoning_effort="high")).reasoning_effort == "high"


def test_a_log_without_a_provider_and_a_client_that_names_it_meet(catalog: Catalog) -> None:
    log = delegate("claude-sonnet-4-5-20250929")
    client = delegate("claude-sonnet-4.5", provider="anthropic")
    assert arm_id(catalog.canonical(log)) == arm_id(catalog.canonical(client))


def test_agents_profiles_and_roles_stay(catalog: Catalog) -> None:
    dispatch = Dispatch(executor="delegate", agent="Hermes", profile="Deep", model="opus", role="leaf")
    is_ = catalog.canonical(dispatch)
    assert (is_.agent, is_.profile, is_.role) == ("Hermes", "Deep", "leaf")


def test_a_log_that_writes_provider_and_model_with_a_colon_is_understood(catalog: Catalog) -> None:
    """Requests are refused, records are not: what ran has run."""
    for logged in ("anthropic:claude-opus-5", "claude:claude-opus-5", "Anthropic:claude-opus-5-20260701"):
        assert arm_id(catalog.canonical(delegate(logged))) == "delegate:anthropic:claude-opus-5"
    assert arm_id(catalog.canonical(delegate("openrouter:z-ai/glm-4.7"))) == "delegate:openrouter:glm-4.7"
    assert arm_id(catalog.canonical(delegate("anthropic:claude-opus-5", provider="bedrock"))) == (
        "delegate:bedrock:claude-opus-5"
    )


def test_local_is_one_arm_whatever_it_runs_on(catalog: Catalog) -> None:
    parent = Parent(provider="anthropic", model="opus")
    local = Dispatch(executor="local", provider=parent.provider, model=parent.model)
    assert arm_id(catalog.canonical(local)) == "local"
    assert catalog.attributes(local).executor == "local"
    assert catalog.attributes(local).family == "claude-opus"

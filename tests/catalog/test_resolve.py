"""Who decides what a task runs on, and what is said along with it."""

import pytest

from routerd.catalog import Call, Catalog, Resolved, ResolveParams
from routerd.errors import InvalidParams, OutsidePool, UnknownModel
from routerd.events import Dispatch, Parent, arm_id
from tests.catalog.conftest import Make

PARENT = Parent(provider="openrouter", model="anthropic/claude-sonnet-4.5", reasoning_effort="medium")


def arm(catalog: Catalog, resolved: Resolved) -> str:
    return arm_id(catalog.canonical(resolved.dispatch)).removeprefix("delegate:")


# --- precedence -------------------------------------------------------------------------------------------------------


def test_the_task_decides_before_the_call_the_default_and_the_parent(make: Make) -> None:
    catalog = make('[delegation]\nmodel = "gpt-5.4"\nreasoning_effort = "low"\n')
    call = Call(model="glm-4.7", parent=PARENT)
    for task, expected, by in [
        (ResolveParams(model="opus", reasoning_effort="high", call=call), "openrouter:claude-opus-5-5@high", "task"),
        (ResolveParams(call=call), "openrouter:glm-4.7@low", "call"),
        (ResolveParams(call=Call(reasoning_effort="high")), "openai:gpt-5.4@high", "delegation"),
        (ResolveParams(parent=PARENT), "openrouter:gpt-5.4@low", "delegation"),
        (ResolveParams(), "openai:gpt-5.4@low", "delegation"),
    ]:
        resolved = catalog.resolve(task)
        assert (arm(catalog, resolved), resolved.resolved_by) == (expected, by)


def test_the_parent_comes_last(catalog: Catalog) -> None:
    resolved = catalog.resolve(ResolveParams(parent=PARENT))
    assert resolved.resolved_by == "parent"
    assert resolved.dispatch.model == "anthropic/claude-sonnet-4.5"
    assert resolved.dispatch.reasoning_effort == "medium"


def test_nothing_named_inherits(catalog: Catalog) -> None:
    resolved = catalog.resolve(ResolveParams())
    assert resolved.resolved_by == "inherit"
    assert resolved.dispatch == Dispatch(executor="delegate")
    assert any("no model is named" in warning for warning in resolved.warnings)


def test_a_model_goes_where_the_parent_runs_if_that_serves_it_else_to_its_vendor(catalog: Catalog) -> None:
    assert arm(catalog, catalog.resolve(ResolveParams(model="glm-4.7", parent=PARENT))) == "openrouter:glm-4.7@medium"
    direct = Parent(provider="anthropic", model="claude-opus-5")
    assert arm(catalog, catalog.resolve(ResolveParams(model="glm-4.7", parent=direct))) == "zai:glm-4.7"
    assert arm(catalog, catalog.resolve(ResolveParams(model="sonnet", parent=direct))) == "anthropic:claude-sonnet-5-5"


def test_a_configured_provider_that_lists_a_model_gets_it(make: Make) -> None:
    catalog = make('[providers.lab]\nbase_url = "http://127.0.0.1:9/v1"\nmodels = ["Lab-Model", "glm-4.7"]\n')
    resolved = catalog.resolve(ResolveParams(model="lab-model"))
    assert (resolved.dispatch.provider, resolved.dispatch.model) == ("lab", "lab-model")
    assert not any("registry" in warning for warning in resolved.warnings)
    assert catalog.resolve(ResolveParams(model="glm-4.7")).dispatch.provider == "lab"
    assert any("does not list" in w for w in catalog.resolve(ResolveParams(model="opus", provider="lab")).warnings)


# --- a provider without a model ---------------------------------------------------------------------------------------


def test_first_the_models_of_the_call(catalog: Catalog) -> None:
    resolved = catalog.resolve(ResolveParams(provider="openai", call=Call(model="gpt-5.4")))
    assert (resolved.resolved_by, resolved.dispatch.model) == ("call", "gpt-5.4")


def test_a_model_of_the_call_that_the_provider_does_not_serve_is_passed_over_aloud(catalog: Catalog) -> None:
    resolved = catalog.resolve(ResolveParams(provider="openai", call=Call(model="glm-4.7")))
    assert resolved.resolved_by == "runtime_default"
    assert any("'glm-4.7' is not served by openai" in warning for warning in resolved.warnings)


def test_then_the_configured_default(make: Make) -> None:
    catalog = make('[providers.openai]\ndefault_model = "gpt-6-luna"\n')
    resolved = catalog.resolve(ResolveParams(provider="openai", parent=PARENT))
    assert (resolved.resolved_by, resolved.dispatch.model) == ("default_model", "gpt-6-luna")


def test_then_the_providers_own(catalog: Catalog) -> None:
    resolved = catalog.resolve(ResolveParams(provider="zai", parent=PARENT))
    assert (resolved.resolved_by, arm(catalog, resolved)) == ("runtime_default", "zai:glm-5.3@low")


def test_then_the_parents_model_with_a_warning(catalog: Catalog) -> None:
    resolved = catalog.resolve(ResolveParams(provider="azure", parent=PARENT))
    assert resolved.resolved_by == "parent_model"
    assert any("azure has no default model: the parent's" in warning for warning in resolved.warnings)


def test_neither_a_default_nor_the_parents_model_runs_where_it_is_not_served(make: Make) -> None:
    """The four tiers look before they take: at what is known of the provider, and at the user's list of its models."""
    wrong = make('[providers.openai]\ndefault_model = "opus"\n')
    with pytest.raises(UnknownModel, match="openai does not serve 'opus'"):
        wrong.resolve(ResolveParams(provider="openai"))
    lab = make('[providers.lab]\nbase_url = "http://127.0.0.1:9/v1"\nmodels = ["lab-1"]\n')
    with pytest.raises(UnknownModel, match=r"providers\.lab\.models does not list the parent's"):
        lab.resolve(ResolveParams(provider="lab", parent=PARENT))
    passed_over = make('[providers.lab]\nbase_url = "http://x"\nmodels = ["lab-1"]\ndefault_model = "lab-1"\n')
    resolved = passed_over.resolve(ResolveParams(provider="lab", call=Call(model="opus")))
    assert (resolved.dispatch.model, resolved.resolved_by) == ("lab-1", "default_model")
    assert any("'opus' is not served by lab" in warning for warning in resolved.warnings)


def test_never_a_model_that_the_provider_does_not_serve(make: Make) -> None:
    """No default of its own, and the parent's model is another vendor's."""
    catalog = make()
    parent = Parent(provider="openai", model="gpt-5.4")
    with pytest.raises(UnknownModel, match="no default model"):
        catalog.resolve(ResolveParams(provider="azure"))
    with pytest.raises(UnknownModel, match="does not serve"):
        catalog.resolve(ResolveParams(model="gpt-5.4", provider="x-ai", parent=parent))
    with pytest.raises(UnknownModel, match="does not serve"):
        catalog.resolve(ResolveParams(model="claude-opus-9", provider="openai"))


# --- unlisted models --------------------------------------------------------------------------------------------------


def test_an_unlisted_model_passes_with_an_explicit_provider_and_a_warning(catalog: Catalog) -> None:
    resolved = catalog.resolve(ResolveParams(model="acme-one", provider="openrouter"))
    assert resolved.dispatch.model == "acme-one"
    assert any("'acme-one' is not in the registry" in warning for warning in resolved.warnings)


def test_without_one_it_is_an_error_with_suggestions(catalog: Catalog) -> None:
    with pytest.raises(UnknownModel) as caught:
        catalog.resolve(ResolveParams(model="claude-opus-45"))
    assert caught.value.code == -32003
    assert caught.value.data is not None
    assert "claude-opus-4-5" in caught.value.data["suggestions"]


# --- effort -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "asked", "taken"),
    [
        ("opus", "high", "high"),
        ("opus", "HIGH", "high"),
        ("opus", "x-high", "xhigh"),
        ("opus", "ultra", "max"),
        ("opus", "minimal", "low"),
        ("deepseek-v4-pro", "medium", "high"),
        ("deepseek-v4-pro", "low", "high"),
        ("deepseek-v4-pro", "none", "none"),
        ("kimi-k3", "medium", "low"),
        ("gpt-6.1-sol", "ultra", "ultra"),
        ("gpt-5", "max", "high"),
        ("gpt-4o", "none", "none"),
        ("acme-one --provider vllm", "ultra", "ultra"),
    ],
)
def test_effort_becomes_what_the_provider_takes(catalog: Catalog, model: str, asked: str, taken: str) -> None:
    """Of two levels as near the lower; what nobody knows is passed on."""
    resolved = catalog.resolve(ResolveParams(model=model, reasoning_effort=asked))
    assert resolved.dispatch.reasoning_effort == taken
    changed = any(" takes " in warning for warning in resolved.warnings)
    assert changed is (taken != asked.lower().replace("x-high", "xhigh"))


def test_an_unknown_effort_is_refused(catalog: Catalog) -> None:
    with pytest.raises(InvalidParams, match="no such level 'turbo'; known are none, minimal, low") as caught:
        catalog.resolve(ResolveParams(model="opus", reasoning_effort="turbo"))
    assert caught.value.data is not None
    assert caught.value.data["path"] == "reasoning_effort"


def test_an_effort_that_the_model_does_not_take_is_refused_where_it_was_asked_for(catalog: Catalog) -> None:
    with pytest.raises(InvalidParams, match="gpt-4o takes no reasoning effort"):
        catalog.resolve(ResolveParams(model="gpt-4o", reasoning_effort="high"))
    resolved = catalog.resolve(ResolveParams(model="gpt-4o", parent=PARENT))
    assert resolved.dispatch.reasoning_effort is None
    assert any("takes no reasoning effort" in warning for warning in resolved.warnings)


def test_a_parents_own_word_for_effort_is_no_error(catalog: Catalog) -> None:
    resolved = catalog.resolve(ResolveParams(model="opus", parent=Parent(reasoning_effort="adaptive")))
    assert resolved.dispatch.reasoning_effort is None


def test_an_effort_of_the_call_is_refused_as_that_of_the_task_is(catalog: Catalog) -> None:
    with pytest.raises(InvalidParams, match=r"^call\.reasoning_effort: gpt-4o takes no"):
        catalog.resolve(ResolveParams(model="gpt-4o", call=Call(reasoning_effort="high")))
    with pytest.raises(InvalidParams, match=r"^call\.reasoning_effort: no such level 'turbo'"):
        catalog.resolve(ResolveParams(model="opus", call=Call(reasoning_effort="turbo")))


def test_a_provider_that_passes_a_model_on_takes_what_both_know(catalog: Catalog) -> None:
    """Anthropic takes max for its own; OpenRouter ends at xhigh."""
    direct = catalog.resolve(ResolveParams(model="opus", reasoning_effort="max"))
    passed_on = catalog.resolve(ResolveParams(model="opus", provider="openrouter", reasoning_effort="max"))
    assert (direct.dispatch.reasoning_effort, passed_on.dispatch.reasoning_effort) == ("max", "xhigh")


def test_the_users_word_on_efforts_cannot_give_a_model_what_it_has_not(make: Make) -> None:
    catalog = make('[providers.openrouter]\nefforts = ["low", "X-High"]\n')
    with pytest.raises(InvalidParams, match="gpt-4o takes no reasoning effort"):
        catalog.resolve(ResolveParams(model="gpt-4o", provider="openrouter", reasoning_effort="low"))
    resolved = catalog.resolve(ResolveParams(model="opus", provider="openrouter", reasoning_effort="max"))
    assert resolved.dispatch.reasoning_effort == "xhigh"


def test_the_users_word_on_efforts_counts(make: Make) -> None:
    catalog = make('[providers.openrouter]\nefforts = ["low", "high"]\n')
    resolved = catalog.resolve(ResolveParams(model="opus", provider="openrouter", reasoning_effort="max"))
    assert resolved.dispatch.reasoning_effort == "high"


# --- endpoint and credential ------------------------------------------------------------------------------------------


def test_credentials_are_names(make: Make) -> None:
    catalog = make(env={"ANTHROPIC_API_KEY": "sk-secret", "GLM_API_KEY": ""})
    opus = catalog.resolve(ResolveParams(model="opus"))
    assert (opus.credential.kind, opus.credential.name, opus.credential.present) == ("env", "ANTHROPIC_API_KEY", True)
    glm = catalog.resolve(ResolveParams(model="glm-4.7"))
    assert (glm.credential.name, glm.credential.present) == ("GLM_API_KEY", False)
    assert "GLM_API_KEY is not set here" in glm.warnings
    assert "sk-secret" not in repr(opus)


def test_the_variable_that_is_set_is_named(make: Make) -> None:
    catalog = make(env={"GOOGLE_API_KEY": "x"})
    assert catalog.resolve(ResolveParams(model="gemini")).credential.name == "GOOGLE_API_KEY"


def test_what_needs_no_key_says_so(catalog: Catalog) -> None:
    local = catalog.resolve(ResolveParams(model="acme-one", provider="ollama")).credential
    assert (local.kind, local.present) == ("none", True)
    login = catalog.resolve(ResolveParams(model="gpt-5.4", provider="codex"))
    assert (login.credential.kind, login.credential.present) == ("login", False)
    assert any("signs in by itself" in warning for warning in login.warnings)


@pytest.mark.parametrize(
    ("url", "mode"),
    [
        ("https://gateway.example/v1", "chat_completions"),
        ("https://gateway.example/anthropic", "anthropic_messages"),
        ("https://gateway.example/anthropic/", "anthropic_messages"),
        ("https://gateway.example/v1/messages", "anthropic_messages"),
        ("https://gateway.example/v1/responses", "codex_responses"),
        ("https://api.openai.com/v1", "codex_responses"),
        ("https://bedrock-runtime.eu-west-1.amazonaws.com", "bedrock_converse"),
        ("http://[broken", "chat_completions"),
    ],
)
def test_the_mode_of_a_custom_endpoint_is_told_by_its_url(make: Make, url: str, mode: str) -> None:
    catalog = make(f'[providers.mine]\nbase_url = "{url}"\n')
    resolved = catalog.resolve(ResolveParams(model="acme-one", provider="mine"))
    assert (resolved.base_url, resolved.api_mode) == (url, mode)


def test_an_explicit_mode_is_honoured_and_an_invalid_one_detected_aloud(make: Make) -> None:
    text = '[providers.mine]\nbase_url = "https://gateway.example/anthropic"\napi_mode = "{}"\n'
    said = make(text.format("chat_completions")).resolve(ResolveParams(model="acme-one", provider="mine"))
    assert said.api_mode == "chat_completions"
    wrong = make(text.format("antropic")).resolve(ResolveParams(model="acme-one", provider="mine"))
    assert wrong.api_mode == "anthropic_messages"
    assert any(warning.startswith("providers.mine.api_mode: no such mode 'antropic'") for warning in wrong.warnings)


def test_a_known_provider_behind_another_url_speaks_what_that_url_tells(make: Make) -> None:
    catalog = make('[providers.anthropic]\nbase_url = "https://gateway.example/v1"\n')
    resolved = catalog.resolve(ResolveParams(model="opus"))
    assert (resolved.base_url, resolved.api_mode) == ("https://gateway.example/v1", "chat_completions")


def test_acp_commands_pass_through_untouched(make: Make) -> None:
    args = ["--acp", "-x", "a b", ""]
    given = make().resolve(ResolveParams(model="opus", acp_command="my-agent --flag", acp_args=args))
    assert (given.acp_command, given.acp_args) == ("my-agent --flag", args)
    catalog = make('[providers.helper]\nacp_command = "helper"\nacp_args = ["--stdio"]\ndefault_model = "acme-one"\n')
    configured = catalog.resolve(ResolveParams(provider="helper"))
    assert (configured.acp_command, configured.acp_args) == ("helper", ["--stdio"])
    from_call = catalog.resolve(ResolveParams(model="opus", call=Call(acp_command="c", acp_args=["1"])))
    assert (from_call.acp_command, from_call.acp_args) == ("c", ["1"])
    assert catalog.resolve(ResolveParams(model="opus")).acp_command is None


# --- batches ----------------------------------------------------------------------------------------------------------


def test_each_task_of_a_batch_resolves_alone(make: Make) -> None:
    catalog = make(env={"ANTHROPIC_API_KEY": "x", "GLM_API_KEY": "y"})
    call = Call(model="sonnet", reasoning_effort="low", parent=PARENT)
    tasks = [
        ResolveParams(model="opus --provider anthropic", call=call),
        ResolveParams(provider="zai", call=call),
        ResolveParams(call=call),
        ResolveParams(model="gpt-5.4", provider="openai", call=call),
    ]
    resolved = [catalog.resolve(task) for task in tasks]
    assert [r.dispatch.provider for r in resolved] == ["anthropic", "zai", "openrouter", "openai"]
    assert [(r.credential.name, r.credential.present) for r in resolved] == [
        ("ANTHROPIC_API_KEY", True), ("GLM_API_KEY", True), ("OPENROUTER_API_KEY", False), ("OPENAI_API_KEY", False),
    ]  # fmt: skip


# --- the pool ---------------------------------------------------------------------------------------------------------

POOL = """
[pool]
models = ["haiku", {model = "glm-4.7", strengths = ["code"]}, {model = "opus", provider = "openrouter"}]
"""


def test_what_is_outside_the_pool_is_refused(make: Make) -> None:
    catalog = make(POOL)
    for params in (
        ResolveParams(model="grok"),
        ResolveParams(model="opus", provider="anthropic"),
        ResolveParams(model="acme-one", provider="vllm"),
        ResolveParams(provider="openai"),
    ):
        with pytest.raises(OutsidePool) as caught:
            catalog.resolve(params)
        assert caught.value.code == -32002
        assert caught.value.data is not None
        assert caught.value.data["pool"][0] == "delegate:anthropic:claude-haiku-5-5"


def test_what_is_inside_is_found_without_its_provider(make: Make) -> None:
    catalog = make(POOL)
    assert arm(catalog, catalog.resolve(ResolveParams(model="opus"))) == "openrouter:claude-opus-5-5"
    assert arm(catalog, catalog.resolve(ResolveParams(model="glm-4.7", provider="novita"))) == "novita:glm-4.7"


def test_what_a_request_leaves_open_is_filled_in_from_the_pool(make: Make) -> None:
    catalog = make('[pool]\nmodels = [{model = "opus", reasoning_effort = "high", role = "leaf"}, "haiku"]\n')
    resolved = catalog.resolve(ResolveParams(model="opus"))
    assert arm(catalog, resolved) == "anthropic:claude-opus-5-5@high#leaf"
    assert "the pool has it as delegate:anthropic:claude-opus-5-5@high#leaf only" in resolved.warnings
    with pytest.raises(OutsidePool):
        catalog.resolve(ResolveParams(model="opus", reasoning_effort="low"))


def test_with_fallback_the_default_runs_with_a_warning(make: Make) -> None:
    catalog = make(POOL + 'on_outside = "fallback"\n')
    resolved = catalog.resolve(ResolveParams(model="grok", reasoning_effort="high"))
    assert (arm(catalog, resolved), resolved.resolved_by) == ("anthropic:claude-haiku-5-5@high", "pool_default")
    assert any("delegate:x-ai:grok-4.7@high is outside the pool" in warning for warning in resolved.warnings)
    with_default = make(POOL + 'on_outside = "fallback"\n[delegation]\nmodel = "glm-4.7"\n')
    assert arm(with_default, with_default.resolve(ResolveParams(model="grok"))) == "zai:glm-4.7"


def test_an_inherited_model_outside_the_pool_becomes_the_default(make: Make) -> None:
    """Nobody asked for it, so there is nothing to refuse."""
    catalog = make(POOL)
    for params in (ResolveParams(parent=PARENT), ResolveParams()):
        resolved = catalog.resolve(params)
        assert (resolved.dispatch.model, resolved.resolved_by) == ("claude-haiku-5-5", "pool_default")


# --- roles ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "depth", "role", "word"),
    [
        ("", 0, "leaf", "max_spawn_depth 1"),
        ("max_spawn_depth = 2", 0, "orchestrator", None),
        ("max_spawn_depth = 2", 1, "leaf", "max_spawn_depth 2"),
        ("max_spawn_depth = 3", 1, "orchestrator", None),
        ("max_spawn_depth = 9", 1, "orchestrator", None),
        ("max_spawn_depth = 9", 2, "leaf", "max_spawn_depth 3"),
        ("max_spawn_depth = -4", 0, "leaf", "max_spawn_depth 1"),
        ("max_spawn_depth = 3\norchestrator_enabled = false", 0, "leaf", "orchestrator_enabled is false"),
    ],
)
def test_an_orchestrator_too_deep_is_a_leaf_and_the_answer_says_so(
    make: Make, config: str, depth: int, role: str, word: str | None
) -> None:
    catalog = make(f"[delegation]\n{config}\n")
    resolved = catalog.resolve(ResolveParams(model="opus", role="orchestrator", depth=depth))
    assert resolved.dispatch.role == role
    said = [warning for warning in resolved.warnings if "orchestrator becomes leaf" in warning]
    assert bool(said) is (word is not None)
    assert word is None or word in said[0]


@pytest.mark.parametrize(
    ("config", "depth", "children"),
    [("", 0, 3), ("", 1, 0), ("max_spawn_depth = 2", 1, 3), ("max_concurrent_children = 7", 0, 7)],
)
def test_the_answer_says_how_many_children_the_task_may_have(
    make: Make, config: str, depth: int, children: int
) -> None:
    resolved = make(f"[delegation]\n{config}\n").resolve(ResolveParams(model="opus", depth=depth))
    assert resolved.max_concurrent_children == children
    assert any("may have no children" in warning for warning in resolved.warnings) is (children == 0)


def test_a_limit_that_is_not_taken_as_written_is_told(make: Make) -> None:
    found = make("[delegation]\nmax_spawn_depth = 9\nmax_concurrent_children = 0\n").resolve(
        ResolveParams(model="opus")
    )
    assert [warning for warning in found.warnings if warning.startswith("delegation.")] == [
        "delegation.max_spawn_depth: 9 is taken as 3",
        "delegation.max_concurrent_children: 0 is taken as 1",
    ]


def test_a_dispatch_is_degraded_with_a_word(make: Make) -> None:
    """For whoever recommends one."""
    flat, deep = make(), make("[delegation]\nmax_spawn_depth = 2\n")
    boss = Dispatch(executor="delegate", model="opus", role="orchestrator")
    dispatch, warning = flat.degraded(boss, 0)
    assert (dispatch.role, dispatch.model) == ("leaf", "opus")
    assert warning is not None
    assert "orchestrator becomes leaf" in warning
    assert deep.degraded(boss, 0) == (boss, None)
    leaf = Dispatch(executor="delegate", model="opus", role="leaf")
    assert flat.degraded(leaf, 9) == (leaf, None)


def test_roles_are_part_of_the_arm(make: Make) -> None:
    catalog = make("[delegation]\nmax_spawn_depth = 3\n")
    arms = {
        arm(catalog, catalog.resolve(ResolveParams(model="opus", role=role))) for role in (None, "leaf", "orchestrator")
    }
    assert arms == {f"anthropic:claude-opus-5-5{suffix}" for suffix in ("", "#leaf", "#orchestrator")}


@pytest.mark.parametrize(
    ("config", "children"), [("", 3), ("max_concurrent_children = 0", 1), ("max_concurrent_children = 500", 500)]
)
def test_children_at_once(make: Make, config: str, children: int) -> None:
    assert make(f"[delegation]\n{config}\n").max_concurrent_children == children


def test_depth(make: Make) -> None:
    catalog = make("[delegation]\nmax_spawn_depth = 2\n")
    assert [catalog.may_delegate(depth) for depth in range(4)] == [True, True, False, False]

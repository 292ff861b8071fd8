"""A configuration that means nothing is told where."""

import pytest

from routerd.errors import ConfigError
from tests.catalog.conftest import Make


@pytest.mark.parametrize(
    ("text", "key", "words"),
    [
        ('[catalog.aliases]\na = "b"\nb = "a"\n', "catalog.aliases.a", "alias cycle a → b → a"),
        ('[catalog.aliases]\nopus = "opus"\n', "catalog.aliases.opus", "alias cycle opus → opus"),
        ('[catalog.aliases]\na = "b"\nb = "c"\nc = "b"\n', "catalog.aliases.a", "alias cycle b → c → b"),
        ('[catalog.aliases]\nfast = "glm-47"\n', "catalog.aliases.fast", "did you mean 'glm-4.7'"),
        ('[catalog.aliases]\nfast = ""\n', "catalog.aliases.fast", "no model is named"),
        ('[catalog.aliases]\nfast = "opus --provider nope"\n', "catalog.aliases.fast", "no such provider 'nope'"),
        ('[catalog.aliases]\nfast = "opus --provider openai"\n', "catalog.aliases.fast", "openai does not serve"),
        ('[catalog.tiers]\nsmall = "haku"\n', "catalog.tiers.small", "did you mean 'haiku'"),
        ('[catalog.tiers]\nsmall = "glm-4.7:foo"\n', "catalog.tiers.small", "no variant 'foo'"),
        ('[pool]\nmodels = ["opus", "sonet"]\n', "pool.models[1]", "did you mean 'sonnet'"),
        ('[pool]\nmodels = ["anthropic:opus"]\n', "pool.models[0]", "write 'opus --provider anthropic'"),
        ('[delegation]\nmodel = "zai:glm-4.7"\n', "delegation.model", "write 'glm-4.7 --provider zai'"),
        ('[catalog.aliases]\nx = "zai:glm-4.7"\n', "catalog.aliases.x", "write 'glm-4.7 --provider zai'"),
        ('[catalog.tiers]\nx = "nobody:glm-4.7"\n', "catalog.tiers.x", "write 'glm-4.7'"),
        ('[pool]\nmodels = ["gpt-5:high"]\n', "pool.models[0]", "a reasoning effort is named apart"),
        ('[pool]\nmodels = [{model = "opus", provider = "nope"}]\n', "pool.models[0]", "no such provider 'nope'"),
        (
            '[pool]\nmodels = [{model = "opus", reasoning_effort = "turbo"}]\n',
            "pool.models[0]",
            "no such reasoning effort",
        ),
        (
            '[pool]\nmodels = [{model = "gpt-4o", reasoning_effort = "high"}]\n',
            "pool.models[0]",
            "takes no reasoning effort",
        ),
        (
            '[pool]\nmodels = [{model = "gpt-5", provider = "anthropic"}]\n',
            "pool.models[0]",
            "anthropic does not serve",
        ),
        ('[pool]\nmodels = [{strengths = ["code"]}]\n', "pool.models[0]", "it names no model"),
        ('[pool]\nmodels = ["opus\\u0000"]\n', "pool.models[0]", "control characters"),
        ('[delegation]\nmodel = "glm-47"\n', "delegation.model", "did you mean 'glm-4.7'"),
        ('[delegation]\nprovider = "nope"\n', "delegation.provider", "no such provider 'nope'"),
        (
            '[delegation]\nreasoning_effort = "turbo"\n',
            "delegation.reasoning_effort",
            "no such reasoning effort 'turbo'",
        ),
        ('[delegation]\nmodel = "gpt-4o"\nreasoning_effort = "low"\n', "delegation.reasoning_effort", "takes no"),
        ('[providers.nope]\ndefault_model = "opus"\n', "providers.nope", "one of your own needs a base_url"),
        ('[providers.openai]\nefforts = ["lots"]\n', "providers.openai.efforts", "no such reasoning effort 'lots'"),
        ('[providers.openai]\ndefault_model = ""\n', "providers.openai.default_model", "no model is named"),
        ('[providers.openai]\nmodels = ["gpt-5", ""]\n', "providers.openai.models[1]", "no model is named"),
        ('[providers.openai]\ndefault_model = "opus"\n', "providers.openai.default_model", "openai does not serve"),
        ('[providers.openai]\ndefault_model = "gpt-5 --provider azure"\n', "providers.openai.default_model", "another"),
        (
            '[providers.lab]\nbase_url = "http://x"\nmodels = ["a"]\ndefault_model = "b"\n',
            "providers.lab.default_model",
            "not among providers.lab.models",
        ),
        ('[catalog.aliases]\n"a\\u0007" = "opus --fast"\n', "catalog.aliases.'a\\x07'", "no such flag '--fast'"),
        (
            f'[catalog.aliases]\n{"x" * 10_240} = "{"y" * 10_240}"\n',
            f"catalog.aliases.'{'x' * 60}'",
            "10240 characters",
        ),
        ('[catalog.prices.""]\ninput = 1\noutput = 2\n', "catalog.prices.", "no model is named"),
    ],
)
def test_one_clear_error_with_its_place(make: Make, text: str, key: str, words: str) -> None:
    catalog = make(text)  # it builds all the same
    with pytest.raises(ConfigError) as caught:
        catalog.check()
    message = str(caught.value)
    assert message.startswith(f"{key}: ")
    assert words in message
    assert "\n" not in message
    assert len(message) < 900


@pytest.mark.parametrize(
    "text",
    [
        "",
        '[catalog.aliases]\nfast = "haiku --provider openrouter"\nfaster = "fast"\nopus = "claude-opus-4-5"\n',
        '[catalog.aliases]\nopus = "opus --provider openrouter"\n',
        '[catalog.tiers]\nsmall = "haiku"\nmedium = "sonnet"\nlarge = "opus"\n',
        '[pool]\nmodels = ["small", "glm-4.7 --provider zai"]\n[catalog.tiers]\nsmall = "haiku"\n',
        '[pool]\nmodels = [{agent = "claude-code"}, {model = "acme-one", provider = "mine"}, "acme-two"]\n'
        '[providers.mine]\nbase_url = "http://127.0.0.1:9"\nmodels = ["acme-two"]\n',
        '[providers.helper]\nacp_command = "helper"\n',
        '[providers.claude]\ncredential_env = "MY_KEY"\n',
        '[delegation]\nmodel = "opus"\nprovider = "openrouter"\nreasoning_effort = "max"\n',
    ],
)
def test_a_good_configuration_passes(make: Make, text: str) -> None:
    make(text).check()


def test_a_pool_with_nothing_but_mistakes_allows_nothing(make: Make) -> None:
    """It must not turn into no pool at all."""
    from routerd.events import Dispatch  # noqa: PLC0415

    catalog = make('[pool]\nmodels = ["--provider zai"]\n')
    assert not catalog.in_pool(Dispatch(executor="delegate", model="opus"))

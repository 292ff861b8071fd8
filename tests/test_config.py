import re
from pathlib import Path

import msgspec
import pytest

from routerd.config import (
    CatalogConfig,
    Config,
    PoolModel,
    PriceConfig,
    ProviderConfig,
    SourceConfig,
    Table,
    changed_keys,
    decode,
    load,
)
from routerd.errors import ConfigError
from routerd.sources import SOURCES

AGENTS = frozenset(SOURCES)
FILE = Path(__file__).parents[1] / "config" / "routerd.toml"


def test_the_file_that_is_shipped_says_the_defaults() -> None:
    assert load(FILE, AGENTS) == Config()


def examples() -> str:
    """The file with its examples taken in; the array of pool models takes the place of the empty list."""
    text = FILE.read_text().replace("models = []           #", "#")
    return re.sub(r"(?m)^#: ", "", text)


def test_the_examples_in_it_can_be_used() -> None:
    config = decode(examples(), "file", AGENTS)
    assert config.policy.seed == 7
    assert config.catalog.prices["claude-haiku-4-5"].input == 1.0
    assert config.providers["my-gateway"].credential_env == "MY_GATEWAY_KEY"


@pytest.mark.parametrize(
    "table",
    [
        *(type(getattr(Config(), name)) for name in Config.__struct_fields__ if name not in ("sources", "providers")),
        SourceConfig,
        ProviderConfig,
        PoolModel,
        PriceConfig,
    ],
)
def test_every_key_is_in_it(table: type[Table]) -> None:
    text = examples()
    for key in table.__struct_fields__:
        assert re.search(rf"(?m)^\[*(catalog\.)?{key}\b", text), f"{table.__name__}.{key} is not in config/routerd.toml"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[polcy]\nname = 'off'", r"file: polcy: no such key; did you mean 'policy'\?"),
        ("[policy]\nnme = 'off'", r"file: policy.nme: no such key; did you mean 'name'\?"),
        ("[policy]\nname = 'ucb1'", r"file: policy.name: 'ucb1' is none of its values; did you mean 'ucb'\?"),
        ("[log]\nlevel = 'x'", r"file: log.level: 'x' is none of its values; known are debug, error, info, warning"),
        ("[pool]\non_outside = 'refused'", r"file: pool.on_outside: 'refused' is none of its values; did you mean"),
        ("[catalog.prices.m]\ninput = 1\noutput = -1", r"file: catalog.prices.m.output: expected `float` >= 0.0"),
        ("[providers.a]\n[providers.b]\nmodel = 'x'", r"file: providers.b.model: no such key; did you mean 'models'"),
        ("[tail]\nstep_ms = 0", r"file: tail.step_ms: expected `int` >= 1"),
        ("[policy]\nseed = -1", r"file: policy.seed: expected `int` >= 0"),
        ("[objective]\nsuccess_usd = inf", r"file: objective.success_usd: expected `float` <= 1000000000.0"),
        ("[learning]\nspan_days = inf", r"file: learning.span_days: expected `float` <= 1000000000.0"),
        ("[gate]\ndelta = 'small'", r"file: gate.delta: expected `float`, got `str`"),
        ("[sources.claude]\nenabled = true", r"file: sources.claude: no such source; did you mean 'claude-code'\?"),
        ("[sources.codex]\nenabeld = true", r"file: sources.codex.enabeld: no such key; did you mean 'enabled'\?"),
        ("policy = 1", r"file: policy: expected `object`"),
        ("[policy", r"file: not valid TOML: "),
    ],
)
def test_a_mistake_is_named_with_its_place_and_the_nearest_right_name(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        decode(text, "file", AGENTS)
    assert "\n" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot be read: Is a directory"):
        load(tmp_path, AGENTS)
    (tmp_path / "latin").write_bytes(b"# caf\xe9\n")
    with pytest.raises(ConfigError, match=r"latin: cannot be read: it is not UTF-8"):
        load(tmp_path / "latin", AGENTS)


def test_a_reload_says_which_keys_have_changed() -> None:
    new = decode("[gate]\ndelta = 0.1\n[sources.codex]\nenabled = false", "file", AGENTS | {"codex"})
    assert changed_keys(Config(), new) == ["gate.delta", "sources.codex"]


def test_defaults_are_what_an_empty_file_gives() -> None:
    assert decode("", "file", AGENTS) == Config()
    assert msgspec.convert(msgspec.to_builtins(Config()), Config) == Config()
    assert CatalogConfig().aliases == {}

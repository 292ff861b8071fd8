"""List prices: the library's, the user's, and those that do not exist."""

import subprocess
import sys

import pytest

from routerd.catalog import Catalog
from routerd.events import Dispatch, Tokens
from tests.catalog.conftest import Make

MILLION = Tokens(input=1_000_000)
EACH = Tokens(input=1_000_000, output=1_000_000, cache_read=1_000_000, cache_write=1_000_000)


def test_every_kind_of_token_has_its_price(catalog: Catalog) -> None:
    """Claude Opus 4.5: $5 in, $25 out, $0.50 for what is read from the cache, $6.25 for what is written to it."""
    assert catalog.price("anthropic", "claude-opus-4-5-20251101", EACH, None) == pytest.approx(5 + 25 + 0.5 + 6.25)


def test_spellings_of_a_model_have_one_price(catalog: Catalog) -> None:
    prices = {
        catalog.price(provider, model, MILLION, None)
        for provider, model in [
            ("anthropic", "claude-opus-4-5"), (None, "anthropic/claude-opus-4.5"), ("openrouter", "claude-opus-4.5"),
            ("bedrock", "us.anthropic.claude-opus-4-5-20251101-v1:0"), ("vertex", "claude-opus-4-5@20251101"),
        ]
    }  # fmt: skip
    assert len(prices) <= 2  # Bedrock's regional endpoints cost a tenth more
    assert all(price is not None and 5.0 <= price <= 5.5 for price in prices)


def test_what_nobody_lists_has_no_price(catalog: Catalog) -> None:
    for model in ("acme-one", "<synthetic>", "", "x" * 10_000, None):
        assert catalog.price("anthropic", model, MILLION, None) is None


def test_prices_change_with_time(catalog: Catalog) -> None:
    """Gemini 3.8 Flash costs half as much until the end of 2026."""
    in_2026 = catalog.price("google", "gemini-3.8-flash", MILLION, 1_793_000_000.0)  # 2026-10-26
    in_2027 = catalog.price("google", "gemini-3.8-flash", MILLION, 1_800_000_000.0)  # 2027-01-15
    assert in_2026 is not None
    assert in_2027 == pytest.approx(2 * in_2026)


def test_free_and_local_models_cost_nothing(catalog: Catalog) -> None:
    assert catalog.price("openrouter", "z-ai/glm-4.7:free", EACH, None) == 0.0
    assert catalog.price("ollama", "acme-one", EACH, None) == 0.0
    assert catalog.attributes(Dispatch(executor="delegate", model="acme-one", provider="ollama")).log_price is not None


def test_the_users_price_stands_before_the_librarys(make: Make) -> None:
    catalog = make(
        '[catalog.prices."opus"]\ninput = 1.0\noutput = 2.0\ncache_read = 0.1\ncontext_length = 5000\n'
        "[catalog.prices.acme-one]\ninput = 3.0\noutput = 4.0\n"
    )
    assert catalog.price("bedrock", "claude-opus-5-5", EACH, None) == pytest.approx(1.0 + 2.0 + 0.1 + 1.0)
    assert catalog.price(None, "acme-one", EACH, None) == pytest.approx(3.0 + 4.0 + 3.0 + 3.0)
    (info,) = [info for info in catalog.models() if info.id == "claude-opus-5-5"]
    assert info.context_length == 5000


def test_nearly_all_models_of_the_registry_have_a_price(catalog: Catalog) -> None:
    infos = catalog.models()
    unpriced = [info.id for info in infos if info.price is None]
    assert len(unpriced) < 0.1 * len(infos), unpriced
    assert all(info.price is None or 0.0 <= info.price.input <= info.price.output * 2 for info in infos)


def test_building_and_resolving_do_not_import_the_library() -> None:
    code = (
        "import sys; from routerd.catalog import Catalog, ResolveParams; from routerd.config import Config\n"
        "from routerd.events import Dispatch\n"
        "c = Catalog(Config(), {}); c.check(); c.resolve(ResolveParams(model='opus'))\n"
        "c.canonical(Dispatch(executor='delegate', model='opus')); c.report()\n"
        "assert 'genai_prices' not in sys.modules\n"
        "c.warm(); assert 'genai_prices' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

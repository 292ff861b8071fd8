"""Scores: the published formula, the fit, and what stands in where there is neither."""

import importlib.util
import math
import sys
from pathlib import Path
from types import ModuleType

import msgspec
import numpy as np
import pytest

from routerd.catalog import Catalog
from routerd.catalog.capability import EFFORTS, SIZES, WEIGHTS, Estimator, by_size, params_b, tier, weighted
from routerd.catalog.registry import Registry, load
from routerd.events import Dispatch

SEEDS = Path(__file__).parents[2] / "seeds"
VENDORS = ("anthropic", "openai", "google", "x-ai", "deepseek", "zai", "moonshotai", "minimax", "mistral", "alibaba")


@pytest.fixture(scope="module")
def registry() -> Registry:
    return load()


@pytest.fixture(scope="module")
def fitting() -> ModuleType:
    """The script that makes the registry, as a module."""
    spec = importlib.util.spec_from_file_location("fit_capability", SEEDS / "fit_capability.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def delegate(model: str | None, effort: str | None = None) -> Dispatch:
    return Dispatch(executor="delegate", model=model, reasoning_effort=effort)


# --- the registry -----------------------------------------------------------------------------------------------------


def test_it_holds_sixty_models_and_the_newest_of_every_vendor(registry: Registry) -> None:
    assert len(registry.models) >= 60
    newest = {model.provider for model in registry.models if (model.released or "") >= "2026-05"}
    assert newest >= {"anthropic", "openai", "google", "x-ai", "zai", "moonshotai", "deepseek", "alibaba", "minimax"}
    assert {model.provider for model in registry.models} >= set(VENDORS)


def test_every_figure_has_a_source_with_date_and_licence(registry: Registry) -> None:
    for model in registry.models:
        for benchmark, (percent, source) in model.figures.items():
            assert 0.0 <= percent <= 100.0, (model.id, benchmark)
            assert registry.sources[source].url.startswith("https://")
            assert len(registry.sources[source].date) == len("2026-11-20")
            assert registry.sources[source].licence in ("MIT", "CC-BY-4.0", "Apache-2.0")


def test_the_figures_of_the_weighted_score_are_those_that_were_read_again(registry: Registry) -> None:
    """Each with its date; all four of at least twenty models. The source gives two decimals, the registry one."""
    models = {model.id: model for model in registry.models}
    checked = msgspec.json.decode((SEEDS / "checked.json").read_bytes())["models"]
    for id_, read in checked.items():
        for benchmark, (percent, date, link) in read["figures"].items():
            assert models[id_].figures[benchmark][0] == pytest.approx(percent, abs=0.051), (id_, benchmark)
            assert len(date) == len("2024-10-22")
            assert link == "" or link.startswith("http")
    whole = [id_ for id_, read in checked.items() if read["figures"].keys() == WEIGHTS.keys()]
    assert len(whole) >= 20
    assert all(models[id_].weighted is not None for id_ in whole)


def test_the_weighted_score_is_the_formula_on_the_raw_figures(registry: Registry) -> None:
    """Recomputed here by hand from the figures in the seeds, not from those in the package."""
    figures = msgspec.json.decode((SEEDS / "benchmarks.json").read_bytes())["figures"]
    rows = {
        entry["id"]: entry.get("rows", [])
        for entry in msgspec.json.decode((SEEDS / "models.json").read_bytes())["models"]
    }
    scored = 0
    for model in registry.models:
        raw: dict[str, float] = {}
        for epoch in (False, True):  # what vendors publish comes before what Epoch ran
            for row in rows[model.id]:
                for benchmark in ("mmlu", "humaneval", "math", "gpqa"):
                    for percent, source in figures[row].get(benchmark, []):
                        if source.startswith("epoch") is epoch:
                            raw.setdefault(benchmark, percent)
        if len(raw) < 4:
            assert model.weighted is None
            continue
        scored += 1
        expected = 0.30 * raw["mmlu"] + 0.35 * raw["humaneval"] + 0.20 * raw["math"] + 0.15 * raw["gpqa"]
        assert model.weighted == pytest.approx(expected / 100.0, abs=6e-5), model.id
    assert scored >= 20


def test_the_weights_are_a_mean() -> None:
    assert sum(WEIGHTS.values()) == pytest.approx(1.0)
    assert weighted({"mmlu": 80.0, "humaneval": 80.0, "math": 80.0, "gpqa": 80.0}) == pytest.approx(0.8)
    assert weighted({"mmlu": 80.0, "humaneval": 80.0, "math": 80.0}) is None


@pytest.mark.parametrize(
    ("score", "name"),
    [(1.0, "frontier"), (0.85, "frontier"), (0.849, "advanced"), (0.75, "advanced"), (0.749, "mid"), (0.6, "mid"),
     (0.599, "light"), (0.0, "light")],
)  # fmt: skip
def test_tiers(score: float, name: str) -> None:
    assert tier(score) == name


# --- the fit ----------------------------------------------------------------------------------------------------------


def test_the_packaged_registry_is_what_the_seeds_give(fitting: ModuleType) -> None:
    registry, _ = fitting.build()
    packaged = msgspec.json.decode(fitting.PACKAGED.read_bytes())
    assert fitting.differences(packaged, msgspec.json.decode(fitting.encoded(registry))) == []


def test_the_fit_recovers_abilities_that_made_the_figures(fitting: ModuleType) -> None:
    """
    Sixty models on ten benchmarks with noise 0.02, half of the figures missing.

    The estimates must be as far from the truth as their standard errors say: the mean of z² over 60 models is 1 within
    about 4·sqrt(2/60) = 0.73, and less by what the two numbers of the map take up. Only the prior tells where the scale
    of the abilities lies and how long it is, so they are compared with the truth after a linear map.
    """
    rng = np.random.default_rng(7)
    ability, difficulty = rng.normal(size=60), rng.normal(scale=0.8, size=10)
    slope = np.exp(rng.normal(0.3, 0.3, size=10))
    cells = []
    for m in range(60):
        for b in rng.permutation(10)[:5]:
            p = 1.0 / (1.0 + math.exp(-slope[b] * (ability[m] - difficulty[b])))
            cells.append((f"m{m:02}", f"b{b}", float(np.clip(p + rng.normal(scale=0.02), 0.0, 1.0))))
    fit = fitting.OneFactor(cells)
    found = np.array([fit.abilities[f"m{m:02}"].ability for m in range(60)])
    se = np.array([fit.abilities[f"m{m:02}"].se for m in range(60)])
    assert fit.noise_sd == pytest.approx(0.02, rel=0.3)
    assert np.corrcoef(found, ability)[0, 1] > 0.98
    scale, shift = np.polyfit(ability, found, 1)
    z = (found - (scale * ability + shift)) / se
    assert 0.25 < float(np.mean(z**2)) < 1.75


def test_fewer_figures_give_a_wider_error(fitting: ModuleType) -> None:
    rng = np.random.default_rng(3)
    cells = [(f"m{m}", f"b{b}", 0.2 + 0.05 * m + rng.normal(scale=0.03)) for m in range(10) for b in range(6)]
    fit = fitting.OneFactor([*cells, ("few", "b0", 0.5)])
    assert fit.abilities["few"].se > 1.5 * fit.abilities["m6"].se


def test_the_fit_agrees_with_the_formula_where_both_exist(registry: Registry) -> None:
    scale = registry.scale
    pairs = [(m.fit.ability, m.weighted) for m in registry.models if m.fit and m.weighted is not None]
    ability, score = np.array(pairs).T
    fitted = 1.0 / (1.0 + np.exp(-(scale.slope * ability + scale.intercept)))
    assert float(np.sqrt(np.mean((fitted - score) ** 2))) == pytest.approx(scale.link_rms, abs=2e-4)
    assert np.corrcoef(ability, np.log(score / (1.0 - score)))[0, 1] > 0.95


def test_order_within_families(catalog: Catalog) -> None:
    """Plain facts that any sensible score keeps."""
    scores = {row.id: row.fit or 0.0 for row in catalog.report()}
    for better, worse in [
        ("claude-opus-5", "claude-opus-4-5"),
        ("claude-opus-4-5", "claude-3-opus"),
        ("gpt-5", "gpt-4o"),
        ("gpt-5", "gpt-5-nano"),
        ("gpt-4.1", "gpt-4.1-nano"),
        ("gemini-2.5-pro", "gemini-2.5-flash-lite"),
        ("llama-3.1-405b", "llama-3.1-8b"),
        ("glm-5.2", "glm-4.5-air"),
    ]:
        assert scores[better] > scores[worse], (better, worse)


# --- what stands in ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("billions", "score"), SIZES)
def test_sizes_of_the_table(billions: float, score: float) -> None:
    assert by_size(billions) == pytest.approx(score)


def test_size_is_interpolated_in_the_logarithm() -> None:
    assert by_size(math.sqrt(8.0 * 70.0)) == pytest.approx(0.75)
    assert by_size(math.sqrt(70.0 * 400.0)) == pytest.approx(0.825)
    grid = [by_size(10.0**x) for x in np.linspace(-2, 6, 200)]
    assert grid == sorted(grid)
    assert 0.3 <= grid[0] < 0.6
    assert grid[-1] <= 0.9


@pytest.mark.parametrize(
    ("name", "billions"),
    [("acme-70b", 70.0), ("acme-1.5b-instruct", 1.5), ("mixtral-8x7b", 56.0), ("acme-235b-a22b", 235.0),
     ("acme-1.6t", 1600.0), ("acme:8b", 8.0), ("gpt-4o", None), ("claude-opus-9", None), ("kimi-k2", None)],
)  # fmt: skip
def test_the_size_in_a_name(name: str, billions: float | None) -> None:
    assert params_b(name) == billions


def test_an_unlisted_model_says_by_which_path_it_is_known(catalog: Catalog) -> None:
    size = catalog.capability(delegate("acme-70b"))
    family = catalog.capability(delegate("claude-opus-9"))
    effort = catalog.capability(delegate("acme-new", "low"))
    assert size is not None
    assert family is not None
    assert effort is not None
    assert (size.path, family.path, effort.path) == ("size", "family", "effort")
    assert size.score == pytest.approx(0.80)
    opus = catalog.capability(delegate("claude-opus-5"))
    assert opus is not None
    assert family.score == opus.score
    assert family.source == "as claude-opus-5"
    assert effort.score == EFFORTS["low"]
    nothing = catalog.capability(delegate("acme-new"))
    assert nothing is not None
    assert (nothing.path, nothing.source) == ("effort", "nothing is known of it")
    assert nothing.se >= effort.se
    assert catalog.attributes(delegate("acme-new")).capability is None  # no prior is made of nothing
    assert catalog.capability(delegate(None)) is None


@pytest.mark.parametrize(
    ("effort", "score"),
    [
        ("low", 0.55),
        ("medium", 0.75),
        ("high", 0.85),
        ("none", 0.55),
        ("minimal", 0.55),
        ("max", 0.85),
        ("x-high", 0.85),
    ],
)
def test_effort_alone(catalog: Catalog, effort: str, score: float) -> None:
    known = catalog.capability(delegate("acme-new", effort))
    assert known is not None
    assert known.score == score


def test_a_weaker_path_has_a_wider_error(catalog: Catalog) -> None:
    texts = ("gpt-4o", "claude-opus-4-5", "acme-70b", "claude-opus-9", "acme-new")
    known = [catalog.capability(delegate(text, "medium")) for text in texts]
    assert [k.path for k in known if k] == ["weighted", "irt", "size", "family", "effort"]
    errors = [k.se for k in known if k]
    assert errors == sorted(errors)
    assert len(set(errors)) == 5


def test_the_errors_of_the_weaker_paths_are_measured(registry: Registry) -> None:
    """Each path asked for the models whose fit is known, as if they had none."""
    estimator = Estimator(registry)

    def score(ability: float) -> float:
        return 1.0 / (1.0 + math.exp(-(registry.scale.slope * ability + registry.scale.intercept)))

    sizes, peers = [], []
    for model in registry.models:
        if model.fit is None:
            continue
        if model.params_b is not None:
            sizes.append(by_size(model.params_b) - score(model.fit.ability))
        peer = estimator.peer(model, model.family)
        assert peer is not model
        if peer is not None and peer.fit is not None:
            peers.append(score(peer.fit.ability) - score(model.fit.ability))
    assert len(sizes) >= 30
    assert len(peers) >= 100
    assert registry.scale.size_rms == pytest.approx(float(np.sqrt(np.mean(np.square(sizes)))), abs=2e-4)
    assert registry.scale.family_rms >= float(np.sqrt(np.mean(np.square(peers)))) - 2e-4


def test_a_family_without_figures_is_known_by_its_peer_family(catalog: Catalog) -> None:
    luna = catalog.capability(delegate("gpt-6-luna"))
    assert luna is not None
    assert luna.path == "family"
    assert luna.source == "as gpt-5-mini"


# --- reports and priors -----------------------------------------------------------------------------------------------


def test_the_report_tells_score_tier_path_error_and_sources_of_every_model(
    catalog: Catalog, registry: Registry
) -> None:
    rows = {row.id: row for row in catalog.report()}
    assert rows.keys() == {model.id for model in registry.models}
    for row in rows.values():
        if row.path in ("weighted", "irt"):
            assert row.figures
            assert all(figure.date and figure.url for figure in row.figures)
            assert row.fit is not None
        if row.score is not None:
            assert row.tier == tier(row.score)
            assert row.se is not None
            assert row.se > 0.0
            assert row.source
    gpt4o = rows["gpt-4o"]
    assert gpt4o.score == gpt4o.weighted == pytest.approx(0.8154, abs=1e-4)


def test_attributes_for_the_priors(catalog: Catalog) -> None:
    opus = catalog.attributes(Dispatch(executor="delegate", model="opus", reasoning_effort="max", role="leaf"))
    assert opus.capability is not None
    assert 0.9 < opus.capability < 1.0
    assert (opus.family, opus.provider, opus.role) == ("claude-opus", "anthropic", "leaf")
    assert opus.effort_level == pytest.approx(6 / 7)
    # 0.75 * $4 + 0.25 * $20 per million
    assert opus.log_price == pytest.approx(math.log(8.0))
    nothing = catalog.attributes(Dispatch(executor="delegate", agent="hermes"))
    assert (nothing.capability, nothing.log_price, nothing.family) == (None, None, None)
    # models are compared on one scale: where there is a fit, the fit
    gpt4o, report = catalog.attributes(delegate("gpt-4o")), {row.id: row for row in catalog.report()}
    assert gpt4o.capability == report["gpt-4o"].fit
    assert gpt4o.path == "irt"


def test_variants_and_spellings_share_their_attributes(catalog: Catalog) -> None:
    plain = catalog.attributes(delegate("glm-4.7"))
    for text in ("z-ai/glm-4.7", "glm-4.7:thinking", "zai-org/GLM-4.7"):
        other = catalog.attributes(delegate(text))
        assert (other.capability, other.family) == (plain.capability, plain.family)

"""The packaged registry: models with their published figures and fitted capability, providers, aliases.

`seeds/fit_capability.py` writes it from the files in `seeds/`; nothing here computes a figure. `load` is the one place
of the catalogue that reads a file, and the file is part of the package.
"""

from importlib import resources
from typing import Final

import msgspec

PACKAGED: Final = "data/registry.json"


class Source(msgspec.Struct, frozen=True):
    """Where a figure comes from, and when that source said so."""

    title: str
    url: str
    commit: str
    date: str
    licence: str


class Fit(msgspec.Struct, frozen=True):
    """A model's ability on the scale of the one-factor fit (mean 0, sd 1 over the fitted rows), with standard error."""

    ability: float
    se: float


class Model(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """
    One model.

    Attributes:
        id: The canonical spelling.
        provider: Slug of the vendor's own service; None for open weights that many serve.
        family: Line of models that follow one another; within it the registry is in order, the oldest first.
        released: Date or month, where known.
        params_b: Billions of parameters in all, where published.
        efforts: Levels of reasoning effort that it takes; None leaves it to the provider, empty is a model without.
        spellings: Other names of it, beyond what normalising finds.
        served_as: Id at a provider that spells it in its own way.
        figures: Benchmark to (score in percent, name of the source).
        weighted: The published weighted score in 0..1, where all four benchmarks exist.
        fit: Where at least one figure exists.
    """

    id: str
    family: str
    provider: str | None = None
    released: str | None = None
    params_b: float | None = None
    efforts: list[str] | None = None
    spellings: list[str] = []
    served_as: dict[str, str] = {}
    figures: dict[str, tuple[float, str]] = {}
    weighted: float | None = None
    fit: Fit | None = None


class Provider(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """
    One provider.

    Attributes:
        aliases: Other slugs in use for it.
        orgs: Prefixes before a slash that stand for this vendor.
        names: First words of model names that are this vendor's.
        env: Variables that may hold its key, the usual one first; empty where none is known.
        login: It signs in by itself; no variable tells whether it has.
        default_model: What it runs when none is named.
        efforts: Levels of reasoning effort that it takes; empty where unknown.
        only_own: It serves its own models and `families`, and those of the providers in `serves`; no others.
        variants: Suffixes after a colon that only this provider has.
        prices: Its id in the price library.
        local: It runs on the user's own machine and costs nothing.
    """

    slug: str
    aliases: list[str] = []
    orgs: list[str] = []
    names: list[str] = []
    base_url: str | None = None
    api_mode: str | None = None
    env: list[str] = []
    login: bool = False
    default_model: str | None = None
    efforts: list[str] = []
    only_own: bool = False
    serves: list[str] = []
    families: list[str] = []
    variants: list[str] = []
    prices: str | None = None
    local: bool = False


class Scale(msgspec.Struct, frozen=True, kw_only=True):
    """
    What turns abilities into scores, and how wrong each path has been on the models whose fit is known.

    Attributes:
        slope, intercept: logit(score) = slope · ability + intercept, fitted where a weighted score and a fit exist.
        link_rms: Root mean square of score minus weighted score over those models.
        size_rms, family_rms, default_rms: The same for the estimates by size, by family peer, and by nothing at all.
    """

    slope: float
    intercept: float
    link_rms: float
    size_rms: float
    family_rms: float
    default_rms: float


class Registry(msgspec.Struct, frozen=True, kw_only=True):
    """
    All of it.

    Attributes:
        date: Of the newest source, ISO; prices without a date are those of this day.
        aliases: Short names to families; a family stands for its newest model.
        peers: Family to the family whose models stand in for it while it has no figures.
    """

    date: str
    sources: dict[str, Source]
    scale: Scale
    aliases: dict[str, str]
    peers: dict[str, str]
    models: list[Model]
    providers: list[Provider]


def load() -> Registry:
    """Reads the registry that is packaged with this module."""
    text = resources.files("routerd.catalog").joinpath(PACKAGED).read_bytes()
    return msgspec.json.decode(text, type=Registry)

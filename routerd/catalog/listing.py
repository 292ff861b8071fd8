"""Lists of models, for people and for agents: ranked, and the same every time."""

from collections.abc import Callable, Sequence
from functools import cached_property

from routerd.catalog import text
from routerd.catalog.answers import Figure, ModelInfo, ReportRow
from routerd.catalog.capability import TIERS, Capability, Estimator, guess, tier
from routerd.catalog.names import Names
from routerd.catalog.pool import Pool
from routerd.catalog.prices import Prices
from routerd.catalog.providers import Providers
from routerd.catalog.registry import Model, Registry
from routerd.errors import InvalidParams
from routerd.events import Dispatch

Meanings = Sequence[tuple[str, Dispatch]]
"""The user's own names, each with the canonical dispatch that it stands for (its provider only if it names one)."""


class Listing:
    """
    The known models as values. What is listed never changes, so it is made once.

    Args:
        tiers: The user's own tiers.
        aliases: The user's own aliases.
        canonical: Gives the canonical form of a dispatch.
    """

    def __init__(
        self,
        registry: Registry,
        *,
        estimator: Estimator,
        names: Names,
        providers: Providers,
        prices: Prices,
        pool: Pool,
        tiers: Meanings,
        aliases: Meanings,
        canonical: Callable[[Dispatch], Dispatch],
    ) -> None:
        self._registry = registry
        self._estimator = estimator
        self._names = names
        self._providers = providers
        self._prices = prices
        self._pool = pool
        self._tiers = tiers
        self._own_names = [*tiers, *aliases]
        self._canonical = canonical

    @cached_property
    def _infos(self) -> list[ModelInfo]:
        """Every model once per provider that the pool names for it, else once; the ablest first."""
        listed = [
            Dispatch(executor="delegate", model=model.id, provider=model.provider) for model in self._registry.models
        ]
        pooled = [entry.dispatch for entry in self._pool.entries if entry.dispatch.model is not None]
        elsewhere = {d.model for d in pooled if self._names.identify(d.model or "").native != d.provider}
        written = [Dispatch(executor="delegate", model=m, provider=slug) for slug, m in self._providers.listed()]
        both = [*pooled, *map(self._canonical, written), *(d for d in listed if d.model not in elsewhere)]
        unique = {(d.model, d.provider): d for d in both}
        return sorted(map(self._info, unique.values()), key=_rank)

    @cached_property
    def texts(self) -> tuple[str, str]:
        """The list for a system prompt, and the description of a `model` parameter: see `text`."""
        infos = [info for info in self._infos if info.in_pool]
        if self._pool.is_open:
            infos = [info for info in infos if self._is_newest(info.id)]
        return text.prompt(infos), text.schema(infos, closed=not self._pool.is_open)

    def models(self, tier: str | None, provider: str | None) -> list[ModelInfo]:
        """
        The known models, the ablest first; those of the pool that the registry does not list among them.

        Raises:
            InvalidParams: There is no such tier.
            UnknownModel: There is no such provider.
        """
        infos = self._infos
        if tier is not None:
            self.check_tier(tier, "tier")
            infos = [info for info in infos if tier == info.tier or tier in self._own_tiers(info)]
        if provider is not None:
            slug = self._providers.slug(provider)
            infos = [info for info in infos if self._is_at(info, slug)]
        return list(infos)

    def check_tier(self, name: str, path: str) -> None:
        """
        Looks whether there is such a tier.

        Raises:
            InvalidParams: There is none; `path` says where it stands.
        """
        known = [*(own for own, _ in self._tiers), *(standard for standard, _ in TIERS)]
        if name not in known:
            reason = f"no such tier {name[:40]!r}; known are {', '.join(known)}"
            raise InvalidParams(f"{path}: {reason}", {"path": path, "reason": reason})

    def report(self) -> list[ReportRow]:
        """All figures of every model of the registry, the ablest first."""
        rows = [self._report_row(model) for model in self._registry.models]
        return sorted(rows, key=lambda row: (-(row.fit or row.score), row.id))

    # --- inside ------------------------------------------------------------------------------------------------------

    def _info(self, dispatch: Dispatch) -> ModelInfo:
        model = dispatch.model or ""
        identity = self._names.identify(model)
        effort = dispatch.reasoning_effort
        known = self._estimator.of(identity.model, identity.id, identity.family, effort) or guess(self._registry.scale)
        price = self._prices.of(dispatch.provider, model)
        entry = self._pool.entry(dispatch)
        return ModelInfo(
            id=model,
            provider=dispatch.provider,
            tier=tier(known.score),
            aliases=self._aliases(dispatch),
            capability=known,
            context_length=None if price is None else price.context_length,
            price=price,
            strengths=list(entry.strengths) if entry is not None else [],
            in_pool=self._pool.holds(dispatch),
        )

    def _aliases(self, dispatch: Dispatch) -> list[str]:
        """Names that mean this model now: the user's tiers and aliases, then the built-in ones that are not taken."""
        mine = [name for name, wanted in self._own_names if is_model(dispatch, wanted)]
        taken = {name.lower() for name, _ in self._own_names}
        entry = self._names.identify(dispatch.model or "").model
        built_in = self._names.aliases_of(entry) if entry is not None else []
        return [*dict.fromkeys(mine), *(name for name in built_in if name not in taken)]

    def _own_tiers(self, info: ModelInfo) -> set[str]:
        is_ = self._canonical(Dispatch(executor="delegate", model=info.id, provider=info.provider))
        return {name for name, wanted in self._tiers if is_model(is_, wanted)}

    def _is_at(self, info: ModelInfo, slug: str) -> bool:
        model = self._names.identify(info.id).model
        return info.provider == slug or (model is not None and slug in model.served_as)

    def _is_newest(self, id_: str) -> bool:
        model = self._names.identify(id_).model
        return model is None or self._names.newest(model.family) is model

    def _report_row(self, model: Model) -> ReportRow:
        known = self._estimator.of(model, model.id, model.family, None) or guess(self._registry.scale)
        sources = self._registry.sources
        return ReportRow(
            id=model.id,
            provider=model.provider,
            family=model.family,
            released=model.released,
            score=known.score,
            se=known.se,
            tier=tier(known.score),
            path=known.path,
            source=known.source,
            weighted=model.weighted,
            fit=known.fit,
            fit_se=known.fit_se,
            figures=[
                Figure(benchmark=name, percent=percent, source=by, date=sources[by].date, url=sources[by].url)
                for name, (percent, by) in sorted(model.figures.items())
            ],
        )


def ranked_by(known: Capability) -> float:
    """The score that models are ranked by: the fit where there is one."""
    return known.score if known.fit is None else known.fit


def is_model(dispatch: Dispatch, wanted: Dispatch) -> bool:
    """Whether a canonical dispatch runs the wanted model, at the wanted provider where one is wanted."""
    return dispatch.model == wanted.model and wanted.provider in (None, dispatch.provider)


def _rank(info: ModelInfo) -> tuple[float, str, str]:
    return -ranked_by(info.capability), info.id, info.provider or ""

"""The catalogue: what a dispatch is, where it would run, what it costs, and how able it is."""

import contextlib
from collections.abc import Mapping, Sequence
from functools import lru_cache

import msgspec

from routerd.catalog import check, efforts, escalation, roles, text
from routerd.catalog.answers import Attributes, Figure, ModelInfo, ReportRow, Resolved, ResolveParams
from routerd.catalog.capability import TIERS, Capability, Estimator, tier
from routerd.catalog.names import MEMO_MAX, Identity, Names
from routerd.catalog.pool import Limits, Pool
from routerd.catalog.prices import Price, Prices
from routerd.catalog.providers import Providers
from routerd.catalog.registry import Model, Registry, load
from routerd.catalog.resolve import Resolver
from routerd.catalog.spelling import CHARS_MAX, parse
from routerd.config import Config
from routerd.errors import InvalidParams, RequestError
from routerd.events import Dispatch, Role, Tokens


class Catalog:
    """
    All that is known of models and providers, by the registry and the configuration.

    It is built once per configuration, never fails to build (`check` says what is wrong with the configuration), and
    holds no state but bounded memories of its own answers.

    Args:
        config: The configuration.
        env: The environment; only whether variables are set is looked at.
        registry: Instead of the packaged one.
    """

    def __init__(self, config: Config, env: Mapping[str, str], registry: Registry | None = None) -> None:
        self._config = config
        self._env = env
        self._registry = registry = load() if registry is None else registry
        self._estimator = Estimator(registry)
        self._providers = Providers(registry.providers, config.providers)
        self._names = Names(registry, self._providers, {**config.catalog.tiers, **config.catalog.aliases})
        self._prices = Prices(config.catalog.prices, self._names, self._providers, registry.date)
        self._identify = self._names.identify
        self.canonical = lru_cache(MEMO_MAX)(self._canonical)
        self.attributes = lru_cache(MEMO_MAX)(self._attributes)
        self._pool = Pool(config.pool.models, self._names, self.canonical)
        self._tiers = self._meanings(config.catalog.tiers)
        self._own_names = [*self._tiers, *self._meanings(config.catalog.aliases)]
        self._resolver = Resolver(
            config, env, names=self._names, providers=self._providers, pool=self._pool, canonical=self.canonical
        )

    def check(self) -> None:
        """
        Looks whether the configuration's models, providers, aliases and efforts exist.

        Raises:
            ConfigError: The first that does not, with its key.
        """
        check.check(self._config, self._names, self._providers)

    def warm(self) -> None:
        """Imports the price library and prices the registry, 0.4 s in all; prices come without a pause from then on."""
        self._prices.warm()
        self.models()

    # --- what a dispatch is ------------------------------------------------------------------------------------------

    def _canonical(self, dispatch: Dispatch) -> Dispatch:
        """
        The one spelling of a dispatch; `arm_id` of it is its arm. Called as `canonical`, which remembers.

        Aliases, dates, prefixes and the forms of Bedrock and Vertex are gone. A provider that nobody names is the one
        that the string tells, else the model's vendor, so that logs without a provider and clients that name it meet.
        Never fails: what is not known keeps a tidied spelling. Roles and agents stay as they are.
        """
        effort = _effort(dispatch.reasoning_effort)
        provider = (self._providers.canonical(dispatch.provider) or None) if dispatch.provider else None
        if not dispatch.model:
            return msgspec.structs.replace(dispatch, provider=provider, model=None, reasoning_effort=effort)
        identity, typed_provider = self._meant(dispatch.model)
        return msgspec.structs.replace(
            dispatch,
            provider=provider or typed_provider or identity.provider or identity.native,
            model=identity.id or None,
            reasoning_effort=effort or identity.effort,
        )

    def _attributes(self, dispatch: Dispatch) -> Attributes:
        """What the priors of a dispatch may use. Called as `attributes`, which remembers."""
        is_ = self.canonical(dispatch)
        known = self._capability(is_)
        price = self._prices.of(is_.provider, is_.model) if is_.model else None
        entry = self._pool.entry(is_)
        return Attributes(
            capability=_of_prior(known),
            capability_se=1.0 if known is None else known.se if known.fit_se is None else known.fit_se,
            log_price=None if price is None else price.log_blended,
            family=self._identify(is_.model).family if is_.model else None,
            provider=is_.provider,
            effort_level=efforts.position(is_.reasoning_effort),
            path=None if known is None else known.path if known.fit is None else "irt",
            executor=is_.executor,
            role=is_.role,
            strengths=entry.strengths if entry is not None else (),
        )

    def capability(self, dispatch: Dispatch) -> Capability | None:
        """How able a dispatch is, or None when nothing at all is known."""
        return self._capability(self.canonical(dispatch))

    def tier(self, dispatch: Dispatch) -> str | None:
        """The tier of its capability: frontier, advanced, mid or light; None when nothing is known."""
        known = self.capability(dispatch)
        return None if known is None else tier(known.score)

    def tiers(self, dispatch: Dispatch) -> frozenset[str]:
        """All names of its tier: that of its capability, and the user's own."""
        is_ = self.canonical(dispatch)
        own = {name for name, wanted in self._tiers if _is_model(is_, wanted)}
        standard = self.tier(is_)
        return frozenset(own if standard is None else {*own, standard})

    def in_pool(self, dispatch: Dispatch) -> bool:
        """Whether it may be recommended or resolved at all."""
        return self._pool.holds(self.canonical(dispatch))

    def limits(self, dispatch: Dispatch) -> Limits:
        """How far the pool lets it go."""
        entry = self._pool.entry(self.canonical(dispatch))
        return Limits() if entry is None else entry.limits

    def obstacle(self, dispatch: Dispatch) -> str | None:
        """Why it cannot run here, or None: outside the pool, or the key that the configuration names is not set."""
        is_ = self.canonical(dispatch)
        if not self._pool.holds(is_):
            return "outside the pool"
        variable = self._providers.missing_key(is_.provider, self._env) if is_.provider else None
        return None if variable is None else f"credential: {variable} is not set"

    def pool_dispatches(self) -> list[Dispatch]:
        """The entries of the pool as canonical dispatches, in the order of the configuration."""
        return [entry.dispatch for entry in self._pool.entries]

    # --- prices ------------------------------------------------------------------------------------------------------

    def price(self, provider: str | None, model: str | None, tokens: Tokens, at: float | None) -> float | None:
        """
        US dollars by list price, or None when nobody lists the model.

        Args:
            provider: As in a log or a dispatch; None where it is not said.
            model: As in a log or a dispatch.
            tokens: Of one unit of work.
            at: Unix seconds when it ran; None takes the prices of the registry's date.
        """
        found = self.list_price(provider, model, at)
        return None if found is None else found.of(tokens)

    def list_price(self, provider: str | None, model: str | None, at: float | None = None) -> Price | None:
        """The list price of a model, or None."""
        if not model or len(model) > CHARS_MAX:
            return None
        return self._prices.of(self._providers.canonical(provider) if provider else None, model, at)

    # --- lists for people and agents ---------------------------------------------------------------------------------

    def models(self, tier: str | None = None, provider: str | None = None) -> list[ModelInfo]:
        """
        The known models, the ablest first; those of the pool that the registry does not list among them.

        Args:
            tier: Only these: frontier, advanced, mid, light, or one of the user's own.
            provider: Only those that are named with this provider, or that it spells in its own way.
        """
        slug = self._providers.canonical(provider) if provider is not None else None
        found = {arm: info for arm, info in self._infos() if tier is None or tier in self.tiers(_dispatch(info))}
        chosen = [info for info in found.values() if slug is None or self._is_at(info, slug)]
        return sorted(chosen, key=self._rank)

    def prompt(self) -> str:
        """The list for a system prompt: the pool, or without one the newest model of each family."""
        infos = self.models()
        if self._pool.is_open:
            infos = [info for info in infos if self._is_newest(info.id)]
        return text.prompt([info for info in infos if info.in_pool])

    def report(self) -> list[ReportRow]:
        """All figures of every model of the registry, the ablest first."""
        rows = [self._report_row(model) for model in self._registry.models]
        return sorted(rows, key=lambda row: (-(row.fit or row.score or 0.0), row.id))

    # --- resolution --------------------------------------------------------------------------------------------------

    def resolve(self, params: ResolveParams, call: ResolveParams | None = None) -> Resolved:
        """
        What one task runs on; see `resolve.Resolver.resolve`.

        Args:
            params: What the task says.
            call: What is said for the whole call that the task is part of.

        Raises:
            InvalidParams: A string cannot be parsed, or the model takes no such effort.
            UnknownModel: There is no such model or provider, or the one does not serve the other.
            OutsidePool: It is not in the pool, and the configuration refuses such.
        """
        return self._resolver.resolve(params, call)

    def resolve_batch(
        self, tasks: Sequence[ResolveParams], call: ResolveParams | None = None
    ) -> list[Resolved | RequestError]:
        """Each task of a call by itself, in order; an error stands in the place of its task."""
        return self._resolver.batch(tasks, call)

    def role(self, role: Role | None, depth: int) -> tuple[Role | None, str | None]:
        """The role that a child of a task at `depth` gets, and a word where it is not the one asked for."""
        return roles.granted(role, depth, self._config.delegation)

    def may_delegate(self, depth: int) -> bool:
        """Whether a task at this depth may have children."""
        return roles.may_delegate(depth, self._config.delegation)

    @property
    def max_concurrent_children(self) -> int:
        """How many children a task may have at once."""
        return roles.max_children(self._config.delegation)

    def escalation(
        self,
        tried: Sequence[Dispatch],
        to: Dispatch,
        *,
        cost_usd: float | None = None,
        budget_usd: float | None = None,
    ) -> str | None:
        """Why a task may not go on to `to` after its failed attempts, or None if it may; see `escalation.refusal`."""
        return escalation.refusal(
            [self.canonical(dispatch) for dispatch in tried],
            self.canonical(to),
            rank=self._tier_rank,
            in_pool=self._pool.holds,
            cost_usd=cost_usd,
            budget_usd=budget_usd,
        )

    # --- inside ------------------------------------------------------------------------------------------------------

    def _meant(self, model: str) -> tuple[Identity, str | None]:
        """What a model string means; flags in it are read, and one too long to be a model stands for itself."""
        if len(model) > CHARS_MAX:
            return Identity(id=model, written=model), None
        if " " not in model.strip():
            return self._identify(model), None
        try:
            typed = parse(model)
        except InvalidParams:
            return self._identify(model), None
        return self._identify(typed.model), self._providers.canonical(typed.provider) if typed.provider else None

    def _capability(self, canonical: Dispatch) -> Capability | None:
        if canonical.model is None:
            return None
        identity = self._identify(canonical.model)
        return self._estimator.of(identity.model, identity.id, identity.family, canonical.reasoning_effort)

    def _meanings(self, written: Mapping[str, str]) -> list[tuple[str, Dispatch]]:
        """Names with the canonical dispatch of their model strings, its provider only where the string says one."""
        found = []
        for name, target in written.items():
            with contextlib.suppress(InvalidParams):  # `check` tells of it
                typed = parse(target)
                is_ = self.canonical(Dispatch(executor="delegate", model=typed.model, provider=typed.provider))
                said = typed.provider is not None or self._identify(typed.model).provider is not None
                found.append((name, is_ if said else msgspec.structs.replace(is_, provider=None)))
        return found

    def _tier_rank(self, dispatch: Dispatch) -> int | None:
        """The place of a dispatch among the user's tiers where it is in one, else among the four."""
        for at, (_, wanted) in enumerate(self._tiers):
            if _is_model(dispatch, wanted):
                return at
        standard = self.tier(dispatch)
        names = [name for name, _ in reversed(TIERS)]
        return None if standard is None or self._tiers else names.index(standard)  # type: ignore[arg-type]

    def _infos(self) -> list[tuple[tuple[str, str | None], ModelInfo]]:
        """Every model once per provider that the pool names for it, else once."""
        listed = [
            Dispatch(executor="delegate", model=model.id, provider=model.provider) for model in self._registry.models
        ]
        pooled = [d for d in self.pool_dispatches() if d.model is not None]
        elsewhere = {d.model for d in pooled if self._identify(d.model or "").native != d.provider}
        both = [*pooled, *(d for d in listed if d.model not in elsewhere)]
        unique = {(d.model or "", d.provider): d for d in both}
        return [(key, self._info(dispatch)) for key, dispatch in unique.items()]

    def _info(self, dispatch: Dispatch) -> ModelInfo:
        model = dispatch.model or ""
        known = self._capability(dispatch)
        price = self._prices.of(dispatch.provider, model)
        entry = self._pool.entry(dispatch)
        return ModelInfo(
            id=model,
            provider=dispatch.provider,
            tier=None if known is None else tier(known.score),
            aliases=self._aliases(dispatch),
            capability=known,
            context_length=None if price is None else price.context_length,
            price=price,
            strengths=list(entry.strengths) if entry is not None else [],
            in_pool=self._pool.holds(dispatch),
        )

    def _aliases(self, dispatch: Dispatch) -> list[str]:
        """Names that mean this model now: the user's tiers and aliases, then the built-in ones that are not taken."""
        mine = [name for name, wanted in self._own_names if _is_model(dispatch, wanted)]
        taken = {name.lower() for name, _ in self._own_names}
        entry = self._identify(dispatch.model or "").model
        built_in = self._names.aliases_of(entry) if entry is not None else []
        return [*dict.fromkeys(mine), *(name for name in built_in if name not in taken)]

    def _is_at(self, info: ModelInfo, slug: str) -> bool:
        model = self._identify(info.id).model
        return info.provider == slug or (model is not None and slug in model.served_as)

    def _is_newest(self, id_: str) -> bool:
        model = self._identify(id_).model
        return model is None or self._names.newest(model.family) is model

    @staticmethod
    def _rank(info: ModelInfo) -> tuple[float, str, str]:
        return -(_of_prior(info.capability) or 0.0), info.id, info.provider or ""

    def _report_row(self, model: Model) -> ReportRow:
        known = self._estimator.of(model, model.id, model.family, None)
        sources = self._registry.sources
        return ReportRow(
            id=model.id,
            provider=model.provider,
            family=model.family,
            released=model.released,
            score=None if known is None else known.score,
            se=None if known is None else known.se,
            tier=None if known is None else tier(known.score),
            path=None if known is None else known.path if known.fit is None else "irt",
            source="no figures, no size, no peer" if known is None else known.source,
            weighted=model.weighted,
            fit=None if known is None else known.fit,
            fit_se=None if known is None else known.fit_se,
            figures=[
                Figure(benchmark=name, percent=percent, source=by, date=sources[by].date, url=sources[by].url)
                for name, (percent, by) in sorted(model.figures.items())
            ],
        )


def _effort(written: str | None) -> str | None:
    """The canonical level; what is no level keeps a tidied spelling."""
    if written is None or not written.strip():
        return None
    return efforts.level(written) or written.strip().lower()


def _of_prior(known: Capability | None) -> float | None:
    """The score that models are ranked by: the fit where there is one."""
    if known is None:
        return None
    return known.score if known.fit is None else known.fit


def _dispatch(info: ModelInfo) -> Dispatch:
    return Dispatch(executor="delegate", model=info.id, provider=info.provider)


def _is_model(dispatch: Dispatch, wanted: Dispatch) -> bool:
    """Whether a canonical dispatch runs the wanted model, at the wanted provider where one is wanted."""
    return dispatch.model == wanted.model and wanted.provider in (None, dispatch.provider)

"""The catalogue: what a dispatch is, where it would run, what it costs, and how able it is."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

import msgspec

from routerd.catalog import check, efforts, escalation, questions, roles
from routerd.catalog.answers import Attributes, ModelInfo, ReportRow, Resolved, ResolveParams
from routerd.catalog.capability import TIERS, Capability, Estimator, guess, tier
from routerd.catalog.listing import Listing, is_model, ranked_by
from routerd.catalog.names import MEMO_MAX, Identity, Names
from routerd.catalog.pool import Limits, Pool
from routerd.catalog.prices import Price, Prices
from routerd.catalog.providers import Providers
from routerd.catalog.registry import Registry, load
from routerd.catalog.resolve import Resolver
from routerd.catalog.spelling import CHARS_MAX, parse
from routerd.config import Config
from routerd.errors import InvalidParams, NoArmLeft, RequestError
from routerd.events import Dispatch, Parent, Recommend, Role, Tokens, arm_id


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
        self._resolver = Resolver(
            config, env, names=self._names, providers=self._providers, pool=self._pool, canonical=self.canonical
        )
        self.reached = lru_cache(MEMO_MAX)(self._reached)
        self._fault = lru_cache(MEMO_MAX)(lambda dispatch: questions.fault(dispatch, self._names))
        self._listing = Listing(
            registry,
            estimator=self._estimator,
            names=self._names,
            providers=self._providers,
            prices=self._prices,
            pool=self._pool,
            tiers=self._tiers,
            aliases=self._meanings(config.catalog.aliases),
            canonical=self.canonical,
        )

    def check(self, file: str | None = None) -> None:
        """
        Looks whether the configuration's models, providers, aliases and efforts exist.

        Args:
            file: Where the configuration is from, for the message.

        Raises:
            ConfigError: The first that does not, with its key.
        """
        check.check(self._config, self._names, self._providers, file)

    def warm(self) -> None:
        """Imports the price library, prices the registry and makes the lists; they come without a pause afterwards."""
        for _ in self.warming():
            pass

    def warming(self) -> Iterator[None]:
        """The same in steps: the import takes some tenths of a second, the others a millisecond or so."""
        self._prices.load()
        yield
        for model in self._registry.models:
            self._prices.warm(model)
            yield
        self.models()
        yield
        self.prompt()

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
        known = self._known(is_)
        price = self._prices.of(is_.provider, is_.model) if is_.model else None
        return Attributes(
            capability=None if known is None else ranked_by(known),
            capability_se=1.0 if known is None else known.se if known.fit_se is None else known.fit_se,
            log_price=None if price is None else price.log_blended,
            family=self._identify(is_.model).family if is_.model else None,
            provider=is_.provider,
            effort_level=efforts.position(is_.reasoning_effort),
            path=None if known is None else known.path if known.fit is None else "irt",
            executor=is_.executor,
            role=is_.role,
            strengths=tuple(map(_kind, self._strengths(is_))),
        )

    def capability(self, dispatch: Dispatch) -> Capability | None:
        """How able the model of a dispatch is, and by which path that is known; None where it names no model."""
        is_ = self.canonical(dispatch)
        return (self._known(is_) or guess(self._registry.scale)) if is_.model else None

    def tier(self, dispatch: Dispatch) -> str | None:
        """The tier of its capability: frontier, advanced, mid or light; None when nothing is known of it."""
        known = self._known(self.canonical(dispatch))
        return None if known is None else tier(known.score)

    def tiers(self, dispatch: Dispatch) -> frozenset[str]:
        """All names of its tier: that of its capability, and the user's own."""
        is_ = self.canonical(dispatch)
        own = {name for name, wanted in self._tiers if is_model(is_, wanted)}
        standard = self.tier(is_)
        return frozenset(own if standard is None else {*own, standard})

    def tiers_of_parent(self, parent: Parent | None) -> frozenset[str]:
        """All names of the tier that the agent itself is in: as it says, and by the model that it runs on."""
        if parent is None:
            return frozenset()
        model = Dispatch(executor="delegate", provider=parent.provider, model=parent.model)
        return self.tiers(model) | ({parent.tier} if parent.tier else frozenset())

    def in_pool(self, dispatch: Dispatch) -> bool:
        """Whether it may be recommended or resolved at all."""
        return self._pool.holds(self.canonical(dispatch))

    def limits(self, dispatch: Dispatch) -> Limits:
        """How far the pool lets it go."""
        entry = self._pool.entry(self.canonical(dispatch))
        return Limits() if entry is None else entry.limits

    # --- what takes an arm out of a choice, or changes it; the words are for `removed_by` and warnings ----------------

    def missing_credential(self, dispatch: Dispatch) -> str | None:
        """Which key is missing that the configuration says it needs, or None. The agent itself needs none from us."""
        provider = self.canonical(dispatch).provider
        if dispatch.executor == "local" or provider is None:
            return None
        variable = self._providers.missing_key(provider, self._env)
        return None if variable is None else f"credential: {variable} is not set"

    def over_limit(self, dispatch: Dispatch, *, cost_usd: float, wall_time_ms: float) -> str | None:
        """Which limit of the pool a task that is expected to take so much would break, or None."""
        limits = self.limits(dispatch)
        if limits.max_cost_usd is not None and cost_usd > limits.max_cost_usd:
            return f"pool limit: max_cost_usd {limits.max_cost_usd:g}"
        if limits.max_wall_time_ms is not None and wall_time_ms > limits.max_wall_time_ms:
            return f"pool limit: max_wall_time_ms {limits.max_wall_time_ms}"
        return None

    def is_strong(self, dispatch: Dispatch, kind: str | None) -> bool:
        """Whether the pool says that it is good at a kind of task, as features spell it."""
        return kind is not None and _kind(kind) in map(_kind, self._strengths(self.canonical(dispatch)))

    def degraded(self, dispatch: Dispatch, depth: int) -> tuple[Dispatch, str | None]:
        """The dispatch with the role that a child of a task at `depth` gets, and a word where that is another one."""
        role, warning = self.role(dispatch.role, depth)
        return (dispatch if role == dispatch.role else msgspec.structs.replace(dispatch, role=role)), warning

    def check_request(self, request: Recommend) -> None:
        """
        Looks whether a client's own words for models, efforts and tiers mean anything; see `questions`.

        Raises:
            RequestError: The first that does not, with its place.
        """
        questions.check(request, self._fault, self._listing.check_tier)

    def pool_dispatches(self) -> list[Dispatch]:
        """The entries of the pool as canonical dispatches, in the order of the configuration."""
        return [entry.dispatch for entry in self._pool.entries]

    def named(self, asked: str) -> str:
        """The one spelling of a model that somebody asked for: an alias as it is, anything else by its id."""
        identity, _ = self._meant(asked)
        return asked.strip().lower() if identity.alias else identity.id

    def meets(self, asked: str, ran: str) -> bool:
        """Whether a model that ran is what somebody asked for; an alias is met by any model of its family."""
        wanted, did = self._meant(asked)[0], self._meant(ran)[0]
        if wanted.model is not None and wanted.model is did.model:
            return True
        same = wanted.id.partition(":")[0] == did.id.partition(":")[0]
        return same or (wanted.alias and wanted.family is not None and wanted.family == did.family)

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

        Raises:
            InvalidParams: There is no such tier.
            UnknownModel: There is no such provider.
        """
        return self._listing.models(tier, provider)

    def prompt(self) -> str:
        """The list for a system prompt: the pool, or without one the newest model of each family."""
        return self._listing.texts[0]

    def schema(self) -> str:
        """The description of a `model` parameter in an agent's own tool, with the pool in it."""
        return self._listing.texts[1]

    def report(self) -> list[ReportRow]:
        """All figures of every model of the registry, the ablest first."""
        return self._listing.report()

    # --- resolution --------------------------------------------------------------------------------------------------

    def resolve(self, params: ResolveParams) -> Resolved:
        """
        What one task runs on; see `resolve.Resolver.resolve`.

        Raises:
            InvalidParams: A string cannot be parsed, or the model takes no such effort.
            UnknownModel: There is no such model or provider, or the one does not serve the other.
            OutsidePool: It is not in the pool, and the configuration refuses such.
            NoArmLeft: After the failed attempts that `params` names it would be too far up, or over the budget.
        """
        resolved = self._resolver.resolve(params)
        if params.failed is not None or params.budget_usd is not None:
            self._guard(params, resolved.dispatch)
        return resolved

    def _guard(self, params: ResolveParams, to: Dispatch) -> None:
        named = enumerate(params.failed or ())
        tried = [escalation.attempt(one, params.parent, f"failed[{number}]") for number, one in named]
        refusal = self.escalation(tried, to, cost_usd=params.cost_usd, budget_usd=params.budget_usd)
        if refusal is not None:
            arm = arm_id(self.canonical(to))
            raise NoArmLeft(f"{arm}: {refusal}", {arm: f"escalation: {refusal}"})

    def _reached(self, dispatch: Dispatch, parent: Parent | None, depth: int) -> Resolved | None:
        """
        What a chosen dispatch resolves to: the model as its provider takes it, the endpoint, the credential's name.

        None where there is nothing to say: the agent itself, a dispatch that leaves the model to the agent, or one
        that does not resolve. Called as `reached`, which remembers.
        """
        if dispatch.executor == "local" or not (dispatch.model or dispatch.provider):
            return None
        try:
            found = self._resolver.resolve(
                ResolveParams(
                    model=dispatch.model or None,
                    provider=dispatch.provider or None,
                    reasoning_effort=dispatch.reasoning_effort or None,
                    parent=parent,
                    depth=depth,
                )
            )
        except RequestError:
            return None
        whole = msgspec.structs.replace(
            found.dispatch, agent=dispatch.agent, profile=dispatch.profile, role=dispatch.role
        )
        return msgspec.structs.replace(found, dispatch=whole)

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
        """
        What a model string means; flags in it are read, and one too long to be a model stands for itself.

        `provider:model`, which a request may not say, is taken apart here: some logs spell it so.
        """
        if len(model) > CHARS_MAX:
            return Identity(id=model, written=model), None
        if " " not in model.strip():
            provider = None
            while ":" in model and (found := self._names.invented(model)) is not None and found.known:
                provider, model = provider or found.provider, found.model
            return self._identify(model), provider
        try:
            typed = parse(model)
        except InvalidParams:
            return self._identify(model), None
        return self._identify(typed.model), self._providers.canonical(typed.provider) if typed.provider else None

    def _strengths(self, canonical: Dispatch) -> tuple[str, ...]:
        entry = self._pool.entry(canonical)
        return () if entry is None else entry.strengths

    def _known(self, canonical: Dispatch) -> Capability | None:
        """What is known of its model's capability, or None."""
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
        """
        The place of a dispatch among the tiers, the lowest 0: the user's own where there are any, else the four.

        What is in none of the user's own stands at the highest of them whose model is no abler than it is.
        """
        known = self._known(dispatch)
        if not self._tiers:
            names = [name for name, _ in reversed(TIERS)]
            return None if known is None else names.index(tier(known.score))
        for at, (_, wanted) in enumerate(self._tiers):
            if is_model(dispatch, wanted):
                return at
        if known is None:
            return None
        below = [at for at, (_, wanted) in enumerate(self._tiers) if self._is_no_abler(wanted, known)]
        return max(below, default=-1)

    def _is_no_abler(self, dispatch: Dispatch, than: Capability) -> bool:
        known = self._known(dispatch)
        return known is not None and ranked_by(known) <= ranked_by(than)


def _effort(written: str | None) -> str | None:
    """The canonical level; what is no level keeps a tidied spelling."""
    if written is None or not written.strip():
        return None
    return efforts.level(written) or written.strip().lower()


def _kind(word: str) -> str:
    """A kind of task as `features` spells it."""
    return word.strip().casefold()

"""
What a request runs on: model, provider, effort, role, endpoint and credential, each with where it comes from.

Whoever is nearest to the task decides: the task, then the call that it is part of, then the configured default, then
the parent. Model and provider are taken from one place, so that a model never meets a provider that was named for
another. A provider without a model runs, in this order, the call's model, its configured default, its own default, and
the parent's model with a warning. A model that a provider is known not to serve is refused, never replaced in silence.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from routerd.catalog import efforts
from routerd.catalog.answers import Call, Resolved, ResolveParams
from routerd.catalog.names import Identity, Names, bad_variant, level_of
from routerd.catalog.pool import Pool
from routerd.catalog.providers import Providers
from routerd.catalog.roles import brought_into_range, granted, max_children, may_delegate
from routerd.catalog.spelling import Typed, core, parse
from routerd.config import Config
from routerd.errors import InvalidParams, OutsidePool, UnknownModel
from routerd.events import Dispatch, Parent, arm_id

PREFIXES: Final = {"task": "", "call": "call.", "delegation": "delegation.", "parent": "parent."}
"""What stands before a member's name in a message, by who said it."""


class Ask(msgspec.Struct, frozen=True):
    """What one place says: the task, the call, the configuration or the parent."""

    place: str
    model: str | None = None
    provider: str | None = None
    effort: str | None = None

    def __bool__(self) -> bool:
        """Whether it says what to run on. A parent of which only the provider is known does not."""
        return self.model is not None or (self.provider is not None and self.place != "parent")


class Choice(msgspec.Struct, frozen=True):
    """A model at a provider, and who named the model; of an entry of the pool, the entry's dispatch."""

    text: str
    identity: Identity
    provider: str | None
    resolved_by: str
    entry: Dispatch | None = None


class Resolver:
    """Resolves requests. Holds no state of its own."""

    def __init__(
        self,
        config: Config,
        env: Mapping[str, str],
        *,
        names: Names,
        providers: Providers,
        pool: Pool,
        canonical: Callable[[Dispatch], Dispatch],
    ) -> None:
        self._config = config
        self._env = env
        self._names = names
        self._providers = providers
        self._pool = pool
        self._canonical = canonical

    def resolve(self, task: ResolveParams) -> Resolved:
        """
        What one task runs on.

        Args:
            task: What the task itself says, and what is said for the call that it is part of.

        Raises:
            InvalidParams: A string cannot be parsed, or the model takes no such effort.
            UnknownModel: There is no such model, or the provider does not serve it.
            OutsidePool: It is not in the pool, and the configuration refuses such.
        """
        warnings: list[str] = []
        asks = self._asks(task)
        choice = self._choose(asks, warnings)
        dispatch = self._dispatch(choice, asks, task, warnings)
        if not self._pool.holds(self._canonical(dispatch)):
            if (filled := self._pool.completed(dispatch, self._canonical(dispatch))) is not None:
                dispatch = filled
                warnings.append(f"the pool has it as {arm_id(self._canonical(dispatch))} only")
            else:
                choice = self._instead(choice, dispatch, warnings)
                dispatch = self._dispatch(choice, asks, task, warnings)
        if choice is None:
            warnings.append("no model is named anywhere: the agent's own default runs")
        return self._reached(dispatch, choice.resolved_by if choice else "inherit", task, warnings)

    # --- who says what -----------------------------------------------------------------------------------------------

    def _asks(self, task: ResolveParams) -> list[Ask]:
        call = task.call or Call()
        parent = task.parent or call.parent or Parent()
        default = self._config.delegation
        return [
            _ask("task", task.model, task.provider, task.reasoning_effort),
            _ask("call", call.model, call.provider, call.reasoning_effort),
            _ask("delegation", default.model, default.provider, default.reasoning_effort),
            Ask("parent", parent.model or None, parent.provider or None, parent.reasoning_effort or None),
        ]

    def _choose(self, asks: Sequence[Ask], warnings: list[str]) -> Choice | None:
        """Model and provider by the first place that says either; None when nobody does."""
        first = next((ask for ask in asks if ask), None)
        if first is None:
            return None
        if first.model is not None:
            return self._by_model(first.model, first, asks[asks.index(first) + 1 :], warnings)
        assert first.provider is not None
        return self._by_provider(self._slug(first), asks, warnings)

    def _by_model(self, text: str, ask: Ask, others: Sequence[Ask], warnings: list[str]) -> Choice:
        identity = self._identified(text, ask)
        spellings = (text, identity.id, identity.model.id) if identity.model else (text, identity.id)
        slug = self._slug(ask) if ask.provider else identity.provider or self._providers.lister(spellings)
        if identity.model is None and slug is None and ask.place != "parent":
            raise self._unknown(text)
        slug = slug or self._pool.provider_of(identity.id) or self._provider_for(identity, others)
        self._served(identity, text, slug)
        if slug is not None and self._providers.lists(slug, spellings) is False:
            warnings.append(f"providers.{slug}.models does not list {identity.id}")
        elif identity.model is None and (slug is None or not self._providers.lists(slug, spellings)):
            warnings.append(f"{text!r} is not in the registry; it goes to {slug or 'its provider'} as it is spelled")
        return Choice(text, identity, slug, ask.place)

    def _by_provider(self, slug: str, asks: Sequence[Ask], warnings: list[str]) -> Choice:
        """The four tiers of a provider without a model."""
        by_place = {ask.place: ask for ask in asks}
        if (call := by_place["call"]).model is not None:
            identity = self._identified(call.model, call)
            there = call.provider is None or self._providers.canonical(call.provider) == slug
            if there and self._serves(slug, identity):
                return Choice(call.model, identity, slug, "call")
            warnings.append(f"{call.model!r} is not served by {slug}; its default runs")
        if (default := self._providers.default_model(slug)) is not None:
            model, by = default
            identity = self._names.identify(parse(model, f"providers.{slug}.default_model").model)
            self._served(identity, model, slug)
            return Choice(model, identity, slug, by)
        parent = by_place["parent"]
        if parent.model is not None:
            identity = self._names.identify(parent.model)
            self._served(identity, parent.model, slug)
            if not self._serves(slug, identity):
                raise UnknownModel(
                    f"providers.{slug}.models does not list the parent's {parent.model[:80]!r}; name a model or set "
                    f"providers.{slug}.default_model",
                    {"provider": slug, "suggestions": []},
                )
            warnings.append(f"{slug} has no default model: the parent's {parent.model[:80]!r} is taken")
            return Choice(parent.model, identity, slug, "parent_model")
        raise UnknownModel(
            f"provider {slug} has no default model; name a model or set providers.{slug}.default_model",
            {"provider": slug, "suggestions": []},
        )

    def _serves(self, slug: str, identity: Identity) -> bool:
        """Whether a provider may serve a model, by what is known of it and by the user's list of its models."""
        if self._providers.lists(slug, (identity.written, identity.id)) is False:
            return False
        return self._providers.serves(slug, identity.model, identity.native)

    def _provider_for(self, identity: Identity, others: Sequence[Ask]) -> str | None:
        """The provider of a model that came without one: one named further off that serves it, else its vendor."""
        for other in others:
            slug = self._providers.canonical(other.provider) if other.provider else None
            if slug is not None and self._providers.serves(slug, identity.model, identity.native):
                return slug
        return identity.native

    # --- what cannot be ----------------------------------------------------------------------------------------------

    def _identified(self, text: str, ask: Ask) -> Identity:
        invented = self._names.invented(text)
        if invented is not None and (invented.known or ask.provider is None):
            raise UnknownModel(f"{text!r} {invented.reason}", {"suggestions": [invented.right]})
        identity = self._names.identify(text)
        if ask.provider is None and (wrong := bad_variant(identity)):
            raise UnknownModel(wrong, {"suggestions": [identity.id.partition(":")[0]]})
        return identity

    def _slug(self, ask: Ask) -> str:
        assert ask.provider is not None
        if ask.place == "parent":  # a log's own word for where it runs
            return self._providers.canonical(ask.provider)
        return self._providers.slug(ask.provider)

    def _served(self, identity: Identity, text: str, slug: str | None) -> None:
        if slug is None or self._providers.serves(slug, identity.model, identity.native):
            return
        right = f"{identity.id} --provider {identity.native}" if identity.native else identity.id
        raise UnknownModel(
            f"{slug} does not serve {text!r}; write {right!r}", {"provider": slug, "suggestions": [right]}
        )

    def _unknown(self, text: str) -> UnknownModel:
        near = self._names.suggestions(text)
        hint = f"did you mean {' or '.join(map(repr, near))}?" if near else "`routerctl models` lists the known ones"
        return UnknownModel(
            f"no such model {text[:80]!r}; {hint} (an unlisted model needs --provider)", {"suggestions": near}
        )

    def _instead(self, choice: Choice | None, dispatch: Dispatch, warnings: list[str]) -> Choice:
        """
        The pool's default in the place of a dispatch that is outside the pool.

        Raises:
            OutsidePool: Somebody asked for this dispatch, and the configuration refuses what is outside.
        """
        allowed = [arm_id(entry.dispatch) for entry in self._pool.entries]
        what = arm_id(self._canonical(dispatch))
        asked = choice is not None and choice.resolved_by not in ("parent", "parent_model")
        if (asked and self._config.pool.on_outside == "refuse") or not allowed:
            raise OutsidePool(
                f"{what} is outside the pool; allowed are {', '.join(allowed[:8])}", {"arm": what, "pool": allowed}
            )
        default = self._pool_default()
        warnings.append(f"{what} is outside the pool: {arm_id(default)} runs instead")
        model = default.model or ""
        return Choice(model, self._names.identify(model), default.provider, "pool_default", default)

    def _pool_default(self) -> Dispatch:
        """The configured delegation default where the pool holds it, else the pool's first entry."""
        said = self._config.delegation
        if said.model is not None:
            typed = parse(said.model, "delegation.model")
            provider = said.provider or typed.provider
            effort = said.reasoning_effort
            wanted = Dispatch(executor="delegate", model=typed.model, provider=provider, reasoning_effort=effort)
            if self._pool.holds(self._canonical(wanted)):
                return self._canonical(wanted)
        return self._pool.entries[0].dispatch

    # --- putting it together -----------------------------------------------------------------------------------------

    def _dispatch(
        self, choice: Choice | None, asks: Sequence[Ask], task: ResolveParams, warnings: list[str]
    ) -> Dispatch:
        role, note = granted(task.role, task.depth, self._config.delegation)
        if note is not None and note not in warnings:
            warnings.append(note)
        if choice is None:
            return Dispatch(executor="delegate", reasoning_effort=self._effort(None, asks, warnings), role=role)
        entry = choice.entry or Dispatch(executor="delegate")
        return Dispatch(
            executor="delegate",
            agent=entry.agent,
            profile=entry.profile,
            provider=choice.provider,
            model=self._spelled(choice) or None,
            reasoning_effort=entry.reasoning_effort or self._effort(choice, asks, warnings),
            role=entry.role or role,
        )

    def _spelled(self, choice: Choice) -> str:
        """The model as the client wrote it, aliases gone; where the provider spells a bare id otherwise, its way."""
        model, written = choice.identity.model, choice.identity.written
        served = model.served_as.get(choice.provider or "") if model else None
        if served is None or "/" in written or core(written).prefixes:
            return written
        return served + (f":{choice.identity.variant}" if choice.identity.variant else "")

    def _effort(self, choice: Choice | None, asks: Sequence[Ask], warnings: list[str]) -> str | None:
        said = next((ask for ask in asks if ask.effort is not None), None)
        own = choice.identity.effort if choice else None
        if own is not None and (said is None or said.place != "task"):
            return own
        if said is None or said.effort is None:
            return None
        if said.place == "parent" and efforts.level(said.effort) is None:
            return None  # a log's own word
        level = level_of(said.effort, f"{PREFIXES[said.place]}reasoning_effort")
        if choice is None:
            return level
        taken = self._providers.effort(choice.provider, choice.identity.model, level)
        if taken is None:
            reason = f"{choice.identity.id} takes no reasoning effort"
            if said.place in ("task", "call"):
                path = f"{PREFIXES[said.place]}reasoning_effort"
                raise InvalidParams(f"{path}: {reason}", {"path": path, "reason": reason})
            warnings.append(f"{reason}; {level} from the {said.place} is left out")
        elif taken != level:
            warnings.append(f"{choice.identity.id} at {choice.provider} takes {taken} for {level}")
        return taken

    def _reached(self, dispatch: Dispatch, by: str, task: ResolveParams, warnings: list[str]) -> Resolved:
        slug = dispatch.provider
        config = self._providers.config(slug) if slug else None
        endpoint = self._providers.endpoint(slug or "")
        credential = self._providers.credential(slug or "", self._env)
        if credential.kind == "env" and not credential.present:
            warnings.append(f"{credential.name} is not set here")
        elif credential.kind == "login":
            warnings.append(f"{slug} signs in by itself; whether it has cannot be seen from here")
        said = task if task.acp_command is not None or task.call is None else task.call
        command = said.acp_command or (config.acp_command if config else None)
        given = said.acp_args if said.acp_command else (config.acp_args if config else None)
        children = max_children(self._config.delegation) if may_delegate(task.depth, self._config.delegation) else 0
        if not children:
            warnings.append(f"a task at depth {task.depth} may have no children: delegation.max_spawn_depth")
        return Resolved(
            dispatch=dispatch,
            credential=credential,
            resolved_by=by,
            warnings=[*warnings, *endpoint.warnings, *brought_into_range(self._config.delegation)],
            max_concurrent_children=children,
            base_url=endpoint.base_url,
            api_mode=endpoint.api_mode,
            acp_command=command,
            acp_args=given if command is not None else None,
        )


def _ask(place: str, model: str | None, provider: str | None, effort: str | None) -> Ask:
    prefix = PREFIXES[place]
    typed = parse(model, f"{prefix}model") if model is not None else Typed("")
    if provider is not None and not provider.strip():
        raise InvalidParams(f"{prefix}provider: it is empty", {"path": f"{prefix}provider", "reason": "it is empty"})
    return Ask(place, typed.model or None, provider or typed.provider, effort)

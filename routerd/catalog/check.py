"""
Whether the configuration's words for models, providers and efforts mean anything.

Each mistake is one `ConfigError` with the key that holds it.
"""

from collections.abc import Iterator

from routerd.catalog import efforts
from routerd.catalog.names import AliasCycle, Identity, Names, bad_variant
from routerd.catalog.pool import as_model
from routerd.catalog.providers import Providers
from routerd.catalog.spelling import Typed, parse
from routerd.config import Config, PoolModel
from routerd.errors import ConfigError, InvalidParams, UnknownModel


def check(config: Config, names: Names, providers: Providers, file: str | None = None) -> None:
    """
    Reads every model string, provider and effort of the configuration; `file` stands for it in the message.

    Raises:
        ConfigError: The first that means nothing, with its key.
    """
    for mistake in Checker(config, names, providers).mistakes():
        raise ConfigError(mistake if file is None else f"{file}: {mistake}")


class Checker:
    """Finds mistakes; each is a line that begins with its key."""

    def __init__(self, config: Config, names: Names, providers: Providers) -> None:
        self._config = config
        self._names = names
        self._providers = providers

    def mistakes(self) -> Iterator[str]:
        """All of them, in the order of the tables."""
        for slug in self._config.providers:
            yield from self._provider(f"providers.{_member(slug)}", slug)
        for table, aliases in (("aliases", self._config.catalog.aliases), ("tiers", self._config.catalog.tiers)):
            for name, target in aliases.items():
                yield from self._alias(f"catalog.{table}.{_member(name)}", name, target)
        for model in self._config.catalog.prices:
            yield from _unparsed(f"catalog.prices.{_member(model)}", model)
        for at, written in enumerate(self._config.pool.models):
            yield from self._pool(f"pool.models[{at}]", written)
        yield from self._delegation()

    def _provider(self, key: str, slug: str) -> Iterator[str]:
        known, own = self._providers.get(self._providers.canonical(slug)), self._config.providers[slug]
        if known is None and not own.base_url and not own.acp_command:
            yield f"{key}: no such provider{self._slugs()}; one of your own needs a base_url or an acp_command"
        if own.default_model is not None:
            yield from self._default(f"{key}.default_model", own.default_model, self._providers.canonical(slug))
        for number, text in enumerate(own.models):
            yield from _unparsed(f"{key}.models[{number}]", text)
        for text in own.efforts:
            yield from _no_level(f"{key}.efforts", text)

    def _default(self, key: str, text: str, slug: str) -> Iterator[str]:
        """What a provider runs when no model is named must be a model that it serves."""
        mistakes = list(_unparsed(key, text))
        yield from mistakes
        if mistakes:
            return
        typed = parse(text, key)
        if typed.provider is not None and self._providers.canonical(typed.provider) != slug:
            yield f"{key}: it names another provider, {typed.provider[:60]!r}"
            return
        identity = self._names.identify(typed.model)
        yield from self._no_model(key, typed.model, identity, slug)
        if self._providers.lists(slug, (typed.model, identity.id)) is False:
            yield f"{key}: {typed.model[:80]!r} is not among providers.{slug}.models"

    def _alias(self, key: str, name: str, target: str) -> Iterator[str]:
        try:
            identity = self._names.check_alias(name)
            typed = parse(target)
        except AliasCycle as cycle:
            yield f"{key}: alias cycle {cycle}"
            return
        except InvalidParams as error:
            yield f"{key}: {_reason(error)}"
            return
        yield from self._no_provider(key, typed.provider)
        yield from self._no_model(key, typed.model, identity, identity.provider)

    def _pool(self, key: str, written: str | PoolModel) -> Iterator[str]:
        try:
            entry = as_model(written)
        except InvalidParams as error:
            yield f"{key}: {_reason(error)}"
            return
        yield from self._no_provider(key, entry.provider)
        yield from _no_level(key, entry.reasoning_effort)
        if entry.model is not None:
            yield from self._runnable(key, Typed(entry.model, entry.provider), key, entry.reasoning_effort)
        elif (entry.provider, entry.agent, entry.profile) == (None, None, None):
            yield f"{key}: it names no model, provider, agent or profile"

    def _delegation(self) -> Iterator[str]:
        said = self._config.delegation
        yield from _no_level("delegation.reasoning_effort", said.reasoning_effort)
        yield from self._no_provider("delegation.provider", said.provider)
        if said.model is None:
            return
        mistakes = list(_unparsed("delegation.model", said.model))
        yield from mistakes
        if not mistakes:
            typed = parse(said.model)
            wanted = Typed(typed.model, said.provider or typed.provider)
            effort_key = "delegation.reasoning_effort"
            yield from self._runnable("delegation.model", wanted, effort_key, said.reasoning_effort)

    def _runnable(self, key: str, typed: Typed, effort_key: str, effort: str | None) -> Iterator[str]:
        """A model that exists, at a provider that serves it, with an effort that it takes."""
        identity = self._names.identify(typed.model)
        provider = self._providers.canonical(typed.provider) if typed.provider else identity.provider
        yield from self._no_model(key, typed.model, identity, provider)
        level = efforts.level(effort) if effort is not None else None
        if level is not None and self._providers.effort(provider or identity.native, identity.model, level) is None:
            yield f"{effort_key}: {identity.id} takes no reasoning effort"

    def _no_model(self, key: str, text: str, identity: Identity, provider: str | None) -> Iterator[str]:
        invented = self._names.invented(text)
        if invented is not None and (invented.known or provider is None):
            yield f"{key}: {text[:80]!r} {invented.reason}"
        elif identity.model is None and provider is None:
            if self._providers.lister((text, identity.id)) is None:
                near = self._names.suggestions(text)
                hint = (
                    f"did you mean {' or '.join(map(repr, near))}?" if near else "`routerctl models` lists the known;"
                )
                yield f"{key}: no such model {text[:80]!r}; {hint} an unlisted one needs --provider"
        elif provider is None and (wrong := bad_variant(identity)):
            yield f"{key}: {wrong}"
        elif provider is not None and not self._providers.serves(provider, identity.model, identity.native):
            yield f"{key}: {provider} does not serve {text!r}"

    def _no_provider(self, key: str, provider: str | None) -> Iterator[str]:
        if provider is None:
            return
        try:
            self._providers.slug(provider)
        except UnknownModel as error:
            yield f"{key}: {error.message}"

    def _slugs(self) -> str:
        return f" (known: {', '.join(self._providers.slugs())})"


def _member(name: str) -> str:
    """A key of the user's own, fit for a line of text whatever it holds."""
    return name if name.isprintable() and len(name) <= 60 else repr(name[:60])


def _no_level(key: str, text: str | None) -> Iterator[str]:
    if text is not None and efforts.level(text) is None:
        yield f"{key}: no such reasoning effort {text[:40]!r}; known are {', '.join(efforts.LEVELS)}"


def _unparsed(key: str, text: str) -> Iterator[str]:
    try:
        parse(text)
    except InvalidParams as error:
        yield f"{key}: {_reason(error)}"


def _reason(error: InvalidParams) -> str:
    return str(error.data["reason"]) if error.data else error.message

"""Providers: their slugs, endpoints, credentials and efforts, with what the configuration says of them."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Final, Literal
from urllib.parse import urlsplit

import msgspec

from routerd.catalog import efforts
from routerd.catalog.efforts import nearest
from routerd.catalog.registry import Model, Provider
from routerd.catalog.spelling import words
from routerd.config import ProviderConfig
from routerd.errors import UnknownModel

API_MODES: Final = ("chat_completions", "codex_responses", "anthropic_messages", "bedrock_converse")


class Credential(msgspec.Struct, frozen=True, kw_only=True):
    """
    Where a key would be. Its value is never read: only whether the variable is set.

    Attributes:
        kind: `env`; `login` where the agent signs in by itself; `none` where nothing is needed or known.
        present: The variable is set and not empty. Of a login nothing is known, and it is not called present.
    """

    kind: Literal["env", "login", "none"]
    name: str
    present: bool


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """How a provider is reached."""

    base_url: str | None
    api_mode: str | None
    warnings: tuple[str, ...] = ()


class Providers:
    """
    The known providers and those that the configuration adds or changes.

    Args:
        known: The packaged ones.
        configured: The user's, by slug or by another name of a known one.
    """

    def __init__(self, known: Sequence[Provider], configured: Mapping[str, ProviderConfig]) -> None:
        self._known = {provider.slug: provider for provider in known}
        self._slugs = {_tidy(name): p.slug for p in known for name in (*p.aliases, p.slug)}
        self._vendors = {org: p.slug for p in known for org in p.orgs}
        self._names = {name: p.slug for p in known for name in p.names}
        self._variants = {variant: p.slug for p in known for variant in p.variants}
        for name in configured:
            self._slugs.setdefault(_tidy(name), _tidy(name))
        self._configured = {self.canonical(name): config for name, config in configured.items()}
        self._listed = {
            slug: {words(model) for model in config.models}
            for slug, config in sorted(self._configured.items())
            if config.models
        }

    def canonical(self, name: str) -> str:
        """The slug of a provider; one that is not known keeps its tidied spelling."""
        tidy = _tidy(name)
        return self._slugs.get(tidy, tidy)

    def is_known(self, name: str) -> bool:
        """Whether a name is a known or configured provider's."""
        return _tidy(name) in self._slugs

    def slugs(self) -> list[str]:
        """Slugs of all, sorted."""
        return sorted({*self._known, *self._configured})

    def slug(self, name: str, place: str = "") -> str:
        """
        The slug of a provider that somebody names.

        Args:
            name: As typed.
            place: Begins the message.

        Raises:
            UnknownModel: There is no such provider.
        """
        if self.is_known(name):
            return self.canonical(name)
        near = difflib.get_close_matches(_tidy(name)[:60], sorted(self._slugs), n=3, cutoff=0.6)
        hint = f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(self.slugs())}"
        data = {"provider": name[:60], "suggestions": near}
        raise UnknownModel(f"{place}no such provider {name[:60]!r}{hint}", data)

    def get(self, slug: str) -> Provider | None:
        """The packaged entry."""
        return self._known.get(slug)

    def config(self, slug: str) -> ProviderConfig | None:
        """What the configuration says of it."""
        return self._configured.get(slug)

    def vendor(self, part: str) -> str | None:
        """The vendor that a prefix before a slash stands for (`z-ai`, `meta-llama`)."""
        return self._vendors.get(part)

    def service(self, part: str) -> str | None:
        """The provider that a prefix before a slash names, unless it only names the vendor."""
        return None if part in self._vendors else self._slugs.get(_tidy(part))

    def vendor_of(self, name: str) -> str | None:
        """The vendor whose model names begin as `name` does."""
        first = words(name)[:2]
        return self._names.get("".join(first)) or self._names.get(first[0]) if first else None

    def of_variant(self, variant: str) -> str | None:
        """The only provider that has such a variant (`:free`)."""
        return self._variants.get(variant)

    def listed(self) -> list[tuple[str, str]]:
        """Provider and model, as the configuration lists them."""
        return [(slug, model) for slug, config in self._configured.items() for model in config.models]

    def lists(self, slug: str, spellings: Sequence[str]) -> bool | None:
        """Whether the configuration lists a model at a provider; None where it lists none."""
        listed = self._listed.get(slug)
        return None if listed is None else any(words(spelling) in listed for spelling in spellings)

    def lister(self, spellings: Sequence[str]) -> str | None:
        """The first configured provider, by slug, that lists a model."""
        return next((slug for slug in self._listed if self.lists(slug, spellings)), None)

    def serves(self, slug: str, model: Model | None, native: str | None) -> bool:
        """
        Whether a provider may serve a model; False only where it is known not to.

        Args:
            slug: The provider.
            model: Entry in the registry, or None.
            native: Vendor of the model, also of an unlisted one.
        """
        provider = self._known.get(slug)
        if provider is None or not provider.only_own or (model is None and native is None):
            return True
        return native in (slug, *provider.serves) or (model is not None and model.family in provider.families)

    def default_model(self, slug: str) -> tuple[str, str] | None:
        """What runs at a provider when no model is named, with who says so: the configuration or the provider."""
        config, known = self._configured.get(slug), self._known.get(slug)
        if config is not None and config.default_model:
            return config.default_model, "default_model"
        if known is not None and known.default_model:
            return known.default_model, "runtime_default"
        return None

    def endpoint(self, slug: str) -> Endpoint:
        """Base URL and API mode of a provider."""
        config, known = self._configured.get(slug), self._known.get(slug)
        own_url = config.base_url if config is not None else None
        base_url = own_url or (known.base_url if known is not None else None)
        wanted = config.api_mode if config is not None else None
        if wanted in API_MODES:
            return Endpoint(base_url=base_url, api_mode=wanted)
        detected = known.api_mode if known is not None and own_url is None else None
        if detected is None and base_url is not None:
            detected = mode_of_url(base_url)
        if wanted:
            note = f"providers.{slug}.api_mode: no such mode {wanted[:40]!r}; {detected} is taken from the URL"
            return Endpoint(base_url=base_url, api_mode=detected, warnings=(note,))
        return Endpoint(base_url=base_url, api_mode=detected)

    def credential(self, slug: str, env: Mapping[str, str]) -> Credential:
        """Which variable holds the key of a provider, and whether it is set."""
        config, known = self._configured.get(slug), self._known.get(slug)
        if config is not None and config.credential_env:
            name = config.credential_env
            return Credential(kind="env", name=name, present=bool(env.get(name)))
        if known is not None and known.login:
            return Credential(kind="login", name="", present=False)
        if known is None or not known.env:
            return Credential(kind="none", name="", present=True)
        name = next((candidate for candidate in known.env if env.get(candidate)), known.env[0])
        return Credential(kind="env", name=name, present=bool(env.get(name)))

    def missing_key(self, slug: str, env: Mapping[str, str]) -> str | None:
        """The variable that the configuration names for a provider, if it is not set.

        What is only usual is not demanded: agents also sign in by themselves, and a daemon has not their environment.
        """
        config = self._configured.get(slug)
        if config is None or not config.credential_env or env.get(config.credential_env):
            return None
        return config.credential_env

    def effort(self, slug: str | None, model: Model | None, level: str) -> str | None:
        """
        What a level becomes at a provider with a model: the nearest that it takes.

        Returns:
            The level, or None when the model takes none at all and `level` asks for one.
        """
        taken = self._taken(slug, model)
        if taken is None or level in taken:
            return level
        if not taken:
            return level if level == "none" else None
        return nearest(level, taken)

    def _taken(self, slug: str | None, model: Model | None) -> Sequence[str] | None:
        """
        The levels that a provider takes for a model; None where nobody knows.

        A model's own list is its vendor's word. Another provider passes on those of them that it knows itself, and what
        the configuration says of a provider leaves out the rest.
        """
        config = self._configured.get(slug) if slug else None
        known = self._known.get(slug) if slug else None
        listed: Sequence[str] | None = known.efforts if known is not None and known.efforts else None
        if model is not None and model.efforts is not None:
            listed = model.efforts if slug == model.provider else _common(model.efforts, listed)
        if config is None or not config.efforts:
            return listed
        said = [level for level in map(efforts.level, config.efforts) if level is not None]
        return listed if listed is not None and not listed else _common(said, listed)


def _common(levels: Sequence[str], others: Sequence[str] | None) -> Sequence[str]:
    """Those of `levels` that are among the others; all of them where that leaves none, or the others are unknown."""
    return [level for level in levels if others is None or level in others] or levels


def mode_of_url(url: str) -> str:
    """
    The API mode that a custom endpoint's URL tells by its suffix or host.

    `…/anthropic` and `…/messages` speak Anthropic's messages, `…/responses` and OpenAI's own host its responses,
    Bedrock its own; everything else is taken to speak chat completions.
    """
    try:
        parts = urlsplit(url.lower())
        path, host = parts.path.rstrip("/"), parts.hostname or ""
    except ValueError:  # a bracket that is not an address
        return "chat_completions"
    if path.endswith(("/anthropic", "/anthropic/v1", "/messages")) or host == "api.anthropic.com":
        return "anthropic_messages"
    if path.endswith("/responses") or host == "api.openai.com":
        return "codex_responses"
    if host.startswith("bedrock-runtime."):
        return "bedrock_converse"
    return "chat_completions"


def _tidy(name: str) -> str:
    return name.strip().lower().replace("_", "-").replace(" ", "-")

"""
Which model a string means: the index of names, aliases and tiers over the registry.

Two spellings of one model give one `Identity`. A model that the registry does not list keeps its tidied spelling and is
put into a family by its name, so that logs and clients still meet.
"""

import difflib
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

import msgspec

from routerd.catalog.efforts import LEVELS, level
from routerd.catalog.providers import Providers
from routerd.catalog.registry import Model, Registry
from routerd.catalog.spelling import Core, core, parse, words
from routerd.errors import InvalidParams

VARIANTS: Final = frozenset(
    [
        "free",
        "thinking",
        "extended",
        "fast",
        "nitro",
        "online",
        "floor",
        "exacto",
        "beta",
        "batch",
        "cloud",
        "highspeed",
    ]
)
_NOISE: Final = frozenset(
    [
        "instruct",
        "it",
        "chat",
        "preview",
        "exp",
        "experimental",
        "maas",
        "versatile",
        "instant",
        "fp8",
        "fp4",
        "hf",
        "default",
        "non",
        "reasoning",
    ]
)
"""Words at the end of a name that do not make it another model."""
_MODES: Final = {"thinking": "thinking", "fast": "fast", "highspeed": "fast"}
_SUGGESTIONS: Final = 3
MEMO_MAX: Final = 2048
"""Strings whose meaning is remembered: more than a user ever has, few enough to hold."""
_SIZE_WORD: Final = re.compile(r"(?<![a-z])\d+(?:\.\d+)?b(?![a-z])|(?<![a-z])a\d+b")
_TAG: Final = re.compile(r"(?:latest|\d+(?:\.\d+)?(?:x\d+(?:\.\d+)?)?[bm])(?![a-z0-9])")
"""What Ollama puts after a colon: `mistral:7b`, `qwen:0.5b-chat-q4_0`, `mistral:latest`."""


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """
    What a model string means.

    Attributes:
        id: Canonical spelling, with the variant after a colon.
        written: As it was written, once aliases are gone.
        model: The entry in the registry, or None.
        family: Family by the entry or by the name, or None.
        variant: As written after the colon.
        provider: The provider that the string itself names (`openrouter/…`, a Bedrock id, an alias with `--provider`).
        native: The vendor's own provider, or None.
        effort: The level that the string itself names (`gpt-5-high`).
        alias: The string was another name for a model (an alias, a tier, a family).
    """

    id: str
    written: str
    model: Model | None = None
    family: str | None = None
    variant: str | None = None
    provider: str | None = None
    native: str | None = None
    effort: str | None = None
    alias: bool = False


class Invented(msgspec.Struct, frozen=True):
    """
    A string of the form `provider:model`, taken apart.

    Attributes:
        known: There is such a provider; otherwise only the model is known.
        right: How it is written.
    """

    provider: str
    model: str
    known: bool
    right: str

    @property
    def reason(self) -> str:
        """What is wrong with it, and the right spelling."""
        return f"is not a model: a colon belongs to a model's variant; write {self.right!r}"


class AliasCycle(Exception):
    """Aliases that lead back to themselves; the names in order."""

    def __init__(self, chain: Sequence[str]) -> None:
        super().__init__(" → ".join(chain))


class Names:
    """
    The index.

    Args:
        registry: The packaged models.
        providers: Known providers, for prefixes and for the vendors of unlisted models.
        aliases: The user's aliases and tiers, name to model string; they stand before the built-in ones.
    """

    def __init__(self, registry: Registry, providers: Providers, aliases: Mapping[str, str]) -> None:
        self._providers = providers
        self._aliases = {name.strip().lower(): text for name, text in aliases.items()}
        self._models: dict[tuple[str, ...], Model] = {}
        self._families: dict[tuple[str, ...], str] = {}
        self._newest: dict[str, Model] = {}
        for model in registry.models:
            self._newest[model.family] = model
            self._families[_letters(model.id)] = model.family
            for name in (*model.spellings, model.id):
                self._models[words(name)] = model
        self._built_in = registry.aliases
        self._short = {words(family): family for family in self._newest}
        self._short |= {words(name): family for name, family in registry.aliases.items()}
        self.identify = lru_cache(MEMO_MAX)(self._identify_safely)
        self._grams = {
            name: _grams(name) for name in (*(m.id for m in registry.models), *registry.aliases, *self._aliases)
        }

    def aliases_of(self, model: Model) -> list[str]:
        """The built-in short names that stand for a model now."""
        return [name for name, family in self._built_in.items() if self._newest[family] is model]

    def newest(self, family: str) -> Model | None:
        """The newest model of a family."""
        return self._newest.get(family)

    def _identify_safely(self, text: str) -> Identity:
        """
        What a model string means; never fails. Called as `identify`, which remembers.

        Args:
            text: A model without flags. Aliases that lead in a circle stand for themselves.
        """
        try:
            return self._identify(text, ())
        except (AliasCycle, InvalidParams):
            return self._bare(text)

    def check_alias(self, name: str) -> Identity:
        """
        What an alias means in the end.

        Raises:
            AliasCycle: It leads back to itself.
            InvalidParams: What it stands for cannot be parsed.
        """
        return self._identify(name, ())

    def invented(self, text: str) -> Invented | None:
        """
        `provider:model` taken apart, or None where a colon is a variant's or a tag's, or there is none.

        Agents invent this form. It is one if a provider's name stands before the colon, or a model's behind it.
        """
        head, colon, tail = text.strip().partition(":")
        if not colon or not tail or tail.lower() in VARIANTS or _TAG.match(tail.lower()):
            return None
        identity = self.identify(text)
        if identity.model is not None and not identity.alias and "/" not in tail:
            return None
        if "/" not in head and self._providers.is_known(head):
            slug = self._providers.canonical(head)
            return Invented(slug, tail, known=True, right=f"{tail} --provider {slug}")
        if identity.model is None and self.identify(tail).model is not None:
            return Invented(head, tail, known=False, right=tail)
        return None

    def suggestions(self, text: str) -> list[str]:
        """The known names most like `text`, the likest first."""
        grams = _grams(core(text).name)
        near = sorted(
            self._grams, key=lambda name: (-len(grams & self._grams[name]) / len(grams | self._grams[name]), name)
        )
        return difflib.get_close_matches(core(text).name, near[:12], n=_SUGGESTIONS, cutoff=0.5)

    def _identify(self, text: str, chain: tuple[str, ...]) -> Identity:
        name = text.strip().lower()
        if name in chain:
            raise AliasCycle([*chain[chain.index(name) :], name])
        if (target := self._aliases.get(name)) is not None:
            typed = parse(target, f"alias {name}")
            if typed.model.lower() == name:  # a name may be narrowed to a provider: glm-4.7 = "glm-4.7 --provider zai"
                found = self._bare(typed.model) if typed.provider else self._identify(typed.model, (*chain, name))
            else:
                found = self._identify(typed.model, (*chain, name))
            provider = self._providers.canonical(typed.provider) if typed.provider else found.provider
            return msgspec.structs.replace(found, provider=provider, alias=True)
        return self._bare(text)

    def _bare(self, text: str) -> Identity:
        """A name that is no alias of the user's."""
        packed = core(text)
        provider = next((slug for part in packed.prefixes if (slug := self._providers.service(part))), None)
        name_words = words(packed.name)
        model, mode, effort = self._match(packed)
        alias, variant = False, packed.variant or mode
        if variant is not None and model is not None and self._models.get((*name_words, *words(variant))) is model:
            variant = None  # gpt-oss:20b, the size as a tag
        elif variant is not None and _TAG.match(variant):
            model = None  # deepseek-r1:8b is not the model that has 671b
        elif model is None and variant in (None, *VARIANTS) and (family := self._short.get(name_words)) is not None:
            model, alias = self._newest[family], True
        if model is None:
            return self._unlisted(packed, provider, text.strip())
        if provider is None and variant is not None:
            provider = self._providers.of_variant(variant)
        canonical = model.id + (f":{variant}" if variant else "")
        return Identity(
            id=canonical,
            written=canonical if alias or effort or " " in text.strip() else text.strip(),
            model=model,
            family=model.family,
            variant=variant,
            provider=provider,
            native=model.provider,
            effort=effort,
            alias=alias,
        )

    def _match(self, packed: Core) -> tuple[Model | None, str | None, str | None]:
        """The model of a name, less and less literally, with the mode and the effort that were part of the name."""
        rest = words(packed.name)
        if packed.variant and (model := self._models.get((*rest, *words(packed.variant)))) is not None:
            return model, None, None
        mode = effort = None
        while rest:
            if (model := self._models.get(rest)) is not None:
                return model, mode, effort
            last, drop = rest[-1], 1
            if last in LEVELS and effort is None and last not in ("none", "max", "ultra"):
                effort = last
            elif last in _MODES and mode is None:
                mode = _MODES[last]
            elif _month_and_day(rest):
                drop = 2
            elif last not in _NOISE and not _stamp(last):
                return None, None, None
            rest = rest[:-drop]
        return None, None, None

    def _unlisted(self, packed: Core, provider: str | None, written: str) -> Identity:
        letters = _letters(packed.name)
        family = next((f for n in range(len(letters), 0, -1) if (f := self._families.get(letters[:n]))), None)
        native = self._newest[family].provider if family else self._providers.vendor_of(packed.name)
        orgs = [part for part in packed.prefixes if self._providers.service(part) is None]
        if native is None:
            native = next((slug for part in orgs if (slug := self._providers.vendor(part))), None)
        strange = [part for part in orgs if self._providers.vendor(part) is None]
        variant = packed.variant
        return Identity(
            id="/".join([*strange, packed.name]) + (f":{variant}" if variant else ""),
            written=written,
            family=family,
            variant=variant,
            provider=provider,
            native=native,
        )


def bad_variant(identity: Identity) -> str | None:
    """What is wrong with the variant of a listed model, or None; of what is not listed nobody knows."""
    variant = identity.variant
    if identity.model is None or variant is None or variant in VARIANTS:
        return None
    base = identity.id.partition(":")[0]
    if level(variant) is not None:
        return f"{base} has no variant {variant!r}: a reasoning effort is named apart, as reasoning_effort"
    return f"{base} has no variant {variant[:40]!r}; known variants are {', '.join(sorted(VARIANTS))}"


def level_of(text: str, path: str = "reasoning_effort") -> str:
    """
    The canonical level that a text names.

    Raises:
        InvalidParams: There is no such level.
    """
    if (found := level(text)) is None:
        reason = f"no such level {text[:40]!r}; known are {', '.join(LEVELS)}"
        raise InvalidParams(f"{path}: {reason}", {"path": path, "reason": reason})
    return found


def _letters(name: str) -> tuple[str, ...]:
    """The words of a name without versions and sizes: the same for all models of a family."""
    return tuple(word for word in words(_SIZE_WORD.sub("", name.lower())) if word.isalpha() and word not in _NOISE)


def _stamp(word: str) -> bool:
    """A date of four digits (0613, 2507) or a revision (001); a version has fewer."""
    return word.isdigit() and len(word) in (3, 4)


def _month_and_day(rest: Sequence[str]) -> bool:
    """The name ends in a month and a day (05-06)."""
    return len(rest) > 2 and all(word.isdigit() and len(word) == 2 for word in rest[-2:])


def _grams(name: str) -> frozenset[str]:
    return frozenset(name[i : i + 2] for i in range(max(1, len(name) - 1)))

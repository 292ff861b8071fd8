"""
Model strings as people and programs write them, taken apart without knowing any model.

    typed      opus · glm-4.7 · glm-4.7:free · claude-opus-5 --provider openrouter · --global opus
    services   anthropic/claude-opus-5 · openrouter/z-ai/glm-4.7 · accounts/fireworks/models/glm-4p7 · @cf/meta/llama-…
    Bedrock    us.anthropic.claude-sonnet-4-5-20250929-v1:0 · arn:aws:bedrock:…:inference-profile/…
    Vertex     claude-sonnet-4-5@20250929 · publishers/anthropic/models/claude-…

A colon belongs to the variant of a model (`:free`, `:thinking`); a provider is named by `--provider`.
"""

import re
from typing import Final

import msgspec

from routerd.errors import InvalidParams

CHARS_MAX: Final = 256
"""Longer than any id in use: a Bedrock ARN has some 150."""

_UNPRINTABLE: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufeff\u200b-\u200f]")
_DATE: Final = re.compile(r"[-@](?:20\d{6}|20\d\d-[01]\d-[0-3]\d)(?=$|[-:])")
_AT_VERSION: Final = re.compile(r"@(?:default|latest|\d{3})$")
_REVISION: Final = re.compile(r"(?:-v?\d+)?:\d+$|-v\d+$")
_BEDROCK: Final = re.compile(
    r"^(?:(?:us|us-gov|eu|apac|jp|au|ca|sa|global|regional)\.)?"
    r"(?:anthropic|amazon|meta|mistral|deepseek|qwen|openai|cohere|ai21|writer|nvidia|moonshotai|moonshot|minimax|zai|google)"
    r"\.(?=[a-z])"
)
_FIREWORKS_POINT: Final = re.compile(r"(?<=\d)p(?=\d)")
_WORD: Final = re.compile(r"[a-z]+|\d+")
_SPELLING: Final = "write MODEL, an alias, or MODEL --provider SLUG"


class Typed(msgspec.Struct, frozen=True):
    """What somebody typed: a model, and a provider where `--provider` names one."""

    model: str
    provider: str | None = None


class Core(msgspec.Struct, frozen=True):
    """
    A model string without what services put around the name.

    Attributes:
        name: Lower case; no date, revision, prefix or `-latest`.
        variant: What follows the colon.
        prefixes: Parts before the name, the first first: services, vendors, or anything.
    """

    name: str
    variant: str | None = None
    prefixes: tuple[str, ...] = ()


def parse(text: str, path: str = "model") -> Typed:
    """
    A typed model string.

    Args:
        text: As typed; `--global` is ignored.
        path: The member or key that holds it, for the message.

    Raises:
        InvalidParams: It is empty, too long, holds control characters or a flag other than `--provider`.
    """

    def refused(reason: str) -> InvalidParams:
        return InvalidParams(f"{path}: {reason}", {"path": path, "reason": reason})

    if len(text) > CHARS_MAX:
        raise refused(f"{len(text)} characters are no model; {_SPELLING}")
    if _UNPRINTABLE.search(text):
        raise refused(f"control characters are in no model's name; {_SPELLING}")
    words, provider = [], None
    rest = iter(text.split())
    for word in rest:
        flag, equals, value = word.partition("=")
        if flag == "--provider":
            provider = value if equals else next(rest, "")
            if not provider or provider.startswith("-"):
                raise refused(f"--provider needs a slug; {_SPELLING}")
        elif word.startswith("--") and word != "--global":
            raise refused(f"no such flag {word[:40]!r}; {_SPELLING}")
        elif word != "--global":
            words.append(word)
    if not words:
        raise refused(f"no model is named; {_SPELLING}")
    return Typed(" ".join(words), provider)


def core(text: str) -> Core:
    """What a model string says once the service's packing is off; never fails."""
    name = text.strip().lower().lstrip("~").replace(" ", "-")
    prefixes: list[str] = []
    if name.startswith("arn:aws:bedrock:"):
        prefixes.append("bedrock")
        name = name.rpartition("/")[2]
    name = name.replace("[1m]", "")  # a long context window of the same model, as Claude Code writes it
    *path, name = name.split("/")
    prefixes += _places(path)
    if bare := _BEDROCK.sub("", name):
        if bare != name:
            prefixes.append("bedrock")
        name = bare
    if "bedrock" in prefixes:
        name = _REVISION.sub("", name)
    if "fireworks" in prefixes:
        name = _FIREWORKS_POINT.sub(".", name)
    if "@" in name:
        prefixes.append("vertex")
    name, _, variant = name.partition(":")
    name = _AT_VERSION.sub("", _DATE.sub("", name)).removesuffix("-latest").strip()
    return Core(name, None if variant in ("", "latest", "0") else variant, tuple(prefixes))


def _places(path: list[str]) -> list[str]:
    """The service that a path before a model's name stands for, or the parts of the path."""
    if path[:2] == ["accounts", "fireworks"]:
        return ["fireworks"]
    if path[:1] == ["@cf"]:
        return ["cloudflare"]
    if "publishers" in path:
        return ["vertex"]
    if path == ["models"]:
        return ["google"]
    return [part for part in path if part]


def words(name: str) -> tuple[str, ...]:
    """Runs of letters and of digits: equal for `glm-4.7`, `GLM 4-7` and `glm4.7`, not for `glm-47`."""
    return tuple(_WORD.findall(name.lower()))

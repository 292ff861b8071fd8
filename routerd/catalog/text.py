"""
Texts that a model reads: how models are named, and which there are.

Every one of them shows the three spellings and warns against `provider:model`, which agents invent. The same models
give the same bytes.
"""

from collections.abc import Sequence
from typing import Final

from routerd.catalog.answers import ModelInfo
from routerd.catalog.capability import TIERS


def spellings(model: str = "glm-4.7", provider: str = "zai", alias: str = "opus") -> str:
    """How a model is named, by example."""
    return (
        f"Name a model in one of three ways: its id ({model}), an alias ({alias}), or an id at one provider "
        f"({model} --provider {provider}). Never write provider:model (not {provider}:{model}): a colon belongs to a "
        f"model's variant, as in {model}:free."
    )


LIST_MODELS: Final = (
    "Lists the models that work may be handed to: the ablest first, with tier, price, context length and strengths. "
    + spellings()
)
"""Description of a `list_models` tool."""

RESOLVE: Final = "Says what a model string means, where it would run, and what is missing for that. " + spellings()
"""Description of a `resolve` tool."""


def prompt(models: Sequence[ModelInfo]) -> str:
    """The ranked, tiered list for a system prompt; `models` in rank order."""
    if not models:
        return "No model is available for delegation.\n" + spellings() + "\n"
    named = next((m for m in models if m.provider), models[0])
    alias = next((name for m in models for name in m.aliases), "opus")
    lines = ["Models that work may be handed to, the ablest first in each tier.", ""]
    for tier, _ in TIERS:
        rows = [_line(model) for model in models if model.tier == tier]
        lines += [tier, *rows, ""] if rows else []
    unknown = [_line(model) for model in models if model.tier is None]
    lines += ["not rated", *unknown, ""] if unknown else []
    return "\n".join([*lines, spellings(named.id.partition(":")[0], named.provider or "openrouter", alias)]) + "\n"


def _line(model: ModelInfo) -> str:
    said = [f"- {model.id}"]
    if model.provider:
        said.append(f"--provider {model.provider}")
    if model.aliases:
        said.append(f"({', '.join(model.aliases)})")
    facts = []
    if model.context_length:
        facts.append(f"{_count(model.context_length)} context")
    if model.price:
        facts.append(f"${model.price.input:g} in, ${model.price.output:g} out per million tokens")
    if model.strengths:
        facts.append(f"good at {', '.join(model.strengths)}")
    return " ".join(said) + (": " + "; ".join(facts) if facts else "")


def _count(tokens: int) -> str:
    return f"{tokens / 1e6:.3g}M" if tokens >= 1_000_000 else f"{tokens / 1e3:.0f}k"

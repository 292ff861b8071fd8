"""
Texts that a model reads: how models are named, and which there are.

Every one of them shows the three spellings and warns against `provider:model`, which agents invent; `tool` adds that to
a description of one's own. The same models give the same bytes.
"""

from collections.abc import Sequence
from typing import Final

from routerd.catalog.answers import ModelInfo
from routerd.catalog.capability import TIERS

NAMED_MAX: Final = 12
"""So many models are named in the description of a parameter where no pool bounds them."""


def spellings(model: str = "glm-4.7", provider: str = "zai", alias: str = "opus") -> str:
    """How a model is named, by example."""
    return (
        f"Name a model in one of three ways: its id ({model}), an alias ({alias}), or an id at one provider "
        f"({model} --provider {provider}). Never write provider:model (not {provider}:{model}): a colon belongs to a "
        f"model's variant, as in {model}:free."
    )


def tool(description: str) -> str:
    """The description of a tool that takes or gives models, with how they are named."""
    return f"{description.rstrip()} {spellings()}"


LIST_MODELS: Final = tool(
    "Lists the models that work may be handed to: the ablest first, with tier, price, context length and strengths."
)
"""Description of a `list_models` tool."""

RESOLVE: Final = tool("Says what a model string means, where it would run, and what is missing for that.")
"""Description of a `resolve` tool."""


def prompt(models: Sequence[ModelInfo]) -> str:
    """The ranked, tiered list for a system prompt; `models` in rank order."""
    if not models:
        return "No model is available for delegation.\n" + spellings() + "\n"
    lines = ["Models that work may be handed to, the ablest first in each tier.", ""]
    rated = [model for model in models if model.capability.path != "effort"]
    for tier, _ in TIERS:
        rows = [_line(model) for model in rated if model.tier == tier]
        lines += [tier, *rows, ""] if rows else []
    others = [_line(model) for model in models if model.capability.path == "effort"]
    lines += ["not rated", *others, ""] if others else []
    return "\n".join([*lines, _spellings_of(models)]) + "\n"


def schema(models: Sequence[ModelInfo], *, closed: bool) -> str:
    """
    The description of a `model` parameter in an agent's own tool, such as Hermes' `delegate_task`.

    Args:
        models: Those of the pool, or the newest of each family, in rank order.
        closed: No other is allowed.
    """
    named = list(dict.fromkeys(_named(model) for model in models))
    more = "" if closed or len(named) <= NAMED_MAX else ", and more"
    shown = ", ".join(named if closed else named[:NAMED_MAX]) + more
    which = f"Allowed, the ablest first: {shown}. " if closed else f"Known, the ablest first: {shown}. "
    head = "Model that the task runs on; leave it out and the one that suits the task is chosen. "
    return head + (which if named else "") + _spellings_of(models)


def _spellings_of(models: Sequence[ModelInfo]) -> str:
    """The spellings by examples that are true of these models."""
    if not models:
        return spellings()
    named = next((m for m in models if m.provider), models[0])
    alias = next((name for m in models for name in m.aliases), "opus")
    return spellings(named.id.partition(":")[0], named.provider or "openrouter", alias)


def _named(model: ModelInfo) -> str:
    return model.id + (f" (good at {', '.join(model.strengths)})" if model.strengths else "")


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

"""`routerctl models`: which models there are, how able and how dear."""

import os
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter

from routerd.catalog import Catalog
from routerd.cli.common import DEFAULTS, Common, ask_or, own_config, show
from routerd.cli.view import console, table


def models(
    *,
    tier: str | None = None,
    provider: str | None = None,
    prompt: Annotated[bool, Parameter(negative=())] = False,
    report: Annotated[bool, Parameter(negative=())] = False,
    common: Common = DEFAULTS,
) -> int:
    """Which models there are, how able and how dear. Works without a daemon.

    Example: routerctl models --tier frontier

    Parameters
    ----------
    tier: str
        frontier, advanced, mid, light, or a name of your own from the configuration.
    prompt: bool
        The list as text for an agent's system prompt; the same bytes each time.
    report: bool
        Where each score comes from, with its standard error.
    """
    if prompt:
        text = Catalog(own_config(), os.environ).prompt()
        return show({"prompt": text}, common, lambda one: print(one["prompt"]))

    def alone() -> Any:
        return {"models": msgspec.to_builtins(Catalog(own_config(), os.environ).models(tier, provider))}

    answer = ask_or("models", {"tier": tier, "provider": provider}, common, alone)
    return show(answer, common, render_report if report else render)


def render(answer: dict[str, Any]) -> None:
    """The ablest first."""
    out = console()
    if not answer["models"]:
        out.print("no model is known by that tier or provider")
        return
    rows = [
        (
            one["id"],
            one["provider"] or "",
            one["tier"] or "?",
            "?" if one["capability"] is None else f"{one['capability']['score']:.2f}",
            "" if not one.get("context_length") else f"{one['context_length'] // 1000}k",
            _price(one.get("price") or {}),
            ", ".join(one["aliases"]),
            "" if one["in_pool"] else "outside the pool",
        )
        for one in answer["models"]
    ]
    headings = ("model", "provider", "tier", "score", "context", "$ in/out per 1M", "aliases", "")
    out.print(table(headings, rows, right=(3, 4, 5)))


def render_report(answer: dict[str, Any]) -> None:
    """Where each score comes from."""
    rows = [
        (
            one["id"],
            one["tier"] or "?",
            f"{one['capability']['score']:.3f}",
            f"{one['capability']['se']:.3f}",
            one["capability"]["path"],
            str(one["capability"]["source"]),
        )
        for one in answer["models"]
        if one["capability"] is not None
    ]
    console().print(table(("model", "tier", "score", "s.e.", "path", "source"), rows, right=(2, 3)))


def _price(price: dict[str, Any]) -> str:
    numbers = [price.get("input"), price.get("output")]
    return "/".join("?" if number is None else f"{number:g}" for number in numbers)

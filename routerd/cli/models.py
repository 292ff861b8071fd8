"""`routerctl models`: which models there are, how able and how dear."""

import os
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter

from routerd.catalog import Catalog
from routerd.catalog.registry import load
from routerd.cli.common import DEFAULTS, Common, ask_or, own_config, show
from routerd.cli.view import console, print_table


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
    provider: str
        Only what this provider serves.
    prompt: bool
        The list as text for an agent's system prompt; the same bytes each time.
    report: bool
        Of every model of the registry: score, standard error, tier, path, and the figures with their sources.
    """
    if report:
        return show(_report(tier, provider), common, render_report)

    def alone() -> Any:
        catalog = Catalog(own_config(), os.environ)
        found = msgspec.to_builtins(catalog.models(tier, provider))
        return {"models": found, "prompt": catalog.prompt(), "schema": catalog.schema()}

    answer = ask_or("models", {"tier": tier, "provider": provider}, common, alone)
    if prompt:
        return show({"prompt": answer["prompt"]}, common, lambda one: print(one["prompt"], end=""))
    show(answer, common, render)
    return 0 if answer["models"] else 1


def _report(tier: str | None, provider: str | None) -> dict[str, Any]:
    """
    All that the registry holds, and its sources. It is packaged, so no daemon is asked.

    Raises:
        RequestError: There is no such tier or provider.
    """
    catalog = Catalog(own_config(), os.environ)
    asked = {info.id for info in catalog.models(tier, provider)}
    rows = [row for row in catalog.report() if row.id in asked]
    return {"models": msgspec.to_builtins(rows), "sources": msgspec.to_builtins(load().sources)}


def render(answer: dict[str, Any]) -> None:
    """The ablest first."""
    out = console()
    if not answer["models"]:
        out.print("no model is known of that tier at that provider")
        return
    rows = [
        (
            one["id"],
            one["provider"] or "",
            one["tier"],
            f"{one['capability']['score']:.2f}",
            "" if not one.get("context_length") else f"{one['context_length'] // 1000}k",
            _price(one.get("price") or {}),
            ", ".join(one["aliases"]),
            "" if one["in_pool"] else "outside",
        )
        for one in answer["models"]
    ]
    headings = ("model", "provider", "tier", "score", "context", "$ in/out per 1M", "aliases", "pool")
    print_table(out, headings, rows, right=(3, 4, 5), less=("context", "tier", "aliases", "provider"))


NARROW = 110
"""Below so many columns there is room for the figures only where others are left out."""


def render_report(answer: dict[str, Any]) -> None:
    """Where each score comes from, and where its figures come from."""
    out = console()
    rows = [
        (
            one["id"],
            f"{one['score']:.3f}",
            f"{one['se']:.3f}",
            one["tier"],
            one["path"],
            "" if one["fit"] is None else f"{one['fit']:.3f}±{one['fit_se']:.3f}",
            _figures(one),
        )
        for one in answer["models"]
    ]
    headings = ("model", "score", "s.e.", "tier", "path", "IRT fit", "figures, with their source")
    print_table(
        out, headings, rows, right=(1, 2, 5), less=("IRT fit", "s.e.", "path", "tier") if out.width < NARROW else ()
    )
    used = {figure["source"] for one in answer["models"] for figure in one["figures"]}
    out.print("\nsources:")
    for name, source in answer["sources"].items():
        if name in used:
            said = (
                f"{source['title']}, {source['date']}, {source['licence']}, {source['url']} at {source['commit'][:8]}"
            )
            out.print(f"  {name}: {said}", soft_wrap=True)


def _figures(row: dict[str, Any]) -> str:
    """Figures in percent, those of one source together; for a model without any what stands in for them."""
    by_source: dict[str, list[str]] = {}
    for figure in row["figures"]:
        by_source.setdefault(figure["source"], []).append(f"{figure['benchmark']} {figure['percent']:g}")
    return "; ".join(f"{', '.join(found)} [{by}]" for by, found in by_source.items()) or row["source"]


def _price(price: dict[str, Any]) -> str:
    numbers = [price.get("input"), price.get("output")]
    return "/".join("?" if number is None else f"{number:g}" for number in numbers)

"""`routerctl resolve MODEL`: what a model string means."""

import os
from typing import Annotated, Any, Literal

import msgspec
from cyclopts import Parameter

from routerd.catalog import Catalog
from routerd.cli.common import DEFAULTS, Common, ask_or, own_config, show
from routerd.cli.recommend import _set
from routerd.cli.view import console


def resolve(
    model: str | None = None,
    *,
    provider: str | None = None,
    reasoning_effort: str | None = None,
    parent_provider: str | None = None,
    parent_model: str | None = None,
    role: Literal["leaf", "orchestrator"] | None = None,
    depth: int | None = None,
    global_: Annotated[bool, Parameter(name="--global", negative=())] = False,
    common: Common = DEFAULTS,
) -> int:
    """What a model string means: the model, who serves it, and which credential it needs. Works without a daemon.

    Example: routerctl resolve sonnet --provider openrouter

    Parameters
    ----------
    model: str
        An id (glm-4.7), an alias (opus), or nothing: then the configured default decides.
    provider: str
        Who is to serve it.
    global_: bool
        Ignored; accepted because people type it.
    """
    parent = _set({"provider": parent_provider, "model": parent_model})
    params = {
        "model": model,
        "provider": provider,
        "reasoning_effort": reasoning_effort,
        "parent": parent or None,
        "role": role,
        "depth": depth,
    }

    def alone() -> Any:
        from routerd.rpc.messages import ResolveParams  # noqa: PLC0415

        wanted = msgspec.convert(_set(params), ResolveParams)
        return msgspec.to_builtins(Catalog(own_config(), os.environ).resolve(wanted))

    return show(ask_or("resolve", params, common, alone), common, render)


def render(answer: dict[str, Any]) -> None:
    """A line for each thing that is known."""
    out = console()
    dispatch = answer["dispatch"]
    out.print(" ".join(f"{name}={value}" for name, value in dispatch.items()), style="bold")
    out.print(f"resolved by {answer['resolved_by']}")
    if answer.get("base_url"):
        out.print(f"at {answer['base_url']} ({answer.get('api_mode') or 'mode unknown'})")
    credential = answer["credential"]
    out.print(f"credential ${credential['name']}: {'set' if credential['present'] else 'not set'}")
    for warning in answer["warnings"]:
        out.print(f"warning: {warning}")

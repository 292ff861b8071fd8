"""`routerctl resolve MODEL`: what a model string means."""

import os
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from routerd.cli.common import DEFAULTS, Common, ask_or, own_config, show
from routerd.cli.recommend import _set
from routerd.cli.view import console
from routerd.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console


def resolve(
    model: str | None = None,
    *,
    provider: str | None = None,
    reasoning_effort: str | None = None,
    role: Literal["leaf", "orchestrator"] | None = None,
    depth: int | None = None,
    call_model: str | None = None,
    call_provider: str | None = None,
    call_reasoning_effort: str | None = None,
    parent_model: str | None = None,
    parent_provider: str | None = None,
    parent_reasoning_effort: str | None = None,
    failed: Annotated[list[str] | None, Parameter(negative=())] = None,
    cost_usd: float | None = None,
    budget_usd: float | None = None,
    acp_command: str | None = None,
    acp_args: Annotated[list[str] | None, Parameter(negative=(), name="--acp-arg", allow_leading_hyphen=True)] = None,
    global_: Annotated[bool, Parameter(name="--global", negative=())] = False,
    common: Common = DEFAULTS,
) -> int:
    """What a model string means: the model, who serves it, and which credential it needs. Works without a daemon.

    Example: routerctl resolve sonnet --provider openrouter

    Parameters
    ----------
    model: str
        An id (glm-4.7), an alias (opus), or nothing: then the call, the configured default or the parent decides.
    provider: str
        Who is to serve it.
    reasoning_effort: str
        none, minimal, low, medium, high, xhigh, max or ultra; it becomes the nearest that is taken there.
    role: str
        The role that the child is to have; too deep, an orchestrator is a leaf.
    depth: int
        Of the task that asks; a child is one deeper.
    call_model: str
        Said for a whole call of which this is one task.
    call_provider: str
        Likewise.
    call_reasoning_effort: str
        Likewise.
    parent_model: str
        What the asking agent itself runs on.
    parent_provider: str
        Who serves that.
    parent_reasoning_effort: str
        The effort at which it runs.
    failed: list[str]
        What this task was tried on before and failed, in order; the answer is at most one tier higher for each.
    cost_usd: float
        What the next attempt is expected to cost.
    budget_usd: float
        What is left for it.
    acp_command: str
        How an agent is started that speaks ACP; it comes back as it is.
    acp_args: list[str]
        One of its arguments; likewise.
    global_: bool
        Ignored; accepted because people type it.
    """
    call = {"model": call_model, "provider": call_provider, "reasoning_effort": call_reasoning_effort}
    parent = {"model": parent_model, "provider": parent_provider, "reasoning_effort": parent_reasoning_effort}
    params = {
        "model": model,
        "provider": provider,
        "reasoning_effort": reasoning_effort,
        "role": role,
        "depth": depth,
        "call": _set(call) or None,
        "parent": _set(parent) or None,
        "failed": failed or None,
        "cost_usd": cost_usd,
        "budget_usd": budget_usd,
        "acp_command": acp_command,
        "acp_args": acp_args or None,
    }

    def alone() -> Any:
        import msgspec  # noqa: PLC0415

        from routerd.catalog import Catalog, ResolveParams  # noqa: PLC0415
        from routerd.rpc.jsonrpc import explain  # noqa: PLC0415

        try:
            wanted = msgspec.convert(_set(params), ResolveParams)
        except msgspec.ValidationError as error:
            raise UsageError(": ".join(explain(str(error)))) from None
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
    if answer.get("acp_command"):
        out.print(" ".join(["started by", answer["acp_command"], *(answer.get("acp_args") or ())]))
    if "provider" in dispatch:
        _credential(answer["credential"], out)
    for warning in answer["warnings"]:
        out.print(f"warning: {warning}")


def _credential(credential: dict[str, Any], out: "Console") -> None:
    if credential["kind"] == "env":
        out.print(f"credential ${credential['name']}: {'set' if credential['present'] else 'not set'}")
    else:
        out.print("credential: " + ("the agent's own login" if credential["kind"] == "login" else "none needed"))

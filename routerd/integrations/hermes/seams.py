"""
How a pick reaches a child in Hermes 0.17 to 0.21, which have no place for it.

Three functions of Hermes' `tools.delegate_tool` are wrapped, the first time that a call comes: `delegate_task`, to see
who delegates; `_build_child_agent`, which a child's model, provider and credentials are given to; `_load_config`, from
which that takes the effort. A fourth, `_resolve_delegation_credentials`, is called as Hermes calls it, so that
credentials stay Hermes' own matter.

They are private, so each is looked at first: a function that lacks a parameter which is needed here is not touched, and
neither is what depends on it. Outside a call of ours the wrappers do nothing.
"""

from __future__ import annotations

import functools
import inspect
import logging
import weakref
from contextvars import ContextVar

from routerd.integrations.hermes import PLUGIN, tasks
from routerd.integrations.hermes.call import CALL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import ModuleType
    from typing import Any

    from routerd.integrations.hermes.call import Call, Pick

    Consider = Callable[[Call, Mapping[str, Any], Any], str | None]

log = logging.getLogger(__name__)

ASKING = {"delegate_task": {"goal", "context", "tasks", "role", "parent_agent"}}
ROUTING: dict[str, set[str]] = {
    "_build_child_agent": {
        *("task_index", "model", "parent_agent", "role"),
        *("override_provider", "override_base_url", "override_api_key", "override_api_mode"),
    },
    "_resolve_delegation_credentials": {"cfg", "parent_agent"},
    "_load_config": set(),
}
"""The parameters that each function must have."""
CALLED_HERE = ("_resolve_delegation_credentials", "_load_config")
"""Of these, no others may be required."""

FROM_CREDENTIALS = {
    "model": "model",
    "override_provider": "provider",
    "override_base_url": "base_url",
    "override_api_key": "api_key",
    "override_api_mode": "api_mode",
    "override_request_overrides": "request_overrides",
    "override_max_tokens": "max_output_tokens",
    "override_acp_command": "command",
    "override_acp_args": "args",
}
"""Which of the builder's parameters takes which part of resolved credentials; older builders lack the last ones."""

MARK = "__routerd__"
EFFORT: ContextVar[str | None] = ContextVar("routerd_effort", default=None)
"""The effort of the child that is being built."""


def install(tool: ModuleType, consider: Consider, *, routes: bool) -> tuple[bool, bool]:
    """
    Wraps what can be wrapped of `tools.delegate_tool`; what is wrapped already stays so.

    Args:
        tool: The module.
        consider: Called with a call, its arguments and the delegating agent; gives the answer that stands for the
            whole call, or None where Hermes is to go on.
        routes: Also the functions through which a pick reaches a child.

    Returns:
        Whether the delegating agent can be seen, and whether picks can reach children.
    """
    asks = _fits(tool, ASKING)
    builds = routes and _fits(tool, ROUTING)
    if asks:
        _wrap(tool, "delegate_task", lambda original: _asking(original, consider))
    if builds:
        _wrap(tool, "_load_config", _with_effort)
        _wrap(tool, "_build_child_agent", lambda original: _building(original, tool))
    if not asks or (routes and not builds):
        log.warning("%s: this version of Hermes delegates in a way that is not known here: it is only watched", PLUGIN)
    return asks, builds


def _fits(tool: ModuleType, wanted: Mapping[str, set[str]]) -> bool:
    for name, parameters in wanted.items():
        function = getattr(tool, name, None)
        try:
            found = inspect.signature(function).parameters  # type: ignore[arg-type]
        except (TypeError, ValueError):
            return False
        required = {n for n, p in found.items() if p.default is p.empty and p.kind is not p.VAR_KEYWORD}
        if not parameters <= found.keys() or (name in CALLED_HERE and not required <= parameters):
            return False
    return True


def _wrap(tool: ModuleType, name: str, wrapped: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    original = getattr(tool, name)
    if getattr(original, MARK, False):
        return
    wrapper = functools.wraps(original)(wrapped(original))
    setattr(wrapper, MARK, True)
    setattr(tool, name, wrapper)


def _asking(original: Callable[..., Any], consider: Consider) -> Callable[..., Any]:
    signature = inspect.signature(original)

    def delegate_task(*args: Any, **kwargs: Any) -> Any:
        call = CALL.get()
        if call is not None and not call.asked:
            arguments = signature.bind(*args, **kwargs).arguments
            answer = consider(call, arguments, arguments.get("parent_agent"))
            if answer is not None:
                return answer
        return original(*args, **kwargs)

    return delegate_task


def _building(original: Callable[..., Any], tool: ModuleType) -> Callable[..., Any]:
    signature = inspect.signature(original)

    def build_child_agent(*args: Any, **kwargs: Any) -> Any:
        call = CALL.get()
        if call is None:
            return original(*args, **kwargs)
        given = signature.bind(*args, **kwargs)
        parent = given.arguments.get("parent_agent")
        pick = call.pick(given.arguments.get("task_index"), getattr(parent, "session_id", None))
        if pick is None:
            return original(*args, **kwargs)
        pick.built = True
        child = _routed(original, given, tool, call, pick)
        child = original(*args, **kwargs) if child is None else child
        pick.child = _reference(child)
        return child

    return build_child_agent


def _routed(
    original: Callable[..., Any], given: inspect.BoundArguments, tool: ModuleType, call: Call, pick: Pick
) -> Any:
    """The child on its route; None where there is none or it cannot be taken, and Hermes is to build its own."""
    if pick.route is None:
        return None
    token = EFFORT.set(pick.route.get("reasoning_effort") if tasks.effort_in(call.section) is None else None)
    try:
        overrides = _overrides(tool, call, pick.route, given.arguments["parent_agent"])
        given.arguments.update({n: value for n, value in overrides.items() if n in given.signature.parameters})
        child = original(*given.args, **given.kwargs)
    except Exception as error:
        pick.state = f"left to Hermes, which cannot run it: {error}"
        return None
    finally:
        EFFORT.reset(token)
    pick.state = "applied"
    return child


def _overrides(tool: ModuleType, call: Call, route: Mapping[str, Any], parent: Any) -> dict[str, Any]:
    """What the builder is given in the place of what Hermes had."""
    role = {"role": route["role"]} if route.get("role") else {}
    provider = route.get("provider")
    if provider is None or provider == getattr(parent, "provider", None):
        return {"model": route["model"], **role}
    credentials = _credentials(tool, call, provider, route["model"], parent)
    return {name: credentials[part] for name, part in FROM_CREDENTIALS.items() if part in credentials} | role


def _credentials(tool: ModuleType, call: Call, provider: str, model: str, parent: Any) -> Mapping[str, Any]:
    """As Hermes resolves them for `delegation.provider`; it knows a few providers by another name only."""
    section = {**call.section, "model": model}
    try:
        found: Mapping[str, Any] = tool._resolve_delegation_credentials({**section, "provider": provider}, parent)
    except ValueError:
        if provider not in tasks.SPELT_BY_HERMES:
            raise
        found = tool._resolve_delegation_credentials({**section, "provider": tasks.SPELT_BY_HERMES[provider]}, parent)
    return found


def _with_effort(original: Callable[..., Any]) -> Callable[..., Any]:
    def load_config(*args: Any, **kwargs: Any) -> Any:
        section = original(*args, **kwargs)
        effort = EFFORT.get()
        return section if effort is None or not isinstance(section, dict) else {**section, "reasoning_effort": effort}

    return load_config


def _reference(child: Any) -> Callable[[], Any] | None:
    try:
        return weakref.ref(child)
    except TypeError:
        return None

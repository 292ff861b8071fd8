"""
How a pick reaches a child in Hermes 0.22.5 and later: a *delegation provider*, chosen by `delegation.backend: routerd`.

Hermes asks the provider for the route of each task. The seam fails closed: a provider that raises makes the tool fail.
So this one never does: where routerd has nothing to say it answers as Hermes' own provider would, and with an empty
route, which stands for the parent's, where that cannot be asked.

What Hermes hands to `route_task` is plain data; which argument is the task is told by its goal.
"""

from __future__ import annotations

import importlib
import logging
from contextlib import suppress
from time import monotonic

from routerd.integrations.hermes import PLUGIN, config, tasks
from routerd.integrations.hermes.call import CALL, Call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from routerd.integrations.hermes.call import Pick
    from routerd.integrations.hermes.plugin import Plugin

log = logging.getLogger(__name__)

DEFAULT_BACKEND = "default"
SILENCE_S = 1.0
"""Tasks of one call are routed within so long, and one call waits for routerd once."""
ROUTE = (
    *("model", "provider", "base_url", "api_key", "api_mode", "request_overrides"),
    *("reasoning_effort", "fallback_providers", "service_tier"),
)
"""The words of a route; the section uses the same."""


def offer(ctx: Any, plugin: Plugin) -> bool:
    """Registers the provider; False where this Hermes has no place for one, and picks take another way."""
    register = getattr(ctx, "register_delegation_provider", None)
    if not callable(register):
        return False
    try:
        base = importlib.import_module("agent.delegation_provider").DelegationProvider
        register(_made(base, plugin))
    except Exception as error:
        plugin.trouble = f"Hermes does not take routerd as a delegation provider: {error}"
        log.warning("%s: %s", PLUGIN, plugin.trouble)
    return True


def _made(base: type, plugin: Plugin) -> Any:
    """A provider of the class that this Hermes wants."""

    class RouterdProvider(base):  # type: ignore[misc]
        name = PLUGIN
        display_name = PLUGIN

        def is_available(self, *_: Any, **__: Any) -> bool:
            return True

        def route_task(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
            route = None
            with suppress(Exception):
                route = _route(plugin, (*args, *kwargs.values()))
            return _default(args, kwargs) if route is None else route

    return RouterdProvider()


def _route(plugin: Plugin, values: tuple[Any, ...]) -> dict[str, Any] | None:
    """The route of a task, or None where Hermes is to choose."""
    task = next(_tasks(values), None)
    if task is None or plugin.mode() != "enforce":
        return None
    call = CALL.get()
    if call is None or not call.asked:
        call = _alone(plugin, task)
    pick = None if call is None else _pick_of(call, task)
    if call is None or pick is None or pick.route is None or not _reachable(pick, pick.route):
        return None
    pick.state = "applied"
    kept = {"role"} if tasks.effort_in(call.section) is None else {"role", "reasoning_effort"}
    return {name: value for name, value in pick.route.items() if name not in kept}


def _alone(plugin: Plugin, task: dict[str, Any]) -> Call | None:
    """A task that does not come through the middleware. A daemon that was silent is not asked about the next ones."""
    if monotonic() < plugin.silent_until:
        return None
    call = Call("enforce", str(task.get("session_id") or ""), "", plugin.patience_s)
    plugin.ask(call, task, None)
    if not any(pick.decision for pick in call.picks):
        plugin.silent_until = monotonic() + SILENCE_S
    return call


def _tasks(values: tuple[Any, ...]) -> Iterator[dict[str, Any]]:
    """What looks like a task: an object with a goal, or one that holds it as `task`."""
    for value in values:
        if isinstance(value, dict):
            inner = value.get("task")
            for one in (value, inner):
                if isinstance(one, dict) and isinstance(one.get("goal"), str):
                    yield one


def _pick_of(call: Call, task: dict[str, Any]) -> Pick | None:
    """The first pick for this goal that was not taken yet, else the last for it."""
    alike = [pick for pick in call.picks if pick.task["goal"] == task["goal"]]
    return next((pick for pick in alike if pick.state != "applied"), alike[-1] if alike else None)


def _reachable(pick: Pick, route: dict[str, Any]) -> bool:
    """Whether Hermes has credentials for a route, whose provider is then spelt its way. Without any the call fails."""
    provider = route.get("provider")
    if provider is None:  # the parent's
        return True
    try:
        resolve = importlib.import_module("hermes_cli.runtime_provider").resolve_runtime_provider
    except (ImportError, AttributeError):
        return True
    for name in (provider, tasks.SPELT_BY_HERMES.get(provider, provider)):
        with suppress(Exception):
            if resolve(requested=name, target_model=route["model"]).get("api_key"):
                route["provider"] = name
                return True
    pick.state = f"left to Hermes, which has no credentials for {provider}"
    return False


def _default(args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """What Hermes' own provider answers to the same question; without it what the section says, else nothing."""
    with suppress(Exception):
        own = importlib.import_module("agent.delegation_registry").get_provider(DEFAULT_BACKEND)
        route = own.route_task(*args, **kwargs)
        if isinstance(route, dict):
            return route
    with suppress(Exception):
        section = config.section()
        return {name: section[name] for name in ROUTE if section.get(name) not in (None, "")}
    return {}

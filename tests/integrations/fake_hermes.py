"""
A small Hermes, true in what a plugin sees of it: the context, the chain of middleware, hooks, commands, and a
`tools.delegate_tool` whose functions have the signatures of 0.17 or 0.19 and find each other as module globals do.

A `Core` is the same with the seam that 0.22.5 is documented to have, `ctx.register_delegation_provider` and
`delegation.backend`. No such version is on PyPI, so it follows the documentation: a provider is of Hermes' own class,
gives a plain route per task, an empty route is the parent's, and whatever fails there makes the tool fail.
"""

import abc
import inspect
import itertools
import json
import threading
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

EFFORTS = ("minimal", "low", "medium", "high", "xhigh", "max", "ultra")
PROVIDERS: dict[str, dict[str, Any]] = {
    "deepseek": {"base_url": "https://deepseek.test/v1", "api_key": "key-d", "max_output_tokens": 4096},
    "zai": {"base_url": "https://zai.test/v1", "api_key": "key-z", "request_overrides": {"x": 1}},
}


SESSIONS = itertools.count(1)
CALLS = itertools.count(0xA1B2C3D4E5)
"""Ids of calls, which no two calls of a provider share."""


class Agent:
    """An agent of Hermes, as far as anybody looks at it."""

    def __init__(self, session_id: str, **members: Any) -> None:
        self.session_id = session_id
        self.provider: str | None = members.get("provider", "custom")
        self.model: str | None = members.get("model", "stub-big")
        self.base_url: str | None = members.get("base_url", "http://parent.test/v1")
        self.api_key: str | None = members.get("api_key", "key-parent")
        self.reasoning_config: dict[str, Any] | None = members.get("reasoning_config")
        self.max_tokens: int | None = members.get("max_tokens")
        self.request_overrides: dict[str, Any] = members.get("request_overrides") or {}
        self.platform: str = members.get("platform", "cli")
        self.role: str = members.get("role", "leaf")
        self._delegate_depth: int = members.get("depth", 0)

    @property
    def effort(self) -> str | None:
        """As it would go to the model."""
        reasoning = self.reasoning_config
        return None if reasoning is None else reasoning.get("effort", "none")

    @property
    def ran(self) -> tuple[str | None, str | None, str | None, str | None]:
        """Provider, model, effort and key: what the endpoint would see."""
        return (self.provider, self.model, self.effort, self.api_key)


class Context:
    """What a plugin's `register` is given."""

    def __init__(self) -> None:
        self.middleware: dict[str, list[Callable[..., Any]]] = {}
        self.hooks: dict[str, list[Callable[..., Any]]] = {}
        self.commands: dict[str, Callable[..., Any]] = {}

    def register_middleware(self, kind: str, callback: Callable[..., Any]) -> None:
        self.middleware.setdefault(kind, []).append(callback)

    def register_hook(self, name: str, callback: Callable[..., Any]) -> None:
        self.hooks.setdefault(name, []).append(callback)

    def register_command(
        self, name: str, handler: Callable[..., Any], description: str = "", args_hint: str = ""
    ) -> None:
        self.commands[name] = handler


class Hermes:
    """
    A running Hermes.

    Attributes:
        section: `delegation:` of its configuration.
        tool: Its module `tools.delegate_tool`; tests may give it other functions, as other versions have.
        children: Every child that was built, in order.
        ends: How children end, by goal: what the hook and the result say of them.
        accounts: Providers that it has credentials for.
        background: Delegations return a handle at once, and their children run on a thread until `join`.
    """

    def __init__(
        self, home: str = "/home/u/.hermes", section: dict[str, Any] | None = None, *, old: bool = False
    ) -> None:
        self.home = home
        self.section: dict[str, Any] = {"model": "", "provider": "", "max_spawn_depth": 2, **(section or {})}
        self.context = Context()
        self.children: list[Agent] = []
        self.ends: dict[str, dict[str, Any]] = {}
        self.accounts = dict(PROVIDERS)
        self.background = False
        self._may_end = threading.Event()
        self._threads: list[threading.Thread] = []
        self.tool = ModuleType("tools.delegate_tool")
        self.tool._load_config = lambda: self.section  # type: ignore[attr-defined]
        self.tool._resolve_delegation_credentials = self._credentials  # type: ignore[attr-defined]
        self.tool._build_child_agent = _builder(self, old=old)  # type: ignore[attr-defined]
        self.tool.delegate_task = _delegating(self)  # type: ignore[attr-defined]

    def modules(self) -> dict[str, ModuleType]:
        """What a plugin may import of it."""
        config, constants = ModuleType("hermes_cli.config"), ModuleType("hermes_constants")
        config.load_config_readonly = lambda: {"delegation": self.section}  # type: ignore[attr-defined]
        constants.get_hermes_home = lambda: self.home  # type: ignore[attr-defined]
        packages = {name: ModuleType(name) for name in ("tools", "hermes_cli")}
        return {
            **packages,
            "tools.delegate_tool": self.tool,
            "hermes_cli.config": config,
            "hermes_constants": constants,
        }

    # --- the agent's loop ---

    def calls(
        self, parent: Agent, arguments: dict[str, Any], *, name: str | None = None, tool: str = "delegate_task"
    ) -> str:
        """The parent's model calls a tool, under an id of its own where none is given: what the model is told."""
        name = f"call_{next(CALLS):010x}" if name is None else name

        def run(args: Any) -> Any:
            if tool != "delegate_task":
                return json.dumps({"ran": args})
            known = {key: args.get(key) for key in ("goal", "context", "tasks", "role")}
            return self.tool.delegate_task(**known, background=self.background, parent_agent=parent)

        chain = self.context.middleware.get("tool_execution", [])
        result = self._chained(chain, arguments, run, tool_name=tool, session_id=parent.session_id, tool_call_id=name)
        assert isinstance(result, str)
        return result

    def _chained(self, chain: list[Callable[..., Any]], args: Any, run: Callable[[Any], Any], **about: Any) -> Any:
        if not chain:
            return run(args)
        called = False

        def next_call(changed: Any = None) -> Any:
            nonlocal called
            assert not called, "next_call is for one use"
            called = True
            return self._chained(chain[1:], args if changed is None else changed, run, **about)

        return chain[0](args=args, next_call=next_call, task_id="", turn_id="", original_args=args, **about)

    def hook(self, name: str, **about: Any) -> None:
        """Calls a hook as Hermes does: an exception of a plugin is its own affair."""
        for callback in self.context.hooks.get(name, []):
            callback(telemetry_schema_version="hermes.observer.v1", **about)

    # --- delegation ---

    def delegated(self, tasks: list[dict[str, Any]], parent: Agent, given: Mapping[str, Any]) -> str:
        """What `delegate_task` does once it knows its tasks."""
        try:
            credentials = self.tool._resolve_delegation_credentials(self.tool._load_config(), parent)
        except ValueError as error:
            return json.dumps({"error": str(error)})
        built = [
            self.tool._build_child_agent(
                task_index=index,
                goal=task["goal"],
                context=task.get("context"),
                toolsets=None,
                model=credentials["model"],
                max_iterations=50,
                task_count=len(tasks),
                parent_agent=parent,
                override_provider=credentials["provider"],
                override_base_url=credentials["base_url"],
                override_api_key=credentials["api_key"],
                override_api_mode=credentials["api_mode"],
                role=str(task.get("role") or given.get("role") or "leaf").lower(),
            )
            for index, task in enumerate(tasks)
        ]
        if given.get("background"):
            self._threads.append(threading.Thread(target=self._later, args=(tasks, built, parent)))
            self._threads[-1].start()
            return json.dumps({"status": "dispatched", "mode": "background", "count": len(built)})
        return json.dumps({"results": self._all(tasks, built, parent)})

    def _all(self, tasks: list[dict[str, Any]], children: list[Agent], parent: Agent) -> list[dict[str, Any]]:
        return [self._run(i, task, child, parent) for i, (task, child) in enumerate(zip(tasks, children, strict=True))]

    def _later(self, tasks: list[dict[str, Any]], children: list[Agent], parent: Agent) -> None:
        self._may_end.wait(10)
        self._all(tasks, children, parent)

    def join(self) -> None:
        """Lets the children in the background end, and waits for them."""
        self._may_end.set()
        for thread in self._threads:
            thread.join()

    def _run(self, index: int, task: dict[str, Any], child: Agent, parent: Agent) -> dict[str, Any]:
        end = {"status": "completed", "seconds": 1.5, **self.ends.get(task["goal"], {})}
        self.hook(
            "subagent_stop",
            parent_session_id=parent.session_id,
            parent_turn_id="",
            child_session_id=child.session_id,
            child_role=child.role,
            child_summary="- Did: it",
            child_status=end["status"],
            duration_ms=int(end["seconds"] * 1000),
        )
        return {"task_index": index, "status": end["status"], "summary": "- Did: it", "model": child.model}

    def _credentials(self, cfg: dict[str, Any], parent_agent: Agent) -> dict[str, Any]:
        names = ("model", "provider", "base_url", "api_key", "api_mode")
        if cfg.get("base_url"):
            return {**{name: cfg.get(name) or None for name in names}, "provider": "custom"}
        if not cfg.get("provider"):
            return {**dict.fromkeys(names), "model": cfg.get("model") or None}
        found = self.accounts.get(cfg["provider"])
        if found is None:
            raise ValueError(f"Cannot resolve delegation provider '{cfg['provider']}'")
        return {"model": cfg.get("model") or None, "provider": cfg["provider"], "api_mode": "chat_completions", **found}

    def made(self, given: Mapping[str, Any]) -> Agent:
        """A child, as the builder makes it of what it was given and of the section as it reads it."""
        parent: Agent = given["parent_agent"]
        effort = self.tool._load_config().get("reasoning_effort")
        child = Agent(
            f"20260101_000000_{next(SESSIONS):06x}",
            provider=given["override_provider"] or parent.provider,
            model=given["model"] or parent.model,
            base_url=given["override_base_url"] or parent.base_url,
            api_key=given["override_api_key"] or parent.api_key,
            reasoning_config=reasoning(effort) or parent.reasoning_config,
            max_tokens=given.get("override_max_tokens"),
            request_overrides=given.get("override_request_overrides"),
            platform="subagent",
            role=given["role"],
            depth=parent._delegate_depth + 1,
        )
        self.children.append(child)
        self.hook(
            "subagent_start",
            parent_session_id=parent.session_id,
            child_session_id=child.session_id,
            child_role=given["role"],
            child_goal=given["goal"],
        )
        return child


def reasoning(effort: Any) -> dict[str, Any] | None:
    """Hermes' `reasoning_config` of a level."""
    if effort is False or effort == "none":
        return {"enabled": False}
    return {"enabled": True, "effort": effort} if effort in EFFORTS else None


def _delegating(hermes: Hermes) -> Callable[..., str]:
    def delegate_task(
        goal: str | None = None,
        context: str | None = None,
        tasks: Any = None,
        max_iterations: int | None = None,
        role: str | None = None,
        background: bool | None = None,
        parent_agent: Agent | None = None,
    ) -> str:
        assert parent_agent is not None
        tasks = json.loads(tasks) if isinstance(tasks, str) else tasks
        listed = tasks or ([{"goal": goal, "context": context, "role": role}] if goal else [])
        if not listed or not all(isinstance(g := task.get("goal"), str) and g.strip() for task in listed):
            return json.dumps({"error": "Provide either 'goal' (single task) or 'tasks' (batch)."})
        return hermes.delegated(listed, parent_agent, {"role": role, "background": background})

    return delegate_task


def _builder(hermes: Hermes, *, old: bool) -> Callable[..., Agent]:
    def build_of_0_17(
        task_index: int,
        goal: str,
        context: str | None,
        toolsets: list[str] | None,
        model: str | None,
        max_iterations: int,
        task_count: int,
        parent_agent: Agent,
        override_provider: str | None = None,
        override_base_url: str | None = None,
        override_api_key: str | None = None,
        override_api_mode: str | None = None,
        override_acp_command: str | None = None,
        override_acp_args: list[str] | None = None,
        role: str = "leaf",
    ) -> Agent:
        return hermes.made(locals())

    def build_of_0_19(
        task_index: int,
        goal: str,
        context: str | None,
        toolsets: list[str] | None,
        model: str | None,
        max_iterations: int,
        task_count: int,
        parent_agent: Agent,
        override_provider: str | None = None,
        override_base_url: str | None = None,
        override_api_key: str | None = None,
        override_api_mode: str | None = None,
        override_request_overrides: dict[str, Any] | None = None,
        override_max_tokens: int | None = None,
        override_acp_command: str | None = None,
        override_acp_args: list[str] | None = None,
        role: str = "leaf",
    ) -> Agent:
        return hermes.made(locals())

    return build_of_0_17 if old else build_of_0_19


# --- 0.22.5 and later -----------------------------------------------------------------------------------------------


class DelegationProvider(abc.ABC):
    """Hermes' own class of delegation providers."""

    @property
    @abc.abstractmethod
    def name(self) -> str: ...

    def is_available(self) -> bool:
        return True

    @abc.abstractmethod
    def route_task(self, task: dict[str, Any], *, config: dict[str, Any], parent: dict[str, Any]) -> dict[str, Any]: ...


class DefaultProvider(DelegationProvider):
    """Every child follows the section, else the parent."""

    @property
    def name(self) -> str:
        return "default"

    def route_task(self, task: dict[str, Any], *, config: dict[str, Any], parent: dict[str, Any]) -> dict[str, Any]:
        names = ("model", "provider", "base_url", "api_key", "api_mode", "reasoning_effort")
        return {name: config[name] for name in names if config.get(name)}


class CoreContext(Context):
    """The context of a Hermes that has a place for providers."""

    def __init__(self, providers: dict[str, DelegationProvider]) -> None:
        super().__init__()
        self._providers = providers

    def register_delegation_provider(self, provider: DelegationProvider) -> None:
        if not isinstance(provider, DelegationProvider):
            raise TypeError("a delegation provider must be a DelegationProvider")
        self._providers[provider.name] = provider


class Core(Hermes):
    """A Hermes that asks its delegation provider for each task's route, and fails closed."""

    base: type = DelegationProvider

    def __init__(self, section: dict[str, Any] | None = None) -> None:
        super().__init__(section={"backend": "routerd", **(section or {})})
        self.providers: dict[str, DelegationProvider] = {"default": DefaultProvider()}
        self.context = CoreContext(self.providers)

    def modules(self) -> dict[str, ModuleType]:
        provider, registry = ModuleType("agent.delegation_provider"), ModuleType("agent.delegation_registry")
        provider.DelegationProvider = self.base  # type: ignore[attr-defined]
        registry.get_provider = self.providers.get  # type: ignore[attr-defined]
        runtime = ModuleType("hermes_cli.runtime_provider")
        runtime.resolve_runtime_provider = self._runtime  # type: ignore[attr-defined]
        names = {
            "agent": ModuleType("agent"),
            "agent.delegation_provider": provider,
            "agent.delegation_registry": registry,
            "hermes_cli.runtime_provider": runtime,
        }
        return {**super().modules(), **names}

    def _runtime(self, *, requested: str | None = None, target_model: str | None = None) -> dict[str, Any]:
        if requested not in self.accounts:
            raise ValueError(f"no credentials for {requested!r}")
        return {"provider": requested, **self.accounts[requested]}

    def delegated(self, tasks: list[dict[str, Any]], parent: Agent, given: Mapping[str, Any]) -> str:
        provider = self.providers.get(self.section["backend"] or "default")
        if provider is None or not provider.is_available():
            return json.dumps({"error": f"delegation backend {self.section['backend']!r} is not available"})
        results = []
        for index, task in enumerate(tasks):
            try:
                about = {"provider": parent.provider, "model": parent.model}
                route = provider.route_task(dict(task), config=dict(self.section), parent=about)
                child = self._child_on(route, task, parent, given)
            except Exception as error:
                return json.dumps({"error": f"task {index}: {error}"})
            results.append(self._run(index, task, child, parent))
        return json.dumps({"results": results})

    def _child_on(self, route: dict[str, Any], task: dict[str, Any], parent: Agent, given: Mapping[str, Any]) -> Agent:
        effort = route.get("reasoning_effort")
        if effort and reasoning(effort) is None:
            raise ValueError(f"unknown reasoning_effort {effort!r}")
        credentials = self._credentials(route, parent)
        child = self.made(
            {
                **{f"override_{name}": credentials[name] for name in ("provider", "base_url", "api_key")},
                "model": credentials["model"],
                "parent_agent": parent,
                "role": str(task.get("role") or given.get("role") or "leaf"),
                "goal": task["goal"],
            }
        )
        child.reasoning_config = reasoning(effort) or parent.reasoning_config
        return child


def without(tool: ModuleType, function: str, parameter: str) -> None:
    """Makes it a version whose `function` has no such parameter."""
    original = getattr(tool, function)
    signature = inspect.signature(original)
    kept = [p for name, p in signature.parameters.items() if name != parameter]

    def changed(*args: Any, **kwargs: Any) -> Any:
        return original(*args, **kwargs)

    changed.__signature__ = signature.replace(parameters=kept)  # type: ignore[attr-defined]
    setattr(tool, function, changed)

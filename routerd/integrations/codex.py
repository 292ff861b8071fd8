"""
Codex CLI's hook: what is asked before an agent is spawned, and what may be changed of it.

What was measured on a real one, 0.169:

- The tool is called `spawn_agent` by the first multi-agent tools and `collaborationspawn_agent` by the second.
- A changed input counts only beside `permissionDecision: "allow"`, and only whole.
- The tool takes the models of Codex's own catalogue (`CATALOG`) and refuses others, even that of the spawning agent;
  any other model runs by way of a role (`role_file`), which must have been there when the session began.
- A model without an effort gets that model's usual one: both are set together.
"""

from __future__ import annotations

import os
from time import gmtime, strftime

from routerd.integrations import delegation
from routerd.integrations.delegation import dispatch, mapping, text

TYPE_CHECKING = False  # `typing` itself is what takes long
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from routerd.integrations.delegation import Object, Plan, Verdict, Way

AGENT = "codex"

HOOKS = {"PreToolUse": ".*spawn_agent"}
"""The events that are hooked, each with its matcher. The command is `routerctl hook codex EVENT`. No other event knows
what the log does not, and each hook must be trusted by hand."""

HOOK_TIMEOUT_S = 5
"""`timeout` of each hook in `hooks.json`."""

ROLE_PREFIX = "routerd-"
"""What the names of generated roles begin with; nothing else in the directory of roles is ours."""

CATALOG: dict[tuple[int, ...], tuple[str, ...]] = {
    (0, 169): ("gpt-6.1-sol", "gpt-6-astra", "gpt-6-sol", "gpt-6-luna", "gpt-5.6-sol"),
}
"""What the tool takes, by version; of other versions nobody knows. All of these take the efforts below."""

EFFORTS = ("low", "medium", "high")
OWN_EFFORTS = ("xhigh", "max")
"""Offered where the spawning agent itself runs at it."""


# --- what `install` writes ------------------------------------------------------------------------------------------


def config_dir(env: Mapping[str, str]) -> str:
    """Where Codex keeps `config.toml`, `hooks.json` and the user's roles (`agents/NAME.toml`)."""
    return delegation.below(env, "CODEX_HOME", ".codex")


def roles_dir(env: Mapping[str, str]) -> str:
    """Where generated roles lie."""
    return f"{config_dir(env)}/agents"


def role_file(dispatch: Mapping[str, str | None]) -> tuple[str, str]:
    """
    The role through which a model runs that Codex's own catalogue does not list: file name and text.

    Args:
        dispatch: `model`, as the provider of Codex takes it, and perhaps `reasoning_effort` (a dispatch as in JSON).
    """
    model, effort = dispatch.get("model") or "", dispatch.get("reasoning_effort")
    name = ROLE_PREFIX + delegation.slug(f"{model}-{effort}" if effort else model)
    settings = {
        "name": name,
        "description": f"Used by routerd to run a task on {model}. Do not choose it yourself.",
        "developer_instructions": "Do the task that you are given, and no more than was asked.",
        "model": model,
        **({"model_reasoning_effort": effort} if effort else {}),
    }
    quoted = ((key, value.replace("\\", "\\\\").replace('"', '\\"')) for key, value in settings.items())
    return f"{name}.toml", "".join(f'{key} = "{value}"\n' for key, value in quoted)


# --- before a delegation --------------------------------------------------------------------------------------------


class Session:
    """
    What a hook can find out about the thread that it is called from.

    Attributes:
        version: Of Codex, its first two numbers; () where unknown.
        provider: As Codex calls it.
        effort: Of the spawning agent.
        root: The thread that everything began with.
        depth: How many spawns lie above it.
        catalog: The models that the tool takes.
        generated: Roles of ours that this session knows, by name, each with its settings.
        redefined: A file gives the default role settings of its own.
    """

    __slots__ = ("catalog", "depth", "effort", "generated", "provider", "redefined", "root", "version")

    def __init__(
        self,
        *,
        version: tuple[int, ...] = (),
        provider: str | None = None,
        effort: str | None = None,
        root: str | None = None,
        depth: int = 0,
        catalog: tuple[str, ...] = (),
        generated: Mapping[str, Mapping[str, str]] | None = None,
        redefined: bool = False,
    ) -> None:
        self.version = version
        self.provider = provider
        self.effort = effort
        self.root = root
        self.depth = depth
        self.catalog = catalog
        self.generated = generated or {}
        self.redefined = redefined


def question(payload: Object, env: Mapping[str, str]) -> Plan | None:
    """What is asked before the tool is used; reads what it needs to know of the thread."""
    return plan(payload, session(payload, env))


def session(payload: Object, env: Mapping[str, str]) -> Session:
    """What is known where an agent is about to be spawned."""
    path = text(payload, "transcript_path")
    first = next(delegation.records(delegation.head(path).partition(b"\n")[0], b'"session_meta"'), {})
    turn = next(delegation.records(delegation.tail(path), b'"turn_context"'), {})
    meta = mapping(first, "payload")
    spawned = mapping(mapping(mapping(meta, "source"), "subagent"), "thread_spawn").get("depth")
    config = delegation.head(f"{config_dir(env)}/config.toml")
    version = (text(meta, "cli_version") or "").split(".")[:2]
    numbers = tuple(int(part) for part in version) if all(part.isdecimal() for part in version) else ()
    roles = dict(_roles(roles_dir(env), text(first, "timestamp") or ""))
    return Session(
        version=numbers,
        provider=text(meta, "model_provider"),
        effort=text(mapping(turn, "payload"), "effort"),
        root=text(meta, "session_id"),
        depth=spawned if isinstance(spawned, int) else 0,
        catalog=_catalog(numbers, config, delegation.parsed(delegation.head(f"{config_dir(env)}/models_cache.json"))),
        generated=roles,
        redefined=b"[agents.default]" in config or os.path.exists(f"{roles_dir(env)}/default.toml"),
    )


def plan(payload: Object, session: Session) -> Plan | None:
    """What is asked, by what is known; None where nothing could be changed and nobody knows what runs."""
    call = mapping(payload, "tool_input")
    goal = text(call, "message") or _spoken(call.get("items"))
    if not str(payload.get("tool_name")).endswith("spawn_agent") or not goal:
        return None
    if (text(call, "agent_type") or "default") != "default" or session.redefined:
        return None  # a role may have a model of its own
    parent = text(payload, "model")
    known = {"provider": session.provider, "model": parent, "reasoning_effort": session.effort}
    about = delegation.task(
        goal,
        cwd=text(payload, "cwd"),
        parent={name: value for name, value in known.items() if value is not None} or None,
        depth=session.depth or None,
        agent=AGENT,
        session_id=session.root or text(payload, "session_id"),
    )
    named = {"session_id": about.get("session_id"), "tool_use_id": text(payload, "tool_use_id")}
    ref = {"agent": AGENT, **{name: value for name, value in named.items() if value is not None}}
    model, effort = text(call, "model"), text(call, "reasoning_effort")
    if model is not None or effort is not None:
        return delegation.pinned(about, ref, dispatch(model or parent or "", session.provider, effort))
    incumbent = dispatch(parent, session.provider, session.effort) if parent is not None else None
    return delegation.plan(about, ref, incumbent, _ways(parent, session))


def _ways(parent: str | None, session: Session) -> list[Way]:
    """Every other model that this call can be given, and what is changed of the call for it."""
    ways: list[Way] = []
    # Codex takes its catalogue with any provider; whether that one serves it shows in what the parent runs on.
    served = session.provider == "openai" or parent in session.catalog
    efforts = (*EFFORTS, *([session.effort] if session.effort in OWN_EFFORTS else []))
    for model in session.catalog if served else ():
        ways += [
            (dispatch(model, session.provider, effort), {"model": model, "reasoning_effort": effort})
            for effort in efforts
        ]
    for name, settings in session.generated.items():
        if model := settings.get("model", ""):
            written = settings.get("model_reasoning_effort")
            ways.append((dispatch(model, session.provider, written), {"agent_type": name}))
    return ways


def answer(payload: Object, verdict: Verdict) -> Object:
    """The hook's output: with changes the whole input of the tool, without them a word to the spawning agent."""
    output: Object = {"hookEventName": "PreToolUse"}
    if not verdict.changes:
        return {"hookSpecificOutput": {**output, "additionalContext": verdict.words}}
    output["permissionDecision"] = "allow"
    output["updatedInput"] = {**mapping(payload, "tool_input"), **verdict.changes}
    return {"systemMessage": verdict.words, "hookSpecificOutput": output}


def outcome(event: str, payload: Object, env: Mapping[str, str]) -> None:
    """No event of Codex knows more of an outcome than its log."""
    del event, payload, env


def _spoken(items: object) -> str:
    """The texts of a message that is given in parts."""
    parts = items if isinstance(items, list) else []
    return "\n".join(said for part in parts if (said := text(part, "text")) is not None)


def _catalog(version: tuple[int, ...], config: bytes, cached: object) -> tuple[str, ...]:
    """The models that the tool takes for sure: of those of the version, what a newer list of Codex's still shows."""
    if b"model_catalog_json" in config:
        return ()
    models = CATALOG.get(version, ())
    listed = cached.get("models") if isinstance(cached, dict) else None
    if not isinstance(listed, list):
        return models
    shown = {text(one, "slug") for one in listed if text(one, "visibility") == "list"}
    return tuple(model for model in models if model in shown)


def _roles(directory: str, began: str) -> Iterator[tuple[str, dict[str, str]]]:
    """The roles of ours that were there before a session began (ISO time, UTC); a later one would be refused."""
    try:
        entries = sorted(os.scandir(directory), key=lambda entry: entry.name)
    except (OSError, ValueError):
        return
    for entry in entries:
        name = entry.name.removesuffix(".toml")
        if not entry.name.startswith(ROLE_PREFIX) or name == entry.name:
            continue
        state = entry.stat()
        changed = strftime("%Y-%m-%dT%H:%M:%S", gmtime(max(state.st_mtime, state.st_ctime)))
        if changed < began[: len(changed)]:
            yield name, _settings(delegation.head(entry.path))


def _settings(data: bytes) -> dict[str, str]:
    """The members of a role that we wrote: all are plain strings."""
    lines = (line.partition(" = ") for line in data.decode("utf-8", "replace").splitlines())
    values = ((name, delegation.parsed(value.encode())) for name, _, value in lines)
    return {name: value for name, value in values if isinstance(value, str)}

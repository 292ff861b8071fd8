"""
Claude Code's hooks: what is asked before a delegation, what may be changed of it, and what is told when it is over.

What was measured on real ones, 2.1.197 to 2.1.329:

- The tool takes the models of `FAMILIES` and no other, and an input that is not whole is refused, with the delegation.
  Any other model runs by way of an agent that is defined in a file (`agent_file`), which the session must know.
- A family that is the delegating agent's own means that agent's very model; otherwise `MODELS` says which it is.
- `CLAUDE_CODE_SUBAGENT_MODEL` goes before what a hook says, up to a version; it is left alone in all of them.
- Effort in a call counts from `EFFORT_FROM` on. Before, the log does not tell it either.
- A delegation in the background is over only when the child stops; what fails at the API stops by `StopFailure`.
"""

from __future__ import annotations

from routerd.integrations import delegation
from routerd.integrations.claude_code_files import (
    AGENT_PREFIX,
    agents_dir,
    child_transcript,
    config_dir,
    last_reply,
    meta,
    session,
)
from routerd.integrations.delegation import dispatch, mapping, text

__all__ = ["AGENT", "AGENT_PREFIX", "HOOKS", "HOOK_TIMEOUT_S", "agent_file", "agents_dir", "config_dir"]

TYPE_CHECKING = False  # `typing` itself is what takes long
if TYPE_CHECKING:
    from collections.abc import Mapping

    from routerd.integrations.claude_code_files import Session
    from routerd.integrations.delegation import Dispatch, Object, Plan, Verdict, Way

AGENT = "claude-code"

HOOKS = {
    "PreToolUse": "Agent|Task",
    "PostToolUse": "Agent|Task",
    "SubagentStop": "",
    "StopFailure": "",
}
"""The events that are hooked, each with its matcher ("": every one). The command is `routerctl hook claude-code EVENT`.
`SubagentStart` is taken too, and says nothing: no outcome is known then, and neither the call nor the model."""

HOOK_TIMEOUT_S = 5
"""`timeout` of each hook in the settings. Nothing here takes so long; the agent goes on without us if it does."""

FAMILIES = ("haiku", "sonnet", "opus", "fable")

MODELS = {
    (2, 1, 197): ("claude-haiku-4-5", "claude-sonnet-5", "claude-opus-4-8", "claude-fable-5"),
    (2, 1, 329): ("claude-haiku-5-5", "claude-sonnet-5-5", "claude-opus-5-5", "claude-fable-5-2"),
}
"""From which version on a family means which model. What a log says has run counts in any case."""

EFFORT_FROM = (2, 1, 329)
EFFORTS = ("low", "medium", "high")
OWN_EFFORTS = ("xhigh", "max")
"""Offered where the delegating agent itself runs at it."""

TOOLS = ("Agent", "Task")
GENERAL = "general-purpose"
OPEN = frozenset({GENERAL, "claude", "Explore", "Plan"})
"""Built-in agents on which nobody has set a model. Others that no file defines may have one: they are left alone."""


# --- what `install` writes ------------------------------------------------------------------------------------------


def agent_file(dispatch: Mapping[str, str | None]) -> tuple[str, str]:
    """
    The agent through which a model runs that the delegation tool has no name for: file name and text.

    Args:
        dispatch: `model`, as the endpoint takes it, and perhaps `reasoning_effort` (a dispatch as in JSON).
    """
    model, effort = dispatch.get("model") or "", dispatch.get("reasoning_effort")
    name = AGENT_PREFIX + delegation.slug(f"{model}-{effort}" if effort else model)
    settings = f"model: {model}\n" + (f"effort: {effort}\n" if effort else "")
    return f"{name}.md", _AGENT.format(name=name, model=model, settings=settings)


_AGENT = """\
---
name: {name}
description: Used by routerd to run a general-purpose task on {model}. Do not choose it yourself.
{settings}---
You are given one task by another agent. Do it fully, with the tools that you have, and no more than was asked.
When it is done, say what you found or changed, with absolute paths of the files that matter. Your last message is all
that the other agent sees.
"""


# --- before a delegation --------------------------------------------------------------------------------------------


def question(payload: Object, env: Mapping[str, str]) -> Plan | None:
    """What is asked before the tool is used; reads what it needs to know of the session."""
    known = session(payload, env)
    known.parent = _meant(known.parent, env, known) if known.parent is not None else None
    return plan(payload, env, known)


def plan(payload: Object, env: Mapping[str, str], session: Session) -> Plan | None:
    """What is asked, by what is known; None where nothing could be changed and nobody knows what runs."""
    call = mapping(payload, "tool_input")
    goal, kind = text(call, "prompt"), text(call, "subagent_type") or GENERAL
    settled = any(call.get(name) for name in ("resume", "team_name"))  # a child that runs already, or another session
    if payload.get("tool_name") not in TOOLS or goal is None or settled:
        return None
    if session.definition is None and kind not in OPEN:
        return None
    about = delegation.task(
        goal,
        kind=None if kind == GENERAL else kind.lower(),
        cwd=text(payload, "cwd"),
        parent=_parent(payload, env, session),
        depth=1 if text(payload, "agent_id") else None,
        agent=AGENT,
        session_id=text(payload, "session_id"),
    )
    ref = {"agent": AGENT, **_named(payload, "session_id"), **_named(payload, "tool_use_id")}
    if (pin := _pin(call, env, session)) is not None:
        return delegation.pinned(about, ref, pin)
    return delegation.plan(about, ref, _incumbent(kind, payload, env, session), _ways(kind, payload, env, session))


def _pin(call: Object, env: Mapping[str, str], session: Session) -> Dispatch | None:
    """What somebody has settled: in the call, for all delegations, or in the definition of the agent."""
    settings = session.definition or {}
    everywhere = env.get("CLAUDE_CODE_SUBAGENT_MODEL")
    models = [text(call, "model"), None if everywhere == "inherit" else everywhere, settings.get("model")]
    if session.version < (2, 1, 285):
        models.insert(0, models.pop(1))
    model = next((model for model in models if model and model != "inherit"), None)
    effort = text(call, "effort") or settings.get("effort")
    if model is None and effort is None:
        return None
    ran = _meant(model, env, session) if model is not None else session.parent
    return dispatch(ran or model or "", _provider(ran, env), effort)


def _parent(payload: Object, env: Mapping[str, str], session: Session) -> Object | None:
    if session.parent is None:
        return None
    known = {"provider": _provider(session.parent, env), "reasoning_effort": _effort(payload, session)}
    return {"model": session.parent, **{name: value for name, value in known.items() if value is not None}}


def _incumbent(kind: str, payload: Object, env: Mapping[str, str], session: Session) -> Dispatch | None:
    """What runs if nothing is changed: what the delegating agent runs on; old versions explore with haiku."""
    if kind == "Explore" and session.definition is None and session.version < EFFORT_FROM:
        model = _meant("haiku", env, session)
        return dispatch(model, _provider(model, env)) if model is not None else None
    if session.parent is None:
        return None
    return dispatch(session.parent, _provider(session.parent, env), _effort(payload, session))


def _ways(kind: str, payload: Object, env: Mapping[str, str], session: Session) -> list[Way]:
    """Every other model that this call can be given, and what is changed of the call for it."""
    ways: list[Way] = []
    own_effort = _effort(payload, session)
    for family in FAMILIES:
        if (model := _meant(family, env, session)) is None:
            continue
        takes_none = model == session.parent and own_effort is None
        if session.version < EFFORT_FROM or takes_none:
            ways.append((dispatch(model, _provider(model, env)), {"model": family}))
            continue
        ways += [
            (dispatch(model, _provider(model, env), effort), {"model": family, "effort": effort})
            for effort in (*EFFORTS, *([own_effort] if own_effort in OWN_EFFORTS else []))
        ]
    for name, settings in session.generated.items() if kind == GENERAL else ():
        if model := settings.get("model"):
            ways.append((dispatch(model, _provider(model, env), settings.get("effort")), {"subagent_type": name}))
    return ways


def _effort(payload: Object, session: Session) -> str | None:
    """The effort of the delegating agent, where the log tells it too."""
    return None if session.version < EFFORT_FROM else text(payload.get("effort"), "level")


def _meant(model: str, env: Mapping[str, str], session: Session) -> str | None:
    """The model that a family's name comes to; None where that cannot be known. Any other name is itself."""
    name = model.removesuffix("[1m]")
    if name not in FAMILIES:
        return name
    if session.parent is not None and f"-{name}" in session.parent:
        return session.parent.removesuffix("[1m]")
    if said := env.get(f"ANTHROPIC_DEFAULT_{name.upper()}_MODEL"):
        return said.removesuffix("[1m]")
    if any(env.get(f"CLAUDE_CODE_USE_{cloud}") for cloud in ("BEDROCK", "VERTEX", "FOUNDRY")):
        return None  # they spell models in their own ways
    since = max((since for since in MODELS if since <= session.version), default=min(MODELS))
    return MODELS[since][FAMILIES.index(name)]


def _provider(model: str | None, env: Mapping[str, str]) -> str | None:
    """Who serves a model, as the log would say."""
    if env.get("CLAUDE_CODE_USE_BEDROCK"):
        return "bedrock"
    if env.get("CLAUDE_CODE_USE_VERTEX"):
        return "vertex"
    return "anthropic" if model is not None and model.startswith("claude-") else None


def answer(payload: Object, verdict: Verdict) -> Object:
    """The hook's output: with changes the whole input of the tool, without them a word to the delegating agent."""
    output: Object = {"hookEventName": "PreToolUse"}
    if not verdict.changes:
        return {"hookSpecificOutput": {**output, "additionalContext": verdict.words}}
    output["updatedInput"] = {**mapping(payload, "tool_input"), **verdict.changes}
    return {"systemMessage": verdict.words, "hookSpecificOutput": output}


# --- after it -------------------------------------------------------------------------------------------------------


def outcome(event: str, payload: Object, env: Mapping[str, str]) -> Object | None:
    """
    The report that an event is worth, or None. Nobody here knows whether a task was done well: that is left to the log.

    The ids are the log's own, so that the report and the log's record are one outcome.
    """
    if event == "PostToolUse":
        return _returned(payload, env)
    if event in ("SubagentStop", "StopFailure"):
        return _stopped(event, payload, env)
    return None


def _returned(payload: Object, env: Mapping[str, str]) -> Object | None:
    """A delegation in the foreground has come back; one in the background has only begun."""
    call, response = mapping(payload, "tool_input"), mapping(payload, "tool_response")
    tool, goal = text(payload, "tool_use_id"), text(call, "prompt")
    if payload.get("tool_name") not in TOOLS or response.get("status") != "completed" or tool is None or goal is None:
        return None
    lasted = response.get("totalDurationMs")
    worked = bool(response.get("totalTokens"))  # without a token it is an API error in the guise of a result
    said: Object = {"succeeded": None} if worked else {"succeeded": None, "error": "no tokens were spent"}
    if worked and isinstance(lasted, int) and lasted >= 0:
        said["wall_time_ms"] = lasted
    child = text(response, "agentId")
    return _report(
        payload,
        env,
        said,
        name=f"{tool}/returned",
        ref={"tool_use_id": tool, **({"child_id": child} if child else {})},
        model=text(response, "resolvedModel"),
        goal=goal,
    )


def _stopped(event: str, payload: Object, env: Mapping[str, str]) -> Object | None:
    """A child has stopped, by itself or at an error of the API."""
    child = text(payload, "agent_id")
    if child is None or text(payload, "session_id") is None:
        return None  # the agent itself
    path = text(payload, "agent_transcript_path") or child_transcript(payload, child)
    error = text(payload, "error") if event == "StopFailure" else None
    tool = text(meta(path), "toolUseId")
    return _report(
        payload,
        env,
        {"succeeded": None, **({"error": error} if error else {})},
        name=f"{payload['session_id']}/{child}/stopped",
        ref={"child_id": child, **({"tool_use_id": tool} if tool else {})},
        model=text(last_reply(path).get("message"), "model"),
        goal="",
    )


def _report(
    payload: Object, env: Mapping[str, str], outcome: Object, *, name: str, ref: Object, model: str | None, goal: str
) -> Object | None:
    """The params of `report`; the same event of the same delegation gives the same name."""
    if model is None:
        return None
    ran = model.removesuffix("[1m]")
    session = text(payload, "session_id")
    return {
        "outcome": outcome,
        "outcome_id": f"{AGENT}/{name}",
        "ref": {"agent": AGENT, **_named(payload, "session_id"), **ref},
        "task": delegation.task(goal, cwd=text(payload, "cwd"), agent=AGENT, session_id=session),
        "dispatch": dispatch(ran, _provider(ran, env)),
    }


def _named(payload: Object, name: str) -> Object:
    value = text(payload, name)
    return {} if value is None else {name: value}

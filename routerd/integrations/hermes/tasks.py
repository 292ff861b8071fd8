"""What a `delegate_task` call asks for, and what Hermes would do with it: pure functions of plain values.

The words are Hermes': a *section* is `delegation:` of its config.yaml, the *parent* the agent that hands a task over.
What is read here is read as the log reader will read it later, so that both speak of the same task and the same arm.
"""

from __future__ import annotations

import json
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

TASKS_MAX = 64
"""Hermes allows 10 by default; more than this is nothing that Hermes will run."""

TEXT_CHARS_MAX = 16_384
"""Features look at no more of a text, and the log reader keeps no more."""

CALL_CHARS_MAX = 150_000
"""Of all texts of a call together: with every character escaped they still fit on a line of the socket."""

NUMBERED = re.compile(r"(?:functions\.)?[A-Za-z_.]*[:_-]?\d{1,3}")
"""Ids that some models give to their calls, numbered anew in every conversation: no name for a unit of work. The log
reader has the same pattern."""

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max", "ultra")
"""The efforts that Hermes knows; it refuses a task with another."""

SPELT_BY_HERMES = {"openai": "openai-api", "moonshotai": "kimi-coding"}
"""Providers that Hermes knows by another name than routerd, and not by routerd's."""

PINS = ("model", "provider", "base_url", "command")
"""Who sets one of these in the section has chosen what children run on."""


def tasks_of(arguments: Mapping[str, Any]) -> list[dict[str, str]]:
    """
    The tasks of a call, each with `goal`, `role` and, where it has one, `context`; none where Hermes will refuse it.

    Args:
        arguments: Of the call, as the model gave them. `tasks` may be the text of a list. In a batch the call's own
            role holds for tasks that name none; its context does not.
    """
    tasks = arguments.get("tasks")
    if isinstance(tasks, str):
        try:
            tasks = json.loads(tasks)
        except (ValueError, RecursionError):
            return []
    listed = tasks if isinstance(tasks, list) and tasks else [arguments]
    if len(listed) > TASKS_MAX:
        return []
    chars = min(TEXT_CHARS_MAX, CALL_CHARS_MAX // (2 * len(listed)))
    found = [_task(task, arguments, chars) for task in listed]
    return [task for task in found if task is not None] if None not in found else []


def _task(task: Any, call: Mapping[str, Any], chars: int) -> dict[str, str] | None:
    if not hasattr(task, "get"):
        return None
    goal, context = text(task.get("goal")), text(task.get("context"))
    if goal is None or not goal.strip():
        return None
    role = _role(task) or _role(call) or "leaf"
    return {"goal": goal[:chars], "role": role} | ({} if context is None else {"context": context[:chars]})


def _role(task: Mapping[str, Any]) -> str | None:
    role = str(task.get("role") or "").strip().lower()
    return role if role in ("leaf", "orchestrator") else None


def text(value: Any) -> str | None:
    """A text that says something, cut where nobody looks; halves of surrogate pairs are no text."""
    if not isinstance(value, str) or not value:
        return None
    return value[:TEXT_CHARS_MAX].encode("utf-8", "replace").decode()


def effort_of(reasoning: Any) -> str | None:
    """The effort in an agent's `reasoning_config`; None where it takes what its model has."""
    if not isinstance(reasoning, dict):
        return None
    return "none" if reasoning.get("enabled") is False else text(reasoning.get("effort"))


def route_of(agent: Any) -> dict[str, Any]:
    """What an agent object of Hermes runs on: `provider`, `model` and `reasoning_effort`, as far as they are set."""
    found = {
        "provider": text(getattr(agent, "provider", None)),
        "model": text(getattr(agent, "model", None)),
        "reasoning_effort": effort_of(getattr(agent, "reasoning_config", None)),
    }
    return {name: value for name, value in found.items() if value is not None}


def effort_in(section: Mapping[str, Any]) -> str | None:
    """The effort that the section sets for children. YAML's `false` and `off` switch thinking off."""
    effort = section.get("reasoning_effort")
    return "none" if effort is False else text(effort)


def is_pinned(section: Mapping[str, Any]) -> bool:
    """Whether the user has chosen what children run on."""
    return any(section.get(name) for name in PINS)


def incumbent(section: Mapping[str, Any], parent: Mapping[str, Any], role: str) -> dict[str, Any] | None:
    """
    The dispatch that Hermes would give a task by itself: what the section says, else what the parent runs on.

    Returns:
        None where nothing is known of it. Where the section names a provider alone, the provider's default model runs,
        which only Hermes knows.
    """
    provider = text(section.get("provider")) or ("custom" if section.get("base_url") else None)
    model = text(section.get("model")) or (None if provider else parent.get("model"))
    found = {
        "provider": provider or parent.get("provider"),
        "model": model,
        "reasoning_effort": effort_in(section) or parent.get("reasoning_effort"),
    }
    known = {name: value for name, value in found.items() if value is not None}
    return {"executor": "delegate", **known, "role": role} if {"provider", "model"} & known.keys() else None


def ref_of(session_id: str, tool_call_id: str, index: int) -> dict[str, Any]:
    """The name of a task as the log has it; a call's id only where it is nobody else's."""
    ref: dict[str, Any] = {"agent": "hermes", "task_index": index}
    if session_id:
        ref["session_id"] = session_id
    if tool_call_id and not NUMBERED.fullmatch(tool_call_id):
        ref["tool_use_id"] = tool_call_id
    return ref

"""`/routerd` in a conversation with Hermes: what was picked last and why, and how far routerd may go."""

from __future__ import annotations

import os

from routerd.client import ask
from routerd.integrations import modes
from routerd.integrations.hermes import AGENT, PLUGIN
from routerd.integrations.hermes.call import named

TYPE_CHECKING = False
if TYPE_CHECKING:
    from routerd.integrations.hermes.call import Pick
    from routerd.integrations.hermes.plugin import Plugin

NAME = PLUGIN
DESCRIPTION = "What routerd picked for the last subagents and why; on, off, mode"
HINT = "[on | off | mode off|shadow|advise|enforce] [--save]"
USAGE = f"usage: /{NAME} {HINT}; without --save it holds for this Hermes process"

GOAL_CHARS = 60


def run(plugin: Plugin, raw: str | None) -> str:
    """The answer to what was typed behind `/routerd`."""
    words = (raw or "").split()
    save = "--save" in words
    words = [word for word in words if word != "--save"]
    wanted = _wanted(words)
    if wanted is None:
        return shown(plugin) if not words and not save else USAGE
    if wanted == "on":
        wanted = modes.kept(os.environ).get(AGENT, modes.DEFAULT)
        wanted = modes.DEFAULT if wanted == "off" else wanted
    if wanted not in modes.MODES:
        return f"no such mode {wanted!r}; there are {', '.join(modes.MODES)}"
    plugin.said = wanted
    if not save:
        return f"routerd: {wanted}, for this Hermes process"
    try:
        modes.keep(AGENT, wanted, os.environ)
    except OSError as error:
        return f"routerd: {wanted}, for this Hermes process; {modes.modes_path(os.environ)}: {error.strerror or error}"
    return f"routerd: {wanted}, kept in {modes.modes_path(os.environ)}"


def _wanted(words: list[str]) -> str | None:
    match words:
        case ["on" | "off" as word]:
            return word
        case ["mode", word]:
            return word
        case _:
            return None


def shown(plugin: Plugin) -> str:
    """The mode, what stands in its way, whether a daemon answers, and the last picks."""
    found = ask("hello", default={})
    version = found.get("version") if isinstance(found, dict) else None
    lines = [f"routerd: {plugin.mode()}; " + (f"routerd {version} answers" if version else "no daemon answers")]
    lines += plugin.troubles()
    if not plugin.last:
        lines.append("nothing was delegated yet")
    for pick in plugin.last:
        lines += _lines(pick)
    return "\n".join(lines)


def _lines(pick: Pick) -> list[str]:
    goal = " ".join(str(pick.task["goal"]).split())
    goal = goal if len(goal) <= GOAL_CHARS else f"{goal[: GOAL_CHARS - 1]}…"
    if pick.decision is None:
        return [f"- {goal}: {pick.state}"]
    head = f"- {goal}: {named(pick.dispatch)} ({pick.state})"
    return [head, f"  {pick.decision.get('reason', '')}", f"  gate: {pick.decision['gate'].get('reason', '')}"]

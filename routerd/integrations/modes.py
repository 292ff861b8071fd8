"""How far routerd may go inside an agent, where that hands a task to another.

    off       nothing is asked and nothing is said
    shadow    routerd decides and logs; the agent notices nothing
    advise    the agent is told what routerd would choose (the default)
    enforce   the choice is applied, where the gate lets it through

A mode holds for a session by `$ROUTERD_MODE`, and for good by `modes.json` beside the configuration, an object from
agent to mode. Hooks read this at every start: it takes nothing but what Python has loaded already.
"""

from __future__ import annotations

import os

from routerd.places import config_dir
from routerd.quick_json import loads

TYPE_CHECKING = False  # `typing` itself is what takes long
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Literal

    Mode = Literal["off", "shadow", "advise", "enforce"]

MODES: tuple[Mode, ...] = ("off", "shadow", "advise", "enforce")
DEFAULT: Mode = "advise"


def modes_path(env: Mapping[str, str]) -> str:
    """Where modes are kept."""
    return os.path.join(config_dir(env), "modes.json")


def mode(agent: str, env: Mapping[str, str]) -> Mode:
    """The mode of an agent. What is no mode, wherever it stands, is `off`: nobody asked for more."""
    said = env.get("ROUTERD_MODE") or kept(env).get(agent, DEFAULT)
    return said if said in MODES else "off"


def kept(env: Mapping[str, str]) -> Mapping[str, Mode]:
    """The modes that were set for good, by agent; a file that cannot be used counts as `off` for every agent."""
    try:
        with open(modes_path(env), encoding="utf-8") as file:
            modes = loads(file.read())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError):
        modes = None
    return modes if isinstance(modes, dict) else dict.fromkeys(AGENTS, "off")


def keep(agent: str, wanted: Mode | None, env: Mapping[str, str]) -> None:
    """
    Sets the mode of an agent for good; None takes it back.

    Raises:
        OSError: It cannot be written.
    """
    import json  # noqa: PLC0415

    path = modes_path(env)
    modes = {**kept(env), agent: wanted}
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    draft = f"{path}.{os.getpid()}"
    with open(draft, "w", encoding="utf-8") as file:
        json.dump({name: one for name, one in sorted(modes.items()) if one is not None}, file, indent=2)
        file.write("\n")
    os.replace(draft, path)


AGENTS = ("hermes", "claude-code", "codex", "mcp")
"""Agents that have a mode."""

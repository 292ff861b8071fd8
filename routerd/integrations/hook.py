"""
`routerctl hook AGENT EVENT`: what the hooks of an agent run, from the payload on stdin to the answer on stdout.

    payload ─ question ─▶ routerd ─ verdict ─▶ answer
                pure       40 ms     pure

The law: an agent with this hook does what it does without it, unless routerd has answered, in time, with something
that the agent takes. So whatever goes wrong, nothing is said and the exit code is 0 (2 would forbid the call).
"""

from __future__ import annotations

import os
import sys

from routerd.quick_json import dumps, loads

TYPE_CHECKING = False  # `typing` itself is what takes long
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

PAYLOAD_BYTES_MAX = 64 * 1024 * 1024
USAGE = "routerctl hook: usage: routerctl hook claude-code|codex EVENT [--socket PATH], with the payload on stdin\n"


def main(arguments: Sequence[str]) -> int:
    """Runs a hook; the exit code is 0 whatever happens."""
    try:
        named = parse(arguments)
        if named is None:
            os.write(2, USAGE.encode())
        else:
            agent, event, socket = named
            _write(run(agent, event, _read(), os.environ, socket))
    except BaseException:  # also an interruption: the agent is stopping
        if "ROUTERD_DEBUG" in os.environ:
            sys.excepthook(*sys.exc_info())
    return 0


def parse(arguments: Sequence[str]) -> tuple[str, str, str | None] | None:
    """Agent, event and socket as named on the command line; None where that cannot be understood."""
    names, socket, rest = [], None, list(arguments)
    while rest:
        argument = rest.pop(0)
        if argument == "--socket" and rest:
            socket = rest.pop(0)
        elif argument.startswith("--socket="):
            socket = argument.partition("=")[2]
        elif argument != "--json":
            names.append(argument)
    known = len(names) == 2 and names[0] in ("claude-code", "codex")
    return (names[0], names[1], socket) if known else None


def run(agent: str, event: str, data: bytes, env: Mapping[str, str], socket: str | None = None) -> bytes:
    """What the hook says; nothing where there is nothing to say."""
    from routerd.integrations.modes import mode  # noqa: PLC0415

    allowed = mode(agent, env)
    if allowed == "off" or event == "SubagentStart":
        return b""
    payload = loads(data)
    if not isinstance(payload, dict):
        return b""
    from routerd.client import ask  # noqa: PLC0415
    from routerd.integrations.delegation import verdict  # noqa: PLC0415

    hooks: Any = _hooks(agent)
    if event != "PreToolUse":
        if (report := hooks.outcome(event, payload, env)) is not None:
            ask("report", report, socket=socket)
        return b""
    if (plan := hooks.question(payload, env)) is None:
        return b""
    pick = ask("recommend", plan.params, socket=socket)
    if (found := verdict(plan, pick, allowed)) is None:
        return b""
    return dumps(hooks.answer(payload, found)).encode()


def _hooks(agent: str) -> object:
    """The module of an agent."""
    if agent == "codex":
        from routerd.integrations import codex  # noqa: PLC0415

        return codex
    from routerd.integrations import claude_code  # noqa: PLC0415

    return claude_code


def _read() -> bytes:
    parts, held = [], 0
    while held <= PAYLOAD_BYTES_MAX and (part := os.read(0, 1 << 20)):
        parts.append(part)
        held += len(part)
    return b"".join(parts)


def _write(data: bytes) -> None:
    """All of it or, where the agent has gone, nothing that matters."""
    while data:
        data = data[os.write(1, data) :]

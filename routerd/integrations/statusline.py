"""
`routerctl statusline AGENT`: one line on what routerd last chose in a session, for the agent to show.

    routerd claude-haiku-4-5@low 93% ✓ · advise

The pick, the success that was expected of it, whether it succeeded (✓ or ✗, once that is known), and the mode. Read
from the database: no daemon is waited for. Whatever goes wrong, the line is empty and the exit code 0.
"""

from __future__ import annotations

import os

from routerd.integrations.modes import mode
from routerd.places import state_path
from routerd.quick_json import loads

TYPE_CHECKING = False  # `typing` itself is what takes long
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

AGENTS = ("claude-code", "codex")
LATEST = """\
SELECT d.body, o.succeeded FROM (SELECT * FROM decisions ORDER BY at DESC LIMIT 500) AS d
LEFT JOIN outcomes AS o ON o.decision_id = d.id
WHERE d.agent = ? AND d.session_id = ? ORDER BY d.at DESC LIMIT 1"""
"""Of the latest decisions, the last one of a session, with its outcome's success."""

BUSY_S = 0.05


def main(arguments: Sequence[str]) -> int:
    """Prints the line; the exit code is 0 whatever happens."""
    try:
        agent = next(argument for argument in arguments if argument in AGENTS)
        payload = loads(b"".join(iter(lambda: os.read(0, 1 << 16), b"")))
        said = line(latest(agent, payload["session_id"], os.environ), mode(agent, os.environ))
    except BaseException:  # nobody looks for an error there
        said = ""
    try:
        os.write(1, f"{said}\n".encode())
    except OSError:
        return 0  # the agent has gone
    return 0


def latest(agent: str, session_id: str, env: Mapping[str, str]) -> tuple[dict[str, Any], float | None] | None:
    """
    The last decision of a session, and the success of what followed it if that is known.

    Raises:
        OSError, sqlite3.Error: The database cannot be read.
    """
    import sqlite3  # noqa: PLC0415

    path = f"{state_path(env)}/routerd.db".replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=BUSY_S)
    try:
        row = connection.execute(LATEST, (agent, session_id)).fetchone()
    finally:
        connection.close()
    return None if row is None else (loads(row[0]), row[1])


def line(found: tuple[dict[str, Any], float | None] | None, allowed: str) -> str:
    """The line for a decision, or for a session that has none yet."""
    if found is None:
        return f"routerd · {allowed}"
    decision, succeeded = found
    dispatch = decision["dispatch"]
    effort = f"@{dispatch['reasoning_effort']}" if dispatch.get("reasoning_effort") else ""
    expected = f"{100 * expected_success(decision):.0f}%"
    mark = "" if succeeded is None else " ✓" if succeeded >= 0.5 else " ✗"
    name = f"{dispatch.get('model') or dispatch['executor']}{effort}"
    return " ".join(f"routerd {name} {expected}{mark} · {allowed}".split())


def expected_success(decision: dict[str, Any]) -> float:
    """What was expected of the pick."""
    return float(decision["expected"]["success"]["mean"])

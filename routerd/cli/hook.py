"""`routerctl hook AGENT EVENT` and `routerctl statusline AGENT`, as the list of verbs and `--help` show them.

An agent waits for both, so `routerd.cli.main` runs them from `integrations` before any of this is imported.
"""

from typing import Literal

from routerd.cli.common import DEFAULTS, Common
from routerd.integrations import hook as hooks
from routerd.integrations import statusline as lines


def hook(agent: Literal["claude-code", "codex"], event: str, *, common: Common = DEFAULTS) -> int:
    """What an agent's hook runs: the payload on stdin, the answer on stdout. Silent and 0 whatever goes wrong.

    Example: routerctl hook claude-code PreToolUse < payload.json

    Parameters
    ----------
    agent: Literal["claude-code", "codex"]
        Whose hook it is; its mode says how far routerd may go (see `routerctl install`).
    event: str
        The event, as the agent calls it.
    """
    return hooks.main([agent, event, *([] if common.socket is None else ["--socket", str(common.socket)])])


def statusline(agent: Literal["claude-code", "codex"], *, common: Common = DEFAULTS) -> int:
    """One line on the last pick of a session, for the agent to show: the payload on stdin. Empty if anything fails.

    Example: routerctl statusline claude-code < payload.json

    Parameters
    ----------
    agent: Literal["claude-code", "codex"]
        Whose status line it is.
    """
    del common
    return lines.main([agent])

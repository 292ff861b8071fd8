"""`routerctl mcp`: routerd as tools of an agent that speaks MCP."""

import signal
import sys

from routerd.cli.common import DEFAULTS, Common, needs, own_config


def mcp(*, common: Common = DEFAULTS) -> int:
    """Serves routerd's tools to an agent that speaks MCP, on stdin and stdout. The agent starts it, and ends it.

    Example: claude mcp add --scope user routerd -- routerctl mcp
    """
    needs("mcp", extra="mcp", verb="mcp")
    from routerd.integrations.mcp import run  # noqa: PLC0415 - a second of importing that no other verb needs

    if sys.stdin.isatty():
        print("routerctl mcp speaks JSON with an agent, not with you: see docs/agents/mcp.md", file=sys.stderr)
    # A thread waits for input and cannot be interrupted; nothing is left to do that a signal should wait for.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    run(own_config, common.socket)
    return 0

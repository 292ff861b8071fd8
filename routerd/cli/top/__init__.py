"""`routerctl top`: decisions and outcomes as they come, beliefs that narrow, and how the daemon is."""

import sys
import time
from typing import Any

from routerd.cli.common import DEFAULTS, Common, ask, needs
from routerd.cli.view import print_json
from routerd.errors import UsageError


def top(*, common: Common = DEFAULTS) -> int:
    """Decisions and outcomes as they come, beliefs that narrow, sources and their lag. Needs the extra `top`.

    Keys: e explains a decision, f forbids an arm, p pins one, u takes the last of these back, q ends. Forbidding and
    pinning change [pool] of the configuration; the change is shown, and made when you say yes.

    Example: routerctl top
    """
    if common.json:
        print_json(glance(common))
        return 0
    needs("textual", extra="top", verb="routerctl top")
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("top needs a terminal; `routerctl top --json` gives one look at the same")
    ask("hello", {}, common)  # says what is wrong before the screen is taken
    from routerd.cli.top.screen import Top  # noqa: PLC0415 - it takes long, and is an extra

    Top(common.socket).run()
    return 0


def glance(common: Common) -> dict[str, Any]:
    """One look: the daemon's state, its arms, and how long it took to answer, in milliseconds."""
    begun = time.perf_counter()
    ask("hello", {}, common)
    latency_ms = 1000.0 * (time.perf_counter() - begun)
    status, arms = ask("status", {}, common), ask("arms", {}, common)
    return {"latency_ms": latency_ms, "status": status, "arms": arms["arms"]}

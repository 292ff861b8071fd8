"""
routerd inside Hermes Agent, as a plugin of Hermes: each task of a `delegate_task` call gets its own model.

    plugin     what Hermes calls: the middleware around tools, the hooks of children, and `/routerd`
    tasks      what a call asks for, and what Hermes would do by itself
    call       one call: one question to the daemon for all its tasks, at most 40 ms of waiting, and what came of it
    seams      how a pick reaches a child in Hermes 0.17 to 0.21, which have no place for it: signatures checked first
    provider   the same where Hermes has one (`ctx.register_delegation_provider`, 0.22.5 and later)
    reports    how children ended, told from a thread of its own
    command    `/routerd`

Its law: whatever goes wrong here, Hermes does what it would have done without it. It takes nothing but the standard
library and `routerd.client`, so that it runs in Hermes' own environment, where numpy and msgspec need not be.
"""

from __future__ import annotations

TYPE_CHECKING = False  # `typing` itself is what takes long
if TYPE_CHECKING:
    from typing import Any

PLUGIN = "routerd"
"""The plugin's name: in the entry point, in `plugins.enabled` and `delegation.backend` of Hermes' config.yaml."""

AGENT = "hermes"
"""As in `modes.AGENTS`, and as the log's units are named."""


def register(ctx: Any) -> None:
    """What Hermes calls once at its start, with its plugin context."""
    from routerd.integrations.hermes.plugin import attach  # noqa: PLC0415

    attach(ctx)

"""
What Hermes calls. Whatever goes wrong in here, Hermes goes on as if it were not there.

    delegate_task called ─ on_tool ─▶ (Hermes) ─ consider ─▶ (children built, each on its route) ─ on_start, one each
    child ended ─ on_stop ─▶ report
"""

from __future__ import annotations

import importlib
import logging
import os
import threading
from collections import OrderedDict, deque
from contextlib import suppress

from routerd.integrations import modes
from routerd.integrations.hermes import AGENT, PLUGIN, command, config, provider, reports, seams
from routerd.integrations.hermes.call import CALL, PATIENCE_S, Call, goals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from routerd.integrations.hermes.call import Pick

log = logging.getLogger(__name__)

TOOL = "delegate_task"
LAST_MAX = 8
RUNNING_MAX = 1024
TURNED_DOWN_MAX = 64


class Plugin:
    """
    routerd in one Hermes process.

    Args:
        patience_s: How long one call may wait for routerd in all.

    Attributes:
        said: The mode that `/routerd` set for this process.
        last: The latest picks, oldest first.
        trouble: Why this version's children cannot be reached, if so.
        official: Picks reach children through Hermes' own place for them.
        reporter: Tells the daemon how children ended.
        silent_until: Till then (monotonic seconds) a daemon that did not answer is not asked by the provider.
    """

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        self.patience_s = patience_s
        self.said: modes.Mode | None = None
        self.last: deque[Pick] = deque(maxlen=LAST_MAX)
        self.trouble = ""
        self.silent_until = 0.0
        self.official = False
        self.reporter = reports.Reporter()
        self._running: OrderedDict[str, tuple[Call, Pick]] = OrderedDict()
        self._turned_down: deque[tuple[str, frozenset[str]]] = deque(maxlen=TURNED_DOWN_MAX)
        self._lock = threading.Lock()
        self._sees_parent: bool | None = None

    def mode(self) -> modes.Mode:
        """How far routerd may go now."""
        return self.said or modes.mode(AGENT, os.environ)

    # --- what Hermes calls ------------------------------------------------------------------------------------------

    def on_tool(
        self,
        *,
        tool_name: str = "",
        args: Any = None,
        next_call: Callable[[Any], Any],
        session_id: str = "",
        tool_call_id: str = "",
        **_: Any,
    ) -> Any:
        """Around every tool; all but `delegate_task` pass."""
        if tool_name != TOOL or (mode := self.mode()) == "off":
            return next_call(args)
        call = Call(mode, str(session_id or ""), str(tool_call_id or ""), self.patience_s)
        token = CALL.set(call)
        try:
            answer = self._before(call, args)
            return call.advised(next_call(args)) if answer is None else answer
        finally:
            CALL.reset(token)

    def on_start(self, *, parent_session_id: Any = None, child_session_id: str | None = None, **_: Any) -> None:
        """A child was built, on the thread of its call, in the order of the tasks."""
        call = CALL.get()
        if call is None or not child_session_id or parent_session_id != call.session_id:
            return
        index, call.started = call.started, call.started + 1
        if index < len(call.picks):
            with self._lock:
                self._running[child_session_id] = call, call.picks[index]
                while len(self._running) > RUNNING_MAX:
                    self._running.popitem(last=False)

    def on_stop(self, *, child_session_id: str | None = None, **ended: Any) -> None:
        """A child ended."""
        with self._lock:
            found = self._running.pop(child_session_id or "", None)
        if found is None or child_session_id is None:
            return
        report = reports.report_of(*found, child_session_id, ended)
        if report is not None:
            self.reporter.tell(report)

    def on_command(self, raw: str | None = None, *_: Any, **__: Any) -> str:
        """`/routerd`."""
        return command.run(self, raw)

    # --- inside -----------------------------------------------------------------------------------------------------

    def _before(self, call: Call, args: Any) -> str | None:
        """Makes ready; asks at once where it will not be seen who delegates. What cannot be reached is only watched."""
        try:
            sees_parent = self._install()
            if call.mode == "enforce" and self.troubles():
                call.mode = "shadow"
            if not sees_parent and isinstance(args, dict):
                return self.consider(call, args, None)
        except Exception:
            log.debug("%s: cannot watch this call", PLUGIN, exc_info=True)
        return None

    def consider(self, call: Call, arguments: Mapping[str, Any], parent: Any) -> str | None:
        """Asks about a call; the answer that stands for all of it, or None where Hermes is to go on."""
        try:
            self.ask(call, arguments, parent)
            return self._own_work(call)
        except Exception:
            log.debug("%s: cannot advise on this call", PLUGIN, exc_info=True)
            return None

    def ask(self, call: Call, arguments: Mapping[str, Any], parent: Any) -> None:
        """Asks about a call, and remembers the picks."""
        call.consider(arguments, config.section(), parent, config.scope())
        self.last.extend(call.picks)

    def troubles(self) -> list[str]:
        """What keeps picks from being applied, for people."""
        found = [self.trouble] if self.trouble else []
        with suppress(Exception):
            if self.official and config.section().get("backend") != PLUGIN:
                found.append(f"delegation.backend is not {PLUGIN}: nothing can be applied")
        return found

    def _own_work(self, call: Call) -> str | None:
        """The answer "do it yourself"; not twice to the same, for then the agent insists."""
        asked = (call.session_id, goals(call.picks))
        if not call.local or asked in self._turned_down:
            return None
        self._turned_down.append(asked)
        return call.own_work()

    def _install(self) -> bool:
        """Whether it is seen who delegates. The seams are put in when the first call comes: Hermes is loaded then."""
        with self._lock:
            if self._sees_parent is None:
                tool = importlib.import_module("tools.delegate_tool")
                self._sees_parent, builds = seams.install(tool, self.consider, routes=not self.official)
                if not self.official and not (builds and self._sees_parent):
                    self.trouble = "this version of Hermes delegates in a way that is not known here: only watching"
            return self._sees_parent


PROCESS = Plugin()
"""One for the process, however often Hermes loads its plugins anew."""


def attach(ctx: Any, plugin: Plugin = PROCESS) -> None:
    """Registers everything with Hermes, as far as its version has a place for it."""
    middleware = getattr(ctx, "register_middleware", None)
    if not callable(middleware):
        log.warning("%s: needs Hermes 0.17 or newer; what it logs is read all the same", PLUGIN)
        return
    plugin.official = provider.offer(ctx, plugin)
    middleware("tool_execution", plugin.on_tool)
    ctx.register_hook("subagent_start", plugin.on_start)
    ctx.register_hook("subagent_stop", plugin.on_stop)
    commands = getattr(ctx, "register_command", None)
    if callable(commands):
        commands(command.NAME, plugin.on_command, description=command.DESCRIPTION, args_hint=command.HINT)

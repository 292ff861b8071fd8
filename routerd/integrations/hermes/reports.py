"""
How children ended, told to the daemon from a thread of its own: nobody waits for it.

What Hermes says of success is not passed on: until 0.21 its `status` is `completed` after a refused login, an empty
reply and a spent budget alike. A report says which decision the child followed, what really ran and how long; whether
it worked is what the log shows. Both name the child's session, so they are one outcome.
"""

from __future__ import annotations

import atexit
import queue
import threading
import time
from time import monotonic

from routerd.client import ask
from routerd.integrations.hermes import AGENT, tasks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from routerd.integrations.hermes.call import Call, Pick

KEPT_MAX = 256
"""Reports that wait; what is beyond that the log tells as well."""
REPORT_S = 5.0
"""A report is answered when it is on disk. Only the thread waits."""
PAUSES_S = (0.0, 1.0, 5.0)
"""Before each try: a daemon that is started anew answers after a second."""
EXIT_S = 0.05
"""So long may the end of the process wait for what is being told."""


class Reporter:
    """Tells reports one after the other; `pauses_s` come before each try."""

    def __init__(self, pauses_s: tuple[float, ...] = PAUSES_S) -> None:
        self._pauses_s = pauses_s
        self._waiting: queue.Queue[Mapping[str, Any]] = queue.Queue(KEPT_MAX)
        self._thread: threading.Thread | None = None
        self._heard = True
        atexit.register(self.finish)

    def tell(self, report: Mapping[str, Any]) -> None:
        """Puts a report into the queue; one too many is dropped."""
        try:
            self._waiting.put_nowait(report)
        except queue.Full:
            return
        if self._thread is None or not self._thread.is_alive():  # also after a fork
            self._thread = threading.Thread(target=self._run, name="routerd-reports", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while True:
            report = self._waiting.get()
            for pause_s in self._pauses_s:
                time.sleep(pause_s)
                self._heard = ask("report", report, timeout_s=REPORT_S) is not None
                if self._heard:
                    break
            self._waiting.task_done()

    def finish(self, seconds: float = EXIT_S) -> None:
        """Waits a little for what is left, unless nobody listens."""
        deadline = monotonic() + seconds
        while self._waiting.unfinished_tasks and self._heard and monotonic() < deadline:
            time.sleep(0.001)


def report_of(call: Call, pick: Pick, child_id: str, ended: Mapping[str, Any]) -> dict[str, Any] | None:
    """
    The report of a child that ended; None without a decision, or where nobody knows what ran.

    Args:
        call: Its call.
        pick: Its task's.
        child_id: Its session.
        ended: What the hook says: `child_status`, `duration_ms`.
    """
    ran = _ran(pick)
    if pick.decision is None or ran is None:
        return None
    outcome: dict[str, Any] = {"finished_at": time.time()}
    if isinstance(ended.get("duration_ms"), int) and ended["duration_ms"] >= 0:
        outcome["wall_time_ms"] = ended["duration_ms"]
    if (status := tasks.text(ended.get("child_status"))) not in (None, "completed"):
        outcome["error"] = status
    return {
        "outcome_id": f"{AGENT}:{child_id}",
        "decision_id": pick.decision["decision_id"],
        "ref": {**pick.ref, "child_id": child_id},
        "task": pick.task,
        "dispatch": ran,
        "scope": call.scope,
        "overridden": call.mode != "enforce",  # nothing could have been applied: Hermes chose, even if it chose alike
        "outcome": outcome,
    }


def _ran(pick: Pick) -> dict[str, Any] | None:
    """What the child really ran on: as it says itself, else what it was given."""
    child = pick.child() if pick.child is not None else None
    role = pick.task["role"]
    if child is not None and (route := tasks.route_of(child)):
        return {"executor": "delegate", **route, "role": role}
    return None if pick.route is not None else pick.incumbent

"""The sessions of the Copilot CLI: `~/.copilot/session-state/<id>/events.jsonl` (`$COPILOT_HOME`), one file a session.

Written from the documented events and from descriptions of files of versions 1.0.59 and 1.0.60, where no subagents were
seen; not run against the program. A turn goes from `user.message` to an `assistant.turn_end` after a message without
tool requests, or to `abort` or `session.error`. A `task` call is a delegation, told in the same file by
`subagent.started` and `subagent.completed` or `subagent.failed`; what a subagent does in between bears its `agentId`
(or the call's id as `parentToolCallId`) and is not the turn's, so children of children are not seen.

Tokens are told by model for the whole session, in `session.shutdown`, and not by turn: none are given.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from routerd.events import Completion, Dispatch, Parent, unit_key
from routerd.sources import values
from routerd.sources.base import Claim, Line, Machine
from routerd.sources.turns import KEPT_CALLS_MAX, Turn, TurnMachine

AGENT: Final = "copilot"
PROVIDER: Final = "github-copilot"
_EXIT: Final = re.compile(r"exit(?:ed)?(?: with)?(?: exit)? code:? (\d{1,9})", re.IGNORECASE)
_EDITORS: Final = frozenset({"edit", "create", "str_replace_editor", "apply_patch"})
_SHELLS: Final = frozenset({"bash", "shell", "powershell"})


class CopilotMachine(TurnMachine):
    """One session."""

    def __init__(self, group: str) -> None:
        super().__init__()
        self.session_id = group
        self.cwd: str | None = None
        self.model: str | None = None
        self.effort: str | None = None
        self.children: dict[str, Turn] = {}

    def take(self, record: dict[str, Any], line: Line) -> None:
        """One event."""
        kind, data = record.get("type"), values.member(record, "data")
        if kind in ("session.start", "session.resume"):
            self.cwd = values.string(values.member(data, "context"), "cwd") or self.cwd
            self.model = values.string(data, "selectedModel") or self.model
        elif kind == "session.model_change":
            self.model = values.string(data, "newModel") or self.model
            self.effort = values.string(data, "reasoningEffort") or self.effort
        elif kind in ("subagent.completed", "subagent.failed"):
            self._child_ended(data, failed=kind == "subagent.failed")
        elif kind == "subagent.started":
            self._child_began(data)
        elif "agentId" in record or "parentToolCallId" in data:
            return
        elif kind == "user.message":
            name = values.string(record, "id") or str(line.offset)
            self.begin(self._turn(unit_key(AGENT, "turn", f"{self.session_id}/{name}"), line.path, _goal(data)))
        elif self.turn is not None:
            self._act(self.turn, str(kind), data)

    def _turn(self, key: str, path: str, goal: str) -> Turn:
        return Turn(
            agent=AGENT,
            key=key,
            session_id=self.session_id,
            transcript=path,
            goal=goal,
            cwd=self.cwd,
            provider=PROVIDER,
            model=self.model,
            effort=self.effort,
        )

    def _act(self, turn: Turn, kind: str, data: dict[str, Any]) -> None:
        if kind == "assistant.message":
            if model := values.string(data, "model"):
                turn.model = model
                turn.asked = Dispatch(executor="local", model=self.model) if self.model else None
            if values.string(data, "content"):
                turn.speaks()
            if data.get("toolRequests"):
                turn.worked, turn.said = True, False
        elif kind == "tool.execution_start":
            self._call(turn, data)
        elif kind == "tool.execution_complete":
            call_id = values.string(data, "toolCallId") or ""
            turn.answered(call_id, passed=_passed(data))
            if call_id in self.children and not self.children[call_id].worked:
                del self.children[call_id]  # refused: no delegation
        elif kind == "assistant.turn_end" and turn.said:
            self.end("completed")
        elif kind == "abort":
            self.end("interrupted")
        elif kind == "session.error":
            self.end("unknown", censored=values.censoring(values.string(data, "message") or ""))

    def _call(self, turn: Turn, data: dict[str, Any]) -> None:
        call_id, tool, arguments = (
            values.string(data, "toolCallId") or "",
            values.string(data, "toolName"),
            values.member(data, "arguments"),
        )
        turn.acts(call_id, values.command(arguments.get("command")) if tool in _SHELLS else "")
        if tool in _EDITORS:
            turn.trace.edited()
        elif tool == "task" and call_id:
            child = self._turn(
                unit_key(AGENT, "tool", call_id), turn.transcript, values.string(arguments, "prompt") or ""
            )
            child.child, child.kind, child.model, child.effort = (
                True,
                values.string(arguments, "agent_type"),
                None,
                None,
            )
            if model := values.string(arguments, "model"):
                child.asked = Dispatch(executor="delegate", model=model)
            child.parent = Parent(provider=PROVIDER, model=turn.model, reasoning_effort=turn.effort)
            self.children[call_id] = child
            while len(self.children) > KEPT_CALLS_MAX:
                del self.children[next(iter(self.children))]

    def _child_began(self, data: dict[str, Any]) -> None:
        child = self.children.get(values.string(data, "toolCallId") or "")
        if child is None or child.worked:
            return
        child.worked, child.started_at = True, self.at
        child.model = values.string(data, "model") or child.model
        child.kind = child.kind or values.string(data, "agentName")
        if self.turn is not None:
            self.turn.delegations += 1

    def _child_ended(self, data: dict[str, Any], *, failed: bool) -> None:
        child = self.children.pop(values.string(data, "toolCallId") or "", None)
        if child is None:
            return
        child.last_at, child.extent = self.at, 1
        child.model = values.string(data, "model") or child.model
        wall_ms = values.number(data, "durationMs")
        if failed:
            censored = values.censoring(values.string(data, "error") or "")
            self._ended.append(child.completion("unknown", censored=censored, wall_ms=wall_ms))
        else:
            self._ended.append(child.completion("completed", wall_ms=wall_ms))

    def others(self, *, idle: bool) -> list[Completion]:
        """Subagents that run; a call that was refused never began."""
        running = [child for child in self.children.values() if child.worked]
        for child in running:
            child.left = child.left or idle
        return [child.completion("unknown" if child.left else None) for child in running]


def _goal(message: dict[str, Any]) -> str:
    return values.string(message, "content") or ""


def _passed(result: dict[str, Any]) -> bool | None:
    """The verdict of a command, by the exit code that its result names; a tool may succeed where its command failed."""
    if found := _EXIT.search(values.text(result.get("result"))[-400:]):
        return int(found[1]) == 0 if values.did_run(int(found[1])) else None
    return True if result.get("success") is True else None


class CopilotSource:
    """Where sessions lie."""

    agent = AGENT
    polled = False

    def roots(self, env: Mapping[str, str]) -> list[str]:
        """`session-state` of `$COPILOT_HOME`, or of `~/.copilot`."""
        home = env.get("COPILOT_HOME") or (f"{env['HOME']}/.copilot" if env.get("HOME") else None)
        return [] if home is None else [f"{home}/session-state"]

    def enters(self, root: str, directory: str) -> bool:
        """A directory for each session; what lies deeper is the session's own files."""
        return "/" not in directory[len(root) :].strip("/")

    def claim(self, root: str, path: str, head: Callable[[], bytes]) -> Claim | None:
        """A session is named by its directory."""
        directory, _, name = path.rpartition("/")
        return Claim(directory.rpartition("/")[2], "lines") if name == "events.jsonl" else None

    def open(self, group: str) -> Machine:
        """A machine for one session."""
        return CopilotMachine(group)


SOURCE: Final = CopilotSource()

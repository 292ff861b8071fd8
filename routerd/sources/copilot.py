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

import msgspec
from msgspec import UNSET, Raw

from routerd.events import Completion, Dispatch, Parent, unit_key
from routerd.sources import values
from routerd.sources.base import Claim, Line, Machine
from routerd.sources.turns import KEPT_CALLS_MAX, Turn, TurnMachine

AGENT: Final = "copilot"
PROVIDER: Final = "github-copilot"
_EXIT: Final = re.compile(r"exit(?:ed)?(?: with)?(?: exit)? code:? (\d{1,9})", re.IGNORECASE)
_EDITORS: Final = frozenset({"edit", "create", "str_replace_editor", "apply_patch"})
_SHELLS: Final = frozenset({"bash", "shell", "powershell"})


class Data(msgspec.Struct, rename="camel", gc=False):
    """The members of every kind of event that matter here."""

    tool_call_id: str | None = None
    tool_name: str | None = None
    arguments: Raw = values.NULL
    result: Raw = values.NULL
    success: bool | None = None
    parent_tool_call_id: Any = UNSET
    model: str | None = None
    content: str | None = None
    tool_requests: Any = None
    message: str | None = None
    error: str | None = None
    duration_ms: float | None = None
    agent_name: str | None = None
    context: Raw = values.NULL
    selected_model: str | None = None
    new_model: str | None = None
    reasoning_effort: str | None = None


class Event(msgspec.Struct, rename="camel", gc=False):
    """A line."""

    type: str | None = None
    timestamp: Any = None
    id: str | None = None
    agent_id: Any = UNSET
    data: Data = msgspec.field(default_factory=Data)


_read: Final = values.reader(Event)


class CopilotMachine(TurnMachine[Event]):
    """One session."""

    def __init__(self, group: str) -> None:
        super().__init__()
        self.session_id = group
        self.cwd: str | None = None
        self.model: str | None = None
        self.effort: str | None = None
        self.children: dict[str, Turn] = {}

    def read(self, data: bytes) -> Event:
        """An event."""
        return _read(data)

    def take(self, record: Event, line: Line) -> None:
        """One event."""
        kind, data = record.type, record.data
        if kind in ("session.start", "session.resume"):
            self.cwd = values.string(values.mapping(data.context), "cwd") or self.cwd
            self.model = data.selected_model or self.model
        elif kind == "session.model_change":
            self.model = data.new_model or self.model
            self.effort = data.reasoning_effort or self.effort
        elif kind in ("subagent.completed", "subagent.failed"):
            self._child_ended(data, failed=kind == "subagent.failed")
        elif kind == "subagent.started":
            self._child_began(data)
        elif record.agent_id is not UNSET or data.parent_tool_call_id is not UNSET:
            return
        elif kind == "user.message":
            name = record.id or str(line.offset)
            key = unit_key(AGENT, "turn", f"{self.session_id}/{name}")
            self.begin(self._turn(key, line.path, data.content or ""))
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

    def _act(self, turn: Turn, kind: str, data: Data) -> None:
        if kind == "assistant.message":
            if data.model:
                turn.model = data.model
                turn.asked = Dispatch(executor="local", model=self.model) if self.model else None
            if data.content:
                turn.speaks()
            if data.tool_requests:
                turn.worked, turn.said = True, False
        elif kind == "tool.execution_start":
            self._call(turn, data)
        elif kind == "tool.execution_complete":
            self._answered(turn, data)
        elif kind == "assistant.turn_end" and turn.said:
            self.end("completed")
        elif kind == "abort":
            self.end("interrupted")
        elif kind == "session.error":
            self.end("unknown", censored=values.censoring(data.message or ""))

    def _answered(self, turn: Turn, data: Data) -> None:
        call_id = data.tool_call_id or ""
        turn.answered(call_id, passed=_passed(data) if turn.calls.get(call_id) else None)
        if call_id in self.children and not self.children[call_id].worked:
            del self.children[call_id]  # refused: no delegation

    def _call(self, turn: Turn, data: Data) -> None:
        call_id, tool = data.tool_call_id or "", data.tool_name
        shell = tool in _SHELLS
        turn.acts(call_id, values.command_in(data.arguments) if shell else "")
        if tool in _EDITORS:
            turn.trace.edited()
        elif tool == "task" and call_id:
            self._delegated(turn, call_id, values.mapping(data.arguments))

    def _delegated(self, turn: Turn, call_id: str, arguments: dict[str, Any]) -> None:
        child = self._turn(unit_key(AGENT, "tool", call_id), turn.transcript, values.string(arguments, "prompt") or "")
        child.child, child.kind, child.model, child.effort = True, values.string(arguments, "agent_type"), None, None
        if model := values.string(arguments, "model"):
            child.asked = Dispatch(executor="delegate", model=model)
        child.parent = Parent(provider=PROVIDER, model=turn.model, reasoning_effort=turn.effort)
        self.children[call_id] = child
        while len(self.children) > KEPT_CALLS_MAX:
            del self.children[next(iter(self.children))]

    def _child_began(self, data: Data) -> None:
        child = self.children.get(data.tool_call_id or "")
        if child is None or child.worked:
            return
        child.worked, child.started_at = True, self.at
        child.model = data.model or child.model
        child.kind = child.kind or data.agent_name or None
        if self.turn is not None:
            self.turn.delegations += 1

    def _child_ended(self, data: Data, *, failed: bool) -> None:
        child = self.children.pop(data.tool_call_id or "", None)
        if child is None:
            return
        child.last_at, child.extent = self.at, 1
        child.model = data.model or child.model
        wall_ms = values.positive(data.duration_ms)
        if failed:
            censored = values.censoring(data.error or "")
            self._ended.append(child.completion("unknown", censored=censored, wall_ms=wall_ms))
        else:
            self._ended.append(child.completion("completed", wall_ms=wall_ms))

    def others(self, *, idle: bool) -> list[Completion]:
        """Subagents that run; a call that was refused never began."""
        running = [child for child in self.children.values() if child.worked]
        for child in running:
            child.left = child.left or idle
        return [child.completion("unknown" if child.left else None) for child in running]


def _passed(data: Data) -> bool | None:
    """The verdict of a command, by the exit code that its result names; a tool may succeed where its command failed."""
    if found := _EXIT.search(values.text(values.loaded(data.result))[-400:]):
        return int(found[1]) == 0 if values.did_run(int(found[1])) else None
    return True if data.success is True else None


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

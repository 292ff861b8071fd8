"""Synthetic sessions of the Copilot CLI."""

import json
from typing import Any, Self

from tests.sources.codex_logs import CWD, stamp, uid


class Session:
    """A session being written; every method adds an event and moves the time on by a second."""

    def __init__(self, at: float, number: int = 0) -> None:
        self.at = at
        self.id = uid(at, number)
        self.events: list[dict[str, Any]] = []
        self.add("session.start", copilotVersion="1.0.60", context={"cwd": CWD, "branch": "main"})
        self.add("session.model_change", newModel="big-1", reasoningEffort="high")

    @property
    def path(self) -> str:
        return f".copilot/session-state/{self.id}/events.jsonl"

    @property
    def data(self) -> bytes:
        return b"".join(json.dumps(event).encode() + b"\n" for event in self.events)

    def add(self, kind: str, /, *, agent: str | None = None, **data: Any) -> Self:
        envelope = {"id": f"event-{len(self.events)}", "timestamp": stamp(self.at), "parentId": None}
        owner = {} if agent is None else {"agentId": agent}
        self.events.append({"type": kind, "data": data, **envelope, **owner})
        self.at += 1
        return self

    def told(self, text: str) -> Self:
        return self.add("user.message", content=text).add("assistant.turn_start")

    def said(self, text: str = "Done.") -> Self:
        return self.add("assistant.message", content=text, toolRequests=[], outputTokens=50).add("assistant.turn_end")

    def call(self, tool: str, call_id: str, **arguments: Any) -> Self:
        self.add("assistant.message", content="", toolRequests=[{"toolCallId": call_id, "name": tool}])
        return self.add("tool.execution_start", toolCallId=call_id, toolName=tool, arguments=arguments)

    def result(self, call_id: str, text: str = "ok", *, success: bool = True) -> Self:
        return self.add("tool.execution_complete", toolCallId=call_id, success=success, result={"content": text})

    def shell(self, command: str, exit_code: int) -> Self:
        call_id = f"call_{self.id}_{len(self.events)}"
        return self.call("bash", call_id, command=command).result(call_id, f"…\n<exited with exit code {exit_code}>")

    def delegate(self, call_id: str, prompt: str, **ended: Any) -> Self:
        """A subagent that starts and, where told how, ends."""
        self.call("task", call_id, agent_type="explore", prompt=prompt, description="Look")
        self.add("subagent.started", agent=call_id, toolCallId=call_id, agentName="explore", model="small-1")
        self.add("assistant.message", agent=call_id, content="Looking.", toolRequests=[])
        self.add("assistant.turn_end", agent=call_id)
        if ended:
            kind = "subagent.failed" if "error" in ended else "subagent.completed"
            self.add(kind, agent=call_id, toolCallId=call_id, agentName="explore", durationMs=2500, **ended)
        return self


def home_files() -> dict[str, bytes]:
    """A home in which the Copilot CLI has worked."""
    session = Session(0).told("Fix the parser").call("edit", "call_1", path="a.py").result("call_1").shell("pytest", 0)
    session.delegate("call_task_1", "Find the callers", model="small-1").result("call_task_1")
    session.delegate("call_task_2", "Find the tests", error="429 rate limit").said()
    session.told("And the docs").add("abort", reason="user_initiated")
    other = Session(100, 1).told("Try it").delegate("call_task_3", "Read all").call("bash", "call_2", command="ls")
    return {session.path: session.data, other.path: other.data}

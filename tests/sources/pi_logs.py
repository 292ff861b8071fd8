"""Synthetic sessions of pi."""

import json
from typing import Any, Self

from tests.sources.codex_logs import CWD, stamp, uid

USAGE = {"input": 400, "output": 50, "cacheRead": 600, "cacheWrite": 10, "cost": {"total": 0.25}}


class Session:
    """A session being written; every method adds an entry and moves the time on by a second."""

    def __init__(self, at: float, number: int = 0, **header: Any) -> None:
        self.at = at
        self.id = uid(at, number)
        self.entries: list[dict[str, Any]] = []
        self.add("session", id=self.id, cwd=CWD, provider="acme", modelId="big-1", thinkingLevel="high", **header)

    @property
    def path(self) -> str:
        return f".pi/agent/sessions/--home-user-project--/{stamp(0).replace(':', '-')}_{self.id}.jsonl"

    @property
    def data(self) -> bytes:
        return b"".join(json.dumps(entry).encode() + b"\n" for entry in self.entries)

    def add(self, kind: str, /, **members: Any) -> Self:
        self.entries.append({"type": kind, "timestamp": stamp(self.at), **members})
        self.at += 1
        return self

    def message(self, role: str, content: Any, **members: Any) -> Self:
        return self.add("message", message={"role": role, "content": content, **members})

    def told(self, text: str) -> Self:
        return self.message("user", [{"type": "text", "text": text}])

    def answer(self, *parts: dict[str, Any], stop: str = "stop", **members: Any) -> Self:
        model = {"provider": "acme", "model": "big-1", "usage": USAGE, "stopReason": stop}
        return self.message("assistant", list(parts), **model, **members)

    def said(self, text: str = "Done.", **members: Any) -> Self:
        return self.answer({"type": "text", "text": text}, **members)

    def call(self, name: str, call_id: str, **arguments: Any) -> Self:
        return self.answer({"type": "toolCall", "id": call_id, "name": name, "arguments": arguments}, stop="toolUse")

    def result(self, call_id: str, text: str = "ok", *, error: bool = False) -> Self:
        content = [{"type": "text", "text": text}]
        return self.message("toolResult", content, toolCallId=call_id, toolName="bash", isError=error)

    def shell(self, command: str, exit_code: int) -> Self:
        call_id = f"call_{len(self.entries)}"
        self.call("bash", call_id, command=command)
        return self.result(call_id, f"Command exited with code {exit_code}", error=exit_code != 0)


def home_files() -> dict[str, bytes]:
    """A home in which pi has worked."""
    session = Session(0).told("Fix the parser").call("edit", "call_1", path="a.py").result("call_1")
    session.shell("pytest -q", 1).shell("pytest -q", 0).said()
    session.add("model_change", provider="acme", modelId="small-1").add("thinking_level_change", thinkingLevel="low")
    session.told("Now the docs").said(stop="error", errorMessage="429 rate limit exceeded")
    session.told("Go on").said(stop="aborted").told("And the rest").call("bash", "call_2", command="ls")
    branch = Session(100, 1, branchedFrom="/home/user/other.jsonl")
    branch.entries += session.entries[1:3]
    branch.told("The other way").said()
    return {session.path: session.data, branch.path: branch.data}

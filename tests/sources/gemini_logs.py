"""Synthetic chats of the Gemini CLI, in both forms."""

import json
from typing import Any, Self

from tests.sources.codex_logs import stamp, uid

TOKENS = {"input": 1000, "output": 40, "cached": 600, "thoughts": 10, "tool": 0, "total": 1050}


class Chat:
    """A chat being written; every method adds a message and moves the time on by a second."""

    def __init__(self, at: float, number: int = 0, *, parent: str | None = None) -> None:
        self.at = at
        self.id = uid(at, number)
        self.parent = parent
        kind = "main" if parent is None else "subagent"
        self.header = {"sessionId": self.id, "projectHash": "0f" * 32, "startTime": stamp(at), "kind": kind}
        self.records: list[dict[str, Any]] = []

    @property
    def path(self) -> str:
        name = (
            f"session-{stamp(0)[:16].replace(':', '-')}-{self.id[:8]}"
            if self.parent is None
            else f"{self.parent}/{self.id}"
        )
        return f".gemini/tmp/project/chats/{name}.jsonl"

    @property
    def data(self) -> bytes:
        return b"".join(json.dumps(record).encode() + b"\n" for record in [self.header, *self.records])

    @property
    def document(self) -> bytes:
        return json.dumps({**self.header, "messages": self.records}, indent=2).encode()

    def add(self, kind: str, content: Any, **members: Any) -> Self:
        identity = f"message-{len(self.records)}"
        self.records.append({"id": identity, "timestamp": stamp(self.at), "type": kind, "content": content, **members})
        self.at += 1
        return self

    def told(self, text: str) -> Self:
        return self.add("user", [{"text": text}])

    def said(self, text: str = "Done.", *calls: dict[str, Any]) -> Self:
        return self.add(
            "gemini", text, model="big-1", tokens=TOKENS, thoughts=[{"subject": "…"}], toolCalls=list(calls)
        )

    def shell(self, command: str, exit_code: int, status: str = "success") -> Self:
        result = f"Output: …\nExit Code: {exit_code}" if exit_code else "Output: …"
        return self.said("", call("run_shell_command", {"command": command}, status, result))

    def set(self, **members: Any) -> Self:
        self.records.append({"$set": members})
        return self

    def rewind(self, identity: str) -> Self:
        self.records.append({"$rewindTo": identity})
        return self


def call(
    name: str, args: dict[str, Any], status: str = "success", result: str = "ok", **members: Any
) -> dict[str, Any]:
    """A tool call of a message."""
    response = [{"functionResponse": {"id": name, "response": {"output": result}}}]
    return {"id": f"{name}-1", "name": name, "args": args, "status": status, "result": response, **members}


def home_files() -> dict[str, bytes]:
    """A home in which the Gemini CLI has worked."""
    chat = Chat(0).told("Fix the parser").said("", call("replace", {"file_path": "a.py"})).shell("pytest", 0)
    chat.said("", call("task", {"prompt": "Look"}, agentId="agent-1")).said().set(lastUpdated=stamp(chat.at))
    chat.told("And the docs").add("info", "Request cancelled.")
    chat.told("And the rest").add("error", "[API Error: 429 quota exceeded]").told("Go on").shell("ls", 0, "executing")
    child = Chat(50, 1, parent=chat.id).told("Look").said("Looked.")
    old = Chat(100, 2).told("What is this?").said("A parser.").told("Thanks").said("Welcome.")
    return {chat.path: chat.data, child.path: child.data, old.path.removesuffix("l"): old.document}

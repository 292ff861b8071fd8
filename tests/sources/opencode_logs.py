"""Synthetic sessions of OpenCode: a database, and the files of older versions."""

import json
import sqlite3
from typing import Any, Self

from tests.sources.codex_logs import CWD, START

HOME = ".local/share/opencode"
SCHEMA = """
CREATE TABLE session (id TEXT PRIMARY KEY, project_id TEXT, parent_id TEXT, directory TEXT, title TEXT,
                      time_created INTEGER, time_updated INTEGER);
CREATE TABLE message (id TEXT PRIMARY KEY, session_id TEXT, time_created INTEGER, time_updated INTEGER, data TEXT);
CREATE TABLE part (id TEXT PRIMARY KEY, message_id TEXT, session_id TEXT, time_created INTEGER, time_updated INTEGER,
                   data TEXT);
"""
TOKENS = {"input": 400, "output": 40, "reasoning": 10, "cache": {"read": 600, "write": 5}}


class Session:
    """A session being written; ids order by time, as OpenCode's do."""

    def __init__(self, name: str, at: float, parent: "Session | None" = None) -> None:
        self.id = f"ses_{name}"
        self.parent = None if parent is None else parent.id
        self.at = at
        self.user = self.answer = ""
        self.messages: dict[str, dict[str, Any]] = {}
        self.parts: dict[str, tuple[str, dict[str, Any]]] = {}

    @property
    def now(self) -> int:
        self.at += 1
        return int((START + self.at) * 1000)

    def _part(self, message_id: str, **data: Any) -> Self:
        now = self.now
        self.parts[f"prt_{now}_{self.id}"] = (message_id, data)
        return self

    def told(self, text: str, **members: Any) -> Self:
        now = self.now
        self.user = f"msg_{now}_{self.id}"
        self.messages[self.user] = {"role": "user", "time": {"created": now}, "agent": "build", **members}
        return self._part(self.user, type="text", text=text)

    def begin(self, **members: Any) -> Self:
        """An assistant message that is not complete yet."""
        now = self.now
        self.answer = f"msg_{now}_{self.id}"
        self.messages[self.answer] = {
            "role": "assistant", "parentID": self.user, "time": {"created": now}, "modelID": "big-1",
            "providerID": "acme", "mode": "build", "path": {"cwd": CWD}, "cost": 0.25, "tokens": TOKENS, **members,
        }  # fmt: skip
        return self

    def tool(self, tool: str, status: str = "completed", **state: Any) -> Self:
        call = {"callID": f"call_{self.at}_{self.id}", "tool": tool, "state": {"status": status, **state}}
        return self._part(self.answer, type="tool", **call)

    def shell(self, command: str, exit_code: int) -> Self:
        return self.tool("bash", input={"command": command}, metadata={"exit": exit_code})

    def done(self, text: str = "Done.", finish: str = "stop") -> Self:
        """The assistant message is complete."""
        if text:
            self._part(self.answer, type="text", text=text)
        self.messages[self.answer] |= {"finish": finish}
        self.messages[self.answer]["time"]["completed"] = self.now
        return self

    def failed(self, name: str, **data: Any) -> Self:
        self.messages[self.answer] |= {"error": {"name": name, "data": data}}
        return self

    def delegate(self, child: "Session", prompt: str) -> Self:
        given = {"prompt": prompt, "description": "Look", "subagent_type": "explore"}
        return self.tool("task", input=given, metadata={"sessionId": child.id})


def database(*sessions: Session) -> bytes:
    """The bytes of a database with these sessions."""
    with sqlite3.connect(":memory:") as connection:
        connection.executescript(SCHEMA)
        write(connection, *sessions)
        connection.commit()
        data = connection.serialize()
    connection.close()
    return data


def write(connection: sqlite3.Connection, *sessions: Session) -> None:
    for session in sessions:
        row = (session.id, "project", session.parent, CWD, "Title", 0, 0)
        connection.execute("INSERT OR REPLACE INTO session VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        for identity, message in session.messages.items():
            created = message["time"]["created"]
            updated = message["time"].get("completed", created)
            values = (identity, session.id, created, updated, json.dumps(message))
            connection.execute("INSERT OR REPLACE INTO message VALUES (?, ?, ?, ?, ?)", values)
        for identity, (message_id, part) in session.parts.items():
            values_ = (identity, message_id, session.id, 0, 0, json.dumps(part))
            connection.execute("INSERT OR REPLACE INTO part VALUES (?, ?, ?, ?, ?, ?)", values_)


def stored(*sessions: Session) -> dict[str, bytes]:
    """The files of these sessions, as older versions wrote them."""
    files: dict[str, Any] = {}
    for session in sessions:
        info = {"id": session.id, "projectID": "project", "directory": CWD}
        parent = {} if session.parent is None else {"parentID": session.parent}
        files[f"{HOME}/storage/session/project/{session.id}.json"] = info | parent
        for identity, message in session.messages.items():
            owner = {"id": identity, "sessionID": session.id}
            files[f"{HOME}/storage/message/{session.id}/{identity}.json"] = owner | message
        for identity, (message_id, part) in session.parts.items():
            owner = {"id": identity, "sessionID": session.id, "messageID": message_id}
            files[f"{HOME}/storage/part/{message_id}/{identity}.json"] = owner | part
    return {path: json.dumps(value, indent=2).encode() for path, value in files.items()}


def delegating(name: str, at: float) -> list[Session]:
    """A session that delegates, and its child, which is asked a second time."""
    root = Session(name, at).told("Fix the parser", model={"providerID": "acme", "modelID": "big-1", "variant": "high"})
    child = Session(f"{name}_child", at + 10, root).told("Find the callers")
    child.begin(modelID="small-1", mode="explore").shell("grep -r parse .", 0).done("Two.")
    child.told("Look again").begin(modelID="small-1", mode="explore").done("Three.")
    root.begin().tool("edit", input={}).delegate(child, "Find the callers").done("", "tool-calls")
    root.begin().shell("pytest -q", 0).done().told("And the docs").begin().failed("MessageAbortedError", message="x")
    root.told("Go on").begin().tool("bash", "running", input={"command": "ls"})
    return [root, child]


def home_files() -> dict[str, bytes]:
    """A home in which OpenCode has worked, before and after it began to use a database."""
    return {f"{HOME}/opencode.db": database(*delegating("new", 1000))} | stored(*delegating("old", 0))

"""A database in the form in which Hermes Agent keeps its sessions (schema 22): the columns that tell what was done."""

import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

from routerd.cli.demo.story import PROJECT, Session, Task

TABLES = (
    "CREATE TABLE schema_version (version INTEGER NOT NULL)",
    "INSERT INTO schema_version VALUES (22)",
    """CREATE TABLE sessions (id TEXT PRIMARY KEY, source TEXT NOT NULL, model TEXT, model_config TEXT,
       parent_session_id TEXT, started_at REAL NOT NULL, ended_at REAL, end_reason TEXT,
       message_count INTEGER DEFAULT 0, tool_call_count INTEGER DEFAULT 0, input_tokens INTEGER DEFAULT 0,
       output_tokens INTEGER DEFAULT 0, cache_read_tokens INTEGER DEFAULT 0, cache_write_tokens INTEGER DEFAULT 0,
       reasoning_tokens INTEGER DEFAULT 0, billing_provider TEXT, billing_base_url TEXT, billing_mode TEXT,
       estimated_cost_usd REAL, actual_cost_usd REAL, cost_status TEXT, api_call_count INTEGER DEFAULT 0, cwd TEXT,
       archived INTEGER NOT NULL DEFAULT 0, rewind_count INTEGER NOT NULL DEFAULT 0)""",
    """CREATE TABLE messages (id INTEGER PRIMARY KEY AUTOINCREMENT, session_id TEXT NOT NULL, role TEXT NOT NULL,
       content TEXT, tool_call_id TEXT, tool_calls TEXT, tool_name TEXT, timestamp REAL NOT NULL, token_count INTEGER,
       finish_reason TEXT, active INTEGER NOT NULL DEFAULT 1, compacted INTEGER NOT NULL DEFAULT 0)""",
    "CREATE INDEX idx_sessions_parent ON sessions(parent_session_id)",
    "CREATE INDEX idx_messages_session ON messages(session_id, timestamp)",
)


def write(home: Path, sessions: Iterable[Session]) -> None:
    """Writes `state.db` with these sessions."""
    home.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(home / "state.db")) as connection, connection:
        for sql in TABLES:
            connection.execute(sql)
        for session in sessions:
            _session(_Writer(connection), session)


def _session(to: "_Writer", session: Session) -> None:
    to.session(
        session.id,
        session.at,
        session.ended,
        model=session.lead,
        provider="zai",
        tokens=(9000, 400, 8000, 0),
        source="cli",
        cwd=PROJECT,
    )
    to.says(session.id, session.at, "user", session.wish)
    for task in session.tasks:
        call = f"call_{task.id}"
        to.calls(session.id, task.at, call, "delegate_task", {"goal": task.goal, "role": "leaf"})
        _child(to, session.id, task)
        entry = {
            "task_index": 0,
            "status": "completed",
            "summary": "Done.",
            "api_calls": 3,
            "duration_seconds": round(task.seconds, 1),
            "model": task.model,
            "exit_reason": "completed",
            "tokens": {"input": task.tokens[0] + task.tokens[2], "output": task.tokens[1]},
            "tool_trace": [],
        }
        answer = {"results": [entry], "total_duration_seconds": round(task.seconds, 1)}
        to.result(session.id, task.ended, call, "delegate_task", answer)
    to.says(session.id, session.ended, "assistant", "Done.")


def _child(to: "_Writer", parent: str, task: Task) -> None:
    name = f"{task.id}child"
    to.session(
        name,
        task.at + 0.5,
        task.ended - 0.1,
        model=task.model,
        provider=task.provider,
        tokens=task.tokens,
        source="subagent",
        parent=parent,
    )
    to.says(name, task.at + 0.6, "user", task.goal)
    if task.kind != "explore":
        to.calls(name, task.at + 2.0, f"{name}1", "write_file", {"path": "src/app.py", "content": "…"})
        written = {"bytes_written": 1, "files_modified": [f"{PROJECT}/src/app.py"]}
        to.result(name, task.at + 2.2, f"{name}1", "write_file", written)
    to.calls(name, task.at + 0.7 * task.seconds, f"{name}2", "terminal", {"command": "pytest -q"})
    ran = {"output": "…", "exit_code": 0 if task.succeeded else 1, "error": None}
    to.result(name, task.ended - 2.0, f"{name}2", "terminal", ran)
    to.says(name, task.ended - 0.2, "assistant", "Done.")


class _Writer:
    """Rows of the two tables."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def session(
        self,
        name: str,
        at: float,
        ended: float,
        *,
        model: str,
        provider: str,
        tokens: tuple[int, int, int, int],
        source: str,
        cwd: str | None = None,
        parent: str | None = None,
    ) -> None:
        config: dict[str, Any] = {"max_iterations": 50, "reasoning_config": None}
        if parent:
            config["_delegate_from"] = parent
        self._insert(
            "sessions",
            id=name,
            source=source,
            model=model,
            model_config=json.dumps(config),
            parent_session_id=parent,
            started_at=at,
            ended_at=ended,
            end_reason="agent_close" if parent else "cli_close",
            input_tokens=tokens[0],
            output_tokens=tokens[1],
            cache_read_tokens=tokens[2],
            cache_write_tokens=tokens[3],
            api_call_count=3,
            billing_provider=provider,
            estimated_cost_usd=0.0,
            cost_status="unknown",
            cwd=cwd,
        )

    def says(self, session: str, at: float, role: str, said: str) -> None:
        stop = "stop" if role == "assistant" else None
        self._message(session, role=role, content=said, timestamp=at, finish_reason=stop)

    def calls(self, session: str, at: float, name: str, tool: str, arguments: dict[str, Any]) -> None:
        function = {"name": tool, "arguments": json.dumps(arguments)}
        calls = json.dumps([{"id": name, "call_id": name, "type": "function", "function": function}])
        self._message(session, role="assistant", content="", timestamp=at, tool_calls=calls, finish_reason="tool_calls")

    def result(self, session: str, at: float, name: str, tool: str, answer: dict[str, Any]) -> None:
        self._message(session, role="tool", content=json.dumps(answer), timestamp=at, tool_call_id=name, tool_name=tool)

    def _message(self, session: str, **columns: Any) -> None:
        self._insert("messages", session_id=session, **columns)
        self._connection.execute("UPDATE sessions SET message_count = message_count + 1 WHERE id = ?", (session,))

    def _insert(self, table: str, **columns: Any) -> None:
        names, marks = ", ".join(columns), ", ".join("?" * len(columns))
        self._connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(columns.values()))  # noqa: S608

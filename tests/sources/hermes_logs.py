"""Synthetic homes of Hermes Agent, shaped like those that the agent writes (0.13 to 0.21, schemas 11 to 30).

A `Script` records what Hermes would write, one transaction after the other; `play` writes it to real files, all at
once or step by step, so that a reader can look in between. Times are seconds after `T0`.
"""

import json
import sqlite3
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

T0 = 1_790_000_000.0

SESSIONS: dict[int, str] = {
    11: "id TEXT PRIMARY KEY, source TEXT NOT NULL, user_id TEXT, model TEXT, model_config TEXT, system_prompt TEXT, "
    "parent_session_id TEXT, started_at REAL NOT NULL, ended_at REAL, end_reason TEXT, "
    "message_count INTEGER DEFAULT 0, tool_call_count INTEGER DEFAULT 0, input_tokens INTEGER DEFAULT 0, "
    "output_tokens INTEGER DEFAULT 0, cache_read_tokens INTEGER DEFAULT 0, cache_write_tokens INTEGER DEFAULT 0, "
    "reasoning_tokens INTEGER DEFAULT 0, billing_provider TEXT, billing_base_url TEXT, billing_mode TEXT, "
    "estimated_cost_usd REAL, actual_cost_usd REAL, cost_status TEXT, cost_source TEXT, pricing_version TEXT, "
    "title TEXT, api_call_count INTEGER DEFAULT 0",
    14: "cwd TEXT, rewind_count INTEGER NOT NULL DEFAULT 0, archived INTEGER NOT NULL DEFAULT 0",
    17: "session_key TEXT, chat_id TEXT, git_branch TEXT, git_repo_root TEXT",
    22: "profile_name TEXT, compression_fallback_streak INTEGER NOT NULL DEFAULT 0",
    30: "system_prompt_hash TEXT, created_source TEXT, last_activity_at REAL, hidden INTEGER DEFAULT 0",
}
MESSAGES: dict[int, str] = {
    11: "id INTEGER PRIMARY KEY AUTOINCREMENT, session_id TEXT NOT NULL, role TEXT NOT NULL, content TEXT, "
    "tool_call_id TEXT, tool_calls TEXT, tool_name TEXT, timestamp REAL NOT NULL, token_count INTEGER, "
    "finish_reason TEXT, reasoning TEXT",
    13: "platform_message_id TEXT, observed INTEGER DEFAULT 0",
    14: "active INTEGER NOT NULL DEFAULT 1",
    17: "compacted INTEGER NOT NULL DEFAULT 0",
    22: "effect_disposition TEXT, api_content TEXT",
    30: "_compressed_summary INTEGER, display_kind TEXT",
}
USAGE = (
    "session_id TEXT NOT NULL, model TEXT NOT NULL, billing_provider TEXT NOT NULL DEFAULT '', "
    "billing_base_url TEXT NOT NULL DEFAULT '', billing_mode TEXT NOT NULL DEFAULT '', task TEXT NOT NULL DEFAULT '', "
    "api_call_count INTEGER NOT NULL DEFAULT 0, input_tokens INTEGER NOT NULL DEFAULT 0, "
    "first_seen REAL, last_seen REAL, "
    "PRIMARY KEY (session_id, model, billing_provider, billing_base_url, billing_mode, task)"
)
BACKGROUND = (
    "delegation_id TEXT PRIMARY KEY, origin_session TEXT NOT NULL, parent_session_id TEXT, state TEXT NOT NULL, "
    "dispatched_at REAL NOT NULL, completed_at REAL, updated_at REAL NOT NULL, event_json TEXT, result_json TEXT, "
    "delivery_state TEXT NOT NULL DEFAULT 'pending', owner_pid INTEGER, task_json TEXT"
)
EVENTS = (
    "id INTEGER PRIMARY KEY AUTOINCREMENT, created_at TEXT NOT NULL, session_id TEXT NOT NULL, cwd TEXT NOT NULL, "
    "root TEXT NOT NULL, command TEXT NOT NULL, kind TEXT NOT NULL, status TEXT NOT NULL, exit_code INTEGER NOT NULL"
)

Step = list[tuple[str, str, tuple[Any, ...]]]
STATE, EVIDENCE, DUMP = "state.db", "verification_evidence.db", "dump"


class Script:
    """What Hermes writes to one home, as steps."""

    def __init__(self, schema: int = 22) -> None:
        self.schema = schema
        self.steps: list[Step] = []
        self._ids = 0
        self._sessions = _columns(SESSIONS, schema)
        self._messages = _columns(MESSAGES, schema)
        self.do(
            f"CREATE TABLE sessions ({', '.join(_parts(SESSIONS, schema))})",
            f"CREATE TABLE messages ({', '.join(_parts(MESSAGES, schema))})",
            "CREATE TABLE schema_version (version INTEGER NOT NULL)",
            f"INSERT INTO schema_version VALUES ({schema})",
            "CREATE INDEX idx_sessions_parent ON sessions(parent_session_id)",
            "CREATE INDEX idx_messages_session ON messages(session_id, timestamp)",
            *([f"CREATE TABLE session_model_usage ({USAGE})"] if schema >= 20 else []),
            *([f"CREATE TABLE async_delegations ({BACKGROUND})"] if schema >= 22 else []),
        )

    def do(self, *statements: str) -> None:
        """One transaction of plain statements."""
        self.steps.append([(STATE, sql, ()) for sql in statements])

    def session(self, name: str, at: float, *, source: str = "cli", **columns: Any) -> str:
        """A session begins."""
        values = {
            "id": name,
            "source": source,
            "started_at": T0 + at,
            "model": "big-model",
            "model_config": json.dumps({"max_iterations": 90, "reasoning_config": None}),
            "cwd": "/home/u/shop" if source != "subagent" else None,
            "billing_provider": "acme" if source != "subagent" else None,
            **columns,
        }
        self._insert("sessions", {k: v for k, v in values.items() if k in self._sessions})
        return name

    def child(self, name: str, parent: str, at: float, *, effort: str | None = None, **columns: Any) -> str:
        """A delegated child begins. The mark of its origin came with schema 16."""
        reasoning = {"enabled": True, "effort": effort} if effort else None
        config: dict[str, Any] = {"max_iterations": 4, "reasoning_config": reasoning}
        if self.schema >= 16:
            config["_delegate_from"] = parent
        values = {"model": "small-model", "parent_session_id": parent, "model_config": json.dumps(config), **columns}
        return self.session(name, at, source=values.pop("source", "subagent"), **values)

    def message(self, session: str, role: str, at: float, content: Any = None, **columns: Any) -> int:
        """A message, and the counter that goes with it, in one transaction."""
        self._ids += 1
        step = [self._message(session, role, at, content, **columns)]
        step.append((STATE, "UPDATE sessions SET message_count = message_count + 1 WHERE id = ?", (session,)))
        self.steps.append(step)
        return self._ids

    def user(self, session: str, at: float, text: str, **columns: Any) -> int:
        return self.message(session, "user", at, text, **columns)

    def says(self, session: str, at: float, text: str, **columns: Any) -> int:
        return self.message(session, "assistant", at, text, **{"finish_reason": "stop", **columns})

    def calls(self, session: str, at: float, name: str, tool: str, arguments: Any, **columns: Any) -> int:
        """The assistant calls a tool."""
        function = {"name": tool, "arguments": json.dumps(arguments)}
        calls = json.dumps([{"id": name, "call_id": name, "type": "function", "function": function}])
        return self.message(session, "assistant", at, "", tool_calls=calls, finish_reason="tool_calls", **columns)

    def result(self, session: str, at: float, name: str, tool: str, content: Any, **columns: Any) -> int:
        """A tool answers."""
        text = content if isinstance(content, str) else json.dumps(content)
        return self.message(session, "tool", at, text, tool_call_id=name, tool_name=tool, **columns)

    def runs(self, session: str, at: float, name: str, command: str, code: int, **members: Any) -> None:
        """A shell command and its result."""
        self.calls(session, at, name, "terminal", {"command": command})
        self.result(session, at + 0.2, name, "terminal", {"output": "…", "exit_code": code, "error": None, **members})

    def counts(
        self, session: str, at: float = 0.0, *, calls: int = 2, model: str = "small-model", **columns: Any
    ) -> None:
        """Tokens and costs so far; the first accounted call names the provider."""
        provider = columns.pop("billing_provider", "acme")
        values = {
            "input_tokens": 1600,
            "output_tokens": 100,
            "cache_read_tokens": 400,
            "api_call_count": calls,
            "billing_provider": provider,
            "estimated_cost_usd": 0.0,
            "cost_status": "unknown",
            **columns,
        }
        self.change("sessions", session, **values)
        if self.schema >= 20:
            self.usage(session, at, model=model, provider=provider, calls=calls)

    def usage(
        self, session: str, at: float, *, model: str, provider: str = "acme", calls: int = 1, task: str = ""
    ) -> None:
        sql = (
            "INSERT INTO session_model_usage (session_id, model, billing_provider, task, api_call_count, input_tokens, "
            "first_seen, last_seen) VALUES (?, ?, ?, ?, ?, 800, ?, ?) ON CONFLICT DO UPDATE SET "
            "api_call_count = excluded.api_call_count, last_seen = excluded.last_seen"
        )
        self.steps.append([(STATE, sql, (session, model, provider, task, calls, T0 + at, T0 + at))])

    def ends(self, session: str, at: float, reason: str = "agent_close") -> None:
        self.change("sessions", session, ended_at=T0 + at, end_reason=reason)

    def change(self, table: str, name: str, **columns: Any) -> None:
        key = "delegation_id" if table == "async_delegations" else "id"
        names = ", ".join(f"{column} = ?" for column in columns)
        self.steps.append([(STATE, f"UPDATE {table} SET {names} WHERE {key} = ?", (*columns.values(), name))])

    def whole_child(self, name: str, parent: str, at: float, goal: str, **columns: Any) -> None:
        """A child that does its task with one command and comes to its last word, in 3 s."""
        self.child(name, parent, at, **columns)
        self.user(name, at + 0.1, goal)
        self.runs(name, at + 0.5, f"call_{name}_1", "ls | wc -l", 0)
        self.counts(name, at + 1.0)
        self.says(name, at + 2.9, f"- Did: {goal}")
        self.ends(name, at + 3.0)

    def dispatched(self, session: str, at: float, name: str, delegation: str, goals: list[str]) -> None:
        """A call goes into the background: a row, and a handle for an answer."""
        row = {
            "delegation_id": delegation, "origin_session": session, "parent_session_id": session, "state": "running",
            "dispatched_at": T0 + at, "updated_at": T0 + at, "owner_pid": 4242,
            "task_json": json.dumps({"goal": goals[0], "goals": goals, "is_batch": True}),
        }  # fmt: skip
        self._insert("async_delegations", row)
        handle = {"status": "dispatched", "mode": "background", "count": len(goals), "delegation_id": delegation}
        self.result(session, at + 0.1, name, "delegate_task", {**handle, "goals": goals})

    def came_back(self, delegation: str, at: float, state: str, results: list[dict[str, Any]]) -> None:
        self.change(
            "async_delegations",
            delegation,
            state=state,
            completed_at=T0 + at,
            updated_at=T0 + at,
            result_json=json.dumps({"results": results} if results else {"status": state, "error": "owner exited"}),
        )

    def verified(self, session: str, at: str, status: str) -> None:
        """A row of verification evidence; `at` is an ISO time."""
        sql = (
            "INSERT INTO verification_events (created_at, session_id, cwd, root, command, kind, status, exit_code) "
            "VALUES (?, ?, '/home/u/shop', '/home/u/shop', 'pytest -q', 'test', ?, 0)"
        )
        self.steps.append([(EVIDENCE, sql, (at, session, status))])

    def dumped(self, session: str, status: int | None, message: str = "no", **members: Any) -> None:
        """A request dump; the SQL of the step is the document."""
        error = {"type": "error", "message": message, "status_code": status}
        dump = {"timestamp": "2026-09-20T10:00:00", "session_id": session, "reason": "non_retryable_client_error"}
        self.steps.append(
            [(DUMP, json.dumps({**dump, "request": {"body": {}}, "error": error, **members}), (session,))]
        )

    def compacts(self, session: str, kept: list[tuple[Any, ...]], at: float) -> None:
        """In-place compaction: the live rows are archived, `kept` (role, content, columns) is written anew."""
        step: Step = [
            (STATE, "UPDATE messages SET active = 0, compacted = 1 WHERE session_id = ? AND active = 1", (session,))
        ]
        step += self._rewritten(session, kept, at)
        self.steps.append(step)

    def replaces(self, session: str, kept: list[tuple[Any, ...]], at: float) -> None:
        """What /retry, /undo and /compress did before: all rows are deleted, `kept` is written anew."""
        step: Step = [(STATE, "DELETE FROM messages WHERE session_id = ?", (session,))]
        self.steps.append(step + self._rewritten(session, kept, at))

    def rewinds(self, session: str, first: int) -> None:
        """/undo: rows from a message on are inactive."""
        self.steps.append(
            [
                (STATE, "UPDATE messages SET active = 0 WHERE session_id = ? AND id >= ?", (session, first)),
                (STATE, "UPDATE sessions SET rewind_count = rewind_count + 1 WHERE id = ?", (session,)),
            ]
        )

    def _rewritten(self, session: str, kept: list[tuple[Any, ...]], at: float) -> Step:
        step = []
        for place, (role, content, columns) in enumerate(kept):
            self._ids += 1
            step.append(self._message(session, role, at + place * 1e-6, content, **columns))
        return [*step, (STATE, "UPDATE sessions SET message_count = ? WHERE id = ?", (len(kept), session))]

    def _message(
        self, session: str, role: str, at: float, content: Any, **columns: Any
    ) -> tuple[str, str, tuple[Any, ...]]:
        values = {"session_id": session, "role": role, "content": content, "timestamp": T0 + at, **columns}
        return _insertion("messages", {k: v for k, v in values.items() if k in self._messages})

    def _insert(self, table: str, values: dict[str, Any]) -> None:
        self.steps.append([_insertion(table, values)])


class Player:
    """Writes a script to a home with a connection of its own, in WAL mode, as Hermes does."""

    def __init__(self, home: Path) -> None:
        self.home = home
        (home / "sessions").mkdir(parents=True, exist_ok=True)
        self._open: dict[str, sqlite3.Connection] = {}
        self.dumps: list[Path] = []

    def play(self, steps: list[Step]) -> None:
        for step in steps:
            for place, sql, params in step:
                if place == DUMP:
                    self.dumps.append(self.home / "sessions" / f"request_dump_{params[0]}_{len(self.dumps)}.json")
                    self.dumps[-1].write_text(sql)
                else:
                    self._connection(place).execute(sql, params)
            for connection in self._open.values():
                connection.commit()

    def close(self) -> None:
        for connection in self._open.values():
            connection.close()
        self._open.clear()

    def _connection(self, place: str) -> sqlite3.Connection:
        if place not in self._open:
            self._open[place] = sqlite3.connect(self.home / place)
            self._open[place].execute("PRAGMA journal_mode=WAL")
            self._open[place].execute("PRAGMA synchronous=OFF")
            if place == EVIDENCE:
                self._open[place].execute(f"CREATE TABLE IF NOT EXISTS verification_events ({EVENTS})")
        return self._open[place]


def play(home: Path, script: Script) -> None:
    """Writes all of a script."""
    player = Player(home)
    player.play(script.steps)
    player.close()


def entry(index: int = 0, **members: Any) -> dict[str, Any]:
    """A result of one task, as 0.19 writes it for one that came to its end."""
    return {
        "task_index": index, "status": "completed", "summary": "- Did: it", "api_calls": 2, "duration_seconds": 9.9,
        "model": "small-model", "exit_reason": "completed", "tokens": {"input": 2000, "output": 100}, "tool_trace": [],
        **members,
    }  # fmt: skip


def answer(*entries: dict[str, Any], delegation: str | None = "deleg_0a1b2c3d") -> dict[str, Any]:
    """The answer of a call that ran to its end before it."""
    if delegation is not None:
        live = f"/home/user/.hermes/cache/delegation/live/{delegation}"
        entries = tuple({**e, "live_transcript": f"{live}/task-{e['task_index']}.log"} for e in entries)
    return {"results": list(entries), "total_duration_seconds": 10.4}


def single(script: Script, *, goal: str = "Count the files", result: Any = None, child: str = "child") -> None:
    """A session `root` that delegates one task and waits for it; the child is the caller's, between the two halves."""
    script.session("root", 0.0)
    script.user("root", 0.1, "please count")
    script.calls(
        "root", 1.0, "call_single", "delegate_task", {"goal": goal, "context": "use the shell", "role": "leaf"}
    )
    script.whole_child(child, "root", 2.0, goal)
    script.result("root", 5.2, "call_single", "delegate_task", answer(entry()) if result is None else result)
    script.counts("root", 5.3, model="big-model")
    script.says("root", 6.0, "There are three.")
    script.ends("root", 6.1)


def day(schema: int = 22) -> Script:
    """A day's work: turns alone, a call that waits, a batch in the background, a nested task, failures, /undo."""
    script = Script(schema)
    single(script)
    script.session("alone", 100.0)
    first = script.user("alone", 100.1, "fix the tests")
    script.calls("alone", 101.0, "call_edit", "write_file", {"path": "a.py", "content": "x"})
    script.result(
        "alone", 101.2, "call_edit", "write_file", {"bytes_written": 1, "files_modified": ["/home/u/shop/a.py"]}
    )
    script.runs("alone", 102.0, "call_test", "pytest -q", 0)
    script.says("alone", 103.0, "Fixed.")
    script.user("alone", 110.0, "thanks, and the docs?")
    script.says("alone", 111.0, "Done as well.")
    script.counts("alone", 111.1, calls=4, model="big-model")
    script.ends("alone", 112.0, "cli_close")
    assert first > 0
    _batch(script)
    _failures(script)
    return script


def _batch(script: Script) -> None:
    script.session("chat", 200.0)
    script.user("chat", 200.1, "do both")
    goals = ["Count files A", "NEST and count files B"]
    tasks = [{"goal": goals[0], "context": "ctx A"}, {"goal": goals[1], "role": "orchestrator"}]
    script.calls("chat", 201.0, "call_batch", "delegate_task", {"tasks": tasks})
    if script.schema >= 22:
        script.dispatched("chat", 201.2, "call_batch", "deleg_11111111", goals)
        script.says("chat", 201.5, "They are at work.")
    script.child("kid-b", "chat", 201.3)
    script.user("kid-b", 201.4, goals[1])
    script.calls("kid-b", 202.0, "call_nest", "delegate_task", {"goal": "LEAF: count"})
    script.whole_child("kid-a", "chat", 201.4, goals[0], effort="high")
    script.whole_child("grandchild", "kid-b", 203.0, "LEAF: count")
    script.result("kid-b", 206.5, "call_nest", "delegate_task", answer(entry(), delegation="deleg_22222222"))
    script.counts("kid-b", 206.6)
    script.says("kid-b", 207.0, "- Did: both")
    script.ends("kid-b", 207.1)
    results = [entry(0), entry(1)]
    if script.schema >= 22:
        script.came_back("deleg_11111111", 207.5, "completed", results)
        text = "[ASYNC DELEGATION BATCH COMPLETE — deleg_11111111]\nA background fan-out of 2 subagent(s) has finished."
        script.user("chat", 208.0, text)
        script.says("chat", 209.0, "Both are done.")
    else:
        script.result("chat", 207.5, "call_batch", "delegate_task", answer(*results, delegation=None))
        script.says("chat", 208.0, "Both are done.")
    undone = script.user("chat", 220.0, "now the same for C")
    script.says("chat", 221.0, "No.")
    if script.schema >= 14:
        script.rewinds("chat", undone)
    script.user("chat", 225.0, "now the same for D, please")
    script.says("chat", 226.0, "Yes.")
    script.counts("chat", 226.1, calls=6, model="big-model")
    script.ends("chat", 230.0, "cli_close")


def _failures(script: Script) -> None:
    script.session("night", 300.0, source="cron")
    script.user("night", 300.1, "try four")
    goals = ["log in", "think for ever", "answer nothing", "run the tests"]
    script.calls("night", 301.0, "call_four", "delegate_task", {"tasks": [{"goal": goal} for goal in goals]})
    script.child("kid-401", "night", 302.0)
    script.user("kid-401", 302.1, goals[0])
    script.dumped("kid-401", 401)
    script.ends("kid-401", 302.5)
    script.child("kid-slow", "night", 302.0)
    script.user("kid-slow", 302.1, goals[1])
    script.ends("kid-slow", 332.0)
    script.child("kid-mute", "night", 302.0)
    script.user("kid-mute", 302.1, goals[2])
    script.says("kid-mute", 303.0, "(empty)", finish_reason=None)
    script.counts("kid-mute", 303.1, calls=4)
    script.ends("kid-mute", 303.2)
    script.child("kid-test", "night", 302.0)
    script.user("kid-test", 302.1, goals[3])
    script.verified("kid-test", "2026-09-21T14:18:23+00:00", "failed")
    evidence = {"status": "failed", "kind": "test", "scope": "full", "canonical_command": "pytest"}
    script.runs("kid-test", 303.0, "call_tests", "pytest -q", 127, verification_evidence=evidence)
    script.says("kid-test", 304.0, "- Did: run the tests")
    script.counts("kid-test", 304.1)
    script.ends("kid-test", 304.2)
    aborted = {"exit_reason": "max_iterations"}
    results = [
        entry(0, summary="HTTP 401: invalid api key", api_calls=1, tokens={"input": 0, "output": 0}, **aborted),
        {
            "task_index": 1,
            "status": "timeout",
            "summary": None,
            "error": "timed out after 30.0s",
            "exit_reason": "timeout",
        },
        entry(2, summary="⚠️ No reply: the model returned empty content after retries", api_calls=4, **aborted),
        entry(3),
    ]
    script.result("night", 333.0, "call_four", "delegate_task", answer(*results, delegation="deleg_33333333"))
    script.says("night", 334.0, "One of four.")
    script.ends("night", 335.0, "cron_complete")


def build_home(root: Path) -> None:
    """A home below `root` with a day's work in it, and a profile with one delegation."""
    play(root, day())
    profile = Script()
    single(profile, goal="Count the pages", child="page-child")
    play(root / "profiles" / "writer", profile)


@cache
def home_files() -> dict[str, bytes]:
    """What `build_home` writes, by path below the user's home; the databases without a write-ahead log beside them."""
    with tempfile.TemporaryDirectory() as place:
        root = Path(place, ".hermes")
        build_home(root)
        for path in root.rglob("*.db"):
            connection = sqlite3.connect(path)
            connection.execute("PRAGMA journal_mode=DELETE")
            connection.close()
        return {str(path.relative_to(place)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def _parts(table: dict[int, str], schema: int) -> Iterator[str]:
    return (columns for version, columns in table.items() if version <= schema)


def _columns(table: dict[int, str], schema: int) -> set[str]:
    return {column.split()[0] for columns in _parts(table, schema) for column in columns.split(", ")}


def _insertion(table: str, values: dict[str, Any]) -> tuple[str, str, tuple[Any, ...]]:
    marks = ", ".join("?" * len(values))
    return (STATE, f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})", tuple(values.values()))

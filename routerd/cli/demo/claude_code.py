"""Sessions in the form in which Claude Code writes them: the session's file, and one below it for each sub-agent."""

import itertools
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from routerd.cli.demo.story import PROJECT, Session, Task

VERSION = "2.1.329"
FOLDER = ".claude/projects/" + PROJECT.replace("/", "-")


def files(session: Session) -> dict[str, bytes]:
    """The files of a session by their paths below the home."""
    main = begin(session.id, session.at, session.wish, session.lead)
    found: dict[str, bytes] = {}
    for task in session.tasks:
        told, child = delegation(session.id, session.lead, task)
        main += told
        found[child_path(session.id, task)] = child
    main += end(session.id, session.handed_on, session.lead)
    if session.alone is not None:
        main += itself(session.id, session.lead, session.alone)
    return {path(session.id): main, **found}


def path(session: str) -> str:
    """Of a session's own file."""
    return f"{FOLDER}/{_uuid(session)}.jsonl"


def child_path(session: str, task: Task) -> str:
    """Of the file of the sub-agent that does a task."""
    return f"{FOLDER}/{_uuid(session)}/subagents/agent-{task.id}.jsonl"


def session_id(session: str) -> str:
    """The session as hooks and records call it."""
    return _uuid(session)


def tool_use_id(task: Task) -> str:
    """The call that hands the task on, as hooks and records call it."""
    return f"toolu_{task.id}"


def begin(session: str, at: float, wish: str, lead: str) -> bytes:
    """What a person asks for."""
    log = _Log(session, lead)
    log.user(at, wish)
    return log.data


def end(session: str, at: float, lead: str) -> bytes:
    """The last word on it, after the tests ran."""
    log = _Log(session, lead)
    log.run(at - 15.0, at - 3.0, "pytest -q", passed=True)
    log.reply(at, {"type": "text", "text": "Done."})
    return log.data


def itself(session: str, lead: str, task: Task) -> bytes:
    """A task that the agent does without handing it on."""
    log = _Log(session, lead)
    log.user(task.at, task.goal)
    log.call(task.at + 0.4 * task.seconds, f"toolu_{task.id}1", "Edit", {"file_path": f"{PROJECT}/src/app.py"})
    log.result(task.at + 0.5 * task.seconds, f"toolu_{task.id}1", "The file has been updated.")
    log.run(task.at + 0.7 * task.seconds, task.ended - 2.0, "pytest -q", passed=task.succeeded)
    log.reply(task.ended, {"type": "text", "text": "Done."}, usage=task.tokens)
    return log.data


def delegation(session: str, lead: str, task: Task) -> tuple[bytes, bytes]:
    """What the session's file and the sub-agent's say of one task."""
    main, child = _Log(session, lead), _Log(session, task.model, child=task.id)
    asked = {"model": task.asked} if task.asked else {}
    given = {"description": task.kind, "prompt": task.goal, "subagent_type": _kind(task), **asked}
    main.call(task.at, tool_use_id(task), "Agent", given)
    child.user(task.at + 0.5, task.goal)
    child.call(task.at + 2.0, f"toolu_{task.id}1", "Read", {"file_path": f"{PROJECT}/src/app.py"})
    child.result(task.at + 2.2, f"toolu_{task.id}1", "…")
    if task.kind != "explore":
        child.call(task.at + 0.4 * task.seconds, f"toolu_{task.id}2", "Edit", {"file_path": f"{PROJECT}/src/app.py"})
        child.result(task.at + 0.4 * task.seconds + 0.1, f"toolu_{task.id}2", "The file has been updated.")
    child.run(task.at + 0.7 * task.seconds, task.ended - 2.0, "pytest -q", passed=task.succeeded)
    child.reply(task.ended - 0.5, {"type": "text", "text": "Done."}, usage=task.tokens)
    structured = {
        "status": "completed",
        "agentId": task.id,
        "agentType": _kind(task),
        "content": [{"type": "text", "text": "Done."}],
        "totalDurationMs": round(1000.0 * task.seconds),
        "totalTokens": sum(task.tokens),
        "totalToolUseCount": 3,
    }
    main.result(task.ended, tool_use_id(task), [{"type": "text", "text": "Done."}], structured=structured)
    return main.data, child.data


def _kind(task: Task) -> str:
    return "Explore" if task.kind == "explore" else task.kind


def _uuid(name: str) -> str:
    return "-".join((name[:8], name[8:12], name[12:16], name[16:20], name[20:32]))


class _Log:
    """Records of one file; each is stamped with the time at which it is written."""

    def __init__(self, session: str, model: str, *, child: str | None = None) -> None:
        self._session, self._model, self._child = _uuid(session), model, child
        self._lines: list[bytes] = []

    @property
    def data(self) -> bytes:
        return b"".join(self._lines)

    def user(self, at: float, content: Any, **members: Any) -> None:
        self._add("user", at, message={"role": "user", "content": content}, **members)

    def reply(self, at: float, block: dict[str, Any], usage: tuple[int, int, int, int] = (4, 90, 900, 60)) -> None:
        message = f"msg_{self._child or self._session}{round(at * 1000):x}"
        names = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
        stop = "tool_use" if block["type"] == "tool_use" else "end_turn"
        body = {
            "id": message,
            "type": "message",
            "role": "assistant",
            "model": self._model,
            "content": [block],
            "stop_reason": stop,
            "usage": dict(zip(names, usage, strict=True)),
        }
        self._add("assistant", at, message=body, requestId=f"req_{message}")

    def call(self, at: float, tool: str, name: str, given: dict[str, Any]) -> None:
        self.reply(at, {"type": "tool_use", "id": tool, "name": name, "input": given})

    def result(self, at: float, tool: str, content: Any, *, failed: bool = False, structured: Any = None) -> None:
        block = {"tool_use_id": tool, "type": "tool_result", "content": content}
        if failed:
            block["is_error"] = True
        self.user(at, [block], **({} if structured is None else {"toolUseResult": structured}))

    def run(self, at: float, ended: float, command: str, *, passed: bool) -> None:
        """A command, and how it ended."""
        tool = f"toolu_{self._child or self._session[:8]}{round(at):x}"
        self.call(at, tool, "Bash", {"command": command, "description": "Run the tests"})
        self.result(ended, tool, "41 passed" if passed else "Exit code 1\n2 failed, 39 passed", failed=not passed)

    def _add(self, kind: str, at: float, **members: Any) -> None:
        number = next(_numbers)
        record = {
            "parentUuid": None,
            "isSidechain": self._child is not None,
            "userType": "external",
            "cwd": PROJECT,
            "sessionId": self._session,
            "version": VERSION,
            **({"agentId": self._child} if self._child else {}),
            "type": kind,
            "uuid": f"{(self._child or self._session)[:8]}-0000-4000-8000-{number:012x}",
            "timestamp": datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            **members,
        }
        self._lines.append(json.dumps(record).encode() + b"\n")


_numbers: Iterator[int] = itertools.count()

"""Sessions in the form in which Codex writes them: a rollout for the session, and one for each thread it spawned."""

import json
from datetime import UTC, datetime
from typing import Any

from routerd.cli.demo.story import PROJECT, Session, Task

VERSION = "0.169.0"
ROLES = {"explore": "explorer"}


def files(session: Session) -> dict[str, bytes]:
    """The rollouts of a session by their paths below the home."""
    root = _Rollout(session.at, session.id)
    root.begin(session.at, session.lead, session.wish)
    rollouts = [root]
    for task in session.tasks:
        child = _Rollout(task.at, task.id, parent=root, role=ROLES.get(task.kind, task.kind))
        call = f"call_{task.id}"
        asked = {"message": task.goal, "agent_type": ROLES.get(task.kind, task.kind), "model": task.model}
        root.call(task.at, "spawn_agent", call, asked)
        made = {"tool": "spawn_agent", "receiver_thread_ids": [child.id], "model": task.model}
        root.item(task.at + 0.1, "CollabAgentToolCall", id=call, status="completed", **made)
        root.output(task.at + 0.2, call, json.dumps({"agent_id": child.id, "nickname": "Ada"}))
        _work(child, task, root.turn)
        rollouts.append(child)
    root.shell(session.ended - 15.0, "pytest -q", passed=True)
    root.complete(session.ended, session.at, (9000, 400, 8000, 0))
    return {rollout.path: rollout.data for rollout in rollouts}


def _work(child: "_Rollout", task: Task, asked_by: str) -> None:
    child.begin(task.at + 0.5, task.model, task.goal, asked_by=asked_by)
    if task.kind != "explore":
        patch = {
            "type": "custom_tool_call",
            "name": "apply_patch",
            "call_id": f"p{task.id}",
            "input": "*** Begin Patch",
        }
        child.add(task.at + 0.4 * task.seconds, "response_item", patch)
    child.shell(task.ended - 3.0, "pytest -q", passed=task.succeeded)
    child.complete(task.ended, task.at + 0.5, task.tokens)


class _Rollout:
    """One thread's file."""

    def __init__(self, at: float, name: str, *, parent: "_Rollout | None" = None, role: str | None = None) -> None:
        self.id = _uid(at, name)
        self._at = at
        self.root: str = parent.root if parent else self.id
        self._lines: list[bytes] = []
        self.turn = ""
        spawn = {"parent_thread_id": parent.id if parent else None, "depth": 1, "agent_path": None, "agent_role": role}
        meta: dict[str, Any] = {"source": "cli"}
        if parent:
            meta = {"source": {"subagent": {"thread_spawn": spawn}}, "parent_thread_id": parent.id, "agent_role": role}
        known = {"session_id": self.root, "id": self.id, "timestamp": _stamp(at), "cwd": PROJECT}
        known |= {"originator": "codex_cli", "cli_version": VERSION, "model_provider": "openai"}
        self.add(at, "session_meta", {**known, **meta})

    @property
    def path(self) -> str:
        day = datetime.fromtimestamp(self._at, UTC)
        return f".codex/sessions/{day:%Y/%m/%d}/rollout-{day:%Y-%m-%dT%H-%M-%S}-{self.id}.jsonl"

    @property
    def data(self) -> bytes:
        return b"".join(self._lines)

    def add(self, at: float, kind: str, payload: dict[str, Any]) -> None:
        record = {"timestamp": _stamp(at), "ordinal": len(self._lines), "type": kind, "payload": payload}
        self._lines.append(json.dumps(record, separators=(",", ":")).encode() + b"\n")

    def event(self, at: float, kind: str, **members: Any) -> None:
        self.add(at, "event_msg", {"type": kind, **members})

    def item(self, at: float, kind: str, /, **members: Any) -> None:
        item = {"type": kind, **members}
        self.event(at, "item_completed", thread_id=self.id, turn_id=self.turn, item=item)

    def begin(self, at: float, model: str, wish: str, *, asked_by: str | None = None) -> None:
        """A turn: what it runs on, and what it is asked."""
        self.turn = _uid(at, self.id.replace("-", "")[::-1])
        attribution = {"parent_turn_id": asked_by, "root_turn_id": asked_by or self.turn}
        self.event(at, "task_started", turn_id=self.turn, turn_attribution=attribution, started_at=int(at))
        context = {"turn_id": self.turn, "cwd": PROJECT, "model": model, "effort": "medium", "approval_policy": "never"}
        self.add(at + 0.01, "turn_context", context)
        self.item(at + 0.02, "UserMessage", id="u", content=[{"type": "text", "text": wish}])

    def call(self, at: float, name: str, call_id: str, arguments: dict[str, Any]) -> None:
        body = {"type": "function_call", "name": name, "arguments": json.dumps(arguments), "call_id": call_id}
        self.add(at, "response_item", body)

    def output(self, at: float, call_id: str, said: str) -> None:
        self.add(at, "response_item", {"type": "function_call_output", "call_id": call_id, "output": said})

    def shell(self, at: float, command: str, *, passed: bool) -> None:
        """A command, and how it ended."""
        call_id = f"call_{self.id[-4:]}_{len(self._lines)}"
        self.call(at, "exec_command", call_id, {"cmd": command})
        words = ["/bin/bash", "-lc", command]
        code = 0 if passed else 1
        self.item(at + 1.0, "CommandExecution", id=call_id, command=words, exit_code=code, aggregated_output="…")
        self.output(at + 1.1, call_id, f"Chunk ID: 1\nProcess exited with code {code}\nOutput:\n…")

    def complete(self, at: float, begun: float, tokens: tuple[int, int, int, int]) -> None:
        """The last word, and what the turn used; what Codex counts as input holds what came from the cache."""
        fresh, written, cached, _ = tokens
        used = {"input_tokens": fresh + cached, "cached_input_tokens": cached, "output_tokens": written}
        usage = {"usage": used, "turn_token_usage": used, "thread_token_usage": used}
        self.add(at - 0.2, "token_usage_record", {"thread_id": self.id, "turn_id": self.turn, **usage})
        self.item(at - 0.1, "AgentMessage", id="a", content=[{"type": "Text", "text": "Done."}])
        took = round(1000.0 * (at - begun))
        self.event(at, "task_complete", turn_id=self.turn, last_agent_message="Done.", duration_ms=took)


def _uid(at: float, name: str) -> str:
    """A UUIDv7 of that time."""
    head = f"{round(at * 1000):012x}"
    return f"{head[:8]}-{head[8:]}-7{name[:3]}-8{name[3:6]}-{name[-12:]:0>12}"


def _stamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

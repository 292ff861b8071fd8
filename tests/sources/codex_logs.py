"""Synthetic rollouts in the forms that Codex writes: 0.169, the versions without turn events, and the first ones."""

import json
from datetime import UTC, datetime
from typing import Any, Self

CWD = "/home/user/project"
START = 1_780_000_000.0
USED = {"input_tokens": 1000, "cached_input_tokens": 600, "output_tokens": 50, "reasoning_output_tokens": 10}


def uid(at: float, number: int = 0, turn: int = 0) -> str:
    """A UUIDv7 of the time `START + at`."""
    head = f"{int((START + at) * 1000):012x}"
    return f"{head[:8]}-{head[8:]}-7{turn:03x}-8000-{number:012x}"


def stamp(at: float) -> str:
    return datetime.fromtimestamp(START + at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def used(times: int = 1) -> dict[str, int]:
    return {key: value * times for key, value in USED.items()}


class Rollout:
    """
    A rollout being written; every method adds a record and moves the time on by a tenth of a second.

    Args:
        at: Seconds after `START` at which the thread begins.
        number: Tells threads of one time apart.
        root: Id of the root session, for a child.
        meta: Members of `session_meta` that are not the usual ones.
    """

    def __init__(self, at: float, number: int = 0, *, root: str | None = None, **meta: Any) -> None:
        self.at, self.number = at, number
        self.id = uid(at, number)
        self.root = root or self.id
        self.turn = ""
        self.records: list[dict[str, Any]] = []
        self.add("session_meta", {
            "session_id": self.root, "id": self.id, "timestamp": stamp(at), "cwd": CWD, "originator": "codex_exec",
            "cli_version": "0.169.0", "source": "exec", "model_provider": "acme",
            "base_instructions": {"text": "Work well."}, **meta,
        })  # fmt: skip

    @classmethod
    def child(cls, parent: "Rollout", at: float, number: int, **meta: Any) -> "Rollout":
        """A thread that `parent` spawned."""
        place, role, forked = meta.pop("place", None), meta.pop("role", None), meta.pop("forked", False)
        spawn = {"parent_thread_id": parent.id, "depth": meta.pop("depth", 1), "agent_path": place, "agent_role": role}
        if forked:
            meta["forked_from_id"] = parent.id
        meta = {"parent_thread_id": parent.id, "agent_role": role, **meta}
        return cls(at, number, root=parent.root, source={"subagent": {"thread_spawn": spawn}}, **meta)

    @property
    def path(self) -> str:
        day = datetime.fromtimestamp(START, UTC)
        return f".codex/sessions/{day:%Y/%m/%d}/rollout-{day:%Y-%m-%dT%H-%M-%S}-{self.id}.jsonl"

    @property
    def data(self) -> bytes:
        return b"".join(json.dumps(record, separators=(",", ":")).encode() + b"\n" for record in self.records)

    def add(self, kind: str, payload: dict[str, Any]) -> Self:
        self.records.append(
            {"timestamp": stamp(self.at), "ordinal": len(self.records), "type": kind, "payload": payload}
        )
        self.at += 0.1
        return self

    def event(self, kind: str, /, **members: Any) -> Self:
        return self.add("event_msg", {"type": kind, **members})

    def item(self, item_type: str, /, **members: Any) -> Self:
        item = {"type": item_type, **members}
        return self.event("item_completed", thread_id=self.id, turn_id=self.turn, item=item)

    def begin(self, *, parent: "Rollout | None" = None, model: str = "big-1", effort: str | None = "medium") -> Self:
        """Starts a turn and says what it runs on."""
        self.turn = uid(self.at, self.number, len(self.records))
        asked_by = None if parent is None else parent.turn
        attribution = {"parent_turn_id": asked_by, "root_turn_id": asked_by or self.turn}
        self.event("task_started", turn_id=self.turn, turn_attribution=attribution, started_at=int(START + self.at))
        return self.context(model, effort)

    def context(self, model: str = "big-1", effort: str | None = "medium", **members: Any) -> Self:
        context = {"turn_id": self.turn, "cwd": CWD, "model": model, "effort": effort, "approval_policy": "never"}
        return self.add("turn_context", {**context, **members})

    def told(self, text: str) -> Self:
        """The task, as a user gives it."""
        return self.item("UserMessage", id="u", content=[{"type": "text", "text": text}])

    def handed(self, sealed: str) -> Self:
        """The task, as a parent hands it over in multi-agent v2."""
        head = "Message Type: NEW_TASK\nTask name: /root/x\nSender: /root\nPayload:\n"
        content = [{"type": "input_text", "text": head}, {"type": "encrypted_content", "encrypted_content": sealed}]
        return self.add("response_item", {"type": "agent_message", "author": "/root", "content": content})

    def call(self, name: str, call_id: str, **arguments: Any) -> Self:
        members = {"name": name, "arguments": json.dumps(arguments), "call_id": call_id}
        return self.add("response_item", {"type": "function_call", **members})

    def output(self, call_id: str, output: Any) -> Self:
        return self.add("response_item", {"type": "function_call_output", "call_id": call_id, "output": output})

    def shell(self, command: str, exit_code: int) -> Self:
        """A command with its answer, in the newest form."""
        call_id = f"call_{self.id[-4:]}_{len(self.records)}"
        self.call("exec_command", call_id, cmd=command)
        words = ["/bin/bash", "-lc", command]
        self.item("CommandExecution", id=call_id, command=words, exit_code=exit_code, aggregated_output="…")
        return self.output(call_id, f"Chunk ID: 1\nProcess exited with code {exit_code}\nOutput:\n…")

    def edit(self) -> Self:
        call = {"type": "custom_tool_call", "name": "apply_patch", "call_id": "call_patch", "input": "*** Begin Patch"}
        return self.add("response_item", call)

    def spawn(self, child: "Rollout", call_id: str, message: str, **asked: Any) -> Self:
        """A spawn call (v1) that makes `child`."""
        self.call("spawn_agent", call_id, message=message, **asked)
        members = {"tool": "spawn_agent", "receiver_thread_ids": [child.id], "model": "big-1"}
        self.item("CollabAgentToolCall", id=call_id, status="completed", **members)
        return self.output(call_id, json.dumps({"agent_id": child.id, "nickname": "Ada"}))

    def spawn_named(self, child: "Rollout", call_id: str, name: str, message: str) -> Self:
        """A spawn call (v2) that makes `child`."""
        self.call("spawn_agent", call_id, task_name=name, message=message)
        members = {"kind": "started", "agent_thread_id": child.id, "agent_path": f"/root/{name}", "model": "big-1"}
        self.item("SubAgentActivity", id=call_id, **members)
        return self.output(call_id, json.dumps({"task_name": f"/root/{name}"}))

    def used(self, times: int) -> Self:
        """The turn's own sum, after so many calls."""
        usage = {"usage": USED, "turn_token_usage": used(times), "thread_token_usage": used(times)}
        return self.add("token_usage_record", {"thread_id": self.id, "turn_id": self.turn, **usage})

    def total(self, times: int) -> Self:
        """The thread's total, after so many calls."""
        return self.event("token_count", info={"total_token_usage": used(times), "last_token_usage": USED})

    def said(self, text: str = "Done.") -> Self:
        return self.item("AgentMessage", id="a", content=[{"type": "Text", "text": text}])

    def complete(self, last: str | None = "Done.", **members: Any) -> Self:
        return self.event("task_complete", turn_id=self.turn, last_agent_message=last, duration_ms=1500, **members)

    def failed(self, message: str, info: Any = None) -> Self:
        return self.complete(None, error={"message": message, "codex_error_info": info})

    def aborted(self, reason: str = "interrupted") -> Self:
        return self.event("turn_aborted", turn_id=self.turn, reason=reason)

    def copied(self, other: "Rollout") -> Self:
        """The history of `other`, as a fork begins: stamped anew."""
        self.records += [{**record, "timestamp": stamp(self.at)} for record in other.records]
        return self


def delegating() -> list[Rollout]:
    """A session with a child that works twice, one that a limit stops, a fork, and a sealed task of a named child."""
    root = Rollout(0)
    root.begin().told("Add a button to the page")
    first = Rollout.child(root, 1, 1, role="explorer")
    second = Rollout.child(root, 2, 2)
    forked = Rollout.child(root, 3, 3, forked=True).copied(root)
    named = Rollout.child(root, 4, 4, place="/root/read_docs")
    root.spawn(first, "call_root_1", "Count the files", agent_type="explorer", model="small-1", reasoning_effort="low")
    root.spawn(second, "call_root_2", "Write the button").spawn(forked, "call_root_3", "Review it")
    root.spawn_named(named, "call_root_4", "read_docs", "x" * 200).call("send_input", "call_root_5", target=first.id)
    root.used(3).total(3).total(3).edit().shell("pytest -q", 1).shell("pytest -q", 0).said().complete()
    first.begin(parent=root, model="small-1", effort="low").told("Count the files").shell("ls | wc -l", 0).used(2)
    first.said("Three.").complete("Three.")
    first.begin(parent=root, model="small-1", effort="low").told("Count them again").used(1).said().complete()
    second.begin(parent=root).told("Write the button").failed(
        "exceeded retry limit, last status: 429 Too Many Requests",
        {"response_too_many_failed_attempts": {"http_status_code": 429}},
    )
    forked.begin(parent=root).told("Review it").used(2).said().complete()
    named.begin(parent=root).handed("y" * 200).used(2).complete(None)
    return [root, first, second, forked, named]


def stopped() -> list[Rollout]:
    """A session that a person interrupts, with its child, and one whose child is cut off by the end of its parent."""
    rollouts = []
    for number, by_person in ((0x10, True), (0x20, False)):
        root = Rollout(10, number)
        root.begin().told("Find the bug")
        child = Rollout.child(root, 11, number + 1)
        root.spawn(child, f"call_stopped_{number}", "Search the logs")
        child.begin(parent=root).told("Search the logs").shell("grep -r bug .", 0).aborted()
        if by_person:
            root.call("wait_agent", "call_wait").aborted()
        else:
            root.said().complete()
        rollouts += [root, child]
    return rollouts


def older() -> list[Rollout]:
    """A thread without turn events, of a version that only counted totals: two turns, the second one left open."""
    rollout = Rollout(20, 0x30, cli_version="0.98.0")
    for number, text in enumerate(("Rename the function", "Now run the tests"), 1):
        rollout.context(effort=None).event("user_message", message=text)
        rollout.call("shell", f"call_old_{number}", command=["bash", "-lc", "make test"])
        rollout.output(f"call_old_{number}", json.dumps({"output": "ok", "metadata": {"exit_code": number - 1}}))
        rollout.total(number * 2 - 1).total(number * 2 - 1).total(number * 2).event("agent_message", message="Done.")
    rollout.call("shell", "call_old_3", command=["ls"])
    return [rollout]


def first_form() -> tuple[str, bytes]:
    """A rollout of the first versions: items without an envelope, no model."""
    identity = uid(-1e7)
    records = [
        {"id": identity, "timestamp": stamp(-1e7), "instructions": None, "git": None},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "<environment_context>"}]},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Fix the test"}]},
        {"type": "function_call", "name": "shell", "arguments": '{"command": ["ls"]}', "call_id": "call_1"},
        {"type": "function_call_output", "call_id": "call_1", "output": "README"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Fixed."}]},
    ]
    path = f".codex/sessions/2025/06/01/rollout-2025-06-01T00-00-00-{identity}.jsonl"
    return path, b"".join(json.dumps(record).encode() + b"\n" for record in records)


def home_files() -> dict[str, bytes]:
    """A home in which Codex has worked: paths relative to it, and what the files hold."""
    files = {rollout.path: rollout.data for rollout in delegating() + stopped() + older()}
    return files | dict([first_form()])

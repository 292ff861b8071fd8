"""Builds synthetic logs of Claude Code, shaped like real ones: sessions, children, and the notes beside them."""

import itertools
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

SESSION = "11111111-2222-4333-8444-555555555555"
OTHER = "66666666-7777-4888-8999-000000000000"
PROJECT = ".claude/projects/-home-user-app"
PROMPT = "Count the tests in this project and say how many there are"
MODEL = "claude-sonnet-4-5-20250929"
SMALL = "claude-haiku-4-5-20251001"
START = datetime(2026, 2, 3, 10, 0, 0, tzinfo=UTC)
REFUSAL = "The user doesn't want to proceed with this tool use. The tool use was rejected (eg. if it was a file edit)."


class Clock:
    """Seconds since `START`; every record takes one."""

    def __init__(self) -> None:
        self.now = 0.0

    def tick(self, seconds: float = 1.0) -> str:
        self.now += seconds
        return (START + timedelta(seconds=self.now)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Log:
    """
    One file. Methods append a record each and return what names it.

    Args:
        session: The session's id.
        child: Id of the child whose file it is.
        clock: Shared by the files of one session.
        salt: Sets the ids of this file's records apart from those of others.
    """

    def __init__(self, session: str = SESSION, child: str | None = None, *, clock: Clock | None = None, salt: int = 0):
        self.session, self.child = session, child
        self.clock = clock or Clock()
        self.lines: list[bytes] = []
        self._numbers = itertools.count(salt * 1000)
        self._salt = salt

    def add(self, kind: str, **members: Any) -> str:
        """A record of any type."""
        uuid = f"{next(self._numbers):08x}-0000-4000-8000-{self._salt:012x}"
        record = {
            "parentUuid": None,
            "isSidechain": self.child is not None,
            "userType": "external",
            "cwd": "/home/user/app",
            "sessionId": self.session,
            "version": "2.1.42",
            **({"agentId": self.child} if self.child else {}),
            "type": kind,
            "uuid": uuid,
            "timestamp": self.clock.tick(),
            **members,
        }
        self.lines.append(json.dumps(record).encode())
        return uuid

    def user(self, content: Any, **members: Any) -> str:
        """A user record: a person's words, or anything else that goes under that name."""
        return self.add("user", message={"role": "user", "content": content}, **members)

    def reply(
        self,
        *blocks: dict[str, Any],
        model: str = MODEL,
        stop: str | None = "end_turn",
        usage: tuple[int, int, int, int] = (10, 20, 300, 40),
        message: str | None = None,
        request: str | None = "req",
        **members: Any,
    ) -> str:
        """One API response, a line for each block; `usage` is input, output, cache reads, cache writes."""
        message = message or f"msg_{next(self._numbers)}_{self._salt}"
        uuid = ""
        for block in blocks:
            body = {
                "id": message,
                "type": "message",
                "role": "assistant",
                "model": model,
                "content": [block],
                "stop_reason": stop,
                "usage": {
                    "input_tokens": usage[0],
                    "output_tokens": usage[1],
                    "cache_read_input_tokens": usage[2],
                    "cache_creation_input_tokens": usage[3],
                    "service_tier": "standard",
                },
            }
            extra = {"requestId": f"{request}_{message}"} if request else {}
            uuid = self.add("assistant", message=body, **extra, **members)
        return uuid

    def say(self, said: str = "Done.", **members: Any) -> str:
        """A last word."""
        return self.reply(text(said), **members)

    def call(self, tool: str, name: str, given: dict[str, Any], **members: Any) -> str:
        """One tool call; its id is `tool`."""
        self.reply(use(tool, name, given), stop=members.pop("stop", "tool_use"), **members)
        return tool

    def delegate(self, tool: str, prompt: str, *, name: str = "Agent", **given: Any) -> str:
        """A call that delegates."""
        arguments = {"description": "A task", "prompt": prompt, "subagent_type": "general-purpose", **given}
        return self.call(tool, name, arguments)

    def result(self, tool: str, content: Any = "ok", *, error: bool = False, structured: Any = None) -> str:
        """The result of a tool."""
        block = {
            "tool_use_id": tool,
            "type": "tool_result",
            "content": content,
            **({"is_error": True} if error else {}),
        }
        return self.user([block], **({"toolUseResult": structured} if structured is not None else {}))

    def bash(self, tool: str, command: str, *, exit_code: int = 0) -> None:
        """A command and its end."""
        self.call(tool, "Bash", {"command": command, "description": "Run it"})
        self.result(tool, f"Exit code {exit_code}\nno" if exit_code else "fine", error=exit_code != 0)

    def edit(self, tool: str) -> None:
        """A file is changed."""
        self.call(tool, "Edit", {"file_path": "/home/user/app/a.py", "old_string": "a", "new_string": "b"})
        self.result(tool, "The file /home/user/app/a.py has been updated.")

    def completed(self, tool: str, child: str, **members: Any) -> str:
        """The answer of a delegation that the parent waited for."""
        structured = {
            "status": "completed",
            "prompt": "…",
            "agentId": child,
            "content": [text("Done.")],
            "totalDurationMs": 4000,
            "totalTokens": 99,
            "totalToolUseCount": 1,
            "usage": {"input_tokens": 1, "output_tokens": 8, "cache_read_input_tokens": 90},
            **members,
        }
        return self.result(tool, [text("Done."), text(f"agentId: {child} (for resuming)")], structured=structured)

    def launched(self, tool: str, child: str, **members: Any) -> str:
        """The answer of a delegation in the background."""
        structured = {"isAsync": True, "status": "async_launched", "agentId": child, **members}
        said = f"Async agent launched successfully.\nagentId: {child} (internal ID)"
        return self.result(tool, [text(said)], structured=structured)

    def failed(self, tool: str, said: str) -> str:
        """The answer of a delegation that came to nothing."""
        return self.result(tool, said, error=True, structured=f"Error: {said}")

    def refused(self, tool: str) -> str:
        """The answer of a call that a person refused."""
        return self.result(tool, REFUSAL, error=True, structured="User rejected tool use")

    def notified(
        self,
        child: str,
        *,
        tool: str | None = None,
        status: str = "completed",
        summary: str = 'Agent "A task" finished',
    ) -> None:
        """A child in the background came to rest: it is queued, and told."""
        content = (
            f"<task-notification>\n<task-id>{child}</task-id>\n"
            + (f"<tool-use-id>{tool}</tool-use-id>\n" if tool else "")
            + f"<status>{status}</status>\n<summary>{summary}</summary>\n"
            + "<result>Done. <status>failed</status></result>\n"
            + "<usage><subagent_tokens>5</subagent_tokens><duration_ms>7000</duration_ms></usage>\n</task-notification>"
        )
        self.add("queue-operation", operation="enqueue", content=content)
        self.add("queue-operation", operation="dequeue")
        self.user(content, origin={"kind": "task-notification"}, promptSource="sdk")

    def broken(self, said: str, *, error: str | None = None, status: int | None = None, **members: Any) -> str:
        """The API failed."""
        body = {
            "id": "0000",
            "model": "<synthetic>",
            "role": "assistant",
            "stop_reason": "stop_sequence",
            "content": [text(said)],
            "usage": {"input_tokens": 0, "output_tokens": 0},
        }
        extra = {"isApiErrorMessage": True, "error": error, "apiErrorStatus": status}
        return self.add("assistant", message=body, **{k: v for k, v in extra.items() if v is not None}, **members)

    def interrupted(self, *, tool: bool = False) -> str:
        """A person stopped it."""
        return self.user([text(f"[Request interrupted by user{' for tool use' if tool else ''}]")])

    def mirrored(self, tool: str, child: str, line: bytes) -> None:
        """A child's record, shown in its parent's file."""
        record = json.loads(line)
        shown = {key: record[key] for key in ("type", "message", "uuid", "timestamp", "requestId") if key in record}
        data = {"type": "agent_progress", "agentId": child, "prompt": "…", "message": shown, "normalizedMessages": []}
        self.add("progress", data=data, toolUseID="agent_msg", parentToolUseID=tool)

    @property
    def data(self) -> bytes:
        """The file."""
        return b"".join(line + b"\n" for line in self.lines)


def text(said: str) -> dict[str, Any]:
    return {"type": "text", "text": said}


def use(tool: str, name: str, given: dict[str, Any]) -> dict[str, Any]:
    return {"type": "tool_use", "id": tool, "name": name, "input": given}


class Home:
    """A home with one session, and children beside it."""

    def __init__(self, session: str = SESSION) -> None:
        self.session, self.clock = session, Clock()
        self.main = Log(session, clock=self.clock)
        self.files: dict[str, Log] = {f"{PROJECT}/{session}.jsonl": self.main}
        self.notes: dict[str, bytes] = {}

    def child(self, name: str, *, layout: str = "nested", note: dict[str, Any] | None = None) -> Log:
        """A child's file: below the session's directory, `beside` the session's file, or `within` its directory."""
        directory = {
            "nested": f"{PROJECT}/{self.session}/subagents",
            "beside": PROJECT,
            "within": f"{PROJECT}/{self.session}",
            "workflow": f"{PROJECT}/{self.session}/subagents/workflows/w1",
        }[layout]
        log = Log(self.session, name, clock=self.clock, salt=len(self.files))
        self.files[f"{directory}/agent-{name}.jsonl"] = log
        if note is not None:
            self.notes[f"{directory}/agent-{name}.meta.json"] = json.dumps(note).encode()
        return log

    def worked(self, name: str, prompt: str, *, model: str = SMALL, **members: Any) -> Log:
        """A child that looked at a file and said something."""
        log = self.child(name, **members)
        log.user(prompt)
        log.call(f"toolu_{name}", "Read", {"file_path": "/home/user/app/a.py"}, model=model)
        log.result(f"toolu_{name}", "text")
        log.say("Found it.", model=model)
        return log

    @property
    def data(self) -> dict[str, bytes]:
        """The files by their path below the home."""
        return {**{path: log.data for path, log in self.files.items()}, **self.notes}

    def reordered(self) -> Iterator[dict[str, bytes]]:
        """The home with its files in other orders."""
        names = list(self.data)
        for order in (names[::-1], names[1:] + names[:1], sorted(names)):
            yield {name: self.data[name] for name in order}


def asking() -> Home:
    """A session in which somebody asked for something."""
    home = Home()
    home.main.user("Please see to it")
    return home


def delegated(*, model: str = SMALL, **given: Any) -> Home:
    """A delegation that the parent waited for."""
    home = asking()
    home.main.delegate("toolu_1", PROMPT, **given)
    home.worked("a1", PROMPT, model=model)
    home.main.completed("toolu_1", "a1")
    home.main.say()
    return home


def background() -> Home:
    """A delegation in the background that was not heard of yet."""
    home = asking()
    home.main.delegate("toolu_1", PROMPT, run_in_background=True)
    home.main.launched("toolu_1", "a1", resolvedModel=SMALL)
    home.main.say("It runs.")
    return home


def resumed() -> Home:
    home = background()
    home.worked("a1", PROMPT, note={"agentType": "general-purpose", "toolUseId": "toolu_1"})
    home.main.notified("a1", tool="toolu_1")
    home.main.call("toolu_2", "SendMessage", {"to": "a1", "message": "Count again"})
    home.main.result("toolu_2", [text("{}")], structured={"success": True, "resumedAgentId": "a1"})
    child = next(log for path, log in home.files.items() if path.endswith("agent-a1.jsonl"))
    child.user("The coordinator sent a message:\nCount again", isMeta=True, origin={"kind": "coordinator"})
    child.say(model=SMALL)
    home.main.notified("a1", tool="toolu_2")
    home.main.say()
    return home


def nested() -> Home:
    home = asking()
    home.main.delegate("toolu_1", PROMPT)
    child = home.child("a1", note={"agentType": "Plan", "toolUseId": "toolu_1", "spawnDepth": 1})
    child.user(PROMPT)
    child.delegate("toolu_2", "Count one directory")
    home.worked("a2", "Count one directory", note={"agentType": "Explore"})
    child.result("toolu_2", [text("Done."), text("agentId: a2 (use SendMessage)")])
    child.say()
    home.main.completed("toolu_1", "a1")
    home.main.say()
    return home


def parallel() -> Home:
    home = asking()
    home.main.delegate("toolu_1", PROMPT)
    home.main.delegate("toolu_2", PROMPT)
    first = home.worked("a1", PROMPT)
    home.worked("a2", PROMPT, model="claude-opus-4-6")
    home.main.mirrored("toolu_1", "a1", first.lines[1])
    home.main.completed("toolu_2", "a2")
    home.main.completed("toolu_1", "a1")
    home.main.say()
    home.main.user("And now?")
    home.main.bash("toolu_3", "pytest", exit_code=1)
    home.main.say()
    return home


def broken_off() -> Home:
    home = asking()
    home.main.delegate("toolu_1", PROMPT)
    child = home.child("a1", layout="beside")
    child.user(PROMPT)
    child.call("toolu_2", "Read", {})
    child.refused("toolu_2")
    child.interrupted(tool=True)
    home.main.refused("toolu_1")
    home.main.interrupted(tool=True)
    home.main.user("<command-name>/review</command-name>")
    home.main.user([text("Review it")], isMeta=True)
    home.main.delegate("toolu_3", "Try it otherwise")
    home.main.failed("toolu_3", "Agent type 'x' not found.")
    home.main.delegate("toolu_4", "Try it once more")
    home.main.broken("API Error: 529 x", error="server_error", status=529)
    return home


def warmed_up() -> Home:
    home = delegated()
    warm = home.child("a9", layout="beside", note=None)
    warm.user("Warmup")
    warm.say("Ready.")
    return home


HOMES = (delegated, background, resumed, nested, parallel, broken_off, warmed_up)


def home_files() -> dict[str, bytes]:
    """A home in which Claude Code has worked: paths relative to it, and what the files hold."""
    files = {}
    for number, build in enumerate(HOMES):
        for path, data in build().data.items():
            for known, own in (
                (SESSION, f"{number:08x}{SESSION[8:]}"),
                ("toolu_", f"toolu{number}_"),
                ("-4000-8000-", f"-4000-{8000 + number}-"),
            ):
                path, data = path.replace(known, own), data.replace(known.encode(), own.encode())  # noqa: PLW2901
            files[path] = data
    return files

"""The sessions of pi: `$PI_CODING_AGENT_DIR/sessions/--<cwd>--/<time>_<id>.jsonl` (`~/.pi/agent`), one file a session.

Written from the documented form (session versions 1 to 3, linear or a tree of `id` and `parentId`, read here in file
order); not run against the program. A turn goes from a message of the user to the answer whose `stopReason` is not
`toolUse`. pi has no subagents of its own, so there are no delegations.

A branched session begins with a copy of the other's history under its old times: what is older than the file is a copy.
A migration rewrites the file, so a turn is named by its time rather than by its place.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
from msgspec import UNSET, Raw

from routerd.events import Tokens, unit_key
from routerd.sources import values
from routerd.sources.base import IDLE_AFTER_S, Claim, Line, Machine
from routerd.sources.signals import End
from routerd.sources.turns import Turn, TurnMachine

AGENT: Final = "pi"
_EXIT: Final = re.compile(r"exited with code (\d{1,9})")
_ENDS: Final[Mapping[str, End]] = {"stop": "completed", "length": "budget", "aborted": "interrupted"}


class Usage(msgspec.Struct, rename="camel", gc=False):
    """Tokens of a response, by kind and disjoint."""

    input: float | None = None
    output: float | None = None
    cache_read: float | None = None
    cache_write: float | None = None
    cost: Any = None


class Message(msgspec.Struct, rename="camel", gc=False):
    """What a person, the model or a tool says."""

    role: str | None = None
    content: Raw = values.NULL
    provider: str | None = None
    model: str | None = None
    usage: Usage | None = None
    stop_reason: str | None = None
    error_message: str | None = None
    tool_call_id: str | None = None
    is_error: bool | None = None


class Entry(msgspec.Struct, rename="camel", gc=False):
    """A line."""

    type: str | None = None
    timestamp: Any = None
    message: Message | None = None
    id: str | None = None
    cwd: str | None = None
    branched_from: Any = UNSET
    parent_session: Any = UNSET
    provider: str | None = None
    model_id: str | None = None
    thinking_level: str | None = None


class Part(msgspec.Struct, gc=False):
    """A part of an answer: a text, or the call of a tool."""

    type: str | None = None
    text: str | None = None
    id: str | None = None
    name: str | None = None
    arguments: Raw = values.NULL


_read: Final = values.reader(Entry)
_parts: Final = values.list_reader(Part)


class PiMachine(TurnMachine[Entry]):
    """One session."""

    def __init__(self, group: str) -> None:
        super().__init__()
        self.session_id = group
        self.began_at = 0.0
        self.cwd: str | None = None
        self.provider: str | None = None
        self.model: str | None = None
        self.effort: str | None = None

    def read(self, data: bytes) -> Entry:
        """An entry."""
        return _read(data)

    def take(self, record: Entry, line: Line) -> None:
        """One entry."""
        if record.type == "message":
            if record.message is not None and (self.at or 0.0) >= self.began_at:
                self._message(record.message, line)
            return
        if record.type == "session":
            self.session_id = record.id or self.session_id
            self.cwd = record.cwd or None
            if record.branched_from is not UNSET or record.parent_session is not UNSET:
                self.began_at = self.at or 0.0
        if record.type in ("session", "model_change"):
            self.provider = record.provider or self.provider
            self.model = record.model_id or self.model
        if record.type in ("session", "thinking_level_change"):
            self.effort = record.thinking_level or self.effort

    def _message(self, message: Message, line: Line) -> None:
        role, turn = message.role, self.turn
        if role == "user" and (turn is None or not turn.worked or self._left(turn)):
            self._begin(values.text(values.loaded(message.content)), line)
        elif turn is not None and role == "assistant":
            self._answer(turn, message)
        elif turn is not None and role == "toolResult":
            turn.answered(message.tool_call_id or "", passed=_passed(message))

    def _left(self, turn: Turn) -> bool:
        """Whether an open turn was left so long ago that a message begins a new one, and does not steer this one."""
        return self.at is not None and turn.last_at is not None and self.at - turn.last_at > IDLE_AFTER_S

    def _begin(self, goal: str, line: Line) -> None:
        name = self.at if self.at is not None else line.offset
        self.begin(
            Turn(
                agent=AGENT,
                key=unit_key(AGENT, "turn", f"{self.session_id}/{name}"),
                session_id=self.session_id,
                transcript=line.path,
                goal=goal,
                cwd=self.cwd,
                provider=self.provider,
                model=self.model,
                effort=self.effort,
            )
        )

    def _answer(self, turn: Turn, message: Message) -> None:
        turn.provider = message.provider or turn.provider
        turn.model = message.model or turn.model
        usage = message.usage or Usage()
        tokens = Tokens(
            input=values.whole(usage.input),
            output=values.whole(usage.output),
            cache_read=values.whole(usage.cache_read),
            cache_write=values.whole(usage.cache_write),
        )
        turn.spent(tokens, values.number(values.mapping(usage.cost), "total"))
        for part in _parts(message.content):
            if part.type == "text" and part.text:
                turn.speaks()
            elif part.type == "toolCall":
                self._call(turn, part)
        if message.stop_reason == "error":
            self.end("unknown", censored=values.censoring(message.error_message or ""))
        elif (end := _ENDS.get(message.stop_reason or "")) is not None:
            self.end("empty" if end == "completed" and not turn.said else end)

    def _call(self, turn: Turn, call: Part) -> None:
        turn.acts(call.id or "", values.command_in(call.arguments))
        if call.name in ("edit", "write"):
            turn.trace.edited()


def _passed(result: Message) -> bool | None:
    """The verdict of a command: that it is no error, or the exit code that the error names."""
    if result.is_error is not True:
        return True
    found = _EXIT.search(values.text(values.loaded(result.content)))
    return False if found is not None and values.did_run(int(found[1])) else None


class PiSource:
    """Where sessions lie."""

    agent = AGENT
    polled = False

    def roots(self, env: Mapping[str, str]) -> list[str]:
        """`sessions` of `$PI_CODING_AGENT_DIR`, or of `~/.pi/agent`."""
        home = env.get("PI_CODING_AGENT_DIR") or (f"{env['HOME']}/.pi/agent" if env.get("HOME") else None)
        return [] if home is None else [f"{home}/sessions"]

    def enters(self, root: str, directory: str) -> bool:
        """A directory for each working directory."""
        return True

    def claim(self, root: str, path: str, head: Callable[[], bytes]) -> Claim | None:
        """A file is a session, named by what follows the time."""
        name = path.rpartition("/")[2]
        return Claim(name[:-6].partition("_")[2] or name[:-6], "lines") if name.endswith(".jsonl") else None

    def open(self, group: str) -> Machine:
        """A machine for one session."""
        return PiMachine(group)


SOURCE: Final = PiSource()

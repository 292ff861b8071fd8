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

from routerd.events import Tokens, unit_key
from routerd.sources import values
from routerd.sources.base import IDLE_AFTER_S, Claim, Line, Machine
from routerd.sources.signals import End
from routerd.sources.turns import Turn, TurnMachine

AGENT: Final = "pi"
_EXIT: Final = re.compile(r"exited with code (\d{1,9})")
_ENDS: Final[Mapping[str, End]] = {"stop": "completed", "length": "budget", "aborted": "interrupted"}


class PiMachine(TurnMachine):
    """One session."""

    def __init__(self, group: str) -> None:
        super().__init__()
        self.session_id = group
        self.began_at = 0.0
        self.cwd: str | None = None
        self.provider: str | None = None
        self.model: str | None = None
        self.effort: str | None = None

    def take(self, record: dict[str, Any], line: Line) -> None:
        """One entry."""
        kind = record.get("type")
        if kind == "session":
            self.session_id = values.string(record, "id") or self.session_id
            self.cwd = values.string(record, "cwd")
            if "branchedFrom" in record or "parentSession" in record:
                self.began_at = self.at or 0.0
        if kind in ("session", "model_change"):
            self.provider = values.string(record, "provider") or self.provider
            self.model = values.string(record, "modelId") or self.model
        if kind in ("session", "thinking_level_change"):
            self.effort = values.string(record, "thinkingLevel") or self.effort
        if kind == "message" and (self.at or 0.0) >= self.began_at:
            self._message(values.member(record, "message"), line)

    def _message(self, message: dict[str, Any], line: Line) -> None:
        role, turn = message.get("role"), self.turn
        if role == "user" and (turn is None or not turn.worked or self._left(turn)):
            self._begin(values.text(message.get("content")), line)
        elif turn is not None and role == "assistant":
            self._answer(turn, message)
        elif turn is not None and role == "toolResult":
            turn.answered(values.string(message, "toolCallId") or "", passed=_passed(message))

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

    def _answer(self, turn: Turn, message: dict[str, Any]) -> None:
        turn.provider = values.string(message, "provider") or turn.provider
        turn.model = values.string(message, "model") or turn.model
        usage = values.member(message, "usage")
        read, written = values.count(usage, "cacheRead"), values.count(usage, "cacheWrite")
        tokens = Tokens(
            input=values.count(usage, "input"),
            output=values.count(usage, "output"),
            cache_read=read,
            cache_write=written,
        )
        turn.spent(tokens, values.number(values.member(usage, "cost"), "total"))
        for part in values.items(message.get("content")):
            if part.get("type") == "text" and values.string(part, "text"):
                turn.speaks()
            elif part.get("type") == "toolCall":
                self._call(turn, part)
        reason = message.get("stopReason")
        if reason == "error":
            self.end("unknown", censored=values.censoring(values.string(message, "errorMessage") or ""))
        elif isinstance(reason, str) and reason in _ENDS:
            end = _ENDS[reason]
            self.end("empty" if end == "completed" and not turn.said else end)

    def _call(self, turn: Turn, call: dict[str, Any]) -> None:
        turn.acts(values.string(call, "id") or "", values.command(values.member(call, "arguments").get("command")))
        if call.get("name") in ("edit", "write"):
            turn.trace.edited()


def _passed(result: dict[str, Any]) -> bool | None:
    """The verdict of a command: that it is no error, or the exit code that the error names."""
    if result.get("isError") is not True:
        return True
    found = _EXIT.search(values.text(result.get("content")))
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

"""The chats of the Gemini CLI: `~/.gemini/tmp/<project>/chats/session-<time>-<id8>.json`, newer ones `.jsonl`.

Written from descriptions of files of early 2026 and of the recording code that wrote them; not run against the program.
A `.json` file is one document that is rewritten; a `.jsonl` file has a header, whole messages (one whose id comes again
replaces the first), `{"$set": …}` and `{"$rewindTo": id}`. A subagent's chat lies in `chats/<parent session>/` and is a
delegation. No record tells the end of a turn: the next message of the user does, or that nobody touches the file.

`tokens.input` holds what was read from the cache; `output` does not hold `thoughts`. Neither provider nor effort is
told: the provider is Google, whichever way the user has logged in.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
from msgspec import UNSET, Raw, UnsetType

from routerd.events import Censoring, Completion, Tokens, child_key, unit_key
from routerd.sources import values
from routerd.sources.base import GOAL_CHARS_MAX, Claim, Document, Emitter, Item, Line, Machine, Query
from routerd.sources.signals import End
from routerd.sources.turns import Turn

AGENT: Final = "gemini"
PROVIDER: Final = "google"
_EXIT: Final = re.compile(r"Exit Code: (\d{1,9})")
_ANSWERED: Final = frozenset({"success", "error", "cancelled"})
_EDITORS: Final = frozenset({"replace", "write_file", "edit"})


class Used(msgspec.Struct, gc=False):
    """Tokens of an answer."""

    input: float | None = None
    output: float | None = None
    cached: float | None = None
    thoughts: float | None = None
    tool: float | None = None


class Call(msgspec.Struct, rename="camel", gc=False):
    """The call of a tool, with its result."""

    id: str | None = None
    name: str | None = None
    status: str | None = None
    agent_id: str | None = None
    args: Raw = values.NULL
    result: Raw = values.NULL


class Message(msgspec.Struct, rename="camel", gc=False):
    """What a person or the model says, or the program."""

    id: str | None = None
    type: Any = UNSET
    timestamp: Any = None
    content: Raw = values.NULL
    model: str | None = None
    tokens: Used | None = None
    tool_calls: list[Call] | None = None


class Chat(msgspec.Struct, rename="camel", gc=False):
    """A document, or what replaces all that was said."""

    session_id: str | None = None
    messages: list[Message] | UnsetType | None = UNSET


class Record(Message, rename="camel", gc=False):
    """A line: a message, or what is done to the chat."""

    session_id: str | None = None
    changes: Chat | None = msgspec.field(name="$set", default=None)
    back_to: str | None = msgspec.field(name="$rewindTo", default=None)


class Asked(msgspec.Struct):
    """A person's message, as it is kept."""

    id: str
    goal: str
    timestamp: Any


class Done(msgspec.Struct):
    """A call, as it is kept."""

    id: str
    name: str | None
    status: str | None
    child: bool
    command: str
    exit: int | None


class Answer(msgspec.Struct):
    """Any other message, as it is kept: without its thoughts and the results of its calls."""

    type: Any
    timestamp: Any
    model: str | None
    tokens: Used | None
    content: str
    calls: list[Done]


_read: Final = values.reader(Record)
_read_whole: Final = values.reader(Chat)


class GeminiMachine:
    """One chat."""

    def __init__(self, group: str) -> None:
        self.quarantined = 0
        self.path = group
        self.session_id: str | None = None
        self.child = "/chats/" in group and "/" in group.rpartition("/chats/")[2]
        self.turns = 0
        self.left = False
        self.user: Asked | None = None
        self.answers: dict[str, Answer] = {}
        self._ended: list[Completion] = []
        self._emitter = Emitter()

    def feed(self, item: Item) -> None:
        """A line, or the whole document; see `base.Machine`."""
        self.left = False
        try:
            if isinstance(item, Line):
                self._record(_read(item.data))
            elif isinstance(item, Document):
                self._whole(_read_whole(item.data))
            else:
                self.quarantined += 1
        except ValueError:
            self.quarantined += bool(item.data.strip()) if isinstance(item, Line) else 1

    def _whole(self, chat: Chat) -> None:
        """All messages, or all anew."""
        self.session_id = chat.session_id or self.session_id
        self.user, self.answers, self.turns, self._ended = None, {}, 0, []
        for message in chat.messages or ():
            self._message(message)

    def _record(self, record: Record) -> None:
        if record.changes is not None and record.changes.messages is not UNSET:
            self._whole(record.changes)
        elif record.back_to:
            self._rewind(record.back_to)
        elif record.type is not UNSET:
            self._message(record)
        else:
            self.session_id = record.session_id or self.session_id

    def _message(self, message: Message) -> None:
        identity = message.id or ""
        if message.type == "user":
            goal = values.text(values.loaded(message.content))
            if not goal:
                return  # answers of tools, which history keeps as a user's
            if self.user is None or self.user.id != identity:
                self._close()
            self.user = Asked(identity, goal[:GOAL_CHARS_MAX], message.timestamp)
        elif self.user is not None:
            self.answers[identity] = _reduced(message)

    def _rewind(self, identity: str) -> None:
        """A person takes everything from a message on back, to ask in other words."""
        if identity in self.answers:
            names = list(self.answers)
            for name in names[names.index(identity) :]:
                del self.answers[name]
        elif self.user is not None:
            self._close(taken_back=True)

    def _close(self, *, taken_back: bool = False) -> None:
        if self.user is not None:
            turn, end, censored = self._turn(self.user)
            if taken_back:
                turn.trace.next_message(accepted=False)
            self._ended.append(turn.completion(end, censored=censored))
            self.turns += 1
        self.user, self.answers = None, {}

    def _turn(self, user: Asked) -> tuple[Turn, End, Censoring | None]:
        """The open turn, built from its messages, and how it would end if nothing more came."""
        session_id = self.session_id or self.path
        name = f"{session_id}/{user.id}"
        key = unit_key(AGENT, "turn", name)
        if self.child:
            key = child_key(AGENT, None, name if self.turns else session_id)
        at = values.seconds(user.timestamp)
        turn = Turn(
            agent=AGENT,
            key=key,
            session_id=self.path.split("/")[-2] if self.child else session_id,
            transcript=self.path,
            goal=user.goal,
            child=self.child,
            provider=PROVIDER,
            started_at=at,
            last_at=at,
            extent=1,
        )
        end: End = "unknown"
        censored: Censoring | None = None
        for message in self.answers.values():
            end, censored = _heard(turn, message)
        return turn, end, censored

    def drain(self, *, idle: bool) -> list[Completion]:
        """See `base.Machine`."""
        completions, self._ended = self._ended, []
        if self.user is not None:
            turn, end, censored = self._turn(self.user)
            self.left = self.left or idle  # until something more comes
            completions.append(turn.completion(end, censored=censored) if self.left else turn.completion(None))
        return self._emitter.changed(completions)

    def queries(self, path: str) -> list[Query]:
        """Chats are no database."""
        return []


def _reduced(message: Message) -> Answer:
    return Answer(
        type=message.type,
        timestamp=message.timestamp,
        model=message.model or None,
        tokens=message.tokens,
        content=values.text(values.loaded(message.content))[:400],
        calls=[_done(call) for call in message.tool_calls or ()],
    )


def _done(call: Call) -> Done:
    return Done(
        id=str(call.id or None),
        name=call.name,
        status=call.status,
        child=bool(call.agent_id),
        command=values.command_in(call.args),
        exit=_exit_code(call),
    )


def _exit_code(call: Call) -> int | None:
    """The exit code in a shell call's result; a result that names none is that of a command that went well."""
    if call.name != "run_shell_command" or call.status != "success":
        return None
    found = _EXIT.search(str(values.loaded(call.result))[-2000:])
    return int(found[1]) if found else 0


def _heard(turn: Turn, message: Answer) -> tuple[End, Censoring | None]:
    """Adds a message to a turn; returns how the turn would end with it."""
    turn.extent += 1
    turn.last_at = values.seconds(message.timestamp) or turn.last_at
    if message.type == "error":
        return "unknown", values.censoring(message.content)
    if message.type == "info" and "cancel" in message.content.lower():
        return "interrupted", None
    if message.type == "gemini":
        _answered(turn, message)
    return ("completed" if turn.said else turn.unsaid()), None


def _answered(turn: Turn, message: Answer) -> None:
    turn.model = message.model or turn.model
    if (used := message.tokens) is not None:
        cached = values.whole(used.cached)
        fresh = max(0, values.whole(used.input) + values.whole(used.tool) - cached)
        output = values.whole(used.output) + values.whole(used.thoughts)
        turn.spent(Tokens(input=fresh, output=output, cache_read=cached))
    if message.content:
        turn.speaks()
    for call in message.calls:
        turn.acts(call.id, call.command)
        turn.delegations += call.child
        if call.name in _EDITORS and call.status == "success":
            turn.trace.edited()
        if call.status in _ANSWERED:
            passed = None if call.exit is None or not values.did_run(call.exit) else call.exit == 0
            turn.answered(call.id, passed=passed)


class GeminiSource:
    """Where chats lie."""

    agent = AGENT
    polled = False

    def roots(self, env: Mapping[str, str]) -> list[str]:
        """`~/.gemini/tmp`."""
        return [f"{env['HOME']}/.gemini/tmp"] if env.get("HOME") else []

    def enters(self, root: str, directory: str) -> bool:
        """A project, its chats, and the chats of subagents; what else a project keeps is not looked at."""
        below = directory[len(root) :].strip("/").split("/")
        return len(below) == 1 or (below[1] == "chats" and len(below) <= 3)

    def claim(self, root: str, path: str, head: Callable[[], bytes]) -> Claim | None:
        """A chat by itself: what a subagent's own file does not tell, no other does."""
        if "/chats/" not in path[len(root) :]:
            return None
        if path.endswith(".jsonl"):
            return Claim(path, "lines")
        return Claim(path, "document") if path.endswith(".json") else None

    def open(self, group: str) -> Machine:
        """A machine for one chat."""
        return GeminiMachine(group)


SOURCE: Final = GeminiSource()

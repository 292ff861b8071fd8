"""OpenCode: `opencode*.db` in `$XDG_DATA_HOME/opencode` (`~/.local/share`); before version 1.2 files in `storage/`.

Written from descriptions of both forms and from the schema in the program's source (tables `session`, `message` and
`part`, holding the same JSON as the files); not run against the program. A turn is a message of the user with the
assistant messages whose `parentID` names it; the last of them tells the end. A session with a `parentID` is a
delegation: its first turn under the session's id, later ones with the message's id behind it. Provider, model, cost and
times are all explicit; a cost of 0 is what subscriptions show, and says nothing. Effort is the model's `variant`, where
one was chosen.

The database is asked for the messages that changed, in pages, and then for the turns that they belong to, which are
forgotten once they have ended: ids order by time, so a turn lies between its first message and the last one that
changed. The newest change is the clock by which a turn that was left open has ended.
The files of `storage/` come in any order, so a session's stay in memory, reduced to what is read; which turn of a child
is its first, and which call made it, they do not tell.
"""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from routerd.events import Censoring, Completion, Tokens, child_key, unit_key
from routerd.sources import values
from routerd.sources.base import GOAL_CHARS_MAX, IDLE_AFTER_S, Claim, Document, Emitter, Item, Machine, Query, Row
from routerd.sources.opencode_parts import Input, Metadata, Part, State, read_part, read_row
from routerd.sources.signals import End
from routerd.sources.turns import Turn

AGENT: Final = "opencode"
PAGE_ROWS: Final = 200
_STORED: Final = re.compile(r"/storage/(session/[^/]+|message/[^/]+|part/[^/]+)/[^/]+\.json$")
_SESSION: Final = re.compile(rb'"(?:sessionID)"\s*:\s*"([^"]+)"')
_EDITORS: Final = frozenset({"edit", "write", "patch", "multiedit", "apply_patch"})
_ENDS: Final[Mapping[str, End]] = {
    "MessageAbortedError": "interrupted",
    "MessageOutputLengthError": "budget",
    "ContextOverflowError": "budget",
}
Record = dict[str, Any]


class Session:
    """What is known of one session: its messages and their parts, reduced."""

    def __init__(self, identity: str) -> None:
        self.id = identity
        self.left = False
        self.transcript = ""
        self.info: Record = {}
        self.first: str | None = None
        self.call: str | None = None
        self.messages: dict[str, Record] = {}
        self.parts: dict[str, dict[str, Record]] = {}

    def message(self, identity: str, data: Record) -> None:
        """A message, or its newer form."""
        keys = ("role", "parentID", "time", "modelID", "providerID", "model", "agent", "mode", "path", "cost", "tokens")
        kept = {key: data.get(key) for key in (*keys, "finish")}
        error = values.member(data, "error")
        kept["error"] = {**values.member(error, "data"), "name": error.get("name")} if error else None
        self.left = False
        self.messages[identity] = kept

    def part(self, identity: str, message_id: str, part: Part) -> None:
        """A part of a message, or its newer form."""
        state = part.state or State()
        if part.type == "text" and part.synthetic is not True and (text := values.text(values.loaded(part.text))):
            kept: Record = {"text": text[:GOAL_CHARS_MAX]}
        elif part.type == "tool":
            given, metadata = state.input or Input(), state.metadata or Metadata()
            kept = {
                "call": part.call or identity,
                "tool": part.tool,
                "status": state.status,
                "command": values.command(given.command),
                "exit": metadata.exit,
                "session": metadata.session,
                "kind": given.subagent_type or None,
            }
        else:
            return
        self.left = False
        self.parts.setdefault(message_id, {})[identity] = kept

    def texts(self, message_id: str) -> str:
        """What a message says."""
        parts = sorted(self.parts.get(message_id, {}).items())
        return "\n".join(part["text"] for _, part in parts if "text" in part)

    def calls(self, message_id: str) -> list[Record]:
        """The tools that a message called."""
        return [part for _, part in sorted(self.parts.get(message_id, {}).items()) if "call" in part]

    def completions(self, idle_before: float) -> list[Completion]:
        """
        The session's turns, as far as their messages are here; one that was left before then has ended.

        None before the session itself is known, which tells a delegation from a turn.
        """
        if not self.info:
            return []
        users = [name for name, message in sorted(self.messages.items()) if message["role"] == "user"]
        return [self._completion(name, idle_before) for name in users if self.texts(name)]

    def _keys(self, name: str) -> tuple[str, ...]:
        if self.info.get("parentID") is None:
            return (unit_key(AGENT, "turn", name),)
        later = child_key(AGENT, None, f"{self.id}#{name}")
        if name != self.first:
            return (later,)
        made = (unit_key(AGENT, "tool", self.call),) if self.call else ()
        return (child_key(AGENT, None, self.id), later, *made)

    def _completion(self, name: str, idle_before: float) -> Completion:
        user = self.messages[name]
        child = self.info.get("parentID") is not None
        key, *more_keys = self._keys(name)
        started_at = values.seconds(values.member(user, "time").get("created"))
        turn = Turn(
            agent=AGENT,
            key=key,
            more_keys=tuple(more_keys),
            session_id=self.info.get("parentID") or self.id,
            transcript=self.transcript,
            goal=self.texts(name),
            child=child,
            cwd=self.info.get("directory"),
            effort=values.string(values.member(user, "model"), "variant"),
            started_at=started_at,
            last_at=started_at,
            extent=1,
        )
        end: End | None = None
        censored: Censoring | None = None
        for answer_id, answer in sorted(self.messages.items()):
            if answer["role"] == "assistant" and answer["parentID"] == name:
                end, censored = self._answered(turn, answer_id, answer)
        if end is None and (self.left or (turn.last_at or 0.0) < idle_before):
            end = turn.unsaid()
        return turn.completion(end, censored=censored)

    def _answered(self, turn: Turn, name: str, answer: Record) -> tuple[End | None, Censoring | None]:
        """Adds an assistant message to a turn; returns how the turn has ended if this is its last."""
        times, used = values.member(answer, "time"), values.member(answer, "tokens")
        cache = values.member(used, "cache")
        turn.extent += 1
        turn.model, turn.provider = values.string(answer, "modelID"), values.string(answer, "providerID")
        turn.kind = (values.string(answer, "agent") or values.string(answer, "mode")) if turn.child else None
        turn.cwd = turn.cwd or values.string(values.member(answer, "path"), "cwd")
        turn.last_at = values.seconds(times.get("completed")) or values.seconds(times.get("created")) or turn.last_at
        output = values.count(used, "output") + values.count(used, "reasoning")
        read, written = values.count(cache, "read"), values.count(cache, "write")
        tokens = Tokens(input=values.count(used, "input"), output=output, cache_read=read, cache_write=written)
        turn.spent(tokens, values.number(answer, "cost") or None)
        for call in self.calls(name):
            _called(turn, call)
        if self.texts(name):
            turn.speaks()
        if (error := answer["error"]) is not None:
            return _failed(error)
        if times.get("completed") is None or answer["finish"] == "tool-calls" or not answer["finish"]:
            return None, None
        return ("budget" if answer["finish"] == "length" else "completed" if turn.said else "empty"), None


def _called(turn: Turn, call: Record) -> None:
    turn.acts(call["call"], call["command"] if call["tool"] == "bash" else "")
    turn.delegations += call["tool"] == "task" and call["session"] is not None
    if call["tool"] in _EDITORS and call["status"] == "completed":
        turn.trace.edited()
    if call["status"] in ("completed", "error"):
        exit_code = call["exit"]
        known = isinstance(exit_code, int) and values.did_run(exit_code)
        turn.answered(call["call"], passed=exit_code == 0 if known else None)


def _failed(error: Record) -> tuple[End, Censoring | None]:
    name, status = str(error.get("name")), error.get("statusCode")
    if name in _ENDS:
        return _ENDS[name], None
    if name == "ProviderAuthError":
        return "unknown", "auth"
    message = error.get("message")
    return "unknown", values.censoring(str(message), status if isinstance(status, int) else None)


class OpenCodeMachine:
    """
    A database with all its sessions, or the files of one session.

    Attributes:
        behind: A page was read and is to be drained before the next one.
    """

    def __init__(self, group: str) -> None:
        self.quarantined = 0
        self.group = group
        self.behind = False
        self._sessions: dict[str, Session] = {}
        self._mark: tuple[int, str] = (0, "")
        self._step = "page"
        self._page: dict[str, tuple[str, str]] = {}
        self._made: dict[str, tuple[str, str]] = {}
        self._rows = 0
        self._stored_files = False
        self._emitter = Emitter()

    def restart(self, path: str) -> None:
        """Another file stands at `path`, where the database was."""
        self._mark, self._step, self._sessions, self.behind = (0, ""), "page", {}, False

    def feed(self, item: Item) -> None:
        """A file of `storage/`, or a row; see `base.Machine`."""
        try:
            if isinstance(item, Document):
                self._stored(item.path, item.data)
            elif isinstance(item, Row):
                self._row(item.query, item.values)
            else:
                self.quarantined += 1
        except ValueError:
            self.quarantined += 1

    def _session(self, identity: str) -> Session:
        session = self._sessions.get(identity)
        if session is None:
            session = self._sessions[identity] = Session(identity)
        return session

    def _stored(self, path: str, stored: bytes) -> None:
        kind = path.rpartition("/storage/")[2].partition("/")[0]
        if kind == "part":
            part = read_part(stored)
            self._session(self.group).part(part.id or "", part.message or "", part)
            self._stored_files = True
            return
        data = values.record(stored)
        identity = values.string(data, "id") or ""
        session = self._session(self.group)
        self._stored_files = True
        if kind == "session":
            session.transcript = path
            session.info = {"parentID": values.string(data, "parentID"), "directory": values.string(data, "directory")}
        elif kind == "message":
            session.message(identity, data)

    def _row(self, query: str, row: Record) -> None:
        identity, session_id = str(row.get("id")), str(row.get("session_id"))
        if query == "session":
            info = {"parentID": values.string(row, "parent_id"), "directory": values.string(row, "directory")}
            self._session(identity).info = info
            self._session(identity).transcript = self.group
        elif query == "first":
            self._session(session_id).first = identity
        elif query == "call":
            part = read_row(read_part, row)
            if part.child is not None and part.child in self._sessions:
                self._sessions[part.child].call = part.call or None
        elif query == "page":
            self._changed(identity, session_id, row)
        elif query == "message":
            self._session(session_id).message(identity, read_row(values.record, row))
        elif query == "part":
            part, message_id = read_row(read_part, row), str(row.get("message_id"))
            self._session(session_id).part(identity, message_id, part)
            self._calls(message_id, part)

    def _changed(self, identity: str, session_id: str, row: Record) -> None:
        mark = (values.count(row, "time_updated"), identity)
        if mark > self._mark:  # or the same page would come for ever
            self._rows, self._mark = self._rows + 1, mark
        data = read_row(values.record, row)
        asked = identity if data.get("role") == "user" else values.string(data, "parentID") or identity
        first, last = self._page.get(session_id, (asked, identity))
        self._page[session_id] = (min(first, asked), max(last, identity))

    def _calls(self, message_id: str, part: Part) -> None:
        """A call; where it made a session, and not only went on with it, it stands before that one's first message."""
        child = part.child
        if child is not None and message_id < self._made.get(child, (message_id + "~", ""))[0]:
            self._made[child] = (message_id, part.call or "")

    def _link(self) -> list[Query]:
        """Tells children the calls that made them; what to ask for the others."""
        asked = []
        for child, session in self._sessions.items():
            parent = session.info.get("parentID")
            if isinstance(parent, str) and session.call is None:
                message_id, call = self._made.get(child, ("", ""))
                session.call = call if session.first is not None and "" < message_id < session.first else None
                asked += [_call(self.group, parent, child)] if session.call is None else []
        return asked

    def queries(self, path: str) -> list[Query]:
        """A page of changed messages, then their turns, then, for children, the calls that made them."""
        if self._step == "page":
            self._step, self._page, self._made, self._rows = "turns", {}, {}, 0
            return [self._page_query(path)]
        if self._step == "turns" and self._page:
            self._step = "calls"
            return [query for session_id, span in self._page.items() for query in _turns(path, session_id, *span)]
        if self._step == "calls":
            self._step = "done"
            if asked := self._link():
                return asked
        # The same millisecond may bring more: the next poll looks at it again, a page that was full does not.
        self.behind = self._rows >= PAGE_ROWS
        self._mark = self._mark if self.behind else (self._mark[0], "")
        self._step = "page"
        return []

    def _page_query(self, path: str) -> Query:
        since, after = self._mark
        return Query(
            name="page",
            path=path,
            table="message",
            columns=("id", "session_id", "time_updated", "data"),
            as_bytes=("data",),
            where="time_updated > ? OR (time_updated = ? AND id > ?)",
            params=(since, since, after),
            needs=("id", "session_id", "time_updated", "data"),
            order=f"time_updated, id LIMIT {PAGE_ROWS}",
        )

    def drain(self, *, idle: bool) -> list[Completion]:
        """See `base.Machine`."""
        idle_before = math.inf if idle else self._mark[0] / 1000 - IDLE_AFTER_S
        completions: list[Completion] = []
        for name, session in list(self._sessions.items()):
            turns = session.completions(idle_before)
            completions += turns
            session.left = session.left or idle
            if not self._stored_files and all(turn.ended for turn in turns):
                del self._sessions[name]
        return self._emitter.changed(completions)


def _turns(path: str, session_id: str, first: str, last: str) -> list[Query]:
    """What is asked of one session: itself, its first message, and the messages and parts of a span of turns."""
    span = (session_id, first, last)
    message = ("id", "session_id", "data")
    return [
        Query("session", path, "session", ("id", "parent_id", "directory"), "id = ?", (session_id,), ("id",)),
        Query("first", path, "message", message[:2], "session_id = ?", (session_id,), message[:2], "id LIMIT 1"),
        Query(
            "message",
            path,
            "message",
            message,
            "session_id = ? AND id BETWEEN ? AND ?",
            span,
            message,
            as_bytes=("data",),
        ),
        Query(
            "part",
            path,
            "part",
            ("id", "session_id", "message_id", "data"),
            "session_id = ? AND message_id BETWEEN ? AND ?",
            span,
            ("id", "session_id", "message_id", "data"),
            as_bytes=("data",),
        ),
    ]


def _call(path: str, parent: str, child: str) -> Query:
    """The part of the parent in which a `task` call names the child."""
    where, named = "session_id = ? AND instr(data, ?)", (parent, f'"{child}"')
    return Query("call", path, "part", ("data",), where, named, ("id", "session_id", "data"), "id LIMIT 1", ("data",))


class OpenCodeSource:
    """Where sessions lie."""

    agent = AGENT
    polled = False

    def roots(self, env: Mapping[str, str]) -> list[str]:
        """`opencode` in `$XDG_DATA_HOME`, or in `~/.local/share`."""
        home = env.get("XDG_DATA_HOME") or (f"{env['HOME']}/.local/share" if env.get("HOME") else None)
        return [] if home is None else [f"{home}/opencode"]

    def enters(self, root: str, directory: str) -> bool:
        """Only `storage`, and in it what is read."""
        below = directory[len(root) :].strip("/").split("/")
        return below[0] == "storage" and (len(below) == 1 or below[1] in ("session", "message", "part"))

    def claim(self, root: str, path: str, head: Callable[[], bytes]) -> Claim | None:
        """A database is a group; of the files, those of a session are. A part's path does not tell whose it is."""
        name = path[len(root) :].strip("/")
        if name.startswith("opencode") and name.endswith(".db") and "/" not in name:
            return Claim(path, "database")
        found = _STORED.search(path)
        if found is None:
            return None
        kind, _, directory = found[1].partition("/")
        if kind == "session":
            return Claim(path.rpartition("/")[2][:-5], "document")
        if kind == "message":
            return Claim(directory, "document")
        session = _SESSION.search(head())
        return None if session is None else Claim(session[1].decode(errors="replace"), "document")

    def open(self, group: str) -> Machine:
        """A machine for a database, or for the files of a session."""
        return OpenCodeMachine(group)


SOURCE: Final = OpenCodeSource()

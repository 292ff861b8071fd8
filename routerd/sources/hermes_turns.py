"""A conversation of Hermes Agent, folded row by row: its turns, and the delegations that it asked for.

A turn goes from what a person wrote up to the agent's last word. Three things make the rows of a conversation more
than a list:

- A message of the user's role need not be a person's: Hermes writes notes to the running turn there, and news of
  background work, which begin a stretch that is nobody's turn.
- Compaction writes the rows that it keeps a second time: in the same session (the old ones are then marked
  `compacted`), or in a new session that continues the old one, as /branch does. Copies bear new ids and new times. They
  are told by what they say, in a run of rows that no agent writes so quickly or that begins where rows were cut.
- What a person takes back (/undo, /retry) stays as inactive rows.

So a turn is named by the session in which it began, by its text, and by how many with that text came before it.
"""

from collections.abc import Mapping
from typing import Any, Final
from zlib import crc32

import msgspec

from routerd.sources import hermes_rows as rows
from routerd.sources.base import GOAL_CHARS_MAX
from routerd.sources.hermes_rows import Answer, Asked, Entry
from routerd.sources.signals import End, Trace, is_check

HEAD_CHARS: Final = 200
"""Enough of what was said to know its copy by. Calls and their results are known by id: compaction shortens them."""
BULK_S: Final = 1e-4
"""Rows that one transaction writes are a microsecond apart by their times; two answers of a model never are."""
COPYING_S: Final = 2.0
"""Between copies that are written one by one into a new session there is no longer pause."""
NO_VERDICT: Final = frozenset({124, 126, 127, 130, 137, 143})
"""Exit codes of a shell when the check itself did not run to its end: timed out, not executable, not found, killed."""


class Call(msgspec.Struct, kw_only=True):
    """A `delegate_task` call, the turn that made it, and the answer with the id and time of its row."""

    id: str
    session_id: str
    at: float
    tasks: list[Asked]
    turn: str | None = None
    answer: Answer | None = None
    answered_at: float | None = None
    answer_row: int = 0

    @property
    def refused(self) -> bool:
        """Hermes did not start it."""
        return self.answer is not None and self.answer.refused


class Turn(msgspec.Struct, kw_only=True):
    """One turn, as far as it was read. `calls` counts the model's answers by session."""

    name: str
    session_id: str
    digest: str
    goal: str
    started_at: float
    last_at: float
    trace: Trace
    rows: int = 1
    calls: dict[str, int] = {}
    final: bool = False
    empty: bool = False
    budget: bool = False
    interrupted: bool = False
    waited: bool = False
    edited_at: float | None = None
    delegations: int = 0

    @property
    def end(self) -> End:
        """How it ended, by its own rows."""
        if self.interrupted:
            return "interrupted"
        if self.empty:
            return "empty"
        if self.budget:
            return "budget"
        return "completed" if self.final else "dangling"


class Said(msgspec.Struct, frozen=True):
    """A person's message."""

    session_id: str
    digest: str
    text: str
    at: float


class Conversation:
    """
    A session with those that continue it, folded.

    Args:
        single: It is one unit of work (a child's): later messages of the user's role start no turn.

    Attributes:
        notices: Results of work in the background, by delegation id, as messages told them.
        answers: Number of the model's answers by session, also those that belong to nobody's turn.
    """

    def __init__(self, *, single: bool) -> None:
        self.single = single
        self.turns: list[Turn] = []
        self.calls: list[Call] = []
        self.notices: dict[str, tuple[Entry, ...]] = {}
        self.answers: dict[str, int] = {}
        self._current: Turn | None = None
        self._repeated: Said | None = None
        self._copied = False
        self._rewritten = False
        self._copying = False
        self._last_at = 0.0
        self._continued = False
        self._archived = False
        self._seen: set[int] = set()
        self._names: dict[str, int] = {}
        self._asker = ""
        self._checks: set[str] = set()
        self._open: dict[str, Call] = {}

    def continued(self) -> None:
        """The rows that follow are of a session that continues: it may begin with copies."""
        self._rewritten = self._continued = True

    def add(self, session: str, row: Mapping[str, Any], at: float) -> None:
        """Takes in one row of `messages`; they come by session, in the order of their ids."""
        compacted = bool(row.get("compacted"))
        if compacted or self._rewritten:
            self._look_for_copies(at, compacted=compacted)
        match row.get("role"):
            case "tool":
                self._tool(row, at)
            case "assistant":
                self._assistant(session, row, at)
            case "user":
                self._user(session, row, at)
            case _:
                pass  # system, session_meta: nobody's work

    def _look_for_copies(self, at: float, *, compacted: bool) -> None:
        """Whether this row may be a copy: it stands where rows were cut, or comes with the row before it."""
        pause = at - self._last_at
        is_cut = self._continued or (self._archived and not compacted)
        self._copying = is_cut or pause < BULK_S or (self._copying and pause < COPYING_S)
        self._rewritten, self._continued, self._archived, self._last_at = True, False, compacted, at

    # --- who speaks ---

    def _user(self, session: str, row: Mapping[str, Any], at: float) -> None:
        if row.get("observed"):
            return  # overheard in a group chat
        text = rows.text_of(row.get("content"))
        kind = "note" if row.get("_compressed_summary") else rows.kind_of(text)
        if kind == "notice" and (found := rows.notice_of(text)) is not None:
            self.notices[found[0]] = found[1]
        if kind == "note" or (self.single and self._current is not None):
            if self._current is not None and text.startswith(rows.BUDGET_SPENT):
                self._current.budget = True
        elif kind == "notice":
            self._current = None
        else:
            self._person(row, Said(session, rows.digest(text), text, at))

    def _person(self, row: Mapping[str, Any], said: Said) -> None:
        self._asker = said.digest
        if self._rewritten and self.turns:
            last = self.turns[-1]
            if not last.final and (last.digest == said.digest or said.text.startswith(f"{last.goal}\n\n")):
                # The running turn goes on behind the rewriting, perhaps with a note merged into its first message.
                self._asker, self._current, self._repeated = last.digest, last, None
                return
            if said.digest in self._names:
                self._repeated, self._copied = said, False
                return
        self._copying = False
        self._begin(said)
        if self._current is not None and row.get("active") == 0 and not row.get("compacted"):
            self._current.trace.next_message(False)

    def _begin(self, said: Said) -> None:
        number = self._names[said.digest] = self._names.get(said.digest, 0) + 1
        self._repeated = None
        self._current = Turn(
            name=f"{said.session_id}/{said.digest}.{number}",
            session_id=said.session_id,
            digest=said.digest,
            goal=said.text[:GOAL_CHARS_MAX],
            started_at=said.at,
            last_at=said.at,
            trace=Trace(),
            calls={},
        )
        self.turns.append(self._current)

    def _turn(self, name: int) -> Turn | None:
        """The turn to which a row of the agent's belongs; None for a copy, and for a row of nobody's turn."""
        if self._is_copy(name):
            self._copied = True
            return None
        self._copying = False
        self._seen.add(name)
        if (said := self._repeated) is not None:
            # Something new after words that were said before: said again, unless copies stood in between.
            self._repeated = None
            if self._copied and not self.turns[-1].final:
                self._current = self.turns[-1]
            else:
                self._begin(said)
        return self._current

    def _is_copy(self, name: int) -> bool:
        return self._copying and name in self._seen

    # --- what the agent did ---

    def _assistant(self, session: str, row: Mapping[str, Any], at: float) -> None:
        content, called = row.get("content"), row.get("tool_calls")
        words = rows.text_of(content).strip() if content else ""
        if row.get("_compressed_summary") or rows.kind_of(words) == "note":
            return
        calls = rows.calls_of(called) if called and rows.may_tell(called) else []
        name = _sign("call", rows.first_id(called)) if called else _sign(self._asker, words[:HEAD_CHARS])
        if not self._is_copy(name):
            self.answers[session] = self.answers.get(session, 0) + 1
        turn = self._turn(name)
        for tool_id, tool, arguments in calls:
            if tool == rows.DELEGATE:
                self._delegates(tool_id, session, arguments, turn, at)
        if turn is None:
            return
        _touch(turn, at)
        turn.calls[session] = turn.calls.get(session, 0) + 1
        for tool_id, tool, arguments in calls:
            if tool == rows.TERMINAL and _is_check(arguments):
                self._checks.add(tool_id)
            turn.waited |= tool == rows.CLARIFY
        turn.empty = not called and words in ("", rows.EMPTY)
        turn.interrupted = not called and words.startswith(rows.INTERRUPTED)
        turn.final = not called and bool(words) and row.get("finish_reason") not in rows.NOT_THE_END

    def _delegates(self, name: str, session: str, arguments: Any, turn: Turn | None, at: float) -> None:
        tasks = rows.asked_of(arguments)
        known = self._open.get(name)
        if self._rewritten and known is not None and [t.goal for t in known.tasks] == [t.goal for t in tasks]:
            return
        call = Call(id=name, session_id=session, at=at, tasks=tasks, turn=turn.name if turn else None)
        self._open[name] = call
        self.calls.append(call)
        if turn is not None:
            turn.delegations += len(tasks)

    def _tool(self, row: Mapping[str, Any], at: float) -> None:
        name = str(row.get("tool_call_id") or "")
        content = row.get("content")
        text = content if isinstance(content, str) else ""
        call = self._open.get(name)
        if call is not None and call.answer is None:
            self._answered(call, row, at)
        turn = self._turn(_sign("tool", name or text[:HEAD_CHARS]))
        if turn is None:
            return
        _touch(turn, at)
        turn.final = False
        is_check = name in self._checks
        self._checks.discard(name)
        if row.get("tool_name") in rows.EDITORS:
            if not text.startswith('{"error"'):
                turn.trace.edited()
                turn.edited_at = at
        elif is_check or '"verification_evidence"' in text:
            _judge(turn.trace, rows.json_of(content), is_check=is_check)

    def _answered(self, call: Call, row: Mapping[str, Any], at: float) -> None:
        call.answer = rows.answer_of(row.get("content"))
        call.answered_at = at
        call.answer_row = int(row["id"])
        turn = next((turn for turn in reversed(self.turns) if turn.name == call.turn), None)
        if turn is not None and call.answer.refused:
            turn.delegations -= len(call.tasks)


def _sign(*parts: str) -> int:
    """A short sign of a row, the same in every process; two rows of a conversation seldom share one by chance."""
    return crc32("\x1f".join(parts).encode("utf-8", "surrogatepass"))


def _touch(turn: Turn, at: float) -> None:
    turn.rows += 1
    turn.last_at = max(turn.last_at, at)


def _is_check(arguments: Any) -> bool:
    command = rows.arguments_of(arguments).get("command")
    return isinstance(command, str) and is_check(command)


def _judge(trace: Trace, result: Any, *, is_check: bool) -> None:
    """What the result of a terminal command says of the work."""
    if not isinstance(result, dict):
        return
    evidence = result.get("verification_evidence")
    if isinstance(evidence, dict) and evidence.get("status") in ("passed", "failed"):
        trace.verification(evidence["status"] == "passed")
    code = result.get("exit_code")
    if is_check and isinstance(code, int) and not isinstance(code, bool) and code >= 0 and code not in NO_VERDICT:
        trace.checked(code == 0)

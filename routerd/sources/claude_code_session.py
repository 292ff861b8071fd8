"""One session of Claude Code: its turns, the children that it started, and what their files say of each other.

A session's file is a chain of turns. A call that delegates begins a `Delegation`; so does the first record of a child's
file. The two are one as soon as something links them: the answer, a progress record, the note beside the child's file,
and at last the words of the request.
"""

import re
from typing import Final

import msgspec

from routerd.events import Completion
from routerd.sources import claude_code_records as records
from routerd.sources import claude_code_texts as texts
from routerd.sources.base import Document, Item, Line, Query
from routerd.sources.claude_code_delegations import Call, Delegation, answer_of, child_of
from routerd.sources.claude_code_records import Block, Input, Meta, Record
from routerd.sources.claude_code_runs import DELEGATING, Run
from routerd.sources.claude_code_texts import Notice
from routerd.sources.claude_code_units import Child, Turn, delegation_unit, fresh, turn_unit

DEPTH_MAX: Final = 1000
"""A note that says deeper than this is not believed."""
SETTLED_MAX: Final = 64
"""Delegations of which everything is known are kept a little longer: a hook may make a child go on."""
HALF_MAX: Final = 4096
"""Ended delegations are kept for the file that may say more of them; beyond so many the oldest stay as they are."""
RESTATED_CHARS_MIN: Final = 24
"""The same words again mean that they were not answered only if they are more than "go on"."""

CHILD_FILE: Final = re.compile(r"agent-([^/]+?)(\.meta\.json|\.jsonl)$")
_WARMUP: Final = "Warmup"
"""The whole of what a client says to children that it starts before they are needed."""


class Main(msgspec.Struct):
    """
    One file that tells of the session itself; there may be two, in different directories.

    Attributes:
        turn: The one that is not over.
        command: A command of the person's, which begins a turn if a model answers.
        stray: Work that nobody is known to have asked for: the file begins in its middle.
    """

    path: str
    stray: Run
    turn: Turn | None = None
    command: Turn | None = None

    @property
    def run(self) -> Run:
        """What the records that come now belong to."""
        return self.stray if self.turn is None else self.turn.run


class Session:
    """
    The machine of one session; see `base.Machine`.

    Of a child that is done with, a few names stay, so that what repeats its end is passed over.
    """

    def __init__(self, session: str) -> None:
        self.quarantined = 0
        self._session = session
        self._path = ""
        self._name: str | None = None
        self._mains: dict[str, Main] = {}
        self._over: list[Turn] = []
        self._children: dict[str, Child] = {}
        self._calls: dict[str, Delegation] = {}
        self._requests: dict[tuple[str, int], Delegation] = {}
        self._touched: list[Delegation] = []
        self._touches = 0
        self._nested = False

    def feed(self, item: Item) -> None:
        """A line of the session's or of a child's file, or the note beside a child's."""
        path = item.path
        if path != self._path:
            found = CHILD_FILE.search(path)
            self._path, self._name = path, found[1] if found is not None else None
        name = self._name
        if isinstance(item, Line):
            told, whole = records.decode(item.data)
            self.quarantined += not whole
            for record in told:
                if name is None:
                    self._own(record, path)
                else:
                    self._child(record, name, path)
        elif isinstance(item, Document) and name is not None and (meta := records.decode_meta(item.data)) is not None:
            self._noted(name, meta)
        else:
            self.quarantined += 1

    def queries(self, path: str) -> list[Query]:
        """Sessions are no database."""
        return []

    # --- the session's own file ---

    def _own(self, record: Record, path: str) -> None:
        """A record of the session's own file. Children that the oldest versions wrote into it are passed over."""
        if record.is_sidechain:
            return
        main = self._mains.get(path)
        if main is None:
            main = self._mains[path] = Main(path, stray=Run(path=path))
        if record.type == "assistant":
            self._replied(record, main)
        elif record.type == "user":
            self._user(record, main)
        elif record.type == "progress":
            self._mirrored(record, path)
        elif record.type == "queue-operation":
            text = records.string(record.content)
            self._notice(texts.notice(text, record.at) if texts.is_notice(text) else None)
        elif record.type == "api-request":
            main.run.requested(record)
        elif record.subtype == "turn_duration" and main.turn is not None:
            main.turn.lasted(record)

    def _replied(self, record: Record, main: Main) -> None:
        if main.command is not None and records.is_answer(record):
            self._begin(main, main.command)
        for block, given in main.run.reply(record):
            self._called(block, given, record, main.run, by=None)
        if main.turn is not None:
            main.turn.dirty = True

    def _user(self, record: Record, main: Main) -> None:
        if results := records.results(record):
            self._returned(results, record, main.run)
        else:
            said, text = texts.spoken(record)
            if said in ("human", "command"):
                self._asked(record, text, main, sure=said == "human")
                return
            if said == "notice":
                self._notice(texts.notice(text, record.at))
            elif said in ("interrupt", "shutdown"):
                main.run.seen(record)
                main.run.marker = said
            if said != "aside" or not record.is_meta:
                main.command = None  # what a command printed: no model was asked
        if main.turn is not None:
            main.turn.dirty = True

    def _asked(self, record: Record, text: str, main: Main, *, sure: bool) -> None:
        """A person's words. Those of a command begin a turn only when a model answers them."""
        run = Run(path=main.path, goal=records.clip(text))
        run.seen(record)
        turn = Turn(name=record.uuid or f"{main.path}@{record.timestamp}", at=record.at, run=run)
        if sure:
            self._begin(main, turn)
        else:
            main.command = turn

    def _begin(self, main: Main, turn: Turn) -> None:
        """The turn before is over, and the answers that it waited for will not come."""
        before, main.turn, main.command = main.turn, turn, None
        if before is None:
            return
        before.over = before.dirty = True
        words = turn.run.goal.strip()
        if before.run.replies > 0 and before.run.goal.strip() == words and len(words) >= RESTATED_CHARS_MIN:
            before.run.trace.next_message(accepted=False)
        self._over.append(before)
        for tool in before.run.calls & before.run.pending.keys():
            if (delegation := self._calls.get(tool)) is not None:
                delegation.lost = True
                self._touch(delegation)

    def _mirrored(self, record: Record, path: str) -> None:
        """A child's record in the session's file, of which the child's own file has the better copy."""
        data = record.data
        if data is None or data.type != "agent_progress" or data.message is None or data.agent_id is None:
            return
        delegation = self._calls.get(record.parent_tool_use_id or "")
        if delegation is None or delegation.call is None:
            return
        if delegation.agent is None and not delegation.call.resumes:
            self._link(delegation.call.tool, data.agent_id, 0)
        run = delegation.mirror = delegation.mirror or Run(path=path)
        if data.message.type == "assistant":
            run.reply(data.message)
        elif results := records.results(data.message):
            run.seen(data.message)
            for block in results:
                run.result(block, data.message)
        self._touch(delegation)

    # --- calls and answers, in any file ---

    def _called(self, block: Block, given: Input, record: Record, run: Run, *, by: str | None) -> None:
        """A call that delegates, or a message that may wake a child; whether it does, its answer tells."""
        tool, message = block.id or "", block.name not in DELEGATING
        self._nested = self._nested or by is not None
        delegation = self._calls.get(tool)
        if delegation is None:
            delegation = self._calls[tool] = Delegation(tool=tool)
        delegation.call = Call(
            tool=tool,
            at=record.at,
            by=by,
            prompt=records.clip(given.task),
            kind=given.subagent_type,
            model=given.model,
            effort=given.effort if isinstance(given.effort, str) else None,
            resumes=message or given.resume is not None,
            message=message,
            parent_model=run.model,
            parent_effort=run.effort,
            parent_provider=run.provider,
            cwd=record.cwd,
            path=run.path,
        )
        self._touch(delegation)

    def _returned(self, blocks: list[Block], record: Record, run: Run) -> None:
        """Results of calls; the text beside them is a person's, who did not wait for the end, or stopped it."""
        run.seen(record)
        for block in blocks:
            tool = block.tool_use_id or ""
            if run.pending.get(tool) == "look":
                self._notice(_looked(block, record))
            run.result(block, record)
            delegation = self._calls.get(tool)
            if delegation is not None and delegation.call is not None and delegation.answer is None:
                self._answered(delegation, delegation.call, block, record, run, alone=len(blocks) == 1)
        if record.message is None or len(record.message.content or ()) == len(blocks):
            return
        said, _ = texts.spoken(record)
        run.waited = run.waited or said == "human"
        if said in ("interrupt", "shutdown"):
            run.marker = said

    def _answered(
        self, delegation: Delegation, call: Call, block: Block, record: Record, run: Run, *, alone: bool
    ) -> None:
        answer = answer_of(block, record, alone=alone)
        child = child_of(block, record, alone=alone) if not block.is_error else None
        if call.message and (answer is None or answer.status != "launched"):
            del self._calls[call.tool]  # a message on the way, to a child that is at work
            delegation.dirty = False
            return
        delegation.answer, delegation.lost = answer, delegation.lost or answer is None
        self._touch(delegation)
        if answer is None or answer.began:
            run.calls.add(call.tool)
        else:
            run.calls.discard(call.tool)
        if child is not None:
            known = self._children.setdefault(child, Child())
            known.asked.append(call.tool)
            known.resumed += call.resumes
            self._link(call.tool, child, known.resumed if call.resumes else 0)

    def _notice(self, notice: Notice | None) -> None:
        """A child in the background came to rest. It is told two or three times, and of shell commands too."""
        if notice is None:
            return
        delegation = self._calls.get(notice.tool or "")
        if delegation is None:
            asked = self._children[notice.task].asked if notice.task in self._children else []
            known = (self._calls[tool] for tool in reversed(asked) if tool in self._calls)
            delegation = next((one for one in known if one.notice is None and not one.answered), None)
            if delegation is None and not asked and notice.summary.startswith('Agent "'):
                delegation = self._link(notice.tool, notice.task, 0)
        if delegation is not None and delegation.notice is None:
            delegation.notice = notice
            self._touch(delegation)

    def _link(self, tool: str | None, child: str, index: int) -> Delegation:
        """Brings a call and a child's request together. The first link holds."""
        key = (child, index)
        there, called = self._requests.get(key), self._calls.get(tool or "")
        one = called or there or Delegation(agent=child, index=index)
        if called is not None and there is not None and called is not there:
            if called.agent is None and there.tool is None:
                called.absorb(there)
                self._requests[key] = called
                there.dirty = False
        elif called is not None and called.agent is None:
            called.agent, called.index = key
            self._requests[key] = called
        elif called is None:
            self._requests[key] = one
            if tool is not None and one.tool is None:
                one.tool, self._calls[tool] = tool, one
        self._touch(one)
        return one

    def _touch(self, delegation: Delegation) -> None:
        self._touches += 1
        delegation.touched = self._touches
        if not delegation.dirty:
            delegation.dirty = True
            self._touched.append(delegation)

    # --- a child's file ---

    def _child(self, record: Record, name: str, path: str) -> None:
        child = self._children.setdefault(name, Child())
        if child.dropped or record.type not in ("user", "assistant", "api-request"):
            return
        if record.type == "user":
            self._told(record, name, child, path)
        elif record.type == "assistant" and child.runs == 0:
            self._request(record, name, child, "", path)
        run = child.run
        if run is None or child.dropped:
            return
        if record.type == "assistant":
            for block, given in run.reply(record):
                self._called(block, given, record, run, by=name)
        elif record.type == "api-request":
            run.requested(record)
        if (delegation := self._requests.get((name, child.runs - 1))) is not None:
            self._touch(delegation)

    def _told(self, record: Record, name: str, child: Child, path: str) -> None:
        """A user record: a request, a result, or what the harness says."""
        results = records.results(record)
        said, text = texts.spoken(record) if not results else ("aside", "")
        request = said in ("human", "coordinator")
        if child.runs == 0 and text == _WARMUP:
            child.dropped = True
        elif child.runs == 0 or (request and (child.run is None or child.run.done)):
            self._request(record, name, child, text, path)
        if child.run is None:
            return
        if results:
            self._returned(results, record, child.run)
        elif said == "notice":
            self._notice(texts.notice(text, record.at))
        elif said in ("interrupt", "shutdown"):
            child.run.seen(record)
            child.run.marker = said

    def _request(self, record: Record, name: str, child: Child, text: str, path: str) -> None:
        """A child is told what to do, for the first time or again."""
        child.run = Run(path=path, goal=records.clip(text), uuid=record.uuid)
        child.run.seen(record)
        key = (name, child.runs)
        child.runs += 1
        delegation = self._requests.get(key)
        if delegation is None:
            delegation = self._requests[key] = Delegation(agent=name, index=key[1])
        delegation.run = child.run

    def _noted(self, name: str, meta: Meta) -> None:
        self._children.setdefault(name, Child()).meta = meta
        if meta.tool_use_id is not None:
            self._link(meta.tool_use_id, name, 0)
        for index in range(max(1, self._children[name].runs)):
            if (delegation := self._requests.get((name, index))) is not None:
                self._touch(delegation)

    # --- what is given out ---

    def drain(self, *, idle: bool) -> list[Completion]:
        """See `base.Machine`."""
        if idle:
            self._pair()
        given = []
        for turn in (*self._over, *(main.turn for main in self._mains.values())):
            if turn is not None and (turn.dirty or idle):
                turn.dirty = False
                unit = turn_unit(turn, self._session, idle=idle)
                given += [unit] if fresh(turn, unit) else []
        for one in self._due(idle=idle):
            found = self._unit(one, idle=idle)
            given += [found] if found is not None and fresh(one, found) else []
        self._over = []
        self._forget()
        return given

    def _due(self, *, idle: bool) -> list[Delegation]:
        """Delegations of which something new is known, those below them, and when all is idle those that are open."""
        due = [one for one in self._touched if one.dirty]
        above = {one.agent for one in due} if self._nested else None
        while above:
            deeper = [one for one in self._calls.values() if one.call is not None and one.call.by in above]
            above = {one.agent for one in deeper} - {one.agent for one in due}
            due += deeper
        if idle:
            due += [one for one in [*self._calls.values(), *self._requests.values()] if not one.ended]
        for one in due:
            one.dirty = False
        self._touched = []
        return list({id(one): one for one in due}.values())

    def _pair(self) -> None:
        """
        Links calls whose answer names no child to children whose parent is not known, by the words of the request.

        Only when all was read, and only where the words are those of one such call and one such child.
        """
        calls, runs = dict[str, list[str]](), dict[str, list[str]]()
        for tool, one in self._calls.items():
            if one.call is not None and one.agent is None and not one.call.resumes:
                calls.setdefault(one.call.prompt, []).append(tool)
        for (name, index), one in self._requests.items():
            if one.tool is None and one.run is not None and index == 0:
                runs.setdefault(one.run.goal, []).append(name)
        for prompt, tools in calls.items():
            if len(tools) == 1 and len(runs.get(prompt, ())) == 1:
                self._link(tools[0], runs[prompt][0], 0)

    def _forget(self) -> None:
        """Lets go of those that ended and were not heard of for longest; see `SETTLED_MAX` and `HALF_MAX`."""
        if len(self._calls) + len(self._requests) <= SETTLED_MAX:
            return
        known = list({id(one): one for one in [*self._calls.values(), *self._requests.values()]}.values())
        known.sort(key=lambda one: one.touched)
        settled = [one for one in known if one.settled]
        half = [one for one in known if one.ended and not one.settled]
        for one in settled[: max(0, len(settled) - SETTLED_MAX)] + half[: max(0, len(half) - HALF_MAX)]:
            self._calls.pop(one.tool or "", None)
            self._requests.pop((one.agent or "", one.index), None)
            child = self._children.get(one.agent or "")
            if child is not None and child.run is one.run:
                child.run = None

    def _unit(self, one: Delegation, *, idle: bool) -> Completion | None:
        """A delegation as it is known; None while there is no proof that it began, void once it never will."""
        child = self._children.get(one.agent or "", Child())
        if one.refused:
            return msgspec.structs.replace(delegation_unit(one, child, self._session, depth=1, ended=True), void=True)
        unanswered = idle and one.call is not None and not one.call.message and one.answer is None
        if child.dropped or not (one.begun or unanswered or one.given):
            return None
        ended = unanswered or (one.begun and (one.ended or idle))
        return delegation_unit(one, child, self._session, depth=self._depth(one), ended=ended)

    def _depth(self, one: Delegation, seen: frozenset[str] = frozenset()) -> int:
        """How deep the child is: one below whoever called it."""
        child = self._children.get(one.agent or "")
        if child is not None and child.meta is not None and 0 < (child.meta.spawn_depth or 0) < DEPTH_MAX:
            return child.meta.spawn_depth or 1
        by = one.call.by if one.call is not None else None
        above = self._requests.get((by, 0)) if by is not None and by not in seen else None
        return 1 if by is None else 2 if above is None else self._depth(above, seen | {by}) + 1


def _looked(block: Block, record: Record) -> Notice | None:
    """What a look at a task in the background says of it, if the task is a child."""
    text = records.string(block.content)
    return texts.notice(text, record.at) if "<task_type>local_agent</task_type>" in text else None

"""The sessions of Claude Code: `$CLAUDE_CONFIG_DIR/projects/<directory>/<session>.jsonl`, and its children's files.

A group is a session: its own file, and the files of the children that it started. Two units are read from it: a *turn*
(a person's request up to the agent's last word) and a *delegation* (a child's work on one request).

What is known where:

    the session's file      the call (`Task`, later `Agent`), who made it, the answer, a notice when a child in the
                            background ends; in 2.1.9-2.1.78 also a copy of the child's records, without its last word
    the child's file        model, effort, tokens, time and end of its own work, and the request. It may lie in
                            `<session>/subagents/`, in `<session>/`, or beside the session's file (then its head names
                            the session)
    agent-<id>.meta.json    the kind of child, and the id of the call

None of them is always there, and they are read in any order. A delegation has the name of its call, and that of the
child where a child is known; whichever was seen first, both names meet in the unit that is given out at last.

Traps, each seen in real sessions:

- Every content block of a response is a line of its own and repeats the usage. Old versions never write the final
  count of output tokens: without a stop reason it is a placeholder.
- The token count in the answer is the size of the child's last context.
- `completed` may stand over an API error (2.1.197), `failed` over a finished child.
- A child that is interrupted at work gets the same answer as one that was refused; only its own file tells.
- A resumed child goes on in the same file: a further request begins a further unit.
- Records of type `user` are results, notices, reminders, summaries and commands; few are a person's.
- Resumed and forked sessions copy history with the same record and call ids, which are therefore the names of units.
- The client runs children for itself (warm-ups, summaries, suggestions): they are no delegations.
"""

import re
from typing import Final

import msgspec
from msgspec import field

from routerd.events import Completion
from routerd.sources import claude_code_records as records
from routerd.sources.base import Document, Item, Line
from routerd.sources.claude_code_records import Block, Input, Meta, Notice, Record
from routerd.sources.claude_code_runs import DELEGATING, Call, Delegation, Run, answer_of, child_of

AGENT: Final = "claude-code"

SETTLED_MAX: Final = 64
"""Delegations of which everything is known are kept a little longer: a hook may make a child go on."""
HALF_MAX: Final = 4096
"""Ended delegations are kept for the file that may say more of them; beyond so many the oldest stay as they are."""
RESTATED_CHARS_MIN: Final = 24
"""The same words again mean that they were not answered only if they are more than "go on"."""

_SESSION_NAME: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_CHILD_FILE: Final = re.compile(r"agent-([^/]+?)(\.meta\.json|\.jsonl)$")
_HOUSEKEEPING: Final = re.compile(
    r"a(?:compact|prompt_suggestion|side_question|session_memory|extract_memories|agent_summary|auto_dream"
    r"|away_summary|resume_cache_warm|plugin_model_fork)-"
)
"""Ids of children that the client starts for itself: a label, then a number."""
_HEAD_SESSION: Final = re.compile(rb'"sessionId"\s*:\s*"([^"\\]+)"')
_WARMUP: Final = "Warmup"


class Turn(msgspec.Struct, kw_only=True):
    """A person's request and what the agent did about it. `sure` is False for a command that no model may ever see."""

    name: str
    text: str
    at: float | None
    run: Run
    sure: bool
    lasted_ms: float | None = None
    restated: bool = False
    over: bool = False
    dirty: bool = True
    given: bytes = b""


class Child(msgspec.Struct, kw_only=True):
    """
    What is known of a child over all its requests.

    Attributes:
        run: Its work on the latest one, as its own file tells.
        runs: How many its file told of.
        asked: Calls that its parents made of it, in order.
        resumed: How many of them were not the first.
        dropped: The client runs it for itself.
    """

    run: Run | None = None
    runs: int = 0
    asked: list[str] = field(default_factory=list)
    resumed: int = 0
    meta: Meta | None = None
    dropped: bool = False


class Session:
    """The machine of one session; see `base.Machine`. Of a child that is done with, a few names stay."""

    def __init__(self, session: str) -> None:
        self.quarantined = 0
        self._session = session
        self._turn: Turn | None = None
        self._command: Turn | None = None
        self._over: list[Turn] = []
        self._stray = Run(path="")
        self._children: dict[str, Child] = {}
        self._calls: dict[str, Delegation] = {}
        self._requests: dict[tuple[str, int], Delegation] = {}
        self._touched: list[Delegation] = []
        self._nested = False

    def feed(self, item: Item) -> None:
        """A line of the session's or of a child's file, or the note beside a child's."""
        name = _CHILD_FILE.search(item.path)
        try:
            if isinstance(item, Document) and name is not None:
                self._noted(name[1], records.decode_meta(item.data))
            elif isinstance(item, Line):
                for record in records.decode(item.data):
                    if name is None:
                        self._own(record, item.path)
                    else:
                        self._child(record, name[1], item.path)
            else:
                self.quarantined += 1
        except records.Unreadable:
            self.quarantined += 1

    def queries(self, path: str) -> list[Query]:
        """Sessions are no database."""
        return []

    # --- the session's own file ---

    def _own(self, record: Record, path: str) -> None:
        """A record of the session's own file. Children that the oldest versions wrote into it are passed over."""
        kind, turn = record.type, self._turn
        if record.is_sidechain:
            return
        if kind == "assistant":
            self._replied(record, path)
        elif kind == "user":
            self._user(record, path)
        elif kind == "progress":
            self._mirrored(record, path)
        elif kind == "queue-operation":
            self._notice(records.notice(records.string(record.content), record.at))
        elif turn is not None and kind == "api-request":
            _requested(turn.run, record)
        elif turn is not None and record.subtype == "turn_duration" and record.duration_ms is not None:
            turn.lasted_ms = (turn.lasted_ms or 0.0) + record.duration_ms
            if turn.run.quiet:
                turn.run.stop = turn.run.stop or "end_turn"
            turn.dirty = True

    def _replied(self, record: Record, path: str) -> None:
        if self._command is not None and _is_from_model(record):
            self._begin(self._command)
        run = self._stray if self._turn is None else self._turn.run
        for block, given in run.reply(record):
            self._called(block, given, record, run, by=None, path=path)
        if self._turn is not None:
            self._turn.dirty = True

    def _user(self, record: Record, path: str) -> None:
        run = self._stray if self._turn is None else self._turn.run
        if results := _results(record):
            self._returned(results, record, run)
        else:
            said, text = records.spoken(record)
            if said in ("human", "command"):
                self._asked(record, text, path, sure=said == "human")
                return
            if said == "notice":
                self._notice(records.notice(text, record.at))
            elif said in ("interrupt", "shutdown"):
                _marked(run, record, said)
            if said != "aside" or not record.is_meta:
                self._command = None  # what a command printed: no model was asked
        if self._turn is not None:
            self._turn.dirty = True

    def _asked(self, record: Record, text: str, path: str, *, sure: bool) -> None:
        """A person's words. Those of a command begin a turn only when a model answers them."""
        run = Run(path=path, goal=records.clip(text))
        run.seen(record)
        turn = Turn(name=record.uuid or f"{path}@{record.timestamp}", text=text.strip(), at=record.at, run=run)
        if sure:
            self._begin(turn)
        else:
            self._command = turn

    def _begin(self, turn: Turn) -> None:
        """The turn before is over, and the answers that it waited for will not come."""
        before, self._turn, self._command = self._turn, turn, None
        if before is None:
            return
        before.over = before.dirty = True
        if before.run.replies > 0 and before.text == turn.text and len(turn.text) >= RESTATED_CHARS_MIN:
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
        elif results := _results(data.message):
            run.seen(data.message)
            for block in results:
                run.result(block, data.message)
        self._touch(delegation)

    # --- calls and answers, in any file ---

    def _called(self, block: Block, given: Input, record: Record, run: Run, *, by: str | None, path: str) -> None:
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
            prompt=records.clip(given.prompt or given.message or given.description or ""),
            kind=given.subagent_type,
            model=given.model,
            effort=given.effort,
            resumes=message or given.resume is not None,
            message=message,
            parent_model=run.model,
            parent_effort=run.effort,
            parent_provider=run.provider,
            cwd=record.cwd,
            path=path,
        )
        self._touch(delegation)

    def _returned(self, blocks: list[Block], record: Record, run: Run) -> None:
        """Results of calls. A text beside them is a person's, who did not wait for the end."""
        run.seen(record)
        for block in blocks:
            tool = block.tool_use_id or ""
            if run.pending.get(tool) == "look":
                self._notice(_looked(block, record))
            run.result(block, record)
            delegation = self._calls.get(tool)
            if delegation is not None and delegation.call is not None and delegation.answer is None:
                self._answered(delegation, delegation.call, block, record, run, alone=len(blocks) == 1)
        content = record.message.content if record.message is not None else None
        run.waited = run.waited or (isinstance(content, list) and any(block.type == "text" for block in content))

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
        if delegation.begun:
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
                self._called(block, given, record, run, by=name, path=path)
        elif record.type == "api-request":
            _requested(run, record)
        if (delegation := self._requests.get((name, child.runs - 1))) is not None:
            self._touch(delegation)

    def _told(self, record: Record, name: str, child: Child, path: str) -> None:
        """A user record: a request, a result, or what the harness says."""
        results = _results(record)
        said, text = ("aside", "") if results else records.spoken(record)
        request = said in ("human", "coordinator")
        if child.runs == 0 and text == _WARMUP:
            child.dropped = True
        elif child.runs == 0 or (request and (child.run is None or _is_done(child.run))):
            self._request(record, name, child, text, path)
        if child.run is None:
            return
        if results:
            self._returned(results, record, child.run)
        elif said == "notice":
            self._notice(records.notice(text, record.at))
        elif said in ("interrupt", "shutdown"):
            _marked(child.run, record, said)

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
        for (child, _), delegation in self._requests.items():
            if child == name:
                self._touch(delegation)

    # --- what is given out ---

    def drain(self, *, idle: bool) -> list[Completion]:
        """See `base.Machine`."""
        if idle:
            self._pair()
        turns = [*self._over, *([self._turn] if self._turn is not None else [])]
        given = [_fresh(turn, self._turn_unit(turn, idle=idle)) for turn in turns if turn.dirty or idle]
        given += [_fresh(one, self._unit(one, idle=idle)) for one in self._due(idle=idle)]
        for turn in turns:
            turn.dirty = False
        self._over = []
        self._forget()
        return [completion for completion in given if completion is not None]

    def _due(self, *, idle: bool) -> list[Delegation]:
        """Delegations of which something new is known, and when all is idle those that are open."""
        due = [one for one in self._touched if one.dirty]
        if self._nested:
            deeper = {one.agent for one in due}
            due += [one for one in self._calls.values() if one.call is not None and one.call.by in deeper]
        if idle:
            due += [one for one in [*self._calls.values(), *self._requests.values()] if not one.ended]
        for one in due:
            one.dirty = False
        self._touched = []
        return list({id(one): one for one in due}.values())

    def _pair(self) -> None:
        """
        Links calls that were never answered to children whose parent is not known, by the words of the request.

        Only when all was read, and only where the words are those of one call and one child.
        """
        calls, runs = dict[str, list[str]](), dict[str, list[str]]()
        for tool, one in self._calls.items():
            if one.call is not None and one.answer is None and one.agent is None and not one.call.resumes:
                calls.setdefault(one.call.prompt, []).append(tool)
        for (name, index), one in self._requests.items():
            if one.tool is None and one.run is not None and index == 0:
                runs.setdefault(one.run.goal, []).append(name)
        for prompt, tools in calls.items():
            if len(tools) == 1 and len(runs.get(prompt, ())) == 1:
                self._link(tools[0], runs[prompt][0], 0)

    def _forget(self) -> None:
        """Lets go of the oldest of those that ended; see `SETTLED_MAX` and `HALF_MAX`."""
        if len(self._calls) + len(self._requests) <= SETTLED_MAX:
            return
        known = list({id(one): one for one in [*self._calls.values(), *self._requests.values()]}.values())
        settled = [one for one in known if one.settled]
        half = [one for one in known if one.ended and not one.settled]
        for one in settled[: max(0, len(settled) - SETTLED_MAX)] + half[: max(0, len(half) - HALF_MAX)]:
            self._calls.pop(one.tool or "", None)
            self._requests.pop((one.agent or "", one.index), None)
            child = self._children.get(one.agent or "")
            if child is not None and child.run is one.run:
                child.run = None

    def _turn_unit(self, turn: Turn, *, idle: bool) -> Completion:
        run = turn.run
        ended = turn.over or idle or run.at_rest
        end, censored = run.ending() if ended else ("unknown", None)
        lasted = turn.lasted_ms if turn.lasted_ms is not None else _between_ms(turn.at, run.last)
        return Completion(
            keys=(unit_key(AGENT, "turn", turn.name),),
            agent=AGENT,
            task=Task(
                goal=run.goal,
                cwd=run.cwd,
                parent=_parent(run.model, run.provider, run.effort),
                agent=AGENT,
                session_id=self._session,
            ),
            ran=LOCAL,
            session_id=self._session,
            started_at=turn.at,
            ended_at=run.last if ended else None,
            ended=ended,
            wall_time_ms=round(lasted) if ended and lasted is not None and run.replies > 0 else None,
            waited=run.waited,
            tokens=run.tokens(),
            label=run.trace.label(end) if ended and censored is None else UNKNOWN,
            censored=censored,
            delegations=len(run.calls),
            transcript=run.path,
            extent=run.records,
        )

    def _unit(self, one: Delegation, *, idle: bool) -> Completion | None:
        """A delegation as it is known; None while there is no proof that it began."""
        call, run = one.call, one.run or one.mirror
        unanswered = idle and call is not None and not call.message and one.answer is None
        child = self._children.get(one.agent or "", Child())
        if not (one.begun or unanswered or one.given) or child.dropped:
            return None
        ended = one.begun and (one.ended or idle) or unanswered
        end, censored = one.ending()
        model = one.model()
        return Completion(
            keys=self._keys(one),
            agent=AGENT,
            task=Task(
                goal=(call.prompt if call is not None else "") or (run.goal if run is not None else ""),
                kind=_kind(one, child),
                cwd=(run.cwd if run is not None else None) or (call.cwd if call is not None else None),
                parent=_parent(call.parent_model, call.parent_provider, call.parent_effort) if call else None,
                depth=self._depth(one),
                agent=AGENT,
                session_id=self._session,
            ),
            ran=Dispatch(
                executor="delegate",
                provider=(run.provider if run is not None else None) or records.provider_of(model),
                model=model,
                reasoning_effort=run.effort if run is not None else None,
            ),
            asked=_asked(one, child),
            session_id=self._session,
            started_at=one.started_at,
            ended_at=one.ended_at if ended else None,
            ended=ended,
            wall_time_ms=one.wall_time_ms if ended else None,
            waited=any(run.waited for run in (one.run, one.mirror) if run is not None),
            tokens=one.tokens(),
            label=one.label() if ended else UNKNOWN,
            censored=censored if ended else None,
            delegations=len(one.run.calls) if one.run is not None else 0,
            transcript=run.path if run is not None else call.path if call is not None else None,
            extent=one.extent,
        )

    def _keys(self, one: Delegation) -> tuple[str, ...]:
        """The call's name, and the child's: of a further request with the record that it began with."""
        keys = [unit_key(AGENT, "tool", one.tool)] if one.tool is not None else []
        if one.agent is not None and one.index == 0:
            keys.append(child_key(AGENT, self._session, one.agent))
        elif one.agent is not None and one.run is not None:
            keys.append(child_key(AGENT, self._session, f"{one.agent}#{one.run.uuid or one.index}"))
        return tuple(keys)

    def _depth(self, one: Delegation, seen: frozenset[str] = frozenset()) -> int:
        """How deep the child is: one below whoever called it."""
        child = self._children.get(one.agent or "")
        if child is not None and child.meta is not None and 0 < (child.meta.spawn_depth or 0) < DEPTH_MAX:
            return child.meta.spawn_depth or 1
        by = one.call.by if one.call is not None else None
        above = self._requests.get((by, 0)) if by is not None and by not in seen else None
        return 1 if by is None else 2 if above is None else self._depth(above, seen | {by}) + 1



def _results(record: Record) -> list[Block]:
    content = record.message.content if record.message is not None else None
    return [block for block in content if block.type == "tool_result"] if isinstance(content, list) else []

"""One Codex rollout: a thread, its turns one after the other, and the children that they start.

What ends a turn:

    task_complete          by itself: completed, empty, or failed by the error inside
    turn_aborted           by a person, by its dying parent, or by a budget
    task_started           another begins and this one never ended: unknown
    a message of the user  the same, where the version wrote no `task_started`; ended then when last heard of
"""

import re
from typing import Any, Final

import msgspec

from routerd.events import LOCAL, Censoring, Completion, Dispatch, Parent, Task, Tokens, child_key, unit_key
from routerd.sources import codex_records as records
from routerd.sources import values
from routerd.sources.base import GOAL_CHARS_MAX
from routerd.sources.codex_records import Attribution, Counted, Failure, Payload, Record, TurnItem, Usage
from routerd.sources.codex_turns import AGENT, Spawn, Turn, Unit
from routerd.sources.signals import End, is_check

NAME: Final = re.compile(r"(?:^|/)rollout-[^/]*?([0-9a-fA-F-]{36})\.jsonl(?:\.zst)?$")
_EXIT: Final = re.compile(r'(?:"exit_code"\s*:|^Exit code:|exited with code)\s*(-?\d{1,9})', re.MULTILINE)
_RUNNING: Final = re.compile(r"running with session ID (\d+)")
_CHILD: Final = re.compile(r'"(?:agent_id|task_name)"\s*:\s*"([^"]+)"')
_SHELLS: Final = frozenset({"exec_command", "shell", "shell_command", "local_shell", "container.exec"})
_UUID_CHARS: Final = 36


class Thread:
    """
    One rollout file: whose it is, and its open turn.

    Attributes:
        ended: Turns that ended and were not collected.
        spawns: Children by thread id or place; shared by the group, as is
        interrupted: names of top-level turns that a person interrupted.
    """

    def __init__(self, path: str, spawns: dict[str, Spawn], interrupted: set[str]) -> None:
        self.path, self.spawns, self.interrupted = path, spawns, interrupted
        found = NAME.search(path)
        self.id = self.root = found[1] if found else path
        self.known = self.child = self.passed = self.asks = False
        self.replay = self.replays_turns = False
        self.place: str | None = None
        self.role: str | None = None
        self.provider: str | None = None
        self.model: str | None = None
        self.effort: str | None = None
        self.cwd: str | None = None
        self.began_at: float | None = None
        self.at: float | None = None
        self.depth = self.turns = 0
        self.total: Usage | None = None
        self.turn: Turn | None = None
        self.last: tuple[Turn, Unit] | None = None
        self.ended: list[Unit] = []
        self.pending: dict[str, Spawn] = {}
        self.checks: set[str] = set()
        self.running_checks: set[str] = set()

    def take(self, record: Record, offset: int) -> None:
        """Takes in a record; its offset names a turn that has no name of its own."""
        payload = record.payload
        if payload is None:
            return
        self._clock(record.timestamp)
        if record.type == "session_meta":
            self._meta(payload)
        elif record.type == "turn_context":
            self._context(payload)
        elif record.type == "token_usage_record":
            self._used(payload)
        elif record.type == "event_msg":
            self._event(payload, offset)
        elif record.type == "response_item":
            self._response(payload)
        elif record.type == "bare":
            self._bare(payload, offset)
        self._goes_on()

    def passes(self, timestamp: str, call_id: str) -> bool:
        """Takes in that a call was answered; no, where it matters what the answer says."""
        if call_id in self.pending or call_id in self.checks:
            return False
        self._clock(timestamp)
        if self.turn is not None:
            self.turn.calls.discard(call_id)
        self._goes_on()
        return True

    def _clock(self, timestamp: str | None) -> None:
        self.at = values.seconds(timestamp) or self.at
        self.began_at = self.began_at or self.at

    def _goes_on(self) -> None:
        if (turn := self.turn) is not None:
            turn.last_at, turn.left = self.at, False
            turn.extent += 1

    def _meta(self, meta: Payload) -> None:
        """The first one is the file's own; another thread's, before any own turn, begins a copied history."""
        if self.known:
            self.replay = self.replay or (self.turns == 0 and self.turn is None and meta.id != self.id)
            return
        self.known, self.replay = True, meta.forked_from_id is not None
        self.id = self.root = meta.id or self.id
        self.provider, self.cwd, self.role = meta.model_provider, meta.cwd, meta.agent_role
        source = meta.source if isinstance(meta.source, dict) else {}
        subagent = source.get("subagent")
        spawned = subagent.get("thread_spawn") if isinstance(subagent, dict) else None
        if isinstance(spawned, dict):
            self.child = True
            self.root = (
                meta.session_id or meta.parent_thread_id or values.string(spawned, "parent_thread_id") or self.id
            )
            self.place, depth = values.string(spawned, "agent_path"), spawned.get("depth")
            self.role = self.role or values.string(spawned, "agent_role")
            self.depth = depth if isinstance(depth, int) and 0 < depth < 1000 else 1
        else:
            self.passed = "subagent" in source or "internal" in source

    def _context(self, context: Payload) -> None:
        self.model, self.effort, self.cwd = context.model, context.effort, context.cwd or self.cwd
        self.asks = context.approval_policy not in (None, "never") and context.approvals_reviewer in (None, "user")
        # Without task_started this may be the next turn's already: a turn keeps what it began its work on.
        if self.turn is not None and not self.turn.worked:
            self.turn.model, self.turn.effort, self.turn.cwd = self.model, self.effort, self.cwd

    def _event(self, event: Payload, offset: int) -> None:
        kind, turn = event.type, self.turn
        if kind == "task_started":
            self._started(event, offset)
        elif kind in ("task_complete", "turn_aborted"):
            if turn is not None and (event.turn_id in (None, turn.name) or not turn.explicit):
                self._finished(turn, event)
        elif kind == "token_count" and event.info is not None:
            self._counted(event.info)
        elif kind == "user_message" and isinstance(event.message, str):
            self._told(event.message, offset)
        elif kind == "thread_rolled_back" and event.num_turns > 0:
            self._rolled_back()
        elif kind == "item_completed" and event.item is not None and event.thread_id in (None, self.id):
            self._item(event.item, offset)
        elif turn is None:
            return
        elif kind == "agent_message":
            turn.said = turn.worked = True
        elif kind == "error":
            turn.failure = Failure.of(event.message, event.codex_error_info)
        elif kind == "exec_command_end":
            self._executed(turn, event)
        elif kind == "patch_apply_end":
            turn.trace.edited()
        elif kind == "collab_agent_spawn_end" and event.new_thread_id:
            self._spawned(event.call_id, event.new_thread_id, event)

    def _item(self, item: TurnItem, offset: int) -> None:
        turn = self.turn
        if item.type == "UserMessage":
            self._told(values.text(values.loaded(item.content)), offset)
        elif turn is None:
            return
        elif item.type == "AgentMessage":
            turn.said = turn.worked = True
        elif item.type == "CommandExecution":
            self._executed(turn, item)
        elif item.type == "FileChange":
            turn.trace.edited()
        elif item.type == "CollabAgentToolCall" and item.tool == "spawn_agent" and item.receiver_thread_ids:
            self._spawned(item.id, item.receiver_thread_ids[0], item)
        elif item.type == "SubAgentActivity" and item.kind == "started" and item.agent_thread_id:
            self._spawned(item.id, item.agent_thread_id, item)

    def _response(self, item: Payload) -> None:
        turn, call_id = self.turn, item.call_id or ""
        if turn is None:
            return
        if item.type in ("function_call", "custom_tool_call"):
            self._call(turn, call_id, item)
        elif item.type in ("function_call_output", "custom_tool_call_output"):
            turn.calls.discard(call_id)
            if call_id in self.pending or call_id in self.checks:
                self._answered(turn, call_id, values.text(values.loaded(item.output)))
        elif item.type == "agent_message" and self.child and turn.goal is None:
            turn.goal = records.handed_task(values.loaded(item.content))

    def _bare(self, item: Payload, offset: int) -> None:
        """An item of the first versions, which told neither model nor time."""
        if item.type != "message":
            self._response(item)
        elif item.role == "user":
            message = values.text(values.loaded(item.content))
            if not message.startswith("<"):
                self._told(message, offset)
        elif self.turn is not None:
            self.turn.said = self.turn.worked = True

    # --- turns ------------------------------------------------------------------------------------------------------

    def _begin(self, name: str, *, explicit: bool) -> Turn:
        turn = Turn(name, explicit, self.turns == 0, self.model, self.effort, self.cwd, self.at, self.at)
        self.replay, self.turn = False, turn
        return turn

    def _started(self, event: Payload, offset: int) -> None:
        attribution = event.turn_attribution or Attribution()
        if attribution.parent_turn_id is not None and not self.child:
            return  # a turn of the review that this thread started
        if self.replay and not self._own(event.turn_id):
            self.replays_turns = True
            return
        before = self.turn
        if before is not None and before.explicit and before.name == event.turn_id:
            return
        if before is not None and (before.explicit or before.worked):
            self._close(before, self._ended(before, before.end(), before.last_at))
        turn = self._begin(event.turn_id or f"{self.id}/{offset}", explicit=True)
        turn.root_turn = attribution.root_turn_id
        if before is not None and not before.explicit and not before.worked:
            turn.goal, turn.started_at = before.goal, before.started_at  # its message came first

    def _told(self, message: str, offset: int) -> None:
        """A message of the user, or for a child its task."""
        if self.replay and (self.replays_turns or not self._own(None)):
            return
        turn = self.turn
        if turn is not None and not turn.explicit and turn.worked:
            self._close(turn, self._ended(turn, turn.end(), turn.last_at))
            turn = None
        turn = turn or self._begin(f"{self.id}/{offset}", explicit=False)
        if turn.goal is None:  # a later message steers the same turn
            turn.goal = message[:GOAL_CHARS_MAX]

    def _own(self, turn_id: str | None) -> bool:
        """Whether a turn that begins now belongs to this forked thread rather than to the copy at its head."""
        if turn_id is not None and len(turn_id) == len(self.id) == _UUID_CHARS and turn_id[14] == self.id[14] == "7":
            return turn_id >= self.id
        return self.at is not None and self.began_at is not None and self.at > self.began_at + 1.0

    def _finished(self, turn: Turn, event: Payload) -> None:
        said = turn.said or bool(event.last_agent_message)
        failure = None if said else turn.failure
        if isinstance(event.error, dict):
            failure = Failure.of(event.error.get("message"), event.error.get("codex_error_info"))
        end: End = "completed" if said else "empty"
        censored: Censoring | None = None
        aborted = event.type == "turn_aborted" and event.reason != "budget_limited"
        if event.type == "turn_aborted":
            end = "interrupted" if aborted else "budget"
        elif failure is not None:
            end, censored = records.verdict(failure)
        if aborted and not self.child:
            self.interrupted.add(turn.name)
            censored = None if turn.worked else "interrupted"  # before it could do anything
        self._close(
            turn, self._ended(turn, end, self.at, censored=censored, wall_ms=event.duration_ms, aborted=aborted)
        )

    def _close(self, turn: Turn, unit: Unit) -> None:
        self.turn, self.last = None, (turn, unit)
        self.turns += 1
        self.checks, self.pending = set(), {}
        self.ended.append(unit)

    def _rolled_back(self) -> None:
        """A person took the last turn back, to ask in other words: as plain as a next message gets."""
        if self.turn is None and self.last is not None and not self.child:
            turn, unit = self.last
            turn.trace.next_message(accepted=False)
            completion = msgspec.structs.replace(unit.completion, label=turn.trace.label("unknown"))
            self.last = None
            self.ended.append(msgspec.structs.replace(unit, completion=completion))

    def running(self, *, idle: bool) -> Unit | None:
        """
        The open turn as it stands, ended where nobody has touched the log for long.

        A turn without `task_started` is no unit before it has worked: until then its name may change.
        """
        turn = self.turn
        if turn is None or not (turn.explicit or turn.worked):
            return None
        turn.left = turn.left or idle
        return self._ended(turn, turn.end(), turn.last_at) if turn.left else self._unit(turn)

    def _ended(
        self,
        turn: Turn,
        end: End,
        at: float | None,
        *,
        censored: Censoring | None = None,
        wall_ms: float | None = None,
        aborted: bool = False,
    ) -> Unit:
        """The unit that a turn has become. Where nothing tells the end, or the time, how long it took is unknown."""
        unit, started = self._unit(turn), turn.started_at
        if wall_ms is None and end not in ("unknown", "dangling") and at is not None and started is not None:
            wall_ms = (at - started) * 1000 if at > started else None
        unit.aborted = aborted
        unit.completion = msgspec.structs.replace(
            unit.completion,
            ended=True,
            ended_at=at,
            wall_time_ms=None if wall_ms is None else round(wall_ms),
            label=turn.trace.label(end),
            censored=censored,
        )
        return unit

    def _unit(self, turn: Turn) -> Unit:
        """The unit of a turn that runs."""
        runs_on = Parent(provider=self.provider, model=turn.model, reasoning_effort=turn.effort)
        completion = Completion(
            keys=(self._key(turn),),
            agent=AGENT,
            task=Task(
                goal=turn.goal or (self.place or "").rpartition("/")[2],
                kind=None if self.role == "default" else self.role,
                cwd=turn.cwd,
                parent=None if self.child else runs_on,
                depth=max(self.depth - 1, 0),
                agent=AGENT,
                session_id=self.root,
            ),
            ran=self._ran(turn),
            session_id=self.root,
            started_at=turn.started_at,
            ended=False,
            waited=turn.waited,
            tokens=turn.tokens,
            delegations=turn.delegations,
            transcript=self.path,
            extent=turn.extent,
        )
        child, told = self.id if self.child else None, turn.goal is not None
        return Unit(completion, child, self.place, turn.root_turn, turn.first, told, turn.worked)

    def _key(self, turn: Turn) -> str:
        if self.child:
            return child_key(AGENT, None, self.id if turn.first else f"{self.id}#{turn.name}")
        return unit_key(AGENT, "turn", turn.name if len(turn.name) >= _UUID_CHARS else f"{self.id}/{turn.name}")

    def _ran(self, turn: Turn) -> Dispatch:
        if not self.child:
            return LOCAL
        return Dispatch(executor="delegate", provider=self.provider, model=turn.model, reasoning_effort=turn.effort)

    # --- what a turn does -------------------------------------------------------------------------------------------

    def _call(self, turn: Turn, call_id: str, item: Payload) -> None:
        turn.worked, turn.said = True, False
        turn.calls.add(call_id)
        if item.name == "spawn_agent":
            self.pending[call_id] = self._spawn(turn, call_id, values.mapping(item.arguments))
        elif item.name in ("send_input", "followup_task"):
            turn.delegations += 1
        elif item.name == "request_user_input":
            turn.waited = True
        elif item.name == "apply_patch":
            turn.trace.edited()
        elif item.name in _SHELLS:
            self._shell(turn, call_id, values.mapping(item.arguments))
        elif item.name == "write_stdin" and self.running_checks:
            session = values.mapping(item.arguments).get("session_id")
            self.checks |= {call_id} if str(session) in self.running_checks else set()

    def _shell(self, turn: Turn, call_id: str, arguments: dict[str, Any]) -> None:
        escalated = arguments.get("sandbox_permissions") == "require_escalated"
        if self.asks and (escalated or arguments.get("with_escalated_permissions") is True):
            turn.waited = True
        command = values.command(arguments.get("cmd") or arguments.get("command"))
        if command.startswith("apply_patch"):
            turn.trace.edited()
        elif is_check(command):
            self.checks.add(call_id)

    def _answered(self, turn: Turn, call_id: str, output: str) -> None:
        if call_id in self.pending:
            if found := _CHILD.search(output):
                self._spawned(call_id, found[1], None)
            self.pending.pop(call_id, None)  # refused: no delegation
            return
        self.checks.discard(call_id)
        # The code stands before the output or, in the JSON of older versions, in `metadata` behind it.
        told = (
            output[-200:].rpartition("metadata")[2] if output.startswith("{") else output[:400].partition("Output:")[0]
        )
        if found := _RUNNING.search(told):
            self.running_checks.add(found[1])
        elif found := _EXIT.search(told):
            _checked(turn, int(found[1]))

    def _executed(self, turn: Turn, run: Payload | TurnItem) -> None:
        turn.worked = True
        if run.exit_code is not None and is_check(values.command(run.command)):
            _checked(turn, run.exit_code)

    def _spawn(self, turn: Turn, call_id: str, call: dict[str, Any]) -> Spawn:
        role = values.string(call, "agent_type")
        goal = records.readable(values.text(call.get("message") or call.get("items")))
        task = Task(
            goal=goal or values.string(call, "task_name") or "",
            kind=None if role == "default" else role,
            cwd=turn.cwd,
            parent=Parent(provider=self.provider, model=turn.model, reasoning_effort=turn.effort),
            depth=self.depth,
            agent=AGENT,
            session_id=self.root,
        )
        asked = records.asked(call)
        return Spawn(call_id, task, asked, asked or Dispatch(executor="delegate"), turn.name, self.at, self.path)

    def _spawned(self, call_id: str | None, name: str, told: Payload | TurnItem | None) -> None:
        """A spawn call has made the child `name`: its thread id, or its place in the tree."""
        spawn = self.pending.pop(call_id or "", None)
        if spawn is None or self.turn is None:
            return
        if told is not None and told.model is not None:  # as it was started, which a hook may have changed
            spawn.ran = Dispatch(executor="delegate", model=told.model, reasoning_effort=told.reasoning_effort)
        self.turn.delegations += 1
        self.spawns.setdefault(name, spawn)

    # --- tokens -----------------------------------------------------------------------------------------------------

    def _used(self, record: Payload) -> None:
        if record.thread_id not in (None, self.id):
            return
        self.total = record.thread_token_usage or self.total
        turn = self.turn
        if turn is not None and record.turn_token_usage is not None and record.turn_id in (None, turn.name):
            turn.counted = turn.worked = True
            turn.tokens = record.turn_token_usage.tokens()

    def _counted(self, info: Counted) -> None:
        total, before = info.total_token_usage, self.total
        if total is None:
            return
        self.total = total
        if self.turn is None or self.turn.counted:
            return
        grown = total.since(before) if before is not None else None
        grown = grown or info.last_token_usage  # the first, or counted anew
        if grown is not None and grown != Usage():
            self.turn.tokens = (self.turn.tokens or Tokens()) + grown.tokens()


def _checked(turn: Turn, exit_code: int) -> None:
    if values.did_run(exit_code):
        turn.trace.checked(exit_code == 0)

"""The rollouts of the Codex CLI: `$CODEX_HOME/sessions/YYYY/MM/DD/rollout-<time>-<thread id>.jsonl`, or `.jsonl.zst`.

A file is a thread, a unit is a turn. A turn of a top-level thread is the agent's own work; a turn of a thread that
`spawn_agent` made is a delegation: the first one under the thread's id, later ones (`send_input`, `followup_task`) with
the turn's id behind it. Threads that the harness runs for itself (review, guardian, memory) are none.

What is known where:

    the child's file   model, provider, effort, tokens, time and end; the task, unless it is sealed (multi-agent v2)
    the parent's file  the id of the spawn call, what it asked for, what the parent ran on, whether a person interrupted

So a group is a root session, which a child's head names (`session_id`; before that its parent, so that in old versions
a child of a child stands alone). Either file may be read first, and a child is whole without its parent's: its units
are held until the spawn call is seen and then given out again.

Traps, each seen in rollouts of Codex 0.169 or reported of older versions:

- A forked thread may begin with a copy of its parent's history, stamped anew. Turn and thread ids are UUIDv7, which
  order by time: a turn older than its thread is a copy. Without such ids the copy is what bears the first line's time.
- `token_count` repeats the same total, and in a fork the total begins with the parent's. `token_usage_record` has the
  turn's own sum; without it a turn gets the growth of the total, the first time the last call alone.
- An API error stands inside `task_complete`, with no other sign of failure.
- A child that its dying parent takes along has the same `turn_aborted` as one that a person interrupts.
- A review writes its child's turn into the parent's file: such records bear another thread's id, or a parent's turn.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from routerd.events import UNKNOWN, Completion, unit_key
from routerd.sources.base import HEAD_BYTES, Claim, Emitter, Item, Line, Machine, Query
from routerd.sources.codex_records import decode, skim
from routerd.sources.codex_thread import NAME, Thread
from routerd.sources.codex_turns import AGENT, Spawn, Unit

HELD_MAX: Final = 512
"""Children are held for their parent's file; beyond so many the oldest stay as they are."""

_SESSION: Final = re.compile(rb'"(session_id|parent_thread_id)"\s*:\s*"([^"]+)"')


class CodexMachine:
    """A root session: its threads, and what their files say of each other."""

    def __init__(self) -> None:
        self.quarantined = 0
        self._threads: dict[str, Thread] = {}
        self._spawns: dict[str, Spawn] = {}
        self._interrupted: set[str] = set()
        self._held: dict[str, Unit] = {}
        self._emitter = Emitter()

    def feed(self, item: Item) -> None:
        """One line of a rollout; see `base.Machine`."""
        if not isinstance(item, Line):
            self.quarantined += 1
            return
        thread = self._threads.get(item.path)
        if thread is None:
            thread = self._threads[item.path] = Thread(item.path, self._spawns, self._interrupted)
        if thread.passed:
            return
        skimmed = skim(item.data)
        if skimmed is not None and (skimmed.call is None or thread.passes(skimmed.timestamp, skimmed.call)):
            return
        try:
            record = decode(item.data)
        except (ValueError, RecursionError):
            self.quarantined += bool(item.data.strip())
            return
        thread.take(record, item.offset)

    def drain(self, *, idle: bool) -> list[Completion]:
        """See `base.Machine`."""
        best: dict[str, tuple[Unit, Completion]] = {}
        for unit in self._collected(idle=idle):
            if unit.child is None and not unit.told:
                continue  # nobody asked for anything: the harness compacts
            completion = self._joined(unit)
            known = best.get(completion.keys[0])
            if known is None or known[1].extent <= completion.extent:
                best[completion.keys[0]] = (unit, completion)
        self._hold([unit for unit, _ in best.values()])
        completions = [completion for _, completion in best.values()]
        for name, spawn in self._spawns.items():
            # A place becomes a key only when no child's file can give the thread's id any more.
            if not spawn.joined and (idle or spawn.left or not name.startswith("/")):
                completions.append(spawn.completion(name, idle=idle))
        return self._emitter.changed(completions)

    def queries(self, path: str) -> list[Query]:
        """Rollouts are no database."""
        return []

    def _collected(self, *, idle: bool) -> list[Unit]:
        units = list(self._held.values())
        for thread in self._threads.values():
            units += thread.ended
            thread.ended = []
            running = thread.running(idle=idle)
            if running is not None and not thread.passed:
                units.append(running)
        return units

    def _hold(self, units: list[Unit]) -> None:
        """Keeps the ended children of which the parent's file may still say more."""
        held = [unit for unit in units if unit.completion.ended and unit.child is not None and not self._settled(unit)]
        self._held = {unit.completion.keys[0]: unit for unit in held[-HELD_MAX:]}

    def _settled(self, unit: Unit) -> bool:
        return self._spawn_of(unit) is not None and (not unit.aborted or self._by_person(unit))

    def _spawn_of(self, unit: Unit) -> Spawn | None:
        return self._spawns.get(unit.child or "") or self._spawns.get(unit.place or "")

    def _by_person(self, unit: Unit) -> bool:
        """Whether a stopped child was stopped because a person interrupted the turn that everything began with."""
        spawn = self._spawn_of(unit)
        return (unit.root_turn or (spawn and spawn.turn)) in self._interrupted

    def _joined(self, unit: Unit) -> Completion:
        """The unit with what its parent's file adds."""
        completion, changes = unit.completion, dict[str, Any]()
        spawn = self._spawn_of(unit) if unit.child is not None else None
        if spawn is not None:
            spawn.joined = True
            goal = completion.task.goal if unit.told or not unit.first else spawn.task.goal
            kind = completion.task.kind or spawn.task.kind
            changes["task"] = msgspec.structs.replace(completion.task, goal=goal, kind=kind, parent=spawn.task.parent)
            if unit.told:
                spawn.task = msgspec.structs.replace(spawn.task, goal="")  # the child's own file has it
            if unit.first:
                changes["keys"] = (*completion.keys, unit_key(AGENT, "tool", spawn.call_id))
                changes["asked"] = spawn.asked
        if unit.aborted and unit.child is not None:
            if not self._by_person(unit):
                changes["label"], changes["censored"] = UNKNOWN, "shutdown"
            elif not unit.worked:
                changes["censored"] = "interrupted"
        return msgspec.structs.replace(completion, **changes)


class CodexSource:
    """Where rollouts lie."""

    agent = AGENT
    polled = False

    def roots(self, env: Mapping[str, str]) -> list[str]:
        """`sessions` and `archived_sessions` of `$CODEX_HOME`, or of `~/.codex`."""
        home = env.get("CODEX_HOME") or (f"{env['HOME']}/.codex" if env.get("HOME") else None)
        return [] if home is None else [f"{home}/sessions", f"{home}/archived_sessions"]

    def enters(self, root: str, directory: str) -> bool:
        """Rollouts lie in directories by date."""
        return True

    def claim(self, root: str, path: str, head: Callable[[], bytes]) -> Claim | None:
        """A rollout belongs to the root session that its first record names, once that is written."""
        name = NAME.search(path)
        if name is None:
            return None
        first, newline, _ = (begin := head()).partition(b"\n")
        if not newline and len(begin) < HEAD_BYTES:
            return None
        found = _SESSION.findall(first)
        named = {key: value.decode(errors="replace") for key, value in reversed(found)}
        return Claim(named.get(b"session_id") or named.get(b"parent_thread_id") or name[1], "lines")

    def open(self, group: str) -> Machine:
        """A machine for one root session."""
        return CodexMachine()


SOURCE: Final = CodexSource()

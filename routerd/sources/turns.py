"""What simple logs have in common: one turn after the other, each begun by a message of the user.

A source for such a log says what its records mean by what it does to the open turn; see `pi` for the shortest one.
"""

from typing import Any, Final, Generic, Protocol, TypeVar

import msgspec

from routerd.events import LOCAL, UNKNOWN, Censoring, Completion, Dispatch, Parent, Task, Tokens
from routerd.sources import values
from routerd.sources.base import GOAL_CHARS_MAX, Emitter, Item, Line, Query
from routerd.sources.signals import End, Trace, is_check

KEPT_CALLS_MAX: Final = 256
"""Calls without an answer are remembered; a log that never answers must not fill the memory."""


class Turn(msgspec.Struct, kw_only=True):
    """
    What is remembered of a turn.

    Attributes:
        key: The name of the unit, and
        more_keys: its other names.
        child: It is a delegation, from what runs on
        parent: where that is known.
        said: Its last act was a word, not a call.
        calls: Tool calls without an answer, and whether they are checks.
        left: Nobody touched the log for long; until something more comes the turn has ended.
    """

    agent: str
    key: str
    more_keys: tuple[str, ...] = ()
    session_id: str | None
    transcript: str
    goal: str
    child: bool = False
    kind: str | None = None
    asked: Dispatch | None = None
    parent: Parent | None = None
    depth: int = 0
    cwd: str | None = None
    provider: str | None = None
    model: str | None = None
    effort: str | None = None
    started_at: float | None = None
    last_at: float | None = None
    tokens: Tokens | None = None
    cost_usd: float | None = None
    trace: Trace = msgspec.field(default_factory=Trace)
    calls: dict[str, bool] = {}
    delegations: int = 0
    waited: bool = False
    worked: bool = False
    said: bool = False
    left: bool = False
    extent: int = 0

    def speaks(self) -> None:
        """The model said something."""
        self.worked = self.said = True

    def acts(self, call_id: str, command: str = "") -> None:
        """The model called a tool; a shell tool with a command."""
        self.worked, self.said = True, False
        if len(self.calls) < KEPT_CALLS_MAX:
            self.calls[call_id] = is_check(command)

    def answered(self, call_id: str, *, passed: bool | None) -> None:
        """A call has its answer; where it was a check, `passed` is its verdict, or None."""
        if self.calls.pop(call_id, False) and passed is not None:
            self.trace.checked(passed)

    def spent(self, tokens: Tokens, cost_usd: float | None = None) -> None:
        """A call of the model was paid for."""
        self.tokens = tokens if self.tokens is None else self.tokens + tokens
        if cost_usd is not None:
            self.cost_usd = (self.cost_usd or 0.0) + cost_usd

    def unsaid(self) -> End:
        """How it ended, where no record says so."""
        return "dangling" if self.calls else "unknown"

    def completion(
        self, end: End | None, *, censored: Censoring | None = None, wall_ms: float | None = None
    ) -> Completion:
        """The unit; `end` is None while it runs. Where nothing tells the end, how long it took is unknown too."""
        started, at = self.started_at, self.last_at
        if wall_ms is None and end not in (None, "unknown", "dangling") and started is not None and at is not None:
            wall_ms = (at - started) * 1000 if at > started else None
        runs_on = Parent(provider=self.provider, model=self.model, reasoning_effort=self.effort)
        return Completion(
            keys=(self.key, *self.more_keys),
            agent=self.agent,
            task=Task(
                goal=self.goal[:GOAL_CHARS_MAX],
                kind=self.kind,
                cwd=self.cwd,
                parent=self.parent if self.child else runs_on,
                depth=self.depth,
                agent=self.agent,
                session_id=self.session_id,
            ),
            ran=self._ran() if self.child else LOCAL,
            asked=self.asked,
            session_id=self.session_id,
            started_at=started,
            ended_at=None if end is None else at,
            ended=end is not None,
            wall_time_ms=None if wall_ms is None else round(wall_ms),
            waited=self.waited,
            tokens=self.tokens,
            cost_usd=self.cost_usd,
            label=UNKNOWN if end is None else self.trace.label(end),
            censored=censored,
            delegations=self.delegations,
            transcript=self.transcript,
            extent=self.extent,
        )

    def _ran(self) -> Dispatch:
        return Dispatch(executor="delegate", provider=self.provider, model=self.model, reasoning_effort=self.effort)


class Stamped(Protocol):
    """A record as far as it is read; most have a time."""

    timestamp: Any


R = TypeVar("R", bound=Stamped)


class TurnMachine(Generic[R]):
    """
    The machine of a log of lines: a subclass says in `read` what a record is, and in `take` what it means by calling
    `begin` and `end`.

    Attributes:
        turn: The open turn.
        at: The time of the last record that told one.
    """

    def __init__(self) -> None:
        self.quarantined = 0
        self.turn: Turn | None = None
        self.at: float | None = None
        self._ended: list[Completion] = []
        self._emitter = Emitter()

    def read(self, data: bytes) -> R:
        """
        A record.

        Raises:
            ValueError: It is none.
        """
        raise AssertionError("a subclass says what its records are")

    def take(self, record: R, line: Line) -> None:
        """Takes in a record."""
        raise AssertionError("a subclass says what its records mean")

    def feed(self, item: Item) -> None:
        """One line; see `base.Machine`."""
        if not isinstance(item, Line):
            self.quarantined += 1
            return
        try:
            record = self.read(item.data)
        except ValueError:
            self.quarantined += bool(item.data.strip())
            return
        self.at = values.seconds(record.timestamp) or self.at
        self.take(record, item)
        if (turn := self.turn) is not None:
            turn.last_at, turn.left = self.at, False
            turn.extent += 1

    def begin(self, turn: Turn) -> None:
        """A turn begins, and ends the one before it where that was last heard of."""
        if self.turn is not None:
            self._ended.append(self.turn.completion(self.at_rest(self.turn)))
        turn.started_at = turn.last_at = self.at
        self.turn = turn

    def end(self, end: End, *, censored: Censoring | None = None) -> None:
        """The open turn ends now."""
        if self.turn is not None:
            self.turn.last_at = self.at
            self.turn.extent += 1
            self._ended.append(self.turn.completion(end, censored=censored))
            self.turn = None

    def at_rest(self, turn: Turn) -> End:
        """How a turn has ended when no record says so, and nothing more comes."""
        return turn.unsaid()

    def others(self, *, idle: bool) -> list[Completion]:
        """Units beside the open turn: delegations that run."""
        return []

    def drain(self, *, idle: bool) -> list[Completion]:
        """See `base.Machine`."""
        completions, self._ended = self._ended, []
        completions += self.others(idle=idle)
        if self.turn is not None:
            self.turn.left = self.turn.left or idle
            completions.append(self.turn.completion(self.at_rest(self.turn) if self.turn.left else None))
        return self._emitter.changed(completions)

    def queries(self, path: str) -> list[Query]:
        """Lines are no database."""
        return []

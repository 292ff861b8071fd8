"""What a Codex rollout tells of: turns, the children that turns start, and the units of work that both become."""

from typing import Final

import msgspec

from routerd.events import Completion, Dispatch, Task, Tokens, child_key, unit_key
from routerd.sources.codex_records import Failure
from routerd.sources.signals import End, Trace

AGENT: Final = "codex"


class Spawn(msgspec.Struct):
    """A `spawn_agent` call: what the parent's file knows of a child."""

    call_id: str
    task: Task
    asked: Dispatch | None
    ran: Dispatch
    turn: str
    at: float | None
    transcript: str
    joined: bool = False
    left: bool = False

    def completion(self, name: str, *, idle: bool) -> Completion:
        """The unit as the parent's file alone tells it: that it was started, and once idle that it has ended."""
        self.left = self.left or idle
        tool = unit_key(AGENT, "tool", self.call_id)
        return Completion(
            keys=(tool,) if name.startswith("/") else (child_key(AGENT, None, name), tool),
            agent=AGENT,
            task=self.task,
            ran=self.ran,
            asked=self.asked,
            session_id=self.task.session_id,
            started_at=self.at,
            ended_at=self.at if self.left else None,
            ended=self.left,
            transcript=self.transcript,
            extent=1,
        )


class Unit(msgspec.Struct):
    """
    A turn as its own file tells it, with what the parent's file is asked for.

    Attributes:
        child: The thread's id where it is a child.
        place: The child's place in the tree (`/root/…`), multi-agent v2.
        first: It is the child's first turn, the one that was spawned.
        told: Its task could be read.
        aborted: It was stopped; the parent's file says by whom.
    """

    completion: Completion
    child: str | None
    place: str | None
    root_turn: str | None
    first: bool
    told: bool
    worked: bool
    aborted: bool = False


class Turn(msgspec.Struct):
    """
    What is remembered of a turn.

    Attributes:
        explicit: `task_started` gave it its name.
        worked: It has done something: a call, or a word.
        said: Its last act was a word.
        calls: Tool calls without an answer.
        counted: `token_usage_record` counts its tokens.
        left: Nobody touched the log for long; until something more comes the turn has ended.
    """

    name: str
    explicit: bool
    first: bool
    model: str | None
    effort: str | None
    cwd: str | None
    started_at: float | None
    last_at: float | None
    root_turn: str | None = None
    goal: str | None = None
    tokens: Tokens | None = None
    counted: bool = False
    trace: Trace = msgspec.field(default_factory=Trace)
    delegations: int = 0
    extent: int = 0
    waited: bool = False
    worked: bool = False
    said: bool = False
    left: bool = False
    calls: set[str] = set()
    failure: Failure | None = None

    def end(self) -> End:
        """How it ended, where no record says so."""
        if self.said and not self.explicit:
            return "completed"
        return "dangling" if self.calls else "unknown"

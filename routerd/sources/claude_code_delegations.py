"""What is known of one delegation, from all the files that tell of it.

There are up to five views: the call and the answer in the parent's file, a later notice there, the child's own file,
and its copy in the parent's progress records. None of them is always there, and they come in any order; what a
delegation says is a function of those that are known.
"""

import msgspec

from routerd.events import Label, Tokens
from routerd.sources import claude_code_records as records
from routerd.sources import claude_code_texts as texts
from routerd.sources.claude_code_records import Block, Record, Result
from routerd.sources.claude_code_runs import Run, between_ms
from routerd.sources.claude_code_texts import Ending, Notice
from routerd.sources.signals import End, Trace


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A delegation as the parent asks for it: a new child, or more work for an old one, perhaps only by a message."""

    tool: str
    at: float | None
    by: str | None
    prompt: str
    kind: str | None
    model: str | None
    effort: str | None
    resumes: bool
    message: bool
    parent_model: str | None
    parent_effort: str | None
    parent_provider: str | None
    cwd: str | None
    path: str


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the parent gets back: the end, or that the child runs on (`launched`), was refused, or failed."""

    status: str
    at: float | None
    text: str = ""
    kind: str | None = None
    model: str | None = None
    duration_ms: int | None = None
    last_call: Tokens | None = None
    idle: bool = False
    """It neither spent a token nor used a tool: what came back is an error in the guise of a result."""

    @property
    def began(self) -> bool:
        """The child ran, as far as the parent was told."""
        if self.status == "failed":
            return texts.told(self.text) is not None
        return self.status != "refused"


class Delegation(msgspec.Struct, kw_only=True):
    """
    One child's work on one request.

    Attributes:
        tool: Id of the call.
        agent: Id of the child.
        index: Which of the child's requests it is; the first is 0.
        mirror: The run as the parent's progress records show it; it lacks the last word.
        lost: The parent went on without an answer.
        touched: When it was last heard of, in order.
        given: Form in which it was last given out.
    """

    tool: str | None = None
    agent: str | None = None
    index: int = 0
    call: Call | None = None
    answer: Answer | None = None
    notice: Notice | None = None
    run: Run | None = None
    mirror: Run | None = None
    lost: bool = False
    dirty: bool = False
    touched: int = 0
    given: bytes = b""

    @property
    def answered(self) -> bool:
        """The parent knows how it ended."""
        return self.notice is not None or (self.answer is not None and self.answer.status != "launched")

    @property
    def begun(self) -> bool:
        """There is proof that it ran. A call alone is none: it may wait for a permission, and a refusal may follow."""
        if self.run is not None or self.notice is not None:
            return True
        return self.lost if self.answer is None else self.answer.began

    @property
    def refused(self) -> bool:
        """It never began, and never will."""
        return self.answer is not None and not self.begun

    @property
    def ended(self) -> bool:
        """It came to an end, as far as the log tells."""
        return self.answered or self.lost or (self.run is not None and self.run.at_rest)

    @property
    def settled(self) -> bool:
        """Every view is known that may still matter."""
        return self.call is not None and self.answered and self.run is not None and self.run.quiet

    def ending(self) -> Ending:
        """How it ended: by the child's own records, and where they do not tell, by what the parent was told."""
        own: Ending = self.run.ending() if self.run is not None else ("unknown", None)
        if own[1] is None and own[0] in ("unknown", "dangling"):
            return self._told() or own
        return own

    def _told(self) -> Ending | None:
        worked = self.run is not None and self.run.results > 0
        stopped: Ending = ("interrupted", None if worked else "interrupted")
        if self.notice is not None:
            if self.notice.status == "completed":
                return "completed", None
            return texts.told(self.notice.summary) if self.notice.status == "failed" else stopped
        if self.answer is None or self.answer.status == "launched":
            return None
        if self.answer.status == "completed":
            failure = texts.api_failure(self.answer.text) if self.answer.idle else None
            return failure or ("completed", None)
        return stopped if self.answer.status == "refused" else texts.told(self.answer.text)

    def label(self, end: End) -> Label:
        """Success as far as it can be read from the child's trace, or from its end."""
        trusted = self.run or (self.mirror if end == "completed" else None)
        return trusted.trace.label(end) if trusted is not None else Trace().label(end)

    def tokens(self) -> Tokens | None:
        """
        The child's own tokens.

        Without its file, the sum over the mirrored responses and the last one, which the answer tells: an estimate,
        because only responses that call a tool are mirrored whole. With neither nothing is known: the total that the
        answer names is the size of the last context, not what was spent.
        """
        if self.run is not None:
            return self.run.tokens()
        mirrored = self.mirror.tokens() if self.mirror is not None else None
        last = self.answer.last_call if self.answer is not None else None
        return msgspec.structs.replace(mirrored + last, estimated=True) if mirrored and last else None

    def model(self) -> str | None:
        """The model that it ran on."""
        seen = next((run.model for run in self._runs() if run.model), None)
        return seen or (self.answer.model if self.answer is not None else None)

    @property
    def started_at(self) -> float | None:
        """When it was called, or else began."""
        times = [self.call.at if self.call is not None else None, *(run.began for run in self._runs())]
        return next((at for at in times if at is not None), None)

    @property
    def ended_at(self) -> float | None:
        """When its end was told, or else when it was last heard of."""
        told = self.answer if self.answer is not None and self.answer.status != "launched" else self.notice
        times = [told.at if told is not None else None, *(run.last for run in self._runs()), self.started_at]
        return next((at for at in times if at is not None), None)

    @property
    def wall_time_ms(self) -> int | None:
        """
        How long it took: as the harness measured, from call to answer, or from its first record to its last.

        Where it was cut off nobody knows.
        """
        measured = [one.duration_ms for one in (self.answer, self.notice) if one is not None]
        if (known := next((ms for ms in measured if ms is not None), None)) is not None:
            return known
        if self.call is not None and self.answer is not None and self.answer.status != "launched":
            return between_ms(self.call.at, self.answer.at)
        whole = self.run is not None and (self.answered or self.run.quiet)
        return between_ms(self.run.began, self.run.last) if self.run is not None and whole else None

    @property
    def extent(self) -> int:
        """How much of it was seen."""
        parts = sum(part is not None for part in (self.call, self.answer, self.notice))
        return parts + max((run.records for run in self._runs()), default=0)

    def _runs(self) -> list[Run]:
        return [run for run in (self.run, self.mirror) if run is not None]

    def absorb(self, other: "Delegation") -> None:
        """Takes over what is known of the same delegation under another name."""
        self.call = self.call or other.call
        self.answer = self.answer or other.answer
        self.notice = self.notice or other.notice
        self.run = self.run or other.run
        self.mirror = self.mirror or other.mirror
        self.lost = self.lost or other.lost
        self.agent, self.index = other.agent, other.index


def answer_of(block: Block, record: Record, *, alone: bool) -> Answer | None:
    """
    The parent's record of an end.

    Args:
        block: The result of the call.
        record: Its record.
        alone: The record holds no other result, so that its structured part is this one's.

    Returns:
        None where the result is not in this copy of the history.
    """
    text = records.string(block.content)
    if text.startswith(texts.NOT_COPIED):
        return None
    if block.is_error:
        refused = text.startswith(texts.REFUSED) and texts.STOPPED not in text
        return Answer(status="refused" if refused else "failed", at=record.at, text=text[:1000])
    result = records.decode_result(record.tool_use_result) if alone else Result()
    running = result.status not in (None, "completed", "forked") or result.resumed_agent_id is not None
    if running or text.startswith(texts.LAUNCHED) or '"resumedAgentId":"' in text:
        return Answer(status="launched", at=record.at, model=texts.model_of(result.resolved_model))
    spent = result.total_tokens is None or result.total_tokens > 0 or (result.total_tool_use_count or 0) > 0
    return Answer(
        status="completed",
        at=record.at,
        text="" if spent else text[:1000],
        kind=result.agent_type,
        model=texts.model_of(result.resolved_model),
        duration_ms=records.whole(result.total_duration_ms)
        if result.total_duration_ms is not None
        else texts.duration(text),
        last_call=result.usage.tokens() if result.usage is not None else None,
        idle=not spent,
    )


def child_of(block: Block, record: Record, *, alone: bool) -> str | None:
    """The id of the child that a result tells of; in a child's own file only its text does."""
    result = records.decode_result(record.tool_use_result) if alone else Result()
    return result.agent_id or result.resumed_agent_id or texts.child_in(records.string(block.content))

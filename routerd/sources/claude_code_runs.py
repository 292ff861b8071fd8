"""What one agent does from a request to its last word, and what is known of one delegation.

A `Run` is fed the records of one file. A `Delegation` joins up to six views of one child: the call and the answer in
the parent's file, a later notice there, the child's own file, its copy in the parent's progress records, and the note
beside the child's file. None of them is always there, and they come in any order; what a delegation says is a function
of those that are known.
"""

from typing import Final

import msgspec
from msgspec import field

from routerd.events import UNKNOWN, Label, Tokens
from routerd.sources import claude_code_records as records
from routerd.sources.claude_code_records import Block, Ending, Input, Message, Notice, Record, Result
from routerd.sources.signals import Trace, is_check

FINAL_STOPS: Final = frozenset({"end_turn", "stop_sequence", "max_tokens", "model_context_window_exceeded", "refusal"})
SPENT_STOPS: Final = frozenset({"max_tokens", "model_context_window_exceeded"})
OPEN_MAX: Final = 64
"""Responses of which a further line may come: they follow each other closely, so older ones are only a sum."""

NO_CONTENT: Final = "(no content)"
"""What the harness writes where the model said nothing."""

DELEGATING: Final = frozenset({"Task", "Agent"})
MESSAGING: Final = frozenset({"SendMessage"})
LOOKING: Final = frozenset({"TaskOutput", "AgentOutputTool"})
_KINDS: Final = {
    **dict.fromkeys(("Edit", "Write", "MultiEdit", "NotebookEdit"), "edit"),
    **dict.fromkeys(("AskUserQuestion", "ExitPlanMode"), "ask"),
    **dict.fromkeys(LOOKING, "look"),
}


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A delegation as the parent asks for it: a new child, or more work for an old one (`resumes`)."""

    tool: str
    at: float | None
    by: str | None
    prompt: str
    kind: str | None
    model: str | None
    effort: str | None
    resumes: bool
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


class Reply(msgspec.Struct):
    """One API response, gathered from its lines."""

    tokens: Tokens
    chars: int
    final: bool

    def counted(self) -> Tokens:
        """Its tokens. With no stop reason on any line the output count is a placeholder: guessed, and marked."""
        if self.final:
            return self.tokens
        output = max(self.tokens.output, self.chars // records.CHARS_PER_TOKEN)
        return msgspec.structs.replace(self.tokens, output=output, estimated=True)


class Run(msgspec.Struct, kw_only=True):
    """
    The work of one agent on one request.

    Attributes:
        path: File that it is read from.
        uuid: Name of the record that it began with.
        records: User and assistant records seen.
        pending: Tool calls without a result, and of which kind they are.
        calls: Delegations that it started.
        results: Tool calls that were carried out.
        said: Its last response has a text.
        marker: `interrupted` or `shutdown`, where a record says so.
        failure: What the API error means that its last response is.
    """

    path: str
    goal: str = ""
    uuid: str | None = None
    began: float | None = None
    last: float | None = None
    cwd: str | None = None
    model: str | None = None
    provider: str | None = None
    effort: str | None = None
    kind: str | None = None
    records: int = 0
    replies: int = 0
    results: int = 0
    said: bool = False
    waited: bool = False
    stop: str | None = None
    message: str | None = None
    marker: str | None = None
    failure: Ending | None = None
    spent: Tokens = Tokens()
    open: dict[str, Reply] = field(default_factory=dict)
    pending: dict[str, str] = field(default_factory=dict)
    calls: set[str] = field(default_factory=set)
    trace: Trace = field(default_factory=Trace)

    def seen(self, record: Record) -> None:
        """Notes the time and the place of any of its records."""
        self.records += 1
        at = record.at
        if at is not None:
            self.began = at if self.began is None else self.began
            self.last = at if self.last is None else max(self.last, at)
        self.cwd = self.cwd or record.cwd

    def reply(self, record: Record) -> list[tuple[Block, Input]]:
        """
        Takes in a line of a response.

        Returns:
            Its calls that delegate, or send a child a message.
        """
        self.seen(record)
        message = record.message
        if message is None:
            return []
        blocks = message.content if isinstance(message.content, list) else []
        if record.is_api_error_message:
            text = "\n".join(records.string(block.text) for block in blocks) if blocks else str(message.content or "")
            status = int(record.api_error_status) if record.api_error_status else None
            name = record.error if isinstance(record.error, str) else None
            self.failure = records.api_failure(text, name, status) or ("unknown", "harness")
            self._ran_with(record)
            return []
        if message.model == records.SYNTHETIC:
            return []
        self._ran_with(record)
        self.model = records.model_of(message.model) or self.model
        self.provider = records.provider_of(self.model, message.id)
        self.kind = record.attribution_agent or self.kind
        self.failure, self.stop = None, message.stop_reason
        if message.id is None or message.id != self.message:
            self.message, self.said = message.id, False
            self.replies += 1
        self._spend(record, message, blocks)
        return [called for block in blocks if (called := self._block(block)) is not None]

    def _ran_with(self, record: Record) -> None:
        effort = record.effort or record.per_turn_effort
        self.effort = effort if isinstance(effort, str) else self.effort

    def _spend(self, record: Record, message: Message, blocks: list[Block]) -> None:
        """Counts a response once: its lines repeat the usage, and the largest is the last."""
        if message.usage is None:
            return
        name = f"{message.id or record.uuid}/{record.request_id or ''}"
        tokens, chars = message.usage.tokens(), sum(map(_chars, blocks))
        reply = self.open.get(name)
        if reply is None:
            self.open[name] = Reply(tokens, chars, message.stop_reason is not None)
            if len(self.open) > OPEN_MAX:
                self.spent += self.open.pop(next(iter(self.open))).counted()
            return
        reply.tokens = tokens if tokens.total >= reply.tokens.total else reply.tokens
        reply.chars += chars
        reply.final = reply.final or message.stop_reason is not None

    def _block(self, block: Block) -> tuple[Block, Input] | None:
        if block.type == "text":
            self.said = self.said or records.string(block.text).strip() not in ("", NO_CONTENT)
        elif block.type == "tool_use" and block.id is not None:
            name = block.name or ""
            kind, given = _KINDS.get(name, ""), None
            if name == "Bash":
                given = records.decode_input(block.input)
                kind = "check" if is_check(given.command or "") and not given.run_in_background else ""
            elif name in DELEGATING or name in MESSAGING:
                given, kind = records.decode_input(block.input), "call"
            self.pending[block.id] = kind
            if given is not None and kind == "call":
                if name in DELEGATING:
                    self.calls.add(block.id)
                return block, given
        return None

    def result(self, block: Block, record: Record) -> None:
        """Takes in the result of one of its tool calls."""
        kind = self.pending.pop(block.tool_use_id or "", "")
        source = records.member(record.permission_decision, "source") or ""
        self.waited = self.waited or kind == "ask" or source.startswith("user")
        failed = bool(block.is_error)
        text = records.string(block.content) if failed or kind == "check" else ""
        if failed and text.startswith(records.REFUSED):
            self.waited = True
            return
        self.results += 1
        if kind == "edit" and not failed:
            self.trace.edited()
        elif kind == "check":
            if failed and text.startswith(records.EXIT_CODE):
                self.trace.checked(passed=False)
            elif not failed and not text.startswith(records.IN_BACKGROUND):
                self.trace.checked(passed=True)

    @property
    def at_rest(self) -> bool:
        """The log says that it ended: a stop, an error, an interruption."""
        return bool(self.marker or self.failure) or (self.stop in FINAL_STOPS and not self.pending)

    @property
    def quiet(self) -> bool:
        """At rest, or it said something and waits for nothing; old versions write no stop reason."""
        return self.at_rest or (self.said and not self.pending)

    def tokens(self) -> Tokens | None:
        """All that its responses took; None where there was none."""
        if self.replies == 0:
            return None
        total = self.spent
        for reply in self.open.values():
            total += reply.counted()
        return total

    def ending(self) -> Ending:
        """How it ended, supposing that it did."""
        if self.marker == "interrupted":
            return "interrupted", "interrupted" if self.results == 0 else None
        if self.marker == "shutdown":
            return "unknown", "shutdown"
        if self.failure is not None:
            return self.failure
        if self.pending:
            return "dangling", None
        if self.stop in SPENT_STOPS:
            return "budget", None
        if self.replies == 0 or self.stop == "refusal":
            return "unknown", None
        if not self.said:
            return ("empty" if self.stop in FINAL_STOPS else "unknown"), None
        return "completed", None


def _chars(block: Block) -> int:
    return len(bytes(block.text)) + len(bytes(block.thinking)) + len(bytes(block.input))


class Delegation(msgspec.Struct, kw_only=True):
    """
    One child's work on one request.

    Attributes:
        tool: Id of the call.
        agent: Id of the child.
        index: Which of the child's requests it is; the first is 0.
        mirror: The run as the parent's progress records show it; it lacks the last word.
        lost: The parent went on without an answer.
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
        if self.answer is None:
            return self.lost
        if self.answer.status == "failed":
            return records.told(self.answer.text) is not None
        return self.answer.status != "refused"

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
            return records.told(self.notice.summary) if self.notice.status == "failed" else stopped
        if self.answer is None or self.answer.status == "launched":
            return None
        if self.answer.status == "completed":
            failure = records.api_failure(self.answer.text) if self.answer.idle else None
            return failure or ("completed", None)
        return stopped if self.answer.status == "refused" else records.told(self.answer.text)

    def label(self) -> Label:
        """Success as far as it can be read."""
        end, censored = self.ending()
        if censored is not None:
            return UNKNOWN
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
        seen = next((run.model for run in (self.run, self.mirror) if run is not None and run.model), None)
        return seen or (self.answer.model if self.answer is not None else None)

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
    if text.startswith(records.NOT_COPIED):
        return None
    if block.is_error:
        refused = text.startswith(records.REFUSED)
        return Answer(status="refused" if refused else "failed", at=record.at, text=text[:1000])
    result = records.decode_result(record.tool_use_result) if alone else Result()
    if result.status == "async_launched" or result.resumed_agent_id or text.startswith("Async agent launched"):
        return Answer(status="launched", at=record.at, model=records.model_of(result.resolved_model))
    spent = result.total_tokens is None or result.total_tokens > 0 or (result.total_tool_use_count or 0) > 0
    return Answer(
        status="completed",
        at=record.at,
        text="" if spent else text[:1000],
        kind=result.agent_type,
        model=records.model_of(result.resolved_model),
        duration_ms=int(result.total_duration_ms) if result.total_duration_ms is not None else records.duration(text),
        last_call=result.usage.tokens() if result.usage is not None else None,
        idle=not spent,
    )


def child_of(block: Block, record: Record, *, alone: bool) -> str | None:
    """The id of the child that a result tells of; in a child's own file only its text does."""
    result = records.decode_result(record.tool_use_result) if alone else Result()
    return result.agent_id or result.resumed_agent_id or records.child_in(records.string(block.content))

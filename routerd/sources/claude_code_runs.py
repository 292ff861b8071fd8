"""What one agent does on one request, as the records of one file tell it."""

from typing import Final, Literal

import msgspec
from msgspec import field

from routerd.events import Tokens
from routerd.sources import claude_code_records as records
from routerd.sources import claude_code_texts as texts
from routerd.sources.claude_code_records import Block, Input, Message, Record, Usage
from routerd.sources.claude_code_texts import Ending
from routerd.sources.signals import Trace, is_check

FINAL_STOPS: Final = frozenset({"end_turn", "stop_sequence", "max_tokens", "model_context_window_exceeded", "refusal"})
SPENT_STOPS: Final = frozenset({"max_tokens", "model_context_window_exceeded"})
CHARS_PER_TOKEN: Final = 4
"""Of a response whose token count is a placeholder the output is guessed: about four characters a token."""

OPEN_MAX: Final = 64
"""Responses of which a further line may come: they follow each other closely, so older ones are only a sum."""

NO_CONTENT: Final = "(no content)"
"""What the harness writes where the model said nothing."""

OWN_REQUESTS: Final = ("agent:", "sdk", "repl_main_thread")
"""Who asks the API on an agent's own behalf; the harness asks for other things too."""

DELEGATING: Final = frozenset({"Task", "Agent"})
MESSAGING: Final = frozenset({"SendMessage"})
LOOKING: Final = frozenset({"TaskOutput", "AgentOutputTool"})
_KINDS: Final = {
    **dict.fromkeys(("Edit", "Write", "MultiEdit", "NotebookEdit"), "edit"),
    **dict.fromkeys(("AskUserQuestion", "ExitPlanMode"), "ask"),
    **dict.fromkeys(LOOKING, "look"),
}


class Reply(msgspec.Struct):
    """One API response, gathered from its lines."""

    usage: Usage
    tokens: Tokens
    chars: int = 0
    final: bool = False

    def line(self, message: Message, usage: Usage, blocks: list[Block]) -> None:
        """Takes in one more line; each repeats the usage, and the largest is the last."""
        if usage != self.usage:
            tokens = usage.tokens()
            self.tokens = tokens if tokens.total >= self.tokens.total else self.tokens
            self.usage = usage
        self.final = self.final or message.stop_reason is not None
        if not self.final:
            self.chars += sum(map(_chars, blocks))

    def counted(self) -> Tokens:
        """Its tokens. With no stop reason on any line the output count is a placeholder: guessed, and marked."""
        if self.final:
            return self.tokens
        output = max(self.tokens.output, self.chars // CHARS_PER_TOKEN)
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
        marker: A record says that a person, or the end of the session, stopped it.
        failure: What the API error means that its last response is.
        wanted: The model that the API was asked for, where the log tells it beside the one that answered.
    """

    path: str
    goal: str = ""
    uuid: str | None = None
    began: float | None = None
    last: float | None = None
    cwd: str | None = None
    model: str | None = None
    wanted: str | None = None
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
    marker: Literal["interrupt", "shutdown"] | None = None
    failure: Ending | None = None
    spent: Tokens = Tokens()
    open: dict[str, Reply] = field(default_factory=dict)
    pending: dict[str, str] = field(default_factory=dict)
    calls: set[str] = field(default_factory=set)
    trace: Trace = field(default_factory=Trace)

    def seen(self, record: Record) -> None:
        """Notes the time and the place of any of its records."""
        self.records += 1
        at = records.seconds(record.timestamp)
        if at is not None:
            self.began = at if self.began is None else self.began
            if self.last is None or at > self.last:
                self.last = at
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
            status = records.whole(record.api_error_status) or None
            name = record.error if isinstance(record.error, str) else None
            self.failure = texts.api_failure(text, name, status) or ("unknown", "harness")
            self._ran_with(record)
            return []
        if message.model == records.SYNTHETIC:
            return []
        self._ran_with(record)
        self.model = texts.model_of(message.model) or self.model
        self.provider = texts.provider_of(self.model, message.id)
        self.wanted = texts.model_of(record.requested_model) or self.wanted
        self.kind = record.attribution_agent or self.kind
        self.failure, self.stop = None, message.stop_reason
        if message.id is None or message.id != self.message:
            self.message, self.said = message.id, False
            self.replies += 1
        self._spend(record, message, blocks)
        return [called for block in blocks if (called := self._block(block)) is not None]

    def requested(self, record: Record) -> None:
        """What a request asks of the API; a child that never gets a response has no other trace of its model."""
        if record.query_source is None or not record.query_source.startswith(OWN_REQUESTS):
            return  # a title, a summary
        settings = record.params.get("output_config") if isinstance(record.params, dict) else None
        self.model = self.model or texts.model_of(records.member(record.params, "model"))
        self.provider = self.provider or texts.provider_of(self.model)
        self.effort = self.effort or records.member(settings, "effort")

    def _ran_with(self, record: Record) -> None:
        effort = record.effort or record.per_turn_effort
        self.effort = effort if isinstance(effort, str) else self.effort

    def _spend(self, record: Record, message: Message, blocks: list[Block]) -> None:
        """Counts a response once."""
        if message.usage is None:
            return
        name = f"{message.id or record.uuid}/{record.request_id or ''}"
        reply = self.open.get(name)
        if reply is None:
            reply = self.open[name] = Reply(message.usage, message.usage.tokens())
            if len(self.open) > OPEN_MAX:
                self.spent += self.open.pop(next(iter(self.open))).counted()
        reply.line(message, message.usage, blocks)

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
        if failed and text.startswith(texts.REFUSED):
            self.waited = self.waited or texts.STOPPED not in text
            return
        self.results += 1
        if kind == "edit" and not failed:
            self.trace.edited()
        elif kind == "check":
            self._checked(text, failed=failed)

    def _checked(self, text: str, *, failed: bool) -> None:
        """A test or build came back; it is a verdict only if it ran, and to its end."""
        code = texts.EXIT_CODE.match(text) if failed else None
        if code is not None and int(code[1]) < texts.SIGNAL_CODE_MIN:
            self.trace.checked(passed=False)
        elif not failed and not text.startswith(texts.IN_BACKGROUND):
            self.trace.checked(passed=True)

    @property
    def at_rest(self) -> bool:
        """The log says that it ended: a stop, an error, an interruption."""
        return bool(self.marker or self.failure) or (self.stop in FINAL_STOPS and not self.pending)

    @property
    def quiet(self) -> bool:
        """At rest, or it said something and waits for nothing; old versions write no stop reason."""
        return self.at_rest or (self.said and not self.pending)

    @property
    def done(self) -> bool:
        """A further request begins further work; one that comes while the agent is at work belongs to that."""
        return self.quiet or bool(self.pending)

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
        if self.marker == "interrupt":
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
    return memoryview(block.text).nbytes + memoryview(block.thinking).nbytes + memoryview(block.input).nbytes


def between_ms(begin: float | None, end: float | None) -> int | None:
    """Milliseconds from one time to another, neither of which must be known."""
    return max(0, round((end - begin) * 1000)) if begin is not None and end is not None else None

"""Outcomes from anywhere: one JSON object a line, in files that the configuration names or that `import` is given.

    {"features": {"task_kind": "typo-fix", "repo_fingerprint": "9f2c", "rough_token_estimate": 1200,
                  "parent_model_tier": "frontier"},
     "dispatch": ["delegate", "fast-worker"], "wall_time_ms": 41000, "cost_tokens": 5200, "succeeded": true}

Members (`outcome.schema.json` beside this says the same to a machine):

    features | task   what was known before: named values, or a Task as on the socket; exactly one of them
    dispatch          who did it: ["local", null], ["delegate", "<profile>"], an arm id, or a Dispatch as on the socket
    succeeded         true, false, a number in [0, 1], or null where nobody knows
    wall_time_ms      how long it took
    cost_tokens       what it cost, in tokens of any kind, or
    cost_usd          in US dollars; both may stand
    tokens            {input, output, cache_read, cache_write}, disjoint, instead of cost_tokens
    at | finished_at  when it ended, Unix seconds; without it, when the file was last written
    id                names the outcome: a later row of the file with the same id replaces it; of rows in several
                      files that of the path which sorts last is believed
    ref               names the unit of work as an agent's log does, see the socket
    keys              names the unit as routerd itself does (`outcomes.id`): a row and a log that tell of one unit are
                      one outcome, and the log is believed
    signal            what `succeeded` rests on, where that is weaker than a report (`sources/signals.py`)
    agent, scope      whose work it is, and where it is learnt

A row without an id is named by what it says and by how many rows before it in its file say the same. So reading a file
or a copy of it again adds nothing, and two equal rows in one file are two outcomes. An unknown member is an error, so
that a typing error is not silently half a row.
"""

import difflib
import re
from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from routerd.errors import InvalidParams
from routerd.events import (
    LOCAL,
    UNKNOWN,
    Completion,
    Dispatch,
    Fraction,
    Label,
    Moment,
    NotNegative,
    Ref,
    Task,
    Tokens,
    arm_dispatch,
    ref_keys,
    unit_key,
)
from routerd.features import extract
from routerd.sources.base import GOAL_CHARS_MAX, Claim, Item, Line, Machine, Query
from routerd.sources.signals import WEIGHTS
from routerd.sources.values import NOT_JSON

AGENT: Final = "jsonl"

BOM: Final = b"\xef\xbb\xbf"
REFUSED_MAX: Final = 20
"""Of the rows of one file that cannot be used so many are named; `routerctl import` names all."""

Amount = Annotated[float, Meta(ge=0.0, le=2.0**53)]
"""A count or milliseconds; tables turn whole numbers into 1200.0."""
Name = Annotated[str, Meta(min_length=1, max_length=512)]


Evidence = Literal[
    "report", "feedback", "test", "verification", "next_message", "budget", "empty", "interrupted", "completed"
]
"""The signals that have a weight."""


class Counted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Tokens by kind."""

    input: Amount = 0
    output: Amount = 0
    cache_read: Amount = 0
    cache_write: Amount = 0


class OutcomeRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One row, as it stands."""

    dispatch: Any
    succeeded: bool | Fraction | None
    features: dict[str, float | str | bool | None] | None = None
    task: Task | None = None
    wall_time_ms: Amount | None = None
    cost_tokens: Amount | None = None
    cost_usd: NotNegative | None = None
    tokens: Counted | None = None
    at: Moment | None = None
    finished_at: Moment | None = None
    id: Name | None = None
    ref: Ref | None = None
    keys: Annotated[list[Name], Meta(min_length=1, max_length=64)] | None = None
    signal: Evidence | None = None
    agent: Name | None = None
    scope: Name | None = None


_ROW: Final = msgspec.json.Decoder(OutcomeRow)


def check_row(data: bytes) -> str | None:
    """What is wrong with a row, in one sentence; None when nothing is."""
    try:
        _read(data)
    except ValueError as error:
        return str(error)
    return None


def _read(data: bytes, path: str | None = None) -> tuple[OutcomeRow, Completion]:
    """
    A row of a file, and the outcome that it tells; its first key is still the same as that of an equal row without an
    id.

    Raises:
        ValueError: The row cannot be used; the text says why, for a person.
    """
    data = data.removeprefix(BOM)
    try:
        row = _ROW.decode(data)
    except msgspec.ValidationError as error:
        raise ValueError(_explained(str(error))) from None
    except NOT_JSON as error:
        raise ValueError(f"not JSON: {error}") from None
    return row, _completion(row, data, path)


def _completion(row: OutcomeRow, data: bytes, path: str | None) -> Completion:
    if (row.features is None) == (row.task is None):
        raise ValueError("exactly one of `features` and `task` must be there")
    if row.at is not None and row.finished_at is not None:
        raise ValueError("`at` and `finished_at` are two names of one thing: give one")
    if row.tokens is not None and row.cost_tokens is not None:
        raise ValueError("`tokens` and `cost_tokens` tell the same: give one")
    if row.signal is not None and row.succeeded is None:
        raise ValueError("`signal` says what `succeeded` rests on, and `succeeded` is null")
    agent = row.agent or (row.task.agent if row.task else None) or (row.ref.agent if row.ref else None) or AGENT
    ended_at = row.at if row.at is not None else row.finished_at
    wall_time_ms = None if row.wall_time_ms is None else round(row.wall_time_ms)
    name = row.id or blake2b(_canonical(data), digest_size=12).hexdigest()
    return Completion(
        keys=_keys(row, name),
        agent=agent,
        scope=row.scope or "default",
        task=_task(row, agent),
        ran=_dispatch(row.dispatch),
        session_id=row.ref.session_id if row.ref else None,
        started_at=None if ended_at is None or wall_time_ms is None else ended_at - wall_time_ms / 1000,
        ended_at=ended_at,
        wall_time_ms=wall_time_ms,
        tokens=_tokens(row),
        cost_usd=row.cost_usd,
        label=_label(row),
        transcript=path,
        extent=0 if row.keys else 1,
    )


def _keys(row: OutcomeRow, name: str) -> tuple[str, ...]:
    """The names of the unit, the one that it is stored by first."""
    own = (unit_key(AGENT, "row", name),)
    if row.keys is None and row.ref is None:
        return own
    return tuple(dict.fromkeys([*(row.keys or own), *(ref_keys(row.ref) if row.ref else ()), *(own if row.id else ())]))


def _label(row: OutcomeRow) -> Label:
    if row.succeeded is None:
        return UNKNOWN
    signal = row.signal or "report"
    return Label(float(row.succeeded), WEIGHTS[signal], signal)


def _task(row: OutcomeRow, agent: str) -> Task:
    if row.task is not None:
        task = msgspec.structs.replace(
            row.task,
            agent=row.task.agent or agent,
            goal=row.task.goal[:GOAL_CHARS_MAX],
            context=row.task.context and row.task.context[:GOAL_CHARS_MAX],
        )
    else:
        named = {name: value for name, value in (row.features or {}).items() if value is not None}
        task = Task(goal="", agent=agent, features=named)
    if task.features:  # nothing else can be wrong by now
        try:
            extract(msgspec.structs.replace(task, goal="", context=None))
        except InvalidParams as error:
            raise ValueError(error.message if row.task is not None else error.message.removeprefix("task.")) from None
    return task


def _dispatch(value: Any) -> Dispatch:
    """A dispatch in any of its spellings."""
    match value:
        case str():
            return arm_dispatch(value)
        case ["local", None]:
            return LOCAL
        case ["delegate", None]:
            return Dispatch(executor="delegate")
        case ["delegate", str(profile)] if profile:
            return Dispatch(executor="delegate", profile=profile)
        case dict():
            try:
                return msgspec.convert(value, Dispatch)
            except msgspec.ValidationError as error:
                raise ValueError(_explained(str(error), "dispatch", Dispatch)) from None
    raise ValueError('`dispatch` must be ["local", null], ["delegate", "<profile>"], an arm id or an object')


def _tokens(row: OutcomeRow) -> Tokens | None:
    """Of a sum nobody knows the kinds; it counts as input, and as a guess."""
    if row.cost_tokens is not None:
        return Tokens(input=round(row.cost_tokens), estimated=True)
    if row.tokens is None:
        return None
    return Tokens(**{kind: round(number) for kind, number in msgspec.structs.asdict(row.tokens).items()})


def _canonical(data: bytes) -> bytes:
    """A row without its accidents: white space and the order of members."""
    return msgspec.json.encode(msgspec.json.decode(data), order="sorted")


def _explained(message: str, above: str = "", table: type[msgspec.Struct] = OutcomeRow) -> str:
    """A message of msgspec as a sentence for the writer of the row."""
    what, _, where = message.partition(" - at `$")
    place = ".".join(part for part in (above, where.rstrip("`").strip(".")) if part)
    if found := re.fullmatch(r"Object contains unknown field `(.*)`", what):
        known = table.__struct_fields__ if place == above else ()
        near = difflib.get_close_matches(found[1], known, n=1)
        return f"unknown member `{found[1]}`{f' in `{place}`' if place else ''}" + (
            f"; did you mean `{near[0]}`?" if near else ""
        )
    if found := re.fullmatch(r"Object missing required field `(.*)`", what):
        return f"`{f'{place}.' if place else ''}{found[1]}` is missing"
    return f"{f'`{place}`: ' if place else ''}{what[0].lower()}{what[1:]}"


class JsonlMachine:
    """One file of rows."""

    def __init__(self) -> None:
        self.quarantined = 0
        self.refused: list[str] = []
        self._lines = 0
        self._told: list[Completion] = []
        self._times: dict[bytes, int] = {}

    def feed(self, item: Item) -> None:
        """One row; see `base.Machine`."""
        if not isinstance(item, Line):
            self.quarantined += 1
            return
        self._lines += 1
        try:
            row, told = _read(item.data, item.path)
        except ValueError as error:
            if item.data.removeprefix(BOM).strip():
                self._refuse(item.path, str(error))
            return
        if row.id is None and row.keys is None:
            told = msgspec.structs.replace(told, keys=self._numbered(told.keys))
        self._told.append(told)

    def _refuse(self, path: str, reason: str) -> None:
        self.quarantined += 1
        if self.quarantined <= REFUSED_MAX:
            self.refused.append(f"{path}, line {self._lines}: {reason}")
        elif self.quarantined == REFUSED_MAX + 1:
            self.refused.append(f"{path}, line {self._lines} and later: more of them; `routerctl import` names all")

    def _numbered(self, keys: tuple[str, ...]) -> tuple[str, ...]:
        name = blake2b(keys[0].encode(), digest_size=8).digest()
        number = self._times[name] = self._times.get(name, 0) + 1
        return (f"{keys[0]}.{number}", *keys[1:])

    def drain(self, *, idle: bool) -> list[Completion]:
        """See `base.Machine`; every row has ended."""
        told, self._told = self._told, []
        return told

    def queries(self, path: str) -> list[Query]:
        """Nothing is asked."""
        return []


class GenericJsonl:
    """The source of such files, wherever the configuration says that they are."""

    agent = AGENT
    polled = False

    def roots(self, env: Mapping[str, str]) -> list[str]:
        """None: only what is named is read."""
        return []

    def enters(self, root: str, directory: str) -> bool:
        """Every directory below a root."""
        return True

    def claim(self, root: str, path: str, head: Callable[[], bytes]) -> Claim | None:
        """Every file of lines; each is a group."""
        return Claim(path, "lines") if path.endswith((".jsonl", ".ndjson")) else None

    def open(self, group: str) -> Machine:
        """A machine that has seen nothing yet."""
        return JsonlMachine()


SOURCE: Final = GenericJsonl()

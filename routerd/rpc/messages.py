"""What every method takes and answers, as values (CONTRACT §3.2). How they are spelt on a line: `jsonrpc`.

A method is a Struct of its params in `Params` and a line in `METHODS`; the handlers' `assert_never` then asks for the
handler. Unknown members of params are refused; members of a result may be added at any time.
"""

from typing import Any, Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

from routerd.catalog import answers
from routerd.engine import ArmView
from routerd.errors import RequestError
from routerd.events import (
    Basis,
    Decision,
    Dispatch,
    Expected,
    Gate,
    Outcome,
    Policy,
    Recommend,
    Ref,
    Task,
    Wire,
)
from routerd.otherwise import Change

PROTOCOL: Final = 1

ResolveParams = answers.ResolveParams

# --- params ---------------------------------------------------------------------------------------------------------


class HelloParams(Wire, frozen=True, kw_only=True):
    """Who asks, and which version of the protocol it speaks."""

    client: str | None = None
    protocol: int | None = None


class RecommendBatchParams(Wire, frozen=True, kw_only=True):
    """Several questions at once; each has its own candidates."""

    tasks: list[Recommend]


class ReportParams(Wire, frozen=True, kw_only=True):
    """How a task went: of a decision, or of a task that ran on a dispatch."""

    outcome: Outcome
    decision_id: str | None = None
    ref: Ref | None = None
    task: Task | None = None
    dispatch: Dispatch | None = None
    scope: str | None = None
    outcome_id: str | None = None
    overridden: bool = False

    def __post_init__(self) -> None:
        if self.decision_id is None and (self.task is None or self.dispatch is None):
            raise ValueError("give decision_id, or task and dispatch")


class FeedbackParams(Wire, frozen=True, kw_only=True):
    """A person's verdict on a decision or an outcome."""

    verdict: Literal["good", "bad"]
    decision_id: str | None = None
    outcome_id: str | None = None
    note: str | None = None

    def __post_init__(self) -> None:
        if self.decision_id is None and self.outcome_id is None:
            raise ValueError("give decision_id or outcome_id")


class ExplainParams(Wire, frozen=True, kw_only=True):
    """Which decision is to be explained."""

    decision_id: str


class ArmsParams(Wire, frozen=True, kw_only=True):
    """Which arms are to be listed, and on which kind of task they are to be seen."""

    scope: str | None = None
    kind: str | None = None


class ModelsParams(Wire, frozen=True, kw_only=True):
    """Which models are to be listed."""

    tier: str | None = None
    provider: str | None = None


class StatusParams(Wire, frozen=True, kw_only=True):
    """Nothing is asked but how things are."""


class SubscribeParams(Wire, frozen=True, kw_only=True):
    """Which events are wanted; None for all."""

    events: list[str] | None = None


class ReloadParams(Wire, frozen=True, kw_only=True):
    """The configuration is to be read again."""


class ImportParams(Wire, frozen=True, kw_only=True):
    """Logs in other places, files or directories, are to be read once. The daemon needs absolute paths."""

    paths: list[str]


Params = (
    HelloParams
    | Recommend
    | RecommendBatchParams
    | ReportParams
    | FeedbackParams
    | ExplainParams
    | ArmsParams
    | ModelsParams
    | ResolveParams
    | StatusParams
    | SubscribeParams
    | ReloadParams
    | ImportParams
)

METHODS: Final[dict[str, type[Params]]] = {
    "hello": HelloParams,
    "recommend": Recommend,
    "recommend_batch": RecommendBatchParams,
    "report": ReportParams,
    "feedback": FeedbackParams,
    "explain": ExplainParams,
    "arms": ArmsParams,
    "models": ModelsParams,
    "resolve": ResolveParams,
    "status": StatusParams,
    "subscribe": SubscribeParams,
    "reload": ReloadParams,
    "import": ImportParams,
}

# --- results --------------------------------------------------------------------------------------------------------


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """Base of what is answered. Members are never left out, but for those that are UNSET."""


class HelloResult(Result, frozen=True, kw_only=True):
    """Who answers."""

    version: str
    pid: int
    started_at: float
    name: str = "routerd"
    protocol: int = PROTOCOL


class Alternative(Result, frozen=True, kw_only=True):
    """An arm that could have been chosen instead."""

    arm: str
    dispatch: Dispatch
    p_best: float
    utility: float
    expected: Expected


class RecommendResult(Result, frozen=True, kw_only=True):
    """
    A decision as the client sees it.

    Attributes:
        resolved: What the dispatch runs on here: the model as its provider takes it, the endpoint, and which variable
            holds the key. Left out for the agent itself, and where the model is left to the agent.
    """

    decision_id: str
    arm: str
    dispatch: Dispatch
    propensity: float
    explored: bool
    basis: Basis
    expected: Expected
    utility: float
    alternatives: list[Alternative]
    gate: Gate
    reason: str
    policy: Policy
    warnings: tuple[str, ...] | UnsetType = UNSET
    resolved: answers.Resolved | UnsetType = UNSET


class ErrorObject(Result, frozen=True, kw_only=True):
    """An error as JSON-RPC spells it."""

    code: int
    message: str
    data: dict[str, Any] | UnsetType = UNSET


class Failed(Result, frozen=True, kw_only=True):
    """In the place of a decision that could not be made."""

    error: ErrorObject


def error_object(error: RequestError) -> ErrorObject:
    """An error of routerd as JSON-RPC spells it."""
    return ErrorObject(code=error.code, message=error.message, data=UNSET if error.data is None else error.data)


class RecommendBatchResult(Result, frozen=True, kw_only=True):
    """Decisions in the order of the questions."""

    decisions: list[RecommendResult | Failed]


class ReportResult(Result, frozen=True, kw_only=True):
    """The outcome is on disk under this id; `duplicate` when it was there before."""

    outcome_id: str
    duplicate: bool


class FeedbackResult(Result, frozen=True, kw_only=True):
    """What the outcome now says."""

    outcome_id: str
    succeeded: bool | float | None


class ExplainedArm(Result, frozen=True, kw_only=True):
    """One arm as the decision saw it; `removed_by` names what took it out of the choice."""

    arm: str
    dispatch: Dispatch
    expected: Expected
    utility: float
    propensity: float
    removed_by: str | UnsetType = UNSET


class ExplainedTask(Result, frozen=True, kw_only=True):
    """What was known of the task."""

    features: dict[str, Any]


class Neighbour(Result, frozen=True, kw_only=True):
    """A past unit of work that resembles the task."""

    at: float | None
    agent: str
    arm: str
    succeeded: float | None
    wall_time_ms: int | None
    cost_usd: float | None
    similarity: float
    transcript: str | UnsetType = UNSET


class EvidenceShares(Result, frozen=True, kw_only=True):
    """What the belief in the chosen arm rests on: outcomes of own decisions, of logs, and the prior."""

    own: float
    logs: float
    prior: float


class Prices(Result, frozen=True, kw_only=True):
    """What was dear when a decision was made: US dollars for a success and an hour, and the weight of a dollar."""

    success_usd: float
    hour_usd: float
    money: float


class ExplainResult(Result, frozen=True, kw_only=True):
    """Why a decision was made; `otherwise` are changes of one price that make another arm worth most."""

    decision_id: str
    at: float
    task: ExplainedTask
    arms: list[ExplainedArm]
    chosen: str
    gate: Gate
    policy: Policy
    nearest: list[Neighbour]
    evidence: EvidenceShares
    outcome: Outcome | UnsetType = UNSET
    basis: Basis | UnsetType = UNSET
    reason: str | UnsetType = UNSET
    prices: Prices | UnsetType = UNSET
    otherwise: list[Change] = []


class ArmsResult(Result, frozen=True, kw_only=True):
    """All arms asked for."""

    arms: list[ArmView]


class ModelsResult(Result, frozen=True, kw_only=True):
    """
    All models asked for, and two texts for an agent that do not depend on what was asked for.

    Attributes:
        prompt: The list for a system prompt.
        schema: The description of a `model` parameter in an agent's own delegation tool.
    """

    models: list[answers.ModelInfo]
    prompt: str
    schema: str


class Completions(Result, frozen=True, kw_only=True):
    """Distinct ended units of work, by who did them."""

    local: int
    delegate: int


class SourceState(Result, frozen=True, kw_only=True):
    """One root of one kind of log."""

    agent: str
    root: str
    mode: Literal["watch", "poll"]
    files: int
    bytes: int
    lag_bytes: int
    last_event_at: float | None
    completions: Completions
    quarantined: int


class Counts(Result, frozen=True, kw_only=True):
    """Rows of the database."""

    decisions: int
    outcomes: int
    unknown: int
    reports: int


class QueueState(Result, frozen=True, kw_only=True):
    """What waits to be written."""

    pending: int
    capacity: int


class DatabaseState(Result, frozen=True, kw_only=True):
    """The file, its size and the version of its schema."""

    path: str
    bytes: int
    schema: int


class StatusResult(Result, frozen=True, kw_only=True):
    """How the daemon is."""

    version: str
    uptime_s: float
    sources: list[SourceState]
    counts: Counts
    queue: QueueState
    db: DatabaseState
    policy: Policy


class SubscribeResult(Result, frozen=True, kw_only=True):
    """The events that will come."""

    subscribed: list[str]


class ReloadResult(Result, frozen=True, kw_only=True):
    """Which file was read, and which keys have changed."""

    path: str | None
    changed: list[str]


class ImportResult(Result, frozen=True, kw_only=True):
    """How many files were recognised and read, and how many ended units of work they told of."""

    files: int
    completions: int


def recommended(decision: Decision, resolved: answers.Resolved | None = None) -> RecommendResult:
    """A decision as the client sees it: the alternatives are the `top` best others that no constraint removed."""
    others = [one for one in decision.considered if one.removed_by is None and one.arm != decision.arm]
    others.sort(key=lambda one: (-one.utility, one.arm))
    return RecommendResult(
        decision_id=decision.decision_id,
        arm=decision.arm,
        dispatch=decision.dispatch,
        propensity=decision.propensity,
        explored=decision.explored,
        basis=decision.basis,
        expected=decision.expected,
        utility=decision.utility,
        alternatives=[
            Alternative(
                arm=one.arm, dispatch=one.dispatch, p_best=one.p_best, utility=one.utility, expected=one.expected
            )
            for one in others[: decision.top]
        ],
        gate=decision.gate,
        reason=decision.reason,
        policy=decision.policy,
        warnings=decision.warnings or UNSET,
        resolved=UNSET if resolved is None else resolved,
    )

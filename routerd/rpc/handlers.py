"""
What each request means: params to engine and catalogue, and their answers back. Pure but for its `Ports`.

`recommend` and all else that needs no disk is answered at once; what must wait (a report for the disk, an explanation
for the past) is an awaitable that the ports give.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, assert_never

import msgspec

from routerd import __version__
from routerd.catalog import Catalog
from routerd.config import ObjectiveConfig
from routerd.engine import Engine
from routerd.errors import NoSuchDecision, RequestError
from routerd.events import Decision, Outcome, Recommend, ref_keys
from routerd.features import extract, tier_of_parent
from routerd.otherwise import changes, prices_of
from routerd.records import Report
from routerd.redact import redact
from routerd.rpc.messages import (
    ArmsParams,
    ArmsResult,
    EvidenceShares,
    ExplainedArm,
    ExplainedTask,
    ExplainParams,
    ExplainResult,
    Failed,
    FeedbackParams,
    FeedbackResult,
    HelloParams,
    HelloResult,
    ImportParams,
    ImportResult,
    ModelsParams,
    ModelsResult,
    Neighbour,
    Params,
    Prices,
    RecommendBatchParams,
    RecommendBatchResult,
    RecommendResult,
    ReloadParams,
    ReloadResult,
    ReportParams,
    ReportResult,
    ResolveParams,
    StatusParams,
    StatusResult,
    SubscribeParams,
    SubscribeResult,
    error_object,
    recommended,
)
from routerd.store.batch import Reported, report_key

Answer = msgspec.Struct | Awaitable[msgspec.Struct]


class Peer(Protocol):
    """The connection that asks."""

    def notify(self, event: Mapping[str, Any]) -> None:
        """Sends it an event."""


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """What the store knows of a decision: itself, what became of it, and the nearest tasks of the past."""

    decision: Decision
    outcome: Outcome | None
    nearest: list[Neighbour]


class Ports(Protocol):
    """What the handlers cannot do by themselves."""

    pid: int
    started_at: float

    @property
    def engine(self) -> Engine:
        """The engine in force."""

    @property
    def catalog(self) -> Catalog:
        """The catalogue in force."""

    @property
    def objective(self) -> ObjectiveConfig:
        """What success and time are worth, as configured."""

    def now(self) -> float:
        """Unix seconds."""

    def new_id(self, prefix: str) -> str:
        """An id that was never given before; later ones sort after earlier ones."""

    async def others_turn(self) -> None:
        """Lets whoever waits have a turn."""

    def decided(self, decision: Decision) -> None:
        """A decision was made: it is to be written, and told to those who listen."""

    async def commit(self, report: Report) -> Reported:
        """Returns when the report is on disk."""

    async def explained(self, decision_id: str) -> Explained | None:
        """What is known of a decision, made just now or long ago."""

    async def status(self) -> StatusResult:
        """How the daemon is."""

    async def reload(self) -> ReloadResult:
        """Reads the configuration again."""

    async def take(self, paths: list[str]) -> ImportResult:
        """Reads logs from other places."""

    def subscribe(self, peer: Peer, events: list[str] | None) -> list[str]:
        """From now on the peer is told these events, all of them if None; gives their names."""


class Handlers:
    """One method for each kind of request."""

    def __init__(self, ports: Ports, unsubscribe: Callable[[Peer], None]) -> None:
        self._ports = ports
        self._unsubscribe = unsubscribe

    def closed(self, peer: Peer) -> None:
        """The connection is gone."""
        self._unsubscribe(peer)

    def handle(self, params: Params, peer: Peer) -> Answer:
        """
        The answer, or what to await for it.

        Raises:
            RequestError: The request cannot be answered.
        """
        match params:
            case Recommend():
                return self._recommend(params)
            case RecommendBatchParams():
                return self._batch(params)
            case ReportParams():
                return self._report(params)
            case FeedbackParams():
                return self._feedback(params)
            case ExplainParams():
                return self._explain(params)
            case ArmsParams():
                return self._arms(params)
            case ModelsParams():
                return self._models(params)
            case ResolveParams():
                return self._ports.catalog.resolve(params)
            case StatusParams():
                return self._ports.status()
            case SubscribeParams():
                return SubscribeResult(subscribed=self._ports.subscribe(peer, params.events))
            case ReloadParams():
                return self._ports.reload()
            case ImportParams():
                return self._ports.take(params.paths)
            case HelloParams():
                return HelloResult(version=__version__, pid=self._ports.pid, started_at=self._ports.started_at)
            case _:
                assert_never(params)

    def _recommend(self, request: Recommend) -> RecommendResult:
        ports = self._ports
        ports.catalog.check_request(request)
        decision = ports.engine.recommend(request, ports.now(), ports.new_id("d"))
        if not request.dry_run:
            ports.decided(decision)
        task = request.task
        return recommended(decision, ports.catalog.reached(decision.dispatch, task.parent, task.depth))

    async def _batch(self, params: RecommendBatchParams) -> RecommendBatchResult:
        """However many questions come at once, those of others are answered in between."""
        decisions: list[RecommendResult | Failed] = []
        for one in params.tasks:
            decisions.append(self._one_of_batch(one))
            await self._ports.others_turn()
        return RecommendBatchResult(decisions=decisions)

    def _one_of_batch(self, request: Recommend) -> RecommendResult | Failed:
        """One question's error is its own; the others are answered."""
        try:
            return self._recommend(request)
        except RequestError as error:
            return Failed(error=error_object(error))

    def _models(self, params: ModelsParams) -> ModelsResult:
        catalog = self._ports.catalog
        models = catalog.models(params.tier, params.provider)
        return ModelsResult(models=models, prompt=catalog.prompt(), schema=catalog.schema())

    async def _report(self, params: ReportParams) -> ReportResult:
        ports, task, ref = self._ports, params.task, params.ref
        reported = await ports.commit(
            Report(
                outcome_id=params.outcome_id or ports.new_id("o"),
                at=ports.now(),
                by="report",
                outcome=_without_secrets(params.outcome),
                keys=() if ref is None else ref_keys(ref),
                scope=params.scope,
                decision_id=params.decision_id,
                dispatch=params.dispatch,
                features=None if task is None else extract(task, tier_of_parent(task, ports.catalog.tier)),
                agent=(ref.agent if ref else None) or (task.agent if task else None),
                overridden=params.overridden,
            )
        )
        return ReportResult(outcome_id=reported.outcome_id, duplicate=reported.duplicate)

    async def _feedback(self, params: FeedbackParams) -> FeedbackResult:
        """A verdict is a report of its own, on the unit that the decision or the outcome id names."""
        named = params.outcome_id
        good = params.verdict == "good"
        reported = await self._ports.commit(
            Report(
                outcome_id=self._ports.new_id("f"),
                at=self._ports.now(),
                by="feedback",
                outcome=Outcome(succeeded=good),
                keys=() if named is None else (named, report_key(named)),
                decision_id=params.decision_id,
                note=params.note and redact(params.note),
            )
        )
        return FeedbackResult(outcome_id=named or reported.outcome_id, succeeded=good)

    async def _explain(self, params: ExplainParams) -> ExplainResult:
        known = await self._ports.explained(params.decision_id)
        if known is None:
            raise NoSuchDecision(f"no decision {params.decision_id!r} is known", {"decision_id": params.decision_id})
        decision = known.decision
        prices = prices_of(decision.considered, self._ports.objective)
        own, logs, prior = self._ports.engine.shares(decision.scope, decision.arm, self._ports.now())
        return ExplainResult(
            decision_id=decision.decision_id,
            at=decision.at,
            task=ExplainedTask(features=decision.features),
            arms=[
                ExplainedArm(
                    arm=one.arm,
                    dispatch=one.dispatch,
                    expected=one.expected,
                    utility=one.utility,
                    propensity=one.propensity,
                    removed_by=msgspec.UNSET if one.removed_by is None else one.removed_by,
                )
                for one in decision.considered
            ],
            chosen=decision.arm,
            gate=decision.gate,
            policy=decision.policy,
            nearest=known.nearest,
            evidence=EvidenceShares(own=own, logs=logs, prior=prior),
            outcome=msgspec.UNSET if known.outcome is None else known.outcome,
            basis=decision.basis,
            reason=decision.reason,
            prices=msgspec.UNSET
            if prices is None
            else Prices(**{n: getattr(prices, n) for n in Prices.__struct_fields__}),
            otherwise=[] if prices is None else changes(decision.considered, prices),
        )

    def _arms(self, params: ArmsParams) -> ArmsResult:
        return ArmsResult(arms=self._ports.engine.arms(params.scope or "default", params.kind, self._ports.now()))


def _without_secrets(outcome: Outcome) -> Outcome:
    """What went wrong is told in words of a program, which may quote a key."""
    return msgspec.structs.replace(outcome, error=redact(outcome.error)) if outcome.error is not None else outcome

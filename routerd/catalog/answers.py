"""What the catalogue is asked and what it answers, as values of the wire (CONTRACT §3.2)."""

import msgspec

from routerd.catalog.capability import Capability, Path, Tier
from routerd.catalog.prices import Price
from routerd.catalog.providers import Credential
from routerd.events import Dispatch, Executor, NotNegative, Parent, Role, Whole, Wire


class Call(Wire, frozen=True, kw_only=True):
    """What is said for a whole call, of which the task may be one of many; members as of `ResolveParams`."""

    model: str | None = None
    provider: str | None = None
    reasoning_effort: str | None = None
    parent: Parent | None = None
    acp_command: str | None = None
    acp_args: list[str] | None = None


class ResolveParams(Wire, frozen=True, kw_only=True):
    """
    The params of `resolve`. `model` is a model string as typed.

    Attributes:
        call: What counts where the task itself says nothing.
        failed: What this task was tried on before and failed, in order: dispatches, arm ids or model strings. With it
            the answer is at most one tier higher for each attempt.
        cost_usd, budget_usd: What the next attempt is expected to cost, and what is left for it.
        acp_command, acp_args: How an agent is started that speaks ACP; they come back as they are.
    """

    model: str | None = None
    provider: str | None = None
    reasoning_effort: str | None = None
    parent: Parent | None = None
    role: Role | None = None
    depth: Whole = 0
    call: Call | None = None
    failed: list[Dispatch | str] | None = None
    cost_usd: NotNegative | None = None
    budget_usd: NotNegative | None = None
    acp_command: str | None = None
    acp_args: list[str] | None = None


class Resolved(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """
    What a request runs on.

    Attributes:
        dispatch: As it would run: the model as the provider takes it, the effort as the provider takes it.
        resolved_by: Who named the model: `task`, `call`, `delegation`, `parent`; or, for a provider without a model,
            `default_model` (configured), `runtime_default` (the provider's own), `parent_model`; `pool_default` when
            the one asked for is outside the pool; `inherit` when nobody names one.
        warnings: What the client should know, in words.
        max_concurrent_children: How many such children the asking task may have at once; 0 when it is too deep.
    """

    dispatch: Dispatch
    credential: Credential
    resolved_by: str
    warnings: list[str]
    max_concurrent_children: int
    base_url: str | None = None
    api_mode: str | None = None
    acp_command: str | None = None
    acp_args: list[str] | None = None


class ModelInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One model for an agent or a person to read; the ablest come first in a list."""

    id: str
    provider: str | None
    tier: Tier
    aliases: list[str]
    capability: Capability
    context_length: int | None
    price: Price | None
    strengths: list[str]
    in_pool: bool


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """A published figure: percent on a benchmark, with its source and that source's date."""

    benchmark: str
    percent: float
    source: str
    date: str
    url: str


class ReportRow(msgspec.Struct, frozen=True, kw_only=True):
    """All that the registry knows of a model's capability."""

    id: str
    provider: str | None
    family: str
    released: str | None
    score: float
    se: float
    tier: Tier
    path: Path
    source: str
    weighted: float | None
    fit: float | None
    fit_se: float | None
    figures: list[Figure]


class Attributes(msgspec.Struct, frozen=True, kw_only=True):
    """
    What the engine's priors know of an arm.

    Attributes:
        capability: In 0..1, by the fit where there is one; None when nothing at all is known.
        capability_se: Its standard error.
        log_price: Natural logarithm of US dollars per million blended tokens, or None.
        family: Line of models, or None.
        effort_level: 0 (none) to 1 (ultra), or None where no effort is said.
        path: How the capability is known, or None.
        strengths: Kinds of task that the pool says it is good at, spelled as features spell them.
    """

    capability: float | None
    capability_se: float
    log_price: float | None
    family: str | None
    provider: str | None
    effort_level: float | None
    path: Path | None
    executor: Executor
    role: Role | None
    strengths: tuple[str, ...] = ()

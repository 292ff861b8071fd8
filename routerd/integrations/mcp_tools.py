"""
What the tools of the MCP server take, answer and say of themselves: values and their JSON schemas.

A tool never fails because routerd is not there: every answer has `answered` and `note`, and where `answered` is false
the note says what the agent goes on with. Dispatches are given as members and named as `wording.named` does; an arm id
would teach a model to write `provider:model`.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from routerd.catalog import text
from routerd.events import Expected, Fraction, Gate, Whole

GO_ON: Final = "Go on as you would without routerd."
MODELS_PER_TIER: Final = 10

# --- what is asked --------------------------------------------------------------------------------------------------
# What may be left out is UNSET rather than null: so the schemas stay plain, and every model's provider takes them.


class Args(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of what tools take: an unknown member is refused, so that the model learns of its typing error."""


class Runner(Args, frozen=True, kw_only=True):
    """Somebody who could do the task, where a model's name is not all that is to be said."""

    model: Annotated[str, Meta(description="A model's id or alias, without its provider.")] | UnsetType = UNSET
    provider: Annotated[str, Meta(description="Who serves the model, as anthropic or openrouter.")] | UnsetType = UNSET
    reasoning_effort: Annotated[str, Meta(description="As low, medium, high.")] | UnsetType = UNSET
    profile: Annotated[str, Meta(description="The kind of sub-agent, as your agent calls it.")] | UnsetType = UNSET
    agent: Annotated[str, Meta(description="Another agent program, as codex.")] | UnsetType = UNSET
    role: Literal["leaf", "orchestrator"] | UnsetType = UNSET


Who = str | Runner
WHO: Final = '"local" for yourself, a model as list_models spells it ("glm-4.7 --provider zai"), or an object.'

Goal = Annotated[str, Meta(min_length=1, description="What is to be done, as you would hand it to a sub-agent.")]
Context = Annotated[str, Meta(description="What you would hand over beside the goal.")]
Kind = Annotated[str, Meta(description="Your own word for the kind of task; otherwise it is inferred.")]
Candidates = Annotated[
    list[Who], Meta(min_length=1, description=f"Those to choose among; without it, all that are known. Each is {WHO}")
]
Incumbent = Annotated[Who, Meta(description=f"Who would do it without routerd: {WHO}")]
Ran = Annotated[Who, Meta(description=f"Who really did it, if not the one recommended: {WHO}")]
Objective = Annotated[
    Literal["balanced", "fast", "cheap", "best"], Meta(description="What counts most; balanced if left out.")
]
Dollars = Annotated[float, Meta(ge=0.0, description="US dollars.")]
MaxCost = Annotated[float, Meta(ge=0.0, description="Leave out whoever is expected to cost more.")]
MaxTime = Annotated[int, Meta(ge=0, description="Leave out whoever is expected to take longer.")]
MinSuccess = Annotated[float, Meta(ge=0.0, le=1.0, description="Leave out whoever is less likely to succeed.")]
Depth = Annotated[int, Meta(ge=0, description="0 for a task of the user's, 1 inside a sub-agent, and so on.")]
Succeeded = Annotated[
    bool | Fraction | None,
    Meta(description="Whether the task was done: true, false, a share from 0 to 1, or null if you cannot tell."),
]
DecisionId = Annotated[str, Meta(description="As recommend gave it.")]
OutcomeId = Annotated[str, Meta(min_length=1, description="An id of your own: the same report sent again counts once.")]
TierName = Annotated[str, Meta(description="Only frontier, advanced, mid, light, or a tier of the user's own.")]
PerTier = Annotated[int, Meta(ge=1, description="At most so many of each tier, the ablest first.")]


class RecommendArgs(Args, frozen=True, kw_only=True):
    """What is to be done, by whom it could be, and what matters."""

    goal: Goal
    context: Context | UnsetType = UNSET
    kind: Kind | UnsetType = UNSET
    cwd: Annotated[str, Meta(description="The directory of the work.")] | UnsetType = UNSET
    candidates: Candidates | UnsetType = UNSET
    incumbent: Incumbent | UnsetType = UNSET
    own_model: Annotated[str, Meta(description="The model that you yourself run on.")] | UnsetType = UNSET
    objective: Objective | UnsetType = UNSET
    max_cost_usd: MaxCost | UnsetType = UNSET
    max_wall_time_ms: MaxTime | UnsetType = UNSET
    min_success: MinSuccess | UnsetType = UNSET
    depth: Depth = 0
    session_id: Annotated[str, Meta(description="Your session, if you know its id.")] | UnsetType = UNSET


class ReportArgs(Args, frozen=True, kw_only=True):
    """How a recommended task went; or, with `goal` and `ran`, one that nothing was recommended for."""

    succeeded: Succeeded
    decision_id: DecisionId | UnsetType = UNSET
    ran: Ran | UnsetType = UNSET
    goal: Annotated[str, Meta(description="What was to be done, where there is no decision_id.")] | UnsetType = UNSET
    wall_time_ms: Whole | UnsetType = UNSET
    cost_usd: Dollars | UnsetType = UNSET
    input_tokens: Whole | UnsetType = UNSET
    output_tokens: Whole | UnsetType = UNSET
    error: Annotated[str, Meta(description="What went wrong, in a few words.")] | UnsetType = UNSET
    outcome_id: OutcomeId | UnsetType = UNSET


class ListModelsArgs(Args, frozen=True, kw_only=True):
    """Which models are wanted; all in the pool, where nothing is said."""

    tier: TierName | UnsetType = UNSET
    provider: Annotated[str, Meta(description="Only models of this provider.")] | UnsetType = UNSET
    per_tier: PerTier = MODELS_PER_TIER


class ExplainArgs(Args, frozen=True, kw_only=True):
    """Which decision is to be explained."""

    decision_id: DecisionId


class StatusArgs(Args, frozen=True, kw_only=True):
    """Nothing is asked but how things are."""


AnyArgs = RecommendArgs | ReportArgs | ListModelsArgs | ExplainArgs | StatusArgs

# --- what is answered -----------------------------------------------------------------------------------------------


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all answers."""

    answered: Annotated[bool, Meta(description="False: routerd said nothing, and `note` says what to do.")]
    note: Annotated[str, Meta(description="The answer in words.")]


class Choice(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who may do the task; `local` is the agent itself."""

    executor: Literal["local", "delegate"]
    agent: str | None = None
    profile: str | None = None
    provider: str | None = None
    model: str | None = None
    reasoning_effort: str | None = None
    role: Literal["leaf", "orchestrator"] | None = None


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """One who could do it, and what is expected of it: means with their 90 % intervals, `n` outcomes behind them."""

    name: str
    dispatch: Choice
    expected: Expected


class Recommended(Answer, frozen=True, kw_only=True):
    """The answer of `recommend`."""

    decision_id: Annotated[str, Meta(description="Hand it to report_outcome and explain.")] | UnsetType = UNSET
    use: Candidate | UnsetType = UNSET
    alternatives: list[Candidate] | UnsetType = UNSET
    apply: Annotated[bool, Meta(description="Sure enough to be followed without asking.")] | UnsetType = UNSET
    explored: Annotated[bool, Meta(description="Tried in order to learn.")] | UnsetType = UNSET
    warnings: list[str] | UnsetType = UNSET


class Told(Answer, frozen=True, kw_only=True):
    """The answer of `report_outcome`."""

    outcome_id: str | UnsetType = UNSET
    duplicate: bool | UnsetType = UNSET


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """One model; prices in US dollars per million tokens."""

    model: str
    provider: str | None
    tier: str | None
    aliases: list[str]
    context_length: int | None
    input_price: float | None
    output_price: float | None
    strengths: list[str]


class Models(Answer, frozen=True, kw_only=True):
    """The answer of `list_models`."""

    models: list[Model] | UnsetType = UNSET
    left_out: int | UnsetType = UNSET


class Weighed(msgspec.Struct, frozen=True, kw_only=True):
    """One who was considered; `removed_by` says what took it out."""

    name: str
    expected: Expected
    chance: Annotated[float, Meta(description="The probability with which it was drawn.")]
    removed_by: str | None = None


class Explained(Answer, frozen=True, kw_only=True):
    """The answer of `explain`."""

    chosen: str | UnsetType = UNSET
    gate: Gate | UnsetType = UNSET
    weighed: list[Weighed] | UnsetType = UNSET
    nearest: list[dict[str, Any]] | UnsetType = UNSET
    evidence: dict[str, float] | UnsetType = UNSET
    outcome: dict[str, Any] | UnsetType = UNSET


class State(Answer, frozen=True, kw_only=True):
    """The answer of `status`."""

    mode: str | UnsetType = UNSET
    version: str | UnsetType = UNSET
    counts: dict[str, int] | UnsetType = UNSET
    agents: list[str] | UnsetType = UNSET
    behind_bytes: int | UnsetType = UNSET


# --- what the tools say of themselves -------------------------------------------------------------------------------


class Tool(msgspec.Struct, frozen=True):
    """A tool as the server lists it; its name is its key in `TOOLS`."""

    title: str
    description: str
    args: type[AnyArgs]
    answer: type[Answer]
    reads_only: bool


def _tool(title: str, description: str, args: type[AnyArgs], answer: type[Answer], *, reads_only: bool = True) -> Tool:
    return Tool(title, f"{description} {text.spellings()}", args, answer, reads_only)


TOOLS: Final[Mapping[str, Tool]] = {
    "recommend": _tool(
        "Who should do this task",
        "Says which model (or you yourself) should do a task, from how such tasks went before. Call it before you hand "
        "a task to a sub-agent or choose a model for it; it answers at once. Afterwards tell how it went with "
        "report_outcome and the decision_id.",
        RecommendArgs,
        Recommended,
        reads_only=False,
    ),
    "report_outcome": _tool(
        "How a task went",
        "Tells routerd how a task went, so that later recommendations are better. Call it once a recommended task has "
        "ended, also when it failed or somebody else did it.",
        ReportArgs,
        Told,
        reads_only=False,
    ),
    "list_models": Tool("Which models there are", text.LIST_MODELS, ListModelsArgs, Models, True),
    "explain": _tool(
        "Why it was recommended",
        "Says what was expected of each candidate of a recommendation, what was ruled out and why, and the most "
        "similar tasks of the past.",
        ExplainArgs,
        Explained,
    ),
    "status": _tool(
        "How routerd is",
        "Says whether routerd runs, in which mode it is here, and how much it has learnt.",
        StatusArgs,
        State,
    ),
}

INSTRUCTIONS: Final = (
    "routerd has learnt from this machine's agent logs which model does which task well. Before you hand a task to a "
    "sub-agent, ask `recommend`; after it has ended, tell `report_outcome`. Where a tool answers `answered: false`, go "
    "on as you would without routerd. " + text.spellings()
)


def schema(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """The JSON schema of a Struct, with an object at its root, as MCP wants it."""
    (root,), parts = msgspec.json.schema_components([kind], ref_template="#/$defs/{name}")
    name = root["$ref"].rpartition("/")[2]
    whole: dict[str, Any] = parts.pop(name)
    return {**whole, "$defs": parts} if parts else whole

"""From what a model asks to what the daemon takes, and from what the daemon answers to what a model reads."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import UNSET

from routerd.catalog import text
from routerd.catalog.answers import ModelInfo
from routerd.events import Dispatch, Estimate, Expected, Gate
from routerd.integrations.mcp_tools import (
    Candidate,
    Choice,
    Explained,
    Model,
    Models,
    RecommendArgs,
    Recommended,
    ReportArgs,
    Runner,
    State,
    Weighed,
    Who,
)
from routerd.integrations.wording import dispatch_named, named, named_arm, without_arm_ids

ARMS_SHOWN: Final = 10

# --- to the daemon --------------------------------------------------------------------------------------------------


def dispatch_of(who: Who, path: str) -> Dispatch:
    """
    The dispatch that a model means.

    Raises:
        InvalidParams: It is no spelling of one.
    """
    if isinstance(who, Runner):
        return Dispatch(executor="delegate", **_set(msgspec.structs.asdict(who)))
    return dispatch_named(who, path)


def task_of(args: RecommendArgs, agent: str) -> dict[str, Any]:
    """
    The task of a question, as the daemon takes it.

    Raises:
        InvalidParams: `own_model` is no model.
    """
    own = dispatch_named(args.own_model, "own_model") if args.own_model else None
    members = {
        "goal": args.goal,
        "context": args.context,
        "kind": args.kind,
        "cwd": args.cwd,
        "parent": {"model": own.model, "provider": own.provider} if own else UNSET,
        "depth": args.depth,
        "agent": agent,
        "session_id": args.session_id,
    }
    return _set(members)


def question(args: RecommendArgs, agent: str) -> dict[str, Any]:
    """
    The params of the daemon's `recommend`.

    Raises:
        InvalidParams: A candidate or the incumbent is no spelling of one.
    """
    names = ("max_cost_usd", "max_wall_time_ms", "min_success")
    limits = _set({name: getattr(args, name) for name in names})
    members: dict[str, Any] = {
        "task": task_of(args, agent),
        "constraints": limits or UNSET,
        "objective": args.objective,
    }
    if args.candidates is not UNSET:
        members["candidates"] = [plain(dispatch_of(who, f"candidates.{i}")) for i, who in enumerate(args.candidates)]
    if args.incumbent is not UNSET:
        members["incumbent"] = plain(dispatch_of(args.incumbent, "incumbent"))
    return _set(members)


def outcome_of(args: ReportArgs) -> dict[str, Any]:
    """The outcome in a report; `succeeded` is said even where it is unknown."""
    names = ("wall_time_ms", "cost_usd", "input_tokens", "output_tokens", "error")
    return {"succeeded": args.succeeded, **_set({name: getattr(args, name) for name in names})}


# --- to the model ---------------------------------------------------------------------------------------------------


def recommended(answer: Mapping[str, Any], mode: str) -> Recommended:
    """What the model is told of a decision."""
    use = _candidate(answer)
    gate = answer["gate"]
    sure = bool(gate["apply"])
    heading = "Use" if mode == "enforce" and sure else "routerd would use"
    words = [
        f"{heading}: {use.name}" + (" (that is you: do not hand it on)." if use.dispatch.executor == "local" else "."),
        f"Why: {without_arm_ids(answer['reason'])}.",
        f"{'Sure enough to follow' if sure else 'This is advice'}: {without_arm_ids(gate['reason'])}.",
        *(f"Warning: {without_arm_ids(warning)}." for warning in answer.get("warnings", ())),
        f"When it has ended, call report_outcome with decision_id {answer['decision_id']}.",
    ]
    return Recommended(
        answered=True,
        note="\n".join(words),
        decision_id=answer["decision_id"],
        use=use,
        alternatives=[_candidate(one) for one in answer["alternatives"]],
        apply=sure,
        explored=answer["explored"],
        warnings=list(answer["warnings"]) if answer.get("warnings") else UNSET,
    )


def _candidate(one: Mapping[str, Any]) -> Candidate:
    dispatch = msgspec.convert(one["dispatch"], Choice)
    return Candidate(
        name=named(Dispatch(**msgspec.structs.asdict(dispatch))),
        dispatch=dispatch,
        expected=msgspec.convert(one["expected"], Expected),
    )


def models(found: Sequence[ModelInfo], per_tier: int) -> Models:
    """The ablest models of each tier inside the pool; `found` in rank order."""
    inside = [one for one in found if one.in_pool]
    seen: dict[str | None, int] = {}
    shown = [one for one in inside if (seen := {**seen, one.tier: seen.get(one.tier, 0) + 1})[one.tier] <= per_tier]
    left_out = len(inside) - len(shown)
    more = f"\n{left_out} more are known; ask with tier, provider or per_tier.\n" if left_out else ""
    return Models(
        answered=True, note=text.prompt(shown) + more, models=[_model(one) for one in shown], left_out=left_out
    )


def _model(one: ModelInfo) -> Model:
    return Model(
        model=one.id,
        provider=one.provider,
        tier=one.tier,
        aliases=one.aliases,
        context_length=one.context_length,
        input_price=one.price.input if one.price else None,
        output_price=one.price.output if one.price else None,
        strengths=one.strengths,
    )


def explained(answer: Mapping[str, Any]) -> Explained:
    """What the model is told of why."""
    weighed = [
        Weighed(
            name=named_arm(one["arm"]),
            expected=msgspec.convert(one["expected"], Expected),
            chance=one["propensity"],
            removed_by=one.get("removed_by"),
        )
        for one in answer["arms"]
    ]
    chosen = named_arm(answer["chosen"])
    gate = Gate(answer["gate"]["apply"], without_arm_ids(answer["gate"]["reason"]))
    lines = [f"Chosen: {chosen}. Gate: {'apply' if gate.apply else 'advice only'}: {gate.reason}."]
    lines += [f"- {_line(one)}" for one in weighed[:ARMS_SHOWN]]
    outcome = answer.get("outcome")
    if outcome is not None:
        lines.append(f"It succeeded: {_known(outcome.get('succeeded'))}.")
    return Explained(
        answered=True,
        note="\n".join(lines),
        chosen=chosen,
        gate=gate,
        weighed=weighed,
        nearest=[{**one, "arm": named_arm(one["arm"])} for one in answer["nearest"]],
        evidence=answer["evidence"],
        outcome=UNSET if outcome is None else outcome,
    )


def _line(one: Weighed) -> str:
    success, time, cost = one.expected.success, one.expected.wall_time_ms, one.expected.cost_usd
    said = f"{one.name}: success {_percent(success)}, {time.mean / 1000:.0f} s, ${cost.mean:.3f}"
    return said + (f" (left out: {one.removed_by})" if one.removed_by else f", drawn with {one.chance:.0%}")


def state(answer: Mapping[str, Any], mode: str) -> State:
    """What the model is told of the daemon."""
    counts = answer["counts"]
    agents = sorted({source["agent"] for source in answer["sources"]})
    behind = sum(source["lag_bytes"] for source in answer["sources"])
    return State(
        answered=True,
        note=f"routerd {answer['version']} runs, in mode {mode} here. It knows {counts['outcomes']} outcomes of "
        f"{', '.join(agents) or 'no agent'}" + (f", {behind} bytes behind." if behind else "."),
        mode=mode,
        version=answer["version"],
        counts=counts,
        agents=agents,
        behind_bytes=behind,
    )


def arms_table(arms: Sequence[Mapping[str, Any]]) -> str:
    """The table of arms in Markdown, the best known first."""
    if not arms:
        return "No arm is known yet: nothing was read, and the pool is empty.\n"
    rows = ["| who | success | outcomes | time | cost |", "|---|---|---|---|---|"]
    for arm in arms:
        after = msgspec.convert(arm["posterior"], Expected)
        rows.append(
            f"| {named_arm(arm['arm'])}{'' if arm['in_pool'] else ' (outside the pool)'} | {_percent(after.success)} "
            f"| {arm['n']:.1f} | {after.wall_time_ms.mean / 1000:.0f} s | ${after.cost_usd.mean:.3f} |"
        )
    return "\n".join([*rows, "", "Success with its 90 % interval. " + text.spellings(), ""])


def _percent(success: Estimate) -> str:
    return f"{success.mean:.0%} [{100 * success.low:.0f}-{100 * success.high:.0f}]"


def _known(succeeded: float | bool | None) -> str:
    return "not known" if succeeded is None else f"{float(succeeded):.0%}"


def plain(dispatch: Dispatch) -> dict[str, Any]:
    """A dispatch as the wire has it."""
    found: dict[str, Any] = msgspec.to_builtins(dispatch)
    return found


def _set(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not UNSET}

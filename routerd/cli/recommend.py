"""`routerctl recommend GOAL`: which dispatch wins for this task, and why."""

from typing import Annotated, Any, Literal

from cyclopts import Parameter

from routerd.cli.common import DEFAULTS, Common, ask, show
from routerd.cli.view import console, dollars, duration, interval, percent, print_table
from routerd.errors import UsageError


def recommend(
    goal: str,
    *,
    context: str | None = None,
    kind: str | None = None,
    repo: str | None = None,
    cwd: str | None = None,
    token_estimate: int | None = None,
    depth: int | None = None,
    role: Literal["leaf", "orchestrator"] | None = None,
    agent: str | None = None,
    session_id: str | None = None,
    scope: str | None = None,
    candidate: Annotated[list[str] | None, Parameter(negative=())] = None,
    incumbent: str | None = None,
    pin: str | None = None,
    max_cost_usd: float | None = None,
    max_wall_time_ms: int | None = None,
    min_success: float | None = None,
    tier: Annotated[list[str] | None, Parameter(negative=())] = None,
    objective: Literal["balanced", "fast", "cheap", "best"] | None = None,
    explore: bool | None = None,
    top: int | None = None,
    dry_run: Annotated[bool, Parameter(negative=())] = False,
    common: Common = DEFAULTS,
) -> int:
    """Which dispatch wins for this task, and why.

    Example: routerctl recommend "fix the failing test in parser.py" --incumbent delegate:anthropic:claude-opus-5

    Parameters
    ----------
    goal: str
        What is to be done, as it would be handed to a sub-agent.
    context: str
        What would be handed over beside the goal.
    kind: str
        Your own word for the kind of task; otherwise it is inferred.
    repo: str
        The repository's address or path; only a hash of it is kept. Without it, that of --cwd.
    cwd: str
        Where the task would be done.
    token_estimate: int
        How many tokens it will take, as far as you can tell.
    depth: int
        How many agents stand above the one that asks; 0 for the one that a person talks to.
    role: str
        What the child is to be.
    agent: str
        The agent that asks, such as claude-code, codex or hermes.
    session_id: str
        Its session; the same question in one session gets the same answer for a while.
    scope: str
        Learn and choose apart from other scopes, such as one for each team.
    candidate: list[str]
        An arm to choose among (see `routerctl arms`); give it once for each. Without it, all known arms.
    incumbent: str
        The arm that would be used otherwise; the gate compares with it.
    pin: str
        The arm that must be used; it wins and is recorded as pinned.
    tier: list[str]
        Only arms of these tiers.
    max_cost_usd: float
        Only arms that are expected to cost no more.
    max_wall_time_ms: int
        Only arms that are expected to take no longer.
    min_success: float
        Only arms whose expected success is at least this, 0 to 1.
    objective: str
        What matters most; otherwise what the configuration says.
    explore: bool
        Whether a less certain arm may be tried.
    top: int
        How many other arms are shown.
    dry_run: bool
        Answer without recording a decision.
    """
    task = {
        "goal": goal,
        "context": context,
        "kind": kind,
        "repo": repo,
        "cwd": cwd,
        "token_estimate": token_estimate,
        "depth": depth,
        "role": role,
        "agent": agent,
        "session_id": session_id,
    }
    constraints = {
        "max_cost_usd": max_cost_usd,
        "max_wall_time_ms": max_wall_time_ms,
        "min_success": min_success,
        "tiers": tier or None,
    }
    params = {
        "task": _set(task),
        "scope": scope,
        "candidates": candidate or None,
        "incumbent": incumbent,
        "pinned": _dispatch(pin, "--pin"),
        "constraints": _set(constraints) or None,
        "objective": objective,
        "explore": explore,
        "top": top,
        "dry_run": dry_run or None,
    }
    return show(ask("recommend", params, common), common, render)


def _set(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def _dispatch(arm: str | None, flag: str) -> dict[str, Any] | None:
    """
    The dispatch of the arm id that a flag gave, as the wire wants it.

    Raises:
        UsageError: It is no arm id.
    """
    if arm is None:
        return None
    from routerd.events import arm_dispatch  # noqa: PLC0415

    try:
        dispatch = arm_dispatch(arm)
    except ValueError as error:
        raise UsageError(f"{flag}: {error}") from None
    return {name: value for name in dispatch.__struct_fields__ if (value := getattr(dispatch, name)) is not None}


def render(answer: dict[str, Any]) -> None:
    """The pick, the reason, and what else there was."""
    out = console()
    out.print(f"{answer['arm']}  ({answer['basis']}, propensity {percent(answer['propensity'])})", style="bold")
    out.print(answer["reason"])
    gate = answer["gate"]
    out.print(f"gate: {'apply' if gate['apply'] else 'advice only'}: {gate['reason']}")
    for warning in answer.get("warnings", ()):
        out.print(f"warning: {warning}")
    out.print()
    rows = [expected_row(answer["arm"], answer["expected"], answer["utility"])]
    rows += [expected_row(one["arm"], one["expected"], one["utility"]) for one in answer["alternatives"]]
    print_table(out, ("arm", "success", "time", "cost", "worth"), rows, right=(2, 3, 4), less=("worth", "cost", "time"))
    out.print(f"\nwhy: routerctl explain {answer['decision_id']}", style="dim")


def expected_row(arm: str, expected: dict[str, Any], utility: float) -> tuple[str, ...]:
    """One arm's expectations."""
    success = expected["success"]
    return (
        arm,
        interval(success["mean"], success["low"], success["high"]),
        duration(expected["wall_time_ms"]["mean"]),
        dollars(expected["cost_usd"]["mean"]),
        f"{utility:+.3f}",
    )

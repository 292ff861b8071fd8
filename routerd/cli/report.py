"""`routerctl report`: how a task went."""

from typing import Annotated, Any, Literal

from cyclopts import Parameter

from routerd.cli.common import DEFAULTS, Common, ask, show
from routerd.cli.recommend import _dispatch, _set
from routerd.cli.view import console
from routerd.errors import UsageError

SUCCEEDED = {"yes": True, "no": False, "unknown": None}


def report(
    *,
    decision_id: str | None = None,
    outcome_id: str | None = None,
    goal: str | None = None,
    dispatch: str | None = None,
    scope: str | None = None,
    overridden: Annotated[bool, Parameter(negative=())] = False,
    succeeded: Literal["yes", "no", "unknown"] = "unknown",
    wall_time_ms: int | None = None,
    cost_usd: float | None = None,
    cost_tokens: int | None = None,
    input_tokens: int | None = None,
    output_tokens: int | None = None,
    cache_read_tokens: int | None = None,
    cache_write_tokens: int | None = None,
    error: str | None = None,
    finished_at: float | None = None,
    agent: str | None = None,
    session_id: str | None = None,
    tool_use_id: str | None = None,
    child_id: str | None = None,
    delegation_id: str | None = None,
    task_index: int | None = None,
    common: Common = DEFAULTS,
) -> int:
    """How a task went; returns once that is on disk.

    Example: routerctl report --decision-id d_0193 --succeeded yes --wall-time-ms 48000

    Parameters
    ----------
    decision_id: str
        The decision that the task followed. Without one, give --goal and --dispatch.
    outcome_id: str
        An id of your own: the same report sent again counts once.
    goal: str
        What was to be done, where no decision is named.
    dispatch: str
        The arm that really ran.
    scope: str
        As for `recommend`.
    overridden: bool
        Something else ran than was recommended.
    succeeded: str
        Whether it did what it was meant to.
    wall_time_ms: int
        How long it took.
    cost_usd: float
        What it cost; otherwise it is reckoned from tokens, by list price.
    cost_tokens: int
        Tokens in all, where they are not known one by one.
    input_tokens: int
        Tokens that were sent and not in the cache.
    output_tokens: int
        Tokens that the model wrote.
    cache_read_tokens: int
        Tokens that came from the cache.
    cache_write_tokens: int
        Tokens that went into the cache.
    error: str
        What went wrong, in the agent's words.
    finished_at: float
        When it ended, in Unix seconds; otherwise now.
    agent: str
        With --tool-use-id, --child-id or --delegation-id: the unit of work as the agent's own log names it.
    session_id: str
        The agent's session.
    tool_use_id: str
        The call that handed the task on.
    child_id: str
        The child that did it.
    delegation_id: str
        The delegation, for agents that number them.
    task_index: int
        Which task of a call that handed on several; the first is 0.
    """
    outcome: dict[str, Any] = _set(
        {
            "wall_time_ms": wall_time_ms,
            "cost_usd": cost_usd,
            "cost_tokens": cost_tokens,
            "input_tokens": input_tokens,
            "output_tokens": output_tokens,
            "cache_read_tokens": cache_read_tokens,
            "cache_write_tokens": cache_write_tokens,
            "error": error,
            "finished_at": finished_at,
        }
    )
    ref = {
        "agent": agent,
        "session_id": session_id,
        "tool_use_id": tool_use_id,
        "child_id": child_id,
        "delegation_id": delegation_id,
        "task_index": task_index,
    }
    if decision_id is None and (goal is None or dispatch is None):
        raise UsageError("say what it is of: --decision-id ID, or else --goal and --dispatch")
    params = {
        "outcome": {"succeeded": SUCCEEDED[succeeded], **outcome},
        "decision_id": decision_id,
        "outcome_id": outcome_id,
        "ref": _set(ref) if agent else None,
        "task": {"goal": goal} if goal is not None else None,
        "dispatch": _dispatch(dispatch, "--dispatch"),
        "scope": scope,
        "overridden": overridden or None,
    }
    return show(ask("report", params, common), common, render)


def render(answer: dict[str, Any]) -> None:
    """One line."""
    console().print(f"{answer['outcome_id']}{' was reported before' if answer['duplicate'] else ' is on disk'}")

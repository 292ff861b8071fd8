"""The guard on escalation: at most one tier up for each failed attempt of the same task, within pool and budget."""

from collections.abc import Callable, Sequence

from routerd.events import Dispatch


def refusal(
    tried: Sequence[Dispatch],
    to: Dispatch,
    *,
    rank: Callable[[Dispatch], int | None],
    in_pool: Callable[[Dispatch], bool],
    cost_usd: float | None,
    budget_usd: float | None,
) -> str | None:
    """
    Why a task may not go on to another dispatch, or None if it may.

    Args:
        tried: The failed attempts of this task, in order.
        to: The next dispatch.
        rank: Tier as a number, higher is abler; None where it is not known.
        in_pool: Whether a dispatch is allowed at all.
        cost_usd: What the next attempt is expected to cost, US dollars; None where nobody knows.
        budget_usd: What is left to spend, or None for no limit.
    """
    if not in_pool(to):
        return "outside the pool"
    if budget_usd is not None and (cost_usd is None or cost_usd > budget_usd):
        cost = "unknown" if cost_usd is None else f"${cost_usd:.2f}"
        return f"over the budget: its cost is {cost}, ${budget_usd:.2f} are left"
    if not tried:
        return None
    first, last, next_ = rank(tried[0]), rank(tried[-1]), rank(to)
    if next_ is None or first is None or last is None:
        return None if last == next_ else "its tier is not known"
    if next_ > last + 1 or next_ > first + len(tried):
        return f"{next_ - first} tiers up after {len(tried)} failed attempts; one tier for each is allowed"
    return None

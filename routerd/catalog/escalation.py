"""The guard on escalation: at most one tier up for each failed attempt of the same task, within pool and budget."""

from collections.abc import Callable, Sequence

from routerd.catalog.spelling import parse
from routerd.errors import InvalidParams
from routerd.events import Dispatch, Parent, arm_dispatch


def attempt(named: Dispatch | str, parent: Parent | None, path: str) -> Dispatch:
    """
    The dispatch that an attempt ran on.

    Args:
        named: A dispatch, an arm id or a model string.
        parent: What the agent itself runs on, for what it tried itself.
        path: Where it stands, for the message.

    Raises:
        InvalidParams: It is none of these.
    """
    if isinstance(named, str):
        named = _named(named, path)
    if named.executor == "local" and parent is not None:
        return Dispatch(executor="delegate", provider=parent.provider, model=parent.model)
    return named


def _named(text: str, path: str) -> Dispatch:
    if text != "local" and not text.startswith("delegate:"):
        typed = parse(text, path)
        return Dispatch(executor="delegate", model=typed.model, provider=typed.provider)
    try:
        return arm_dispatch(text)
    except ValueError as error:
        raise InvalidParams(f"{path}: {error}", {"path": path, "reason": str(error)}) from None


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
    last, next_ = rank(tried[-1]), rank(to)
    if next_ is None or last is None:
        return None if to.model == tried[-1].model else "its tier is not known"
    if next_ > last + 1:
        return f"{next_ - last} tiers above the last failed attempt; one step for each is allowed"
    return None

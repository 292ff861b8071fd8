"""From what a log says to what is kept: features are added and the text is taken away, and later a price is added."""

from collections.abc import Callable
from typing import Any

import msgspec

from routerd.events import Completion, Dispatch, Task, Tokens
from routerd.records import Seen
from routerd.redact import redact

Price = Callable[[str | None, str, Tokens, float | None], float | None]
Features = Callable[[Task], dict[str, Any]]


class Describe:
    """
    Makes of a completion what the store keeps.

    Args:
        features: `features.extract`.
        store_text: Keep the goal, redacted; otherwise no text is kept at all.
    """

    def __init__(self, *, features: Features, store_text: bool) -> None:
        self._features = features
        self._store_text = store_text

    def __call__(self, completion: Completion, origin: str) -> Seen:
        features = self._features(completion.task)
        return Seen(completion=self._textless(completion), features=features, origin=origin)

    def _textless(self, completion: Completion) -> Completion:
        goal = redact(completion.task.goal) if self._store_text else ""
        task = msgspec.structs.replace(completion.task, goal=goal, context=None)
        return msgspec.structs.replace(completion, task=task)


def priced(seen: Seen, price: Price) -> Seen:
    """
    What was seen with what it cost by list price, where nobody says what it cost and the price is known.

    Args:
        seen: As `Describe` made it.
        price: `Catalog.price`: US dollars, None when unknown.
    """
    completion = seen.completion
    if completion.cost_usd is not None or completion.tokens is None:
        return seen
    model = _model(completion.ran, completion.task)
    if model is None:
        return seen
    provider = completion.ran.provider or (completion.task.parent.provider if completion.task.parent else None)
    cost = price(provider, model, completion.tokens, completion.ended_at)
    estimated = completion.tokens.estimated or completion.cost_estimated
    completion = msgspec.structs.replace(completion, cost_usd=cost, cost_estimated=estimated)
    return Seen(completion=completion, features=seen.features, origin=seen.origin)


def _model(ran: Dispatch, task: Task) -> str | None:
    """What the tokens were spent on: the child's model, or the agent's own for a turn."""
    if ran.model is not None or ran.executor == "delegate":
        return ran.model
    return task.parent.model if task.parent else None

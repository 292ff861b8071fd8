"""From what a log says to what is kept: features and a list price are added, the text is taken away."""

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
        price: `Catalog.price`: US dollars by list price, None when unknown.
        store_text: Keep the goal, redacted; otherwise no text is kept at all.
    """

    def __init__(self, *, features: Features, price: Price, store_text: bool) -> None:
        self._features = features
        self._price = price
        self._store_text = store_text

    def __call__(self, completion: Completion, origin: str) -> Seen:
        features = self._features(completion.task)
        return Seen(completion=self._textless(self._priced(completion)), features=features, origin=origin)

    def _priced(self, completion: Completion) -> Completion:
        model = _model(completion.ran, completion.task)
        if completion.cost_usd is not None or completion.tokens is None or model is None:
            return completion
        provider = completion.ran.provider or (completion.task.parent.provider if completion.task.parent else None)
        cost = self._price(provider, model, completion.tokens, completion.ended_at)
        estimated = completion.tokens.estimated or completion.cost_estimated
        return msgspec.structs.replace(completion, cost_usd=cost, cost_estimated=estimated)

    def _textless(self, completion: Completion) -> Completion:
        goal = redact(completion.task.goal) if self._store_text else ""
        task = msgspec.structs.replace(completion.task, goal=goal, context=None)
        return msgspec.structs.replace(completion, task=task)


def _model(ran: Dispatch, task: Task) -> str | None:
    """What the tokens were spent on: the child's model, or the agent's own for a turn."""
    if ran.model is not None or ran.executor == "delegate":
        return ran.model
    return task.parent.model if task.parent else None

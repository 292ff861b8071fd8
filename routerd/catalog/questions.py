"""
Whether a client's own words in a question mean anything: the models and efforts of its dispatches, and its tiers.

What a log says is taken as it is; what somebody asks for is not. An arm id is taken as it is too: routerd gave it.
A model that nobody lists is no mistake here, for an agent may have models that routerd has never heard of.
"""

from collections.abc import Callable

from routerd.catalog.names import Names, level_of
from routerd.catalog.spelling import parse
from routerd.errors import UnknownModel
from routerd.events import Dispatch, Recommend


def check(request: Recommend, names: Names, check_tier: Callable[[str, str], None]) -> None:
    """
    Looks at the candidates, the pin and the tiers of a question.

    Args:
        request: The question.
        names: Of the models.
        check_tier: Raises if there is no such tier; takes its name and its place.

    Raises:
        InvalidParams: A model string cannot be parsed, or there is no such effort or tier.
        UnknownModel: `provider:model`; the message has the right spelling.
    """
    for number, candidate in enumerate(request.candidates or ()):
        if isinstance(candidate, Dispatch):
            _check_dispatch(candidate, f"candidates[{number}]", names)
    if request.pinned is not None:
        _check_dispatch(request.pinned, "pinned", names)
    for number, tier in enumerate((request.constraints.tiers if request.constraints else None) or ()):
        check_tier(tier, f"constraints.tiers[{number}]")


def _check_dispatch(dispatch: Dispatch, path: str, names: Names) -> None:
    if dispatch.reasoning_effort:
        level_of(dispatch.reasoning_effort, f"{path}.reasoning_effort")
    if not dispatch.model:
        return
    invented = names.invented(parse(dispatch.model, f"{path}.model").model)
    if invented is not None and (invented.known or dispatch.provider is None):
        raise UnknownModel(f"{path}.model: {dispatch.model!r} {invented.reason}", {"suggestions": [invented.right]})

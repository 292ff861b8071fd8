"""
Whether a client's own words in a question mean anything: the models and efforts of its dispatches, and its tiers.

What a log says is taken as it is; what somebody asks for is not. An arm id is taken as it is too: routerd gave it.
A model that nobody lists is no mistake here, for an agent may have models that routerd has never heard of.
"""

from collections.abc import Callable

import msgspec

from routerd.catalog.names import Names, level_of
from routerd.catalog.spelling import parse
from routerd.errors import InvalidParams, UnknownModel
from routerd.events import Dispatch, Recommend


class Fault(msgspec.Struct, frozen=True):
    """What is wrong with a dispatch: the member, the reason, and for a model the right spelling."""

    member: str
    reason: str
    right: str | None = None


def fault(dispatch: Dispatch, names: Names) -> Fault | None:
    """What is wrong with a client's own dispatch, or None."""
    try:
        if dispatch.reasoning_effort:
            level_of(dispatch.reasoning_effort)
        model = parse(dispatch.model).model if dispatch.model else None
    except InvalidParams as error:
        data = error.data or {}
        return Fault(data.get("path", "model"), data.get("reason", error.message))
    invented = None if model is None else names.invented(model)
    if invented is None or not (invented.known or dispatch.provider is None):
        return None
    return Fault("model", f"{dispatch.model!r} {invented.reason}", invented.right)


def check(
    request: Recommend, fault_of: Callable[[Dispatch], Fault | None], check_tier: Callable[[str, str], None]
) -> None:
    """
    Looks at the candidates, the pin and the tiers of a question.

    Args:
        request: The question.
        fault_of: `fault`, which may remember.
        check_tier: Raises if there is no such tier; takes its name and its place.

    Raises:
        InvalidParams: A model string cannot be parsed, or there is no such effort or tier.
        UnknownModel: `provider:model`; the message has the right spelling.
    """
    for number, candidate in enumerate(request.candidates or ()):
        if isinstance(candidate, Dispatch) and (found := fault_of(candidate)) is not None:
            raise _error(found, f"candidates[{number}]")
    if request.pinned is not None and (found := fault_of(request.pinned)) is not None:
        raise _error(found, "pinned")
    for number, tier in enumerate((request.constraints.tiers if request.constraints else None) or ()):
        check_tier(tier, f"constraints.tiers[{number}]")


def _error(found: Fault, place: str) -> InvalidParams | UnknownModel:
    path = f"{place}.{found.member}"
    if found.right is not None:
        return UnknownModel(f"{path}: {found.reason}", {"suggestions": [found.right]})
    return InvalidParams(f"{path}: {found.reason}", {"path": path, "reason": found.reason})

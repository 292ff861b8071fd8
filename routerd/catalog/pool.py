"""The pool: which dispatches are allowed, what each is good at, and how far it may go."""

import contextlib
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from routerd.catalog.names import Names
from routerd.catalog.spelling import parse
from routerd.config import PoolModel
from routerd.errors import InvalidParams
from routerd.events import Dispatch

PARTS: Final = ("model", "provider", "agent", "profile", "reasoning_effort", "role")
"""What of a dispatch an entry may fix."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Tasks that are expected to take more than this go elsewhere."""

    max_cost_usd: float | None = None
    max_wall_time_ms: int | None = None


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """
    One allowed kind of dispatch.

    Attributes:
        wanted: What must be so; parts that are None may be anything.
        dispatch: The entry itself as a canonical dispatch.
    """

    wanted: Dispatch
    dispatch: Dispatch
    strengths: tuple[str, ...] = ()
    limits: Limits = Limits()

    def holds(self, dispatch: Dispatch) -> bool:
        """Whether a canonical dispatch is of this kind."""
        return all(getattr(self.wanted, part) in (None, getattr(dispatch, part)) for part in PARTS)


def as_model(entry: str | PoolModel) -> PoolModel:
    """
    An entry of the configuration in its long form.

    Raises:
        InvalidParams: Its model string cannot be parsed.
    """
    long = PoolModel(model=entry) if isinstance(entry, str) else entry
    if long.model is None:
        return long
    typed = parse(long.model)
    return msgspec.structs.replace(long, model=typed.model, provider=long.provider or typed.provider)


class Pool:
    """
    The allowed dispatches; a pool that is not configured allows all.

    Args:
        configured: The entries as written. One that cannot be parsed allows nothing (`Catalog.check` tells of it).
        names: For what a model string says.
        canonical: Gives the canonical form of a dispatch.
    """

    def __init__(
        self, configured: Sequence[str | PoolModel], names: Names, canonical: Callable[[Dispatch], Dispatch]
    ) -> None:
        self.is_open = not configured
        self.entries: list[Entry] = []
        for written in configured:
            with contextlib.suppress(InvalidParams):
                self.entries.append(_entry(as_model(written), names, canonical))

    def entry(self, dispatch: Dispatch) -> Entry | None:
        """The first entry that a canonical dispatch is of."""
        return next((entry for entry in self.entries if entry.holds(dispatch)), None)

    def completed(self, dispatch: Dispatch, canonical: Dispatch) -> Dispatch | None:
        """
        A dispatch with what it leaves open filled in, so that it is one of the pool's; None where that cannot be.

        Args:
            dispatch: As it would run.
            canonical: Its canonical form.
        """
        for entry in self.entries:
            wanted = {name: value for name in PARTS if (value := getattr(entry.wanted, name)) is not None}
            open_ = {name: value for name, value in wanted.items() if getattr(canonical, name) is None}
            if wanted.get("model") == canonical.model and all(
                value == getattr(canonical, name) for name, value in wanted.items() if name not in open_
            ):
                return msgspec.structs.replace(dispatch, **open_)
        return None

    def provider_of(self, model: str) -> str | None:
        """The provider at which the pool allows a model, where it allows it at certain ones only: the first of them."""
        allowed = [entry.wanted.provider for entry in self.entries if entry.wanted.model == model]
        return None if None in allowed else next(iter(allowed), None)

    def holds(self, dispatch: Dispatch) -> bool:
        """Whether a canonical dispatch is allowed. What an agent does itself always is: nothing is handed on."""
        return self.is_open or dispatch.executor == "local" or self.entry(dispatch) is not None


def _entry(entry: PoolModel, names: Names, canonical: Callable[[Dispatch], Dispatch]) -> Entry:
    dispatch = canonical(
        Dispatch(
            executor="delegate",
            agent=entry.agent,
            profile=entry.profile,
            provider=entry.provider,
            model=entry.model,
            reasoning_effort=entry.reasoning_effort,
            role=entry.role,
        )
    )
    said = entry.provider is not None or (entry.model is not None and names.identify(entry.model).provider is not None)
    return Entry(
        # A model without a provider is allowed at every provider, though the dispatch names its vendor.
        wanted=dispatch if said else msgspec.structs.replace(dispatch, provider=None),
        dispatch=dispatch,
        strengths=tuple(entry.strengths),
        limits=Limits(max_cost_usd=entry.max_cost_usd, max_wall_time_ms=entry.max_wall_time_ms),
    )

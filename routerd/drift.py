"""
What was asked for against what ran, and arms that do not perform as they did.

A model that was asked for by an alias (haiku, small) is met by any model of the alias's family, since what an alias
stands for changes with time. Units whose model nobody wrote down are not judged.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final, Protocol

import msgspec

from routerd.engine import ArmView
from routerd.events import Dispatch, Tokens, arm_dispatch

MOVED_SE: Final = 3.0
"""An arm has moved when its latest success is so many standard errors from that before: once in 370 looks by chance."""
NO_MODEL: Final = frozenset({"", "auto", "default", "inherit"})
"""Words that ask for no model in particular."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A unit for which somebody asked for a dispatch; `arm` and `model` are what ran, `at` Unix seconds."""

    agent: str
    session_id: str | None
    executor: str
    asked: Dispatch
    arm: str
    model: str | None
    tokens: Tokens | None
    at: float | None


class Models(Protocol):
    """What is asked of the catalogue."""

    def named(self, asked: str) -> str:
        """The one spelling of what was asked for: an alias as it is, a model by its id."""

    def meets(self, asked: str, ran: str) -> bool:
        """Whether the model that ran is one that the name stands for."""

    def price(self, provider: str | None, model: str | None, tokens: Tokens, at: float | None) -> float | None:
        """US dollars by list price, or None."""


class Session(msgspec.Struct, frozen=True):
    """One session's part; its id is None where the log has none."""

    session_id: str | None
    units: int


class Strayed(msgspec.Struct, frozen=True, kw_only=True):
    """
    Units of one agent that asked for one model and ran on another.

    Attributes:
        executor: `local` for turns, `delegate` for delegations.
        units: How many.
        of: Of how many that asked for this model, as far as what ran is known.
        sessions: Where, the most first.
        extra_usd: What they cost by list price beyond what was asked for would have; None where no unit can be priced.
        unpriced: Units with no tokens, or with a model that nobody lists.
    """

    agent: str
    executor: str
    asked: str
    ran: str
    units: int
    of: int
    sessions: list[Session]
    extra_usd: float | None
    unpriced: int


class MovedArm(msgspec.Struct, frozen=True, kw_only=True):
    """An arm whose latest success is far from that before; `drift` in standard errors, below 0 for the worse."""

    arm: str
    drift: float
    n: int
    last_seen: float | None


def comparable(units: Iterable[Asked]) -> list[Asked]:
    """Those that asked for a model and of which it is known what ran."""
    return [one for one in units if one.model is not None and _wanted(one).lower() not in NO_MODEL]


def _wanted(unit: Asked) -> str:
    return (unit.asked.model or "").strip()


def strayed(units: Iterable[Asked], models: Models) -> list[Strayed]:
    """What ran on another model than was asked for, the most units first."""
    asked: Counter[tuple[str, str, str]] = Counter()
    groups: dict[tuple[str, str, str, str], list[Asked]] = {}
    for unit in comparable(units):
        assert unit.model is not None
        key = unit.agent, unit.executor, models.named(_wanted(unit))
        asked[key] += 1
        if not models.meets(_wanted(unit), unit.model):
            groups.setdefault((*key, models.named(unit.model)), []).append(unit)
    found = [_strayed(key, members, asked[key[:3]], models) for key, members in groups.items()]
    return sorted(found, key=lambda one: (-one.units, one.agent, one.asked, one.ran))


def _strayed(key: tuple[str, str, str, str], units: list[Asked], of: int, models: Models) -> Strayed:
    agent, executor, asked, ran = key
    extra = [cost for unit in units if (cost := _extra_usd(unit, models)) is not None]
    sessions = Counter(unit.session_id for unit in units)
    ordered = sorted(sessions.items(), key=lambda item: (-item[1], item[0] or ""))
    return Strayed(
        agent=agent,
        executor=executor,
        asked=asked,
        ran=ran,
        units=len(units),
        of=of,
        sessions=[Session(name, count) for name, count in ordered],
        extra_usd=math.fsum(extra) if extra else None,
        unpriced=len(units) - len(extra),
    )


def _extra_usd(unit: Asked, models: Models) -> float | None:
    """The unit's tokens at the price of what ran, less their price at what was asked for."""
    if unit.tokens is None:
        return None
    ran = models.price(arm_dispatch(unit.arm).provider, unit.model, unit.tokens, unit.at)
    asked = models.price(unit.asked.provider, unit.asked.model, unit.tokens, unit.at)
    return None if ran is None or asked is None else ran - asked


def moved_arms(arms: Sequence[ArmView]) -> list[MovedArm]:
    """Arms that do not perform as they did, the farthest first."""
    found = [
        MovedArm(arm=one.arm, drift=one.drift, n=one.n, last_seen=one.last_seen)
        for one in arms
        if one.drift is not None and abs(one.drift) >= MOVED_SE
    ]
    return sorted(found, key=lambda one: -abs(one.drift))

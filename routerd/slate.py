"""
Which arms a request lets us choose from, and what takes out the others.

An arm is known by many spellings; the `Directory` remembers what the catalogue says of each. A `Slate` is the list of
arms of one request, in the client's own spelling, the pool already applied.
"""

import math
from collections.abc import Hashable, Sequence
from typing import Final, Protocol

import msgspec

from routerd.errors import InvalidParams, OutsidePool
from routerd.events import LOCAL, Dispatch, Parent, Recommend, Role, Task, arm_dispatch, arm_id
from routerd.prior import AttributesLike, Floats, Scaling, design, scaling

ARMS_MAX: Final = 32
"""So many are considered where the client names none: the most used first."""
CACHED_MAX: Final = 4096
LISTS_MAX: Final = 64
SCALED_BY_MAX: Final = 1024


class CatalogLike(Protocol):
    """What the engine asks of the catalogue of models. One that has nothing to say to the last few may inherit them."""

    def canonical(self, dispatch: Dispatch) -> Dispatch:
        """The one spelling of a dispatch; two spellings of one arm give the same."""

    def attributes(self, dispatch: Dispatch) -> AttributesLike:
        """What is known of it before any outcome."""

    def in_pool(self, dispatch: Dispatch) -> bool:
        """Whether it may be recommended."""

    def pool_dispatches(self) -> list[Dispatch]:
        """The dispatches that the operator has named."""

    def tier(self, dispatch: Dispatch) -> str | None:
        """Its tier: frontier, advanced, mid or light, if known."""

    def tiers(self, dispatch: Dispatch) -> frozenset[str]:
        """All names of its tier, those of the user's own included."""

    def tiers_of_parent(self, parent: Parent | None) -> frozenset[str]:
        """All names of the tier that the agent itself is in."""
        return frozenset({parent.tier} if parent is not None and parent.tier else ())

    def missing_credential(self, dispatch: Dispatch) -> str | None:
        """Which key is missing that it is said to need, or None."""
        del dispatch
        return None

    def over_limit(self, dispatch: Dispatch, *, cost_usd: float, wall_time_ms: float) -> str | None:
        """Which limit of the pool a task that is expected to take so much would break, or None."""
        del dispatch, cost_usd, wall_time_ms
        return None

    def degraded(self, dispatch: Dispatch, depth: int) -> tuple[Dispatch, str | None]:
        """The dispatch with the role that a child of a task at `depth` gets, and a word where that is another one."""
        del depth
        return dispatch, None


class Known(msgspec.Struct, frozen=True):
    """
    What the catalogue says of an arm.

    Attributes:
        dispatch: Its canonical dispatch, with the agent that would run it.
        obstacle: Why it may not be chosen here: it is outside the pool, or a key is missing.
        limited: Whether the pool limits what its tasks may take.
        strengths: Kinds of task that the pool says it is good at.
        design: Its row of attributes (see `prior`).
    """

    arm: str
    dispatch: Dispatch
    in_pool: bool
    obstacle: str | None
    limited: bool
    strengths: tuple[str, ...]
    design: Floats


class Option(msgspec.Struct, frozen=True):
    """One arm of a slate; `removed_by` names what took it out of the choice, `warning` what became of its role."""

    known: Known
    dispatch: Dispatch
    removed_by: str | None = None
    warning: str | None = None


class Slate(msgspec.Struct, frozen=True):
    """
    The arms of one request; `incumbent` and `pinned` are rows, `fallback` says why the row `pinned` was taken,
    `warnings` what else the client should know.
    """

    options: list[Option]
    incumbent: int | None = None
    pinned: int | None = None
    fallback: str | None = None
    warnings: tuple[str, ...] = ()


class Directory:
    """Arms by every spelling, remembered."""

    def __init__(self, catalog: CatalogLike) -> None:
        self.catalog = catalog
        self.pool = catalog.pool_dispatches()
        self.scaling: Scaling = scaling(catalog.attributes(dispatch) for dispatch in self.pool[:SCALED_BY_MAX])
        self._names_agents = any(dispatch.agent is not None for dispatch in self.pool)
        self._known: dict[tuple[Dispatch, str | None], Known] = {}
        self._lists: dict[Hashable, list[Option]] = {}

    def known(self, dispatch: Dispatch, asker: str | None = None) -> Known:
        """
        What the catalogue says of a dispatch.

        Args:
            dispatch: In any spelling.
            asker: The agent that asks. It runs what names no agent, and entries of the pool may be for one agent only.
        """
        key = dispatch, asker if self._names_agents else None
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= CACHED_MAX:
                self._known.clear()
            found = self._look_up(self.catalog.canonical(dispatch), key[1])
            self._known[key] = found
        return found

    def offered(self, asker: str | None) -> list[Dispatch]:
        """The pool's dispatches; one that is for the asker names no agent, as in the asker's own logs."""
        if asker is None or not self._names_agents:
            return self.pool
        return [msgspec.structs.replace(one, agent=None) if one.agent == asker else one for one in self.pool]

    def _look_up(self, canonical: Dispatch, asker: str | None) -> Known:
        catalog, arm = self.catalog, arm_id(canonical)
        if asker is not None and canonical.agent is None and canonical.executor == "delegate":
            canonical = msgspec.structs.replace(canonical, agent=asker)
        attributes, in_pool = catalog.attributes(canonical), catalog.in_pool(canonical)
        return Known(
            arm=arm,
            dispatch=canonical,
            in_pool=in_pool,
            obstacle=catalog.missing_credential(canonical) if in_pool else "pool",
            limited=catalog.over_limit(canonical, cost_usd=math.inf, wall_time_ms=math.inf) is not None,
            strengths=tuple(attributes.strengths),
            design=design(attributes, self.scaling),
        )

    def option(self, named: Dispatch | str, path: str, task: Task) -> Option:
        """
        The option that a client names by a dispatch or an arm id, for a task.

        What may not be chosen here is out of the choice.

        Raises:
            InvalidParams: It is no arm id; `path` says where it stands.
        """
        if isinstance(named, str):
            try:
                named = arm_dispatch(named)
            except ValueError as error:
                raise InvalidParams(f"{path}: {error}", {"path": path, "reason": str(error)}) from None
        warning = None
        if named.role == "orchestrator":
            named, warning = self.catalog.degraded(named, task.depth)
        known = self.known(named, task.agent)
        return Option(known, named, known.obstacle, warning)

    def options(self, request: Recommend, used: Sequence[str]) -> list[Option]:
        """
        The distinct arms that may be meant, in the order given; remembered, for agents ask about the same ones again.

        Raises:
            InvalidParams: A candidate is no arm id, or the list is empty.
        """
        task = request.task
        named = None if request.candidates is None else tuple(request.candidates)
        key = named, () if named is not None else tuple(used), task.agent, task.role, task.depth
        found = self._lists.get(key)
        if found is None:
            if len(self._lists) >= LISTS_MAX:
                self._lists.clear()
            found = self._lists[key] = _candidates(request, self, used)
        return list(found)


def lay_out(
    request: Recommend, directory: Directory, used: Sequence[str], default: Dispatch, *, fallback: bool
) -> Slate:
    """
    The slate of a request.

    Args:
        request: What is asked.
        directory: Of the catalogue in force.
        used: Ids of arms with outcomes, the most used first; offered with the pool where no candidates are named.
        default: What a delegation runs on when nobody says otherwise.
        fallback: What is outside the pool gives way to the default, instead of being refused.

    Raises:
        InvalidParams: A candidate or the incumbent is no arm id, or the list of candidates is empty.
        OutsidePool: The pin or every candidate is outside the pool, and `fallback` is not set.
    """
    task = request.task
    incumbent = None if request.incumbent is None else directory.option(request.incumbent, "incumbent", task)
    rows = directory.options(request, used)
    outside = None
    pin = None
    if request.pinned is not None:
        pin = directory.option(request.pinned, "pinned", task)
        outside = None if pin.known.in_pool else f"the pinned {pin.known.arm} is outside the pool"
    elif not any(option.known.in_pool for option in rows):
        outside = "every candidate is outside the pool"
    if outside is not None:
        if not fallback:
            arms = [pin.known.arm] if pin is not None else [option.known.arm for option in rows]
            raise OutsidePool(f"{outside}; pool.models says what is inside", {"arms": arms})
        pin = _default(directory, default, incumbent, task.agent)
        outside = f"{outside}; {pin.known.arm} is the default"
    warnings = [option.warning for option in (*rows, *([pin] if pin else ())) if option.warning]
    if pin is not None and pin.known.in_pool and pin.known.obstacle is not None:
        warnings.append(f"{pin.known.arm}: {pin.known.obstacle}")
    usual = None if incumbent is None else _row(rows, incumbent, "candidates")
    if usual is not None and incumbent is not None and request.candidates is None:
        rows[usual] = msgspec.structs.replace(rows[usual], dispatch=incumbent.dispatch)  # as the client spells it
    return Slate(
        options=rows,
        incumbent=usual,
        pinned=None if pin is None else _row(rows, pin, None),
        fallback=outside,
        warnings=tuple(dict.fromkeys(warnings)),
    )


def _candidates(request: Recommend, directory: Directory, used: Sequence[str]) -> list[Option]:
    """The distinct arms that may be meant, in the order given."""
    if request.candidates is None:
        task = request.task
        named = [*(arm_dispatch(arm) for arm in used), LOCAL, *directory.offered(task.agent)]
        offered = [directory.option(_in_role(dispatch, task.role), "candidates", task) for dispatch in named]
        return list({option.known.arm: option for option in offered if option.known.in_pool}.values())[:ARMS_MAX]
    if not request.candidates:
        raise InvalidParams("candidates: none are named", {"path": "candidates", "reason": "none are named"})
    distinct: dict[str, Option] = {}
    for i, candidate in enumerate(request.candidates):
        option = directory.option(candidate, f"candidates.{i}", request.task)
        distinct.setdefault(option.known.arm, option)
    return list(distinct.values())


def _in_role(dispatch: Dispatch, role: Role | None) -> Dispatch:
    """A delegation in the task's role, as a log that knows roles will tell it; a task that names none leaves it be."""
    if role is None or dispatch.executor == "local":
        return dispatch
    return msgspec.structs.replace(dispatch, role=role)


def _default(directory: Directory, default: Dispatch, incumbent: Option | None, asker: str | None) -> Option:
    """What is used when a choice is refused: the configured default, else the incumbent, else the agent itself."""
    options = [
        Option(directory.known(default, asker), default),
        *([incumbent] if incumbent else []),
        option_of_local(directory),
    ]
    return next((option for option in options if option.known.in_pool), options[-1])


def option_of_local(directory: Directory) -> Option:
    """The agent itself."""
    return Option(directory.known(LOCAL), LOCAL)


def _row(options: list[Option], wanted: Option, added_as: str | None) -> int:
    """The row of an arm; it is added at the end if it is not among them, out of the choice unless it is a pin."""
    for row, option in enumerate(options):
        if option.known.arm == wanted.known.arm:
            return row
    options.append(msgspec.structs.replace(wanted, removed_by=added_as))
    return len(options) - 1

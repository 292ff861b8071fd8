"""
A matrix of known outcomes: every arm's outcome on every task, read from a replay file (CONTRACT §5).

The reward of a choice is

    R = succeeded - W · min(c / c95, 1)

where c is its cost in US dollars (its wall time in a file that gives no cost) and c95 the 95th percentile over the
whole matrix. Files are read strictly where a slip would falsify a score (every task has an outcome of every arm, costs
are given for all choices or for none) and leniently where it would not: members that are not known are passed over, and
so are wall times that only some outcomes have, where costs are given.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, Final, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Meta

from routerd.errors import InvalidParams, UsageError
from routerd.events import Dispatch, Fraction, NotNegative, Task, Whole, arm_id
from routerd.features import extract

Floats = npt.NDArray[np.float64]
S = TypeVar("S")

PERCENTILE: Final = 95.0


class ArmPrior(msgspec.Struct, frozen=True):
    """What is known of an arm before any outcome: a public score, a rough price of a task in US dollars."""

    capability: Fraction | None = None
    cost_usd: NotNegative | None = None


class Arm(msgspec.Struct, frozen=True):
    """One arm of a file."""

    dispatch: Dispatch
    prior: ArmPrior = ArmPrior()


class Matrix(msgspec.Struct, frozen=True, kw_only=True):
    """
    n tasks and K arms.

    Attributes:
        arms: By name, in the order of the columns.
        succeeded: In [0, 1], (n, K).
        cost_usd: (n, K), or None where no cost is given.
        wall_time_ms: Likewise.
    """

    name: str
    source: str
    arms: dict[str, Arm]
    tasks: list[Task]
    succeeded: Floats
    cost_usd: Floats | None = None
    wall_time_ms: Floats | None = None

    @property
    def cost(self) -> Floats:
        """What every choice cost, c: dollars, else milliseconds, else nothing; (n, K)."""
        given = self.cost_usd if self.cost_usd is not None else self.wall_time_ms
        return np.zeros_like(self.succeeded) if given is None else given

    @property
    def c95(self) -> float:
        """The 95th percentile of c."""
        return float(np.percentile(self.cost, PERCENTILE))

    def rewards(self, cost_weight: float) -> Floats:
        """R of every choice, (n, K). Where c95 is 0, whatever costs anything is dear."""
        cost, c95 = self.cost, self.c95
        share = np.minimum(cost / c95, 1.0) if c95 > 0.0 else (cost > 0.0).astype(float)
        rewards: Floats = self.succeeded - cost_weight * share
        return rewards


# --- reading --------------------------------------------------------------------------------------------------------


class _Head(msgspec.Struct, frozen=True):
    """The first line."""

    arms: Annotated[dict[str, Arm], Meta(min_length=1)]
    name: str = ""
    source: str = ""


class _Known(msgspec.Struct, frozen=True):
    """The outcome of one arm on one task."""

    succeeded: bool | Fraction
    wall_time_ms: Whole | None = None
    cost_usd: NotNegative | None = None


class _Row(msgspec.Struct, frozen=True):
    """Every line but the first."""

    task: Task
    outcomes: dict[str, _Known]


_Rows = list[tuple[int, list[_Known]]]
"""Outcomes in the order of the arms, with the numbers of their lines."""


def read(lines: Iterable[bytes]) -> Matrix:
    """
    The matrix of a replay file; empty lines are passed over.

    Raises:
        UsageError: A line is not in the form of CONTRACT §5; the message names it by number.
    """
    numbered = ((number, line) for number, line in enumerate(lines, start=1) if line.strip())
    number, line = next(numbered, (1, b""))
    head = _decoded(line, _Head, number, "the arms")
    _check_distinct(head.arms, number)
    tasks: list[Task] = []
    rows: _Rows = []
    for number, line in numbered:
        row = _decoded(line, _Row, number, "a task with its outcomes")
        _check_features(row.task, number)
        _check_same(row.outcomes, head.arms, number)
        tasks.append(row.task)
        rows.append((number, [row.outcomes[name] for name in head.arms]))
    if not tasks:
        raise _bad(number, "the file ends without a task; every line after the first is one")
    names = list(head.arms)
    cost_usd = _column(rows, "cost_usd", names)
    return Matrix(
        name=head.name,
        source=head.source,
        arms=head.arms,
        tasks=tasks,
        succeeded=np.array([[float(one.succeeded) for one in row] for _, row in rows]),
        cost_usd=cost_usd,
        wall_time_ms=_column(rows, "wall_time_ms", names, needed=cost_usd is None),
    )


def _decoded(line: bytes, kind: type[S], number: int, what: str) -> S:
    try:
        return msgspec.json.decode(line, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _bad(number, f"this is not {what} of a replay file: {error}") from None


def _check_distinct(arms: Mapping[str, Arm], number: int) -> None:
    names: dict[str, str] = {}
    for name, arm in arms.items():
        other = names.setdefault(arm_id(arm.dispatch), name)
        if other != name:
            raise _bad(number, f"arms {other!r} and {name!r} have the same dispatch; give each its own")


def _check_same(outcomes: Mapping[str, object], arms: Mapping[str, object], number: int) -> None:
    if missing := [name for name in arms if name not in outcomes]:
        raise _bad(number, f"no outcome of {missing[0]!r}; every task needs one of every arm")
    if unknown := [name for name in outcomes if name not in arms]:
        raise _bad(number, f"an outcome of {unknown[0]!r}, which the first line does not name")


def _check_features(task: Task, number: int) -> None:
    try:
        extract(task)
    except InvalidParams as error:
        raise _bad(number, error.message) from None


def _column(rows: _Rows, member: str, names: list[str], *, needed: bool = True) -> Floats | None:
    """One member of every outcome, (n, K), or None where it is never given, or not `needed` and given for some only."""
    values = [[getattr(one, member) for one in row] for _, row in rows]
    given = [value is not None for row in values for value in row]
    if not any(given) or not (needed or all(given)):
        return None
    for (number, _), row in zip(rows, values, strict=True):
        if None in row:
            name = names[row.index(None)]
            raise _bad(number, f"the outcome of {name!r} has no {member}, others have; give it to all or to none")
    return np.array(values, dtype=float)


def _bad(number: int, reason: str) -> UsageError:
    return UsageError(f"line {number}: {reason}")

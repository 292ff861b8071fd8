"""
A matrix of known outcomes played as a bandit problem (CONTRACT §5): what a policy would have earned on real tasks.

Each task arrives once, in a seeded random order; a player sees the outcome of the arm that it chose and of no other. A
score is (Σ R - Σ mean over arms of R) / (Σ max over arms of R - Σ mean over arms of R) over a prefix of the order: 0 is
random choice, 1 the oracle that knows every outcome. Rewards R are those of `matrix`.

`EnginePlayer` is the daemon's own engine. It knows W and c95, and of the models only the file's priors, never those of
the registry. Money is told to it in multiples of c95, which counts as `C95_USD`, so that a file of questions at a tenth
of a cent and one of sessions at ten dollars are met alike. Belief is solved anew after each of the first `SOLVED_EACH`
outcomes, then whenever there are 1/`SOLVED_EACH` more: the decisions in between know of all but the last two percent.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Protocol

import msgspec
import numpy as np
import numpy.typing as npt

from routerd.config import BudgetConfig, Config
from routerd.engine import Engine
from routerd.events import Contribution, Decision, Dispatch, Recommend, arm_id
from routerd.matrix import Arm, ArmPrior, Floats, Matrix
from routerd.reward import MS_PER_HOUR, Worth
from routerd.slate import CatalogLike

Ints = npt.NDArray[np.intp]

MARKS: Final = (30, 50, 100, 200, 500, 1000)
"""Prefixes at which scores are given, beside the end."""
END: Final = "end"
RESAMPLES: Final = 2000
SOLVED_EACH: Final = 50
START: Final = 1_750_000_000.0
"""When the first task of every replay arrives, Unix seconds; any moment would do."""
DAY_S: Final = 86_400.0
C95_USD: Final = 0.5
TASK_USD_PER_PRICE: Final = 0.05
"""Dollars of a task for each dollar per million tokens, as `prior.COST` has it: a task is about 50,000 tokens."""


class Player(Protocol):
    """Whoever plays: asked once for each task of an order, then told the outcome of what it chose."""

    def choose(self, task: int) -> int:
        """The column of the arm for a task, by its row in the matrix."""

    def learn(self, task: int, arm: int) -> None:
        """The outcome of the arm just chosen may be looked up now."""


NewPlayer = Callable[[np.random.Generator], Player]
"""A player that knows nothing yet, with its own randomness: one for each order."""


# --- playing --------------------------------------------------------------------------------------------------------


def play(matrix: Matrix, new: NewPlayer, *, orders: int, seed: int, until: int | None = None) -> Iterator[Ints]:
    """
    The arms chosen in each of so many orders, by row of the matrix: pairs (task, arm), (2, n).

    Args:
        matrix: What is played.
        new: Gives the player of one order.
        orders: How many.
        seed: The same seed gives the same orders to every player, so that players can be compared order by order.
        until: Ends each order after so many tasks.
    """
    for order in range(orders):
        arrivals = np.random.default_rng([seed, order]).permutation(len(matrix.tasks))[:until]
        yield played(new(np.random.default_rng([seed, order, 1])), arrivals)


def played(player: Player, arrivals: Ints) -> Ints:
    """The arms that a player chooses for tasks as they arrive: pairs (task, arm), (2, n)."""
    chosen = np.empty_like(arrivals)
    for i, task in enumerate(arrivals.tolist()):
        chosen[i] = player.choose(task)
        player.learn(task, int(chosen[i]))
    return np.stack([arrivals, chosen])


def scores(rewards: Floats, chosen: Ints, marks: Sequence[int]) -> Floats:
    """The score of one order at each mark, (M,); 0 where nothing could be won by choosing."""
    tasks, arms = chosen
    random = np.cumsum(rewards[tasks].mean(axis=1))
    oracle = np.cumsum(rewards[tasks].max(axis=1))
    earned = np.cumsum(rewards[tasks, arms])
    at = np.asarray(marks) - 1
    gap = oracle[at] - random[at]
    won = gap > 1e-9
    return np.where(won, (earned[at] - random[at]) / np.where(won, gap, 1.0), 0.0)


def score_orders(
    matrix: Matrix, new: NewPlayer, *, cost_weight: float, orders: int, seed: int, until: int | None = None
) -> Iterator[Floats]:
    """The scores of each order at the `marks` of so many tasks, (M,); see `play`."""
    rewards = matrix.rewards(cost_weight)
    at = list(marks(len(matrix.tasks[:until])).values())
    for chosen in play(matrix, new, orders=orders, seed=seed, until=until):
        yield scores(rewards, chosen, at)


def marks(tasks: int) -> dict[str, int]:
    """The marks within so many tasks by their names, and the end."""
    return {**{str(mark): mark for mark in MARKS if mark <= tasks}, END: tasks}


class Fixed:
    """Always the same arm."""

    def __init__(self, arm: int) -> None:
        self._arm = arm

    def choose(self, task: int) -> int:
        """See `Player.choose`."""
        return self._arm

    def learn(self, task: int, arm: int) -> None:
        """Nothing."""


def best_fixed(rewards: Floats) -> Fixed:
    """The arm that is best over the whole matrix: what one could at most know without looking at the task."""
    return Fixed(int(rewards.mean(axis=0).argmax()))


def interval(by_order: Floats, seed: int) -> tuple[Floats, Floats]:
    """Where 95 % of bootstrapped means over the orders lie, (M,) and (M,); `by_order` is (N, M)."""
    picks = np.random.default_rng(seed).integers(len(by_order), size=(RESAMPLES, len(by_order)))
    low, high = np.percentile(by_order[picks].mean(axis=1), [2.5, 97.5], axis=0)
    return low, high


# --- the engine as a player -----------------------------------------------------------------------------------------


class EnginePlayer:
    """
    The engine: recommend, observe, refresh.

    Args:
        matrix: What is played; the player looks up what it chose and nothing else.
        config: Policy, gate and learning; the objective is `cost_weight`, and no cap on spending or on trying applies.
        cost_weight: W.
        rng: All randomness; it also shuffles the arms, so that no tie is settled by their order in the file.
        priors: Of the arms in the order of the matrix, instead of the file's.
        days_per_task: How much time goes by from task to task.

    Attributes:
        engine: What plays.
        decision: The last one.
        columns: Columns of the matrix by arm id.
        now: When the last task arrived, Unix seconds.
    """

    def __init__(
        self,
        matrix: Matrix,
        config: Config,
        *,
        cost_weight: float,
        rng: np.random.Generator,
        priors: Sequence[ArmPrior] | None = None,
        days_per_task: float = 0.0,
    ) -> None:
        self._matrix = matrix
        self._worth, self._usd = _worth(matrix, cost_weight)
        arms = list(matrix.arms.values())
        if priors is not None:
            arms = [Arm(arm.dispatch, prior) for arm, prior in zip(arms, priors, strict=True)]
        self.columns = {arm_id(arm.dispatch): column for column, arm in enumerate(arms)}
        self._candidates: list[Dispatch | str] = [arms[column].dispatch for column in rng.permutation(len(arms))]
        self.engine = Engine(_uncapped(config), FileCatalog(arms, usd=self._usd), rng)
        self.decision: Decision | None = None
        self._step_s = days_per_task * DAY_S
        self.now = START
        self._seen = 0
        self._solved = 0

    def choose(self, task: int) -> int:
        """See `Player.choose`."""
        self.now += self._step_s
        # The name of a session says nothing about a task, and would make the engine repeat itself.
        asked = msgspec.structs.replace(self._matrix.tasks[task], session_id=None)
        request = Recommend(task=asked, candidates=self._candidates)
        self.decision = self.engine.recommend(request, self.now, "replay", prices=self._worth)
        return self.columns[self.decision.arm]

    def learn(self, task: int, arm: int) -> None:
        """See `Player.learn`."""
        made, matrix = self.decision, self._matrix
        assert made is not None
        outcome = Contribution(
            scope="default",
            dispatch=made.dispatch,
            features=made.features,
            at=self.now,
            success=float(matrix.succeeded[task, arm]),
            weight=1.0,
            wall_time_ms=None if matrix.wall_time_ms is None else int(matrix.wall_time_ms[task, arm]),
            cost_usd=None if matrix.cost_usd is None else float(matrix.cost_usd[task, arm]) * self._usd,
            own=True,
        )
        self.engine.observe(None, outcome, self.now)
        self._seen += 1
        if self._seen - self._solved >= max(1, self._seen // SOLVED_EACH):
            self.engine.refresh(self.now)
            self._solved = self._seen


def _uncapped(config: Config) -> Config:
    """The configuration without caps in the user's own dollars and days, neither of which are those of a file."""
    policy = msgspec.structs.replace(config.policy, explore_usd_per_day=math.inf, explore_minutes_per_day=math.inf)
    return msgspec.structs.replace(config, policy=policy, budget=BudgetConfig())


def _worth(matrix: Matrix, cost_weight: float) -> tuple[Worth, float]:
    """The prices of the contract's reward, and by what the file's dollars are multiplied for the engine."""
    c95 = matrix.c95
    if c95 == 0.0:
        return Worth(success_usd=1.0, hour_usd=0.0, money=0.0), 1.0
    if matrix.cost_usd is None:
        hours = c95 / MS_PER_HOUR
        return Worth(success_usd=1.0, hour_usd=cost_weight / hours, money=0.0, hours_max=hours), _usual_usd(matrix)
    return Worth(success_usd=1.0, hour_usd=0.0, money=cost_weight / C95_USD, cost_usd_max=C95_USD), C95_USD / c95


def _usual_usd(matrix: Matrix) -> float:
    """The same where only the priors know dollars: the dearest arm counts as c95."""
    known = [arm.prior.cost_usd for arm in matrix.arms.values() if arm.prior.cost_usd]
    return C95_USD / max(known) if known else 1.0


class Attributes(msgspec.Struct, frozen=True, kw_only=True):
    """What a file says of an arm, in the form of the catalogue's (see `prior.AttributesLike`)."""

    capability: float | None
    capability_se: float = 0.0
    log_price: float | None
    family: str | None = None
    effort_level: float | None = None
    executor: str
    role: str | None
    strengths: tuple[str, ...] = ()


class FileCatalog(CatalogLike):
    """
    A catalogue that knows the arms of a file and nothing else.

    Args:
        arms: Of the file.
        usd: By what its dollars are multiplied.
    """

    def __init__(self, arms: Sequence[Arm], *, usd: float) -> None:
        self._arms = {arm.dispatch: _attributes(arm, usd) for arm in arms}

    def canonical(self, dispatch: Dispatch) -> Dispatch:
        """See `CatalogLike`; a file's spelling is the only one."""
        return dispatch

    def attributes(self, dispatch: Dispatch) -> Attributes:
        """See `CatalogLike`."""
        unknown = Attributes(capability=None, log_price=None, executor=dispatch.executor, role=dispatch.role)
        return self._arms.get(dispatch, unknown)

    def in_pool(self, dispatch: Dispatch) -> bool:
        """See `CatalogLike`."""
        return dispatch in self._arms

    def pool_dispatches(self) -> list[Dispatch]:
        """See `CatalogLike`."""
        return list(self._arms)

    def tier(self, dispatch: Dispatch) -> str | None:
        """See `CatalogLike`."""
        return None

    def tiers(self, dispatch: Dispatch) -> frozenset[str]:
        """See `CatalogLike`."""
        return frozenset()


def _attributes(arm: Arm, usd: float) -> Attributes:
    """The price of a token follows from the cost of a task, which is what the engine will make of it again."""
    cost = arm.prior.cost_usd
    return Attributes(
        capability=arm.prior.capability,
        log_price=math.log(cost * usd / TASK_USD_PER_PRICE) if cost else None,
        executor=arm.dispatch.executor,
        role=arm.dispatch.role,
    )

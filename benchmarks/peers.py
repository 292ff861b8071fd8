"""
Other people's bandits as players: a few lines each, over the same features and the same reward as the engine's.

    pip install -e '.[bench]'

Features are `features.vector` of the task, the bias among them; the reward is R (see `matrix`). Settings are the
library's defaults unless the name of a peer says otherwise. None of them is told a public score, but for LiteLLM's
router where its name says so: three tiers of quality are how it takes such knowledge.
"""

import os
import random
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from routerd.features import extract, vector
from routerd.matrix import Matrix

Floats = npt.NDArray[np.float64]


class Table(msgspec.Struct, frozen=True):
    """What peers look up: features, (n, DIM), and rewards, (n, K), of a matrix under a cost weight."""

    matrix: Matrix
    x: Floats
    rewards: Floats
    cost_weight: float

    @property
    def arms(self) -> int:
        """K."""
        return len(self.matrix.arms)


def tabled(matrix: Matrix, cost_weight: float) -> Table:
    """The table of a matrix."""
    x = np.array([vector(extract(task)) for task in matrix.tasks])
    return Table(matrix, x, matrix.rewards(cost_weight), cost_weight)


class EpsilonGreedy:
    """The best mean so far, no features; with probability 0.1 any arm. Arms never tried come first."""

    def __init__(self, table: Table, rng: np.random.Generator) -> None:
        self._table, self._rng = table, rng
        self._n, self._sum = np.zeros(table.arms), np.zeros(table.arms)

    def choose(self, task: int) -> int:
        if self._rng.random() < 0.1:
            return int(self._rng.integers(self._table.arms))
        mean = np.where(self._n > 0, self._sum / np.maximum(self._n, 1.0), np.inf)
        return int(self._rng.choice(np.flatnonzero(mean == mean.max())))

    def learn(self, task: int, arm: int) -> None:
        self._n[arm] += 1.0
        self._sum[arm] += self._table.rewards[task, arm]


class BetaThompson:
    """Thompson sampling of a Beta(1, 1) mean per arm, no features; rewards moved to [0, 1]."""

    def __init__(self, table: Table, rng: np.random.Generator) -> None:
        self._table, self._rng = table, rng
        self._good, self._bad = np.ones(table.arms), np.ones(table.arms)

    def choose(self, task: int) -> int:
        return int(np.argmax(self._rng.beta(self._good, self._bad)))

    def learn(self, task: int, arm: int) -> None:
        weight = self._table.cost_weight
        y = (self._table.rewards[task, arm] + weight) / (1.0 + weight)
        self._good[arm] += y
        self._bad[arm] += 1.0 - y


class Mabwiser:
    """A linear policy of MABWiser. It cannot be asked before it has seen an outcome: the first choice is random."""

    def __init__(self, table: Table, rng: np.random.Generator, *, policy: str, **settings: float) -> None:
        from mabwiser.mab import MAB, LearningPolicy  # noqa: PLC0415 - slow to import, and only of the extra

        self._table, self._rng = table, rng
        made = getattr(LearningPolicy, policy)(**settings)
        self._mab = MAB(arms=list(range(table.arms)), learning_policy=made, seed=int(rng.integers(2**31)))
        self._fitted = False

    def choose(self, task: int) -> int:
        if not self._fitted:
            return int(self._rng.integers(self._table.arms))
        return int(self._mab.predict(self._table.x[task : task + 1]))

    def learn(self, task: int, arm: int) -> None:
        fit = self._mab.partial_fit if self._fitted else self._mab.fit
        fit([arm], [float(self._table.rewards[task, arm])], self._table.x[task : task + 1])
        self._fitted = True


class Contextualbandits:
    """LinUCB of contextualbandits."""

    def __init__(self, table: Table, rng: np.random.Generator) -> None:
        from contextualbandits.online import LinUCB  # noqa: PLC0415 - only of the extra

        self._table, self._rng = table, rng
        self._policy = LinUCB(nchoices=table.arms, random_state=int(rng.integers(2**31)), njobs=1)

    def choose(self, task: int) -> int:
        return int(self._policy.predict(self._table.x[task : task + 1])[0])

    def learn(self, task: int, arm: int) -> None:
        reward = np.array([self._table.rewards[task, arm]])
        self._policy.partial_fit(self._table.x[task : task + 1], np.array([arm]), reward)


class VowpalWabbit:
    """`--cb_explore_adf` with features crossed with the arm (`-q sa`); the arm is drawn from its distribution."""

    def __init__(self, table: Table, rng: np.random.Generator, *, exploration: str) -> None:
        from vowpalwabbit import Workspace  # noqa: PLC0415 - only of the extra

        self._table, self._rng = table, rng
        seed = int(rng.integers(2**31))
        self._vw = Workspace(f"--cb_explore_adf {exploration} -q sa --quiet --random_seed {seed}")
        self._p = 1.0

    def choose(self, task: int) -> int:
        p = np.maximum(self._vw.predict(self._example(task)), 0.0)
        arm = int(self._rng.choice(self._table.arms, p=p / p.sum()))
        self._p = float(p[arm] / p.sum())
        return arm

    def learn(self, task: int, arm: int) -> None:
        cost = -self._table.rewards[task, arm]
        self._vw.learn(self._example(task, {arm: f"0:{cost:.6f}:{self._p:.6f} "}))

    def _example(self, task: int, labels: dict[int, str] | None = None) -> str:
        x = self._table.x[task]
        shared = " ".join(f"{i}:{x[i]:.4f}" for i in np.flatnonzero(x).tolist())
        arms = (f"{(labels or {}).get(arm, '')}|a arm{arm}" for arm in range(self._table.arms))
        return "\n".join([f"shared |s {shared}", *arms])


class LiteLlm:
    """
    The bandit of LiteLLM's adaptive router: a Beta per arm and type of request, as its own rules classify the text.

    It weighs quality against the price list by itself, .7 to .3 by default, and learns from success alone. Its tiers of
    quality are 2 for all, or with `tiers` by thirds of the file's scores.
    """

    def __init__(self, table: Table, rng: np.random.Generator, *, tiers: bool) -> None:
        os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # or it asks the network at import
        from litellm.router_strategy.adaptive_router import bandit, classifier  # noqa: PLC0415 - only of the extra

        self._table, self._bandit, self._classify = table, bandit, classifier.classify_prompt
        self._random = random.Random(int(rng.integers(2**31)))
        priors = [arm.prior for arm in table.matrix.arms.values()]
        rank = np.argsort(np.argsort([prior.capability or 0.0 for prior in priors]))
        self._tiers = (1 + 3 * rank // len(rank)).tolist() if tiers else [2] * len(rank)
        self._costs = {str(arm): prior.cost_usd or 0.0 for arm, prior in enumerate(priors)}
        self._cells: dict[Any, dict[str, Any]] = {}

    def _of(self, task: int) -> dict[str, Any]:
        from litellm.types.router import AdaptiveRouterPreferences  # noqa: PLC0415 - only of the extra

        kind = self._classify(self._table.matrix.tasks[task].goal)
        if kind not in self._cells:
            preferences = [AdaptiveRouterPreferences(quality_tier=tier) for tier in self._tiers]
            self._cells[kind] = {str(arm): self._bandit.initial_cell(one, kind) for arm, one in enumerate(preferences)}
        return self._cells[kind]

    def choose(self, task: int) -> int:
        return int(self._bandit.pick_best(self._of(task), self._costs, rng=self._random))

    def learn(self, task: int, arm: int) -> None:
        cells, success = self._of(task), float(self._table.matrix.succeeded[task, arm])
        cells[str(arm)] = self._bandit.apply_delta(cells[str(arm)], success, 1.0 - success)


PEERS: dict[str, Callable[[Table, np.random.Generator], Any]] = {
    "epsilon-greedy 0.1, no features": EpsilonGreedy,
    "Beta-Thompson, no features": BetaThompson,
    "MABWiser LinUCB": lambda table, rng: Mabwiser(table, rng, policy="LinUCB"),
    "MABWiser LinTS": lambda table, rng: Mabwiser(table, rng, policy="LinTS"),
    "MABWiser LinTS alpha .25": lambda table, rng: Mabwiser(table, rng, policy="LinTS", alpha=0.25),
    "contextualbandits LinUCB": Contextualbandits,
    "VW squarecb": lambda table, rng: VowpalWabbit(table, rng, exploration="--squarecb"),
    "VW bag 5": lambda table, rng: VowpalWabbit(table, rng, exploration="--bag 5"),
    "LiteLLM adaptive": lambda table, rng: LiteLlm(table, rng, tiers=False),
    "LiteLLM adaptive, tiers told": lambda table, rng: LiteLlm(table, rng, tiers=True),
}
TOLD = ("LiteLLM adaptive, tiers told",)
"""Those that know something of the arms beforehand."""
MODULES = ("mabwiser", "contextualbandits", "vowpalwabbit", "litellm")
"""What must be installed for them."""

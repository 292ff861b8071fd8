"""Epsilon-greedy: the arm of best expected utility, and with probability `epsilon` any arm at all."""

from routerd.config import PolicyConfig
from routerd.policies.base import Belief


class EpsilonGreedy:
    """See the head of this module."""

    name = "epsilon_greedy"
    version = "1"
    learns = True

    def __init__(self, config: PolicyConfig) -> None:
        self._epsilon = config.epsilon

    def propensities(self, belief: Belief) -> list[float]:
        """See `PolicyLike.propensities`."""
        arms = len(belief.utility)
        p = [self._epsilon / arms] * arms
        p[belief.utility.index(max(belief.utility))] += 1.0 - self._epsilon
        return p

"""Epsilon-greedy: the arm of best expected utility, and with probability `epsilon` any arm at all."""

import numpy as np
import numpy.typing as npt

from routerd.config import PolicyConfig
from routerd.policies.base import Belief, certain

Floats = npt.NDArray[np.float64]


class EpsilonGreedy:
    """See the head of this module."""

    name = "epsilon_greedy"
    version = "1"
    learns = True

    def __init__(self, config: PolicyConfig) -> None:
        self._epsilon = config.epsilon

    def propensities(self, belief: Belief) -> Floats:
        """See `PolicyLike.propensities`."""
        arms = len(belief.utility)
        return (1.0 - self._epsilon) * certain(int(np.argmax(belief.utility)), arms) + self._epsilon / arms

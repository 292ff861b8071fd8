"""
Upper confidence bound: the arm with the best utility that is still plausible (Li et al. 2010, LinUCB).

The bound is `optimism` standard deviations above the mean. The floor keeps every harmless arm possible.
"""

import numpy as np

from routerd.config import PolicyConfig
from routerd.policies.base import Belief, certain, with_floor


class UpperConfidenceBound:
    """See the head of this module."""

    name = "ucb"
    version = "2"
    learns = True

    def __init__(self, config: PolicyConfig) -> None:
        self._optimism = config.optimism

    def propensities(self, belief: Belief) -> list[float]:
        """See `PolicyLike.propensities`."""
        bound = np.array(belief.utility) + self._optimism * belief.deviations.std(axis=1)
        return with_floor(certain(int(np.argmax(bound)), len(bound)), belief)

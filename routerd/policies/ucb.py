"""
Upper confidence bound: the arm with the best utility that is still plausible (Li et al. 2010, LinUCB).

The bound is one standard deviation of the narrowed belief above its mean (see `base.narrowed`). The floor keeps every
harmless arm possible.
"""

import numpy as np

from routerd.config import PolicyConfig
from routerd.policies.base import Belief, certain, with_floor


class UpperConfidenceBound:
    """See the head of this module."""

    name = "ucb"
    version = "1"
    learns = True

    def __init__(self, config: PolicyConfig) -> None:
        del config

    def propensities(self, belief: Belief) -> list[float]:
        """See `PolicyLike.propensities`."""
        bound = np.array(belief.utility) + belief.draws.std(axis=1)
        return with_floor(certain(int(np.argmax(bound)), len(bound)), belief)

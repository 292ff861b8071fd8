"""
Thompson sampling: an arm is chosen as often as it is the best under draws from the joint belief (Thompson 1933).

Propensities are the frequencies over a fixed set of draws, and the engine draws the arm from them: exact by
construction. `exploration` narrows the belief that is drawn from: 1 is textbook sampling, which goes on exploring long
after the few hundred tasks that a person has. The floor keeps every harmless arm possible.
"""

import numpy as np
import numpy.typing as npt

from routerd.config import PolicyConfig
from routerd.policies.base import Belief, best_shares, with_floor

Floats = npt.NDArray[np.float64]


class ThompsonSampling:
    """See the head of this module."""

    name = "thompson_sampling"
    version = "1"
    learns = True

    def __init__(self, config: PolicyConfig) -> None:
        self._exploration = config.exploration
        self._floor = config.explore_floor

    def propensities(self, belief: Belief) -> Floats:
        """See `PolicyLike.propensities`."""
        shares = best_shares(belief.utility, belief.deviations, self._exploration)
        return with_floor(shares, self._floor, belief.harmless)

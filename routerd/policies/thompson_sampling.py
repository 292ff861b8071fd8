"""
Thompson sampling: an arm is chosen as often as it is the best under draws from the joint belief (Thompson 1933).

Propensities are the frequencies over a fixed set of draws, and the engine draws the arm from them: exact by
construction. The belief that is drawn from is narrowed (see `base.narrowed`). The floor keeps every harmless arm
possible.
"""

from routerd.config import PolicyConfig
from routerd.policies.base import Belief, with_floor


class ThompsonSampling:
    """See the head of this module."""

    name = "thompson_sampling"
    version = "1"
    learns = True

    def __init__(self, config: PolicyConfig) -> None:
        del config

    def propensities(self, belief: Belief) -> list[float]:
        """See `PolicyLike.propensities`."""
        return with_floor(belief.wins, belief)

"""Off: what would be used otherwise, or the first that was offered. Nothing is tried."""

from routerd.config import PolicyConfig
from routerd.policies.base import Belief, certain


class Off:
    """See the head of this module."""

    name = "off"
    version = "1"
    learns = False

    def __init__(self, config: PolicyConfig) -> None:
        del config

    def propensities(self, belief: Belief) -> list[float]:
        """See `PolicyLike.propensities`."""
        return certain(belief.incumbent or 0, len(belief.utility))

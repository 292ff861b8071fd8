"""Off: what would be used otherwise, or the first that was offered. Nothing is tried."""

import numpy as np
import numpy.typing as npt

from routerd.config import PolicyConfig
from routerd.policies.base import Belief, certain

Floats = npt.NDArray[np.float64]


class Off:
    """See the head of this module."""

    name = "off"
    version = "1"
    learns = False

    def __init__(self, config: PolicyConfig) -> None:
        del config

    def propensities(self, belief: Belief) -> Floats:
        """See `PolicyLike.propensities`."""
        return certain(belief.incumbent or 0, len(belief.utility))

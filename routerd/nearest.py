"""The tasks of the past that resemble a new one, for explanations: nothing is decided by them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from routerd.features import vector
from routerd.rpc.messages import Neighbour
from routerd.store.reader import Past

NEAREST = 5


def nearest(features: dict[str, Any], past: Sequence[Past], count: int = NEAREST) -> list[Neighbour]:
    """
    The `count` most similar of `past`, most similar first.

    Similarity is 1 / (1 + d), with d the Euclidean distance of the features that the engine itself uses.
    """
    if not past:
        return []
    x = vector(features)
    distances = np.linalg.norm(np.array([vector(one.features) for one in past]) - x, axis=1)
    order = np.argsort(distances, kind="stable")[:count]
    return [
        Neighbour(
            at=past[row].at,
            agent=past[row].agent,
            arm=past[row].arm,
            succeeded=past[row].succeeded,
            wall_time_ms=past[row].wall_time_ms,
            cost_usd=past[row].cost_usd,
            similarity=1.0 / (1.0 + float(distances[row])),
            transcript=past[row].transcript or "",
        )
        for row in order
    ]

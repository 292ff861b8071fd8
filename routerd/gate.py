"""
The gate: whether a pick may be applied without asking, in place of the incumbent.

It may when the joint belief leaves little doubt that nothing is lost, P(success drops by more than δ) < ε, and
something is to be gained, a higher expected utility (Bayesian non-inferiority). Where nobody has said what would be
used otherwise there is nothing to compare with, and the pick is advice.
"""

import math
from collections.abc import Sequence

from routerd.config import GateConfig
from routerd.events import Gate
from routerd.posterior import Predicted
from routerd.reward import normal_cdf


def drop_chance(predicted: Predicted, pick: int, incumbent: int, delta: float) -> float:
    """P(success of `pick` < success of `incumbent` - δ) under their joint belief."""
    apart = predicted.shared[pick] - predicted.shared[incumbent]
    variance = float(apart @ apart) + predicted.own.item(pick) + predicted.own.item(incumbent)
    sd = math.sqrt(max(variance, 1e-12))
    gain = predicted.mean[0][pick] - predicted.mean[0][incumbent]
    return normal_cdf((-delta - gain) / sd)


def judge(
    predicted: Predicted,
    utility: Sequence[float],
    arms: list[str],
    *,
    pick: int,
    incumbent: int | None,
    config: GateConfig,
) -> Gate:
    """The gate's verdict on the arm at row `pick` against the one at row `incumbent`."""
    if incumbent is None:
        return Gate(False, "no incumbent was named to compare with")
    if pick == incumbent:
        return Gate(False, f"{arms[pick]} is what is used already")
    chance = drop_chance(predicted, pick, incumbent, config.delta)
    gain = utility[pick] - utility[incumbent]
    numbers = (
        f"P(success drops by more than {config.delta:g}) = {chance:.2f} against {arms[incumbent]}, "
        f"expected gain ${gain:+.3f}, from {predicted.n[0][pick]:.0f} and {predicted.n[0][incumbent]:.0f} outcomes"
    )
    if chance >= config.epsilon:
        return Gate(False, f"not sure enough: {numbers}; the bound is {config.epsilon:g}")
    if gain <= 0.0:
        return Gate(False, f"nothing to gain: {numbers}")
    return Gate(True, numbers)

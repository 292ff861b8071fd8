"""The policies: one file each, and a line here."""

from typing import Final

from routerd.policies.base import Belief, Draws, Points, PolicyLike, certain, drawn, own_explored, winners
from routerd.policies.epsilon_greedy import EpsilonGreedy
from routerd.policies.off import Off
from routerd.policies.thompson_sampling import ThompsonSampling
from routerd.policies.ucb import UpperConfidenceBound

POLICIES: Final[dict[str, type[PolicyLike]]] = {
    "thompson_sampling": ThompsonSampling,
    "ucb": UpperConfidenceBound,
    "epsilon_greedy": EpsilonGreedy,
    "off": Off,
}

__all__ = ["POLICIES", "Belief", "Draws", "Points", "PolicyLike", "certain", "drawn", "own_explored", "winners"]

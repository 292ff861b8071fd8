"""
What is believed before any outcome: plausible sizes of effects for each target, and the attributes that arms share.

An arm that nobody has tried starts from what its attributes predict: its capability score, price, effort, family. How
much each attribute is worth is itself learnt, so a score that misleads is found out. Success is a probability; time and
cost are log10, so an effect of 0.3 is a factor of two.

The sizes for success did well on matrices of known outcomes while withstanding a prior of the wrong sign: mean .6,
shared effects .3, arms .18 (of which the data choose a multiple), slope of a capability score N(.10, .15²), noise .45.
What effort is worth is measured on published runs (`seeds/fit_effort.py`). The other sizes for time and cost are
judgement: they say "within a factor of a few".
"""

import math
from collections.abc import Iterable, Sequence
from typing import Final, Protocol

import msgspec
import numpy as np
import numpy.typing as npt

from routerd.features import DIM, KIND_DIMS, NAMES, code

Floats = npt.NDArray[np.float64]

FAMILY_DIMS: Final = 4
ATTRIBUTE_NAMES: Final = (
    "capability",  # of the score on the logit scale: standard deviations above the mean of the known models
    "price_of_unscored",  # the same of log10 price, for models with no score only
    "price",  # log10 of US dollars per million tokens
    "effort",  # -1 least to 1 most
    "local",
    "orchestrator",
    *(f"family.{i}" for i in range(FAMILY_DIMS)),
)
ATTRIBUTES: Final = len(ATTRIBUTE_NAMES)
LOCAL: Final = ATTRIBUTE_NAMES.index("local")
USUAL_LOG_PRICE: Final = 0.5
"""log10 of $3 a million tokens, for models whose price nobody knows."""
LEAST_SD: Final = 1e-3
"""Of an effect that is taken not to exist."""


class AttributesLike(Protocol):
    """What the catalogue says of a dispatch (see `catalog`)."""

    @property
    def capability(self) -> float | None: ...
    @property
    def capability_se(self) -> float: ...
    @property
    def log_price(self) -> float | None: ...
    @property
    def family(self) -> str | None: ...
    @property
    def effort_level(self) -> float | None: ...
    @property
    def executor(self) -> str: ...
    @property
    def role(self) -> str | None: ...
    @property
    def strengths(self) -> Sequence[str]: ...


class Prior(msgspec.Struct, frozen=True, kw_only=True):
    """
    The prior of one target.

    Attributes:
        mean: Of the shared effects: features, then attributes; shape (DIM + ATTRIBUTES,).
        sd: Their standard deviations, same shape.
        arm_sd: Of an arm's own intercept, and slopes on the first features if any, around what is shared; shape (q,).
        noise_sd: Of one outcome around its mean.
        local: What the agent itself is expected to do beyond what its attributes say, as effects of an arm, (q,).
        scales: Factors of the arms' intercept sd among which the data choose, with their prior probabilities.
    """

    mean: Floats
    sd: Floats
    arm_sd: Floats
    noise_sd: float
    local: Floats
    scales: tuple[tuple[float, float], ...] = ((1.0, 1.0),)


def _features(sizes: dict[str, float]) -> list[float]:
    return [sizes[name.partition(".")[0]] if name.partition(".")[0] in sizes else sizes["shape"] for name in NAMES]


def _attributes(sizes: dict[str, float]) -> list[float]:
    return [sizes.get(name.partition(".")[0], 0.0) for name in ATTRIBUTE_NAMES]


def _prior(
    *,
    bias: tuple[float, float],
    features: dict[str, float],
    arm_sd: list[float],
    attributes: dict[str, tuple[float, float]],
    tokens: float,
    noise_sd: float,
    local_by: dict[str, float] | None = None,
    scales: tuple[tuple[float, float], ...] = ((1.0, 1.0),),
) -> Prior:
    mean = np.zeros(DIM + ATTRIBUTES)
    mean[0], mean[NAMES.index("rough_token_estimate")] = bias[0], tokens
    mean[DIM:] = _attributes({name: value for name, (value, _) in attributes.items()})
    local = np.array([(local_by or {}).get(name, 0.0) for name in NAMES])
    own_sd = _features({"bias": bias[1], **features})
    shared_sd = _attributes({name: sd for name, (_, sd) in attributes.items()})
    return Prior(
        mean=mean,
        sd=np.maximum([*own_sd, *shared_sd], LEAST_SD),
        arm_sd=np.array(arm_sd),
        noise_sd=noise_sd,
        local=local[: len(arm_sd)],
        scales=scales,
    )


STRENGTH: Final = 0.05
"""By how much an arm is expected to succeed more on a kind of task that the pool calls its strength; judgement."""

LOCAL_WINS: Final = (7, 2, 1)
"""
Of ten tasks, how many were done best by the agent itself, by a rule that delegates the hard ones (the two hardest), and
by always delegating: all that is published of a benchmark of 30 trials, the one by which Hermes Agent's request for
adaptive delegation argues. No rows of it exist, so none are made up. It is taken as "the agent itself is somewhat
better on easy tasks, and no better on the hardest fifth", and weakly so: it is a third of the doubt about it.
"""
LOCAL_AHEAD: Final = 0.05
"""By how much, on a task of a thousand tokens; judgement, like the next."""
EVEN_AT: Final = 0.65
"""At which size of task neither is ahead, as `rough_token_estimate` has it: 20,000 tokens."""

SUCCESS: Final = _prior(
    bias=(0.6, 0.3),
    features={"task_kind": 0.3, "parent_model_tier": 0.05, "rough_token_estimate": 0.1, "text": 0.2, "shape": 0.1,
              "depth": 0.1, "orchestrator": 0.1, "label": 0.15},
    arm_sd=[0.18, *[0.15] * KIND_DIMS, 0.1, 0.1],
    attributes={"capability": (0.1, 0.15), "price_of_unscored": (0.06, 0.05), "effort": (0.07, 0.1),
                "local": (0.0, 0.15), "orchestrator": (0.0, 0.05), "family": (0.0, 0.05)},
    tokens=0.0,
    noise_sd=0.45,
    # The agent's own model is context, so its score is not among the attributes of `local`. The rest is `LOCAL_WINS`.
    local_by={"parent_model_tier": 0.12, "bias": LOCAL_AHEAD, "rough_token_estimate": -LOCAL_AHEAD / EVEN_AT},
    scales=((0.5, 0.25), (1.0, 0.5), (2.0, 0.17), (4.0, 0.08)),
)  # fmt: skip
WALL_TIME: Final = _prior(
    bias=(0.0, 0.7),
    features={"task_kind": 0.3, "parent_model_tier": 0.1, "rough_token_estimate": 0.3, "text": 0.2, "shape": 0.2,
              "depth": 0.2, "orchestrator": 0.2, "label": 0.2},
    arm_sd=[0.5],
    attributes={"capability": (0.0, 0.1), "price": (0.0, 0.1), "effort": (0.42, 0.49), "local": (0.0, 0.3),
                "orchestrator": (0.2, 0.2), "family": (0.0, 0.1)},
    tokens=0.3,
    noise_sd=0.4,
)  # fmt: skip
COST: Final = _prior(
    bias=(-0.3, 1.0),  # a task costs about as much as 50,000 tokens at the model's price
    features={"task_kind": 0.3, "parent_model_tier": 0.1, "rough_token_estimate": 0.3, "text": 0.2, "shape": 0.2,
              "depth": 0.2, "orchestrator": 0.2, "label": 0.2},
    arm_sd=[0.5],
    attributes={"capability": (0.0, 0.1), "price": (1.0, 0.3), "effort": (0.33, 0.42), "local": (0.0, 0.3),
                "orchestrator": (0.2, 0.2), "family": (0.0, 0.1)},
    tokens=0.3,
    noise_sd=0.4,
)  # fmt: skip
PRIORS: Final = (SUCCESS, WALL_TIME, COST)
"""In the order of `evidence.TARGETS`."""


class Scaling(msgspec.Struct, frozen=True):
    """
    Means and standard deviations by which scores (as logits: at the top they lie close) and prices are made comparable.

    The usual ones are those of models that coding agents run on in 2026.
    """

    capability: tuple[float, float] = (2.0, 0.8)
    log_price: tuple[float, float] = (USUAL_LOG_PRICE, 0.5)


def scaling(known: Iterable[AttributesLike]) -> Scaling:
    """The scaling by the known models; with fewer than two scores or prices, a usual one."""
    attributes = list(known)
    usual = Scaling()
    return Scaling(
        capability=_moments(
            [_logit(a.capability) for a in attributes if a.capability is not None], usual.capability, 0.1
        ),
        log_price=_moments([_log_price(a) for a in attributes if a.log_price is not None], usual.log_price, 0.1),
    )


def design(attributes: AttributesLike, scale: Scaling) -> Floats:
    """
    The attributes of an arm as numbers, shape (ATTRIBUTES,), in the order of `ATTRIBUTE_NAMES`.

    A score with a standard error is drawn to the mean by its reliability sd² / (sd² + se²).
    """
    z = np.zeros(ATTRIBUTES)
    price = _log_price(attributes)
    if attributes.capability is not None:
        mean, sd = scale.capability
        score = _logit(attributes.capability)
        se = attributes.capability_se * (2.0 + math.exp(score) + math.exp(-score))  # d logit(c) / dc = 1 / (c (1 - c))
        z[0] = _bounded((score - mean) / sd * sd**2 / (sd**2 + se**2))
    elif attributes.log_price is not None:
        mean, sd = scale.log_price
        z[1] = _bounded((price - mean) / sd)
    z[2] = price
    z[3] = 0.0 if attributes.effort_level is None else 2.0 * attributes.effort_level - 1.0
    z[LOCAL] = attributes.executor == "local"
    z[5] = attributes.role == "orchestrator"
    if attributes.family is not None:
        z[6:] = code(f"family:{attributes.family}", FAMILY_DIMS)
    return z


def _log_price(attributes: AttributesLike) -> float:
    """log10 of US dollars per million tokens, within reason: what is free counts as a cent."""
    if attributes.log_price is None:
        return USUAL_LOG_PRICE
    return max(-2.0, min(4.0, attributes.log_price / math.log(10.0)))


def _logit(score: float) -> float:
    score = min(max(score, 0.01), 0.99)
    return math.log(score / (1.0 - score))


def _moments(values: Sequence[float], usual: tuple[float, float], sd_min: float) -> tuple[float, float]:
    if len(values) < 2:
        return usual
    return float(np.mean(values)), max(float(np.std(values)), sd_min)


def _bounded(value: float) -> float:
    return max(-3.0, min(3.0, value))

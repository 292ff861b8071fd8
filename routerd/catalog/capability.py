"""How able a model is, in 0..1, and by which path that is known.

Paths, the strongest first:

    weighted   the published formula 0.30·MMLU + 0.35·HumanEval + 0.20·MATH + 0.15·GPQA, where all four exist
    irt        a one-factor fit over whatever benchmarks a model has, brought to the scale of the formula
    size       interpolated in the logarithm of the number of parameters
    family     the nearest model of the same family that has figures
    effort     nothing is known but the reasoning effort, or not even that

The formula is dead for models of 2026, of which nobody publishes these four any more, and near the top it is flat. So
the fit stands beside it: it is what models are ranked by, and what the engine's prior uses where both exist. Near 1
both are compressed; the logit of a score spreads them.
"""

import math
import re
from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from routerd.catalog.efforts import LEVELS
from routerd.catalog.registry import Fit, Model, Registry, Scale

Path = Literal["weighted", "irt", "size", "family", "effort"]
Tier = Literal["frontier", "advanced", "mid", "light"]

WEIGHTS: Final = {"mmlu": 0.30, "humaneval": 0.35, "math": 0.20, "gpqa": 0.15}
TIERS: Final[tuple[tuple[Tier, float], ...]] = (("frontier", 0.85), ("advanced", 0.75), ("mid", 0.60), ("light", 0.0))
"""Name and least score, the ablest first."""
SIZES: Final = ((8.0, 0.70), (70.0, 0.80), (400.0, 0.85))
"""Billions of parameters and score."""
EFFORTS: Final = {"low": 0.55, "medium": 0.75, "high": 0.85}
_SIZE_SCORES: Final = (0.3, 0.9)
"""Beyond the table the end pieces go on, no further than this."""
_SIZE: Final = re.compile(r"(?<![a-z0-9.])(\d+(?:\.\d+)?)(x\d+(?:\.\d+)?)?(b|t)(?![a-z0-9])")


class Capability(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """
    A score with where it comes from.

    Attributes:
        score: In 0..1.
        se: Standard error of the score; wider for a weaker path.
        source: What it was computed from, in words.
        fit, fit_se: The one-factor fit on the same scale, where there is one.
    """

    score: float
    se: float
    path: Path
    source: str
    fit: float | None = None
    fit_se: float | None = None


def weighted(percent: Mapping[str, float]) -> float | None:
    """The published weighted score in 0..1 from scores in percent, or None unless all four are there."""
    if any(name not in percent for name in WEIGHTS):
        return None
    return sum(weight * percent[name] for name, weight in WEIGHTS.items()) / 100.0


def tier(score: float) -> Tier:
    """The tier of a score."""
    return next(name for name, least in TIERS if score >= least)


def params_b(name: str) -> float | None:
    """Billions of parameters that a name tells (`70b`, `8x7b`, `1.6t`, `235b-a22b` in all), or None."""
    found = _SIZE.search(name.lower().replace("_", "-"))
    if found is None:
        return None
    size = float(found[1]) * (float(found[2][1:]) if found[2] else 1.0)
    return size * 1000.0 if found[3] == "t" else size


def by_size(billions: float) -> float:
    """The score that a number of parameters suggests: piecewise linear in its logarithm."""
    (x0, y0), (x1, y1), (x2, y2) = ((math.log(size), score) for size, score in SIZES)
    x = math.log(max(billions, 1e-3))
    slope, x_at, y_at = ((y1 - y0) / (x1 - x0), x0, y0) if x < x1 else ((y2 - y1) / (x2 - x1), x1, y1)
    low, high = _SIZE_SCORES
    return min(max(y_at + slope * (x - x_at), low), high)


def by_fit(ability: float, scale: Scale) -> float:
    """The score of an ability."""
    return 1.0 / (1.0 + math.exp(-(scale.slope * ability + scale.intercept)))


class Estimator:
    """Says how able a model is. Memory: the registry's own."""

    def __init__(self, registry: Registry) -> None:
        self._scale = registry.scale
        self._peers = registry.peers
        self._families: dict[str, list[Model]] = {}
        for model in registry.models:
            self._families.setdefault(model.family, []).append(model)

    def of(self, model: Model | None, name: str, family: str | None, effort: str | None) -> Capability | None:
        """
        The capability of a model, or None when neither its name, nor a family, nor an effort tells anything.

        Args:
            model: Its entry in the registry, or None.
            name: Its canonical spelling.
            family: Its family as far as known.
            effort: Canonical level that it would run at; used only where nothing else is known.
        """
        if model is not None and model.fit is not None:
            return self._listed(model, model.fit)
        size = model.params_b if model is not None and model.params_b is not None else params_b(name)
        if size is not None:
            return Capability(
                score=by_size(size), se=self._scale.size_rms, path="size", source=f"{size:g} billion parameters"
            )
        peer = self.peer(model, family)
        if peer is not None and peer.fit is not None:
            score, peer_se = self._fitted(peer.fit)
            se = math.hypot(self._scale.family_rms, peer_se)
            return Capability(score=score, se=se, path="family", source=f"as {peer.id}")
        return by_effort(effort, self._scale)

    def peer(self, model: Model | None, family: str | None) -> Model | None:
        """The model whose figures stand in: the last before it in its family, else the next, else the peer family's."""
        seen: set[str] = set()
        while family is not None and family not in seen:
            seen.add(family)
            line = self._families.get(family, [])
            at = line.index(model) if model is not None and model in line else len(line)
            for other in [*reversed(line[:at]), *line[at + 1 :]]:
                if other.fit is not None:
                    return other
            family = self._peers.get(family)
        return None

    def _fitted(self, fit: Fit) -> tuple[float, float]:
        """
        The score of a fit, with its standard error.

        Delta method: the standard error of the ability times the slope of the link, and how well the link itself holds.
        """
        score = by_fit(fit.ability, self._scale)
        return score, math.hypot(score * (1.0 - score) * self._scale.slope * fit.se, self._scale.link_rms)

    def _listed(self, model: Model, of: Fit) -> Capability:
        fit, fit_se = self._fitted(of)
        if model.weighted is not None:
            four = ", ".join(f"{name} {model.figures[name][0]:g}" for name in WEIGHTS)
            return Capability(
                score=model.weighted, se=self._scale.link_rms, path="weighted", source=four, fit=fit, fit_se=fit_se
            )
        figures = ", ".join(f"{name} {score:g}" for name, (score, _) in model.figures.items())
        return Capability(score=fit, se=fit_se, path="irt", source=figures, fit=fit, fit_se=fit_se)


def by_effort(effort: str | None, scale: Scale) -> Capability | None:
    """The score that a reasoning effort alone suggests; below low as low, above high as high."""
    if effort not in LEVELS:
        return None
    score = EFFORTS["low"] if effort in ("none", "minimal") else EFFORTS.get(effort, EFFORTS["high"])
    return Capability(
        score=score, se=scale.default_rms, path="effort", source=f"reasoning effort {effort}, nothing else"
    )


def guess(scale: Scale) -> Capability:
    """The score of a model of which nothing is known: the middle one, for lists that need a number."""
    return Capability(score=EFFORTS["medium"], se=scale.default_rms, path="effort", source="nothing is known of it")

"""
What a step of reasoning effort is worth, by published runs of one model at several efforts (`effort_runs.json`).

    python seeds/fit_effort.py

Within each model, success, log10 seconds and log10 dollars are regressed on where the effort stands between the least
(-1) and the most (1), as the engine sees it; models are compared with themselves only. The slope is that of all models
together, its spread the standard deviation of theirs. `routerd.prior` carries the rounded figures: a test compares.
"""

import json
import math
from pathlib import Path
from typing import Any

from routerd.catalog.efforts import position

RUNS = Path(__file__).parent / "effort_runs.json"
TARGETS = {
    "success": lambda run: run["pass_rate"] / 100.0,
    "wall_time": lambda run: math.log10(run["seconds"]),
    "cost": lambda run: math.log10(run["cost_usd"]),
}


def slopes() -> dict[str, tuple[float, float]]:
    """For each target the slope over all models, and the standard deviation of single models' slopes around it."""
    models: dict[str, list[dict[str, Any]]] = {}
    for run in json.loads(RUNS.read_text())["runs"]:
        models.setdefault(run["model"], []).append(run)
    found = {}
    for name, value in TARGETS.items():
        sums = [
            _sums([(2.0 * (position(run["effort"]) or 0.0) - 1.0, value(run)) for run in runs])
            for runs in models.values()
        ]
        slope = sum(xy for _, xy in sums) / sum(xx for xx, _ in sums)
        spread = math.sqrt(sum((xy / xx - slope) ** 2 for xx, xy in sums) / (len(sums) - 1))
        found[name] = (slope, spread)
    return found


def _sums(points: list[tuple[float, float]]) -> tuple[float, float]:
    """Σ x² and Σ x y around the means."""
    x0, y0 = (sum(values) / len(points) for values in zip(*points, strict=True))
    return sum((x - x0) ** 2 for x, _ in points), sum((x - x0) * (y - y0) for x, y in points)


if __name__ == "__main__":
    for name, (slope, spread) in slopes().items():
        print(f"{name:10} {slope:+.2f} from least to middle, spread of models {spread:.2f}")

"""
Makes the packaged registry from the files beside this one.

    python seeds/fit_capability.py            writes routerd/catalog/data/registry.json
    python seeds/fit_capability.py --check    exits 1 when that file is not what the seeds give

The fit is Epoch's form of a one-factor item response model, score(m, b) = sigmoid(a_b (C_m - D_b)), over every figure
that there is: ability C of a model, difficulty D and slope a of a benchmark. It works with any subset of benchmarks and
gives each ability a standard error.

- An item is a benchmark as one kind of source runs it: Epoch's own runs of GPQA, MMLU and SWE-bench Verified are other
  items than what vendors publish.
- Of several figures of a model on an item the first counts, as listed in `models.json` (`rows`): where a model was run
  at several reasoning efforts, the highest.
- Priors: C ~ N(0, 1) fixes the scale, D ~ N(0, 2²), log a ~ N(0.3, 0.5²). The estimate is the maximum a posteriori by
  Gauss-Newton steps, its covariance the inverse of the Gauss-Newton Hessian (Laplace), so it holds the uncertainty of
  the items too. The noise of a figure has one standard deviation for all, estimated from the residuals and their
  degrees of freedom until it no longer moves.
- The link to the published weighted score is a straight line in the logit, by least squares over the models that have
  both.
- How wrong the weaker paths are is measured: each is asked for the models whose fit is known, as if they had none.
"""

import json
import math
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from routerd.catalog.capability import Estimator, by_fit, by_size, weighted
from routerd.catalog.registry import Fit, Model, Registry, Scale, Source

Floats = npt.NDArray[np.float64]

SEEDS = Path(__file__).parent
PACKAGED = SEEDS.parent / "routerd" / "catalog" / "data" / "registry.json"
OWN_RUNS = {"gpqa", "mmlu", "swe_bench_verified"}
PRIOR_SD = {"ability": 1.0, "difficulty": 2.0, "log_slope": 0.5}
PRIOR_LOG_SLOPE = 0.3
STEPS_MAX = 500
CONVERGED = 1e-5
NOISE_MIN = 1e-3
"""No benchmark is surer than a tenth of a point; it keeps figures without any noise from a division by nothing."""
DIGITS = 4
"""Of what is written: far finer than any standard error."""
TOLERANCE = 0.002
"""Between machines, for the same reason."""

Figures = dict[str, dict[str, list[tuple[float, str]]]]


def item(benchmark: str, source: str) -> str:
    """The item that a figure is a score on."""
    return f"{benchmark}@epoch" if source.startswith("epoch") and benchmark in OWN_RUNS else benchmark


def merged(rows: list[str], figures: Figures) -> dict[str, tuple[float, str]]:
    """A model's figures by item: of each the first, in the order of its rows."""
    found: dict[str, tuple[float, str]] = {}
    for row in rows:
        for benchmark, values in figures[row].items():
            for score, source in values:
                found.setdefault(item(benchmark, source), (score, source))
    return found


def published(items: dict[str, tuple[float, str]]) -> dict[str, tuple[float, str]]:
    """Benchmark to figure: what vendors publish before what Epoch ran."""
    found: dict[str, tuple[float, str]] = {}
    for name in sorted(items, key=lambda name: name.endswith("@epoch")):
        found.setdefault(name.removesuffix("@epoch"), items[name])
    return found


class OneFactor:
    """The fit, see above. `cells` are (model, item, score in 0..1)."""

    def __init__(self, cells: list[tuple[str, str, float]]) -> None:
        self.models = sorted({model for model, _, _ in cells})
        self.items = sorted({name for _, name, _ in cells})
        at_model = {name: i for i, name in enumerate(self.models)}
        at_item = {name: i for i, name in enumerate(self.items)}
        self._m = np.array([at_model[model] for model, _, _ in cells])
        self._b = np.array([at_item[name] for _, name, _ in cells])
        self._y = np.array([score for _, _, score in cells])
        sizes = len(self.models), len(self.items), len(self.items)
        self._prior_sd = np.repeat(list(PRIOR_SD.values()), sizes)
        self._prior_mean = np.repeat([0.0, 0.0, PRIOR_LOG_SLOPE], sizes)
        self._theta: Floats = self._prior_mean.copy()
        self.noise_sd = 0.1
        self._covariance: Floats = np.eye(len(self._theta))
        self._fit()

    @property
    def abilities(self) -> dict[str, Fit]:
        """
        Ability and standard error by model, both relative to the mean of all.

        Where that mean lies only the prior tells; it is common to all models, and the link to the score takes it up.
        """
        n = len(self.models)
        ability, covariance = self._theta[:n], self._covariance[:n, :n]
        common = covariance.mean(axis=0)
        variance = np.diag(covariance) - 2.0 * common + covariance.mean()
        se, mean = np.sqrt(variance), ability.mean()
        return {name: Fit(float(ability[i] - mean), float(se[i])) for i, name in enumerate(self.models)}

    def items_table(self) -> dict[str, tuple[int, float, float, float]]:
        """By item: number of figures, difficulty, slope, root mean square of the residuals."""
        n, k = len(self.models), len(self.items)
        residual = self._y - self._predict()[0]
        table = {}
        for i, name in enumerate(self.items):
            of = self._b == i
            rms = float(np.sqrt(np.mean(residual[of] ** 2)))
            table[name] = int(of.sum()), float(self._theta[n + i]), float(np.exp(self._theta[n + k + i])), rms
        return table

    def _predict(self) -> tuple[Floats, Floats, Floats]:
        n, k = len(self.models), len(self.items)
        slope = np.exp(self._theta[n + k :])[self._b]
        z = slope * (self._theta[:n][self._m] - self._theta[n : n + k][self._b])
        return 1.0 / (1.0 + np.exp(-z)), z, slope

    def _fit(self) -> None:
        """Gauss-Newton steps, the noise set anew after each, until neither moves."""
        n, k, rows = len(self.models), len(self.items), np.arange(len(self._y))
        precision = 1.0 / self._prior_sd**2
        for _ in range(STEPS_MAX):
            p, z, slope = self._predict()
            steep = p * (1.0 - p)
            jacobian = np.zeros((len(self._y), len(self._theta)))
            jacobian[rows, self._m] = steep * slope
            jacobian[rows, n + self._b] = -steep * slope
            jacobian[rows, n + k + self._b] = steep * z
            squares, residual = jacobian.T @ jacobian, self._y - p
            gradient = jacobian.T @ residual / self.noise_sd**2 - (self._theta - self._prior_mean) * precision
            hessian = squares / self.noise_sd**2 + np.diag(precision)
            self._covariance = np.linalg.inv(hessian).astype(np.float64)
            step = self._covariance @ gradient
            step *= min(1.0, 0.5 / float(np.abs(step).max()))
            self._theta = self._theta + step
            spent = float(np.sum(squares * self._covariance)) / self.noise_sd**2  # degrees of freedom
            noise_sd = max(float(np.sqrt(residual @ residual / (len(self._y) - spent))), NOISE_MIN)
            moved = max(float(np.abs(step).max()), abs(noise_sd - self.noise_sd))
            self.noise_sd = noise_sd
            if moved < CONVERGED:
                return
        raise ArithmeticError(f"the fit has not settled after {STEPS_MAX} steps")


def link(pairs: list[tuple[float, float]]) -> tuple[float, float, float]:
    """Slope and intercept of logit(weighted score) in the ability, and the root mean square error of the score."""
    ability, score = np.array(pairs).T
    slope, intercept = np.polyfit(ability, np.log(score / (1.0 - score)), 1)
    fitted = 1.0 / (1.0 + np.exp(-(slope * ability + intercept)))
    return float(slope), float(intercept), float(np.sqrt(np.mean((fitted - score) ** 2)))


def rms(errors: list[float]) -> float:
    """Root mean square."""
    return math.sqrt(sum(error**2 for error in errors) / len(errors))


def path_errors(registry: Registry) -> dict[str, float]:
    """How far the weaker paths are from the fit, over the models that have one."""
    estimator = Estimator(registry)
    scores = {model.id: by_fit(model.fit.ability, registry.scale) for model in registry.models if model.fit}
    fitted = [model for model in registry.models if model.fit]
    sizes = [by_size(m.params_b) - scores[m.id] for m in fitted if m.params_b is not None]
    families = [scores[peer.id] - scores[m.id] for m in fitted if (peer := estimator.peer(m, m.family)) is not None]
    middle = [0.75 - scores[m.id] for m in fitted]
    size, family, default = rms(sizes), rms(families), rms(middle)
    # A weaker path never claims to be surer than a stronger one.
    return {"size_rms": size, "family_rms": max(family, size), "default_rms": max(default, family, size)}


def read(name: str) -> Any:
    """One of the seed files."""
    return json.loads((SEEDS / name).read_text(encoding="utf-8"))


def model(entry: dict[str, Any], figures: dict[str, tuple[float, str]], fits: dict[str, Fit]) -> Model:
    """A model of `models.json` with its figures and its fit."""
    fit = fits.get(entry["id"])
    score = weighted({name: percent for name, (percent, _) in figures.items()})
    return Model(
        **{key: value for key, value in entry.items() if key != "rows"},
        figures=figures,
        weighted=None if score is None else round(score, DIGITS),
        fit=None if fit is None else Fit(round(fit.ability, DIGITS), round(fit.se, DIGITS)),
    )


def build() -> tuple[Registry, OneFactor]:
    """The registry and the fit behind it."""
    benchmarks, seeds, providers = read("benchmarks.json"), read("models.json"), read("providers.json")
    figures: Figures = benchmarks["figures"]
    items = {entry["id"]: merged(entry.get("rows", []), figures) for entry in seeds["models"]}
    taken = {row for entry in seeds["models"] for row in entry.get("rows", [])}
    loose = {f"row {row}": merged([row], figures) for row in figures if row not in taken}
    cells = [(name, b, s / 100.0) for name, row in {**items, **loose}.items() for b, (s, _) in row.items()]
    fit = OneFactor(cells)
    models = [model(entry, published(items[entry["id"]]), fit.abilities) for entry in seeds["models"]]
    slope, intercept, link_rms = link([(m.fit.ability, m.weighted) for m in models if m.fit and m.weighted is not None])
    scale = Scale(slope=slope, intercept=intercept, link_rms=link_rms, size_rms=0.0, family_rms=0.0, default_rms=0.0)
    registry = Registry(
        date=max(source["date"] for source in benchmarks["sources"].values()),
        sources={name: Source(**source) for name, source in benchmarks["sources"].items()},
        scale=scale,
        aliases=seeds["aliases"],
        peers=seeds["peers"],
        models=models,
        providers=providers,
    )
    scale = Scale(slope=slope, intercept=intercept, link_rms=link_rms, **path_errors(registry))
    rounded = {name: round(getattr(scale, name), DIGITS) for name in Scale.__struct_fields__}
    return msgspec.structs.replace(registry, scale=Scale(**rounded)), fit


def encoded(registry: Registry) -> str:
    """The file: one model or provider a line."""
    plain = msgspec.to_builtins(registry)
    parts = []
    for key, value in plain.items():
        if isinstance(value, list):
            body = "[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in value) + "\n]"
        else:
            body = json.dumps(value, ensure_ascii=False)
        parts.append(f"{json.dumps(key)}: {body}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def differences(packaged: Any, built: Any, place: str = "registry") -> list[str]:
    """Places where two registries, as plain values, differ by more than another machine's rounding."""
    if isinstance(packaged, float) and isinstance(built, float):
        return [] if abs(packaged - built) <= TOLERANCE else [f"{place}: {packaged} is packaged, {built} is built"]
    if isinstance(packaged, dict) and isinstance(built, dict) and packaged.keys() == built.keys():
        return [d for key in built for d in differences(packaged[key], built[key], f"{place}.{key}")]
    if isinstance(packaged, list | tuple) and isinstance(built, list | tuple) and len(packaged) == len(built):
        pairs = enumerate(zip(packaged, built, strict=True))
        return [d for i, (a, b) in pairs for d in differences(a, b, f"{place}[{i}]")]
    return [] if packaged == built else [f"{place}: {packaged!r} is packaged, {built!r} is built"]


def main() -> int:
    """Writes or checks the packaged file and prints what the fit found."""
    registry, fit = build()
    if "--check" in sys.argv[1:]:
        packaged = json.loads(PACKAGED.read_text(encoding="utf-8"))
        found = differences(packaged, json.loads(encoded(registry)))
        sys.stdout.write("\n".join(found or ["the packaged registry is what the seeds give"]) + "\n")
        return 1 if found else 0
    PACKAGED.parent.mkdir(exist_ok=True)
    PACKAGED.write_text(encoded(registry), encoding="utf-8")
    sys.stdout.write(summary(registry, fit))
    return 0


def summary(registry: Registry, fit: OneFactor) -> str:
    """What the fit found, to read."""
    fitted = [m for m in registry.models if m.fit]
    scored = sum(m.weighted is not None for m in fitted)
    lines = [
        f"{len(registry.models)} models, {len(fitted)} with a fit, {scored} with a weighted score",
        f"{len(fit.models)} rows and {len(fit.items)} items fitted, noise of a figure {fit.noise_sd:.3f}",
        str(registry.scale),
        *(
            f"{name:26} figures {n:4}  D {difficulty:6.2f}  a {slope:5.2f}  rms {error:.3f}"
            for name, (n, difficulty, slope, error) in fit.items_table().items()
        ),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    raise SystemExit(main())

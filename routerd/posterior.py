"""
The belief about every arm: one joint Gaussian per target, solved from sums over the outcomes.

    y = x·θ + z_a·β + v·φ_a + noise,   v = x[:q]     (of the agent itself, less a known v·μ: see `Prior.local`)

Shared effects ψ = (θ, β) hold for all arms: of the task's features x, and of the arm's attributes z_a. Each arm has its
own φ_a, an intercept and some slopes, drawn to 0: an arm with few outcomes is what its attributes say, one with many
is what it has shown.

The precision of (ψ, φ_1 … φ_K) is a block arrow: arms meet only through ψ. With S_a = Σ w x xᵀ of an arm,
u_a = (x, z_a) and noise precision τ, the blocks are

    A = Λ + τ Σ_a Σ w u_a u_aᵀ      (p, p)   shared
    B_a = τ Σ w u_a vᵀ              (p, q)   shared against arm
    D_a = Λ_q + τ S_a[:q, :q]       (q, q)   arm

and the Schur complement P = A - Σ_a B_a D_a⁻¹ B_aᵀ is all that has to be solved: O(K q³ + p³). Bishop (2006), §3.3
for the posterior; Golub and Van Loan (2013), §4.3 and Petersen and Pedersen (2012), §9.1 for block elimination.

Two sizes are learnt from the same sums. The noise is the spread of outcomes around their own arm's mean. The scale of
the arms' intercepts is chosen by marginal likelihood among a few (empirical Bayes): where one arm is far ahead of the
others, a small fixed scale would take long to believe it.
"""

from collections.abc import Generator, Iterator, Sequence
from typing import Final, Self

import msgspec
import numpy as np
import numpy.typing as npt

from routerd.features import DIM
from routerd.prior import ATTRIBUTES, LOCAL, Prior

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]

SHARED: Final = DIM + ATTRIBUTES
NOISE_PRIOR_OUTCOMES: Final = 10.0
"""The prior noise counts as much as so many outcomes."""


class Solved(msgspec.Struct, frozen=True, kw_only=True):
    """
    One target solved; K arms, p shared effects, q effects of an arm.

    Attributes:
        shared: Mean of ψ, (p,).
        root: R with R Rᵀ = P⁻¹, the covariance of ψ, (p, p).
        arms: Mean of φ_a, (K, q).
        gain: B_a D_a⁻¹, (K, p, q).
        own: D_a⁻¹, covariance of φ_a given ψ, (K, q, q).
        weight: Σ w of an arm, (K,).
        arm_sd: Of the intercepts, as learnt.
        noise_sd: Of one outcome around what the model says, as learnt.
    """

    shared: Floats
    root: Floats
    arms: Floats
    gain: Floats
    own: Floats
    weight: Floats
    arm_sd: float
    noise_sd: float


class Predicted(msgspec.Struct, frozen=True):
    """
    What is believed of K arms on one task, for the 3 targets.

    Attributes:
        mean: Of the 3 targets K each.
        variance: Of the mean, not of one outcome, of the 3 targets K each.
        shared: H, the arms' success as a map of p independent standard normal numbers that they share, (K, p).
        own: Variance of what is each arm's own: the covariance of success is H Hᵀ + diag(own), (K,).
        n: Effective number of outcomes, of the 3 targets K each.
    """

    mean: list[list[float]]
    variance: list[list[float]]
    shared: Floats
    own: Floats
    n: list[list[float]]


class _Reduced(msgspec.Struct, frozen=True):
    """The system after the arms are eliminated: P and r of ψ; per arm D⁻¹, B D⁻¹ and D⁻¹h."""

    P: Floats
    r: Floats
    own: Floats
    gain: Floats
    arms: Floats


def solve(moments: Floats, attributes: Floats, prior: Prior) -> Solved:
    """
    The posterior of one target.

    Args:
        moments: Σ w z zᵀ with z = (x, y) per arm, (K, DIM + 1, DIM + 1).
        attributes: z_a, (K, ATTRIBUTES).
        prior: Of this target.
    """
    S, sy, syy = moments[:, :DIM, :DIM], moments[:, :DIM, DIM], moments[:, DIM, DIM]
    weight = S[:, 0, 0]
    if prior.local.any():
        sy, syy = _without_local(S, sy, syy, attributes[:, LOCAL], prior)
    tau = 1.0 / _spread(weight, sy[:, 0], syy, prior) ** 2
    system = _reduce(tau * S, tau * sy, attributes, prior)
    arm_sd = _learnt_scale(system, prior)
    system = _rescaled(system, arm_sd**-2.0 - prior.arm_sd[0] ** -2.0)
    root = np.linalg.inv(np.linalg.cholesky((system.P + system.P.T) / 2.0)).T
    shared = root @ (root.T @ system.r)
    arms = system.arms - shared @ system.gain
    noise_sd = _residual(S, sy, syy, _coefficients(shared, arms, attributes), prior)
    return Solved(
        shared=shared,
        root=root,
        arms=arms,
        gain=system.gain,
        own=system.own,
        weight=weight,
        arm_sd=arm_sd,
        noise_sd=noise_sd,
    )


def _reduce(S: Floats, sy: Floats, attributes: Floats, prior: Prior) -> _Reduced:
    """Eliminates the arms. `S`, (K, DIM, DIM), and `sy`, (K, DIM), are in units of the noise (times τ)."""
    q = len(prior.arm_sd)
    own = np.linalg.inv(S[:, :q, :q] + np.diag(prior.arm_sd**-2.0)).astype(np.float64, copy=False)
    B = np.concatenate([S[:, :, :q], attributes[:, :, None] * S[:, :1, :q]], axis=1)
    gain = B @ own
    h = sy[:, :q]

    P = np.diag(prior.sd**-2.0)
    P[:DIM, :DIM] += S.sum(axis=0)
    P[:DIM, DIM:] += S[:, :, 0].T @ attributes
    P[DIM:, :DIM] = P[:DIM, DIM:].T
    P[DIM:, DIM:] += (attributes.T * S[:, 0, 0]) @ attributes
    r = prior.mean * prior.sd**-2.0
    r[:DIM] += sy.sum(axis=0)
    r[DIM:] += sy[:, 0] @ attributes
    P -= np.tensordot(gain, B, axes=((0, 2), (0, 2)))
    r -= np.tensordot(gain, h, axes=((0, 2), (0, 1)))
    return _Reduced(P, r, own, gain, (own @ h[:, :, None])[:, :, 0])


class Posterior:
    """
    The three targets solved for a list of arms, ready to predict.

    Args:
        arms: Their ids; rows of the arrays are in this order.
        moments: (K, 3, DIM + 1, DIM + 1).
        attributes: (K, ATTRIBUTES).
        priors: Of the three targets.

    Attributes:
        rows: Row of each arm.
        untried: The row that stands for any other: an arm with no outcomes.
        noise_sd: Of one outcome, per target, (3,).
        arm_sd: Of the arms' intercepts, per target, (3,).
        typical: Features of the average task, (DIM,).
        outcomes: How many have been judged, by their weights.
    """

    def __init__(self, arms: list[str], moments: Floats, attributes: Floats, priors: tuple[Prior, ...]) -> None:
        for _ in self._solve(arms, moments, attributes, priors):
            pass

    @classmethod
    def in_steps(
        cls, arms: list[str], moments: Floats, attributes: Floats, priors: tuple[Prior, ...]
    ) -> Generator[None, None, Self]:
        """The same, with a pause after each target."""
        one = cls.__new__(cls)
        yield from one._solve(arms, moments, attributes, priors)
        return one

    def _solve(self, arms: list[str], moments: Floats, attributes: Floats, priors: tuple[Prior, ...]) -> Iterator[None]:
        self.rows = {arm: row for row, arm in enumerate(arms)}
        self.untried = len(arms)
        moments = np.concatenate([moments, np.zeros((1, *moments.shape[1:]))])
        attributes = np.concatenate([attributes, np.zeros((1, ATTRIBUTES))])
        targets = []
        for t, prior in enumerate(priors):
            targets.append(solve(moments[:, t], attributes, prior))
            yield
        self.noise_sd = np.array([one.noise_sd for one in targets])
        self.arm_sd = np.array([one.arm_sd for one in targets])
        self.typical = _typical(moments)
        self._targets = targets
        self._locals = [prior.local for prior in priors]

    def hand(self, rows: Ints, attributes: Floats) -> "Hand":
        """The belief in the arms at `rows`, (K,), with `attributes`, (K, ATTRIBUTES)."""
        return Hand(self._targets, self._locals, rows, attributes)

    def predict(self, x: Floats, rows: Ints, attributes: Floats) -> Predicted:
        """What is believed at features `x`, (DIM,), of such arms."""
        return self.hand(rows, attributes).predict(x)


class Hand:
    """
    The belief in K arms as functions of a task's features, for many tasks with the same arms.

    f_a(x) = (u_a - G_a v)·ψ + v·D_a⁻¹h_a + noise of D_a⁻¹ with u_a = (x, z_a) and v = x[:q]: two arms covary through ψ
    alone, and all but the last term is linear in x. Since x[0] = 1, what does not depend on x is in the first column.

    Args:
        targets: Success, wall time and cost as solved; of the last two an arm has an intercept of its own, no slopes.
        locals_: `Prior.local` of each.
        rows: Of the arms, (K,).
        attributes: Of the arms, (K, ATTRIBUTES).
    """

    def __init__(self, targets: Sequence[Solved], locals_: Sequence[Floats], rows: Ints, attributes: Floats) -> None:
        success, *scales = targets
        means = [_coefficients(one.shared, one.arms[rows], attributes) for one in targets]
        for mean, local in zip(means, locals_, strict=True):
            mean[:, : len(local)] += np.multiply.outer(attributes[:, LOCAL], local)
        # Of a scale the variance is |c_a + C x|² + own_a = |c_a|² + own_a + 2 (c_a C)·x + |C x|².
        common = [one.root[:DIM].T for one in scales]
        apart = [attributes @ one.root[DIM:] - one.gain[rows, :, 0] @ one.root for one in scales]
        crossed = [2.0 * c @ C for c, C in zip(apart, common, strict=True)]
        self._arms = len(rows)
        through = _maps(success, rows, attributes).reshape(-1, DIM)
        self._linear = np.concatenate([*means, *crossed, *common, through])
        self._constant = [
            (np.vecdot(c, c) + one.own[rows, 0, 0]).tolist() for c, one in zip(apart, scales, strict=True)
        ]
        self._own = success.own[rows]
        self._n = [one.weight[rows].tolist() for one in targets]

    def predict(self, x: Floats) -> Predicted:
        """What is believed at features `x`, (DIM,)."""
        arms, v = self._arms, x[: self._own.shape[1]]
        linear = self._linear @ x
        common = linear[5 * arms : 5 * arms + 2 * SHARED].reshape(2, SHARED)
        shared, own = linear[5 * arms + 2 * SHARED :].reshape(arms, SHARED), (self._own @ v) @ v
        each = linear[: 5 * arms].tolist()
        mean = [each[:arms], each[arms : 2 * arms], each[2 * arms : 3 * arms]]
        crossed = each[3 * arms : 4 * arms], each[4 * arms :]
        variance = [
            [one + same + of_arm for one, of_arm in zip(many, constant, strict=True)]
            for many, constant, same in zip(crossed, self._constant, np.vecdot(common, common).tolist(), strict=True)
        ]
        return Predicted(mean, [(np.vecdot(shared, shared) + own).tolist(), *variance], shared, own, self._n)


def _maps(one: Solved, rows: Ints, attributes: Floats) -> Floats:
    """For each arm the matrix that takes x to Rᵀ(u_a - G_a v), (K, p, DIM)."""
    maps = np.tile(one.root[:DIM].T, (len(rows), 1, 1))
    maps[:, :, 0] += attributes @ one.root[DIM:]
    maps[:, :, : one.own.shape[1]] -= one.root.T @ one.gain[rows]
    return maps


def _typical(moments: Floats) -> Floats:
    """The features of the average task over all outcomes, (DIM,); the bias alone where there is none."""
    total: Floats = moments[:, :, 0, :DIM].sum(axis=(0, 1))
    mean: Floats = total / total[0] if total[0] > 0.0 else np.eye(1, DIM)[0]
    return mean


def _without_local(S: Floats, sy: Floats, syy: Floats, local: Floats, prior: Prior) -> tuple[Floats, Floats]:
    """Σ w x y and Σ w y y after what is expected of the agent itself beforehand is taken off its y."""
    offset = np.zeros((len(S), DIM))
    offset[:, : len(prior.local)] = local[:, None] * prior.local
    expected = (S @ offset[:, :, None])[:, :, 0]
    return sy - expected, syy - np.sum(offset * (2.0 * sy - expected), axis=1)


def _spread(weight: Floats, sy: Floats, syy: Floats, prior: Prior) -> float:
    """The sd of outcomes around their own arm's mean. What the context explains is in it: it errs to the wide side."""
    seen = weight > 0.0
    within = float(np.sum(syy[seen] - sy[seen] ** 2 / weight[seen]))
    freedom = float(np.sum(np.maximum(weight - 1.0, 0.0)))
    n = NOISE_PRIOR_OUTCOMES
    return float(np.sqrt((n * prior.noise_sd**2 + max(within, 0.0)) / (n + freedom)))


def _residual(S: Floats, sy: Floats, syy: Floats, m: Floats, prior: Prior) -> float:
    """The sd of outcomes around what the model says, from Σ w (y - m·x)² = Σ wyy - 2 m·Σ wxy + mᵀ Σ wxxᵀ m."""
    squares = float(np.sum(syy) - 2.0 * np.sum(m * sy) + np.sum(m * (S @ m[:, :, None])[:, :, 0]))
    n = NOISE_PRIOR_OUTCOMES
    return float(np.sqrt((n * prior.noise_sd**2 + max(squares, 0.0)) / (n + float(np.sum(S[:, 0, 0])))))


def _coefficients(shared: Floats, arms: Floats, attributes: Floats) -> Floats:
    """What multiplies x in the prediction of each arm, (K, DIM)."""
    m = np.tile(shared[:DIM], (len(arms), 1))
    m[:, : arms.shape[1]] += arms
    m[:, 0] += attributes @ shared[DIM:]
    return m


def _rescaled(system: _Reduced, delta: float) -> _Reduced:
    """
    The system after `delta` is added to the prior precision of every arm's intercept, without solving anew.

    Sherman-Morrison: (D + δ e eᵀ)⁻¹ = D⁻¹ - k d dᵀ with d = D⁻¹e and k = δ / (1 + δ d₀).
    """
    d = system.own[:, :, 0]
    f = system.gain[:, :, 0]
    k = delta / (1.0 + delta * d[:, 0])
    kc = k * system.arms[:, 0]
    return _Reduced(
        P=system.P + (f.T * k) @ f,
        r=system.r + kc @ f,
        own=system.own - k[:, None, None] * d[:, :, None] * d[:, None, :],
        gain=system.gain - k[:, None, None] * f[:, :, None] * d[:, None, :],
        arms=system.arms - kc[:, None] * d,
    )


def _learnt_scale(system: _Reduced, prior: Prior) -> float:
    """
    The sd of the arms' intercepts: the geometric mean of the candidates, weighted by what the data say of each.

    log p(y | s) = ½ (Σ_a log|Λ_a| - log|D_a|) - ½ log|P| + ½ (Σ_a h_aᵀ D_a⁻¹ h_a + rᵀ P⁻¹ r) + what has no s in it,
    where D_a and P differ from those at the prior's own scale by one rank (see `_rescaled`).
    """
    if len(prior.scales) == 1:
        return float(prior.arm_sd[0] * prior.scales[0][0])
    factors, chances = (np.array(column) for column in zip(*prior.scales, strict=True))
    sds = prior.arm_sd[0] * factors
    delta = sds[:, None] ** -2.0 - prior.arm_sd[0] ** -2.0
    d0, c0, f = system.own[:, 0, 0], system.arms[:, 0], system.gain[:, :, 0]
    k = delta / (1.0 + delta * d0)
    P = system.P + (f.T * k[:, None, :]) @ f
    r = system.r + (k * c0) @ f
    diagonal, half = _factored(P, r)
    log_p = np.log(chances) - len(d0) * np.log(sds)
    log_p -= 0.5 * np.log1p(delta * d0).sum(axis=1)
    log_p -= np.log(diagonal).sum(axis=1)
    log_p += 0.5 * (np.sum(half * half, axis=1) - np.sum(k * c0**2, axis=1))
    p = np.exp(log_p - log_p.max())
    return float(np.exp(np.sum(p * np.log(sds)) / np.sum(p)))


def _factored(P: Floats, r: Floats) -> tuple[Floats, Floats]:
    """
    The diagonal of L and L⁻¹r, each (S, p), where P = L Lᵀ, for S systems at once.

    numpy has no triangular solve; but L⁻¹r is the last row of the factor of P bordered by r, whatever the corner is.
    """
    p = P.shape[1]
    bordered = np.empty((len(P), p + 1, p + 1))
    bordered[:, :p, :p] = P
    bordered[:, p, :p] = bordered[:, :p, p] = r
    bordered[:, p, p] = 1e12
    factor = np.linalg.cholesky(bordered)
    return np.diagonal(factor, axis1=1, axis2=2)[:, :p], factor[:, p, :p]

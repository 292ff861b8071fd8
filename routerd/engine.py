"""
The engine: outcomes in, decisions out. Pure and synchronous: no clock, no I/O, randomness by a passed generator.

    observe(old, new)   takes back what an outcome said before and adds what it says now
    refreshing(now)     solves belief anew from the sums, in steps; until the next time belief stands still
    recommend(request)  features → belief about each arm → utility → propensities → one arm, and why

Belief is a function of the set of current outcomes and of the time (see `evidence`, `posterior`). A decision is a
function of belief, request and one random number (see `choice`).
"""

from collections import OrderedDict
from collections.abc import Iterator
from hashlib import blake2b
from typing import Final, get_args

import msgspec
import numpy as np

from routerd.budget import DAY_S, Allowance, Spending, price
from routerd.choice import Picked, decision, draw, removals, strengthened, view
from routerd.config import Config, FeatureName
from routerd.events import Contribution, Decision, Dispatch, Expected, Policy, Recommend, Task, arm_dispatch, ref_keys
from routerd.evidence import EMPTY, Evidence
from routerd.features import Features, Floats, extract, looked_at, tier_of_parent, vector, with_kind
from routerd.policies import POLICIES, Points
from routerd.posterior import Hand, Posterior
from routerd.prior import ATTRIBUTES, PRIORS
from routerd.reward import Worth, estimates, levels, means, worth
from routerd.slate import CatalogLike, Directory, Known, lay_out

__all__ = ["ArmView", "CatalogLike", "Engine", "Sums"]

MS_PER_MINUTE: Final = 60_000.0
ALL_FEATURES: Final = frozenset(get_args(FeatureName))
SCOPES_SOLVED_MAX: Final = 8
STICKY_MAX: Final = 512
HANDS_MAX: Final = 64
SPANS_MIN: Final = 4.0
"""A half-life is no shorter than so many spans: what ages together must not differ by much."""


class ArmView(msgspec.Struct, frozen=True, kw_only=True):
    """
    An arm as `arms` shows it.

    Attributes:
        prior: What was expected of it before any outcome.
        posterior: What is expected now.
        n: How many outcomes it has in the scope.
        last_seen: When the latest one ended, Unix seconds.
        drift: How far its latest success is from that before, in standard errors; None with too few outcomes.
    """

    arm: str
    dispatch: Dispatch
    in_pool: bool
    prior: Expected
    posterior: Expected
    n: int
    last_seen: float | None
    drift: float | None


class Sums(msgspec.Struct, frozen=True):
    """
    What belief in a scope is solved from (see `posterior.solve`).

    Attributes:
        arms: Their ids, in the order of the rows.
        moments: (K, 3, WIDTH, WIDTH), of the three targets.
        attributes: z_a, (K, ATTRIBUTES).
    """

    arms: list[str]
    moments: Floats
    attributes: Floats


class _Solved(msgspec.Struct, frozen=True):
    """
    Belief in one scope.

    Attributes:
        posterior: As solved.
        moments: What it was solved from, rows as in `posterior.rows`.
        level: Of its expectations (see `reward.levels`).
        used: The arms, most used first.
        revision: How many changes of outcomes it knows of.
        span: In which span of time it was solved.
        hands: Belief in the arms that questions were about, by their ids.
    """

    posterior: Posterior
    moments: Floats
    level: tuple[float, float]
    used: list[str]
    revision: int
    span: int
    hands: dict[tuple[str, ...], Hand]

    def hand(self, known: list[Known]) -> Hand:
        """Belief in a list of arms; agents ask about the same ones again and again."""
        arms = tuple([one.arm for one in known])
        hand = self.hands.get(arms)
        if hand is None:
            rows = np.array([self.posterior.rows.get(arm, self.posterior.untried) for arm in arms])
            if len(self.hands) >= HANDS_MAX:
                self.hands.clear()
            hand = self.hands[arms] = self.posterior.hand(rows, np.array([one.design for one in known]))
        return hand


class Engine:
    """
    See the head of this module.

    Args:
        config: See `PolicyConfig`, `ObjectiveConfig`, `GateConfig`, `LearningConfig`.
        catalog: Names and attributes of models, and the pool.
        rng: All randomness.
    """

    def __init__(self, config: Config, catalog: CatalogLike, rng: np.random.Generator) -> None:
        self._rng = rng
        self._points = Points(rng)
        learning = config.learning
        self._evidence = Evidence(min(learning.span_days, learning.half_life_days / SPANS_MIN) * DAY_S)
        self._revision = 0
        self._changed: dict[str, int] = {}
        self._spending = Spending()
        self._allowance = Allowance()
        names = frozenset(learning.features)
        self._names = None if names == ALL_FEATURES else names
        self.reconfigure(config, catalog)

    def reconfigure(self, config: Config, catalog: CatalogLike) -> None:
        """
        Puts another configuration and catalogue in force. Outcomes are kept; `learning.span_days` and
        `learning.features` stay as they were.

        Arms keep the names under which they were learnt: where the catalogue now spells a model in another way, make
        a new engine from the records.
        """
        self._config = config
        self._directory = Directory(catalog)
        self._default = Dispatch(
            executor="delegate",
            provider=config.delegation.provider,
            model=config.delegation.model,
            reasoning_effort=config.delegation.reasoning_effort,
        )
        self._policy = POLICIES[config.policy.name](config.policy)
        self._untaught = Posterior([], np.empty((0, *EMPTY.shape)), np.empty((0, ATTRIBUTES)), PRIORS)
        self._solved: OrderedDict[str, _Solved] = OrderedDict()
        self._sticky: OrderedDict[bytes, Decision] = OrderedDict()

    # --- learning ---------------------------------------------------------------------------------------------------

    def observe(self, old: Contribution | None, new: Contribution | None, now: float) -> None:
        """
        Replaces what an outcome says: `old` exactly as it was given before, or None; `new`, or None to forget it.

        Belief follows at the next `refresh`; how old an outcome is, is reckoned there.

        Raises:
            ValueError: `old` was never given, or a time is not finite; nothing has changed then.
        """
        del now
        changes = []
        if old is not None:
            changes.append((self._directory.known(old.dispatch).arm, self._looked_at(old), -1))
        if new is not None:
            changes.append((self._directory.known(new.dispatch).arm, self._looked_at(new), 1))
        self._evidence.fold(changes)
        self._revision += 1
        for arm, contribution, sign in changes:
            self._spending.add(contribution.at, contribution.cost_usd, sign)
            self._changed[arm] = self._revision

    def _looked_at(self, contribution: Contribution) -> Contribution:
        if self._names is None:
            return contribution
        return msgspec.structs.replace(contribution, features=looked_at(contribution.features, self._names))

    def refresh(self, now: float) -> bool:
        """Solves the scope that is out of date and was asked for last; returns whether another one is left."""
        stale = self._stale(now)
        if stale:
            self._solve(stale[-1], now)
        return len(stale) > 1

    def refreshing(self, now: float) -> Iterator[None]:
        """Solves all that is out of date, in steps of a millisecond or so, between which others can be answered."""
        yield from self._evidence.settling()
        for scope in reversed(self._stale(now)):
            yield from self._solving(scope, now)

    def _stale(self, now: float) -> list[str]:
        """Scopes that are out of date; the one that was asked for last is the last."""
        span = self._evidence.span(now)
        stale = [scope for scope, one in self._solved.items() if (one.revision, one.span) != (self._revision, span)]
        if Evidence.everywhere not in self._solved:
            stale.insert(0, Evidence.everywhere)
        return stale

    def _belief(self, scope: str, now: float) -> _Solved:
        """Belief in a scope as last solved; solved here only if it never was. A scope with no outcomes is `default`."""
        if scope != Evidence.everywhere and not self._evidence.arms(scope):
            scope = Evidence.everywhere
        solved = self._solved.get(scope) or self._solve(scope, now)
        self._solved.move_to_end(scope)
        return solved

    def _solve(self, scope: str, now: float) -> _Solved:
        for _ in self._solving(scope, now):
            pass
        return self._solved[scope]

    def _solving(self, scope: str, now: float) -> Iterator[None]:
        """Solves a scope from the outcomes of this moment; what comes in between steps counts the next time."""
        all_solved, revision = self._solved, self._revision
        arms = sorted(self._evidence.arms(Evidence.everywhere))
        span, before = self._evidence.span(now), self._solved.get(scope)
        moments = np.empty((len(arms), *EMPTY.shape))
        attributes = np.empty((len(arms), ATTRIBUTES))
        for row, arm in enumerate(arms):
            attributes[row] = self._directory.known(arm_dispatch(arm)).design
            if before is not None and before.span == span and self._changed[arm] <= before.revision:
                moments[row] = before.moments[before.posterior.rows[arm]]
            else:
                np.add(*self._counted(scope, arm, now), out=moments[row])
        used = self._used(scope)
        yield
        posterior = yield from Posterior.in_steps(arms, moments, attributes, PRIORS)
        if all_solved is not self._solved:
            return  # another catalogue is in force meanwhile
        self._solved[scope] = _Solved(posterior, moments, levels(posterior.noise_sd), used, revision, span, {})
        while len(self._solved) > SCOPES_SOLVED_MAX:
            self._solved.popitem(last=False)

    def _used(self, scope: str) -> list[str]:
        """All arms with outcomes, those that the scope used most first."""
        arms = self._evidence.arms(Evidence.everywhere)
        return sorted(arms, key=lambda arm: (-self._evidence.count(scope, arm), arm))

    def _counted(self, scope: str, arm: str, now: float) -> tuple[Floats, Floats]:
        """
        What counts for an arm in a scope, of its own decisions and of what others chose: other scopes at a discount,
        the latter up to a bound.
        """
        learning = self._config.learning
        half_life_s = learning.half_life_days * DAY_S
        own, observed = self._evidence.decayed(Evidence.everywhere, arm, now, half_life_s)
        if scope != Evidence.everywhere:
            own_here, observed_here = self._evidence.decayed(scope, arm, now, half_life_s)
            own = own_here + learning.scope_pooling * (own - own_here)
            observed = observed_here + learning.scope_pooling * (observed - observed_here)
        bound = np.minimum(1.0, learning.observed_max / np.maximum(observed[:, 0, 0], 1e-9))
        return own, bound[:, None, None] * observed

    # --- deciding ---------------------------------------------------------------------------------------------------

    def recommend(self, request: Recommend, now: float, decision_id: str, *, prices: Worth | None = None) -> Decision:
        """
        The decision on a request. The same question in one session soon again gets the same arm, by the same decision.

        Args:
            request: What is asked.
            now: Unix seconds.
            decision_id: Name of the decision.
            prices: What things are worth, where it is not the configured objective (replays).

        Raises:
            InvalidParams: A feature, a candidate or the incumbent cannot be used.
            OutsidePool: The pin or all candidates are outside the pool.
            NoArmLeft: The constraints removed every arm.
        """
        key = _sticky_key(request)
        if key is not None and (made := self._sticky.get(key)) and 0 <= now - made.at <= self._config.policy.sticky_s:
            keys = () if request.ref is None else ref_keys(request.ref)
            return msgspec.structs.replace(made, decision_id=decision_id, at=now, keys=keys, top=request.top)
        made = self._decide(request, now, decision_id, prices)
        if key is not None and not request.dry_run:
            self._sticky[key] = made
            self._sticky.move_to_end(key)
            while len(self._sticky) > STICKY_MAX:
                self._sticky.popitem(last=False)
        return made

    def _decide(self, request: Recommend, now: float, decision_id: str, prices: Worth | None) -> Decision:
        features = self.features(request.task)
        picked = self.pick(request, features, self.vector(features), now, prices=prices)
        made = decision(
            request,
            picked,
            now=now,
            decision_id=decision_id,
            features=features,
            config=self._config,
            policy=self.policy,
        )
        if not request.dry_run:
            self.tried(made)
        return made

    def tried(self, made: Decision) -> None:
        """Counts a decision against the allowance of its day, where it tries something; one of an earlier run too."""
        if made.explored:
            best, tried = made.considered[0].expected, made.expected
            minutes = (tried.wall_time_ms.mean - best.wall_time_ms.mean) / MS_PER_MINUTE
            self._allowance.take(tried.cost_usd.mean - best.cost_usd.mean, minutes, made.at)

    def features(self, task: Task) -> Features:
        """
        What is known of a task before anyone is chosen to do it.

        Raises:
            InvalidParams: A feature cannot be used.
        """
        return extract(task, tier_of_parent(task, self._directory.catalog.tier))

    def vector(self, features: Features) -> Floats:
        """What of the features is looked at, (DIM,)."""
        return vector(features if self._names is None else looked_at(features, self._names))

    def pick(
        self, request: Recommend, features: Features, x: Floats, now: float, *, prices: Worth | None = None
    ) -> Picked:
        """
        The arm drawn, and what it was drawn from: a decision without its explanation.

        Args:
            request: What is asked.
            features: Of its task.
            x: What of them is looked at, (DIM,).
            now: Unix seconds.
            prices: What things are worth, where it is not the configured objective.

        Raises:
            InvalidParams, OutsidePool, NoArmLeft: See `recommend`.
        """
        config = self._config
        solved = self._belief(request.scope, now)
        slate = lay_out(
            request, self._directory, solved.used, self._default, fallback=config.pool.on_outside == "fallback"
        )
        prices = prices or worth(config.objective, request.objective)
        spent = self._spending.used(config.budget, now)
        if spent > 0.5:
            prices = msgspec.structs.replace(prices, money=prices.money * price(spent))
        hand = solved.hand([option.known for option in slate.options])
        predicted = strengthened(hand.predict(x), slate, features["task_kind"])
        seen = view(predicted, solved.posterior.noise_sd, solved.level, prices)
        return draw(
            seen,
            slate,
            removals(request, slate, seen.means, self._directory.catalog, capped=spent >= 1.0),
            explore=request.explore is not False,
            floor=config.policy.explore_floor if self._allowance.left(config.policy, now) else 0.0,
            prices=prices,
            capped=spent >= 1.0,
            config=config,
            policy=self._policy,
            points=self._points,
            rng=self._rng,
        )

    @property
    def policy(self) -> Policy:
        """The policy in force."""
        return Policy(self._policy.name, self._policy.version)

    # --- showing ----------------------------------------------------------------------------------------------------

    def arms(self, scope: str, kind: str | None, now: float) -> list[ArmView]:
        """
        Every arm with outcomes in the scope and every named one of the pool, most used first.

        They are seen on the average task so far; with `kind`, on one that is average but for its kind.
        """
        solved = self._belief(scope, now)
        x = solved.posterior.typical if kind is None else with_kind(solved.posterior.typical, kind)
        used = [arm_dispatch(arm) for arm in self._used(scope)]  # an outcome shows before it is believed
        known = {one.arm: one for one in map(self._directory.known, [*used, *self._directory.pool])}
        if not known:
            return []
        designs = np.array([one.design for one in known.values()])
        rows = np.array([solved.posterior.rows.get(arm, solved.posterior.untried) for arm in known])
        before = self._untaught.predict(x, np.zeros(len(known), dtype=np.intp), designs)
        after = solved.posterior.predict(x, rows, designs)
        priors = estimates(before, means(before, levels(self._untaught.noise_sd)))
        posteriors = estimates(after, means(after, solved.level))
        return [
            ArmView(
                arm=one.arm,
                dispatch=one.dispatch,
                in_pool=one.in_pool,
                prior=prior,
                posterior=posterior,
                n=self._evidence.count(scope, one.arm),
                last_seen=self._evidence.last_seen(scope, one.arm),
                drift=self._evidence.drift(scope, one.arm),
            )
            for one, prior, posterior in zip(known.values(), priors, posteriors, strict=True)
        ]

    def shares(self, scope: str, arm: str, now: float) -> tuple[float, float, float]:
        """
        What the belief in an arm's success rests on: the weight of routerd's own decisions, that of other people's
        choices in logs as far as it counts, and what the prior of the arm's own effect is worth, all in outcomes.
        """
        scope = scope if self._evidence.arms(scope) else Evidence.everywhere
        own, observed = self._counted(scope, arm, now)
        prior = PRIORS[0]
        return float(own[0, 0, 0]), float(observed[0, 0, 0]), float((prior.noise_sd / prior.arm_sd[0]) ** 2)

    def sums(self, scope: str, now: float) -> Sums:
        """What belief in a scope is solved from, for what is reckoned outside of a decision."""
        solved = self._belief(scope, now)
        arms = list(solved.posterior.rows)
        attributes = [self._directory.known(arm_dispatch(arm)).design for arm in arms]
        return Sums(arms, solved.moments, np.array(attributes).reshape(len(arms), ATTRIBUTES))

    # --- keeping ----------------------------------------------------------------------------------------------------

    def snapshot(self) -> bytes:
        """The sums, for `restore`; the same bytes for the same set of outcomes."""
        return msgspec.msgpack.encode((self._evidence.pack(), self._spending.pack()))

    def restore(self, data: bytes) -> None:
        """
        Puts the sums of a snapshot in the place of those held.

        Raises:
            ValueError: It is no snapshot, or of another version; fold the records instead.
        """
        try:
            evidence, spending = msgspec.msgpack.decode(data, type=tuple[bytes, dict[int, int]])
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            raise ValueError(f"no snapshot: {error}") from None
        self._evidence = Evidence.unpack(evidence, self._evidence.span_s)
        self._spending = Spending.unpack(spending)
        self._revision += 1
        self._changed = dict.fromkeys(self._evidence.arms(Evidence.everywhere), self._revision)
        self._solved.clear()
        self._sticky.clear()


def _sticky_key(request: Recommend) -> bytes | None:
    """What makes two questions the same within a session: all but what names the unit, and what is shown of it."""
    if request.task.session_id is None:
        return None
    asked = msgspec.structs.replace(request, ref=None, top=0, dry_run=False)
    return blake2b(msgspec.msgpack.encode(asked), digest_size=16).digest()

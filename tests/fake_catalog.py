"""A small catalogue for tests of the engine: a handful of models, said by hand."""

import msgspec

from routerd.events import Dispatch, Parent
from routerd.slate import CatalogLike


class Attributes(msgspec.Struct, frozen=True, kw_only=True):
    capability: float | None = None
    capability_se: float = 0.0
    log_price: float | None = None
    family: str | None = None
    effort_level: float | None = None
    executor: str = "delegate"
    role: str | None = None
    strengths: tuple[str, ...] = ()


class FakeCatalog(CatalogLike):
    """Models by name; an upper-case spelling is the same model. Without `pool` every model is inside."""

    def __init__(
        self,
        models: dict[str, Attributes] | None = None,
        *,
        tiers: dict[str, str] | None = None,
        words: dict[str, str] | None = None,
        pool: set[str] | None = None,
        keys: dict[str, str] | None = None,
        limits: dict[str, float] | None = None,
    ) -> None:
        self.models = models or {}
        self.tier_of = tiers or {}
        self.words = words or {}
        self.pool = pool
        self.keys = keys or {}
        self.limits = limits or {}

    def canonical(self, dispatch: Dispatch) -> Dispatch:
        return msgspec.structs.replace(dispatch, model=dispatch.model.lower()) if dispatch.model else dispatch

    def attributes(self, dispatch: Dispatch) -> Attributes:
        known = self.models.get(dispatch.model or "", Attributes())
        return msgspec.structs.replace(known, executor=dispatch.executor, role=dispatch.role)

    def in_pool(self, dispatch: Dispatch) -> bool:
        return self.pool is None or dispatch.executor == "local" or dispatch.model in self.pool

    def pool_dispatches(self) -> list[Dispatch]:
        return [model(name) for name in self.models if self.pool is None or name in self.pool]

    def tier(self, dispatch: Dispatch) -> str | None:
        return self.tier_of.get(dispatch.model or "")

    def tiers(self, dispatch: Dispatch) -> frozenset[str]:
        tier = self.tier(dispatch)
        return frozenset() if tier is None else frozenset({tier, self.words.get(tier, tier)})

    def tiers_of_parent(self, parent: Parent | None) -> frozenset[str]:
        if parent is None:
            return frozenset()
        named = frozenset({parent.tier} if parent.tier else ())
        return named | (self.tiers(model(parent.model)) if parent.model else frozenset())

    def missing_credential(self, dispatch: Dispatch) -> str | None:
        key = self.keys.get(dispatch.model or "")
        return None if key is None else f"credential: {key} is not set"

    def over_limit(self, dispatch: Dispatch, *, cost_usd: float, wall_time_ms: float) -> str | None:
        most = self.limits.get(dispatch.model or "")
        return None if most is None or cost_usd <= most else "pool limit: max_cost_usd"

    def degraded(self, dispatch: Dispatch, depth: int) -> tuple[Dispatch, str | None]:
        if dispatch.role != "orchestrator" or depth < 1:
            return dispatch, None
        return msgspec.structs.replace(dispatch, role="leaf"), "an orchestrator at this depth is a leaf"


def model(name: str) -> Dispatch:
    return Dispatch(executor="delegate", model=name)

"""A small catalogue for tests of the engine: a handful of models, said by hand."""

import msgspec

from routerd.events import Dispatch


class Attributes(msgspec.Struct, frozen=True, kw_only=True):
    capability: float | None = None
    capability_se: float = 0.0
    log_price: float | None = None
    family: str | None = None
    effort_level: float | None = None
    executor: str = "delegate"
    role: str | None = None


class FakeCatalog:
    """Models by name; an upper-case spelling is the same model. Without `pool` every model is inside."""

    def __init__(
        self,
        models: dict[str, Attributes] | None = None,
        *,
        tiers: dict[str, str] | None = None,
        words: dict[str, str] | None = None,
        pool: set[str] | None = None,
    ) -> None:
        self.models = models or {}
        self.tier_of = tiers or {}
        self.words = words or {}
        self.pool = pool

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


def model(name: str) -> Dispatch:
    return Dispatch(executor="delegate", model=name)

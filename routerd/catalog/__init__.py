"""What a dispatch is: models, capability, prices, and the resolution of model strings. Pure; begin at `Catalog`."""

from routerd.catalog.answers import Attributes, Call, Figure, ModelInfo, ReportRow, Resolved, ResolveParams
from routerd.catalog.capability import Capability
from routerd.catalog.catalog import Catalog
from routerd.catalog.pool import Limits
from routerd.catalog.prices import Price
from routerd.catalog.providers import Credential

__all__ = [
    "Attributes",
    "Call",
    "Capability",
    "Catalog",
    "Credential",
    "Figure",
    "Limits",
    "ModelInfo",
    "Price",
    "ReportRow",
    "ResolveParams",
    "Resolved",
]

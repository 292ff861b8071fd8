"""Levels of reasoning effort: one order for all providers, and what a level becomes at one that knows fewer."""

from collections.abc import Sequence
from typing import Final

LEVELS: Final = ("none", "minimal", "low", "medium", "high", "xhigh", "max", "ultra")

_OTHER_NAMES: Final = {
    "off": "none",
    "disabled": "none",
    "min": "minimal",
    "med": "medium",
    "normal": "medium",
    "x-high": "xhigh",
    "extra-high": "xhigh",
    "very-high": "xhigh",
    "maximum": "max",
}


def level(text: str) -> str | None:
    """The level that a text names, or None."""
    tidy = text.strip().lower().replace("_", "-").replace(" ", "-")
    tidy = _OTHER_NAMES.get(tidy, tidy)
    return tidy if tidy in LEVELS else None


def position(name: str | None) -> float | None:
    """Where a level stands between none (0) and ultra (1), in equal steps; None for what is no level."""
    return LEVELS.index(name) / (len(LEVELS) - 1) if name in LEVELS else None


def nearest(name: str, taken: Sequence[str]) -> str:
    """
    The level in `taken` (not empty) that is nearest to `name`; of two as near, the lower, which is the cheaper.

    Who asks for some effort does not get none, as long as there is another.
    """
    at = LEVELS.index(name)
    known = [level for level in LEVELS if level in taken and (level != "none" or name == "none")]
    return min(known or taken, key=lambda level: abs(LEVELS.index(level) - at))

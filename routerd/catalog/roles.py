"""Who may delegate: roles, depth, and how many children at once.

A task at depth d hands work to a child at depth d + 1. With `max_spawn_depth` n, children exist down to depth n, and
only those above it may have children of their own: at n = 1, the default, every child is a leaf.
"""

from typing import Final

from routerd.config import DelegationConfig
from routerd.events import Role

DEPTHS: Final = (1, 3)


def max_depth(config: DelegationConfig) -> int:
    """`max_spawn_depth`, brought into its range."""
    return min(max(config.max_spawn_depth, DEPTHS[0]), DEPTHS[1])


def max_children(config: DelegationConfig) -> int:
    """`max_concurrent_children`, at least 1; there is no upper bound."""
    return max(config.max_concurrent_children, 1)


def brought_into_range(config: DelegationConfig) -> list[str]:
    """A word for each limit that is not taken as it is written."""
    limits = (
        ("max_spawn_depth", config.max_spawn_depth, max_depth(config)),
        ("max_concurrent_children", config.max_concurrent_children, max_children(config)),
    )
    return [f"delegation.{key}: {said} is taken as {taken}" for key, said, taken in limits if said != taken]


def may_delegate(depth: int, config: DelegationConfig) -> bool:
    """Whether a task at this depth may have children."""
    return depth < max_depth(config)


def granted(role: Role | None, depth: int, config: DelegationConfig) -> tuple[Role | None, str | None]:
    """
    The role that a child of a task at `depth` gets when it asks for `role`, and a word where it is another.

    An orchestrator whose own children would be too deep, or where orchestrators are switched off, is a leaf.
    """
    if role != "orchestrator":
        return role, None
    if not config.orchestrator_enabled:
        return "leaf", "orchestrator becomes leaf: delegation.orchestrator_enabled is false"
    if not may_delegate(depth + 1, config):
        deepest = max_depth(config)
        return (
            "leaf",
            f"orchestrator becomes leaf: a child at depth {depth + 1} is as deep as max_spawn_depth {deepest}",
        )
    return "orchestrator", None

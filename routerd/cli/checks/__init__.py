"""What `routerctl doctor` looks at. A check is a function from `Ground` to findings; it looks and changes nothing."""

from collections.abc import Callable, Iterator
from typing import Any, Literal

import msgspec

from routerd.config import Config
from routerd.integrations.targets import Here


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """
    One thing that was found.

    Args:
        level: `problem` keeps routerd from working, `warning` may, `note` is good to know.
        about: What it concerns, in a word.
        says: What is wrong, and where.
        do: The remedy.
    """

    level: Literal["problem", "warning", "note"]
    about: str
    says: str
    do: str = ""


class Ground(msgspec.Struct, frozen=True, kw_only=True):
    """
    What the checks stand on.

    Args:
        here: The surroundings.
        now: Unix seconds.
        config: The configuration; the defaults where it cannot be used.
        versions: Of the agents that are on PATH, by program.
        hello, status: What a daemon answers, None where there is none.
    """

    here: Here
    now: float
    config: Config
    versions: dict[str, tuple[int, ...] | None]
    hello: dict[str, Any] | None = None
    status: dict[str, Any] | None = None


Check = Callable[[Ground], Iterator[Finding]]


def problem(about: str, says: str, do: str) -> Finding:
    return Finding(level="problem", about=about, says=says, do=do)


def warning(about: str, says: str, do: str) -> Finding:
    return Finding(level="warning", about=about, says=says, do=do)


def note(about: str, says: str, do: str = "") -> Finding:
    return Finding(level="note", about=about, says=says, do=do)

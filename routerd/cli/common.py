"""What every verb shares: its two flags, how it asks the daemon, and how it shows an answer.

Most verbs ask the daemon and show what it says; what only the others need is imported where they need it.
"""

import importlib
import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from routerd.cli.view import print_json
from routerd.client import call
from routerd.errors import ConfigError, RequestError, UnreachableError, UsageError
from routerd.places import config_path, state_dir

if TYPE_CHECKING:
    from routerd.config import Config

ANSWER_WITHIN_S = 30.0


@Parameter(name="*")
@dataclass(frozen=True)
class Common:
    """Flags that every verb has."""

    json: Annotated[bool, Parameter(negative=())] = False
    "Print one JSON value instead of text."

    socket: Path | None = None
    "The daemon's socket, where it is not in its usual place."


DEFAULTS = Common()


def ask(method: str, params: dict[str, Any], common: Common) -> Any:
    """
    The daemon's answer.

    Raises:
        UsageError: A number is not finite.
        UnreachableError: Nobody answers on the socket.
        RequestError: The daemon answers with an error.
    """
    _check_finite(params)
    given = {name: value for name, value in params.items() if value is not None}
    return call(method, given, socket=common.socket, timeout_s=ANSWER_WITHIN_S)


def _check_finite(members: dict[str, Any]) -> None:
    """JSON has no other numbers. A member has the name of its flag."""
    for name, value in members.items():
        if isinstance(value, dict):
            _check_finite(value)
        elif isinstance(value, float) and not math.isfinite(value):
            raise UsageError(f"--{name.replace('_', '-')}: must be a finite number, not {value}")


def show(answer: Any, common: Common, render: Callable[[Any], None]) -> int:
    """Shows an answer as JSON or as text."""
    if common.json:
        print_json(answer)
    else:
        render(answer)
    return 0


def ask_or(method: str, params: dict[str, Any], common: Common, alone: Callable[[], Any]) -> Any:
    """The daemon's answer, or where none runs and no socket was named what can be said without one."""
    try:
        return ask(method, params, common)
    except UnreachableError:
        if common.socket is not None:
            raise
        return alone()


def needs(package: str, *, extra: str, verb: str) -> None:
    """
    Sees to it that a package is there which only some verbs need.

    Raises:
        ConfigError: It is not installed.
    """
    try:
        importlib.import_module(package)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != package:
            raise
        raise ConfigError(f"{verb} needs {package!r}, which is not installed: pip install 'routerd[{extra}]'") from None


def own_config() -> "Config":
    """
    The configuration in its usual place, with everything checked that can be checked without running.

    Raises:
        ConfigError: It cannot be used.
    """
    return checked_config(config_path(os.environ))


def checked_config(path: Path | None) -> "Config":
    """
    A configuration, checked in the same way; None is the defaults.

    Raises:
        ConfigError: It cannot be used.
    """
    from routerd.config import load  # noqa: PLC0415
    from routerd.sources import SOURCES  # noqa: PLC0415

    return _used(load(path, frozenset(SOURCES)), None if path is None else str(path))


def decoded(text: str, name: str) -> "Config":
    """
    The configuration in a TOML text; `name` stands for the file in messages.

    Raises:
        ConfigError: It says something that no configuration says.
    """
    from routerd.config import decode  # noqa: PLC0415
    from routerd.sources import SOURCES  # noqa: PLC0415

    return decode(text, name, frozenset(SOURCES))


def checked_text(text: str, name: str) -> "Config":
    """
    The same, checked like a file.

    Raises:
        ConfigError: It cannot be used.
    """
    return _used(decoded(text, name), name)


def _used(config: "Config", name: str | None) -> "Config":
    from routerd.catalog import Catalog  # noqa: PLC0415

    Catalog(config, os.environ).check(name)
    return config


def database_path() -> Path:
    """The database in its usual place."""
    return state_dir(os.environ) / "routerd.db"


__all__ = [
    "DEFAULTS",
    "Common",
    "RequestError",
    "ask",
    "ask_or",
    "checked_config",
    "checked_text",
    "database_path",
    "decoded",
    "needs",
    "own_config",
    "show",
]

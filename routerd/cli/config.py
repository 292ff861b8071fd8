"""`routerctl config path|check|show|import`: where the configuration is, whether it can be used, what is in force."""

import os
from pathlib import Path
from typing import Any

import msgspec
import tomlkit
from cyclopts import App

from routerd.cli.common import DEFAULTS, Common, checked_config, show
from routerd.cli.config_import import import_
from routerd.cli.view import console
from routerd.errors import ConfigError
from routerd.places import config_path

app = App(name="config", help="Where the configuration is, whether it can be used, and what is in force.")
app.command(import_, name="import")


def checked(path: Path | None) -> dict[str, Any]:
    """
    The configuration, with everything checked that can be checked without running.

    Raises:
        ConfigError: It cannot be used.
    """
    found: dict[str, Any] = msgspec.to_builtins(checked_config(path))
    return found


@app.command
def path(*, common: Common = DEFAULTS) -> int:
    """Where the configuration is looked for. Exit code 1 when there is none; none is needed.

    Example: routerctl config path
    """
    wanted = config_path(os.environ, existing=False)
    exists = wanted is not None and wanted.is_file()
    answer = {"path": str(wanted), "exists": exists}
    show(
        answer,
        common,
        lambda one: console().print(one["path"] + ("" if one["exists"] else "  (not there; not needed)")),
    )
    return 0 if exists else 1


@app.command
def check(file: Path | None = None, *, common: Common = DEFAULTS) -> int:
    """Whether a configuration can be used. Exit code 78 when it cannot.

    Example: routerctl config check ./config.toml

    Parameters
    ----------
    file: Path
        Instead of the one in its usual place.
    """
    wanted = file or config_path(os.environ)
    if file is not None and not file.is_file():
        raise ConfigError(f"{file}: there is no such file")
    checked(wanted)
    answer = {"path": str(wanted) if wanted else None, "ok": True}
    return show(answer, common, lambda _: console().print(f"{wanted or 'the defaults'}: can be used"))


@app.command(name="show")
def show_(*, common: Common = DEFAULTS) -> int:
    """What is in force: the file's values, and the defaults where it says nothing.

    Example: routerctl config show > config.toml
    """
    found = checked(config_path(os.environ))
    return show(found, common, lambda one: print(tomlkit.dumps(_without_none(one)), end=""))


def _without_none(table: dict[str, Any]) -> dict[str, Any]:
    """TOML has no null: a key that is not set is left out."""
    return {
        key: _without_none(member) if isinstance(member, dict) else member
        for key, member in table.items()
        if member is not None
    }

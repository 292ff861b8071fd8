"""`routerctl config path|check|show|set|import`: where the configuration is, if it can be used, what is in force."""

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cyclopts import App

from routerd.cli.common import DEFAULTS, Common, ask, checked_config, checked_text, show
from routerd.cli.config_file import replace, text_of
from routerd.cli.view import console
from routerd.errors import ConfigError, UnreachableError, UsageError
from routerd.places import config_path

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

app = App(name="config", help="Where the configuration is, whether it can be used, and what is in force.")
app.command("routerd.cli.config_import:import_", name="import")


def checked(path: Path | None) -> dict[str, Any]:
    """
    The configuration, with everything checked that can be checked without running.

    Raises:
        ConfigError: It cannot be used.
    """
    import msgspec  # noqa: PLC0415

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
    from routerd.catalog.roles import brought_into_range  # noqa: PLC0415

    warnings = brought_into_range(checked_config(wanted).delegation)
    answer = {"path": str(wanted) if wanted else None, "ok": True, "warnings": warnings}
    return show(answer, common, lambda _: print("\n".join([f"{wanted or 'the defaults'}: can be used", *warnings])))


@app.command(name="show")
def show_(*, common: Common = DEFAULTS) -> int:
    """What is in force: the file's values, and the defaults where it says nothing.

    Example: routerctl config show > config.toml
    """
    import tomlkit  # noqa: PLC0415

    found = checked(config_path(os.environ))
    return show(found, common, lambda one: print(tomlkit.dumps(_without_none(one)), end=""))


@app.command(name="set")
def set_(*changes: str, common: Common = DEFAULTS) -> int:
    """Changes keys of the configuration, if it can be used then; comments stay, and a running daemon reads it again.

    Example: routerctl config set delegation.model=claude-haiku-4-5 delegation.provider=anthropic

    Parameters
    ----------
    changes: str
        TABLE.KEY=VALUE, the value in TOML; what is no TOML is taken as a string.
    """
    import tomlkit  # noqa: PLC0415
    from tomlkit.exceptions import TOMLKitError  # noqa: PLC0415

    if not changes:
        raise UsageError("say what to change: routerctl config set TABLE.KEY=VALUE")
    wanted = config_path(os.environ, existing=False)
    assert wanted is not None
    try:
        document = tomlkit.parse(text_of(wanted) if wanted.exists() else "")
    except TOMLKitError as error:
        raise ConfigError(f"{wanted}: not valid TOML: {error}") from None
    for change in changes:
        _change(document, change)
    text = tomlkit.dumps(document)
    checked_text(text, str(wanted))
    replace(wanted, text, backup=False)
    reloaded = False
    with suppress(UnreachableError):
        reloaded = bool(ask("reload", {}, common))
    answer = {"path": str(wanted), "set": list(changes), "reloaded": reloaded}
    said = "in force" if reloaded else "in force when routerd runs next"
    return show(answer, common, lambda one: console().print(f"{one['path']}: {', '.join(changes)}: {said}"))


def _change(document: "TOMLDocument", change: str) -> None:
    """
    Sets one key.

    Raises:
        UsageError: It is no TABLE.KEY=VALUE.
    """
    import tomlkit  # noqa: PLC0415
    from tomlkit.exceptions import TOMLKitError  # noqa: PLC0415

    name, equals, written = change.partition("=")
    *tables, key = name.strip().split(".")
    if not equals or not tables or not all((*tables, key)):
        raise UsageError(f"{change}: write TABLE.KEY=VALUE, such as delegation.model=claude-haiku-4-5")
    try:
        value = tomlkit.value(written.strip())
    except (TOMLKitError, ValueError):
        value = tomlkit.string(written.strip())
    table: Any = document
    for part in tables:
        table = table.setdefault(part, tomlkit.table())
        if not isinstance(table, dict):
            raise UsageError(f"{change}: {part} is no table")
    table[key] = value


def _without_none(table: dict[str, Any]) -> dict[str, Any]:
    """TOML has no null: a key that is not set is left out."""
    return {
        key: _without_none(member) if isinstance(member, dict) else member
        for key, member in table.items()
        if member is not None
    }

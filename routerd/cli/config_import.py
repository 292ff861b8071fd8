"""`routerctl config import FILE`: another program's YAML into routerd's own configuration, comments kept."""

import difflib
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import msgspec
import tomlkit
from cyclopts import Parameter
from tomlkit.items import AoT

from routerd.cli.common import DEFAULTS, Common, checked_text, decoded, show
from routerd.cli.config_file import replace, text_of
from routerd.cli.view import console
from routerd.config import Config
from routerd.errors import UsageError
from routerd.places import config_path
from routerd.policy_yaml import Wishes, read


def import_(
    file: Path,
    *,
    yes: Annotated[bool, Parameter(negative=())] = False,
    dry_run: Annotated[bool, Parameter(negative=())] = False,
    common: Common = DEFAULTS,
) -> int:
    """A delegation policy in YAML (delegation.policy, as in Hermes' config.yaml) into routerd's own configuration.

    It shows what would change and asks; elsewhere than on a terminal it needs --yes. FILE is only read. What the
    configuration held before is kept beside it.

    Example: routerctl config import ~/.hermes/config.yaml --dry-run

    Parameters
    ----------
    file: Path
        The YAML.
    yes: bool
        Write without asking.
    dry_run: bool
        Show what would change, and write nothing.
    """
    own = config_path(os.environ, existing=False)
    assert own is not None
    before = text_of(own) if own.exists() else ""
    wishes = read(text_of(file), str(file))
    after = merged(before, wishes, str(own))
    answer: dict[str, Any] = {
        "path": str(own), "diff": _diff(before, after, own), "notes": wishes.notes, "written": False, "backup": None,
    }  # fmt: skip
    if not common.json:
        _show_change(answer)
    if after != before and not dry_run and _agreed(yes=yes):
        answer |= {"written": True, "backup": replace(own, after, backup=True)}
    return show(answer, common, _show_end)


def merged(before: str, wishes: Wishes, name: str) -> str:
    """
    The configuration with what is wished for, its comments and its order kept; what it says already stays as it is.

    Args:
        before: The configuration as it is.
        wishes: What is to be in it.
        name: Stands for the file in messages.

    Raises:
        ConfigError: The configuration cannot be used as it is, or could not be with the wishes in it.
    """
    config = decoded(before, name)
    document = tomlkit.parse(before)
    in_force = msgspec.to_builtins(config)
    for key, value in wishes.values.items():
        table, _, member = key.partition(".")
        if in_force[table].get(member) != value:
            document.setdefault(table, tomlkit.table())[member] = value
    _add_to_pool(document, config, wishes.pool)
    after = tomlkit.dumps(document)
    checked_text(after, f"{name} with this in it")
    return after


def _add_to_pool(document: tomlkit.TOMLDocument, config: Config, entries: list[dict[str, str]]) -> None:
    """Appends what is not there yet, in the form that the pool has already."""
    there = [{"model": one} if isinstance(one, str) else msgspec.to_builtins(one) for one in config.pool.models]
    said = [{name: value for name, value in one.items() if value not in (None, [])} for one in there]
    new = [entry for number, entry in enumerate(entries) if entry not in said and entry not in entries[:number]]
    if not new:
        return
    pool = document.setdefault("pool", tomlkit.table())
    if "models" not in pool:
        pool["models"] = tomlkit.aot()
    for entry in new:
        row = tomlkit.table() if isinstance(pool["models"], AoT) else tomlkit.inline_table()
        row.update(entry)
        pool["models"].append(row)


def _diff(before: str, after: str, path: Path) -> str:
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    return "".join(difflib.unified_diff(old, new, str(path) if before else "/dev/null", str(path)))


def _agreed(*, yes: bool) -> bool:
    """
    Whether it may be written.

    Raises:
        UsageError: There is nobody to ask.
    """
    if yes:
        return True
    if not sys.stdin.isatty():
        raise UsageError("nothing is written without being asked for: give --yes, or --dry-run to look only")
    try:
        return input("Write this? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False


def _show_change(answer: dict[str, Any]) -> None:
    print(answer["diff"] or f"{answer['path']} says all of it already", end="" if answer["diff"] else "\n")
    for note in answer["notes"]:
        print(f"note: {note}")


def _show_end(answer: dict[str, Any]) -> None:
    out = console()
    if not answer["written"]:
        out.print("nothing is written")
        return
    before = f" (before: {answer['backup']})" if answer["backup"] else ""
    out.print(f"written: {answer['path']}{before}; a running daemon reads it when it gets SIGHUP")

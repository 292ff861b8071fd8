"""Forbidding an arm, or allowing it alone: changes of `[pool]` in the configuration, shown before they are made."""

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import tomlkit
from tomlkit.exceptions import TOMLKitError

from routerd.catalog import Catalog
from routerd.catalog.pool import PARTS, Pool
from routerd.config import Config, PoolModel, decode
from routerd.errors import ConfigError, UsageError
from routerd.events import arm_dispatch
from routerd.sources import SOURCES


class Edit(msgspec.Struct, frozen=True, kw_only=True):
    """A change of a file; `before` is None where there is none."""

    path: Path
    before: str | None
    after: str

    @property
    def diff(self) -> str:
        """The change as one reads it."""
        before, after = (self.before or "").splitlines(keepends=True), self.after.splitlines(keepends=True)
        return "".join(difflib.unified_diff(before, after, str(self.path), str(self.path), n=2))


def forbid(path: Path, text: str | None, arm: str, known: Sequence[str], env: Mapping[str, str]) -> Edit:
    """
    The pool without one arm. What allowed it gives way to the other known arms that it allowed too.

    Args:
        path: The configuration's.
        text: What it says; None where there is none.
        arm: Is never to be recommended again.
        known: All arms that there are.
        env: For what the catalogue needs.

    Raises:
        UsageError: It cannot be forbidden, or nothing would be left.
        ConfigError: The configuration cannot be used.
    """
    config, pool = _pool(path, text, env)
    if arm == "local":
        raise UsageError("local: what an agent does itself cannot be forbidden; nothing is handed on then")
    catalog = Catalog(config, env)
    gone = catalog.canonical(arm_dispatch(arm))
    stay = [one for one, entry in zip(config.pool.models, pool.entries, strict=True) if not entry.holds(gone)]
    held = Pool(stay, catalog._names, catalog.canonical)
    others = [
        _entry(one)
        for one in known
        if one not in ("local", arm)
        and catalog.in_pool(arm_dispatch(one))
        and (not stay or not held.holds(catalog.canonical(arm_dispatch(one))))
    ]
    wanted = [*stay, *others]
    if not wanted:
        raise UsageError(f"{arm}: it is the only one; an empty pool would allow everything")
    return _edited(path, text, wanted, env, allowed=[], forbidden=arm)


def only(path: Path, text: str | None, arm: str, env: Mapping[str, str]) -> Edit:
    """
    The pool with one arm alone: whatever is handed on goes there. Otherwise as for `forbid`.

    Raises:
        UsageError: It is no arm that things are handed to.
        ConfigError: The configuration cannot be used.
    """
    _pool(path, text, env)
    if arm == "local":
        raise UsageError("local: an agent that is to hand nothing on need not ask; pin a model instead")
    return _edited(path, text, [_entry(arm)], env, allowed=[arm], forbidden=None)


def _pool(path: Path, text: str | None, env: Mapping[str, str]) -> tuple[Config, Pool]:
    config = decode(text or "", str(path), frozenset(SOURCES))
    catalog = Catalog(config, env)
    catalog.check(str(path))
    return config, catalog._pool


def _entry(arm: str) -> PoolModel:
    dispatch = arm_dispatch(arm)
    return PoolModel(**{part: value for part in PARTS if (value := getattr(dispatch, part)) is not None})


def _edited(
    path: Path,
    text: str | None,
    wanted: Sequence[str | PoolModel],
    env: Mapping[str, str],
    *,
    allowed: Sequence[str],
    forbidden: str | None,
) -> Edit:
    """
    The text with these entries, comments and all else as it was.

    Raises:
        UsageError: The entries would not do what was asked for.
        ConfigError: The text cannot be changed.
    """
    try:
        document = tomlkit.parse(text or "")
    except TOMLKitError as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from None
    entries = tomlkit.array().multiline(True)
    for entry in wanted:
        entries.append(entry if isinstance(entry, str) else _inline(entry))
    document.setdefault("pool", tomlkit.table())["models"] = entries
    after = tomlkit.dumps(document)
    catalog = Catalog(decode(after, str(path), frozenset(SOURCES)), env)
    catalog.check(str(path))
    for arm in allowed:
        if not catalog.in_pool(arm_dispatch(arm)):
            raise UsageError(f"{arm}: cannot be allowed alone; write [pool] by hand: {path}")
    if forbidden is not None and catalog.in_pool(arm_dispatch(forbidden)):
        raise UsageError(f"{forbidden}: another arm is the same model at any effort, so this alone cannot be forbidden")
    return Edit(path=path, before=text, after=after)


def _inline(entry: PoolModel) -> tomlkit.items.InlineTable:
    table = tomlkit.inline_table()
    default = PoolModel()
    for name in entry.__struct_fields__:
        if (value := getattr(entry, name)) != getattr(default, name):
            table[name] = value
    return table

"""What routerd wants a configuration file to say, on the plain data that the file holds."""

import copy
import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from routerd.integrations.edits.tree import Unreadable, Where


class Entry(msgspec.Struct, frozen=True):
    """
    One thing that a file shall say.

    Args:
        path: Keys from the top to where it belongs.
        value: Plain data.
        listed: It is an item of the list at `path`; else it is what stands at `path`.
        mark: What every command of ours has in it (a regular expression), by which one that is older, or was tuned by
            hand, is known again.
    """

    path: tuple[str, ...]
    value: Any
    listed: bool = False
    mark: str = ""


class Insertion(msgspec.Struct, frozen=True):
    """A member or item (`key` is None) to be added to the container at `where`, which is there or null."""

    where: Where
    key: str | None
    value: Any


MISSING = object()


def look(data: Any, where: Where) -> Any:
    """What is at a path, or `MISSING`."""
    for key in where:
        if isinstance(key, int):
            data = data[key] if isinstance(data, list) and key < len(data) else MISSING
        else:
            data = data.get(key, MISSING) if isinstance(data, dict) else MISSING
        if data is MISSING:
            break
    return data


def says(data: Any, entry: Entry) -> bool:
    """Whether the data says what the entry wants."""
    there = look(data, entry.path)
    if entry.listed:
        return isinstance(there, list) and entry.value in there
    return bool(there == entry.value)


def insertion(data: Any, entry: Entry) -> Insertion | None:
    """
    What is to be added so that the data says what the entry wants; None where it does.

    Raises:
        Unreadable: Something else stands where it belongs.
    """
    there = look(data, entry.path)
    if says(data, entry):
        return None
    if entry.listed and isinstance(there, list):
        return Insertion(entry.path, None, entry.value)
    if there is not MISSING and not (entry.listed and there is None):
        wanted = "no list" if entry.listed else "not what routerd writes; take it out first"
        raise Unreadable(f"{'.'.join(entry.path)} is there already and is {wanted}")
    depth = max(n for n in range(len(entry.path)) if _holds(data, entry.path, n))
    value = [entry.value] if entry.listed else entry.value
    if entry.listed and there is not MISSING:  # a key with nothing behind it
        return Insertion(entry.path, None, entry.value)
    for key in reversed(entry.path[depth + 1 :]):
        value = {key: value}
    return Insertion(entry.path[:depth], entry.path[depth], value)


def _holds(data: Any, path: tuple[str, ...], depth: int) -> bool:
    """
    Whether there is something at the first `depth` keys that a member can be added to.

    Raises:
        Unreadable: Something else stands there.
    """
    there = look(data, path[:depth])
    if there is MISSING:
        return False
    if there is not None and not isinstance(there, dict):
        raise Unreadable(f"{'.'.join(path[:depth]) or 'what it says'} is no table")
    return True


def inserted(data: Any, wanted: Insertion) -> Any:
    """The data after an insertion."""
    return _changed(data, wanted.where, lambda holder: _with(holder, wanted))


def _with(holder: Any, wanted: Insertion) -> Any:
    if wanted.key is None:
        return [*(holder or []), wanted.value]
    return {**(holder or {}), wanted.key: wanted.value}


def removed(data: Any, where: Where) -> Any:
    """The data without what is at a path."""
    key = where[-1]
    if isinstance(key, int):
        return _changed(data, where[:-1], lambda items: [one for n, one in enumerate(items) if n != key])
    return _changed(data, where[:-1], lambda holder: {name: one for name, one in holder.items() if name != key})


def _changed(data: Any, where: Where, change: Any) -> Any:
    if not where:
        return change(data)
    data = copy.copy(data)
    data[where[0]] = _changed(data[where[0]], where[1:], change)
    return data


def same(one: Any, other: Any) -> bool:
    """Whether two documents say the same; by their spelling, since NaN is not equal to itself."""
    return repr(one or None) == repr(other or None)


# --- finding again --------------------------------------------------------------------------------------------------


def ours(data: Any, entries: Iterable[Entry], *, recorded: bool) -> list[Where]:
    """
    Where our entries stand, each once, the last first: taken away in this order, the numbers stay true.

    Args:
        data: What the file says.
        entries: What was, or may have been, added.
        recorded: They were: what stands under our key is ours, whoever tuned it.
    """
    found: set[Where] = set()
    for entry in entries:
        there = look(data, entry.path)
        if not entry.listed:
            if there is not MISSING and (recorded or there == entry.value):
                found.add(entry.path)
        elif isinstance(there, list):
            found |= {where for n, item in enumerate(there) for where in _of_item(entry, item, (*entry.path, n))}
    return sorted(found, key=lambda where: [(isinstance(key, int), key) for key in where], reverse=True)


def _of_item(entry: Entry, item: Any, where: Where) -> list[Where]:
    """An item that is ours, or the commands in it that are."""
    if item == entry.value:
        return [where]
    hooks = item.get("hooks") if isinstance(item, dict) and entry.mark else None
    if not isinstance(hooks, list):
        return []
    own = [
        n for n, hook in enumerate(hooks) if isinstance(hook, dict) and re.search(entry.mark, str(hook.get("command")))
    ]
    return [where] if hooks and len(own) == len(hooks) else [(*where, "hooks", n) for n in own]


def stale(data: Any, entries: Sequence[Entry]) -> list[Where]:
    """Where something of ours stands that is not what the entries want."""
    wanted = [entry.value for entry in entries]
    return [where for where in ours(data, entries, recorded=False) if look(data, where) not in wanted]


def made(data: Any, entries: Iterable[Entry]) -> list[tuple[str, ...]]:
    """The containers that have to be made for the entries, which go with them if nothing else comes to stand there."""
    paths = {entry.path[:depth] for entry in entries for depth in range(1, len(entry.path) + entry.listed)}
    return sorted((path for path in paths if look(data, path) in (MISSING, None)), key=lambda path: (len(path), path))


def emptied(data: Any, where: Where, containers: Iterable[Sequence[str]]) -> Where:
    """What to take away so that `where` goes and no container of `containers` is left empty by it."""
    kept = {tuple(path) for path in containers}
    while len(where) > 1 and where[:-1] in kept and len(look(data, where[:-1])) == 1:
        where = where[:-1]
    return where

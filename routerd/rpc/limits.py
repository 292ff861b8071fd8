"""How much a request may hold: whatever is asked, it is answered in a moment, or refused.

The engine's work grows with the number of arms and with the length of their names, so both are bounded here. Text is
not: of a task's text no more is looked at than `features` says.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any, Final

import msgspec

from routerd.events import Dispatch

LISTED_MAX: Final = 128
"""Members of a list or a mapping; 128 arms that were never seen before take 60 ms, seen before 6."""
TASKS_MAX: Final = 1024
"""Questions at once; others have their turn between them."""
PATHS_MAX: Final = 65_536
"""They are looked at in a thread."""
NAME_CHARS_MAX: Final = 512
PATH_CHARS_MAX: Final = 4096
"""As long as the system takes them."""
QUESTION_CHARS_MAX: Final = 16_384
"""All names of one question together."""
SMALL_BYTES: Final = 2 * LISTED_MAX
"""A request of so many bytes cannot hold too much: a member of a list takes at least two."""

_TEXTS: Final = frozenset({"goal", "context", "note", "error"})
_PATHS: Final = frozenset({"cwd", "repo", "paths"})


def excess(params: msgspec.Struct, size: int) -> tuple[str, str] | None:
    """
    The path of the first member that holds too much, and why; None when nothing does.

    Args:
        params: What was asked.
        size: Bytes of the request. All names of one of no more than `QUESTION_CHARS_MAX` are no longer together.
    """
    if size <= SMALL_BYTES or (size <= QUESTION_CHARS_MAX and _small(params)):
        return None
    for question, path in _questions(params):
        left = QUESTION_CHARS_MAX
        for where, name, value in _walk(question, path, ""):
            most = _most(name, value)
            if len(value) > most:
                what = f"is longer than {most} characters" if isinstance(value, str) else f"has over {most} members"
                return where, what
            left -= len(value) if isinstance(value, str) and name != "paths" else 0
            if left < 0:
                return path or where, f"all names together are longer than {QUESTION_CHARS_MAX} characters"
    return None


def _small(params: msgspec.Struct) -> bool:
    """Whether each list is short, and each name; found in a fifth of the time that it takes to say where one is not."""
    left: list[Any] = [params]
    while left:
        value = left.pop()
        kind = value.__class__
        if kind is str:
            if len(value) > NAME_CHARS_MAX:
                return False
        elif kind is list or kind is dict:
            if len(value) > LISTED_MAX:
                return False
            left += value if kind is list else [*value, *value.values()]
        elif (members := _members(kind)) is not None:
            left += filter(None, members(value))
    return True


@cache
def _members(kind: type) -> Callable[[Any], Iterable[Any]] | None:
    """Gives the members of a value of this kind, but for texts; None where it has none, as a number."""
    if not issubclass(kind, msgspec.Struct):
        return None
    names = [name for name in kind.__struct_fields__ if name not in _TEXTS]
    if len(names) == len(kind.__struct_fields__):
        return msgspec.structs.astuple
    return lambda value: [getattr(value, name) for name in names]


def _most(name: str, value: Any) -> int:
    if isinstance(value, str):
        return PATH_CHARS_MAX if name in _PATHS else NAME_CHARS_MAX
    return {"tasks": TASKS_MAX, "paths": PATHS_MAX}.get(name, LISTED_MAX)


def _questions(params: msgspec.Struct) -> Iterator[tuple[Any, str]]:
    """The parts that are worked on one by one, each with its path."""
    tasks = getattr(params, "tasks", None)
    if tasks is None or len(tasks) > TASKS_MAX:
        yield params, ""
        return
    for number, task in enumerate(tasks):
        yield task, f"tasks[{number}]"


def _walk(value: Any, path: str, name: str) -> Iterator[tuple[str, str, Any]]:
    """Every name, list and mapping in a value, with its path; texts are left out."""
    if isinstance(value, str):
        yield path, name, value
    elif isinstance(value, msgspec.Struct):
        for member in value.__struct_fields__:
            if member not in _TEXTS and (inner := getattr(value, member)) is not None:
                yield from _walk(inner, f"{path}.{member}" if path else member, member)
    elif isinstance(value, list):
        yield path, name, value
        for number, inner in enumerate(value):
            if inner.__class__ is Dispatch and len(names := _names(inner)) <= NAME_CHARS_MAX:
                yield path, name, names  # each by itself is shorter still
            else:
                yield from _walk(inner, f"{path}[{number}]", name)
    elif isinstance(value, dict):
        yield path, name, value
        for key, inner in value.items():
            yield path, name, key
            yield from _walk(inner, f"{path}.{key[:NAME_CHARS_MAX]}", name)


def _names(dispatch: Dispatch) -> str:
    return "".join([name for name in msgspec.structs.astuple(dispatch) if name is not None])

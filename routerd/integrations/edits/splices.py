"""Splices: small replacements in a text, each relative to the text that the one before it left."""

from collections.abc import Iterable, Sequence

import msgspec


class Splice(msgspec.Struct, frozen=True, array_like=True):
    """At offset `at` (in characters), `removed` became `added`."""

    at: int
    removed: str
    added: str


def applied(text: str, splices: Iterable[Splice]) -> str:
    """The text after the splices.

    Raises:
        ValueError: It is not the text that they were made for.
    """
    for one in splices:
        text = _replaced(text, one.at, one.removed, one.added)
    return text


def undone(text: str, splices: Sequence[Splice]) -> str:
    """The text before the splices.

    Raises:
        ValueError: It is not the text that they led to.
    """
    for one in reversed(splices):
        text = _replaced(text, one.at, one.added, one.removed)
    return text


def _replaced(text: str, at: int, old: str, new: str) -> str:
    if text[at : at + len(old)] != old:
        raise ValueError("another text stands there")
    return text[:at] + new + text[at + len(old) :]


def together(text: str, parts: Iterable[tuple[int, int, str]]) -> list[Splice]:
    """Replacements (start, end, new text) whose offsets are all of `text` and do not overlap, as splices."""
    ordered = sorted(parts, key=lambda part: part[0])
    return [Splice(start, text[start:end], new) for start, end, new in reversed(ordered)]  # so that offsets stay true


def between(before: str, after: str) -> list[Splice]:
    """One splice that leads from `before` to `after`, as short as can be."""
    if before == after:
        return []
    shortest = min(len(before), len(after))
    head = next((n for n in range(shortest) if before[n] != after[n]), shortest)
    tail = next((n for n in range(shortest - head) if before[-1 - n] != after[-1 - n]), shortest - head)
    return [Splice(head, before[head : len(before) - tail], after[head : len(after) - tail])]


def newline_of(text: str) -> str:
    """The text's own line end."""
    first = text.find("\n")
    return "\r\n" if first > 0 and text[first - 1] == "\r" else "\n"

"""TOML: what is added is a table of its own at the end, or inline where what it belongs to is."""

import re
import tomllib
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from routerd.integrations.edits.splices import Splice, between, newline_of, together
from routerd.integrations.edits.tree import Unreadable, Where

_HEADER = re.compile(r"^[ \t]*\[.*$", re.MULTILINE)
_TEXTS = re.compile(r"""#[^\n]*|\"{3}(?:\\.|[^\\])*?\"{3}|'{3}.*?'{3}|\"(?:\\.|[^\"\\\n])*\"|'[^'\n]*'""", re.DOTALL)
_BEHIND = re.compile(r"(?<=\n)([ \t]*(#[^\n]*)?(\r?\n|$))+\Z")
"""Comments and blank lines at the end of a table: they may belong to the next one."""


def parse(text: str) -> Any:
    """
    What the text says.

    Raises:
        Unreadable: It is not TOML.
    """
    try:
        return tomllib.loads(text.removeprefix("\ufeff"))
    except tomllib.TOMLDecodeError as error:
        raise Unreadable(str(error)) from None
    except RecursionError:
        raise Unreadable("it is nested too deeply") from None


def plain(value: Any) -> Any:
    """A value as `parse` gives it."""
    return value


def insert(text: str, where: Where, key: str | None, value: Any) -> list[Splice]:
    """
    Adds a table under a path, or with no key one more table to the array of tables there.

    Raises:
        Unreadable: It is no table.
    """
    if not (isinstance(value, dict) or (isinstance(value, list) and all(isinstance(one, dict) for one in value))):
        raise Unreadable("only tables can be added to TOML")
    nested: Any = [value] if key is None else {key: value}
    for name in reversed(where):
        nested = {str(name): nested}
    newline = newline_of(text)
    shown = tomlkit.dumps(nested).replace("\n", newline)
    body = text.removeprefix("\ufeff")
    gap = "" if not body.strip() else newline if body.endswith("\n") else newline * 2
    try:
        tomllib.loads(body + gap + shown)
    except tomllib.TOMLDecodeError:  # what it belongs to is written inline
        return _by_document(text, where, key, value)
    return [Splice(len(text), "", gap + shown)]


def remove(text: str, where: Where) -> list[Splice]:
    """Takes away the table at a path, with the tables below it."""
    parts = [(start, end, "") for start, end, there in _blocks(text) if there[: len(where)] == where]
    if parts:
        return together(text, parts)
    document = _document(text)
    holder: Any = document
    for name in where[:-1]:
        holder = holder[name]
    del holder[where[-1]]
    return between(text, _dumped(document, text))


def _blocks(text: str) -> list[tuple[int, int, Where]]:
    """Where each headed table begins and ends, with the blank lines before it, and its path."""
    counts: dict[tuple[str, ...], int] = {}
    headers = [(found.start(), *_header(found[0])) for found in _HEADER.finditer(_TEXTS.sub(_without_lines, text))]
    ends = [*(start for start, _, _ in headers[1:]), *([len(text)] if headers else [])]
    blocks = []
    for (start, path, many), end in zip(headers, ends, strict=True):
        if many:
            counts = {one: count for one, count in counts.items() if one[: len(path)] != path or one == path}
            counts[path] = counts.get(path, -1) + 1
        there: list[str | int] = []
        for depth in range(1, len(path) + 1):
            there += [path[depth - 1], *([counts[path[:depth]]] if path[:depth] in counts else [])]
        said = _BEHIND.sub("", text[start:end])
        before = len(text[:start].rstrip(" \t\r\n"))
        begin = start if text[:before] in ("", "\ufeff") else text.index("\n", before) + 1
        blocks.append((begin, min(end, start + len(said)), tuple(there)))
    return blocks


def _without_lines(found: re.Match[str]) -> str:
    """A text over several lines has no headers in it."""
    return found[0].replace("\n", " ")


def _header(line: str) -> tuple[tuple[str, ...], bool]:
    """The path in a header, and whether it heads one of several tables; no path where it is none."""
    try:
        said: Any = tomllib.loads(line.strip())
    except tomllib.TOMLDecodeError:
        return (), False
    path: list[str] = []
    while isinstance(said, dict) and said:
        path += said
        said = said[path[-1]]
    return tuple(path), isinstance(said, list)


def _by_document(text: str, where: Where, key: str | None, value: Any) -> list[Splice]:
    document = _document(text)
    holder: Any = document
    for name in where:
        holder = holder[name]
    inline = tomlkit.inline_table()
    inline.update(value)
    if key is None:
        holder.append(inline)
    else:
        holder[key] = inline
    return between(text, _dumped(document, text))


def _document(text: str) -> tomlkit.TOMLDocument:
    try:
        return tomlkit.parse(text.removeprefix("\ufeff"))
    except TOMLKitError as error:
        raise Unreadable(str(error)) from None


def _dumped(document: tomlkit.TOMLDocument, text: str) -> str:
    return ("\ufeff" if text.startswith("\ufeff") else "") + tomlkit.dumps(document)

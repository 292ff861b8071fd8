"""JSON, with the comments and trailing commas that many programs allow."""

import json
import re
from typing import Any

from routerd.integrations.edits import flow
from routerd.integrations.edits.splices import Splice
from routerd.integrations.edits.tree import Child, Node, Unreadable, Where, at, number, place

_BLANK = re.compile(r"(?:[ \t\r\n]+|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_SCALAR = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"|[-+.\w]+')
_CLOSE = {"{": "}", "[": "]"}


def parse(text: str) -> Any:
    """
    What the text says; None where it says nothing at all.

    Raises:
        Unreadable: It is not JSON.
    """
    root = _read(text)
    return None if root is None else _data(root)


def plain(value: Any) -> Any:
    """A value as `parse` gives it."""
    return value


def insert(text: str, where: Where, key: str | None, value: Any) -> list[Splice]:
    """Adds a member (or with no key an item) to the container at a path; where that is null, or nothing, makes it."""
    root = _read(text)
    made = [value] if key is None else {key: value}
    if root is None:
        return _first(text, made)
    node = at(root, where)
    if node.kind == "null":
        return [Splice(node.start, text[node.start : node.end], flow.on_one_line(None, made, text))]
    return flow.insert(text, node, key, value, _blanked)


def remove(text: str, where: Where) -> list[Splice]:
    """Takes away what is at a path."""
    root = _read(text)
    assert root is not None
    node = at(root, where[:-1])
    child = number(node, where[-1])
    assert child is not None
    return flow.remove(text, node, child, _blanked)


def _first(text: str, made: Any) -> list[Splice]:
    """The first value of a document of blanks and comments."""
    here = len(text.rstrip(" \t\r\n"))
    newline = "\r\n" if "\r\n" in text else "\n"
    shown = json.dumps(made, ensure_ascii=False, indent=2).replace("\n", newline)
    if text[:here].strip("\ufeff"):
        shown = newline + shown
    return [Splice(here, "", shown if "\n" in text[here:] else shown + newline)]


def _blanked(trivia: str) -> str:
    return _COMMENT.sub(lambda comment: " " * len(comment[0]), trivia)


def _data(node: Node) -> Any:
    if node.kind == "map":
        return {child.key: _data(child.node) for child in node.children}
    if node.kind == "list":
        return [_data(child.node) for child in node.children]
    return node.value


def _read(text: str) -> Node | None:
    start = _skip(text, 1 if text.startswith("\ufeff") else 0)
    if start == len(text):
        return None
    try:
        root = _value(text, start)
    except RecursionError:
        raise Unreadable("it is nested too deeply") from None
    rest = _skip(text, root.end)
    if rest != len(text):
        raise Unreadable(f"{place(text, rest)}: something follows the end of the document")
    return root


def _value(text: str, start: int) -> Node:
    if text[start : start + 1] in _CLOSE:
        return _container(text, start)
    found = _SCALAR.match(text, start)
    if found is None:
        raise Unreadable(f"{place(text, start)}: a value is missing")
    try:
        value = json.loads(found[0], parse_constant=_no_constant)
    except ValueError:
        raise Unreadable(f"{place(text, start)}: {found[0][:40]} is no value") from None
    return Node(kind="null" if value is None else "scalar", start=start, end=found.end(), value=value)


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _container(text: str, start: int) -> Node:
    opening = text[start]
    close, here, children = _CLOSE[opening], _skip(text, start + 1), []
    while text[here : here + 1] != close:
        child = _member(text, here) if opening == "{" else _item(text, here)
        children.append(child)
        here = _skip(text, child.node.end)
        if text[here : here + 1] == ",":
            here = _skip(text, here + 1)
        elif text[here : here + 1] != close:
            raise Unreadable(f"{place(text, here)}: a comma or {close} is missing")
    return Node(kind="map" if opening == "{" else "list", start=start, end=here + 1, children=children)


def _item(text: str, start: int) -> Child:
    return Child(key=None, start=start, key_end=start, node=_value(text, start))


def _member(text: str, start: int) -> Child:
    key = _SCALAR.match(text, start)
    if key is None or not key[0].startswith('"'):
        raise Unreadable(f"{place(text, start)}: a name in double quotes is missing")
    colon = _skip(text, key.end())
    if text[colon : colon + 1] != ":":
        raise Unreadable(f"{place(text, colon)}: a colon is missing")
    name = _value(text, start).value
    return Child(key=name, start=start, key_end=key.end(), node=_value(text, _skip(text, colon + 1)))


def _skip(text: str, here: int) -> int:
    """Past blanks and comments."""
    found = _BLANK.match(text, here)
    return found.end() if found else here

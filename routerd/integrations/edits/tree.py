"""What a text says and where it says it: the tree that JSON and YAML share."""

from typing import Any, Literal

import msgspec

Where = tuple[str | int, ...]
"""A path into a document: keys of mappings, numbers of items."""


class Unreadable(Exception):
    """A text is not of its format, or not of a form that can be edited; says where and why."""


class Node(msgspec.Struct, kw_only=True):
    """
    A value and where it stands.

    Args:
        start: Offset of its first character.
        end: Offset after its last one. A block of YAML ends where its last value does.
        value: Of a scalar, as plain data.
        children: Of a mapping or list, in order.
        flow: It stands in brackets.
    """

    kind: Literal["map", "list", "scalar", "null"]
    start: int
    end: int
    value: Any = None
    children: list["Child"] = []
    flow: bool = True


class Child(msgspec.Struct, kw_only=True):
    """A member of a mapping or an item of a list; `start` is where its key begins, or itself where it has none."""

    key: str | None
    start: int
    key_end: int
    node: Node


def number(node: Node, key: str | int) -> int | None:
    """Which child a key means; of equal keys the last one counts, as it does for every reader."""
    if isinstance(key, int):
        return key if node.kind == "list" and key < len(node.children) else None
    if node.kind != "map":
        return None
    return next((n for n in reversed(range(len(node.children))) if node.children[n].key == key), None)


def at(node: Node, where: Where) -> Node:
    """The node at a path, which is there."""
    for key in where:
        found = number(node, key)
        assert found is not None
        node = node.children[found].node
    return node


def place(text: str, offset: int) -> str:
    """An offset as a person says it."""
    line = text.count("\n", 0, offset) + 1
    return f"line {line}, column {offset - (text.rfind(chr(10), 0, offset) + 1) + 1}"

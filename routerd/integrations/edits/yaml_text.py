"""YAML, in blocks or in brackets; anchors, tags and comments are left as they stand."""

import re
from collections.abc import Iterator
from typing import Any, Literal

import yaml

from routerd.integrations.edits import flow
from routerd.integrations.edits.splices import Splice, newline_of, together
from routerd.integrations.edits.tree import Child, Node, Unreadable, Where, at, number

_COMMENT = re.compile(r"#[^\n]*")
_NULL = "tag:yaml.org,2002:null"


class _Loader(yaml.BaseLoader):
    """Makes mappings, lists, text and None."""


_Loader.add_implicit_resolver(_NULL, re.compile(r"~|null|Null|NULL|$"), ["~", "n", "N", ""])
_Loader.add_constructor(_NULL, lambda _loader, _node: None)


def parse(text: str) -> Any:
    """
    What the text says, every scalar but null as text: tags are not looked at, so none can be unknown.

    Raises:
        Unreadable: It is not one document of YAML.
    """
    try:
        return yaml.load(text, Loader=_Loader) or None  # noqa: S506 - it makes nothing but text
    except yaml.YAMLError as error:
        raise Unreadable(_reason(error)) from None
    except RecursionError:
        raise Unreadable("it is nested too deeply") from None


def plain(value: Any) -> Any:
    """A value as `parse` gives it."""
    return yaml.load(yaml.safe_dump(value, sort_keys=False), Loader=_Loader)  # noqa: S506 - it makes nothing but text


def insert(text: str, where: Where, key: str | None, value: Any) -> list[Splice]:
    """
    Adds a member (or with no key an item) to the container at a path; where that is null, or nothing, makes it.

    Raises:
        Unreadable: It is written in a way that cannot be added to.
    """
    root = _read(text)
    made = [value] if key is None else {key: value}
    if root is None or (root.kind == "null" and not where):
        return [_after_line(text, len(text), _block(made, "", newline_of(text)))]
    node = at(root, where)
    if node.kind == "null":
        return _filled(text, root, where, made)
    if node.flow:
        return flow.insert(text, node, key, value, _blanked, wide=False)
    if not node.children:
        raise Unreadable("an empty block cannot be added to")
    indent = " " * _column(text, _dash(text, node) if node.kind == "list" else node.start)
    return [_after_line(text, node.end, _block(made, indent, newline_of(text)))]


def remove(text: str, where: Where) -> list[Splice]:
    """
    Takes away what is at a path.

    Raises:
        Unreadable: It shares its line with something else.
    """
    root = _read(text)
    assert root is not None
    node = at(root, where[:-1])
    which = number(node, where[-1])
    assert which is not None
    if node.flow:
        return flow.remove(text, node, which, _blanked)
    if len(node.children) == 1 and len(where) > 1:
        return _emptied(text, root, where[:-1])
    child = node.children[which]
    start = text.rfind("\n", 0, child.start) + 1
    if text[start : child.start].strip(" -" if node.kind == "list" else " ") or child.node.end < child.start:
        raise Unreadable("it shares its line with something else")
    end = _line_end(text, child.node.end)
    if end == len(text) and not text.endswith("\n"):
        start = len(text[:start].rstrip("\r\n"))
    return [Splice(start, text[start:end], "")]


def _emptied(text: str, root: Node, where: Where) -> list[Splice]:
    """A block that loses its only child becomes empty brackets behind its key."""
    holder = at(root, where[:-1])
    which = number(holder, where[-1])
    assert which is not None
    child = holder.children[which]
    if child.key is None or holder.flow:
        raise Unreadable("it is the only item of a list in a list")
    colon = text.index(":", child.key_end) + 1
    end = child.node.end
    if end == _line_start(text, end):  # a block of text ends behind its line end
        end = len(text[:end].rstrip("\r\n"))
    return [Splice(colon, text[colon:end], " {}" if child.node.kind == "map" else " []")]


def _filled(text: str, root: Node, where: Where, made: Any) -> list[Splice]:
    """A key with nothing behind it gets its block, or brackets where it stands in such."""
    holder = at(root, where[:-1])
    which = number(holder, where[-1])
    assert which is not None
    child = holder.children[which]
    said = (child.node.start, child.node.end)
    if holder.flow or child.key is None:
        return together(text, [(*said, " " + flow.on_one_line(None, made, text))])
    indent = " " * (_column(text, child.start) + 2)
    line = _after_line(text, max(child.node.end, child.key_end), _block(made, indent, newline_of(text)))
    if said[0] == said[1]:
        return [line]
    return together(text, [(*said, ""), (line.at, line.at, line.added)])


def _block(made: Any, indent: str, newline: str) -> str:
    """Lines, each ended."""
    lines = yaml.safe_dump(made, sort_keys=False, allow_unicode=True, width=1000).splitlines()
    return "".join(indent + line + newline for line in lines)


def _after_line(text: str, offset: int, lines: str) -> Splice:
    """Puts lines after the one that `offset` is in, or before it where it is at a line's beginning."""
    end = offset if offset == _line_start(text, offset) else _line_end(text, offset)
    if end == len(text) and text.strip("\ufeff") and not text.endswith("\n"):  # stays without a line end
        newline = newline_of(text)
        return Splice(end, "", newline + lines.removesuffix(newline))
    return Splice(end, "", lines)


def _dash(text: str, node: Node) -> int:
    """Where the dash of a list's first item stands; what the parser calls its beginning may be an anchor."""
    first = node.children[0].start
    before = text[_line_start(text, first) : first].rstrip(" ")
    return _line_start(text, first) + len(before) - 1 if before.strip(" ") == "-" else node.start


def _line_start(text: str, offset: int) -> int:
    return text.rfind("\n", 0, offset) + 1


def _line_end(text: str, offset: int) -> int:
    """Where the line after that of `offset` begins."""
    if offset > 0 and offset == _line_start(text, offset):
        return offset
    found = text.find("\n", offset)
    return len(text) if found < 0 else found + 1


def _column(text: str, offset: int) -> int:
    return len(text[_line_start(text, offset) : offset].removeprefix("\ufeff"))


def _blanked(trivia: str) -> str:
    return _COMMENT.sub(lambda comment: " " * len(comment[0]), trivia)


def _reason(error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return f"line {mark.line + 1}, column {mark.column + 1}: {error.problem}"
    return " ".join(str(error).split())


# --- where things stand ---------------------------------------------------------------------------------------------


def _read(text: str) -> Node | None:
    """
    The tree of the one document; None where there is nothing.

    Raises:
        Unreadable: There are several documents, or an explicit end.
    """
    events = [one for one in yaml.parse(text, Loader=yaml.BaseLoader) if not isinstance(one, yaml.StreamStartEvent)]
    ends = [one for one in events if isinstance(one, yaml.DocumentEndEvent)]
    if not ends:
        return None
    if len(ends) > 1 or ends[0].explicit:
        raise Unreadable("it has several documents, or an explicit end of one")
    return _node(iter(events[1:]))


def _node(events: Iterator[yaml.Event]) -> Node:
    return _of(next(events), events)


def _of(event: yaml.Event, events: Iterator[yaml.Event]) -> Node:
    start, end = _span(event)
    if isinstance(event, yaml.MappingStartEvent):
        return _container("map", event, events)
    if isinstance(event, yaml.SequenceStartEvent):
        return _container("list", event, events)
    if isinstance(event, yaml.ScalarEvent):
        empty = event.style is None and event.tag is None and event.value in ("", "~", "null", "Null", "NULL")
        return Node(kind="null" if empty else "scalar", start=start, end=end, value=event.value)
    return Node(kind="scalar", start=start, end=end)  # an alias


def _span(event: Any) -> tuple[int, int]:
    return event.start_mark.index, event.end_mark.index


def _container(kind: Literal["map", "list"], event: Any, events: Iterator[yaml.Event]) -> Node:
    start, end = _span(event)
    node = Node(kind=kind, start=start, end=end, flow=bool(event.flow_style))
    while not isinstance(one := next(events), yaml.CollectionEndEvent):
        key = _of(one, events) if kind == "map" else None
        value = _node(events) if kind == "map" else _of(one, events)
        first = value if key is None else key
        name = key.value if key is not None and key.kind != "map" else None
        node.children.append(Child(key=name, start=first.start, key_end=first.end, node=value))
    if node.flow:
        node.end = _span(one)[1]
    elif node.children:
        node.start = node.children[0].start if kind == "map" else node.start
        node.end = max(node.children[-1].node.end, node.children[-1].key_end)
    return node

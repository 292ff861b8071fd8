"""Adding to and taking from what stands in brackets: all of JSON, and the flow style of YAML."""

import json
import re
from collections.abc import Callable
from typing import Any

from routerd.integrations.edits.splices import Splice, newline_of, together
from routerd.integrations.edits.tree import Node

Blanked = Callable[[str], str]
"""A stretch between values, with every character of a comment as a blank."""


def insert(text: str, node: Node, key: str | None, value: Any, blanked: Blanked, *, wide: bool = True) -> list[Splice]:
    """
    Adds a last member or item, spaced as what is there.

    Args:
        text: The whole text.
        node: The mapping or list in it.
        key: Of the member; None for an item.
        value: Plain data.
        blanked: Of the format.
        wide: What is empty may be filled over several lines.
    """
    close = node.end - 1
    here = len(text[:close].rstrip())  # behind comments too
    after = node.children[-1].node.end if node.children else node.start + 1
    parts: list[tuple[int, int, str]] = []
    if node.children and "," not in blanked(text[after:close]):
        parts.append((after, after, ","))
    if _has_lines(text, node, wide=wide) or _swallows(text[after:here], blanked):
        shown = _on_lines(text, node, key, value) + ("" if "\n" in text[here:close] else _end_of_line(text, node))
    else:
        shown = (" " if node.children and not _is_tight(text) else "") + on_one_line(key, value, text)
    return together(text, [*parts, (here, here, shown)])


def remove(text: str, node: Node, number: int, blanked: Blanked) -> list[Splice]:
    """
    Takes a member or item away, with its comma; comments stay.

    Args:
        text: The whole text.
        node: The mapping or list in it.
        number: Which of its children.
        blanked: Of the format.
    """
    child, close = node.children[number], node.end - 1
    before = node.children[number - 1].node.end if number else node.start + 1
    after = node.children[number + 1].start if number + 1 < len(node.children) else close
    parts: list[tuple[int, int, str]] = []
    earlier, later = blanked(text[before : child.start]).find(","), blanked(text[child.node.end : after]).find(",")
    if later >= 0:
        parts.append((child.node.end + later, child.node.end + later + 1, ""))
    elif earlier >= 0:
        parts.append((before + earlier, before + earlier + 1, ""))
    start = max(before + earlier + 1, before + len(text[before : child.start].rstrip()))
    end = child.node.end
    if len(node.children) == 1 and start == before and not text[end:close].strip():
        end = close  # nothing but blanks is left: `{}`
    elif number == 0 and start == child.start and later >= 0:  # `[a, b]`: what parted the two goes too
        blanks = len(text[end + later + 1 : after]) - len(text[end + later + 1 : after].lstrip(" \t"))
        parts[0] = (parts[0][0], parts[0][1] + blanks, "")
    if _swallows(text[before:start], blanked) and not re.match(r"[ \t,]*\r?\n", text[end:]):
        start = text.index("\n", start) + 1  # else the comment before would swallow what follows
    return together(text, [*parts, (start, end, "")])


def on_one_line(key: str | None, value: Any, text: str) -> str:
    """A member or an item on one line, spaced as the text is."""
    separators = (",", ":") if _is_tight(text) else (", ", ": ")
    shown = json.dumps(value if key is None else {key: value}, ensure_ascii=False, separators=separators)
    return shown if key is None else shown[1:-1]


def _is_tight(text: str) -> bool:
    """Whether the text has no blanks after its commas and colons."""
    return bool(re.search(r"[:,]", text)) and not re.search(r"[:,]\s", text)


def _has_lines(text: str, node: Node, *, wide: bool) -> bool:
    """Whether each child has a line of its own; an empty container's would, where the document has lines or nothing."""
    if not node.children:
        around = (text[: node.start] + text[node.end :]).strip(" \t\r\n\ufeff")
        return "\n" in text[node.start : node.end] or (wide and (not around or "\n" in around))
    return "\n" in text[node.start : node.children[0].start] or "\n" in text[node.children[-1].node.end : node.end]


def _on_lines(text: str, node: Node, key: str | None, value: Any) -> str:
    """What is added, each line beginning with a line end."""
    unit = _unit(text)
    indent = _indent(text, node.start) + unit
    if node.children and not _line_before(text, node.children[-1].start).strip():
        indent = _line_before(text, node.children[-1].start)
    shown = json.dumps([value] if key is None else {key: value}, ensure_ascii=False, indent=unit)
    return "".join(newline_of(text) + indent + line.removeprefix(unit) for line in shown.split("\n")[1:-1])


def _end_of_line(text: str, node: Node) -> str:
    return newline_of(text) + _indent(text, node.start)


def _line_before(text: str, offset: int) -> str:
    return text[text.rfind("\n", 0, offset) + 1 : offset]


def _indent(text: str, offset: int) -> str:
    """What the line of an offset begins with."""
    line = _line_before(text, offset).removeprefix("\ufeff")
    return line[: len(line) - len(line.lstrip())]


def _unit(text: str) -> str:
    """One step of indentation, as the first indented line has it."""
    found = re.search(r"\n([ \t]+)[^\s/*]", text)
    return found[1] if found else "  "


def _swallows(trivia: str, blanked: Blanked) -> bool:
    """Whether it ends in a comment that what follows on the line would be part of."""
    return blanked(trivia + "\0")[-1] != "\0"

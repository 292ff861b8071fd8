"""
Elements of HTML and SVG, made by the standard library's tree: whatever is said in them is escaped when it is written.

Names come from logs, so that anything may be in them: what does not print, and what turns the direction of writing, is
shown as U+FFFD.
"""

import unicodedata
from typing import Final
from xml.etree.ElementTree import Element, tostring

Child = Element | str | None
Value = str | float | None

MARK: Final = "<!doctype html><!-- written by routerctl dashboard -->"
"""How each page begins; what begins otherwise is not ours to overwrite."""
_UNSEEN: Final = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
"""Unicode categories: controls, formats (the bidirectional ones among them), surrogates, what nobody has assigned."""


def el(tag: str, *children: Child, **attributes: Value) -> Element:
    """
    An element. Names of attributes may end in `_` (class_); other underscores are hyphens. None is left out.

    Numbers are written with at most two digits after the point: hundredths of a pixel are not seen.
    """
    element = Element(tag)
    for name, value in attributes.items():
        if value is not None:
            element.set(name.removesuffix("_").replace("_", "-"), number(value))
    put(element, *children)
    return element


def put(element: Element, *children: Child) -> None:
    """Adds children; texts go where the tree keeps them."""
    for child in children:
        if isinstance(child, str):
            last = element[-1] if len(element) else None
            if last is None:
                element.text = (element.text or "") + plain(child)
            else:
                last.tail = (last.tail or "") + plain(child)
        elif child is not None:
            element.append(child)


def number(value: str | float) -> str:
    """An attribute's value."""
    if isinstance(value, str):
        return plain(value)
    return f"{value:.2f}".rstrip("0").rstrip(".")


def plain(text: str) -> str:
    """Text without what does not print; line breaks and tabs become spaces."""
    if text.isprintable():
        return text
    return "".join(_seen(character) for character in text)


def _seen(character: str) -> str:
    if character in "\n\r\t":
        return " "
    return "\N{REPLACEMENT CHARACTER}" if unicodedata.category(character) in _UNSEEN else character


def short(text: str, most: int) -> str:
    """At most so many characters, with an ellipsis where some were left out in the middle."""
    text = plain(text)
    if len(text) <= most:
        return text
    head = (most - 1) // 2
    return f"{text[:head]}…{text[len(text) - (most - 1 - head) :]}"


def written(element: Element) -> str:
    """As HTML."""
    return tostring(element, encoding="unicode", method="html")

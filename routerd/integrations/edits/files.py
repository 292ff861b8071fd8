"""What becomes of one file when routerd is installed in it or taken out again: bytes in, bytes and a record out."""

import hashlib
from collections.abc import Sequence
from typing import Any, Literal, Protocol

import msgspec

from routerd.integrations.edits import json_text, toml_text, yaml_text
from routerd.integrations.edits.entries import (
    Entry,
    emptied,
    inserted,
    insertion,
    look,
    made,
    ours,
    removed,
    same,
    says,
    stale,
)
from routerd.integrations.edits.splices import Splice, applied, between, undone
from routerd.integrations.edits.tree import Unreadable, Where

Kind = Literal["json", "yaml", "toml", "whole"]


class Editor(Protocol):
    """A format."""

    def parse(self, text: str) -> Any: ...
    def plain(self, value: Any) -> Any: ...
    def insert(self, text: str, where: Where, key: str | None, value: Any) -> list[Splice]: ...
    def remove(self, text: str, where: Where) -> list[Splice]: ...


EDITORS: dict[str, Editor] = {"json": json_text, "yaml": yaml_text, "toml": toml_text}


class Edit(msgspec.Struct, frozen=True, kw_only=True):
    """
    What a file shall say.

    Args:
        path: The file.
        kind: Its format; `whole` is a file that is routerd's alone.
        entries: What is added to it.
        content: All of it, for `whole`.
    """

    path: str
    kind: Kind
    entries: tuple[Entry, ...] = ()
    content: str = ""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """
    What was written into a file, so that it can be taken back. The file's own text is not in it.

    Args:
        before: SHA-256 of the file before; None where there was none.
        after: SHA-256 of the file as it was written.
        splices: From the one to the other.
        entries: What was added.
        containers: Paths of what was made to hold it.
    """

    path: str
    kind: Kind
    before: str | None
    after: str
    splices: list[Splice]
    entries: list[Entry] = []
    containers: list[list[str]] = []


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """The file afterwards (None: none), and what to remember of it; `kept` says why something stays."""

    after: bytes | None
    record: Record | None = None
    kept: str | None = None


def put(edit: Edit, present: bytes | None, record: Record | None) -> Result:
    """
    The file with everything in it that it shall say.

    Args:
        edit: What it shall say.
        present: The file as it is.
        record: What an earlier installation wrote into it.

    Raises:
        Unreadable: It cannot be edited.
    """
    text = _text(present)
    if edit.kind == "whole":
        return _put_whole(edit, present, text, record)
    editor = EDITORS[edit.kind]
    entries = _plain(editor, edit.entries)
    data = editor.parse(text)
    if not stale(data, entries) and all(says(data, one) for one in entries):
        return Result(after=present, record=record)
    begin = present if record is None else take(record, present).after
    start = _text(begin)
    splices = _cleared(editor, start, entries)
    for raw, entry in zip(edit.entries, entries, strict=True):
        splices += _added(editor, applied(start, splices), raw, entry)
    after = applied(start, splices)
    return _result(edit, begin, after, splices, made(editor.parse(start), entries))


def take(record: Record, present: bytes | None) -> Result:
    """
    The file without what was written into it.

    Raises:
        Unreadable: It was edited since, into something that cannot be edited.
    """
    now = digest(present)
    if now == record.before:
        return Result(after=present)
    if now == record.after:
        text = undone(_text(present), record.splices)
        return Result(after=None if record.before is None else text.encode())
    if present is None:
        return Result(after=None, kept="it is gone")
    if record.kind == "whole":
        return Result(after=present, kept="it was edited since, and stays; remove it by hand if it is of no use")
    return Result(after=_taken(record, _text(present)))


def sweep(edit: Edit, present: bytes | None) -> Result:
    """
    The file without what looks like ours, where no record says what was written into it.

    Raises:
        Unreadable: It cannot be edited.
    """
    if edit.kind == "whole":
        gone = present is not None and present == edit.content.encode()
        return Result(after=None if gone else present)
    editor = EDITORS[edit.kind]
    text, entries = _text(present), _plain(editor, edit.entries)
    data = editor.parse(text)
    found = ours(data, entries, recorded=False)
    after, _ = _without(
        editor, text, found, [entry.path[:n] for entry in entries for n in range(1, len(entry.path) + 1)]
    )
    return Result(after=after.encode() if found else present)


def digest(content: bytes | None) -> str | None:
    """By which a file is known again."""
    return None if content is None else hashlib.sha256(content).hexdigest()


def _text(content: bytes | None) -> str:
    try:
        return (content or b"").decode("utf-8")
    except UnicodeDecodeError as error:
        raise Unreadable(f"byte {error.start + 1} is not UTF-8") from None


def _plain(editor: Editor, entries: Sequence[Entry]) -> list[Entry]:
    return [msgspec.structs.replace(one, value=editor.plain(one.value)) for one in entries]


def _cleared(editor: Editor, text: str, entries: list[Entry]) -> list[Splice]:
    """What is ours and not as it shall be goes first; the containers stay for what comes."""
    return _without(editor, text, stale(editor.parse(text), entries), [])[1]


def _added(editor: Editor, text: str, raw: Entry, entry: Entry) -> list[Splice]:
    """
    The splices that add an entry, read again.

    Raises:
        Unreadable: It cannot be added.
    """
    data = editor.parse(text)
    wanted = insertion(data, entry)
    if wanted is None:
        return []
    shown = insertion(data, raw)
    assert shown is not None
    splices = editor.insert(text, wanted.where, wanted.key, shown.value)
    if not same(_parsed(editor, applied(text, splices)), inserted(data, wanted)):
        raise Unreadable(f"{'.'.join(entry.path)} cannot be added without changing something else")
    return splices


def _without(
    editor: Editor, text: str, found: list[Where], containers: Sequence[Sequence[str]]
) -> tuple[str, list[Splice]]:
    """
    The text without what is at these places, read again, and the splices that lead there.

    Raises:
        Unreadable: Something cannot be taken away alone.
    """
    splices: list[Splice] = []
    for one in found:
        data = editor.parse(text)
        where = emptied(data, one, containers)
        steps = editor.remove(text, where)
        text = applied(text, steps)
        if not same(_parsed(editor, text), removed(data, where)):
            raise Unreadable(f"{'.'.join(map(str, where))} cannot be taken out without changing something else")
        splices += steps
    return text, splices


def _taken(record: Record, text: str) -> bytes | None:
    """An edited file without our entries: cut out where all still stands as it was written, else entry by entry."""
    editor = EDITORS[record.kind]
    data = editor.parse(text)
    found = ours(data, record.entries, recorded=True)
    after, _ = _without(editor, text, found, record.containers)
    if (cut := _cut(record, text)) is not None and same(_parsed(editor, cut), editor.parse(after)):
        after = cut
    left = editor.parse(after)
    if record.before is None and not left and after.strip(" \t\r\n\ufeff") in ("", "{}"):
        return None
    return after.encode()


def _cut(record: Record, text: str) -> str | None:
    """The text without the very text that was added, where each part of that stands there once."""
    for one in reversed(record.splices):
        if one.removed or text.count(one.added) != 1:
            return None
        text = text.replace(one.added, "")
    return text


def _parsed(editor: Editor, text: str) -> Any:
    try:
        return editor.parse(text)
    except Unreadable:
        return Unreadable


def _put_whole(edit: Edit, present: bytes | None, text: str, record: Record | None) -> Result:
    if present == edit.content.encode():
        return Result(after=present, record=record)
    begin = present if record is None else take(record, present).after
    return _result(edit, begin, edit.content, between(_text(begin), edit.content), [])


def _result(
    edit: Edit, begin: bytes | None, after: str, splices: list[Splice], containers: Sequence[Sequence[str]]
) -> Result:
    content = after.encode()
    if undone(after, splices) != _text(begin):
        raise Unreadable("what would be written could not be taken back")
    before, written = digest(begin), digest(content)
    assert written is not None
    record = Record(
        path=edit.path,
        kind=edit.kind,
        before=before,
        after=written,
        splices=splices,
        entries=list(_plain(EDITORS[edit.kind], edit.entries)) if edit.entries else [],
        containers=[list(path) for path in containers],
    )
    return Result(after=content, record=record)


__all__ = [
    "EDITORS",
    "Edit",
    "Entry",
    "Kind",
    "Record",
    "Result",
    "Unreadable",
    "digest",
    "look",
    "put",
    "sweep",
    "take",
]

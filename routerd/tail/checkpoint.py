"""
How far a log file was read, and what a changed file means.

A checkpoint belongs to a file, the memory that it stands for to the file's group. Two facts make that simple: a
completion has a stable id, so reading a record twice changes nothing; and a group can be read again from its
beginning. So a checkpoint need only answer "is there anything here that was not taken in?". Where the answer is yes and
the group's machine is still in memory, reading goes on; where it is not, or the file is not what it was, the group is
read afresh.
"""

from typing import Literal

import msgspec

from routerd.sources.base import FileKind

HEAD_BYTES = 4096
MARKER_BYTES = 64


class Stat(msgspec.Struct, frozen=True):
    """What the file system says of a file."""

    dev: int
    ino: int
    size: int
    mtime_ns: int


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """
    A row of `files`.

    Attributes:
        stat: The file when it was read.
        position: Bytes whose complete lines were all taken in; less than `stat.size` when a line was unfinished.
    """

    path: str
    agent: str
    group: str
    kind: FileKind
    stat: Stat
    position: int


def untouched(checkpoint: Checkpoint, stat: Stat) -> bool:
    """Whether nothing was written since; an edit that keeps the length still moves the time of change."""
    return checkpoint.stat == stat


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """
    What tells that a file is still the one that was read: the same inode, the same beginning, the same bytes just
    before the position.

    Attributes:
        head: The first bytes, up to `HEAD_BYTES` or the position, whichever is less.
        marker: Up to `MARKER_BYTES` bytes before the position.
    """

    dev: int
    ino: int
    position: int
    head: bytes
    marker: bytes


Fate = Literal["grown", "rewritten"]


def fate(identity: Identity, stat: Stat, head: bytes, marker: bytes) -> Fate:
    """
    What became of a file that was read before.

    Args:
        identity: As it was.
        stat: As it is.
        head: Its first `len(identity.head)` bytes now.
        marker: Its `len(identity.marker)` bytes before `identity.position` now.
    """
    same = (
        (stat.dev, stat.ino) == (identity.dev, identity.ino)
        and stat.size >= identity.position
        and head == identity.head
        and marker == identity.marker
    )
    return "grown" if same else "rewritten"

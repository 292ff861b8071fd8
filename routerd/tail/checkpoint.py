"""
How far a log file was read, and what a changed file means.

A checkpoint belongs to a file, the memory that it stands for to the file's group. Two facts make that simple: a
completion has a stable id, so reading a record twice changes nothing; and a group can be read again from its
beginning. So a checkpoint need only answer "is there anything here that was not taken in?". Where the answer is yes and
the group's machine is still in memory, reading goes on; where it is not, or the file is not what it was, the group is
read afresh.
"""

import zlib

import msgspec

from routerd.sources.base import FileKind

HEAD_BYTES = 4096
MARKER_BYTES = 4096
"""Enough to tell lines apart that end alike; head and marker are read in 7 µs a look."""


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
        checked: All that was taken in was seen to be still there when the file was as `stat` says. Where it was not
            yet, an old line may have been edited while others were added, and the next daemon reads the file again.
    """

    path: str
    agent: str
    group: str
    kind: FileKind
    stat: Stat
    position: int
    checked: bool = True


def spelt(path: str) -> str:
    r"""A path as it can be stored and sent: bytes of a name that are no UTF-8 stand there as `\xff`."""
    return path if path.isascii() else path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def untouched(checkpoint: Checkpoint, stat: Stat) -> bool:
    """Whether nothing in it is unknown; an edit that keeps the length still moves the time of writing."""
    return checkpoint.checked and checkpoint.stat == stat


class Taken(msgspec.Struct, kw_only=True):
    """
    What was taken in of a file, kept up from the bytes as they are read: so that it is never that of a file which was
    put in its place meanwhile.

    Attributes:
        dev, ino: Of the file.
        size: Bytes from its beginning.
        head: The first of them, up to `HEAD_BYTES`.
        marker: The last of them, up to `MARKER_BYTES`.
        checksum: CRC-32 of all of them.
    """

    dev: int
    ino: int
    size: int = 0
    head: bytes = b""
    marker: bytes = b""
    checksum: int = 0

    def add(self, block: bytes) -> None:
        """More was taken in."""
        if len(self.head) < HEAD_BYTES:
            self.head += block[: HEAD_BYTES - len(self.head)]
        self.marker = (self.marker + block[-MARKER_BYTES:])[-MARKER_BYTES:]
        self.checksum = zlib.crc32(block, self.checksum)
        self.size += len(block)


def still_there(taken: Taken, stat: Stat, head: bytes, marker: bytes) -> bool:
    """
    Whether a file is, as far as a short look can tell, the one that was read, and longer at most: the same inode, the
    same beginning, the same bytes just before the place where reading stopped.

    An edit in between that changes no length escapes it; comparing `Taken.checksum` with all of the file finds that.

    Args:
        taken: What was read.
        stat: The file as it is.
        head: Its first `len(taken.head)` bytes now.
        marker: Its `len(taken.marker)` bytes before `taken.size` now.
    """
    return (
        (stat.dev, stat.ino) == (taken.dev, taken.ino)
        and stat.size >= taken.size
        and head == taken.head
        and marker == taken.marker
    )

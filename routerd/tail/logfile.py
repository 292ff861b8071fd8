"""
One file of lines that somebody appends to: read in blocks, held open, and told from whatever takes its place.

A file is held open after it was read, so that what was written to it just before it was renamed or removed can still be
read: that is why its descriptor, and not its path, is asked.
"""

import os
import zlib
from collections.abc import Iterator
from typing import Any

from routerd.tail.checkpoint import Stat, Taken, still_there
from routerd.tail.files import BLOCK_BYTES, open_regular
from routerd.tail.lines import LineSplitter

CHECK_BYTES = 1024 * 1024
"""Up to this size a file that was written and is no longer than before is compared at once, which takes about 1 ms."""


class LogFile:
    """
    See the head of this module.

    Args:
        path: Where it lies, or lay.
        line_bytes_max: Longer lines are dropped.

    Attributes:
        taken: What was read of it; None before it was opened.
        checked: The file when all that was taken was last found to be still there.
    """

    def __init__(self, path: str, line_bytes_max: int) -> None:
        self.path = path
        self._line_bytes_max = line_bytes_max
        self.splitter = LineSplitter(line_bytes_max=line_bytes_max)
        self.taken: Taken | None = None
        self.checked: Stat | None = None
        self._edited = False
        self._descriptor: int | None = None

    def __getstate__(self) -> dict[str, Any]:
        """A descriptor means nothing in another process."""
        return {**self.__dict__, "_descriptor": None}

    def state(self) -> Stat:
        """
        The file that is held open, wherever it lies.

        Raises:
            OSError: It cannot be told.
        """
        assert self._descriptor is not None
        found = os.fstat(self._descriptor)
        return Stat(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)

    def is_at(self, stat: Stat) -> bool:
        """Whether a path with this state leads to the file that was read."""
        return self.taken is not None and (stat.dev, stat.ino) == (self.taken.dev, self.taken.ino)

    def open(self) -> bool:
        """
        Opens the file, if it is not open; False where another one has taken its place meanwhile.

        Raises:
            OSError: It cannot be opened, or is no regular file.
        """
        if self._descriptor is None:
            descriptor = open_regular(self.path)
            found = os.fstat(descriptor)
            if self.taken is None:
                self.taken = Taken(dev=found.st_dev, ino=found.st_ino)
            if (found.st_dev, found.st_ino) != (self.taken.dev, self.taken.ino):
                os.close(descriptor)
                return False
            self._descriptor = descriptor
        return True

    def begin_again(self) -> None:
        """Nothing of it was taken: the same file, still open, is read from its beginning. It was opened."""
        assert self.taken is not None
        self.splitter = LineSplitter(line_bytes_max=self._line_bytes_max)
        self.taken = Taken(dev=self.taken.dev, ino=self.taken.ino)
        self.checked = None
        self._edited = False

    def blocks(self, budget: int) -> Iterator[bytes]:
        """
        What is there and was not read, up to so many bytes. The file is open.

        Raises:
            OSError: It cannot be read.
        """
        assert self._descriptor is not None
        assert self.taken is not None
        while budget > 0 and (block := os.pread(self._descriptor, min(BLOCK_BYTES, budget), self.taken.size)):
            budget -= len(block)
            self.taken.add(block)
            yield block

    def rewritten(self, stat: Stat) -> bool:
        """
        Whether the file at the path, of which `stat` is the state, is not the one that was read with more at its end.

        Raises:
            OSError: It cannot be looked into.
        """
        taken = self.taken
        if taken is None:
            return False
        if self._edited or not self.is_at(stat) or not self.open():
            return True
        if stat.size == taken.size <= CHECK_BYTES:
            return not self.check()  # written, and no longer than before: most likely an old line was edited
        assert self._descriptor is not None
        head = os.pread(self._descriptor, len(taken.head), 0)
        marker = os.pread(self._descriptor, len(taken.marker), taken.size - len(taken.marker))
        if self.splitter.rest_taken:
            end = os.pread(self._descriptor, 2, taken.size)
            if end and not end.startswith((b"\n", b"\r\n")):
                return True
        return not still_there(taken, stat, head, marker)

    def check(self) -> bool:
        """
        Whether all that was taken is still there: reads as much of the file again (about 1 ms a MB) and keeps its sum.

        Raises:
            OSError: It cannot be read.
        """
        taken = self.taken
        if taken is None or not self.open():
            return True  # the next look at it finds whatever is wrong
        assert self._descriptor is not None
        at = checksum = 0
        while at < taken.size and (block := os.pread(self._descriptor, min(CHECK_BYTES, taken.size - at), at)):
            at += len(block)
            checksum = zlib.crc32(block, checksum)
        self._edited = (at, checksum) != (taken.size, taken.checksum)
        return not self._edited

    def close(self) -> None:
        """Lets go of the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

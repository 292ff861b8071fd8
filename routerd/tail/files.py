"""Files as the reader needs them: walked, looked at, and read in blocks; whatever they turn into meanwhile."""

import os
import stat as modes
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import zstandard

from routerd.sources.base import HEAD_BYTES, FileKind
from routerd.tail.checkpoint import Stat

BLOCK_BYTES = 256 * 1024
DOCUMENT_BYTES_MAX = 64 * 1024 * 1024


def look(path: str, kind: FileKind = "lines") -> Stat | None:
    """
    The state of a regular file, or None when there is none or it cannot be looked at.

    A database is written through its write-ahead log, so the log's size and time count as the database's.
    """
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    if not modes.S_ISREG(found.st_mode):
        return None
    size, mtime_ns = found.st_size, found.st_mtime_ns
    if kind == "database":
        with suppress(OSError):
            log = os.stat(path + "-wal")
            size, mtime_ns = size + log.st_size, max(mtime_ns, log.st_mtime_ns)
    return Stat(found.st_dev, found.st_ino, size, mtime_ns)


def walk(root: str, enters: Callable[[str], bool], below: str | None = None) -> Iterator[str]:
    """
    Every file in a directory, following links but never twice into one directory; unreadable places are passed.

    Args:
        root: The directory, or one above it.
        enters: Whether to go into a directory.
        below: The directory, where it is not `root`: links from it to what lies above are not followed.
    """
    seen: set[tuple[int, int]] = set()
    pending = [below or root]
    above = pending[0]
    while above.startswith(root) and above != root:
        above = os.path.dirname(above)
        with suppress(OSError):
            found = os.stat(above)
            seen.add((found.st_dev, found.st_ino))
    while pending:
        directory = pending.pop()
        try:
            found = os.stat(directory)
            entries = list(os.scandir(directory))
        except OSError:
            continue
        if (found.st_dev, found.st_ino) in seen:
            continue
        seen.add((found.st_dev, found.st_ino))
        for entry in entries:
            with suppress(OSError):
                if entry.is_dir():
                    if enters(entry.path):
                        pending.append(entry.path)
                elif entry.is_file():
                    yield entry.path


def open_regular(path: str) -> int:
    """
    A descriptor of a regular file.

    Raises:
        OSError: It cannot be opened, or it is no regular file (any more).
    """
    # O_NONBLOCK: a file that became a FIFO must not hold the reader for ever.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not modes.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(f"{path} is not a regular file")
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


@contextmanager
def opened(path: str) -> Iterator[int]:
    """
    The descriptor of a regular file, closed at the end.

    Raises:
        OSError: As for `open_regular`.
    """
    descriptor = open_regular(path)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def head_of(path: str) -> bytes:
    """The first bytes of a (decompressed) file; empty when it cannot be read."""
    try:
        with opened(path) as descriptor:
            if path.endswith(".zst"):
                return next(decompressed(descriptor), b"")[:HEAD_BYTES]
            return os.pread(descriptor, HEAD_BYTES, 0)
    except (OSError, zstandard.ZstdError):
        return b""


def document(path: str) -> bytes:
    """
    The whole of a small file.

    Raises:
        OSError: It cannot be read, or is too large to be a document.
    """
    with opened(path) as descriptor:
        size = os.fstat(descriptor).st_size
        if size > DOCUMENT_BYTES_MAX:
            raise OSError(f"{path} is larger than {DOCUMENT_BYTES_MAX} bytes")
        return os.pread(descriptor, size, 0)


def decompressed(descriptor: int) -> Iterator[bytes]:
    """
    The blocks of a Zstandard file from its beginning.

    Raises:
        zstandard.ZstdError: It is cut short or no Zstandard file.
    """
    with open(descriptor, "rb", closefd=False) as raw:
        reader = zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True, closefd=False)
        while block := reader.read(BLOCK_BYTES):
            yield block

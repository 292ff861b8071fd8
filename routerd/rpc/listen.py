"""The listening socket: taken from systemd, or made where nobody else's can be harmed.

Two locks, each held for life and let go by the kernel whatever kills us: one in the state directory (one daemon to a
database) and one beside the socket. Only who holds the second may remove a socket file and bind. Whether a socket file
is stale is never judged by how long an answer takes: its owner lives if the lock is taken or if the kernel lets a
connection in.
"""

import fcntl
import os
import resource
import socket
import stat
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager, suppress
from typing import Final

from routerd.errors import RouterdError, StoreError, UsageError

PATH_BYTES_MAX: Final = 107
"""`sun_path` has 108 bytes, the last for the NUL."""

BACKLOG: Final = 4096
"""Connections that wait to be accepted; the kernel has its own limit below which this is brought."""

FIRST_FD: Final = 3
"""SD_LISTEN_FDS_START: where the sockets that systemd hands over begin."""

OTHER_FILES: Final = 256
"""Files that the rest of the daemon needs beside its connections: logs, the database, libraries."""

StrPath = str | os.PathLike[str]


@contextmanager
def locked_state(directory: StrPath) -> Iterator[None]:
    """
    Makes the state directory and holds its lock.

    Raises:
        StoreError: Another daemon holds it, or the directory cannot be made or written.
    """
    try:
        _make_directory(os.fspath(directory))
        held = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise StoreError(f"{os.fspath(directory)}: cannot be used as state directory: {error.strerror}") from None
    try:
        descriptor = _lock_state(held, os.path.join(directory, "lock"))
    except OSError as error:
        os.close(held)
        raise StoreError(f"{os.fspath(directory)}: cannot be used as state directory: {error.strerror}") from None
    if isinstance(descriptor, str):
        os.close(held)
        raise StoreError(
            f"{os.fspath(directory)}: another routerd ({descriptor}) runs on this state directory; stop that one, or "
            "give this one its own with --state-dir"
        )
    try:
        yield
    finally:
        os.close(descriptor)
        os.close(held)


def _lock_state(directory: int, path: str) -> int | str:
    """
    As `_lock`; the directory is locked too, for the file in it may be tidied away.

    Raises:
        OSError: The file cannot be opened.
    """
    free = True
    try:
        fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        free = False
    except OSError:
        pass  # a file system that locks no directories: the file alone must do
    found = _lock(path)
    if free or isinstance(found, str):
        return found
    os.close(found)
    return "its lock file was removed"


def handed_over(env: MutableMapping[str, str], pid: int) -> socket.socket | None:
    """
    The listening socket that systemd hands over, or None.

    Its variables are taken out of `env`, so that no child takes the socket for its own.

    Raises:
        RouterdError: What was handed over is no listening Unix stream socket.
    """
    meant, count = env.pop("LISTEN_PID", ""), env.pop("LISTEN_FDS", "")
    names = env.pop("LISTEN_FDNAMES", "").split(":")
    if meant != str(pid) or not count.isdecimal() or int(count) == 0:
        return None
    descriptor = FIRST_FD + (names.index("rpc") if "rpc" in names[: int(count)] else 0)
    try:
        os.set_inheritable(descriptor, False)
        taken = socket.socket(fileno=descriptor)
        if taken.family == socket.AF_UNIX and taken.type == socket.SOCK_STREAM and _listens(taken):
            return taken
        taken.close()
    except OSError:  # it is no socket, or not even open
        pass
    raise RouterdError(
        f"the socket handed over in LISTEN_FDS (descriptor {descriptor}) is no listening Unix stream socket; "
        "in the socket unit use ListenStream= with a path"
    )


@contextmanager
def bound(path: StrPath) -> Iterator[socket.socket]:
    """
    A listening socket at `path`, mode 0600; its file goes at the end, if it is still this one's.

    Nobody can connect before `listen`, and the mode is set before: so none but the owner ever can.

    Raises:
        UsageError: The path is too long, or something stands there that is no socket.
        RouterdError: Another program listens there, or the socket cannot be made.
    """
    name = os.fspath(path)
    if len(os.fsencode(name)) > PATH_BYTES_MAX:
        raise UsageError(
            f"{name}: too long for a socket ({len(os.fsencode(name))} bytes, the system takes {PATH_BYTES_MAX}); "
            "give a shorter one with --socket"
        )
    try:
        _make_directory(os.path.dirname(os.path.abspath(name)))
        lock = _lock(f"{name}.lock")
    except OSError as error:
        raise RouterdError(f"{name}: the socket cannot be made: {error.strerror}; give another with --socket") from None
    if isinstance(lock, str):
        raise RouterdError(f"{name}: another routerd ({lock}) answers there; stop that one, or give another --socket")
    try:
        _remove_stale(name)
        with _listen(name) as made:
            owned = _identity(name)
            try:
                yield made
            finally:
                if owned is not None and _identity(name) == owned:
                    os.unlink(name)
    finally:
        os.close(lock)


def raise_file_limit(connections_max: int) -> int:
    """Sees to it that so many connections can be open at once, as far as may be; returns how many can."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections_max + OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return connections_max if soft == resource.RLIM_INFINITY else max(1, min(connections_max, soft - OTHER_FILES))


def _make_directory(path: str) -> None:
    """Makes a directory for the owner alone; one that is there already is left as it is."""
    with suppress(FileExistsError):
        os.makedirs(path, mode=0o700)


def _lock(path: str) -> int | str:
    """
    The descriptor that holds the lock, or a word on who holds it. The file stays: to remove it would let two hold it.

    Raises:
        OSError: The file cannot be opened.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(descriptor, 32).decode("ascii", "replace").strip()
        os.close(descriptor)
        return f"pid {holder}" if holder.isdecimal() else "just starting"
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"{os.getpid()}\n".encode())
    return descriptor


def _remove_stale(path: str) -> None:
    """Removes the socket file that a dead daemon left. The caller holds its lock."""
    try:
        kind = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(kind):
        raise UsageError(f"{path}: something stands there that is no socket; remove it, or give another --socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:  # nobody listens; a full backlog is EAGAIN
            os.unlink(path)
            return
        except FileNotFoundError:
            return
        except OSError:
            pass
    raise RouterdError(
        f"{path}: another program listens there (routerd.socket of systemd? then use systemctl --user start routerd); "
        "stop it, or give another --socket"
    )


def _listen(path: str) -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        made.bind(path)
        os.chmod(path, 0o600)
        made.listen(BACKLOG)
    except OSError as error:
        made.close()
        raise RouterdError(f"{path}: the socket cannot be made: {error.strerror}; give another with --socket") from None
    return made


def _listens(taken: socket.socket) -> bool:
    return taken.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino

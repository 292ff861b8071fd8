"""Reading and writing files of others: whole or not at all, with their mode, owner and links."""

import os
import shutil
import stat
from collections.abc import Iterable
from contextlib import suppress

from routerd.errors import ConfigError, RouterdError

BYTES_MAX = 16 * 1024 * 1024
"""No configuration is larger; a file that is, is something else."""


def read(path: str) -> bytes | None:
    """
    A file's bytes, None where there is none.

    Raises:
        ConfigError: It is no file, or cannot be read.
    """
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode) or found.st_size > BYTES_MAX:
                raise ConfigError(f"{path}: is no file of configuration; nothing was written")
            return file.read()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}; nothing was written") from None


def real(path: str, roots: Iterable[str]) -> str:
    """
    Where a file really lies, links followed.

    Raises:
        ConfigError: That is outside of the directories that routerd writes to, or a link leads nowhere.
    """
    found = os.path.realpath(path)
    if os.path.islink(path) and not os.path.exists(os.path.dirname(found)):
        raise ConfigError(f"{path}: is a link to {found}, which cannot be; mend the link")
    allowed = [os.path.realpath(root) for root in roots]
    if not any(found == root or found.startswith(root.rstrip("/") + "/") for root in allowed):
        raise ConfigError(f"{path}: lies in {found}, outside of your home; put it there yourself: see --print")
    return found


def replace(path: str, content: bytes) -> None:
    """
    Writes a file whole: a crash leaves the old one or the new one. Directories are there.

    Raises:
        RouterdError: It cannot be written; the old one is as it was.
    """
    draft = draft_of(path)
    try:
        with suppress(FileNotFoundError):
            os.unlink(draft)  # of a run that was killed
        with open(draft, "xb") as file:
            file.write(content)
            _like(path, file.fileno())
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
        _settle(os.path.dirname(path))
    except OSError as error:
        with suppress(OSError):
            os.unlink(draft)
        raise RouterdError(f"{path}: cannot be written: {error.strerror}; it is as it was") from None


def back_up(path: str, backup: str) -> None:
    """
    Keeps a file as it is under a second name; one of that name, of a run that was killed, goes.

    The name is a link where the directory can have one: `replace` then leaves it the old file, with all that it has.

    Raises:
        RouterdError: It cannot be kept.
    """
    with suppress(FileNotFoundError):
        os.unlink(backup)
    try:
        os.link(path, backup)
    except OSError:
        try:
            _copy(path, backup)
        except OSError as error:
            raise RouterdError(f"{backup}: cannot be written: {error.strerror}; {path} is as it was") from None


def _copy(path: str, backup: str) -> None:
    """Readable by nobody else at any moment, unless the file itself is."""
    made = os.open(backup, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(made, "wb") as file, open(path, "rb") as old:
        shutil.copyfileobj(old, file)
        _like(path, made)


def draft_of(path: str) -> str:
    """Beside the file, so that it can take its place in one move."""
    return os.path.join(os.path.dirname(path), f".{os.path.basename(path)}.routerd-draft")


def remove(path: str) -> None:
    """
    Removes a file.

    Raises:
        RouterdError: It cannot be removed.
    """
    try:
        os.unlink(path)
        _settle(os.path.dirname(path))
    except FileNotFoundError:
        return
    except OSError as error:
        raise RouterdError(f"{path}: cannot be removed: {error.strerror}") from None


def remove_compiled(path: str) -> None:
    """Removes what Python keeps of a module that is gone."""
    folder, name = os.path.split(path)
    kept = os.path.join(folder, "__pycache__")
    if os.path.exists(path) or not name.endswith(".py") or not os.path.isdir(kept):
        return
    with suppress(OSError):
        for one in os.listdir(kept):
            if one.startswith(f"{name.removesuffix('.py')}.") and one.endswith(".pyc"):
                os.unlink(os.path.join(kept, one))
        os.rmdir(kept)


def missing_folders(path: str) -> list[str]:
    """Directories that are not there yet above a file, the highest first."""
    folder = os.path.dirname(path)
    return [] if os.path.isdir(folder) or folder == path else [*missing_folders(folder), folder]


def make_folders(path: str, mode: int = 0o777) -> None:
    """
    Makes the directories above a file.

    Raises:
        RouterdError: They cannot be made.
    """
    try:
        for folder in missing_folders(path):
            os.mkdir(folder, mode)
    except OSError as error:
        raise RouterdError(f"{os.path.dirname(path)}: cannot be made: {error.strerror}") from None


def remove_folders(folders: Iterable[str]) -> None:
    """Removes those of these directories that are empty, the lowest first."""
    for folder in sorted(folders, key=len, reverse=True):
        with suppress(OSError):
            os.rmdir(folder)


def _like(path: str, draft: int) -> None:
    """Gives the draft the mode, the owner and the attributes of the file that it is to replace."""
    try:
        old = os.stat(path)
    except FileNotFoundError:
        return
    if (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
        with suppress(PermissionError):  # a group that is not ours: the file stays ours then
            os.chown(draft, old.st_uid, old.st_gid)
    os.fchmod(draft, stat.S_IMODE(old.st_mode))
    for name in os.listxattr(path):
        with suppress(OSError):
            os.setxattr(draft, name, os.getxattr(path, name))


def _settle(folder: str) -> None:
    """Puts a change of names on disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""Reading and replacing routerd's own configuration file, for the verbs that change it."""

import os
from pathlib import Path

from routerd.errors import ConfigError


def text_of(path: Path) -> str:
    """
    What a file says, line ends and all.

    Raises:
        ConfigError: It cannot be read.
    """
    try:
        return path.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"{path}: cannot be read: {reason}") from None


def replace(path: Path, text: str, *, backup: bool) -> str | None:
    """
    Puts a file in the place of the configuration, at once or not at all; where it leads, if it is a link.

    Returns:
        Path of the copy of what was there before, or None where there was nothing or no `backup` is wanted.

    Raises:
        ConfigError: It cannot be written.
    """
    path = path.resolve()
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        copy = _backup(path) if backup and path.exists() else None
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o600
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        draft.write_bytes(text.encode())
        draft.chmod(mode)
        draft.replace(path)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from None
    return copy


def _backup(path: Path) -> str:
    """Copies the file beside itself, under the first name that is free."""
    names = (path.with_name(f"{path.name}.bak{number or ''}") for number in range(10_000))
    free = next(name for name in names if not name.exists())
    free.write_bytes(path.read_bytes())
    free.chmod(path.stat().st_mode & 0o777)
    return str(free)

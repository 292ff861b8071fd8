"""
What was installed, so that exactly that can be taken back: `<state>/installed/TARGET.json`.

It is written before the first file and again after the last one. In between it holds the records of both installations,
the one before and the one under way: whatever dies when, each file fits one of them.
"""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from routerd.errors import StoreError
from routerd.integrations.edits.files import Record, digest

VERSION = 1


class ModeBefore(msgspec.Struct, frozen=True):
    """The mode that was set by `--mode`, and the one that was there before."""

    agent: str
    set: str
    before: str | None


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """
    An installation.

    Args:
        target: Of which it is.
        records: What was written into each file; while one is under way perhaps several for a file.
        folders: Directories that were made for it.
        backups: Files that stand beside those which were changed, as they were.
        mode: What became of the agent's mode.
    """

    target: str
    version: int = VERSION
    records: list[Record] = []
    folders: list[str] = []
    backups: list[str] = []
    mode: ModeBefore | None = None

    def fitting(self, path: str, present: bytes | None) -> Record | None:
        """The record that a file's bytes fit best."""
        found = [one for one in self.records if one.path == path]
        now = digest(present)
        by_fit = sorted(found, key=lambda one: (one.after != now, one.before != now))
        return by_fit[0] if by_fit else None


def place(state: Path, target: str) -> Path:
    """Where the manifest of a target lies."""
    return state / "installed" / f"{target}.json"


def read(state: Path, target: str) -> Manifest | None:
    """
    The manifest of a target, None where it is not installed.

    Raises:
        StoreError: It cannot be used.
    """
    path = place(state, target)
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StoreError(
            f"{path}: cannot be used: {error}; with it out of the way, entries are found by their form"
        ) from None
    if found.version != VERSION:
        raise StoreError(f"{path}: is of another routerd (version {found.version}); use that one to take it back")
    return found


def folders(state: Path) -> list[str]:
    """Directories that were made for any target: whoever is taken back last has to remove them."""
    found = []
    for path in state.glob("installed/*.json"):
        with suppress(OSError, msgspec.DecodeError):
            found += msgspec.json.decode(path.read_bytes(), type=Manifest).folders
    return found


def joined(first: Sequence[Record], second: Sequence[Record]) -> list[Record]:
    """Records of both, each once."""
    return [*first, *(one for one in second if one not in first)]

"""The demonstration's own directory: its home, its state, its socket. Nothing outside is read or written."""

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from routerd.errors import StoreError, UsageError
from routerd.rpc.listen import locked_state

CONFIG = """\
# Of the demonstration: it tries more than is usual, so that there is something to see.
[policy]
explore_floor = 0.5
explore_usd_per_day = 1000.0
explore_minutes_per_day = 1000000.0
sticky_s = 0.0
seed = 7
[tail]
rescan_recent_s = 0.5
"""
OF_THE_USER = ("ROUTERD_", "XDG_", "CLAUDE_", "CODEX_", "HERMES_", "OPENCODE_", "COPILOT_", "GEMINI_", "PI_")
"""Variables that lead to the user's own places."""


class Place(msgspec.Struct, frozen=True):
    """Where the demonstration is."""

    base: Path
    socket: Path

    @property
    def home(self) -> Path:
        """Where the agents' logs are."""
        return self.base / "home"

    @property
    def state(self) -> Path:
        """Where the database is."""
        return self.base / "state"

    @property
    def config(self) -> Path:
        """Its configuration."""
        return self.base / "config.toml"

    def variables(self) -> dict[str, str]:
        """What leads routerd to it."""
        return {
            "ROUTERD_SOCKET": str(self.socket),
            "ROUTERD_STATE_DIR": str(self.state),
            "ROUTERD_CONFIG": str(self.config),
        }

    def environment(self, env: Mapping[str, str]) -> dict[str, str]:
        """An environment in which nothing leads to the user's own places."""
        kept = {name: value for name, value in env.items() if not name.startswith(OF_THE_USER)}
        return {**kept, "HOME": str(self.home), **self.variables()}


def place(env: Mapping[str, str], socket: Path | None) -> Place:
    """The one place of this user's demonstration; `socket` is what `--socket` says."""
    runtime = env.get("XDG_RUNTIME_DIR", "")
    inside = Path(runtime) if os.path.isabs(runtime) and os.path.isdir(runtime) else None
    base = inside / "routerd-demo" if inside else Path(tempfile.gettempdir()) / f"routerd-demo-{os.getuid()}"
    return Place(base=base, socket=socket.absolute() if socket else base / "s")


@contextmanager
def made(where: Place) -> Iterator[None]:
    """
    The directory, empty but for its configuration, as long as the block runs; nothing is left of it afterwards.

    Raises:
        UsageError: A demonstration runs already, or the directory is somebody else's.
    """
    _refuse_others(where.base)
    try:
        with locked_state(where.base):
            _clear(where.base)
            where.home.mkdir(mode=0o700)
            where.config.write_text(CONFIG)
            try:
                yield
            finally:
                shutil.rmtree(where.base, ignore_errors=True)
    except StoreError as error:
        if "another routerd" not in str(error):
            raise
        raise UsageError(
            f"{where.base}: a demonstration runs already; look at it with `routerctl demo -- status`, "
            "or end it with Ctrl-C where it runs"
        ) from None


def _refuse_others(base: Path) -> None:
    """
    In a directory that everybody may write to, somebody else may have been there first.

    Raises:
        UsageError: So it is.
    """
    try:
        found = base.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise UsageError(f"{base}: is not a directory of your own alone; remove it, or set TMPDIR to another place")


def _clear(base: Path) -> None:
    """What one that was killed has left; the lock is ours."""
    for path in base.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != "lock":
            path.unlink()

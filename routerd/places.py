"""Where things are (CONTRACT §2): of the places that may be meant, the first that is set.

Clients import this too, at every start of a hook: it takes nothing from outside the standard library, and of that only
what Python has loaded already. So `pathlib` waits until somebody asks for a path to read, and annotations are text.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False  # `typing` itself is what takes long
if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NAME = "routerd"


def config_path(env: Mapping[str, str], flag: str | Path | None = None, *, existing: bool = True) -> Path | None:
    """
    The configuration file.

    Args:
        env: The environment.
        flag: What `--config` says.
        existing: None where the usual place has no file. A file that was named is named again, be it there or not.
    """
    from pathlib import Path  # noqa: PLC0415

    if named := flag or env.get("ROUTERD_CONFIG"):
        return Path(named)
    usual = Path(config_dir(env), "config.toml")
    return None if existing and not usual.is_file() else usual


def config_dir(env: Mapping[str, str]) -> str:
    """The directory of the configuration in its usual place."""
    return os.path.join(_xdg(env, "XDG_CONFIG_HOME", ".config"), NAME)


def state_path(env: Mapping[str, str]) -> str:
    """The directory of what is kept, where nobody names another, for who has no time for `pathlib`."""
    return _state(env)


def state_dir(env: Mapping[str, str], flag: str | Path | None = None) -> Path:
    """The directory of what is kept; `flag` is what `--state-dir` says."""
    from pathlib import Path  # noqa: PLC0415

    return Path(flag or _state(env))


def asked_socket_path(env: Mapping[str, str], flag: str | os.PathLike[str] | None = None) -> str | None:
    """The socket that somebody named, by `--socket` or a variable. It goes before one that systemd hands over."""
    return os.fspath(flag) if flag else env.get("ROUTERD_SOCKET") or None


def default_socket_path(env: Mapping[str, str], state: str | os.PathLike[str] | None = None) -> str:
    """The socket when nobody named one; `state` is the state directory where that was named."""
    runtime = _absolute(env.get("XDG_RUNTIME_DIR"))
    if runtime:
        return os.path.join(runtime, NAME, "routerd.sock")
    return os.path.join(os.fspath(state) if state else _state(env), "routerd.sock")


def socket_path(env: Mapping[str, str], flag: str | os.PathLike[str] | None = None) -> str:
    """The socket that a client connects to."""
    return asked_socket_path(env, flag) or default_socket_path(env)


def _state(env: Mapping[str, str]) -> str:
    named = env.get("ROUTERD_STATE_DIR")
    if named:
        return named
    given = env.get("STATE_DIRECTORY", "").partition(":")[0]  # systemd may name several
    return given or os.path.join(_xdg(env, "XDG_STATE_HOME", ".local/state"), NAME)


def _xdg(env: Mapping[str, str], variable: str, below_home: str) -> str:
    return _absolute(env.get(variable)) or os.path.join(_home(env), below_home)


def _absolute(path: str | None) -> str | None:
    """The XDG specification has relative paths ignored."""
    return path if path and os.path.isabs(path) else None


def _home(env: Mapping[str, str]) -> str:
    if env.get("HOME"):
        return env["HOME"]
    import pwd  # noqa: PLC0415

    return pwd.getpwuid(os.getuid()).pw_dir

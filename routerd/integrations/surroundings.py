"""What an installation depends on, looked up: routerd's own programs and units, and which agents there are."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import routerd
from routerd.errors import RouterdError, UsageError
from routerd.integrations import writing
from routerd.integrations.targets import Here
from routerd.integrations.units import SERVICE, SOCKET
from routerd.places import state_dir

PACKAGE = Path(routerd.__file__).parents[1]
VERSION_WITHIN_S = 10.0


def here(env: Mapping[str, str], *, pool: tuple[Mapping[str, Any], ...] = (), hermes: bool = False) -> Here:
    """
    The surroundings.

    Args:
        env: The environment.
        pool: As in `Here`.
        hermes: Ask Hermes for its version, which takes a moment.

    Raises:
        RouterdError: Parts of this installation are missing.
    """
    home = os.path.expanduser("~") if not env.get("HOME") else env["HOME"]
    return Here(
        env={**env, "HOME": home},
        routerctl=program("routerctl"),
        routerd=program("routerd"),
        package=str(PACKAGE),
        state=os.path.abspath(state_dir(env)),
        there=_there,
        pool=pool,
        hermes=version_of("hermes", env) if hermes else None,
        units={name: _unit(name) for name in (SERVICE, SOCKET)},
        speaks_mcp=importlib.util.find_spec("mcp") is not None,
    )


def program(name: str) -> str:
    """
    Absolute path of a program of this installation: beside the one that runs, links not followed, since pipx and uv
    give links that outlive an upgrade.

    Raises:
        RouterdError: It is not there.
    """
    begun = Path(os.path.abspath(sys.argv[0]))
    beside = [begun.parent] if begun.name.startswith("routerctl") else []
    for folder in (*beside, Path(sys.executable).parent):
        if os.access(folder / name, os.X_OK):
            return str(folder / name)
    if found := shutil.which(name):
        return os.path.abspath(found)
    raise RouterdError(f"{name}: is not where this Python is ({sys.executable}), nor on PATH; install routerd again")


def version_of(name: str, env: Mapping[str, str]) -> tuple[int, ...] | None:
    """Which version an agent's program says that it is; None where there is none, or it says nothing of the kind."""
    path = shutil.which(name, path=env.get("PATH"))
    if path is None:
        return None
    try:
        said = subprocess.run(  # noqa: S603 - the user's own agent
            [path, "--version"], env=dict(env), capture_output=True, text=True, timeout=VERSION_WITHIN_S,
            stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return None
    found = re.search(r"(?<![\d.])(\d+)\.(\d+)\.(\d+)", said.stdout)  # `v0.19.0 (2026.7.20)`: the first, the v aside
    return tuple(int(part) for part in found.groups()) if found else None


def hidden_by_private_tmp(path: str) -> bool:
    """Whether a service with a `/tmp` of its own cannot see it."""
    return os.path.realpath(path).startswith(("/tmp/", "/var/tmp/"))  # noqa: S108 - no file is made there


def check_service(found: Here) -> None:
    """
    Sees to it that the unit could start.

    Raises:
        UsageError: It could not.
    """
    for path in (found.routerd, sys.executable, found.state, str(PACKAGE)):
        if hidden_by_private_tmp(path):
            raise UsageError(f"{path}: a service has a /tmp of its own and could not see it; install routerd elsewhere")


def _there(path: str) -> str | None:
    content = writing.read(path)
    return None if content is None else content.decode("utf-8", "replace")


def _unit(name: str) -> str:
    """A unit's text: in the source tree, or where an installed package has it."""
    for folder in (PACKAGE / "systemd", Path(sysconfig.get_path("data")) / "share/routerd/systemd"):
        if (folder / name).is_file():
            return (folder / name).read_text(encoding="utf-8")
    raise RouterdError(f"{name}: is missing from this installation; install routerd again")

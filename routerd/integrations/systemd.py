"""The user's systemd: asked what it knows of routerd, and told to start or stop it."""

import shutil
import subprocess
from collections.abc import Mapping

from routerd.integrations.units import SERVICE, SOCKET

WITHIN_S = 60.0

PROPERTIES = "LoadState,ActiveState,SubState,Result,NRestarts,MainPID,NeedDaemonReload,UnitFileState,ExecMainStatus"

STARTING = (("daemon-reload",), ("enable", "--now", SOCKET, SERVICE))
STOPPING = (("disable", "--now", SOCKET, SERVICE),)


def run(arguments: tuple[str, ...], env: Mapping[str, str]) -> str | None:
    """Runs `systemctl --user`; why that went wrong, or None."""
    program = shutil.which("systemctl", path=env.get("PATH"))
    if program is None:
        return "there is no systemctl"
    command = [program, "--user", *arguments]
    try:
        done = subprocess.run(command, env=dict(env), capture_output=True, text=True, timeout=WITHIN_S, check=False)  # noqa: S603
    except subprocess.TimeoutExpired:
        return f"no answer within {WITHIN_S:.0f} s"
    if done.returncode == 0:
        return None
    said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
    return said[0]


def show(unit: str, env: Mapping[str, str]) -> dict[str, str] | None:
    """A unit's properties; None where there is no systemd to ask."""
    program = shutil.which("systemctl", path=env.get("PATH"))
    if program is None:
        return None
    try:
        done = subprocess.run(  # noqa: S603
            [program, "--user", "show", f"--property={PROPERTIES}", unit],
            env=dict(env), capture_output=True, text=True, timeout=WITHIN_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return None
    if done.returncode != 0:
        return None
    return dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)


def shown(commands: tuple[tuple[str, ...], ...]) -> list[str]:
    """Commands as a person types them."""
    return [f"systemctl --user {' '.join(one)}" for one in commands]

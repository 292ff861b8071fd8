"""The daemon: does it listen, does it answer, is it this one, and how does systemd say that it is?"""

import os
import shlex
import socket
import stat
from collections.abc import Iterator

from routerd import __version__
from routerd.cli.checks import Finding, Ground, note, problem, warning
from routerd.integrations import systemd, writing
from routerd.integrations.units import SERVICE, SOCKET
from routerd.places import socket_path
from routerd.rpc.listen import PATH_BYTES_MAX

START = "start it: routerctl install systemd, or `routerd` in a terminal"
RESTARTS_MANY = 3


def listening(ground: Ground) -> Iterator[Finding]:
    """The socket, and who is behind it."""
    path = socket_path(ground.here.env)
    if ground.hello is not None:
        if ground.hello["version"] != __version__:
            theirs = ground.hello["version"]
            yield warning("daemon", f"it is version {theirs}, this routerctl is {__version__}", "restart it")
        return
    if len(os.fsencode(path)) > PATH_BYTES_MAX:
        yield problem("socket", f"{path}: is too long for a socket", "name a shorter one with ROUTERD_SOCKET")
        return
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        yield problem("daemon", f"{path}: nobody listens there", START)
        yield from _elsewhere(ground, path)
        return
    except OSError as error:
        yield problem("socket", f"{path}: {error.strerror}", "mend the permissions of its directory")
        return
    if not stat.S_ISSOCK(found.st_mode):
        yield problem("socket", f"{path}: something stands there that is no socket", f"remove {path}")
    elif found.st_uid != os.getuid():
        yield problem(
            "socket", f"{path}: belongs to another user (uid {found.st_uid})", "name your own: ROUTERD_SOCKET"
        )
    else:
        yield _unanswered(path)


def _unanswered(path: str) -> Finding:
    """A socket of our own from which no answer came."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(2.0)
            probe.connect(path)
    except ConnectionRefusedError:
        return problem("daemon", f"{path}: is stale: the daemon that made it is dead", START)
    except OSError as error:
        return problem("socket", f"{path}: cannot be connected to: {error.strerror or error}", START)
    said = f"{path}: what listens there does not answer as routerd does"
    return problem("daemon", said, "look at its log (journalctl --user -u routerd -n 20), then restart it")


def _elsewhere(ground: Ground, path: str) -> Iterator[Finding]:
    """A shell without XDG_RUNTIME_DIR (sudo, su, cron) looks in another place than the session's daemon listens in."""
    usual = f"/run/user/{os.getuid()}/routerd/routerd.sock"
    if usual != path and os.path.exists(usual):
        yield problem(
            "socket", f"a daemon listens at {usual}, where this shell does not look",
            f"export XDG_RUNTIME_DIR=/run/user/{os.getuid()}",
        )  # fmt: skip


def service(ground: Ground) -> Iterator[Finding]:
    """The units."""
    yield from _program(ground)
    found, door = systemd.show(SERVICE, ground.here.env), systemd.show(SOCKET, ground.here.env)
    if found is None or door is None or found.get("LoadState") == "not-found":
        if ground.hello is None:
            yield note("service", "systemd does not know routerd", "routerctl install systemd")
        return
    log, both = "journalctl --user -u routerd -n 20 tells why", f"{SOCKET} {SERVICE}"
    if "failed" in (found.get("ActiveState"), door.get("ActiveState")):
        left = found.get("ExecMainStatus")
        why = found.get("Result") if found.get("ActiveState") == "failed" else door.get("Result")
        yield problem(
            "service",
            f"systemd gave it up ({why}, exit code {left})",
            f"{log}; then: systemctl --user reset-failed {both} && systemctl --user start {both}",
        )  # fmt: skip
    elif found.get("SubState") == "auto-restart" or int(found.get("NRestarts") or 0) >= RESTARTS_MANY:
        yield problem("service", f"it was restarted {found.get('NRestarts')} times", log)
    elif door.get("ActiveState") == "active" and not os.path.exists(socket_path(ground.here.env)):
        yield problem(
            "service", "the socket unit is active, and its socket is gone", f"systemctl --user restart {SOCKET}"
        )
    if found.get("NeedDaemonReload") == "yes":
        yield warning("service", "a unit changed since systemd read it", "systemctl --user daemon-reload")
    if found.get("UnitFileState") == "disabled":
        yield warning("service", "it does not start at login", f"systemctl --user enable {SOCKET} {SERVICE}")


def _program(ground: Ground) -> Iterator[Finding]:
    """What the installed unit starts."""
    path = f"{ground.here.config_home}/systemd/user/{SERVICE}"
    text = (writing.read(path) or b"").decode("utf-8", "replace")
    for line in text.splitlines():
        if line.startswith("ExecStart="):
            said = shlex.split(line.removeprefix("ExecStart=").replace("%%", "%"))
            program = said[0].replace("%h", ground.here.home) if said else ""
            if not os.access(program, os.X_OK):
                yield problem("service", f"{path}: {program} is not there", "routerctl install systemd")

"""
The units as they are shipped. What they do in a real `systemd --user` is tried by `benchmarks/systemd.py`, which is run
here where ROUTERD_USER_SYSTEMD names the program that it needs.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
SERVICE = REPOSITORY / "systemd" / "routerd.service"
SOCKET = REPOSITORY / "systemd" / "routerd.socket"
EXPOSURE_MAX = 1.5

systemd_analyze = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze here (Debian's package systemd)"
)


def settings(unit: Path) -> list[tuple[str, str]]:
    """Key and value of every line."""
    found = []
    for line in unit.read_text().splitlines():
        key, sign, value = line.partition("=")
        if sign and not line.startswith("#"):
            found.append((key, value))
    return found


def test_what_the_units_promise() -> None:
    """Each of these was seen to matter: without the third, a crash of the service takes the socket away."""
    service, door = settings(SERVICE), settings(SOCKET)
    promised = {
        "Type": "notify", "RestrictAddressFamilies": "AF_UNIX", "RuntimeDirectoryPreserve": "yes",
        "RuntimeDirectoryMode": "0700", "StateDirectoryMode": "0700", "UMask": "0077", "PrivateUsers": "yes",
        "PrivateNetwork": "yes", "ProtectHome": "read-only", "ProtectSystem": "strict", "NoNewPrivileges": "yes",
    }  # fmt: skip
    assert set(promised.items()) <= set(service)
    assert {("SocketMode", "0600"), ("DirectoryMode", "0700"), ("FileDescriptorName", "rpc")} <= set(door)
    assert any(key == "WatchdogSec" for key, _ in service)


@systemd_analyze
def test_the_service_is_hardly_exposed() -> None:
    command = ["systemd-analyze", "security", "--offline=yes", "--no-pager", str(SERVICE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    found = re.search(r"[Ee]xposure level.*: ([\d.]+)", done.stdout)
    assert found, done.stdout + done.stderr
    assert float(found[1]) <= EXPOSURE_MAX


@systemd_analyze
def test_the_units_are_understood_by_systemd(tmp_path: Path) -> None:
    program = tmp_path / ".local/bin/routerd"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}
    command = ["systemd-analyze", "verify", "--user", "--man=no", f"./{SERVICE.name}", f"./{SOCKET.name}"]
    done = subprocess.run(command, env=env, cwd=SERVICE.parent, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(
    "ROUTERD_USER_SYSTEMD" not in os.environ,
    reason="ROUTERD_USER_SYSTEMD names no program that runs a systemd --user (see benchmarks/systemd.py)",
)
def test_in_a_real_systemd() -> None:
    """Started by the first connection, ready, reloaded, killed, frozen, drained, walled in, given up and taken up."""
    command = [sys.executable, str(REPOSITORY / "benchmarks" / "systemd.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr

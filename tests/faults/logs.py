"""Logs that a real daemon follows while things are done to them, and what it made of them."""

import functools
import json
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.harness import Daemon, Place

LINE_BYTES_MAX = 65_536
AT = 1_790_000_000.0
CONFIG = """
[tail]
rescan_recent_s = 0.3
rescan_all_s = 1.0
line_bytes_max = {line_bytes_max}
{tail}
[sources.jsonl]
roots = {roots}
{more}
"""


def row(name: str, number: int = 0, value: int | None = None, **members: Any) -> bytes:
    """
    A line that tells one outcome, `name` with a number.

    Args:
        name: Unique to the test, so that tests may share a daemon.
        number: Names the outcome within the test.
        value: What it says (its wall time), by default the number.
        members: Other members, or other values of these.
    """
    values = {
        "id": f"{name}.{number}",
        "task": {"goal": f"task {number}"},
        "dispatch": {"executor": "delegate", "model": "claude-haiku-4-5"},
        "succeeded": True,
        "wall_time_ms": number if value is None else value,
        "at": AT + number,
    }
    return json.dumps(values | members).encode() + b"\n"


def place_of(
    home: Path,
    *,
    roots: Sequence[str] = ("logs",),
    tail: str = "",
    more: str = "",
    line_bytes_max: int = LINE_BYTES_MAX,
) -> Place:
    """A home whose daemon follows the directory `logs` in it, or others, and looks around often."""
    place = Place(home)
    for root in roots:
        (home / root).mkdir()
    config = home / ".config" / "routerd" / "config.toml"
    config.parent.mkdir(parents=True)
    paths = json.dumps([str(home / root) for root in roots])
    config.write_text(CONFIG.format(roots=paths, tail=tail, more=more, line_bytes_max=line_bytes_max))
    return place


class Logs:
    """
    A test's own directory of logs below those that a daemon follows.

    Args:
        place: The daemon's home.
        name: Of the directory, and of the outcomes.
        daemon: Who follows it.
        root: In which of its roots it is.
    """

    def __init__(self, place: Place, name: str, daemon: Daemon | None = None, root: str = "logs") -> None:
        self.place = place
        self.name = name
        self.daemon = daemon
        self.folder = place.home / root / name
        self.folder.mkdir()

    def row(self, number: int, value: int | None = None, **members: Any) -> bytes:
        """A line of this test."""
        return row(self.name, number, value, **members)

    def rows(self, *numbers: int) -> bytes:
        """Several."""
        return b"".join(map(self.row, numbers))

    def path(self, name: str = "a.jsonl") -> Path:
        """A file of this test."""
        return self.folder / name

    def append(self, data: bytes, name: str = "a.jsonl") -> None:
        """Writes at the end of a file, as an agent does."""
        with self.path(name).open("ab") as file:
            file.write(data)

    def known(self) -> dict[int, int]:
        """What the daemon has in its database of this test: number to value."""
        found = self.place.query(f"SELECT id, wall_time_ms FROM outcomes WHERE id LIKE 'jsonl:row:{self.name}.%'")
        assert len({identity for identity, _ in found}) == len(found)
        return {int(identity.rpartition(".")[2]): value for identity, value in found}

    def expect(self, *numbers: int, within_s: float = 30.0, **values: int) -> None:
        """
        Waits until exactly these outcomes are known, each once and whole.

        Args:
            numbers: Outcomes that say their own number.
            within_s: For so long; a lost hint costs one rescan (1 s), the rest is room for a busy machine.
            values: What others say, by `n<number>`.
        """
        wanted = {number: number for number in numbers} | {int(name[1:]): value for name, value in values.items()}
        assert self.daemon is not None
        try:
            self.daemon.until(lambda: self.known() == wanted, within_s)
        except AssertionError as error:
            raise AssertionError(f"known are {self.known()}, not {wanted}; {error}") from None
        self.expect_counted_once()

    def expect_counted_once(self) -> None:
        """What belief rests on is what is on disk: as many outcomes as teach something."""
        assert self.daemon is not None
        learnt = "SELECT count(*) FROM outcomes WHERE learnt IS NOT NULL"  # which others may still add to
        self.daemon.until(
            lambda: sum(arm["n"] for arm in self.daemon.ask("arms")["arms"]) == self.place.query(learnt)[0][0]
        )


def resident_mb(daemon: Daemon) -> float:
    """Memory of the daemon's own process, without that of its child."""
    with open(f"/proc/{daemon.process.pid}/status") as status:
        found = re.search(r"VmRSS:\s+(\d+) kB", status.read())
    assert found
    return int(found[1]) / 1024


def without_privileges() -> list[str]:
    """A command that starts another one, to which permissions of files apply even if it is run by root."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("as root, permissions can only be tested with setpriv (util-linux)")
    return ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]


@functools.cache
def _strace_works() -> bool:
    command = ["strace", "-D", "-f", "-e", "trace=fdatasync", "-o", "/dev/null", "true"]
    return shutil.which("strace") is not None and subprocess.run(command, check=False).returncode == 0


def strace(*arguments: str, log: Path | None = None) -> list[str]:
    """A command that starts another one under strace, whose process keeps the other's number."""
    if not _strace_works():
        pytest.skip("strace is not installed, or may not trace here")
    return ["strace", "-D", "-f", "-q", "-o", str(log) if log else "/dev/null", *arguments]


def limits_of_watches(watches: int, instances: int) -> Sequence[str]:
    """A command that starts another one with so many watches of inotify, in a user namespace that has its own limit."""
    script = (
        f"echo {watches} > /proc/sys/user/max_inotify_watches && "
        f'echo {instances} > /proc/sys/user/max_inotify_instances && exec "$@"'
    )
    command = ["unshare", "--user", "--map-current-user", "--keep-caps", "sh", "-c", script, "sh"]
    if (
        shutil.which("unshare") is None
        or subprocess.run([*command, "true"], check=False, capture_output=True).returncode
    ):
        pytest.skip("no user namespace with limits of its own can be had here")
    return command

"""A real routerd in a HOME of its own: started, asked, stopped or killed."""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from routerd.client import call

PROGRAMS = Path(sys.executable).parent
WITHIN_S = 30.0


class Place:
    """A HOME with a state directory in it, and the environment that keeps everything there."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.state = home / "state"
        self.socket = home / "s"
        self.env = {
            "HOME": str(home),
            "PATH": os.environ["PATH"],
            "ROUTERD_STATE_DIR": str(self.state),
            "ROUTERD_SOCKET": str(self.socket),
            "COLUMNS": "140",
        }

    def write(self, files: Mapping[str, bytes]) -> None:
        """Puts files below the home."""
        for name, data in files.items():
            path = self.home / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)

    def run(self, program: str, *arguments: str, check: bool = False) -> subprocess.CompletedProcess[str]:
        """Runs `routerd` or `routerctl` to its end."""
        command = [str(PROGRAMS / program), *arguments]
        done = subprocess.run(
            command, env=self.env, capture_output=True, text=True, timeout=120, check=False, cwd=self.home
        )
        if check:
            assert done.returncode == 0, (command, done.stdout, done.stderr)
        return done

    def once(self) -> dict[str, Any]:
        """`routerd --once --json`."""
        status: dict[str, Any] = json.loads(self.run("routerd", "--once", "--json", check=True).stdout)
        return status

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of the database, read by a connection of its own."""
        with closing(sqlite3.connect(self.state / "routerd.db")) as connection:
            return connection.execute(sql).fetchall()

    def outcomes(self) -> list[tuple[Any, ...]]:
        """Every outcome, without what depends on where the files lie."""
        return self.query("SELECT * FROM outcomes ORDER BY id")

    @contextlib.contextmanager
    def daemon(self, *arguments: str, under: Sequence[str] = ()) -> Iterator["Daemon"]:
        """A daemon that answers, started by the command `under`; stopped at the end, unless it was killed before."""
        daemon = Daemon(self, *arguments, under=under)
        try:
            daemon.wait_ready()
            yield daemon
        finally:
            daemon.stop()


class Daemon:
    """A running `routerd`."""

    def __init__(self, place: Place, *arguments: str, under: Sequence[str] = ()) -> None:
        self.place = place
        self.log = place.home / "daemon.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*under, str(PROGRAMS / "routerd"), *arguments], env=place.env, stdout=log, stderr=log, cwd=place.home
            )

    def ask(self, method: str, **params: Any) -> Any:
        """A method's result."""
        return call(method, params, socket=self.place.socket, timeout_s=WITHIN_S)

    def wait_ready(self) -> None:
        """Until the socket answers."""
        self.until(lambda: self.place.socket.exists() and self.ask("hello"))

    def until(self, condition: Any, within_s: float = WITHIN_S) -> Any:
        """Until `condition` gives something true; what it gives."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.log.read_text()
            with contextlib.suppress(Exception):
                if found := condition():
                    return found
            time.sleep(0.02)
        raise AssertionError(f"not within {within_s} s; the daemon says: {self.log.read_text()}")

    def completions(self) -> int:
        """Ended units in the database."""
        sources = self.ask("status")["sources"]
        return sum(sum(source["completions"].values()) for source in sources)

    def caught_up(self) -> None:
        """Until every root is read."""
        self.until(lambda: (s := self.ask("status")["sources"]) and not any(one["lag_bytes"] for one in s))

    def settled_arms(self) -> Any:
        """The arms once belief stands still: outcomes are counted at once, and believed a moment later."""
        return self._settled(lambda: self.ask("arms")["arms"])

    def settled_counts(self) -> Any:
        """What the database holds once it stands still: decisions are written a moment after they were answered."""
        return self._settled(lambda: [self.ask("status")["counts"]])[0]

    def _settled(self, seen: Callable[[], Any]) -> Any:
        def twice() -> Any:
            first = seen()
            time.sleep(0.3)
            return first if first == seen() else None

        return self.until(twice)

    def kill(self) -> None:
        """Ends it as a crash would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def stop(self) -> int:
        """Ends it as systemd would; its exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(20)

"""How soon what an agent appends to its log is learnt, with 5,000 logs watched, and what watching costs by itself.

    python benchmarks/live.py [--quick] [--write]

5,000 Claude Code sessions of 90 days lie in 200 projects and are watched. A delegation's answer is appended to one of
them: to one of 20 that are at work, or to any of the 5,000, most of which the daemon must read again, for it keeps the
memory of 64. Learnt is when the daemon's event comes: then the outcome is on disk and in the engine's sums. The floor,
measured with the same appends, is when `watchfiles`, with the daemon's own settings, names the file to this process.
Then nothing is written for a while, and the processor time that daemon and child take is counted; and once more with
all files touched, for what was written to within a day is looked at besides, some of it every 3 s. Figures go to
benchmarks/results/live.json.
"""

import os
import random
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import watchfiles
import with_tests  # noqa: F401
from measuring import Process, finish, home, machine, options, percentiles, table

from routerd.client import subscribe
from routerd.config import TailConfig
from routerd.errors import UnreachableError
from tests.sources.claude_logs import PROJECT, Log

PROJECTS = 200
AT_WORK = 20
DAYS = 90
CALM = 0.05
"""With less than this share of a cpu nothing is being read any more."""
PAUSE_S = (0.08, 0.2)
"""Between two appends, at random: longer than the watch gathers changes, so that each is seen by itself."""
WITHIN_S = 30.0


class Session:
    """A session that delegates a task now and then."""

    def __init__(self, home: Path, number: int) -> None:
        self.log = Log(f"{number:08x}-2222-4333-8444-555555555555", salt=number)
        self.path = home / f"{PROJECT}{number % PROJECTS}" / f"{self.log.session}.jsonl"
        self.number = number
        self.tasks = 0
        self.log.user("Please see to it")
        for step in range(3):
            self.log.bash(f"toolu_{number}_b{step}", "ls")

    def write(self) -> None:
        """Appends what is not written yet."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab", buffering=0) as file:
            file.write(self.log.data)
        self.log.lines.clear()

    def delegate(self) -> None:
        """A call that delegates, appended."""
        self.tasks += 1
        self.log.delegate(self.tool, f"Count the tests of part {self.tasks}")
        self.write()

    def answer(self) -> None:
        """Its answer, appended."""
        self.log.completed(self.tool, f"a{self.number}x{self.tasks}")
        self.write()

    @property
    def tool(self) -> str:
        return f"toolu_{self.number}_{self.tasks}"


# --- who is told ----------------------------------------------------------------------------------------------------


class Told:
    """When something was told of, by its name."""

    def __init__(self) -> None:
        self._at: dict[str, float] = {}
        self._news = threading.Condition()

    def note(self, name: str) -> None:
        with self._news:
            self._at.setdefault(name, time.perf_counter())
            self._news.notify()

    def forget(self) -> None:
        with self._news:
            self._at.clear()

    def wait(self, name: str) -> float:
        with self._news:
            if not self._news.wait_for(lambda: name in self._at, WITHIN_S):
                raise SystemExit(f"{name} was not told of within {WITHIN_S} s")
            return self._at[name]


@contextmanager
def daemon_tells(socket: Path) -> Iterator[Told]:
    """The ends of delegations, by session."""
    told = Told()

    def listen() -> None:
        with suppress(UnreachableError):  # at the end
            for event in subscribe(["delegate.task_completed"], socket=socket):
                told.note(event["session_id"])

    threading.Thread(target=listen, daemon=True).start()
    yield told


@contextmanager
def watch_tells(root: Path) -> Iterator[Told]:
    """The files that a watch names, by session."""
    told, stop, tail = Told(), threading.Event(), TailConfig()

    def watch() -> None:
        for changes in watchfiles.watch(
            root, debounce=tail.debounce_ms, step=tail.step_ms, watch_filter=None, stop_event=stop
        ):
            for _, path in changes:
                told.note(Path(path).stem)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield told
    finally:
        stop.set()
        thread.join()


# --- measuring ------------------------------------------------------------------------------------------------------


def appended(
    sessions: list[Session], times: int, rng: random.Random, daemon: Told, watch: Told
) -> list[dict[str, Any]]:
    """Appends the answer of a delegation to some session, so many times: ms until the daemon and the watch tell."""
    learnt, named = [], []
    for _ in range(times):
        session = rng.choice(sessions)
        session.delegate()
        watch.wait(session.log.session)
        time.sleep(rng.uniform(*PAUSE_S))
        daemon.forget()
        watch.forget()
        begun = time.perf_counter()
        session.answer()
        learnt.append((daemon.wait(session.log.session) - begun) * 1e3)
        named.append((watch.wait(session.log.session) - begun) * 1e3)
        time.sleep(rng.uniform(*PAUSE_S))
    of = "one at work" if len(sessions) == AT_WORK else "any"
    return [
        {"append to": of, "until": "a watch names it", **percentiles(named)},
        {"append to": of, "until": "learnt", **percentiles(learnt)},
    ]


def idle(of: str, process: Process, seconds: float) -> dict[str, Any]:
    """What daemon and child take while nothing is written, in percent of a cpu."""
    begun = process.cpu_s()
    while True:  # what came before is still being dealt with
        time.sleep(3)
        before, begun = begun, process.cpu_s()
        if begun - before < CALM * 3:
            break
    time.sleep(seconds)
    share = 100 * (process.cpu_s() - begun) / seconds
    return {"last written": of, "idle cpu %": round(share, 2), "memory MB": round(process.memory_mb())}


def main() -> None:
    chosen = options(__doc__)
    files, times, rest = (500, 10, 6.0) if chosen.quick else (5000, 120, 60.0)
    about, rng = machine(), random.Random(1)
    with tempfile.TemporaryDirectory() as folder:
        place = home(Path(folder) / "home")
        sessions = [Session(place.home, number) for number in range(files)]
        for session in sessions:
            session.write()
            written = time.time() - session.number / files * DAYS * 86_400
            os.utime(session.path, (written, written))
        with place.daemon() as running:
            running.until(lambda: running.ask("status")["sources"][0]["files"] == files, 120)
            running.caught_up()
            root = place.home / ".claude" / "projects"
            with daemon_tells(place.socket) as daemon, watch_tells(root) as watch:
                time.sleep(1)  # the watch says nothing of when it stands
                rows = appended(sessions[:AT_WORK], times, rng, daemon, watch)
                rows += appended(sessions, times, rng, daemon, watch)
        with place.daemon() as running:  # another one, to which nobody listens
            process = Process(running.process.pid)
            quiet = [idle(f"over {DAYS} days", process, rest)]
            for session in sessions:
                os.utime(session.path)
            quiet.append(idle("today", process, rest))
    print(f"{files:,} files watched; times in ms")
    table(rows)
    table(quiet)
    finish("live", about, {"files": files, "latency_ms": rows, "idle": quiet}, write=chosen.write)


if __name__ == "__main__":
    main()

"""How fast logs that were never seen are read, by source: all the way to the database, and parsing alone.

    python benchmarks/backfill.py [--megabytes 200] [--only SOURCE …] [--ccusage PROGRAM] [--quick] [--write]

end to end     `routerd --once` on a home with logs and no state: its time less that of one on an empty home. Files are
               in the page cache, and the better of two is taken, as of ccusage. The most memory that the daemon and its
               child held is `VmHWM` of each
parsing alone  the lines of the same files into the source's machine, drained every 8 MB, in one process
bare           `msgspec.json.decode` of the same lines, untyped, in turns with parsing; of a database, its rows fetched
               by `SELECT *` and what is JSON in them decoded

events are lines, or rows of a database. Claude Code is read at three times the size too, for what memory does, and so
are the real sessions of a tar file (`--real`, by default that of ../shared/data/logs, when there). With ccusage from
npm, given by `--ccusage` or found on the path, its `session --json --offline` over the same home is timed beside.
Figures go to benchmarks/results/backfill.json.
"""

import argparse
import os
import shutil
import sqlite3
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import msgspec
import with_tests  # noqa: F401
from made_logs import DATABASES, LINES, ROOT, make
from measuring import Process, finish, home, machine, most_memory, options, table

from routerd.config import Config, SourceConfig
from routerd.sources import SOURCES
from routerd.sources.base import Line, Source
from routerd.tail.discover import find, roots_of
from routerd.tail.rows import Database
from tests.harness import PROGRAMS, Place

TURNS = 5
DRAIN_BYTES = 8 * 1024 * 1024
LARGER = 3
ROWS_SHARE = 0.05
"""Of rows that are an outcome each, so much suffices: it is the writing of them that takes long."""
CCUSAGE = {"claude-code": "claude", "codex": "codex", "opencode": "opencode", "pi": "pi", "gemini": "gemini",
           "copilot": "copilot", "hermes": "hermes"}  # fmt: skip


class Log(msgspec.Struct):
    """The logs of one group, in memory or as a database, and what a source is to make of them."""

    source: Source
    group: str
    lines: list[Line]
    database: str | None = None


def logs(agent: str, place: Place) -> list[Log]:
    """All groups of an agent in a home."""
    source, groups = SOURCES[agent], dict[str, Log]()
    rows = SourceConfig(roots=[str(place.home / "rows")])
    config = Config(sources={"jsonl": rows} if agent == "jsonl" else {})
    for root in [root for name, root in roots_of(config, {"HOME": str(place.home)}) if name == agent]:
        for path, claim, _ in find(agent, root, {}):
            log = groups.setdefault(claim.group, Log(source, claim.group, []))
            if claim.kind == "database":
                log.database = path
            elif claim.kind == "lines":
                offset = 0
                for data in Path(path).read_bytes().splitlines(keepends=True):
                    log.lines.append(Line(path, offset, data.rstrip(b"\n")))
                    offset += len(data)
    return list(groups.values())


# --- parsing alone --------------------------------------------------------------------------------------------------


def parse(log: Log) -> None:
    """What the source makes of a group, given to nobody."""
    machine = log.source.open(log.group)
    if log.database is not None:
        with closing(Database(log.database)) as database:
            while True:
                database.read(machine)
                machine.drain(idle=False)
                if not getattr(machine, "behind", False):
                    break
    taken = 0
    for line in log.lines:
        machine.feed(line)
        taken += len(line.data)
        if taken > DRAIN_BYTES:
            machine.drain(idle=False)
            taken = 0
    machine.drain(idle=True)


def decode(log: Log) -> None:
    """The least that reads the same."""
    decoder = msgspec.json.Decoder()
    for line in log.lines:
        decoder.decode(line.data)
    if log.database is not None:
        with closing(sqlite3.connect(log.database)) as connection:
            for table_ in tables(connection):
                for row in connection.execute(f"SELECT * FROM {table_}"):
                    for value in row:
                        if isinstance(value, str) and value.startswith(("{", "[")):
                            with suppress(msgspec.DecodeError):  # text that only begins so
                                decoder.decode(value)


def tables(connection: sqlite3.Connection) -> list[str]:
    return [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]


def size(log: Log) -> tuple[int, int]:
    """Bytes and events."""
    if log.database is None:
        return sum(len(line.data) + 1 for line in log.lines), len(log.lines)
    with closing(sqlite3.connect(log.database)) as connection:
        rows = sum(connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in tables(connection))
    return Path(log.database).stat().st_size, rows


def timed(step: Callable[[Log], None], found: list[Log]) -> float:
    begun = time.perf_counter()
    for log in found:
        step(log)
    return time.perf_counter() - begun


# --- end to end -----------------------------------------------------------------------------------------------------


def once(place: Place) -> tuple[float, float, float]:
    """`routerd --once` without state: seconds, and the most MB of daemon and child."""
    shutil.rmtree(place.state, ignore_errors=True)
    begun, memory = time.perf_counter(), dict[int, float]()
    command = [str(PROGRAMS / "routerd"), "--once", "--json"]
    with subprocess.Popen(command, env=place.env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as run:
        process = Process(run.pid)
        while run.poll() is None:
            most_memory(process, memory)
            time.sleep(0.02)
        if run.returncode:
            raise SystemExit(f"routerd --once ended with {run.returncode}")
    own = memory.pop(run.pid)
    return time.perf_counter() - begun, own, max(memory.values(), default=0.0)


def ccusage(program: str | None, agent: str, place: Place) -> float | None:
    """Seconds of ccusage on the same logs, the better of two."""
    if program is None or agent not in CCUSAGE:
        return None
    command, taken = [program, CCUSAGE[agent], "session", "--json", "--offline"], []
    for _ in range(2):
        begun = time.perf_counter()
        env = {"HOME": str(place.home), "PATH": os.environ["PATH"]}
        subprocess.run(command, env=env, check=True, capture_output=True)
        taken.append(time.perf_counter() - begun)
    return min(taken)


def measure(name: str, agent: str, place: Place, empty_s: float, program: str | None) -> dict[str, Any]:
    """Everything about the logs of one agent in a home."""
    found = logs(agent, place)
    nbytes, events = (sum(each) for each in zip(*map(size, found), strict=True))
    parsing, bare = [], []
    for _ in range(TURNS):
        parsing.append(timed(parse, found))
        bare.append(timed(decode, found))
    found.clear()
    turns = [once(place) for _ in range(2)]
    own, child = (max(turn[which] for turn in turns) for which in (1, 2))
    reading = min(turn[0] for turn in turns) - empty_s
    peer = ccusage(program, agent, place)
    return {
        "logs": name,
        "MB": round(nbytes / 1e6),
        "events": events,
        "end to end MB/s": round(nbytes / 1e6 / reading, 1),
        "events/s": round(events / reading),
        "parsing MB/s": round(nbytes / 1e6 / min(parsing), 1),
        "bare MB/s": round(nbytes / 1e6 / min(bare), 1),
        "parsing / bare": round(min(bare) / min(parsing), 2),
        "daemon MB": round(own),
        "child MB": round(child),
        "ccusage MB/s": "" if peer is None else round(nbytes / 1e6 / peer, 1),
        "routerd / ccusage": "" if peer is None else round(peer / reading, 2),
    }


def real(tar: Path, place: Place) -> None:
    with tarfile.open(tar) as archive:
        archive.extractall(place.home, filter="data")


def main() -> None:
    def more(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--megabytes", type=float, default=200)
        parser.add_argument("--only", nargs="+", choices=[*LINES, *DATABASES], default=[*LINES, *DATABASES])
        parser.add_argument("--ccusage", default=shutil.which("ccusage"))
        tar = ROOT.parent / "shared" / "data" / "logs" / "claude-code-entire.tar.xz"
        parser.add_argument("--real", type=Path, default=tar)

    chosen = options(__doc__, more)
    about = machine()
    megabytes = 5 if chosen.quick else chosen.megabytes
    sizes = [(agent, agent, 1) for agent in chosen.only]
    if "claude-code" in chosen.only:
        sizes += [("claude-code, larger", "claude-code", LARGER)]
        sizes += [("claude-code, real", "claude-code", 0)] if chosen.real.exists() else []
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        empty = home(Path(folder) / "empty")
        empty_s = min(once(empty)[0] for _ in range(3))
        for name, agent, times in sizes:
            place = home(Path(folder) / "home")
            if times:
                make(agent, place.home, megabytes * times * (ROWS_SHARE if agent == "jsonl" else 1))
            else:
                real(chosen.real, place)
            rows.append(measure(name, agent, place, empty_s, chosen.ccusage))
            shutil.rmtree(place.home)
    print(f"an empty home takes {empty_s:.1f} s, which is taken off below")
    table(rows)
    finish("backfill", about, {"empty_s": round(empty_s, 2), "rows": rows}, write=chosen.write)


if __name__ == "__main__":
    main()

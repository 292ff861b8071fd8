"""What a recommendation, an outcome and a start cost with 1,000 … 1,000,000 outcomes stored, and the memory they take.

    python benchmarks/growth.py [--most 1000000] [--quick] [--write]

One home grows: at each size its daemon starts from the snapshot that the last one left, and is asked; then it stops and
more outcomes are read from files of rows by `routerd --once`, which says what an outcome costs from its line to the
disk and into belief. Asked are recommendations (8 arms, 2 KB) and reports, one at a time, in a closed loop; start is
from the command to the first answer, and `empty` a daemon's on an empty home. Figures go to
benchmarks/results/growth.json.
"""

import argparse
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import with_tests  # noqa: F401
from measuring import (
    Process,
    ask,
    finish,
    home,
    machine,
    options,
    percentiles,
    questions,
    reports,
    table,
    with_outcomes,
)

from tests.harness import PROGRAMS, Daemon, Place

SIZES = (1_000, 10_000, 100_000, 1_000_000)


def started(place: Place) -> tuple[Daemon, float]:
    """A daemon, and the ms until it answered."""
    begun = time.perf_counter()
    daemon = Daemon(place)
    while True:
        try:
            daemon.ask("hello")
        except Exception:
            if daemon.process.poll() is not None:
                raise SystemExit(daemon.log.read_text()) from None
            time.sleep(0.005)
        else:
            return daemon, (time.perf_counter() - begun) * 1e3


def once(place: Place) -> float:
    """`routerd --once`; its seconds."""
    begun = time.perf_counter()
    subprocess.run([str(PROGRAMS / "routerd"), "--once", "--json"], env=place.env, check=True, capture_output=True)
    return time.perf_counter() - begun


def grow(place: Place, start: int, end: int) -> float:
    """Puts outcomes into the place; µs each, a run that has nothing to read taken off. Of a thousand that is noise."""
    nothing_s = once(place)
    with_outcomes(place, start, end)
    return (once(place) - nothing_s) / (end - start) * 1e6


def measured(place: Place, seconds: float) -> dict[str, Any]:
    """What a daemon on this home costs."""
    daemon, start_ms = started(place)
    try:
        process = Process(daemon.process.pid)
        at_start = process.memory_mb()
        ask(place.socket, questions(), seconds=seconds / 4)
        recommend, _ = ask(place.socket, questions(), seconds=seconds)
        reported, _ = ask(place.socket, reports(f"g{time.time_ns()}"), seconds=seconds)
        return {
            "start ms": round(start_ms),
            "recommend p50": percentiles(recommend)["p50"],
            "recommend p99": percentiles(recommend)["p99"],
            "report p50": percentiles(reported)["p50"],
            "memory MB at start": round(at_start),
            "after": round(process.memory_mb()),
            "database MB": round((place.state / "routerd.db").stat().st_size / 1e6, 1),
        }
    finally:
        daemon.stop()


def main() -> None:
    def most(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--most", type=int, default=SIZES[-1])

    chosen = options(__doc__, most)
    about, rows, stored = machine(), [], 0
    with tempfile.TemporaryDirectory() as folder:
        place = home(Path(folder) / "home")
        once(place)
        rows.append({"outcomes": 0, "µs an outcome": "", **measured(place, 1.0)})
        for size in [size for size in SIZES if size <= (SIZES[1] if chosen.quick else chosen.most)]:
            each = grow(place, stored, size)
            stored = size
            rows.append(
                {
                    "outcomes": size,
                    "µs an outcome": round(each) if size > SIZES[0] else "",
                    **measured(place, 1.0 if chosen.quick else 4.0),
                }
            )
            print(f"{size:,} outcomes stored", flush=True)
    first = rows[1]["recommend p50"]
    print("times in µs, one request at a time")
    table([row | {"recommend x 1,000": round(row["recommend p50"] / first, 2)} for row in rows])
    finish("growth", about, rows, write=chosen.write)


if __name__ == "__main__":
    main()

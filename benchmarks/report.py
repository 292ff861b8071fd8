"""How many reports a second the daemon acknowledges, each on disk before its answer, beside what the disk can do.

    python benchmarks/report.py [--quick] [--write]

1, 8 and 64 callers send a report each, wait for the answer and send the next. Before and after each of them the same
disk is asked for what is below it all: 4 KB appended to a file and `fdatasync`, over and over. With one caller a report
cannot be faster than that; with more, those that wait are written together, so a good group commit gives more
acknowledgements a second than the disk gives syncs. Figures go to benchmarks/results/report.json.
"""

import os
import tempfile
import time
from pathlib import Path
from typing import Any

from measuring import ask, finish, home, machine, options, percentiles, reports, table

CALLERS = (1, 8, 64)
BLOCK = b"x" * 4096


def syncs(folder: Path, seconds: float) -> list[float]:
    """The time of each append with `fdatasync`, in µs."""
    taken = []
    with (folder / "synced").open("wb", buffering=0) as file:
        end = time.perf_counter() + seconds
        while (start := time.perf_counter()) < end:
            file.write(BLOCK)
            os.fdatasync(file.fileno())
            taken.append((time.perf_counter() - start) * 1e6)
    (folder / "synced").unlink()
    return taken


def measure(folder: Path, seconds: float, rounds: int) -> list[dict[str, Any]]:
    place = home(folder / "home")
    floor: list[float] = []
    times: dict[int, list[float]] = {callers: [] for callers in CALLERS}
    with place.daemon():
        for turn in range(rounds + 1):
            for callers in CALLERS:
                synced = syncs(place.state, seconds / 2)
                taken, _ = ask(place.socket, reports(f"{callers}-{turn}"), connections=callers, seconds=seconds)
                if turn:  # the first round is not counted
                    floor += synced
                    times[callers] += taken
    return [row("fdatasync", floor, 1, None), *(row(str(n), times[n], n, floor) for n in CALLERS)]


def row(who: str, taken: list[float], at_once: int, floor: list[float] | None) -> dict[str, Any]:
    found = percentiles(taken)
    rate = round(at_once * 1e6 * len(taken) / sum(taken))
    below = rate if floor is None else 1e6 * len(floor) / sum(floor)
    return {"callers": who, "a second": rate, **found, "x fdatasync rate": round(rate / below, 2)}


def main() -> None:
    chosen = options(__doc__)
    about = machine()
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(Path(folder), 0.5 if chosen.quick else 2.0, 2 if chosen.quick else 6)
    print("times in µs, from sending a report to its acknowledgement")
    table(rows)
    finish("report", about, rows, write=chosen.write)


if __name__ == "__main__":
    main()

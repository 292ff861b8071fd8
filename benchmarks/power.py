"""
Kills and power failures at every write and sync of the store, with what is left of the database opened each time.

    python benchmarks/power.py [--reports 40] [--parts 5] [--json FILE]

The store is the real one; its disk is in memory and remembers every operation (`tests/faults/disk.py`), while four
clients report at once, a log is read, snapshots are taken and the write-ahead log is folded back. For every moment
between two operations: what a kill leaves; what a power failure leaves where nothing, a beginning, or any part of what
was not synced got to the disk, its writes torn at sectors (`--parts` times each). Each time the database must open and
be whole, hold every report that was answered, rows and checkpoint of the log must go together, and belief must be the
fold of what is committed, to 1e-8 (at every 50th). Exit code 1 when anything was lost; the last line says what the same
cuts cost a store that does not sync its commits.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import anyio
import with_tests  # noqa: F401

from routerd.store import database
from tests.faults.power import HOWS, History


def tried(history: History, parts: int) -> Counter[str]:
    """What was done, and what it lost, at every moment of a history."""
    rng, found = random.Random(1), Counter[str]()
    for moment in range(len(history.disk.ops) + 1):
        images = [("kill", history.disk.killed(moment)), ("power", history.disk.unpowered(moment, rng, "none"))]
        for how in HOWS[1:]:
            images += [("power", history.disk.unpowered(moment, rng, how)) for _ in range(parts)]
        for what, files in images:
            lost = history.lost_after(moment, files)
            found[what] += 1
            found[f"{what}, losing reports"] += bool(lost)
            if found.total() % 50 == 0:
                history.check_belief()
                found["belief checked"] += 1
    return found


async def made(settings: tuple[str, ...], reports: int) -> History:
    """A history with these settings of the connection."""
    history = History(Path(tempfile.mkdtemp()), settings)
    await history.make(reports=reports, rows=reports)
    return history


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reports", type=int, default=40, help="of each of four clients")
    parser.add_argument("--parts", type=int, default=5, help="random remains of each kind, at each moment")
    parser.add_argument("--json", type=Path, help="write the figures here")
    arguments = parser.parse_args()
    figures: dict[str, dict[str, float]] = {}
    for name in ("FULL", "NORMAL"):
        start = time.monotonic()
        settings = tuple(one.replace("FULL", name) for one in database.SETTINGS)
        history = anyio.run(made, settings, arguments.reports)
        found = tried(history, arguments.parts)
        figures[name] = {
            "operations": len(history.disk.ops),
            "answered": len(history.answered),
            **found,
            "seconds": round(time.monotonic() - start, 1),
        }
        print(f"synchronous = {name}{' (what routerd has)' if name == 'FULL' else ''}: {json.dumps(figures[name])}")
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n")
    full = figures["FULL"]
    return 1 if full["kill, losing reports"] or full["power, losing reports"] else 0


if __name__ == "__main__":
    sys.exit(main())

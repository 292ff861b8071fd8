"""
SIGKILL of a real daemon at every write and sync of its database, one life after the other on one state directory.

    python benchmarks/kill.py [--writes 120] [--syncs 20] [--random 20] [--json FILE]

Needs strace. In each life three clients report and rows are appended to logs; the n-th `pwrite64`, then the n-th
`fdatasync`, of a thread is where it ends, and `--random` lives end from outside while reports are on their way. After
every 20 lives: every answered report must be there, every row of the logs be known once, the database be whole, and
belief be the fold of what is committed (1e-8). Exit code 1 when something is not so.
"""

import argparse
import json
import random
import tempfile
import time
from pathlib import Path

import with_tests  # noqa: F401

from tests.faults.killing import Killed

LIVES = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--writes", type=int, default=120, help="the last write to die at")
    parser.add_argument("--syncs", type=int, default=20, help="the last sync to die at")
    parser.add_argument("--random", type=int, default=20, help="lives that end from outside")
    parser.add_argument("--json", type=Path, help="write the figures here")
    arguments = parser.parse_args()
    ends = [("pwrite64", n) for n in range(1, arguments.writes + 1)]
    ends += [("fdatasync", n) for n in range(1, arguments.syncs + 1)]
    rng = random.Random(1)
    ends += [("", rng.randrange(1, 40)) for _ in range(arguments.random)]
    rng.shuffle(ends)
    died = answered = 0
    start = time.monotonic()
    for first in range(0, len(ends), LIVES):
        killed = Killed(Path(tempfile.mkdtemp()))
        for name, number in ends[first : first + LIVES]:
            if name:
                died += killed.at_call(name, number)
            else:
                killed.after_answers(number)
                died += 1
        killed.check()
        answered += len(killed.answered)
        print(f"{first + LIVES} lives, {died} ended by SIGKILL, {answered} reports answered, none lost", flush=True)
    figures = {
        "lives": len(ends),
        "killed in the middle": died,
        "answered": answered,
        "seconds": round(time.monotonic() - start, 1),
    }
    print(json.dumps(figures))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()

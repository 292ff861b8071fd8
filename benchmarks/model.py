"""
Random things done to logs while routerd reads them, against a list of lines as the model: thousands of histories.

    python benchmarks/model.py [--cases 5000] [--seed N] [--json FILE]

A history is up to 16 of: lines appended, whole and in part; rotation by rename, in and out of the pattern; copying
and truncating, also with a stale writer; truncation and regrowth; atomic replacement; undo; an old line edited, at
the same length too; deletion; restart; kill, also between two writes. After any step the tail may look, and then no
complete line may be missing, none be torn, and what was told of changes must be what is on disk. Files, tail and
store are the real ones (`tests/faults/model.py`); a kill leaves what is in the database's files at that moment. Exit
code 1 with the shortest history that fails.
"""

import argparse
import json
import secrets
import tempfile
import time
from collections import Counter
from pathlib import Path

import anyio
import with_tests  # noqa: F401
from hypothesis import HealthCheck, given, seed, settings

from tests.faults.model import Step, World
from tests.faults.test_model import HISTORIES, steps_of


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=5000, help="how many histories")
    parser.add_argument("--seed", type=int, default=None, help="to have the same ones again")
    parser.add_argument("--json", type=Path, help="write the figures here")
    arguments = parser.parse_args()
    number = secrets.randbits(32) if arguments.seed is None else arguments.seed
    print(f"{arguments.cases} histories, seed {number}", flush=True)

    done: Counter[str] = Counter()
    start = time.monotonic()

    @seed(number)
    @settings(max_examples=arguments.cases, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(HISTORIES)
    def play(history: list[tuple[Step, bool]]) -> None:
        steps = steps_of(history)
        with tempfile.TemporaryDirectory() as home:
            anyio.run(World(Path(home)).play, steps)
        done["histories"] += 1
        done.update(step[0] for step in steps)
        if done["histories"] % 500 == 0:
            print(f"{done['histories']} in {time.monotonic() - start:.0f} s", flush=True)

    play()
    figures = {"seed": number, "seconds": round(time.monotonic() - start, 1), **dict(sorted(done.items()))}
    print("none lost, torn or counted twice:", json.dumps(figures))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()

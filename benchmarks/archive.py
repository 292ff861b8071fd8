"""
Real Claude Code sessions, read and counted twice: by routerd, and by a script that has nothing of it.

    python benchmarks/archive.py [ARCHIVE] [--cuts N]

ARCHIVE is a tar file that unpacks to a home directory (`.claude/projects/…`). It is read with `routerd --once`; the
delegations and turns are compared with those that `tests/sources/count_claude.py` finds by plain `json`; a second
reading must add nothing; and N times every file is cut at a random byte, read, completed and read again, which must
give the same rows. Exit code 1 when anything differs.
"""

import argparse
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
LONG_AGO = 1_790_000_000.0
"""When the files were last touched, as far as routerd is told: nothing in them runs any more."""


def routerd(home: Path) -> tuple[dict[str, Any], float]:
    """`routerd --once --json` on a home; its status and its seconds."""
    program = Path(sys.executable).with_name("routerd")
    env = {"HOME": str(home), "PATH": os.environ["PATH"]}
    begun = time.perf_counter()
    done = subprocess.run([str(program), "--once", "--json"], env=env, capture_output=True, text=True, check=True)
    status: dict[str, Any] = json.loads(done.stdout)
    return status, time.perf_counter() - begun


def rows(home: Path) -> list[str]:
    """Every outcome, without where the files lie."""
    with closing(sqlite3.connect(home / ".local/state/routerd/routerd.db")) as connection:
        found = connection.execute("SELECT * FROM outcomes ORDER BY id").fetchall()
    return [repr(row).replace(str(home), "") for row in found]


def age(home: Path) -> None:
    """Makes every log look long untouched."""
    for path in home.rglob("*.jsonl"):
        os.utime(path, (LONG_AGO, LONG_AGO))


def cut_and_completed(source: Path, home: Path, rng: random.Random) -> list[str]:
    """The rows after a reading of cut files and one of the whole."""
    for path in source.rglob("*.jsonl"):
        part = home / path.relative_to(source)
        part.parent.mkdir(parents=True, exist_ok=True)
        data = path.read_bytes()
        part.write_bytes(data[: rng.randrange(len(data) + 1)])
    routerd(home)
    for path in source.rglob("*.jsonl"):
        shutil.copyfile(path, home / path.relative_to(source))
    age(home)
    routerd(home)
    return rows(home)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = ROOT.parent / "shared" / "data" / "logs" / "claude-code-entire.tar.xz"
    parser.add_argument("archive", type=Path, nargs="?", default=default)
    parser.add_argument("--cuts", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory) / "home"
        with tarfile.open(options.archive) as archive:
            archive.extractall(home, filter="data")
        age(home)
        size = sum(path.stat().st_size for path in home.rglob("*.jsonl"))
        status, seconds = routerd(home)
        (found,) = [source["completions"] for source in status["sources"]]
        first = rows(home)
        count = [sys.executable, str(ROOT / "tests" / "sources" / "count_claude.py"), str(home)]
        counted = json.loads(subprocess.run(count, capture_output=True, text=True, check=True).stdout)
        print(f"read {size / 1e6:.1f} MB in {seconds:.2f} s, start included: {size / 1e6 / seconds:.0f} MB/s")
        print(f"routerd: {found}")
        print(f"counted independently: {counted}")
        again, seconds = routerd(home)
        same = rows(home) == first and again["sources"][0]["completions"] == found
        print(f"second reading: {seconds:.2f} s, {'nothing added' if same else 'ROWS DIFFER'}")
        rng = random.Random(options.seed)
        for trial in range(options.cuts):
            cut = cut_and_completed(home, Path(directory) / f"cut{trial}", rng) == first
            same = same and cut
            print(f"cut at random bytes and completed, {trial + 1}: {'the same rows' if cut else 'ROWS DIFFER'}")
    agree = found == {"local": sum(counted["turns"].values()), "delegate": counted["delegations"]}
    return 0 if same and agree else 1


if __name__ == "__main__":
    sys.exit(main())

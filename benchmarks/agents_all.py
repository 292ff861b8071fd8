"""
Everything that real agents are needed for, one after the other: what each bench says, and a line on each at the end.

    python benchmarks/agents_all.py [--tools DIR] [--work DIR] [--json DIR] [--only NAME …]

    hook             how long a hook takes to start, and the client to import
    ask_agents       Claude Code (two versions) and Codex (both tool sets) with routerd's hooks
    hermes_plugin    Hermes with routerd's plugin
    agents           all of them without either: what the daemon learns by reading alone

They share DIR, so each agent is installed once; what is needed is said in the first lines of each. Exit code 1 when any
of them found a difference. About half an hour.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
BENCHES = ("hook", "ask_agents", "hermes_plugin", "agents")
WITHOUT_AGENTS = ("hook",)
LAYOUT = "{:8} {:14} {:>6}  {}"


def run(name: str, flags: list[str]) -> tuple[int, float, str]:
    """Runs one, its output shown as it comes: its exit code, seconds, and the last line that it said."""
    began, last = time.monotonic(), ""
    command = [sys.executable, "-u", str(HERE / f"{name}.py"), *flags]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, errors="replace") as running:
        assert running.stdout is not None
        for line in running.stdout:
            print(line, end="", flush=True)
            last = line.strip() or last
    return running.returncode, time.monotonic() - began, last


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tools", type=Path, help="the stub endpoints")
    parser.add_argument("--work", type=Path, help="where the agents are installed and run")
    parser.add_argument("--json", type=Path, help="a directory for the rows of each")
    parser.add_argument("--only", nargs="*", choices=BENCHES, default=BENCHES)
    options = parser.parse_args()
    shared = [str(part) for name in ("tools", "work") if (at := getattr(options, name)) for part in (f"--{name}", at)]
    ends = []
    for name in options.only:
        print(f"\n== {name}", flush=True)
        flags = [] if name in WITHOUT_AGENTS else list(shared)
        if options.json:
            options.json.mkdir(parents=True, exist_ok=True)
            flags += ["--json", str(options.json / f"{name}.json")]
        ends.append((name, *run(name, flags)))
    print()
    for name, code, seconds, last in ends:
        print(LAYOUT.format("DIFFERS" if code else "ok", name, f"{seconds:.0f} s", last))
    return 1 if any(code for _, code, _, _ in ends) else 0


if __name__ == "__main__":
    sys.exit(main())

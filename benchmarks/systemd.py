"""
The units in a real `systemd --user`: what `routerctl install systemd` sets up, started, killed, frozen, drained.

    python benchmarks/systemd.py [--user-systemd PROGRAM] [--only NAME ...] [--json FILE]

Needs root, Debian's `systemd`, a /usr/bin/python3 of this Python's version, and a program that runs a command inside
a user manager in namespaces of its own: `PROGRAM UNITS_DIR TREE_DIR COMMAND`, where TREE_DIR becomes /opt/routerd and
HOME is fresh (`--user-systemd`, else ROUTERD_USER_SYSTEMD, else ../shared/tools/user-systemd). Nothing is left
outside. What is tried is in `systemd_inside.py`; a line for each, exit code 1 when one is not as it should be.
"""

import argparse
import importlib.metadata
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
TOOL = REPOSITORY.parent / "shared" / "tools" / "user-systemd"
PYTHON = "/usr/bin/python3"
PROGRAM = """#!{python}
import os, sys
sys.path.insert(0, "/opt/routerd/lib")
os.environ["PYTHONPATH"] = "/opt/routerd/lib"  # for its children
from {module} import main
if __name__ == "__main__":
    sys.exit(main())
"""
EXPOSURE_MAX = 15
"""Ten times what `systemd-analyze security` may say."""


def needed(name: str, found: dict[str, importlib.metadata.Distribution]) -> None:
    """A distribution and all that it asks for, into `found`."""
    distribution = importlib.metadata.distribution(name)
    if distribution.name in found:
        return
    found[distribution.name] = distribution
    for requirement in distribution.requires or ():
        other, _, condition = requirement.partition(";")
        if "extra" not in condition:
            try:
                needed(re.split(r"[^\w.-]", other.strip())[0], found)
            except importlib.metadata.PackageNotFoundError:
                continue  # for another platform or another Python


def build(tree: Path) -> None:
    """routerd with its dependencies and the tests' synthetic logs, for a Python that knows nothing of either."""
    found: dict[str, importlib.metadata.Distribution] = {}
    project = (REPOSITORY / "pyproject.toml").read_text()
    for name in re.findall(
        r'^  "([\w.-]+)>=', project.partition("dependencies = [")[2].partition("]")[0], re.MULTILINE
    ):
        needed(name, found)
    library = tree / "lib"
    for distribution in found.values():
        for file in distribution.files or ():
            if not file.parts[0].startswith("..") and "__pycache__" not in file.parts:
                place = library / file
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(str(distribution.locate_file(file)), place)
    for name in ("routerd", "tests", "systemd"):
        shutil.copytree(REPOSITORY / name, library / name, ignore=shutil.ignore_patterns("__pycache__", "data/*.zst"))
    (tree / "bin").mkdir()
    for program, module in (("routerd", "routerd.cli.daemon"), ("routerctl", "routerd.cli")):
        (tree / "bin" / program).write_text(PROGRAM.format(python=PYTHON, module=module))
        (tree / "bin" / program).chmod(0o755)
    shutil.copy(Path(__file__).with_name("systemd_inside.py"), tree)
    subprocess.run([PYTHON, "-m", "compileall", "-q", str(library)], check=True)
    for path in [tree, *tree.rglob("*")]:
        path.chmod(path.stat().st_mode | (0o755 if path.is_dir() else 0o644))


def analysed() -> list[dict[str, object]]:
    """What `systemd-analyze` says of the units as they are shipped."""
    exposure = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", f"--threshold={EXPOSURE_MAX}", "--no-pager",
         str(REPOSITORY / "systemd" / "routerd.service")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    said = re.search(r"[Ee]xposure level.*: ([\d.]+)", exposure.stdout)
    with tempfile.TemporaryDirectory() as place:
        runtime = {"PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": place, "HOME": place}
        program = Path(place, ".local/bin/routerd")
        program.parent.mkdir(parents=True)
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
        verified = subprocess.run(
            ["systemd-analyze", "verify", "--user", "--man=no", "./routerd.service", "./routerd.socket"],
            cwd=REPOSITORY / "systemd", env=runtime, capture_output=True, text=True, check=False,
        )  # fmt: skip
    return [
        {"name": "exposure", "ok": exposure.returncode == 0, "exposure": said and float(said[1])},
        {"name": "verify", "ok": (verified.returncode, verified.stderr) == (0, ""), "said": verified.stderr},
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--user-systemd", type=Path, default=Path(os.environ.get("ROUTERD_USER_SYSTEMD", TOOL)))
    parser.add_argument("--only", nargs="*", default=[], help="these alone (see systemd_inside.py)")
    parser.add_argument("--json", type=Path, help="write what was found here")
    arguments = parser.parse_args()
    if not arguments.user_systemd.exists():
        parser.error(f"{arguments.user_systemd}: not there; name the program with --user-systemd")
    results = [] if arguments.only else analysed()
    for result in results:
        print(json.dumps(result), flush=True)
    with tempfile.TemporaryDirectory() as place:
        units, tree = Path(place, "units"), Path(place, "tree")
        units.mkdir()
        tree.mkdir()
        build(tree)
        inside = shlex.join([PYTHON, "/opt/routerd/systemd_inside.py", *arguments.only])
        with subprocess.Popen(
            [str(arguments.user_systemd), str(units), str(tree), inside], stdout=subprocess.PIPE, text=True
        ) as running:
            assert running.stdout is not None
            for line in running.stdout:
                print(line, end="", flush=True)
                if line.startswith("{"):
                    results.append(json.loads(line))
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")
    good = [result["ok"] for result in results]
    broken = ", and it broke off" if running.returncode else ""
    print(f"{sum(map(bool, good))} of {len(good)} as they should be{broken}")
    return 0 if good and all(good) and running.returncode == 0 else 1


if __name__ == "__main__":
    sys.exit(main())

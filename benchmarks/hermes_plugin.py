"""
A real Hermes with routerd's plugin, a real daemon, no model: what runs where, what an outage costs, what is learnt.

    python benchmarks/hermes_plugin.py [--tools DIR] [--work DIR] [--hermes VERSION] [--runs N] [--json FILE]

Installs Hermes Agent from PyPI into a virtual environment of its own below DIR (once, 230 MB), and this tree's routerd
into it with `pip install --no-deps`: neither numpy nor msgspec is there. Hermes is driven by the stub endpoint
`hermes_stub.py` in `--tools`, three times over: the parent's endpoint, and those of two providers that Hermes knows and
sends efforts to. What ran is read from the stubs' logs. Prints a line a check; exit code 1 when anything differs, 0
with a clear word where PyPI is out of reach.

    routes     a batch of two in every mode; a pinned `delegation.model`; advice to do it oneself
    outages    no daemon, killed (-9) and stopped (SIGSTOP) in the middle: what was waited, and who learns it later
    outcomes   every scenario of the stub, and children that are stopped: learnt once, with label and decision
"""

import argparse
import json
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from agents import HERMES, HERMES_SCENARIOS, ROOT, Child, matches
from hermes_world import BATCH, BY_HERMES, BY_ROUTERD, DEEPSEEK, GLM, GOALS, PARENT_KEY, Run, World

WAIT_MS_MAX = 50.0
LAYOUT = "{:8} {:9} {:34} {:52} {}"


# --- installing -----------------------------------------------------------------------------------------------------


def installed(work: Path, version: str) -> Path | None:
    """The environment with Hermes and the plugin of this tree; None where PyPI is out of reach."""
    place = work / f"hermes-plugin-{version}"
    pip = [str(place / "bin" / "pip"), "install", "-q"]
    if not (place / "bin" / "hermes").exists():
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
        done = subprocess.run([*pip, f"hermes-agent=={version}"], check=False, capture_output=True, text=True)
        if done.returncode:
            shutil.rmtree(place)
            print(f"skipped: hermes-agent {version} cannot be installed: {done.stderr.strip().splitlines()[-1]}")
            return None
    with tempfile.TemporaryDirectory() as source:  # so that building leaves nothing in the tree
        for name in ("pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(ROOT / name, source)
        for name in ("routerd", "systemd"):
            shutil.copytree(ROOT / name, Path(source) / name)
        done = subprocess.run(
            [*pip, "--no-deps", "--force-reinstall", source], check=False, capture_output=True, text=True
        )
    if done.returncode:
        sys.exit(f"the plugin cannot be built: {done.stderr.strip().splitlines()[-1]}")
    return place


def import_ms(place: Path, module: str, *before: str) -> float:
    """How long a module takes to import, median of nine fresh starts; `before` is loaded already."""
    code = (
        f"import {', '.join(('time', 'sys', *before))}; began = time.perf_counter(); import {module}; "
        "print((time.perf_counter() - began) * 1e3); assert not {'numpy', 'msgspec', 'anyio'} & sys.modules.keys()"
    )
    runs = [subprocess.check_output([str(place / "bin" / "python"), "-c", code], text=True) for _ in range(9)]
    return statistics.median(map(float, runs))


# --- checks ---------------------------------------------------------------------------------------------------------

Row = tuple[str, str, str, str, str]
GOOD: dict[str, tuple[str, str] | None] = {GOALS[0]: DEEPSEEK, GOALS[1]: GLM}


def row(part: str, what: str, *, good: bool, shown: str, more: str = "") -> Row:
    line = ("ok" if good else "DIFFERS", part, what, shown, more)
    print(LAYOUT.format(*line), flush=True)
    return line


def shown(runs: Counter[Run]) -> str:
    return " ".join(
        f"{model}@{effort or '-'}/{key[3:]}" + (f" x{n}" if n > 1 else "")
        for (model, key, effort), n in sorted(runs.items(), key=str)
    )


def routes(place: Path, home: Path, tools: Path) -> Iterator[Row]:
    """A batch of two in every mode."""
    plain: set[str] = set()
    with World(place, home / "modes", tools).running() as world:
        world.teach(GOOD)
        for mode in ("off", "shadow", "advise", "enforce"):
            before = world.ask("status")["counts"]["decisions"]
            tries = world.answered(BATCH, mode)
            runs, answers = world.children(), world.answers()
            told = [answer.get("routerd") for answer in answers]
            keys = {key for answer in answers for key in answer}
            plain = keys if mode == "off" else plain
            expected = Counter(BY_ROUTERD) if mode == "enforce" else Counter({BY_HERMES: 2})
            decided = world.ask("status")["counts"]["decisions"] - before
            said = len(told[0]) == 3 if mode == "advise" and told[0] else keys == plain
            good = runs == expected and decided == (0 if mode == "off" else 2 * tries) and said and len(answers) == 1
            more = f"{decided} decisions" + (", and the agent was told" if told[0] else "")
            yield row("routes", f"batch, {mode}", good=good, shown=shown(runs), more=more)
        yield background(world)
        yield commands(world)
    with World(place, home / "pinned", tools, ", model: stub-small, reasoning_effort: high").running() as world:
        world.teach(GOOD)
        world.answered(BATCH, "enforce")
        good = world.children() == Counter({("stub-small", PARENT_KEY, "high"): 2})
        yield row("routes", "delegation.model pinned, enforce", good=good, shown=shown(world.children()))
    with World(place, home / "local", tools).running() as world:
        world.teach(dict.fromkeys(GOALS, None))
        world.answered(BATCH, "enforce")
        statuses = [answer.get("status") for answer in world.answers()]
        good = statuses == ["not_delegated"] and not world.children()
        yield row(
            "routes",
            "all better done by oneself, enforce",
            good=good,
            shown=f"children: {shown(world.children()) or 'none'}",
            more=str(statuses),
        )


def background(world: World) -> Row:
    """In a terminal the call returns at once, and the children run and are reported on other threads."""
    before = {one["id"] for one in _children(world)}

    def found() -> list[sqlite3.Row]:
        return [one for one in _children(world, "AND ended AND signal != 'unknown'") if one["id"] not in before]

    world.terminal("enforce", (f"RUN:{BATCH}", lambda _: len(found()) == 2))
    labels = Counter(one["signal"] for one in found())
    own = [json.loads(one["learnt"])["own"] for one in found()]
    good = world.children() == Counter(BY_ROUTERD) and labels == Counter(["test", "completed"]) and own == [True, True]
    more = f"learnt: {', '.join(labels) or 'nothing'}, as routerd's own choice: {own}"
    return row("routes", "batch in the background, enforce", good=good, shown=shown(world.children()), more=more)


def commands(world: World) -> Row:
    """`/routerd` in a conversation: shows the last picks and why, switches for the session and for good."""
    before = {one["id"] for one in _children(world)}

    def ran(_: str) -> bool:
        return len([one for one in _children(world, "AND ended") if one["id"] not in before]) == 2

    typed: dict[str, Callable[[str], bool]] = {
        "/routerd": lambda text: "routerd:off;routerd" in text and "answers" in text,
        "/routerd mode enforce": lambda text: "routerd:enforce,forthisHermesprocess" in text,
        f"RUN:{BATCH}": ran,
        "/routerd ": lambda text: text.count("(applied)") == 2 and "gate:" in text,
        "/routerd off --save": lambda text: "routerd:off,keptin" in text,
    }
    found = world.terminal("off", *typed.items())
    modes = world.home / ".config" / "routerd" / "modes.json"
    kept = json.loads(modes.read_text()) if modes.exists() else None
    modes.unlink(missing_ok=True)
    good = all(found) and world.children() == Counter(BY_ROUTERD) and kept == {"hermes": "off"}
    said = f"{sum(found)} of {len(found)} lines did what they should"
    return row("routes", "/routerd in a conversation", good=good, shown=said, more=shown(world.children()))


def outages(place: Path, home: Path, tools: Path, runs: int) -> Iterator[Row]:
    """What an outage costs, and whether what happened in it is learnt afterwards."""
    with World(place, home / "outages", tools).running() as world:
        world.teach(GOOD)

        def when_asked(number: int) -> Callable[[], None]:
            """Sends the signal when the parent's first request has come: the delegation is then on its way."""
            log = world.log(0)

            def act() -> None:
                size = log.stat().st_size
                world.until(lambda: log.stat().st_size > size, 60, every_s=0.001)
                world.signal(number)

            return act

        def outage(
            what: str, mode: str, expected: Counter[Run], act: Callable[[], None], after: Callable[[], None]
        ) -> Row:
            waits, gaps, ran = [], [], Counter[Run]()
            for _ in range(runs):
                world.hermes(BATCH, mode, act)
                waits.append(world.waited_ms())
                gaps.append(world.gap_ms())
                ran += world.children()
                after()
            good = ran == Counter({run: count * runs for run, count in expected.items()}) and max(waits) < WAIT_MS_MAX
            text = f"waited for routerd: most {max(waits):.1f} ms; to the first child {statistics.median(gaps):.0f} ms"
            return row("outages", what, good=good, shown=text, more=shown(ran))

        nothing: Callable[[], None] = lambda: None  # noqa: E731
        by_hermes = Counter({BY_HERMES: 2})
        yield outage("off, for comparison", "off", by_hermes, nothing, nothing)
        yield outage("daemon answers, enforce", "enforce", Counter(BY_ROUTERD), nothing, nothing)
        yield outage("kill -9 in the middle, enforce", "enforce", by_hermes, when_asked(signal.SIGKILL), world.start)
        cont = lambda: world.signal(signal.SIGCONT)  # noqa: E731
        yield outage("kill -STOP in the middle, enforce", "enforce", by_hermes, when_asked(signal.SIGSTOP), cont)
        world.end()
        yield outage("no daemon, enforce", "enforce", by_hermes, nothing, nothing)
        world.start()
        wanted = 2 * runs * 5
        world.until(lambda: learnt(world) >= wanted)
        time.sleep(1.0)
        yield row(
            "outages",
            "learnt afterwards from the log",
            good=learnt(world) == wanted,
            shown=f"{learnt(world)} of {wanted} children, each once",
        )


def learnt(world: World) -> int:
    """How many children of Hermes are in the database, ended and labelled."""
    return len(_children(world, "AND ended AND signal != 'unknown'"))


def _children(world: World, more: str = "") -> list[sqlite3.Row]:
    return world.rows(f"SELECT * FROM outcomes WHERE executor = 'delegate' AND id LIKE 'hermes:%' {more}")


STOPPED = {"stopped": [Child("interrupted", "interrupted")], "ctrl-c": [Child("unknown", "shutdown")]}
"""A child that a person stops, and one whose Hermes is ended; both are the scenario `slow`."""


def outcomes(place: Path, home: Path, tools: Path) -> Iterator[Row]:
    """Every scenario, reported by the plugin and read from the log: one outcome each."""
    with World(place, home / "outcomes", tools).running() as world:
        for name, expected in {**HERMES_SCENARIOS, **STOPPED}.items():
            yield _scenario(world, name, expected)


def _scenario(world: World, name: str, expected: list[Child]) -> Row:
    before = {one["id"] for one in _children(world)}
    reports = len(world.rows("SELECT 1 FROM reports"))
    running = world.begin(
        "slow" if name in STOPPED else name, "shadow", **({"STOP_CHILD": "1"} if name == "stopped" else {})
    )
    if name == "ctrl-c":
        world.until(lambda: any("SLOW" in str(line["last"].get("content")) for line in world.requests()), 60)
        running.send_signal(signal.SIGINT)
    running.wait(180)

    def found() -> list[dict[str, Any]]:
        return [dict(one) for one in _children(world) if one["id"] not in before]

    world.until(lambda: matches(found(), expected), 15)
    time.sleep(0.5)  # what is counted twice would come now
    ends = ", ".join(one["censored"] or one["signal"] for one in found()) or "none"
    decided = sum(one["decision_id"] is not None for one in found())
    told = len(world.rows("SELECT 1 FROM reports")) - reports
    good = matches(found(), expected) and decided == len(expected)
    seen = f"{len(found())}/{len(expected)} {ends}"
    return row("outcomes", name, good=good, shown=seen, more=f"{decided} decided, {told} reported")


# --- running --------------------------------------------------------------------------------------------------------


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tools", type=Path, default=ROOT.parent / "shared" / "tools")
    parser.add_argument("--work", type=Path, default=Path.home() / ".cache" / "routerd-agents")
    parser.add_argument("--hermes", default=HERMES, help="its version on PyPI")
    parser.add_argument("--runs", type=int, default=3, help="of each outage")
    parser.add_argument("--only", nargs="*", default=["routes", "outages", "outcomes"])
    parser.add_argument("--json", type=Path, help="write the rows here too")
    options = parser.parse_args()
    if not (options.tools / "hermes_stub.py").is_file():
        print(f"{options.tools}: hermes_stub.py is not there; name its directory with --tools", file=sys.stderr)
        return 2
    options.work.mkdir(parents=True, exist_ok=True)
    place = installed(options.work.resolve(), options.hermes)
    if place is None:
        return 0
    loaded = ("json", "threading", "logging", "inspect", "queue", "functools", "contextvars", "weakref")
    times = {
        "entry point": import_ms(place, "routerd.integrations.hermes"),
        "client": import_ms(place, "routerd.client"),
        "all of the plugin": import_ms(place, "routerd.integrations.hermes.plugin", *loaded),
    }
    print("imports: " + ", ".join(f"{name} {ms:.1f} ms" for name, ms in times.items()) + "\n")
    home = options.work.resolve() / f"home-hermes-plugin-{options.hermes}"
    print(LAYOUT.format("", "part", "what", "seen", ""))
    parts: dict[str, Callable[[], Iterator[Row]]] = {
        "routes": lambda: routes(place, home, options.tools),
        "outages": lambda: outages(place, home, options.tools, options.runs),
        "outcomes": lambda: outcomes(place, home, options.tools),
    }
    rows = [line for name in options.only for line in parts[name]()]
    wrong = sum(line[0] != "ok" for line in rows)
    print(f"\nHermes {options.hermes}: {len(rows)} checks, {wrong} differ")
    if options.json:
        names = ("verdict", "part", "what", "seen", "more")
        found = {
            "hermes": options.hermes,
            "import_ms": times,
            "rows": [dict(zip(names, line, strict=True)) for line in rows],
        }
        options.json.write_text(json.dumps(found, indent=1))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

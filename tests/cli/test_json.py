"""
What `--json` of every verb looks like is what `docs/json.md` says: each block of it is written from what a real daemon
and real verbs answer. After a change that is meant: `python -m tests.cli.test_json`.
"""

import json
import re
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from routerd.cli.app import VERBS
from routerd.cli.demo import claude_code
from routerd.cli.demo.story import DAY_S, Session, Task
from tests.cli.history import CHEAP, DEAR, FROM, MIDDLE, drawn, imported, rows
from tests.harness import PROGRAMS, Daemon, Place
from tests.sources.codex_logs import home_files

DOCUMENT = Path(__file__).parents[2] / "docs" / "json.md"
BLOCK = re.compile(r"^### `(.+?)`\n\n```\n(.*?)```", re.MULTILINE | re.DOTALL)
MAPS = {
    "features": "NAME",
    "policies": "POLICY",
    "score": "MARK",
    "ci95": "MARK",
    "best_fixed": "MARK",
    "tables": "TABLE",
    "sources": "SOURCE",
    "labels": "LABEL",
}
"""Objects whose members' names are data."""
LINE_MAX = 100


def shape(values: Sequence[Any], name: str = "", indent: str = "") -> str:
    """What all of these values have in common: `?` marks members that some of them have not."""
    kinds: list[str] = []
    objects = [one for one in values if isinstance(one, dict)]
    lists = [one for one in values if isinstance(one, list)]
    if objects:
        kinds.append(_object(objects, name, indent))
    if lists:
        kinds.append(f"[{shape([one for some in lists for one in some], indent=indent)}]")
    scalars = {type(one) for one in values if not isinstance(one, dict | list)}
    if float in scalars:
        scalars.discard(int)
    words = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}
    kinds += [word for kind, word in words.items() if kind in scalars]
    return " | ".join(kinds)


def _object(objects: list[dict[str, Any]], name: str, indent: str) -> str:
    inner = indent + "  "
    if name in MAPS:
        return f"{{{MAPS[name]}: {shape([value for one in objects for value in one.values()], indent=inner)}}}"
    members = []
    for key in dict.fromkeys(key for one in objects for key in one):
        known = [one[key] for one in objects if key in one]
        mark = "?" if len(known) < len(objects) else ""
        members.append(f"{key}{mark}: {shape(known, key, inner)}")
    flat = "{" + ", ".join(members) + "}"
    if len(indent) + len(flat) <= LINE_MAX and "\n" not in flat:
        return flat
    return "{\n" + "".join(f"{inner}{member},\n" for member in members) + indent + "}"


def answers(place: Place, daemon: Daemon) -> dict[str, list[Any]]:
    """What each verb answers, in all the ways in which it can be asked here."""
    found: dict[str, list[Any]] = {}

    def ask(command: str, *more: str, code: int = 0) -> Any:
        done = place.run("routerctl", *command.split(), *more, "--json")
        assert done.returncode == code, (command, done.stdout, done.stderr)
        value = json.loads(done.stdout)
        name = re.sub(r" (-|claude|sonnet|opus|tasks|page|mcp|gate|more|policy).*", "", command)
        found.setdefault(name, []).append(value)
        return value

    ask("status")
    asked = ["--candidate", DEAR, "--candidate", CHEAP, "--candidate", "local", "--kind", "explore", "--repo", "r"]
    made = ask("recommend", "look at src/a.py", *asked, "--incumbent", DEAR, "--no-explore")
    ask("recommend", "look at src/a.py", "--candidate", "local", "--dry-run")
    ask("recommend", "x", "--pin", MIDDLE, "--dry-run")
    ask("explain", made["decision_id"])
    told = ["--succeeded", "yes", "--wall-time-ms", "9000", "--cost-usd", "0.1"]
    ask("report", "--decision-id", made["decision_id"], *told)
    ask("feedback", made["decision_id"], "good")
    ask("explain", made["decision_id"])
    limits = ["--max-cost-usd", "0.5", "--no-explore"]
    limited = ask("recommend", "look at src/a.py", "--candidate", DEAR, "--candidate", CHEAP, *limits)
    ask("explain", limited["decision_id"])
    ask("arms")
    ask("models --tier frontier")
    ask("models")
    found["models --prompt"] = [json.loads(place.run("routerctl", "models", "--prompt", "--json").stdout)]
    found["models --report"] = [json.loads(place.run("routerctl", "models", "--report", "--json").stdout)]
    ask("resolve sonnet")
    ask("resolve claude-opus-5 --provider openrouter --reasoning-effort high")
    ask("savings --since 2025-01-01")
    ask("drift --since 2025-01-01")
    ask("dashboard page.html")
    ask("metrics")
    ask("replay tasks.jsonl --orders 2")
    ask("import more.jsonl")
    ask("config path")
    ask("config check")
    ask("config set gate.delta=0.04")
    ask("doctor")
    ask("privacy")
    ask("top")
    ask("install mcp --dry-run")
    ask("install claude-code --yes")
    ask("uninstall claude-code --yes")
    found["events"] = _events(place, daemon)
    return found


def _events(place: Place, daemon: Daemon) -> list[Any]:
    """Decisions and outcomes, as the verb prints them."""
    command = [str(PROGRAMS / "routerctl"), "events", "--event", "decision", "--event", "outcome", "--count", "9"]
    with subprocess.Popen(command, env=place.env, stdout=subprocess.PIPE, text=True) as events:
        assert events.stdout is not None
        while events.poll() is None:
            drawn(daemon, "explore", 1)
        return sorted((json.loads(line) for line in events.stdout), key=lambda one: str(one["event"]))


def prepared(home: Path) -> Place:
    place = Place(home)
    place.env["PATH"] = f"{home}/none"
    place.write(home_files())
    place.write({".config/routerd/config.toml": CONFIG.encode(), **_strayed()})
    row = {"task": {"goal": "b"}, "dispatch": DEAR, "succeeded": True}
    place.write({"more.jsonl": json.dumps(row).encode() + b"\nno\n"})
    outcomes = {"a": {"succeeded": 1.0, "cost_usd": 0.1}, "b": {"succeeded": 0.0, "cost_usd": 0.2}}
    dispatches = {"a": {"executor": "local"}, "b": {"executor": "delegate", "model": "claude-opus-5"}}
    arms = {name: {"dispatch": dispatch} for name, dispatch in dispatches.items()}
    head = {"name": "n", "source": "s", "arms": arms}
    lines = [head, *({"task": {"goal": f"g{i}"}, "outcomes": outcomes} for i in range(40))]
    place.write({"tasks.jsonl": "".join(json.dumps(line) + "\n" for line in lines).encode()})
    early = [{**row, "succeeded": True} for row in rows("docs", MOVED, 40, fails=9, minutes=2.0, dollars=0.3)]
    imported(
        place,
        rows("explore", DEAR, 40, fails=4, minutes=4.0, dollars=0.9),
        rows("explore", CHEAP, 30, fails=9, minutes=1.0, dollars=0.1),
        rows("docs", MIDDLE, 4, fails=3, minutes=2.0, dollars=0.3),
        early,
        [{**row, "id": f"{row['id']}/late", "at": row["at"] + 200 * DAY_S, "succeeded": False} for row in early],
    )
    return place


CONFIG = """
[policy]
name = "epsilon_greedy"
epsilon = 0.6
seed = 11
[learning]
half_life_days = 1000.0
"""
MOVED = "delegate:openai:gpt-5.4"


def _strayed() -> dict[str, bytes]:
    """A session of Claude Code with delegations that ran on another model than was asked for."""
    tasks = [
        Task(
            id=f"{number:012x}",
            kind="docs-writer",
            goal="Write docs/a.md",
            asked="opus",
            model="claude-haiku-4-5",
            provider="",
            at=FROM + 600.0 * number,
            seconds=60.0,
            succeeded=True,
            tokens=(900, 300, 8000, 100),
        )
        for number in range(3)
    ]
    return claude_code.files(Session(id="ab" * 16, lead="claude-opus-5", at=FROM - 10.0, wish="Go on", tasks=tasks))


def observed(home: Path) -> dict[str, str]:
    """The shape of what each verb answers."""
    place = prepared(home)
    with place.daemon() as daemon:
        daemon.until(lambda: daemon.completions() > 80)
        drawn(daemon, "explore", 120)
        daemon.settled_arms()
        return {name: shape(found) + "\n" for name, found in answers(place, daemon).items()}


@pytest.fixture(scope="module")
def now(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return observed(tmp_path_factory.mktemp("home"))


def documented() -> dict[str, str]:
    return dict(BLOCK.findall(DOCUMENT.read_text(encoding="utf-8")))


def test_each_shape_is_as_documented(now: dict[str, str]) -> None:
    assert now == documented()


def test_every_verb_is_in_the_document() -> None:
    verbs = {name.split()[0] for name in documented()}
    text = DOCUMENT.read_text(encoding="utf-8")
    assert verbs <= VERBS.keys()
    assert all(f"`{verb}" in text for verb in VERBS)


def test_a_shape_says_what_values_have_in_common() -> None:
    assert shape([{"a": 1}, {"a": 2.5, "b": None}]) == "{a: number, b?: null}"
    assert shape([[], [1], ["x", None]]) == "[string | integer | null]"
    assert shape([{"features": {"x": True, "y": "z"}}]) == "{features: {NAME: string | boolean}}"


def rewritten(text: str, shapes: dict[str, str]) -> str:
    """The document with these shapes in its second part."""
    head = text.partition("\n### ")[0].rstrip("\n")
    return head + "".join(f"\n\n### `{name}`\n\n```\n{said}```" for name, said in shapes.items()) + "\n"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as directory:
        found = observed(Path(directory))
    DOCUMENT.write_text(rewritten(DOCUMENT.read_text(encoding="utf-8"), found), encoding="utf-8")

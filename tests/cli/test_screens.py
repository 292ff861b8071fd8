"""
What every table looks like at 80 and 140 columns, plain and in colour. After a change that is meant, and looked at:
`python -m tests.cli.test_screens`.
"""

import io
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from routerd.cli import arms, drift, explain, models, recommend, replay, status
from routerd.cli.summary import show
from routerd.cli.view import console
from routerd.summary import Line

SNAPSHOTS = Path(__file__).parent / "snapshots"
WIDTHS = (80, 140)
HOUR = 3600.0
HAIKU, OPUS, SONNET = (
    f"delegate:anthropic:{name}" for name in ("claude-haiku-4-5", "claude-opus-5", "claude-sonnet-5")
)
SOL = "delegate:codex/reviewer/openai:gpt-6.1-sol@medium#leaf"


def ago(hours: float) -> float:
    """So long before the test, and a little more, so that it is told as so many hours."""
    return time.time() - hours * HOUR - 30.0


def expected(success: tuple[float, float, float], minutes: float, dollars: float, n: float) -> dict[str, Any]:
    mean, low, high = success
    return {
        "success": {"mean": mean, "low": low, "high": high, "n": n},
        "wall_time_ms": {"mean": 60_000 * minutes, "low": 45_000 * minutes, "high": 80_000 * minutes, "n": n},
        "cost_usd": {"mean": dollars, "low": 0.8 * dollars, "high": 1.3 * dollars, "n": n},
    }


GOOD = expected((0.94, 0.88, 0.97), 0.8, 0.021, 61.0)
DEAR = expected((0.96, 0.91, 0.99), 4.2, 0.91, 40.0)
NEW = expected((0.8, 0.2, 1.0), 2.0, 0.3, 0.0)


def explained() -> dict[str, Any]:
    rows = ((HAIKU, GOOD, 4.5, 0.92, None), (OPUS, DEAR, 3.2, 0.08, None), (SOL, NEW, 3.9, 0.0, "max_cost_usd"))
    past = {
        "agent": "claude-code",
        "wall_time_ms": 52_000,
        "cost_usd": 0.019,
        "transcript": "/home/you/.claude/a.jsonl",
    }
    return {
        "decision_id": "d_1",
        "at": ago(3),
        "task": {"features": {"question": False, "files": 2, "tests": True, "task_kind": "explore", "text": [1, 2]}},
        "arms": [
            {
                "arm": arm,
                "dispatch": {"executor": "delegate"},
                "expected": known,
                "utility": utility,
                "propensity": chance,
                **({"removed_by": why} if why else {}),
            }
            for arm, known, utility, chance, why in rows
        ],
        "chosen": HAIKU,
        "reason": f"best expected, by $1.300; {HAIKU}: success 0.94 (0.88-0.97, n=61), 48 s, $0.021",
        "gate": {"apply": True, "reason": "P(success drops by more than 0.03) = 0.07, expected gain $+1.300"},
        "policy": {"name": "thompson_sampling", "version": "1"},
        "evidence": {"own": 21.0, "logs": 40.0, "prior": 6.2},
        "outcome": {"succeeded": 1.0, "wall_time_ms": 47_000, "cost_usd": 0.018},
        "prices": {"success_usd": 5.0, "hour_usd": 10.0, "money": 1.0},
        "otherwise": [{"price": "success_usd", "at": 5.0, "to": 70.0, "arm": OPUS}],
        "nearest": [
            {**past, "at": ago(50), "arm": HAIKU, "succeeded": 1.0, "similarity": 0.61},
            {
                **past,
                "at": ago(70),
                "arm": OPUS,
                "succeeded": 0.0,
                "similarity": 0.55,
                "transcript": "/home/you/b.jsonl",
            },
            {**past, "at": None, "arm": "local", "succeeded": None, "similarity": 0.31},
        ],
    }


def status_() -> dict[str, Any]:
    source = {"mode": "watch", "files": 57, "bytes": 97_800_000, "lag_bytes": 0, "quarantined": 0}
    return {
        "version": "0.1.0",
        "uptime_s": 4000.0,
        "sources": [
            {
                **source,
                "agent": "claude-code",
                "root": "/home/you/.claude/projects",
                "last_event_at": ago(2),
                "completions": {"local": 540, "delegate": 101},
            },
            {
                **source,
                "agent": "codex",
                "root": "/home/you/.codex/archived_sessions",
                "lag_bytes": 12_000,
                "last_event_at": None,
                "completions": {"local": 0, "delegate": 0},
            },
        ],
        "counts": {"decisions": 12, "outcomes": 641, "unknown": 9, "reports": 3},
        "queue": {"pending": 0, "capacity": 4096},
        "db": {"path": "/home/you/.local/state/routerd/routerd.db", "bytes": 2_100_000, "schema": 1},
        "policy": {"name": "thompson_sampling", "version": "1"},
    }


def arms_() -> dict[str, Any]:
    def arm(name: str, known: dict[str, Any], **more: Any) -> dict[str, Any]:
        return {"arm": name, "posterior": known, "n": 61, "last_seen": ago(5), "drift": None, "in_pool": True, **more}

    return {"arms": [arm(HAIKU, GOOD, drift=-4.7), arm(OPUS, DEAR), arm(SOL, NEW, n=0, last_seen=None, in_pool=False)]}


def recommended() -> dict[str, Any]:
    others = [{"arm": OPUS, "expected": DEAR, "utility": 3.2}, {"arm": SOL, "expected": NEW, "utility": 3.1}]
    answer = {**explained(), "arm": HAIKU, "basis": "learned", "propensity": 0.92, "expected": GOOD, "utility": 4.5}
    return {**answer, "alternatives": others, "warnings": ["the role orchestrator is a leaf at this depth"]}


def model(name: str, **more: Any) -> dict[str, Any]:
    price = {"input": 1.0, "output": 5.0}
    known = {"provider": "anthropic", "tier": "frontier", "capability": {"score": 0.92}, "context_length": 200_000}
    return {"id": name, **known, "price": price, "aliases": ["haiku", "small"], "in_pool": True, **more}


def models_() -> dict[str, Any]:
    return {
        "models": [
            model("claude-haiku-4-5"),
            model(
                "a-model-of-ones-own-with-a-long-name", provider=None, price=None, context_length=None, in_pool=False
            ),
        ]
    }


def report() -> dict[str, Any]:
    figures = [{"source": "epoch", "benchmark": "swe-bench-verified", "percent": 73.3}]
    row = {"id": "claude-haiku-4-5", "score": 0.921, "se": 0.03, "tier": "frontier", "path": "irt", "source": "family"}
    source = {
        "title": "Epoch AI",
        "date": "2026-11-01",
        "licence": "MIT",
        "url": "https://epoch.ai",
        "commit": "0" * 40,
    }
    return {
        "models": [
            {**row, "fit": 0.5, "fit_se": 0.05, "figures": figures},
            {**row, "id": "new", "fit": None, "figures": []},
        ],
        "sources": {"epoch": source},
    }


def drift_() -> dict[str, Any]:
    sessions = [{"session_id": f"{number}1111111-2222-4333-8444-555555555555", "units": 9} for number in range(4)]
    strayed = {"agent": "claude-code", "executor": "delegate", "asked": "opus", "ran": "claude-sonnet-5", "units": 36}
    return {
        "asked": 90,
        "strayed": [{**strayed, "of": 90, "extra_usd": -5.1, "unpriced": 2, "sessions": sessions}],
        "moved": [{"arm": HAIKU, "drift": -4.7, "n": 102, "last_seen": ago(3)}],
        "threshold": 3.0,
    }


def replayed() -> dict[str, Any]:
    scores = {"30": 0.24, "50": 0.295, "100": 0.336, "200": 0.42, "500": 0.44, "1000": 0.45, "end": 0.446}
    one = {"score": scores, "ci95": {mark: [x - 0.1, x + 0.1] for mark, x in scores.items()}, "seconds": 20.8}
    policies = {"thompson_sampling": one, "epsilon_greedy": one}
    game = {"file": "/home/you/tasks.jsonl", "tasks": 1500, "arms": 3, "orders": 20}
    return {**game, "policies": policies, "best_fixed": scores}


def first_table() -> None:
    common: dict[str, Any] = {"unknown": 1, "censored": 4, "evidence": 25.2, "cost_estimated": True}
    known: dict[str, Any] = {"success": 0.93, "low": 0.79, "high": 0.98, "median_wall_time_ms": 300_000.0}
    unknown: dict[str, Any] = {"success": None, "low": None, "high": None, "median_wall_time_ms": None}
    rows = (
        ("claude-code", "delegate", "claude-opus-4-5-20251101", 38, 1036.1, known),
        ("claude-code", "local", "claude-sonnet-4-5-20250929", 316, 3.28, known),
        ("codex", "local", "unknown", 11, None, unknown),
    )
    show(
        [
            Line(agent=agent, executor=executor, model=name, tasks=tasks, cost_usd=cost, **common, **rest)
            for agent, executor, name, tasks, cost, rest in rows
        ],
        console(),
    )


SCREENS: dict[str, Callable[[], None]] = {
    "first_table": first_table,
    "status": lambda: status.render(status_()),
    "status_no_logs": lambda: status.render({**status_(), "sources": []}),
    "arms": lambda: arms.render(arms_()),
    "arms_none": lambda: arms.render({"arms": []}),
    "recommend": lambda: recommend.render(recommended()),
    "explain": lambda: explain.render(explained()),
    "explain_new": lambda: explain.render({**explained(), "nearest": [], "otherwise": []}),
    "models": lambda: models.render(models_()),
    "models_none": lambda: models.render({"models": []}),
    "models_report": lambda: models.render_report(report()),
    "drift": lambda: drift.render(drift_()),
    "drift_none": lambda: drift.render({**drift_(), "asked": 0, "strayed": [], "moved": []}),
    "replay": lambda: replay.render(replayed()),
}
CASES = [(name, width, colour) for name in SCREENS for width in WIDTHS for colour in (False, True)]


class Terminal(io.StringIO):
    """Takes what is printed, and is a terminal."""

    def isatty(self) -> bool:
        return True


@contextmanager
def terminal(width: int) -> Iterator[None]:
    """The environment of a terminal of that width, with 8 colours."""
    before = dict(os.environ)
    os.environ.update({"COLUMNS": str(width), "TERM": "xterm"})
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        os.environ.pop(name, None)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def shown(name: str, width: int, colour: bool) -> str:
    """What a screen prints; escapes are made visible, and spaces at the ends of lines are left out."""
    to = Terminal() if colour else io.StringIO()
    with terminal(width), redirect_stdout(to):
        SCREENS[name]()
    text = re.sub(r"(?<=8;)id=\d+", "id=1", to.getvalue()).replace("\x1b", "␛")  # links are numbered anew each time
    return "".join(line.rstrip() + "\n" for line in text.splitlines())


def path(name: str, width: int, colour: bool) -> Path:
    return SNAPSHOTS / f"{name}_{width}{'_colour' if colour else ''}.txt"


@pytest.mark.parametrize(("name", "width", "colour"), CASES)
def test_the_screen_is_as_it_was_looked_at(name: str, width: int, colour: bool) -> None:
    assert shown(name, width, colour) == path(name, width, colour).read_text(encoding="utf-8")


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", SCREENS)
def test_colour_changes_nothing_but_the_colour(name: str, width: int) -> None:
    coloured = re.sub(r"␛\[[0-9;]*m|␛\]8;[^␛]*␛\\", "", shown(name, width, True))
    assert [line.rstrip() for line in coloured.splitlines()] == shown(name, width, False).splitlines()


@pytest.mark.parametrize(("name", "width", "colour"), [case for case in CASES if not case[2]])
def test_a_table_stays_within_its_width(name: str, width: int, colour: bool) -> None:
    """But for paths and session ids, which are not broken so that they can be copied."""
    long = [line for line in shown(name, width, colour).splitlines() if len(line) > width]
    assert all("/home/you" in line or "555555555555" in line or "https://" in line for line in long)


def test_every_snapshot_is_one_of_these() -> None:
    assert {one.name for one in SNAPSHOTS.iterdir()} == {path(*case).name for case in CASES}


if __name__ == "__main__":
    SNAPSHOTS.mkdir(exist_ok=True)
    for case in CASES:
        path(*case).write_text(shown(*case), encoding="utf-8")

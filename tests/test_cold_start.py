"""Where a person begins: rows of the request's own form to learn from, and clients that know two arms only."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.harness import Daemon, Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def row(number: int, **more: Any) -> dict[str, Any]:
    """A row with no time and no id, a third of them delegated."""
    return {
        "features": {"task_kind": "typo-fix", "rough_token_estimate": 1000 + number},
        "dispatch": ["local", None] if number % 3 else ["delegate", None],
        "wall_time_ms": 41_000,
        "cost_tokens": 5200,
        "succeeded": bool(number % 3),
        **more,
    }


def lines(rows: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in rows)


def begin(place: Place, seed: str, rows: bytes) -> None:
    place.write({seed: rows, ".config/routerd/config.toml": f'[cold_start]\nseed_from = "~/{seed}"\n'.encode()})


def counted(daemon: Daemon) -> dict[str, float]:
    return {one["arm"]: one["n"] for one in daemon.ask("arms")["arms"]}


def test_rows_without_a_time_are_learnt_as_of_when_their_file_was_written(place: Place) -> None:
    begin(place, "seed.jsonl", lines([row(n) for n in range(60)]))
    with place.daemon() as daemon:
        daemon.until(lambda: counted(daemon) == {"local": 40, "delegate:": 20})
        asked = {"task": {"goal": "x", "kind": "typo-fix"}, "candidates": ["local", "delegate:"], "explore": False}
        daemon.until(lambda: daemon.ask("recommend", **asked)["basis"] == "learned")
        assert daemon.ask("recommend", **asked)["arm"] == "local"
    written = (place.home / "seed.jsonl").stat().st_mtime
    (ended_at,) = {at for (at,) in place.query("SELECT ended_at FROM outcomes")}
    assert ended_at == pytest.approx(written, abs=1e-3)
    assert place.once()["counts"]["outcomes"] == 60  # and they are still sixty


def test_broken_rows_are_named_by_line_and_the_rest_is_used(place: Place) -> None:
    rows = [json.dumps(row(n)).encode() for n in range(6)]
    rows[1] = json.dumps(row(1, cost_tokens=-1)).encode()
    rows[3] = b"{"
    rows[4] = json.dumps({name: value for name, value in row(4).items() if name != "succeeded"}).encode()
    begin(place, "seed.jsonl", b"\n".join(rows) + b"\n")
    with place.daemon() as daemon:
        daemon.until(lambda: sum(counted(daemon).values()) == 3)
    log = daemon.log.read_text()
    for number, reason in ((2, "`cost_tokens`"), (4, "not JSON"), (5, "`succeeded` is missing")):
        assert f"seed.jsonl, line {number}: {reason}" in log, log
    assert log.count("row left out") == 3


def test_of_very_many_broken_rows_some_are_named(place: Place) -> None:
    begin(place, "seed.jsonl", b"{}\n" * 500 + lines([row(1)]))
    with place.daemon() as daemon:
        daemon.until(lambda: counted(daemon) == {"local": 1})
    log = daemon.log.read_text()
    assert log.count("row left out") == 21
    assert "line 21 and later: more of them; `routerctl import` names all" in log


@pytest.mark.parametrize(
    ("seed", "said"),
    [("nowhere.jsonl", "there is no such file"), ("rows.txt", "not a directory, nor a file named *.jsonl or *.ndjson")],
)
def test_a_seed_that_cannot_be_read_is_said_and_no_reason_not_to_begin(place: Place, seed: str, said: str) -> None:
    begin(place, "rows.txt", lines([row(1)]))
    begin(place, seed, lines([row(1)]))
    if seed == "nowhere.jsonl":
        (place.home / seed).unlink()
    with place.daemon() as daemon:
        daemon.until(lambda: said in daemon.log.read_text())


def test_a_client_that_knows_two_arms_only_is_learnt_from(place: Place) -> None:
    with place.daemon() as daemon:
        asked = {"task": {"goal": "x"}, "candidates": ["local", {"executor": "delegate"}], "explore": False}
        for number in range(12):
            executor = "delegate" if number % 2 else "local"
            daemon.ask(
                "report",
                task={"goal": "x"},
                dispatch={"executor": executor},
                outcome={"succeeded": executor == "local"},
            )
        daemon.until(lambda: counted(daemon) == {"local": 6, "delegate:": 6})
        daemon.until(lambda: daemon.ask("recommend", **asked)["expected"]["success"]["n"] > 5.9)
        answer = daemon.ask("recommend", **asked)
        assert answer["arm"] == "local"
        assert answer["expected"]["success"]["mean"] > answer["alternatives"][0]["expected"]["success"]["mean"] + 0.2


def test_what_was_tried_today_counts_after_a_restart(place: Place) -> None:
    """A day's allowance is not given again by stopping and starting."""
    if time.time() % 86_400 > 86_400 - 120:
        pytest.skip("midnight (UTC) is near")
    config = '[policy]\nname = "ucb"\noptimism = 0.0\nexplore_floor = 0.5\nexplore_usd_per_day = 0.01\nseed = 1\n'
    place.write({".config/routerd/config.toml": config.encode()})
    cheap, dear = "delegate:anthropic:claude-haiku-4-5", "delegate:anthropic:claude-opus-4-5"
    asked = {"task": {"goal": "x"}, "candidates": [cheap, dear], "explore": True, "objective": "cheap"}

    def least(daemon: Daemon) -> float:
        answers = [daemon.ask("recommend", **asked) for _ in range(40)]
        return min(float(one["propensity"]) for one in answers[-5:])

    with place.daemon() as daemon:
        first = daemon.ask("recommend", **asked, dry_run=True)
        assert first["propensity"] < 1.0
        assert least(daemon) == 1.0
        daemon.settled_counts()
    with place.daemon() as daemon:
        assert daemon.ask("recommend", **asked)["propensity"] == 1.0

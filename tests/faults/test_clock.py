"""
Fault 29: clocks that jump, and files whose times are of another age. Oracles: nothing is skipped, nothing is busy.

Time is an argument of everything that reckons with it, so most of this is told to the real reader and the real engine;
what a file says of its time is set on real files, before a real daemon.
"""

import os
import time
from pathlib import Path

import numpy as np
import pytest

from routerd.catalog import Catalog
from routerd.config import Config
from routerd.engine import Engine
from routerd.events import Contribution, Dispatch, Recommend, Task
from tests.faults.logs import Logs, place_of
from tests.sources.codex_logs import home_files
from tests.tail.test_group import Reading, row

YEAR_S = 365 * 86_400.0
NOW = 1_790_000_000.0


@pytest.mark.parametrize("ahead_s", [-50 * YEAR_S, -20 * YEAR_S, 3600.0, 20 * YEAR_S])
def test_fault_29_files_of_any_age_are_read_and_followed(logs: Logs, ahead_s: float) -> None:
    """L: from a clock that was never set, from long ago, ahead by an hour (summer time) and by decades."""
    written = time.time() + ahead_s
    logs.append(logs.row(1))
    os.utime(logs.path(), (written, written))
    logs.expect(1)
    logs.append(logs.row(2))
    os.utime(logs.path(), (written, written))
    logs.expect(1, 2)
    assert logs.daemon is not None
    logs.daemon.until(lambda: is_quiet(logs.daemon.process.pid))  # and not busy with a file that nobody writes


def test_fault_29_a_daemon_whose_clock_jumps(tmp_path: Path) -> None:
    """L, D: days back and a year ahead while it runs. Waiting goes by the clock that never jumps."""
    place = place_of(tmp_path)
    clock = tmp_path / "clock"
    clock.write_text("+0")
    place.env |= {
        "LD_PRELOAD": faketime(),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
    }
    logs = Logs(place, "jumps")
    with place.daemon() as logs.daemon:
        known = []
        for number, offset in enumerate(["+0", "-3d", "+400d", "-3d", "+0"]):
            (tmp_path / "new").write_text(offset)
            (tmp_path / "new").rename(clock)
            logs.append(logs.row(number), f"{number % 2}.jsonl")
            known.append(number)
            logs.expect(*known)
            said = {"task": {"goal": "x"}, "dispatch": {"executor": "local"}, "outcome": {"succeeded": True}}
            assert logs.daemon.ask("report", outcome_id=f"o{number}", **said)["duplicate"] is False
        assert logs.daemon.ask("status")["counts"]["reports"] == 5
        logs.daemon.until(lambda: is_quiet(logs.daemon.process.pid))


def is_quiet(pid: int) -> bool:
    """Whether the process is busy for less than half of a second."""
    before = cpu_s(pid)
    time.sleep(1.0)
    return cpu_s(pid) - before < 0.5


def faketime() -> str:
    """The library that lets a program see another time (Debian's package `libfaketime`)."""
    named = [os.environ["FAKETIME_LIBRARY"]] if "FAKETIME_LIBRARY" in os.environ else []
    found = [*named, *map(str, Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))]
    if not found:
        pytest.skip("libfaketime is not installed; FAKETIME_LIBRARY may name it")
    return found[0]


def cpu_s(pid: int) -> float:
    """Processor time of a process and its threads so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("jump_s", [-20 * YEAR_S, -7200.0, 7200.0, 20 * YEAR_S])
def test_fault_29_the_clock_jumps_while_a_session_runs(tmp_path: Path, jump_s: float) -> None:
    """
    A session that seems untouched for long, since the clock jumped, is ended as unknown; when it goes on after all, it
    is told anew. Whatever was read before the jump is not read again.
    """
    reading = Reading(tmp_path / "rows.jsonl")
    reading.path.write_bytes(row(1))
    os.utime(reading.path, (NOW, NOW))
    step = advance(reading, NOW)
    assert (len(step), reading.times()) == (1, [1])
    assert advance(reading, NOW + jump_s) == []
    with reading.path.open("ab") as file:
        file.write(row(2))
    os.utime(reading.path, (NOW + jump_s, NOW + jump_s))
    assert len(advance(reading, NOW + jump_s)) == 1
    assert advance(reading, NOW) == []
    assert reading.times() == [1, 2]


def advance(reading: Reading, now: float) -> list[object]:
    return list(reading.advance(now=now).seen)


@pytest.mark.parametrize("ahead_s", [-7200.0, 7200.0])
def test_fault_29_a_unit_left_open_ends_whichever_way_its_files_time_is_off(tmp_path: Path, ahead_s: float) -> None:
    """A log that was written when the clock was two hours ahead is no more being written than an old one."""
    place = place_of(tmp_path)
    files = {name: data[: int(len(data) * 0.6)] for name, data in home_files().items()}
    place.write(files)
    for name in files:
        os.utime(place.home / name, (time.time() + ahead_s, time.time() + ahead_s))
    place.once()
    assert place.query("SELECT count(*) FROM outcomes WHERE ended = 0") == [(0,)]
    assert place.query("SELECT count(*) FROM outcomes WHERE ended = 1")[0][0] > 0


@pytest.mark.parametrize("jump_s", [-20 * YEAR_S, -3600.0, 3600.0, 20 * YEAR_S])
def test_fault_29_belief_and_answers_when_the_clock_jumps(jump_s: float) -> None:
    """Outcomes of the future and of long ago are believed, and taken back exactly; every answer has its numbers."""
    config = Config()
    engine = Engine(config, Catalog(config, {}), np.random.default_rng(7))
    said = [
        Contribution(
            scope="default",
            dispatch=Dispatch(executor="delegate", model="claude-haiku-4-5"),
            features={},
            at=NOW + jump_s * (number % 2),
            success=1.0,
            weight=1.0,
            wall_time_ms=1000,
            cost_usd=0.01,
            own=True,
        )
        for number in range(20)
    ]
    empty = engine.snapshot()
    for one in said:
        engine.observe(None, one, NOW)
    for now in (NOW, NOW + jump_s, NOW):
        while engine.refresh(now):
            pass
        asked = Recommend(task=Task(goal="x", session_id="s"), candidates=["local", said[0].dispatch])
        made = engine.recommend(asked, now, f"d{now}")
        assert np.isfinite([made.utility, made.propensity, made.expected.success.mean]).all()
        assert {one.n for one in engine.arms("default", None, now)} == {20}
    for one in said:
        engine.observe(one, None, NOW + jump_s)
    assert engine.snapshot() == empty

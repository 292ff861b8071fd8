"""
Fault 26: the process is killed, or the power fails, at any write and sync of the store. What was answered is there.

The store is the real one, its disk is in memory (`tests/faults/disk.py`). `test_kill` kills the real daemon.
`benchmarks/power.py` tries every moment.
"""

import random
from pathlib import Path

import pytest

from routerd.store import database
from tests.faults.power import HOWS, History, moments

pytestmark = pytest.mark.anyio


@pytest.fixture
async def history(tmp_path: Path) -> History:
    made = History(tmp_path)
    await made.make()
    assert len(made.answered) == 48
    return made


async def test_fault_26_killed_at_any_write_nothing_that_was_answered_is_lost(history: History) -> None:
    """L, D: and belief is the fold of what was committed."""
    rng = random.Random(26)
    for number, moment in enumerate(moments(history, 120, rng)):
        assert history.lost_after(moment, history.disk.killed(moment)) == set()
        if number % 12 == 0:
            history.check_belief()


@pytest.mark.parametrize("how", HOWS)
async def test_fault_26_the_power_fails_and_nothing_that_was_answered_is_lost(history: History, how: str) -> None:
    """L, D: whatever the disk had written of what it was not told to."""
    rng = random.Random(how)
    for number, moment in enumerate(moments(history, 80, rng)):
        assert history.lost_after(moment, history.disk.unpowered(moment, rng, how)) == set()
        if number % 20 == 0:
            history.check_belief()


async def test_fault_26_these_cuts_find_what_a_weaker_promise_loses(tmp_path: Path) -> None:
    """A commit that is not synced (`synchronous = NORMAL`) survives every kill and hardly any power failure."""
    history = History(tmp_path, tuple(setting.replace("FULL", "NORMAL") for setting in database.SETTINGS))
    await history.make()
    rng = random.Random(1)
    chosen = moments(history, 30, rng)
    assert not any(history.lost_after(moment, history.disk.killed(moment)) for moment in chosen)
    lost = [history.lost_after(moment, history.disk.unpowered(moment, rng, "none")) for moment in chosen]
    assert sum(map(bool, lost)) > 5  # until the log is next folded into the database: about half of all moments

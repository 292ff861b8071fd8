"""Random things done to logs, against the model. `benchmarks/model.py` does thousands of them."""

import tempfile
from pathlib import Path

import anyio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.faults.model import NAMES, Step, World

name = st.sampled_from(NAMES)
few = st.integers(0, 5)
STEPS: st.SearchStrategy[Step] = st.one_of(
    st.tuples(st.just("append"), name, st.integers(1, 4) | st.just(100)),
    st.tuples(st.just("part"), name, st.floats(0, 1)),
    st.tuples(st.sampled_from(["rotate", "rotate_away", "delete"]), name, few),
    st.tuples(st.sampled_from(["copy_truncate", "truncate", "replace", "hole"]), name, few),
    st.tuples(st.just("undo"), name, st.integers(1, 4), few),
    st.tuples(st.just("edit"), name, st.floats(0, 1, exclude_max=True), st.booleans(), few),
    st.tuples(st.sampled_from(["compare", "restart", "kill"])),
    st.tuples(st.just("read_and_kill"), st.integers(0, 3)),
)
HISTORIES = st.lists(st.tuples(STEPS, st.booleans()), min_size=2, max_size=16)
"""Steps, and whether the tail looks after each."""


def steps_of(history: list[tuple[Step, bool]]) -> list[Step]:
    """The history as one list."""
    return [one for step, looks in history for one in ((step, ("look",)) if looks else (step,))]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(HISTORIES)
def test_whatever_is_done_to_logs(history: list[tuple[Step, bool]]) -> None:
    """L, T, D, in any order of any of these."""
    with tempfile.TemporaryDirectory() as home:
        anyio.run(World(Path(home)).play, steps_of(history))

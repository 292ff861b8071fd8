"""Random things done to logs, against the model. `benchmarks/model.py` does thousands of them."""

import tempfile
from pathlib import Path

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.faults.model import NAMES, Step, World

pytestmark = pytest.mark.anyio

name = st.sampled_from(NAMES)
few = st.integers(0, 5)
STEPS: st.SearchStrategy[Step] = st.one_of(
    st.tuples(st.just("append"), name, st.sampled_from([1, 2, 3, 4, 5, 6, 7, 100])),
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


ONCE_WRONG: dict[str, list[Step]] = {
    "cut and written anew, then renamed, at once": [
        ("append", "a.jsonl", 3), ("look",), ("copy_truncate", "a.jsonl", 1), ("rotate_away", "a.jsonl", 1),
    ],
    "whole but for its end, then renamed and another in its place": [
        ("append", "a.jsonl", 3), ("look",), ("part", "a.jsonl", 0.999), ("rotate_away", "a.jsonl", 0),
        ("append", "a.jsonl", 2),
    ],
    "taken back in the middle of a long line, and written anew": [
        ("append", "a.jsonl", 5), ("part", "a.jsonl", 0.3), ("look",), ("undo", "a.jsonl", 1, 3),
    ],
    "an old line edited while others were added, then killed before the file was compared": [
        ("append", "a.jsonl", 7), ("look",), ("edit", "a.jsonl", 0.6, False, 3), ("look",), ("kill",),
    ],
}  # fmt: skip


@pytest.mark.parametrize("steps", ONCE_WRONG.values(), ids=ONCE_WRONG.keys())
async def test_what_was_wrong_once(steps: list[Step], tmp_path: Path) -> None:
    """L: found by the test below, and by its longer sister."""
    await World(tmp_path).play(steps)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(HISTORIES)
def test_whatever_is_done_to_logs(history: list[tuple[Step, bool]]) -> None:
    """L, T, D, in any order of any of these."""
    with tempfile.TemporaryDirectory() as home:
        anyio.run(World(Path(home)).play, steps_of(history))

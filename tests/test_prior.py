"""What is believed beforehand rests on published figures where there are any."""

import runpy
from pathlib import Path

import pytest

from routerd.features import DIM
from routerd.prior import ATTRIBUTE_NAMES, COST, SUCCESS, WALL_TIME, Prior

SEEDS = Path(__file__).parents[1] / "seeds"


@pytest.mark.parametrize(("target", "prior"), [("success", SUCCESS), ("wall_time", WALL_TIME), ("cost", COST)])
def test_a_step_of_effort_is_worth_what_published_runs_say(target: str, prior: Prior) -> None:
    slope, spread = runpy.run_path(str(SEEDS / "fit_effort.py"))["slopes"]()[target]
    effort = DIM + ATTRIBUTE_NAMES.index("effort")
    assert prior.mean[effort] == pytest.approx(slope, abs=0.01)
    assert prior.sd[effort] == pytest.approx(spread, abs=0.01)

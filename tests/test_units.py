"""Amounts as a person reads them: what was saved, and what cost more."""

import pytest

from routerd.units import does, would_have


def figure(mean: float, low: float, high: float) -> dict[str, float]:
    return {"mean": mean, "low": low, "high": high}


MORE, LESS = figure(-1.04, -1.8, -0.3), figure(3.54, 3.1, 3.8)


@pytest.mark.parametrize(
    ("hours", "usd", "taken", "said"),
    [
        (LESS, figure(75.12, 73.6, 76.44), "taken", "saved 3.5 h [3.1 to 3.8] and $75.12 [$73.60 to $76.44]"),
        (LESS, None, "took", "saved 3.5 h [3.1 to 3.8]"),
        (LESS, figure(-6.7, -9.39, 0.5), "taken", "saved 3.5 h [3.1 to 3.8] and cost $6.70 [-$0.50 to $9.39] more"),
        (MORE, figure(-6.7, -9.39, -4.54), "took", "took 1.0 h [0.3 to 1.8] more and cost $6.70 [$4.54 to $9.39] more"),
        (None, None, "taken", None),
    ],
)
def test_what_was_saved_and_what_cost_more(
    hours: dict[str, float] | None, usd: dict[str, float] | None, taken: str, said: str | None
) -> None:
    assert would_have(hours, usd, taken=taken) == said


def test_better_is_more_than_the_drop_that_matters() -> None:
    found = [does(one, 0.8, 0.03) for one in (0.78, 0.82, 0.84)]
    assert found == ["does as well", "does as well", "succeeds more often"]

"""Axes: they hold their values, their marks lie on them and can be read."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routerd.page.scales import (
    MONEY_USD,
    TIMES_MS,
    Span,
    linear,
    logarithmic,
    money_word,
    percent_word,
    success_floor,
    time_word,
)

amounts = st.lists(st.floats(1e-9, 1e12), min_size=1, max_size=6)


@given(amounts, st.sampled_from([TIMES_MS, MONEY_USD]))
def test_a_logarithmic_axis_holds_what_it_shows(values: list[float], marks: tuple[float, ...]) -> None:
    scale = logarithmic(values, marks, 40.0, 320.0, str)
    assert scale.low <= min(values) or min(values) < marks[0] or math.isclose(scale.low, min(values))
    assert scale.high >= max(values) or math.isclose(scale.high, max(values))
    assert 1 <= len(scale.marks) <= 6
    places = [scale.at(mark) for mark in scale.marks]
    assert places == sorted(places)
    assert all(40.0 - 1e-6 <= place <= 320.0 + 1e-6 for place in places)


def test_equal_factors_are_equal_distances() -> None:
    scale = logarithmic([1000.0, 100_000.0], (1000.0, 10_000.0, 100_000.0), 0.0, 200.0, time_word)
    assert [scale.at(value) for value in (1000.0, 10_000.0, 100_000.0)] == pytest.approx([0.0, 100.0, 200.0])
    assert scale.at(1.0) == 0.0
    assert scale.at(1e9) == 200.0


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6), st.integers(1, 8))
def test_a_linear_axis_has_round_marks_within(low: float, width: float, steps: int) -> None:
    scale = linear(low, low + width, 0.0, 100.0, str, steps=steps)
    assert 0 <= len(scale.marks) <= 2 * steps + 2
    assert all(-0.01 <= scale.at(mark) <= 100.01 for mark in scale.marks)


def test_upside_down() -> None:
    scale = linear(0.0, 1.0, 200.0, 20.0, percent_word)
    assert (scale.at(0.0), scale.at(1.0)) == (200.0, 20.0)
    assert [scale.word(mark) for mark in scale.marks] == ["0 %", "25 %", "50 %", "75 %", "100 %"]


def test_words_of_marks() -> None:
    assert [time_word(one) for one in (300.0, 10_000.0, 180_000.0, 3.6e6)] == ["0.3 s", "10 s", "3 min", "1 h"]
    assert [money_word(one) for one in (1e-6, 0.003, 0.3, 1000.0)] == ["$1e-06", "$0.003", "$0.3", "$1,000"]


def test_an_axis_of_success_begins_below_all_of_it() -> None:
    assert success_floor([Span(0.9, 0.84, 1.0), Span(0.7, 0.55, 0.8)]) == 0.5
    assert success_floor([Span(0.99, 0.95, 1.0)]) == 0.8
    assert success_floor([Span(0.1, -0.2, 0.3)]) == 0.0

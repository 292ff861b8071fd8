"""The style sheet: words and shapes stand out from what they stand on, in light and in dark, and nothing is fetched."""

import re

import pytest

from routerd.page.charts import COLOURS
from routerd.page.document import sheet

NAME_AND_VALUE = re.compile(r"--([\w]+): (#[0-9a-f]{6})")


def schemes() -> dict[str, dict[str, str]]:
    light, dark = re.findall(r":root \{(.*?)\}", sheet(), re.DOTALL)
    return {"light": dict(NAME_AND_VALUE.findall(light)), "dark": dict(NAME_AND_VALUE.findall(dark))}


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """WCAG 2.2, contrast ratio."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_the_measure() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_and_arms_can_be_read(scheme: str) -> None:
    """4.5 for words (1.4.3): the arms' letters are words too, so the same holds for their colours."""
    colours = schemes()[scheme]
    assert len(colours) == 9 + COLOURS
    for ground in ("paper", "card"):
        for name in ("ink", "soft", "accent", "warn", "focus", *(f"c{number}" for number in range(COLOURS))):
            assert contrast(colours[name], colours[ground]) >= 4.5, (name, ground)


def test_both_schemes_have_the_same_names() -> None:
    assert schemes()["light"].keys() == schemes()["dark"].keys()


def test_nothing_is_fetched() -> None:
    assert "url(" not in sheet()
    assert "@import" not in sheet()
    assert "</" not in sheet()

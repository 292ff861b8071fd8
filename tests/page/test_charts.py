"""Charts show the values that they were given: read back from the shapes."""

import re
from xml.etree.ElementTree import Element

import pytest

from routerd.page import charts
from routerd.page.charts import Blob, Curve, Row, Told, Track
from routerd.page.scales import Scale, Span, linear, logarithmic, percent_word, time_word

TOLD = Told("one", "title", "said", "across", "up")
X = logarithmic([1000.0, 100_000.0], (1000.0, 10_000.0, 100_000.0), 40.0, 320.0, time_word)
Y = linear(0.0, 1.0, 220.0, 20.0, percent_word)


def back(scale: Scale, place: float) -> float:
    """The value at a place."""
    share = (place - scale.begin) / (scale.end - scale.begin)
    if scale.log:
        return float(scale.low * (scale.high / scale.low) ** share)
    return scale.low + share * (scale.high - scale.low)


def of_class(picture: Element, name: str) -> list[Element]:
    return [one for one in picture.iter() if name in (one.get("class") or "").split()]


def test_an_ellipse_spans_its_two_intervals() -> None:
    across, up = Span(9000.0, 3000.0, 40_000.0), Span(0.9, 0.6, 1.0)
    picture = charts.ellipses(TOLD, [Blob("a", across, up, sure=False)], X, Y)
    (blob,) = of_class(picture, "blob")
    assert "unsure" in (blob.get("class") or "")
    numbers = [float(one) for one in re.findall(r"[-\d.]+", blob.get("d") or "")]
    ends = list(zip(numbers[0::2], numbers[1::2], strict=True))[0::3]
    assert back(X, min(x for x, _ in ends)) == pytest.approx(across.low, rel=0.01)
    assert back(X, max(x for x, _ in ends)) == pytest.approx(across.high, rel=0.01)
    assert back(Y, max(y for _, y in ends)) == pytest.approx(up.low, abs=0.01)
    assert back(Y, min(y for _, y in ends)) == pytest.approx(up.high, abs=0.01)
    (dot,) = of_class(picture, "dot")
    assert back(X, float(dot.get("cx") or 0)) == pytest.approx(across.mean, rel=0.01)
    assert back(Y, float(dot.get("cy") or 0)) == pytest.approx(up.mean, abs=0.01)


def test_letters_keep_their_distance() -> None:
    blobs = [Blob(str(one), Span(9000.0 + one, 3000.0, 40_000.0), Span(0.5, 0.4, 0.6), sure=True) for one in range(8)]
    letters = of_class(charts.ellipses(TOLD, blobs, X, Y), "letter")
    assert [one.text for one in letters] == list("ABCDEFGH")
    places = [complex(float(one.get("x") or 0), float(one.get("y") or 0)) for one in letters]
    assert min(abs(a - b) for i, a in enumerate(places) for b in places[:i]) >= charts.ROOM - 0.1


def test_a_row_shows_its_interval() -> None:
    scale = linear(0.0, 1.0, 4.0, 304.0, percent_word)
    row = Row("name", "12", (Track(Span(0.8, 0.5, 0.9), "80 %"),), colour=2, sure=False)
    picture = charts.tracks(TOLD, [row], [scale], ("success",))
    (bar,), (dot,) = of_class(picture, "bar"), of_class(picture, "dot")
    assert [back(scale, float(bar.get(end) or 0)) for end in ("x1", "x2")] == pytest.approx([0.5, 0.9], abs=0.001)
    assert back(scale, float(dot.get("cx") or 0)) == pytest.approx(0.8, abs=0.001)
    assert "unsure" in (bar.get("class") or "")
    assert {"name", "12", "80 %", "success", "C"} <= set(picture.itertext())


def test_a_missing_point_breaks_a_line() -> None:
    curve = Curve("learnt", ((1000.0, 0.5), None, (10_000.0, 0.4), (100_000.0, 0.2)), "learnt")
    picture = charts.curves(TOLD, [curve], X, Y)
    lines = [one.get("points") or "" for one in of_class(picture, "curve")]
    assert [len(one.split()) for one in lines] == [1, 2]
    assert len(of_class(picture, "dot")) == 3
    last = lines[1].split()[-1].split(",")
    assert back(Y, float(last[1])) == pytest.approx(0.2, abs=0.001)


def test_reliability_and_shares() -> None:
    axis = linear(0.0, 1.0, 40.0, 320.0, percent_word)
    picture = charts.reliability(TOLD, [(0.7, Span(0.6, 0.4, 0.8), 12.0)], axis, Y)
    (dot,), (whisker,) = of_class(picture, "dot"), of_class(picture, "whisker")
    assert back(axis, float(dot.get("cx") or 0)) == pytest.approx(0.7, abs=0.001)
    assert [back(Y, float(whisker.get(end) or 0)) for end in ("y1", "y2")] == pytest.approx([0.4, 0.8], abs=0.001)
    (bar,) = of_class(charts.shares(TOLD, [("a → b", "1 of 4", 0.25)]), "fill")
    assert float(bar.get("width") or 0) == pytest.approx(charts.WIDTH / 4)

"""The page of `routerctl dashboard` in a real browser: it fetches nothing, fits a phone, obeys the keys."""

import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chromium import Browser, Page, browser, needs_chromium
from tests.cli.history import AGENT
from tests.cli.lived import SINCE, lived
from tests.harness import Place

pytestmark = needs_chromium

SCHEMES = {"light": (0xFB, 0xFA, 0xF6), "dark": (0x13, 0x15, 0x1A)}
"""The paper of each."""


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = lived(Place(tmp_path_factory.mktemp("home")))
    place.run("routerctl", "dashboard", "page.html", *SINCE, check=True)
    return place.home / "page.html"


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as running:
        yield running


def shown(chromium: Browser, path: Path, *, width: int = 1280, scheme: str = "light") -> Page:
    page = chromium.page()
    page.show(path.as_uri(), width=width, scheme=scheme)
    return page


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", [360, 1280])
def test_it_fits_and_is_silent(chromium: Browser, path: Path, width: int, scheme: str, tmp_path: Path) -> None:
    page = shown(chromium, path, width=width, scheme=scheme)
    assert page.requests() == [path.as_uri()]
    assert page.complaints() == []
    page.value("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert page.value("document.documentElement.scrollWidth") <= width
    picture = page.screenshot()
    (tmp_path / f"{width}-{scheme}.png").write_bytes(picture)
    size, first = looked_at(picture)
    assert size[0] == width
    assert size[1] > 2000
    assert first == SCHEMES[scheme]


def looked_at(png: bytes) -> tuple[tuple[int, int], tuple[int, ...]]:
    """Width and height, and the first pixel: every filter leaves that as it is."""
    width, height, depth, colour = struct.unpack(">IIBB", png[16:26])
    assert (depth, colour) in {(8, 2), (8, 6)}
    found, at = b"", 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        if png[at + 4 : at + 8] == b"IDAT":
            found += png[at + 8 : at + 8 + length]
        at += length + 12
    return (width, height), tuple(zlib.decompress(found)[1:4])


@pytest.mark.parametrize("width", [360, 1280])
def test_no_word_of_a_chart_leaves_its_card_or_covers_another(chromium: Browser, path: Path, width: int) -> None:
    """Words may touch dots and lines, not other words: by the boxes that the browser drew them in."""
    page = shown(chromium, path, width=width)
    found = page.value(
        """(() => {
          const bad = [];
          for (const svg of document.querySelectorAll('svg')) {
            const card = svg.closest('.card').getBoundingClientRect();
            const words = [...svg.querySelectorAll('text')].filter(one => one.textContent)
                .map(one => [one, one.getBoundingClientRect()]);
            for (const [one, box] of words) {
              if (box.left < card.left || box.right > card.right) bad.push('outside: ' + one.textContent);
              for (const [other, its] of words)
                if (one !== other && box.left + 1 < its.right && its.left + 1 < box.right
                      && box.top + 3 < its.bottom && its.top + 3 < box.bottom)
                  bad.push(svg.querySelector('title').textContent + ': ' + one.textContent + ' / ' + other.textContent);
            }
          }
          return bad;
        })()"""
    )
    assert found == []


def test_everything_is_reached_and_opened_by_keys(chromium: Browser, path: Path) -> None:
    page = shown(chromium, path)
    stops = []
    for _ in range(60):
        page.press("Tab")
        stops.append(
            page.value("document.activeElement.tagName + ' ' + document.activeElement.textContent.slice(0, 40)")
        )
        if stops[-1].startswith("SUMMARY"):
            page.press("Enter")
            assert page.value("document.activeElement.parentElement.open") is True
        if stops[-1].startswith("BODY"):
            break
    assert stops[0] == "A To the figures"
    assert (
        sum(one.startswith("SUMMARY") for one in stops)
        == page.value("document.querySelectorAll('summary').length")
        >= 5
    )
    assert sum(one.startswith("DIV") for one in stops) == page.value("document.querySelectorAll('.scroll').length")


def test_there_is_a_heading_for_each_part_and_words_for_each_picture(chromium: Browser, path: Path) -> None:
    page = shown(chromium, path)
    assert page.value("[...document.querySelectorAll('h1')].length") == 1
    assert page.value("[...document.querySelectorAll('section')].every(one => one.querySelector('h2'))")
    for name in ("title", "desc"):
        assert page.value(
            f"[...document.querySelectorAll('svg')].every(one => one.querySelector('{name}').textContent)"
        )
    assert page.value("document.querySelectorAll('svg').length") >= 12
    ids = page.value("[...document.querySelectorAll('[id]')].map(one => one.id)")
    assert len(ids) == len(set(ids))
    told = page.value("[...document.querySelectorAll('svg, section')].map(one => one.getAttribute('aria-labelledby'))")
    told = " ".join(told).split()
    assert set(told) <= set(ids)


def test_what_it_would_look_like_if_it_did_fetch(chromium: Browser, path: Path, tmp_path: Path) -> None:
    """The checks above can fail; and what gets in all the same is stopped by the page's own policy."""
    text = path.read_text(encoding="utf-8").replace("</body>", '<img src="http://127.0.0.1:9/x.png"></body>')
    fenced, open_ = tmp_path / "fenced.html", tmp_path / "open.html"
    fenced.write_text(text, encoding="utf-8")
    open_.write_text(re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text), encoding="utf-8")
    page = shown(chromium, fenced)
    assert any("Content Security Policy" in one for one in page.complaints())
    assert page.value("document.images[0].naturalWidth") == 0
    page = shown(chromium, open_)
    assert "http://127.0.0.1:9/x.png" in page.requests()
    assert AGENT in page.value("document.body.textContent")

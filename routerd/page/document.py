"""The page as a whole: its head, its style, its sections in order."""

from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Final
from xml.etree.ElementTree import Element

from routerd.page.arms import by_kind, tradeoff
from routerd.page.comparing import drift, savings
from routerd.page.elements import MARK, el, written
from routerd.page.figures import Figures
from routerd.page.learning import learning
from routerd.page.overview import in_short
from routerd.page.parts import section

NOTHING_COMES_IN: Final = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""The browser itself is told to fetch nothing and to run nothing."""

SECTIONS: Final = (
    ("short", "In short", in_short),
    ("arms", "Success, time and cost", tradeoff),
    ("kinds", "By kind of task", by_kind),
    ("learning", "What it has learnt", learning),
    ("savings", "What would have been saved", savings),
    ("drift", "Drift", drift),
)


def document(figures: Figures) -> str:
    """The page, one HTML document in itself."""
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("meta", name="referrer", content="no-referrer"),
        el("meta", http_equiv="Content-Security-Policy", content=NOTHING_COMES_IN),
        el("title", "routerd: what your agents' history says"),
        style(),
    )
    main = el("main", *(section(name, title, *make(figures)) for name, title, make in SECTIONS), id="main")
    body = el("body", el("a", "To the figures", href="#main", class_="skip"), _banner(figures), main, _foot(figures))
    return f"{MARK}\n{written(el('html', head, body, lang='en'))}\n"


def style() -> Element:
    """The style sheet, as it is: the tree writes a style element without escaping."""
    element = el("style")
    element.text = sheet()
    return element


@cache
def sheet() -> str:
    """`page.css`."""
    return (files("routerd.page") / "page.css").read_text(encoding="utf-8")


def day(at: float) -> str:
    """A date, UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")


def _banner(figures: Figures) -> Element:
    at = datetime.fromtimestamp(figures.until, UTC).strftime("%Y-%m-%d %H:%M UTC")
    links = [el("li", el("a", title, href=f"#{name}")) for name, title, _ in SECTIONS]
    return el(
        "header",
        el("p", "routerd", class_="brand"),
        el("h1", "What your agents' history says"),
        el(
            "p",
            f"Written {at}. Counts, savings and drift since {day(figures.since)}; belief from all outcomes.",
            class_="meta",
        ),
        el("nav", el("ul", *links), aria_label="On this page"),
    )


def _foot(figures: Figures) -> Element:
    return el(
        "footer",
        el(
            "p",
            f"routerd {figures.version}. Intervals are 90 % credible intervals. Money is by list price. No text of a "
            "task, no path and no session is on this page. ",
            el("code", "routerctl dashboard FILE --json"),
            " gives the same figures, unrounded.",
        ),
    )

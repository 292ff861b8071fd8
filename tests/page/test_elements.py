"""Whatever a log says is text on the page, and nothing else."""

import unicodedata
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from routerd.page.elements import el, number, plain, put, short, written

texts = st.text(st.characters(codec=None, categories=None), max_size=40)


class Read(HTMLParser):
    """What a parser of HTML makes of it."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError("a comment")


@given(texts, texts)
def test_a_name_stays_text_and_an_attribute_stays_one(text: str, title: str) -> None:
    page = written(el("p", "a", el("b", text), "c", title=title))
    page.encode("utf-8")
    found = Read(page)
    assert found.tags == [("p", {"title": plain(title)}), ("b", {})]
    assert found.text == f"a{plain(text)}c"


@given(texts)
def test_what_does_not_print_is_not_there(text: str) -> None:
    assert not {unicodedata.category(one) for one in plain(text)} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def test_what_turns_the_direction_of_writing_is_shown() -> None:
    assert plain("a\u202eb\x00c\nd") == "a\ufffdb\ufffdc d"
    assert plain("日本語 עברית") == "日本語 עברית"


@given(texts, st.integers(3, 30))
def test_short_is_short(text: str, most: int) -> None:
    made = short(text, most)
    assert len(made) <= most
    assert made == plain(text) or "…" in made


def test_names_and_numbers_of_attributes() -> None:
    made = el("line", class_="x", stroke_width=1.50001, x1=None, y1=-0.001)
    put(made, "a", el("b"), "c", None, "d")
    assert written(made) == '<line class="x" stroke-width="1.5" y1="-0">a<b></b>cd</line>'
    assert number(3) == "3"

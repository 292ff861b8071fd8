"""However the bytes were cut, the same bytes give the same lines."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routerd.rpc.framing import Lines, LineTooLong

MAX = 8
LINE = st.binary(max_size=MAX).map(lambda line: line.replace(b"\n", b"\r"))


def take_all(lines: Lines) -> list[bytes]:
    taken = []
    while (line := lines.take()) is not None:
        taken.append(bytes(line))
    return taken


@settings(deadline=None)
@given(st.lists(LINE), LINE, st.data())
def test_bytes_cut_at_any_places_give_the_same_lines(whole: list[bytes], rest: bytes, data: st.DataObject) -> None:
    stream = b"".join(line + b"\n" for line in whole) + rest
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)))))
    lines, taken = Lines(MAX), []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        lines.feed(stream[start:end])
        taken += take_all(lines)
    assert taken == whole
    assert bool(lines) == bool(rest)


def test_lines_may_be_left_untaken_while_more_comes() -> None:
    lines = Lines(MAX)
    lines.feed(b"one\ntwo\nth")
    assert bytes(lines.take() or b"") == b"one"
    lines.feed(b"ree\n")
    assert take_all(lines) == [b"two", b"three"]


def test_the_longest_line_is_taken() -> None:
    lines = Lines(MAX)
    lines.feed(b"x" * MAX)
    assert lines.take() is None
    lines.feed(b"\n")
    assert take_all(lines) == [b"x" * MAX]


@pytest.mark.parametrize("ended", [False, True])
def test_a_longer_line_is_refused_as_soon_as_it_is_too_long_and_let_go(ended: bool) -> None:
    lines = Lines(MAX)
    lines.feed(b"ok\n" + b"x" * (MAX + 1) + (b"\nnext\n" if ended else b""))
    assert bytes(lines.take() or b"") == b"ok"
    with pytest.raises(LineTooLong, match="longer than 8 bytes") as caught:
        lines.take()
    assert caught.value.ended == ended
    assert caught.value.code == -32600
    assert not lines


def test_a_line_that_comes_byte_by_byte_costs_no_more_than_its_length() -> None:
    """Searching from the start at each byte would look at half a million times a mebibyte; here each byte once."""
    size = 1 << 20
    lines = Lines(size)
    for _ in range(size):
        lines.feed(b"x")
        assert lines.take() is None
    lines.feed(b"\n")
    assert len(lines.take() or b"") == size

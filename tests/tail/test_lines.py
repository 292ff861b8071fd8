from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from routerd.tail.lines import LineSplitter


def split(data: bytes, cuts: list[int], line_bytes_max: int = 1000) -> tuple[list[tuple[int, bytes]], LineSplitter]:
    splitter = LineSplitter(line_bytes_max=line_bytes_max)
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    lines = [line for a, b in pairwise(edges) for line in splitter.push(data[a:b])]
    return lines, splitter


@given(st.lists(st.binary(max_size=20).filter(lambda b: b"\n" not in b)), st.lists(st.integers(0, 200)))
def test_cuts_do_not_matter(parts: list[bytes], cuts: list[int]) -> None:
    data = b"\n".join(parts)
    whole, cut = split(data, []), split(data, cuts)
    assert whole[0] == cut[0]
    assert whole[1].position == cut[1].position == data.rfind(b"\n") + 1
    assert cut[1].received == len(data)


@given(st.binary(max_size=300), st.lists(st.integers(0, 300)), st.integers(1, 40))
def test_too_long_lines_are_dropped_and_counted_wherever_the_cuts_are(data: bytes, cuts: list[int], limit: int) -> None:
    lines, splitter = split(data, cuts, limit)
    complete = data.split(b"\n")[:-1]
    assert splitter.dropped == sum(len(line) > limit for line in complete)
    assert len(lines) == sum(
        0 < len(line) <= limit and line.strip(b"\0\r") not in (b"", b"\xef\xbb\xbf") for line in complete
    )
    assert all(len(line) <= limit for _, line in lines)
    assert splitter.position == data.rfind(b"\n") + 1


def test_offsets_say_where_a_line_begins() -> None:
    data = b'{"a":1}\n\n{"b":2}\r\nrest'
    lines, _ = split(data, [3, 12])
    assert lines == [(0, b'{"a":1}'), (9, b'{"b":2}')]
    assert all(data[offset:].startswith(line) for offset, line in lines)


def test_a_hole_of_nuls_and_a_byte_order_mark_are_not_part_of_a_line() -> None:
    lines, _ = split(b"\xef\xbb\xbf{}\n" + b"\0" * 50 + b'{"x":1}\n', [])
    assert [line for _, line in lines] == [b"{}", b'{"x":1}']


def test_a_line_that_never_ends_costs_no_more_memory_than_the_limit() -> None:
    splitter = LineSplitter(line_bytes_max=1000)
    for _ in range(100):
        assert splitter.push(b"x" * 1000) == []
    assert splitter.received == 100_000
    assert splitter.push(b"\n{}\n") == [(100_001, b"{}")]
    assert splitter.dropped == 1


def test_a_rest_that_was_taken_is_not_given_again() -> None:
    splitter = LineSplitter(line_bytes_max=1000)
    assert splitter.push(b'{"a":1}\n{"b":2}') == [(0, b'{"a":1}')]
    assert splitter.take_rest() == (8, b'{"b":2}')
    assert splitter.rest == b""
    assert splitter.received == 15
    assert splitter.push(b'\n{"c":3}\n') == [(16, b'{"c":3}')]
    assert (splitter.position, splitter.received) == (24, 24)

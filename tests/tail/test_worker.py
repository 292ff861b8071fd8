"""What goes from the child to the daemon comes there as it was."""

import msgspec
import pytest

from routerd.events import Completion, Dispatch, Label, Parent, Task, Tokens
from routerd.records import Seen
from routerd.tail.worker import SEEN_AT_ONCE, packed, unpacked


def seen(number: int) -> Seen:
    completion = Completion(
        keys=(f"t:{number}", "c:1"), agent="codex", task=Task(goal="", parent=Parent(model="big")),
        ran=Dispatch(executor="delegate", model="small", reasoning_effort="low"), ended_at=1.5 + number,
        wall_time_ms=12, tokens=Tokens(input=3), label=Label(1.0, 0.3, "test"),
    )  # fmt: skip
    return Seen(
        completion=completion, features={"files": 2, "question": True, "text": [1, -2], "size": 0.5}, origin="o"
    )


def test_what_was_seen_comes_in_order_some_at_a_time() -> None:
    many = [seen(number) for number in range(2 * SEEN_AT_ONCE + 1)]
    parts = packed(many)
    assert all(isinstance(part, bytes) for part in parts)
    assert [len(unpacked(part)) for part in parts] == [SEEN_AT_ONCE, SEEN_AT_ONCE, 1]
    assert [one for part in parts for one in unpacked(part)] == many


@pytest.mark.parametrize(
    "odd",
    [
        msgspec.structs.replace(seen(1), features={"rough_token_estimate": 10**100}),
        msgspec.structs.replace(seen(1), features={"word": "\ud800"}),
        msgspec.structs.replace(seen(1), completion=msgspec.structs.replace(seen(1).completion, wall_time_ms=12.5)),
        msgspec.structs.replace(seen(1), features={"pair": (1, 2)}),
    ],
)
def test_what_has_no_spelling_comes_as_it_is(odd: Seen) -> None:
    """An integer of a hundred digits, half a character, a time that is no whole number, a tuple."""
    (part,) = packed([seen(0), odd])
    assert unpacked(part) == [seen(0), odd]

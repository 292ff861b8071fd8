"""The parts of OpenCode's messages, as far as they are read: outputs of tools, most of a database, are passed over."""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Raw

from routerd.sources import values

T = TypeVar("T")


class Input(msgspec.Struct, gc=False):
    """What a tool was given."""

    command: Any = None
    subagent_type: str | None = None


class Metadata(msgspec.Struct, gc=False):
    """What a tool says beside its output."""

    exit: Any = None
    session: Any = msgspec.field(name="sessionId", default=None)


class State(msgspec.Struct, gc=False):
    """How far a call is."""

    status: str | None = None
    input: Input | None = None
    metadata: Metadata | None = None


class Part(msgspec.Struct, gc=False):
    """A part of a message: a text, or a call with all that came back."""

    id: str | None = None
    type: str | None = None
    synthetic: Any = None
    text: Raw = values.NULL
    message: str | None = msgspec.field(name="messageID", default=None)
    call: str | None = msgspec.field(name="callID", default=None)
    tool: str | None = None
    state: State | None = None

    @property
    def child(self) -> str | None:
        """The session that a `task` call made, or went on with."""
        child = self.state.metadata.session if self.state is not None and self.state.metadata is not None else None
        return child if isinstance(child, str) and self.call else None


read_part: Final = values.reader(Part)


def read_row(reader: Callable[[bytes], T], row: Mapping[str, Any]) -> T:
    """
    What is in the `data` of a row; bytes of it that are no UTF-8 are put right.

    Raises:
        ValueError: It is no JSON object.
    """
    data = row.get("data")
    data = data.encode(errors="replace") if isinstance(data, str) else data if isinstance(data, bytes) else b""
    try:
        return reader(data)
    except UnicodeError:
        return reader(data.decode(errors="replace").encode())

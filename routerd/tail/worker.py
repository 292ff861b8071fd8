"""
What runs in the child process: reading the backlog, so that decoding months of logs never holds up an answer.

The child has no state that matters: it may be killed at any time, and the next call reads the group afresh.
"""

import gc
import os
from collections import OrderedDict
from contextlib import suppress
from functools import lru_cache
from typing import Any, Final

import msgspec

from routerd.catalog import Catalog
from routerd.config import Config
from routerd.describe import Describe
from routerd.events import Task
from routerd.features import extract, tier_of_parent
from routerd.records import Seen
from routerd.sources.base import FileKind
from routerd.tail.group import Advance, GroupReader

READERS_MAX = 4
"""Half-read groups that are kept: a newer session may come between the pieces of a large one."""

SEEN_AT_ONCE = 64
"""Taken in by the daemon in about half a millisecond."""

_readers: OrderedDict[tuple[str, str], GroupReader] = OrderedDict()


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """
    One group of a job.

    Attributes:
        begin: Forget what was read of the group before.
        keep: When the group is done, send its reader back: the session may still be written.
        budget_bytes: Stop after about so many bytes.
    """

    agent: str
    group: str
    files: dict[str, FileKind]
    begin: bool
    keep: bool
    budget_bytes: int


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """
    A large group to be read for a while, or some small ones.

    Attributes:
        config: As JSON; the child makes its own catalogue and features from it.
    """

    parts: list[Part]
    now: float
    config: bytes


class Piece(msgspec.Struct, frozen=True):
    """
    What a part of a job gave.

    Attributes:
        seen: What was seen, some dozen at a time, so that whoever takes it can do something else in between.
        advance: The rest of it.
        reader: Only when the group is done and was to be kept.
    """

    seen: list[bytes | list[Seen]]
    advance: Advance
    quarantined: int
    reader: GroupReader | None


class Failure(msgspec.Struct, frozen=True):
    """A part could not be read, for a reason that nobody foresaw; what it says may hold a piece of the log."""

    error: str


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(list[Seen])


def packed(seen: list[Seen]) -> list[bytes | list[Seen]]:
    """What was seen as it goes to the daemon: pickled, each would take the loop ten times as long."""
    return [_packed(seen[start : start + SEEN_AT_ONCE]) for start in range(0, len(seen), SEEN_AT_ONCE)]


def _packed(seen: list[Seen]) -> bytes | list[Seen]:
    """Where a log holds what MessagePack or our own types do not (an integer of a hundred digits, say), as it is."""
    try:
        data = _ENCODER.encode(seen)
        return data if _DECODER.decode(data) == seen else seen
    except (ValueError, TypeError, OverflowError, msgspec.MsgspecError):
        return seen


def unpacked(seen: bytes | list[Seen]) -> list[Seen]:
    """The inverse of `packed`, of one part of it."""
    return _DECODER.decode(seen) if isinstance(seen, bytes) else seen


def describer(config: Config, catalog: Catalog) -> Describe:
    """What makes of a completion the thing that is kept, for this configuration."""

    def features(task: Task) -> dict[str, Any]:
        return extract(task, tier_of_parent(task, catalog.tier))

    return Describe(features=features, store_text=config.privacy.store_text)


@lru_cache(maxsize=1)
def _settings(encoded: bytes) -> tuple[Config, Describe]:
    with suppress(OSError, PermissionError):
        os.nice(10)  # once a process: whoever waits for an answer goes first
    config = msgspec.json.decode(encoded, type=Config)
    describe = describer(config, Catalog(config, os.environ))
    gc.freeze()  # what is there now stays, and is not looked through again and again
    return config, describe


def read(job: Job) -> list[Piece | Failure]:
    """Reads the parts of a job; called in the child. What goes wrong with one is its own."""
    config, describe = _settings(job.config)
    found: list[Piece | Failure] = []
    for part in job.parts:
        try:
            found.append(_read(part, job, config, describe))
        except Exception as error:
            found.append(Failure(type(error).__name__))
    return found


def _read(part: Part, job: Job, config: Config, describe: Describe) -> Piece:
    name = (part.agent, part.group)
    reader = None if part.begin else _readers.pop(name, None)
    if reader is None:
        reader = GroupReader(part.agent, part.group, line_bytes_max=config.tail.line_bytes_max)
    advance = reader.advance(
        part.files, describe, now=job.now, idle_after_s=config.tail.idle_after_s, budget_bytes=part.budget_bytes
    )
    seen, advance.seen = packed(advance.seen), []
    if not advance.done:
        _readers[name] = reader
        while len(_readers) > READERS_MAX:
            _readers.popitem(last=False)[1].close()
        return Piece(seen, advance, reader.quarantined, None)
    reader.close()
    return Piece(seen, advance, reader.quarantined, reader if part.keep else None)

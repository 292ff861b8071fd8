"""
What runs in the child process: reading the backlog, so that decoding months of logs never holds up an answer.

The child has no state that matters: it may be killed at any time, and the next call reads the group afresh.
"""

import gc
import os
from collections import OrderedDict
from contextlib import suppress
from functools import lru_cache
from typing import Any

import msgspec

from routerd.catalog import Catalog
from routerd.config import Config
from routerd.describe import Describe
from routerd.events import Task
from routerd.features import extract, tier_of_parent
from routerd.sources.base import FileKind
from routerd.tail.group import Advance, GroupReader

READERS_MAX = 4
"""Half-read groups that are kept: a newer session may come between the pieces of a large one."""

_readers: OrderedDict[tuple[str, str], GroupReader] = OrderedDict()


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """
    One piece of reading.

    Attributes:
        begin: Forget what was read of the group before.
        keep: When the group is done, send its reader back: the session may still be written.
        config: As JSON; the child makes its own catalogue and features from it.
    """

    agent: str
    group: str
    files: dict[str, FileKind]
    begin: bool
    keep: bool
    now: float
    budget_bytes: int
    config: bytes


class Piece(msgspec.Struct, frozen=True):
    """What a job gave; `reader` only when the group is done and was to be kept."""

    advance: Advance
    quarantined: int
    reader: GroupReader | None


def describer(config: Config, catalog: Catalog) -> Describe:
    """What makes of a completion the thing that is kept, for this configuration."""

    def features(task: Task) -> dict[str, Any]:
        return extract(task, tier_of_parent(task, catalog.tier))

    return Describe(features=features, price=catalog.price, store_text=config.privacy.store_text)


@lru_cache(maxsize=1)
def _settings(encoded: bytes) -> tuple[Config, Describe]:
    with suppress(OSError, PermissionError):
        os.nice(10)  # once a process: whoever waits for an answer goes first
    config = msgspec.json.decode(encoded, type=Config)
    describe = describer(config, Catalog(config, os.environ))
    gc.freeze()  # what is there now stays, and is not looked through again and again
    return config, describe


def read(job: Job) -> Piece:
    """Reads a piece of a group; called in the child."""
    config, describe = _settings(job.config)
    name = (job.agent, job.group)
    reader = None if job.begin else _readers.pop(name, None)
    if reader is None:
        reader = GroupReader(job.agent, job.group, line_bytes_max=config.tail.line_bytes_max)
    advance = reader.advance(
        job.files, describe, now=job.now, idle_after_s=config.tail.idle_after_s, budget_bytes=job.budget_bytes
    )
    if not advance.done:
        _readers[name] = reader
        while len(_readers) > READERS_MAX:
            _readers.popitem(last=False)[1].close()
        return Piece(advance, reader.quarantined, None)
    reader.close()
    return Piece(advance, reader.quarantined, reader if job.keep else None)

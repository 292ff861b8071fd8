"""
Reading what was noticed: what is little here, a slice at a time, so that a question never waits for a log; all else in
a child process, newest first, in pieces. What was read goes to `deliver` with its checkpoints, in reading order.

A group is only ever in one hand at a time: `busy` says so, and what is noticed meanwhile makes it `dirty` again.
"""

import heapq
import itertools
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence

import anyio
import anyio.to_process
import anyio.to_thread
import msgspec
import structlog
from anyio.streams.memory import MemoryObjectReceiveStream

from routerd.config import Config
from routerd.records import Seen
from routerd.tail.checkpoint import Checkpoint
from routerd.tail.group import Advance, DescribeFn, GroupReader
from routerd.tail.registry import Group, Registry
from routerd.tail.worker import Failure, Job, Part, Piece, read, unpacked

log = structlog.get_logger(__name__)

PIECE_BYTES_MIN = 256 * 1024
PIECE_BYTES_MAX = 8 * 1024 * 1024
"""What the child reads at a time is found between these: at most about 0.1 s, so that a newer session soon gets its
turn, and no more units than are soon written, for until then they lie in memory."""
PIECE_UNITS = 2048
SLICE_S = 0.001
"""What is read in the daemon at a time takes about so long."""
SLICE_BYTES_MIN = 4 * 1024
SLICE_BYTES_MAX = 64 * 1024
"""Slices are found between these: rows may be short, each an outcome of its own, or long, and none."""
SLICE_PAUSE_S = 0.0002
"""One `sleep(0)` would put the next slice before a waiting request; a short timer does not."""
SMALL_BYTES = 256 * 1024
"""A group up to this size is not worth a trip to the child."""
LIVE_BYTES_MAX = 4 * 1024 * 1024
"""If more was added at once to a group in memory, the child reads the group afresh: one line of so much takes 5 ms."""
WAITING_MAX = 64
"""If more small groups wait, as those of years do at the first start, the child reads some of them too."""
READERS_MAX = 64
NEWS_PER_WRITE = 64
FAILURES_MAX = 3

Deliver = Callable[[Sequence[Seen | Checkpoint]], Awaitable[None]]


class Reading:
    """
    Reads groups that are marked.

    Args:
        config: Uses `tail` and what the child needs.
        registry: What is known.
        describe: Makes of a completion what the store keeps.
        deliver: Takes completions and checkpoints; may wait, and so holds reading back.

    Attributes:
        unreadable: Why files, or roots, cannot be read.
        noticed: There was something to read.
        resident: The groups whose memory is kept, the one longest untouched first.
    """

    def __init__(self, config: Config, registry: Registry, *, describe: DescribeFn, deliver: Deliver) -> None:
        self.unreadable: dict[str, str] = {}
        self.noticed = anyio.Event()
        self.resident: OrderedDict[tuple[str, str], Group] = OrderedDict()
        self._config = config
        self._encoded = msgspec.json.encode(config)
        self._registry = registry
        self._describe = describe
        self._deliver = deliver
        self._backlog: list[tuple[float, bool, int, Group]] = []
        self._live: OrderedDict[tuple[str, str], Group] = OrderedDict()
        self._slice_bytes: dict[str, int] = {}
        self._count = itertools.count()
        self._wake_backlog = anyio.Event()
        self._wake_live = anyio.Event()
        self._child = anyio.CapacityLimiter(1)
        self._quiet = anyio.Event()

    async def run(self) -> None:
        """Reads what is marked, until cancelled."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._read_backlog)
            tasks.start_soon(self._read_live)

    async def settled(self) -> None:
        """Waits until nothing that was marked is unread."""
        while any(group.dirty or group.busy for group in self._registry.groups.values()):
            self._quiet = anyio.Event()
            await self._quiet.wait()

    def mark(self, group: Group) -> None:
        """The group has something to read."""
        if group.failures >= FAILURES_MAX:
            return
        group.dirty = True
        self.noticed.set()
        if group.busy:
            return
        if self._is_little(group):
            self._live[group.agent, group.name] = group
            self._wake_live.set()
            if len(self._live) > WAITING_MAX:
                self._wake_backlog.set()
        else:
            self._push(group)
            self._wake_backlog.set()

    def _push(self, group: Group) -> None:
        """
        For the child, the newest first; of equal ones, as copies may be, what is half read: it keeps the memory of a
        few groups only, and would read one that it forgot afresh.
        """
        heapq.heappush(self._backlog, (-group.newest, not group.half_read, next(self._count), group))

    def _is_little(self, group: Group) -> bool:
        """Whether what is to be read of a group can be read here, between two answers."""
        left = self._registry.behind(group)
        if any(path.endswith(".zst") for path, _ in left):
            return False  # nobody knows how much it unpacks to
        if group.reader is None:
            return self._small(group)
        return has_database(group) or sum(number for _, number in left) <= LIVE_BYTES_MAX

    def _small(self, group: Group) -> bool:
        return not has_database(group) and self._registry.size(group) <= SMALL_BYTES

    async def _read_backlog(self) -> None:
        """Newest first, in pieces; between two pieces a newer group may come first."""
        send, receive = anyio.create_memory_object_stream[list[tuple[Group, Piece]]]()
        async with send, receive, anyio.create_task_group() as tasks:
            tasks.start_soon(self._take_pieces, receive)
            while True:
                self._wake_backlog = anyio.Event()
                if groups := self._next():
                    await send.send(await self._read_pieces(groups))  # the child goes on while these are handed on
                else:
                    await self._wake_backlog.wait()

    def _next(self) -> list[Group]:
        """
        What the child reads next: the newest of the backlog, and as much else as makes up a piece. What went wrong
        before is read by itself, for it may take the child down.
        """
        groups: list[Group] = []
        left = 1.0
        while self._backlog and left > 0.0 and not (groups and self._backlog[0][-1].failures):
            group = heapq.heappop(self._backlog)[-1]
            if group.half_read or (group.dirty and not group.busy):
                left -= self._begin(group, groups)
        if groups or len(self._live) > WAITING_MAX:
            for group in reversed(list(self._live.values())):
                if left > 0.0 and group.dirty and not group.busy and not group.failures and self._is_old(group):
                    left -= self._begin(group, groups)
        return groups

    def _is_old(self, group: Group) -> bool:
        """Whether a group is in nobody's memory, and need not be."""
        return group.reader is None and not self._worth_keeping(group)

    def _begin(self, group: Group, groups: list[Group]) -> float:
        """Puts a group among those that are read next; how much of a piece it makes up."""
        group.busy, group.dirty, group.half_read = True, False, False
        groups.append(group)
        self._live.pop((group.agent, group.name), None)
        self._evict(group)
        return 1.0 if group.failures else self._registry.size(group) / self._piece_bytes(group.agent)

    def _piece_bytes(self, agent: str) -> int:
        """The bytes of an agent's logs that make up a piece, by what was read of them so far."""
        so_far = self._registry.progress[agent]
        bytes_a_unit = so_far.bytes_read // max(so_far.completions, 1)
        return min(max(PIECE_UNITS * bytes_a_unit, PIECE_BYTES_MIN), PIECE_BYTES_MAX)

    async def _read_pieces(self, groups: list[Group]) -> list[tuple[Group, Piece]]:
        """What the child makes of groups; one that is not done waits for its turn to be gone on with."""
        job = self._job(groups)
        pieces: list[Piece | Failure]
        try:
            pieces = await anyio.to_process.run_sync(read, job, limiter=self._child, cancellable=True)
        except Exception as error:  # the child died: that must not end the daemon
            pieces = [Failure(type(error).__name__) for _ in groups]
        found = []
        for group, piece in zip(groups, pieces, strict=True):
            if isinstance(piece, Failure):  # a source has a bug, or may have killed the child
                self._failed(group, piece.error)
                continue
            group.begun = group.half_read = not piece.advance.done
            if group.half_read:
                self._push(group)
            found.append((group, piece))
        return found

    async def _take_pieces(self, receive: MemoryObjectReceiveStream[list[tuple[Group, Piece]]]) -> None:
        async for pieces in receive:
            await self._hand_on(pieces)
            for group, piece in pieces:
                if piece.advance.done:
                    self._ended(group, piece)

    async def _hand_on(self, pieces: list[tuple[Group, Piece]]) -> None:
        news: list[Seen | Checkpoint] = []
        for group, piece in pieces:
            group.quarantined = piece.quarantined
            for part in piece.seen:
                seen = unpacked(part)
                self._count_in(group, seen)
                news += seen
                if len(news) >= NEWS_PER_WRITE:
                    await self._deliver(news)
                    news = []
            news += self._took(group, piece.advance)
        if news:
            await self._deliver(news)

    def _ended(self, group: Group, piece: Piece) -> None:
        if piece.reader is not None:
            piece.reader.hold()
            self._keep(group, piece.reader)
        # A database is read once more here, on a connection that is kept and tells of changes.
        self._release(group, again=has_database(group))

    def _job(self, groups: list[Group]) -> Job:
        parts = [
            Part(
                agent=group.agent,
                group=group.name,
                files=dict(group.files),
                begin=not group.begun,
                keep=self._worth_keeping(group),
                budget_bytes=self._piece_bytes(group.agent),
            )
            for group in groups
        ]
        return Job(parts=parts, now=time.time(), config=self._encoded)

    def _worth_keeping(self, group: Group) -> bool:
        recent = time.time() - group.newest < self._config.tail.idle_after_s
        return recent or has_database(group)

    async def _read_live(self) -> None:
        """Groups in memory, and small ones: a slice at a time, so that a question never waits for a log."""
        while True:
            while self._live:
                _, group = self._live.popitem(last=False)
                if group.dirty and not group.busy:
                    await self._read_here(group)
            self._wake_live = anyio.Event()
            if not self._live:
                await self._wake_live.wait()

    async def _read_here(self, group: Group) -> None:
        group.busy, group.dirty = True, False
        reader = group.reader or GroupReader(group.agent, group.name, line_bytes_max=self._config.tail.line_bytes_max)
        done, slice_bytes = False, self._slice_bytes.get(group.agent, SLICE_BYTES_MIN)
        while not done:
            start = time.perf_counter()
            try:
                advance = await self._advance(group, reader, slice_bytes)
            except Exception as error:  # a source has a bug: it may not end the daemon
                reader.close()
                self._evict(group)
                self._failed(group, type(error).__name__)
                return
            took_s = time.perf_counter() - start
            slice_bytes = min(
                max(slice_bytes * 2 if took_s < SLICE_S / 2 else slice_bytes // 2, SLICE_BYTES_MIN), SLICE_BYTES_MAX
            )
            self._slice_bytes[group.agent] = slice_bytes
            group.quarantined = reader.quarantined
            self._count_in(group, advance.seen)
            await self._deliver_all([*advance.seen, *self._took(group, advance)])
            done = advance.done
            if advance.afresh and not self._small(group):  # more than a few slices: for the child
                reader.close()
                self._evict(group)
                self._release(group, again=True)
                return
            if not done:
                await anyio.sleep(SLICE_PAUSE_S)
        group.running = reader.open
        if self._worth_keeping(group) or reader.moving:
            self._keep(group, reader)
        else:
            self._evict(group)
        self._release(group, again=False)

    def _failed(self, group: Group, error: str) -> None:
        """Reading went wrong in a way that nobody foresaw: the group is read afresh, and after some times left out."""
        group.failures += 1
        group.begun = False
        # What the error says may hold a piece of the log: only its kind is told.
        log.error("reading failed", agent=group.agent, group=group.name, error=error)
        self._release(group, again=True)

    async def _advance(self, group: Group, reader: GroupReader, budget_bytes: int) -> Advance:
        """A slice; a database is read in a thread, since its owner may hold it locked for a moment."""
        files = dict(group.files)  # more may be noticed meanwhile

        def step() -> Advance:
            return reader.advance(
                files,
                self._describe,
                now=time.time(),
                idle_after_s=self._config.tail.idle_after_s,
                budget_bytes=budget_bytes,
            )

        if has_database(group):
            return await anyio.to_thread.run_sync(step)
        return step()

    def _took(self, group: Group, advance: Advance) -> list[Checkpoint]:
        """Remembers what was read; checkpoints are to follow the rows that they stand for."""
        self._registry.progress[group.agent].bytes_read += advance.bytes_read
        for path in group.files if advance.done else ():
            self.unreadable.pop(path, None)
        for path, reason in advance.unreadable.items():
            self.cannot(group.agent, path, reason)
        for reason in advance.refused:
            log.warning("row left out", at=reason)
        for checkpoint in advance.checkpoints:
            self._registry.took(checkpoint)
        return advance.checkpoints

    def _count_in(self, group: Group, seen: Sequence[Seen]) -> None:
        ended = sum(one.completion.ended and not one.completion.void for one in seen)
        self._registry.progress[group.agent].completions += ended

    async def _deliver_all(self, news: Sequence[Seen | Checkpoint]) -> None:
        for start in range(0, len(news), NEWS_PER_WRITE):
            await self._deliver(news[start : start + NEWS_PER_WRITE])

    def cannot(self, agent: str, path: str, reason: str) -> None:
        """Said once a reason; tried again at every walk, a file also when it changes."""
        if self.unreadable.get(path) != reason:
            log.warning("log cannot be read", agent=agent, path=path, reason=reason)
        self.unreadable[path] = reason
        self._registry.give_up(path)

    def _release(self, group: Group, *, again: bool) -> None:
        group.busy = False
        if not again:
            group.failures = 0
        elif group.failures >= FAILURES_MAX:
            log.error("left out for now: it cannot be read", agent=group.agent, group=group.name)
            again = group.dirty = False
        if again or group.dirty:
            group.dirty = True
            self.mark(group)
        elif not group.files and not (group.reader is not None and group.reader.moving):
            self._evict(group)
            self._registry.forget(group)
        self._quiet.set()

    def leave(self, group: Group) -> None:
        """A file of a group is gone: what was held open of it is read to its end."""
        if group.reader is not None or group.busy:
            self.mark(group)
        elif not group.files:
            self._registry.forget(group)

    def again(self) -> None:
        """Tries once more what could not be read, and groups that were left out: what was in the way may be gone."""
        for path in list(self.unreadable):
            if (group := self._registry.again(path)) is not None:
                self.mark(group)
        for group in self._registry.groups.values():
            if group.failures >= FAILURES_MAX:
                group.failures = FAILURES_MAX - 1
                self.mark(group)

    def read_moving(self) -> None:
        """Reads on what no longer lies at its path, for as long as that is done."""
        for group in list(self.resident.values()):
            if group.reader is not None and group.reader.moving:
                self.mark(group)

    async def check(self) -> None:
        """Compares what was read of growing files with what they hold: an edit far before the end shows only so."""
        for group in list(self.resident.values()):
            if group.reader is None or group.busy or group.dirty:
                continue
            group.busy = True
            whole = await anyio.to_thread.run_sync(group.reader.check)
            checkpoints = group.reader.checkpoints(group.files)
            for checkpoint in checkpoints:
                self._registry.took(checkpoint)
            await self._deliver_all(checkpoints)
            self._release(group, again=not whole)

    def _keep(self, group: Group, reader: GroupReader) -> None:
        """Keeps a group's memory; of too many, the one longest untouched goes."""
        name = (group.agent, group.name)
        if group.reader is not reader:
            self._evict(group)
        group.reader, group.running = reader, reader.open
        self.resident[name] = group
        self.resident.move_to_end(name)
        if len(self.resident) > READERS_MAX:
            idle = [one for one in self.resident.values() if not one.busy and not has_database(one)]
            for one in idle[: len(self.resident) - READERS_MAX]:
                self._evict(one)

    def _evict(self, group: Group) -> None:
        self.resident.pop((group.agent, group.name), None)
        if group.reader is not None:
            group.reader.close()
            group.reader = None


def has_database(group: Group) -> bool:
    """Whether a group is, or holds, a database."""
    return "database" in group.files.values()

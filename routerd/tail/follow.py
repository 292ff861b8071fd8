"""
The tail: finds the logs, reads what is there newest first, and follows what is written next.

Watching is a hint, rescanning is the truth: every path that a watch names is looked at, and every path is looked at
again after a while whether or not it was named. A group that is in memory or small is read here, a little at a time;
all else is read in a child process. What was read goes to `deliver` together with its checkpoints, in reading order.

A group is only ever in one hand at a time: `busy` says so, and what is noticed meanwhile makes it `dirty` again.
"""

import heapq
import itertools
import os
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress

import anyio
import anyio.to_process
import anyio.to_thread
import msgspec
import structlog
import watchfiles
from watchfiles._rust_notify import WatchfilesRustInternalError

from routerd.config import Config
from routerd.records import Seen
from routerd.sources import SOURCES
from routerd.sources.base import Claim
from routerd.tail.checkpoint import Checkpoint, Stat
from routerd.tail.discover import elsewhere, find, obstacle, roots_of
from routerd.tail.files import head_of, look
from routerd.tail.group import Advance, DescribeFn, GroupReader
from routerd.tail.registry import Group, Known, Registry, RootStatus
from routerd.tail.worker import Job, read

log = structlog.get_logger(__name__)

PIECE_BYTES = 8 * 1024 * 1024
"""What the child reads at a time: about 0.1 s, so that a newer session soon gets its turn."""
SLICE_BYTES = 64 * 1024
"""What is read in the daemon at a time: well under a millisecond of decoding."""
SLICE_PAUSE_S = 0.0002
"""One `sleep(0)` would put the next slice before a waiting request; a short timer does not."""
SMALL_BYTES = 256 * 1024
"""A group up to this size is not worth a trip to the child."""
READERS_MAX = 64
ROOTS_EVERY_S = 0.5
"""How often a missing root is looked for, and one that is polled is walked: its `enters` keeps that to a few places."""
NEWS_PER_WRITE = 64
RECENT_S = 86_400.0
FAILURES_MAX = 3

Deliver = Callable[[Sequence[Seen | Checkpoint]], Awaitable[None]]


class Tail:
    """
    Follows the logs of every enabled source.

    Args:
        config: Uses `sources`, `tail` and what the child needs.
        env: Environment; the agents' own variables and HOME.
        describe: Makes of a completion what the store keeps.
        deliver: Takes completions and checkpoints; may wait, and so holds reading back.
    """

    def __init__(self, config: Config, env: Mapping[str, str], *, describe: DescribeFn, deliver: Deliver) -> None:
        self._config = config
        self._encoded = msgspec.json.encode(config)
        self._describe = describe
        self._deliver = deliver
        self._roots = list(roots_of(config, env))
        self._modes = dict.fromkeys((root for _, root in self._roots), "poll")
        self.registry = Registry(agent for agent, _ in self._roots)
        self._resident: OrderedDict[tuple[str, str], Group] = OrderedDict()
        self._backlog: list[tuple[float, int, Group]] = []
        self._live: OrderedDict[tuple[str, str], Group] = OrderedDict()
        self._count = itertools.count()
        self._wake_backlog = anyio.Event()
        self._wake_live = anyio.Event()
        self._rewatch = anyio.Event()
        self._child = anyio.CapacityLimiter(1)
        self._quiet = anyio.Event()
        self.discovered = anyio.Event()
        self.unreadable: dict[str, str] = {}

    # --- what a person may ask -------------------------------------------------------------------------------------

    def places(self) -> list[tuple[str, str, bool]]:
        """Agent, root, and whether it exists: where was looked."""
        return [(agent, root, os.path.isdir(root)) for agent, root in self._roots]

    def status(self) -> list[RootStatus]:
        """A line for each root that exists."""
        return [self.registry.status(agent, root, self._modes[root]) for agent, root in self._existing()]

    def _existing(self) -> list[tuple[str, str]]:
        return [(agent, root) for agent, root, exists in self.places() if exists]

    # --- the two ways to run ---------------------------------------------------------------------------------------

    async def catch_up(self) -> None:
        """Reads all that is there, and returns."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.read)
            await self._discover()
            self._end_idle(time.time())
            await self.settled()
            tasks.cancel_scope.cancel()

    async def read(self) -> None:
        """Reads what is noticed, until cancelled."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._read_backlog)
            tasks.start_soon(self._read_live)

    async def follow(self) -> None:
        """Reads what is there and follows what is written, until cancelled."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.read)
            tasks.start_soon(self._rescan_recent)
            tasks.start_soon(self._rescan_all)
            tasks.start_soon(self._await_roots)
            tasks.start_soon(self._poll_databases)
            if self._config.tail.watch:
                tasks.start_soon(self._watch)

    async def settled(self) -> None:
        """Waits until nothing that was noticed is unread."""
        while any(group.dirty or group.busy for group in self.registry.groups.values()):
            self._quiet = anyio.Event()
            await self._quiet.wait()

    async def take(self, place: str) -> int:
        """
        Reads another place once (`import`): a file of rows, or a directory with an agent's logs as they lie at home.

        Returns:
            The number of files there that are logs.
        """
        found = 0
        for agent, root in elsewhere(place):
            await self._discover_root(agent, root)
            found += sum(known.root == root for known in self.registry.files.values())
        return found

    # --- noticing --------------------------------------------------------------------------------------------------

    async def _discover(self) -> None:
        for agent, root in self._roots:
            await self._discover_root(agent, root)
        self.discovered.set()

    async def _discover_root(self, agent: str, root: str) -> None:
        if (reason := obstacle(root)) is not None:
            self._unreadable(agent, root, reason)
        # Claims are worth remembering where a file must be looked into; a polled root is walked too often for that.
        known = {} if SOURCES[agent].polled else self.registry.claims(agent)
        found = await anyio.to_thread.run_sync(find, agent, root, known)
        for number, (path, claim, stat) in enumerate(found):
            self._notice(agent, root, path, claim, stat)
            if number % 200 == 199:
                await anyio.sleep(SLICE_PAUSE_S)

    def _hint(self, path: str) -> None:
        """A watch names a path: look at it."""
        known = self.registry.files.get(path)
        if known is not None:
            self._look_again(path, known)
            return
        for agent, root in self._roots:
            if path.startswith(root + os.sep):
                claim = SOURCES[agent].claim(root, path, lambda: head_of(path))
                if claim is not None and (stat := look(path, claim.kind)) is not None:
                    self._notice(agent, root, path, claim, stat)
                    return

    def _look_again(self, path: str, known: Known) -> None:
        stat = look(path, known.claim.kind)
        if stat is None:
            self._lose(path)
        else:
            self._notice(known.agent, known.root, path, known.claim, stat)

    def _notice(self, agent: str, root: str, path: str, claim: Claim, stat: Stat) -> None:
        if (group := self.registry.notice(agent, root, path, claim, stat)) is not None:
            self._mark(group)

    def _lose(self, path: str) -> None:
        if (group := self.registry.lose(path)) is not None:
            self._evict(group)

    def _mark(self, group: Group) -> None:
        """The group has something to read."""
        if group.failures >= FAILURES_MAX:
            return
        group.dirty = True
        if group.busy:
            return
        if group.reader is not None or self._small(group):
            self._live[group.agent, group.name] = group
            self._wake_live.set()
        else:
            heapq.heappush(self._backlog, (-group.newest, next(self._count), group))
            self._wake_backlog.set()

    def _small(self, group: Group) -> bool:
        return not _has_database(group) and self.registry.size(group) <= SMALL_BYTES

    # --- reading ---------------------------------------------------------------------------------------------------

    async def _read_backlog(self) -> None:
        """Newest first, in pieces; between two pieces a newer group may come first."""
        while True:
            while self._backlog:
                group = heapq.heappop(self._backlog)[2]
                if group.dirty and not group.busy:
                    await self._read_piece(group)
            self._wake_backlog = anyio.Event()
            if not self._backlog:
                await self._wake_backlog.wait()

    async def _read_piece(self, group: Group) -> None:
        group.busy, group.dirty = True, False
        try:
            piece = await anyio.to_process.run_sync(read, self._job(group), limiter=self._child, cancellable=True)
        except Exception as error:  # the child died, or a source has a bug: neither may end the daemon
            self._failed(group, error)
            return
        group.begun = not piece.advance.done
        group.quarantined = piece.quarantined
        if piece.reader is not None:
            self._keep(group, piece.reader)
        await self._took(group, piece.advance)
        # A database is read once more here, on a connection that is kept and tells of changes.
        self._release(group, again=not piece.advance.done or _has_database(group))

    def _job(self, group: Group) -> Job:
        return Job(
            agent=group.agent,
            group=group.name,
            files=dict(group.files),
            begin=not group.begun,
            keep=self._worth_keeping(group),
            now=time.time(),
            budget_bytes=PIECE_BYTES,
            config=self._encoded,
        )

    def _worth_keeping(self, group: Group) -> bool:
        recent = time.time() - group.newest < self._config.tail.idle_after_s
        return recent or _has_database(group)

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
        done = False
        while not done:
            try:
                advance = await self._advance(group, reader)
            except Exception as error:  # a source has a bug: it may not end the daemon
                self._evict(group)
                self._failed(group, error)
                return
            group.quarantined = reader.quarantined
            await self._took(group, advance)
            done = advance.done
            if not done:
                await anyio.sleep(SLICE_PAUSE_S)
        group.running = reader.open
        if self._worth_keeping(group):
            self._keep(group, reader)
        else:
            self._evict(group)
        self._release(group, again=False)

    def _failed(self, group: Group, error: Exception) -> None:
        """Reading went wrong in a way that nobody foresaw: the group is read afresh, and after some times left out."""
        group.failures += 1
        group.begun = False
        # What the error says may hold a piece of the log: only its kind is told.
        log.error("reading failed", agent=group.agent, group=group.name, error=type(error).__name__)
        self._release(group, again=True)

    async def _advance(self, group: Group, reader: GroupReader) -> Advance:
        """A slice; a database is read in a thread, since its owner may hold it locked for a moment."""
        files = dict(group.files)  # more may be noticed meanwhile

        def step() -> Advance:
            return reader.advance(
                files,
                self._describe,
                now=time.time(),
                idle_after_s=self._config.tail.idle_after_s,
                budget_bytes=SLICE_BYTES,
            )

        if _has_database(group):
            return await anyio.to_thread.run_sync(step)
        return step()

    async def _took(self, group: Group, advance: Advance) -> None:
        """Hands on what was read; checkpoints follow the rows that they stand for."""
        progress = self.registry.progress[group.agent]
        progress.bytes_read += advance.bytes_read
        progress.completions += sum(seen.completion.ended and not seen.completion.void for seen in advance.seen)
        for path, reason in advance.unreadable.items():
            self._unreadable(group.agent, path, reason)
        for checkpoint in advance.checkpoints:
            self.registry.took(checkpoint)
        news: list[Seen | Checkpoint] = [*advance.seen, *advance.checkpoints]
        for start in range(0, len(news), NEWS_PER_WRITE):
            await self._deliver(news[start : start + NEWS_PER_WRITE])

    def _unreadable(self, agent: str, path: str, reason: str) -> None:
        """Said once a reason; a file is tried again when it changes, a directory at every walk."""
        if self.unreadable.get(path) != reason:
            log.warning("log cannot be read", agent=agent, path=path, reason=reason)
        self.unreadable[path] = reason
        self.registry.give_up(path)

    def _release(self, group: Group, *, again: bool) -> None:
        group.busy = False
        if not again:
            group.failures = 0
        elif group.failures >= FAILURES_MAX:
            log.error("left out until it changes: it cannot be read", agent=group.agent, group=group.name)
            again = group.dirty = False
        if again or group.dirty:
            group.dirty = True
            self._mark(group)
        self._quiet.set()

    def _keep(self, group: Group, reader: GroupReader) -> None:
        """Keeps a group's memory; of too many, the one longest untouched goes."""
        name = (group.agent, group.name)
        group.reader, group.running = reader, reader.open
        self._resident[name] = group
        self._resident.move_to_end(name)
        if len(self._resident) > READERS_MAX:
            idle = [one for one in self._resident.values() if not one.busy and not _has_database(one)]
            for one in idle[: len(self._resident) - READERS_MAX]:
                self._evict(one)

    def _evict(self, group: Group) -> None:
        self._resident.pop((group.agent, group.name), None)
        if group.reader is not None:
            group.reader.close()
            group.reader = None

    # --- following -------------------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        """Hints from the kernel; where they cannot be had, rescanning finds everything a little later."""
        tail = self._config.tail
        while True:
            roots = [root for agent, root in self._existing() if not SOURCES[agent].polled]
            self._rewatch = anyio.Event()
            if not roots:
                await self._rewatch.wait()
                continue
            try:
                self._modes.update(dict.fromkeys(roots, "watch"))
                async for changes in watchfiles.awatch(
                    *roots,
                    watch_filter=None,
                    debounce=tail.debounce_ms,
                    step=tail.step_ms,
                    stop_event=self._rewatch,
                    recursive=True,
                    ignore_permission_denied=True,
                ):
                    for _, path in changes:
                        self._hint(path)
            except (OSError, WatchfilesRustInternalError) as error:
                log.warning("cannot watch, polling instead", error=str(error), every_s=tail.rescan_recent_s)
                self._modes.update(dict.fromkeys(roots, "poll"))
                with anyio.move_on_after(tail.rescan_all_s):
                    await self._rewatch.wait()

    async def _rescan_recent(self) -> None:
        """Looks at what was written to within a day, and ends what has fallen idle."""
        while True:
            await anyio.sleep(self._config.tail.rescan_recent_s)
            now = time.time()
            recent = [path for path, known in self.registry.files.items() if now - known.stat.mtime_ns / 1e9 < RECENT_S]
            for number, path in enumerate(recent):
                if (known := self.registry.files.get(path)) is not None:
                    self._look_again(path, known)
                if number % 200 == 199:
                    await anyio.sleep(SLICE_PAUSE_S)
            self._end_idle(now)

    def _end_idle(self, now: float) -> None:
        """Groups whose units still run although nobody has touched them for long are read to their end."""
        for group in self.registry.idle(now - self._config.tail.idle_after_s):
            group.running = False
            self._mark(group)

    async def _rescan_all(self) -> None:
        """Walks every root: at once, and then every so often."""
        while True:
            await self._discover()
            await anyio.sleep(self._config.tail.rescan_all_s)

    async def _await_roots(self) -> None:
        """Notices soon when a root comes into being, and watches it: an agent's first session counts too."""
        known = set(self._existing())
        while True:
            await anyio.sleep(ROOTS_EVERY_S)
            existing = set(self._existing())
            for agent, root in existing & known:
                if SOURCES[agent].polled:
                    await self._discover_root(agent, root)
            if existing != known:
                self._rewatch.set()
                await anyio.sleep(ROOTS_EVERY_S)  # so that the watch stands before the walk begins
                for agent, root in existing - known:
                    await self._discover_root(agent, root)
            known = existing

    async def _poll_databases(self) -> None:
        """Asks each open database whether somebody committed to it, which costs microseconds."""
        while True:
            await anyio.sleep(self._config.tail.poll_database_s)
            for group in list(self._resident.values()):
                with suppress(OSError):
                    if group.reader is not None and not group.busy and group.reader.changed():
                        await self._look_around(group)
                        self._mark(group)

    async def _look_around(self, group: Group) -> None:
        """A database changed: files beside it (dumps of failed requests, say) may be new."""
        roots = {self.registry.files[path].root for path in group.files if path in self.registry.files}
        for root in roots:
            await self._discover_root(group.agent, root)


def _has_database(group: Group) -> bool:
    return "database" in group.files.values()

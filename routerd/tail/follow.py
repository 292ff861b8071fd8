"""
The tail: finds the logs, has them read, and follows what is written next.

Watching is a hint, rescanning is the truth: every path that a watch names is looked at, and every path is looked at
again after a while whether or not it was named. A root where rescanning finds what no hint named is said to be polled.
"""

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

import anyio
import anyio.to_thread
import structlog
import watchfiles
from watchfiles._rust_notify import WatchfilesRustInternalError

from routerd.config import Config
from routerd.sources import SOURCES
from routerd.sources.base import Claim
from routerd.tail.checkpoint import Stat
from routerd.tail.discover import elsewhere, entered, find, obstacle, roots_of
from routerd.tail.files import head_of, look
from routerd.tail.group import DescribeFn
from routerd.tail.reading import SLICE_PAUSE_S, Deliver, Reading, has_database
from routerd.tail.registry import Group, Known, Registry, RootStatus

log = structlog.get_logger(__name__)

ROOTS_EVERY_S = 0.5
"""How often a missing root is looked for, and one that is polled is walked: its `enters` keeps that to a few places."""
RECENT_S = 86_400.0
LOOKS_MAX = 500
"""So many watched files are looked at in one rescan: 3 ms, which every 3 s is 0.1 % of a processor."""


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
        self._roots = list(roots_of(config, env))
        self._modes = dict.fromkeys((root for _, root in self._roots), "poll")
        self.registry = Registry(agent for agent, _ in self._roots)
        self.reading = Reading(config, self.registry, describe=describe, deliver=deliver)
        self._rewatch = anyio.Event()
        self._appeared: set[tuple[str, str, str]] = set()
        self._wake_walk = anyio.Event()
        self._unhinted: set[str] = set()
        self._recent: tuple[list[str], list[str]] = [], []
        self._recent_is_old = True
        self._watched_left: list[str] = []
        self._pass_denied = False
        self.discovered = anyio.Event()

    # --- what a person may ask -------------------------------------------------------------------------------------

    def places(self) -> list[tuple[str, str, bool]]:
        """Agent, root, and whether it exists: where was looked."""
        return [(agent, root, os.path.exists(root)) for agent, root in self._roots]

    def status(self) -> list[RootStatus]:
        """A line for each root that exists."""
        return [self.registry.status(agent, root, self._modes[root]) for agent, root in self._existing()]

    def _existing(self) -> list[tuple[str, str]]:
        return [(agent, root) for agent, root, exists in self.places() if exists]

    # --- the two ways to run ---------------------------------------------------------------------------------------

    async def catch_up(self) -> None:
        """Reads all that is there, and returns."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.reading.run)
            await self._discover()
            self._end_idle(time.time())
            await self.reading.settled()
            tasks.cancel_scope.cancel()

    async def follow(self) -> None:
        """Reads what is there and follows what is written, until cancelled."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.reading.run)
            tasks.start_soon(self._rescan_recent)
            tasks.start_soon(self._rescan_all)
            tasks.start_soon(self._walk_appeared)
            tasks.start_soon(self._await_roots)
            tasks.start_soon(self._poll_databases)
            if self._config.tail.watch:
                tasks.start_soon(self._watch)
                tasks.start_soon(self._end_watch)

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
        """Walks every root; what was known and is not found is looked at too, for it may have moved away."""
        seen: set[str] = set()
        for agent, root in self._roots:
            seen |= await self._discover_root(agent, root)
        await self._look_at([path for path in self.registry.files if path not in seen], set())
        self.discovered.set()

    async def _discover_root(self, agent: str, root: str, below: str | None = None) -> set[str]:
        if (reason := obstacle(agent, root)) is not None:
            self.reading.cannot(agent, root, reason)
        else:
            self.reading.unreadable.pop(root, None)
        # Claims are worth remembering where a file must be looked into; a polled root is walked too often for that.
        known = {} if SOURCES[agent].polled or below else self.registry.claims(agent)
        found = await anyio.to_thread.run_sync(find, agent, root, known, below)
        for number, (path, claim, stat) in enumerate(found):
            self._notice(agent, root, path, claim, stat)
            if number % 200 == 199:
                await anyio.sleep(SLICE_PAUSE_S)
        return {path for path, _, _ in found}

    def _hint(self, path: str) -> None:
        """A watch names a path: look at it. It tells of a change, be it that a rescan found that just before."""
        was_found = path in self._unhinted
        self._unhinted.discard(path)
        known = self.registry.files.get(path)
        if known is not None:
            if self._look_again(path, known) or was_found:
                self._follow_by("watch", known.root)
            return
        for agent, root in self._roots:
            if path.startswith(root + os.sep) and self._is_news(agent, root, path):
                return

    def _is_news(self, agent: str, root: str, path: str) -> bool:
        """
        A path below a root that was not known: whether it is a file of the agent.

        A directory is walked soon. The watch on it came after it was made, so what was put into it at once has no hint.
        """
        if os.path.isdir(path):
            if entered(agent, root, path):
                self._appeared.add((agent, root, path))
                self._wake_walk.set()
            return False
        claim = SOURCES[agent].claim(root, path, lambda: head_of(path))
        if claim is None or (stat := look(path, claim.kind)) is None:
            return False
        self._notice(agent, root, path, claim, stat)
        return True

    async def _look_at(self, paths: Sequence[str], changed: set[str]) -> None:
        """Looks at known files again, a few at a time; what had changed goes to `changed` at once."""
        for number, path in enumerate(paths):
            if (known := self.registry.files.get(path)) is not None and self._look_again(path, known):
                changed.add(path)
            if number % 200 == 199:
                await anyio.sleep(SLICE_PAUSE_S)

    def _look_again(self, path: str, known: Known) -> bool:
        """Whether a known file is not as it was when last looked at."""
        before, stat = known.stat, look(path, known.claim.kind)
        if stat == before == known.taken:
            return False  # as nearly all are: 5,000 of them every 3 s
        if stat is None:
            self._lose(path)
            return True
        self._notice(known.agent, known.root, path, known.claim, stat)
        return stat != before

    def _notice(self, agent: str, root: str, path: str, claim: Claim, stat: Stat) -> None:
        self._recent_is_old = True
        if (group := self.registry.notice(agent, root, path, claim, stat)) is not None:
            self.reading.mark(group)

    def _lose(self, path: str) -> None:
        group = self.registry.lose(path)
        self.reading.unreadable.pop(path, None)
        self.reading.leave(group)

    # --- following -------------------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        """Hints from the kernel; where they cannot be had, rescanning finds everything a little later."""
        tail = self._config.tail
        while True:
            roots = self._watched()
            self._rewatch = anyio.Event()
            if not roots:
                await self._rewatch.wait()
                continue
            self._follow_by("watch", *roots)
            started = time.monotonic()
            try:
                await self._take_hints(roots)
            except* PermissionError:
                # Directories that may not be entered are passed by from now on. Not at first: then the kernel's other
                # reasons to refuse a watch would be passed by as well.
                if self._pass_denied:
                    await anyio.sleep(ROOTS_EVERY_S)
                self._pass_denied = True
            except* (OSError, WatchfilesRustInternalError) as errors:
                reason = str(errors.exceptions[0])
                log.warning("cannot watch, polling instead", error=reason, every_s=tail.rescan_recent_s)
                self._follow_by("poll", *roots)
                # What ended a watch that stood (a name that is no UTF-8, say) need not end the next one.
                stood = time.monotonic() - started > ROOTS_EVERY_S
                with anyio.move_on_after(ROOTS_EVERY_S if stood else tail.rescan_all_s):
                    await self._rewatch.wait()

    def _follow_by(self, mode: str, *roots: str) -> None:
        """From now on; what is polled is looked at whole in every rescan."""
        if any(self._modes.get(root) != mode for root in roots):
            self._modes.update(dict.fromkeys(roots, mode))
            self._watched_left, self._recent_is_old = [], True

    async def _end_watch(self) -> None:
        """At the end the watch is told so: it waits in a thread, which nobody can cancel, up to 5 s for a change."""
        try:
            await anyio.sleep_forever()
        finally:
            self._rewatch.set()

    async def _take_hints(self, roots: Sequence[str]) -> None:
        """
        Looks where the kernel says that something was written, until the roots are to be watched anew.

        Raises:
            OSError: The watch cannot be had, alone or in a group.
            WatchfilesRustInternalError: Likewise.
        """
        tail = self._config.tail
        async for changes in watchfiles.awatch(
            *roots,
            watch_filter=None,
            debounce=tail.debounce_ms,
            step=tail.step_ms,
            stop_event=self._rewatch,
            recursive=True,
            ignore_permission_denied=self._pass_denied,
        ):
            for _, path in changes:
                self._hint(path)

    async def _walk_appeared(self) -> None:
        """Walks directories that hints named."""
        while True:
            while self._appeared:
                agent, root, directory = self._appeared.pop()
                await self._discover_root(agent, root, directory)
            self._wake_walk = anyio.Event()
            await self._wake_walk.wait()

    async def _rescan_recent(self) -> None:
        """Looks at what was written to within a day."""
        while True:
            await anyio.sleep(self._config.tail.rescan_recent_s)
            await self._doubt_watches()
            self._unhinted.clear()
            await self._look_at(self._in_turn(time.time()), self._unhinted)
            self.reading.read_moving()

    def _in_turn(self, now: float) -> list[str]:
        """
        The files that a rescan looks at: those written to within a day.

        Of very many that are watched so many at a time, in turn: what a watch lost is found some rescans later then,
        and the first such find makes it polled, with all that it holds.
        """
        if not self._watched_left:
            if self._recent_is_old:
                self._recent, self._recent_is_old = self._written_since(now - RECENT_S), False
            self._watched_left = self._recent[0]
        turn, self._watched_left = self._watched_left[:LOOKS_MAX], self._watched_left[LOOKS_MAX:]
        return turn + self._recent[1]

    def _written_since(self, at: float) -> tuple[list[str], list[str]]:
        """The files that are watched, and those that are polled."""
        recent = [(path, one.root) for path, one in self.registry.files.items() if one.stat.mtime_ns > at * 1e9]
        watched = {root for root, mode in self._modes.items() if mode == "watch"}
        return [path for path, root in recent if root in watched], [
            path for path, root in recent if root not in watched
        ]

    async def _doubt_watches(self) -> None:
        """Where the last rescan found changes that no hint has named since, hints are lost: the root is walked."""
        roots = {(known.agent, known.root) for path in self._unhinted if (known := self.registry.files.get(path))}
        for agent, root in roots:
            if self._modes.get(root) == "watch":
                log.info("changes come without hints: polling", agent=agent, root=root)
                self._follow_by("poll", root)
            await self._discover_root(agent, root)

    def _end_idle(self, now: float) -> None:
        """Groups whose units still run although nobody has touched them for long are read to their end."""
        for group in self.registry.idle(now, self._config.tail.idle_after_s):
            group.running = False
            self.reading.mark(group)

    async def _rescan_all(self) -> None:
        """Walks every root, and ends what has fallen idle: at once, and then every so often."""
        while True:
            await self._discover()
            self._end_idle(time.time())
            await anyio.sleep(self._config.tail.rescan_all_s)
            self.reading.again()
            await self.reading.check()

    def _watched(self) -> list[str]:
        """The directories that are to be watched; a root that is a file is looked at often enough."""
        return [root for agent, root in self._existing() if os.path.isdir(root) and not SOURCES[agent].polled]

    def _standing(self) -> set[tuple[str, str, int, int]]:
        """The roots that exist, and which file or directory each is: one made anew under its name is another."""
        found = set()
        for agent, root in self._roots:
            with suppress(OSError):
                stat = os.stat(root)
                found.add((agent, root, stat.st_dev, stat.st_ino))
        return found

    async def _await_roots(self) -> None:
        """Notices soon when a root comes into being, and watches it: an agent's first session counts too."""
        known = self._standing()
        while True:
            await anyio.sleep(ROOTS_EVERY_S)
            standing = self._standing()
            for agent, root, *_ in standing & known:
                if SOURCES[agent].polled:
                    await self._discover_root(agent, root)
            if standing != known:
                self._rewatch.set()
                await anyio.sleep(ROOTS_EVERY_S)  # so that the watch stands before the walk begins
                for agent, root, *_ in standing - known:
                    await self._discover_root(agent, root)
            known = standing

    async def _poll_databases(self) -> None:
        """Asks each open database whether somebody committed to it, which costs microseconds."""
        while True:
            await anyio.sleep(self._config.tail.poll_database_s)
            for group in list(self.reading.resident.values()):
                if group.reader is None or group.busy or not has_database(group):
                    continue
                with suppress(OSError):
                    if group.reader.changed():
                        await self._look_around(group)
                        self.reading.mark(group)

    async def _look_around(self, group: Group) -> None:
        """A database changed: files beside it (dumps of failed requests, say) may be new."""
        roots = {self.registry.files[path].root for path in group.files if path in self.registry.files}
        for root in roots:
            await self._discover_root(group.agent, root)

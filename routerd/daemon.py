"""
Where the parts meet: the only module that knows them all.

    start   lock the state directory · open the core · bind the socket · say READY
    run     the tail reads, the socket answers, belief is refreshed
    stop    no more requests · the tail ends · the writer drains · a last snapshot · the socket file goes
"""

import fnmatch
import os
import secrets
import signal
import socket
import sqlite3
import sys
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, closing, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import anyio
import anyio.abc
import anyio.to_thread
import msgspec
import structlog

from routerd import __version__
from routerd.catalog import Catalog
from routerd.config import Config, ObjectiveConfig, changed_keys, load
from routerd.core import Core, core
from routerd.engine import Engine
from routerd.errors import ConfigError, InvalidParams, Overloaded, RequestError, StoreError
from routerd.events import Decision, DelegateEvent, Outcome, arm_dispatch, event_name
from routerd.nearest import nearest
from routerd.places import config_path
from routerd.records import Record, Report
from routerd.rpc import notify
from routerd.rpc.handlers import Explained, Handlers, Peer
from routerd.rpc.listen import bound, handed_over, locked_state, raise_file_limit
from routerd.rpc.messages import (
    Completions,
    Counts,
    DatabaseState,
    ImportResult,
    Neighbour,
    QueueState,
    ReloadResult,
    SourceState,
    StatusResult,
)
from routerd.rpc.server import serving
from routerd.sources import SOURCES
from routerd.store import reader
from routerd.store.batch import Change, Reported
from routerd.store.database import SCHEMA_VERSION, read_only
from routerd.store.writer import CAPACITY
from routerd.tail.registry import RootStatus

log = structlog.get_logger(__name__)

T = TypeVar("T")

DECISIONS_KEPT = 1024
"""The latest are explained from memory: a decision can be explained as soon as it is answered."""
PAST_LOOKED_AT = 2000
OTHERS_TURN_S = 0.0002
"""One `sleep(0)` would put the next piece of work before a waiting request; a short timer does not."""
SWITCH_S = 0.0005
"""So soon a thread that is at work in Python lets the one that answers go on; Python's own 5 ms would be felt."""
WRITER_STUCK_S = 60.0
"""A full disk or a slow one makes the writer wait and say so; longer than this without a word it hangs."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line and the environment decided."""

    config_path: Path | None
    state_dir: Path
    socket_path: Path
    socket_named: bool = False


def read_config(path: Path | None) -> Config:
    """
    The configuration, checked as far as can be without running.

    Raises:
        ConfigError: It cannot be used.
    """
    config = load(path, frozenset(SOURCES))
    Catalog(config, os.environ).check(None if path is None else str(path))
    return config


class Service:
    """What the handlers cannot do by themselves (`handlers.Ports`)."""

    def __init__(self, parts: Core, settings: Settings) -> None:
        self.pid = os.getpid()
        self.started_at = time.time()
        self._core = parts
        self._settings = settings
        self._recent: OrderedDict[str, Decision] = OrderedDict()
        self._listeners: dict[Peer, frozenset[str]] = {}
        self._looking = anyio.CapacityLimiter(1)
        parts.listeners.append(self._outcome)

    @property
    def engine(self) -> Engine:
        """The engine in force; another one after some reloads."""
        return self._core.engine

    @property
    def catalog(self) -> Catalog:
        """The catalogue in force."""
        return self._core.catalog

    @property
    def objective(self) -> ObjectiveConfig:
        """Of the configuration in force."""
        return self._core.config.objective

    def now(self) -> float:
        return time.time()

    def new_id(self, prefix: str) -> str:
        return f"{prefix}_{int(time.time() * 1000):x}{secrets.token_hex(4)}"

    async def others_turn(self) -> None:
        await anyio.sleep(OTHERS_TURN_S)

    # --- decisions and outcomes -------------------------------------------------------------------------------------

    def decided(self, decision: Decision) -> None:
        self._recent[decision.decision_id] = decision
        while len(self._recent) > DECISIONS_KEPT:
            self._recent.popitem(last=False)
        self._core.writer.put_soon(decision)
        if self._listeners:
            self._tell("decision", decision.at, _decision_event(decision))

    async def commit(self, report: Report) -> Reported:
        return await self._core.writer.commit(report)

    def _outcome(self, change: Change) -> None:
        """An outcome is on disk: whoever listens is told, and a delegation by the agents' own names for it too."""
        record = change.record
        if record is None:
            return
        spawned = record.executor == "delegate" and change.had_ended is None
        if spawned and (record.started_at or record.ended_at or 0.0) >= self.started_at:
            log.info("delegation", **_ran(record), agent=record.agent, session=record.session_id, unit=record.id)
        if not self._listeners:
            return
        event = _outcome_event(record)
        if record.ended:
            self._tell("outcome", time.time(), event)
        if spawned:
            self._tell(DelegateEvent.TASK_SPAWNED, time.time(), event)
        if record.executor == "delegate" and record.ended and not change.had_ended:
            self._tell(_end_of(record), time.time(), event)

    def subscribe(self, peer: Peer, events: list[str] | None) -> list[str]:
        """
        From now on `peer` is told these events.

        Raises:
            InvalidParams: One of them is none.
        """
        events = None if events is None else [event_name(name) for name in events]
        for number, name in enumerate(events or ()):
            if not fnmatch.filter(EVENTS, name):
                reason = f"no such event; known are {', '.join(EVENTS)}"
                raise InvalidParams(f"events[{number}]: {reason}", {"path": f"events[{number}]", "reason": reason})
        wanted = EVENTS if events is None else tuple(name for name in EVENTS if _any_matches(name, events))
        self._listeners[peer] = frozenset(wanted)
        return list(wanted)

    def unsubscribe(self, peer: Peer) -> None:
        """The peer has gone."""
        self._listeners.pop(peer, None)

    def _tell(self, name: str, at: float, members: Mapping[str, Any]) -> None:
        for peer, wanted in list(self._listeners.items()):
            if name in wanted:
                peer.notify({"event": name, "at": at, **members})

    async def watch_sources(self) -> None:
        """Tells those who listen when a root appears, or is watched otherwise, or has caught up."""
        known: dict[tuple[str, str], tuple[str, bool]] = {}
        while True:
            for root in self._core.tail.status() if self._listeners else ():
                state = (root.mode, root.lag_bytes == 0)
                if known.get((root.agent, root.root)) != state:
                    known[root.agent, root.root] = state
                    self._tell("source", time.time(), {"source": msgspec.to_builtins(root)})
            await anyio.sleep(self._core.config.tail.rescan_recent_s)

    # --- what is asked of the past ----------------------------------------------------------------------------------

    async def _look(self, look: Callable[[], T]) -> T:
        """
        What is found in the database, one look at a time: each keeps Python from answering others for a moment.

        Raises:
            Overloaded: The database cannot be read.
        """
        try:
            return await anyio.to_thread.run_sync(look, limiter=self._looking)
        except (StoreError, sqlite3.Error, OSError) as error:
            raise Overloaded(f"the database cannot be read now: {error}") from None

    async def explained(self, decision_id: str) -> Explained | None:
        return await self._look(lambda: self._explained(decision_id))

    def _explained(self, decision_id: str) -> Explained | None:
        with closing(read_only(self._core.path)) as connection:
            decision = self._recent.get(decision_id) or reader.decision(connection, decision_id)
            if decision is None:
                return None
            found = reader.outcome_of(connection, decision_id)
            past = reader.recent(connection, PAST_LOOKED_AT)
        own = None if found is None else found["id"]
        neighbours: list[Neighbour] = nearest(decision.features, [one for one in past if one.id != own])
        return Explained(decision=decision, outcome=_outcome(found), nearest=neighbours)

    async def status(self) -> StatusResult:
        parts = self._core
        counts, completions, nbytes = await self._look(self._counted)
        roots = parts.tail.status()
        return StatusResult(
            version=__version__,
            uptime_s=time.time() - self.started_at,
            sources=_sources(roots, completions),
            counts=Counts(**msgspec.to_builtins(counts)),
            queue=QueueState(pending=parts.writer.pending, capacity=CAPACITY),
            db=DatabaseState(path=str(parts.path), bytes=nbytes, schema=SCHEMA_VERSION),
            policy=parts.engine.policy,
        )

    def _counted(self) -> tuple[reader.Counts, dict[str, dict[str, int]], int]:
        with closing(read_only(self._core.path)) as connection:
            return reader.counts(connection), reader.completions(connection), self._core.path.stat().st_size

    # --- what is changed --------------------------------------------------------------------------------------------

    async def reload(self) -> ReloadResult:
        path = self._settings.config_path or config_path(os.environ)  # a file may have come to its usual place since
        try:
            config = read_config(path)
            changed = changed_keys(self._core.config, config)
            await self._core.reconfigure(config)
        except ConfigError as error:
            log.error("configuration refused, the old one stays in force", reason=str(error))
            raise InvalidParams(str(error), {"path": str(path), "reason": str(error)}) from None
        except (StoreError, sqlite3.Error) as error:
            log.error("outcomes cannot be read, the old configuration stays in force", reason=str(error))
            raise Overloaded(f"the old configuration stays in force: {error}") from None
        log.info("configuration reloaded", path=str(path), changed=changed)
        return ReloadResult(path=None if path is None else str(path), changed=changed)

    async def take(self, paths: list[str]) -> ImportResult:
        before = sum(one.completions for one in self._core.tail.registry.progress.values())
        files = [await self._core.tail.take(path) for path in paths]
        await self._core.tail.reading.settled()
        await self._core.writer.write([])
        after = sum(one.completions for one in self._core.tail.registry.progress.values())
        return ImportResult(files=sum(files), completions=after - before)


# --- the life of a daemon -------------------------------------------------------------------------------------------


async def serve(
    settings: Settings, config: Config, *, on_ready: Callable[[Core], Coroutine[Any, Any, None]] | None = None
) -> None:
    """
    Runs until SIGTERM or SIGINT.

    Args:
        settings: Places.
        config: As read from `settings.config_path`.
        on_ready: Called once the socket answers, beside everything else (a terminal shows the backlog then).

    Raises:
        StoreError: Another daemon runs on the state directory, or the database cannot be used.
        RouterdError: The socket cannot be had.
    """
    with locked_state(settings.state_dir), _socket(settings) as (listening, where):
        async with core(config, settings.state_dir / "routerd.db") as parts:
            service = Service(parts, settings)
            limits = msgspec.structs.replace(
                config.socket, connections_max=raise_file_limit(config.socket.connections_max)
            )
            await parts.load_prices()
            sys.setswitchinterval(SWITCH_S)
            async with anyio.create_task_group() as running:
                async with serving(listening, Handlers(service, service.unsubscribe), limits):
                    for task in (parts.warm, parts.tail.follow, parts.refresh, parts.snapshots, service.watch_sources):
                        running.start_soon(task)
                    running.start_soon(_feed_watchdog, parts)
                    if on_ready is not None:
                        running.start_soon(on_ready, parts)
                    notify.ready(os.environ)
                    log.info("ready", socket=where, database=str(parts.path), version=__version__)
                    await _until_stopped(service)
                    notify.stopping(os.environ)
                    log.info("stopping")
                running.cancel_scope.cancel()


async def once(
    settings: Settings, config: Config, *, show: Callable[[Core], AbstractAsyncContextManager[None]]
) -> None:
    """
    Reads all that the logs hold, and stops; `show` runs while it reads.

    Raises:
        StoreError: As for `serve`.
    """
    with locked_state(settings.state_dir):
        path = settings.state_dir / "routerd.db"
        async with core(config, path) as parts, show(parts), anyio.create_task_group() as tasks:
            tasks.start_soon(parts.warm_to_read)
            await parts.tail.catch_up()
            tasks.cancel_scope.cancel()


async def take_alone(settings: Settings, config: Config, paths: list[str]) -> ImportResult:
    """What `import` does where no daemon runs."""
    with locked_state(settings.state_dir):
        async with core(config, settings.state_dir / "routerd.db") as parts:
            service = Service(parts, settings)
            async with anyio.create_task_group() as reading:
                reading.start_soon(parts.tail.reading.run)
                result = await service.take(paths)
                reading.cancel_scope.cancel()
            return result


@contextmanager
def _socket(settings: Settings) -> Iterator[tuple[socket.socket, str]]:
    """The listening socket and its path: the one that somebody named, else systemd's, else our own."""
    handed = None if settings.socket_named else handed_over(os.environ, os.getpid())
    if handed is None:
        with bound(settings.socket_path) as made:
            yield made, str(settings.socket_path)
    else:
        with handed:
            yield handed, str(handed.getsockname())


async def _until_stopped(service: Service) -> None:
    """Waits for SIGTERM or SIGINT; SIGHUP reads the configuration again."""
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
        async for number in signals:
            if number != signal.SIGHUP:
                return
            notify.reloading(os.environ)
            with suppress(RequestError):  # said in the log; the old configuration stays in force
                await service.reload()
            notify.ready(os.environ)


async def _feed_watchdog(parts: Core) -> None:
    """Tells systemd that the loop turns and the writer, when it has something to write, writes."""
    interval_s = notify.watchdog_interval_s(os.environ, os.getpid())
    while interval_s is not None:
        stuck_s = time.monotonic() - parts.writer.moved_at
        if parts.writer.pending == 0 or stuck_s < WRITER_STUCK_S:
            notify.alive(os.environ)
        await anyio.sleep(interval_s)


EVENTS = ("decision", "outcome", "source", *DelegateEvent)
"""What may be subscribed to, by these names, by an older one or by a pattern such as `delegate.*`. Of a delegation a
log or a report tells the start and the end; the names of what happens in between are accepted, and nothing is sent
under them."""


def _any_matches(name: str, patterns: list[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def _decision_event(decision: Decision) -> dict[str, Any]:
    return {
        "decision_id": decision.decision_id,
        "arm": decision.arm,
        "dispatch": msgspec.to_builtins(decision.dispatch),
        "propensity": decision.propensity,
        "basis": decision.basis,
        "reason": decision.reason,
        "agent": decision.agent,
        "session_id": decision.session_id,
    }


def _outcome_event(record: Record) -> dict[str, Any]:
    return {
        "outcome_id": record.id,
        "decision_id": record.decision_id,
        "agent": record.agent,
        "session_id": record.session_id,
        "scope": record.scope,
        "executor": record.executor,
        "arm": record.arm,
        **_ran(record),
        "asked": msgspec.to_builtins(record.asked),
        "kind": record.kind,
        "succeeded": record.label.value,
        "weight": record.label.weight,
        "signal": record.label.signal,
        "censored": record.censored,
        "wall_time_ms": record.wall_time_ms,
        "cost_usd": record.cost_usd,
        "ended_at": record.ended_at,
    }


def _ran(record: Record) -> dict[str, Any]:
    """What a unit runs on: provider and role are part of the arm, the model is as the log or the client wrote it."""
    arm = arm_dispatch(record.arm)
    effort = record.reasoning_effort
    return {"provider": arm.provider, "model": record.model, "reasoning_effort": effort, "role": arm.role}


def _end_of(record: Record) -> DelegateEvent:
    failed = record.censored is not None or (record.label.value is not None and record.label.value < 0.5)
    return DelegateEvent.TASK_FAILED if failed else DelegateEvent.TASK_COMPLETED


def _outcome(found: dict[str, Any] | None) -> Outcome | None:
    """What became of a decision, as it would have been reported."""
    if found is None or not found["ended"]:
        return None
    return Outcome(
        succeeded=found["succeeded"],
        wall_time_ms=found["wall_time_ms"],
        cost_usd=found["cost_usd"],
        error=found["censored"],
        finished_at=found["ended_at"],
    )


def _sources(roots: list[RootStatus], completions: dict[str, dict[str, int]]) -> list[SourceState]:
    """
    Completions are counted by agent: where one has several roots they are shown with the first, and where its logs are
    gone, or it only reports, without any.
    """
    left = dict(completions)
    found = [
        SourceState(
            agent=root.agent,
            root=root.root,
            mode="watch" if root.mode == "watch" else "poll",
            files=root.files,
            bytes=root.bytes,
            lag_bytes=root.lag_bytes,
            last_event_at=root.last_event_at,
            completions=Completions(**left.pop(root.agent, {"local": 0, "delegate": 0})),
            quarantined=root.quarantined,
        )
        for root in roots
    ]
    gone = SourceState(
        agent="", root="", mode="poll", files=0, bytes=0, lag_bytes=0, last_event_at=None,
        completions=Completions(local=0, delegate=0), quarantined=0,
    )  # fmt: skip
    found += [
        msgspec.structs.replace(gone, agent=agent, completions=Completions(**count)) for agent, count in left.items()
    ]
    return found

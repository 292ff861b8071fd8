"""What `routerd` does, once its flags are read: check, read once, or serve."""

import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import anyio
import msgspec
import structlog
from rich.console import Console

from routerd import daemon
from routerd.cli import logs, summary
from routerd.cli.progress import shown
from routerd.cli.view import console, print_json, size
from routerd.config import Config
from routerd.core import Core
from routerd.daemon import Settings
from routerd.errors import ConfigError
from routerd.places import asked_socket_path, config_path, default_socket_path, state_dir
from routerd.store import reader
from routerd.store.database import read_only
from routerd.summary import tabulate
from routerd.tail.follow import Tail

log = structlog.get_logger(__name__)


def run(
    *, config: Path | None, socket: Path | None, state_dir: Path | None, once: bool, json: bool, check_config: bool
) -> int:
    """
    Runs the daemon, or what the flags ask for instead.

    Raises:
        RouterdError: With the exit code that belongs to it.
    """
    settings = places(config=config, socket=socket, state=state_dir)
    found = daemon.read_config(_existing(settings.config_path))
    logs.configure(found.log)
    _look_for_seed(found)
    if check_config:
        print(f"{settings.config_path or 'the defaults'}: can be used")
        return 0
    if once:
        return anyio.run(_once, settings, found, json)
    anyio.run(_serve, settings, found)
    return 0


def _look_for_seed(config: Config) -> None:
    """A file to begin with that is not there is no reason not to begin: it may come later, or be learnt already."""
    seed = config.cold_start.seed_from
    if seed is not None and not os.path.exists(os.path.expanduser(seed)):
        log.warning("nothing to begin with: there is no such file", key="cold_start.seed_from", path=seed)


def places(*, config: Path | None = None, socket: Path | None = None, state: Path | None = None) -> Settings:
    """Where everything is, from flags and environment."""
    state_path = state_dir(os.environ, state)
    asked = asked_socket_path(os.environ, socket)
    return Settings(
        config_path=config_path(os.environ, config),
        state_dir=state_path,
        socket_path=Path(asked or default_socket_path(os.environ, state_path)),
        socket_named=asked is not None,
    )


def _existing(path: Path | None) -> Path | None:
    """
    The configuration to read.

    Raises:
        ConfigError: One was named that is not there.
    """
    if path is not None and not path.is_file():
        raise ConfigError(f"{path}: there is no such file; leave --config away to run with the defaults")
    return path


async def _once(settings: Settings, config: Config, json: bool) -> int:
    out, status = console(stderr=True), []

    @asynccontextmanager
    async def show(parts: Core) -> AsyncIterator[None]:
        _announce(parts.tail, out)
        started = time.monotonic()
        async with shown(parts.tail.registry.count_left, out):
            yield
        await parts.writer.write([])  # what was read is on disk now
        _read(parts.tail, time.monotonic() - started, out)
        status.append(msgspec.to_builtins(await daemon.Service(parts, settings).status()))

    await daemon.once(settings, config, show=show)
    if json:
        print_json(status[0])
        return 0
    print_summary(settings.state_dir / "routerd.db", console())
    return 0


async def _serve(settings: Settings, config: Config) -> None:
    """On a terminal the backlog is shown, then the table and what to do next; elsewhere there is only the log."""
    out = console(stderr=True)

    async def first_minute(parts: Core) -> None:
        _announce(parts.tail, out)
        started = time.monotonic()
        async with shown(parts.tail.registry.count_left, out):
            await parts.tail.discovered.wait()
            await parts.tail.reading.settled()
        await parts.writer.write([])
        _read(parts.tail, time.monotonic() - started, out)
        print_summary(parts.path, out)
        out.print(NEXT.format(socket=settings.socket_path), style="dim", soft_wrap=True)

    await daemon.serve(settings, config, on_ready=first_minute if sys.stderr.isatty() else None)


NOTHING = """
If they are elsewhere, say so in the configuration: [sources.<agent>] roots = [...]; see config/routerd.toml.
To see what routerd is like with made-up tasks: routerctl demo"""
NEXT = """
Listening on {socket}
It goes on reading what your agents write. Next, in another terminal:
  routerctl savings                       what another choice would have saved
  routerctl recommend "fix the parser"    which model would win for a task, and why
  routerctl events                        tasks and decisions as they come
Stop it with Ctrl-C."""


def _announce(tail: Tail, out: Console) -> None:
    there = [(agent, root) for agent, root, exists in tail.places() if exists]
    for agent, root in there:
        out.print(f"reading {agent} in {root}", style="dim")


def _read(tail: Tail, took_s: float, out: Console) -> None:
    progress = tail.registry.progress.values()
    files = sum(one.files for one in progress)
    done = sum(one.bytes_read for one in progress)
    out.print(f"{files} files known, {size(done)} read in {took_s:.1f} s", style="dim")
    if not files:
        out.print("no logs of an agent were found; these places were looked at:")
        for agent, root, exists in tail.places():
            out.print(f"  {agent:12} {root}{'' if exists else '  (not there)'}")
        out.print(NOTHING)
    for path, reason in list(tail.reading.unreadable.items())[:5]:
        out.print(f"cannot be read: {path}: {reason}")


def print_summary(path: Path, out: Console) -> None:
    """Prints the first table, or that there is nothing to put into it."""
    with closing(read_only(path)) as connection:
        lines = tabulate(reader.summaries(connection))
    if not lines:
        out.print("no task has ended yet, so there is no table; one comes with the first (`routerctl status`)")
        return
    summary.show(lines, out)

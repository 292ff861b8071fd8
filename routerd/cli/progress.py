"""The backlog while it is read: a bar for each agent on a terminal, a line now and then elsewhere."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio
import structlog
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, TaskID, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.progress import Progress as Bars

from routerd.cli.view import size
from routerd.tail.registry import Progress

log = structlog.get_logger(__name__)

EVERY_S = 0.25
LINE_EVERY_S = 10.0


@asynccontextmanager
async def shown(progress: Callable[[], dict[str, Progress]], to: Console) -> AsyncIterator[None]:
    """Shows how reading gets on while the block runs; `progress` gives it by agent."""
    async with anyio.create_task_group() as tasks:
        if to.is_terminal:
            with _bars(to) as bars:
                tasks.start_soon(_update, progress, bars)
                try:
                    yield
                finally:
                    tasks.cancel_scope.cancel()
        else:
            tasks.start_soon(_lines, progress)
            try:
                yield
            finally:
                tasks.cancel_scope.cancel()


def _bars(to: Console) -> Bars:
    return Bars(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(compact=True),
        TextColumn("{task.fields[files]} files, {task.fields[done]} tasks"),
        console=to,
        transient=True,
    )


async def _update(progress: Callable[[], dict[str, Progress]], bars: Bars) -> None:
    known: dict[str, TaskID] = {}
    while True:
        _draw(progress(), bars, known)
        await anyio.sleep(EVERY_S)


def _draw(progress: dict[str, Progress], bars: Bars, known: dict[str, TaskID]) -> None:
    for agent, one in progress.items():
        total = one.bytes_read + one.bytes_left
        if not total:
            continue
        if agent not in known:
            known[agent] = bars.add_task(agent, total=total, files=0, done=0)
        bars.update(known[agent], total=total, completed=one.bytes_read, files=one.files, done=one.completions)


async def _lines(progress: Callable[[], dict[str, Progress]]) -> None:
    begun = time.monotonic()
    while True:
        await anyio.sleep(LINE_EVERY_S)
        agents = progress().values()
        left = sum(one.bytes_left for one in agents)
        done = sum(one.bytes_read for one in agents)
        if not left:
            continue
        rate = done / (time.monotonic() - begun)
        log.info(
            "reading logs",
            read=size(done),
            left=size(left),
            rate=f"{size(rate)}/s",
            left_s=round(left / rate) if rate else None,
            tasks=sum(one.completions for one in agents),
        )

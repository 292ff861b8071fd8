from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from blockbuster import blockbuster_ctx

from routerd.config import SocketConfig
from routerd.rpc.listen import bound
from routerd.rpc.server import serving
from tests.rpc.fake import Daemon, FakeHandlers

Start = Callable[..., AbstractAsyncContextManager[Daemon]]


@pytest.fixture(autouse=True)
def _nothing_blocks_the_loop() -> Iterator[None]:
    with blockbuster_ctx("routerd"):
        yield


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Start]:
    """Serves a fake's answers on a real socket; arguments are those of `SocketConfig`, and `stop` for `serving`."""
    path = tmp_path / "s"
    with bound(path) as socket:

        @asynccontextmanager
        async def start(stop: dict[str, float] | None = None, **limits: Any) -> AsyncIterator[Daemon]:
            handlers = FakeHandlers()
            times = {"grace_s": 0.0, "deadline_s": 5.0, **(stop or {})}
            async with serving(socket, handlers, SocketConfig(**limits), **times) as server:
                yield Daemon(handlers, server, path)

        yield start

from collections.abc import AsyncIterator

import pytest

from tests.store.bench import Bench


@pytest.fixture
async def bench(anyio_backend: str) -> AsyncIterator[Bench]:
    async with Bench.fresh() as fresh:
        yield fresh

"""What every test may use."""

import pytest


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The daemon runs on anyio's asyncio backend, which aiosqlite needs."""
    return "asyncio"

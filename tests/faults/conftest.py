"""One daemon that lives through most of the faults, one after the other, whatever their order."""

import itertools
import re
from collections.abc import Iterator

import pytest

from tests.faults.logs import Logs, place_of, without_privileges
from tests.harness import Daemon

_numbers = itertools.count()


@pytest.fixture(scope="session")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    place = place_of(tmp_path_factory.mktemp("followed"))
    with place.daemon(under=without_privileges()) as daemon:
        yield daemon


@pytest.fixture
def logs(followed: Daemon, request: pytest.FixtureRequest) -> Logs:
    """A directory of its own for each test."""
    return Logs(followed.place, f"{next(_numbers)}-{re.sub(r'[^a-z0-9_]+', '-', request.node.name)}", followed)

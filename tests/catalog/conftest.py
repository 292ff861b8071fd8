"""Catalogues for the tests of the catalogue."""

from collections.abc import Callable, Mapping

import pytest

from routerd.catalog import Catalog
from routerd.config import decode

Make = Callable[..., Catalog]


def make_catalog(text: str = "", env: Mapping[str, str] | None = None) -> Catalog:
    """A catalogue of a configuration in TOML, which is not checked."""
    return Catalog(decode(text, "routerd.toml", frozenset()), {} if env is None else env)


@pytest.fixture(scope="session", autouse=True)
def _price_library() -> None:
    """Imports it now: half a second in the middle of a test looks like a slow test."""
    make_catalog().list_price("anthropic", "claude-opus-5")


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    """The catalogue of an empty configuration and an empty environment."""
    return make_catalog()


@pytest.fixture(scope="session")
def make() -> Make:
    """Makes a catalogue of a configuration in TOML."""
    return make_catalog

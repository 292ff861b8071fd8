"""The logs that routerd can read. To add one: a file beside this, a line in `SOURCES`, a fixture in tests/sources."""

from routerd.sources.base import Source

SOURCES: dict[str, Source] = {}

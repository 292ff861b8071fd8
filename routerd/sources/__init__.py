"""The logs that routerd can read. To add one: a file beside this, a line in `SOURCES`, a fixture in tests/sources."""

from routerd.sources import codex, copilot, gemini, hermes, opencode, pi
from routerd.sources.base import Source

SOURCES: dict[str, Source] = {
    "codex": codex.SOURCE,
    "opencode": opencode.SOURCE,
    "gemini": gemini.SOURCE,
    "copilot": copilot.SOURCE,
    "pi": pi.SOURCE,
    "hermes": hermes.SOURCE,
}

"""The logs that routerd can read. To add one: a file beside this, a line in `SOURCES`, a fixture in tests/sources."""

from routerd.sources import claude_code, codex, copilot, gemini, hermes, jsonl, opencode, pi
from routerd.sources.base import Source

SOURCES: dict[str, Source] = {
    "claude-code": claude_code.SOURCE,
    "codex": codex.SOURCE,
    "opencode": opencode.SOURCE,
    "gemini": gemini.SOURCE,
    "copilot": copilot.SOURCE,
    "pi": pi.SOURCE,
    "hermes": hermes.SOURCE,
    "jsonl": jsonl.SOURCE,
}

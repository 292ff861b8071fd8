"""How success is read from a trace: one table of signals, and the small memory that picks the strongest.

"Completed" means only that the model stopped, so it is a weak label. The strongest thing a log holds is the exit code
of the last test or build after the last edit; below it comes what the person did next, where that is plain, and how
the unit ended. What an agent says about its own work is never evidence.

Weights are relative to an explicit report (1). They rank the signals as `WEIGHTS` lists them; the sizes are judgement,
not measurement, and the configuration may replace them.
"""

import re
from typing import Final, Literal

from routerd.events import UNKNOWN, Label, Signal

WEIGHTS: Final[dict[Signal, float]] = {
    "report": 1.0,
    "feedback": 1.0,
    "test": 0.9,
    "verification": 0.8,
    "next_message": 0.5,
    "budget": 0.5,
    "empty": 0.5,
    "interrupted": 0.3,
    "dangling": 0.0,
    "completed": 0.2,
    "unknown": 0.0,
}

VALUES: Final[dict[Signal, float | None]] = {
    "budget": 0.0,
    "empty": 0.0,
    "interrupted": 0.0,
    "dangling": None,
    "completed": 1.0,
    "unknown": None,
}
"""What an end says by itself; the other signals carry their own value."""

End = Literal["completed", "interrupted", "dangling", "empty", "budget", "unknown"]

# Programs whose exit code judges the work. Names of programs, not words of a language.
_CHECKER: Final = r"""
        (?:(?:sudo|time|env|command|nice|timeout\s+\S+|uv\s+run|poetry\s+run|pdm\s+run|hatch\s+run|pipenv\s+run|npx|bunx
            |pnpm\s+exec|mise\s+exec\s+--|python[\d.]*\s+-m|\w+=\S*)\s+)*   # what may stand before it
        (?:[\w./~-]*/)?                              # its path
        (?:pytest|py\.test|tox|nox|unittest|go\s+(?:test|build|vet)|cargo\s+(?:test|nextest|build|check|clippy)
          |(?:npm|pnpm|yarn|bun)\s+(?:run\s+)?(?:test|build|lint|typecheck|check)[\w:-]*|jest|vitest|mocha|playwright\s+test
          |make|gmake|ninja|cmake\s+--build|ctest|bazel\s+(?:test|build)|mvn|gradle|gradlew|sbt|dotnet\s+(?:test|build)
          |tsc|mypy|pyright|ruff|eslint|golangci-lint|rspec|rake|phpunit|mix\s+(?:test|compile)|swift\s+(?:test|build)
          |xcodebuild|zig\s+(?:build|test)|dune\s+(?:test|build)|stack\s+(?:test|build)|cabal\s+(?:test|build)
          |mise\s+run\s+[\w:-]*(?:test|build|lint|check)[\w:-]*|just\s+[\w:-]*(?:test|build|lint|check)[\w:-]*
          |scripts?/(?:test|check|build)|(?:test|check|build)\.sh)
        (?=$|[\s;&|)])"""
_FIRST: Final = re.compile(_CHECKER, re.VERBOSE)
_LATER: Final = re.compile(rf"[;&|(]\s*{_CHECKER}", re.VERBOSE)
"""Two patterns, because one that begins with a character is looked for twice as fast as one that may begin bare."""

_PIPED: Final = re.compile(r"\|(?!\|)|\|\|\s*(?:true|:)\b|;\s*\S")
"""The exit code is not the checker's: it is piped away, forgiven, or followed by another command."""


def is_check(command: str) -> bool:
    """Whether the exit code of a shell command is the verdict of a test, build or lint run."""
    command = command[:4096]
    found = _FIRST.match(command) or _LATER.search(command)
    return found is not None and _PIPED.search(command, found.end()) is None


class Trace:
    """What one unit did, as far as it bears on success: edits, checks, and how it ended.

    Feed it in the order of the log; `label` may be asked at any time.
    """

    __slots__ = ("check", "restated", "verified")

    def __init__(self) -> None:
        self.check: bool | None = None
        self.verified: bool | None = None
        self.restated: bool | None = None

    def edited(self) -> None:
        """A file was changed: earlier checks say nothing any more."""
        self.check = None
        self.verified = None

    def checked(self, passed: bool) -> None:
        """A test or build ran to its end."""
        self.check = passed

    def verification(self, passed: bool) -> None:
        """The agent's own record of a verification."""
        self.verified = passed

    def next_message(self, accepted: bool) -> None:
        """The next human message said plainly whether it was what was wanted."""
        self.restated = not accepted

    def label(self, end: End) -> Label:
        """The strongest signal there is."""
        if self.check is not None:
            return judged("test", self.check)
        if self.verified is not None:
            return judged("verification", self.verified)
        if self.restated is not None:
            return judged("next_message", not self.restated)
        return Label(VALUES[end], WEIGHTS[end], end) if end != "unknown" else UNKNOWN


def judged(signal: Signal, passed: bool) -> Label:
    """The label of a signal that says yes or no."""
    return Label(1.0 if passed else 0.0, WEIGHTS[signal], signal)

"""The daemon's own log: on stderr, pretty on a terminal, JSON lines elsewhere (journald keeps them as they are)."""

import logging
import sys
from contextlib import suppress
from typing import TextIO

import structlog

from routerd.config import LogConfig


class Quiet:
    """Writes lines to a file; where that cannot be done (a full disk, a reader that is gone) they are lost."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def msg(self, message: str) -> None:
        """One line."""
        with suppress(OSError, ValueError):
            self._file.write(message + "\n")
            self._file.flush()

    log = debug = info = warning = error = critical = msg


def configure(config: LogConfig) -> None:
    """Sets structlog up; nothing of a prompt or a credential is ever logged."""
    pretty = config.format == "pretty" or (config.format == "auto" and sys.stderr.isatty())
    level = logging.getLevelNamesMapping()[config.level.upper()]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%H:%M:%S" if pretty else "iso", utc=not pretty),
            structlog.processors.format_exc_info,
            # Plain tracebacks: the pretty ones show local variables, and those may hold a prompt.
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
            if pretty
            else structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: Quiet(sys.stderr),
        cache_logger_on_first_use=True,
    )

"""`routerctl`: everything that a person or a script asks of routerd."""

import sys


def main() -> int:
    """The entry point. What takes long to import is imported only by the verbs that need it."""
    from routerd.cli.app import run  # noqa: PLC0415

    return run(sys.argv[1:])

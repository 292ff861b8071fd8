"""`routerctl`: everything that a person or a script asks of routerd."""

import sys


def main() -> int:
    """The entry point. What takes long to import is imported only by the verbs that need it."""
    verb, *arguments = sys.argv[1:] or [""]
    if verb in ("hook", "statusline") and not {"--help", "-h"} & set(arguments):  # an agent waits for these
        if verb == "hook":
            from routerd.integrations.hook import main as said  # noqa: PLC0415
        else:
            from routerd.integrations.statusline import main as said  # noqa: PLC0415
        return said(arguments)
    from routerd.cli.app import run  # noqa: PLC0415

    return run(sys.argv[1:])

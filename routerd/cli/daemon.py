"""`routerd`: the daemon in the foreground, or with `--once` a single reading of what the logs hold."""

import os
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from routerd import __version__
from routerd.cli.app import guarded

app = App(
    name="routerd",
    version=f"routerd {__version__}",
    exit_on_error=False,
    print_error=False,
    result_action="return_value",
)


@app.default
def routerd(
    *,
    config: Path | None = None,
    socket: Path | None = None,
    state_dir: Path | None = None,
    once: Annotated[bool, Parameter(negative=())] = False,
    json: Annotated[bool, Parameter(negative=())] = False,
    check_config: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Learns from your agents' logs which model should do the next task, and answers on a Unix socket.

    It needs no configuration, follows what the agents go on writing, and is stopped with Ctrl-C or SIGTERM. SIGHUP has
    it read its configuration again. `routerctl` asks it.

    Example: routerd --once

    Parameters
    ----------
    config: Path
        Configuration file; none is needed.
    socket: Path
        Where to listen.
    state_dir: Path
        Where the database lies.
    once: bool
        Read all that the logs hold, print a table, and stop.
    json: bool
        With --once: print the status as JSON instead of the table.
    check_config: bool
        Say whether the configuration can be used, and stop.
    """
    # The engine's matrices are small: threads of the linear algebra library would only take processors from the agents.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from routerd.cli import serve  # noqa: PLC0415 - numpy and the rest only when they are needed

    return serve.run(config=config, socket=socket, state_dir=state_dir, once=once, json=json, check_config=check_config)


def main() -> int:
    """The entry point."""
    return guarded("routerd", lambda: app(sys.argv[1:]))

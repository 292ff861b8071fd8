"""The verbs of `routerctl` and what becomes of their errors."""

import os
import sys
from collections.abc import Callable, Sequence

from cyclopts import App, CycloptsError

from routerd import __version__
from routerd.errors import RouterdError

VERBS = {
    "status": "status:status",
    "recommend": "recommend:recommend",
    "report": "report:report",
    "feedback": "feedback:feedback",
    "explain": "explain:explain",
    "arms": "arms:arms",
    "models": "models:models",
    "resolve": "resolve:resolve",
    "events": "events:events",
    "import": "import_:import_",
    "config": "config:app",
    "privacy": "privacy:privacy",
}
"""Verb, and where it is: a file of this folder and a name in it. A file is imported when its verb is used."""


def build() -> App:
    """The application with every verb."""
    app = App(
        name="routerctl",
        version=__version__,
        help="Ask routerd which model should do a task, tell it how a task went, and see what it has learnt.",
        exit_on_error=False,
        print_error=False,
        result_action="return_value",
        help_on_error=False,
    )
    for verb, place in VERBS.items():
        app.command(f"routerd.cli.{place}", name=verb)
    return app


def run(argv: Sequence[str]) -> int:
    """Runs one verb; errors become one line on stderr and the exit code of the contract."""
    return guarded("routerctl", lambda: build()(list(argv)))


def guarded(program: str, call: Callable[[], object]) -> int:
    """Calls `call` and turns what routerd expects to go wrong into a line and an exit code."""
    try:
        result = call()
    except CycloptsError as error:
        return _say(program, f"{error} (see {program} --help)", 2)
    except RouterdError as error:
        return _say(program, str(error), error.exit_code)
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output has had enough
        return 0
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if "ROUTERD_DEBUG" in os.environ:
            raise
        kind = type(error).__name__
        return _say(program, f"internal error ({kind}: {error}); set ROUTERD_DEBUG=1 to see where, and report it", 70)
    return result if isinstance(result, int) else 0


def _say(program: str, message: str, code: int) -> int:
    line = " ".join(message.split())
    print(f"{program}: {line}", file=sys.stderr)
    return code

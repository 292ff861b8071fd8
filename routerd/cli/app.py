"""The verbs of `routerctl` and what becomes of their errors."""

import os
import sys
from collections.abc import Callable, Sequence

from cyclopts import App, CycloptsError

from routerd import __version__
from routerd.errors import RouterdError

VERBS = {
    "status": ("status:status", "What is read, how much is learnt, and whether anything is behind."),
    "recommend": ("recommend:recommend", "Which dispatch wins for this task, and why."),
    "report": ("report:report", "How a task went; returns once that is on disk."),
    "feedback": ("feedback:feedback", "Whether a task went well, whatever the logs say."),
    "explain": ("explain:explain", "What was known, believed and ruled out when a pick was made."),
    "arms": ("arms:arms", "What is believed of each dispatch, and on how much evidence."),
    "models": ("models:models", "Which models there are, how able and how dear. Works without a daemon."),
    "resolve": ("resolve:resolve", "What a model string means, who serves it, which credential it needs."),
    "savings": ("savings:savings", "What another choice would have saved, and what was saved already."),
    "drift": ("drift:drift", "What ran on another model than was asked for, and arms that have changed."),
    "dashboard": ("dashboard:dashboard", "All of that as one page of HTML, to look at in a browser."),
    "metrics": ("metrics:metrics", "Figures for Prometheus, and decisions as OpenTelemetry spans."),
    "demo": ("demo:demo", "Made-up sessions, played through the real readers, to try every verb on."),
    "top": ("top:top", "Decisions and outcomes as they come, and beliefs that narrow; keys forbid or pin an arm."),
    "events": ("events:events", "Decisions and outcomes as they come."),
    "replay": ("replay:replay", "What each policy would have earned on tasks whose outcomes are all known."),
    "import": ("import_:import_", "Outcomes from elsewhere, read once."),
    "sync": ("sync:sync", "A document for every outcome in a Hindsight server, and from there back again."),
    "mcp": ("mcp:mcp", "routerd as tools of an agent that speaks MCP; the agent starts it."),
    "config": ("config:app", "Where the configuration is, whether it can be used, what is in force; a key changed."),
    "hook": ("hook:hook", "What the hooks of Claude Code and Codex run; payload on stdin, answer on stdout."),
    "statusline": ("hook:statusline", "One line on the last pick, for an agent to show."),
    "doctor": ("doctor:doctor", "What would keep routerd from working, each with its remedy."),
    "install": ("install:install", "Have an agent ask routerd, an MCP client know it, or systemd run it."),
    "uninstall": ("install:uninstall", "Take back exactly what install wrote."),
    "privacy": ("privacy:privacy", "What is kept of your work, column by column, and what is not."),
}
"""Verb, where it is (a file of this folder and a name in it), and its line in the list of verbs. A file is imported
when its verb is used."""


def build(*, listed: bool = False) -> App:
    """The application with every verb; `listed` gives each its line instead of its own, longer help."""
    app = App(
        name="routerctl",
        version=__version__,
        help="Ask routerd which model should do a task, tell it how a task went, and see what it has learnt.",
        exit_on_error=False,
        print_error=False,
        result_action="return_value",
        help_on_error=False,
    )
    for verb, (place, line) in VERBS.items():
        app.command(f"routerd.cli.{place}", name=verb, **({"help": line} if listed else {}))
    line = "Print what completes the verbs in bash, zsh or fish."
    app.command("routerd.cli.completion:completion", name="--completion", **({"help": line} if listed else {}))
    return app


def run(argv: Sequence[str]) -> int:
    """Runs one verb; errors become one line on stderr and the exit code of the contract."""
    listed = not argv or argv[0] in ("--help", "-h")
    return guarded("routerctl", lambda: build(listed=listed)(list(argv)))


def guarded(program: str, call: Callable[[], object]) -> int:
    """Calls `call` and turns what routerd expects to go wrong into a line and an exit code."""
    try:
        result = call()
    except CycloptsError as error:
        verb = " ".join([program, *(error.command_chain or ())])
        return _say(program, f"{error} (see {verb} --help)", 2)
    except RouterdError as error:
        return _say(program, str(error), error.exit_code)
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output has had enough
        return 0
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if isinstance(error, ExceptionGroup) and (expected := _expected(error)) is not None:
            return _say(program, str(expected), expected.exit_code)
        if "ROUTERD_DEBUG" in os.environ:
            raise
        kind = type(error).__name__
        return _say(program, f"internal error ({kind}: {error}); set ROUTERD_DEBUG=1 to see where, and report it", 70)
    return result if isinstance(result, int) else 0


def _expected(group: ExceptionGroup[Exception]) -> RouterdError | None:
    """What of some things that went wrong at once routerd expects to; None if something else is among them."""
    known, other = group.split(RouterdError)
    first: Exception | None = known
    while isinstance(first, ExceptionGroup):
        first = first.exceptions[0]
    return first if other is None and isinstance(first, RouterdError) else None


def _say(program: str, message: str, code: int) -> int:
    line = " ".join(message.split())
    print(f"{program}: {line}", file=sys.stderr)
    return code

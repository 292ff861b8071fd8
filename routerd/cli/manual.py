"""The man pages of both programs, from the same words as their help: `python -m routerd.cli.manual DIRECTORY`."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from routerd import __version__
from routerd.cli import daemon
from routerd.cli.app import VERBS, build
from routerd.cli.commands import Command, Flag, commands

PAGES = {
    "routerctl": "ask routerd which model should do a task, tell it how a task went, and see what it has learnt",
    "routerd": "learns from your agents' logs which model should do the next task",
}

RELEASED = "2026-11-21"
"""The date of the pages; it goes with the version."""
EXIT = (
    ("0", "Done."),
    ("1", 'The answer is "no": nothing found, or drift found by drift --check.'),
    ("2", "Bad usage."),
    ("69", "The daemon cannot be reached."),
    ("70", "Internal error."),
    ("78", "Bad configuration."),
)
ENVIRONMENT = (
    ("ROUTERD_CONFIG", "The configuration, instead of $XDG_CONFIG_HOME/routerd/config.toml. None is needed."),
    ("ROUTERD_SOCKET", "The socket, instead of $XDG_RUNTIME_DIR/routerd/routerd.sock or routerd.sock in the state."),
    ("ROUTERD_STATE_DIR", "Where the database lies, instead of $XDG_STATE_HOME/routerd (~/.local/state/routerd)."),
    ("NO_COLOR", "Switches colour off, as a pipe does."),
    ("ROUTERD_DEBUG", "Shows where an internal error comes from."),
)


def page(program: str) -> str:
    """
    A page in the man macros.

    Args:
        program: One of `PAGES`.
    """
    lines = [
        f'.TH {program.upper()} 1 "{RELEASED}" "routerd {__version__}" "User Commands"',
        ".SH NAME",
        rf"{program} \- {_said(PAGES[program])}",
    ]
    lines += _routerctl() if program == "routerctl" else _routerd()
    lines += [".SH EXIT STATUS", *_pairs(EXIT), ".SH ENVIRONMENT", *_pairs(ENVIRONMENT)]
    other = "routerd" if program == "routerctl" else "routerctl"
    lines += [".SH SEE ALSO", rf"\fB{other}\fR(1)"]
    return "\n".join(lines) + "\n"


def _routerctl() -> Iterator[str]:
    found = list(commands(build(), "routerctl"))
    common = [flag for flag in found[0].flags if flag.names[0] in ("--json", "--socket")]
    yield from (".SH SYNOPSIS", r"\fBrouterctl\fR \fIVERB\fR [\fIOPTIONS\fR]", ".SH OPTIONS", "Every verb takes:")
    yield from _flags(common)
    yield from (".TP", r"\fB\-\-help\fR", "What a verb does and takes, with an example.")
    yield from (".TP", r"\fB\-\-completion\fR \fISHELL\fR", "Prints what completes the verbs in bash, zsh or fish.")
    yield ".SH VERBS"
    order = list(VERBS)
    for command in sorted(found, key=lambda one: order.index(one.name.split()[1])):
        yield from _verb(command)


def _routerd() -> Iterator[str]:
    (command,) = commands(daemon.app, "routerd")
    yield from (".SH SYNOPSIS", r"\fBrouterd\fR [\fIOPTIONS\fR]", ".SH DESCRIPTION", *_paragraphs(command.help))
    yield from (".SH OPTIONS", *_flags(command.flags), *_example(command, heading=".SH EXAMPLE"))


def _verb(command: Command) -> Iterator[str]:
    words = [_said(flag.takes) for flag in command.flags if flag.positional]
    yield f".SS {_said(command.name)}{''.join(f' {word}' for word in words)}"
    yield from _paragraphs(command.help)
    yield from _flags([flag for flag in command.flags if flag.names[0] not in ("--json", "--socket")])
    yield from _example(command, heading=".PP")


def _paragraphs(said: Sequence[str]) -> Iterator[str]:
    for number, one in enumerate(said):
        yield from ([".PP"] if number else [])
        yield _said(one)


def _flags(flags: Iterable[Flag]) -> Iterator[str]:
    for flag in flags:
        value = rf" \fI{_said(flag.takes)}\fR" if flag.takes else ""
        names = ", ".join(rf"\fB{_said(name)}\fR" for name in flag.names)
        yield ".TP"
        yield rf"\fI{_said(flag.takes)}\fR" if flag.positional else names + value
        choices = f" One of {', '.join(flag.choices)}." if flag.choices else ""
        yield _said(flag.help + choices)


def _example(command: Command, *, heading: str) -> Iterator[str]:
    if command.example:
        yield from (heading, "Example:", ".PP", ".nf", ".RS")
        yield from (_said(line) for line in command.example.splitlines())
        yield from (".RE", ".fi")


def _pairs(pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
    for name, said in pairs:
        yield from (".TP", rf"\fB{_said(name)}\fR", _said(said))


def _said(text: str) -> str:
    """Words as the macros take them: no escapes, hyphens that can be copied, no line that begins a request."""
    plain = text.replace("`", "").replace("\\", r"\e").replace("-", r"\-")
    return r"\&" + plain if plain[:1] in (".", "'") else plain


def main(directory: str) -> None:
    """Writes both pages into a directory."""
    for program in PAGES:
        Path(directory, f"{program}.1").write_text(page(program), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])

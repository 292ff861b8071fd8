"""All commands with their arguments, as the help shows them: for man pages and whoever else wants the whole list."""

import inspect
import re
from collections.abc import Iterator

import msgspec
from cyclopts import App

EXAMPLE = re.compile(r"^\s*Example:\s*", re.MULTILINE)


class Flag(msgspec.Struct, frozen=True, kw_only=True):
    """An argument: a flag, or a word in its place."""

    names: tuple[str, ...]
    help: str
    required: bool
    positional: bool
    takes: str
    """What stands for its value; empty for a flag that takes none."""
    choices: tuple[str, ...] = ()


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """A program or one of its verbs: what it is for, in paragraphs, and an example."""

    name: str
    help: tuple[str, ...]
    example: str
    flags: tuple[Flag, ...]


def commands(app: App, name: str) -> Iterator[Command]:
    """The commands of an application; of one that only gathers others, the others alone."""
    others = [one for one in app if not one.startswith("-")]
    for other in others:
        yield from commands(app[other], f"{name} {other}")
    if not others:
        yield _command(app, name)


def _command(app: App, name: str) -> Command:
    text = inspect.getdoc(app.default_command) or ""
    said, _, _ = text.partition("\nParameters\n---")
    before, example = said, ""
    if found := EXAMPLE.search(said):
        before, example = said[: found.start()], said[found.end() :]
    paragraphs = tuple(" ".join(one.split()) for one in before.split("\n\n") if one.strip())
    return Command(name=name, help=paragraphs, example=example.strip(), flags=tuple(_flags(app)))


def _flags(app: App) -> Iterator[Flag]:
    for one in app.assemble_argument_collection(parse_docstring=True):
        if not one.show or one.names == ("*",):
            continue
        kind = one.field_info.kind
        positional = kind in (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
        choices = one.get_choices() or ()
        tokens, many = one.token_count()
        word = one.names[0].lstrip("-").replace("-", "_").upper()
        takes = "" if tokens == 0 or one.hint in (bool, bool | None) else word
        yield Flag(
            names=tuple(one.names),
            help=" ".join((one.parameter.help or "").split()),
            required=bool(one.required),
            positional=positional,
            takes=f"{takes} ..." if many and takes else takes,
            choices=tuple(choices),
        )

"""`routerctl import PATH…`: outcomes from elsewhere, read once."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import anyio
import msgspec

from routerd.cli.common import DEFAULTS, Common, ask_or, own_config, show
from routerd.cli.view import console
from routerd.config import LogConfig
from routerd.errors import UsageError
from routerd.sources.jsonl import check_row

BROKEN_SHOWN = 20


def import_(*paths: Path, common: Common = DEFAULTS) -> int:
    """Outcomes from elsewhere, read once: files of rows (.jsonl), or copies of agents' own log directories.

    Rows have the form of docs/outcome rows in routerd/sources/outcome.schema.json. Broken ones are named by line; the
    rest is used. Reading a file again adds nothing.

    Example: routerctl import ./benchmark.jsonl ~/old-laptop/.claude/projects

    Parameters
    ----------
    paths: Path
        Files or directories.
    """
    if not paths:
        raise UsageError("name a file or a directory to import")
    for path in paths:
        if not path.exists():
            raise UsageError(f"{path}: there is no such file or directory")
    answer = taken(paths, common)
    show(answer, common, render)
    return 0 if answer["files"] else 1


def taken(paths: Sequence[Path], common: Common) -> dict[str, Any]:
    """What came of reading files or directories once: by the daemon, or by ourselves where none runs."""
    broken = [line for path in paths if path.is_file() for line in _broken(path)]
    absolute = [str(path.absolute()) for path in paths]

    def alone() -> Any:
        from routerd import daemon  # noqa: PLC0415 - numpy and the rest only when they are needed
        from routerd.cli import logs  # noqa: PLC0415
        from routerd.cli.serve import places  # noqa: PLC0415

        logs.configure(LogConfig(level="warning"))
        return msgspec.to_builtins(anyio.run(daemon.take_alone, places(), own_config(), absolute))

    return {**ask_or("import", {"paths": absolute}, common, alone), "broken": broken}


def _broken(path: Path) -> Iterator[str]:
    """What is wrong with the rows of a file, by line."""
    if path.suffix not in (".jsonl", ".ndjson"):
        return
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if line.strip() and (reason := check_row(line.rstrip(b"\n"))) is not None:
                yield f"{path}: line {number}: {reason}"


def render(answer: dict[str, Any]) -> None:
    """What was read, and what could not be."""
    out = console()
    for line in answer["broken"][:BROKEN_SHOWN]:
        out.print(line)
    if len(answer["broken"]) > BROKEN_SHOWN:
        out.print(f"… and {len(answer['broken']) - BROKEN_SHOWN} more broken rows")
    if not answer["files"]:
        out.print("nothing there is a log that routerd can read")
        return
    out.print(
        f"{answer['files']} files, {answer['completions']} finished tasks learnt, {len(answer['broken'])} rows broken"
    )

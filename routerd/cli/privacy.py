"""`routerctl privacy`: what is kept, and what is not."""

from contextlib import closing
from typing import Any

from routerd.cli.common import DEFAULTS, Common, database_path, own_config, show
from routerd.cli.view import console
from routerd.store.database import read_only
from routerd.store.reader import columns_kept

NEVER = [
    "credentials: none is read, stored or logged; `resolve` only says which variable would hold one, and if it is set",
    "answers of models and contents of files: the logs are read past them",
    "anything over the network: the daemon opens no connection but its own Unix socket",
]


def privacy(*, common: Common = DEFAULTS) -> int:
    """What is kept of your work, column by column, and what is not.

    Example: routerctl privacy --json
    """
    text = own_config().privacy.store_text
    path = database_path()
    tables: dict[str, list[str]] = {}
    if path.exists():
        with closing(read_only(path)) as connection:
            tables = columns_kept(connection)
    answer = {"database": str(path), "exists": path.exists(), "store_text": text, "tables": tables, "never": NEVER}
    return show(answer, common, render)


def render(answer: dict[str, Any]) -> None:
    """A list that can be checked with any SQLite tool."""
    out = console()
    there = "" if answer["exists"] else "  (not there yet)"
    out.print(f"Everything that is kept is in {answer['database']}{there}")
    kept = "kept, with what looks like a credential removed" if answer["store_text"] else "not kept"
    out.print(f"Text of prompts and goals: {kept} (privacy.store_text = {str(answer['store_text']).lower()})")
    out.print("Of a task stay numbers and hashes: kind, lengths, a hash of the repository, 8 numbers of its text.\n")
    for table, columns in answer["tables"].items():
        out.print(f"{table}: {', '.join(columns)}")
    out.print("\nNever kept:")
    for line in answer["never"]:
        out.print(f"- {line}")

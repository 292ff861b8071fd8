"""The database's shape and the statements that are run on it, kept in `.sql` files beside this module."""

import re
from functools import cache
from importlib.resources import files

from routerd.store.rows import OUTCOME_COLUMNS


@cache
def migrations() -> tuple[str, ...]:
    """The scripts that lead from an empty database to the present shape; the n-th leads to `user_version` n."""
    folder = files("routerd.store") / "migrations"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return tuple((folder / name).read_text(encoding="utf-8") for name in names)


@cache
def queries() -> dict[str, str]:
    """The statements of `queries.sql` by name."""
    text = (files("routerd.store") / "queries.sql").read_text(encoding="utf-8")
    text = text.replace("{outcome_columns}", ", ".join(OUTCOME_COLUMNS))
    text = text.replace("{outcome_marks}", ", ".join("?" * len(OUTCOME_COLUMNS)))
    found = re.findall(r"-- name: (\w+)\n(.*?);\n", text + "\n", flags=re.DOTALL)
    return dict(found)

"""`routerctl dashboard`: what history says, as one page of HTML that needs nothing else."""

import os
import time
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter

from routerd import __version__
from routerd.cli import drift, savings
from routerd.cli.common import DEFAULTS, Common, database_path, own_config, show
from routerd.cli.since import since as moment
from routerd.cli.view import console, size
from routerd.config import Config
from routerd.errors import UsageError
from routerd.integrations import writing
from routerd.page.elements import MARK


def dashboard(
    file: Path,
    *,
    since: str = "90d",
    force: Annotated[bool, Parameter(negative=())] = False,
    common: Common = DEFAULTS,
) -> int:
    """What history says, as one page of HTML to look at in a browser. Works without a daemon, and fetches nothing.

    Example: routerctl dashboard routerd.html

    Parameters
    ----------
    file: Path
        Where to write it. A page that this verb wrote is written anew.
    since: str
        For counts, savings and drift: 90d, 12h, 8w, or a date such as 2026-08-01. Belief is from all outcomes.
    force: bool
        Write it even where the file is something else.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    now = time.time()
    begin = moment(since, now)
    path = _place(file, force=force)
    from routerd.page.document import document  # noqa: PLC0415 - numpy and the rest only when they are needed

    figures = reckoned(begin, now, own_config())
    content = document(figures).encode()
    writing.replace(str(path), content)
    answer = {"path": str(path), "bytes": len(content), "figures": msgspec.to_builtins(figures)}
    return show(answer, common, render)


def _place(file: Path, *, force: bool) -> Path:
    """
    Where the page goes, links followed.

    Raises:
        UsageError: There is something that is not ours to overwrite, or no directory.
    """
    path = file.expanduser().resolve()
    if not path.parent.is_dir():
        raise UsageError(f"{file}: there is no directory {path.parent}; make it, or name another file")
    if path.is_dir():
        raise UsageError(f"{file}: is a directory; name a file in it, such as {file / 'routerd.html'}")
    try:
        if not force and path.exists() and not _begins_with(path, MARK.encode()):
            raise UsageError(f"{file}: is something else than a page of this verb; name another file, or say --force")
    except OSError as error:
        raise UsageError(f"{file}: cannot be read: {error.strerror}; name another file, or say --force") from None
    return path


def _begins_with(path: Path, mark: bytes) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as content:
        return content.read(len(mark)) == mark


def reckoned(begin: float, now: float, config: Config) -> Any:
    """
    The figures of the page.

    Raises:
        StoreError: There is no database.
    """
    import numpy as np  # noqa: PLC0415

    from routerd.catalog import Catalog  # noqa: PLC0415
    from routerd.cli.belief import engine_of  # noqa: PLC0415
    from routerd.engine import Engine  # noqa: PLC0415
    from routerd.events import Dispatch, arm_id  # noqa: PLC0415
    from routerd.foresight import foresight  # noqa: PLC0415
    from routerd.page.figures import Figures, arms, kinds  # noqa: PLC0415
    from routerd.store import history  # noqa: PLC0415
    from routerd.store.database import read_only  # noqa: PLC0415

    catalog = Catalog(config, os.environ)

    def arm_of(dispatch: Dispatch) -> str:
        return arm_id(catalog.canonical(dispatch))

    with closing(read_only(database_path())) as connection:
        counted, learnt = history.counted(connection, begin), history.learnt(connection)
        engine = engine_of(connection, config, catalog, now)
    shown, more = kinds(lambda kind: engine.arms("default", kind, now), learnt, arm_of)
    return Figures(
        version=__version__,
        since=begin,
        until=now,
        counted=counted,
        arms=arms(engine.arms("default", None, now), learnt, arm_of),
        kinds=shown,
        more_kinds=more,
        foresight=foresight(
            [one.contribution for one in learnt],
            Engine(config, catalog, np.random.default_rng(0)),
            catalog,
            frozenset(config.learning.features),
        ),
        savings=savings.reckoned(begin, now, "incumbent", config),
        drift=drift.found(begin, now),
    )


def render(answer: dict[str, Any]) -> None:
    """Where it is."""
    console().print(f"{answer['path']}: {size(answer['bytes'])}, one page that fetches nothing; open it in a browser")

"""`routerctl metrics`: figures for Prometheus, and decisions as OpenTelemetry spans."""

import os
import re
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from routerd import __version__
from routerd.cli.common import DEFAULTS, Common, ask, database_path, own_config, show
from routerd.cli.since import since as moment
from routerd.cli.view import console
from routerd.errors import UnreachableError, UsageError

_SPAN_ID = re.compile(rb'"spanId":"([0-9a-f]{16})"')


def metrics(*, spans: Path | None = None, since: str = "30d", common: Common = DEFAULTS) -> int:
    """Figures for Prometheus; with --spans, decisions as OpenTelemetry spans. Works without a daemon.

    Example: routerctl metrics > /var/lib/node_exporter/routerd.prom

    Parameters
    ----------
    spans: Path
        Append to this file each decision, and each task that followed one, that it does not hold yet (OTLP/JSON lines).
    since: str
        With --spans: decisions since then; 90d, 12h, 8w, or a date such as 2026-08-01.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if spans is not None:
        answer = {"path": str(spans), "added": _appended(spans, moment(since, time.time()))}
        return show(answer, common, lambda one: console().print(f"{one['path']}: {one['added']} spans added"))
    from routerd.metrics import exposition  # noqa: PLC0415 - numpy and the rest only when they are needed

    samples = _samples(common)
    return show(msgspec.to_builtins(samples), common, lambda _: print(exposition(samples), end=""))


def _samples(common: Common) -> list[Any]:
    from routerd.catalog import Catalog  # noqa: PLC0415
    from routerd.drift import strayed  # noqa: PLC0415
    from routerd.metrics import Sample, of_daemon  # noqa: PLC0415
    from routerd.store import history  # noqa: PLC0415
    from routerd.store.database import SCHEMA_VERSION, read_only  # noqa: PLC0415

    path = database_path()
    with closing(read_only(path)) as connection:
        found = history.samples(connection)
        for one in strayed(history.asked(connection, 0.0), Catalog(own_config(), os.environ)):
            labels = {"agent": one.agent, "executor": one.executor, "asked": one.asked, "ran": one.ran}
            found.append(Sample("routerd_strayed_tasks", labels, one.units))
    found.append(Sample("routerd_build_info", {"version": __version__, "schema": str(SCHEMA_VERSION)}, 1))
    found.append(Sample("routerd_database_bytes", {}, path.stat().st_size))
    try:
        told = of_daemon(ask("status", {}, common), ask("arms", {}, common)["arms"])
    except UnreachableError:
        told = []
    return [*found, Sample("routerd_up", {}, 1 if told else 0), *told]


def _appended(path: Path, begin: float) -> int:
    """Appends the spans that the file does not hold; how many."""
    from routerd.spans import line, spans  # noqa: PLC0415
    from routerd.store import history  # noqa: PLC0415
    from routerd.store.database import read_only  # noqa: PLC0415

    try:
        held = {found.decode() for found in _SPAN_ID.findall(path.read_bytes())} if path.exists() else set()
        with closing(read_only(database_path())) as connection:
            decided = [span for pair in history.decided_tasks(connection, begin) for span in spans(*pair)]
        fresh = [span for span in decided if span["spanId"] not in held]
        with path.open("ab") as file:
            file.writelines(line(span, __version__) + b"\n" for span in fresh)
    except OSError as error:
        raise UsageError(f"--spans {path}: {error.strerror}") from None
    return len(fresh)

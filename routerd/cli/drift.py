"""`routerctl drift`: what was asked for against what ran, and arms that do not perform as they did."""

import os
import time
from contextlib import closing
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter

from routerd.cli.common import DEFAULTS, Common, database_path, own_config, show
from routerd.cli.since import since as moment
from routerd.cli.view import ago, console

SESSIONS_SHOWN = 3


def drift(
    *, since: str = "30d", check: Annotated[bool, Parameter(negative=())] = False, common: Common = DEFAULTS
) -> int:
    """What ran on another model than was asked for, and arms that do not perform as they did.

    Example: routerctl drift --since 8w --check

    Parameters
    ----------
    since: str
        90d, 12h, 8w, or a date such as 2026-08-01. Whether an arm moved is told from all of its outcomes.
    check: bool
        Exit code 1 if anything is found.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    now = time.time()
    begin = moment(since, now)
    answer = {"since": begin, "until": now, **found(begin, now)}
    show(answer, common, render)
    return 1 if check and (answer["strayed"] or answer["moved"]) else 0


def found(begin: float, now: float) -> dict[str, Any]:
    """
    The members of the answer.

    Raises:
        StoreError: There is no database.
    """
    from routerd.catalog import Catalog  # noqa: PLC0415 - numpy and the rest only when they are needed
    from routerd.cli.belief import engine_of  # noqa: PLC0415
    from routerd.drift import MOVED_SE, comparable, moved_arms, strayed  # noqa: PLC0415
    from routerd.store import history  # noqa: PLC0415
    from routerd.store.database import read_only  # noqa: PLC0415

    config = own_config()
    catalog = Catalog(config, os.environ)
    with closing(read_only(database_path())) as connection:
        asked = comparable(history.asked(connection, begin))
        arms = engine_of(connection, config, catalog, now).arms("default", None, now)
    return {
        "asked": len(asked),
        "strayed": msgspec.to_builtins(strayed(asked, catalog)),
        "moved": msgspec.to_builtins(moved_arms(arms)),
        "threshold": MOVED_SE,
    }


def render(answer: dict[str, Any]) -> None:
    """A sentence for each."""
    out = console()
    what = {"local": "turns", "delegate": "delegations"}
    for one in answer["strayed"]:
        extra = one["extra_usd"]
        cost = "" if extra is None else f": ${abs(extra):,.2f} {'more' if extra >= 0 else 'less'} by list price"
        unpriced = f" ({one['unpriced']} cannot be priced)" if one["unpriced"] and extra is not None else ""
        out.print(
            f"{one['agent']}: {one['units']} of {one['of']} {what[one['executor']]} that asked for {one['asked']} "
            f"ran on {one['ran']}{cost}{unpriced}"
        )
        shown = [f"{session['session_id'] or 'no session'} ({session['units']})" for session in one["sessions"]]
        more = f", and {len(shown) - SESSIONS_SHOWN} more" if len(shown) > SESSIONS_SHOWN else ""
        out.print(f"  in {', '.join(shown[:SESSIONS_SHOWN])}{more}", style="dim", soft_wrap=True)
    for one in answer["moved"]:
        way = "worse" if one["drift"] < 0 else "better"
        seen = "" if one["last_seen"] is None else f", last seen {ago(time.time() - one['last_seen'])}"
        out.print(
            f"{one['arm']}: does {way} than it did, by {abs(one['drift']):.1f} standard errors "
            f"({one['n']} outcomes{seen})"
        )
    if not answer["strayed"]:
        none = "nobody asked for a model" if not answer["asked"] else "what was asked for is what ran"
        out.print(f"{none} ({answer['asked']} looked at)")
    if not answer["moved"]:
        out.print(f"no arm is more than {answer['threshold']:g} standard errors from what it was")

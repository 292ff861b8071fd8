"""`routerctl savings`: what another choice would have saved, by what history tells, and what was saved already."""

import os
import shlex
import time
from contextlib import closing
from typing import Any

import msgspec

from routerd.cli.common import DEFAULTS, Common, database_path, own_config, show
from routerd.cli.savings_text import render
from routerd.cli.since import since as moment
from routerd.config import Config
from routerd.errors import UsageError
from routerd.events import arm_dispatch, arm_id
from routerd.integrations.modes import AGENTS

METHOD = {
    "answer": "posterior mean of the effects; 90 % interval by the delta method",
    "audit": "doubly robust, by the chances and expectations that were logged with each decision; 90 % interval",
}


def savings(*, since: str = "90d", against: str = "incumbent", common: Common = DEFAULTS) -> int:
    """What would have been saved on another model, and what was saved already. Works without a daemon.

    Example: routerctl savings --since 90d --against incumbent

    Parameters
    ----------
    since: str
        90d, 12h, 8w, or a date such as 2026-08-01.
    against: str
        The arm to compare with (see `routerctl arms`), or `incumbent`: what an agent uses when routerd does not choose.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    now = time.time()
    begin = moment(since, now)
    answer = reckoned(begin, now, against, own_config())
    show({"since": begin, "until": now, "against": against, **answer}, common, render)
    return 0 if answer["delegations"]["learnt"] else 1


def reckoned(begin: float, now: float, against: str, config: Config) -> dict[str, Any]:
    """
    The members of the answer.

    Raises:
        UsageError: `against` is no arm that can be compared with.
        StoreError: There is no database.
    """
    from routerd.audit import ENOUGH  # noqa: PLC0415 - numpy and the rest only when they are needed
    from routerd.catalog import Catalog  # noqa: PLC0415
    from routerd.cli.belief import engine_of  # noqa: PLC0415
    from routerd.effects import effects  # noqa: PLC0415
    from routerd.reward import worth  # noqa: PLC0415
    from routerd.savings import Question, savings  # noqa: PLC0415
    from routerd.store import history  # noqa: PLC0415
    from routerd.store.database import read_only  # noqa: PLC0415

    catalog = Catalog(config, os.environ)

    def arm_of(dispatch: Any) -> str:
        return arm_id(catalog.canonical(dispatch))

    baseline = None if against == "incumbent" else arm_of(_named(against))
    with closing(read_only(database_path())) as connection:
        counted = history.delegated(connection, begin)
        earliest = history.delegated(connection, 0.0).first_at
        tasks = history.tasks(connection, begin, arm_of, frozenset(config.learning.features))
        decisions = history.decisions(connection, begin, arm_of)
        sums = engine_of(connection, config, catalog, now).sums("default", now)
    found = savings(
        tasks,
        decisions,
        effects(sums.moments, sums.attributes, sums.arms),
        Question(
            against=baseline,
            in_pool=lambda arm: catalog.in_pool(arm_dispatch(arm)),
            prices=worth(config.objective, None),
            gate=config.gate,
        ),
    )
    answer: dict[str, Any] = msgspec.to_builtins(found)
    for line in answer["lines"]:
        line["command"] = command(line)
    return {
        "delegations": {
            "count": counted.count,
            "learnt": len(tasks),
            "censored": counted.censored,
            "first_at": counted.first_at,
            "earliest_at": earliest,
        },
        "delta": config.gate.delta,
        "epsilon": config.gate.epsilon,
        "enough": ENOUGH,
        "method": METHOD,
        **answer,
    }


def _named(against: str) -> Any:
    try:
        dispatch = arm_dispatch(against)
    except ValueError as error:
        raise UsageError(f"--against: {error}; or say `incumbent`") from None
    if dispatch.executor == "local":
        raise UsageError(
            "--against local: the tasks that an agent keeps are not those that it hands on, so they cannot be compared"
        )
    return dispatch


def command(line: dict[str, Any]) -> str | None:
    """
    The one command that applies a line whose verdict is to switch; None where nothing would.

    For all kinds it is the default of delegations; for one kind the agent has to let routerd choose.
    """
    if line["verdict"] != "switch":
        return None
    if line["kind"] is not None:
        return f"routerctl install {line['agent']} --mode enforce" if line["agent"] in AGENTS else None
    dispatch = arm_dispatch(line["candidate"]["arm"])
    keys = {"model": dispatch.model, "provider": dispatch.provider, "reasoning_effort": dispatch.reasoning_effort}
    if dispatch.model is None:
        return None
    values = [shlex.quote(f"delegation.{key}={value}") for key, value in keys.items() if value is not None]
    return " ".join(["routerctl config set", *values])

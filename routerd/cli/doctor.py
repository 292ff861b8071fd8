"""`routerctl doctor`: what would keep routerd from working, each with its remedy."""

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
from rich.text import Text

from routerd.cli.checks import Check, Finding, Ground, agents, kept, problem, running
from routerd.cli.common import DEFAULTS, Common, own_config
from routerd.cli.view import console, print_json
from routerd.client import call
from routerd.config import Config
from routerd.errors import ConfigError, RouterdError
from routerd.integrations.surroundings import here, version_of

ANSWER_WITHIN_S = 2.0
LEVELS = ("problem", "warning", "note")

CHECKS: dict[str, Check] = {
    "configuration": kept.configuration,
    "state directory": kept.state,
    "database": kept.database,
    "daemon": running.listening,
    "service": running.service,
    "logs": kept.logs,
    "watches": kept.watches,
    "variables": agents.variables,
    "modes": agents.modes_,
    "claude-code": agents.claude,
    "codex": agents.codex_,
    "hermes": agents.hermes,
    "mcp": agents.servers,
    "versions": agents.versions,
}
"""To add a check: a function in a file of `cli/checks`, and a line here."""


def doctor(*, common: Common = DEFAULTS) -> int:
    """What would keep routerd from working, each with its remedy. Exit code 1 when there is a problem.

    Example: routerctl doctor --json | jq '.findings[] | select(.level == "problem")'
    """
    ground = look(common)
    findings = [finding for name, check in CHECKS.items() for finding in _careful(name, check, ground)]
    findings.sort(key=lambda one: LEVELS.index(one.level))
    ok = not any(one.level == "problem" for one in findings)
    if common.json:
        print_json({"ok": ok, "checked": list(CHECKS), "findings": msgspec.to_builtins(findings)})
    else:
        _show(findings)
    return 0 if ok else 1


def look(common: Common) -> Ground:
    """What the checks stand on; agents are asked for their versions at once, since each takes a moment."""
    env = dict(os.environ) if common.socket is None else {**os.environ, "ROUTERD_SOCKET": str(common.socket)}
    with ThreadPoolExecutor() as pool:
        asked = {name: pool.submit(version_of, name, env) for name in agents.TESTED}
        versions = {name: one.result() for name, one in asked.items()}
    return Ground(
        here=msgspec.structs.replace(here(env), hermes=versions["hermes"]),
        now=time.time(),
        config=_config(),
        versions=versions,
        hello=_answer("hello", common),
        status=_answer("status", common),
    )


def _config() -> Config:
    try:
        return own_config()
    except ConfigError:
        return Config()


def _answer(method: str, common: Common) -> Any:
    try:
        return call(method, socket=common.socket, timeout_s=ANSWER_WITHIN_S)
    except RouterdError:
        return None


def _careful(name: str, check: Check, ground: Ground) -> Iterator[Finding]:
    """A check that breaks is a finding, and does not take the others with it."""
    try:
        yield from check(ground)
    except Exception as error:
        yield problem(name, f"could not be checked ({type(error).__name__}: {error})", "report it")


def _show(findings: list[Finding]) -> None:
    out = console()
    for one in findings:
        style = {"problem": "bold red", "warning": "yellow", "note": "dim"}[one.level]
        remedy = f": {one.do}" if one.do else ""
        out.print(Text.assemble((f"{one.level:8}", style), f"{one.about}: {one.says}{remedy}"), soft_wrap=True)
    counts = ", ".join(f"{level}s: {sum(one.level == level for one in findings)}" for level in LEVELS)
    out.print(f"{len(CHECKS)} checks; {counts}", style="dim" if findings else "green")

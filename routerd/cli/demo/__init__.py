"""`routerctl demo`: made-up sessions played through the real readers, so that every verb has something to say."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Annotated, Any

from cyclopts import Parameter

from routerd.cli.common import DEFAULTS, Common
from routerd.cli.demo.place import Place, made, place
from routerd.cli.view import console, print_json
from routerd.client import ask
from routerd.errors import RouterdError, UnreachableError

STARTS_WITHIN_S = 60.0
DRAWN_AT_FIRST = 120
"""Decisions that are played before anything is shown: the audit of savings needs some that were drawn by lot."""


def demo(
    *verb: Annotated[str, Parameter(allow_leading_hyphen=True)],
    every_s: float = 4.0,
    common: Common = DEFAULTS,
) -> int:
    """Made-up sessions of Claude Code, Codex and Hermes, played through the real readers to a daemon of their own.

    Runs until Ctrl-C and leaves nothing behind; your logs, your database and a running daemon are not touched. With
    a verb it is run on the demonstration: on the one that runs, or else on one of its own.

    Example: routerctl demo -- savings --since 90d

    Parameters
    ----------
    verb: str
        Another verb of routerctl with its arguments, after `--`.
    every_s: float
        A new task is played every so many seconds.
    """
    where = place(os.environ, common.socket)
    if not verb:
        return _in_the_foreground(where, every_s, common)
    if ask("hello", socket=where.socket, timeout_s=2.0) is not None:
        return _run(where, list(verb))
    said = "no demonstration runs: one is played for this command alone"
    with _running(where, lambda: console(stderr=True).print(said, style="dim")), _played(where, every_s):
        return _run(where, list(verb))


def _in_the_foreground(where: Place, every_s: float, common: Common) -> int:
    """Until somebody has seen enough."""
    out = console(stderr=common.json)
    with _stoppable(), suppress(KeyboardInterrupt), _running(where, lambda: out.print(HEAD)):
        if common.json:
            print_json(_answer(where))
            sys.stdout.flush()
        _table(where)
        out.print(NEXT.format(base=where.base, home=where.home, every=every_s), soft_wrap=True)
        exported = " ".join(f"{name}={value}" for name, value in where.variables().items())
        out.print(f"  export {exported}", soft_wrap=True)
        with _played(where, every_s) as player:
            player.join()
    out.print("\nthe demonstration has ended; nothing of it is left")
    return 0


HEAD = (
    "This is a demonstration. The tasks are made up, and so is how well each model does on them; the reading, the "
    "learning\nand every figure reckoned from them are real. Your own logs are not read."
)
NEXT = """
It goes on: a new task every {every:g} s. In another terminal, any verb on it:
  routerctl demo -- savings                     what another choice would have saved
  routerctl demo -- top                         tasks and beliefs as they come
  routerctl demo -- recommend "Find who reads src/prices.py" --kind explore
  routerctl demo -- drift                       what ran on another model than was asked for
  routerctl demo -- replay {home}/tasks.jsonl --orders 5
Ctrl-C ends it and removes {base}. To have routerctl in a shell use it without `demo --`:"""


def _answer(where: Place) -> dict[str, Any]:
    return {
        "base": str(where.base),
        "home": str(where.home),
        "environment": where.variables(),
        "replay": str(where.home / "tasks.jsonl"),
    }


def _table(where: Place) -> None:
    """The first table, from the demonstration's database."""
    from routerd.cli.serve import print_summary  # noqa: PLC0415 - numpy and the rest only when they are needed

    print_summary(where.state / "routerd.db", console(stderr=True))


def _run(where: Place, verb: list[str]) -> int:
    """Runs a verb where everything leads to the demonstration."""
    from routerd.cli.app import run  # noqa: PLC0415 - it imports the verbs' places

    environment = where.environment(os.environ)
    for name in set(os.environ) - environment.keys():
        del os.environ[name]
    os.environ.update(environment)
    return run(verb)


@contextmanager
def _running(where: Place, announce: Callable[[], object]) -> Iterator[None]:
    """A daemon that has read the past and has decided some tasks; stopped at the end, and everything removed."""
    import numpy as np  # noqa: PLC0415 - most verbs need none of it

    from routerd.cli.demo.playing import Player  # noqa: PLC0415
    from routerd.cli.demo.writing import write  # noqa: PLC0415

    with made(where):
        announce()
        write(where.home, time.time(), np.random.default_rng(SEED))
        with (where.base / "daemon.log").open("wb") as log:
            daemon = subprocess.Popen(
                [sys.executable, "-P", "-m", "routerd.cli.demo.served"],
                env=where.environment(os.environ),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            _wait(where, daemon)
            player = Player(where.home, where.socket, np.random.default_rng(SEED + 1))
            for number in range(DRAWN_AT_FIRST):
                player.one("explore" if number % 3 else None)
            _wait(where, daemon)
            yield
        finally:
            assert daemon.stdin is not None
            daemon.stdin.close()
            daemon.wait()


SEED = 20


def _wait(where: Place, daemon: subprocess.Popen[bytes]) -> None:
    """
    Until the daemon has read everything.

    Raises:
        RouterdError: It ended instead, or takes too long.
    """
    deadline = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < deadline and daemon.poll() is None:
        state = ask("status", socket=where.socket, timeout_s=2.0)
        if state and len(state["sources"]) >= SOURCES and not any(one["lag_bytes"] for one in state["sources"]):
            return
        time.sleep(0.05)
    said = (where.base / "daemon.log").read_text(errors="replace").strip().splitlines()
    raise RouterdError(f"the demonstration's daemon did not start: {said[-1] if said else 'it said nothing'}")


SOURCES = 3


@contextmanager
def _played(where: Place, every_s: float) -> Iterator[threading.Thread]:
    """Tasks go on being played beside whatever the block does."""
    import numpy as np  # noqa: PLC0415 - most verbs need none of it

    from routerd.cli.demo.playing import Player  # noqa: PLC0415

    player, over = Player(where.home, where.socket, np.random.default_rng()), threading.Event()

    def play() -> None:
        with suppress(UnreachableError):
            while not over.wait(every_s):
                player.one()

    thread = threading.Thread(target=play, daemon=True)
    thread.start()
    try:
        yield thread
    finally:
        over.set()
        thread.join()


@contextmanager
def _stoppable() -> Iterator[None]:
    """A SIGTERM or a closed terminal ends it as Ctrl-C does."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

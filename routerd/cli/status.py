"""`routerctl status`: what the daemon reads, has learnt and is busy with."""

import time
from typing import Any

from routerd.cli.common import DEFAULTS, Common, ask, show
from routerd.cli.view import ago, console, duration, print_table, size


def status(*, common: Common = DEFAULTS) -> int:
    """What is read, how much is learnt, and whether anything is behind.

    Example: routerctl status --json | jq .queue
    """
    return show(ask("status", {}, common), common, render)


def render(answer: dict[str, Any]) -> None:
    """Three lines and a table."""
    out = console()
    counts, queue, policy = answer["counts"], answer["queue"], answer["policy"]
    out.print(f"routerd {answer['version']}, up {duration(answer['uptime_s'] * 1000)}, policy {policy['name']}")
    out.print(
        f"{counts['outcomes']} outcomes ({counts['unknown']} unknown), {counts['reports']} reports, "
        f"{counts['decisions']} decisions; {queue['pending']} of {queue['capacity']} writes waiting"
    )
    database = answer["db"]
    out.print(f"database {database['path']}, {size(database['bytes'])}, schema {database['schema']}", soft_wrap=True)
    if not answer["sources"]:
        out.print("\nno logs were found; `routerd --once` says where it looks, `routerctl demo` makes some up")
        return
    out.print()
    rows = [_row(source) for source in answer["sources"]]
    print_table(out, HEADINGS, rows, right=(3, 4, 5, 6, 7, 9), less=("size", "files", "mode", "unreadable", "root"))


HEADINGS = ("agent", "root", "mode", "files", "size", "behind", "own", "delegated", "last event", "unreadable")


def _row(source: dict[str, Any]) -> tuple[str, ...]:
    last = source["last_event_at"]
    return (
        source["agent"],
        source["root"],
        source["mode"],
        str(source["files"]),
        size(source["bytes"]),
        size(source["lag_bytes"]),
        str(source["completions"]["local"]),
        str(source["completions"]["delegate"]),
        "never" if last is None else ago(time.time() - last),
        str(source["quarantined"]),
    )

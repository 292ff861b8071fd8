"""What routerd keeps, and what it reads: configuration, state directory, database, logs, watches."""

import os
import shutil
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from routerd.cli.checks import Finding, Ground, note, problem, warning
from routerd.cli.config import checked
from routerd.cli.view import size
from routerd.errors import ConfigError
from routerd.places import config_path
from routerd.sources import SOURCES
from routerd.store.database import CHECKED_BYTES_MAX, SCHEMA_VERSION
from routerd.tail.discover import obstacle, roots_of

FREE_BYTES_MIN = 256 * 1024 * 1024
"""Room for the database's log (64 MiB), a copy of it while it is folded in, and a day's growth."""

SILENT_AFTER_S = 30 * 86400.0
"""An agent that wrote nothing for so long is not used any more, or writes elsewhere."""

INOTIFY = Path("/proc/sys/fs/inotify/max_user_watches")


def configuration(ground: Ground) -> Iterator[Finding]:
    """Whether the configuration can be used."""
    path = config_path(ground.here.env)
    try:
        checked(path)
    except ConfigError as error:
        where = "" if str(path) in str(error) else f"{path}: "
        yield problem("configuration", f"{where}{error}", "mend it, then `routerctl config check`")


def state(ground: Ground) -> Iterator[Finding]:
    """Whether the state directory can be written."""
    path = ground.here.state
    above = path
    while not os.path.exists(above):
        above = os.path.dirname(above)
    if not os.access(above, os.W_OK | os.X_OK):
        yield problem(
            "state", f"{above}: cannot be written", "mend its permissions, or name another with ROUTERD_STATE_DIR"
        )
    free = shutil.disk_usage(above).free
    if free < FREE_BYTES_MIN:
        yield problem("state", f"{above}: only {size(free)} of the disk are left", "make room")
    if above != path:
        return
    found = os.stat(path)
    if found.st_uid != os.geteuid():
        yield problem(
            "state", f"{path}: belongs to another user (uid {found.st_uid})", f"chown -R {os.geteuid()} {path}"
        )
    if stat.S_IMODE(found.st_mode) & 0o077:
        yield warning("state", f"{path}: others may look into it", f"chmod 700 {path}")


def database(ground: Ground) -> Iterator[Finding]:
    """Whether the database can be read."""
    path = Path(ground.here.state, "routerd.db")
    for aside in sorted(path.parent.glob("routerd.db.corrupt-*[0-9]")):
        yield warning(
            "database", f"{aside}: a corrupt database was set aside, and filled anew from the logs", f"remove {aside}"
        )
    if not path.exists():
        return
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5.0)) as connection:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            sound = (
                path.stat().st_size > CHECKED_BYTES_MAX
                or connection.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok"
            )
    except sqlite3.OperationalError as error:
        yield problem("database", f"{path}: cannot be opened: {error}", "mend the file's permissions, or the disk")
        return
    except sqlite3.DatabaseError:
        sound, version = False, SCHEMA_VERSION
    if not sound:
        yield problem(
            "database", f"{path}: is corrupt", "start routerd again: it sets it aside and reads the logs anew"
        )
    if version > SCHEMA_VERSION:
        yield problem(
            "database", f"{path}: was written by a newer routerd (schema {version}, this one knows {SCHEMA_VERSION})",
            "upgrade routerd",
        )  # fmt: skip
    if version < SCHEMA_VERSION:
        yield warning(
            "database", f"{path}: is of an older routerd (schema {version})", "start routerd: it brings it up"
        )


def logs(ground: Ground) -> Iterator[Finding]:
    """Whether the logs can be read, and whether somebody writes them."""
    there = [(agent, root) for agent, root in roots_of(ground.config, ground.here.env) if os.path.lexists(root)]
    read = {source["root"]: source for source in (ground.status or {}).get("sources", [])}
    for agent, chosen in ground.config.sources.items():
        if not chosen.enabled:
            yield note("logs", f"{agent} is switched off: its logs are not read", f"sources.{agent}.enabled = true")
    for agent, root in there:
        if reason := obstacle(agent, root):
            remedy = "rename it, or name another place" if os.access(root, os.R_OK) else "mend its permissions"
            yield problem("logs", f"{root}: the logs of {agent} cannot be read: {reason}", remedy)
        elif ground.status is not None and root not in read:
            yield problem(
                "logs", f"{root}: the daemon does not read this; it was started in another environment",
                "restart it from this shell, or run `routerctl install systemd` here",
            )  # fmt: skip
        else:
            yield from _silent(ground, agent, root)
    if not there:
        yield warning("logs", "no logs of an agent were found", "use an agent, or name places: [sources.<agent>] roots")
    for root, source in read.items():
        if source["quarantined"] and source.get("agent") == "jsonl":
            said = f"{root}: {source['quarantined']} rows cannot be used"
            yield warning("logs", said, f"`routerctl import {root}` names them")
        elif source["quarantined"]:
            yield warning("logs", f"{root}: {source['quarantined']} of its sessions cannot be understood", "report it")


def watches(ground: Ground) -> Iterator[Finding]:
    """Whether the kernel lets everything be watched."""
    try:
        limit = int(INOTIFY.read_text())
    except (OSError, ValueError):
        return
    if not ground.config.tail.watch:
        return
    needed = sum(
        1
        for agent, root in roots_of(ground.config, ground.here.env)
        if not SOURCES[agent].polled
        for _ in os.walk(root)
    )
    yield from watch_limit(needed, limit)


def watch_limit(needed: int, limit: int) -> Iterator[Finding]:
    """Editors and others of the same user watch too: half of the limit is taken to be theirs."""
    if needed > limit / 2:
        yield warning(
            "watches", f"{needed} directories of logs to watch, and the kernel allows {limit} for all programs",
            f"sysctl fs.inotify.max_user_watches={max(524288, 4 * needed)}; without it changes are found by rescanning",
        )  # fmt: skip


def _silent(ground: Ground, agent: str, root: str) -> Iterator[Finding]:
    """A root that nobody writes to."""
    newest = max(
        (_changed(os.path.join(folder, name)) for folder, _, names in os.walk(root) for name in names), default=0.0
    )
    newest = max(newest, _changed(root) if os.path.isfile(root) else 0.0)
    if newest and ground.now - newest > SILENT_AFTER_S:
        days = int((ground.now - newest) / 86400)
        yield note(
            "logs", f"{root}: {agent} has written nothing for {days} days", "if it is in use, name its place: sources"
        )


def _changed(path: str) -> float:
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0.0

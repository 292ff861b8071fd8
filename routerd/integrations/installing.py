"""
Installing into other programs and taking it back: read, plan, show, write.

A plan is made from what the files hold and changes nothing. Writing one goes in steps; `steps` gives them one by one,
so that a test can stop between any two as a crash would.
"""

import difflib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from routerd.errors import ConfigError, RouterdError
from routerd.integrations import manifest, modes, writing
from routerd.integrations.edits.files import Edit, Record, Result, Unreadable, digest, put, sweep, take
from routerd.integrations.manifest import Manifest, ModeBefore
from routerd.integrations.targets import PROVIDERS_SINCE, TARGETS, Here, Mode

ROOTS = ("CLAUDE_CONFIG_DIR", "CODEX_HOME", "HERMES_HOME", "XDG_CONFIG_HOME")
"""Beside the home, what may be written below."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A file before and after; `path` is its name, `real` where it lies, `backup` where it is kept as it was."""

    path: str
    real: str
    before: bytes | None
    after: bytes | None
    backup: str | None = None

    @property
    def action(self) -> str:
        """In a word."""
        return "create" if self.before is None else "remove" if self.after is None else "change"

    def diff(self) -> list[str]:
        """As `diff -u` shows it."""
        old, new = _lines(self.before), _lines(self.after)
        names = ("/dev/null" if self.before is None else self.path, "/dev/null" if self.after is None else self.path)
        return [line.rstrip("\n") for line in difflib.unified_diff(old, new, *names)]


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """
    What is to be written.

    Args:
        changes: Only of files that change.
        then: The manifest afterwards; None where nothing is installed any more.
        mode: The agent's mode afterwards, where it is set or taken back.
        kept: What stays although it was installed, and why.
    """

    target: str
    changes: list[Change]
    before: Manifest | None
    then: Manifest | None
    mode: tuple[str, Mode | None] | None = None
    kept: list[str] = []

    @property
    def empty(self) -> bool:
        """Whether there is nothing to do."""
        return not self.changes and self.mode is None and self.before == self.then


def plan_install(target: str, here: Here, mode: Mode | None) -> Plan:
    """
    What it takes to install a target.

    Raises:
        ConfigError: A file cannot be edited.
        StoreError: The manifest cannot be used.
    """
    earlier = manifest.read(Path(here.state), target)
    changes, records = [], []
    for edit in TARGETS[target].edits(here):
        lies, present = _present(edit.path, here.env)
        record = earlier.fitting(edit.path, present) if earlier else None
        result = _careful(edit.path, lambda edit=edit, present=present, record=record: put(edit, present, record))  # type: ignore[misc]
        records += [result.record] if result.record else []
        fresh = present is not None and (record is None or record.before == digest(present))
        backup = backup_of(lies, target) if fresh else None
        changes.append(Change(path=edit.path, real=lies, before=present, after=result.after, backup=backup))
    gone, left = _no_longer(earlier, {change.path for change in changes}, here.env)
    changes = [change for change in (*changes, *gone) if change.before != change.after]
    folders = [
        folder for change in changes if change.after is not None for folder in writing.missing_folders(change.real)
    ]
    backups = [change.backup for change in changes if change.backup]
    agent = TARGETS[target].mode
    if agent and mode:
        folders += writing.missing_folders(modes.modes_path(here.env))
    set_mode = (agent, mode) if agent and mode and modes.kept(here.env).get(agent) != mode else None
    before = earlier.mode if earlier else None
    then = Manifest(
        target=target,
        records=[*records, *left],
        folders=list(dict.fromkeys([*(earlier.folders if earlier else []), *folders])),
        backups=list(dict.fromkeys([*(earlier.backups if earlier else []), *backups])),
        mode=_mode_before(before, set_mode, here.env),
    )
    worth = then.records or then.mode
    return Plan(target=target, changes=changes, before=earlier, then=then if worth else earlier, mode=set_mode)


def plan_uninstall(target: str, here: Here) -> Plan:
    """
    What it takes to take a target back. Where nothing says what was written, what looks like routerd's goes.

    Raises:
        ConfigError: A file cannot be edited.
        StoreError: The manifest cannot be used.
    """
    earlier = manifest.read(Path(here.state), target)
    changes, kept = [], []
    widest = msgspec.structs.replace(here, hermes=here.hermes or PROVIDERS_SINCE)
    edits = {edit.path: edit for edit in TARGETS[target].edits(widest)}
    for path in dict.fromkeys([*(one.path for one in (earlier.records if earlier else [])), *edits]):
        recorded = earlier is not None and any(one.path == path for one in earlier.records)
        lies, present = _present(path, here.env, anywhere=recorded)
        record = earlier.fitting(path, present) if earlier else None
        result = _careful(path, _taking(record, edits.get(path), present))
        kept += [f"{path}: {result.kept}"] if result.kept else []
        if result.after != present:
            changes.append(Change(path=path, real=lies, before=present, after=result.after))
    return Plan(
        target=target, changes=changes, before=earlier, then=None, mode=_mode_back(earlier, here.env), kept=kept
    )


def write(plan: Plan, here: Here) -> None:
    """
    Does what a plan says.

    Raises:
        RouterdError: Something cannot be written, or a file changed since it was read.
    """
    for step in steps(plan, here):
        step()


def steps(plan: Plan, here: Here) -> Iterator[Callable[[], None]]:
    """What is to be done, in order; after each of them all can be taken back, or gone on with."""
    place = str(manifest.place(Path(here.state), plan.target))
    if plan.then is not None:
        both = manifest.joined(plan.then.records, plan.before.records if plan.before else [])
        made = [*plan.then.folders, *writing.missing_folders(place), *manifest.folders(Path(here.state))]
        under_way = msgspec.structs.replace(plan.then, records=both, folders=list(dict.fromkeys(made)))
        yield lambda: _note(place, under_way)
    for change in plan.changes:
        yield lambda change=change: _write_one(change)  # type: ignore[misc]
    if plan.mode is not None:
        agent, mode = plan.mode
        yield lambda: _keep(agent, mode, here.env)
    if plan.then is not None:
        yield lambda: _note(place, msgspec.structs.replace(under_way, records=plan.then.records))  # type: ignore[union-attr]
    elif plan.before is not None:
        noted = plan.before
        yield lambda: _forget(place, noted)


def roots(env: Mapping[str, str]) -> list[str]:
    """Directories that may be written below."""
    return [env["HOME"], *(env[name] for name in ROOTS if env.get(name))]


def backup_of(path: str, target: str) -> str:
    """Where a file is kept as it was before a target was installed."""
    return f"{path}.before-routerd-{target}"


def _present(path: str, env: Mapping[str, str], *, anywhere: bool = False) -> tuple[str, bytes | None]:
    """Where a file lies and what it holds; what was written once may be taken back wherever it is."""
    lies = writing.real(path, ["/"] if anywhere else roots(env))
    return lies, writing.read(lies)


def _careful(path: str, edit: Callable[[], Result]) -> Result:
    try:
        return edit()
    except Unreadable as reason:
        raise ConfigError(
            f"{path}: {reason}; nothing was written: mend it, or see --print for doing it by hand"
        ) from None


def _taking(record: Record | None, edit: Edit | None, present: bytes | None) -> Callable[[], Result]:
    if record is not None:
        return lambda: take(record, present)
    if edit is not None:
        return lambda: sweep(edit, present)
    return lambda: Result(after=present)


def _no_longer(earlier: Manifest | None, wanted: set[str], env: Mapping[str, str]) -> tuple[list[Change], list[Record]]:
    """Files of an earlier installation that are not wanted any more, and the records of those that stay."""
    changes, left = [], []
    for path in dict.fromkeys(one.path for one in (earlier.records if earlier else [])):
        if path in wanted or earlier is None:
            continue
        lies, present = _present(path, env, anywhere=True)
        record = earlier.fitting(path, present)
        assert record is not None
        result = _careful(path, lambda record=record, present=present: take(record, present))  # type: ignore[misc]
        changes.append(Change(path=path, real=lies, before=present, after=result.after))
        left += [record] if result.kept and present is not None else []
    return changes, left


def _write_one(change: Change) -> None:
    if writing.read(change.real) != change.before:
        raise RouterdError(f"{change.path}: changed while you looked at it; run it again")
    if change.after is None:
        writing.remove(change.real)
        return
    writing.make_folders(change.real)
    if change.backup is not None:
        writing.back_up(change.real, change.backup)
    try:
        writing.replace(change.real, change.after)
    except RouterdError:
        if change.backup is not None:
            writing.remove(change.backup)
        raise


def _note(path: str, noted: Manifest) -> None:
    """Only the owner may read it, as everything in the state directory."""
    writing.make_folders(path, mode=0o700)
    writing.replace(path, msgspec.json.format(msgspec.json.encode(noted), indent=1) + b"\n")
    os.chmod(path, 0o600)


def _forget(path: str, noted: Manifest) -> None:
    for record in noted.records:
        writing.remove(writing.draft_of(os.path.realpath(record.path)))  # of a run that was killed
        writing.remove_compiled(record.path)
    for backup in noted.backups:
        writing.remove(backup)
    writing.remove(path)
    writing.remove_folders(noted.folders)  # killed before this, some are left, empty


# --- modes ----------------------------------------------------------------------------------------------------------


def _mode_before(
    noted: ModeBefore | None, wanted: tuple[str, Mode | None] | None, env: Mapping[str, str]
) -> ModeBefore | None:
    if wanted is None or wanted[1] is None:
        return noted
    if noted is not None:
        return msgspec.structs.replace(noted, set=wanted[1])
    agent, mode = wanted
    return ModeBefore(agent, str(mode), modes.kept(env).get(agent))


def _mode_back(earlier: Manifest | None, env: Mapping[str, str]) -> tuple[str, Mode | None] | None:
    """What the mode is set back to, if it is still the one that was set."""
    noted = earlier.mode if earlier else None
    if noted is None or modes.kept(env).get(noted.agent) != noted.set:
        return None
    before = next((one for one in modes.MODES if one == noted.before), None)
    return noted.agent, before


def _keep(agent: str, mode: Mode | None, env: Mapping[str, str]) -> None:
    """A file of modes with none in it goes."""
    path = modes.modes_path(env)
    try:
        modes.keep(agent, mode, env)
        if mode is None and not modes.kept(env):
            os.unlink(path)
    except OSError as error:
        raise RouterdError(f"{path}: cannot be written: {error.strerror}") from None


def _lines(content: bytes | None) -> Sequence[str]:
    """Lines as `difflib` wants them; one that does not end says so."""
    text = (content or b"").decode("utf-8", "replace").replace("\r\n", "\n")
    lines = text.split("\n")
    ended = [line + "\n" for line in lines[:-1]]
    return [*ended, *([lines[-1] + "\n", "\\ No newline at end of file\n"] if lines[-1] else [])]

"""`routerctl install TARGET` and `uninstall TARGET`: what is written into other programs' files, shown first."""

import os
import sys
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from cyclopts import Parameter
from rich.text import Text

from routerd.cli.common import DEFAULTS, Common, own_config
from routerd.cli.view import console, print_json
from routerd.client import call
from routerd.errors import ConfigError, RouterdError, UsageError
from routerd.integrations import installing, systemd
from routerd.integrations.edits.files import Edit, put
from routerd.integrations.installing import Plan, plan_install, plan_uninstall
from routerd.integrations.surroundings import check_service, here
from routerd.integrations.targets import TARGETS, Here, Mode, mcp_clients
from routerd.integrations.units import SERVICE

Name = Literal["hermes", "claude-code", "codex", "opencode", "mcp", "systemd"]
Flag = Annotated[bool, Parameter(negative=())]


def install(
    target: Name,
    *,
    mode: Mode | None = None,
    yes: Flag = False,
    dry_run: Flag = False,
    print_: Annotated[bool, Parameter(name="--print", negative=())] = False,
    common: Common = DEFAULTS,
) -> int:
    """Write what an agent needs to ask routerd into its configuration. Shows the diff and asks first.

    Example: routerctl install claude-code --mode advise

    Parameters
    ----------
    target: Name
        Whose configuration: an agent's, that of the MCP clients which are used here, or systemd's.
    mode: Mode
        How far routerd may go inside this agent, for good. Without it, it is left as it is.
    yes: bool
        Write without asking.
    dry_run: bool
        Show what would be written, and stop.
    print_: bool
        Show what to paste, for doing it by hand.
    """
    if mode is not None and TARGETS[target].mode is None:
        raise UsageError(f"--mode: {target} has none")
    found = here(os.environ, pool=_pool(target), hermes=target == "hermes")
    if print_:
        return _print(target, found, common)
    if target == "systemd":
        check_service(found)
        _check_alone(found.env)
    plan = plan_install(target, found, mode)
    if not _agreed(plan, common, yes=yes, dry_run=dry_run):
        return _end(plan, common, written=False, dry_run=dry_run)
    installing.write(plan, found)
    told = _start(plan, found.env) if target == "systemd" else TARGETS[target].after(found) if plan.changes else []
    return _end(plan, common, written=True, told=told)


def uninstall(target: Name, *, yes: Flag = False, dry_run: Flag = False, common: Common = DEFAULTS) -> int:
    """Take back exactly what `install` wrote. What you edited since stays.

    Example: routerctl uninstall claude-code --yes

    Parameters
    ----------
    target: Name
        As for install.
    yes: bool
        Write without asking.
    dry_run: bool
        Show what would be written, and stop.
    """
    found = here(os.environ, pool=_pool(target, strict=False))
    plan = plan_uninstall(target, found)
    if not _agreed(plan, common, yes=yes, dry_run=dry_run):
        return _end(plan, common, written=False, dry_run=dry_run)
    told = _stop(found.env) if target == "systemd" and plan.changes else []
    installing.write(plan, found)
    if target == "systemd" and plan.changes:
        systemd.run(("daemon-reload",), found.env)
    return _end(plan, common, written=True, told=told)


def _pool(target: str, *, strict: bool = True) -> tuple[Mapping[str, Any], ...]:
    """
    What the configuration's pool names, for the agents that need a file for each model.

    Raises:
        ConfigError: The configuration cannot be used; unless not `strict`, which takes it for empty.
    """
    if target not in ("claude-code", "codex"):
        return ()
    try:
        return _of_pool()
    except ConfigError:
        if strict:
            raise
        return ()


def _of_pool() -> tuple[Mapping[str, Any], ...]:
    from routerd.catalog import Catalog  # noqa: PLC0415 - it takes long

    config = own_config()
    dispatches = Catalog(config, os.environ).pool_dispatches() if config.pool.models else []
    return tuple(msgspec.to_builtins(one) for one in dispatches)


# --- asking and showing ---------------------------------------------------------------------------------------------


def _agreed(plan: Plan, common: Common, *, yes: bool, dry_run: bool) -> bool:
    """
    Shows the plan; whether it is to be written.

    Raises:
        UsageError: There is nobody to ask.
    """
    asks = sys.stdin.isatty() and sys.stdout.isatty() and not common.json
    if not common.json:
        _show(plan)
    if dry_run or not (plan.changes or plan.mode):
        return not dry_run and not plan.empty
    if yes:
        return True
    if not asks:
        raise UsageError(
            "nothing was written: this is no terminal to ask on; say --yes to write it, --dry-run to see it"
        )
    try:
        return input("Write this? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False


def _show(plan: Plan) -> None:
    out = console()
    for change in plan.changes:
        out.print(
            f"{change.action} {change.path}" + (f" -> {change.real}" if change.real != change.path else ""),
            soft_wrap=True,
        )
        for line in change.diff():
            out.print(Text(line, style=_style(line)), soft_wrap=True)
        out.print()
    if plan.mode is not None:
        out.print(f"mode of {plan.mode[0]}: {plan.mode[1] or 'as by default'}")
    for line in plan.kept:
        out.print(f"kept {line}", soft_wrap=True)


def _style(line: str) -> str:
    if line.startswith(("+++", "---")):
        return "bold"
    return {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "")


def _end(plan: Plan, common: Common, *, written: bool, dry_run: bool = False, told: list[str] | None = None) -> int:
    """Says what became of it; 1 where the answer on the terminal was no."""
    nothing = not plan.changes and plan.mode is None
    if common.json:
        changes = [
            {"path": one.path, "action": one.action, "diff": "\n".join(one.diff()), "backup": one.backup}
            for one in plan.changes
        ]
        mode = None if plan.mode is None else {"agent": plan.mode[0], "mode": plan.mode[1]}
        print_json(
            {"target": plan.target, "changes": changes, "mode": mode, "kept": plan.kept}
            | {"written": written and not nothing, "then": told or []}
        )
        return 0
    out = console()
    if nothing:
        out.print(f"nothing to do: {plan.target} is as it should be")
    elif dry_run:
        out.print("nothing was written (--dry-run)")
    elif written:
        for backup in (change.backup for change in plan.changes if change.backup):
            out.print(f"as it was: {backup}", soft_wrap=True)
        out.print("written" + (f"; take it back with: routerctl uninstall {plan.target}" if plan.then else ""))
    else:
        out.print("nothing was written")
        return 1
    for line in told or []:
        out.print(line, soft_wrap=True)
    return 0


def _print(target: str, found: Here, common: Common) -> int:
    """Each file as it would be if there were nothing else in it."""
    edits = mcp_clients(found) if target == "mcp" else {"": None}
    named = [(name, edit) for name, edit in edits.items() if edit is not None] or [
        ("", edit) for edit in TARGETS[target].edits(found)
    ]
    pieces = [{"for": name, "path": edit.path, "add": _fresh(edit)} for name, edit in named]
    lines = TARGETS[target].by_hand(found)
    if target == "systemd":
        lines = ["Then:", *(f"  {line}" for line in systemd.shown(systemd.STARTING))]
    if common.json:
        print_json({"target": target, "files": pieces, "by_hand": lines})
        return 0
    out = console()
    for piece in pieces:
        out.print(f"{piece['for']}{': ' if piece['for'] else ''}{piece['path']}", style="bold", soft_wrap=True)
        out.print(piece["add"], soft_wrap=True)
    for line in lines:
        out.print(line, soft_wrap=True)
    return 0


def _fresh(edit: Edit) -> str:
    return (put(edit, None, None).after or b"").decode()


# --- systemd --------------------------------------------------------------------------------------------------------


def _check_alone(env: Mapping[str, str]) -> None:
    """
    Sees to it that no daemon runs that systemd did not start: the service could not have its state directory.

    Raises:
        UsageError: One does.
    """
    try:
        pid = call("hello", timeout_s=2.0)["pid"]
    except RouterdError:
        return
    known = systemd.show(SERVICE, env) or {}
    if str(pid) != known.get("MainPID"):
        raise UsageError(f"a routerd runs already (pid {pid}) that systemd did not start: stop it first, kill {pid}")


def _start(plan: Plan, env: Mapping[str, str]) -> list[str]:
    """Has systemd start it; what is left to do where there is none."""
    commands = systemd.STARTING if plan.before is None else (*systemd.STARTING, ("try-restart", SERVICE))
    for number, command in enumerate(commands):
        reason = systemd.run(command, env)
        if reason is not None:
            return [
                f"systemd did not start it: {reason}",
                "Where your user has a systemd (a login session, not a container), run:",
                *(f"  {line}" for line in systemd.shown(commands[number:])),
                "Without one, start `routerd` by yourself.",
            ]
    return ["routerd runs, and starts at every login; `systemctl --user status routerd` tells how it is"]


def _stop(env: Mapping[str, str]) -> list[str]:
    commands = systemd.STOPPING
    return [f"systemd: {reason}" for one in commands if (reason := systemd.run(one, env)) is not None]

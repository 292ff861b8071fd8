"""Agents: are the hooks there, do they point somewhere, does something stand in their way, is the version known?"""

import os
import re
import shlex
import shutil
from collections.abc import Iterator
from typing import Any

from routerd.cli.checks import Finding, Ground, note, problem, warning
from routerd.errors import RouterdError
from routerd.integrations import claude_code, codex, modes, writing
from routerd.integrations.edits.entries import insertion, look, ours, stale
from routerd.integrations.edits.files import EDITORS, Edit
from routerd.integrations.edits.tree import Unreadable
from routerd.integrations.targets import MCP_EXTRA, NAME, TARGETS, claude_settings, hermes_home, mcp_clients

TESTED = {
    "claude": ((2, 1, 197), (2, 1, 329)),
    "codex": ((0, 169, 0), (0, 169, 0)),
    "hermes": ((0, 17, 0), (0, 19, 0)),
}
"""Oldest and newest version of each agent that the integration was run with."""

HOOK_BEATS_VARIABLE = (2, 1, 285)
"""From here on a hook of Claude Code wins over CLAUDE_CODE_SUBAGENT_MODEL."""


def versions(ground: Ground) -> Iterator[Finding]:
    """Versions that nobody tried."""
    for program, (oldest, newest) in TESTED.items():
        found = ground.versions.get(program)
        if found is not None and not oldest <= found <= newest:
            between = _dotted(oldest) if oldest == newest else f"{_dotted(oldest)} to {_dotted(newest)}"
            yield warning(
                "version",
                f"{program} {_dotted(found)} was not tested; {between} was",
                "watch `routerctl events` while it delegates; where nothing comes, report it",
            )


def variables(ground: Ground) -> Iterator[Finding]:
    """Variables that override what routerd chooses, or where it is looked for."""
    env = ground.here.env
    yield from _subagent_model(ground)
    if (said := env.get("ROUTERD_MODE")) is not None:
        if said in modes.MODES:
            yield note("variable", f"ROUTERD_MODE={said} goes before the mode of every agent started from this shell")
        else:
            yield problem(
                "variable", f"ROUTERD_MODE={said} is no mode and switches routerd off", f"unset it, or say {_or()}"
            )
    for name in ("ROUTERD_SOCKET", "ROUTERD_STATE_DIR", "ROUTERD_CONFIG"):
        if env.get(name):
            yield note("variable", f"{name}={env[name]} holds for what is started from this shell only")
    if env.get("HERMES_SAFE_MODE"):
        yield problem("variable", "HERMES_SAFE_MODE is set: Hermes loads no plugin", "unset HERMES_SAFE_MODE")


def claude(ground: Ground) -> Iterator[Finding]:
    """Claude Code's hooks."""
    path = claude_settings(ground.here.env)
    edit = TARGETS["claude-code"].edits(ground.here)[0]
    data = yield from _read(edit)
    if data is None:
        yield from _uninstalled("claude-code", claude_code.config_dir(ground.here.env))
        return
    yield from _hooks("claude-code", edit, data, "Agent")
    if look(data, ("disableAllHooks",)) is True:
        yield problem("hooks", f"{path}: disableAllHooks switches every hook off", "take it out")
    plugin = look(data, ("enabledPlugins", f"{NAME}@{NAME}")) is True
    if plugin and ours(data, edit.entries, recorded=False):
        yield warning("hooks", f"{path}: hooks are there twice, once by the plugin", "routerctl uninstall claude-code")


def codex_(ground: Ground) -> Iterator[Finding]:
    """Codex' hooks, and whether they are trusted."""
    home = codex.config_dir(ground.here.env)
    edit = TARGETS["codex"].edits(ground.here)[0]
    data = yield from _read(edit)
    if data is None:
        yield from _uninstalled("codex", home)
        return
    yield from _hooks("codex", edit, data, "spawn_agent")
    settings = yield from _read(Edit(path=f"{home}/config.toml", kind="toml"))
    for switch in ("hooks", "codex_hooks"):
        if look(settings, ("features", switch)) is False:
            yield problem(
                "hooks", f"{home}/config.toml: features.{switch} = false switches every hook off", "take it out"
            )
    trusted = look(settings, ("hooks", "state"))
    for where in ours(data, edit.entries, recorded=False):
        key = _trust_key(edit.path, where)
        entry = trusted.get(key) if isinstance(trusted, dict) else None
        if not (isinstance(entry, dict) and entry.get("trusted_hash")):
            yield problem(
                "hooks",
                f"{edit.path}: the hook is not trusted, so Codex skips it silently",
                "start codex, type /hooks, trust it",
            )


def hermes(ground: Ground) -> Iterator[Finding]:
    """Hermes' plugin."""
    home = hermes_home(ground.here.env)
    *files, edit = TARGETS["hermes"].edits(ground.here)
    data = yield from _read(edit)
    enabled, disabled = (look(data, ("plugins", name)) for name in ("enabled", "disabled"))
    on = isinstance(enabled, list) and NAME in enabled
    if isinstance(disabled, list) and NAME in disabled:
        yield problem("hermes", f"{edit.path}: plugins.disabled names {NAME}", "take it out of there")
    if not on:
        if look(data, ("delegation", "backend")) == NAME:
            yield problem(
                "hermes", f"{edit.path}: delegation.backend is {NAME}, whose plugin is not enabled: delegating fails",
                "routerctl install hermes, or take delegation.backend out",
            )  # fmt: skip
        yield from _uninstalled("hermes", home)
        return
    for file in files:
        if writing.read(file.path) != file.content.encode():
            yield problem(
                "hermes", f"{file.path}: is missing, or not as this version writes it", "routerctl install hermes"
            )


def servers(ground: Ground) -> Iterator[Finding]:
    """MCP servers that cannot be started."""
    for edit in (*mcp_clients(ground.here).values(), *TARGETS["opencode"].edits(ground.here)):
        data = yield from _read(edit)
        there = look(data, edit.entries[0].path)
        if isinstance(there, dict):
            command = there.get("command") or there.get("cmd")
            program = command[0] if isinstance(command, list) and command else command
            if isinstance(program, str) and shutil.which(program, path=ground.here.env.get("PATH")) is None:
                yield problem("mcp", f"{edit.path}: {program} is not there", "routerctl install mcp (or opencode)")
            elif not ground.here.speaks_mcp:
                yield problem("mcp", f"{edit.path}: names a server that cannot start", MCP_EXTRA)


def modes_(ground: Ground) -> Iterator[Finding]:
    """The file of modes."""
    env = ground.here.env
    data = yield from _read(Edit(path=modes.modes_path(env), kind="json"))
    path = modes.modes_path(env)
    if data is None and os.path.exists(path):
        yield problem("modes", f"{path}: cannot be used, so routerd is off for every agent", f"remove {path}")
    for agent, said in (data or {}).items():
        if said not in modes.MODES:
            yield problem("modes", f"{path}: {agent} has the mode {said!r}, which is none: it is off", f"say {_or()}")
        elif said == "off":
            yield note("modes", f"{agent} is off: it does not ask routerd", f"routerctl install {agent} --mode advise")


# --- how they look --------------------------------------------------------------------------------------------------


def _read(edit: Edit) -> Any:
    """What a file says, None where it is not there or says nothing; yields what is wrong with it."""
    try:
        content = writing.read(edit.path)
        data = EDITORS[edit.kind].parse((content or b"").decode())
    except RouterdError as error:
        yield problem("file", str(error), "mend its permissions")
        return None
    except (Unreadable, UnicodeDecodeError) as error:
        yield problem("file", f"{edit.path}: cannot be read: {error}", "mend it there")
        return None
    return data if isinstance(data, dict) else None


def _hooks(agent: str, edit: Edit, data: Any, tool: str) -> Iterator[Finding]:
    remedy = f"routerctl install {agent}"
    found = ours(data, edit.entries, recorded=False)
    if not found:
        yield from _uninstalled(agent, os.path.dirname(edit.path))
        return
    dead = {program for where in found for program in _programs(look(data, where)) if shutil.which(program) is None}
    for program in sorted(dead):
        yield problem("hooks", f"{edit.path}: a hook runs {program}, which is not there", remedy)
    marked = {where[1] for where in found}
    for entry in edit.entries:
        try:
            absent = insertion(data, entry) is not None
        except Unreadable as reason:
            yield problem("hooks", f"{edit.path}: {reason}", "mend it there")
            continue
        if absent and entry.path[1] not in marked:
            yield problem("hooks", f"{edit.path}: the hook of {entry.path[1]} is missing", remedy)
    if stale(data, edit.entries) and not dead:
        yield warning("hooks", f"{edit.path}: a hook is not as this version writes it", remedy)
    yield from _rivals(edit, data, tool)


def _rivals(edit: Edit, data: Any, tool: str) -> Iterator[Finding]:
    """Other hooks on the same tool: of two that rewrite its input, the one that ends last wins."""
    groups = look(data, ("hooks", "PreToolUse"))
    for group in groups if isinstance(groups, list) else []:
        if not isinstance(group, dict) or not _matches(str(group.get("matcher") or ""), tool):
            continue
        for command in _commands(group):
            if not re.search(edit.entries[0].mark, command):
                yield warning(
                    "hooks", f"{edit.path}: on {tool} runs another hook too ({command[:60]}); of two the last one wins",
                    "if it changes the model, choose one of them",
                )  # fmt: skip


def _matches(matcher: str, tool: str) -> bool:
    try:
        return matcher in ("", "*") or re.fullmatch(matcher, tool) is not None
    except re.error:
        return False


def _commands(group: Any) -> list[str]:
    hooks = group.get("hooks", [group]) if isinstance(group, dict) else []
    return [str(hook["command"]) for hook in hooks if isinstance(hook, dict) and "command" in hook]


def _programs(group: Any) -> list[str]:
    try:
        return [shlex.split(command)[0] for command in _commands(group)]
    except (ValueError, IndexError):
        return []


def _trust_key(path: str, where: tuple[str | int, ...]) -> str:
    """How Codex names a hook: its file, event, group and place in the group."""
    event = re.sub(r"(?<!^)(?=[A-Z])", "_", str(where[1])).lower()
    return f"{os.path.realpath(path)}:{event}:{where[2]}:{where[4] if len(where) > 4 else 0}"


def _uninstalled(agent: str, home: str) -> Iterator[Finding]:
    """Nothing of ours is there: worth a word where the agent is used."""
    if os.path.isdir(home):
        yield note(
            "hooks", f"{agent} does not ask routerd yet; its logs are read all the same", f"routerctl install {agent}"
        )


def _subagent_model(ground: Ground) -> Iterator[Finding]:
    name = "CLAUDE_CODE_SUBAGENT_MODEL"
    settings = yield from _read(Edit(path=claude_settings(ground.here.env), kind="json"))
    for place, said in (
        ("the environment", ground.here.env.get(name)),
        ("settings.json", look(settings, ("env", name))),
    ):
        if not isinstance(said, str) or said in ("", "inherit"):
            continue
        version = ground.versions.get("claude")
        if version is not None and version >= HOOK_BEATS_VARIABLE:
            yield note("variable", f"{name}={said} in {place}: used where routerd chooses nothing")
        else:
            since = f"before {_dotted(HOOK_BEATS_VARIABLE)}"
            yield problem(
                "variable", f"{name}={said} in {place} overrides every choice in Claude Code {since}", f"unset {name}"
            )


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def _or() -> str:
    return ", ".join(modes.MODES[:-1]) + f" or {modes.MODES[-1]}"

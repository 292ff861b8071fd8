"""
What `routerctl install` writes for each target: plain descriptions, made from the surroundings and nothing else.

To add one: a function from `Here` to edits, and a line in `TARGETS`.
"""

import json
import shlex
from collections.abc import Callable, Mapping
from typing import Literal

import msgspec

from routerd.integrations import claude_code, codex
from routerd.integrations.edits.entries import Entry
from routerd.integrations.edits.files import Edit
from routerd.integrations.units import SOCKET, service

Mode = Literal["off", "shadow", "advise", "enforce"]
"""`modes.MODES`, for those who read annotations while they run."""

NAME = "routerd"
"""What routerd is called where others list it: MCP servers, plugins."""


class Here(msgspec.Struct, frozen=True, kw_only=True):
    """
    The surroundings.

    Args:
        env: The environment.
        routerctl: Absolute path of this installation's `routerctl`.
        routerd: Absolute path of this installation's `routerd`.
        package: The directory that holds the package `routerd`.
        state: The state directory.
        there: Text of a file, None where there is none.
        pool: Dispatches that the configuration's pool names, as JSON has them.
        hermes: Version of the Hermes that is installed, where it is known.
        units: Texts of the systemd units, by name.
        speaks_mcp: What `routerctl mcp` needs is installed.
    """

    env: Mapping[str, str]
    routerctl: str
    routerd: str
    package: str
    state: str
    there: Callable[[str], str | None]
    pool: tuple[Mapping[str, str | None], ...] = ()
    hermes: tuple[int, ...] | None = None
    units: Mapping[str, str] = {}
    speaks_mcp: bool = True

    @property
    def home(self) -> str:
        """The user's home."""
        return self.env["HOME"]

    @property
    def config_home(self) -> str:
        """Where programs keep their configuration."""
        given = self.env.get("XDG_CONFIG_HOME", "")
        return given if given.startswith("/") else f"{self.home}/.config"


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """
    Something that routerd can be installed into.

    Args:
        mode: The agent whose mode `--mode` sets; None where there is none to set.
        edits: What files shall say.
        after: What the user has to do, once that is written.
        by_hand: Lines for `--print` that no file says.
    """

    mode: str | None
    edits: Callable[[Here], list[Edit]]
    after: Callable[[Here], list[str]] = lambda _here: []
    by_hand: Callable[[Here], list[str]] = lambda _here: []


# --- Claude Code ----------------------------------------------------------------------------------------------------


def _claude_code(here: Here) -> list[Edit]:
    entries = _hooks(here, claude_code.AGENT, claude_code.HOOKS, claude_code.HOOK_TIMEOUT_S)
    files = [claude_code.agent_file(one) for one in _of_agent(here, claude_code.AGENT, "anthropic")]
    return [
        Edit(path=claude_settings(here.env), kind="json", entries=entries),
        *(_whole(claude_code.agents_dir(here.env), *file) for file in files),
    ]


def claude_settings(env: Mapping[str, str]) -> str:
    """The settings that hold Claude Code's hooks."""
    return f"{claude_code.config_dir(env)}/settings.json"


def _claude_by_hand(here: Here) -> list[str]:
    line = {"type": "command", "command": f"{here.routerctl} statusline claude-code"}
    return [
        "Or as a plugin, with the hooks, the MCP server and /routerd:route in it:",
        f"  claude plugin marketplace add {shlex.quote(f'{here.package}/routerd/integrations/claude_plugin')}",
        "  claude plugin install routerd@routerd",
        "A status line that shows the last pick is yours to choose, in settings.json:",
        f"  {json.dumps({'statusLine': line})}",
    ]


def _claude_after(here: Here) -> list[str]:
    told = ["Claude Code reads its hooks at the start of a session: sessions that run go on without routerd."]
    if "CLAUDE_CODE_SUBAGENT_MODEL" in here.env:
        told.append("CLAUDE_CODE_SUBAGENT_MODEL is set: Claude Code before 2.1.285 runs every child on that model.")
    return told


# --- Codex ----------------------------------------------------------------------------------------------------------


def _codex(here: Here) -> list[Edit]:
    entries = _hooks(here, codex.AGENT, codex.HOOKS, codex.HOOK_TIMEOUT_S)
    files = [codex.role_file(one) for one in _of_agent(here, codex.AGENT, "openai")]
    return [codex_hooks(here, entries), *(_whole(codex.roles_dir(here.env), *file) for file in files)]


def codex_hooks(here: Here, entries: tuple[Entry, ...]) -> Edit:
    """Where Codex' hooks go: `hooks.json`; where the user has them in `config.toml`, there, since it warns of both."""
    home = codex.config_dir(here.env)
    inline = here.there(f"{home}/hooks.json") is None and "[hooks.PreToolUse]]" in (
        here.there(f"{home}/config.toml") or ""
    )
    if inline:
        return Edit(path=f"{home}/config.toml", kind="toml", entries=entries)
    return Edit(path=f"{home}/hooks.json", kind="json", entries=entries)


def _codex_after(_here: Here) -> list[str]:
    return [
        "Codex runs a hook only once you trust it, and skips it silently until then: start codex, type /hooks, look at",
        "the hook and trust it. `routerctl doctor` says whether you did.",
    ]


# --- Hermes ---------------------------------------------------------------------------------------------------------

PROVIDERS_SINCE = (0, 22, 5)
"""From here on Hermes chooses a child's route by `delegation.backend`."""


def _hermes(here: Here) -> list[Edit]:
    home = hermes_home(here.env)
    entries = [Entry(path=("plugins", "enabled"), value=NAME, listed=True)]
    if here.hermes is not None and here.hermes >= PROVIDERS_SINCE:
        entries.append(Entry(path=("delegation", "backend"), value=NAME))
    return [
        _whole(f"{home}/plugins/{NAME}", "plugin.yaml", _PLUGIN),
        _whole(f"{home}/plugins/{NAME}", "__init__.py", _LOADER.format(package=here.package)),
        Edit(path=f"{home}/config.yaml", kind="yaml", entries=tuple(entries)),
    ]


def hermes_home(env: Mapping[str, str]) -> str:
    """Where Hermes keeps everything."""
    return env.get("HERMES_HOME") or f"{env['HOME']}/.hermes"


_PLUGIN = """\
name: routerd
version: "1"
description: Lets routerd choose what each delegated task runs on.
"""

_LOADER = '''\
"""Loads routerd's plugin from where routerd is installed. Written by `routerctl install hermes`."""

import importlib.util
import os
import sys

PACKAGE = {package!r}


def register(ctx):
    if "routerd" not in sys.modules and importlib.util.find_spec("routerd") is None:
        folder = os.path.join(PACKAGE, "routerd")
        spec = importlib.util.spec_from_file_location(
            "routerd", os.path.join(folder, "__init__.py"), submodule_search_locations=[folder]
        )
        module = importlib.util.module_from_spec(spec)
        sys.modules["routerd"] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules["routerd"]
            raise
    from routerd.integrations.hermes import register as attach

    attach(ctx)
'''


# --- MCP ------------------------------------------------------------------------------------------------------------


def _opencode(here: Here) -> list[Edit]:
    home = f"{here.config_home}/opencode"
    name = "opencode.jsonc" if here.there(f"{home}/opencode.jsonc") is not None else "opencode.json"
    value = {"type": "local", "command": [here.routerctl, "mcp"], "enabled": True}
    return [Edit(path=f"{home}/{name}", kind="json", entries=(Entry(path=("mcp", NAME), value=value),))]


def mcp_clients(here: Here) -> dict[str, Edit]:
    """Every MCP client that is known, and what its configuration would say."""
    server = {"command": here.routerctl, "args": ["mcp"]}
    goose = {"name": NAME, "type": "stdio", "cmd": here.routerctl, "args": ["mcp"], "enabled": True, "timeout": 30}
    common = Entry(path=("mcpServers", NAME), value=server)
    return {
        "Cursor": Edit(path=f"{here.home}/.cursor/mcp.json", kind="json", entries=(common,)),
        "Gemini CLI": Edit(path=f"{here.home}/.gemini/settings.json", kind="json", entries=(common,)),
        "Claude Desktop": Edit(
            path=f"{here.config_home}/Claude/claude_desktop_config.json", kind="json", entries=(common,)
        ),
        "Goose": Edit(
            path=f"{here.config_home}/goose/config.yaml",
            kind="yaml",
            entries=(Entry(path=("extensions", NAME), value=goose),),
        ),
        "Codex": Edit(
            path=f"{codex.config_dir(here.env)}/config.toml",
            kind="toml",
            entries=(Entry(path=("mcp_servers", NAME), value=server),),
        ),
    }


def _mcp(here: Here) -> list[Edit]:
    """Only for clients that are used here: those that have a configuration."""
    return [edit for edit in mcp_clients(here).values() if here.there(edit.path) is not None]


def _mcp_after(here: Here) -> list[str]:
    told = ["Clients start it at their next start."]
    return told if here.speaks_mcp else [*told, f"It cannot start yet: {MCP_EXTRA}"]


MCP_EXTRA = "install routerd with its extra, pip install 'routerd[mcp]'"


def _mcp_by_hand(here: Here) -> list[str]:
    server = json.dumps({"command": here.routerctl, "args": ["mcp"]})
    return [
        "Claude Code keeps its servers in a file that it writes all the time; let it add this one itself:",
        f"  claude mcp add --scope user {NAME} -- {shlex.quote(here.routerctl)} mcp",
        f"Any other client: a server over stdio, {server}",
    ]


# --- systemd --------------------------------------------------------------------------------------------------------

CARRIED = (
    *("CLAUDE_CONFIG_DIR", "CODEX_HOME", "HERMES_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"),
    *("ROUTERD_CONFIG", "ROUTERD_SOCKET"),
)
"""Variables of the shell that a service would not see, and that say where things are."""


def _systemd(here: Here) -> list[Edit]:
    folder = f"{here.config_home}/systemd/user"
    carried = {name: here.env[name] for name in CARRIED if here.env.get(name)}
    text = service(
        here.units["routerd.service"],
        program=here.routerd,
        state=here.state,
        variables=carried,
        writable=[carried["HERMES_HOME"]] if "HERMES_HOME" in carried else [],
    )
    return [_whole(folder, "routerd.service", text), _whole(folder, SOCKET, here.units[SOCKET])]


# --- what they share ------------------------------------------------------------------------------------------------


def _hooks(here: Here, agent: str, hooks: Mapping[str, str], timeout_s: int) -> tuple[Entry, ...]:
    """One group for each event, after those that are there: other hooks keep their numbers, and so their trust."""
    return tuple(
        Entry(
            path=("hooks", event),
            listed=True,
            mark=hook_mark(agent),
            value=hook_group(shlex.quote(here.routerctl), agent, event, matcher, timeout_s),
        )
        for event, matcher in hooks.items()
    )


def hook_mark(agent: str) -> str:
    """What every command of an agent's hooks has in it, as a regular expression: the program may be quoted."""
    return rf"routerctl'? hook {agent} "


def hook_group(program: str, agent: str, event: str, matcher: str, timeout_s: int) -> dict[str, object]:
    """A hook in the form that Claude Code and Codex share."""
    command = {"type": "command", "command": f"{program} hook {agent} {event}", "timeout": timeout_s}
    return {**({"matcher": matcher} if matcher else {}), "hooks": [command]}


def _of_agent(here: Here, agent: str, provider: str) -> list[Mapping[str, str | None]]:
    """Models of the pool that an agent would run: those named for it, and with no agent named those of its vendor."""
    wanted = [
        {"model": one.get("model"), "reasoning_effort": one.get("reasoning_effort")}
        for one in here.pool
        if one.get("model")
        and (one.get("agent") == agent or (not one.get("agent") and one.get("provider") == provider))
    ]
    return [one for number, one in enumerate(wanted) if one not in wanted[:number]]


def _whole(folder: str, name: str, text: str) -> Edit:
    return Edit(path=f"{folder}/{name}", kind="whole", content=text)


TARGETS: dict[str, Target] = {
    "hermes": Target(mode="hermes", edits=_hermes),
    "claude-code": Target(mode="claude-code", edits=_claude_code, after=_claude_after, by_hand=_claude_by_hand),
    "codex": Target(mode="codex", edits=_codex, after=_codex_after),
    "opencode": Target(mode="mcp", edits=_opencode, after=_mcp_after),
    "mcp": Target(mode="mcp", edits=_mcp, after=_mcp_after, by_hand=_mcp_by_hand),
    "systemd": Target(mode=None, edits=_systemd),
}

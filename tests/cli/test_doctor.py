"""`routerctl doctor`: each thing that can be wrong is made wrong, and it says so with a remedy."""

import json
import os
import socket
import sqlite3
import stat
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from routerd.cli.checks import Ground, agents, kept, running
from routerd.cli.doctor import CHECKS
from routerd.config import Config, SourceConfig
from routerd.integrations.installing import plan_install, write
from routerd.integrations.surroundings import here as surroundings
from routerd.store.database import SCHEMA_VERSION
from tests.harness import Place
from tests.sources.codex_logs import home_files


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = Place(tmp_path / "home")
    place.home.mkdir()
    place.env["PATH"] = f"{place.home}/bin:/usr/bin:/bin"
    return place


def doctor(place: Place, code: int = 1) -> list[dict[str, str]]:
    done = place.run("routerctl", "doctor", "--json")
    assert done.returncode == code, (done.stdout, done.stderr)
    answer = json.loads(done.stdout)
    assert answer["checked"] == list(CHECKS)
    assert answer["ok"] is (code == 0)
    findings: list[dict[str, str]] = answer["findings"]
    assert all("\n" not in one["says"] and one["says"] for one in findings)
    assert all(one["do"] for one in findings if one["level"] != "note")
    return findings


def ground(place: Place, **more: Any) -> Ground:
    stands = Ground(here=surroundings(place.env), now=time.time(), config=Config(), versions={})
    return msgspec.structs.replace(stands, **more)


def said(findings: Any) -> str:
    return "\n".join(f"{one.level} {one.about}: {one.says}: {one.do}" for one in findings)


def install(place: Place, target: str, **changed: Any) -> None:
    found = msgspec.structs.replace(surroundings(place.env), **changed)
    write(plan_install(target, found, None), found)


def test_with_a_daemon_and_hooks_all_is_well(place: Place) -> None:
    place.write(home_files())
    install(place, "claude-code")
    with place.daemon() as running_:
        running_.caught_up()
        findings = doctor(place, code=0)
        assert not [one for one in findings if one["level"] == "problem"]
        place.write({".claude/projects/p/s.jsonl": b"{}\n"})
        elsewhere = place.home / "other"
        elsewhere.mkdir()
        (elsewhere / "sessions").mkdir()
        place.env["CODEX_HOME"] = str(elsewhere)
        assert any("does not read this" in one["says"] for one in doctor(place))


def test_with_nothing_at_all_it_says_how_to_begin(place: Place) -> None:
    done = place.run("routerctl", "doctor")
    assert f"{len(CHECKS)} checks; problems: 1" in done.stdout
    assert "\x1b" not in done.stdout
    findings = doctor(place)
    assert [one["about"] for one in findings if one["level"] == "problem"] == ["daemon"]
    assert "install systemd" in findings[0]["do"]
    assert any("no logs" in one["says"] for one in findings)


def test_many_things_at_once_and_none_hides_another(place: Place) -> None:
    """A broken configuration, database, file of modes and settings: each is named with its place."""
    place.write(
        {
            ".config/routerd/config.toml": b"[pool]\nmodels = ['no-such-model-at-all']\n",
            ".config/routerd/modes.json": b"{",
            ".claude/settings.json": b"{\n  ,\n}",
            "state/routerd.db": b"this is no database, and long enough to be looked at as one" * 100,
        }
    )
    (place.home / "state").chmod(0o755)
    findings = doctor(place)
    text = json.dumps(findings)
    for wanted in (
        "config.toml: pool.models",
        "modes.json",
        "settings.json: cannot be read: line 2",
        "routerd.db: is corrupt",
    ):
        assert wanted in text
    assert f"chmod 700 {place.state}" in text


# --- each check -----------------------------------------------------------------------------------------------------


def _stale(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))


@pytest.mark.parametrize(
    ("make", "wanted"),
    [
        (lambda path: None, "nobody listens there"),
        (_stale, "is stale: the daemon that made it is dead"),
        (lambda path: path.write_text(""), "something stands there that is no socket"),
    ],
)
def test_a_socket_that_nobody_answers_on(place: Place, make: Callable[[Path], None], wanted: str) -> None:
    make(place.socket)
    assert wanted in said(running.listening(ground(place)))


def test_a_socket_of_something_else(place: Place) -> None:
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(place.socket))
        other.listen()
        assert "does not answer as routerd does" in said(running.listening(ground(place)))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a socket away")
@pytest.mark.parametrize("listens", [True, False])
def test_a_socket_of_another_user(place: Place, listens: bool) -> None:
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(place.socket))
        if listens:
            other.listen()
        os.chown(place.socket, 65534, 65534)
        assert "belongs to another user (uid 65534): name your own: ROUTERD_SOCKET" in said(
            running.listening(ground(place))
        )


def test_a_socket_whose_name_is_too_long(place: Place) -> None:
    place.env["ROUTERD_SOCKET"] = f"{place.home}/{'x' * 120}"
    assert "is too long for a socket: name a shorter one" in said(running.listening(ground(place)))


def test_a_daemon_of_another_version(place: Place) -> None:
    found = said(running.listening(ground(place, hello={"version": "0.0.1", "pid": 1})))
    assert "it is version 0.0.1" in found


UNIT = {"LoadState": "loaded", "ActiveState": "active", "SubState": "running", "NRestarts": "0", "Result": "success"}


@pytest.mark.parametrize(
    ("state", "wanted"),
    [
        ({"LoadState": "not-found"}, "systemd does not know routerd"),
        (
            {"ActiveState": "failed", "Result": "start-limit-hit", "ExecMainStatus": "78"},
            "gave it up (start-limit-hit, exit code 78)",
        ),
        ({"ActiveState": "activating", "SubState": "auto-restart", "NRestarts": "2"}, "it was restarted 2 times"),
        ({"NRestarts": "9"}, "it was restarted 9 times"),
        ({}, "the socket unit is active, and its socket is gone"),
        ({"NeedDaemonReload": "yes"}, "systemctl --user daemon-reload"),
        ({"UnitFileState": "disabled"}, "it does not start at login"),
    ],
)
def test_what_systemd_says(place: Place, state: dict[str, str], wanted: str) -> None:
    """A `systemctl` that says what the real one does of a unit in that state."""
    lines = "\n".join(f"{name}={value}" for name, value in {**UNIT, **state}.items())
    _program(place, "systemctl", f"cat <<'END'\n{lines}\nEND")
    assert wanted in said(running.service(ground(place)))


def test_a_unit_that_starts_what_is_not_there(place: Place) -> None:
    install(place, "systemd", routerd="/nowhere/bin dir/100%/routerd")
    assert "/nowhere/bin dir/100%/routerd is not there" in said(running.service(ground(place)))


def test_hooks_that_are_missing_dead_double_or_older(place: Place) -> None:
    settings = place.home / ".claude/settings.json"
    place.write({".claude/settings.json": b"{}"})
    assert "note hooks: claude-code does not ask routerd yet" in said(agents.claude(ground(place)))
    install(place, "claude-code")
    assert said(agents.claude(ground(place))) == ""
    data = json.loads(settings.read_text())
    del data["hooks"]["SubagentStop"]
    data["hooks"]["PreToolUse"].insert(0, {"matcher": "*", "hooks": [{"type": "command", "command": "guard --all"}]})
    data |= {"disableAllHooks": True, "enabledPlugins": {"routerd@routerd": True}}
    settings.write_text(json.dumps(data))
    found = said(agents.claude(ground(place)))
    assert "the hook of SubagentStop is missing: routerctl install claude-code" in found
    assert "on Agent runs another hook too (guard --all)" in found
    assert "disableAllHooks" in found
    assert "twice, once by the plugin" in found
    settings.write_text(settings.read_text().replace('"timeout": 5', '"timeout": 50'))
    assert "not as this version writes it" in said(agents.claude(ground(place)))
    settings.write_text(settings.read_text().replace(surroundings(place.env).routerctl, "/gone/routerctl"))
    assert "a hook runs /gone/routerctl, which is not there" in said(agents.claude(ground(place)))


def test_hooks_of_codex_that_nobody_trusts(place: Place) -> None:
    place.write({".codex/config.toml": b"[features]\nhooks = false\n"})
    install(place, "codex")
    found = said(agents.codex_(ground(place)))
    assert "features.hooks = false" in found
    assert "the hook is not trusted" in found
    key = f"{place.home}/.codex/hooks.json:pre_tool_use:0:0"
    place.write({".codex/config.toml": f'[hooks.state."{key}"]\ntrusted_hash = "sha256:00"\n'.encode()})
    assert said(agents.codex_(ground(place))) == ""


def test_a_plugin_of_hermes_that_cannot_be_loaded(place: Place) -> None:
    place.write({".hermes/config.yaml": b"delegation:\n  backend: routerd\n"})
    assert "delegating fails" in said(agents.hermes(ground(place)))
    install(place, "hermes")
    assert said(agents.hermes(ground(place))) == ""
    (place.home / ".hermes/plugins/routerd/__init__.py").unlink()
    with (place.home / ".hermes/config.yaml").open("a") as file:
        file.write("  disabled: [routerd]\n")
    (place.home / ".hermes/config.yaml").write_text("plugins:\n  enabled: [routerd]\n  disabled: [routerd]\n")
    found = said(agents.hermes(ground(place)))
    assert "plugins.disabled names routerd" in found
    assert "__init__.py: is missing" in found


def test_an_mcp_server_that_is_gone(place: Place) -> None:
    place.write({".cursor/mcp.json": b'{"mcpServers": {"routerd": {"command": "/gone/routerctl"}}}'})
    assert "/gone/routerctl is not there" in said(agents.servers(ground(place)))
    install(place, "opencode", speaks_mcp=False)
    assert said(agents.servers(ground(place))).count("\n") == 0  # ours is there, and what it needs
    bare = msgspec.structs.replace(surroundings(place.env), speaks_mcp=False)
    found = said(agents.servers(ground(place, here=bare)))
    assert "opencode.json: names a server that cannot start: install routerd with its extra" in found


def test_variables_that_override(place: Place) -> None:
    place.env |= {"CLAUDE_CODE_SUBAGENT_MODEL": "opus", "ROUTERD_MODE": "loud", "HERMES_SAFE_MODE": "1"}
    place.write({".claude/settings.json": b'{"env": {"CLAUDE_CODE_SUBAGENT_MODEL": "sonnet"}}'})
    found = said(agents.variables(ground(place)))
    assert "problem variable: CLAUDE_CODE_SUBAGENT_MODEL=opus in the environment overrides every choice" in found
    assert "CLAUDE_CODE_SUBAGENT_MODEL=sonnet in settings.json" in found
    assert "ROUTERD_MODE=loud is no mode" in found
    assert "HERMES_SAFE_MODE" in found
    newer = said(agents.variables(ground(place, versions={"claude": (2, 1, 300)})))
    assert "note variable: CLAUDE_CODE_SUBAGENT_MODEL=opus" in newer
    assert "problem variable: CLAUDE_CODE_SUBAGENT_MODEL" not in newer


def test_versions_that_nobody_tried(place: Place) -> None:
    _program(place, "claude", "echo '9.0.1 (Claude Code)'")
    _program(place, "codex", "echo 'codex-cli 0.169.0'")
    _program(place, "hermes", "echo 'Hermes Agent v0.19.0 (2026.7.20)'")
    findings = doctor(place)
    assert [one["says"] for one in findings if one["about"] == "version"] == [
        "claude 9.0.1 was not tested; 2.1.197 to 2.1.329 was"
    ]


def test_modes_that_are_none(place: Place) -> None:
    place.write({".config/routerd/modes.json": b'{"codex": "loud", "hermes": "off"}'})
    found = said(agents.modes_(ground(place)))
    assert "codex has the mode 'loud', which is none: it is off" in found
    assert "hermes is off" in found


@pytest.mark.parametrize(("by", "wanted"), [(1, "was written by a newer routerd"), (-1, "is of an older routerd")])
def test_a_database_of_another_schema(place: Place, by: int, wanted: str) -> None:
    place.state.mkdir(mode=0o700)
    with closing(sqlite3.connect(place.state / "routerd.db")) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + by}")
    place.write({"state/routerd.db.corrupt-1700000000": b""})
    found = said(kept.database(ground(place)))
    assert wanted in found
    assert "was set aside" in found


def test_a_state_directory_with_no_room_that_others_may_look_into(place: Place) -> None:
    place.env["ROUTERD_STATE_DIR"] = "/proc/self"
    found = said(kept.state(ground(place)))
    assert "of the disk are left" in found  # /proc has no room at all
    assert "others may look into it" in found


def test_logs_that_cannot_be_read_or_are_silent(place: Place) -> None:
    place.write({".codex/sessions/2026/a.jsonl": b"{}\n", ".claude/projects": b"no directory"})
    old = time.time() - 90 * 86400
    os.utime(place.home / ".codex/sessions/2026/a.jsonl", (old, old))
    off = Config(sources={"hermes": SourceConfig(enabled=False)})
    found = said(kept.logs(ground(place, config=off)))
    assert "the logs of claude-code cannot be read: it is not a directory" in found
    assert "codex has written nothing for 90 days" in found
    assert "hermes is switched off" in found


def test_logs_that_the_daemon_does_not_read_or_understand(place: Place) -> None:
    """A daemon that was started with another HOME, and sessions in a form that nobody knows."""
    place.write({".codex/sessions/2026/a.jsonl": b"{}\n"})
    codex_root = f"{place.home}/.codex"
    read: dict[str, Any] = {"sources": [{"root": "/elsewhere/.codex", "quarantined": 3}]}
    found = said(kept.logs(ground(place, status=read)))
    assert f"{codex_root}" in found
    assert "the daemon does not read this; it was started in another environment" in found
    assert "/elsewhere/.codex: 3 of its sessions cannot be understood" in found


def test_a_state_directory_that_cannot_be_made(place: Place) -> None:
    place.write({"file": b""})
    place.env["ROUTERD_STATE_DIR"] = f"{place.home}/file/state"
    assert "file: cannot be written" in said(kept.state(ground(place)))


def test_more_directories_than_the_kernel_watches() -> None:
    assert said(kept.watch_limit(4000, 8192)) == ""
    assert "sysctl fs.inotify.max_user_watches=524288" in said(kept.watch_limit(5000, 8192))


def _program(place: Place, name: str, script: str) -> None:
    path = place.home / "bin" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)

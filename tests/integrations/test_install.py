"""`routerctl install` and `uninstall` as people run them, in a home of their own."""

import compileall
import json
import os
import pty
import resource
import select
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from routerd.errors import ConfigError, RouterdError, StoreError
from routerd.integrations import claude_code, writing
from routerd.integrations.installing import plan_install, plan_uninstall, steps, write
from routerd.integrations.modes import kept, mode
from routerd.integrations.surroundings import here as surroundings
from routerd.integrations.targets import TARGETS, Here
from tests.harness import PROGRAMS, Place
from tests.integrations.configurations import JSON, TOML, YAML

CTL = os.path.abspath(PROGRAMS / "routerctl")
FILES = {
    ".claude/settings.json": JSON["comments"],
    ".codex/hooks.json": JSON["hooks-of-others"],
    ".codex/config.toml": TOML["servers"],
    ".config/opencode/opencode.jsonc": JSON["trailing-commas"],
    ".cursor/mcp.json": JSON["minified"],
    ".gemini/settings.json": JSON["crlf"],
    ".config/Claude/claude_desktop_config.json": JSON["servers-of-others"],
    ".config/goose/config.yaml": YAML["others"],
    ".hermes/config.yaml": YAML["indented-list"],
    ".config/systemd/user/routerd.service": b"[Service]\nExecStart=/by/hand\n",
}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "home")


@pytest.fixture
def used(place: Place) -> Place:
    """A home in which every agent is used."""
    place.write(FILES)
    return place


@pytest.fixture
def here(used: Place) -> Here:
    return surroundings(used.env)


def tree(place: Place) -> dict[str, Any]:
    """Everything in a home: bytes, modes, links."""
    found: dict[str, Any] = {}
    for path in sorted(place.home.rglob("*")):
        kind = path.lstat().st_mode
        content = os.readlink(path) if stat.S_ISLNK(kind) else path.read_bytes() if stat.S_ISREG(kind) else None
        found[str(path.relative_to(place.home))] = kind, content
    return found


def run(place: Place, *arguments: str, code: int = 0) -> str:
    done = place.run("routerctl", *arguments)
    assert done.returncode == code, (arguments, done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("target", ["claude-code", "codex", "hermes", "opencode", "mcp"])
def test_install_and_uninstall_leave_everything_as_it_was(used: Place, target: str) -> None:
    before = tree(used)
    shown = run(used, "install", target, "--yes")
    assert "\x1b" not in shown
    assert f"take it back with: routerctl uninstall {target}" in shown
    assert tree(used).keys() > before.keys()
    found = surroundings(used.env)
    assert plan_install(target, msgspec.structs.replace(found, routerctl=CTL), None).empty
    run(used, "uninstall", target, "--yes")
    assert tree(used) == before
    assert plan_uninstall(target, found).empty


@pytest.mark.parametrize("target", ["claude-code", "codex", "hermes", "opencode", "mcp"])
def test_each_changed_file_stays_beside_itself_as_it_was(used: Place, target: str) -> None:
    """Over an upgrade it is still the first one."""
    before = tree(used)
    run(used, "install", target, "--yes")
    newer = msgspec.structs.replace(surroundings(used.env), routerctl="/moved/bin/routerctl")
    write(plan_install(target, newer, None), newer)
    after = tree(used)
    changed = {name for name in before if after[name] != before[name]}
    assert {name for name in after if name.endswith(f".before-routerd-{target}")} == {
        f"{name}.before-routerd-{target}" for name in changed
    }
    assert changed
    assert all(after[f"{name}.before-routerd-{target}"] == before[name] for name in changed)


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="needs a second file system at /dev/shm")
def test_where_no_link_can_be_it_is_a_copy(tmp_path: Path) -> None:
    old, copy = tmp_path / "f", Path("/dev/shm") / f"routerd-{os.getpid()}"
    old.write_bytes(b"x")
    old.chmod(0o640)
    try:
        writing.back_up(str(old), str(copy))
        assert copy.read_bytes() == b"x"
        assert stat.S_IMODE(copy.stat().st_mode) == 0o640
    finally:
        copy.unlink(missing_ok=True)


def test_a_second_time_there_is_nothing_to_do(used: Place) -> None:
    run(used, "install", "claude-code", "--yes")
    after = tree(used)
    assert "nothing to do" in run(used, "install", "claude-code")
    assert tree(used) == after
    run(used, "uninstall", "claude-code", "--yes")
    assert "nothing to do" in run(used, "uninstall", "claude-code")


@pytest.mark.parametrize("target", TARGETS)
def test_the_same_in_an_empty_home_and_for_every_target(place: Place, target: str) -> None:
    place.home.mkdir()
    found = surroundings(place.env)
    write(plan_install(target, found, None), found)
    assert plan_install(target, found, None).empty
    assert (tree(place) == {}) == (target == "mcp")  # no MCP client is used here
    write(plan_uninstall(target, found), found)
    assert tree(place) == {}


def test_targets_installed_together_are_taken_back_in_any_order(here: Here, used: Place) -> None:
    before = tree(used)
    for target in TARGETS:
        write(plan_install(target, here, "shadow" if TARGETS[target].mode else None), here)
    for target in ("codex", "systemd", "claude-code", "mcp", "hermes", "opencode"):
        write(plan_uninstall(target, here), here)
    assert tree(used) == before


@pytest.mark.parametrize(
    "arguments", [("--dry-run",), ("--print",), ("--dry-run", "--json"), ("--print", "--json"), ()]
)
def test_nothing_is_written_unless_somebody_agreed(used: Place, arguments: tuple[str, ...]) -> None:
    before = tree(used)
    shown = run(used, "install", "claude-code", *arguments, code=0 if arguments else 2)
    assert "hook claude-code PreToolUse" in shown
    assert tree(used) == before
    if not arguments:
        assert "--yes" in shown.splitlines()[-1]
    if "--json" in arguments:
        assert json.loads(shown)["target"] == "claude-code"


@pytest.mark.parametrize("target", TARGETS)
def test_every_target_says_what_to_paste(place: Place, target: str) -> None:
    place.home.mkdir()
    shown = json.loads(run(place, "install", target, "--print", "--json"))
    assert [file["path"] for file in shown["files"]]
    assert all("routerd" in file["add"] or "routerctl" in file["add"] for file in shown["files"])
    assert tree(place) == {}


def test_the_snippets_of_all_mcp_clients_are_printed(place: Place) -> None:
    place.home.mkdir()
    shown = run(place, "install", "mcp", "--print")
    for client in ("Cursor", "Gemini CLI", "Claude Desktop", "Goose", "Codex", "claude mcp add"):
        assert client in shown


def test_a_file_that_cannot_be_read_is_refused_and_nothing_is_written(used: Place) -> None:
    """The plugin's files come before the broken one: they are not written either."""
    used.write({".hermes/config.yaml": b"plugins:\n  enabled: [\n"})
    before = tree(used)
    shown = run(used, "install", "hermes", "--yes", code=78)
    assert shown.count("\n") == 1
    assert ".hermes/config.yaml: line 3, column 1" in shown
    assert "nothing was written" in shown
    assert tree(used) == before


def test_on_a_terminal_it_asks(used: Place) -> None:
    before = tree(used)
    assert _on_a_terminal(used, "n\n", "install", "claude-code") == (1, True)
    assert tree(used) == before
    assert _on_a_terminal(used, "y\n", "install", "claude-code") == (0, True)
    assert tree(used) != before
    assert _on_a_terminal(used, "y\n", "uninstall", "claude-code") == (0, True)
    assert tree(used) == before


def _on_a_terminal(place: Place, answer: str, *arguments: str) -> tuple[int, bool]:
    """Exit code, and whether it was coloured."""
    ours, theirs = pty.openpty()
    shown = b""
    with subprocess.Popen(
        [CTL, *arguments],
        env={**place.env, "TERM": "xterm"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=place.home,
    ) as process:
        os.close(theirs)
        asked = False
        while select.select([ours], [], [], 30)[0]:
            try:
                part = os.read(ours, 65536)
            except OSError:  # the other side is closed
                break
            shown += part
            if not asked and b"[y/N]" in shown:
                asked = True
                os.write(ours, answer.encode())
        process.wait(30)
    os.close(ours)
    assert asked, shown
    return process.returncode, b"\x1b[" in shown


def test_the_mode_is_kept_and_taken_back(here: Here, used: Place) -> None:
    run(used, "install", "codex", "--mode", "shadow", "--yes")
    assert mode("codex", used.env) == "shadow"
    write(plan_install("claude-code", here, "enforce"), here)
    write(plan_install("claude-code", here, "off"), here)
    write(plan_uninstall("codex", here), here)
    assert kept(used.env) == {"claude-code": "off"}
    write(plan_uninstall("claude-code", here), here)
    assert not (used.home / ".config/routerd").exists()
    assert "systemd has none" in run(used, "install", "systemd", "--mode", "shadow", code=2)


def test_a_mode_that_was_set_otherwise_since_stays(here: Here, used: Place) -> None:
    write(plan_install("hermes", here, "enforce"), here)
    used.write({".config/routerd/modes.json": b'{"hermes": "off"}'})
    write(plan_uninstall("hermes", here), here)
    assert kept(used.env) == {"hermes": "off"}


def test_links_and_permissions_stay(here: Here, used: Place) -> None:
    """Settings in a repository of dotfiles, linked from home, and readable by the owner alone."""
    used.write({"dotfiles/settings.json": JSON["tabs"]})
    settings = used.home / ".claude/settings.json"
    settings.unlink()
    settings.symlink_to("../dotfiles/settings.json")
    (used.home / "dotfiles/settings.json").chmod(0o640)
    before = tree(used)
    write(plan_install("claude-code", here, None), here)
    assert settings.is_symlink()
    assert b"routerctl" in settings.read_bytes()
    assert stat.S_IMODE(settings.stat().st_mode) == 0o640
    write(plan_uninstall("claude-code", here), here)
    assert tree(used) == before


def test_a_link_out_of_the_home_is_not_followed(used: Place, tmp_path: Path) -> None:
    outside = tmp_path / "elsewhere.json"
    outside.write_bytes(b"{}")
    settings = used.home / ".claude/settings.json"
    settings.unlink()
    settings.symlink_to(outside)
    assert "outside of your home" in run(used, "install", "claude-code", "--yes", code=78)
    assert outside.read_bytes() == b"{}"


def test_an_agents_own_variable_may_lead_out_of_the_home(used: Place, tmp_path: Path) -> None:
    used.env["CLAUDE_CONFIG_DIR"] = str(tmp_path / "claude")
    run(used, "install", "claude-code", "--yes")
    assert (tmp_path / "claude/settings.json").is_file()
    del used.env["CLAUDE_CONFIG_DIR"]
    run(used, "uninstall", "claude-code", "--yes")
    assert not (tmp_path / "claude").exists()


def test_what_is_no_file_is_refused(here: Here, used: Place) -> None:
    settings = used.home / ".claude/settings.json"
    settings.unlink()
    os.mkfifo(settings)
    with pytest.raises(ConfigError, match="is no file of configuration"):
        plan_install("claude-code", here, None)
    settings.unlink()
    settings.mkdir()
    with pytest.raises(ConfigError, match=r"settings\.json"):
        plan_install("claude-code", here, None)


@pytest.mark.parametrize("target", TARGETS)
def test_killed_between_any_two_steps_all_can_be_taken_back(here: Here, used: Place, target: str) -> None:
    before = tree(used)
    count = _steps(target, here, "shadow", stop=1000)
    write(plan_uninstall(target, here), here)
    assert tree(used) == before
    for stop in range(count):
        _steps(target, here, "shadow", stop=stop)
        write(plan_uninstall(target, here), here)
        assert tree(used) == before, stop
        _steps(target, here, "shadow", stop=stop)
        write(plan_install(target, here, None), here)
        assert plan_install(target, here, None).empty
        write(plan_uninstall(target, here), here)
        assert tree(used) == before, stop


@pytest.mark.parametrize("target", TARGETS)
def test_killed_while_taking_back_it_can_be_gone_on_with(here: Here, used: Place, target: str) -> None:
    before = tree(used)
    for stop in range(8):
        write(plan_install(target, here, None), here)
        for _, step in zip(range(stop), steps(plan_uninstall(target, here), here), strict=False):
            step()
        write(plan_uninstall(target, here), here)
        assert tree(used) == before, stop


def test_killed_during_an_upgrade_the_first_bytes_come_back(here: Here, used: Place) -> None:
    """Between the two notes every file is either as the old version wrote it or as the new one did."""
    before = tree(used)
    newer = msgspec.structs.replace(here, routerctl="/moved/bin/routerctl")
    for stop in range(4):
        write(plan_install("claude-code", here, None), here)
        for _, step in zip(range(stop), steps(plan_install("claude-code", newer, None), newer), strict=False):
            step()
        write(plan_uninstall("claude-code", newer), newer)
        assert tree(used) == before, stop


@pytest.mark.parametrize("target", ["claude-code", "codex", "opencode", "mcp", "hermes"])
def test_after_an_upgrade_it_is_brought_up_to_date(here: Here, used: Place, target: str) -> None:
    before = tree(used)
    newer = msgspec.structs.replace(here, routerctl="/moved/bin/routerctl", package="/moved/lib")
    write(plan_install(target, here, None), here)
    write(plan_install(target, newer, None), newer)
    assert plan_install(target, newer, None).empty
    for path, (_, content) in tree(used).items():
        assert here.routerctl.encode() not in (content or b"") or path.startswith("state"), path
    write(plan_uninstall(target, newer), newer)
    assert tree(used) == before


def _steps(target: str, here: Here, wanted: Any, *, stop: int) -> int:
    """Does the first steps of an installation, and counts them."""
    done = 0
    for step in steps(plan_install(target, here, wanted if TARGETS[target].mode else None), here):
        if done == stop:
            break
        step()
        done += 1
    return done


def test_a_disk_that_is_full_leaves_the_old_file(used: Place) -> None:
    large = b'{\n  "model": "opus",\n  "text": "' + b"x" * 40_000 + b'"\n}\n'
    used.write({".claude/settings.json": large})

    def small() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    done = _limited(used, small, "install", "claude-code", "--yes")
    assert done.returncode == 70
    assert "cannot be written: File too large; it is as it was" in done.stderr
    assert (used.home / ".claude/settings.json").read_bytes() == large
    assert [path.name for path in (used.home / ".claude").iterdir()] == ["settings.json"]
    found = surroundings(used.env)
    write(plan_install("claude-code", found, None), found)
    write(plan_uninstall("claude-code", found), found)
    assert (used.home / ".claude/settings.json").read_bytes() == large


def _limited(place: Place, limit: Callable[[], None], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [CTL, *arguments], env=place.env, preexec_fn=limit, capture_output=True, text=True, check=False, timeout=60
    )


def test_what_a_killed_run_left_behind_goes(here: Here, used: Place) -> None:
    before = tree(used)
    used.write({".claude/.settings.json.routerd-draft": b"half"})
    write(plan_install("claude-code", here, None), here)
    used.write({".claude/.settings.json.routerd-draft": b"half"})
    write(plan_uninstall("claude-code", here), here)
    assert tree(used) == before


def test_what_python_made_of_the_plugin_goes_with_it(used: Place) -> None:
    before = tree(used)
    run(used, "install", "hermes", "--yes")
    plugin = used.home / ".hermes/plugins/routerd"
    assert compileall.compile_dir(str(plugin), quiet=2)
    assert (plugin / "__pycache__").is_dir()
    run(used, "uninstall", "hermes", "--yes")
    assert tree(used) == before


@pytest.mark.parametrize(
    ("version", "has_backend"), [("v0.19.0 (2026.7.20)", False), ("v0.21.3 (2026.9.14)", False), ("v0.22.5", True)]
)
def test_a_hermes_that_chooses_by_a_backend_is_given_ours(used: Place, version: str, has_backend: bool) -> None:
    used.write({"bin/hermes": f"#!/bin/sh\necho 'Hermes Agent {version}'\necho 'Python: 3.11.7'\n".encode()})
    (used.home / "bin/hermes").chmod(0o700)
    used.env["PATH"] = f"{used.home}/bin{os.pathsep}{used.env['PATH']}"
    run(used, "install", "hermes", "--yes")
    assert (b"backend: routerd" in (used.home / ".hermes/config.yaml").read_bytes()) == has_backend


@pytest.mark.parametrize("order", [("codex", "mcp"), ("mcp", "codex")])
def test_two_targets_in_one_file(used: Place, order: tuple[str, str]) -> None:
    (used.home / ".codex/hooks.json").unlink()
    used.write({".codex/config.toml": TOML["array-of-tables"]})
    before, found = tree(used), surroundings(used.env)
    for target in ("codex", "mcp"):
        write(plan_install(target, found, None), found)
    for target in order:
        write(plan_uninstall(target, found), found)
    assert tree(used) == before


def test_a_file_that_changed_while_somebody_looked_is_not_written(here: Here, used: Place) -> None:
    plan = plan_install("claude-code", here, None)
    used.write({".claude/settings.json": b'{"newer": true}'})
    with pytest.raises(RouterdError, match="changed while you looked at it"):
        write(plan, here)
    assert (used.home / ".claude/settings.json").read_bytes() == b'{"newer": true}'
    write(plan_uninstall("claude-code", here), here)
    assert (used.home / ".claude/settings.json").read_bytes() == b'{"newer": true}'


def test_what_the_user_edited_since_stays(used: Place) -> None:
    settings = used.home / ".claude/settings.json"
    run(used, "install", "claude-code", "--yes")
    edited = settings.read_bytes().replace(b'"x": 1', b'"x": 2')
    settings.write_bytes(edited)
    run(used, "uninstall", "claude-code", "--yes")
    assert settings.read_bytes() == JSON["comments"].replace(b'"x": 1', b'"x": 2')


def test_a_record_that_is_broken_is_said_and_without_it_entries_are_found(here: Here, used: Place) -> None:
    write(plan_install("claude-code", here, None), here)
    record = used.state / "installed/claude-code.json"
    assert stat.S_IMODE(record.stat().st_mode) == 0o600
    record.write_bytes(b"{")
    with pytest.raises(StoreError, match=r"claude-code\.json: cannot be used"):
        plan_uninstall("claude-code", here)
    record.unlink()
    write(plan_uninstall("claude-code", here), here)
    assert b"routerctl" not in (used.home / ".claude/settings.json").read_bytes()


def test_hooks_that_the_user_has_in_the_toml_of_codex_get_company_there(used: Place) -> None:
    """Codex warns at every start where hooks stand in both of its files."""
    (used.home / ".codex/hooks.json").unlink()
    used.write({".codex/config.toml": TOML["array-of-tables"]})
    before = tree(used)
    shown = run(used, "install", "codex", "--yes")
    assert "/hooks" in shown
    assert not (used.home / ".codex/hooks.json").exists()
    assert b"trusted" not in (used.home / ".codex/config.toml").read_bytes()
    found = surroundings(used.env)
    assert plan_install("codex", msgspec.structs.replace(found, routerctl=CTL), None).empty
    write(plan_uninstall("codex", found), found)
    assert tree(used) == before


def test_models_of_the_pool_get_an_agent_each(used: Place) -> None:
    pool = b'[[pool.models]]\nmodel = "claude-haiku-4-5"\nprovider = "anthropic"\n'
    pool += b'[[pool.models]]\nmodel = "gpt-5.5"\nprovider = "openai"\nreasoning_effort = "low"\n'
    used.write({".config/routerd/config.toml": pool})
    before = tree(used)
    for target in ("claude-code", "codex"):
        run(used, "install", target, "--yes")
    agents = [path.name for path in (used.home / ".claude/agents").iterdir()]
    roles = [path.name for path in (used.home / ".codex/agents").iterdir()]
    assert agents == ["routerd-claude-haiku-4-5.md"]
    assert roles == ["routerd-gpt-5-5-low.toml"]
    found = surroundings(used.env)  # with no pool
    write(plan_install("claude-code", found, None), found)
    assert not any((used.home / ".claude/agents").iterdir())
    for target in ("claude-code", "codex"):
        write(plan_uninstall(target, found), found)
    assert tree(used) == before


def test_a_hermes_that_asks_for_a_backend_gets_one(here: Here, used: Place) -> None:
    config = used.home / ".hermes/config.yaml"
    write(plan_install("hermes", here, None), here)
    assert b"backend" not in config.read_bytes()
    write(plan_install("hermes", msgspec.structs.replace(here, hermes=(0, 22, 5)), None), here)
    assert b"delegation:\n  backend: routerd\n" in config.read_bytes()
    write(plan_uninstall("hermes", here), here)
    assert config.read_bytes() == YAML["indented-list"]
    config.write_bytes(b"delegation: {backend: routerd}\n")  # without the plugin, Hermes could not delegate at all
    write(plan_uninstall("hermes", here), here)
    assert b"routerd" not in config.read_bytes()


def test_hermes_finds_routerd_in_another_environment(here: Here, used: Place) -> None:
    """Hermes' Python knows no routerd: the plugin that was written brings it, and nothing else of where it lies."""
    used.write(
        {
            "venv/routerd/__init__.py": b"",
            "venv/routerd/integrations/__init__.py": b"",
            "venv/routerd/integrations/hermes.py": b"def register(ctx):\n    print('registered', ctx)\n",
            "venv/numpy.py": b"raise SystemExit('not wanted')\n",
        }
    )
    found = msgspec.structs.replace(here, package=str(used.home / "venv"))
    write(plan_install("hermes", found, None), found)
    plugin = used.home / ".hermes/plugins/routerd/__init__.py"
    program = f"import runpy; runpy.run_path({str(plugin)!r})['register']('here')\n"
    program += "try:\n import numpy\nexcept ImportError:\n print('no numpy')"
    command = [sys.executable, "-I", "-S", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.stdout, done.stderr) == ("registered here\nno numpy\n", "")


def test_a_program_with_blanks_in_its_path_is_quoted(here: Here, used: Place) -> None:
    odd = msgspec.structs.replace(here, routerctl="/opt/a b/routerctl")
    write(plan_install("claude-code", odd, None), odd)
    settings = (used.home / ".claude/settings.json").read_text()
    assert "'/opt/a b/routerctl' hook claude-code PreToolUse" in settings
    write(plan_install("claude-code", here, None), here)
    assert settings.count("routerctl") == (used.home / ".claude/settings.json").read_text().count("routerctl hook")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here to ask")
def test_systemd_takes_the_unit_wherever_routerd_lies(used: Place, tmp_path: Path) -> None:
    program = tmp_path / "a b 100% $X" / "routerd"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    found = surroundings({**used.env, "CODEX_HOME": f"{used.home}/co dex"})
    found = msgspec.structs.replace(found, routerd=str(program))
    write(plan_install("systemd", found, None), found)
    units = used.home / ".config/systemd/user"
    text = (units / "routerd.service").read_text()
    assert f'Environment="CODEX_HOME={used.home}/co dex"' in text
    assert f"Environment=ROUTERD_STATE_DIR={used.state}" in text
    command = ["systemd-analyze", "verify", "--user", "--man=no", "./routerd.service", "./routerd.socket"]
    env = {"PATH": os.environ["PATH"], "HOME": str(used.home), "XDG_RUNTIME_DIR": str(tmp_path)}
    done = subprocess.run(command, env=env, cwd=units, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_service_is_not_installed_where_it_could_not_see_routerd(used: Place) -> None:
    """The unit has a /tmp of its own, and homes of tests lie there."""
    before = tree(used)
    used.env["ROUTERD_STATE_DIR"] = "/tmp/state-of-routerd"
    assert "/tmp of its own" in run(used, "install", "systemd", "--yes", code=2)
    assert tree(used) == before


def test_the_plugin_has_the_hooks_that_install_writes(here: Here) -> None:
    plugin = Path(claude_code.__file__).parent / "claude_plugin"
    shipped = json.loads((plugin / "hooks/hooks.json").read_text())["hooks"]
    written = {entry.path[1]: [entry.value] for entry in TARGETS["claude-code"].edits(here)[0].entries}
    assert shipped == json.loads(json.dumps(written).replace(here.routerctl, "routerctl"))
    assert shipped.keys() == claude_code.HOOKS.keys()
    manifest = json.loads((plugin / ".claude-plugin/plugin.json").read_text())
    market = json.loads((plugin / ".claude-plugin/marketplace.json").read_text())
    assert manifest["name"] == market["plugins"][0]["name"] == "routerd"
    assert json.loads((plugin / ".mcp.json").read_text())["mcpServers"]["routerd"]["args"] == ["mcp"]
    assert "$ARGUMENTS" in (plugin / "commands/route.md").read_text()

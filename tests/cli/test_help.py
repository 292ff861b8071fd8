"""Help, man pages and completion: from the same words, whole, and working in the programs that read them."""

import shutil
import subprocess
from pathlib import Path

import pytest

from routerd.cli.app import VERBS, build
from routerd.cli.commands import Command, commands
from routerd.cli.daemon import app as daemon
from routerd.cli.manual import PAGES, page
from tests.harness import PROGRAMS, Place

MAN = Path(__file__).parents[2] / "man"
COMMANDS = [*commands(build(), "routerctl"), *commands(daemon, "routerd")]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def installed(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"needs {program}: apt install {program}")


def test_every_verb_is_among_the_commands() -> None:
    assert {one.name.split()[1] for one in COMMANDS if one.name != "routerd"} == set(VERBS)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda one: one.name)
def test_every_command_has_an_example_of_itself_and_says_what_each_flag_is(command: Command) -> None:
    assert command.help
    assert command.name in command.example, command.example
    assert [flag.names for flag in command.flags if not flag.help] == []


@pytest.mark.parametrize(
    "command", [one for one in COMMANDS if one.example.startswith(one.name)], ids=lambda one: one.name
)
def test_the_flags_of_an_example_exist(command: Command) -> None:
    known = {name for flag in command.flags for name in flag.names}
    own = command.example.partition(" -- ")[0]
    assert {word.partition("=")[0] for word in own.split() if word.startswith("--")} <= known


@pytest.mark.parametrize("program", PAGES)
def test_the_man_page_is_up_to_date(program: str) -> None:
    """After a change that is meant: `python -m routerd.cli.manual man`."""
    assert (MAN / f"{program}.1").read_text(encoding="utf-8") == page(program)


@installed("mandoc")
@pytest.mark.parametrize("program", PAGES)
def test_the_man_page_is_what_mandoc_takes(program: str) -> None:
    done = subprocess.run(
        ["mandoc", "-T", "lint", "-W", "warning", str(MAN / f"{program}.1")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == ""


@installed("man")
@pytest.mark.parametrize("program", PAGES)
def test_the_man_page_reads_as_the_help_does(program: str) -> None:
    env = {"PATH": "/usr/bin:/bin", "MANWIDTH": "200", "LC_ALL": "C.UTF-8", "MAN_KEEP_FORMATTING": "", "TERM": "dumb"}
    done = subprocess.run(
        ["man", "--nh", "--nj", "-l", str(MAN / f"{program}.1")], capture_output=True, text=True, env=env, check=True
    )
    assert done.stderr == ""
    shown = " ".join(done.stdout.split())
    for command in COMMANDS:
        if command.name.split()[0] == program:
            assert " ".join(command.example.replace("`", "").split()) in shown
            assert all(one.replace("`", "") in shown for one in command.help)


# --- completion -----------------------------------------------------------------------------------------------------


def script(place: Place, shell: str, program: str = "routerctl") -> Path:
    done = place.run("routerctl", "--completion", shell, program, check=True)
    path = place.home / f"{program}.{shell}"
    path.write_text(done.stdout)
    return path


def test_a_shell_that_is_not_known_is_said() -> None:
    done = subprocess.run([PROGRAMS / "routerctl", "--completion", "csh"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "zsh" in done.stderr
    assert done.stderr.count("\n") == 1


@installed("bash")
@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("rec", {"recommend"}),
        ("recommend --obj", {"--objective"}),
        ("config s", {"set", "show"}),
        ("feedback x g", {"good"}),
    ],
)
def test_bash_completes(place: Place, typed: str, offered: set[str]) -> None:
    words = ["routerctl", *typed.split()]
    commands = f"""
    source {script(place, "bash")}
    COMP_WORDS=({" ".join(words)}); COMP_CWORD={len(words) - 1}; COMP_LINE="{" ".join(words)}"
    COMP_POINT=${{#COMP_LINE}}
    _routerctl; printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(["bash", "--norc", "-c", commands], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == offered, done.stderr


@installed("fish")
@pytest.mark.parametrize(
    ("typed", "offered"), [("rec", {"recommend"}), ("recommend --obj", {"--objective"}), ("config s", {"set", "show"})]
)
def test_fish_completes(place: Place, typed: str, offered: set[str]) -> None:
    commands = f"source {script(place, 'fish')}; complete -C 'routerctl {typed}'"
    done = subprocess.run(
        ["fish", "--no-config", "-c", commands], capture_output=True, text=True, check=True, env=place.env
    )
    found = {line.split("\t")[0] for line in done.stdout.splitlines()}
    assert {one for one in found if not one.endswith("/")} == offered, done.stderr  # it offers folders as well


@installed("zsh")
def test_zsh_takes_it(place: Place) -> None:
    """It is read without a complaint and stands for the program; what a tab does needs a terminal, and is not tried."""
    (place.home / "f").mkdir()
    path = script(place, "zsh").rename(place.home / "f" / "_routerctl")
    subprocess.run(["zsh", "-n", str(path)], check=True, timeout=30)
    commands = "fpath=($HOME/f $fpath); autoload -U compinit; compinit -u -D; print -r -- $_comps[routerctl]"
    command = ["zsh", "-f", "-c", f"{commands}; autoload +X -U _routerctl && whence -w _routerctl"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, env=place.env, check=True)
    assert done.stdout.split() == ["_routerctl", "_routerctl:", "function"], done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_daemon_is_completed_too(place: Place, shell: str) -> None:
    assert "check-config" in script(place, shell, "routerd").read_text()

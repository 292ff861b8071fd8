"""The guides of `docs/agents/` are followed as they stand there, and every command that `docs/` names is one."""

import json
import re
import shlex
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from routerd.cli.app import VERBS, build
from routerd.config import decode
from routerd.integrations.hook import parse
from routerd.integrations.modes import AGENTS
from routerd.sources import SOURCES
from tests.harness import PROGRAMS, Place
from tests.integrations.configurations import JSON, TOML, YAML

DOCS = Path(__file__).parents[1] / "docs"
GUIDES = sorted((DOCS / "agents").glob("*.md"))
PAGES = sorted(DOCS.rglob("*.md"))
FENCED = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"`((?:[A-Z_]+=\S+ )?routerctl [^`]+)`")
PLACEHOLDERS = {"TARGET": "mcp", "TABLE.KEY=VALUE": "gate.mode=advise", "…": "x"}
OTHERS = ("pip", "/path/to/hermes-venv/bin/pip", "pipx", "claude", "codex")
"""Programs of others, which are not run here."""

HOME = {
    ".claude/settings.json": JSON["hooks-of-others"],
    ".codex/config.toml": TOML["servers"],
    ".hermes/config.yaml": YAML["indented-list"],
    ".config/opencode/opencode.json": JSON["two-spaces"],
    ".cursor/mcp.json": JSON["servers-of-others"],
    ".gemini/settings.json": JSON["tabs"],
    ".config/goose/config.yaml": YAML["others"],
}
ABOUT = {"claude-code.md": "claude", "hermes.md": "hermes", "mcp.md": "mcp"}
"""What `doctor` has nothing to say of once a guide was followed."""


def blocks(page: Path, *kinds: str) -> list[str]:
    return [text for kind, text in FENCED.findall(page.read_text(encoding="utf-8")) if kind in kinds]


def lines(page: Path) -> list[str]:
    """The commands of a page's blocks for a shell that are routerd's own."""
    found = [shlex.split(line, comments=True) for block in blocks(page, "sh", "") for line in block.splitlines()]
    return [shlex.join(words) for words in found if words and words[0] in ("routerctl", *OTHERS)]


def files(place: Place) -> dict[str, bytes]:
    """What is in a home, without what the daemon keeps there."""
    own = ("state/", "s", "daemon.log", ".cache/")
    paths = {str(path.relative_to(place.home)): path for path in place.home.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in paths.items() if not name.startswith(own)}


# --- followed -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.stem)
def test_a_guide_can_be_followed_and_leaves_nothing_behind(tmp_path: Path, guide: Path) -> None:
    place = Place(tmp_path)
    place.write(HOME)
    before = files(place)
    with place.daemon():
        for line in lines(guide):
            program, *words = shlex.split(line)
            if program in OTHERS or "systemd" in words:  # a service that the home of a test must not start
                continue
            if words[0] in ("install", "uninstall") and not {"--dry-run", "--print"} & set(words):
                words.append("--yes")
            if words == ["doctor"]:
                findings = json.loads(place.run("routerctl", "doctor", "--json").stdout)["findings"]
                assert [one for one in findings if ABOUT[guide.name] in one["about"] + one["says"]] == []
                continue
            done = place.run(program, *words)
            assert done.returncode == 0, (line, done.stdout, done.stderr)
    assert files(place) == before


def test_the_guides_name_every_agent_that_asks() -> None:
    assert {guide.stem for guide in GUIDES} == set(AGENTS)


# --- what they show -------------------------------------------------------------------------------------------------


def shown(page: str, kind: str) -> list[Any]:
    readers: dict[str, Any] = {"json": json.loads, "yaml": yaml.safe_load, "toml": tomllib.loads}
    return [readers[kind](block) for block in blocks(DOCS / "agents" / page, kind)]


def test_what_is_to_be_pasted_is_what_install_prints(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.write(HOME)
    printed: list[Any] = []
    for target in ("opencode", "mcp"):
        for piece in json.loads(place.run("routerctl", "install", target, "--print", "--json").stdout)["files"]:
            reader: Any = tomllib.loads if piece["path"].endswith("toml") else yaml.safe_load
            printed.append(reader(re.sub(r'[^"\s]*/routerctl', "routerctl", piece["add"])))
    ours = [*shown("mcp.md", "json"), *shown("mcp.md", "yaml"), *shown("mcp.md", "toml")]
    assert [one for one in printed if one not in ours] == []
    assert [one for one in ours if one not in printed] == [
        {"mcp_servers": {"routerd": {"command": "routerctl", "args": ["mcp"], "connect_timeout": 10, "timeout": 10}}}
    ]


def test_the_status_line_runs(tmp_path: Path) -> None:
    (setting,) = shown("claude-code.md", "json")
    command = setting["statusLine"]["command"].replace("routerctl", shlex.quote(str(PROGRAMS / "routerctl")))
    done = subprocess.run(
        command, shell=True, input="{}", env=Place(tmp_path).env, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""


def test_the_pool_can_be_used() -> None:
    (block,) = blocks(DOCS / "agents" / "hermes.md", "toml")
    assert len(decode(block, "hermes.md", frozenset(SOURCES)).pool.models) == 2


def test_hermes_is_told_what_install_tells_it(tmp_path: Path) -> None:
    (setting,) = shown("hermes.md", "yaml")
    place = Place(tmp_path)
    place.home.joinpath(".hermes").mkdir()
    place.run("routerctl", "install", "hermes", "--yes", check=True)
    written = yaml.safe_load((place.home / ".hermes/config.yaml").read_text())
    assert setting == {**written, "delegation": {"backend": "routerd"}}


# --- named ----------------------------------------------------------------------------------------------------------


def named(page: Path) -> list[str]:
    text = page.read_text(encoding="utf-8")
    fenced = [line for block in blocks(page, "sh", "", "console") for line in block.splitlines()]
    return [
        *(line.removeprefix("$ ") for line in fenced if re.match(r"(\$ )?routerctl ", line)),
        *INLINE.findall(FENCED.sub("", text)),
    ]


COMMANDS = [pytest.param(line, id=f"{page.stem}-{number}") for page in PAGES for number, line in enumerate(named(page))]


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_in_the_docs_is_one(line: str) -> None:
    alone = re.split(r" [<|] ", line)[0]
    words = shlex.split(alone.replace("--mode …", "--mode advise").replace("good|bad", "good"), comments=True)
    words = [PLACEHOLDERS.get(word, word) for word in words[words.index("routerctl") + 1 :]]
    if words[0] == "hook":
        assert parse(words[1:]) is not None
    elif len(words) == 1:  # a verb is spoken of
        assert words[0] in VERBS
    else:
        build().parse_args(words, exit_on_error=False, print_error=False)

"""
What the documents say to type exists: every command, flag and key in them, every link, every size.

Beside it `tests/test_docs.py` runs what stands in console blocks and compares what comes out.
"""

import importlib
import os
import re
import shlex
import textwrap
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from cyclopts import App

from routerd.cli.app import VERBS, build
from routerd.cli.daemon import app as daemon
from routerd.config import Config, PolicyConfig
from routerd.policies import Belief, PolicyLike
from tests.harness import Place
from tests.test_docs import CONSOLE

ROOT = Path(__file__).parents[1]
PAGES = sorted(path for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("*/README.md")])
FENCED = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
PROGRAM = re.compile(r"^(?:\$ )?((?:routerctl|routerd|scripts/\w+)(?: [^\n;&<>#]*)?)$")
PLACEHOLDERS = frozenset({"VERB", "…", "TARGET"})
ELSEWHERE = frozenset({("delegation", "backend"), ("delegation", "policy"), ("gate", "apply")})
"""Two settings of Hermes, and a member of an answer: not keys of routerd's configuration."""
LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)|<img[^>]*src=\"([^\"]+)\"|srcset=\"([^\"]+)\"")

APPS: dict[str, App] = {"routerctl": build(), "routerd": daemon}


def pages() -> list[Any]:
    return [pytest.param(path, id=str(path.relative_to(ROOT))) for path in PAGES]


def typed(text: str) -> list[str]:
    """The lines of code blocks that begin with a program of ours, without what stands behind a `#`."""
    blocks = (block.replace("\\\n", " ") for _, block in FENCED.findall(text))
    lines = (re.sub(r"\s+#.*| +\|.*", "", line).rstrip() for block in blocks for line in block.splitlines())
    return [found[1] for line in lines if (found := PROGRAM.match(line))]


def commands(text: str) -> list[str]:
    """What a page says to type, in code blocks and within sentences."""
    spoken = (code.replace("\\|", "|") for code in INLINE.findall(FENCED.sub("", text)))  # as tables have it
    return [*typed(text), *(found[1] for code in spoken if (found := PROGRAM.match(code)))]


def wrong(command: str) -> str | None:
    """What is wrong with a command, or None. Words in capitals stand for something, `a|b` for one of two."""
    try:
        program, *words = shlex.split(re.sub(r"[“”]", '"', command).rstrip(".,:)"))
    except ValueError as error:
        return str(error)
    if program.startswith("scripts/"):
        return None if os.access(ROOT / program, os.X_OK) else "no such script"
    app, inside = APPS[program], True
    while inside and words and program == "routerctl":
        name = words[0]
        if name in PLACEHOLDERS or name.startswith("-"):
            break
        options = name.split("|")
        inside = any(option in set(app) for option in options)
        if not inside:
            if app is APPS["routerctl"]:
                return f"no verb {name}"
            break
        app, words = app[options[0]], words[1:]
        inside = app.default_command is None
    if app.default_command is None:
        return None
    flags = {word.partition("=")[0] for word in words if re.fullmatch(r"--[\w-]+(=.*)?", word)}
    known = {flag for argument in app.assemble_argument_collection() for flag in argument.names} | {
        "--help",
        "--version",
    }
    return f"no flag {', '.join(sorted(flags - known))}" if flags - known else None


UNRUN = {
    "scripts/": "sets up an environment, or runs these tests",
    "routerd": "runs until it is ended",
    "routerctl sync": "needs a server; tests/cli/test_sync.py has one",
}


def test_every_line_of_a_code_block_runs(tmp_path: Path) -> None:
    """In one home, beside a daemon, in the order of the pages; what asks is told yes. Console blocks have their own."""
    lines = [
        line
        for page in PAGES
        for line in typed(CONSOLE.sub("", page.read_text(encoding="utf-8")))
        if not line.startswith(tuple(UNRUN))
    ]
    place, last = Place(tmp_path), ""
    (place.home / ".claude").mkdir()
    (place.home / ".codex").mkdir()
    (place.home / ".hermes").mkdir()
    (place.home / ".gemini").mkdir()
    with place.daemon():
        for line in dict.fromkeys(lines):
            program, verb, *rest = shlex.split(line)
            if verb in ("install", "uninstall"):
                rest.append("--dry-run" if "systemd" in rest else "--yes")  # who runs the tests may have a systemd
            if verb == "explain":
                rest = [last]
            done = place.run(program, verb, *rest)
            told = (0, 1) if verb in ("doctor", "savings") else (0,)  # 1: the answer is no, as with no history
            refused = "a /tmp of its own" in done.stderr  # systemd, where routerd itself is installed below /tmp
            assert done.returncode in told or refused, (line, done.stdout, done.stderr)
            assert "Traceback" not in done.stderr
            if found := re.search(r"routerctl explain (d_\w+)", done.stdout):
                last = found[1]
    assert len(lines) > 15
    assert last


@pytest.mark.parametrize("page", pages())
def test_every_command_exists(page: Path) -> None:
    found = {command: why for command in commands(page.read_text(encoding="utf-8")) if (why := wrong(command))}
    assert found == {}


def test_a_command_that_does_not_exist_is_found() -> None:
    text = "Say `routerctl wish` or\n\n```\n$ routerctl savings --since 90d --agianst x   # no\nscripts/nothing\n```\n"
    assert {one: wrong(one) is not None for one in commands(text)} == {
        "routerctl savings --since 90d --agianst x": True,
        "scripts/nothing": True,
        "routerctl wish": True,
    }
    assert wrong("routerctl config set delegation.model=x") is None
    assert wrong("routerctl config path|check") is None


def test_every_verb_has_its_place_in_the_readme() -> None:
    said = (ROOT / "README.md").read_text(encoding="utf-8")
    missing = [verb for verb in VERBS if not re.search(rf"(routerctl |· `|`){re.escape(verb)}\b", said)]
    assert missing == []


@pytest.mark.parametrize("page", pages())
def test_every_link_leads_somewhere(page: Path) -> None:
    for found in LINK.findall(page.read_text(encoding="utf-8")):
        target, _, anchor = next(one for one in found if one).partition("#")
        if "://" in target or target.startswith("mailto:"):
            continue
        there = page if not target else (page.parent / target)
        assert there.exists(), f"{page.name}: {target}"
        if anchor:
            heads = re.findall(r"^#+ (.*)", there.read_text(encoding="utf-8"), re.MULTILINE)
            slugs = {re.sub(r"[^\w\- ]", "", head).strip().lower().replace(" ", "-") for head in heads}
            assert anchor in slugs, f"{page.name}: #{anchor}"


@pytest.mark.parametrize("page", pages())
def test_every_key_of_the_configuration_exists(page: Path) -> None:
    """`section.key` in code, where the section is one of the configuration's."""
    sections = {field.encode_name: field.type for field in msgspec.structs.fields(Config)}
    for section, key in re.findall(r"`(\w+)\.(\w+)(?:[^`\w.][^`]*)?`", page.read_text(encoding="utf-8")):
        kind: Any = sections.get(section)
        if hasattr(kind, "__struct_fields__") and key != "py" and (section, key) not in ELSEWHERE:
            keys = {field.encode_name for field in msgspec.structs.fields(kind)}
            assert key in keys, f"{page.name}: {section}.{key}"


@pytest.mark.parametrize("page", pages())
def test_every_file_that_is_named_is_there(page: Path) -> None:
    """A path in code, below the root, the package or the page's own folder; `<…>` stands for a name."""
    for found in INLINE.findall(FENCED.sub("", page.read_text(encoding="utf-8"))):
        if re.fullmatch(r"[\w.-]+(/[\w.-]+)+\.(py|md|sql|css|toml)", found) and not found.startswith("agents/"):
            assert any((base / found).exists() for base in (ROOT, ROOT / "routerd", page.parent)), (
                f"{page.name}: {found}"
            )


def test_the_policy_of_contributing_is_one() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^   ```python\n(.*?)^   ```", text, re.DOTALL | re.MULTILINE)
    names: dict[str, Any] = {}
    exec(textwrap.dedent(block), names)  # our own page
    policy: PolicyLike = names["Greedy"](PolicyConfig())
    belief = Belief(
        utility=[1.0, 3.0, 3.0],
        deviations=np.zeros((3, 2), np.float32),
        won=np.array([[0, 0], [1, 1], [1, 1]], np.float32),
        wins=[0.0, 0.5, 0.5],
        harmless=[True] * 3,
    )
    assert policy.propensities(belief) == [0.0, 0.5, 0.5]


def test_the_sizes_of_how_it_learns_are_those_of_the_code() -> None:
    text = (ROOT / "docs" / "how-it-learns.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| [^|]+ \| ([\d.]+) \| `([\w.()\[\]]+)` \|$", text, re.MULTILINE)
    assert len(rows) >= 15
    for said, where in rows:
        module, _, expression = where.partition(".")
        value = eval(expression, vars(importlib.import_module(f"routerd.{module}")))  # our own page
        assert float(said) == pytest.approx(float(value)), where


def test_the_weights_of_how_it_learns_are_those_of_the_code() -> None:
    from routerd.sources.signals import WEIGHTS  # noqa: PLC0415

    text = (ROOT / "docs" / "how-it-learns.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \| [^|]+ \| ([\d.]+) \|$", text, re.MULTILINE)
    said = {name: float(weight) for names, weight in rows for name in re.findall(r"\w+", names)}
    assert said == {name: weight for name, weight in WEIGHTS.items() if weight}

"""
The examples of `docs/` are what really comes out. After a change that is meant: `python -m tests.test_docs`.

A console block holds commands (`$ …`), each with what it prints; a toml block before them is the configuration. Their
home is shown as `~`.
"""

import os
import re
import shlex
import tempfile
from pathlib import Path

import pytest

from tests import pictures
from tests.harness import Place

DOCS = Path(__file__).parents[1] / "docs"
CONSOLE = re.compile(r"(?<=```console\n).*?(?=```)", re.DOTALL)
TOML = re.compile(r"(?<=```toml\n).*?(?=```)", re.DOTALL)


def rerun(text: str, home: Path) -> str:
    """The document with what its commands print now."""
    place = Place(home)
    if config := TOML.search(text):
        place.write({".config/routerd/config.toml": config[0].encode()})
    return CONSOLE.sub(lambda block: _block(block[0], place), text)


def _block(block: str, place: Place) -> str:
    commands = [line for line in block.splitlines() if line.startswith("$ ")]
    return "\n".join(f"{command}\n{_printed(command, place)}" for command in commands)


def _printed(command: str, place: Place) -> str:
    program, *arguments = shlex.split(command.removeprefix("$ "))
    done = place.run(program, *arguments)
    said = (done.stdout + done.stderr).replace(str(place.home), "~")
    lines = [line.rstrip() for line in said.splitlines()]
    return "\n".join(lines).strip("\n") + "\n"


NAMES = sorted(str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md") if CONSOLE.search(path.read_text("utf-8")))


@pytest.mark.parametrize("name", NAMES)
def test_the_examples_are_what_comes_out(name: str, tmp_path: Path) -> None:
    text = (DOCS / name).read_text(encoding="utf-8")
    assert rerun(text, tmp_path) == text


def test_the_picture_of_the_terminal_is_what_comes_out(tmp_path: Path) -> None:
    made, kept = pictures.savings(tmp_path), (pictures.PICTURES / "savings.svg").read_text(encoding="utf-8")
    assert re.findall(r"<text[^>]*>(.*?)</text>", kept) == re.findall(r"<text[^>]*>(.*?)</text>", made)
    assert "://" not in kept.replace("http://www.w3.org/2000/svg", "")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        for number, path in enumerate(DOCS / name for name in NAMES):
            home = Path(scratch) / str(number)
            home.mkdir()
            path.write_text(rerun(path.read_text(encoding="utf-8"), home), encoding="utf-8")
            os.write(1, f"{path} is written anew\n".encode())

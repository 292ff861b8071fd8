"""
The pictures of the documents, from real output on made-up history: `python -m tests.pictures` makes them anew.

The terminal's is tested to be what comes out (`test_docs.py`); those of the page need Chromium and change with the day.
"""

import os
import pty
import sys
import tempfile
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from tests.chromium import PROGRAM, browser
from tests.cli.history import CHEAP, DEAR, MIDDLE, configure, imported, rows
from tests.cli.lived import SINCE, lived
from tests.harness import PROGRAMS, Place

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
COLUMNS = 92
COMMAND = "routerctl savings --since 2025-01-01"
FOR_EVER = "[learning]\nobserved_max = 100000\nhalf_life_days = 1e9\n"
"""So that the picture of the terminal is the same on any day."""
THEME = TerminalTheme(
    (24, 27, 33),
    (226, 224, 218),
    [
        (24, 27, 33),
        (240, 113, 120),
        (99, 197, 143),
        (207, 197, 82),
        (109, 179, 242),
        (196, 155, 245),
        (85, 198, 207),
        (226, 224, 218),
    ],
)
FRAME = """<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<title>$ {command}</title>
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, "SF Mono", "DejaVu Sans Mono", Menlo, Consolas, monospace;
  font-size: {char_height}px; line-height: {line_height}px; font-variant-east-asian: full-width; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g></g></svg>
"""
"""As rich's own, without its fonts from elsewhere."""


def played(place: Place) -> Place:
    """A history of which `savings` has something to say in each of its voices, the same on any day."""
    configure(place, FOR_EVER)
    imported(
        place,
        rows("explore", DEAR, 120, fails=8, minutes=4.0, dollars=0.9),
        rows("explore", CHEAP, 80, fails=40, minutes=2.0, dollars=0.1),
        rows("cross-file-edit", DEAR, 40, fails=8, minutes=9.0, dollars=2.5),
        rows("cross-file-edit", CHEAP, 30, fails=2, minutes=6.0, dollars=0.4),
        rows("review", MIDDLE, 12, fails=8, minutes=2.0, dollars=0.3),
    )
    return place


def printed(place: Place, command: str) -> str:
    """What a command prints on a terminal, with its colours."""
    program, *arguments = command.split()
    environment = {**place.env, "COLUMNS": str(COLUMNS), "TERM": "xterm-256color"}
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(place.home)
        os.execve(PROGRAMS / program, [program, *arguments], environment)
    found = b""
    try:
        while part := os.read(terminal, 65536):
            found += part
    except OSError:  # the other end is closed: it has ended
        pass
    os.close(terminal)
    os.waitpid(child, 0)
    return found.decode().replace("\r\n", "\n")


def drawn(text: str, command: str) -> str:
    """The text as a picture of a terminal."""
    console = Console(record=True, width=COLUMNS, file=StringIO(), force_terminal=True)
    console.print(Text.assemble(("$ ", "dim"), (command, "bold")))
    console.print(Text.from_ansi(text.rstrip("\n")))
    frame = FRAME.replace("{command}", command)
    return console.export_svg(title="", theme=THEME, code_format=frame, unique_id="routerd", font_aspect_ratio=0.602)


def savings(home: Path) -> str:
    """The picture of `routerctl savings`."""
    return drawn(printed(played(Place(home)), COMMAND), COMMAND)


def page(home: Path) -> dict[str, bytes]:
    """The first screens of the page of `routerctl dashboard`, in light and in dark."""
    place = lived(Place(home))
    place.run("routerctl", "dashboard", "page.html", *SINCE, check=True)
    found = {}
    with browser(home / "profile") as running:
        for scheme in ("light", "dark"):
            tab = running.page()
            tab.show((place.home / "page.html").as_uri(), width=1100, scheme=scheme)
            found[scheme] = tab.screenshot(height=1225)
    return found


def main() -> int:
    """Makes them all."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        for name in ("terminal", "page"):
            (Path(scratch) / name).mkdir()
        (PICTURES / "savings.svg").write_text(savings(Path(scratch) / "terminal"), encoding="utf-8")
        if PROGRAM is None:
            sys.stderr.write("no Chromium: those of the page are as they were (on Debian: apt install chromium)\n")
            return 1
        for scheme, png in page(Path(scratch) / "page").items():
            (PICTURES / f"dashboard-{scheme}.png").write_bytes(png)
    return 0


if __name__ == "__main__":
    sys.exit(main())

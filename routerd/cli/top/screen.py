"""The screen of `routerctl top`. Needs textual."""

import asyncio
import io
import os
import time
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any, ClassVar

from rich.console import Console
from textual import work
from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.css.query import NoMatches
from textual.screen import ModalScreen
from textual.widgets import DataTable, Footer, Static

from routerd.cli import explain
from routerd.cli.config_file import replace, text_of
from routerd.cli.top import looks
from routerd.cli.top.pool import Edit, forbid, only
from routerd.client import aio
from routerd.errors import ConfigError, RouterdError, UnreachableError
from routerd.places import config_path

EVERY_S = 1.0
ASKED_WITHIN_S = 5.0
EVENTS_KEPT = 500


class Said(ModalScreen[bool]):
    """A text to read; with a question it is answered by y or n."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("y", "answer(True)", "yes"),
        ("n,escape,q,enter", "answer(False)", "close"),
    ]

    def __init__(self, text: str, question: str = "") -> None:
        super().__init__()
        self.text, self._question = text, question

    def compose(self) -> ComposeResult:
        """The text, and what the keys do."""
        with VerticalScroll(id="said"):
            yield Static(self.text, markup=False)
            yield Static(f"\n{self._question}  (y: yes, n: no)" if self._question else "\n(escape: back)", markup=False)

    def action_answer(self, yes: bool) -> None:
        """Closes it; only a question can be agreed to."""
        if yes and not self._question:
            return
        self.dismiss(yes)


class Top(App[None]):
    """
    Two tables that live.

    Args:
        socket: The daemon's, where it is not in its usual place.
    """

    TITLE = "routerd"
    ENABLE_COMMAND_PALETTE = False
    CSS = """
    #head { height: 1; text-style: bold; }
    #arms { height: 2fr; }
    #events { height: 3fr; border-top: solid $primary; }
    #sources { height: auto; max-height: 8; border-top: solid $primary; }
    #said { width: 90%; height: 85%; margin: 2 4; padding: 1 2; border: round $primary; background: $surface; }
    Said { align: center middle; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        ("e", "explain", "explain"),
        ("f", "forbid", "forbid"),
        ("p", "pin", "pin"),
        ("u", "undo", "undo"),
        ("q", "quit", "quit"),
    ]

    def __init__(self, socket: Path | None = None) -> None:
        super().__init__()
        self._socket = socket
        self._first: dict[str, Any] = {}
        self._ids: list[str] = []
        self._edits: list[Edit] = []

    def compose(self) -> ComposeResult:
        """From the top: the daemon, what is believed, what happens, what is read."""
        yield Static("", id="head", markup=False)
        yield DataTable(id="arms", cursor_type="row")
        yield DataTable(id="events", cursor_type="row")
        yield Static("", id="sources", markup=False)
        yield Footer()

    def on_mount(self) -> None:
        """Begins to listen and to ask."""
        for name, headings in (("arms", looks.ARM_HEADINGS), ("events", looks.EVENT_HEADINGS)):
            table = self._table(name)
            for number, heading in enumerate(headings):
                table.add_column(heading, key=str(number))
        self._table("arms").focus()
        self.listen()
        self.look()
        self.set_interval(EVERY_S, self.look)

    def _table(self, name: str) -> DataTable[str]:
        return self.query_one(f"#{name}", DataTable)

    async def _ask(self, method: str, **params: Any) -> Any:
        return await aio.call(method, params, socket=self._socket, timeout_s=ASKED_WITHIN_S)

    # --- what comes -------------------------------------------------------------------------------------------------

    @work
    async def listen(self) -> None:
        """Takes events as they come; a daemon that goes away is waited for."""
        while True:
            with suppress(UnreachableError):
                async with aclosing(aio.subscribe(["decision", "outcome"], socket=self._socket)) as events:
                    async for event in events:
                        self.show_event(event)
            await asyncio.sleep(EVERY_S)

    @work(exclusive=True, group="look")
    async def look(self) -> None:
        """Asks how the daemon is and what it believes."""
        try:
            begun = time.perf_counter()
            await self._ask("hello")
            latency_ms = 1000.0 * (time.perf_counter() - begun)
            status, arms = await self._ask("status"), await self._ask("arms")
        except RouterdError as error:
            self.show_trouble(str(error))
        else:
            self.show_state(status, arms["arms"], latency_ms)

    def show_trouble(self, said: str) -> None:
        """The daemon does not answer."""
        with suppress(NoMatches):
            self.query_one("#head", Static).update(f"{said} (trying again)")

    def show_state(self, status: dict[str, Any], arms: list[dict[str, Any]], latency_ms: float) -> None:
        """The daemon's state, and what is believed of each arm; rows stay where they are."""
        now = time.time()
        with suppress(NoMatches):  # it is ending
            self.query_one("#head", Static).update(looks.headline(status, latency_ms))
            self.query_one("#sources", Static).update(looks.sources(status, now))
            table = self._table("arms")
            for arm in sorted(arms, key=lambda one: -one["n"]):
                cells = looks.arm_cells(arm, self._first.setdefault(arm["arm"], arm), now)
                if arm["arm"] not in table.rows:
                    table.add_row(*cells, key=arm["arm"])
                else:
                    for number, cell in enumerate(cells):
                        table.update_cell(arm["arm"], str(number), cell, update_width=True)

    def show_event(self, event: dict[str, Any]) -> None:
        """A line more; who looks at the last one goes on looking at the last one."""
        cells = looks.event_cells(event)
        with suppress(NoMatches):
            if cells is None:
                return
            table = self._table("events")
            at_end = table.cursor_row >= table.row_count - 1
            table.add_row(*cells)
            self._ids.append(cells[-1])
            if table.row_count > EVENTS_KEPT:
                table.remove_row(next(iter(table.rows)))
                self._ids.pop(0)
            if at_end:
                table.move_cursor(row=table.row_count - 1)

    # --- what is asked for ------------------------------------------------------------------------------------------

    async def action_explain(self) -> None:
        """Of the decision under the cursor of the feed, or else of the latest one."""
        table = self._table("events")
        named = self._ids[table.cursor_row] if 0 <= table.cursor_row < len(self._ids) else ""
        decision_id = named or next((one for one in reversed(self._ids) if one), "")
        if not decision_id:
            self.notify("no decision was made since this view was opened; ask for one: routerctl recommend GOAL")
            return
        try:
            answer = await self._ask("explain", decision_id=decision_id)
        except RouterdError as error:
            self.notify(str(error), severity="error", markup=False)
            return
        page = io.StringIO()
        width = max(60, self.size.width * 9 // 10 - 18)
        explain.render(
            answer, Console(file=page, width=width, highlight=False, markup=False, emoji=False, color_system=None)
        )
        self.push_screen(Said(page.getvalue()))

    def action_forbid(self) -> None:
        """Takes the arm under the cursor out of the pool, if that is agreed to."""
        self._propose("forbid")

    def action_pin(self) -> None:
        """Makes the arm under the cursor the only one of the pool, if that is agreed to."""
        self._propose("pin")

    def _propose(self, what: str) -> None:
        table = self._table("arms")
        if not table.row_count:
            self.notify("no arm is known yet")
            return
        arms = [str(key.value) for key in table.rows]
        arm = arms[table.cursor_row]
        path = config_path(os.environ, existing=False)
        assert path is not None
        try:
            text = _text(path)
            edit = forbid(path, text, arm, arms, os.environ) if what == "forbid" else only(path, text, arm, os.environ)
        except RouterdError as error:
            self.notify(str(error), severity="error", markup=False)
            return
        effect = "is never recommended again" if what == "forbid" else "is the only one to be recommended"

        async def answered(yes: bool | None) -> None:
            if yes:
                await self._write(edit)

        question = f"Write this? {arm} {effect}; models that are not in the list are not either."
        self.push_screen(Said(edit.diff, question), answered)

    async def _write(self, edit: Edit) -> None:
        try:
            await self._put(edit.path, edit.after, expected=edit.before)
        except RouterdError as error:
            self.notify(str(error), severity="error", markup=False)
            return
        self._edits.append(edit)
        self.notify(f"{edit.path}: written and in force; u takes it back", markup=False)
        self.look()

    async def action_undo(self) -> None:
        """Puts the configuration back as it was before the last change that was made here."""
        if not self._edits:
            self.notify("nothing was changed here")
            return
        edit = self._edits[-1]
        try:
            await self._put(edit.path, edit.before, expected=edit.after)
        except RouterdError as error:
            self.notify(str(error), severity="error", markup=False)
            return
        self._edits.pop()
        self.notify(f"{edit.path}: as it was", markup=False)
        self.look()

    async def _put(self, path: Path, text: str | None, *, expected: str | None) -> None:
        """
        Writes the configuration and has the daemon read it; where it refuses, or reads another file, nothing changes.

        Raises:
            ConfigError: Somebody else wrote the file meanwhile, or the daemon reads another one.
            RouterdError: The daemon does not answer, or refuses.
        """
        if _text(path) != expected:
            raise ConfigError(f"{path}: was changed by somebody else meanwhile; try again")
        _replace(path, text)
        try:
            read = (await self._ask("reload"))["path"]
            if not _same(read, None if text is None else path):
                raise ConfigError(f"{path}: the daemon reads {read or 'no file'}; set ROUTERD_CONFIG to its file")
        except RouterdError:
            _replace(path, expected)
            raise


def _same(read: str | None, path: Path | None) -> bool:
    return (read and os.path.realpath(read)) == (path and os.path.realpath(path))


def _text(path: Path) -> str | None:
    return text_of(path) if path.exists() else None


def _replace(path: Path, text: str | None) -> None:
    if text is None:
        path.unlink(missing_ok=True)
    else:
        replace(path, text, backup=False)

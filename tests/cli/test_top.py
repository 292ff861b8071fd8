"""`routerctl top`: the screen, driven by textual's own pilot, on a real daemon."""

import json
import os
import tomllib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from routerd.cli.top import looks
from routerd.cli.top.pool import forbid, only
from routerd.config import decode
from routerd.errors import UsageError
from tests.cli.history import CHEAP, DEAR, MIDDLE, imported, rows
from tests.harness import Daemon, Place

pytest.importorskip("textual", reason="pip install 'routerd[top]'")
from textual.pilot import Pilot
from textual.widgets import DataTable, Static

from routerd.cli.top.screen import Said, Top

PATH = Path("/home/you/.config/routerd/config.toml")
ARMS = ["local", DEAR, CHEAP, MIDDLE]
WITHIN_S = 20.0


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    place = Place(tmp_path)
    imported(
        place,
        rows("explore", DEAR, 12, fails=5, minutes=4.0, dollars=0.9),
        rows("explore", CHEAP, 8, fails=4, minutes=1.0, dollars=0.1),
        rows("docs", MIDDLE, 4, fails=3, minutes=2.0, dollars=0.3),
    )
    for name in ("HOME", "ROUTERD_STATE_DIR", "ROUTERD_SOCKET"):
        monkeypatch.setenv(name, place.env[name])
    for name in ("XDG_CONFIG_HOME", "ROUTERD_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    with place.daemon() as running:
        yield running


class View:
    """What somebody who looks at the screen sees."""

    def __init__(self, pilot: Pilot[None]) -> None:
        self.pilot, self.app = pilot, pilot.app

    def table(self, name: str) -> list[list[str]]:
        table = self.app.screen_stack[0].query_one(f"#{name}", DataTable)
        return [[str(cell) for cell in table.get_row_at(number)] for number in range(table.row_count)]

    def line(self, name: str) -> str:
        return str(self.app.screen_stack[0].query_one(f"#{name}", Static).render())

    def page(self) -> str:
        screen = self.app.screen
        return " ".join(str(one.render()) for one in screen.query(Static)) if isinstance(screen, Said) else ""

    async def until(self, condition: Any) -> Any:
        with anyio.fail_after(WITHIN_S):
            while not (found := condition()):
                await self.pilot.pause(0.02)
        return found

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    def select(self, arm: str) -> None:
        names = [row[0] for row in self.table("arms")]
        self.app.screen.query_one("#arms", DataTable).move_cursor(row=names.index(arm))


@asynccontextmanager
async def viewed(daemon: Daemon) -> AsyncIterator[View]:
    async with Top(daemon.place.socket).run_test(size=(140, 40)) as pilot:
        view = View(pilot)
        await view.until(lambda: view.table("arms"))
        yield view


def ask(daemon: Daemon, **more: Any) -> Any:
    task = {"goal": "explore src/app.py", "kind": "explore", "agent": "claude-code"}
    return daemon.ask("recommend", task=task, candidates=[DEAR, CHEAP], incumbent=DEAR, **more)


@pytest.mark.anyio
async def test_decisions_and_outcomes_come_and_beliefs_narrow(daemon: Daemon) -> None:
    async with viewed(daemon) as view:
        assert "answers in" in await view.until(lambda: view.line("head"))
        before = {row[0]: row for row in view.table("arms")}
        assert set(before) >= {DEAR, CHEAP, MIDDLE}
        assert before[DEAR][5] == "12"
        await view.until(lambda: view.table("events") or (ask(daemon) and None))  # it listens
        picked = [ask(daemon) for _ in range(3)]
        ids = {one["decision_id"] for one in picked}
        for one in picked:
            outcome = {"succeeded": True, "wall_time_ms": 61_000, "cost_usd": 0.2}
            daemon.ask("report", decision_id=one["decision_id"], outcome=outcome)
        await view.until(lambda: ids <= {row[5] for row in view.table("events") if row[1] == "✓"})
        feed = view.table("events")
        assert ids <= {row[5] for row in feed if row[1] == "→"}
        assert all("succeeded (report), 61 s, $0.20" in row[4] for row in feed if row[1] == "✓")
        chosen = picked[0]["arm"]
        count = int(before[chosen][5]) + sum(one["arm"] == chosen for one in picked)
        await view.until(lambda: [chosen, str(count)] in [[row[0], row[5]] for row in view.table("arms")])
        await view.until(lambda: any("→" in row[4] for row in view.table("arms")))


@pytest.mark.anyio
async def test_a_decision_is_explained(daemon: Daemon) -> None:
    async with viewed(daemon) as view:
        await view.press("e")
        await view.until(lambda: not view.page())
        await view.until(lambda: view.table("events") or (ask(daemon) and None))
        made = ask(daemon)
        await view.until(lambda: view.table("events")[-1][5] == made["decision_id"])
        await view.press("e")
        page = await view.until(view.page)
        assert made["reason"][:30] in " ".join(page.split())
        assert "what would change that" in page
        assert "nearest tasks" in page
        await view.press("y")
        assert view.page()
        await view.press("escape")
        await view.until(lambda: not view.page())


@pytest.mark.anyio
async def test_an_arm_is_forbidden_pinned_and_given_back(daemon: Daemon) -> None:
    """Each change is shown first, is in force when it is written, and can be taken back."""
    path = daemon.place.home / ".config/routerd/config.toml"

    def recommended() -> set[str]:
        return {one["arm"] for one in daemon.ask("arms")["arms"] if one["in_pool"] and one["arm"] != "local"}

    async with viewed(daemon) as view:
        everything = recommended()
        view.select(DEAR)
        await view.press("f")
        page = await view.until(view.page)
        assert '+    {model = "claude-haiku-4-5", provider = "anthropic"}' in page
        await view.press("n")
        await view.until(lambda: not view.page())
        assert not path.exists()
        await view.press("f")
        await view.until(view.page)
        await view.press("y")
        await view.until(lambda: recommended() == everything - {DEAR})
        await view.until(lambda: any(row[0] == DEAR and row[1] == "out" for row in view.table("arms")))
        written = path.read_text()
        view.select(CHEAP)
        await view.press("p")
        assert "the only one" in await view.until(view.page)
        await view.press("y")
        await view.until(lambda: recommended() == {CHEAP})
        await view.press("u")
        await view.until(lambda: recommended() == everything - {DEAR})
        assert path.read_text() == written
        await view.press("u")
        await view.until(lambda: recommended() == everything)
        assert not path.exists()


@pytest.mark.anyio
async def test_a_daemon_that_goes_and_comes_back(daemon: Daemon) -> None:
    async with viewed(daemon) as view:
        daemon.stop()
        await view.until(lambda: "cannot be reached" in view.line("head"))
        with daemon.place.daemon() as other:
            await view.until(lambda: "answers in" in view.line("head"))
            await view.until(lambda: ask(other) and view.table("events"))


@pytest.mark.anyio
async def test_a_file_that_somebody_else_changed_is_left_alone(daemon: Daemon) -> None:
    path = daemon.place.home / ".config/routerd/config.toml"
    async with viewed(daemon) as view:
        view.select(DEAR)
        await view.press("f")
        await view.until(view.page)
        daemon.place.write({".config/routerd/config.toml": b"[gate]\ndelta = 0.1\n"})
        await view.press("y")
        await view.until(lambda: not view.page())
        await view.pilot.pause()
        assert path.read_text() == "[gate]\ndelta = 0.1\n"


def test_one_look_and_what_is_said_without_a_terminal(daemon: Daemon) -> None:
    done = daemon.place.run("routerctl", "top", "--json", check=True)
    look = json.loads(done.stdout)
    assert look.keys() == {"latency_ms", "status", "arms"}
    assert {one["arm"] for one in look["arms"]} >= {DEAR, CHEAP}
    done = daemon.place.run("routerctl", "top")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "needs a terminal" in done.stderr


# --- the pool -------------------------------------------------------------------------------------------------------


def pool_of(text: str) -> list[Any]:
    return list(tomllib.loads(text)["pool"]["models"])


def test_what_allowed_a_forbidden_arm_gives_way_to_the_others_that_it_allowed() -> None:
    text = '# mine\n[pool]\nmodels = [{provider = "anthropic", strengths = ["docs"]}, "gpt-5.4"] # all of them\n'
    edit = forbid(PATH, text, DEAR, ARMS, os.environ)
    assert edit.after.startswith("# mine\n[pool]\n")
    assert pool_of(edit.after) == [
        "gpt-5.4",
        {"model": "claude-haiku-4-5", "provider": "anthropic"},
        {"model": "claude-sonnet-5", "provider": "anthropic"},
    ]
    decode(edit.after, "x", frozenset())


def test_entries_that_did_not_allow_it_stay_as_they_are() -> None:
    text = (
        '[[pool.models]]\nmodel = "claude-haiku-4-5"\nmax_cost_usd = 2.0\n\n[[pool.models]]\nmodel = "claude-opus-5"\n'
    )
    assert pool_of(forbid(PATH, text, DEAR, ARMS, os.environ).after) == [
        {"model": "claude-haiku-4-5", "max_cost_usd": 2.0}
    ]


def test_what_cannot_be_done_is_said() -> None:
    with pytest.raises(UsageError, match="local"):
        forbid(PATH, None, "local", ARMS, os.environ)
    with pytest.raises(UsageError, match="the only one"):
        forbid(PATH, None, DEAR, ["local", DEAR], os.environ)
    with pytest.raises(UsageError, match="any effort"):
        forbid(PATH, None, f"{DEAR}@high", [DEAR, f"{DEAR}@high"], os.environ)
    with pytest.raises(UsageError, match="local"):
        only(PATH, None, "local", os.environ)


def test_one_arm_alone() -> None:
    edit = only(PATH, "[gate]\ndelta = 0.1\n", f"{DEAR}@high#leaf", os.environ)
    assert pool_of(edit.after) == [
        {"model": "claude-opus-5", "provider": "anthropic", "reasoning_effort": "high", "role": "leaf"}
    ]
    assert "+[pool]" in edit.diff
    assert "-[gate]" not in edit.diff


# --- words ----------------------------------------------------------------------------------------------------------


def test_words_of_the_feed() -> None:
    event = {"event": "outcome", "at": 0.0, "agent": "codex", "arm": "local", "censored": None, "succeeded": None}
    event |= {"wall_time_ms": None, "cost_usd": None, "kind": None, "signal": None, "decision_id": None}
    cells = looks.event_cells(event)
    assert cells is not None
    assert (cells[1], cells[4]) == ("?", "not known, ?, ?")
    failed = looks.event_cells({**event, "succeeded": 0.0, "signal": "test"})
    assert failed is not None
    assert (failed[1], failed[4]) == ("✗", "failed (test), ?, ?")
    limited = looks.event_cells({**event, "succeeded": None, "censored": "limit"})
    assert limited is not None
    assert "not judged (limit)" in limited[4]
    assert looks.event_cells({**event, "event": "source"}) is None

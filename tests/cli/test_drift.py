"""`routerctl drift`: what ran on another model than was asked for, and arms that do not perform as they did."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from routerd.catalog import Catalog
from routerd.config import CatalogConfig, Config
from tests.cli.history import CHEAP, DEAR, configure, imported, rows
from tests.harness import Place
from tests.sources.claude_logs import MODEL, PROMPT, SMALL, Home

PRICES = """
[catalog.prices."claude-sonnet-4-5"]
input = 3.0
output = 15.0
cache_read = 0.3
cache_write = 3.75
[catalog.prices."claude-haiku-4-5"]
input = 1.0
output = 5.0
cache_read = 0.1
cache_write = 1.25
[catalog.prices."claude-haiku-5-5"]
input = 1.0
output = 5.0
cache_read = 0.1
cache_write = 1.25
"""
"""An alias is priced as what it stands for now."""
EXTRA_USD = (10 * (3 - 1) + 20 * (15 - 5) + 300 * (0.3 - 0.1) + 40 * (3.75 - 1.25)) / 1e6
"""Of one response, whose tokens are 10, 20, 300 and 40."""
ALL_TIME = ("--since", "2026-01-01")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def session(number: int, turns: int, *, wanted: str | None, answered: str = MODEL) -> Home:
    """A session in which every turn asked the API for one model and another one answered."""
    home = Home(f"{number:08x}-2222-4333-8444-555555555555")
    for turn in range(turns):
        home.main.user(f"Number {turn} of {number}", uuid=f"{number:08x}-{turn:04x}-4000-8000-000000000000")
        asked = {} if wanted is None else {"requestedModel": wanted}
        home.main.say(model=answered, message=f"msg_{number}_{turn}", **asked)
    return home


def delegating(number: int, alias: str, model: str) -> Home:
    """A delegation that asked for an alias, and what its child ran on."""
    home = Home(f"{number:08x}-2222-4333-8444-555555555555")
    home.main.user("Please see to it")
    home.main.delegate(f"toolu_{number}", PROMPT, model=alias)
    home.worked(f"a{number}", PROMPT, model=model)
    home.main.completed(f"toolu_{number}", f"a{number}")
    home.main.say()
    return home


def drift(place: Place, *flags: str, code: int = 0) -> Any:
    done = place.run("routerctl", "drift", "--json", *flags)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def test_turns_that_ran_on_another_model_are_counted_by_session_and_priced(place: Place) -> None:
    configure(place, PRICES)
    homes = [session(1, 5, wanted=SMALL), session(2, 2, wanted=SMALL), session(3, 3, wanted=SMALL, answered=SMALL)]
    homes += [session(4, 2, wanted=None), delegating(5, "haiku", SMALL), delegating(6, "haiku", MODEL)]
    for home in homes:
        place.write(home.data)
    place.once()
    found = drift(place, *ALL_TIME, "--check", code=1)
    assert found.keys() == {"since", "until", "asked", "strayed", "moved", "threshold"}
    turns, delegations = found["strayed"]
    assert turns | {"extra_usd": None} == {
        "agent": "claude-code",
        "executor": "local",
        "asked": "claude-haiku-4-5",
        "ran": "claude-sonnet-4-5",
        "units": 7,
        "of": 10,
        "sessions": [
            {"session_id": homes[0].session, "units": 5},
            {"session_id": homes[1].session, "units": 2},
        ],
        "extra_usd": None,
        "unpriced": 0,
    }
    assert turns["extra_usd"] == pytest.approx(7 * EXTRA_USD)
    assert (delegations["asked"], delegations["ran"]) == ("haiku", "claude-sonnet-4-5")
    assert (delegations["units"], delegations["of"]) == (1, 2)
    assert delegations["extra_usd"] == pytest.approx(2 * EXTRA_USD)  # two responses
    shown = " ".join(place.run("routerctl", "drift", *ALL_TIME, check=True).stdout.split())
    assert "7 of 10 turns that asked for claude-haiku-4-5 ran on claude-sonnet-4-5" in shown
    assert f"{homes[0].session} (5)" in shown


def test_nothing_strayed(place: Place) -> None:
    place.write(session(1, 3, wanted=SMALL, answered=SMALL).data)
    place.once()
    assert drift(place, *ALL_TIME, "--check")["strayed"] == []
    shown = place.run("routerctl", "drift", *ALL_TIME, check=True).stdout
    assert "what was asked for is what ran (3 looked at)" in shown
    assert "nobody asked for a model" in place.run("routerctl", "drift", "--since", "1h", check=True).stdout


def test_an_arm_that_fails_where_it_did_not_has_moved(place: Place) -> None:
    """60 of 60 two months ago, none of 30 now; the other arm is as it was."""
    day_s, now = 86_400.0, time.time()
    before = [
        {**row, "succeeded": True, "at": now - 60 * day_s}
        for row in rows("docs", CHEAP, 60, fails=2, minutes=1, dollars=1)
    ]
    after = [{**row, "id": f"{row['id']}+", "succeeded": False, "at": now - 60} for row in before[:30]]
    other = [
        {**row, "at": now - i * day_s} for i, row in enumerate(rows("docs", DEAR, 60, fails=3, minutes=1, dollars=1))
    ]
    imported(place, before, after, other)
    (moved,) = drift(place, "--check", code=1)["moved"]
    assert (moved["arm"], moved["n"]) == (CHEAP, 90)
    # Of 90, pooled rate 2/3: (0 - 1) / √(2/9 · (1/30 + 1/60)).
    assert moved["drift"] == pytest.approx(-1.0 / (2 / 9 * (1 / 30 + 1 / 60)) ** 0.5)
    shown = place.run("routerctl", "drift", check=True).stdout
    assert f"{CHEAP}: does worse than it did, by 9.5 standard errors (90 outcomes" in shown
    with place.daemon():
        assert "-9.5 s.e." in place.run("routerctl", "arms", check=True).stdout


def test_no_database_and_a_wrong_flag_are_one_line(place: Place) -> None:
    done = place.run("routerctl", "drift")
    assert (done.returncode, done.stderr.count("\n")) == (70, 1)
    done = place.run("routerctl", "drift", "--since", "ever")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


@pytest.mark.parametrize(
    ("asked", "ran", "met"),
    [
        ("claude-haiku-4-5", SMALL, True),
        ("claude-haiku-4-5", "claude-haiku-3-5", False),
        ("haiku", SMALL, True),
        ("haiku", MODEL, False),
        ("opus[1m]", "claude-opus-4-5-20251101", True),
        ("openrouter/anthropic/claude-opus-5", "claude-opus-5", True),
        ("gpt-5-high", "gpt-5", True),
        ("mine", "claude-haiku-4-5", True),
        ("mine", "claude-opus-5", False),
        ("big-1", "big-1", True),
        ("big-1", "small-1", False),
    ],
)
def test_what_a_name_is_met_by(asked: str, ran: str, met: bool) -> None:
    catalog = Catalog(Config(catalog=CatalogConfig(aliases={"mine": "claude-haiku-4-5"})), {})
    assert catalog.meets(asked, ran) is met

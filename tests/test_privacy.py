"""What docs/privacy.md promises: of marked words, in logs and in questions, none is in anything that routerd keeps."""

import json
from pathlib import Path

import pytest

from tests.harness import Place
from tests.sources.claude_logs import Home

WORDS = ("zebrafish", "quokkas", "axolotl", "pangolin", "sk-ant-api03-narwhal0000000000000000")


def marked(place: Place) -> None:
    """A session, a delegation, a question and a report that are full of them."""
    home = Home("00000001-2222-4333-8444-555555555555")
    home.main.user(f"Please look after the {WORDS[0]} with {WORDS[4]}")
    home.main.delegate("toolu_1", f"Count the {WORDS[1]} in src/zoo.py", model="haiku")
    home.worked("a1", f"Count the {WORDS[1]} in src/zoo.py", model="claude-haiku-4-5-20251001")
    home.main.completed("toolu_1", "a1")
    home.main.say()
    place.write(home.data)
    with place.daemon() as daemon:
        daemon.caught_up()
        task = {"goal": f"feed the {WORDS[2]}", "context": f"it lives beside the {WORDS[3]}, key {WORDS[4]}"}
        made = daemon.ask("recommend", task=task)
        daemon.ask(
            "report", decision_id=made["decision_id"], task=task, dispatch=made["dispatch"], outcome={"succeeded": True}
        )
        daemon.until(lambda: daemon.ask("status")["counts"]["outcomes"] >= 2)


def kept(place: Place) -> bytes:
    """All of the state directory, and what was logged."""
    files = [path for path in place.state.rglob("*") if path.is_file()]
    assert any(path.name == "routerd.db" for path in files)
    return b"".join(path.read_bytes() for path in [*files, place.home / "daemon.log"])


def test_no_word_is_kept(tmp_path: Path) -> None:
    place = Place(tmp_path)
    marked(place)
    said = place.run("routerctl", "dashboard", "page.html", "--json", check=True).stdout.encode()
    everything = kept(place) + said + (place.home / "page.html").read_bytes()
    assert [word for word in WORDS if word.encode() in everything] == []
    (count,) = place.query("SELECT count(*) FROM outcomes WHERE executor = 'delegate'")[0]
    assert count >= 1


@pytest.mark.parametrize("secret", [WORDS[4]])
def test_with_store_text_goals_are_kept_and_keys_are_not(tmp_path: Path, secret: str) -> None:
    """The control: the words do get as far as the store."""
    place = Place(tmp_path)
    place.write({".config/routerd/config.toml": b"[privacy]\nstore_text = true\n"})
    marked(place)
    everything = kept(place)
    assert WORDS[0].encode() in everything
    assert WORDS[1].encode() in everything
    assert secret.encode() not in everything
    goals = [
        json.loads(log)["task"]["goal"] for (log,) in place.query("SELECT log FROM outcomes WHERE log IS NOT NULL")
    ]
    assert any("[redacted]" in goal for goal in goals)

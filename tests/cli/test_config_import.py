"""`routerctl config import` as a person runs it, on real files."""

import json
import os
import pty
import subprocess
from pathlib import Path

import pytest

from routerd.cli.config_import import merged
from routerd.config import decode
from routerd.policy_yaml import read
from routerd.sources import SOURCES
from tests.harness import PROGRAMS, Place
from tests.test_policy_yaml import REQUEST

OWN = """# my own words
[policy]
name = "ucb"   # tried it once
seed = 7

[pool] # who may
models = [
  "glm-4.7",   # cheap
]
"""


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = Place(tmp_path)
    place.write({"h.yaml": REQUEST.encode()})
    return place


def own(place: Place) -> Path:
    return place.home / ".config/routerd/config.toml"


def test_a_configuration_is_made_shown_and_used(place: Place) -> None:
    place.write({".hermes/delegation_seed.jsonl": b'{"dispatch": ["delegate", "fast-worker"], "succeeded": true, '
                 b'"features": {"task_kind": "typo-fix"}, "wall_time_ms": 41000, "at": 1790000000}\n'})  # fmt: skip
    done = place.run("routerctl", "config", "import", "h.yaml", "--yes", check=True)
    assert "+++ " in done.stdout
    assert '+profile = "fast-worker"' in done.stdout
    assert "note: decision_space: nothing outside the pool" in done.stdout
    assert "written: " in done.stdout
    assert own(place).stat().st_mode & 0o777 == 0o600
    assert "can be used" in place.run("routerctl", "config", "check", check=True).stdout
    # The arm that the seed tells of is the one that the pool allows.
    place.once()
    with place.daemon() as daemon:
        (arm,) = [arm for arm in daemon.ask("arms")["arms"] if arm["n"]]
    assert (arm["dispatch"]["profile"], arm["in_pool"]) == ("fast-worker", True)


def test_comments_and_order_are_kept_and_a_copy_is_left(place: Place) -> None:
    place.write({".config/routerd/config.toml": OWN.encode()})
    done = place.run("routerctl", "config", "import", "h.yaml", "--yes", "--json", check=True)
    answer = json.loads(done.stdout)
    text = own(place).read_text()
    for kept in ("# my own words", "# tried it once", "# who may", '"glm-4.7",   # cheap', "seed = 7"):
        assert kept in text
    assert 'name = "thompson_sampling"   # tried it once' in text
    assert '{profile = "fast-worker"}' in text
    assert 'seed_from = "~/.hermes/delegation_seed.jsonl"' in text
    assert answer["written"] is True
    assert Path(answer["backup"]).read_text() == OWN
    assert (place.home / "h.yaml").read_text() == REQUEST
    again = json.loads(place.run("routerctl", "config", "import", "h.yaml", "--yes", "--json", check=True).stdout)
    assert (again["diff"], again["written"]) == ("", False)
    own(place).write_text(OWN)
    third = json.loads(place.run("routerctl", "config", "import", "h.yaml", "--yes", "--json", check=True).stdout)
    assert third["backup"] != answer["backup"]


@pytest.mark.parametrize(
    "pool", ['[[pool.models]]\nmodel = "opus"\n', 'pool = {models = ["opus"]}\n', 'pool.models = ["opus"]\n', ""]
)
def test_every_form_of_a_pool_grows(pool: str) -> None:
    after = decode(merged(pool, read(REQUEST, "h.yaml"), "c.toml"), "c.toml", frozenset(SOURCES))
    profiles = [entry.profile for entry in after.pool.models if not isinstance(entry, str)]
    assert profiles[-2:] == ["fast-worker", "strong-worker"]


def test_nothing_is_written_unasked(place: Place) -> None:
    done = place.run("routerctl", "config", "import", "h.yaml")
    assert (done.returncode, own(place).exists()) == (2, False)
    assert done.stderr.startswith("routerctl: nothing is written without being asked for: give --yes")
    dry = place.run("routerctl", "config", "import", "h.yaml", "--dry-run", check=True)
    assert "nothing is written" in dry.stdout
    assert not own(place).exists()


@pytest.mark.parametrize(("typed", "written"), [(b"y\n", True), (b"\n", False), (b"\x04", False)])
def test_on_a_terminal_it_asks(place: Place, typed: bytes, written: bool) -> None:
    ours, theirs = pty.openpty()
    command = [str(PROGRAMS / "routerctl"), "config", "import", "h.yaml"]
    with subprocess.Popen(command, env=place.env, cwd=place.home, stdin=theirs, stdout=subprocess.PIPE) as running:
        os.write(ours, typed)
        shown, _ = running.communicate(timeout=60)
    os.close(theirs)
    os.close(ours)
    assert b"Write this? [y/N]" in shown
    assert (running.returncode, own(place).exists()) == (0, written)


def test_a_link_is_followed_and_stays_a_link(place: Place) -> None:
    place.write({"dotfiles/routerd.toml": OWN.encode(), ".config/routerd/x": b""})
    own(place).symlink_to(place.home / "dotfiles/routerd.toml")
    place.run("routerctl", "config", "import", "h.yaml", "--yes", check=True)
    assert own(place).is_symlink()
    assert "fast-worker" in (place.home / "dotfiles/routerd.toml").read_text()


@pytest.mark.parametrize(
    ("own_text", "yaml", "words"),
    [
        ("", "delegation: {model: glm-47}", "with this in it: delegation.model: no such model 'glm-47'; did you mean"),
        ("[polcy]\n", REQUEST, "config.toml: polcy: no such key; did you mean 'policy'?"),
        ("[policy\n", REQUEST, "config.toml: not valid TOML"),
        ("", "delegation: [", "h.yaml:1: not valid YAML"),
        ("", None, "none.yaml: cannot be read: No such file or directory"),
    ],
)
def test_what_cannot_be_used_is_not_written(place: Place, own_text: str, yaml: str | None, words: str) -> None:
    if own_text:
        place.write({".config/routerd/config.toml": own_text.encode()})
    if yaml is not None:
        place.write({"h.yaml": yaml.encode()})
    done = place.run("routerctl", "config", "import", "h.yaml" if yaml is not None else "none.yaml", "--yes")
    assert done.returncode == 78
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert (own(place).read_text() if own(place).exists() else "") == own_text

"""`routerctl config set`: a key changed, and nothing changed where that would not do."""

import json
from pathlib import Path

import pytest

from tests.harness import Place

TEXT = """# mine
[policy]
name = "ucb" # because

[pool]
models = ["claude-opus-5"]
"""


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def config(place: Place) -> Path:
    return place.home / ".config/routerd/config.toml"


def test_a_key_is_set_in_a_new_file_and_used(place: Place) -> None:
    done = place.run("routerctl", "config", "set", "delegation.model=claude-haiku-4-5", "gate.delta=0.05", check=True)
    assert "when routerd runs next" in " ".join(done.stdout.split())
    shown = json.loads(place.run("routerctl", "config", "show", "--json", check=True).stdout)
    assert (shown["delegation"]["model"], shown["gate"]["delta"]) == ("claude-haiku-4-5", 0.05)


def test_comments_and_what_is_not_named_stay(place: Place) -> None:
    place.write({".config/routerd/config.toml": TEXT.encode()})
    config(place).chmod(0o640)
    place.run(
        "routerctl",
        "config",
        "set",
        "policy.epsilon=0.2",
        'pool.models=["claude-opus-5", "claude-haiku-4-5"]',
        check=True,
    )
    text = config(place).read_text()
    assert text.startswith('# mine\n[policy]\nname = "ucb" # because\nepsilon = 0.2\n')
    assert 'models = ["claude-opus-5", "claude-haiku-4-5"]' in text
    assert config(place).stat().st_mode & 0o777 == 0o640
    assert [path.name for path in config(place).parent.iterdir()] == ["config.toml"]


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        ("delegation.modle=x", 78, "did you mean 'model'"),
        ("delegation.model=no-such-model-at-all", 78, "delegation.model"),
        ("gate.delta=2", 78, "gate.delta"),
        ("delegation.model", 2, "TABLE.KEY=VALUE"),
        ("model=x", 2, "TABLE.KEY=VALUE"),
        ("policy.name.deeper=x", 2, "name is no table"),
    ],
)
def test_what_would_not_do_changes_nothing(place: Place, change: str, code: int, said: str) -> None:
    place.write({".config/routerd/config.toml": TEXT.encode()})
    done = place.run("routerctl", "config", "set", "policy.epsilon=0.2", change)
    assert (done.returncode, done.stderr.count("\n")) == (code, 1)
    assert said in done.stderr
    assert config(place).read_text() == TEXT


def test_a_file_that_is_no_toml_is_named(place: Place) -> None:
    place.write({".config/routerd/config.toml": b"[policy\n"})
    done = place.run("routerctl", "config", "set", "policy.epsilon=0.2")
    assert (done.returncode, str(config(place)) in done.stderr) == (78, True)
    assert place.run("routerctl", "config", "set").returncode == 2

"""The mode of an agent: for a session, for good, and when the file is no use."""

from pathlib import Path

import pytest

from routerd.integrations.modes import keep, kept, mode, modes_path


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path)}


def test_an_agent_is_advised_unless_somebody_said_otherwise(env: dict[str, str]) -> None:
    assert mode("hermes", env) == "advise"


def test_a_mode_is_kept_until_it_is_taken_back(env: dict[str, str]) -> None:
    keep("hermes", "enforce", env)
    keep("codex", "off", env)
    assert (mode("hermes", env), mode("codex", env), mode("mcp", env)) == ("enforce", "off", "advise")
    keep("hermes", None, env)
    assert kept(env) == {"codex": "off"}


def test_the_session_goes_before_what_is_kept(env: dict[str, str]) -> None:
    keep("hermes", "enforce", env)
    assert mode("hermes", {**env, "ROUTERD_MODE": "shadow"}) == "shadow"


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '"enforce"', '{"hermes": "loud"}', '{"hermes": 3}', "[" * 100_000, "\0"]
)
def test_a_file_that_says_nothing_sensible_switches_off(env: dict[str, str], text: str) -> None:
    path = Path(modes_path(env))
    path.parent.mkdir(parents=True)
    path.write_text(text)
    assert mode("hermes", env) == "off"


def test_what_is_no_mode_switches_off(env: dict[str, str]) -> None:
    assert mode("hermes", {**env, "ROUTERD_MODE": "loud"}) == "off"

"""CONTRACT §2: of the places that may be meant, the first that is set."""

from pathlib import Path

import pytest

from routerd.places import asked_socket_path, config_path, default_socket_path, socket_path, state_dir

HOME = {"HOME": "/home/user"}
ALL = {
    **HOME,
    "ROUTERD_STATE_DIR": "/own/state",
    "STATE_DIRECTORY": "/systemd/state:/systemd/other",
    "XDG_STATE_HOME": "/xdg/state",
    "XDG_RUNTIME_DIR": "/run/user/7",
    "ROUTERD_SOCKET": "/own/socket",
}


def without(*names: str) -> dict[str, str]:
    return {name: value for name, value in ALL.items() if name not in names}


def test_state() -> None:
    assert state_dir(ALL, "/flag") == Path("/flag")
    assert state_dir(ALL) == Path("/own/state")
    assert state_dir(without("ROUTERD_STATE_DIR")) == Path("/systemd/state")
    assert state_dir(without("ROUTERD_STATE_DIR", "STATE_DIRECTORY")) == Path("/xdg/state/routerd")
    assert state_dir(HOME) == Path("/home/user/.local/state/routerd")


def test_socket() -> None:
    assert socket_path(ALL, Path("/flag")) == "/flag"
    assert socket_path(ALL) == "/own/socket"
    assert socket_path(without("ROUTERD_SOCKET")) == "/run/user/7/routerd/routerd.sock"
    assert socket_path(without("ROUTERD_SOCKET", "XDG_RUNTIME_DIR")) == "/own/state/routerd.sock"
    assert socket_path(HOME) == "/home/user/.local/state/routerd/routerd.sock"
    assert default_socket_path(HOME, Path("/flag")) == "/flag/routerd.sock"
    assert default_socket_path(ALL, "/flag") == "/run/user/7/routerd/routerd.sock"


def test_only_a_named_socket_goes_before_that_of_systemd() -> None:
    assert asked_socket_path(ALL, "/flag") == "/flag"
    assert asked_socket_path(ALL) == "/own/socket"
    assert asked_socket_path(without("ROUTERD_SOCKET")) is None


def test_configuration(tmp_path: Path) -> None:
    env = {"HOME": str(tmp_path)}
    usual = tmp_path / ".config" / "routerd" / "config.toml"
    assert config_path(env) is None
    assert config_path(env, existing=False) == usual
    usual.parent.mkdir(parents=True)
    usual.touch()
    assert config_path(env) == usual
    assert config_path({**env, "XDG_CONFIG_HOME": "/xdg"}, existing=False) == Path("/xdg/routerd/config.toml")
    named = {**env, "ROUTERD_CONFIG": "/not/there.toml"}
    assert config_path(named) == Path("/not/there.toml")
    assert config_path(named, "/flag") == Path("/flag")


def test_what_is_empty_is_not_set_and_what_is_relative_is_ignored() -> None:
    assert socket_path({**HOME, "ROUTERD_SOCKET": "", "XDG_RUNTIME_DIR": ""}) == socket_path(HOME)
    assert state_dir({**HOME, "ROUTERD_STATE_DIR": "", "STATE_DIRECTORY": "", "XDG_STATE_HOME": "x"}) == state_dir(HOME)
    assert socket_path({**HOME, "XDG_RUNTIME_DIR": "run"}) == socket_path(HOME)


def test_without_home_the_users_own_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pwd.getpwuid", lambda _: type("Entry", (), {"pw_dir": "/home/of-the-user"}))
    assert state_dir({}) == Path("/home/of-the-user/.local/state/routerd")

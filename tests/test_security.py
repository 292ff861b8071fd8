"""What a daemon that reads somebody's logs must not do: talk to a network, or keep what nobody asked it to keep."""

import json
import re
from pathlib import Path

import pytest

from tests.faults.logs import place_of, row, strace
from tests.harness import Place
from tests.sources.claude_logs import home_files as claude_files
from tests.sources.codex_logs import home_files as codex_files

HAIKU = {"executor": "delegate", "provider": "anthropic", "model": "claude-haiku-4-5"}
AUDIT = """
import os, sys

def told(event, arguments):
    if event == "socket.__new__" and arguments[1] != 1:  # AF_UNIX
        said = f"{event} {arguments[1:]}"
    elif event.startswith(("socket.getaddrinfo", "socket.gethostby", "socket.sendto")):
        said = f"{event} {arguments}"
    else:
        return
    with open(os.environ["TOLD"], "a") as file:
        file.write(said + chr(10))

sys.addaudithook(told)
open(os.environ["TOLD"], "a").write(f"watched {os.getpid()}" + chr(10))
"""
"""Becomes `sitecustomize`: every Python that the daemon starts says what sockets it makes."""


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A home with logs; one of them is so large that a child reads it."""
    place = place_of(tmp_path)
    place.write(claude_files() | codex_files())
    place.write({"logs/large.jsonl": b"".join(row("r", number, task={"goal": "x" * 2000}) for number in range(300))})
    return place


def live(place: Place, under: list[str]) -> None:
    """A whole life: a backlog, questions, reports, every method that only looks, a reload, an end."""
    with place.daemon(under=under) as daemon:
        daemon.caught_up()
        pick = daemon.ask("recommend", task={"goal": "x"}, candidates=["local", HAIKU])
        daemon.ask("report", decision_id=pick["decision_id"], outcome={"succeeded": True})
        daemon.ask("resolve", model="claude-haiku-4-5")
        for method in ("hello", "status", "models", "arms", "reload"):
            daemon.ask(method)
        assert daemon.stop() == 0


def test_no_process_of_the_daemon_makes_a_socket_of_another_family_or_looks_up_a_name(place: Place) -> None:
    """As every Python of it tells itself, the child that reads the backlog among them."""
    (place.home / "hook").mkdir()
    (place.home / "hook" / "sitecustomize.py").write_text(AUDIT)
    place.env |= {"PYTHONPATH": str(place.home / "hook"), "TOLD": str(place.home / "told")}
    live(place, [])
    told = (place.home / "told").read_text().splitlines()
    assert len({line for line in told if line.startswith("watched")}) >= 2
    assert [line for line in told if not line.startswith("watched")] == []


def test_the_kernel_is_asked_for_no_socket_but_those_of_unix(place: Place) -> None:
    """By whatever library: as strace tells of every process and thread."""
    log = place.home / "calls"
    live(place, strace("--seccomp-bpf", "-e", "trace=socket,socketpair", log=log))
    families = re.findall(r"socket(?:pair)?\((\w+)", log.read_text())
    assert families
    assert set(families) == {"AF_UNIX"}


SECRETS = ["sk-ant-api03-" + "Zx9" * 20, "ghp_" + "a1B2" * 9, "hunter2hunter2"]


@pytest.mark.parametrize("store_text", [False, True])
def test_secrets_in_goals_are_never_kept_even_where_text_is(tmp_path: Path, store_text: bool) -> None:
    """Of questions, reports, notes and logs; where text is kept, its other words are."""
    place = Place(tmp_path)
    goal = f"Unwonted deployment with {SECRETS[0]} and {SECRETS[1]}, password={SECRETS[2]}"
    row = {"id": "1", "task": {"goal": goal}, "dispatch": HAIKU, "succeeded": True, "at": 1_790_000_000}
    place.write(
        {
            "rows/a.jsonl": json.dumps(row).encode() + b"\n",
            ".config/routerd/config.toml": f"[privacy]\nstore_text = {'true' if store_text else 'false'}\n"
            f'[sources.jsonl]\nroots = ["{tmp_path}/rows"]\n'.encode(),
        }
    )
    with place.daemon() as daemon:
        daemon.until(lambda: daemon.completions() == 1)
        pick = daemon.ask("recommend", task={"goal": goal, "context": goal}, candidates=[HAIKU])
        said = {"succeeded": False, "error": f"refused: {SECRETS[0]}"}
        daemon.ask("report", decision_id=pick["decision_id"], task={"goal": goal}, outcome=said)
        daemon.ask("feedback", decision_id=pick["decision_id"], verdict="bad", note=f"{goal}")
        assert daemon.stop() == 0
    kept = b"".join(path.read_bytes() for path in place.state.iterdir()) + daemon.log.read_bytes()
    assert [secret for secret in SECRETS if secret.encode() in kept] == []
    assert (b"Unwonted" in place_text(place)) == store_text


def place_text(place: Place) -> bytes:
    """What is kept of what the log said."""
    return repr(place.query("SELECT log FROM outcomes WHERE id = 'jsonl:row:1'")).encode()

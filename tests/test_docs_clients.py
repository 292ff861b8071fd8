"""What docs/clients.md shows is run as it stands there: beside a daemon, and without one."""

import asyncio
import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from blockbuster import blockbuster_ctx

from routerd.client import aio
from tests.harness import Daemon, Place

TEXT = (Path(__file__).parents[1] / "docs" / "clients.md").read_text()
PYTHON = re.findall(r"^```python\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
[SHELL] = re.findall(r"^```sh\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)

WITH = [
    r"^runs on (claude-opus-5|glm-4\.7|itself)$",
    r"^on disk$",
    r"^refused: -32003 .*--provider anthropic",
    r"local",
]
WITHOUT = [r"^runs on claude-opus-5$", r"^not told$", r"^no daemon: .*start it with: routerd", r"no answer"]

NC = """#!{python}
import socket, sys
line = socket.socket(socket.AF_UNIX)
assert sys.argv[1:3] == ["-N", "-U"]
line.connect(sys.argv[3])
line.sendall(sys.stdin.buffer.read())
line.shutdown(socket.SHUT_WR)
while part := line.recv(65536):
    sys.stdout.buffer.write(part)
"""
"""What `nc -N -U` does, for a machine without it."""


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with Place(tmp_path_factory.mktemp("home")).daemon() as running:
        yield running


def run(place: Place, *command: str) -> str:
    done = subprocess.run(command, env=place.env, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


def test_there_is_a_snippet_for_each_expectation() -> None:
    assert len(PYTHON) == len(WITH) == len(WITHOUT)


@pytest.mark.parametrize("number", range(len(PYTHON)))
def test_a_python_snippet_beside_a_daemon(daemon: Daemon, number: int) -> None:
    """A busy machine may not answer within 50 ms each time; one of a few times it does."""
    said = [run(daemon.place, sys.executable, "-c", PYTHON[number])]
    while len(said) < 5 and not re.search(WITH[number], said[-1]):
        said.append(run(daemon.place, sys.executable, "-c", PYTHON[number]))
    assert re.search(WITH[number], said[-1]), said


@pytest.mark.parametrize("number", range(len(PYTHON)))
def test_a_python_snippet_without_a_daemon(tmp_path: Path, number: int) -> None:
    said = run(Place(tmp_path), sys.executable, "-c", PYTHON[number])
    assert re.search(WITHOUT[number], said), said


def shell(place: Place) -> str:
    """The snippet's output; with our own `nc` where there is none, which takes Python's time to start."""
    tools = place.home / "tools"
    if shutil.which("nc") is None and not tools.exists():
        place.write({"tools/nc": NC.format(python=sys.executable).encode()})
        (tools / "nc").chmod(stat.S_IRWXU)
    place.env["PATH"] = f"{os.environ['PATH']}{os.pathsep}{tools}"
    place.env["ROUTERD_TIMEOUT"] = "20"
    return run(place, "sh", "-c", SHELL)


@pytest.mark.skipif(shutil.which("jq") is None, reason="the shell snippet needs jq")
def test_the_shell_snippet(daemon: Daemon, tmp_path: Path) -> None:
    assert shell(daemon.place) in ("local", "delegate:zai:glm-4.7")
    assert shell(Place(tmp_path)) == "nobody answered"
    del daemon.place.env["ROUTERD_SOCKET"]  # where it is without being named
    daemon.place.env["XDG_RUNTIME_DIR"] = str(tmp_path)
    (tmp_path / "routerd").mkdir()
    (tmp_path / "routerd" / "routerd.sock").symlink_to(daemon.place.socket)
    try:
        assert shell(daemon.place) in ("local", "delegate:zai:glm-4.7")
    finally:
        daemon.place.env["ROUTERD_SOCKET"] = str(daemon.place.socket)
        del daemon.place.env["XDG_RUNTIME_DIR"]


def test_many_at_once_on_a_running_loop_and_none_blocks_it(daemon: Daemon) -> None:
    async def main() -> list[str]:
        question = {"task": {"goal": "x"}, "candidates": ["local"]}
        one = aio.call("recommend", question, socket=daemon.place.socket, timeout_s=20)
        assert (await one)["arm"] == "local"
        with blockbuster_ctx("routerd.client"):
            asked = (aio.call("recommend", question, socket=daemon.place.socket, timeout_s=20) for _ in range(50))
            return [pick["decision_id"] for pick in await asyncio.gather(*asked)]

    assert len(set(asyncio.run(main()))) == 50

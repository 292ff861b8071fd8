"""Two daemons never share a directory or a socket, and nobody's file is removed but a dead daemon's socket."""

import fcntl
import os
import resource
import socket
import stat
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from routerd.errors import RouterdError, StoreError, UsageError
from routerd.rpc.listen import PATH_BYTES_MAX, bound, handed_over, locked_state, raise_file_limit


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def connects(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(os.fspath(path))
        except OSError:
            return False
    return True


def dead_socket(path: Path) -> None:
    """What a daemon leaves that was killed."""
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(os.fspath(path))


HOLD = """
import sys
from routerd.rpc.listen import bound, locked_state
with locked_state(sys.argv[1]), bound(sys.argv[2]):
    print("ready", flush=True)
    sys.stdin.read()
"""


def other_daemon(state: Path, path: Path) -> "subprocess.Popen[bytes]":
    other = subprocess.Popen([sys.executable, "-c", HOLD, state, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert other.stdout is not None
    assert other.stdout.readline() == b"ready\n"
    return other


# --- the state directory --------------------------------------------------------------------------------------------


def test_the_state_directory_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    state = tmp_path / "a" / "routerd"
    with locked_state(state):
        assert mode(state) == 0o700
        assert mode(state / "lock") == 0o600


def test_a_second_daemon_is_told_who_runs_and_what_to_do(tmp_path: Path) -> None:
    with other_daemon(tmp_path, tmp_path / "s") as other:
        with (
            pytest.raises(StoreError, match=rf"another routerd \(pid {other.pid}\).*--state-dir") as caught,
            locked_state(tmp_path),
        ):
            pass
        assert "\n" not in str(caught.value)
        other.kill()
    with locked_state(tmp_path):
        pass


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"file.*cannot be used as state directory"), locked_state(tmp_path / "file"):
        pass


def test_the_lock_is_let_go_at_the_end(tmp_path: Path) -> None:
    for _ in range(2):
        with locked_state(tmp_path):
            pass


# --- the socket -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_the_socket_is_its_owners_alone_and_goes_at_the_end(tmp_path: Path, umask: int) -> None:
    path = tmp_path / "routerd" / "s"
    path.parent.mkdir()
    before = os.umask(umask)
    try:
        with bound(path):
            assert stat.S_ISSOCK(path.stat().st_mode)
            assert mode(path) == 0o600
            assert connects(path)
    finally:
        os.umask(before)
    assert not path.exists()


def test_its_directory_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    with bound(tmp_path / "run" / "s"):
        assert mode(tmp_path / "run") == 0o700


def test_a_socket_is_refused_while_another_daemon_answers_there(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with other_daemon(tmp_path / "other", path) as other:
        with pytest.raises(RouterdError, match=rf"another routerd \(pid {other.pid}\)"), bound(path):
            pass
        assert connects(path)
        other.kill()


def test_a_socket_that_a_killed_daemon_left_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with other_daemon(tmp_path / "other", path) as other:
        other.kill()
    assert path.exists()
    with bound(path):
        assert connects(path)


def test_a_socket_of_another_program_is_left_alone_however_busy_it_is(tmp_path: Path) -> None:
    """Its queue is full and it never accepts: it does not answer, but it lives."""
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as other, ExitStack() as waiting:
        other.bind(os.fspath(path))
        other.listen(0)
        for _ in range(3):
            client = waiting.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK))
            if client.connect_ex(os.fspath(path)):
                break
            with pytest.raises(RouterdError, match="another program listens there"), bound(path):
                pass
        else:
            pytest.fail("its queue never filled")
        with pytest.raises(RouterdError, match="another program listens there"), bound(path):
            pass
        assert path.exists()


@pytest.mark.parametrize("kind", ["file", "directory", "link to a file", "dangling link"])
def test_what_is_no_socket_is_left_alone(tmp_path: Path, kind: str) -> None:
    path, target = tmp_path / "s", tmp_path / "target"
    if kind == "file":
        path.write_text("mine")
    elif kind == "directory":
        path.mkdir()
    else:
        path.symlink_to(target)
        if kind == "link to a file":
            target.write_text("mine")
    with pytest.raises(UsageError, match="no socket"), bound(path):
        pass
    assert path.is_symlink() or path.exists()
    assert not target.exists() or target.read_text() == "mine"


def test_a_path_that_is_too_long_is_refused_with_its_length(tmp_path: Path) -> None:
    longest = tmp_path / ("x" * (PATH_BYTES_MAX - len(os.fsencode(tmp_path)) - 1))
    with bound(longest):
        assert connects(longest)
    with pytest.raises(UsageError, match=r"too long for a socket \(108 bytes, the system takes 107\)"):
        bound(f"{longest}x").__enter__()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RouterdError, match="file/s: the socket cannot be made"), bound(tmp_path / "file" / "s"):
        pass


def test_at_the_end_only_its_own_socket_goes(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with bound(path):
        path.unlink()
        dead_socket(path)
    assert path.exists()
    path.unlink()
    with bound(path):
        path.unlink()


def test_a_lock_file_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "s.lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RouterdError, match="cannot be made"), bound(tmp_path / "s"):
        pass
    assert not (tmp_path / "elsewhere").exists()


def test_the_lock_is_not_inherited_by_a_program_that_is_started(tmp_path: Path) -> None:
    with bound(tmp_path / "s"):
        sleeper = subprocess.Popen(["sleep", "60"], close_fds=False)
    try:
        with (tmp_path / "s.lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        sleeper.kill()
        sleeper.wait()


# --- systemd --------------------------------------------------------------------------------------------------------

TAKE = """
import os, socket, sys
from routerd.errors import RouterdError
from routerd.rpc.listen import handed_over
os.environ["LISTEN_PID"] = str(os.getpid())
try:
    taken = handed_over(os.environ, os.getpid())
except RouterdError as error:
    print(error)
    sys.exit()
left = [name for name in os.environ if name.startswith("LISTEN_")]
print(taken.getsockname(), taken.fileno(), os.get_inheritable(taken.fileno()), left)
taken.close()
"""


def taken(given: list[int], **env: str) -> str:
    """What a daemon says that is started with these descriptors as 3, 4, …"""

    def arrange() -> None:
        high = [fcntl.fcntl(one, fcntl.F_DUPFD, 100) for one in given]
        for number, one in enumerate(high, start=3):
            os.dup2(one, number)

    done = subprocess.run(
        [sys.executable, "-c", TAKE],
        env={**os.environ, "LISTEN_FDS": str(len(given)), **env},
        close_fds=False,
        preexec_fn=arrange,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_the_socket_that_systemd_hands_over_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with bound(path) as listening:
        assert taken([listening.fileno()]) == f"{path} 3 False []"
        assert connects(path)


def test_of_several_the_one_named_rpc_is_taken(tmp_path: Path) -> None:
    with bound(tmp_path / "a") as a, bound(tmp_path / "b") as b:
        both = [a.fileno(), b.fileno()]
        assert taken(both, LISTEN_FDNAMES="other:rpc") == f"{tmp_path / 'b'} 4 False []"
        assert taken(both, LISTEN_FDNAMES="other:another") == f"{tmp_path / 'a'} 3 False []"


def test_what_is_no_listening_unix_socket_is_refused_in_words(tmp_path: Path) -> None:
    with socket.socket() as tcp, socket.socket(socket.AF_UNIX) as idle, (tmp_path / "f").open("w") as file:
        tcp.bind(("127.0.0.1", 0))
        tcp.listen()
        for one in (tcp.fileno(), idle.fileno(), file.fileno()):
            assert "is no listening Unix stream socket" in taken([one])


@pytest.mark.parametrize(
    "env",
    [
        {},
        {"LISTEN_FDS": "1"},
        {"LISTEN_FDS": "1", "LISTEN_PID": "1"},
        {"LISTEN_FDS": "0", "LISTEN_PID": "7"},
        {"LISTEN_FDS": "many", "LISTEN_PID": "7"},
    ],
)
def test_nothing_is_taken_that_was_not_handed_to_this_process(env: dict[str, str]) -> None:
    assert handed_over(env, 7) is None
    assert env == {}


# --- open files -----------------------------------------------------------------------------------------------------


def test_the_limit_of_open_files_is_raised_as_far_as_it_may_be() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (300, hard))
        assert raise_file_limit(20) == 20
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (300, hard)
        assert raise_file_limit(100) == 100
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (356, hard)
        assert raise_file_limit(10**9) == (10**9 if hard == resource.RLIM_INFINITY else hard - 256)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

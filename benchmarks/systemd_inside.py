"""What `systemd.py` tries, run as the user of a real `systemd --user`; routerd lies at /opt/routerd."""

import itertools
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

sys.path.insert(0, "/opt/routerd/lib")

from routerd.client import call
from tests.sources import claude_logs, codex_logs, hermes_logs

HOME = Path(os.environ["HOME"])
UNITS = HOME / ".config/systemd/user"
LOG = HOME / "service.log"
SOCKET = Path(os.environ["XDG_RUNTIME_DIR"]) / "routerd/routerd.sock"
WITHIN_S = 60.0
HAIKU = {"executor": "delegate", "provider": "anthropic", "model": "claude-haiku-4-5"}
WATCHDOG_S = 4


def ctl(*arguments: str) -> subprocess.CompletedProcess[str]:
    """`systemctl --user`."""
    return subprocess.run(["systemctl", "--user", *arguments], capture_output=True, text=True, check=False)


def routerctl(*arguments: str) -> subprocess.CompletedProcess[str]:
    """`routerctl`."""
    return subprocess.run(["/opt/routerd/bin/routerctl", *arguments], capture_output=True, text=True, check=False)


def shown(name: str, unit: str = "routerd.service") -> str:
    """A property of a unit."""
    return ctl("show", unit, "-p", name, "--value").stdout.strip()


def pid() -> int:
    """Of the daemon that systemd runs; 0 where it runs none."""
    return int(shown("MainPID") or 0)


def ask(method: str, **params: Any) -> Any:
    """A method's result, by whoever answers on the socket."""
    return call(method, params, socket=SOCKET, timeout_s=WITHIN_S)


def until(condition: Callable[[], Any], within_s: float = WITHIN_S) -> Any:
    """Until it holds; what it gave."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError(f"not within {within_s:.0f} s")


def logged() -> str:
    """What the daemon said."""
    return LOG.read_text() if LOG.exists() else ""


def running() -> None:
    """Whatever was done before: the socket listens and the service runs."""
    ctl("reset-failed", "routerd.service", "routerd.socket")
    assert ctl("start", "routerd.socket", "routerd.service").returncode == 0, logged()
    assert ask("hello")["pid"] == pid()


# --- what is tried --------------------------------------------------------------------------------------------------


def install() -> dict[str, Any]:
    """`routerctl install systemd` writes the units, has them read, enables and starts them; doctor agrees."""
    done = routerctl("install", "systemd", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (shown("ActiveState"), shown("ActiveState", "routerd.socket")) == ("active", "active")
    assert shown("UnitFileState") == shown("UnitFileState", "routerd.socket") == "enabled"
    assert ask("hello")["pid"] == pid()
    again = routerctl("install", "systemd", "--yes")
    assert again.returncode == 0
    # Only for these trials: there is no journal here, and nobody wants to wait for 20 s.
    drop_in = UNITS / "routerd.service.d/trial.conf"
    drop_in.parent.mkdir(parents=True)
    drop_in.write_text(
        f"[Service]\nStandardOutput=append:{LOG}\nStandardError=append:{LOG}\nWatchdogSec={WATCHDOG_S}\n"
    )
    ctl("daemon-reload")
    ctl("restart", "routerd.service")
    running()
    return {"mode": oct(SOCKET.stat().st_mode & 0o777), "directory": oct(SOCKET.parent.stat().st_mode & 0o777)}


def first_connection() -> dict[str, Any]:
    """The service is stopped, the socket listens: who connects starts it, and is answered."""
    ctl("stop", "routerd.service")
    assert (shown("ActiveState"), pid()) == ("inactive", 0)
    start = time.monotonic()
    said = ask("hello")
    took = time.monotonic() - start
    assert said["pid"] == pid() != 0
    return {"answered_after_s": round(took, 2)}


def readiness() -> dict[str, Any]:
    """`systemctl start` returns when the daemon is ready, and no sooner: it answers at once."""
    ctl("stop", "routerd.service", "routerd.socket")
    start = time.monotonic()
    assert ctl("start", "routerd.socket", "routerd.service").returncode == 0
    started = time.monotonic() - start
    start = time.monotonic()
    ask("hello")
    answered = time.monotonic() - start
    assert shown("SubState") == "running"
    assert answered < 1
    assert (SOCKET.stat().st_mode & 0o777, SOCKET.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    return {"start_s": round(started, 2), "first_answer_s": round(answered, 3)}


def reload() -> dict[str, Any]:
    """A new configuration without a restart; a bad one is refused and the old one stays."""
    config, before = HOME / ".config/routerd/config.toml", pid()
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text("[catalog.aliases]\nmine = 'claude-haiku-4-5'\n")
    assert ctl("reload", "routerd.service").returncode == 0
    until(lambda: "configuration reloaded" in logged())
    assert ask("resolve", model="mine")["dispatch"]["model"] == "claude-haiku-4-5"
    config.write_text("[gate]\ndetla = 1\n")
    ctl("reload", "routerd.service")
    until(lambda: "configuration refused" in logged())
    assert ask("resolve", model="mine")["dispatch"]["model"] == "claude-haiku-4-5"
    config.unlink()
    ctl("reload", "routerd.service")
    assert (pid(), shown("ActiveState")) == (before, "active")
    return {}


def killed() -> dict[str, Any]:
    """`kill -9`, then a question at once: it waits in the socket's backlog and the next daemon answers it."""
    ask("report", outcome_id="before", task={"goal": "x"}, dispatch=HAIKU, outcome={"succeeded": True})
    before = pid()
    os.kill(before, signal.SIGKILL)
    start = time.monotonic()
    said = ask("hello")
    took = time.monotonic() - start
    assert said["pid"] == until(pid) != before
    assert ask("report", outcome_id="before", task={"goal": "x"}, dispatch=HAIKU, outcome={"succeeded": True})[
        "duplicate"
    ]
    assert int(shown("NRestarts")) >= 1
    return {"answered_after_s": round(took, 2)}


def frozen() -> dict[str, Any]:
    """SIGSTOP: nothing feeds the watchdog, and systemd starts another."""
    before = pid()
    os.kill(before, signal.SIGSTOP)
    start = time.monotonic()
    said = ask("hello")
    took = time.monotonic() - start
    assert said["pid"] == until(pid) != before
    assert took < WATCHDOG_S + 15
    return {"watchdog_s": WATCHDOG_S, "answered_after_s": round(took, 2)}


def watched_while_busy() -> dict[str, Any]:
    """A backlog and questions for twice the watchdog's time: it is fed from the loop, so nothing is restarted."""
    before = pid()
    rows = HOME / ".codex/sessions"
    rows.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + 2 * WATCHDOG_S
    asked = 0
    while time.monotonic() < end:
        ask("recommend", task={"goal": "x"}, candidates=["local", HAIKU])
        asked += 1
    assert pid() == before
    return {"asked": asked}


def crash_loop() -> dict[str, Any]:
    """It dies again and again: systemd gives up, clients are told, doctor says what to do, and that does it."""
    deaths = 0
    while shown("ActiveState") != "failed" and deaths < 20:
        if number := pid():
            os.kill(number, signal.SIGKILL)
            deaths += 1
        time.sleep(0.3)
        if shown("ActiveState", "routerd.socket") == "active" and shown("ActiveState") not in ("failed", "activating"):
            ctl("start", "routerd.service")
    told = routerctl("status")
    assert told.returncode == 69, told
    doctor = routerctl("doctor")
    (line,) = [one for one in doctor.stdout.splitlines() if "reset-failed" in one][:1]
    running()
    return {"deaths": deaths, "status": told.stderr.strip(), "doctor": line.strip()}


def drained() -> dict[str, Any]:
    """Stopped while reports keep coming: each that was read is answered, and what was answered as done is on disk."""
    running()
    client = socket.socket(socket.AF_UNIX)
    client.connect(str(SOCKET))

    def send() -> None:
        for number in itertools.count():
            said = {"task": {"goal": "x"}, "dispatch": HAIKU, "outcome": {"succeeded": True}}
            params = {"outcome_id": f"d{number}", **said}
            line = json.dumps({"jsonrpc": "2.0", "id": number, "method": "report", "params": params}).encode() + b"\n"
            try:
                client.sendall(line)
            except OSError:
                return

    sending = threading.Thread(target=send)
    sending.start()
    with client, client.makefile("rb") as lines:
        replies = [json.loads(lines.readline()) for _ in range(200)]
        with (
            subprocess.Popen(["systemctl", "--user", "stop", "routerd.service"], stderr=subprocess.DEVNULL) as stopping,
            suppress(OSError),
        ):  # it is closed while more is sent
            for line in lines:
                replies.append(json.loads(line))  # noqa: PERF401 - what came before the end counts
        assert stopping.returncode == 0
    sending.join()
    assert [reply["id"] for reply in replies] == list(range(len(replies)))
    assert {reply["error"]["code"] for reply in replies if "error" in reply} <= {-32006}
    done = {reply["result"]["outcome_id"] for reply in replies if "result" in reply}
    assert (shown("Result"), shown("ExecMainStatus")) == ("success", "0")
    with closing(sqlite3.connect(HOME / ".local/state/routerd/routerd.db")) as connection:
        found = {row[0] for row in connection.execute("SELECT outcome_id FROM reports")}
    assert done <= found
    return {"done": len(done), "refused": len(replies) - len(done)}


def sandboxed() -> dict[str, Any]:
    """
    With its home read-only to it: the logs of Claude Code and Codex, and the database of a Hermes that runs, although
    none of them was there at its start; then that of one that has ended, whose database has no log any more.
    """
    running()
    for name, data in {**claude_logs.home_files(), **codex_logs.home_files()}.items():
        path = HOME / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    hermes = HOME / ".hermes"
    hermes.mkdir(exist_ok=True)
    script = hermes_logs.day()
    owner = hermes_logs.Player(hermes)
    owner.play(script.steps)
    script.steps.clear()
    assert (hermes / "state.db-wal").stat().st_size > 0

    def counted() -> dict[str, int]:
        return {one["agent"]: sum(one["completions"].values()) for one in ask("status")["sources"] if one["root"]}

    found = until(lambda: (c := counted()) and all(c.get(a, 0) > 2 for a in ("claude-code", "codex", "hermes")) and c)
    start = time.monotonic()
    more(owner, script, "later", 5000.0)
    until(lambda: counted()["hermes"] > found["hermes"])
    took = time.monotonic() - start
    before = counted()["hermes"]
    ctl("stop", "routerd.service")
    more(owner, script, "last", 6000.0)
    owner.close()
    assert not (hermes / "state.db-wal").exists()
    until(lambda: counted()["hermes"] > before)
    return {"completions": found, "hermes_learnt_after_s": round(took, 2)}


def more(owner: hermes_logs.Player, script: hermes_logs.Script, session: str, at: float) -> None:
    """A conversation of two questions."""
    script.session(session, at)
    script.user(session, at + 1, f"a question, {session}")
    script.says(session, at + 2, f"an answer, {session}")
    script.user(session, at + 3, "and one more")
    owner.play(script.steps)
    script.steps.clear()


PROBE = """
import errno, json, os, pathlib, socket
said = {}
for name in ("AF_INET", "AF_INET6", "AF_NETLINK", "AF_PACKET"):
    try:
        socket.socket(getattr(socket, name), socket.SOCK_DGRAM).close()
        said[name] = "made"
    except OSError as error:
        said[name] = errno.errorcode[error.errno]
state = os.environ["ROUTERD_STATE_DIR"]
for name, path in {"home": pathlib.Path.home() / "x", "usr": "/usr/x", "state": state + "/x"}.items():
    try:
        open(path, "w").close()
        os.unlink(path)
        said[name] = "written"
    except OSError as error:
        said[name] = errno.errorcode[error.errno]
said["own tmp"] = os.listdir("/tmp") == []
said["processes"] = len([one for one in os.listdir("/proc") if one.isdecimal()])
open(state + "/probe", "w").write(json.dumps(said))
"""


def walls() -> dict[str, Any]:
    """A probe in the service's place: no socket but AF_UNIX, nothing written but its own state, a /tmp of its own."""
    state = HOME / ".local/state/routerd"
    text = (UNITS / "routerd.service").read_text()
    lines = [
        line for line in text.splitlines() if not line.startswith(("ExecStart=", "ExecReload=", "Type=", "Watchdog"))
    ]
    place = lines.index("[Service]") + 1
    (state / "probe.py").write_text(PROBE)
    lines[place:place] = ["Type=oneshot", f"ExecStart=/usr/bin/python3 {state}/probe.py"]
    (UNITS / "probe.service").write_text("\n".join(line for line in lines if not line.startswith("Also=")) + "\n")
    ctl("daemon-reload")
    done = ctl("start", "probe.service")
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads((state / "probe").read_text())
    assert {said[name] for name in ("AF_INET", "AF_INET6", "AF_NETLINK", "AF_PACKET")} == {"EAFNOSUPPORT"}
    assert (said["home"], said["usr"], said["state"], said["own tmp"]) == ("EROFS", "EROFS", "written", True)
    return said


def uninstall() -> dict[str, Any]:
    """Taken back: nothing runs, nothing listens, no unit is left."""
    done = routerctl("uninstall", "systemd", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (UNITS / "routerd.service").exists()
    assert not (UNITS / "routerd.socket").exists()
    assert not SOCKET.exists()
    return {}


TRIALS = (
    install, first_connection, readiness, reload, killed, frozen, watched_while_busy, drained, sandboxed, walls,
    crash_loop, uninstall,
)  # fmt: skip


def main() -> int:
    chosen = [trial for trial in TRIALS if not sys.argv[1:] or trial.__name__ in ("install", *sys.argv[1:])]
    bad = 0
    for trial in chosen:
        start = time.monotonic()
        try:
            found, ok = trial(), True
        except Exception as error:
            found, ok = {"error": f"{type(error).__name__}: {error}", "log": logged()[-2000:]}, False
        bad += not ok
        took = round(time.monotonic() - start, 1)
        print(json.dumps({"name": trial.__name__, "ok": ok, "seconds": took, **found}), flush=True)
    return bad


if __name__ == "__main__":
    sys.exit(main())

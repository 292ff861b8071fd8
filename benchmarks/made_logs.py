"""Logs of every agent, made up in any amount: real shapes, the sizes of real sessions, this project's code for content.

They are built with the builders of the tests (`tests/sources/*_logs.py`). A session has some turns; in each a person
asks, files are read, a command runs, and every third one delegates where the agent's log tells of that.
"""

import itertools
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path

import with_tests  # noqa: F401
from measuring import outcomes

from tests.sources import claude_logs, codex_logs, copilot_logs, gemini_logs, hermes_logs, opencode_logs, pi_logs

ROOT = Path(__file__).parents[1]
CONTENT = "".join(path.read_text() for path in sorted((ROOT / "routerd").rglob("*.py")))
TURNS = 24
READ_CHARS = 12_000
"""A file that an agent reads; Claude Code writes it down twice."""
LONG_AGO = 1_780_000_000.0
"""When the files were last written, as far as routerd is told: nothing in them runs any more."""

OPENCODE_INDICES = """
CREATE INDEX message_session_time_created_id_idx ON message (session_id, time_created, id);
CREATE INDEX part_message_id_id_idx ON part (message_id, id);
CREATE INDEX part_session_idx ON part (session_id);
"""
"""As the program makes them; the tests do without."""

Files = Iterator[tuple[str, bytes]]


class Piece:
    """Another part of the content each time, so that no two sessions are alike."""

    def __init__(self) -> None:
        self.at = 0

    def __call__(self, chars: int = READ_CHARS) -> str:
        self.at = (self.at + 7919) % (len(CONTENT) - chars)
        return CONTENT[self.at : self.at + chars]


def claude(piece: Piece, number: int) -> Files:
    home = claude_logs.Home(f"{number:08x}-2222-4333-8444-555555555555")
    log = home.main
    for turn in range(TURNS):
        log.user(f"Mend part {turn} of it. {piece(300)}")
        for step in range(4):
            tool, text = f"toolu_{number}_{turn}_{step}", piece()
            log.call(tool, "Read", {"file_path": f"/home/user/app/part{step}.py"})
            structured = {"type": "text", "file": {"filePath": f"/home/user/app/part{step}.py", "content": text}}
            log.result(tool, text, structured=structured)
            log.reply(claude_logs.text(piece(800)), stop="tool_use")
        if turn % 3 == 0:
            task, child = f"Look for callers. {piece(400)}", f"a{number}x{turn}"
            log.delegate(f"toolu_{number}_{turn}_task", task)
            worked = home.worked(child, task)
            worked.result(f"toolu_{child}", piece())
            log.completed(f"toolu_{number}_{turn}_task", child)
        log.edit(f"toolu_{number}_{turn}_edit")
        log.bash(f"toolu_{number}_{turn}_test", "pytest -q", exit_code=turn % 2)
        log.say(piece(500))
    for path, data in home.data.items():
        yield path, data.replace(b"-4000-8000-", b"-4000-%04x-" % number)  # no record has the id of another session's


def codex(piece: Piece, number: int) -> Files:
    root = codex_logs.Rollout(number * 1000, number)
    for turn in range(TURNS):
        root.begin().told(f"Mend part {turn} of it. {piece(300)}")
        for step in range(4):
            root.call("exec_command", f"call_{turn}_{step}", cmd=f"cat part{step}.py")
            root.output(f"call_{turn}_{step}", f"Process exited with code 0\nOutput:\n{piece()}")
        if turn % 3 == 0:
            child = codex_logs.Rollout.child(root, number * 1000 + turn + 1, number, role="explorer")
            root.spawn(child, f"call_{number}_{turn}", f"Look for callers. {piece(400)}", agent_type="explorer")
            child.begin(parent=root, model="small-1", effort="low").told("Look for callers.").shell(piece(2000), 0)
            child.used(2).said().complete()
            yield child.path, child.data
        root.edit().shell("pytest -q", turn % 2).used(3).said(piece(500)).complete()
    yield root.path, root.data


def copilot(piece: Piece, number: int) -> Files:
    session = copilot_logs.Session(number * 1000, number)
    for turn in range(TURNS):
        session.told(f"Mend part {turn} of it. {piece(300)}")
        for step in range(4):
            session.call("view", f"call_{turn}_{step}", path=f"part{step}.py").result(f"call_{turn}_{step}", piece())
        if turn % 3 == 0:
            session.delegate(f"call_{number}_{turn}", f"Look. {piece(400)}", model="small-1")
            session.result(f"call_{number}_{turn}", piece(500))
        session.shell("pytest -q", turn % 2).said(piece(500))
    yield session.path, session.data


def gemini(piece: Piece, number: int) -> Files:
    chat = gemini_logs.Chat(number * 1000, number)
    for turn in range(TURNS):
        chat.told(f"Mend part {turn} of it. {piece(300)}")
        for step in range(4):
            chat.said("", gemini_logs.call("read_file", {"file_path": f"part{step}.py"}, result=piece()))
        chat.shell("pytest -q", turn % 2).said(piece(500))
    yield chat.path, chat.data


def pi(piece: Piece, number: int) -> Files:
    session = pi_logs.Session(number * 1000, number)
    for turn in range(TURNS):
        session.told(f"Mend part {turn} of it. {piece(300)}")
        for step in range(4):
            session.call("read", f"call_{turn}_{step}", path=f"part{step}.py").result(f"call_{turn}_{step}", piece())
        session.shell("pytest -q", turn % 2).said(piece(500))
    yield session.path, session.data


def jsonl(piece: Piece, number: int) -> Files:
    count = 4000
    yield f"rows/{number}.jsonl", b"".join(outcomes(number * count, (number + 1) * count, at=LONG_AGO))


LINES: Mapping[str, Callable[[Piece, int], Files]] = {
    "claude-code": claude, "codex": codex, "copilot": copilot, "gemini": gemini, "pi": pi, "jsonl": jsonl,
}  # fmt: skip
DATABASES = ("hermes", "opencode")


def make(agent: str, home: Path, megabytes: float) -> int:
    """Writes logs of about so much into a home; the bytes that were written."""
    if agent in DATABASES:
        written = (hermes if agent == "hermes" else opencode)(home, int(megabytes * 1e6))
    else:
        written = lines(LINES[agent], home, int(megabytes * 1e6))
    for path in home.rglob("*"):
        if path.is_file():
            os.utime(path, (LONG_AGO, LONG_AGO))
    return written


def lines(build: Callable[[Piece, int], Files], home: Path, most: int) -> int:
    piece, written = Piece(), 0
    for number in itertools.count(1):
        for name, data in build(piece, number):
            path = home / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            written += len(data)
        if written >= most:
            return written
    raise AssertionError("unreachable")


def hermes(home: Path, most: int) -> int:
    """One database, as Hermes has: sessions that read, run and delegate."""
    script, piece, chars = hermes_logs.Script(), Piece(), 0
    for number in itertools.count():
        name, at = f"session{number}", number * 10_000.0
        script.session(name, at)
        for turn in range(TURNS):
            begun = at + turn * 100
            script.user(name, begun, f"Mend part {turn} of it. {piece(300)}")
            for step in range(4):
                call = f"call_{number}_{turn}_{step}"
                script.calls(name, begun + step + 1, call, "read_file", {"path": f"part{step}.py"})
                script.result(name, begun + step + 1.5, call, "read_file", {"content": piece()})
                chars += READ_CHARS
            if turn % 3 == 0:
                call, task = f"call_{number}_{turn}_task", f"Look for callers in part {number} {turn}"
                script.calls(name, begun + 10, call, "delegate_task", {"goal": task})
                script.whole_child(f"child{number}_{turn}", name, begun + 11, task)
                answer = hermes_logs.answer(hermes_logs.entry(), delegation=f"deleg_{number:04x}{turn:04x}")
                script.result(name, begun + 15, call, "delegate_task", answer)
            script.runs(name, begun + 20, f"call_{number}_{turn}_test", "pytest -q", turn % 2)
            script.says(name, begun + 30, piece(500))
        script.counts(name, at + 9000, calls=TURNS * 6, model="big-model")
        script.ends(name, at + 9001)
        if chars >= most:
            break
    hermes_logs.play(home / ".hermes", script)
    return sum(path.stat().st_size for path in (home / ".hermes").glob("*.db"))


def opencode(home: Path, most: int) -> int:
    piece, chars, sessions = Piece(), 0, []
    for number in itertools.count():
        root = opencode_logs.Session(f"s{number}", number * 10_000.0)
        sessions.append(root)
        for turn in range(TURNS):
            root.told(f"Mend part {turn} of it. {piece(300)}").begin()
            for step in range(4):
                root.tool("read", input={"filePath": f"part{step}.py"}, output=piece())
                chars += READ_CHARS
            if turn % 3 == 0:
                child = opencode_logs.Session(f"c{number}_{turn}", root.at, root)
                child.told(f"Look for callers. {piece(400)}").begin(modelID="small-1", mode="explore").done("Two.")
                root.delegate(child, "Look for callers")
                sessions.append(child)
            root.shell("pytest -q", turn % 2).done(piece(500))
        if chars >= most:
            break
    path = home / opencode_logs.HOME / "opencode.db"
    path.parent.mkdir(parents=True)
    path.write_bytes(opencode_logs.database(*sessions))
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(OPENCODE_INDICES)
    return path.stat().st_size

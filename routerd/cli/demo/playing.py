"""Plays tasks to a running daemon as Claude Code with its hook would: asks, runs what was picked, writes its log."""

import time
from pathlib import Path

import msgspec
import numpy as np

from routerd.cli.demo import claude_code, codex
from routerd.cli.demo.story import CLAUDE_CODE, CODEX, KINDS, PROJECT, WISH, Session, Task, family, goal, played
from routerd.client import call

ARMS = {f"delegate:anthropic:{model}": model for model in CLAUDE_CODE.shares}
INCUMBENT = f"delegate:anthropic:{CLAUDE_CODE.lead}"
TASKS_IN_A_SESSION = 12
CODEX_EVERY = 4
WITHIN_S = 30.0


class Player:
    """
    Sessions that go on while the demonstration runs.

    Args:
        home: Where the agents' logs are.
        socket: Of the demonstration's daemon.
        rng: All that happens by chance.
    """

    def __init__(self, home: Path, socket: Path, rng: np.random.Generator) -> None:
        self._home, self._socket, self._rng = home, socket, rng
        self._session = ""
        self._count = 0

    def one(self, kind: str | None = None) -> None:
        """
        One task of Claude Code, and now and then a session of Codex, which routerd only watches.

        Raises:
            UnreachableError: The daemon is gone.
        """
        if self._count % TASKS_IN_A_SESSION == 0:
            self._session = self._rng.bytes(16).hex()
            wish = claude_code.begin(self._session, time.time(), WISH, CLAUDE_CODE.lead)
            self._append(claude_code.path(self._session), wish)
        self._count += 1
        self._delegate(kind or KINDS[int(self._rng.choice(len(KINDS), p=(0.4, 0.25, 0.2, 0.15)))])
        if self._count % CODEX_EVERY == 0:
            self._codex()

    def _delegate(self, kind: str) -> None:
        text, name = goal(kind, self._rng), self._rng.bytes(6).hex()
        session = claude_code.session_id(self._session)
        asked = {
            "task": {
                "goal": text,
                "kind": kind,
                "cwd": PROJECT,
                "agent": CLAUDE_CODE.name,
                "session_id": session,
                "parent": {"provider": "anthropic", "model": CLAUDE_CODE.lead},
            },
            "ref": {"agent": CLAUDE_CODE.name, "session_id": session, "tool_use_id": f"toolu_{name}"},
            "candidates": list(ARMS),
            "incumbent": INCUMBENT,
        }
        pick = call("recommend", asked, socket=self._socket, timeout_s=WITHIN_S)
        model = ARMS[pick["arm"]]
        now = time.time()
        task = played(CLAUDE_CODE, kind, text, model, at=now, now=now, rng=self._rng, asked=family(model))
        self._ran(_ending(task, name, now))

    def _ran(self, task: Task) -> None:
        main, child = claude_code.delegation(self._session, CLAUDE_CODE.lead, task)
        self._append(claude_code.child_path(self._session, task), child)
        self._append(claude_code.path(self._session), main)

    def _codex(self) -> None:
        now, kind = time.time(), KINDS[int(self._rng.integers(len(KINDS)))]
        model = list(CODEX.shares)[int(self._rng.integers(len(CODEX.shares)))]
        task = played(CODEX, kind, goal(kind, self._rng), model, at=now, now=now, rng=self._rng)
        task = _ending(task, task.id, now - 20.0)
        session = Session(id=self._rng.bytes(16).hex(), lead=CODEX.lead, at=task.at - 5.0, wish="Go on", tasks=[task])
        for path, data in codex.files(session).items():
            self._append(path, data)

    def _append(self, name: str, data: bytes) -> None:
        path = self._home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(data)


def _ending(task: Task, name: str, at: float) -> Task:
    """The same task, ended now: nobody waits for minutes in a demonstration."""
    return msgspec.structs.replace(task, id=name, at=at - task.seconds)

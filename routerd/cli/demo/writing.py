"""Puts generated sessions where the agents would have written them, below a home of the demonstration's own."""

import json
import os
from pathlib import Path

import numpy as np

from routerd.cli.demo import claude_code, codex, hermes
from routerd.cli.demo.story import CLAUDE_CODE, CODEX, HERMES, history, matrix

REPLAY = "tasks.jsonl"
REPLAY_TASKS = 150


def write(home: Path, now: float, rng: np.random.Generator) -> None:
    """All that the past holds."""
    for session in history(CLAUDE_CODE, now, rng):
        _put(home, claude_code.files(session), session.ended)
    for session in history(CODEX, now, rng):
        _put(home, codex.files(session), session.ended)
    hermes.write(home / ".hermes", history(HERMES, now, rng))
    rows = matrix(CLAUDE_CODE, REPLAY_TASKS, now, rng)
    (home / REPLAY).write_text("".join(json.dumps(row) + "\n" for row in rows))


def _put(home: Path, files: dict[str, bytes], ended: float) -> None:
    for name, data in files.items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        os.utime(path, (ended, ended))

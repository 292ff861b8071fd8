"""
How long a hook takes to start: `routerctl hook` against a Python that does nothing, in turn, with a real daemon behind;
and how long an agent waits for the import of the client.

    python benchmarks/hook.py [--runs 30] [--json FILE]

A hook is a process of its own at every delegation. Each case is run by the console script beside this Python, with the
payload of a delegation on stdin and a transcript in its place; what it is compared with is `python3 -c pass` by
the same interpreter. The client's import is timed inside an interpreter started for it alone, the asynchronous one's
beside asyncio, which its user has. Exit code 1 when a median is more than 2.5 times that of the bare interpreter, or an
import's more than 15 ms.
"""

import argparse
import compileall
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import routerd
from routerd.client import call

PROGRAMS = Path(sys.executable).parent
RATIO_MAX = 2.5
IMPORT_MS_MAX = 15.0
CLIENTS = {"routerd.client": "time", "routerd.client.aio": "time, asyncio"}
"""What is timed, and what whoever imports it has loaded already."""
IMPORT = "import {1}; at = time.perf_counter(); import {0}; print((time.perf_counter() - at) * 1e3)"
GOAL = "Count the files here and report"


def payloads(home: Path) -> dict[str, tuple[list[str], bytes]]:
    """Arguments and payload of each case; their transcripts are written below `home`."""
    claude, codex = home / "session-1.jsonl", home / "thread-1.jsonl"
    reply = {"type": "assistant", "version": "2.1.329", "message": {"role": "assistant", "model": "claude-sonnet-5-5"}}
    claude.write_text(json.dumps(reply) + "\n")
    meta = {"session_id": "thread-1", "cli_version": "0.169.0", "model_provider": "openai"}
    turn = {"type": "turn_context", "payload": {"model": "gpt-6-sol", "effort": "medium"}}
    first = {"timestamp": "2026-11-21T05:00:00Z", "type": "session_meta", "payload": meta}
    codex.write_text(f"{json.dumps(first)}\n{json.dumps(turn)}\n")
    asked = {
        "session_id": "session-1",
        "transcript_path": str(claude),
        "cwd": str(home),
        "effort": {"level": "medium"},
        "tool_name": "Agent",
        "tool_input": {"description": "Count", "prompt": GOAL, "subagent_type": "general-purpose"},
        "tool_use_id": "toolu_1",
    }
    done = {"status": "completed", "agentId": "a1", "resolvedModel": "claude-sonnet-5-5", "totalDurationMs": 834}
    spawned = {
        "session_id": "thread-1",
        "transcript_path": str(codex),
        "cwd": str(home),
        "model": "gpt-6-sol",
        "tool_name": "collaborationspawn_agent",
        "tool_input": {"task_name": "count", "message": GOAL},
        "tool_use_id": "call_1",
    }
    returned = json.dumps({**asked, "tool_response": {**done, "totalTokens": 16457}}).encode()
    before = json.dumps(asked).encode()
    return {
        "claude-code PreToolUse": (["hook", "claude-code", "PreToolUse"], before),
        "claude-code PostToolUse": (["hook", "claude-code", "PostToolUse"], returned),
        "claude-code SubagentStart": (["hook", "claude-code", "SubagentStart"], before),
        "codex PreToolUse": (["hook", "codex", "PreToolUse"], json.dumps(spawned).encode()),
        "statusline claude-code": (["statusline", "claude-code"], before),
    }


@contextmanager
def daemon(env: dict[str, str], home: Path) -> Iterator[None]:
    """A daemon that answers."""
    with (home / "daemon.log").open("wb") as log:
        running = subprocess.Popen([str(PROGRAMS / "routerd")], env=env, stdout=log, stderr=log)
        try:
            for _ in range(300):
                with suppress(Exception):
                    call("hello", socket=env["ROUTERD_SOCKET"], timeout_s=1)
                    break
                time.sleep(0.1)
            yield
        finally:
            running.terminate()
            running.wait(20)


def took_ms(command: list[str], data: bytes, env: dict[str, str]) -> tuple[float, bytes]:
    """How long a program ran, and what it said."""
    begin = time.perf_counter()
    done = subprocess.run(command, input=data, env=env, capture_output=True, check=True)
    return (time.perf_counter() - begin) * 1000, done.stdout


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args()
    compileall.compile_dir(str(Path(routerd.__file__).parent), quiet=2)  # as an installation does
    with tempfile.TemporaryDirectory() as place:
        home = Path(place)
        env = {
            "HOME": place,
            "PATH": os.environ["PATH"],
            "ROUTERD_SOCKET": f"{place}/s",
            "ROUTERD_STATE_DIR": f"{place}/state",
        }
        with daemon(env, home):
            rows = [measure(name, *case, env=env, runs=options.runs) for name, case in payloads(home).items()]
        imports = [imported(name, env=env, runs=options.runs) for name in CLIENTS]
    if options.json:
        options.json.write_text(json.dumps({"hooks": rows, "imports": imports}, indent=1) + "\n")
    slow = any(row["ratio"] > RATIO_MAX for row in rows) or any(row["import_ms"] > IMPORT_MS_MAX for row in imports)
    return 1 if slow else 0


def measure(name: str, arguments: list[str], data: bytes, *, env: dict[str, str], runs: int) -> dict[str, Any]:
    """Medians of a case and of a bare interpreter, run in turn so that both meet the same machine."""
    bare, hook, said = [], [], b""
    for _ in range(runs):
        bare.append(took_ms([sys.executable, "-c", "pass"], b"", env)[0])
        ms, said = took_ms([str(PROGRAMS / "routerctl"), *arguments], data, env)
        hook.append(ms)
    python_ms, hook_ms = statistics.median(bare), statistics.median(hook)
    ratio = hook_ms / python_ms
    print(f"{name:28} {hook_ms:6.1f} ms, python3 -c pass {python_ms:5.1f} ms: {ratio:.2f} times", flush=True)
    return {"case": name, "python_ms": python_ms, "hook_ms": hook_ms, "ratio": ratio, "said_bytes": len(said)}


def imported(module: str, *, env: dict[str, str], runs: int) -> dict[str, Any]:
    """Median of a module's import, by its own clock, and of a bare interpreter started in turn with it."""
    bare, found = [], []
    for _ in range(runs):
        bare.append(took_ms([sys.executable, "-c", "pass"], b"", env)[0])
        found.append(float(took_ms([sys.executable, "-c", IMPORT.format(module, CLIENTS[module])], b"", env)[1]))
    python_ms, import_ms = statistics.median(bare), statistics.median(found)
    print(f"import {module:21} {import_ms:6.1f} ms, python3 -c pass {python_ms:5.1f} ms", flush=True)
    return {"module": module, "python_ms": python_ms, "import_ms": import_ms}


if __name__ == "__main__":
    sys.exit(main())

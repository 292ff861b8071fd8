"""A hook as an agent runs it, payloads as agents write them, and what may answer in the daemon's place."""

import json
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from tests.harness import PROGRAMS, Daemon, Place
from tests.sources.claude_logs import PROJECT
from tests.test_client import server

SESSION = "11111111-2222-4333-8444-555555555555"
GOAL = "Count the tests in this project and say how many there are"
REPLY = {"type": "assistant", "version": "2.1.329", "message": {"role": "assistant", "model": "claude-sonnet-5-5"}}
Choose = Callable[[list[dict[str, Any]]], Any]


def run(place: Place, *arguments: str, payload: Any = b"", **env: str) -> bytes:
    """What `routerctl` says to a payload; it must succeed, and say nothing else."""
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    done = subprocess.run(
        [str(PROGRAMS / "routerctl"), *arguments],
        input=data,
        env={**place.env, **env},
        capture_output=True,
        timeout=30,
        check=False,
        cwd=place.home,
    )
    assert (done.returncode, done.stderr) == (0, b""), (arguments, data[:200], done.stderr.decode())
    return done.stdout


def hook(place: Place, agent: str, event: str, payload: Any, mode: str = "enforce", **env: str) -> Any:
    """The JSON value that a hook says; None where it says nothing."""
    said = run(place, "hook", agent, event, payload=payload, ROUTERD_MODE=mode, **env)
    return json.loads(said) if said else None


def claude_call(place: Place, **given: Any) -> dict[str, Any]:
    """The payload before a delegation of Claude Code; members of the tool's input go by name, None takes one out."""
    call = {"description": "Count", "prompt": GOAL, "subagent_type": "general-purpose", **given}
    return {
        "session_id": SESSION,
        "transcript_path": f"{place.home}/.claude/projects/-home-user-app/{SESSION}.jsonl",
        "cwd": "/home/user/app",
        "prompt_id": "22222222-2222-4333-8444-555555555555",
        "permission_mode": "default",
        "effort": {"level": "medium"},
        "hook_event_name": "PreToolUse",
        "tool_name": "Agent",
        "tool_input": {name: value for name, value in call.items() if value is not None},
        "tool_use_id": "toolu_1",
    }


def returned(place: Place, **response: Any) -> dict[str, Any]:
    """The payload after a delegation that came back, with what the tool answered."""
    whole = {
        "status": "completed",
        "agentId": "a1",
        "resolvedModel": "claude-haiku-5-5[1m]",
        "totalDurationMs": 834,
        "totalTokens": 16457,
        **response,
    }
    return {**claude_call(place), "hook_event_name": "PostToolUse", "tool_response": whole}


def transcript(place: Place, *records: Any, child: str | None = None) -> None:
    """Writes the records of the session that the payloads name, or of a child in it."""
    name = f"{SESSION}/subagents/agent-{child}" if child else SESSION
    place.write({f"{PROJECT}/{name}.jsonl": b"".join(json.dumps(one).encode() + b"\n" for one in records)})


def codex_call(path: str, *, version: int = 2, **given: Any) -> dict[str, Any]:
    """The payload before Codex spawns an agent, with either of its multi-agent tools."""
    called = {"message": GOAL} if version == 1 else {"task_name": "count", "message": GOAL, "fork_turns": "none"}
    return {
        "session_id": SESSION,
        "turn_id": "33333333-2222-4333-8444-555555555555",
        "transcript_path": path,
        "cwd": "/home/user/project",
        "hook_event_name": "PreToolUse",
        "model": "gpt-6-sol",
        "permission_mode": "default",
        "tool_name": "spawn_agent" if version == 1 else "collaborationspawn_agent",
        "tool_input": {**called, **given},
        "tool_use_id": "call_1",
    }


@contextmanager
def sure(path: Path, choose: Choose) -> Iterator[list[dict[str, Any]]]:
    """Answers as a daemon does that is sure of what `choose` makes of the candidates; gives what it was asked."""
    asked: list[dict[str, Any]] = []

    def answer(connection: socket.socket) -> None:
        with connection.makefile("rb") as lines:
            for line in lines:
                request = json.loads(line)
                asked.append(request)
                chosen = choose(request["params"]["candidates"]) if request["method"] == "recommend" else None
                gate = {"apply": True, "reason": "sure"}
                result = {"dispatch": chosen, "basis": "learned", "gate": gate, "reason": "because"}
                reply = {"jsonrpc": "2.0", "id": request["id"], "result": result}
                connection.sendall(json.dumps(reply).encode() + b"\n")

    with server(path, answer):
        yield asked


def seed(daemon: Daemon, agent: str, good: dict[str, str], bad: dict[str, str]) -> None:
    """Reports by which one dispatch does well and the other does not; returns when the gate would let it through."""
    for dispatch, worked in ((good, True), (bad, False)):
        for number in range(50):
            outcome = {"succeeded": worked, "wall_time_ms": 20_000, "cost_usd": 0.01}
            about = {"goal": f"Count the tests in module {number}", "agent": agent}
            daemon.ask("report", task=about, dispatch=dispatch, outcome=outcome, outcome_id=f"{worked}/{number}")
    asked = {"task": {"goal": GOAL, "agent": agent}, "candidates": [bad, good], "incumbent": bad, "dry_run": True}
    daemon.until(lambda: daemon.ask("recommend", **asked)["gate"]["apply"])


def decisions(daemon: Daemon, agent: str) -> int:
    """How often the daemon was asked by an agent; decisions are written in order, so ours comes after the others."""
    ours = daemon.ask("recommend", task={"goal": "are we there yet?"}, candidates=["local"])["decision_id"]
    daemon.until(lambda: daemon.place.query(f"SELECT 1 FROM decisions WHERE id = '{ours}'"))
    ((count,),) = daemon.place.query(f"SELECT count(*) FROM decisions WHERE agent = '{agent}'")
    return int(count)


CALM = """[policy]
name = "ucb"
optimism = 0.0
explore_floor = 0.0
"""
"""The best is chosen, so that what is chosen is known."""


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)


def altered(payload: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A payload with some members, or members of the tool's input, replaced by anything."""
    names = st.sampled_from(sorted(payload))
    inner = st.sampled_from(sorted(payload["tool_input"]))
    outer = st.dictionaries(names, anything, max_size=3)
    within = st.dictionaries(inner | st.sampled_from(["model", "effort", "items"]), anything, max_size=3)
    return st.builds(
        lambda changed, call: {**payload, "tool_input": {**payload["tool_input"], **call}, **changed}, outer, within
    )

"""What a verb needs not is not imported: people and scripts wait for it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness import Place
from tests.integrations import hooking

CODE = """
import sys
from routerd.cli.app import run
run(sys.argv[1:])
print(sorted({"numpy", "anyio", "msgspec", "routerd.catalog", "routerd.sources"} & sys.modules.keys()), file=sys.stderr)
"""
VERBS = {
    "recommend": ["recommend", "count the files"],
    "report": ["report", "--decision-id", "d_1", "--succeeded", "yes"],
    "feedback": ["feedback", "d_1", "good"],
    "explain": ["explain", "d_1"],
    "arms": ["arms"],
    "status": ["status"],
    "events": ["events"],
    "config path": ["config", "path"],
}


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_that_asks_the_daemon_imports_none_of_its_parts(tmp_path: Path, verb: str) -> None:
    env = Place(tmp_path).env
    done = subprocess.run(
        [sys.executable, "-c", CODE, *VERBS[verb]], env=env, capture_output=True, text=True, check=True
    )
    assert done.stderr.splitlines()[-1] == "[]"


HOOK = """
import sys
before = set(sys.modules)
from routerd.cli import main
sys.argv[0] = "routerctl"
code = main()
heavy = {"numpy", "rich", "anyio", "msgspec", "cyclopts", "asyncio", "json", "pathlib", "typing", "routerd.catalog"}
print(code, sorted(heavy & sys.modules.keys() - before), file=sys.stderr)
"""


@pytest.mark.parametrize("event", ["PreToolUse", "PostToolUse", "SubagentStart", "SubagentStop", "StopFailure"])
def test_a_hook_imports_next_to_nothing(tmp_path: Path, event: str) -> None:
    """With a daemon that answers: all of its way is gone."""
    place = Place(tmp_path)
    payload = {**hooking.claude_call(place), "hook_event_name": event}
    with place.daemon():
        done = subprocess.run(
            [sys.executable, "-c", HOOK, "hook", "claude-code", event],
            input=json.dumps(payload),
            env=place.env,
            capture_output=True,
            text=True,
            check=True,
        )
    assert done.stderr.splitlines()[-1] == "0 []"

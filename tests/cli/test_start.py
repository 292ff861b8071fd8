"""What a verb needs not is not imported: people and scripts wait for it."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness import Place

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

"""How the Hermes plugin reads a call, and what it needs to run."""

import json
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from routerd.integrations import hermes as entry_point
from routerd.integrations.hermes import PLUGIN
from routerd.integrations.hermes import tasks as reading
from routerd.integrations.modes import AGENTS
from routerd.sources import hermes_rows, hermes_units

# --- how a call is read ---------------------------------------------------------------------------------------------

TEXTS = ["", " ", "a", "x\n", "\ud800", "ü", "leaf", " Orchestrator", "boss"]
WORDS = st.one_of(st.none(), st.integers(), st.sampled_from(TEXTS))
TASK = st.dictionaries(st.sampled_from(["goal", "context", "role", "model"]), WORDS)
JSON = st.recursive(WORDS, lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(TEXTS), inner), max_leaves=5)


@given(
    st.fixed_dictionaries({}, optional={"goal": WORDS, "context": WORDS, "role": WORDS, "tasks": st.lists(TASK) | JSON})
)
def test_a_call_is_read_as_the_log_reader_reads_it(arguments: dict[str, Any]) -> None:
    for spelt in (arguments, {**arguments, "tasks": json.dumps(arguments.get("tasks"))}):
        found = reading.tasks_of(spelt)
        if found:
            logged = hermes_rows.asked_of(spelt)
            assert [(task["goal"], task.get("context"), task["role"]) for task in found] == [
                (one.goal, one.context, one.role) for one in logged
            ]


def test_ids_that_are_no_names_are_those_that_the_log_reader_passes_over() -> None:
    assert reading.NUMBERED.pattern == hermes_units._COMMON_ID.pattern
    assert "tool_use_id" not in reading.ref_of("s", "functions.delegate_task:0", 0)
    ref = {"agent": "hermes", "session_id": "s", "tool_use_id": "call_9f3c2ab41d", "task_index": 1}
    assert reading.ref_of("s", "call_9f3c2ab41d", 1) == ref


# --- packaging ------------------------------------------------------------------------------------------------------


def test_the_entry_point_names_the_plugin() -> None:
    declared = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    (point,) = declared["project"]["entry-points"]["hermes_agent.plugins"].items()
    assert point == (PLUGIN, "routerd.integrations.hermes")
    assert import_module(point[1]).register is entry_point.register
    assert entry_point.AGENT in AGENTS


def test_the_plugin_needs_nothing_that_hermes_has_not() -> None:
    """It runs in Hermes' environment: no package but routerd itself, and nothing that takes long to import."""
    code = (
        "import sys, routerd.integrations.hermes.plugin as p; own = {m.partition('.')[0] for m in sys.modules}; "
        "foreign = own - sys.stdlib_module_names - {'routerd', 'sitecustomize', 'usercustomize'}; "
        "print(sorted(m for m in foreign if not m.startswith('_')), {'socket', 'asyncio'} & own)"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("[] set()\n", "")

"""What hooks read and write JSON with is `json` itself, as far as anybody can tell."""

import json
import math
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routerd.quick_json import dumps, loads

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(values)
def test_what_json_writes_is_read(value: object) -> None:
    written = json.dumps(value)
    assert loads(written) == loads(written.encode()) == json.loads(written)
    assert loads(json.dumps(value, ensure_ascii=False, indent=1)) == json.loads(written)


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
))  # fmt: skip
def test_what_is_written_is_what_json_writes(value: object) -> None:
    assert dumps(value) == json.dumps(value, separators=(",", ":"))


@given(st.text(alphabet=' \t\n{}[]",:0123456789.eE+-truefalsnNIity\\u"', max_size=30) | st.text(max_size=10))
def test_what_json_refuses_is_refused_and_nothing_else(text: str) -> None:
    try:
        wanted = json.loads(text)
    except ValueError:
        with pytest.raises(ValueError, match=r"."):
            loads(text)
        return
    found = loads(text)
    assert found == wanted or (isinstance(found, float) and math.isnan(found))


@pytest.mark.parametrize("text", [b"\xff", b"\xef\xbb\xbf{}", "[" * 100_000, "1" * 5000])
def test_what_cannot_be_read_is_an_error(text: bytes | str) -> None:
    with pytest.raises((ValueError, RecursionError)):
        loads(text)


@pytest.mark.parametrize("value", [math.nan, math.inf, {1, 2}, b"x", {"a": object()}])
def test_what_json_has_no_word_for_is_an_error(value: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        dumps(value)


def test_what_contains_itself_is_an_error() -> None:
    value: list[object] = []
    value.append(value)
    with pytest.raises(ValueError, match="Circular"):
        dumps(value)


@pytest.mark.parametrize("event", ["PreToolUse", "PostToolUse", "SubagentStop"])
@pytest.mark.parametrize("agent", ["claude-code", "codex"])
def test_a_hook_loads_nothing_that_takes_long(agent: str, event: str) -> None:
    code = (
        "import sys; before = set(sys.modules); from routerd.cli import main; "
        f"sys.argv = ['routerctl', 'hook', '{agent}', '{event}']; main(); "
        "print(*{name.partition('.')[0] for name in set(sys.modules) - before})"
    )
    payload = b'{"tool_name": "Agent", "tool_input": {"prompt": "x", "message": "x"}}'
    done = subprocess.run([sys.executable, "-c", code], input=payload, capture_output=True, check=True, timeout=30)
    assert set(done.stdout.decode().split()) <= {"__future__", "_json", "_socket", "itertools", "routerd"}

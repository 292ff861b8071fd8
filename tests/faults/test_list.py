"""The list of faults is complete: each of the thirty has a test named by its number, and a line in the README."""

import ast
import re
from pathlib import Path

HERE = Path(__file__).parent
FAULTS = set(range(1, 31))


def test_every_fault_has_a_test_that_is_named_by_its_number() -> None:
    found: set[int] = set()
    for path in HERE.glob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                named = re.match(r"test_faults?((?:_(?:and_)?\d\d)+)_", node.name)
                found |= set(map(int, re.findall(r"\d\d", named[1]))) if named else set()
    assert found == FAULTS


def test_every_fault_is_in_the_list_with_tests_that_are_there() -> None:
    rows = re.findall(r"^\| (\d+) \|.*\| ([^|]*) \|$", (HERE / "README.md").read_text(), re.MULTILINE)
    assert [int(number) for number, _ in rows] == sorted(FAULTS)
    for number, places in rows:
        for name in re.findall(r"`([\w/]+)`", places):
            path = HERE / f"{name}.py" if "/" not in name else HERE.parents[1] / f"{name}.py"
            assert path.exists(), (number, name)
            if "/" not in name and name != "test_power":
                assert re.search(rf"def test_faults?_[\d_and]*{int(number):02}", path.read_text()), (number, name)

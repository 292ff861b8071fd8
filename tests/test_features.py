import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from routerd.errors import InvalidParams
from routerd.events import Parent, Scalar, Task
from routerd.features import DIM, GRID, LIMIT, NAMES, OWN_NAMES, extract, fingerprint, vector

WIRE_VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.lists(st.floats(), max_size=9)
)


def test_every_component_has_a_name() -> None:
    assert len(NAMES) == DIM == len(set(NAMES))


@pytest.mark.parametrize(
    ("goal", "kind"),
    [
        ("make it nicer", "open"),
        ("", "open"),
        ("why is the cache cold?", "question"),
        ("缓存为什么是冷的？", "question"),  # noqa: RUF001
        ("rename the class in src/app/main.py", "file-edit"),
        ("重命名 src/app/main.py 中的类", "file-edit"),
        ("move the parser from src/a.py to src/b.py", "cross-file-edit"),
        ("src/a.py src/a.py src/a.py", "file-edit"),
        ("add cases to tests/test_parser.py", "tests"),
        ("add cases to src/parser.spec.ts", "tests"),
        ("mend the table in README.md", "docs"),
        ("raise the limit in config/app.toml", "config"),
        ("it dies:\n  File \"app.py\", line 3, in main\nKeyError: 'x'", "debug"),
        ("main.c:10:4: error: expected ';'", "debug"),
        ("the nightly run of 12:30:45 on 127.0.0.1:8080:80 was late, see chapter 2, line 4", "open"),
        ("it dies:\nError: x\n    at run (index.js:4)", "debug"),
        ("look at this\ndiff --git a/x.py b/x.py\n", "review"),
        ("see https://example.org/guide.html, e.g. its end. Version 1.2 calls foo.bar() there", "open"),
    ],
)
def test_kind_follows_from_structure_in_any_language(goal: str, kind: str) -> None:
    assert extract(Task(goal=goal))["task_kind"] == kind


def test_the_callers_word_wins_over_the_inferred_kind() -> None:
    assert extract(Task(goal="why?", kind=" Typo-Fix "))["task_kind"] == "typo-fix"
    assert extract(Task(goal="why?", features={"task_kind": "migration"}))["task_kind"] == "migration"
    assert extract(Task(goal="why?", kind="  "))["task_kind"] == "question"


def test_the_four_named_features_are_there() -> None:
    features = extract(Task(goal="x" * 400, repo="host/owner/name", parent=Parent(tier="mid")))
    assert features["rough_token_estimate"] == 100
    assert features["parent_model_tier"] == "mid"
    assert features["repo_fingerprint"] == fingerprint("host/owner/name")
    assert features["task_kind"] == "open"
    assert extract(Task(goal="x", token_estimate=7))["rough_token_estimate"] == 7
    assert extract(Task(goal="x"), parent_tier="light")["parent_model_tier"] == "light"


def test_no_text_is_kept() -> None:
    secret = "zebra-quartz"
    task = Task(goal=f"fix {secret} in src/{secret}.py", context=secret, cwd=f"/srv/{secret}", repo=f"host/{secret}")
    assert secret not in json.dumps(extract(task))


def test_a_stored_mapping_gives_the_same_vector() -> None:
    task = Task(goal="fix src/app.py and tests/test_app.py", repo="r", agent="a", features={"hot": True, "size": 3.5})
    features = extract(task)
    assert np.array_equal(vector(json.loads(json.dumps(features))), vector(features))


def test_an_empty_mapping_is_the_bias_alone() -> None:
    assert vector({}).tolist() == [1.0] + [0.0] * (DIM - 1)


def test_like_texts_have_like_projections() -> None:
    def text(goal: str) -> np.ndarray[Any, Any]:
        return np.array(extract(Task(goal=goal))["text"])

    one = "The parser drops the last token of every line that ends in a comment; please make it keep the token."
    near = text(one + " Thanks!")
    far = text("SELECT price, sum(amount) FROM orders WHERE day > '2024-01-01' GROUP BY price ORDER BY 2 DESC LIMIT 10")
    assert np.linalg.norm(text(one) - near) < np.linalg.norm(text(one) - far) / 2


@pytest.mark.parametrize(
    ("features", "path"),
    [
        ({"size": math.nan}, "task.features.size"),
        ({"size": math.inf}, "task.features.size"),
        ({"depth": 1}, "task.features.depth"),
        ({"text": "x"}, "task.features.text"),
        ({"rough_token_estimate": "many"}, "task.features.rough_token_estimate"),
        ({"rough_token_estimate": -1}, "task.features.rough_token_estimate"),
        ({"rough_token_estimate": True}, "task.features.rough_token_estimate"),
        ({"parent_model_tier": 3}, "task.features.parent_model_tier"),
    ],
)
def test_a_callers_feature_that_cannot_be_used_is_named(features: dict[str, Scalar], path: str) -> None:
    with pytest.raises(InvalidParams) as caught:
        extract(Task(goal="x", features=features))
    assert caught.value.data is not None
    assert caught.value.data["path"] == path


def test_negative_numbers_are_named() -> None:
    with pytest.raises(InvalidParams, match=r"task\.depth"):
        extract(Task(goal="x", depth=-1))
    with pytest.raises(InvalidParams, match=r"task\.token_estimate"):
        extract(Task(goal="x", token_estimate=-1))


@pytest.mark.parametrize("goal", ["\ud800 lone", "\x00" * 50, "a.py " * 100_000, "." * 50_000, ":1" * 50_000])
def test_any_text_is_read(goal: str) -> None:
    assert np.isfinite(vector(extract(Task(goal=goal)))).all()


@pytest.mark.parametrize(
    "spelling",
    [
        "git@host.org:owner/name.git",
        "https://host.org/owner/name",
        "https://user:word@host.org/owner/name.git",
        "ssh://git@host.org/owner/name/",
        "host.org/owner/name",
    ],
)
def test_a_repository_has_one_fingerprint(spelling: str) -> None:
    assert fingerprint(spelling) == fingerprint("host.org/owner/name")
    assert fingerprint(spelling) != fingerprint("host.org/owner/other")


def test_no_place_has_no_fingerprint() -> None:
    assert fingerprint(None) is None
    assert fingerprint("  ") is None


@given(st.dictionaries(st.sampled_from(sorted(OWN_NAMES | {"mine", "other"})), WIRE_VALUES))
def test_a_vector_is_finite_bounded_and_on_the_grid_whatever_was_stored(features: dict[str, Any]) -> None:
    x = vector(features)
    assert x.shape == (DIM,)
    assert x[0] == 1.0
    assert np.abs(x).max() <= LIMIT
    assert np.array_equal(np.rint(x / GRID) * GRID, x)


@given(st.text(max_size=300), st.one_of(st.none(), st.text(max_size=50)), st.integers(0, 10**30))
def test_extract_gives_plain_json(goal: str, context: str | None, tokens: int) -> None:
    features = extract(Task(goal=goal, context=context, token_estimate=tokens))
    assert json.loads(json.dumps(features)) == features
    assert features.keys() == OWN_NAMES

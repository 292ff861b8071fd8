"""Outcomes as documents: what they say, what they do not say, and that what is read back makes them again."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from routerd.events import Completion, Dispatch, Label, Tokens, arm_id
from routerd.features import extract
from routerd.integrations.outcome_documents import DIGEST, ROW, TAG, Document, document, row
from routerd.records import Seen, Unit, settle
from routerd.sources.base import Line
from routerd.sources.jsonl import JsonlMachine, check_row
from routerd.sources.signals import WEIGHTS
from routerd.store.reader import Ended


def ended(**members: Any) -> Ended:
    plain: dict[str, Any] = {
        "id": "claude-code:child:s/c",
        "agent": "claude-code",
        "scope": "default",
        "arm": "delegate:anthropic:claude-haiku-4-5@low",
        "model": "claude-haiku-4-5-20251001",
        "kind": "debug",
        "session_id": "s",
        "ended_at": 1_790_000_000.5,
        "wall_time_ms": 41_000,
        "cost_usd": 0.0123,
        "tokens": Tokens(input=100, cache_read=2000),
        "succeeded": 1.0,
        "signal": "test",
        "censored": None,
        "teaches": True,
        "features": {
            "task_kind": "debug",
            "rough_token_estimate": 40,
            "text": [1, 2],
            "agent": "claude-code",
            "depth": 0,
        },
        "keys": ["claude-code:tool:t", "claude-code:child:s/c"],
    }
    return Ended(**{**plain, **members})


def test_a_delegation_says_who_did_it_and_how_it_went() -> None:
    made = document(ended())
    assert made.content == (
        "claude-code handed a task of kind debug to claude-haiku-4-5 --provider anthropic (effort low): "
        "it succeeded, by its tests. It took 41.0 s and cost $0.0123."
    )
    assert made.document_id == "claude-code:child:s/c"
    assert made.timestamp == "2026-09-21T14:13:20.500000+00:00"
    assert set(made.tags) == {
        TAG, "agent:claude-code", "scope:default", "went:well", "model:claude-haiku-4-5", "kind:debug"
    }  # fmt: skip
    assert made.metadata["succeeded"] == "1.0"
    assert made.metadata["wall_time_ms"] == "41000"


@pytest.mark.parametrize(
    ("members", "words", "tag"),
    [
        ({"succeeded": 0.0, "signal": "feedback"}, "it failed, as the user said.", "went:badly"),
        ({"succeeded": 0.5, "signal": "report"}, "it succeeded partly (0.50), as reported.", "went:partly"),
        ({"succeeded": None, "signal": "unknown"}, "how it went is not known.", "went:unknown"),
        ({"censored": "usage_limit", "teaches": False}, "it was cut short (usage limit).", "went:cut-short"),
    ],
)
def test_how_it_went_is_said_in_words_and_in_a_tag(members: dict[str, Any], words: str, tag: str) -> None:
    made = document(ended(**members))
    assert words in made.content
    assert tag in made.tags


def test_a_turn_is_the_agents_own() -> None:
    made = document(
        ended(arm="local", model="claude-opus-5", kind=None, ended_at=None, wall_time_ms=None, cost_usd=None)
    )
    assert made.content == "claude-code did a task itself, on claude-opus-5: it succeeded, by its tests."
    assert made.timestamp == "unset"


def test_text_goes_along_only_where_it_was_asked_for() -> None:
    assert "The task: fix the parser" in document(ended(goal="fix the parser")).content
    whole = msgspec.json.encode(document(ended())).decode()
    assert "The task" not in whole
    assert '"text"' not in whole  # not even the numbers of a text


def test_what_teaches_nothing_has_a_document_and_no_row() -> None:
    assert row(ended(teaches=False)) is None
    assert ROW not in document(ended(teaches=False)).metadata


def test_a_digest_changes_with_anything_and_with_nothing_else() -> None:
    first = document(ended())
    assert first.digest == document(ended(keys=["claude-code:child:s/c", "claude-code:tool:t"])).digest
    others = [
        ended(succeeded=0.0),
        ended(signal="feedback"),
        ended(wall_time_ms=41_001),
        ended(goal="x"),
        ended(scope="team"),
        ended(keys=["claude-code:child:s/c"]),
    ]
    assert len({first.digest, *(document(one).digest for one in others)}) == 1 + len(others)


# --- back -----------------------------------------------------------------------------------------------------------

names = st.from_regex(r"[a-z][a-z0-9.-]{0,8}", fullmatch=True)
arms = st.just("local") | st.builds(
    lambda **members: arm_id(Dispatch(executor="delegate", **members)),
    model=names,
    provider=st.none() | names,
    profile=st.none() | names,
    reasoning_effort=st.none() | names,
    role=st.sampled_from([None, "leaf", "orchestrator"]),
)
labels = st.just((None, "unknown")) | st.tuples(
    st.floats(0, 1), st.sampled_from([signal for signal, weight in WEIGHTS.items() if weight])
)


@st.composite
def outcomes(draw: st.DrawFn) -> Ended:
    """As the store has them: features as `features.extract` gives them."""
    arm = draw(arms)
    succeeded, signal = draw(labels)
    own: dict[str, Any] = {
        "task_kind": draw(names),
        "rough_token_estimate": draw(st.integers(0, 10**6)),
        "repo_fingerprint": draw(st.none() | names),
        "parent_model_tier": draw(st.sampled_from([None, "frontier", "light"])),
        "depth": draw(st.integers(0, 3)),
        "role": draw(st.sampled_from([None, "leaf", "orchestrator"])),
        "agent": draw(st.none() | st.just("codex")),
        **draw(
            st.dictionaries(st.sampled_from(["language", "x"]), st.booleans() | st.floats(0, 9) | names, max_size=2)
        ),
    }
    return ended(
        id=draw(names),
        agent="codex",
        scope=draw(names),
        arm=arm,
        model=draw(st.none() | names),
        kind=own["task_kind"],
        session_id=draw(st.none() | names),
        ended_at=draw(st.none() | st.floats(0, 2e9)),
        wall_time_ms=draw(st.none() | st.integers(0, 10**9)),
        cost_usd=draw(st.none() | st.floats(0, 1e6)),
        tokens=draw(st.none() | st.builds(Tokens, input=st.integers(0, 9), output=st.integers(0, 9))),
        succeeded=succeeded,
        signal=signal,
        features=own,
        keys=draw(st.lists(names, max_size=3, unique=True)),
    )


def taken_in(line: str) -> tuple[Completion, Ended]:
    """What the import path makes of a row, and the outcome as the reader would give it."""
    machine = JsonlMachine()
    machine.feed(Line("/f.jsonl", 0, line.encode()))
    [told] = machine.drain(idle=False)
    seen = Seen(completion=told, features=extract(told.task), origin="f")
    record = settle(Unit(keys=list(told.keys), seen=seen), arm_id)
    again: dict[str, Any] = {
        **{name: getattr(record, name) for name in Ended.__struct_fields__ if hasattr(record, name)},
        "succeeded": record.label.value,
        "signal": record.label.signal,
        "teaches": record.contribution is not None,
        "keys": list(told.keys),
    }
    return told, Ended(**again)


@given(outcomes())
def test_what_is_read_back_makes_the_same_document(outcome: Ended) -> None:
    made = document(outcome)
    line = made.metadata[ROW]
    assert check_row(line.encode()) is None
    told, again = taken_in(line)
    assert told.keys[0] == outcome.id
    assert set(told.keys) == {outcome.id, *outcome.keys}
    assert told.label == Label(outcome.succeeded, WEIGHTS[outcome.signal], outcome.signal)
    assert told.tokens == outcome.tokens or not (outcome.tokens or Tokens()).total
    if again.teaches:
        assert document(again) == made
    else:  # without a time it ended at, nothing is learnt
        assert outcome.ended_at is None


def test_the_row_is_the_documents_and_says_what_was_known() -> None:
    made: Document = document(ended(features={"task_kind": "debug", "language": "rust", "role": "leaf", "depth": 1}))
    told = json.loads(made.metadata[ROW])
    assert told["task"] == {
        "goal": "",
        "kind": "debug",
        "depth": 1,
        "role": "leaf",
        "agent": "claude-code",
        "features": {"language": "rust"},
    }
    assert told["keys"] == ["claude-code:child:s/c", "claude-code:tool:t"]
    assert DIGEST in made.metadata

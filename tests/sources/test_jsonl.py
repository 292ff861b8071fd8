"""Rows of outcomes: what they mean, which are broken and why, and that the schema says the same as the reader."""

import json
from pathlib import Path
from typing import Any, get_args

import jsonschema
import msgspec
import pytest

from routerd.events import LOCAL, Completion, Dispatch, Label, Parent, Task, Tokens
from routerd.features import CALLERS_NAMES, OWN_NAMES
from routerd.sources import jsonl
from routerd.sources.base import Claim, Line
from routerd.sources.jsonl import Evidence, JsonlMachine, check_row
from routerd.sources.signals import WEIGHTS
from tests.sources.jsonl_logs import ROWS

SCHEMA = json.loads(Path(jsonl.__file__).with_name("outcome.schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
PATH = "/data/outcomes.jsonl"


def told(*rows: dict[str, Any] | bytes) -> list[Completion]:
    machine = JsonlMachine()
    offset = 0
    for row in rows:
        data = row if isinstance(row, bytes) else json.dumps(row).encode()
        machine.feed(Line(PATH, offset, data))
        offset += len(data) + 1
    return machine.drain(idle=False)


def row(**members: Any) -> dict[str, Any]:
    return {"features": {}, "dispatch": ["local", None], "succeeded": True, **members}


def test_a_row_of_the_original_request(tmp_path: Path) -> None:
    [unit] = told(
        {
            "features": {
                "task_kind": "typo-fix",
                "repo_fingerprint": "9f2c",
                "rough_token_estimate": 1200,
                "parent_model_tier": "frontier",
            },
            "dispatch": ["delegate", "fast-worker"],
            "wall_time_ms": 41000,
            "cost_tokens": 5200,
            "succeeded": True,
        }
    )
    assert unit == Completion(
        keys=(unit.keys[0],),
        agent="jsonl",
        task=Task(
            goal="",
            agent="jsonl",
            features={
                "task_kind": "typo-fix",
                "repo_fingerprint": "9f2c",
                "rough_token_estimate": 1200.0,
                "parent_model_tier": "frontier",
            },
        ),
        ran=Dispatch(executor="delegate", profile="fast-worker"),
        wall_time_ms=41000,
        tokens=Tokens(input=5200, estimated=True),
        label=Label(1.0, 1.0, "report"),
        transcript=PATH,
        extent=1,
    )


def test_a_row_with_all_that_can_be_said() -> None:
    [unit] = told(
        {
            "id": "run/7",
            "task": {"goal": "Make it safe", "parent": {"model": "big-model"}},
            "dispatch": {"executor": "delegate", "model": "small-model"},
            "wall_time_ms": 90000,
            "cost_usd": 0.013,
            "tokens": {"input": 8000, "output": 900, "cache_read": 12000},
            "at": 1_790_000_100,
            "succeeded": 0.5,
            "agent": "my-agent",
            "scope": "team",
            "ref": {"agent": "hermes", "session_id": "s", "tool_use_id": "call_9", "task_index": 1},
        }
    )
    assert unit == Completion(
        keys=("jsonl:row:run/7", "hermes:tool:call_9#1"),
        agent="my-agent",
        task=Task(goal="Make it safe", parent=Parent(model="big-model"), agent="my-agent"),
        ran=Dispatch(executor="delegate", model="small-model"),
        scope="team",
        session_id="s",
        started_at=1_790_000_010.0,
        ended_at=1_790_000_100.0,
        wall_time_ms=90000,
        tokens=Tokens(input=8000, output=900, cache_read=12000),
        cost_usd=0.013,
        label=Label(0.5, 1.0, "report"),
        transcript=PATH,
        extent=1,
    )


@pytest.mark.parametrize(
    ("spelling", "dispatch"),
    [
        (["local", None], LOCAL),
        ("local", LOCAL),
        ({"executor": "local"}, LOCAL),
        (["delegate", None], Dispatch(executor="delegate")),
        (["delegate", "fast-worker"], Dispatch(executor="delegate", profile="fast-worker")),
        (
            "delegate:acme:small-model@high#leaf",
            Dispatch(executor="delegate", provider="acme", model="small-model", reasoning_effort="high", role="leaf"),
        ),
        ({"executor": "delegate", "profile": "p"}, Dispatch(executor="delegate", profile="p")),
    ],
)
def test_spellings_of_a_dispatch(spelling: Any, dispatch: Dispatch) -> None:
    assert told(row(dispatch=spelling))[0].ran == dispatch


@pytest.mark.parametrize(
    ("succeeded", "label"),
    [(True, Label(1.0, 1.0, "report")), (False, Label(0.0, 1.0, "report")), (0.25, Label(0.25, 1.0, "report"))],
)
def test_success_is_believed_as_a_report(succeeded: bool | float, label: Label) -> None:
    assert told(row(succeeded=succeeded))[0].label == label


def test_an_unknown_success_is_unknown() -> None:
    assert told(row(succeeded=None))[0].label == Label(None, 0.0, "unknown")


# --- names ----------------------------------------------------------------------------------------------------------


def test_two_equal_rows_are_two_outcomes_and_reading_again_adds_nothing() -> None:
    first = [unit.keys for unit in told(row(), row(), row(succeeded=False))]
    assert len(set(first)) == 3
    assert [unit.keys for unit in told(row(), row(), row(succeeded=False))] == first


def test_a_row_is_the_same_however_it_is_written() -> None:
    one = b'{"features":{},"dispatch":["local",null],"succeeded":true}'
    other = b'\xef\xbb\xbf { "succeeded": true, "dispatch": ["local", null], "features": { } }'
    assert told(one)[0].keys == told(other)[0].keys


def test_a_later_row_with_the_same_id_replaces_it() -> None:
    units = told(row(id="a"), row(id="a", succeeded=False))
    assert [unit.keys for unit in units] == [("jsonl:row:a",)] * 2


def test_a_row_that_names_the_unit_as_routerd_does_is_that_unit_and_gives_way_to_its_log() -> None:
    named = row(keys=["codex:turn:a/7", "codex:child:b"], ref={"agent": "codex", "child_id": "b"})
    [once, again] = told(named, {**named, "succeeded": False})
    assert once.keys == again.keys == ("codex:turn:a/7", "codex:child:b")
    assert once.extent == 0
    assert told({**named, "id": "x"})[0].keys == ("codex:turn:a/7", "codex:child:b", "jsonl:row:x")


def test_a_row_may_say_that_its_success_rests_on_less_than_a_report() -> None:
    assert told(row(signal="completed"))[0].label == Label(1.0, WEIGHTS["completed"], "completed")
    assert told(row(signal="test", succeeded=0.0))[0].label == Label(0.0, WEIGHTS["test"], "test")


# --- broken rows ----------------------------------------------------------------------------------------------------

GOOD: list[Any] = [
    *ROWS,
    *SCHEMA["examples"],
    row(),
    row(features={"language": "rust", "lines": 3, "new": False, "tag": None}),
    row(features={"task_kind": None}),
    row(wall_time_ms=1200.5, cost_tokens=10.0),
    row(wall_time_ms=None, cost_usd=None, id=None, at=None, finished_at=1.5, ref=None),
    row(task=None),
    row(succeeded=0),
    row(succeeded=1.0),
    row(dispatch="delegate:"),
    row(dispatch="delegate:/fast-worker/"),
    row(dispatch="delegate:a/b/m"),
    row(dispatch="delegate:m@a/b"),
    row(keys=["codex:turn:a/7"], signal="budget"),
    row(keys=None, signal=None, succeeded=None),
    {"task": {"goal": "x", "depth": 2, "role": "leaf", "features": {"a": 1}}, "dispatch": "local", "succeeded": None},
]

BROKEN: list[tuple[Any, str]] = [
    ([], "expected `object`, got `array`"),
    ({}, "`dispatch` is missing"),
    ({"features": {}, "dispatch": "local"}, "`succeeded` is missing"),
    ({"dispatch": "local", "succeeded": True}, "exactly one of `features` and `task` must be there"),
    (row(task={"goal": "x"}), "exactly one of `features` and `task` must be there"),
    (row(features=None), "exactly one of `features` and `task` must be there"),
    (row(suceeded=True), "unknown member `suceeded`; did you mean `succeeded`?"),
    (row(succeeded=2), "`succeeded`: expected `float` <= 1.0"),
    (row(succeeded="yes"), "`succeeded`: expected `bool | float | null`, got `str`"),
    (row(wall_time_ms=-1), "`wall_time_ms`: expected `float` >= 0.0"),
    (row(wall_time_ms="1 s"), "`wall_time_ms`: expected `float | null`, got `str`"),
    (row(cost_tokens=-5), "`cost_tokens`: expected `float` >= 0.0"),
    (row(cost_usd=-0.1), "`cost_usd`: expected `float` >= 0.0"),
    (row(tokens={"input": 1, "cached": 2}), "unknown member `cached` in `tokens`"),
    (row(tokens={"input": 1}, cost_tokens=2), "`tokens` and `cost_tokens` tell the same: give one"),
    (row(at=1.0, finished_at=1.0), "`at` and `finished_at` are two names of one thing: give one"),
    (row(at="2026-01-01"), "`at`: expected `float | null`, got `str`"),
    (row(id=""), "`id`: expected `str` of length >= 1"),
    (row(id=7), "`id`: expected `str | null`, got `int`"),
    (row(ref={}), "`ref.agent` is missing"),
    (row(keys=[]), "`keys`: expected `array` of length >= 1"),
    (row(keys=[""]), "`keys[0]`: expected `str` of length >= 1"),
    (row(signal="hope"), "`signal`: invalid enum value 'hope'"),
    (row(signal="unknown"), "`signal`: invalid enum value 'unknown'"),
    (row(signal="test", succeeded=None), "`signal` says what `succeeded` rests on, and `succeeded` is null"),
    (row(dispatch=None), '`dispatch` must be ["local", null], ["delegate", "<profile>"], an arm id or an object'),
    (
        row(dispatch=["local", "x"]),
        '`dispatch` must be ["local", null], ["delegate", "<profile>"], an arm id or an object',
    ),
    (
        row(dispatch=["delegate"]),
        '`dispatch` must be ["local", null], ["delegate", "<profile>"], an arm id or an object',
    ),
    (row(dispatch="fast"), "'fast' is no arm id: it is neither 'local' nor 'delegate:…'"),
    (
        row(dispatch="delegate:a/b/c/d"),
        "'delegate:a/b/c/d' is no arm id: expected delegate:[agent/[profile/]][provider:]model@effort#role",
    ),
    (row(dispatch={"model": "m"}), "`dispatch.executor` is missing"),
    (row(dispatch={"executor": "self"}), "`dispatch.executor`: invalid enum value 'self'"),
    (row(dispatch={"executor": "local", "modle": "m"}), "unknown member `modle` in `dispatch`; did you mean `model`?"),
    (row(features={"depth": 1}), "features.depth is a name of routerd's own; use another"),
    (row(features={"task_kind": 3}), "features.task_kind must be a string"),
    (row(features={"rough_token_estimate": -1}), "features.rough_token_estimate must be a number that is not negative"),
    (row(features={"a": []}), "`features[...]`: expected `bool | float | str | null`, got `array`"),
    ({"task": {}, "dispatch": "local", "succeeded": 1}, "`task.goal` is missing"),
    ({"task": {"goal": "x", "dept": 1}, "dispatch": "local", "succeeded": 1}, "unknown member `dept` in `task`"),
    ({"task": {"goal": "x", "depth": -1}, "dispatch": "local", "succeeded": 1}, "`task.depth`: expected `int` >= 0"),
    (
        {"task": {"goal": "x", "features": {"a": None}}, "dispatch": "local", "succeeded": 1},
        "`task.features[...]`: expected `bool | float | str`, got `null`",
    ),
]


@pytest.mark.parametrize("value", GOOD, ids=range(len(GOOD)))
def test_reader_and_schema_take_a_good_row(value: Any) -> None:
    assert check_row(json.dumps(value).encode()) is None
    VALIDATOR.validate(value)


@pytest.mark.parametrize(("value", "reason"), BROKEN, ids=range(len(BROKEN)))
def test_reader_and_schema_refuse_a_broken_row(value: Any, reason: str) -> None:
    assert check_row(json.dumps(value).encode()) == reason
    assert not VALIDATOR.is_valid(value)


@pytest.mark.parametrize("data", [b"{", b"\xff\xfe", b'{"dispatch": NaN}', b'{"dispatch": ' + b"[" * 100_000, b"no"])
def test_what_is_no_json_is_told_so(data: bytes) -> None:
    reason = check_row(data)
    assert reason is not None
    assert reason.startswith("not JSON: ")
    assert "\n" not in reason


def test_broken_rows_are_counted_and_the_rest_is_read() -> None:
    machine = JsonlMachine()
    for number, data in enumerate([b"{", b"", b"  ", json.dumps(row()).encode(), b"[]"]):
        machine.feed(Line(PATH, number, data))
    assert machine.quarantined == 2
    assert len(machine.drain(idle=True)) == 1


# --- the schema -----------------------------------------------------------------------------------------------------


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_the_schema_knows_the_members_that_the_reader_knows() -> None:
    assert set(SCHEMA["properties"]) == set(jsonl.OutcomeRow.__struct_fields__)
    defined = SCHEMA["$defs"]
    assert set(defined["task"]["properties"]) == set(Task.__struct_fields__)
    assert set(defined["dispatch"]["properties"]) == set(Dispatch.__struct_fields__)
    assert set(defined["ownNames"]["enum"]) == OWN_NAMES - CALLERS_NAMES.keys()
    assert set(defined["features"]["properties"]) == set(CALLERS_NAMES)
    assert set(defined["rowFeatures"]["properties"]) == set(CALLERS_NAMES)


def test_the_signals_that_a_row_may_name_are_those_that_weigh_something() -> None:
    weighty = {signal for signal, weight in WEIGHTS.items() if weight > 0.0}
    assert set(get_args(Evidence)) == weighty == set(SCHEMA["properties"]["signal"]["enum"]) - {None}


# --- where it lies --------------------------------------------------------------------------------------------------


def test_only_what_is_named_is_read() -> None:
    assert jsonl.SOURCE.roots({"HOME": "/home/user", "XDG_DATA_HOME": "/x"}) == []
    assert jsonl.SOURCE.claim("/data", "/data/a/b.jsonl", lambda: b"") == Claim("/data/a/b.jsonl", "lines")
    assert jsonl.SOURCE.claim("/data", "/data/b.ndjson", lambda: b"") == Claim("/data/b.ndjson", "lines")
    assert jsonl.SOURCE.claim("/data", "/data/b.json", lambda: b"") is None


def test_what_is_told_can_be_kept() -> None:
    for unit in told(*ROWS):
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(unit), type=Completion) == unit

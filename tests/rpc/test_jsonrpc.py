"""A line is a request, or is refused with the right code, id and path; nothing that a line may hold raises."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from routerd.errors import NoSuchDecision, RequestError
from routerd.events import Recommend
from routerd.rpc.jsonrpc import Refused, Request, failure, notification, read_request, reply
from routerd.rpc.messages import HelloParams, ReportParams, StatusParams


def line(method: object, params: object = UNSET, id_: object = 1) -> bytes:
    members = {"jsonrpc": "2.0", "id": id_, "method": method, "params": params}
    return json.dumps({name: value for name, value in members.items() if value is not UNSET}).encode()


def accepted(data: bytes) -> Request:
    request = read_request(data)
    assert isinstance(request, Request), request
    return request


def refused(data: bytes) -> Refused:
    request = read_request(data)
    assert isinstance(request, Refused), request
    return request


def test_a_request_is_read_into_the_params_of_its_method() -> None:
    request = accepted(line("recommend", {"task": {"goal": "g", "depth": 1}, "candidates": ["local"]}, "a-1"))
    assert (request.id, request.method) == ("a-1", "recommend")
    assert isinstance(request.params, Recommend)
    assert request.params.task.goal == "g"
    assert request.params.candidates == ["local"]


@pytest.mark.parametrize("params", [UNSET, None, {}])
def test_missing_null_and_empty_params_are_alike(params: object) -> None:
    assert accepted(line("status", params)).params == StatusParams()
    assert accepted(line("hello", params)).params == HelloParams()
    assert refused(line("explain", params)).error.data == {"path": "decision_id", "reason": "is missing"}


@pytest.mark.parametrize("id_", [0, -5, 2**63 - 1, "", "x", "😀\u0000"])
def test_ids_are_strings_or_integers(id_: object) -> None:
    assert accepted(line("status", id_=id_)).id == id_


@pytest.mark.parametrize("id_", [None, 1.5, True, [], {}, 2**63, 10**400])
def test_other_ids_are_refused_with_a_null_id(id_: object) -> None:
    found = refused(line("status", id_=id_))
    assert (found.id, found.error.code) == (None, -32600)


def test_a_request_without_an_id_is_a_notification_and_its_errors_are_not_answered() -> None:
    assert accepted(line("status", id_=UNSET)).id is UNSET
    assert refused(line("nothing", id_=UNSET)).id is UNSET
    assert refused(line("explain", id_=UNSET)).id is UNSET


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" ",
        b"{",
        b"nope",
        b"NaN",
        b"[1,",
        b"\x00",
        b"\xff\xfe",
        b"\xef\xbb\xbf{}",
        b'{"jsonrpc":"2.0","id":1,"method":"status"} {}',
        b'{"jsonrpc":"2.0","id":1,"method":"status\xff"}',
        b'{"jsonrpc":"2.0","id":1,"method":"\\ud800"}',
        b'{"jsonrpc":"2.0","id":1,"method":"explain","params":{"decision_id":"\xff"}}',
        b'{"jsonrpc":"2.0","id":1,"method":"explain","params":{"decision_id":"\\ud800"}}',
        b'{"jsonrpc":"2.0","id":1,"method":"explain","params":{"decision_id":NaN}}',
        b'{"jsonrpc":"2.0","id":1,"method":"status","params":' + b"[" * 500_000,
        b'{"jsonrpc":"2.0","id":1,"method":"status","params":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
        b'{"a":' * 50_000,
        b"[" * 500_000,
    ],
)
def test_what_is_not_json_is_a_parse_error(data: bytes) -> None:
    found = refused(data)
    assert (found.id, found.error.code) == (None, -32700)


@pytest.mark.parametrize(
    ("data", "id_", "message"),
    [
        (b"[]", None, "batches"),
        (b'[{"jsonrpc":"2.0","id":1,"method":"status"}]', None, "batches"),
        (b"1", None, "expected object, got int"),
        (b"null", None, "expected object, got null"),
        (b"{}", None, "jsonrpc: is missing"),
        (b'{"id":7}', 7, "jsonrpc: is missing"),
        (b'{"id":"a","jsonrpc":"1.0","method":"status"}', "a", "jsonrpc: invalid enum value '1.0'"),
        (b'{"id":7,"jsonrpc":"2.0"}', 7, "method: is missing"),
        (b'{"id":7,"jsonrpc":"2.0","method":3}', 7, "method: expected str, got int"),
        (b'{"id":7,"jsonrpc":"2.0","method":"status","parms":{}}', 7, "parms: no such member"),
        (b'{"id":7,"jsonrpc":"2.0","method":"status","x":1e999}', None, "out of range"),
    ],
)
def test_what_is_no_request_is_an_invalid_request_with_the_id_where_there_is_one(
    data: bytes, id_: object, message: str
) -> None:
    found = refused(data)
    assert (found.id, found.error.code) == (id_, -32600)
    assert message in found.error.message


def test_an_unknown_method_is_named_with_the_known_ones() -> None:
    found = refused(line("recomend" + "d" * 1000, id_=3))
    assert (found.id, found.error.code) == (3, -32601)
    assert "recomend" in found.error.message
    assert "recommend_batch" in found.error.message
    assert len(found.error.message) < 500


OUTCOME = {"outcome": {"succeeded": True}, "decision_id": "d"}


@pytest.mark.parametrize(
    ("method", "params", "path", "reason"),
    [
        ("status", [], "params", "expected object, got array"),
        ("status", {"verbose": True}, "verbose", "no such member"),
        ("recommend", {"task": {"goal": "g", "goall": 1}}, "task.goall", "no such member"),
        ("recommend", {"task": {}}, "task.goal", "is missing"),
        ("recommend", {"task": {"goal": "g", "depth": -1}}, "task.depth", "expected int >= 0"),
        ("recommend", {"task": {"goal": "g", "token_estimate": 10**30}}, "task.token_estimate", None),
        ("recommend", {"task": {"goal": "g", "features": {"a": [1]}}}, "task.features[...]", None),
        ("recommend", {"task": {"goal": "g"}, "candidates": ["local", 7]}, "candidates[1]", None),
        ("recommend", {"task": {"goal": "g"}, "candidates": [{"executor": "x"}]}, "candidates[0].executor", None),
        ("recommend", {"task": {"goal": "g"}, "objective": "fst"}, "objective", "invalid enum value 'fst'"),
        ("recommend", {"task": {"goal": "g"}, "top": -1}, "top", "expected int >= 0"),
        ("recommend", {"task": {"goal": "g"}, "constraints": {"min_success": 2}}, "constraints.min_success", None),
        ("recommend_batch", {"tasks": [{"task": {"goal": "g"}}, {"task": {}}]}, "tasks[1].task.goal", "is missing"),
        ("report", {"outcome": {}}, "params", "give decision_id, or task and dispatch"),
        ("report", {"outcome": {}, "task": {"goal": "g"}}, "params", "give decision_id, or task and dispatch"),
        ("feedback", {"verdict": "good"}, "params", "give decision_id or outcome_id"),
        ("feedback", {"verdict": "fine", "decision_id": "d"}, "verdict", None),
    ],
)
def test_bad_params_name_the_member(method: str, params: object, path: str, reason: str | None) -> None:
    found = refused(line(method, params))
    assert (found.id, found.error.code) == (1, -32602)
    assert found.error.data is not None
    assert found.error.data["path"] == path
    assert found.error.data["reason"] == reason or reason is None
    assert found.error.message.startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("succeeded", "-0.1"),
        ("succeeded", "1.01"),
        ("succeeded", '"yes"'),
        ("wall_time_ms", "-1"),
        ("wall_time_ms", "1.5"),
        ("wall_time_ms", "9007199254740994"),
        ("cost_usd", "-0.01"),
        ("cost_usd", "1e999"),
        ("cost_tokens", "-1"),
        ("input_tokens", "-1"),
        ("output_tokens", "true"),
        ("finished_at", "-1"),
        ("finished_at", "1e300"),
    ],
)
def test_an_outcome_that_cannot_be_is_refused_with_its_path(member: str, value: str) -> None:
    params = f'{{"decision_id":"d","outcome":{{"{member}":{value}}}}}'
    found = refused(f'{{"jsonrpc":"2.0","id":1,"method":"report","params":{params}}}'.encode())
    assert found.error.code == -32602
    assert found.error.data is not None
    assert found.error.data["path"] == f"outcome.{member}"


@pytest.mark.parametrize("succeeded", [True, False, 0, 1, 0.25, None])
def test_success_is_yes_no_unknown_or_between(succeeded: object) -> None:
    params = accepted(line("report", {"decision_id": "d", "outcome": {"succeeded": succeeded}})).params
    assert isinstance(params, ReportParams)
    assert params.outcome.succeeded == succeeded
    assert isinstance(params.outcome.succeeded, bool) == isinstance(succeeded, bool)


TEXT = st.text('ab"\\{é😀\u0000\u2028\ud800')
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
METHOD = st.sampled_from(["recommend", "report", "status", "feedback", "nothing"])
MEMBER = st.sampled_from(["task", "outcome", "decision_id", "verdict", "candidates", "goal", "succeeded", "top"])
NEAR = st.fixed_dictionaries(
    {},
    optional={
        "jsonrpc": st.just("2.0") | JSON,
        "id": st.integers() | TEXT | JSON,
        "method": METHOD | JSON,
        "params": st.dictionaries(MEMBER, st.dictionaries(MEMBER, JSON, max_size=3) | JSON, max_size=4) | JSON,
        "other": JSON,
    },
)


def whole_line(value: Any) -> bytes:
    return json.dumps(value).encode()


@settings(deadline=None)
@given(
    st.binary()
    | NEAR.map(whole_line)
    | JSON.map(whole_line)
    | st.tuples(NEAR.map(whole_line), st.binary()).map(b"".join)
)
def test_any_line_is_a_request_or_is_refused_with_a_reply_that_is_json(data: bytes) -> None:
    found = read_request(data)
    if isinstance(found, Refused):
        assert found.error.code in (-32700, -32600, -32601, -32602)
        if found.id is UNSET:
            return
        written = failure(found.id, found.error)
    else:
        written = reply(0 if found.id is UNSET else found.id, found.params)
    assert written.endswith(b"\n")
    assert written.count(b"\n") == 1
    assert json.loads(written)["jsonrpc"] == "2.0"


@settings(deadline=None)
@given(NEAR.map(whole_line), st.data())
def test_a_request_that_is_cut_short_is_never_taken_for_one(whole: bytes, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(whole) - 1))
    assert isinstance(read_request(whole[:cut]), Refused)


def test_a_result_an_error_and_a_notification_are_spelt_as_json_rpc_has_them() -> None:
    assert json.loads(reply("a", StatusParams())) == {"jsonrpc": "2.0", "id": "a", "result": {}}
    error = NoSuchDecision("no decision 'd'", {"decision_id": "d"})
    assert json.loads(failure(2, error)) == {
        "jsonrpc": "2.0",
        "id": 2,
        "error": {"code": -32001, "message": "no decision 'd'", "data": {"decision_id": "d"}},
    }
    assert json.loads(failure(None, RequestError("x"))) == {
        "jsonrpc": "2.0",
        "id": None,
        "error": {"code": -32603, "message": "x"},
    }
    assert json.loads(notification("event", {"event": "decision"})) == {
        "jsonrpc": "2.0",
        "method": "event",
        "params": {"event": "decision"},
    }


def test_the_same_request_in_any_spelling_of_json_is_the_same() -> None:
    plain = accepted(b'{"jsonrpc":"2.0","id":1,"method":"explain","params":{"decision_id":"d"}}')
    spaced = accepted(b' {"params" : {"decision_id":"\\u0064"} , "method":"\\u0065xplain","id":1,"jsonrpc":"2.0"}\r')
    assert msgspec.structs.asdict(plain) == msgspec.structs.asdict(spaced)

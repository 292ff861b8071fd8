"""JSON can be written in many ways: what a log tells does not depend on how its writer spells it.

Sources pass over what they can tell by a few bytes to be of no use; these tests write it so that those bytes differ.
"""

import json
import re
import sqlite3
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from routerd.events import Completion
from routerd.sources import SOURCES
from routerd.sources.base import Document, Line
from routerd.sources.claude_code_records import decode
from tests.sources.codex_logs import Rollout
from tests.sources.damage import home
from tests.sources.reading import HOME, claims, lines, polls, read, store

every_source = pytest.mark.parametrize("agent", sorted(SOURCES))
Spelling = Callable[[Any], str]


def turned(value: Any) -> Any:
    """With the members of every object the other way round."""
    if isinstance(value, dict):
        return {key: turned(value[key]) for key in reversed(value)}
    return [turned(one) for one in value] if isinstance(value, list) else value


def escaped(text: str) -> str:
    """With the first letter of every string written as its number."""
    return re.sub(r'(?<!\\)"([a-zA-Z])(?=[^"\\]*")', lambda found: rf'"\u{ord(found[1]):04x}', text)


SPELLINGS: dict[str, Spelling] = {
    "close": lambda value: json.dumps(value, separators=(",", ":"), ensure_ascii=False),
    "wide": lambda value: json.dumps(value, separators=(" , ", " : ")),
    "turned": lambda value: json.dumps(turned(value), separators=(",", ":")),
    "escaped": lambda value: escaped(json.dumps(value, separators=(",", ":"))),
}


def respelt(text: bytes, spelling: Spelling) -> bytes:
    """A record in another spelling; what is no JSON stays as it is."""
    try:
        return spelling(json.loads(text)).encode()
    except ValueError:
        return text


def respelt_database(data: bytes, spelling: Spelling) -> bytes:
    """A database whose texts are JSON in another spelling."""
    connection = sqlite3.connect(":memory:")
    connection.deserialize(data)

    def one(value: Any) -> Any:
        is_json = isinstance(value, str) and value.startswith(("{", "["))
        return respelt(value.encode(), spelling).decode() if is_json else value

    connection.create_function("respelt", 1, one)
    for (table,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
        for _, column, *_ in connection.execute(f"PRAGMA table_info({table})").fetchall():
            connection.execute(f"UPDATE {table} SET {column} = respelt({column}) WHERE typeof({column}) = 'text'")
    connection.commit()
    return connection.serialize()


def told(agent: str, files: dict[str, bytes], spelling: Spelling | None = None) -> dict[str, Completion]:
    """What a source makes of a home. Tokens that are guessed by the length of a record's text are left out."""
    known = dict[str, Completion]()
    for group, claimed in claims(SOURCES[agent], files).items():
        machine = SOURCES[agent].open(group)
        for path, claim in claimed.items():
            data = files[path[len(HOME) + 1 :]]
            if claim.kind == "database":
                for units in polls(machine, path, respelt_database(data, spelling) if spelling else data):
                    store(known, units)
            elif claim.kind == "document":
                machine.feed(Document(path, respelt(data, spelling) if spelling else data))
            else:  # each line where it was: a unit may be named by its place
                for line in lines(path, data):
                    machine.feed(Line(path, line.offset, respelt(line.data, spelling) if spelling else line.data))
        store(known, machine.drain(idle=False))
        store(known, machine.drain(idle=True))
    return {
        key: msgspec.structs.replace(one, tokens=None) if one.tokens is not None and one.tokens.estimated else one
        for key, one in known.items()
    }


@every_source
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_tells_the_same(agent: str, spelling: str) -> None:
    plain = told(agent, home(agent))
    assert len(plain) >= 3
    assert told(agent, home(agent), SPELLINGS[spelling]) == plain


def test_escaping_escapes() -> None:
    text = escaped('{"type":"a \\"quote\\"","n":1}')
    assert text.startswith('{"\\u0074ype":"')
    assert json.loads(text) == {"type": 'a "quote"', "n": 1}


# --- what is passed over by a look at its first bytes ----------------------------------------------------------------


def progress(kind: str, **data: Any) -> bytes:
    record = {"cwd": "/home/user", "sessionId": "s", "type": "progress", "data": {"type": kind, **data}, "uuid": "u"}
    return json.dumps(record, separators=(",", ":")).encode()


USER = b'{"type":"user","uuid":"v","message":{"role":"user","content":"Fix it"}}'


@pytest.mark.parametrize("kind", ["bash_progress", "hook_progress"])
def test_progress_of_a_command_is_no_record(kind: str) -> None:
    assert decode(progress(kind, output="x" * 2000)) == ([], True)


def test_a_childs_progress_is_a_record() -> None:
    (record,), whole = decode(progress("agent_progress", agentId="a1"))
    assert whole
    assert record.data is not None
    assert record.data.agent_id == "a1"


def test_a_record_behind_progress_on_one_line_is_read() -> None:
    found, whole = decode(progress("bash_progress") + USER)
    assert whole
    assert [record.uuid for record in found if record.type == "user"] == ["v"]


def test_words_about_progress_are_a_persons() -> None:
    text = progress("bash_progress").decode()
    (record,), _ = decode(json.dumps({"type": "user", "message": {"role": "user", "content": text}}).encode())
    assert record.message is not None
    assert record.message.content == text


def test_progress_within_a_record_is_not_the_records() -> None:
    inner = progress("bash_progress").decode()
    (record,), _ = decode(f'{{"toolUseResult":{inner},"type":"user","uuid":"v"}}'.encode())
    assert record.uuid == "v"


def test_progress_that_was_cut_is_counted() -> None:
    """A file that is torn in the middle of a line."""
    machine = SOURCES["claude-code"].open("group")
    machine.feed(Line("s.jsonl", 0, progress("bash_progress", output="x" * 200)[:-30]))
    assert machine.quarantined == 1


@pytest.mark.parametrize("exit_code", [0, 1])
def test_an_output_is_read_where_it_is_a_verdict(exit_code: int) -> None:
    rollout = Rollout(0).begin().told("Fix it").call("exec_command", "call_look", cmd="cat a.py")
    rollout.output("call_look", "Process exited with code 1\nOutput:\n…")
    rollout.call("exec_command", "call_test", cmd="pytest -q")
    rollout.output("call_test", f"Process exited with code {exit_code}\nOutput:\n…").said().complete()
    (unit,) = read(SOURCES["codex"], {rollout.path: rollout.data}).values()
    assert (unit.label.signal, unit.label.value) == ("test", 1.0 - exit_code)


def test_outputs_end_what_was_called() -> None:
    """With the members that Codex 0.169 writes before the call's id and behind the output."""
    rollout = Rollout(0).begin().told("Fix it").call("exec_command", "call_1", cmd="ls")
    rollout.add("response_item", {
        "type": "function_call_output", "id": "fco_1", "call_id": "call_1", "output": "a.py", "metadata": {"turn": "t"},
    })  # fmt: skip
    rollout.call("exec_command", "call_2", cmd="ls")
    (unit,) = told("codex", {rollout.path: rollout.data}).values()
    assert unit.label.signal == "dangling"
    rollout.output("call_2", "a.py")
    (unit,) = told("codex", {rollout.path: rollout.data}).values()
    assert unit.label.signal == "unknown"
    assert unit.extent == 7

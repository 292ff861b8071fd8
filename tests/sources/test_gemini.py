import pytest

from routerd.events import Completion, Parent, Tokens
from routerd.sources.base import Claim, Document
from routerd.sources.gemini import SOURCE
from tests.sources.gemini_logs import TOKENS, Chat, call, home_files
from tests.sources.reading import read

ROOT = "/h/.gemini/tmp"


def units(chat: Chat, *, idle: bool = True) -> list[Completion]:
    """The units of a chat, which both forms must tell alike."""
    found = read(SOURCE, {chat.path: chat.data}, idle=idle)
    return list(found.values())


def test_only_chats_are_claimed() -> None:
    assert SOURCE.roots({"HOME": "/h"}) == [ROOT]
    assert SOURCE.claim(ROOT, f"{ROOT}/p/chats/session-1.jsonl", lambda: b"") == Claim(
        f"{ROOT}/p/chats/session-1.jsonl", "lines"
    )
    assert SOURCE.claim(ROOT, f"{ROOT}/p/chats/session-1.json", lambda: b"") == Claim(
        f"{ROOT}/p/chats/session-1.json", "document"
    )
    assert SOURCE.claim(ROOT, f"{ROOT}/p/logs.json", lambda: b"") is None
    entered = [
        SOURCE.enters(ROOT, f"{ROOT}/{part}") for part in ("p", "p/chats", "p/chats/s", "p/shadow", "p/chats/s/x")
    ]
    assert entered == [True, True, True, False, False]


def test_a_home_holds_its_units() -> None:
    found = read(SOURCE, home_files())
    assert sorted(unit.ran.executor for unit in found.values()) == ["delegate"] + ["local"] * 6


def test_a_turn_is_read_whole() -> None:
    chat = Chat(0).told("Fix the parser").said("", call("replace", {})).shell("pytest -q", 0).said()
    (unit,) = units(chat)
    assert unit.keys == (f"gemini:turn:{chat.id}/message-0",)
    assert (unit.ended, unit.task.goal, unit.wall_time_ms) == (True, "Fix the parser", 3000)
    assert unit.task.parent == Parent(provider="google", model="big-1")
    assert unit.tokens == Tokens(input=1200, output=150, cache_read=1800)
    assert (unit.label.signal, unit.label.value) == ("test", 1.0)


def test_a_document_tells_the_same_as_lines() -> None:
    chat = Chat(0).told("Fix the parser").shell("pytest -q", 1).said().told("Thanks").said("Welcome.")
    path = chat.path.removesuffix("l")
    whole = {
        unit.keys: (unit.task, unit.label, unit.tokens, unit.ended)
        for unit in read(SOURCE, {path: chat.document}).values()
    }
    assert whole == {unit.keys: (unit.task, unit.label, unit.tokens, unit.ended) for unit in units(chat)}
    assert len(whole) == 2


def test_a_document_that_grew_gives_only_what_changed() -> None:
    chat = Chat(0).told("One").said().told("Two")
    machine = SOURCE.open(chat.path)
    machine.feed(Document(chat.path, chat.document))
    assert [(unit.task.goal, unit.ended) for unit in machine.drain(idle=False)] == [("One", True), ("Two", False)]
    machine.feed(Document(chat.path, chat.said().document))
    assert [(unit.task.goal, unit.ended) for unit in machine.drain(idle=True)] == [("Two", True)]


def test_a_message_that_comes_again_replaces_the_first() -> None:
    chat = Chat(0).told("Go").shell("pytest", 0, "executing")
    chat.records.append({**Chat(0).told("Go").shell("pytest", 1).records[1]})
    (unit,) = units(chat.said())
    assert (unit.tokens, unit.label.value) == (Tokens(input=800, output=100, cache_read=1200), 0.0)


def test_tokens_may_be_missing() -> None:
    (unit,) = units(Chat(0).told("Go").add("gemini", "Done.", model="big-1", tokens=None))
    assert unit.tokens is None
    assert TOKENS["input"] > TOKENS["cached"]


@pytest.mark.parametrize(
    ("kind", "content", "signal", "censored"),
    [
        ("info", "Request cancelled.", "interrupted", None),
        ("error", "[API Error: 429 quota exceeded]", "unknown", "usage_limit"),
        ("error", "[API Error: 503 overloaded]", "unknown", "overload"),
    ],
)
def test_other_ends(kind: str, content: str, signal: str, censored: str | None) -> None:
    (unit,) = units(Chat(0).told("Go").add(kind, content))
    assert (unit.ended, unit.label.signal, unit.censored) == (True, signal, censored)


def test_what_is_taken_back_was_not_what_was_wanted() -> None:
    chat = Chat(0).told("Go").said()
    (unit,) = units(chat.rewind("message-0"))
    assert (unit.label.signal, unit.label.value) == ("next_message", 0.0)


def test_a_rewind_inside_a_turn_drops_what_followed() -> None:
    chat = Chat(0).told("Go").shell("pytest", 0).said()
    (unit,) = units(chat.rewind("message-1").said("Other."))
    assert (unit.label.signal, unit.tokens) == ("completed", Tokens(input=400, output=50, cache_read=600))


def test_a_subagents_chat_is_a_delegation() -> None:
    chat = Chat(0, parent="parent-session").told("Look").said("Looked.")
    (unit,) = units(chat)
    assert (unit.keys, unit.ran.executor) == ((f"gemini:child:{chat.id}",), "delegate")
    assert (unit.session_id, unit.ran.model, unit.label.signal) == ("parent-session", "big-1", "completed")


def test_a_turn_runs_until_nobody_touches_the_file() -> None:
    chat = Chat(0).told("Go").said()
    assert [unit.ended for unit in units(chat, idle=False)] == [False]
    assert [unit.label.signal for unit in units(Chat(0).told("Go").shell("ls", 0, "executing"))] == ["dangling"]

"""Edits of foreign files: nothing else changes, and taking back gives the same bytes (laws of `edits/__init__.py`)."""

import json
import tomllib
from typing import Any

import pytest
import tomlkit
import yaml
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from routerd.integrations.edits.entries import Entry
from routerd.integrations.edits.files import EDITORS, Edit, Unreadable, put, sweep, take
from tests.integrations.configurations import JSON, TOML, UNREADABLE, YAML


def hook(event: str, program: str = "/opt/r/routerctl", timeout: int = 5) -> Entry:
    command = {"type": "command", "command": f"{program} hook claude-code {event}", "timeout": timeout}
    value = {"matcher": "Agent|Task", "hooks": [command]}
    return Entry(path=("hooks", event), value=value, listed=True, mark="routerctl'? hook claude-code ")


SERVER = {"command": "/opt/r/routerctl", "args": ["mcp"]}
EDITS = {
    "hooks": Edit(path="f", kind="json", entries=(hook("PreToolUse"), hook("SubagentStop"))),
    "opencode": Edit(path="f", kind="json", entries=(Entry(path=("mcp", "routerd"), value={"enabled": True}),)),
    "servers": Edit(path="f", kind="json", entries=(Entry(path=("mcpServers", "routerd"), value=SERVER),)),
    "hermes": Edit(
        path="f",
        kind="yaml",
        entries=(
            Entry(path=("plugins", "enabled"), value="routerd", listed=True),
            Entry(path=("delegation", "backend"), value="routerd"),
        ),
    ),
    "goose": Edit(
        path="f", kind="yaml", entries=(Entry(path=("extensions", "routerd"), value={**SERVER, "on": True}),)
    ),
    "codex": Edit(path="f", kind="toml", entries=(Entry(path=("mcp_servers", "routerd"), value=SERVER),)),
    "codex-hooks": Edit(path="f", kind="toml", entries=(hook("PreToolUse"),)),
}
FILES = {"json": JSON, "yaml": YAML, "toml": TOML}
CASES = [
    pytest.param(edit, content, id=f"{name}-{case}")
    for name, edit in EDITS.items()
    for case, content in {**FILES[edit.kind], "missing": None}.items()
]


def said(edit: Edit, content: bytes | None) -> Any:
    return EDITORS[edit.kind].parse((content or b"").decode()) or {}


def bare(data: Any) -> Any:
    """Data without what is empty: where a container was emptied and stood empty before, it may go or stay."""
    if isinstance(data, dict):
        return {key: one for key, value in data.items() if (one := bare(value)) not in (None, {}, [])}
    return [bare(one) for one in data] if isinstance(data, list) else data


def written(edit: Edit, content: bytes | None) -> bytes:
    result = put(edit, content, None)
    assert result.after is not None
    return result.after


def has(edit: Edit, content: bytes) -> bool:
    """Whether a file says all that it shall, by a reader of its own where there is one."""
    text = content.decode("utf-8-sig")
    readers = {"toml": tomllib.loads, "yaml": lambda text: yaml.load(text, yaml.BaseLoader)}
    data: Any = readers.get(edit.kind, lambda _: said(edit, content))(text)
    for entry in edit.entries:
        found = data
        for key in entry.path:
            found = found[key]
        wanted = EDITORS[edit.kind].plain(entry.value)
        if not (wanted in found if entry.listed else wanted == found):
            return False
    return True


@pytest.mark.parametrize(("edit", "content"), CASES)
def test_taking_back_gives_the_same_bytes(edit: Edit, content: bytes | None) -> None:
    result = put(edit, content, None)
    assert result.record is not None
    assert result.after is not None
    assert has(edit, result.after)
    assert take(result.record, result.after).after == content


@pytest.mark.parametrize(("edit", "content"), CASES)
def test_a_second_time_changes_nothing(edit: Edit, content: bytes | None) -> None:
    first = put(edit, content, None)
    assert put(edit, first.after, first.record) == first
    assert put(edit, first.after, None).after == first.after


@pytest.mark.parametrize(("edit", "content"), CASES)
def test_what_was_there_stays_in_its_place(edit: Edit, content: bytes | None) -> None:
    """Every line of the old file is in the new one, in order; a comma may follow it, a bracket may open behind it."""
    after = written(edit, content)
    if edit.kind == "json":
        for comment in (b"// mine", b"/* why? */", b"// because", b"// end", b"/* nothing yet */"):
            assert (content or b"").count(comment) == after.count(comment)
    else:
        kept = [line for line in (content or b"").splitlines() if line.lstrip().startswith(b"#")]
        assert kept == [line for line in after.splitlines() if line.lstrip().startswith(b"#")]
    assert (b"\r\n" in after) == (b"\r\n" in (content or b""))
    assert after.startswith(b"\xef\xbb\xbf") == (content or b"").startswith(b"\xef\xbb\xbf")


@pytest.mark.parametrize(("edit", "content"), CASES)
def test_taking_back_from_an_edited_file_takes_only_what_is_ours(edit: Edit, content: bytes | None) -> None:
    result = put(edit, content, None)
    assert result.after is not None
    assert result.record is not None
    edited = _edited(edit, result.after)
    taken = take(result.record, edited).after
    assert b"routerctl" not in (taken or b"")
    left = said(edit, taken)
    assert left.pop("mine") == EDITORS[edit.kind].plain({"a": 1})
    assert bare(left) == bare(said(edit, content))


def _edited(edit: Edit, content: bytes) -> bytes:
    """As somebody, or the agent itself, would have added a key of theirs."""
    mine = Edit(path="f", kind=edit.kind, entries=(Entry(path=("mine",), value={"a": 1}),))
    return written(mine, content)


@pytest.mark.parametrize("name", ["hooks", "servers", "opencode"])
@pytest.mark.parametrize("case", [case for case in JSON if b"//" not in JSON[case] and case != "no-ascii"])
def test_json_that_the_agent_wrote_anew_is_cleared_too(name: str, case: str) -> None:
    """Claude Code writes its settings whole, with its own spacing, when a permission is granted."""
    edit = EDITS[name]
    result = put(edit, JSON[case], None)
    assert result.record is not None
    anew = json.dumps(said(edit, result.after), indent=2).encode()
    assert (
        said(edit, take(result.record, anew).after).items()
        >= {key: value for key, value in said(edit, JSON[case]).items() if value}.items()
    )
    assert b"routerctl" not in (take(result.record, anew).after or b"")


@pytest.mark.parametrize(("edit", "content"), CASES)
def test_without_a_record_what_looks_like_ours_is_found(edit: Edit, content: bytes | None) -> None:
    swept = sweep(edit, written(edit, content)).after
    assert b"routerctl" not in (swept or b"")
    assert sweep(edit, swept).after == swept


@pytest.mark.parametrize(
    ("name", "content"), [(name, content) for name, contents in UNREADABLE.items() for content in contents]
)
def test_what_cannot_be_read_is_refused(name: str, content: bytes) -> None:
    with pytest.raises(Unreadable):
        put(EDITS[name], content, None)


def test_a_refusal_says_where() -> None:
    with pytest.raises(Unreadable, match="line 3, column 3: a comma or } is missing"):
        put(EDITS["hooks"], b'{\n  "a": 1\n  "b": 2\n}\n', None)
    with pytest.raises(Unreadable, match="line 2, column 7: mapping values are not allowed here"):
        put(EDITS["hermes"], b"a: 1\nb c: d: e\n", None)
    with pytest.raises(Unreadable, match="line 2"):
        put(EDITS["codex"], b"a = 1\nb =\n", None)
    with pytest.raises(Unreadable, match="byte 3 is not UTF-8"):
        put(EDITS["hooks"], b'{"\xff', None)


def test_an_older_hook_is_replaced_and_the_first_file_comes_back() -> None:
    """An upgrade moves routerctl: one hook stays one hook, and taking it back still gives what was there first."""
    begin = JSON["hooks-of-others"]
    old = Edit(path="f", kind="json", entries=(hook("PreToolUse", "/old/routerctl"), hook("Stop", "/old/routerctl")))
    first = put(old, begin, None)
    for record in (first.record, None):
        second = put(EDITS["hooks"], first.after, record)
        assert second.after is not None
        assert second.after.count(b"routerctl hook") == (2 if record else 3)  # `Stop` is not known without a record
        assert second.record is not None
        assert take(second.record, second.after).after == (begin if record else first.after)


def test_a_hook_tuned_by_hand_is_still_ours() -> None:
    result = put(EDITS["hooks"], JSON["two-spaces"], None)
    assert result.after is not None
    assert result.record is not None
    tuned = result.after.replace(b'"timeout": 5', b'"timeout": 60')
    assert said(EDITS["hooks"], take(result.record, tuned).after) == said(EDITS["hooks"], JSON["two-spaces"])


def test_a_hook_that_the_user_moved_into_his_own_group_leaves_the_group() -> None:
    result = put(EDITS["hooks"], None, None)
    assert result.record is not None
    ours = hook("PreToolUse").value["hooks"][0]
    moved = {"hooks": {"PreToolUse": [{"matcher": "Agent", "hooks": [{"type": "command", "command": "log"}, ours]}]}}
    left = said(EDITS["hooks"], take(result.record, json.dumps(moved).encode()).after)
    assert left == {"hooks": {"PreToolUse": [{"matcher": "Agent", "hooks": [{"type": "command", "command": "log"}]}]}}


def test_another_entry_of_our_name_is_not_touched() -> None:
    with pytest.raises(Unreadable, match=r"mcpServers\.routerd is there already"):
        put(EDITS["servers"], b'{"mcpServers": {"routerd": {"command": "other"}}}', None)


def test_the_record_holds_nothing_of_the_file() -> None:
    """Settings may hold keys: no copy of them may lie in the state directory."""
    for name, edit in EDITS.items():
        secret = {"json": b'{\n  "env": {"K": "hunter2"}\n}\n', "yaml": b"k: hunter2\n", "toml": b"k = 'hunter2'\n"}
        result = put(edit, secret[edit.kind], None)
        assert "hunter2" not in repr(result.record), name
        assert b"hunter2" in (result.after or b"")


def test_a_list_that_stands_in_two_places_is_not_added_to() -> None:
    with pytest.raises(Unreadable, match="cannot be added without changing something else"):
        put(EDITS["hermes"], b"plugins:\n  enabled: &on\n    - one\nalso: *on\n", None)


def test_a_whole_file_that_was_edited_stays() -> None:
    edit = Edit(path="f", kind="whole", content="[Unit]\n")
    first = put(edit, b"older\n", None)
    assert first.record is not None
    assert take(first.record, b"[Unit]\n").after == b"older\n"
    edited = take(first.record, b"[Unit]\nmine\n")
    assert edited.after == b"[Unit]\nmine\n"
    assert edited.kept is not None
    assert put(edit, first.after, first.record) == first


# --- properties -----------------------------------------------------------------------------------------------------

NAMES = st.sampled_from(["hooks", "PreToolUse", "mcp", "a", "b c", "ü", "//", "#", "x:y", ""]) | st.text(max_size=6)
SCALARS = st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.text(max_size=8)
VALUES: Any = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=12
)
GAPS = st.sampled_from(["", "", "", " ", "\n", "\n  ", "\t", "\r\n", "/* c, } */", " // ]\n", "\n\n    "])


def shown(draw: st.DrawFn, value: Any) -> str:
    """JSON with blanks and comments anywhere that they may be."""
    if isinstance(value, dict):
        members = [f"{json.dumps(key)}{draw(GAPS)}:{draw(GAPS)}{shown(draw, one)}" for key, one in value.items()]
        return "{" + _joined(draw, members) + "}"
    if isinstance(value, list):
        return "[" + _joined(draw, [shown(draw, one) for one in value]) + "]"
    return json.dumps(value, ensure_ascii=draw(st.booleans()))


def _joined(draw: st.DrawFn, parts: list[str]) -> str:
    last: str = draw(st.sampled_from(["", ","] if parts else [""]))
    return ",".join(draw(GAPS) + part + draw(GAPS) for part in parts) + last + draw(GAPS)


@st.composite
def json_texts(draw: st.DrawFn) -> str:
    value: dict[str, Any] = draw(st.dictionaries(NAMES, VALUES, max_size=4))
    if draw(st.booleans()):
        groups = st.lists(st.dictionaries(NAMES, VALUES, max_size=2), max_size=2)
        value["hooks"] = draw(st.dictionaries(st.sampled_from(["PreToolUse", "Stop"]), groups, max_size=2))
    return draw(st.sampled_from(["", "\ufeff"])) + draw(GAPS) + shown(draw, value) + draw(GAPS)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(json_texts())
def test_any_json_comes_back_byte_for_byte(text: str) -> None:
    _holds(EDITS["hooks"], text)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(NAMES, VALUES, max_size=3),
    st.none() | st.lists(NAMES, max_size=2),
    st.sampled_from([None, True, False]),
    st.sampled_from([2, 4]),
    st.booleans(),
    st.sampled_from(["", "# c\n", "\ufeff", "---\n"]),
    st.sampled_from(["\n", "\r\n"]),
)
def test_any_yaml_comes_back_byte_for_byte(
    data: dict[str, Any], enabled: Any, flow: bool | None, indent: int, first: bool, head: str, newline: str
) -> None:
    plugins = {"plugins": {"enabled": enabled, "x": 1} if first else {"x": {"y": []}, "enabled": enabled}}
    both = {**plugins, **data} if first else {**data, **plugins}
    text = head + yaml.safe_dump(both, default_flow_style=flow, indent=indent, sort_keys=False, allow_unicode=True)
    text = text.replace("\n", newline)
    try:
        yaml.load(text, yaml.BaseLoader)
    except yaml.YAMLError:
        assume(False)  # what PyYAML writes it cannot always read: a byte order mark amid the text
    _holds(EDITS["hermes"], text)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(
        st.sampled_from(["a", "b c", "tui", "ü"]),
        st.recursive(
            st.booleans()
            | st.integers(-99, 99)
            | st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=5),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["x", "y"]), inner, max_size=2),
            max_leaves=8,
        ),
        max_size=4,
    ),
    st.sampled_from(["", "# c\n", "\n\n"]),
)
def test_any_toml_comes_back_byte_for_byte(data: dict[str, Any], head: str) -> None:
    text = head + tomlkit.dumps(data)
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        assume(False)
    _holds(EDITS["codex"], text)


def _holds(edit: Edit, text: str) -> None:
    """The laws, for a text that is of its format; what cannot be edited is refused, and that is no failure."""
    content = text.encode("utf-8", "surrogatepass")
    try:
        result = put(edit, content, None)
    except Unreadable as reason:
        assert "is no" in str(reason) or "UTF-8" in str(reason) or "without changing" in str(reason), reason  # noqa: PT017
        return
    assert result.record is not None
    assert result.after is not None
    assert has(edit, result.after)
    assert take(result.record, result.after).after == content
    assert put(edit, result.after, result.record) == result
    try:
        edited = _edited(edit, result.after)
        left = said(edit, take(result.record, edited).after)
    except Unreadable:
        return
    left.pop("mine", None)
    assert bare(left) == bare({key: value for key, value in said(edit, content).items() if key != "mine"})

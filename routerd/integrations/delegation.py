"""What a hook on a delegation asks and what it may change, whatever the agent. Pure but for two ways to read a file.

    plan      what `recommend` is asked: the candidates are what can really be applied, each with the change it takes
    verdict   what becomes of the answer in the mode of the agent: nothing, a word of advice, or a change

Hooks start Python for one question, so all of this takes nothing but what Python has loaded already.
"""

from __future__ import annotations

from routerd.quick_json import loads

TYPE_CHECKING = False  # `typing` itself is what takes long
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from routerd.integrations.modes import Mode

    Object = dict[str, Any]
    Dispatch = dict[str, str]
    Way = tuple[Dispatch, dict[str, str]]

GOAL_CHARS_MAX = 60_000
"""A goal longer than this is cut: with every character escaped it still fits on a line of the socket."""

TAIL_BYTES = 1 << 20
"""So much of a transcript's end, or of its beginning, is looked at."""

WORDS_CHARS_MAX = 600


class Plan:
    """
    A question about one delegation.

    Attributes:
        params: What `recommend` is asked.
        ways: Every candidate, as a dispatch, with the members of the tool's input that would change for it. The
            incumbent, if known, stands first and changes nothing.
    """

    __slots__ = ("params", "ways")

    def __init__(self, params: Object, ways: list[Way]) -> None:
        self.params = params
        self.ways = ways


class Verdict:
    """What becomes of an answer: members of the tool's input to be changed (perhaps none), and words for the agent."""

    __slots__ = ("changes", "words")

    def __init__(self, changes: dict[str, str], words: str) -> None:
        self.changes = changes
        self.words = words


# --- asking ---------------------------------------------------------------------------------------------------------


def dispatch(model: str, provider: str | None = None, effort: str | None = None) -> Dispatch:
    """A delegation to a model, as a dispatch with its set parts only."""
    set_parts = {"provider": provider, "model": model, "reasoning_effort": effort}
    return {"executor": "delegate", **{name: part for name, part in set_parts.items() if part}}


def task(goal: str, **known: object) -> Object:
    """A task with what is known of it."""
    goal = goal[:GOAL_CHARS_MAX].encode("utf-8", "replace").decode("utf-8")  # half a surrogate pair is no text
    return {"goal": goal, **{name: value for name, value in known.items() if value is not None}}


def plan(about: Object, ref: Object, incumbent: Dispatch | None, ways: list[Way]) -> Plan | None:
    """
    The question which way is best; None where there is none.

    Args:
        about: The task.
        ref: Names the delegation as the agent's log does.
        incumbent: What runs if nothing is changed, if that is known.
        ways: The other candidates; those that come to the same dispatch are one, the first of them.
    """
    distinct: list[Way] = [] if incumbent is None else [(incumbent, {})]
    for way in ways:
        if all(way[0] != other for other, _ in distinct):
            distinct.append(way)
    if not distinct:
        return None
    params: Object = {"task": about, "ref": ref, "candidates": [candidate for candidate, _ in distinct]}
    if incumbent is not None:
        params["incumbent"] = incumbent
    return Plan(params, distinct)


def pinned(about: Object, ref: Object, pin: Dispatch) -> Plan:
    """Somebody has said what is to run: it is told to routerd, and nothing is changed."""
    return Plan({"task": about, "ref": ref, "candidates": [pin], "incumbent": pin, "pinned": pin}, [(pin, {})])


# --- answering ------------------------------------------------------------------------------------------------------


def verdict(plan: Plan, pick: object, mode: Mode) -> Verdict | None:
    """
    What becomes of routerd's answer; None to leave everything as it is.

    Args:
        plan: What was asked.
        pick: The answer, whatever it is: who answers may not be routerd.
        mode: How far routerd may go.
    """
    if mode not in ("advise", "enforce") or not isinstance(pick, dict):
        return None
    chosen = pick.get("dispatch")
    changes = next((changes for candidate, changes in plan.ways if candidate == chosen), None)
    if not changes or pick.get("basis") not in ("learned", "prior"):
        return None
    gate = pick.get("gate")
    sure = isinstance(gate, dict) and gate.get("apply") is True
    if mode == "advise":
        doubt = "" if sure else f" It would not do so unasked: {_said(gate, 'reason')}."
        return Verdict({}, f"routerd would run this {_on(changes)}: {_said(pick, 'reason')}.{doubt}")
    return Verdict(changes, f"routerd runs this {_on(changes)}: {_said(pick, 'reason')}.") if sure else None


def _on(changes: dict[str, str]) -> str:
    return "with " + ", ".join(f"{name} {value}" for name, value in changes.items())


def _said(answer: object, name: str) -> str:
    """A sentence of the daemon on one line."""
    said = answer.get(name) if isinstance(answer, dict) else None
    return " ".join(said.split())[:WORDS_CHARS_MAX] if isinstance(said, str) else "no reason was given"


# --- what payloads and files say --------------------------------------------------------------------------------------


def text(value: object, name: str) -> str | None:
    """A member that is a text and not empty."""
    member = value.get(name) if isinstance(value, dict) else None
    return member if isinstance(member, str) and member else None


def mapping(value: object, name: str) -> Object:
    """A member that is an object; where there is none, an empty one."""
    member = value.get(name) if isinstance(value, dict) else None
    return member if isinstance(member, dict) else {}


def head(path: str | None) -> bytes:
    """The beginning of a file; nothing where it cannot be read."""
    return _part(path, from_end=False)


def tail(path: str | None) -> bytes:
    """The end of a file; nothing where it cannot be read."""
    return _part(path, from_end=True)


def _part(path: str | None, *, from_end: bool) -> bytes:
    try:
        with open(path or "", "rb") as file:
            if from_end:
                file.seek(max(0, file.seek(0, 2) - TAIL_BYTES))
            return file.read(TAIL_BYTES)
    except (OSError, ValueError):
        return b""


def records(data: bytes, *marks: bytes) -> Iterator[Object]:
    """The objects on the lines that bear every mark, the last one first; a line that is cut off is no object."""
    for line in reversed(data.split(b"\n")):
        if all(mark in line for mark in marks) and isinstance(record := parsed(line), dict):
            yield record


def parsed(data: bytes) -> object:
    """A JSON value; None where it is none."""
    try:
        return loads(data)
    except (ValueError, RecursionError):
        return None


def slug(name: str) -> str:
    """A name as a part of a file's: lower-case letters, digits and single hyphens."""
    kept = "".join(char if char.isascii() and char.isalnum() else " " for char in name.lower())
    return "-".join(kept.split())


def below(env: Mapping[str, str], variable: str, directory: str) -> str:
    """An agent's own directory: what its variable says, else one below the home."""
    return env.get(variable) or f"{env.get('HOME', '')}/{directory}"

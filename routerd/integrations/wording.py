"""
How dispatches are named in texts that a model reads: never by an arm id, whose colons it would learn to write.

    local · opus · glm-4.7 --provider zai · gpt-5.5 --provider openai (effort high) (profile reviewer)

`dispatch_named` reads what `named` writes.
"""

import re
from typing import Final

from routerd.catalog.spelling import parse
from routerd.errors import InvalidParams
from routerd.events import LOCAL, Dispatch, arm_dispatch

_MEMBERS: Final = {"effort": "reasoning_effort", "profile": "profile", "agent": "agent", "role": "role"}
_MEMBER: Final = re.compile(r"\((effort|profile|agent|role) ([^()]*)\)")
_ARM_ID: Final = re.compile(r"delegate:[^\s,;()]*")
_NO_MODEL: Final = "its own model"


def named(dispatch: Dispatch) -> str:
    """A dispatch as `catalog.text.spellings` teaches it, with what else is set behind it; the agent itself is local."""
    if dispatch.executor == "local":
        return "local"
    words = [dispatch.model or _NO_MODEL]
    if dispatch.provider is not None:
        words.append(f"--provider {dispatch.provider}")
    words += [f"({word} {value})" for word, member in _MEMBERS.items() if (value := getattr(dispatch, member))]
    return " ".join(words)


def dispatch_named(text: str, path: str) -> Dispatch:
    """
    The dispatch of that name; an arm id is taken too, for somebody may have read the table of arms.

    Args:
        text: As a model wrote it.
        path: The member that holds it, for the message.

    Raises:
        InvalidParams: It names none.
    """
    plain = text.strip()
    if plain.lower() == "local":
        return LOCAL
    if plain.startswith("delegate:"):
        try:
            return arm_dispatch(plain)
        except ValueError as error:
            raise InvalidParams(f"{path}: {error}", {"path": path, "reason": str(error)}) from None
    members = {_MEMBERS[word]: value.strip() for word, value in _MEMBER.findall(plain)}
    if members.get("role") not in (None, "leaf", "orchestrator"):
        raise InvalidParams(f"{path}: a role is leaf or orchestrator", {"path": path, "reason": "no such role"})
    rest = _MEMBER.sub(" ", plain)
    nameless = rest.strip().startswith(_NO_MODEL)
    typed = parse(rest.replace(_NO_MODEL, "-", 1) if nameless else rest, path)
    return Dispatch(
        executor="delegate",
        model=None if nameless else typed.model,
        provider=typed.provider,
        **members,
    )


def named_arm(arm: str) -> str:
    """The dispatch that an arm id spells, named; what is no arm id stays as it is."""
    try:
        return named(arm_dispatch(arm))
    except ValueError:
        return arm


def without_arm_ids(text: str) -> str:
    """A sentence of the daemon with its arm ids named."""
    return _ARM_ID.sub(lambda found: _renamed(found[0]), text)


def _renamed(found: str) -> str:
    """An arm id as it stands in a sentence, the sentence's own stop behind it kept."""
    arm = found.rstrip(".:")
    return named_arm(arm) + found[len(arm) :]

"""
An outcome as a document of a memory server, and back.

The law: what is read back makes the same documents. `row` says what the `jsonl` source takes in; an outcome that came
of such a row has the same row again, and so the same document. What a row cannot say is not in a document either: what
a task's text looked like, how a log spelt a model, and that the choice was routerd's own.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, Final

import msgspec

from routerd.events import Signal, Tokens, arm_dispatch
from routerd.features import OWN_NAMES
from routerd.integrations.wording import named
from routerd.store.reader import Ended

TAG: Final = "routerd"
"""Every document has it; by it they are found again."""
CONTEXT: Final = "How a task of a coding agent went, as routerd learnt it"
ROW: Final = "routerd_row"
DIGEST: Final = "routerd_digest"
GOOD: Final = 0.75
BAD: Final = 0.25

BY: Final[Mapping[Signal, str]] = {
    "report": "as reported",
    "feedback": "as the user said",
    "test": "by its tests",
    "verification": "by the agent's own check",
    "next_message": "by what the user said next",
    "interrupted": "it was interrupted",
    "empty": "it ended with nothing said",
    "budget": "its budget was spent",
    "completed": "as far as its end shows",
}


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """What the server keeps: `document_id` names it, and a later one of that name replaces it."""

    document_id: str
    content: str
    timestamp: str
    tags: list[str]
    metadata: dict[str, str]
    context: str = CONTEXT
    update_mode: str = "replace"

    @property
    def digest(self) -> str:
        """The same for the same document."""
        return self.metadata[DIGEST]


def document(ended: Ended) -> Document:
    """The document of an outcome."""
    at = "unset" if ended.ended_at is None else datetime.fromtimestamp(ended.ended_at, UTC).isoformat()
    plain = Document(
        document_id=ended.id, content=_content(ended), timestamp=at, tags=_tags(ended), metadata=_metadata(ended)
    )
    digest = blake2b(msgspec.json.encode(plain, order="sorted"), digest_size=12).hexdigest()
    return msgspec.structs.replace(plain, metadata={**plain.metadata, DIGEST: digest})


def row(ended: Ended) -> dict[str, Any] | None:
    """The row of the `jsonl` source that tells the outcome again; None for one that teaches nothing (one cut short)."""
    if not ended.teaches:
        return None
    features = ended.features
    members = {
        "keys": [ended.id, *sorted(key for key in ended.keys if key != ended.id)],
        "agent": ended.agent,
        "scope": ended.scope,
        "ref": {"agent": ended.agent, "session_id": ended.session_id} if ended.session_id else None,
        "task": _task(ended, features),
        "dispatch": ended.arm,
        "signal": _signal(ended),
        "wall_time_ms": ended.wall_time_ms,
        "cost_usd": ended.cost_usd,
        "tokens": _counts(ended.tokens),
        "at": ended.ended_at,
    }
    return {"succeeded": ended.succeeded, **_set(members)}


def _task(ended: Ended, features: Mapping[str, Any]) -> dict[str, Any]:
    """What was known of the task, as far as a caller may say it."""
    own = OWN_NAMES - {"repo_fingerprint"}
    model = ended.model if ended.arm == "local" else None
    parent = _set({"model": model, "tier": features.get("parent_model_tier")})
    members = {
        "kind": features.get("task_kind"),
        "token_estimate": features.get("rough_token_estimate"),
        "parent": parent or None,
        "depth": features.get("depth") or None,
        "role": features.get("role"),
        "agent": features.get("agent") or ended.agent,
        "features": _set({name: value for name, value in features.items() if name not in own}) or None,
    }
    return {"goal": ended.goal or "", **_set(members)}


def _signal(ended: Ended) -> Signal | None:
    """What success rests on; None where it is not known."""
    return ended.signal if ended.succeeded is not None and ended.signal in BY else None


def _model(ended: Ended) -> str | None:
    """As the arm spells it; what the agent itself runs on, for its own work."""
    return ended.model if ended.arm == "local" else arm_dispatch(ended.arm).model


def _counts(tokens: Tokens | None) -> dict[str, int] | None:
    if tokens is None or not tokens.total:
        return None
    kinds = ("input", "output", "cache_read", "cache_write")
    return {kind: count for kind in kinds if (count := getattr(tokens, kind))}


def _content(ended: Ended) -> str:
    """A sentence or two, for a model or a person to find."""
    kind = f"a task of kind {ended.kind}" if ended.kind else "a task"
    who = arm_dispatch(ended.arm)
    if who.executor == "local":
        done = f"{ended.agent} did {kind} itself" + (f", on {ended.model}" if ended.model else "")
    else:
        done = f"{ended.agent} handed {kind} to {named(who)}"
    spent = []
    if ended.wall_time_ms is not None:
        spent.append(f"took {ended.wall_time_ms / 1000:.1f} s")
    if ended.cost_usd is not None:
        spent.append(f"cost ${ended.cost_usd:.4f}")
    sentences = [f"{done}: {_verdict(ended)}.", f"It {' and '.join(spent)}." if spent else ""]
    return " ".join([*filter(None, sentences), *([f"The task: {ended.goal}"] if ended.goal else [])])


def _verdict(ended: Ended) -> str:
    if ended.censored is not None:
        return f"it was cut short ({ended.censored.replace('_', ' ')})"
    if ended.succeeded is None:
        return "how it went is not known"
    how = {"well": "it succeeded", "badly": "it failed"}.get(
        _went(ended), f"it succeeded partly ({ended.succeeded:.2f})"
    )
    return f"{how}, {BY[ended.signal]}" if ended.signal in BY else how


def _went(ended: Ended) -> str:
    if ended.censored is not None:
        return "cut-short"
    if ended.succeeded is None:
        return "unknown"
    return "well" if ended.succeeded >= GOOD else "badly" if ended.succeeded <= BAD else "partly"


def _tags(ended: Ended) -> list[str]:
    said = {
        "agent": ended.agent,
        "scope": ended.scope,
        "went": _went(ended),
        "model": _model(ended),
        "kind": ended.kind,
    }
    return [TAG, *(f"{name}:{value}" for name, value in said.items() if value)]


def _metadata(ended: Ended) -> dict[str, str]:
    """Plain members for a filter or a person, and the row for reading back."""
    told = row(ended)
    members = {
        "agent": ended.agent,
        "scope": ended.scope,
        "arm": ended.arm,
        "model": _model(ended),
        "kind": ended.kind,
        "succeeded": ended.succeeded,
        "signal": _signal(ended),
        "censored": ended.censored,
        "wall_time_ms": ended.wall_time_ms,
        "cost_usd": ended.cost_usd,
        "session_id": ended.session_id,
        ROW: None if told is None else msgspec.json.encode(told, order="sorted").decode(),
    }
    return {name: str(value) for name, value in _set(members).items()}


def _set(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}

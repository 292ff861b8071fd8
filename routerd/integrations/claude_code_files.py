"""What Claude Code's files tell a hook: who delegates and on what, and which agents there are. Reads, never writes."""

from __future__ import annotations

import os
from itertools import pairwise

from routerd.integrations import delegation

TYPE_CHECKING = False  # `typing` itself is what takes long
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from routerd.integrations.delegation import Object

AGENT_PREFIX = "routerd-"
"""What the names of generated agents begin with; nothing else in the directory of agents is ours."""

OTHER_NAMES = frozenset({"default", "best", "inherit", "opusplan"})
"""What a session may be set to run on that names no model."""

FILES_MAX = 500
FRONT_BYTES = 8192


class Session:
    """
    What a hook can find out about the session that it is called from.

    Attributes:
        version: Of Claude Code; () where unknown.
        parent: The model that the delegating agent runs on, if known; before its first answer is on disk perhaps by
            the name of a family.
        definition: The settings of the agent that is asked for, if it is defined in a file.
        generated: Agents of ours that this session knows, by name, each with its settings.
    """

    __slots__ = ("definition", "generated", "parent", "version")

    def __init__(
        self,
        *,
        version: tuple[int, ...] = (),
        parent: str | None = None,
        definition: Mapping[str, str] | None = None,
        generated: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        self.version = version
        self.parent = parent
        self.definition = definition
        self.generated = generated or {}


def config_dir(env: Mapping[str, str]) -> str:
    """Where Claude Code keeps its settings (`settings.json`) and the user's agents (`agents/NAME.md`)."""
    return delegation.below(env, "CLAUDE_CONFIG_DIR", ".claude")


def agents_dir(env: Mapping[str, str]) -> str:
    """Where generated agents lie."""
    return f"{config_dir(env)}/agents"


def session(payload: Object, env: Mapping[str, str]) -> Session:
    """What is known where a delegation is about to begin."""
    transcript = delegation.text(payload, "transcript_path")
    own = child_transcript(payload, delegation.text(payload, "agent_id"))
    reply = last_reply(own or transcript)
    version = env.get("AI_AGENT", "").partition("claude-code_")[2].partition("_")[0] or reply.get("version")
    kind = delegation.text(delegation.mapping(payload, "tool_input"), "subagent_type")
    places = [config_dir(env), env.get("CLAUDE_PROJECT_DIR"), delegation.text(payload, "cwd")]
    projects = [f"{place}/.claude/agents" for place in places[1:] if place]
    agents = {**dict(_agents(agents_dir(env))), **{name: one for place in projects for name, one in _agents(place)}}
    ours = {name: settings for name, settings in agents.items() if name.startswith(AGENT_PREFIX)}
    listed = _listed(transcript) if ours else set()
    parent = delegation.text(reply.get("message"), "model") or (_told(transcript, env, places) if own is None else None)
    return Session(
        version=numbers(version),
        parent=parent,
        definition=agents.get(kind or ""),
        generated={name: settings for name, settings in ours.items() if name in listed},
    )


def numbers(version: object) -> tuple[int, ...]:
    """The numbers of a version, written with dots or hyphens; () where it is none."""
    parts = version.replace("-", ".").split(".") if isinstance(version, str) else []
    return tuple(int(part) for part in parts) if all(part.isdecimal() and len(part) < 9 for part in parts) else ()


def child_transcript(payload: Object, child: str | None) -> str | None:
    """Where a child's records lie, which is beside those of its session."""
    path, name = delegation.text(payload, "transcript_path"), delegation.text(payload, "session_id")
    if child is None or path is None or name is None or "/" in child:
        return None
    return f"{os.path.dirname(path)}/{name}/subagents/agent-{child}.jsonl"


def last_reply(path: str | None) -> Object:
    """The last record of a response of the model; an empty one where there is none."""
    for record in delegation.records(delegation.tail(path), b'"assistant"', b'"model"'):
        model = delegation.text(record.get("message"), "model")
        if record.get("type") == "assistant" and model is not None and not model.startswith("<"):
            return record
    return {}


def meta(path: str | None) -> Object:
    """The note beside a child's records; an empty one where there is none."""
    note = delegation.parsed(delegation.head(path.removesuffix(".jsonl") + ".meta.json")) if path else None
    return note if isinstance(note, dict) else {}


def _told(transcript: str | None, env: Mapping[str, str], places: list[str | None]) -> str | None:
    """
    The model that a session was begun with. Its first answer is written a tenth of a second late; what it was told of
    itself (2.1.329), how it was started and how it is set up are there before.
    """
    for record in delegation.records(delegation.tail(transcript), b'"modelId"'):
        if model := delegation.text(
            delegation.mapping(delegation.mapping(record, "attachment"), "identity"), "modelId"
        ):
            return model
    said = env.get("ANTHROPIC_MODEL") or _started_with(env) or next(_set_up(places), None)
    return None if said in OTHER_NAMES else said


def _started_with(env: Mapping[str, str]) -> str | None:
    """What `--model` says on the command line of the agent, which is up to three processes above."""
    pid = env.get("CLAUDE_PID") or str(os.getppid())
    for _ in range(3):
        arguments = delegation.head(f"/proc/{pid}/cmdline").decode("utf-8", "replace").split("\0")
        for argument, following in pairwise(arguments):
            if argument == "--model":
                return following
            if argument.startswith("--model="):
                return argument.partition("=")[2]
        above = delegation.head(f"/proc/{pid}/stat").rpartition(b")")[2].split()
        pid = above[1].decode() if len(above) > 1 else "0"
    return None


def _set_up(places: list[str | None]) -> Iterator[str]:
    """What the settings say, the nearest first."""
    home, *projects = places
    near = [f"{place}/.claude/{name}.json" for name in ("settings.local", "settings") for place in projects if place]
    for path in (*near, f"{home}/settings.json"):
        if model := delegation.text(delegation.parsed(delegation.head(path)), "model"):
            yield model


def _listed(transcript: str | None) -> set[str]:
    """The agents that the session has been told of. One whose file is newer is refused, and the delegation with it."""
    names: set[str] = set()
    for data in (delegation.head(transcript), delegation.tail(transcript)):
        for record in delegation.records(data, b'"agent_listing_delta"'):
            added = delegation.mapping(record, "attachment").get("addedTypes")
            names.update(name for name in (added if isinstance(added, list) else ()) if isinstance(name, str))
    return names


def _agents(directory: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Every agent that a file in a directory or below defines, with its settings."""
    pending, seen = [directory], 0
    while pending:
        try:
            entries = sorted(os.scandir(pending.pop()), key=lambda entry: entry.name)
        except (OSError, ValueError):
            continue
        for entry in entries:
            seen += 1
            if seen > FILES_MAX:
                return
            if entry.is_dir(follow_symlinks=False):
                pending.append(entry.path)
            elif entry.name.endswith(".md"):
                settings = front(delegation.head(entry.path)[:FRONT_BYTES])
                yield settings.get("name") or entry.name.removesuffix(".md"), settings


def front(data: bytes) -> dict[str, str]:
    """The plain members between the two lines of hyphens at the head of a file."""
    first, *lines = data.decode("utf-8", "replace").lstrip("\ufeff").splitlines() or [""]
    found: dict[str, str] = {}
    for line in lines if first.rstrip() == "---" else ():
        if line.rstrip() == "---":
            break
        name, colon, value = line.partition(":")
        if colon and name == name.strip():
            found[name] = value.partition(" #")[0].strip().strip("\"'")
    return found

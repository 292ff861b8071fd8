"""Where logs are: the roots of every enabled source, and the files below them."""

import os
from collections.abc import Iterator, Mapping

from routerd.config import Config
from routerd.sources import SOURCES
from routerd.sources.base import Claim
from routerd.tail.checkpoint import Stat
from routerd.tail.files import head_of, look, walk


def roots_of(config: Config, env: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Agent and root of every enabled source, and of what to begin with."""
    for agent, source in SOURCES.items():
        chosen = config.sources.get(agent)
        if chosen is not None and not chosen.enabled:
            continue
        roots = [os.path.expanduser(root) for root in chosen.roots] if chosen is not None and chosen.roots else None
        for root in roots if roots is not None else source.roots(env):
            yield agent, os.path.abspath(root)
    if config.cold_start.seed_from is not None:
        yield "jsonl", os.path.abspath(os.path.expanduser(config.cold_start.seed_from))


def elsewhere(place: str) -> list[tuple[str, str]]:
    """
    Agent and root of what lies at another place: a home, an agent's directory in one, or below that.

    A file, and a directory that looks like no agent's, hold generic rows.
    """
    if os.path.isdir(place):
        homes = [place, *_above(place)]
        roots = [
            (agent, root if root.startswith(place) else place)
            for agent, source in SOURCES.items()
            for home in homes
            for root in source.roots({"HOME": home})
            if os.path.exists(root) and (_within(root, place) or _within(place, root))
        ]
        if roots:
            return list(dict.fromkeys(roots))
    return [("jsonl", place)]


def _above(place: str) -> list[str]:
    """The directories above, nearest first."""
    parent = os.path.dirname(place)
    return [] if parent == place else [parent, *_above(parent)]


def _within(path: str, directory: str) -> bool:
    return path == directory or path.startswith(directory.rstrip(os.sep) + os.sep)


def obstacle(agent: str, root: str) -> str | None:
    """Why nothing of an agent can be read in a root that is there; None where it can be, or where there is none."""
    try:
        with os.scandir(root) as entries:
            next(entries, None)
    except FileNotFoundError:
        return None
    except NotADirectoryError:
        if not root.endswith((".jsonl", ".ndjson")):
            return "it is not a directory" + (", nor a file named *.jsonl or *.ndjson" if agent == "jsonl" else "")
        return None if os.access(root, os.R_OK) else "Permission denied"
    except OSError as error:
        return error.strerror or "it cannot be opened"
    return None


def find(agent: str, root: str, known: Mapping[str, Claim], below: str | None = None) -> list[tuple[str, Claim, Stat]]:
    """Every log file of an agent in a root (or the root itself, when it is a file), or in a directory `below` it."""
    source = SOURCES[agent]
    is_directory = os.path.isdir(root)
    paths = walk(root, lambda directory: source.enters(root, directory), below) if is_directory else iter([root])
    found = []
    for path in paths:
        claim = known.get(path) or source.claim(root, path, lambda path=path: head_of(path))  # type: ignore[misc]
        if claim is not None and (stat := look(path, claim.kind)) is not None:
            found.append((path, claim, stat))
    return found


def entered(agent: str, root: str, directory: str) -> bool:
    """Whether a directory is one that a walk of the root would come to."""
    parts = directory[len(root) :].strip(os.sep).split(os.sep)
    above = (os.path.join(root, *parts[:end]) for end in range(1, len(parts) + 1))
    return all(SOURCES[agent].enters(root, one) for one in above)

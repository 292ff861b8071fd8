"""
What the tail knows: every log file, the group it belongs to, and how much of it was taken in. No I/O, no waiting.

Each file has two states, how it was when last looked at and how it was when last taken in; where they differ the group
is behind.
"""

from collections.abc import Iterable

import msgspec

from routerd.sources.base import Claim, FileKind
from routerd.tail.checkpoint import Checkpoint, Stat, spelt, untouched
from routerd.tail.group import GroupReader, origin_of


class Group(msgspec.Struct, kw_only=True):
    """
    What is known of a group: its files, and who has its memory.

    Attributes:
        begun: The child has read some of it, and not all.
        busy: It is in somebody's hand, or `half_read` and waits for the child to go on with it.
        dirty: There is something to read in it that nobody has in hand.
    """

    agent: str
    name: str
    files: dict[str, FileKind] = {}
    newest: float = 0.0
    reader: GroupReader | None = None
    begun: bool = False
    half_read: bool = False
    busy: bool = False
    dirty: bool = False
    running: bool = False
    failures: int = 0
    quarantined: int = 0


class Known(msgspec.Struct):
    """A file: its group, how it was when last looked at, and how it was when last taken in."""

    agent: str
    root: str
    claim: Claim
    stat: Stat
    taken: Stat | None = None
    position: int = 0


class Progress(msgspec.Struct, kw_only=True):
    """How far the backlog of one agent is read."""

    files: int = 0
    bytes_read: int = 0
    bytes_left: int = 0
    completions: int = 0


class RootStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One root as `status` shows it."""

    agent: str
    root: str
    mode: str
    files: int
    bytes: int
    lag_bytes: int
    last_event_at: float | None
    quarantined: int


class Registry:
    """
    Every file and group that is known.

    Args:
        agents: Names of the sources, for progress.
    """

    def __init__(self, agents: Iterable[str]) -> None:
        self.files: dict[str, Known] = {}
        self.groups: dict[tuple[str, str], Group] = {}
        self.progress: dict[str, Progress] = {agent: Progress() for agent in agents}
        self._stored: dict[str, Checkpoint] = {}
        self._was_running: frozenset[str] = frozenset()

    def restore(self, checkpoints: Iterable[Checkpoint], running: Iterable[str]) -> None:
        """
        Takes up where the database says that an earlier daemon stopped.

        Args:
            checkpoints: Of every file that was ever read.
            running: Origins of units that had not ended; their groups are looked at once they are idle.
        """
        self._stored = {checkpoint.path: checkpoint for checkpoint in checkpoints}
        self._was_running = frozenset(running)

    def claims(self, agent: str) -> dict[str, Claim]:
        """What is known already of an agent's files, so that nobody has to look into them again."""
        claims = {path: known.claim for path, known in self.files.items() if known.agent == agent}
        for path, one in self._stored.items():
            if path not in claims and one.agent == agent:
                claims[path] = Claim(one.group, one.kind)
        return claims

    def notice(self, agent: str, root: str, path: str, claim: Claim, stat: Stat) -> Group | None:
        """A file as it is now; its group, if there is anything in it that was not taken in."""
        known = self.files.get(path)
        if known is None:
            known = self._meet(agent, root, path, claim, stat)
        elif known.stat == stat == known.taken:
            return None
        group = self.groups[known.agent, known.claim.group]
        if known.stat != stat:
            group.failures = 0
        known.stat = stat
        group.newest = max(group.newest, stat.mtime_ns / 1e9)
        return group if known.taken != stat else None

    def _meet(self, agent: str, root: str, path: str, claim: Claim, stat: Stat) -> Known:
        known = self.files[path] = Known(agent, root, claim, stat)
        stored = self._stored.pop(spelt(path), None)
        if stored is not None and untouched(stored, stat):
            known.taken, known.position = stat, stored.position
        group = self.groups.setdefault((agent, claim.group), Group(agent=agent, name=claim.group))
        group.files[path] = claim.kind
        group.running = group.running or origin_of(agent, claim.group) in self._was_running
        self.progress.setdefault(agent, Progress()).files += 1
        return known

    def lose(self, path: str) -> Group:
        """A file is gone: what it said stays. Gives its group."""
        known = self.files.pop(path)
        group = self.groups[known.agent, known.claim.group]
        group.files.pop(path, None)
        return group

    def forget(self, group: Group) -> None:
        """The last file of a group is gone, and nobody reads it any more."""
        self.groups.pop((group.agent, group.name), None)

    def took(self, checkpoint: Checkpoint) -> None:
        """A file was taken in as far as `checkpoint` says."""
        if (known := self.files.get(checkpoint.path)) is not None:
            known.stat = known.taken = checkpoint.stat
            known.position = checkpoint.position

    def give_up(self, path: str) -> None:
        """A file cannot be read as it is: it is tried again when it changes, or when somebody says `again`."""
        if (known := self.files.get(path)) is not None:
            known.taken = known.stat

    def again(self, path: str) -> Group | None:
        """A file that could not be read may be readable now; its group."""
        if (known := self.files.get(path)) is None:
            return None
        known.taken = None
        return self.groups[known.agent, known.claim.group]

    def size(self, group: Group) -> int:
        """Bytes in the files of a group."""
        return sum(self.files[path].stat.size for path in group.files)

    def behind(self, group: Group) -> list[tuple[str, int]]:
        """The files of a group that were not taken in as they are, each with the bytes that are left."""
        files = ((path, self.files[path]) for path in group.files)
        return [(path, _lag(known)) for path, known in files if known.taken != known.stat]

    def count_left(self) -> dict[str, Progress]:
        """Progress by agent, with what is left counted anew."""
        for progress in self.progress.values():
            progress.bytes_left = 0
        for known in self.files.values():
            self.progress[known.agent].bytes_left += _lag(known)
        return self.progress

    def idle(self, now: float, after_s: float) -> list[Group]:
        """
        Groups whose units still run although nobody touched them for long.

        Args:
            now: Unix seconds.
            after_s: For so long; a time that is as far ahead of the clock is no touch either.
        """
        running = [one for one in self.groups.values() if one.running and not one.busy]
        return [one for one in running if abs(now - one.newest) > after_s]

    def status(self, agent: str, root: str, mode: str) -> RootStatus:
        """A root as it stands."""
        files = [known for known in self.files.values() if known.agent == agent and known.root == root]
        groups = {known.claim.group for known in files}
        return RootStatus(
            agent=agent,
            root=root,
            mode=mode,
            files=len(files),
            bytes=sum(known.stat.size for known in files),
            lag_bytes=sum(_lag(known) for known in files),
            last_event_at=max((known.stat.mtime_ns / 1e9 for known in files), default=None),
            quarantined=sum(self.groups[agent, group].quarantined for group in groups),
        )


def _lag(known: Known) -> int:
    """Bytes that were not taken in yet."""
    if known.taken == known.stat:
        return 0
    return max(0, known.stat.size - (known.position if known.taken is not None else 0))

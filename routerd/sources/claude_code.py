"""The sessions of Claude Code: `$CLAUDE_CONFIG_DIR/projects/<directory>/<session>.jsonl`, and its children's files.

A group is a session: its own file, and the files of the children that it started. Two units are read from it: a *turn*
(a person's request up to the agent's last word) and a *delegation* (a child's work on one request).

What is known where:

    the session's file      the call (`Task`, later `Agent`), who made it, the answer, a notice when a child in the
                            background ends; in 2.1.9-2.1.78 also a copy of the child's records, without its last word
    the child's file        model, effort, tokens, time and end of its own work, and the request. It may lie in
                            `<session>/subagents/`, in `<session>/`, or beside the session's file (then its head names
                            the session)
    agent-<id>.meta.json    the kind of child, and the id of the call

None of them is always there, and they are read in any order. A delegation has the name of its call, and that of the
child where a child is known; whichever was seen first, both names meet in the unit that is given out at last.

Traps, each seen in real sessions:

- Every content block of a response is a line of its own and repeats the usage. Old versions never write the final
  count of output tokens: without a stop reason it is a placeholder.
- The token count in the answer is the size of the child's last context.
- `completed` may stand over an API error (2.1.197), `failed` over a finished child.
- A child that is interrupted at work gets the same answer as one that was refused; only its own file tells.
- A resumed child goes on in the same file: a further request begins a further unit.
- Records of type `user` are results, notices, reminders, summaries and commands; few are a person's.
- Resumed and forked sessions copy history with the same record and call ids, which are therefore the names of units.
- The client runs children for itself (warm-ups, summaries, suggestions): they are no delegations.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

from routerd.sources.base import Claim, Machine
from routerd.sources.claude_code_session import CHILD_FILE, Session
from routerd.sources.claude_code_units import AGENT

_SESSION_NAME: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_HOUSEKEEPING: Final = re.compile(
    r"a(?:compact|prompt_suggestion|side_question|session_memory|extract_memories|agent_summary|auto_dream"
    r"|away_summary|resume_cache_warm|plugin_model_fork)-"
)
"""Ids of children that the client starts for itself: a label, then a number."""
_HEAD_SESSION: Final = re.compile(rb'"sessionId"\s*:\s*"([^"\\]+)"')


class ClaudeCode:
    """Where sessions lie."""

    agent = AGENT
    polled = False

    def roots(self, env: Mapping[str, str]) -> list[str]:
        """`projects` of `$CLAUDE_CONFIG_DIR`, or of `~/.claude`."""
        home = env.get("CLAUDE_CONFIG_DIR") or (f"{env['HOME']}/.claude" if env.get("HOME") else None)
        return [] if home is None else [f"{home.rstrip('/')}/projects"]

    def enters(self, root: str, directory: str) -> bool:
        """Beside sessions lie large outputs of tools, and notes of the agent's."""
        return directory.rpartition("/")[2] not in ("tool-results", "memory")

    def claim(self, root: str, path: str, head: Callable[[], bytes]) -> Claim | None:
        """A session's file names the session, and so does the directory of a child's; else the first records do."""
        parent, _, name = path.rpartition("/")
        child = CHILD_FILE.fullmatch(name)
        if child is not None and _HOUSEKEEPING.match(child[1]):
            return None
        above, nested, _ = parent.partition("/subagents")
        if child is None and (nested or not name.endswith(".jsonl")):
            return None
        session = above.rpartition("/")[2] if child is not None else name.removesuffix(".jsonl")
        if not nested and _SESSION_NAME.fullmatch(session) is None:
            found = _HEAD_SESSION.search(head())
            session = found[1].decode(errors="replace") if found is not None else ""
        if not session:
            return None
        return Claim(f"{root}/{session}", "document" if name.endswith(".json") else "lines")

    def open(self, group: str) -> Machine:
        """A machine for one session."""
        return Session(group.rpartition("/")[2])


SOURCE: Final = ClaudeCode()

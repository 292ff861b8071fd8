"""A history to reckon with: delegations that others chose, imported, and some that a daemon drew and was told of."""

import json
from typing import Any

from tests.harness import Daemon, Place

DEAR = "delegate:anthropic:claude-opus-5"
CHEAP = "delegate:anthropic:claude-haiku-4-5"
MIDDLE = "delegate:anthropic:claude-sonnet-5"
AGENT = "claude-code"
FROM = 1_748_736_000.0
"""2025-06-01: of the imported ones the first; each ends an hour after the one before."""


def rows(kind: str, arm: str, count: int, *, fails: int, minutes: float, dollars: float) -> list[dict[str, Any]]:
    """Imported delegations; one of `fails` fails, and times and costs go up and down around their middle."""
    return [
        {
            "id": f"{kind}/{arm}/{i}",
            "agent": AGENT,
            "task": {"goal": f"{kind} number {i}: look at src/part{i % 7}.py", "kind": kind},
            "dispatch": arm,
            "succeeded": i % fails != 0,
            "wall_time_ms": round(60_000 * minutes * (0.6 + 0.2 * (i % 5))),
            "cost_usd": round(dollars * (0.7 + 0.1 * (i % 7)), 4),
            "at": FROM + 3600.0 * i,
        }
        for i in range(count)
    ]


def imported(place: Place, *lots: list[dict[str, Any]]) -> None:
    """Has routerd read them."""
    place.write({"rows.jsonl": "\n".join(json.dumps(row) for lot in lots for row in lot).encode()})
    place.run("routerctl", "import", "rows.jsonl", check=True)


def configure(place: Place, text: str) -> None:
    """Writes the configuration."""
    place.write({".config/routerd/config.toml": text.encode()})


def drawn(daemon: Daemon, kind: str, count: int, *, candidates: tuple[str, ...] = (DEAR, CHEAP)) -> None:
    """Delegations that the daemon decides and is told of: the cheap arm fails 1 in 40, the dear one 1 in 5."""
    for i in range(count):
        task = {"goal": f"{kind} drawn {i}: look at src/part{i % 7}.py", "kind": kind, "agent": AGENT}
        made = daemon.ask("recommend", task=task, candidates=list(candidates), incumbent=DEAR)
        cheap = made["arm"] == CHEAP
        daemon.ask(
            "report",
            decision_id=made["decision_id"],
            task=task,
            dispatch=made["dispatch"],
            outcome={
                "succeeded": i % (40 if cheap else 5) != 3,
                "wall_time_ms": round((90_000 if cheap else 240_000) * (0.6 + 0.2 * (i % 5))),
                "cost_usd": (0.11 if cheap else 0.97) * (0.7 + 0.1 * (i % 7)),
            },
        )

"""A synthetic file of outcomes: the three ways to say who did it, with and without an id."""

import json
from typing import Any

ROWS: list[dict[str, Any]] = [
    {
        "features": {"task_kind": "typo-fix", "repo_fingerprint": "9f2c", "rough_token_estimate": 1200},
        "dispatch": ["local", None],
        "wall_time_ms": 30000,
        "cost_tokens": 2400,
        "succeeded": True,
        "at": 1_790_000_000,
    },
    {
        "id": "run/7",
        "task": {"goal": "Make the cache thread-safe", "parent": {"model": "big-model"}},
        "dispatch": "delegate:acme:small-model@high#leaf",
        "wall_time_ms": 90000,
        "cost_usd": 0.013,
        "tokens": {"input": 8000, "output": 900, "cache_read": 12000},
        "at": 1_790_000_100,
        "succeeded": 0.5,
    },
    {
        "task": {"goal": "Write the release notes"},
        "dispatch": {"executor": "delegate", "model": "small-model"},
        "succeeded": None,
        "finished_at": 1_790_000_200,
    },
]


def home_files() -> dict[str, bytes]:
    """The rows, the first of them twice, and what is no row."""
    lines = [json.dumps(row) for row in (*ROWS, ROWS[0])]
    return {"outcomes/benchmark.jsonl": ("\n".join([*lines, "", "{broken", ""])).encode()}

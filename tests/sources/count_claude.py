"""Counts what Claude Code's logs below a HOME hold, by plain `json` and nothing of routerd: count_claude.py HOME"""

import json
import pathlib
import sys
from collections import Counter
from typing import Any


def records(home: str) -> Any:
    for path in sorted(pathlib.Path(home, ".claude", "projects").rglob("*.jsonl")):
        if not path.name.startswith("agent-"):
            for line in path.read_text(encoding="utf-8", errors="replace").split("\n"):
                if line.strip():
                    yield path, json.loads(line)


def blocks(record: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    content = record.get("message", {}).get("content")
    return [block for block in content if block["type"] == kind] if isinstance(content, list) else []


def text_of(record: dict[str, Any]) -> str:
    content = record["message"]["content"]
    return content if isinstance(content, str) else " ".join(block["text"] for block in blocks(record, "text"))


def status_of(answer: Any) -> str:
    if isinstance(answer, dict):
        return str(answer["status"])
    if "rejected" in str(answer):
        return "refused"
    return "unknown type" if "Agent type" in str(answer) else "failed"


def count(home: str) -> dict[str, Any]:
    calls: dict[str, str] = {}
    prompts: set[str] = set()
    commands: set[str] = set()
    waiting: dict[str, str] = {}
    for path, record in records(home):
        kind = record.get("type")
        if kind == "assistant" and not record.get("isSidechain"):
            for block in blocks(record, "tool_use"):
                if block["name"] in ("Task", "Agent"):
                    calls.setdefault(block["id"], "unanswered")
            if str(path) in waiting and record["message"].get("model") != "<synthetic>":
                commands.add(waiting.pop(str(path)))
        elif kind == "user" and not record.get("isSidechain"):
            if results := blocks(record, "tool_result"):
                for block in results:
                    if block["tool_use_id"] in calls:
                        calls[block["tool_use_id"]] = status_of(record.get("toolUseResult"))
                continue
            if record.get("isMeta") or record.get("isCompactSummary"):
                continue
            text = text_of(record).lstrip()
            waiting.pop(str(path), None)
            if text.startswith("<command-"):
                waiting[str(path)] = record["uuid"]
            elif not text.startswith(("<", "[Request interrupted", "Caveat:")):
                prompts.add(record["uuid"])
    statuses = Counter(calls.values())
    return {
        "calls": len(calls),
        "statuses": dict(sorted(statuses.items())),
        "delegations": len(calls) - statuses["refused"] - statuses["unknown type"],
        "turns": {"prompts": len(prompts), "commands": len(commands)},
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(count(sys.argv[1])) + "\n")

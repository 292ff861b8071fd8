"""What somebody sends who means ill, or whose program is broken: messages of every kind that a daemon must survive."""

import json
import random
from collections.abc import Callable
from typing import Any

HAIKU = {"executor": "delegate", "provider": "anthropic", "model": "claude-haiku-4-5"}
METHODS = (
    "hello", "recommend", "recommend_batch", "report", "feedback", "explain", "arms", "models", "resolve", "status",
    "subscribe", "import",
)  # fmt: skip


def message(method: Any, params: Any, id_: Any = 1, **members: Any) -> bytes:
    """A line in the shape of a request."""
    return json.dumps({"jsonrpc": "2.0", "id": id_, "method": method, "params": params, **members}).encode()


def text(rng: random.Random, most: int = 200) -> str:
    """Characters that somebody may forget to think of."""
    alphabet = 'a"\\/{}[]:,\0\x7f\u2028\u202e\ud800\udfff\ufeff\U0001f642é漢%s${}../\r\t'
    return "".join(rng.choices(alphabet, k=rng.randrange(most)))


def noise(rng: random.Random) -> bytes:
    """Bytes."""
    return rng.randbytes(rng.randrange(1, 300))


def cut(rng: random.Random) -> bytes:
    """A request that is not whole."""
    whole = recommend(rng)
    return whole[: rng.randrange(1, len(whole))]


def deep(rng: random.Random) -> bytes:
    """Nested far beyond what any request is, in a place where something is expected or anywhere."""
    depth = rng.choice([100, 2_000, 20_000])
    opening, closing = rng.choice([("[", "]"), ('{"a":', "}"), ('{"task":', "}"), ('[{"a":', "}]")])
    bomb = opening * depth + "1" + closing * (depth if rng.random() < 0.7 else 0)
    whole = message("recommend", "BOMB", rng.randrange(9)).decode()
    return rng.choice([bomb, whole.replace('"BOMB"', bomb), whole.replace('"recommend"', bomb)]).encode()


def number(rng: random.Random) -> str:
    """A number that is too large, too small, too long, or none."""
    return rng.choice(
        ["1e999", "-1e999", "1e-999", "9" * 5000, "-" + "9" * 400, "0." + "1" * 5000, "NaN", "Infinity", "1e", "0x1",
         str(2**63), str(2**64), str(-(2**63) - 1), "1E400000000", "00", "-0", "1.7976931348623157e308"]
    )  # fmt: skip


def numbers(rng: random.Random) -> bytes:
    """A report whose numbers are those."""
    member = rng.choice(["succeeded", "wall_time_ms", "cost_usd", "finished_at"])
    said = message("report", {"outcome_id": "x", "task": {"goal": "x"}, "dispatch": HAIKU, "outcome": {member: "NUM"}})
    place = rng.choice([b'"NUM"', b'"id": 1', b'"x"'])
    wanted = number(rng).encode()
    return said.replace(place, b'"id": ' + wanted if place == b'"id": 1' else wanted)


def surrogates(rng: random.Random) -> bytes:
    """Halves of characters, as escapes and as bytes, in names and in texts."""
    odd = rng.choice([b"\\ud800", b"\\udfff\\ud800", b"\xed\xa0\x80", b"\xff\xfe", b"\xc0\xaf", b"\xf4\x90\x80\x80"])
    return message("recommend", {"task": {"goal": "ODD", "session_id": "ODD"}, "candidates": ["local"]}).replace(
        b"ODD", odd
    )


def nuls(rng: random.Random) -> bytes:
    """NULs in a text, between members, in place of blanks, alone."""
    whole = message("recommend", {"task": {"goal": "NUL"}, "candidates": ["local"]})
    return rng.choice([whole.replace(b"NUL", b"\0\\u0000"), whole.replace(b" ", b"\0"), b"\0" * 100, whole + b"\0"])


def shapes(rng: random.Random) -> bytes:
    """JSON that is no request, or has members of other types."""
    value = any_value(rng)
    return rng.choice(
        [
            json.dumps(value).encode(),
            message(value, {}),
            message("status", value),
            message("status", {}, value),
            message(rng.choice(METHODS), {"task": value, "outcome": value, "candidates": value}),
            json.dumps([json.loads(message("hello", {}))] * 3).encode(),
            message("hello", {}, 1, jsonrpc=value),
            message("x" * 10_000, {}),
        ]
    )


def any_value(rng: random.Random, depth: int = 3) -> Any:
    """Any value of JSON."""
    simple: list[Any] = [None, True, -1, 10**30, 0.5, "", text(rng), "local", {}, []]
    if depth == 0 or rng.random() < 0.5:
        return rng.choice(simple)
    if rng.random() < 0.5:
        return [any_value(rng, depth - 1) for _ in range(rng.randrange(5))]
    names = ["task", "goal", "executor", "model", "succeeded", "decision_id", text(rng, 10)]
    return {rng.choice(names): any_value(rng, depth - 1) for _ in range(rng.randrange(5))}


def recommend(rng: random.Random) -> bytes:
    """A question that is right but for what it holds."""
    task = {"goal": text(rng), "agent": text(rng, 20), "session_id": text(rng, 20), "paths": [text(rng, 30)]}
    candidates = ["local", {**HAIKU, "model": text(rng, 30) or "m"}]
    return message("recommend", {"task": task, "candidates": candidates}, rng.randrange(99))


def large(rng: random.Random) -> bytes:
    """More of something than anybody needs, in less than a line may hold."""
    many = rng.choice([500, 5_000])
    params = rng.choice(
        [
            {"task": {"goal": "x " * 50 * many}, "candidates": ["local"]},
            {"task": {"goal": "x"}, "candidates": [{**HAIKU, "model": f"m{n}"} for n in range(many)]},
            {"task": {"goal": "x", "paths": ["a/b.py"] * many}, "candidates": ["local"]},
            {"task": {"goal": "x"}, "candidates": ["local"], "constraints": {f"k{n}": n for n in range(many)}},
            {"task": {"goal": "sk-" + "a" * 100 * many}, "candidates": ["local"]},
        ]
    )
    return message("recommend", params)[: 1 << 20]


KINDS: tuple[tuple[Callable[[random.Random], bytes], int], ...] = (
    (noise, 20), (cut, 10), (deep, 4), (numbers, 20), (surrogates, 12), (nuls, 10), (shapes, 30), (recommend, 10),
    (large, 1),
)  # fmt: skip


def messages(count: int, seed: int) -> list[bytes]:
    """So many lines of all kinds, with their ends; none of them empty or ended within."""
    rng = random.Random(seed)
    kinds = rng.choices([kind for kind, _ in KINDS], [weight for _, weight in KINDS], k=count)
    return [kind(rng).replace(b"\n", b" ") + b"\n" for kind in kinds]

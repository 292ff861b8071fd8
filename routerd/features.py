"""
What is known of a task before anyone is chosen to do it: named, JSON-able features, and the vector that they stand for.

`extract` reads a task once and keeps no text; what it gives is stored with the decision. `vector` maps a stored
mapping to numbers, so that a later version of this module can map old rows anew. Nothing here knows a word of any
language: kinds follow from punctuation, from the shape of paths and from the types of files that a task names.

A vector lies on a binary grid (multiples of 2^-10, within ±4), so that sums over outcomes are exact (see `evidence`).
"""

import math
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from hashlib import blake2b
from itertools import islice
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from routerd.errors import InvalidParams
from routerd.events import Dispatch, Scalar, Task

Floats = npt.NDArray[np.float64]
Features = dict[str, Any]

VERSION: Final = 1

GRID: Final = 2.0**-10
LIMIT: Final = 4.0
KIND_DIMS: Final = 16
TEXT_DIMS: Final = 8
LABEL_DIMS: Final = 8

TEXT_BYTES_MAX: Final = 16_384
"""Of a task's text no more is looked at, so that the work is bounded."""
HASHED_BYTES_MAX: Final = 1_024
"""The projection looks at no more: what a text is about shows early."""
BYTES_PER_TOKEN: Final = 4
"""Rough, for the estimate where the caller gives none."""
NAME_CHARS_MAX: Final = 64
GRAM: Final = 4
_U4: Final = np.dtype("<u4")
_LOWER_CASE: Final = np.uint32(0x20202020)
_MULTIPLIER: Final = np.uint32(0x9E3779B1)  # 2^32 / golden ratio: Fibonacci hashing, the high bits mix best
_TO_FOUR_BITS: Final = np.uint32(28)

TIERS: Final = {"frontier": 1.0, "advanced": 0.5, "mid": -0.25, "light": -1.0}
"""Where a tier stands among the others, unknown ones at 0: an order, not a measurement."""

SHAPE_NAMES: Final = ("question", "code_fence", "stack_trace", "diff", "files")
NAMES: Final = (
    "bias",
    *(f"task_kind.{i}" for i in range(KIND_DIMS)),
    "parent_model_tier",
    "rough_token_estimate",
    *(f"text.{i}" for i in range(TEXT_DIMS)),
    *SHAPE_NAMES,
    "depth",
    "orchestrator",
    *(f"label.{i}" for i in range(LABEL_DIMS)),
)
"""What each component of a vector is."""
DIM: Final = len(NAMES)

OWN_NAMES: Final = frozenset(
    {
        "version", "task_kind", "repo_fingerprint", "rough_token_estimate", "parent_model_tier", "depth", "role",
        "agent", *SHAPE_NAMES, "tests", "docs", "config", "text",
    }
)  # fmt: skip
CALLERS_NAMES: Final[Mapping[str, type]] = {
    "task_kind": str,
    "repo_fingerprint": str,
    "rough_token_estimate": int,
    "parent_model_tier": str,
}
"""The named features that a caller may give under their own names."""

_TIER = 1 + KIND_DIMS
_TEXT = _TIER + 2
_SHAPE = _TEXT + TEXT_DIMS
_LABEL = DIM - LABEL_DIMS
_DEPTH = _LABEL - 2
_ORCHESTRATOR = _LABEL - 1
_NO_TEXT = [0.0] * TEXT_DIMS
_SHAPE_GROUP = frozenset({*SHAPE_NAMES, "tests", "docs", "config"})
_WORDS = ("task_kind", "parent_model_tier", "role", "repo_fingerprint", "agent")

_FILE_TYPES: Final[Mapping[str, str]] = {
    suffix: kind
    for kind, suffixes in {
        "code": "bash c cc cpp cs css cu cxx dart erl ex exs fs go h hpp hs htm html ipynb java jl js jsx kt kts lua "
        "m ml mm nim php pl proto ps1 py pyi pyx r rb rs sass scala scss sh sql svelte swift ts tsx vb vue zig",
        "docs": "adoc docx md mdx org pdf rst tex txt",
        "config": "cfg cmake conf csproj env gradle ini json jsonc lock mk properties service tf toml xml yaml yml",
    }.items()
    for suffix in suffixes.split()
}
_FILE: Final = re.compile(r"\.([A-Za-z][A-Za-z0-9]{0,9})(?![\w/(])")
"""Where the type of a file may stand. It begins with a literal, so that the search is quick."""
_FILE_MATCHES_MAX: Final = 256
_PATH_CHARS_MAX: Final = 160
_TEST: Final = re.compile(r"(?:^|[/\\._-])(?:tests?|specs?|__tests__|e2e)(?:[/\\._-]|$)|(?<=[a-z])Tests?$", re.ASCII)
_POSITION: Final = re.compile(r"(?<=[^\W\d]):\d+:\d+")  # of a file: times and ports have a digit before the colon
_FRAME: Final = re.compile(r"\n\s{1,16}at [^\n]{1,200}:\d+")
_QUESTION_MARKS: Final = ("?", "？", "؟", "⁇", "՞")  # noqa: RUF001 - the marks of several scripts


def extract(task: Task, parent_tier: str | None = None) -> Features:
    """
    The named features of a task.

    Args:
        task: As it is asked.
        parent_tier: Tier of the model that hands the task over, where the task does not say it itself.

    Raises:
        InvalidParams: A number is not finite or negative, or a caller's feature has the name of another of ours.
    """
    text = task.goal if task.context is None else f"{task.goal}\n{task.context}"
    features = _shape(text[:TEXT_BYTES_MAX], task.goal)
    features["version"] = VERSION
    features["task_kind"] = _word(task.kind) if task.kind and task.kind.strip() else _kind(features)
    features["repo_fingerprint"] = fingerprint(task.repo or task.cwd)
    features["rough_token_estimate"] = _tokens(task, text)
    features["parent_model_tier"] = (task.parent.tier if task.parent else None) or parent_tier
    if task.depth < 0:
        raise _invalid("depth", "must not be negative")
    features["depth"] = task.depth
    features["role"] = task.role
    features["agent"] = task.agent
    for name, value in (task.features or {}).items():
        features[name] = _callers(name, value)
    return features


def tier_of_parent(task: Task, tier: Callable[[Dispatch], str | None]) -> str | None:
    """The tier of what the agent itself runs on, as the task says or as the catalogue's `tier` knows."""
    parent = task.parent
    if parent is None or parent.tier is not None or parent.model is None:
        return parent.tier if parent else None
    return tier(
        Dispatch(
            executor="delegate",
            provider=parent.provider,
            model=parent.model,
            reasoning_effort=parent.reasoning_effort,
        )
    )


def vector(features: Mapping[str, Any]) -> Floats:
    """
    The vector of stored features, shape (DIM,), in the order of `NAMES`.

    It never fails: what is missing, of another kind or not finite counts as unknown, which is 0. A mapping with
    nothing in it gives the bias alone.
    """
    get = features.get
    x = _words(tuple([_text(get(name)) for name in _WORDS])).copy()
    # A factor of ten is half a unit; a thousand tokens are 0.
    tokens = _number(get("rough_token_estimate"))
    text = get("text")
    if not isinstance(text, list) or len(text) != TEXT_DIMS:
        text = _NO_TEXT
    x[_TIER + 1 : _ORCHESTRATOR] = [
        _on_grid(0.5 * math.log10(tokens / 1000.0)) if tokens > 0.0 else 0.0,
        *[value / 64.0 if value.__class__ is int and -256 <= value <= 256 else _sixty_fourth(value) for value in text],
        *[1.0 if get(name) is True else 0.0 for name in SHAPE_NAMES[:4]],
        _on_grid(0.5 * math.log2(1.0 + max(_number(get("files")), 0.0))),
        _on_grid(_number(get("depth"))),
    ]
    if callers := features.keys() - OWN_NAMES:
        x[_LABEL:] = [_on_grid(value) for value in x[_LABEL:] + _callers_code(features, sorted(callers))]
    return x


def with_kind(x: Floats, kind: str) -> Floats:
    """The vector `x` with another kind of task in it."""
    return np.concatenate([x[:1], vector({"task_kind": _word(kind)})[1:_TIER], x[_TIER:]])


def looked_at(features: Features, names: frozenset[str]) -> Features:
    """The mapping without those of our own features that are not among `names` (see `config.FeatureName`)."""
    hidden = OWN_NAMES - names - {"version"}
    if "shape" in names:
        hidden -= _SHAPE_GROUP
    return {name: value for name, value in features.items() if name not in hidden}


@lru_cache(maxsize=1024)
def fingerprint(place: str | None) -> str | None:
    """
    A short keyed hash of a repository or directory: the same for every way to spell its address, and no name in it.

    `git@host:owner/name.git`, `https://user@host/owner/name` and `host/owner/name/` are one repository.
    """
    if not place or not place.strip():
        return None
    plain = place.strip().rpartition("://")[2].rpartition("@")[2].rstrip("/\\").removesuffix(".git")
    head, colon, rest = plain.partition(":")
    plain = f"{head}/{rest}" if colon and "/" not in head and len(head) > 1 else plain
    return blake2b(_bytes(plain), digest_size=6, key=b"routerd.repo").hexdigest()


def _shape(text: str, goal: str) -> Features:
    """What the text looks like; numbers and flags only."""
    files = _files(text)
    sorts = list(files.values())
    return {
        "question": goal.rstrip().endswith(_QUESTION_MARKS),
        "code_fence": "```" in text,
        "stack_trace": '", line ' in text or _POSITION.search(text) is not None or _FRAME.search(text) is not None,
        "diff": "\n@@ -" in text or "\ndiff --git " in text or text.startswith("diff --git "),
        "files": len(sorts),
        "tests": sum(_TEST.search(path) is not None for path in files),
        "docs": sorts.count("docs"),
        "config": sorts.count("config"),
        "text": _project(text),
    }


def _files(text: str) -> dict[str, str]:
    """The distinct files that a text names: path without its type, to what sort of file it is."""
    found: dict[str, str] = {}
    for match in islice(_FILE.finditer(text), _FILE_MATCHES_MAX):
        if kind := _FILE_TYPES.get(match[1].lower()):
            end = match.start()
            before = text[end - _PATH_CHARS_MAX : end] if end > _PATH_CHARS_MAX else text[:end]
            if before and not before[-1].isspace():
                path = before.rsplit(None, 1)[-1].strip("`'\"(<[{")
                if path and "://" not in path:
                    found[path] = kind
    return found


def _kind(features: Features) -> str:
    """The kind of a task by its structure, where the caller has no word for it."""
    files = features["files"]
    if features["stack_trace"]:
        return "debug"
    if features["diff"]:
        return "review"
    if features["question"]:
        return "question"
    if files == 0:
        return "open"
    for name in ("tests", "docs", "config"):
        if features[name] == files:
            return name
    return "file-edit" if files == 1 else "cross-file-edit"


def _project(text: str) -> list[int]:
    """
    A signed random projection of the text's 4-grams of bytes, in 64ths: texts that share many have like projections.

    Feature hashing (Weinberger et al. 2009): each gram adds ±1 to one of the dimensions, both by its hash. Divided by
    the root of the number of grams, so that a component is about 1 at most.
    """
    data = _bytes(text[:HASHED_BYTES_MAX])[:HASHED_BYTES_MAX]
    if len(data) < GRAM:
        return [0] * TEXT_DIMS
    grams = np.ndarray((len(data) - GRAM + 1,), _U4, data, strides=(1,))  # each byte begins one
    hashed = grams | _LOWER_CASE
    hashed *= _MULTIPLIER
    hashed >>= _TO_FOUR_BITS
    counts = np.bincount(hashed, minlength=2 * TEXT_DIMS).tolist()
    scale = 64.0 / math.sqrt(len(hashed) * TEXT_DIMS)
    plus, minus = counts[:TEXT_DIMS], counts[TEXT_DIMS:]
    components = [round((more - less) * scale) for more, less in zip(plus, minus, strict=True)]
    return components if max(counts) * scale < 128.0 else [max(-128, min(128, one)) for one in components]


@lru_cache(maxsize=4096)
def _words(known: tuple[str | None, ...]) -> Floats:
    """The part of a vector that follows from names alone (`_WORDS`), which recur from task to task."""
    kind, tier, role, repo, agent = known
    x = np.zeros(DIM)
    x[0] = 1.0
    if kind is not None:
        x[1:_TIER] = code(f"kind:{kind}", KIND_DIMS)
    x[_TIER] = TIERS.get(tier or "", 0.0)
    x[_ORCHESTRATOR] = 1.0 if role == "orchestrator" else 0.0
    # Repository, agent and the caller's own features are hashed together into a few dimensions.
    for name, value in (("repo_fingerprint", repo), ("agent", agent)):
        if value is not None:
            x[_LABEL:] += code(f"{name}={value}", LABEL_DIMS)
    x = np.array([_on_grid(value) for value in x])
    x.setflags(write=False)
    return x


def _callers_code(features: Mapping[str, Any], names: list[str]) -> Floats:
    """The caller's own features: a word adds its code, a number the code of its name by its size, squashed to ±1."""
    total = np.zeros(LABEL_DIMS)
    for name in names:
        value = features[name]
        if isinstance(value, str | bool):
            total += code(f"{name}={value}", LABEL_DIMS)
        else:
            number = _number(value)
            total += code(name, LABEL_DIMS) * (number / (1.0 + abs(number)))
    return total


@lru_cache(maxsize=4096)
def code(name: str, dims: int) -> Floats:
    """A vector of length 1 for a name, each component ±1/√dims by its hash; two names are nearly orthogonal."""
    bits = int.from_bytes(blake2b(_bytes(name), digest_size=8).digest(), "little")
    signs = np.array([1.0 if bits >> i & 1 else -1.0 for i in range(dims)]) / math.sqrt(dims)
    signs.setflags(write=False)
    return signs


def _tokens(task: Task, text: str) -> int:
    if task.token_estimate is None:
        return len(_bytes(text)) // BYTES_PER_TOKEN
    if task.token_estimate < 0:
        raise _invalid("token_estimate", "must not be negative")
    return task.token_estimate


def _callers(name: str, value: Scalar) -> Scalar:
    """A feature of the caller's, checked."""
    path = f"features.{name}"
    if name in OWN_NAMES and name not in CALLERS_NAMES:
        raise _invalid(path, "is a name of routerd's own; use another")
    if isinstance(value, float) and not math.isfinite(value):
        raise _invalid(path, "must be a finite number")
    if name in CALLERS_NAMES:
        kind = CALLERS_NAMES[name]
        if kind is int and isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
            return int(value)
        if kind is not str or not isinstance(value, str):
            raise _invalid(path, f"must be {'a string' if kind is str else 'a number that is not negative'}")
    return _word(value) if name == "task_kind" else value[:NAME_CHARS_MAX] if isinstance(value, str) else value


def _word(value: Scalar) -> str:
    return str(value).strip().casefold()[:NAME_CHARS_MAX]


def _number(value: object) -> float:
    """A finite number, else 0."""
    if isinstance(value, (bool, int, float)):  # a union takes thrice as long to ask
        try:
            number = float(value)
        except OverflowError:
            return 0.0
        return number if math.isfinite(number) else 0.0
    return 0.0


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _on_grid(value: float) -> float:
    return round(max(-LIMIT, min(LIMIT, value)) / GRID) * GRID


def _sixty_fourth(value: object) -> float:
    return _on_grid(_number(value) / 64.0)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _invalid(path: str, reason: str) -> InvalidParams:
    return InvalidParams(f"task.{path} {reason}", {"path": f"task.{path}", "reason": reason})

"""
How fast the catalogue is: building it, and looking a dispatch up for the first time and again.

    python benchmarks/catalog.py            wall time
    python benchmarks/catalog.py --cpu      time of this thread alone, for a machine that is busy with other work

Each lookup is timed by itself. "new" are dispatches that were never seen, each once; "seen" are those of a working set
that is asked for over and over, as a daemon does. The first price of a model at a provider asks the price library.
"""

import random
import sys
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from routerd.catalog import Catalog, ResolveParams
from routerd.catalog.registry import load
from routerd.config import Config
from routerd.errors import RequestError
from routerd.events import Dispatch, Recommend, Task, Tokens

T = TypeVar("T")

CLOCK = time.thread_time_ns if "--cpu" in sys.argv[1:] else time.perf_counter_ns
EFFORTS = (None, "low", "medium", "high", "xhigh")


def report(name: str, call: Callable[[T], object], items: Sequence[T]) -> None:
    """Prints median, 99th percentile and maximum of the time that `call` takes on each item."""
    taken = []
    for item in items:
        begin = CLOCK()
        call(item)
        taken.append((CLOCK() - begin) / 1e3)
    taken.sort()
    p50, p99 = taken[len(taken) // 2], taken[int(len(taken) * 0.99)]
    print(f"{name:28} n {len(taken):6}   p50 {p50:9.1f} µs   p99 {p99:9.1f} µs   max {taken[-1]:9.1f} µs")


def spellings() -> list[str]:
    """Model strings in the forms that logs and people use."""
    found = []
    for model in load().models:
        vendor = model.provider or "meta-llama"
        found += [model.id, f"{vendor}/{model.id}", f"{model.id}-20251101", f"{model.id}-latest", model.id.upper()]
        found += [f"openrouter/{vendor}/{model.id}:free", f"us.anthropic.{model.id}-v1:0", *model.served_as.values()]
    return found


def dispatches(texts: Sequence[str]) -> list[Dispatch]:
    """Every string at every effort, with and without a provider, in random order."""
    found = [
        Dispatch(executor="delegate", model=text, provider=provider, reasoning_effort=effort)
        for text in texts
        for effort in EFFORTS
        for provider in (None, "openrouter")
    ]
    random.Random(0).shuffle(found)
    return found


def resolvable(catalog: Catalog, params: ResolveParams) -> bool:
    """Whether it resolves at all: not every model takes an effort."""
    try:
        catalog.resolve(params)
    except RequestError:
        return False
    return True


def passes(catalog: Catalog, question: Recommend) -> bool:
    """Whether a question means something: random strings at random variants need not."""
    try:
        catalog.check_request(question)
    except RequestError:
        return False
    return True


def main() -> None:
    """Prints the table."""
    report("build", lambda _: Catalog(Config(), {}), range(50))
    catalog = Catalog(Config(), {})
    report("warm (import of the prices)", lambda _: catalog.warm(), range(1))
    asked = dispatches(spellings())
    report("canonical, new", catalog.canonical, asked)
    working_set = asked[:200]
    seen = random.Random(1).choices(working_set, k=100_000)
    report("canonical, seen", catalog.canonical, seen)
    report("attributes, new", catalog.attributes, working_set)
    report("attributes, seen", catalog.attributes, seen)
    params = [ResolveParams(model=d.model, reasoning_effort="high", provider=d.provider) for d in seen[:20_000]]
    report("resolve", catalog.resolve, [p for p in params if resolvable(catalog, p)])
    report("reached (of a pick), seen", lambda d: catalog.reached(d, None, 0), seen)
    questions = [Recommend(task=Task(goal="x"), candidates=[*working_set[i : i + 8]]) for i in range(0, 184, 8)]
    report("check of a question of 8", catalog.check_request, [q for q in questions * 100 if passes(catalog, q)])
    tokens = Tokens(input=1000, output=500, cache_read=20_000)
    for name in ("price, new", "price, seen"):
        priced = working_set if name == "price, new" else seen
        report(name, lambda d: catalog.price(d.provider, d.model, tokens, 1.79e9), priced)
    report("models", lambda _: catalog.models(), range(1000))
    report("prompt", lambda _: catalog.prompt(), range(1000))


if __name__ == "__main__":
    main()

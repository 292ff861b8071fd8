"""
Whatever the bytes are: nothing is raised. The line decoder, every source and the request decoder, each for so long.

    python benchmarks/fuzz.py [--seconds 60] [--seed N] [--json FILE]

What is fed are the synthetic homes of the tests and the hostile messages of `tests/rpc/hostile.py`, damaged: bytes
flipped, cut out, doubled and spliced in from another record; members of the JSON replaced by any value; records cut,
doubled and lost. A machine is drained and packed up on the way, and what it says must be writable. The decoder of
requests must refuse, or give what can be answered; the splitter of lines must give the same lines however the bytes are
cut. Whatever comes on top of that (compressed logs, documents) goes through the same machines. Exit code 1 with the
seed of the case that failed.
"""

import argparse
import json
import random
import secrets
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import msgspec
import with_tests  # noqa: F401
from msgspec import UNSET

from routerd.rpc.jsonrpc import Refused, failure, read_request, reply
from routerd.sources import SOURCES
from routerd.tail.lines import LineSplitter
from tests.rpc.hostile import any_value, messages
from tests.sources.damage import damaged, garbled, spoilt, survives


def source(agent: str) -> Callable[[random.Random], None]:
    """A home of one agent, damaged in its JSON and then in its bytes."""

    def one(rng: random.Random) -> None:
        survives(agent, [garbled(item, rng) for item in damaged(agent, rng, lambda: any_value(rng))])

    return one


def request(rng: random.Random) -> None:
    """A hostile message, as it is or garbled: refused with a reply that is JSON, or taken."""
    line, other = messages(2, rng.randrange(1 << 40))
    data = line[:-1] if rng.random() < 0.3 else spoilt(line[:-1], rng, other)
    found = read_request(data)
    if isinstance(found, Refused):
        if found.id is UNSET:
            return
        written = failure(found.id, found.error)
    else:
        written = reply(0 if found.id is UNSET else found.id, found.params)
    assert written.endswith(b"\n")
    assert written.count(b"\n") == 1
    msgspec.json.decode(written)


def lines(rng: random.Random) -> None:
    """Bytes with many ends, NULs and byte order marks: the same lines however they are cut."""
    alphabet = [b"\n", b"\0", b"\r", b"\xef\xbb\xbf", b"{}", b"x" * 30, b"\xff", b"\xc3", b'"']
    data = b"".join(rng.choices(alphabet, k=rng.randrange(200)))
    most = rng.randrange(1, 64)
    whole, cut = LineSplitter(line_bytes_max=most), LineSplitter(line_bytes_max=most)
    expected = whole.push(data)
    got = []
    while data:
        size = rng.randrange(1, 40)
        got += cut.push(data[:size])
        data = data[size:]
    assert (expected, whole.position, whole.dropped, whole.rest) == (got, cut.position, cut.dropped, cut.rest)


TARGETS: dict[str, Callable[[random.Random], None]] = {
    "lines": lines,
    "request": request,
    **{agent: source(agent) for agent in sorted(SOURCES)},
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60, help="for each target")
    parser.add_argument("--seed", type=int, default=None, help="of the first case; the next have the next numbers")
    parser.add_argument("--only", choices=TARGETS, nargs="*", default=list(TARGETS))
    parser.add_argument("--json", type=Path, help="write the figures here")
    arguments = parser.parse_args()
    first = secrets.randbits(32) if arguments.seed is None else arguments.seed
    figures = {}
    for name in arguments.only:
        end, seed = time.monotonic() + arguments.seconds, first
        while time.monotonic() < end:
            try:
                TARGETS[name](random.Random(seed))
            except Exception:
                traceback.print_exc()
                print(f"{name}: --only {name} --seed {seed} --seconds 0.001")
                return 1
            seed += 1
        figures[name] = seed - first
        print(f"{name}: {seed - first} cases, nothing raised", flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps({"seconds each": arguments.seconds, **figures}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

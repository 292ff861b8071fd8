"""Dependencies run down only, and the pure core stays pure: read from the imports, so that it stays so."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "routerd"
IO = {
    "anyio",
    "asyncio",
    "aiosqlite",
    "watchfiles",
    "socket",
    "sqlite3",
    "time",
    "subprocess",
    "threading",
    "selectors",
}

# From the top down. A module may import from its own line and from those below.
LAYERS = [
    ["cli"],
    ["daemon"],
    ["core", "integrations.mirror", "integrations.hindsight", "integrations.outcome_documents"],
    [
        "rpc.server",
        "rpc.listen",
        "rpc.notify",
        "store.writer",
        "store.database",
        "store.reader",
        "store.history",
        "store.statements",
        "tail.follow",
    ],
    ["tail.reading"],
    ["tail.worker", "tail.discover", "tail.group", "tail.logfile", "tail.rows", "tail.files", "client", "integrations"],
    ["rpc.handlers", "nearest", "summary", "savings", "audit", "drift", "metrics", "spans", "foresight", "page"],
    ["integrations.edits"],
    [
        "rpc.jsonrpc",
        "rpc.framing",
        "rpc.limits",
        "rpc.messages",
        "store.batch",
        "store.rows",
        "store.schema",
        "tail.registry",
        "rpc",
    ],
    ["store", "redact", "describe", "records", "tail.checkpoint", "tail.lines", "tail"],
    ["replay"],
    ["engine", "evaluation", "effects", "otherwise"],
    ["choice", "slate", "gate"],
    ["policies", "sources", "catalog"],
    ["posterior", "prior", "evidence", "reward", "features", "budget", "policy_yaml", "matrix"],
    ["config", "places"],
    ["events"],
    ["errors", "quick_json", "units", "__init__"],
]
PURE = next(number for number, line in enumerate(LAYERS) if "summary" in line)
UPWARD = {
    # The reader's connections and the rows that they give: a pure function of rows lives with the table it makes.
    ("summary", "store.reader"),
    ("nearest", "store.reader"),
    # A group holds the reader that has its memory.
    ("tail.registry", "tail.group"),
}


def modules() -> dict[str, ast.Module]:
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): ast.parse(path.read_text())
        for path in ROOT.rglob("*.py")
    }


def layer(module: str) -> int:
    """The line of a module: its own name's, or that of the folder that it is in."""
    for name in (module, module.rpartition(".")[0], module.partition(".")[0]):
        for number, line in enumerate(LAYERS):
            if name in line:
                return number
    raise AssertionError(f"{module} has no place in LAYERS")


def imports(tree: ast.Module) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


MODULES = modules()


@pytest.mark.parametrize("name", sorted(MODULES))
def test_a_module_imports_only_what_is_beside_or_below_it(name: str) -> None:
    wanted = {one.removeprefix("routerd.") for one in imports(MODULES[name]) if one.startswith("routerd.")}
    for other in sorted(wanted & MODULES.keys() - {name}):
        allowed = layer(other) >= layer(name) or (name, other) in UPWARD
        assert allowed, f"{name} (line {layer(name)}) imports {other} (line {layer(other)})"


@pytest.mark.parametrize("name", sorted(name for name in MODULES if layer(name) >= PURE))
def test_the_pure_core_knows_no_clock_no_loop_and_no_file(name: str) -> None:
    top = {one.split(".")[0] for one in imports(MODULES[name])}
    assert not top & IO, f"{name} imports {sorted(top & IO)}"

"""The configuration: every key with its default, decoded strictly.

No file is needed. `config/routerd.toml` lists every key with these same defaults. An unknown key, a value of the wrong
kind or one out of range is a `ConfigError` that names the file, the key's path and, for a typing error, the right name.
"""

import difflib
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec
from msgspec import Meta

from routerd.errors import ConfigError
from routerd.events import Objective

Fraction = Annotated[float, Meta(ge=0.0, le=1.0)]
Positive = Annotated[float, Meta(gt=0.0, le=1e9)]
NotNegative = Annotated[float, Meta(ge=0.0, le=1e9)]
Count = Annotated[int, Meta(ge=1)]


class Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One table of the file."""


class SourceConfig(Table, frozen=True, kw_only=True):
    """One kind of log. `roots` replaces the places that are looked at by default."""

    enabled: bool = True
    roots: list[str] = []


class TailConfig(Table, frozen=True, kw_only=True):
    """How logs are followed."""

    watch: bool = True
    debounce_ms: Count = 50
    step_ms: Count = 15
    rescan_recent_s: Positive = 3.0
    rescan_all_s: Positive = 60.0
    poll_database_s: Positive = 0.25
    idle_after_s: Positive = 3600.0
    line_bytes_max: Annotated[int, Meta(ge=65536)] = 64 * 1024 * 1024


class StoreConfig(Table, frozen=True, kw_only=True):
    """How the database is written."""

    batch_rows_max: Count = 256
    snapshot_every_s: Positive = 60.0
    decisions_keep_days: Positive = 365.0


class SocketConfig(Table, frozen=True, kw_only=True):
    """Limits of the socket."""

    line_bytes_max: Annotated[int, Meta(ge=4096)] = 1024 * 1024
    requests_in_flight_max: Count = 1024
    connections_max: Count = 4096


class PrivacyConfig(Table, frozen=True, kw_only=True):
    """What is kept."""

    store_text: bool = False


class LogConfig(Table, frozen=True, kw_only=True):
    """The daemon's own log."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "pretty", "json"] = "auto"


class PolicyConfig(Table, frozen=True, kw_only=True):
    """
    How an arm is chosen.

    Attributes:
        name: One of the policies.
        exploration: Of thompson_sampling: how much what a choice teaches counts against what it may lose; 0 tries
            nothing, 0.5 is the textbook.
        optimism: Of ucb: how many standard deviations of doubt it adds to what it expects.
        explore_floor: Probability that is spread over all arms not expected to do worse (by `gate.delta`).
        explore_usd_per_day: The floor is off for the day once trying has cost so much more than the best arms.
        explore_minutes_per_day: The same of minutes.
        epsilon: Of epsilon_greedy: probability of any arm at all.
        sticky_s: For so long the same question in one session gets the same answer.
        seed: Of the randomness; without one it is fresh at every start.
    """

    name: Literal["thompson_sampling", "ucb", "epsilon_greedy", "off"] = "thompson_sampling"
    exploration: Fraction = 0.2
    optimism: NotNegative = 0.5
    explore_floor: Fraction = 0.05
    explore_usd_per_day: NotNegative = 1.0
    explore_minutes_per_day: NotNegative = 30.0
    epsilon: Fraction = 0.1
    sticky_s: NotNegative = 600.0
    seed: Annotated[int, Meta(ge=0)] | None = None


class ObjectiveConfig(Table, frozen=True, kw_only=True):
    """
    What success and time are worth, in US dollars.

    Attributes:
        default: Objective of a request that names none.
        success_usd: Worth of one success.
        hour_usd: Worth of one hour of wall time.
        emphasis: `fast` multiplies the hour by this, `cheap` the money spent, `best` the success.
    """

    default: Objective = "balanced"
    success_usd: NotNegative = 5.0
    hour_usd: NotNegative = 10.0
    emphasis: Positive = 5.0


class GateConfig(Table, frozen=True, kw_only=True):
    """When a pick may be applied without asking: P(success drops by more than `delta`) < `epsilon`."""

    delta: Fraction = 0.03
    epsilon: Fraction = 0.1


class BudgetConfig(Table, frozen=True, kw_only=True):
    """Caps on what the tasks of the last 24 hours and 7 days cost; the nearer, the more a dollar weighs."""

    usd_per_day: Positive | None = None
    usd_per_week: Positive | None = None


FeatureName = Literal[
    "task_kind",
    "repo_fingerprint",
    "rough_token_estimate",
    "parent_model_tier",
    "depth",
    "role",
    "agent",
    "shape",
    "text",
]


class LearningConfig(Table, frozen=True, kw_only=True):
    """
    How outcomes become belief.

    Attributes:
        half_life_days: After so long an outcome counts half.
        span_days: Outcomes age together in spans of so long.
        observed_max: What others chose counts as at most so many outcomes per arm, however many there are: hard tasks
            may have gone to strong arms. What routerd chose itself is not bounded.
        scope_pooling: In a scope, outcomes of other scopes count by this factor.
        features: What is looked at of a task, besides what clients name themselves.
    """

    half_life_days: Positive = 90.0
    span_days: Positive = 14.0
    observed_max: NotNegative = 40.0
    scope_pooling: Fraction = 0.3
    features: list[FeatureName] = msgspec.field(default_factory=lambda: list(get_args(FeatureName)))


class ColdStartConfig(Table, frozen=True, kw_only=True):
    """What is known before the first log: a file of outcomes, one JSON object a line (see `routerctl import`)."""

    seed_from: str | None = None


class ProviderConfig(Table, frozen=True, kw_only=True):
    """
    What resolution needs to know of a provider; credentials are named, never held.

    Attributes:
        default_model: Runs when the provider is named without a model.
        api_mode: `chat_completions`, `codex_responses`, `anthropic_messages` or `bedrock_converse`.
        credential_env: The variable that holds the key. Where it is named here and not set, the arm is removed.
        models: What it serves; an empty list says nothing.
        efforts: Levels of reasoning effort that it takes; an empty list leaves them as known.
        acp_command, acp_args: How an agent is started that speaks ACP; handed on untouched.
    """

    default_model: str | None = None
    base_url: str | None = None
    api_mode: str | None = None
    credential_env: str | None = None
    models: list[str] = []
    efforts: list[str] = []
    acp_command: str | None = None
    acp_args: list[str] = []


class PoolModel(Table, frozen=True, kw_only=True):
    """
    One entry of the pool: what is set must be so, what is not set may be anything.

    Attributes:
        agent: Who runs the child: the agent that asks, or another that the task is handed to.
        strengths: Kinds of task that it is good at.
        max_cost_usd, max_wall_time_ms: Tasks that are expected to take more go elsewhere.
    """

    model: str | None = None
    provider: str | None = None
    agent: str | None = None
    profile: str | None = None
    reasoning_effort: str | None = None
    role: Literal["leaf", "orchestrator"] | None = None
    strengths: list[str] = []
    max_cost_usd: Positive | None = None
    max_wall_time_ms: Count | None = None


class PoolConfig(Table, frozen=True, kw_only=True):
    """Nothing outside the pool is ever recommended. An empty list of models allows every known one."""

    models: list[str | PoolModel] = []
    on_outside: Literal["refuse", "fallback"] = "refuse"


class PriceConfig(Table, frozen=True, kw_only=True):
    """A model's own price in US dollars per million tokens; cache prices left out are taken as `input`."""

    input: NotNegative
    output: NotNegative
    cache_read: NotNegative | None = None
    cache_write: NotNegative | None = None
    context_length: Count | None = None


class CatalogConfig(Table, frozen=True, kw_only=True):
    """The user's own words for models. Tiers stand in order, the smallest first."""

    aliases: dict[str, str] = {}
    tiers: dict[str, str] = {}
    prices: dict[str, PriceConfig] = {}


class DelegationConfig(Table, frozen=True, kw_only=True):
    """
    What a delegation runs on when nobody says otherwise, and how deep it may go.

    Attributes:
        max_spawn_depth: Levels of children, brought into 1 to 3; at 1 no child has children of its own.
        orchestrator_enabled: Off, every orchestrator is a leaf.
        max_concurrent_children: At least 1.
    """

    model: str | None = None
    provider: str | None = None
    reasoning_effort: str | None = None
    max_spawn_depth: int = 1
    orchestrator_enabled: bool = True
    max_concurrent_children: int = 3


class Config(Table, frozen=True, kw_only=True):
    """The whole file."""

    sources: dict[str, SourceConfig] = {}
    tail: TailConfig = TailConfig()
    store: StoreConfig = StoreConfig()
    socket: SocketConfig = SocketConfig()
    privacy: PrivacyConfig = PrivacyConfig()
    log: LogConfig = LogConfig()
    policy: PolicyConfig = PolicyConfig()
    objective: ObjectiveConfig = ObjectiveConfig()
    budget: BudgetConfig = BudgetConfig()
    gate: GateConfig = GateConfig()
    cold_start: ColdStartConfig = ColdStartConfig()
    learning: LearningConfig = LearningConfig()
    pool: PoolConfig = PoolConfig()
    catalog: CatalogConfig = CatalogConfig()
    providers: dict[str, ProviderConfig] = {}
    delegation: DelegationConfig = DelegationConfig()


def load(path: Path | None, agents: frozenset[str]) -> Config:
    """
    Reads the configuration.

    Args:
        path: The file, or None where none exists.
        agents: Names that may stand under `sources`.

    Raises:
        ConfigError: The file cannot be read, is not TOML, or says something that `Config` does not.
    """
    if path is None:
        return Config()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"{path}: cannot be read: {reason}") from None
    return decode(text, str(path), agents)


def decode(text: str, name: str, agents: frozenset[str]) -> Config:
    """
    The configuration in a TOML text; `name` stands for the file in messages.

    Raises:
        ConfigError: As for `load`.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{name}: not valid TOML: {error}") from None
    for agent in table.get("sources", {}) if isinstance(table.get("sources"), dict) else ():
        if agent not in agents:
            raise ConfigError(f"{name}: sources.{agent}: no such source{_nearest(agent, agents)}")
    try:
        return msgspec.convert(table, Config)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{name}: {_explain(str(error), table)}") from None


def changed_keys(old: Config, new: Config) -> list[str]:
    """The keys (`table.key`) whose values differ."""
    before, after = msgspec.to_builtins(old), msgspec.to_builtins(new)
    keys = []
    for table in before.keys() | after.keys():
        a, b = before.get(table, {}), after.get(table, {})
        keys += [f"{table}.{key}" for key in a.keys() | b.keys() if a.get(key) != b.get(key)]
    return sorted(keys)


def _explain(message: str, table: dict[str, Any]) -> str:
    """A message of msgspec as `key.path: what is wrong`, with the nearest right name for an unknown key."""
    found = re.fullmatch(r"(?s)(.*?)(?: - at `(.*)`)?", message)
    what, where = (found[1], found[2] or "$") if found else (message, "$")
    path = _named(where.removeprefix("$").removeprefix("."), table)
    if unknown := re.search(r"unknown field `(.*?)`", what):
        key = f"{path}.{unknown[1]}" if path else unknown[1]
        return f"{key}: no such key{_nearest(unknown[1], _keys(path))}"
    if wrong := re.fullmatch(r"Invalid enum value '(.*)'", what):
        return f"{path}: {wrong[1]!r} is none of its values{_nearest(wrong[1], _values(path))}"
    return f"{path or 'the file'}: {what[0].lower()}{what[1:]}"


def _named(path: str, table: dict[str, Any]) -> str:
    """A path of msgspec, in which the member of a mapping is `[...]`, with the name of the member that is wrong."""
    before, found, after = path.partition("[...]")
    if not found:
        return path
    *outer, last = before.split(".")
    members = table
    for key in (*outer, last):
        members = members[key]
    for name, value in members.items():
        alone: dict[str, Any] = {last: {name: value}}
        for key in reversed(outer):
            alone = {key: alone}
        try:
            msgspec.convert(alone, Config)
        except msgspec.ValidationError:
            return f"{before}.{name}{after}"
    return path


def _kind(path: str) -> Any:
    """The type of a table or a key."""
    kind: Any = Config
    for part in path.split(".") if path else ():
        fields = getattr(kind, "__annotations__", {})
        kind = fields.get(part.partition("[")[0], kind)
        while get_origin(kind) is not Literal and (arguments := getattr(kind, "__args__", ())):
            kind = next((one for one in reversed(arguments) if one is not type(None)), None)
    return kind


def _keys(path: str) -> frozenset[str]:
    """The keys that a table may hold."""
    return frozenset(getattr(_kind(path), "__struct_fields__", ()))


def _values(path: str) -> frozenset[str]:
    """The values that a key may have."""
    return frozenset(get_args(_kind(path)))


def _nearest(name: str, known: frozenset[str]) -> str:
    if near := difflib.get_close_matches(name, known, n=1, cutoff=0.5):
        return f"; did you mean {near[0]!r}?"
    return f"; known are {', '.join(sorted(known))}" if known else ""

"""The dispatch vocabulary from outside: with a daemon and without one, as text, as JSON and on the socket."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from routerd.client import subscribe
from routerd.errors import InvalidParams, NoArmLeft, OutsidePool, RequestError, UnknownModel
from tests.harness import Daemon, Place

CONFIG = """
[catalog.tiers]
small = "haiku"
medium = "sonnet"
large = "opus"

[catalog.aliases]
coder = "glm-4.7 --provider zai"

[pool]
models = [
  "haiku",
  {model = "sonnet", strengths = ["refactor"], max_cost_usd = 0.5},
  {model = "opus", strengths = ["debug", "design"]},
  {model = "glm-4.7", provider = "zai"},
]

[providers.zai]
credential_env = "MY_GLM_KEY"
"""
TASK = {"goal": "Fix the parser of the configuration in config.py", "agent": "codex"}


def prepared(home: Path) -> Place:
    """A home with the configuration above, and the key of one of two providers."""
    place = Place(home)
    place.write({".config/routerd/config.toml": CONFIG.encode()})
    place.env["ANTHROPIC_API_KEY"] = "not-a-key"
    return place


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with prepared(tmp_path_factory.mktemp("home")).daemon() as running:
        yield running


@pytest.fixture
def alone(tmp_path: Path) -> Place:
    return prepared(tmp_path)


def ran(place: Place, *arguments: str, code: int = 0) -> str:
    done = place.run("routerctl", *arguments)
    assert done.returncode == code, (arguments, done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") <= 1
    return done.stdout + done.stderr


# --- the same answers everywhere --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "method", "params"),
    [
        (["resolve", "opus", "--reasoning-effort", "ultra"], "resolve", {"model": "opus", "reasoning_effort": "ultra"}),
        (
            ["resolve", "--call-model", "large", "--parent-model", "sonnet", "--global"],
            "resolve",
            {"call": {"model": "large"}, "parent": {"model": "sonnet"}},
        ),
        (["models", "--tier", "small"], "models", {"tier": "small"}),
    ],
)
def test_with_and_without_a_daemon_as_text_as_json_and_on_the_socket_it_is_the_same(
    daemon: Daemon, alone: Place, arguments: list[str], method: str, params: dict[str, Any]
) -> None:
    assert ran(daemon.place, *arguments) == ran(alone, *arguments)
    assert json.loads(ran(alone, *arguments, "--json")) == daemon.ask(method, **params)


def test_the_prompt_is_the_same_bytes_wherever_it_comes_from(daemon: Daemon, alone: Place) -> None:
    assert ran(daemon.place, "models", "--prompt") == ran(alone, "models", "--prompt") == daemon.ask("models")["prompt"]


def test_what_resolve_shows(daemon: Daemon) -> None:
    shown = ran(daemon.place, "resolve", "glm-4.7", "--role", "orchestrator", "--acp-command", "me", "--acp-arg", "-x")
    assert "provider=zai model=glm-4.7 role=leaf" in shown
    assert "at https://api.z.ai/api/paas/v4 (chat_completions)" in shown
    assert "started by me -x" in shown
    assert "credential $MY_GLM_KEY: not set" in shown
    assert "warning: orchestrator becomes leaf: a child at depth 1 is as deep as max_spawn_depth 1" in shown
    assert "credential $ANTHROPIC_API_KEY: set" in ran(daemon.place, "resolve", "opus")


def test_a_list_for_a_tool(daemon: Daemon) -> None:
    answer = daemon.ask("models")
    inside = [one for one in answer["models"] if one["in_pool"]]
    assert [one["id"] for one in inside] == ["claude-opus-5-5", "claude-sonnet-5-5", "glm-4.7", "claude-haiku-5-5"]
    assert inside[0]["aliases"] == ["large", "opus"]
    assert inside[0]["strengths"] == ["debug", "design"]
    for one in answer["models"]:
        assert one["tier"] in ("frontier", "advanced", "mid", "light")
        assert one["capability"]["path"] in ("weighted", "irt", "size", "family", "effort")
        assert one["capability"]["se"] > 0.0
    for shown in (answer["prompt"], answer["schema"]):
        assert "claude-opus-5-5" in shown
        assert "Never write provider:model" in shown
    assert [one["id"] for one in daemon.ask("models", tier="large")["models"]] == ["claude-opus-5-5"]


def test_the_report_shows_every_model_with_its_sources(alone: Place) -> None:
    shown = ran(alone, "models", "--report")
    rows = {line.split()[0]: line.split() for line in shown.splitlines() if line and not line.startswith(" ")}
    assert rows["model"][:5] == ["model", "score", "s.e.", "tier", "path"]
    assert rows["gpt-4o"][1:5] == ["0.815", "0.025", "advanced", "weighted"]
    assert "humaneval 90.2" in shown
    assert "LLM-Stats, scores as published by the vendors, 2025-10-16, CC-BY-4.0" in shown
    report = json.loads(ran(alone, "models", "--report", "--json"))
    assert len(report["models"]) >= 60
    for row in report["models"]:
        assert {"score", "se", "tier", "path", "source"} <= row.keys()
        assert all(figure["source"] in report["sources"] and figure["date"] for figure in row["figures"])


# --- a batch ----------------------------------------------------------------------------------------------------------


def test_a_batch_of_three_tasks_on_three_models_over_two_providers(daemon: Daemon) -> None:
    """Each task with its own model, provider, effort and credential; what is wrong with a fourth is its own matter."""
    asked = [
        {"executor": "delegate", "model": "opus", "reasoning_effort": "ultra"},
        {"executor": "delegate", "model": "glm-4.7", "provider": "zai"},
        {"executor": "delegate", "model": "haiku", "provider": "anthropic"},
        {"executor": "delegate", "model": "gpt-5"},
    ]
    answer = daemon.ask("recommend_batch", tasks=[{"task": TASK, "pinned": one, "candidates": [one]} for one in asked])
    *picks, outside = answer["decisions"]
    assert [(pick["resolved"]["dispatch"]["provider"], pick["resolved"]["dispatch"]["model"]) for pick in picks] == [
        ("anthropic", "claude-opus-5-5"),
        ("zai", "glm-4.7"),
        ("anthropic", "claude-haiku-5-5"),
    ]
    assert [pick["resolved"]["credential"] for pick in picks] == [
        {"kind": "env", "name": "ANTHROPIC_API_KEY", "present": True},
        {"kind": "env", "name": "MY_GLM_KEY", "present": False},
        {"kind": "env", "name": "ANTHROPIC_API_KEY", "present": True},
    ]
    assert [pick["resolved"]["api_mode"] for pick in picks] == [
        "anthropic_messages", "chat_completions", "anthropic_messages",
    ]  # fmt: skip
    assert picks[0]["dispatch"] == asked[0]  # echoed as the client wrote it
    assert picks[0]["resolved"]["dispatch"]["reasoning_effort"] == "max"
    assert outside["error"]["code"] == OutsidePool.code
    assert "not-a-key" not in json.dumps(answer)


def test_the_agent_itself_and_what_leaves_the_model_open_resolve_to_nothing(daemon: Daemon) -> None:
    assert "resolved" not in daemon.ask("recommend", task=TASK, candidates=["local"])


# --- bad input --------------------------------------------------------------------------------------------------------

OPUS = {"executor": "delegate", "model": "opus"}

BAD: list[tuple[str, dict[str, Any], type[RequestError], str]] = [
    ("resolve", {"model": ""}, InvalidParams, "model: no model is named"),
    ("resolve", {"model": "x" * 10_240}, InvalidParams, "model: is longer than 512 characters"),
    ("resolve", {"model": "opus\u0007"}, InvalidParams, "model: control characters are in no model's name"),
    ("resolve", {"model": "opus", "provider": "nope"}, UnknownModel, "no such provider 'nope'"),
    ("resolve", {"model": "gpt-4o", "reasoning_effort": "high"}, InvalidParams, "gpt-4o takes no reasoning effort"),
    ("resolve", {"model": "opus", "reasoning_effort": "turbo"}, InvalidParams, "no such level 'turbo'; known are none"),
    ("resolve", {"model": "zai:glm-4.7"}, UnknownModel, "write 'glm-4.7 --provider zai'"),
    ("resolve", {"model": "opus", "depth": -1}, InvalidParams, "depth: expected int >= 0"),
    ("resolve", {"model": "opus", "call": {"modle": "x"}}, InvalidParams, "call.modle: no such member"),
    ("resolve", {"model": "large", "failed": ["small"]}, NoArmLeft, "2 tiers above the last failed attempt"),
    ("resolve", {"model": "gpt-5"}, OutsidePool, "delegate:openai:gpt-5 is outside the pool; allowed are delegate:"),
    ("models", {"tier": "forntier"}, InvalidParams, "tier: no such tier 'forntier'; known are small, medium, large"),
    ("models", {"provider": "opnrouter"}, UnknownModel, "did you mean 'openrouter'"),
    (
        "recommend",
        {"task": TASK, "candidates": ["local", {"executor": "delegate", "model": "anthropic:opus"}]},
        UnknownModel,
        "candidates[1].model: 'anthropic:opus' is not a model: a colon belongs to a model's variant; "
        "write 'opus --provider anthropic'",
    ),
    (
        "recommend",
        {"task": TASK, "candidates": [{**OPUS, "reasoning_effort": "turbo"}]},
        InvalidParams,
        "candidates[0].reasoning_effort: no such level 'turbo'",
    ),
    ("recommend", {"task": TASK, "pinned": {**OPUS, "model": "a\u0000"}}, InvalidParams, "pinned.model: control char"),
    (
        "recommend",
        {"task": TASK, "candidates": [OPUS], "constraints": {"tiers": ["large", "hgue"]}},
        InvalidParams,
        "constraints.tiers[1]: no such tier 'hgue'",
    ),
]


@pytest.mark.parametrize(("method", "params", "kind", "words"), BAD)
def test_bad_input_is_one_clear_error(
    daemon: Daemon, method: str, params: dict[str, Any], kind: type[RequestError], words: str
) -> None:
    with pytest.raises(kind) as caught:
        daemon.ask(method, **params)
    assert words in caught.value.message
    assert len(caught.value.message) < 400
    assert caught.value.message.isprintable()


@pytest.mark.parametrize(
    ("text", "place_", "words"),
    [
        ('[catalog.aliases]\na = "b"\nb = "a"\n', "catalog.aliases.a", "alias cycle a → b → a"),
        ('[pool]\nmodels = ["opus", "sonet"]\n', "pool.models[1]", "did you mean 'sonnet'"),
        ('[pool]\nmodels = ["zai:glm-4.7"]\n', "pool.models[0]", "write 'glm-4.7 --provider zai'"),
        ('[providers.openai]\ndefault_model = "opus"\n', "providers.openai.default_model", "openai does not serve"),
        ('[delegation]\nmodel = "gpt-4o"\nreasoning_effort = "low"\n', "delegation.reasoning_effort", "takes no"),
    ],
)
def test_a_bad_configuration_is_told_with_its_file_and_key(alone: Place, text: str, place_: str, words: str) -> None:
    alone.write({".config/routerd/config.toml": text.encode()})
    for command in (["resolve", "opus"], ["config", "check"]):
        said = ran(alone, *command, code=78)
        assert said.startswith(f"routerctl: {alone.home}/.config/routerd/config.toml: {place_}: ")
        assert words in said


# --- escalation, events, and what is logged ---------------------------------------------------------------------------


def test_one_step_up_for_each_failed_attempt(daemon: Daemon) -> None:
    up = daemon.ask(
        "resolve", model="medium", failed=["delegate:anthropic:claude-haiku-5-5"], budget_usd=1, cost_usd=0.4
    )
    assert up["dispatch"]["model"] == "claude-sonnet-5-5"
    assert "2 tiers above" in ran(daemon.place, "resolve", "large", "--failed", "small", code=1)
    assert "over the budget" in ran(
        daemon.place, "resolve", "medium", "--failed", "small", "--budget-usd", "1", "--cost-usd", "2", code=1
    )


def test_a_delegation_is_told_from_spawn_to_end_and_logged(daemon: Daemon) -> None:
    heard: list[dict[str, Any]] = []
    names = ["decision", "subagent.start", "delegate.task_completed", "delegate.task_failed"]

    def listen() -> None:
        for event in subscribe(names, socket=daemon.place.socket):
            heard.append(event)
            if event["event"] == "delegate.task_failed":
                return

    listener = threading.Thread(target=listen)
    listener.start()
    daemon.until(lambda: daemon.ask("recommend", task=TASK, candidates=["local"]) and heard)  # until it is heard
    heard.clear()
    dispatch = {**OPUS, "reasoning_effort": "high", "role": "leaf"}
    for succeeded in (True, False):
        pick = daemon.ask("recommend", task=TASK, pinned=dispatch, candidates=[dispatch])
        for _ in range(2):  # a second report of the same unit is no second spawn
            outcome = {"succeeded": succeeded, "wall_time_ms": 1200}
            daemon.ask("report", decision_id=pick["decision_id"], outcome=outcome, outcome_id=pick["decision_id"])
    listener.join(10)
    told = [event for event in heard if event["event"] != "decision"]
    assert [event["event"] for event in told] == [
        "delegate.task_spawned", "delegate.task_completed", "delegate.task_spawned", "delegate.task_failed",
    ]  # fmt: skip
    for event in told:
        said = {name: event[name] for name in ("provider", "model", "reasoning_effort", "role")}
        assert said == {"provider": "anthropic", "model": "opus", "reasoning_effort": "high", "role": "leaf"}
    logged = [line for line in daemon.log.read_text().splitlines() if '"delegation"' in line]
    assert len(logged) == 2
    assert json.loads(logged[0]).items() >= said.items()


@pytest.mark.parametrize(
    ("asked", "subscribed"),
    [
        (["tool.started", "_thinking"], ["delegate.task_thinking", "delegate.tool_started"]),
        (["delegate.tool_*"], ["delegate.tool_started", "delegate.tool_completed"]),
        (["subagent_progress"], ["delegate.task_progress"]),
    ],
)
def test_older_names_of_events_are_accepted(daemon: Daemon, asked: list[str], subscribed: list[str]) -> None:
    assert daemon.ask("subscribe", events=asked)["subscribed"] == subscribed

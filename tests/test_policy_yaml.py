"""The YAML of the feature request, read into wishes for routerd's own configuration."""

import pytest

from routerd.errors import ConfigError
from routerd.policy_yaml import Wishes, read

REQUEST = """
delegation:
  policy:
    enabled: true
    store: hindsight                    # where outcomes persist
    features: [task_kind, repo_fingerprint, rough_token_estimate, parent_model_tier]
    decision_space:
      - ["local", null]                 # keep it in-process
      - ["delegate", "fast-worker"]
      - ["delegate", "strong-worker"]
    update_rule: thompson_sampling      # or: ucb, epsilon_greedy, off
    cold_start:
      seed_from: ~/.hermes/delegation_seed.jsonl
"""


def policy(lines: str) -> Wishes:
    return read("delegation:\n  policy:\n    " + lines.replace("\n", "\n    "), "h.yaml")


def test_the_request_itself() -> None:
    wishes = read(REQUEST, "h.yaml")
    assert wishes.values == {
        "policy.name": "thompson_sampling",
        "learning.features": ["task_kind", "repo_fingerprint", "rough_token_estimate", "parent_model_tier"],
        "cold_start.seed_from": "~/.hermes/delegation_seed.jsonl",
    }
    assert wishes.pool == [{"profile": "fast-worker"}, {"profile": "strong-worker"}]
    notes = "\n".join(wishes.notes)
    for said in ("store 'hindsight'", "nothing outside the pool"):
        assert said in notes


@pytest.mark.parametrize(
    ("lines", "rule"),
    [
        ("update_rule: ucb", "ucb"),
        ("update_rule: epsilon_greedy", "epsilon_greedy"),
        ("update_rule: off", "off"),  # YAML 1.1 reads `off` as false
        ("update_rule: 'off'", "off"),
        ("enabled: no\nupdate_rule: ucb", "off"),
        ("enabled: yes\nupdate_rule: ucb", "ucb"),
    ],
)
def test_the_rule(lines: str, rule: str) -> None:
    assert policy(lines).values == {"policy.name": rule}


def test_keys_of_the_same_name_are_taken_over_and_others_left_alone() -> None:
    wishes = read(
        "model: {default: x}\ndelegation: {model: glm-4.7, provider: '', max_spawn_depth: 2, "
        "orchestrator_enabled: off, max_concurrent_children: 5, max_iterations: 50, child_timeout_seconds: 0}\n",
        "h.yaml",
    )
    assert wishes.values == {
        "delegation.model": "glm-4.7",
        "delegation.max_spawn_depth": 2,
        "delegation.orchestrator_enabled": False,
        "delegation.max_concurrent_children": 5,
    }


def test_an_arm_id_in_the_decision_space() -> None:
    wishes = policy("decision_space: [local, 'delegate:zai:glm-4.7@high#leaf']")
    assert wishes.pool == [{"provider": "zai", "model": "glm-4.7", "reasoning_effort": "high", "role": "leaf"}]
    assert not any("local" in note for note in wishes.notes)
    without_local = policy("decision_space: [[delegate, a]]")
    assert any("may still answer local" in note for note in without_local.notes)


def test_a_feature_that_nobody_derives_is_told() -> None:
    wishes = policy("features: [task_kind, weather]")
    assert wishes.values == {"learning.features": ["task_kind"]}
    assert any(note.startswith("features weather:") for note in wishes.notes)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [b\nc: d", "h.yaml:2: not valid YAML"),
        ("", "no `delegation:` in it"),
        ("- a", "no `delegation:` in it"),
        ("a: b", "h.yaml: delegation: it is not there"),
        ("delegation: 7", "h.yaml: delegation: it must hold keys"),
        ("delegation: {policy: [a]}", "h.yaml: delegation.policy: it must hold keys"),
        ("delegation: {policy: {update_rul: ucb}}", "delegation.policy.update_rul: no such key; did you mean 'update_"),
        ("delegation: {policy: {update_rule: usb}}", "delegation.policy.update_rule: no such rule 'usb'; did you mean"),
        ("delegation: {policy: {update_rule: [ucb]}}", "delegation.policy.update_rule: no such rule"),
        ("delegation: {policy: {enabled: maybe}}", "delegation.policy.enabled: it must be true or false"),
        ("delegation: {policy: {features: task_kind}}", "delegation.policy.features: it must be a list of names"),
        ("delegation: {policy: {decision_space: local}}", "delegation.policy.decision_space: it must be a list"),
        ("delegation: {policy: {decision_space: [[delegate, null]]}}", "delegation.policy.decision_space[0]: it must"),
        (
            "delegation: {policy: {decision_space: [[local, null], 'glm-4.7']}}",
            "decision_space[1]: 'glm-4.7' is no arm",
        ),
        ("delegation: {policy: {cold_start: {seed_from: 7}}}", "cold_start.seed_from: it must be a path"),
        ("delegation: {max_spawn_depth: deep}", "delegation.max_spawn_depth: expected `int`, got `str`"),
        ("!!python/object/apply:os.system [ls]", "h.yaml:1: not valid YAML"),
    ],
)
def test_what_is_not_understood_is_one_clear_error(text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(text, "h.yaml")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)

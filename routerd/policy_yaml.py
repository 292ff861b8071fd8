"""
The YAML in which a learning delegation policy was first asked for, as keys of routerd's own configuration.

    delegation:
      model: glm-4.7                                    and the other keys that routerd has under the same names
      policy:
        enabled: true
        features: [task_kind, repo_fingerprint, rough_token_estimate, parent_model_tier]
        decision_space: [["local", null], ["delegate", "fast-worker"]]
        update_rule: thompson_sampling                  or ucb, epsilon_greedy, off
        cold_start: {seed_from: ~/.hermes/delegation_seed.jsonl}

A Hermes `config.yaml` is such a file. What routerd does otherwise than the file says is told in `Wishes.notes`; what
it does not understand is an error, so that a typing error is not silently half a policy.
"""

import difflib
from collections.abc import Mapping
from typing import Any, Final, get_args

import msgspec
import yaml

from routerd.config import DelegationConfig, FeatureName, PolicyConfig
from routerd.errors import ConfigError
from routerd.events import arm_dispatch

RULES: Final = get_args(PolicyConfig.__annotations__["name"])
FEATURES: Final = get_args(FeatureName)
POLICY_KEYS: Final = ("enabled", "store", "features", "decision_space", "update_rule", "cold_start")
DELEGATION_KEYS: Final = DelegationConfig.__struct_fields__


class Wishes(msgspec.Struct, frozen=True, kw_only=True):
    """
    What a file asks for.

    Attributes:
        values: Key of routerd's configuration (`table.key`) to value.
        pool: Entries that the pool must have.
        notes: What the reader should know, in words.
    """

    values: dict[str, Any]
    pool: list[dict[str, str]]
    notes: list[str]


def read(text: str, name: str) -> Wishes:
    """
    The wishes in a YAML text; `name` stands for the file in messages.

    Raises:
        ConfigError: It is not YAML, has no `delegation`, or says something that routerd does not understand.
    """
    reader = _Reader(name)
    delegation = reader.mapping(_loaded(text, name), "delegation", required=True)
    for key in DELEGATION_KEYS:
        reader.delegation(key, delegation.get(key))
    if "policy" in delegation:
        reader.policy(reader.mapping(delegation, "policy", "delegation."))
    return Wishes(values=reader.values, pool=reader.pool, notes=reader.notes)


def _loaded(text: str, name: str) -> Mapping[str, Any]:
    """The document by YAML 1.1, in which `off` is false and `yes` true: so Hermes reads it."""
    try:
        loaded = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = name if mark is None else f"{name}:{mark.line + 1}"
        said = getattr(error, "problem", None) or str(error).partition("\n")[0]
        raise ConfigError(f"{where}: not valid YAML: {said}") from None
    if not isinstance(loaded, Mapping):
        raise ConfigError(f"{name}: no `delegation:` in it")
    return loaded


class _Reader:
    """Collects wishes; an error is told with its key."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.values: dict[str, Any] = {}
        self.pool: list[dict[str, str]] = []
        self.notes: list[str] = []

    def mapping(
        self, within: Mapping[str, Any], key: str, prefix: str = "", *, required: bool = False
    ) -> Mapping[str, Any]:
        """A member that is a mapping; an empty one where it is not there."""
        found = within.get(key)
        if found is None and not required:
            return {}
        if not isinstance(found, Mapping):
            raise self._wrong(f"{prefix}{key}", "it must hold keys" if key in within else "it is not there")
        return found

    def delegation(self, key: str, value: object) -> None:
        """A key that routerd has under the same name; an empty text says nothing, as in Hermes."""
        if value in (None, ""):
            return
        try:
            msgspec.convert({key: value}, DelegationConfig)
        except msgspec.ValidationError as error:
            reason = str(error).partition(" - at")[0]
            raise self._wrong(f"delegation.{key}", reason[0].lower() + reason[1:]) from None
        self.values[f"delegation.{key}"] = value

    def policy(self, policy: Mapping[str, Any]) -> None:
        for key in policy:
            if key not in POLICY_KEYS:
                raise self._wrong(f"delegation.policy.{key}", f"no such key{_nearest(str(key), POLICY_KEYS)}")
        self._rule(policy)
        self._features(policy.get("features"))
        self._space(policy.get("decision_space"))
        seed = self.mapping(policy, "cold_start", "delegation.policy.").get("seed_from")
        if seed is not None:
            if not isinstance(seed, str) or not seed.strip():
                raise self._wrong("delegation.policy.cold_start.seed_from", "it must be a path")
            self.values["cold_start.seed_from"] = seed
        if policy.get("store") not in (None, "", "routerd", "sqlite"):
            store = str(policy["store"])[:40]
            self.notes.append(f"store {store!r}: outcomes are kept in routerd's own database; it can be told of them")

    def _rule(self, policy: Mapping[str, Any]) -> None:
        rule = policy.get("update_rule")
        rule = "off" if rule is False else rule
        if rule is not None and rule not in RULES:
            reason = f"no such rule {str(rule)[:40]!r}{_nearest(str(rule), RULES)}"
            raise self._wrong("delegation.policy.update_rule", reason)
        enabled = policy.get("enabled")
        if enabled not in (None, True, False):
            raise self._wrong("delegation.policy.enabled", "it must be true or false")
        if enabled is False:
            self.notes.append("enabled: false: the policy is off; set policy.name to switch it on")
            rule = "off"
        if rule is not None:
            self.values["policy.name"] = rule

    def _features(self, names: object) -> None:
        if names is None:
            return
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise self._wrong("delegation.policy.features", "it must be a list of names")
        if strange := [name for name in names if name not in FEATURES]:
            said = ", ".join(strange)[:120]
            self.notes.append(f"features {said}: routerd derives none of that name; give them as task.features")
        if known := [name for name in names if name in FEATURES]:
            self.values["learning.features"] = known

    def _space(self, space: object) -> None:
        if space is None:
            return
        if not isinstance(space, list):
            raise self._wrong("delegation.policy.decision_space", "it must be a list of dispatches")
        entries = [self._entry(f"delegation.policy.decision_space[{i}]", one) for i, one in enumerate(space)]
        self.pool += [entry for entry in entries if entry]
        if entries and {} not in entries:
            self.notes.append("decision_space: routerd may still answer local, even though it is not named")
        if self.pool:
            self.notes.append("decision_space: nothing outside the pool is recommended from now on, to any agent")

    def _entry(self, place: str, written: object) -> dict[str, str]:
        """An entry of the pool; an empty one for the agent itself, which is always allowed."""
        match written:
            case ["local"] | ["local", None] | "local":
                return {}
            case ["delegate", str(profile)] if profile.strip():
                return {"profile": profile}
            case str():
                try:
                    dispatch = arm_dispatch(written)
                except ValueError as error:
                    raise self._wrong(place, str(error)) from None
                parts = msgspec.to_builtins(dispatch)
                if len(parts) > 1:
                    return {name: value for name, value in parts.items() if name != "executor"}
        raise self._wrong(place, 'it must be ["local", null], ["delegate", "<profile>"] or an arm id')

    def _wrong(self, key: str, reason: str) -> ConfigError:
        return ConfigError(f"{self._name}: {key}: {reason}")


def _nearest(name: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(known)}"

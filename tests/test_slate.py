"""What a client that names no candidates chooses from: the arms known, in the role of its task and in its own words."""

from typing import Any

import msgspec

from routerd.catalog import Catalog
from routerd.config import Config, PoolConfig, PoolModel
from routerd.events import Dispatch, Recommend, Task, arm_id
from routerd.slate import Directory, Slate, lay_out
from tests.fake_catalog import Attributes, FakeCatalog, model

MODELS = {"big": Attributes(), "small": Attributes()}
DEFAULT = Dispatch(executor="delegate")


def slate(used: list[str], **more: Any) -> Slate:
    task = Task(goal="x", role=more.pop("role", None))
    return lay_out(Recommend(task=task, **more), Directory(FakeCatalog(MODELS)), used, DEFAULT, fallback=False)


def arms(one: Slate) -> list[str]:
    return [option.known.arm for option in one.options]


def test_arms_are_considered_in_the_role_of_the_task() -> None:
    """So that an arm of the pool, which names none, and the same in a log, which does, are one."""
    used = ["delegate:small#leaf", "delegate:old", "delegate:old#orchestrator", "local"]
    found = slate(used, role="leaf")
    assert sorted(arms(found)) == ["delegate:big#leaf", "delegate:old#leaf", "delegate:small#leaf", "local"]


def test_without_a_role_arms_are_as_they_are() -> None:
    assert sorted(arms(slate(["delegate:small#leaf"]))) == [
        *("delegate:big", "delegate:small", "delegate:small#leaf", "local"),
    ]


def test_the_incumbent_is_echoed_as_the_client_spells_it() -> None:
    spelt = msgspec.structs.replace(model("SMALL"), role="leaf")
    found = slate([], role="leaf", incumbent=spelt)
    assert found.incumbent is not None
    assert found.options[found.incumbent].dispatch == spelt
    assert found.options[found.incumbent].removed_by is None
    assert arm_id(spelt) not in arms(found)


def test_candidates_that_are_named_keep_their_role_and_spelling() -> None:
    found = slate([], role="leaf", candidates=[model("SMALL")], incumbent=model("small"))
    assert [option.dispatch for option in found.options] == [model("SMALL")]


def test_an_entry_of_the_pool_may_be_for_the_agent_that_asks() -> None:
    """Its logs name no agent, for it is its own; for others that entry means to hand the task over to it."""
    entry = PoolModel(model="claude-opus-5", provider="anthropic", agent="hermes", max_cost_usd=2.0)
    directory = Directory(Catalog(Config(pool=PoolConfig(models=[entry])), {}))
    used = ["delegate:anthropic:claude-opus-5", "delegate:openai:gpt-5"]

    def offered(agent: str | None) -> Slate:
        request = Recommend(task=Task(goal="x", agent=agent))
        return lay_out(request, directory, used, DEFAULT, fallback=False)

    assert arms(offered("hermes")) == ["delegate:anthropic:claude-opus-5", "local"]
    assert offered("hermes").options[0].known.limited
    assert arms(offered("codex")) == arms(offered(None)) == ["local", "delegate:hermes/anthropic:claude-opus-5"]

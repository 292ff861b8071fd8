"""The plan of a batch, run on a real database: the set of news decides, not its order."""

import random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routerd.errors import NoSuchDecision, OutcomeIdInUse, RequestError
from routerd.events import Completion, Dispatch, Label, Outcome, Task
from routerd.records import Report, Seen
from routerd.store.batch import News, Reported, decision_key
from tests.store.bench import POISON, Bench, decision

pytestmark = pytest.mark.anyio

HAIKU = Dispatch(executor="delegate", provider="anthropic", model="claude-haiku-4-5")
DONE = Label(1.0, 0.2, "completed")


def seen(*keys: str, origin: str = "claude-code:s1", extent: int = 1, **members: Any) -> Seen:
    given_: dict[str, Any] = {"ended_at": 100.0, "label": DONE, "wall_time_ms": 1000, "ran": HAIKU} | members
    completion = Completion(keys=keys, agent="claude-code", task=Task(goal=""), extent=extent, **given_)
    return Seen(completion=completion, features={"task_kind": "explore"}, origin=origin)


def report(outcome_id: str, *keys: str, at: float = 200.0, succeeded: float | None = 1.0, **members: Any) -> Report:
    return Report(outcome_id=outcome_id, at=at, by="report", outcome=Outcome(succeeded=succeeded), keys=keys, **members)


async def test_a_completion_seen_again_changes_nothing(bench: Bench) -> None:
    await bench.write([seen("t:1", "c:1")])
    assert await bench.write([seen("t:1", "c:1")]) == []
    assert bench.units() == {"t:1": ["c:1", "t:1"]}


async def test_a_child_and_its_call_become_one_unit_when_a_link_is_found(bench: Bench) -> None:
    await bench.write([seen("c:1"), seen("t:1", label=Label(None, 0, "unknown"), extent=0)])
    assert set(bench.units()) == {"c:1", "t:1"}
    await bench.write([seen("t:1", "c:1", extent=2)])
    assert bench.units() == {"t:1": ["c:1", "t:1"]}
    assert len(bench.fold()) == 1


async def test_a_report_over_a_log_wins_for_success_and_the_log_for_time(bench: Bench) -> None:
    await bench.write([seen("t:1", wall_time_ms=1000)])
    said = Report(
        outcome_id="o1",
        at=5,
        by="report",
        outcome=Outcome(succeeded=False, wall_time_ms=77, cost_usd=0.5),
        keys=("t:1",),
        dispatch=HAIKU,
    )
    await bench.write([said])
    row = bench.row("t:1")
    assert (row["succeeded"], row["weight"], row["signal"]) == (0.0, 1.0, "report")
    assert (row["wall_time_ms"], row["cost_usd"]) == (1000, 0.5)


async def test_a_report_that_came_before_its_log_is_the_same_outcome(bench: Bench) -> None:
    await bench.write([report("o1", "t:1", succeeded=0.0, dispatch=HAIKU)])
    await bench.write([seen("t:1")])
    assert list(bench.units()) == ["t:1"]
    assert bench.row("t:1")["succeeded"] == 0.0
    assert bench.row("t:1")["wall_time_ms"] == 1000


async def test_a_unit_that_gets_another_id_is_no_new_unit(bench: Bench) -> None:
    """Whoever is told of spawns must not be told twice: first by a report, then by the log."""
    (reported,) = await bench.write([report("o1", "c:1", dispatch=HAIKU)])
    assert reported.had_ended is None
    changes = await bench.write([seen("t:1", "c:1")])
    assert [(change.record.id, change.had_ended) for change in changes if change.record] == [("t:1", True)]


async def test_the_same_report_again_is_a_duplicate_and_another_under_its_id_is_refused(bench: Bench) -> None:
    first = report("o1", "t:1", dispatch=HAIKU)
    await bench.write([first])
    assert bench.last() == Reported("o1", duplicate=False)
    await bench.write([first])
    assert bench.last() == Reported("o1", duplicate=True)
    await bench.write([report("o1", "t:1", succeeded=0.0, dispatch=HAIKU)])
    assert type(bench.last()) is OutcomeIdInUse
    assert bench.row("t:1")["succeeded"] == 1.0


async def test_a_report_of_an_unknown_decision_needs_task_and_dispatch(bench: Bench) -> None:
    await bench.write([report("o1", decision_id="d9")])
    assert type(bench.last()) is NoSuchDecision
    await bench.write([report("o2", decision_id="d9", dispatch=HAIKU)])
    assert bench.last() == Reported("o2", duplicate=False)
    assert bench.units() == {decision_key("d9"): [decision_key("d9"), "routerd:row:o2"]}


async def test_a_decision_its_report_and_its_log_meet_by_the_ref(bench: Bench) -> None:
    made = decision("d1", HAIKU, keys=("claude-code:tool:t1",))
    await bench.write([made])
    await bench.write([report("o1", decision_id="d1")])
    await bench.write([seen("claude-code:tool:t1", label=Label(0.0, 0.9, "test"))])
    assert list(bench.units()) == ["claude-code:tool:t1"]
    row = bench.row("claude-code:tool:t1")
    assert (row["decision_id"], row["succeeded"]) == ("d1", 1.0)
    (learnt,) = bench.fold()
    assert learnt.own


async def test_what_ran_otherwise_than_decided_is_somebody_elses_choice(bench: Bench) -> None:
    await bench.write([decision("d1", HAIKU, keys=("t:1",))])
    await bench.write([seen("t:1", ran=Dispatch(executor="delegate", provider="anthropic", model="claude-opus-5"))])
    (learnt,) = bench.fold()
    assert not learnt.own


@pytest.mark.parametrize(
    "members",
    [
        {"ended": False, "ended_at": None},
        {"censored": "usage_limit"},
        {"ran": Dispatch(executor="delegate")},
        {"ran": Dispatch(executor="local"), "delegations": 2},
    ],
)
async def test_what_teaches_nothing_is_kept_and_not_learnt(bench: Bench, members: dict[str, Any]) -> None:
    await bench.write([seen("t:1", **members)])
    assert list(bench.units()) == ["t:1"]
    assert bench.fold() == []


async def test_a_unit_that_was_none_is_taken_back(bench: Bench) -> None:
    await bench.write([seen("t:1", "c:1"), seen("t:2"), report("o2", "t:2", succeeded=0.0)])
    await bench.write([seen("t:1", void=True, origin="another:group"), seen("t:9", void=True)])
    assert set(bench.units()) == {"t:1", "t:2"}
    await bench.write([seen("t:1", void=True), seen("t:2", void=True)])
    assert bench.units() == {"t:2": ["routerd:row:o2", "t:2"]}
    assert bench.query("SELECT * FROM outcome_keys WHERE outcome_id = 't:1'") == []
    assert len(bench.fold()) == len(bench.told()) == 1
    await bench.write([seen("t:1")])
    assert set(bench.units()) == {"t:1", "t:2"}


async def test_news_that_cannot_be_written_does_not_take_the_rest_with_it(bench: Bench) -> None:
    poison = report("o9", "t:9", dispatch=Dispatch(executor="delegate", model=POISON))
    await bench.write([seen("t:1"), poison, seen("t:2")])
    assert set(bench.units()) == {"t:1", "t:2"}
    assert isinstance(bench.answers[1], RequestError)
    assert len(bench.fold()) == len(bench.told()) == 2


def news() -> st.SearchStrategy[list[News]]:
    """Readings and reports of three units, some in copies, some only partly linked."""
    labels = st.sampled_from([DONE, Label(0.0, 0.9, "test"), Label(None, 0.0, "unknown")])
    readings = st.builds(
        lambda n, both, origin, label: seen(
            *([f"t:{n}", f"c:{n}"] if both else [f"t:{n}"]), origin=f"a:{origin}", label=label
        ),
        st.integers(1, 3),
        st.booleans(),
        st.integers(1, 2),
        labels,
    )
    reports = st.builds(
        lambda n, at, value: report(f"o{n}{at}", f"t:{n}", at=float(at), succeeded=value, dispatch=HAIKU),
        st.integers(1, 3),
        st.integers(1, 3),
        st.sampled_from([0.0, 1.0, None]),
    )
    return st.lists(readings | reports, max_size=12)


@given(news(), st.randoms(use_true_random=False), st.integers(1, 5))
@settings(max_examples=60, deadline=None)
async def test_the_same_news_in_any_order_and_any_batches_gives_the_same_rows(
    items: list[News], rng: random.Random, size: int
) -> None:
    """Of one group only the last reading counts, so each origin reads a unit once here; reports say one thing an id."""
    once = list({_name(item): item for item in items}.values())
    shuffled = [*once, *rng.sample(once, len(once) // 2)]
    rng.shuffle(shuffled)
    async with Bench.fresh() as a, Bench.fresh() as b:
        await a.write(once)
        for start in range(0, len(shuffled), size):
            await b.write(shuffled[start : start + size])
        assert a.rows() == b.rows()
        assert sorted(map(msgspec.json.encode, a.fold())) == sorted(map(msgspec.json.encode, b.fold()))
        assert sorted(map(msgspec.json.encode, b.fold())) == sorted(map(msgspec.json.encode, b.told()))


def _name(item: News) -> object:
    if isinstance(item, Seen):
        return (item.completion.keys[0], item.origin)
    assert isinstance(item, Report)
    return item.outcome_id

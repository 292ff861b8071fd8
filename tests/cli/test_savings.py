"""`routerctl savings`: every figure reckoned again from the database by other means, and what it refuses to say."""

import json
import math
import shlex
import sqlite3
from contextlib import closing
from pathlib import Path
from statistics import NormalDist
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pytest

from routerd.catalog import Catalog
from routerd.cli.app import VERBS
from routerd.config import Config, LearningConfig
from routerd.events import Contribution, Dispatch, arm_id
from routerd.features import vector
from routerd.prior import design, scaling
from tests.cli.history import AGENT, CHEAP, DEAR, FROM, MIDDLE, configure, drawn, imported, rows
from tests.dense import dense
from tests.harness import Place

Floats = npt.NDArray[np.float64]

Z90 = NormalDist().inv_cdf(0.95)
KINDS = ("explore", "cross-file-edit", "docs")
LINE = {
    *("agent", "kind", "tasks", "moved", "verdict", "reason", "baseline", "candidate", "chance_worse", "faster"),
    *("saved_hours", "saved_usd", "drawn", "audit", "command"),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A daemon drew 120 of kind `explore`, beside what others chose; some choices were pinned or not followed."""
    place = Place(tmp_path_factory.mktemp("home"))
    configure(
        place, '[policy]\nname = "epsilon_greedy"\nepsilon = 0.6\nseed = 11\n[learning]\nhalf_life_days = 1000.0\n'
    )
    imported(
        place,
        rows("explore", DEAR, 40, fails=9, minutes=4.0, dollars=0.9),
        rows("cross-file-edit", DEAR, 40, fails=8, minutes=9.0, dollars=2.5),
        rows("cross-file-edit", CHEAP, 30, fails=2, minutes=6.0, dollars=0.4),
        rows("docs", DEAR, 15, fails=9, minutes=2.0, dollars=0.3),
        rows("docs", CHEAP, 4, fails=9, minutes=1.0, dollars=0.03),
    )
    with place.daemon() as daemon:
        drawn(daemon, "explore", 120)
        task = {"goal": "explore it", "kind": "explore", "agent": AGENT}
        pinned = daemon.ask("recommend", task=task, pinned={"executor": "delegate", "model": "claude-opus-5"})
        certain = daemon.ask("recommend", task=task, candidates=[DEAR, CHEAP], explore=False)
        for made in (pinned, certain):
            daemon.ask(
                "report", decision_id=made["decision_id"], outcome={"succeeded": False, "wall_time_ms": 9_000_000}
            )
        made = daemon.ask("recommend", task=task, candidates=[DEAR, CHEAP])
        daemon.ask(
            "report", decision_id=made["decision_id"], overridden=True, outcome={"succeeded": False, "cost_usd": 99.0}
        )
    return place


@pytest.fixture
def alone(tmp_path: Path) -> Place:
    return Place(tmp_path)


def asked(place: Place, *flags: str, code: int = 0) -> Any:
    done = place.run("routerctl", "savings", "--json", *flags)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def answer(place: Place) -> Any:
    return asked(place, "--since", "2025-01-01")


def line_of(answer: Any, kind: str | None) -> Any:
    return next(line for line in answer["lines"] if line["kind"] == kind)


# --- the same by other means ----------------------------------------------------------------------------------------


class Fact(msgspec.Struct):
    """An outcome as `sqlite3` reads it."""

    arm: str
    kind: str
    own: bool
    contribution: Contribution
    succeeded: float | None
    weight: float
    wall_time_ms: float | None
    cost_usd: float | None
    decision: dict[str, Any] | None


def facts(place: Place) -> list[Fact]:
    with closing(sqlite3.connect(place.state / "routerd.db")) as connection:
        found = connection.execute(
            "SELECT arm, kind, learnt, features, succeeded, weight, wall_time_ms, cost_usd, decision_id FROM outcomes"
        ).fetchall()
        decisions = dict(connection.execute("SELECT id, body FROM decisions").fetchall())
    result = []
    for arm, kind, learnt, features, succeeded, weight, wall_time_ms, cost_usd, decision_id in found:
        contribution = msgspec.json.decode(learnt, type=Contribution)
        contribution = msgspec.structs.replace(contribution, features=json.loads(features))
        body = json.loads(decisions[decision_id]) if decision_id else None
        result.append(Fact(arm, kind, contribution.own, contribution, succeeded, weight, wall_time_ms, cost_usd, body))
    return result


class Again:
    """Belief and sums of the module's history by the long way."""

    def __init__(self, place: Place, now: float) -> None:
        self.facts = facts(place)
        self.arms = sorted({fact.arm for fact in self.facts})
        catalog = Catalog(Config(), {})
        scale = scaling([])
        designs = [design(catalog.attributes(_dispatch(arm)), scale) for arm in self.arms]
        learnt = [(self.arms.index(fact.arm), fact.contribution) for fact in self.facts]
        self.beliefs = dense(learnt, np.array(designs), LearningConfig(half_life_days=1000.0), now)

    def ran(self, kind: str | None, arm: str) -> list[Fact]:
        return [fact for fact in self.facts if fact.arm == arm and kind in (None, fact.kind)]

    def step(self, target: int, fact: Fact, ran: str, other: str) -> Floats:
        belief, x = self.beliefs[target], vector(fact.contribution.features)
        difference: Floats = belief.row(self.arms.index(other), x) - belief.row(self.arms.index(ran), x)
        return difference

    def success(self, tasks: list[Fact], arm: str) -> tuple[float, float, float]:
        belief = self.beliefs[0]
        row = np.mean([belief.row(self.arms.index(arm), vector(fact.contribution.features)) for fact in tasks], axis=0)
        mean, sd = belief.at(row)
        return tuple(min(max(value, 0.0), 1.0) for value in (mean, mean - Z90 * sd, mean + Z90 * sd))  # type: ignore

    def worse(self, tasks: list[Fact], ran: str, other: str, delta: float) -> float:
        mean, sd = self.beliefs[0].at(np.mean([self.step(0, fact, ran, other) for fact in tasks], axis=0))
        return NormalDist(mean, sd).cdf(-delta)

    def saved(self, target: int, tasks: list[Fact], ran: str, other: str) -> tuple[float, float, float]:
        took = np.array([self.took(target, fact) for fact in tasks])
        steps = np.array([self.step(target, fact, ran, other) for fact in tasks])
        would = took * 10.0 ** (steps @ self.beliefs[target].mean)
        gradient = math.log(10.0) * (would / would.sum()) @ steps
        _, sd = self.beliefs[target].at(gradient)
        ends = [took.sum() - would.sum() * math.exp(sign * Z90 * sd) for sign in (0, 1, -1)]
        return ends[0], ends[1], ends[2]

    @staticmethod
    def took(target: int, fact: Fact) -> float:
        value = fact.cost_usd if target == 2 else None if fact.wall_time_ms is None else fact.wall_time_ms / 3.6e6
        assert value is not None
        return value


def _dispatch(arm: str) -> Dispatch:
    _, provider, model = arm.split(":")
    dispatch = Dispatch(executor="delegate", provider=provider, model=model)
    assert arm_id(dispatch) == arm
    return dispatch


@pytest.fixture(scope="module")
def again(place: Place, answer: Any) -> Again:
    return Again(place, answer["until"])


def values(interval: dict[str, float]) -> tuple[float, float, float]:
    return interval["mean"], interval["low"], interval["high"]


def test_how_much_there_is(answer: Any, again: Again) -> None:
    learnt = again.facts
    assert answer["delegations"] == {
        "count": len(learnt),
        "learnt": len(learnt),
        "censored": 0,
        "first_at": FROM,
        "earliest_at": FROM,
    }
    for share in answer["shares"]:
        own = [fact for fact in learnt if fact.arm == share["arm"]]
        assert share["tasks"] == len(own)
        assert share["share"] == pytest.approx(len(own) / len(learnt))
        assert share["hours"] == pytest.approx(sum(fact.wall_time_ms or 0.0 for fact in own) / 3.6e6)
        assert share["cost_usd"] == pytest.approx(sum(fact.cost_usd or 0.0 for fact in own))
        assert share["untimed"] == sum(fact.wall_time_ms is None for fact in own)
        assert share["unpriced"] == sum(fact.cost_usd is None for fact in own)
    assert sum(share["tasks"] for share in answer["shares"]) == len(learnt)


@pytest.mark.parametrize("kind", ["explore", "cross-file-edit", None])
def test_every_figure_of_a_line_by_the_long_way(answer: Any, again: Again, kind: str | None) -> None:
    line = line_of(answer, kind)
    tasks = again.ran(kind, DEAR)
    assert (line["baseline"]["arm"], line["candidate"]["arm"]) == (DEAR, CHEAP)
    assert (line["tasks"], line["moved"]) == (len(tasks) + len(again.ran(kind, CHEAP)), len(tasks))
    for side in ("baseline", "candidate"):
        own = again.ran(kind, line[side]["arm"])
        assert line[side]["tasks"] == len(own)
        assert line[side]["verdicts"] == pytest.approx(sum(fact.weight for fact in own if fact.succeeded is not None))
        assert values(line[side]["success"]) == pytest.approx(again.success(tasks, line[side]["arm"]), abs=1e-6)
    assert line["chance_worse"] == pytest.approx(again.worse(tasks, DEAR, CHEAP, 0.03), abs=1e-6)
    timed = [fact for fact in tasks if fact.wall_time_ms is not None]
    priced = [fact for fact in tasks if fact.cost_usd is not None]
    assert values(line["saved_hours"]) == pytest.approx(again.saved(1, timed, DEAR, CHEAP), rel=1e-6)
    assert values(line["saved_usd"]) == pytest.approx(again.saved(2, priced, DEAR, CHEAP), rel=1e-6)
    hours = sum(fact.wall_time_ms or 0.0 for fact in timed) / 3.6e6
    saved = line["saved_hours"]
    assert values(line["faster"]) == pytest.approx(
        [hours / (hours - saved[end]) for end in ("mean", "low", "high")], rel=1e-9
    )
    both = [*tasks, *again.ran(kind, CHEAP)]
    lots = [fact for fact in both if fact.own and fact.decision and fact.decision["propensity"] < 1.0]
    assert line["drawn"] == pytest.approx(len(lots) / len(both))


def test_the_verdict_follows_from_the_figures(answer: Any) -> None:
    explore, edit = line_of(answer, "explore"), line_of(answer, "cross-file-edit")
    assert explore["chance_worse"] < answer["epsilon"]
    assert explore["verdict"] == "switch"
    assert edit["chance_worse"] > 0.5
    assert (edit["verdict"], edit["command"]) == ("worse", None)
    assert answer["lines"][0]["verdict"] == "switch"


def summed(again: Again, target: int, tasks: list[Fact], ran: str, other: str) -> tuple[float, float]:
    """What the tasks would save, and its standard deviation to the first order: that of Σ c_i r_i over the known."""
    tasks = [fact for fact in tasks if (fact.wall_time_ms, fact.cost_usd)[target - 1] is not None]
    took = np.array([again.took(target, fact) for fact in tasks])
    steps = np.array([again.step(target, fact, ran, other) for fact in tasks])
    would = took * 10.0 ** (steps @ again.beliefs[target].mean)
    _, sd = again.beliefs[target].at(math.log(10.0) * would @ steps)
    return float(took.sum() - would.sum()), sd


@pytest.mark.parametrize(
    ("total", "part", "target"), [("total_hours", "saved_hours", 1), ("total_usd", "saved_usd", 2)]
)
def test_in_all_is_the_sum_of_what_is_to_switch(answer: Any, again: Again, total: str, part: str, target: int) -> None:
    """One kind is: its own mean, and the ends of the normal interval in place of those of the logarithm's."""
    assert [line["kind"] for line in answer["lines"] if line["verdict"] == "switch" and line["kind"]] == ["explore"]
    mean, sd = summed(again, target, again.ran("explore", DEAR), DEAR, CHEAP)
    assert values(answer[total]) == pytest.approx((mean, mean - Z90 * sd, mean + Z90 * sd), rel=1e-6)
    assert answer[total]["mean"] == pytest.approx(line_of(answer, "explore")[part]["mean"])


def scores(again: Again, kind: str | None, arm: str, member: str) -> dict[str, tuple[float, float, float]]:
    """
    The doubly robust score, the ratio and the weight of each decision that might have drawn either arm, by its id.

    `member` is a member of `expected`.
    """
    found: dict[str, tuple[float, float, float]] = {}
    for fact in again.facts:
        body = fact.decision
        if body is None or not fact.own or kind not in (None, fact.kind):
            continue
        arms = {one["arm"]: one for one in body["considered"]}
        if not all(0.0 < arms.get(name, {}).get("propensity", 0.0) < 1.0 for name in (DEAR, CHEAP)):
            continue
        y = {"success": fact.succeeded, "wall_time_ms": fact.wall_time_ms, "cost_usd": fact.cost_usd}[member]
        if y is None:
            continue
        ratio = 1.0 / arms[arm]["propensity"] if fact.arm == arm else 0.0
        q = arms[arm]["expected"][member]["mean"]
        weight = fact.weight if member == "success" else 1.0
        found[body["decision_id"]] = (q + ratio * (y - q), ratio, weight)
    return found


@pytest.mark.parametrize(
    ("name", "member", "unit"),
    [("success", "success", 1.0), ("saved_hours", "wall_time_ms", -1 / 3.6e6), ("saved_usd", "cost_usd", -1.0)],
)
@pytest.mark.parametrize("kind", ["explore", None])
def test_the_audit_by_loops(answer: Any, again: Again, kind: str | None, name: str, member: str, unit: float) -> None:
    line = line_of(answer, kind)
    before, after = scores(again, kind, DEAR, member), scores(again, kind, CHEAP, member)
    assert before.keys() == after.keys()
    assert line["audit"]["decisions"] == len(before) == 120
    total = sum(weight for _, _, weight in after.values())
    mean = sum(weight * (score - before[key][0]) for key, (score, _, weight) in after.items()) / total
    squares = sum((weight * (score - before[key][0] - mean)) ** 2 for key, (score, _, weight) in after.items())
    se = math.sqrt(120 / 119 * squares) / total
    times = unit * (1 if name == "success" else line["moved"])
    found = line["audit"][name]
    assert found["figure"]["mean"] == pytest.approx(times * mean)
    assert found["figure"]["high"] - found["figure"]["low"] == pytest.approx(2 * Z90 * abs(times) * se)
    for side, rows_ in (("ess_baseline", before), ("ess_candidate", after)):
        ratios = [ratio * weight for _, ratio, weight in rows_.values()]
        assert found[side] == pytest.approx(sum(ratios) ** 2 / sum(ratio**2 for ratio in ratios))


def test_what_was_saved_so_far_by_the_long_way(answer: Any, again: Again) -> None:
    (done,) = answer["so_far"]
    elsewhere = [fact for fact in again.facts if fact.own and fact.arm != DEAR]
    assert (done["baseline"], done["tasks"], done["told"]) == (DEAR, len(elsewhere), len(elsewhere))
    for name, target in (("saved_hours", 1), ("saved_usd", 2)):
        lost, spread = summed(again, target, elsewhere, CHEAP, DEAR)
        assert values(done[name]) == pytest.approx((-lost, -lost - Z90 * spread, -lost + Z90 * spread), rel=1e-6)
    steps = np.mean([again.step(0, fact, DEAR, CHEAP) for fact in elsewhere], axis=0)
    mean, sd = again.beliefs[0].at(steps)
    assert values(done["success"]) == pytest.approx((mean, mean - Z90 * sd, mean + Z90 * sd), abs=1e-6)
    for name in ("success", "saved_hours", "saved_usd"):  # both speak of the same tasks
        audited = done["audit"][name]["figure"]
        assert audited["low"] < done[name]["high"], name
        assert audited["high"] > done[name]["low"], name


def worth(success: float, wall_time_ms: float, cost_usd: float) -> float:
    """In US dollars, by the prices that are the default."""
    prices = Config().objective
    return prices.success_usd * success - prices.hour_usd * wall_time_ms / 3.6e6 - cost_usd


def utilities(again: Again, arm: str | None) -> list[tuple[float, float]]:
    """The doubly robust score of each draw of kind `explore` in dollars, with its weight; None: as it went."""
    found = []
    for fact in again.facts:
        arms = {one["arm"]: one for one in (fact.decision or {}).get("considered", ())}
        if not fact.own or not all(0.0 < arms.get(name, {}).get("propensity", 0.0) < 1.0 for name in (DEAR, CHEAP)):
            continue
        assert fact.succeeded is not None
        assert fact.wall_time_ms is not None
        assert fact.cost_usd is not None
        q = {
            name: worth(*(one["expected"][member]["mean"] for member in ("success", "wall_time_ms", "cost_usd")))
            for name, one in arms.items()
        }
        ratio = 1.0 if arm is None else (fact.arm == arm) / arms[fact.arm]["propensity"]
        y = worth(fact.succeeded, fact.wall_time_ms, fact.cost_usd)
        found.append((q[arm or fact.arm] + ratio * (y - q[fact.arm]), fact.weight))
    return found


@pytest.mark.parametrize("arm", [CHEAP, None])
def test_the_audit_of_what_it_is_worth_by_loops(answer: Any, again: Again, arm: str | None) -> None:
    audit = (answer["so_far"][0] if arm is None else line_of(answer, "explore"))["audit"]
    before, after = utilities(again, DEAR), utilities(again, arm)
    total = sum(weight for _, weight in after)
    apart = [(one - other, weight) for (one, weight), (other, _) in zip(after, before, strict=True)]
    mean = sum(weight * one for one, weight in apart) / total
    se = math.sqrt(len(apart) / (len(apart) - 1) * sum((weight * (one - mean)) ** 2 for one, weight in apart)) / total
    assert audit["decisions"] == len(apart)
    own = [fact.arm for fact in again.facts if fact.own]
    times = 1.0 if arm is not None else len(own) / sum(one != DEAR for one in own)  # for each that went elsewhere
    expected = (times * mean, times * (mean - Z90 * se), times * (mean + Z90 * se))
    assert values(audit["utility_usd"]["figure"]) == pytest.approx(expected)


# --- what it refuses to say -----------------------------------------------------------------------------------------


def test_too_little_is_no_figure(answer: Any) -> None:
    docs = line_of(answer, "docs")
    assert docs["verdict"] == "too_little"
    assert CHEAP in docs["reason"]
    assert "4 outcomes" in docs["reason"]
    for name in ("chance_worse", "faster", "saved_hours", "saved_usd", "drawn", "audit", "candidate", "command"):
        assert docs[name] is None
    assert docs["baseline"]["success"] is None


def test_nothing_at_all(alone: Place) -> None:
    done = alone.run("routerctl", "savings")
    assert done.returncode == 70
    assert done.stderr.count("\n") == 1
    assert "has routerd run yet" in done.stderr
    alone.once()
    assert asked(alone, code=1)["lines"] == []
    done = alone.run("routerctl", "savings")
    assert (done.returncode, "no delegation has ended" in done.stdout) == (1, True)


def test_a_window_with_nothing_in_it(place: Place) -> None:
    assert asked(place, "--since", "2025-01-01")["delegations"]["count"] > 0
    later = asked(place, "--since", "12h")
    assert {line["kind"] for line in later["lines"]} == {"explore"}


def test_what_is_outside_the_pool_is_not_proposed(alone: Place) -> None:
    configure(alone, '[pool]\nmodels = ["claude-opus-5"]\n')
    imported(
        alone,
        rows("docs", DEAR, 31, fails=2, minutes=1.0, dollars=0.1),
        rows("docs", CHEAP, 30, fails=99, minutes=0.5, dollars=0.01),
    )
    (line,) = asked(alone, "--since", "2025-01-01")["lines"]
    assert (line["verdict"], line["candidate"]) == ("too_little", None)
    assert "outside the pool" in line["reason"]


# --- flags ----------------------------------------------------------------------------------------------------------


def test_against_an_arm_of_ones_own(place: Place) -> None:
    found = asked(place, "--since", "2025-01-01", "--against", CHEAP)
    line = line_of(found, "cross-file-edit")
    assert (line["baseline"]["arm"], line["candidate"]["arm"]) == (CHEAP, DEAR)
    nobody = asked(place, "--since", "2025-01-01", "--against", MIDDLE)
    assert {line["verdict"] for line in nobody["lines"]} == {"too_little"}
    assert "none of them ran on" in nobody["lines"][0]["reason"]


def test_a_flag_that_cannot_be_used_is_named_in_one_line(alone: Place) -> None:
    for flags, said in ((("--against", "opus"), "no arm id"), (("--since", "soon"), "neither a length of time")):
        done = alone.run("routerctl", "savings", *flags)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert said in done.stderr


def test_the_keys_of_the_answer_are_these(answer: Any) -> None:
    assert answer.keys() == {
        *("since", "until", "against", "delegations", "delta", "epsilon", "enough", "method"),
        *("shares", "lines", "total_hours", "total_usd", "so_far"),
    }
    for line in answer["lines"]:
        assert line.keys() == LINE
    audit = line_of(answer, "explore")["audit"]
    assert audit.keys() == {"decisions", "success", "saved_hours", "saved_usd", "utility_usd", "reason"}
    assert audit["saved_usd"].keys() == {"figure", "ess_baseline", "ess_candidate"}


# --- the command that applies it ------------------------------------------------------------------------------------

SURE = "[learning]\nobserved_max = 100000\nhalf_life_days = 1e9\n"


@pytest.fixture(scope="module")
def sure(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Others' choices alone, believed without bound and for ever, so that nothing depends on the day."""
    place = Place(tmp_path_factory.mktemp("sure"))
    configure(place, SURE)
    imported(
        place,
        rows("explore", DEAR, 120, fails=8, minutes=4.0, dollars=0.9),
        rows("explore", CHEAP, 80, fails=40, minutes=2.0, dollars=0.1),
        rows("docs", DEAR, 80, fails=8, minutes=2.0, dollars=0.3),
        rows("docs", CHEAP, 60, fails=30, minutes=1.0, dollars=0.03),
        rows("review", MIDDLE, 12, fails=8, minutes=2.0, dollars=0.3),
        rows("docs", "local", 60, fails=99, minutes=0.1, dollars=0.01),
    )
    return place


def test_the_command_for_all_kinds_makes_it_the_default_of_delegations(sure: Place) -> None:
    command = line_of(asked(sure, "--since", "2025-01-01"), None)["command"]
    program, *arguments = shlex.split(command)
    assert program == "routerctl"
    with sure.daemon() as daemon:
        set_ = json.loads(sure.run(program, *arguments, "--json", check=True).stdout)
        assert set_["reloaded"] is True
        assert daemon.ask("resolve")["dispatch"]["model"] == "claude-haiku-4-5"
    assert "observed_max = 100000" in (sure.home / ".config/routerd/config.toml").read_text()


def test_the_command_for_a_kind_lets_routerd_choose(sure: Place) -> None:
    command = line_of(asked(sure, "--since", "2025-01-01"), "explore")["command"]
    assert command == "routerctl install claude-code --mode enforce"
    if "install" not in VERBS:
        pytest.skip("`routerctl install` is not there yet")
    sure.run(*shlex.split(command), "--yes", check=True)


def test_what_an_agent_does_itself_is_not_compared(sure: Place) -> None:
    assert sure.query("SELECT count(*) FROM outcomes WHERE executor = 'local'") == [(60,)]
    found = asked(sure, "--since", "2025-01-01")
    assert found["delegations"]["count"] == 352
    assert "local" not in {share["arm"] for share in found["shares"]}
    assert "local" not in {
        line[side]["arm"] for line in found["lines"] for side in ("baseline", "candidate") if line[side]
    }
    done = sure.run("routerctl", "savings", "--against", "local")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "cannot be compared" in done.stderr


# --- on a terminal --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [80, 140])
def test_what_a_person_sees(sure: Place, columns: int) -> None:
    shown = seen_at(sure, columns)
    lines = [line for line in shown.splitlines() if "apply it: " not in line]
    assert max(map(len, lines)) <= columns
    assert all(line == line.rstrip() for line in lines)
    assert shown == (Path(__file__).parent / f"savings_{columns}.txt").read_text()


def seen_at(place: Place, columns: int) -> str:
    """What is printed on a terminal so wide."""
    place.env |= {"COLUMNS": str(columns), "TZ": "UTC"}
    return place.run("routerctl", "savings", "--since", "2025-01-01", check=True).stdout


def test_what_was_drawn_is_shown_with_its_audit(place: Place) -> None:
    shown = " ".join(place.run("routerctl", "savings", "--since", "2025-01-01", check=True).stdout.split())
    assert f"{DEAR}; " not in shown
    assert "120 decisions, effective sample" in shown
    assert "so far: routerd sent" in shown
    assert f"{CHEAP} is cheaper and likely worse" in shown
    assert "not enough to tell: claude-code, docs (19)" in shown

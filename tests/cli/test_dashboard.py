"""`routerctl dashboard`: every figure of the page reckoned again from the database by other means."""

import json
import math
import sqlite3
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path
from statistics import NormalDist, median
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pytest

from routerd.catalog import Catalog
from routerd.config import Config, LearningConfig
from routerd.events import Contribution, arm_dispatch
from routerd.evidence import row_of
from routerd.features import DIM, vector
from routerd.prior import LOCAL, PRIORS, design, scaling
from tests.cli.history import AGENT, CHEAP, DEAR, configure, imported, rows
from tests.cli.lived import SINCE, lived
from tests.dense import Dense, Outcome, weighted
from tests.harness import Place

Floats = npt.NDArray[np.float64]

Z90 = NormalDist().inv_cdf(0.95)
LN10 = math.log(10.0)
LEARNING = LearningConfig(half_life_days=1000.0)
UNITS = (1.0, 60_000.0, 0.1)
"""Of success, milliseconds and dollars, in which belief reckons."""
MEMBERS = ("success", "wall_time_ms", "cost_usd")
TARGETS = ("success", "wall_time", "cost")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return lived(Place(tmp_path_factory.mktemp("home")))


@pytest.fixture(scope="module")
def figures(place: Place) -> Any:
    done = place.run("routerctl", "dashboard", "page.html", *SINCE, "--json", check=True)
    answer = json.loads(done.stdout)
    assert answer.keys() == {"path", "bytes", "figures"}
    assert Path(answer["path"]).stat().st_size == answer["bytes"]
    return answer["figures"]


@pytest.fixture(scope="module")
def page(place: Place, figures: Any) -> str:
    assert figures
    return (place.home / "page.html").read_text(encoding="utf-8")


@pytest.fixture
def alone(tmp_path: Path) -> Place:
    return Place(tmp_path)


# --- the same by other means ----------------------------------------------------------------------------------------


class Fact(msgspec.Struct):
    """An outcome that is learnt from, as `sqlite3` reads it."""

    arm: str
    kind: str
    weight: float
    judged: bool
    contribution: Contribution


def facts(place: Place) -> list[Fact]:
    """In the order in which they ended."""
    with closing(sqlite3.connect(place.state / "routerd.db")) as connection:
        found = connection.execute(
            "SELECT arm, kind, weight, succeeded, learnt, features FROM outcomes"
            " WHERE learnt IS NOT NULL ORDER BY ended_at, id"
        ).fetchall()
    return [
        Fact(
            arm,
            kind,
            weight,
            succeeded is not None,
            msgspec.structs.replace(msgspec.json.decode(learnt, type=Contribution), features=json.loads(features)),
        )
        for arm, kind, weight, succeeded, learnt, features in found
    ]


class Belief:
    """Belief by the long way, with what is known of the agent itself taken off and put on again."""

    def __init__(self, known: list[Fact], arms: list[str], now: float) -> None:
        self.arms = arms
        catalog, scale = Catalog(Config(), {}), scaling([])
        self.attributes = np.array([design(catalog.attributes(arm_dispatch(arm)), scale) for arm in arms])
        targets = weighted([(arms.index(one.arm), one.contribution) for one in known], LEARNING, now)
        self.outcomes = targets
        self.dense = [
            Dense(
                [Outcome(o.arm, o.x, o.y - self.local(t, o.arm, o.x), o.weight) for o in outcomes],
                self.attributes,
                PRIORS[t],
            )
            if outcomes
            else None
            for t, outcomes in enumerate(targets)
        ]

    def local(self, target: int, arm: int, x: Floats) -> float:
        """What is expected of the agent itself beside its attributes."""
        known = PRIORS[target].local
        return float(self.attributes[arm, LOCAL] * (x[: len(known)] @ known))

    def at(self, target: int, arm: str, x: Floats) -> tuple[float, float]:
        """Mean and standard deviation of f."""
        row, dense = self.arms.index(arm), self.dense[target]
        assert dense is not None
        mean, sd = dense.at(dense.row(row, x))
        return mean + self.local(target, row, x), sd

    def before(self, target: int, arm: str, x: Floats) -> float:
        """Mean before any outcome."""
        row, prior = self.arms.index(arm), PRIORS[target]
        return float(x @ prior.mean[:DIM] + self.attributes[row] @ prior.mean[DIM:]) + self.local(target, row, x)

    def noise(self, target: int) -> float:
        """The spread of outcomes around what is believed; the prior's counts as 10."""
        prior, outcomes = PRIORS[target], self.outcomes[target]
        squares = sum(o.weight * (o.y - self.at(target, self.arms[o.arm], o.x)[0]) ** 2 for o in outcomes)
        return math.sqrt((10.0 * prior.noise_sd**2 + squares) / (10.0 + sum(o.weight for o in outcomes)))

    def typical(self) -> Floats:
        """The average task."""
        every = [o for outcomes in self.outcomes for o in outcomes]
        return np.average([o.x for o in every], axis=0, weights=[o.weight for o in every])

    def shown(self, target: int, arm: str, x: Floats) -> tuple[float, float, float]:
        """The value with its interval, in the unit of the page."""
        mean, sd = self.at(target, arm, x)
        ends = [mean, mean - Z90 * sd, mean + Z90 * sd]
        if target == 0:
            return tuple(min(max(end, 0.0), 1.0) for end in ends)  # type: ignore[return-value]
        above = 0.5 * (LN10 * self.noise(target)) ** 2
        return tuple(UNITS[target] * math.exp(LN10 * end + above) for end in ends)  # type: ignore[return-value]


@pytest.fixture(scope="module")
def known(place: Place) -> list[Fact]:
    return facts(place)


@pytest.fixture(scope="module")
def belief(known: list[Fact], figures: Any) -> Belief:
    return Belief(known, sorted({one.arm for one in known}), figures["until"])


def values(estimate: dict[str, float]) -> tuple[float, float, float]:
    return estimate["mean"], estimate["low"], estimate["high"]


def test_what_is_counted(place: Place, figures: Any) -> None:
    columns = "executor, wall_time_ms, cost_usd, succeeded, censored, weight, ended"
    found = place.query(f"SELECT {columns} FROM outcomes")
    assert all(row[-1] for row in found)
    decisions = place.query("SELECT explored FROM decisions")
    assert figures["counted"] == pytest.approx(
        {
            "delegations": sum(row[0] == "delegate" for row in found),
            "turns": sum(row[0] == "local" for row in found),
            "hours": sum(row[1] or 0.0 for row in found) / 3.6e6,
            "cost_usd": sum(row[2] or 0.0 for row in found),
            "unknown": sum(row[3] is None and row[4] is None for row in found),
            "censored": sum(row[4] is not None for row in found),
            "verdicts": sum(row[5] for row in found if row[3] is not None and row[4] is None),
            "decisions": len(decisions),
            "explored": sum(row[0] for row in decisions),
        }
    )
    assert figures["counted"]["explored"] > 0


def arm_by_the_long_way(one: Any, known: list[Fact], belief: Belief, x: Floats) -> None:
    own = [fact for fact in known if fact.arm == one["arm"]]
    assert one["outcomes"] == len(own)
    assert one["verdicts"] == pytest.approx(sum(fact.weight for fact in own if fact.judged))
    for target, member in enumerate(MEMBERS):
        found, wanted = values(one["expected"][member]), belief.shown(target, one["arm"], x)
        assert found == pytest.approx(wanted, rel=1e-6, abs=1e-6), (one["arm"], member)


def test_every_arm_by_the_long_way(figures: Any, known: list[Fact], belief: Belief) -> None:
    assert {one["arm"] for one in figures["arms"]} == set(belief.arms)
    for one in figures["arms"]:
        arm_by_the_long_way(one, known, belief, belief.typical())
    counts = [one["outcomes"] for one in figures["arms"]]
    assert counts == sorted(counts, reverse=True)


def test_every_kind_by_the_long_way(figures: Any, known: list[Fact], belief: Belief) -> None:
    kinds = {fact.kind for fact in known}
    assert {one["kind"] for one in figures["kinds"]} == kinds
    assert figures["more_kinds"] == 0
    typical = belief.typical()
    for kind in figures["kinds"]:
        own = [fact for fact in known if fact.kind == kind["kind"]]
        x = typical.copy()
        x[1:17] = vector({"task_kind": kind["kind"]})[1:17]
        assert kind["outcomes"] == len(own)
        assert {one["arm"] for one in kind["arms"]} == {fact.arm for fact in own}
        for one in kind["arms"]:
            arm_by_the_long_way(one, own, belief, x)


def test_drift_of_arms_by_the_long_way(figures: Any, known: list[Fact]) -> None:
    """The latest weeks that hold ten verdicts against all before, in standard errors of the pooled spread."""
    for one in figures["arms"]:
        weeks: dict[int, list[tuple[float, float]]] = {}
        for fact in known:
            if fact.arm == one["arm"] and fact.judged:
                row = row_of(fact.contribution)
                week = math.floor(fact.contribution.at / (LEARNING.span_days * 86_400.0))
                weeks.setdefault(week, []).append((float(row.weights[0]), float(row.z[0, DIM])))
        recent: list[tuple[float, float]] = []
        before: list[tuple[float, float]] = []
        for week in sorted(weeks, reverse=True):
            (recent if sum(w for w, _ in recent) < 10.0 else before).extend(weeks[week])
        sizes = [sum(w for w, _ in part) for part in (recent, before)]
        if min(sizes) < 10.0:
            assert one["drift"] is None
            continue
        rates = [sum(w * y for w, y in part) / size for part, size in zip((recent, before), sizes, strict=True)]
        mean = sum(w * y for w, y in recent + before) / sum(sizes)
        spread = sum(w * y * y for w, y in recent + before) / sum(sizes) - mean**2
        assert one["drift"] == pytest.approx((rates[0] - rates[1]) / math.sqrt(spread * (1 / sizes[0] + 1 / sizes[1])))
    assert any(one["drift"] for one in figures["arms"])


# --- what was expected before it came -------------------------------------------------------------------------------


class Seen(msgspec.Struct):
    """One outcome of one target: what was expected, how surely, what beforehand, what came, its weight."""

    number: int
    expected: float
    sd: float
    before: float
    y: float
    weight: float


@pytest.fixture(scope="module")
def seen(known: list[Fact], belief: Belief) -> list[list[Seen]]:
    """Every outcome foreseen from those before it; anew whenever there are a twentieth more."""
    targets: list[list[Seen]] = [[], [], []]
    begin = 0
    while begin < len(known):
        end = min(len(known), begin + max(1, begin // 20))
        then = Belief(known[:begin], belief.arms, known[begin].contribution.at)
        noises = [then.noise(target) if then.outcomes[target] else PRIORS[target].noise_sd for target in range(3)]
        for number in range(begin, end):
            row = row_of(known[number].contribution)
            for target in range(3):
                weight, x = float(row.weights[target]), row.z[target, :DIM]
                before = then.before(target, known[number].arm, x)
                mean, sd = before, 0.0
                if then.dense[target] is not None:
                    mean, sd = then.at(target, known[number].arm, x)
                if target == 0:
                    mean, before = (min(max(one, 0.0), 1.0) for one in (mean, before))
                if weight:
                    y = float(row.z[target, DIM])
                    targets[target].append(Seen(number, mean, math.hypot(sd, noises[target]), before, y, weight))
        begin = end
    return targets


def test_every_point_of_the_learning_curves_by_the_long_way(
    figures: Any, known: list[Fact], seen: list[list[Seen]]
) -> None:
    found = figures["foresight"]
    assert found["outcomes"] == found["looked_at"] == len(known)
    for target, name in enumerate(TARGETS):
        points = found["curves"][name]
        assert [point["begin"] for point in points] == [0, *(point["end"] for point in points[:-1])]
        assert points[-1]["end"] == len(known)
        for point in points:
            inside = [one for one in seen[target] if point["begin"] <= one.number < point["end"]]
            total = sum(one.weight for one in inside)
            assert point["weight"] == pytest.approx(total)
            for member, of in (("error", "expected"), ("untaught", "before")):
                if total < 10.0:
                    assert point[member] is None
                    continue
                off = [getattr(one, of) - one.y for one in inside]
                wanted = 10.0 ** median(map(abs, off))
                if target == 0:
                    wanted = sum(one.weight * d * d for one, d in zip(inside, off, strict=True)) / total
                assert point[member] == pytest.approx(wanted, rel=1e-6), (name, point)


def test_calibration_by_the_long_way(figures: Any, seen: list[list[Seen]]) -> None:
    found, judged = figures["foresight"], seen[0]
    assert found["verdicts"] == pytest.approx(sum(one.weight for one in judged))
    assert sum(one["verdicts"] for one in found["bins"]) == pytest.approx(found["verdicts"])
    assert len(found["bins"]) == 8
    mean = sum(one["verdicts"] * one["expected"] for one in found["bins"]) / found["verdicts"]
    assert mean == pytest.approx(sum(one.weight * one.expected for one in judged) / found["verdicts"], rel=1e-6)
    rate = sum(one["verdicts"] * one["went_well"] for one in found["bins"]) / found["verdicts"]
    assert rate == pytest.approx(sum(one.weight * one.y for one in judged) / found["verdicts"])
    for one in found["bins"]:
        n, p, z2 = one["verdicts"], one["went_well"], Z90**2
        assert one["low"] <= p <= one["high"]
        for end in (one["low"], one["high"]):  # Wilson: both ends are as far as the test at that end allows
            assert n * (p - end) ** 2 == pytest.approx(z2 * end * (1 - end), rel=1e-3, abs=1e-9)
    for target, name in ((1, "wall_time"), (2, "cost")):
        held = found["held"][name]
        assert held["n"] == len(seen[target])
        for level, share in zip((0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9), held["shares"], strict=True):
            reach = NormalDist().inv_cdf((1 + level) / 2)
            within = [abs(one.y - one.expected) <= reach * one.sd for one in seen[target]]
            assert share == pytest.approx(sum(within) / len(within), abs=1.01 / len(within))


def test_savings_and_drift_are_what_those_verbs_say(place: Place, figures: Any) -> None:
    """Each of their figures is reckoned anew in their own tests; belief moves with the clock, by a millionth or so."""
    for verb in ("savings", "drift"):
        said = json.loads(place.run("routerctl", verb, *SINCE, "--json", check=True).stdout)
        for member in figures[verb]:
            assert msgspec.json.encode(_rounded(figures[verb][member])) == msgspec.json.encode(_rounded(said[member]))
    assert figures["savings"]["lines"][0]["verdict"] == "switch"
    assert figures["drift"]["strayed"]
    assert figures["drift"]["moved"]


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_rounded(one) for one in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value


# --- the page says what the figures are -----------------------------------------------------------------------------


class Tables(HTMLParser):
    """The tables of a page, by caption, each a list of rows; and every attribute and tag."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tables: dict[str, list[list[str]]] = {}
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._caption = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "caption":
            self._caption = ""
        elif tag == "tr":
            self.tables.setdefault(self._caption, []).append([])
        elif tag in ("td", "th"):
            self.tables[self._caption][-1].append("")
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if "caption" in self._open:
            self._caption += data
        elif {"td", "th"} & set(self._open):
            self.tables[self._caption][-1][-1] += data
        elif "style" not in self._open:
            self.words.append(data)


@pytest.fixture(scope="module")
def tables(page: str) -> Tables:
    return Tables(page)


def percents(one: Any) -> str:
    return f"{100 * one['mean']:.0f} % [{100 * one['low']:.0f}-{100 * one['high']:.0f}]"


def name(arm: str) -> str:
    return "the agent itself" if arm == "local" else arm.removeprefix("delegate:")


def test_the_tables_hold_the_figures(figures: Any, tables: Tables) -> None:
    found = tables.tables
    first = [
        [name(one["arm"]), str(one["outcomes"]), f"{one['verdicts']:.1f}", percents(one["expected"]["success"])]
        for one in figures["arms"]
    ]
    assert [row[:4] for row in found["each arm on the average task so far"][1:]] == first
    kinds = [
        [kind["kind"], name(one["arm"]), str(one["outcomes"])] for kind in figures["kinds"] for one in kind["arms"]
    ]
    assert [row[:3] for row in found["each arm by kind of task"][1:]] == kinds
    curves = figures["foresight"]["curves"]
    off = [[f"{p['begin'] + 1}-{p['end']}", f"{p['weight']:.1f}"] for target in TARGETS for p in curves[target]]
    assert [[row[0], row[2]] for row in found["how far expectations were off"][1:]] == off
    went = [[f"{100 * b['expected']:.0f} %", f"{b['verdicts']:.1f}"] for b in figures["foresight"]["bins"]]
    assert [[row[0], row[2]] for row in found["what was expected, and what came"][1:]] == went
    held = figures["foresight"]["held"]
    shares = [
        [f"{100 * a:.0f} %", f"{100 * b:.0f} %"]
        for a, b in zip(held["wall_time"]["shares"], held["cost"]["shares"], strict=True)
    ]
    assert [row[1:] for row in found["within the intervals"][1:]] == shares
    lines = [
        [
            f"{one['agent']}, {one['kind'] or 'all kinds'}",
            name(one["baseline"]["arm"]),
            f"{one['moved']} of {one['tasks']}",
        ]
        for one in figures["savings"]["lines"]
    ]
    assert [[row[0], row[2], row[4]] for row in found["every comparison"][1:]] == lines
    saved = figures["savings"]["lines"][0]["saved_usd"]
    assert found["every comparison"][1][7] == f"${saved['mean']:.2f} [${saved['low']:.2f} to ${saved['high']:.2f}]"
    strayed = [
        [one["agent"], one["asked"], one["ran"], f"{one['units']} of {one['of']}"]
        for one in figures["drift"]["strayed"]
    ]
    assert [row[:4] for row in found["asked for, and ran"][1:]] == strayed
    moved = [[name(one["arm"]), f"{one['drift']:+.2f}"] for one in figures["arms"] if one["drift"] is not None]
    assert found["latest success against before"][1:] == moved


def test_nothing_comes_from_elsewhere_and_nothing_runs(tables: Tables) -> None:
    for tag, attributes in tables.tags:
        assert tag not in {"script", "link", "img", "iframe", "object", "embed", "base", "form", "use", "image"}
        for attribute, value in attributes.items():
            assert not attribute.startswith("on")
            assert attribute not in {"src", "srcset", "style", "action", "xlink:href"}
            if attribute == "href":
                assert (value or "").startswith("#")
    policy = [a["content"] for tag, a in tables.tags if tag == "meta" and a.get("http-equiv")]
    assert policy == ["default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"]


def test_what_is_private_is_not_on_it(place: Place, page: str) -> None:
    assert str(place.home) not in page
    for (session,) in place.query("SELECT DISTINCT session_id FROM outcomes WHERE session_id IS NOT NULL"):
        assert session not in page
    assert "look at src" not in page


# --- where there is little, or nothing, or somebody else's ----------------------------------------------------------


def test_no_database(alone: Place) -> None:
    done = alone.run("routerctl", "dashboard", "page.html")
    assert (done.returncode, done.stderr.count("\n")) == (70, 1)
    assert "has routerd run yet" in done.stderr
    assert not (alone.home / "page.html").exists()


def test_an_empty_database_says_why_in_every_part(alone: Place) -> None:
    alone.once()
    done = alone.run("routerctl", "dashboard", "page.html", check=True)
    assert done.stdout.startswith(str(alone.home / "page.html"))
    read = Tables((alone.home / "page.html").read_text(encoding="utf-8"))
    said = " ".join(read.words)
    assert said.count("There is no outcome yet to learn from") == 3
    for words in (
        "no outcome yet to foresee",
        "there is nothing to compare",
        "Nobody asked for a model",
        "Not enough to tell",
    ):
        assert words in said
    assert not any(tag == "svg" for tag, _ in read.tags)


def test_a_few_outcomes_are_shown_as_few(alone: Place) -> None:
    imported(
        alone,
        rows("docs", DEAR, 3, fails=9, minutes=2.0, dollars=0.3),
        rows("docs", CHEAP, 1, fails=9, minutes=1.0, dollars=0.1),
    )
    alone.run("routerctl", "dashboard", "page.html", *SINCE, check=True)
    text = (alone.home / "page.html").read_text(encoding="utf-8")
    said = " ".join(Tables(text).words)
    assert "of 2 arms that tasks are handed to, none has outcomes worth 10 verdicts" in said
    assert "two points need outcomes worth 10 each, and all are worth 4" in said
    assert "outcomes worth 20 verdicts are needed, and all are worth 4" in said
    assert "20 known times or costs are needed, and there are 4" in said
    assert "Of no kind of task is there enough to tell yet" in said
    assert 'class="blob c0 unsure"' in text


HOSTILE = '"><script>alert(1)</script>\u202e\x00&amp;<svg onload=x>'


def test_names_from_logs_are_text(alone: Place) -> None:
    """In kinds, agents and models alike; and however long they are, the page is whole."""
    hostile = [
        {
            **row,
            "id": f"h{number}",
            "agent": HOSTILE,
            "dispatch": {"executor": "delegate", "model": HOSTILE + "x" * 300},
        }
        for number, row in enumerate(rows(HOSTILE.replace("\x00", ""), DEAR, 12, fails=3, minutes=2.0, dollars=0.3))
    ]
    imported(alone, hostile, rows("docs", DEAR, 12, fails=9, minutes=2.0, dollars=0.3))
    assert alone.query("SELECT count(*) FROM outcomes") == [(24,)]
    alone.run("routerctl", "dashboard", "page.html", *SINCE, check=True)
    read = Tables((alone.home / "page.html").read_text(encoding="utf-8"))
    test_nothing_comes_from_elsewhere_and_nothing_runs(read)
    said = " ".join(read.words)
    assert "<script>alert(1)</script>" in said
    assert not {"\u202e", "\x00"} & set(said)


def test_what_is_not_ours_is_not_overwritten(place: Place, page: str) -> None:
    own, other = place.home / "page.html", place.home / "thesis.html"
    assert page == own.read_text(encoding="utf-8")
    place.run("routerctl", "dashboard", "page.html", *SINCE, check=True)
    other.write_text("<!doctype html><p>years of work")
    done = place.run("routerctl", "dashboard", "thesis.html")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "--force" in done.stderr
    assert other.read_text() == "<!doctype html><p>years of work"
    place.run("routerctl", "dashboard", "thesis.html", "--force", check=True)
    assert other.read_text().startswith("<!doctype html><!-- written by routerctl dashboard -->")
    assert [one.name for one in place.home.glob(".*draft*")] == []


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("no/such/page.html", "there is no directory"),
        (".", "is a directory"),
        ("page.html --since soon", "neither a length"),
    ],
)
def test_a_place_that_cannot_be_is_named_in_one_line(alone: Place, file: str, said: str) -> None:
    alone.once()
    done = alone.run("routerctl", "dashboard", *file.split())
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert said in done.stderr


def test_a_link_stays_a_link_and_a_mode_a_mode(place: Place, page: str) -> None:
    real, link = place.home / "real.html", place.home / "link.html"
    real.write_text(page)
    real.chmod(0o640)
    link.symlink_to(real)
    place.run("routerctl", "dashboard", "link.html", check=True)
    assert link.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640


def test_beside_a_daemon_that_writes(place: Place) -> None:
    with place.daemon() as daemon:
        place.run("routerctl", "dashboard", "beside.html", check=True)
        assert daemon.ask("status")["counts"]["outcomes"] > 0
    assert AGENT in (place.home / "beside.html").read_text(encoding="utf-8")


def test_the_pool_in_force_spells_the_arms(alone: Place) -> None:
    """An arm has one name on the page, however the log spelt the model."""
    configure(alone, '[catalog.aliases]\nmine = "claude-opus-5"\n')
    spelt = [
        {**row, "dispatch": {"executor": "delegate", "model": "mine"}}
        for row in rows("docs", DEAR, 4, fails=9, minutes=2.0, dollars=0.3)
    ]
    more = [
        {**row, "id": f"more{number}"}
        for number, row in enumerate(rows("docs", DEAR, 4, fails=9, minutes=2.0, dollars=0.3))
    ]
    imported(alone, spelt, more)
    found = json.loads(alone.run("routerctl", "dashboard", "page.html", *SINCE, "--json", check=True).stdout)["figures"]
    assert [(one["arm"], one["outcomes"]) for one in found["arms"]] == [(DEAR, 8)]

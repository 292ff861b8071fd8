"""`routerctl metrics`: what Prometheus' own parser reads of it, what the dashboard asks of it, and the spans."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from routerd.metrics import FAMILIES, exposition, histogram
from routerd.metrics import Sample as Own
from tests.cli.history import CHEAP, DEAR, drawn, imported, rows
from tests.harness import Daemon, Place
from tests.sources.claude_logs import home_files as claude_files
from tests.sources.codex_logs import home_files as codex_files

DASHBOARD = Path(__file__).parents[2] / "config/grafana/routerd.json"
DAEMONS = {name for name in FAMILIES if name.startswith(("routerd_source_", "routerd_queue_", "routerd_arm_"))} | {
    "routerd_uptime_seconds"
}


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    place = Place(tmp_path_factory.mktemp("home"))
    place.write({**codex_files(), **claude_files()})
    lot = rows("docs", DEAR, 12, fails=3, minutes=1.0, dollars=0.1)
    imported(place, lot, [{**lot[0], "id": "nobody knows", "succeeded": None}])
    with place.daemon() as running:
        running.caught_up()
        drawn(running, "docs", 12)
        running.until(lambda: place.query("SELECT count(*) FROM decisions") == [(12,)])
        yield running


def scraped(place: Place) -> dict[str, list[Sample]]:
    """By family, as Prometheus reads it."""
    text = place.run("routerctl", "metrics", check=True).stdout
    return {family.name: family.samples for family in text_string_to_metric_families(text)}


@pytest.fixture(scope="module")
def text(daemon: Daemon) -> str:
    return daemon.place.run("routerctl", "metrics", check=True).stdout


@pytest.fixture(scope="module")
def families(text: str) -> dict[str, list[Sample]]:
    return {family.name: family.samples for family in text_string_to_metric_families(text)}


def test_prometheus_reads_every_metric_with_its_type_and_help(text: str) -> None:
    for family in text_string_to_metric_families(text):
        assert (family.type, family.documentation) == FAMILIES[family.name]
        assert family.samples
    found = {family.name for family in text_string_to_metric_families(text)}
    assert found == FAMILIES.keys() - {"routerd_strayed_tasks"}  # nothing in this history strayed


def test_counts_are_those_of_the_database(daemon: Daemon, families: dict[str, list[Sample]]) -> None:
    place = daemon.place
    assert sum(one.value for one in families["routerd_decisions"]) == 12
    for outcome, condition in {
        "censored": "censored IS NOT NULL",
        "unknown": "censored IS NULL AND succeeded IS NULL",
        "success": "censored IS NULL AND succeeded >= 0.5",
        "failure": "censored IS NULL AND succeeded < 0.5",
    }.items():
        [(count,)] = place.query(f"SELECT count(*) FROM outcomes WHERE ended = 1 AND {condition}")
        assert sum(one.value for one in families["routerd_outcomes"] if one.labels["outcome"] == outcome) == count > 0
    [(dollars,)] = place.query("SELECT sum(cost_usd) FROM outcomes WHERE ended = 1")
    assert sum(one.value for one in families["routerd_cost_dollars"]) == pytest.approx(dollars)
    totals: dict[str, int] = {}
    for (tokens,) in place.query("SELECT tokens FROM outcomes WHERE ended = 1 AND tokens IS NOT NULL"):
        for kind, count in json.loads(tokens).items():
            totals[kind] = totals.get(kind, 0) + count
    for kind in ("input", "output", "cache_read", "cache_write"):
        found = sum(one.value for one in families["routerd_tokens"] if one.labels["kind"] == kind)
        assert found == totals.get(kind, 0)


def test_the_histogram_counts_tasks_by_their_time(daemon: Daemon, families: dict[str, list[Sample]]) -> None:
    times = [
        row[0] / 1000.0
        for row in daemon.place.query(
            "SELECT wall_time_ms FROM outcomes WHERE ended = 1 AND wall_time_ms IS NOT NULL AND censored IS NULL"
        )
    ]
    samples = families["routerd_task_duration_seconds"]
    for edge in {one.labels["le"] for one in samples if "le" in one.labels}:
        found = sum(one.value for one in samples if one.labels.get("le") == edge)
        assert found == sum(time <= float(edge) for time in times)
    assert sum(one.value for one in samples if one.name.endswith("_count")) == len(times)
    assert sum(one.value for one in samples if one.name.endswith("_sum")) == pytest.approx(sum(times))


def test_what_the_daemon_says_is_what_its_status_says(daemon: Daemon, families: dict[str, list[Sample]]) -> None:
    sources = daemon.ask("status")["sources"]
    for name, member in {"files": "files", "bytes": "bytes", "unreadable_records": "quarantined"}.items():
        for agent in ("codex", "claude-code"):
            (found,) = [one.value for one in families[f"routerd_source_{name}"] if one.labels["agent"] == agent]
            assert found == sum(source[member] for source in sources if source["agent"] == agent)
    for arm in daemon.ask("arms")["arms"]:
        own = {
            one.labels["estimate"]: one.value
            for one in families["routerd_arm_success_ratio"]
            if one.labels["arm"] == arm["arm"]
        }
        assert own == pytest.approx({key: arm["posterior"]["success"][key] for key in ("mean", "low", "high")})
    assert [one.value for one in families["routerd_up"]] == [1.0]


def test_no_session_and_no_path_is_among_the_labels(daemon: Daemon, families: dict[str, list[Sample]]) -> None:
    sessions = {row[0] for row in daemon.place.query("SELECT DISTINCT session_id FROM outcomes") if row[0]}
    values = {value for samples in families.values() for one in samples for value in one.labels.values()}
    assert sessions
    assert not values & sessions
    assert not [value for value in values if str(daemon.place.home) in value]


def test_the_dashboard_asks_for_metrics_that_there_are(families: dict[str, list[Sample]]) -> None:
    asked = [target["expr"] for panel in json.loads(DASHBOARD.read_text())["panels"] for target in panel["targets"]]
    names = {name for expr in asked for name in re.findall(r"routerd_\w+", expr)}
    parts = {
        f"{name}{part}"
        for name, (kind, _) in FAMILIES.items()
        if kind == "histogram"
        for part in ("_bucket", "_sum", "_count")
    }
    assert names <= FAMILIES.keys() | parts
    assert {
        name.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count") for name in names
    } == FAMILIES.keys()
    known = {name: {key for one in samples for key in one.labels} for name, samples in families.items()}
    for expr in asked:
        for name, inside in re.findall(r"(routerd_\w+)\{([^}]*)\}", expr):
            for label in re.findall(r"(\w+)=", inside):
                assert label in known[name], expr
        for labels in re.findall(r"by \(([^)]*)\)", expr):
            base = (
                re.findall(r"routerd_\w+", expr)[0].removesuffix("_bucket").removesuffix("_sum").removesuffix("_count")
            )
            assert set(re.findall(r"\w+", labels)) <= known[base], expr


def test_without_a_daemon_it_says_so(tmp_path: Path) -> None:
    place = Place(tmp_path)
    done = place.run("routerctl", "metrics")
    assert (done.returncode, done.stderr.count("\n")) == (70, 1)
    place.write(codex_files())
    place.once()
    found = scraped(place)
    assert [one.value for one in found["routerd_up"]] == [0.0]
    assert not found.keys() & DAEMONS
    assert json.loads(place.run("routerctl", "metrics", "--json", check=True).stdout)[0].keys() == {
        *("name", "labels", "value", "suffix")
    }


def test_what_stands_in_a_label_is_escaped() -> None:
    odd = 'a"b\\c\nd'
    text = exposition([Own("routerd_arm_outcomes", {"arm": odd}, 1.5), Own("routerd_up", {}, float("inf"))])
    found = {family.name: family.samples[0] for family in text_string_to_metric_families(text)}
    assert found["routerd_arm_outcomes"].labels == {"arm": odd}
    assert found["routerd_arm_outcomes"].value == 1.5
    assert found["routerd_up"].value == float("inf")
    with pytest.raises(KeyError):
        exposition([Own("routerd_nothing", {}, 1)])


def test_a_histogram_has_a_part_for_every_edge() -> None:
    with pytest.raises(ValueError, match="zip"):
        histogram("routerd_task_duration_seconds", {}, [1, 2], count=2, total=3.0)


# --- spans ----------------------------------------------------------------------------------------------------------


def spans(path: Path) -> list[dict[str, Any]]:
    """The spans of a file of export requests, one a line."""
    found = []
    for line in path.read_text().splitlines():
        (resource,) = json.loads(line)["resourceSpans"]
        assert {"key": "service.name", "value": {"stringValue": "routerd"}} in resource["resource"]["attributes"]
        (scope,) = resource["scopeSpans"]
        found += scope["spans"]
    return found


def attributes(span: dict[str, Any]) -> dict[str, Any]:
    return {one["key"]: next(iter(one["value"].values())) for one in span["attributes"]}


def test_a_decision_and_its_task_are_two_spans_of_one_trace(daemon: Daemon) -> None:
    place = daemon.place
    path = place.home / "spans.jsonl"
    assert "24 spans added" in place.run("routerctl", "metrics", "--spans", str(path), check=True).stdout
    found = spans(path)
    decisions = {row[0]: json.loads(row[1]) for row in place.query("SELECT id, body FROM decisions")}
    assert len(found) == 24
    roots = [span for span in found if span["name"] == "routerd.decide"]
    assert {attributes(span)["routerd.decision.id"] for span in roots} == decisions.keys()
    for root in roots:
        body = decisions[attributes(root)["routerd.decision.id"]]
        assert re.fullmatch(r"[0-9a-f]{32}", root["traceId"])
        assert re.fullmatch(r"[0-9a-f]{16}", root["spanId"])
        assert int(root["startTimeUnixNano"]) == pytest.approx(body["at"] * 1e9, abs=1000)
        assert attributes(root)["routerd.propensity"] == body["propensity"]
        (task,) = [span for span in found if span.get("parentSpanId") == root["spanId"]]
        assert task["traceId"] == root["traceId"]
        [(cost, wall_time_ms, succeeded)] = place.query(
            f"SELECT cost_usd, wall_time_ms, succeeded FROM outcomes WHERE decision_id = '{body['decision_id']}'"
        )
        assert attributes(task)["routerd.cost_usd"] == cost
        length_ns = int(task["endTimeUnixNano"]) - int(task["startTimeUnixNano"])
        assert length_ns == pytest.approx(wall_time_ms * 1e6, abs=1000)
        assert task["status"]["code"] == (1 if succeeded else 2)
        assert attributes(task)["gen_ai.response.model"] in (DEAR.rpartition(":")[2], CHEAP.rpartition(":")[2])


def test_spans_are_added_once_and_are_the_same_when_written_anew(daemon: Daemon) -> None:
    place = daemon.place
    first, second = place.home / "first.jsonl", place.home / "second.jsonl"
    place.run("routerctl", "metrics", "--spans", str(first), check=True)
    lines = first.read_bytes().splitlines(keepends=True)
    second.write_bytes(b"".join(lines[:5]))
    again = json.loads(place.run("routerctl", "metrics", "--spans", str(second), "--json", check=True).stdout)
    assert again == {"path": str(second), "added": len(lines) - 5}
    assert sorted(second.read_bytes().splitlines(keepends=True)) == sorted(lines)
    assert (
        json.loads(place.run("routerctl", "metrics", "--spans", str(first), "--json", check=True).stdout)["added"] == 0
    )
    done = place.run("routerctl", "metrics", "--spans", "/nowhere/spans")
    assert (done.returncode, "No such file" in done.stderr) == (2, True)

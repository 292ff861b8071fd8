"""
Figures for Prometheus, as text that its scrapers and node_exporter's textfile collector read.

Base units, no session and no path among the labels. Counts of the database are gauges: a label may change later, a unit
may turn out to be part of another, and old decisions are forgotten, so that none of them only ever rises.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

import msgspec

Kind = Literal["gauge", "histogram"]
Labels = Mapping[str, str]

FAMILIES: Final[dict[str, tuple[Kind, str]]] = {
    "routerd_build_info": ("gauge", "Version of routerd and of its database, as labels; always 1."),
    "routerd_up": ("gauge", "Whether the daemon answered, 1 or 0."),
    "routerd_uptime_seconds": ("gauge", "How long the daemon has run."),
    "routerd_database_bytes": ("gauge", "Size of the database file."),
    "routerd_decisions": ("gauge", "Decisions in the database."),
    "routerd_outcomes": ("gauge", "Tasks that ended, by success, failure, unknown or censored."),
    "routerd_task_duration_seconds": ("histogram", "Wall time of tasks that ended and were not censored."),
    "routerd_cost_dollars": (
        "gauge",
        "Sum of the tasks' costs by list price; estimated where tokens had to be guessed.",
    ),
    "routerd_tokens": ("gauge", "Sum of the tasks' tokens, by kind."),
    "routerd_last_outcome_timestamp_seconds": ("gauge", "When the latest task ended, Unix time."),
    "routerd_strayed_tasks": ("gauge", "Tasks that asked for one model and ran on another."),
    "routerd_arm_success_ratio": ("gauge", "Success that is expected of an arm: mean, and low and high of 90 %."),
    "routerd_arm_outcomes": ("gauge", "Outcomes that an arm's expectation rests on."),
    "routerd_source_files": ("gauge", "Log files that are known."),
    "routerd_source_bytes": ("gauge", "Size of the log files."),
    "routerd_source_lag_bytes": ("gauge", "Bytes of the log files that are not read yet."),
    "routerd_source_unreadable_records": ("gauge", "Records that could not be read."),
    "routerd_queue_pending": ("gauge", "Writes that wait."),
    "routerd_queue_capacity": ("gauge", "Writes that may wait."),
}
"""Every metric with its type and its help; the daemon's are left out while it does not answer, `routerd_up` says so."""

BUCKETS_S: Final = (10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)


class Sample(msgspec.Struct, frozen=True):
    """One value; `suffix` of a histogram's part, such as `_bucket`."""

    name: str
    labels: Labels
    value: float
    suffix: str = ""


def exposition(samples: Iterable[Sample]) -> str:
    """
    The text, by metric in the order of `FAMILIES`; metrics without samples are left out.

    Raises:
        KeyError: A sample is of no metric.
    """
    groups: dict[str, list[Sample]] = {name: [] for name in FAMILIES}
    for sample in samples:
        groups[sample.name].append(sample)
    lines = []
    for name, (kind, said) in FAMILIES.items():
        if groups[name]:
            lines += [f"# HELP {name} {said}", f"# TYPE {name} {kind}"]
            lines += [_line(sample) for sample in groups[name]]
    return "\n".join(lines) + "\n"


def _line(sample: Sample) -> str:
    labels = ",".join(f'{name}="{_escaped(value)}"' for name, value in sample.labels.items())
    return f"{sample.name}{sample.suffix}{{{labels}}} {_number(sample.value)}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    if math.isinf(value) or math.isnan(value):
        return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) else repr(float(value))


def histogram(name: str, labels: Labels, below: Iterable[int], count: int, total: float) -> list[Sample]:
    """A histogram: how many are within each of `BUCKETS_S`, how many there are, and their sum in seconds."""
    edges = [*(_number(edge) for edge in BUCKETS_S), "+Inf"]
    parts = [
        Sample(name, {**labels, "le": edge}, number, "_bucket")
        for edge, number in zip(edges, [*below, count], strict=True)
    ]
    return [*parts, Sample(name, labels, total, "_sum"), Sample(name, labels, count, "_count")]


def of_daemon(status: Mapping[str, Any], arms: Iterable[Mapping[str, Any]]) -> list[Sample]:
    """
    What a running daemon says.

    Args:
        status: The result of `status`; where an agent has several roots, they are added up.
        arms: `arms` of the result of `arms`.
    """
    found = [
        Sample("routerd_uptime_seconds", {}, status["uptime_s"]),
        Sample("routerd_queue_pending", {}, status["queue"]["pending"]),
        Sample("routerd_queue_capacity", {}, status["queue"]["capacity"]),
    ]
    members = {"files": "files", "bytes": "bytes", "lag_bytes": "lag_bytes", "quarantined": "unreadable_records"}
    for agent in dict.fromkeys(source["agent"] for source in status["sources"]):
        own = [source for source in status["sources"] if source["agent"] == agent]
        for member, suffix in members.items():
            found.append(Sample(f"routerd_source_{suffix}", {"agent": agent}, sum(one[member] for one in own)))
    for arm in arms:
        success = arm["posterior"]["success"]
        for estimate in ("mean", "low", "high"):
            labels = {"arm": arm["arm"], "estimate": estimate}
            found.append(Sample("routerd_arm_success_ratio", labels, success[estimate]))
        found.append(Sample("routerd_arm_outcomes", {"arm": arm["arm"]}, arm["n"]))
    return found

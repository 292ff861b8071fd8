"""
Decisions as OpenTelemetry spans: a span for the choice, and under it one for the task that followed.

Each span is one line of OTLP/JSON, as the Collector's file receiver reads it. Ids follow from the decision's id, so
that the same decision gives the same spans, whoever writes them and how often. `gen_ai.*` is spelt as OpenTelemetry's
conventions have it, which still call all of it in development.
"""

from hashlib import blake2b
from typing import Any, Final

import msgspec

from routerd.events import Decision, Tokens

NS: Final = 1_000_000_000


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """The task that followed a decision; times in Unix seconds."""

    agent: str
    provider: str | None
    model: str | None
    ended_at: float
    wall_time_ms: float | None
    cost_usd: float | None
    succeeded: float | None
    censored: str | None
    tokens: Tokens | None


def trace_id(decision_id: str) -> str:
    """32 hexadecimal digits."""
    return blake2b(decision_id.encode(), digest_size=16, person=b"routerd.trace").hexdigest()


def span_id(decision_id: str, what: str) -> str:
    """16 hexadecimal digits; `what` is `decide` or `task`."""
    return blake2b(f"{what}:{decision_id}".encode(), digest_size=8, person=b"routerd.span").hexdigest()


def spans(decision: Decision, done: Done | None) -> list[dict[str, Any]]:
    """The spans of a decision, as members of OTLP/JSON's `spans`."""
    found = [_choice(decision)]
    if done is not None:
        found.append(_task(decision, done))
    return found


def line(span: dict[str, Any], version: str) -> bytes:
    """One export request with one span in it, without a newline."""
    resource = {"attributes": _attributes({"service.name": "routerd", "service.version": version})}
    scoped = {"scope": {"name": "routerd", "version": version}, "spans": [span]}
    return msgspec.json.encode({"resourceSpans": [{"resource": resource, "scopeSpans": [scoped]}]})


def _choice(decision: Decision) -> dict[str, Any]:
    at = str(round(decision.at * NS))
    return {
        "traceId": trace_id(decision.decision_id),
        "spanId": span_id(decision.decision_id, "decide"),
        "name": "routerd.decide",
        "kind": 1,
        "startTimeUnixNano": at,
        "endTimeUnixNano": at,
        "attributes": _attributes(
            {
                "gen_ai.agent.name": decision.agent,
                "gen_ai.conversation.id": decision.session_id,
                "gen_ai.provider.name": decision.dispatch.provider,
                "gen_ai.request.model": decision.dispatch.model,
                "routerd.decision.id": decision.decision_id,
                "routerd.arm": decision.arm,
                "routerd.basis": decision.basis,
                "routerd.explored": decision.explored,
                "routerd.gate.apply": decision.gate.apply,
                "routerd.policy": decision.policy.name,
                "routerd.propensity": decision.propensity,
                "routerd.utility_usd": decision.utility,
                "routerd.scope": decision.scope,
            }
        ),
    }


def _task(decision: Decision, done: Done) -> dict[str, Any]:
    began = done.ended_at - (done.wall_time_ms or 0.0) / 1000.0
    tokens = done.tokens
    return {
        "traceId": trace_id(decision.decision_id),
        "spanId": span_id(decision.decision_id, "task"),
        "parentSpanId": span_id(decision.decision_id, "decide"),
        "name": f"invoke_agent {done.agent}",
        "kind": 1,
        "startTimeUnixNano": str(round(began * NS)),
        "endTimeUnixNano": str(round(done.ended_at * NS)),
        "attributes": _attributes(
            {
                "gen_ai.operation.name": "invoke_agent",
                "gen_ai.agent.name": done.agent,
                "gen_ai.provider.name": done.provider,
                "gen_ai.request.model": decision.dispatch.model,
                "gen_ai.response.model": done.model,
                "gen_ai.usage.input_tokens": None if tokens is None else tokens.input,
                "gen_ai.usage.output_tokens": None if tokens is None else tokens.output,
                "routerd.decision.id": decision.decision_id,
                "routerd.success": done.succeeded,
                "routerd.censored": done.censored,
                "routerd.cost_usd": done.cost_usd,
            }
        ),
        "status": {"code": _status(done)},
    }


def _status(done: Done) -> int:
    """0 unset, 1 ok, 2 error."""
    if done.censored is not None or done.succeeded is None:
        return 0
    return 1 if done.succeeded >= 0.5 else 2


def _attributes(members: dict[str, Any]) -> list[dict[str, Any]]:
    """Key and typed value of each member that is known; whole numbers are strings in OTLP/JSON."""
    return [{"key": key, "value": _value(value)} for key, value in members.items() if value is not None]


def _value(value: Any) -> dict[str, Any]:
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case _:
            return {"stringValue": str(value)}

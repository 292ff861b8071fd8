"""
One `delegate_task` call, from the question to what came of each of its tasks.

    Patience   how long the call may still wait for routerd
    Pick       what routerd says of one task, and what became of that
    Call       the tasks of a call with their picks; `CALL` holds the one that runs on this thread

A pick is applied only in mode `enforce`, only where the gate lets it through, never against what the user has pinned,
and only as the daemon spells it for its provider.
"""

from __future__ import annotations

import json
import os
from contextvars import ContextVar
from time import monotonic

from routerd.client import TIMEOUT_S, ask
from routerd.integrations.hermes import AGENT, tasks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from routerd.integrations.modes import Mode

PATIENCE_S = TIMEOUT_S
"""For all that is asked in one call."""

NOT_DELEGATED = "not_delegated"
"""The `status` of an answer that says: do it yourself. It has no member `error`, which would count as a failed tool."""


class Patience:
    """What is left of the time that a call may wait for routerd, in seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.left = seconds

    def ask(self, method: str, params: Mapping[str, Any]) -> Any:
        """The result of a method, or None whatever goes wrong."""
        if self.left <= 0.0:
            return None
        began = monotonic()
        try:
            return ask(method, params, timeout_s=self.left)
        finally:
            self.left -= monotonic() - began

    @property
    def waited_ms(self) -> float:
        """How long was waited so far."""
        return (self._seconds - self.left) * 1000.0


class Pick:
    """
    What routerd says of one task.

    Attributes:
        task: As it was asked, in the words of the protocol.
        ref: Names the task as the log does.
        incumbent: What Hermes would do by itself, if that is known.
        pinned: The user has chosen; nothing is applied.
        decision: The daemon's answer, or None.
        route: What is to be applied: `provider`, `model`, `reasoning_effort` and `role`, as far as set.
        built: Its child was built; whatever else is built meanwhile is none of ours.
        child: Gives the child's agent object, as long as that lives.
        state: What became of it, for people.
    """

    def __init__(self, index: int, task: dict[str, Any], ref: dict[str, Any], pinned: bool) -> None:
        self.index = index
        self.task = task
        self.ref = ref
        self.incumbent: dict[str, Any] | None = None
        self.pinned = pinned
        self.decision: dict[str, Any] | None = None
        self.route: dict[str, Any] | None = None
        self.built = False
        self.child: Callable[[], Any] | None = None
        self.state = "no answer from routerd"

    @property
    def dispatch(self) -> dict[str, Any]:
        """The dispatch that routerd chose."""
        dispatch: dict[str, Any] = self.decision["dispatch"] if self.decision else {}
        return dispatch

    @property
    def is_choice(self) -> bool:
        """Whether routerd chose by what it knows. What is pinned stays as the user has it."""
        return self.decision is not None and not self.pinned and self.decision.get("basis") in ("learned", "prior")

    @property
    def may_apply(self) -> bool:
        """Whether the gate lets it through."""
        return self.is_choice and self.decision is not None and self.decision["gate"].get("apply") is True

    @property
    def is_local(self) -> bool:
        """Whether routerd would have the agent do it itself."""
        return self.dispatch.get("executor") == "local"

    @property
    def differs(self) -> bool:
        """Whether routerd would do otherwise than Hermes. The incumbent comes back as it was named."""
        return self.is_choice and self.dispatch != self.incumbent

    def take(self, answer: Any) -> None:
        """Takes in the daemon's answer; what is not shaped like one counts as none."""
        if not isinstance(answer, dict):
            return
        if isinstance(answer.get("error"), dict):
            self.state = f"routerd refuses: {answer['error'].get('message')}"
        elif _is_decision(answer):
            self.decision = answer
            self.state = "left to Hermes"


class Call:
    """
    The tasks of a call.

    Attributes:
        asked: The question was put; it is put once.
        started: How many children were announced so far; they are announced in the order of the tasks.
    """

    def __init__(self, mode: Mode, session_id: str, tool_call_id: str, patience_s: float = PATIENCE_S) -> None:
        self.mode = mode
        self.session_id = session_id
        self.tool_call_id = tool_call_id
        self.patience = Patience(patience_s)
        self.asked = False
        self.started = 0
        self.picks: list[Pick] = []
        self.section: dict[str, Any] = {}
        self.scope = "default"

    def consider(self, arguments: Mapping[str, Any], section: Mapping[str, Any], parent: Any, scope: str) -> None:
        """
        Asks routerd about all tasks at once, and works out what is to be applied.

        Args:
            arguments: Of the call.
            section: `delegation:` of Hermes' configuration.
            parent: The agent object that delegates, or None where it cannot be seen.
            scope: In which decisions are remembered: the profile.
        """
        self.asked = True
        self.section, self.scope = dict(section), scope
        route = tasks.route_of(parent)
        about = {"cwd": _cwd(parent), "depth": _depth(parent), "parent": route or None, "session_id": self.session_id}
        pinned = tasks.is_pinned(section)
        for index, task in enumerate(tasks.tasks_of(arguments)):
            known = {name: value for name, value in about.items() if value}
            ref = tasks.ref_of(self.session_id, self.tool_call_id, index)
            pick = Pick(index, {**task, **known, "agent": AGENT}, ref, pinned)
            pick.incumbent = tasks.incumbent(section, route, task["role"])
            self.picks.append(pick)
        if self.picks:
            self._ask()
        if self.mode == "enforce":
            self._prepare()

    def _ask(self) -> None:
        answer = self.patience.ask("recommend_batch", {"tasks": [_question(pick, self.scope) for pick in self.picks]})
        decisions = answer.get("decisions") if isinstance(answer, dict) else None
        if isinstance(decisions, list) and len(decisions) == len(self.picks):
            for pick, one in zip(self.picks, decisions, strict=True):
                pick.take(one)

    def _prepare(self) -> None:
        """The routes of the picks that may be applied, spelt as their providers do."""
        for pick in self.picks:
            if not pick.may_apply or pick.is_local or pick.decision is None:
                continue
            if pick.dispatch.get("profile") or pick.dispatch.get("agent") not in (None, AGENT):
                pick.state = "left to Hermes: it is no model that Hermes could run"
                continue
            pick.route = _route(pick.decision.get("resolved"))
            if pick.route is None:
                pick.state = "left to Hermes: `routerctl resolve` does not know it"

    @property
    def local(self) -> bool:
        """Whether every task is to be done by the agent itself. Of a batch that is to be split nothing is kept back."""
        picks = self.picks if self.mode == "enforce" else []
        return bool(picks) and all(pick.may_apply and pick.is_local for pick in picks)

    def pick(self, index: Any, session_id: Any) -> Pick | None:
        """The pick for the child that an agent builds, if it is this call's and was not built yet."""
        known = isinstance(index, int) and 0 <= index < len(self.picks) and session_id == self.session_id
        return self.picks[index] if known and not self.picks[index].built else None

    def own_work(self) -> str:
        """The answer that tells the agent to do the work itself; not an error, and no child was started."""
        for pick in self.picks:
            pick.state = "applied: the agent does it itself"
        reasons = [f"task {pick.index + 1}: {_reason(pick)}" for pick in self.picks]
        advice = (
            "routerd: on this kind of task you do better by yourself than a subagent would. Do the work yourself now, "
            "in this conversation. If it must be a subagent, call delegate_task again with the same tasks."
        )
        return json.dumps({"status": NOT_DELEGATED, "advice": advice, "why": reasons}, ensure_ascii=False)

    def advised(self, result: Any) -> Any:
        """The result with a note of what routerd would have done, where it would have done otherwise."""
        notes = [_note(pick) for pick in self.picks if pick.differs]
        if self.mode != "advise" or not notes or not isinstance(result, str):
            return result
        try:
            value = json.loads(result)
        except (ValueError, RecursionError):
            return result
        if not isinstance(value, dict) or "error" in value:
            return result
        return json.dumps({**value, "routerd": ["advice only, nothing was changed", *notes]}, ensure_ascii=False)


CALL: ContextVar[Call | None] = ContextVar("routerd_call", default=None)
"""The call that runs: children are built on the thread that runs the middleware, in the background as well."""


def named(dispatch: Mapping[str, Any] | None) -> str:
    """A dispatch in a few words: `provider:model@effort`, or what stands for it."""
    if not dispatch:
        return "what Hermes would use"
    if dispatch.get("executor") == "local":
        return "the agent itself"
    provider = f"{dispatch['provider']}:" if dispatch.get("provider") else ""
    effort = f"@{dispatch['reasoning_effort']}" if dispatch.get("reasoning_effort") else ""
    return f"{provider}{dispatch.get('model') or '?'}{effort}"


def _question(pick: Pick, scope: str) -> dict[str, Any]:
    question = {"task": pick.task, "ref": pick.ref, "scope": scope}
    if pick.incumbent is not None:
        question["incumbent"] = pick.incumbent
        if pick.pinned:
            question["pinned"] = pick.incumbent
    return question


def _is_decision(answer: Mapping[str, Any]) -> bool:
    texts = (answer.get("decision_id"), answer.get("arm"))
    objects = (answer.get("dispatch"), answer.get("gate"))
    return all(isinstance(value, str) for value in texts) and all(isinstance(value, dict) for value in objects)


def _route(resolved: Any) -> dict[str, Any] | None:
    """The route in what a pick resolves to; None without a model."""
    dispatch = resolved.get("dispatch") if isinstance(resolved, dict) else None
    if not isinstance(dispatch, dict) or not isinstance(dispatch.get("model"), str):
        return None
    names = ("provider", "model", "reasoning_effort", "role")
    route = {name: dispatch[name] for name in names if isinstance(dispatch.get(name), str) and dispatch[name]}
    if route.get("reasoning_effort") not in tasks.EFFORTS:
        route.pop("reasoning_effort", None)
    return route


def _note(pick: Pick) -> str:
    instead = f" rather than on {named(pick.incumbent)}" if pick.incumbent else ""
    where = "you would do it yourself" if pick.is_local else f"it would run on {named(pick.dispatch)}{instead}"
    return f"task {pick.index + 1}: {where}; {_reason(pick)}"


def _reason(pick: Pick) -> str:
    return str(pick.decision.get("reason", "")) if pick.decision else ""


def _cwd(parent: Any) -> str | None:
    """Where the work is, for a session at a terminal; elsewhere the directory of the process says nothing of it."""
    if getattr(parent, "platform", None) not in (None, "", "cli"):
        return None
    try:
        return os.getcwd()
    except OSError:
        return None


def _depth(parent: Any) -> int:
    depth = getattr(parent, "_delegate_depth", 0)
    return depth if isinstance(depth, int) and depth > 0 else 0


def goals(picks: Iterable[Pick]) -> frozenset[str]:
    """What makes two calls ask for the same."""
    return frozenset(str(pick.task["goal"]) for pick in picks)

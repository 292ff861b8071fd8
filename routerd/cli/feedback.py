"""`routerctl feedback ID good|bad`: a person's verdict."""

from typing import Any, Literal

from routerd.cli.common import DEFAULTS, Common, ask, show
from routerd.cli.view import console
from routerd.errors import NoSuchDecision, RequestError


def feedback(
    id: str,  # noqa: A002 - the contract's own word
    verdict: Literal["good", "bad"],
    *,
    note: str | None = None,
    common: Common = DEFAULTS,
) -> int:
    """Whether a task went well, whatever the logs say.

    Example: routerctl feedback d_0193 bad --note "broke the build"

    Parameters
    ----------
    id: str
        A decision id or an outcome id.
    verdict: str
        good or bad.
    note: str
        A word on why; what looks like a credential is taken out.
    """
    try:
        answer = ask("feedback", {"decision_id": id, "verdict": verdict, "note": note}, common)
    except RequestError as error:
        if error.code != NoSuchDecision.code:
            raise
        answer = ask("feedback", {"outcome_id": id, "verdict": verdict, "note": note}, common)
    return show(answer, common, render)


def render(answer: dict[str, Any]) -> None:
    """One line."""
    console().print(f"{answer['outcome_id']}: {'succeeded' if answer['succeeded'] else 'did not succeed'}; learnt")

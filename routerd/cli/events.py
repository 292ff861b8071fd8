"""`routerctl events`: decisions and outcomes as they come."""

import json
import sys
from typing import Annotated

from cyclopts import Parameter

from routerd.cli.common import DEFAULTS, Common
from routerd.client import subscribe


def events(
    *,
    event: Annotated[list[str] | None, Parameter(negative=())] = None,
    count: int | None = None,
    common: Common = DEFAULTS,
) -> int:
    """Decisions and outcomes as they come, one JSON object a line, until interrupted.

    Example: routerctl events --event outcome

    Parameters
    ----------
    event: list[str]
        Only events of this name (decision, outcome, source, delegate.*); give it once for each.
    count: int
        Stop after so many.
    """
    for number, found in enumerate(subscribe(event, socket=common.socket), start=1):
        sys.stdout.write(json.dumps(found, ensure_ascii=False) + "\n")
        sys.stdout.flush()
        if number == count:
            break
    return 0

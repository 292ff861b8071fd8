"""`--since`: how far back a verb looks."""

import re
from datetime import datetime

from routerd.errors import UsageError

UNITS_S = {"h": 3600.0, "d": 86400.0, "w": 7 * 86400.0}
_AGO = re.compile(r"(\d+(?:\.\d+)?)([a-z])")
_LONGEST_S = 100 * 366 * 86400.0


def since(text: str, now: float) -> float:
    """
    The moment that `90d`, `12h`, `8w` or an ISO date or time (local where it names no zone) stands for, Unix seconds.

    Raises:
        UsageError: It is none of these, or lies in the future.
    """
    moment = _ago(text, now) if _AGO.fullmatch(text) else _date(text)
    if moment > now:
        raise UsageError(f"--since {text}: lies in the future")
    return moment


def _ago(text: str, now: float) -> float:
    number, unit = text[:-1], text[-1]
    if unit not in UNITS_S:
        raise UsageError(f"--since {text}: {unit!r} is no unit; use h (hours), d (days) or w (weeks), such as 90d")
    length_s = float(number) * UNITS_S[unit]
    if not 0.0 < length_s <= _LONGEST_S:
        raise UsageError(f"--since {text}: must be more than 0 and at most 100 years")
    return now - length_s


def _date(text: str) -> float:
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        raise UsageError(
            f"--since {text}: is neither a length of time (90d, 12h, 8w) nor a date (2026-08-01)"
        ) from None

"""Amounts as a person reads them."""

from collections.abc import Mapping


def percent(value: float | None) -> str:
    """A probability as a percentage."""
    return "?" if value is None else f"{100 * value:.0f} %"


def interval(mean: float | None, low: float | None, high: float | None) -> str:
    """A probability with its interval."""
    if mean is None or low is None or high is None:
        return "not known"
    return f"{100 * mean:.0f} % [{100 * low:.0f}-{100 * high:.0f}]"


def duration(ms: float | None) -> str:
    """A time that a person reads."""
    if ms is None:
        return "?"
    seconds = ms / 1000
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def dollars(value: float | None) -> str:
    """An amount of money."""
    if value is None:
        return "?"
    if value == 0:
        return "$0"
    if value < 0.1:
        return f"${value:.4f}"
    return f"${value:,.2f}"


def size(count: float) -> str:
    """An amount of bytes."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            break
        count /= 1000
    return f"{count:.0f} {unit}" if unit in ("B", "kB") else f"{count:.1f} {unit}"


def ago(seconds: float) -> str:
    """How long ago something was."""
    for length, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit} ago"
    return f"{max(0, seconds):.0f} s ago"


def money(value: float) -> str:
    """US dollars to the cent, which may be lost too."""
    return f"{'-' if value < 0 else ''}${abs(value):,.2f}"


def does(success: float, other: float, delta: float) -> str:
    """How an arm that others may be switched to does: by the success of both, and by the drop that would matter."""
    return "succeeds more often" if success - other > delta else "does as well"


def would_have(
    saved_hours: Mapping[str, float] | None, saved_usd: Mapping[str, float] | None, *, taken: str = "taken"
) -> str | None:
    """
    What another choice would have done with time and money, each a mean with `low` and `high`; None if none is known.

    With `taken` "took" it is what a choice that was made did.

    >>> would_have({"mean": 3.6, "low": 3.3, "high": 3.9}, {"mean": -2.0, "low": -3.0, "high": -1.0})
    'saved 3.6 h [3.3 to 3.9] and cost $2.00 [$1.00 to $3.00] more'
    """
    saved, more = [], []
    for figure, shown, verb in ((saved_hours, _hours, taken), (saved_usd, _dollars, "cost")):
        if figure is not None and figure["mean"] < 0:
            more.append(f"{verb} {shown(-figure['mean'], -figure['high'], -figure['low'])} more")
        elif figure is not None:
            saved.append(shown(figure["mean"], figure["low"], figure["high"]))
    return " and ".join([*([f"saved {' and '.join(saved)}"] if saved else []), *more]) or None


def _hours(mean: float, low: float, high: float) -> str:
    return f"{mean:.1f} h [{low:.1f} to {high:.1f}]"


def _dollars(mean: float, low: float, high: float) -> str:
    return f"{money(mean)} [{money(low)} to {money(high)}]"

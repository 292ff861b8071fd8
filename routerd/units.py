"""Amounts as a person reads them."""


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

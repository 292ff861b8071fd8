"""`routerctl savings` on a terminal: a paragraph for each line that tells something, and what is missing for others."""

import textwrap
import time
from typing import Any

from rich.console import Console

from routerd.cli.view import console
from routerd.units import does, money, would_have

SHOWN_MAX = 5
"""Lines with nothing to tell beyond these are only counted."""


def render(answer: dict[str, Any]) -> None:
    """The answer, for a person."""
    out = console()
    _heading(answer, out)
    told = [line for line in answer["lines"] if line["verdict"] != "too_little"]
    for line in told:
        _line(line, answer, out)
    _total(answer, out)
    for done in answer["so_far"]:
        _so_far(done, answer, out)
    _missing([line for line in answer["lines"] if line["verdict"] == "too_little"], out)
    if told or answer["so_far"]:
        out.print()
        _say(FOOT, out, style="dim", indent="")


FOOT = (
    "[ ]: 90 % intervals. Figures are what is believed; the audit is reckoned from routerd's own draws alone. Money is "
    "by list price. docs/savings.md says how each number is made."
)


def _heading(answer: dict[str, Any], out: Console) -> None:
    counted, shares = answer["delegations"], answer["shares"]
    since = time.strftime("%Y-%m-%d %H:%M", time.localtime(answer["since"]))
    if not counted["count"]:
        older = counted["earliest_at"]
        day = None if older is None else time.strftime("%Y-%m-%d", time.localtime(older))
        hint = f"all that there are ended before: --since {day}" if day else "`routerctl status` says what is read"
        _say(f"since {since}: no delegation has ended; {hint}", out, indent="")
        return
    hours, dollars = (sum(share[name] for share in shares) for name in ("hours", "cost_usd"))
    said = f"since {since}: {counted['count']} delegations"
    if counted["learnt"] < counted["count"]:
        left = counted["count"] - counted["learnt"]
        said += f", {left} of them not learnt from (censored, or nobody knows what ran)"
    _say(said, out, indent="")
    if shares:
        most = shares[0]
        ran = f"{_percent(most['share'])} of {counted['learnt']} ran on {most['arm']} in {most['agent']}"
        _say(ran, out, indent="")
        unknown = [f"{sum(s[key] for s in shares)} {what}" for key, what in UNKNOWN if any(s[key] for s in shares)]
        without = f" ({', '.join(unknown)})" if unknown else ""
        _say(f"they took {hours:.1f} h and {money(dollars)}{without}", out, indent="")


UNKNOWN = (("untimed", "of unknown time"), ("unpriced", "of unknown cost"))


def _line(line: dict[str, Any], answer: dict[str, Any], out: Console) -> None:
    before, after = line["baseline"], line["candidate"]
    out.print()
    _say(f"{_name(line)}: {line['moved']} of {line['tasks']} ran on {before['arm']}", out, style="bold", indent="")
    points = f"{100 * answer['delta']:g} points"
    odds = f"chance of being worse by more than {points}: {_percent(line['chance_worse'])}"
    success = f"{_percents(after['success'])} against {_percents(before['success'])}"
    verdict = {
        "switch": f"{after['arm']} {does(after['success']['mean'], before['success']['mean'], answer['delta'])}",
        "unsure": f"{after['arm']} might do as well, but that is not sure",
        "worse": f"{after['arm']} is cheaper and likely worse",
        "keep": f"{before['arm']} is worth more than {after['arm']}",
    }[line["verdict"]]
    _say(f"{verdict}: success {success}, {odds}", out)
    if line["verdict"] in ("switch", "unsure"):
        _figures(line, out)
    _evidence(line, answer, out)
    if line["command"] is not None:
        out.print(f"  apply it: {line['command']}", style="bold", soft_wrap=True)  # whole, to be copied
    elif line["verdict"] == "switch":
        _say(f"no command applies it: {line['agent']} asks nobody before it delegates", out)


def _figures(line: dict[str, Any], out: Console) -> None:
    if line["faster"] is not None:
        _say(_faster(line["faster"]["mean"]), out)
    if (would := would_have(line["saved_hours"], line["saved_usd"])) is not None:
        _say(f"on it they would have {would}", out)
    lacking = [what for what, key in (("time", "saved_hours"), ("cost", "saved_usd")) if line[key] is None]
    if lacking:
        _say(f"not enough is known of the {' and the '.join(lacking)} to tell", out)


def _evidence(line: dict[str, Any], answer: dict[str, Any], out: Console) -> None:
    before, after = line["baseline"], line["candidate"]
    drawn = (
        "all of them other people's choices (observational)"
        if not line["drawn"]
        else f"{_percent(line['drawn'])} of them drawn by routerd, the rest other people's choices (observational)"
    )
    _say(
        f"rests on {after['tasks']} against {before['tasks']} outcomes, worth {after['verdicts']:.0f} and "
        f"{before['verdicts']:.0f} verdicts, {drawn}",
        out,
    )
    _say(_audit(line["audit"], answer["enough"]), out)


def _audit(audit: dict[str, Any], enough: float) -> str:
    if audit["reason"] is not None:
        return f"audit: none, {audit['reason']}"
    parts = []
    if (success := audit["success"])["figure"] is not None:
        figure = success["figure"]
        parts.append(
            f"success {100 * figure['mean']:+.0f} points [{100 * figure['low']:+.0f} to {100 * figure['high']:+.0f}]"
        )
    for key, shown in (("saved_hours", _hours), ("saved_usd", _dollars)):
        if (text := shown(audit[key]["figure"])) is not None:
            parts.append(text)
    sizes = [audit[key][side] for key in ("success", "saved_usd") for side in ("ess_baseline", "ess_candidate")]
    size = f"{audit['decisions']} decisions, effective sample {min(sizes):.0f} to {max(sizes):.0f}"
    if not parts:
        return f"audit: not enough to tell, {size} of {enough:.0f} needed on either side"
    return f"audit: {', '.join(parts)}, by {size}"


def _total(answer: dict[str, Any], out: Console) -> None:
    if (would := would_have(answer["total_hours"], answer["total_usd"])) is not None:
        out.print()
        _say(f"in all, by kind, they would have {would}", out, style="bold", indent="")


def _so_far(done: dict[str, Any], answer: dict[str, Any], out: Console) -> None:
    out.print()
    sent = f"{done['agent']}, so far: routerd sent {done['tasks']} elsewhere than to {done['baseline']}"
    _say(sent, out, style="bold", indent="")
    if not done["told"]:
        _say("not enough is known of the arms that they ran on to tell what that saved", out)
        return
    did = would_have(done["saved_hours"], done["saved_usd"], taken="took")
    success = done["success"]
    points = (
        f"success {100 * success['mean']:+.0f} points [{100 * success['low']:+.0f} to {100 * success['high']:+.0f}]"
    )
    rest = "" if done["told"] == done["tasks"] else f" (of {done['told']}; too little is known of the others)"
    _say(f"that {did or 'saved an unknown amount'}{rest}, {points}", out)
    _say(_audit(done["audit"], answer["enough"]), out)


def _missing(lines: list[dict[str, Any]], out: Console) -> None:
    if not lines:
        return
    out.print("\nnot enough to tell:", style="bold")
    for line in lines[:SHOWN_MAX]:
        _say(f"{_name(line)} ({line['tasks']}): {line['reason']}", out)
    if len(lines) > SHOWN_MAX:
        _say(f"and {len(lines) - SHOWN_MAX} more kinds", out)


def _say(text: str, out: Console, *, style: str | None = None, indent: str = "  ") -> None:
    """A sentence; rich would leave white space at the ends of its lines."""
    filled = textwrap.fill(text, out.width, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)
    out.print(filled, style=style)


def _name(line: dict[str, Any]) -> str:
    return f"{line['agent']}, {'all kinds' if line['kind'] is None else line['kind']}"


def _faster(times: float) -> str:
    if 0.95 < times < 1.05:
        return "about as fast"
    return f"{times:.1f} x faster" if times > 1.0 else f"{1 / times:.1f} x slower"


def _percent(value: float) -> str:
    return f"{100 * value:.0f} %"


def _percents(one: dict[str, float]) -> str:
    return f"{100 * one['mean']:.0f} % [{100 * one['low']:.0f}-{100 * one['high']:.0f}]"


def _hours(one: dict[str, float] | None) -> str | None:
    return None if one is None else f"{one['mean']:.1f} h [{one['low']:.1f} to {one['high']:.1f}]"


def _dollars(one: dict[str, float] | None) -> str | None:
    return None if one is None else f"{money(one['mean'])} [{money(one['low'])} to {money(one['high'])}]"

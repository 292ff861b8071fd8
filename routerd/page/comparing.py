"""The sections on other choices: what they would have saved, what ran otherwise than asked, which arms moved."""

from collections.abc import Sequence
from typing import Any, Final
from xml.etree.ElementTree import Element

from routerd.audit import ENOUGH
from routerd.page import charts
from routerd.page.charts import WIDTH, Row, Told, Track
from routerd.page.elements import el
from routerd.page.figures import Arm, Figures
from routerd.page.parts import (
    Parts,
    arm,
    arm_name,
    card,
    count,
    grid,
    hours,
    lead,
    missing,
    note,
    numbers,
    odds,
    percents,
    span,
)
from routerd.page.parts import (
    savings as savings_words,
)
from routerd.page.scales import Scale, Span, linear, percent_word, signed_word, success_floor
from routerd.units import does, money, percent, would_have

Answer = dict[str, Any]

VERDICTS: Final = {
    "switch": "does as well",
    "unsure": "perhaps as well",
    "worse": "cheaper, likely worse",
    "keep": "what ran is worth more",
    "too_little": "not enough to tell",
}
STRAYED_SHOWN: Final = 8
MISSING_SHOWN: Final = 6
SAVING_HEADS: Final = (
    *("agent, kind", "verdict", "what ran", "instead", "tasks", "chance of worse", "hours saved", "dollars saved"),
)


# --- savings --------------------------------------------------------------------------------------------------------


def savings(figures: Figures) -> Parts:
    """What another choice would have saved."""
    answer = figures.savings
    if not answer["lines"]:
        return [missing("No delegation that can be learnt from ended in this time: there is nothing to compare.")]
    told = [line for line in answer["lines"] if line["verdict"] != "too_little"]
    rest = [line for line in answer["lines"] if line["verdict"] == "too_little"]
    return [
        lead(_in_all(answer) if told else "Of no kind of task is there enough to tell yet."),
        grid(*(_saving(number, line, answer["delta"]) for number, line in enumerate(told))) if told else None,
        *(_so_far(done) for done in answer["so_far"]),
        _too_little(rest) if rest else None,
        numbers("every comparison", SAVING_HEADS, [_saving_row(line) for line in answer["lines"]], words=4),
        note("The same as ", el("code", "routerctl savings"), "; docs/savings.md says how each number is made."),
    ]


def _in_all(answer: Answer) -> str:
    words = would_have(answer["total_hours"], answer["total_usd"])
    if words is None:
        return "No other choice is sure enough to do as well and be worth more."
    return f"Where another arm does at least as well and is worth more, it would have {words} in all."


def _saving(number: int, line: Answer, delta: float) -> Element:
    before, after = line["baseline"], line["candidate"]
    title = f"{_name(line)}: {line['moved']:,} of {line['tasks']:,} tasks"
    scale = linear(
        success_floor([span(side["success"]) for side in (before, after)]), 1.0, 2.0, WIDTH - 22, percent_word
    )
    said = f"Success expected of {arm_name(before['arm'])}, which they ran on, and of {arm_name(after['arm'])}."
    rows = [_side(side, aside) for side, aside in ((before, "ran"), (after, "instead"))]
    worse = f"Chance that it succeeds less often by more than {100 * delta:g} points: {odds(line['chance_worse'])}."
    words = would_have(line["saved_hours"], line["saved_usd"]) if line["verdict"] in ("switch", "unsure") else None
    verdict = VERDICTS[line["verdict"]]
    if line["verdict"] == "switch":
        verdict = does(after["success"]["mean"], before["success"]["mean"], delta)
    return card(
        title,
        el("p", el("span", verdict, class_=f"verdict {line['verdict']}")),
        charts.tracks(Told(f"saving-{number}", title, said), rows, [scale], ("success on these tasks",)),
        el("p", arm(after["arm"]), f" would have {words}.") if words else None,
        el("p", worse),
        missing(_rests(line)),
        el("p", el("code", line["command"]), class_="apply") if line["command"] else None,
    )


def _side(side: Answer, aside: str) -> Row:
    success = span(side["success"])
    track = Track(success, f"{percents(success)}, {count(side['tasks'], 'outcome')} worth {side['verdicts']:.0f}")
    return Row(arm_name(side["arm"]), aside, (track,), sure=side["verdicts"] >= ENOUGH)


def _name(line: Answer) -> str:
    return f"{line['agent']}, {line['kind'] or 'all kinds'}"


def _rests(line: Answer) -> str:
    drawn = f"{percent(line['drawn'])} drawn by routerd" if line["drawn"] else "all of them other people's choices"
    audit = line["audit"]
    if audit["reason"] is not None:
        return f"Outcomes: {drawn}. Audit: none, {audit['reason']}."
    figure = audit["saved_usd"]["figure"]
    checked = "too little to tell" if figure is None else savings_words(span(figure))
    return f"Outcomes: {drawn}. Audit by {count(audit['decisions'], 'draw')} alone: {checked}."


def _saving_row(line: Answer) -> tuple[str, ...]:
    return (
        _name(line),
        VERDICTS[line["verdict"]],
        arm_name(line["baseline"]["arm"]),
        arm_name(line["candidate"]["arm"]) if line["candidate"] else "-",
        f"{line['moved']:,} of {line['tasks']:,}",
        "-" if line["chance_worse"] is None else odds(line["chance_worse"]),
        "-" if line["saved_hours"] is None else hours(span(line["saved_hours"])),
        "-" if line["saved_usd"] is None else savings_words(span(line["saved_usd"])),
    )


def _so_far(done: Answer) -> Element:
    sent = f"So far routerd sent {count(done['tasks'], 'task')} of {done['agent']} elsewhere than to "
    if not done["told"]:
        said = ": of where they ran not enough is known to tell what that saved."
        return el("p", sent, arm(done["baseline"]), said, class_="so-far")
    words = would_have(done["saved_hours"], done["saved_usd"], taken="took") or "saved an unknown amount"
    said = f", which {words}, with {100 * done['success']['mean']:+.0f} points of success."
    return el("p", sent, arm(done["baseline"]), said, class_="so-far")


def _too_little(lines: Sequence[Answer]) -> Element:
    items = [el("li", el("b", _name(one)), f" ({one['tasks']:,}): {one['reason']}") for one in lines[:MISSING_SHOWN]]
    if len(lines) > MISSING_SHOWN:
        items.append(el("li", f"and {len(lines) - MISSING_SHOWN} more, in the table"))
    return el("div", card("Not enough to tell", None, el("ul", *items, class_="says")), class_="apart")


# --- drift ----------------------------------------------------------------------------------------------------------


def drift(figures: Figures) -> Parts:
    """What was asked for against what ran, and arms that moved."""
    answer = figures.drift
    known = [one for one in figures.arms if one.drift is not None]
    tables: Parts = []
    if answer["strayed"]:
        heads = ("agent", "asked", "ran", "units", "sessions", "cost beyond")
        rows = [_strayed_row(one) for one in answer["strayed"]]
        tables.append(numbers("asked for, and ran", heads, rows, words=3))
    if known:
        moves = [(arm_name(one.arm), f"{one.drift:+.2f}") for one in known]
        tables.append(numbers("latest success against before", ("arm", "standard errors"), moves))
    return [
        lead(_drifted(answer)),
        grid(_strayed(answer), _moved(figures.arms, answer["threshold"])),
        *tables,
        note(
            "An alias is met by any model of its family. An arm has moved when its latest success is more than "
            f"{answer['threshold']:g} standard errors from that before. The same as ",
            el("code", "routerctl drift"),
            ".",
        ),
    ]


def _drifted(answer: Answer) -> str:
    if not answer["asked"]:
        asked = "Nobody asked for a model in this time, as far as the logs tell"
    elif not answer["strayed"]:
        asked = f"What was asked for is what ran ({answer['asked']:,} looked at)"
    else:
        asked = (
            f"{sum(one['units'] for one in answer['strayed']):,} of {answer['asked']:,} ran on another model than asked"
        )
    moved = len(answer["moved"])
    if not moved:
        return f"{asked}; no arm performs otherwise than it did."
    return f"{asked}; {count(moved, 'arm')} {'performs' if moved == 1 else 'perform'} otherwise than before."


def _strayed(answer: Answer) -> Element:
    title = "Asked for, and ran"
    if not answer["strayed"]:
        none = "Each ran on what was asked for." if answer["asked"] else "No log says which model was asked for."
        return card(title, None, missing(none))
    rows = [
        (
            f"{one['asked']} → {one['ran']}",
            f"{one['units']:,} of {one['of']:,} in {one['agent']}{_extra(one)}",
            one["units"] / one["of"],
        )
        for one in answer["strayed"][:STRAYED_SHOWN]
    ]
    said = "For each model that was asked for, the share that ran on another."
    return card(title, charts.shares(Told("strayed", title, said), rows))


def _extra(one: Answer) -> str:
    extra = one["extra_usd"]
    return "" if extra is None else f": {money(abs(extra))} {'more' if extra >= 0 else 'less'}"


def _strayed_row(one: Answer) -> tuple[str, ...]:
    extra = "?" if one["extra_usd"] is None else money(one["extra_usd"])
    return (
        one["agent"],
        one["asked"],
        one["ran"],
        f"{one['units']:,} of {one['of']:,}",
        f"{len(one['sessions']):,}",
        extra,
    )


def _moved(arms: Sequence[Arm], bound: float) -> Element:
    title = "Arms: latest success against before"
    rows = [
        Row(
            name=arm_name(one.arm),
            aside="",
            tracks=(
                Track(Span(one.drift, min(one.drift, 0.0), max(one.drift, 0.0)), f"{one.drift:+.1f} standard errors"),
            ),
            colour=index if index < charts.COLOURS else None,
        )
        for index, one in enumerate(arms)
        if one.drift is not None
    ]
    if not rows:
        short = f"an arm needs {ENOUGH:.0f} verdicts of late and as many before, and none has them"
        return card(title, None, missing(f"Not enough to tell: {short}."))
    most = max(bound + 1.0, *(abs(one.drift) for one in arms if one.drift is not None))
    scale = Scale(low=-most, high=most, begin=8, end=WIDTH - 8, marks=(-bound, 0.0, bound), word=signed_word)
    said = (
        f"How many standard errors the latest success of each arm is from that before; beyond {bound:g} it has moved."
    )
    return card(title, charts.tracks(Told("moved", title, said), rows, [scale], ("← worse, better →",)))

"""The sections on what came of it: learning and calibration, savings, drift."""

from collections.abc import Sequence
from typing import Any, Final
from xml.etree.ElementTree import Element

from routerd.audit import ENOUGH
from routerd.foresight import LEVELS, Foresight, Point
from routerd.page import charts
from routerd.page.charts import Curve, Row, Span, Track
from routerd.page.elements import el
from routerd.page.figures import Figures
from routerd.page.parts import (
    Parts,
    arm_name,
    card,
    count,
    grid,
    hours,
    lead,
    missing,
    money,
    moneys,
    note,
    numbers,
    percents,
    span,
)
from routerd.page.scales import COUNTS, FACTORS, Scale, linear, logarithmic, percent_word, times_word
from routerd.units import percent

TARGETS: Final = (("success", "Success"), ("wall_time", "Time"), ("cost", "Cost"))
VERDICTS: Final = {
    "switch": "does as well",
    "unsure": "perhaps as well",
    "worse": "cheaper, likely worse",
    "keep": "stay",
    "too_little": "not enough to tell",
}
STRAYED_SHOWN: Final = 8
MISSING_SHOWN: Final = 6


# --- learning -------------------------------------------------------------------------------------------------------


def learning(figures: Figures) -> Parts:
    """Learning curves and calibration."""
    seen = figures.foresight
    if not seen.outcomes:
        return [missing("There is no outcome yet to foresee.")]
    cards = [_curve(name, title, seen.curves[name]) for name, title in TARGETS]
    cards += [_calibration(seen), _held(seen)]
    every = (
        "" if seen.looked_at == seen.outcomes else f" Of {seen.outcomes:,} outcomes {seen.looked_at:,} were looked at."
    )
    return [
        lead(_learnt(seen)),
        grid(*cards),
        numbers(
            "how far expectations were off",
            ("outcomes", "of", "rests on", "learnt", "before any outcome"),
            [
                (
                    f"{one.begin + 1:,}–{one.end:,}",
                    title.lower(),
                    f"{one.weight:.1f}",
                    _error(name, one.error),
                    _error(name, one.untaught),
                )
                for name, title in TARGETS
                for one in seen.curves[name]
            ],
            words=2,
        ),
        numbers(
            "what was expected, and what came",
            ("expected success", "went well", "verdicts"),
            [
                (percent(one.expected), percents(Span(one.went_well, one.low, one.high)), f"{one.verdicts:.1f}")
                for one in seen.bins
            ],
            words=0,
        )
        if seen.bins
        else None,
        numbers(
            "how much was within the intervals",
            ("said to hold", "time held", "cost held"),
            [
                (
                    percent_word(level),
                    *(
                        percent(held.shares[index]) if held.shares else "?"
                        for held in (seen.held["wall_time"], seen.held["cost"])
                    ),
                )
                for index, level in enumerate(LEVELS)
            ],
            words=0,
        )
        if any(held.shares for held in seen.held.values())
        else None,
        note(
            "Each outcome is foreseen by what was believed just before it, from those that had ended until then; nothing "
            f"here knows what it is judged by.{every} A point rests on outcomes worth at least {ENOUGH:.0f}."
        ),
    ]


def _learnt(seen: Foresight) -> str:
    """What learning was worth at the end of the curves."""
    said = []
    for name, title in TARGETS[1:]:
        known = [one for one in seen.curves[name] if one.error is not None]
        if known:
            last = known[-1]
            assert last.error is not None
            assert last.untaught is not None
            said.append(
                f"{title.lower()} within a factor of {last.error:.1f} (before any outcome: {last.untaught:.1f})"
            )
    if not said:
        return f"{count(seen.outcomes, 'outcome')} so far: too few for a learning curve."
    return f"Of the latest outcomes, half came in their {'; their '.join(said)}."


def _error(name: str, value: float | None) -> str:
    if value is None:
        return "too little"
    return f"{value:.3f}" if name == "success" else f"×{value:.2f}"


def _curve(name: str, title: str, points: Sequence[Point]) -> Element:
    what = "mean squared error" if name == "success" else "half within a factor of"
    heading = f"{title}: {what}"
    known = [one for one in points if one.error is not None]
    if len(known) < 2:
        rest = sum(one.weight for one in points)
        short = f"not enough to tell: two points need outcomes worth {ENOUGH:.0f} each, and all are worth {rest:.0f}."
        return card(heading, None, missing(short))
    middles = [max((one.begin * one.end) ** 0.5, one.end / 2.0) for one in points]
    values = [value for one in known for value in (one.error, one.untaught) if value is not None]
    x = logarithmic([middles[0], middles[-1]], COUNTS, 44.0, charts.WIDTH - 74, lambda number: f"{number:,.0f}")
    if name == "success":
        y = linear(0.0, max(values) * 1.05, 176.0, 24.0, lambda value: f"{value:.2g}")
    else:
        y = logarithmic([1.0, *values], FACTORS, 176.0, 24.0, times_word)
    drawn = [
        Curve(
            label,
            tuple(None if error is None else (at, error) for at, error in zip(middles, errors, strict=True)),
            class_,
        )
        for label, errors, class_ in (
            ("before any", [one.untaught for one in points], "before"),
            ("learnt", [one.error for one in points], "learnt"),
        )
    ]
    said = (
        f"{heading}, against the number of outcomes seen: what was learnt beside what was expected before any outcome."
    )
    return card(heading, charts.curves(f"curve-{name}", heading, said, drawn, x, y, ("outcomes seen →", "off by ↑")))


def _calibration(seen: Foresight) -> Element:
    title = "Success: expected, and came"
    if not seen.bins:
        short = f"not enough to tell: outcomes worth {2 * ENOUGH:.0f} verdicts are needed, and all are worth {seen.verdicts:.0f}."
        return card(title, None, missing(short))
    low = min(min(one.expected, one.low) for one in seen.bins)
    floor = min(0.8, int(low * 10) / 10)
    x = linear(floor, 1.0, 44.0, charts.WIDTH - 20, percent_word)
    y = linear(floor, 1.0, 226.0, 24.0, percent_word)
    points = [(one.expected, Span(one.went_well, one.low, one.high), one.verdicts) for one in seen.bins]
    said = f"{count(len(points), 'group')} of outcomes by expected success, each with the share that went well; on the dashed line both are the same."
    return card(title, charts.reliability("calibration", title, said, points, x, y, ("expected →", "went well ↑")))


def _held(seen: Foresight) -> Element:
    title = "Time and cost: within the interval"
    drawn = [
        Curve(label, tuple(zip(LEVELS, held.shares, strict=True)), name)
        for label, name, held in (("time", "time", seen.held["wall_time"]), ("cost", "cost", seen.held["cost"]))
        if held.shares
    ]
    if not drawn:
        most = max(held.n for held in seen.held.values())
        return card(
            title,
            None,
            missing(f"not enough to tell: {2 * ENOUGH:.0f} known times or costs are needed, and there are {most}."),
        )
    x = linear(0.0, 1.0, 44.0, charts.WIDTH - 44, percent_word)
    y = linear(0.0, 1.0, 226.0, 24.0, percent_word)
    even = Curve("", ((0.0, 0.0), (1.0, 1.0)), "even")
    said = "For intervals that were said to hold 10 to 90 % of outcomes, the share that they held; on the dashed line both are the same."
    return card(title, charts.curves("held", title, said, [even, *drawn], x, y, ("said to hold →", "held ↑")))


# --- savings --------------------------------------------------------------------------------------------------------


def savings(figures: Figures) -> Parts:
    """What another choice would have saved."""
    answer = figures.savings
    told = [line for line in answer["lines"] if line["verdict"] != "too_little"]
    rest = [line for line in answer["lines"] if line["verdict"] == "too_little"]
    if not answer["lines"]:
        return [missing("No delegation that is learnt from ended in this time: there is nothing to compare.")]
    lead_ = _in_all(answer) if told else "Not enough to tell yet of any kind of task."
    return [
        lead(lead_),
        grid(*(_saving(index, line, answer) for index, line in enumerate(told))) if told else None,
        *(_so_far(done) for done in answer["so_far"]),
        _too_little(rest) if rest else None,
        numbers(
            "every comparison",
            (
                "agent, kind",
                "verdict",
                "baseline",
                "instead",
                "moved of",
                "chance of worse",
                "hours saved",
                "dollars saved",
            ),
            [_saving_row(line) for line in answer["lines"]],
            words=4,
        ),
        note("The same as routerctl savings; docs/savings.md says how each number is made, and what it is not."),
    ]


def _in_all(answer: dict[str, Any]) -> str:
    parts = [
        said(span(answer[key]))
        for key, said in (("total_usd", moneys), ("total_hours", hours))
        if answer[key] is not None
    ]
    if not parts:
        return "No other choice is sure enough to do as well and worth more."
    return f"Where another arm does as well, it would have saved {' and '.join(parts)}."


def _saving(index: int, line: dict[str, Any], answer: dict[str, Any]) -> Element:
    before, after = line["baseline"], line["candidate"]
    rows = [
        Row(
            name=arm_name(side["arm"]),
            aside=f"{side['tasks']:,} outcomes",
            tracks=(Track(span(side["success"]), percents(span(side["success"]))),),
            colour=None,
            sure=side["verdicts"] >= ENOUGH,
        )
        for side in (before, after)
    ]
    title = f"{line['agent']}, {line['kind'] or 'all kinds'}"
    low = min(side["success"]["low"] for side in (before, after))
    scale = linear(min(0.8, int(low * 10) / 10), 1.0, 4.0, charts.WIDTH - 22, percent_word)
    said = f"Success expected of {arm_name(before['arm'])} and of {arm_name(after['arm'])} on the same tasks."
    worse = (
        f"{line['moved']:,} of {line['tasks']:,} ran on {arm_name(before['arm'])}. Chance that {arm_name(after['arm'])} succeeds "
        f"less often by more than {100 * answer['delta']:g} points: {percent(line['chance_worse'])}."
    )
    saved = saved_words(line)
    return card(
        title,
        el("p", el("span", VERDICTS[line["verdict"]], class_=f"verdict {line['verdict']}")),
        charts.tracks(f"saving-{index}", f"{title}: success", said, rows, [scale], ("success",)),
        el("p", worse),
        el("p", f"It would have saved {saved}.") if saved and line["verdict"] in ("switch", "unsure") else None,
        el("p", _rests(line), class_="missing"),
        el("p", el("code", line["command"]), class_="apply") if line["command"] else None,
    )


def saved_words(line: dict[str, Any]) -> str:
    """Money and hours of a line of savings, as far as they are known."""
    parts = [
        said(span(line[key])) for key, said in (("saved_usd", moneys), ("saved_hours", hours)) if line[key] is not None
    ]
    return " and ".join(parts)


def _rests(line: dict[str, Any]) -> str:
    drawn = (
        f"{percent(line['drawn'])} of them drawn by routerd" if line["drawn"] else "all of them other people’s choices"
    )
    audit = line["audit"]
    if audit["reason"] is not None:
        checked = f"Audit: none, {audit['reason']}."
    elif audit["saved_usd"]["figure"] is None:
        checked = "Audit: too few draws."
    else:
        checked = f"Audit by {count(audit['decisions'], 'draw')}: {moneys(span(audit['saved_usd']['figure']))}."
    return f"Rests on outcomes worth {line['candidate']['verdicts']:.0f} against {line['baseline']['verdicts']:.0f} verdicts, {drawn}. {checked}"


def _saving_row(line: dict[str, Any]) -> tuple[str, ...]:
    candidate = arm_name(line["candidate"]["arm"]) if line["candidate"] else "–"
    return (
        f"{line['agent']}, {line['kind'] or 'all kinds'}",
        VERDICTS[line["verdict"]],
        arm_name(line["baseline"]["arm"]),
        candidate,
        f"{line['moved']:,} of {line['tasks']:,}",
        "–" if line["chance_worse"] is None else percent(line["chance_worse"]),
        "–" if line["saved_hours"] is None else hours(span(line["saved_hours"])),
        "–" if line["saved_usd"] is None else moneys(span(line["saved_usd"])),
    )


def _so_far(done: dict[str, Any]) -> Element:
    sent = f"{done['agent']}, so far: routerd sent {count(done['tasks'], 'task')} elsewhere than to {arm_name(done['baseline'])}"
    if not done["told"]:
        return note(f"{sent}; not enough is known of where they ran to tell what that saved.")
    said = saved_words(done) or "an unknown amount"
    return note(f"{sent}. That saved {said}, success {100 * done['success']['mean']:+.0f} points.")


def _too_little(lines: Sequence[dict[str, Any]]) -> Element:
    items = [
        el("li", el("b", f"{line['agent']}, {line['kind'] or 'all kinds'}"), f" ({line['tasks']:,}): {line['reason']}")
        for line in lines[:MISSING_SHOWN]
    ]
    if len(lines) > MISSING_SHOWN:
        items.append(el("li", f"and {len(lines) - MISSING_SHOWN} more, in the table"))
    return card("Not enough to tell", el("ul", *items, class_="says"))


# --- drift ----------------------------------------------------------------------------------------------------------


def drift(figures: Figures) -> Parts:
    """What was asked for against what ran, and arms that moved."""
    answer = figures.drift
    return [lead(_drifted(answer)), grid(_strayed(answer), _moved(figures)), *_drift_numbers(figures)]


def _drifted(answer: dict[str, Any]) -> str:
    if not answer["asked"]:
        asked = "Nobody asked for a model in this time, as far as the logs tell"
    elif not answer["strayed"]:
        asked = f"What was asked for is what ran ({answer['asked']:,} looked at)"
    else:
        units = sum(one["units"] for one in answer["strayed"])
        asked = f"{units:,} of {answer['asked']:,} that asked for a model ran on another"
    moved = len(answer["moved"])
    said = (
        f"{count(moved, 'arm')} {'does' if moved == 1 else 'do'} not perform as before"
        if moved
        else "no arm performs otherwise than before"
    )
    return f"{asked}; {said}."


def _strayed(answer: dict[str, Any]) -> Element:
    title = "Asked for, and ran"
    if not answer["strayed"]:
        none = "No log says which model was asked for." if not answer["asked"] else "Each ran on what was asked for."
        return card(title, None, missing(none))
    shown = answer["strayed"][:STRAYED_SHOWN]
    rows = [
        (
            f"{one['asked']} → {one['ran']}",
            f"{one['units']:,} of {one['of']:,} in {one['agent']}{_extra(one)}",
            one["units"] / one["of"],
        )
        for one in shown
    ]
    said = "For each model that was asked for, the share that ran on another."
    return card(title, charts.shares("strayed", title, said, rows))


def _extra(one: dict[str, Any]) -> str:
    if one["extra_usd"] is None:
        return ""
    return f", {money(abs(one['extra_usd']))} {'more' if one['extra_usd'] >= 0 else 'less'}"


def _moved(figures: Figures) -> Element:
    title = "Arms: latest success against before"
    known = [arm for arm in figures.arms if arm.drift is not None]
    if not known:
        short = f"not enough to tell: an arm needs {ENOUGH:.0f} verdicts of late and as many before, and none has them."
        return card(title, None, missing(short))
    most = max(4.0, *(abs(arm.drift or 0.0) for arm in known))
    scale = _even_scale(most)
    rows = [
        Row(
            name=arm_name(arm.arm),
            aside="",
            tracks=(
                Track(
                    Span(arm.drift or 0.0, min(arm.drift or 0.0, 0.0), max(arm.drift or 0.0, 0.0)),
                    f"{arm.drift:+.1f} standard errors",
                ),
            ),
            colour=index if index < charts.COLOURS else None,
        )
        for index, arm in enumerate(figures.arms)
        if arm.drift is not None
    ]
    said = f"How many standard errors the latest success of each arm is from that before; beyond {figures.drift['threshold']:g} it has moved."
    return card(title, charts.tracks("moved", title, said, rows, [scale], ("← worse, better →",)))


def _even_scale(most: float) -> Scale:
    return linear(-most, most, 8.0, charts.WIDTH - 8, lambda value: f"{value:+g}" if value else "0", steps=6)


def _drift_numbers(figures: Figures) -> Parts:
    strayed = figures.drift["strayed"]
    known = [arm for arm in figures.arms if arm.drift is not None]
    return [
        numbers(
            "asked for, and ran",
            ("agent", "asked", "ran", "units", "sessions", "cost beyond"),
            [
                (
                    one["agent"],
                    one["asked"],
                    one["ran"],
                    f"{one['units']:,} of {one['of']:,}",
                    f"{len(one['sessions']):,}",
                    "?" if one["extra_usd"] is None else money(one["extra_usd"]),
                )
                for one in strayed
            ],
            words=3,
        )
        if strayed
        else None,
        numbers(
            "latest success against before",
            ("arm", "standard errors"),
            [(arm_name(a.arm), f"{a.drift:+.2f}") for a in known],
        )
        if known
        else None,
        note(
            "An alias is met by any model of its family. An arm has moved when its latest success is more than "
            f"{figures.drift['threshold']:g} standard errors from that before. The same as routerctl drift."
        ),
    ]

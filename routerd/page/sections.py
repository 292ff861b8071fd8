"""What the page says of the figures, section by section; where there is not enough to tell, it says why."""

from collections.abc import Sequence
from typing import Final
from xml.etree.ElementTree import Element

from routerd.audit import ENOUGH
from routerd.page import charts
from routerd.page.charts import Blob, Row, Span, Track
from routerd.page.elements import el
from routerd.page.figures import Arm, Figures, Kind
from routerd.page.history import saved_words
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
    times,
)
from routerd.page.scales import (
    MONEY_USD,
    TIMES_MS,
    Scale,
    linear,
    logarithmic,
    money_word,
    percent_word,
    time_word,
)
from routerd.units import dollars, duration, percent

ARMS_SHOWN: Final = charts.COLOURS
ROWS_SHOWN: Final = 6
NO_OUTCOMES: Final = (
    "There is no outcome yet to learn from. Let routerd read your agents’ logs (routerd --once), or see "
    "routerctl doctor for what is in the way."
)


def in_short(figures: Figures) -> Parts:
    """How much there is, and what is most worth knowing."""
    counted = figures.counted
    facts = (
        ("delegations", f"{counted.delegations:,}"),
        ("turns of the agents’ own", f"{counted.turns:,}"),
        ("their time", f"{counted.hours:,.1f} h"),
        ("by list price", dollars(counted.cost_usd)),
        ("verdicts that the labels are worth", f"{counted.verdicts:,.0f}"),
        ("decisions by routerd", f"{counted.decisions:,}"),
    )
    cells = [el("div", el("dt", name), el("dd", value)) for name, value in facts]
    left = [
        count(number, what, what)
        for number, what in (
            (counted.unknown, "whose success nobody knows"),
            (counted.censored, "ended by a limit, a login or a fault"),
        )
        if number
    ]
    explored = f"Of the decisions {counted.explored:,} were made in order to learn." if counted.explored else None
    said = [*_says(figures), *([explored] if explored else [])]
    return [
        el("dl", *cells, class_="facts"),
        el("ul", *(el("li", one) for one in said), class_="says") if said else missing(NO_OUTCOMES),
        note(f"Among them: {'; '.join(left)}.") if left else None,
    ]


def _says(figures: Figures) -> list[str]:
    """A few sentences, the most useful first."""
    said = []
    shares = figures.savings["shares"]
    if shares:
        most = shares[0]
        said.append(f"{percent(most['share'])} of the delegations ran on {arm_name(most['arm'])} in {most['agent']}.")
    for line in figures.savings["lines"]:
        if line["verdict"] == "switch" and line["kind"] is not None:
            saved = saved_words(line)
            said.append(
                f"For {line['kind']}, {arm_name(line['candidate']['arm'])} does as well{f': {saved}' if saved else ''}."
            )
    if shares and not any(line["verdict"] == "switch" for line in figures.savings["lines"]):
        said.append("Nothing that is sure enough says that another choice would have been better.")
    for one in figures.drift["strayed"][:2]:
        said.append(f"{one['units']:,} of {one['of']:,} that asked for {one['asked']} ran on {one['ran']}.")
    for one in figures.drift["moved"][:2]:
        way = "worse" if one["drift"] < 0 else "better"
        said.append(f"{arm_name(one['arm'])} does {way} than it did, by {abs(one['drift']):.1f} standard errors.")
    return said


# --- arms -----------------------------------------------------------------------------------------------------------


def tradeoff(figures: Figures) -> Parts:
    """Success against time and against cost."""
    arms = figures.arms
    if not arms:
        return [missing(NO_OUTCOMES)]
    shown = arms[:ARMS_SHOWN]
    up = _success_scale([span(arm.expected.success) for arm in shown])
    charted = []
    for name, title, what, spans, marks, word in (
        (
            "time",
            "Success and time",
            "time a task",
            [span(a.expected.wall_time_ms) for a in shown],
            TIMES_MS,
            time_word,
        ),
        ("cost", "Success and cost", "cost a task", [span(a.expected.cost_usd) for a in shown], MONEY_USD, money_word),
    ):
        across = logarithmic([v for s in spans for v in (s.low, s.high)], marks, 44.0, charts.WIDTH - 14, word)
        blobs = [
            Blob(arm_name(arm.arm), one, span(arm.expected.success), arm.verdicts >= ENOUGH)
            for arm, one in zip(shown, spans, strict=True)
        ]
        said = f"{count(len(shown), 'arm')}, each with the 90 % intervals of its success and of its {what}; the numbers are in the table."
        charted.append(
            card(title, charts.ellipses(f"arms-{name}", title, said, blobs, across, up, (f"{what} →", "success ↑")))
        )
    dashed = [arm for arm in shown if arm.verdicts < ENOUGH]
    return [
        lead(_best(arms)),
        grid(*charted),
        _legend(shown),
        numbers(
            "each arm on the average task so far",
            ("arm", "outcomes", "verdicts", "success", "time", "cost"),
            [(arm_name(a.arm), f"{a.outcomes:,}", f"{a.verdicts:.1f}", *_expected(a)) for a in arms],
        ),
        note(
            "An ellipse spans the 90 % intervals of what is expected of an arm on the average task; up and to the left is "
            "better. "
            + (
                f"Dashed: its outcomes are worth fewer than {ENOUGH:.0f} verdicts, so that mostly its price, its score "
                "and its relatives speak. "
                if dashed
                else ""
            )
            + (f"{len(arms) - len(shown)} less used arms are in the table only. " if len(arms) > len(shown) else "")
            + "The same as routerctl arms."
        ),
    ]


def _best(arms: Sequence[Arm]) -> str:
    sure = [arm for arm in arms if arm.verdicts >= ENOUGH]
    if not sure:
        return (
            f"No arm’s outcomes are worth {ENOUGH:.0f} verdicts yet, so the intervals are wide. Verdicts come from tests "
            "that ran, and from routerctl feedback."
        )
    best = max(sure, key=lambda arm: arm.expected.success.mean)
    quick = min(sure, key=lambda arm: arm.expected.wall_time_ms.mean)
    cheap = min(sure, key=lambda arm: arm.expected.cost_usd.mean)
    rest = (
        "" if len(sure) == len(arms) else f" Of {count(len(arms), 'arm')}, {len(sure)} rest on enough to be named here."
    )
    return (
        f"Expected to succeed most: {arm_name(best.arm)} ({percent(best.expected.success.mean)}); to be quickest: "
        f"{arm_name(quick.arm)} ({duration(quick.expected.wall_time_ms.mean)}); to be cheapest: {arm_name(cheap.arm)} "
        f"({dollars(cheap.expected.cost_usd.mean)}).{rest}"
    )


def _legend(shown: Sequence[Arm]) -> Element:
    items = [
        el(
            "li",
            el("b", el("span", charts.letter(index)), class_=f"c{index % charts.COLOURS}"),
            el("span", arm_name(arm.arm), el("em", f" · {count(arm.outcomes, 'outcome')}, worth {arm.verdicts:.0f}")),
        )
        for index, arm in enumerate(shown)
    ]
    return el("ul", *items, class_="legend")


def _expected(arm: Arm) -> tuple[str, str, str]:
    expected = arm.expected
    return percents(span(expected.success)), times(span(expected.wall_time_ms)), moneys(span(expected.cost_usd))


def _success_scale(spans: Sequence[Span]) -> Scale:
    lowest = min(one.low for one in spans)
    return linear(min(0.8, int(lowest * 10) / 10), 1.0, 226.0, 24.0, percent_word, steps=5)


# --- by kind of task ------------------------------------------------------------------------------------------------


def by_kind(figures: Figures) -> Parts:
    """Each kind of task: the arms that did some of them."""
    if not figures.kinds:
        return [missing(NO_OUTCOMES)]
    letters = {arm.arm: index for index, arm in enumerate(figures.arms[:ARMS_SHOWN])}
    shown = {kind.kind: kind.arms[:ROWS_SHOWN] for kind in figures.kinds}
    every = [arm.expected for arms in shown.values() for arm in arms]
    ends = [charts.WIDTH / 3 * number for number in range(4)]
    scales = [
        linear(0.0, 1.0, ends[0] + 4, ends[1] - 18, percent_word, steps=2),
        logarithmic(
            [v for e in every for v in (e.wall_time_ms.low, e.wall_time_ms.high)],
            TIMES_MS,
            ends[1] + 4,
            ends[2] - 18,
            time_word,
        ),
        logarithmic(
            [v for e in every for v in (e.cost_usd.low, e.cost_usd.high)],
            MONEY_USD,
            ends[2] + 4,
            ends[3] - 18,
            money_word,
        ),
    ]
    cards = [_kind(number, kind, shown[kind.kind], letters, scales) for number, kind in enumerate(figures.kinds)]
    more = (
        f" {count(figures.more_kinds, 'rarer kind')} {'is' if figures.more_kinds == 1 else 'are'} left out."
        if figures.more_kinds
        else ""
    )
    table = [
        (kind.kind, arm_name(arm.arm), f"{arm.outcomes:,}", f"{arm.verdicts:.1f}", *_expected(arm))
        for kind in figures.kinds
        for arm in kind.arms
    ]
    return [
        lead("What is expected of each arm on tasks of one kind that are average otherwise, with 90 % intervals."),
        grid(*cards),
        numbers(
            "each arm by kind of task",
            ("kind", "arm", "outcomes", "verdicts", "success", "time", "cost"),
            table,
            words=2,
        ),
        note(
            "What an arm has not done of a kind it owes to what it did of others, and to its relatives: a short bar on few "
            f"outcomes is borrowed knowledge. Dotted: fewer than {ENOUGH:.0f} verdicts of this kind.{more} The same as "
            "routerctl arms --kind KIND."
        ),
    ]


def _kind(number: int, kind: Kind, arms: Sequence[Arm], letters: dict[str, int], scales: Sequence[Scale]) -> Element:
    rows = [
        Row(
            name=arm_name(arm.arm),
            aside=f"{arm.outcomes:,}",
            tracks=(
                Track(span(arm.expected.success), percent(arm.expected.success.mean)),
                Track(span(arm.expected.wall_time_ms), duration(arm.expected.wall_time_ms.mean)),
                Track(span(arm.expected.cost_usd), dollars(arm.expected.cost_usd.mean)),
            ),
            colour=letters.get(arm.arm),
            sure=arm.verdicts >= ENOUGH,
        )
        for arm in arms
    ]
    title = f"{kind.kind}: {count(kind.outcomes, 'outcome')}"
    said = (
        f"Success, time and cost of {count(len(rows), 'arm')} with 90 % intervals; the numbers are in the table below."
    )
    chart = charts.tracks(f"kind-{number}", title, said, rows, scales, ("success", "time", "cost"))
    more = f"and {count(len(kind.arms) - len(arms), 'arm')} in the table" if len(kind.arms) > len(arms) else None
    return card(title, chart, el("p", more, class_="missing") if more else None)

"""The section that says in short what there is, and what is most worth knowing."""

from typing import Any, Final

from routerd.page.elements import Child, el
from routerd.page.figures import Figures
from routerd.page.parts import NO_OUTCOMES, Parts, arm, count, missing, note
from routerd.units import does, dollars, percent, would_have

NAMED_MAX: Final = 2

Sentence = list[Child]


def in_short(figures: Figures) -> Parts:
    """How much there is, and a few sentences."""
    counted = figures.counted
    facts = (
        ("delegations", f"{counted.delegations:,}"),
        ("turns of the agents' own", f"{counted.turns:,}"),
        ("their time", f"{counted.hours:,.1f} h"),
        ("by list price", dollars(counted.cost_usd)),
        ("verdicts, as labels are worth", f"{counted.verdicts:,.0f}"),
        ("decisions by routerd", f"{counted.decisions:,}"),
    )
    said = _says(figures)
    if counted.explored:
        said.append([f"Of routerd's decisions {counted.explored:,} were made in order to learn."])
    apart = ((counted.unknown, "of unknown success"), (counted.censored, "ended by a limit, a login or a fault"))
    left = [f"{number:,} {what}" for number, what in apart if number]
    return [
        el("dl", *(el("div", el("dt", name), el("dd", value)) for name, value in facts), class_="facts"),
        el("ul", *(el("li", *one) for one in said), class_="says") if said else missing(NO_OUTCOMES),
        note(f"Among the {count(counted.delegations + counted.turns, 'task')}: {', '.join(left)}.") if left else None,
    ]


def _says(figures: Figures) -> list[Sentence]:
    """The most useful first."""
    shares, lines = figures.savings["shares"], figures.savings["lines"]
    switched = [line for line in lines if line["verdict"] == "switch"]
    said: list[Sentence] = []
    if shares:
        most, where = arm(shares[0]["arm"]), f" in {shares[0]['agent']}."
        said.append([percent(shares[0]["share"]), " of the delegations ran on ", most, where])
    said += [_switch(line, figures.savings["delta"]) for line in switched if line["kind"] is not None]
    if shares and not switched:
        said.append(["Nothing that is sure enough says that another choice would have been better."])
    for one in figures.drift["strayed"][:NAMED_MAX]:
        units = f"{one['units']:,} of {one['of']:,} that asked for "
        said.append([units, arm(one["asked"]), " ran on ", arm(one["ran"]), f" in {one['agent']}."])
    for one in figures.drift["moved"][:NAMED_MAX]:
        way = "worse" if one["drift"] < 0 else "better"
        said.append([arm(one["arm"]), f" does {way} than it did, by {abs(one['drift']):.1f} standard errors."])
    return said


def _switch(line: dict[str, Any], delta: float) -> Sentence:
    after, before = line["candidate"], line["baseline"]
    words = would_have(line["saved_hours"], line["saved_usd"])
    how = does(after["success"]["mean"], before["success"]["mean"], delta)
    rest = f" {how}, and would have {words}." if words else f" {how}."
    return ["For ", el("b", line["kind"]), ", ", arm(after["arm"]), rest]

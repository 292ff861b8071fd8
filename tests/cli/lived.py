"""A history with something to show in every part of the page: choices of others, draws, an agent's own turns, drift."""

from tests.cli.history import CHEAP, DEAR, MIDDLE, configure, drawn, imported, rows
from tests.cli.test_drift import PRICES, delegating, session
from tests.harness import Place
from tests.sources.claude_logs import MODEL, SMALL

CONFIG = """
[policy]
name = "epsilon_greedy"
epsilon = 0.6
seed = 11
[learning]
half_life_days = 1000.0
"""
SINCE = ("--since", "2025-01-01")


def lived(place: Place) -> Place:
    """Has it lived through, and routerd learn from it."""
    configure(place, CONFIG + PRICES)
    homes = [session(1, 5, wanted=SMALL), session(2, 2, wanted=SMALL), delegating(5, "haiku", SMALL)]
    for home in [*homes, delegating(6, "haiku", MODEL)]:
        place.write(home.data)
    place.once()
    imported(
        place,
        rows("explore", DEAR, 40, fails=9, minutes=4.0, dollars=0.9),
        rows("cross-file-edit", DEAR, 40, fails=8, minutes=9.0, dollars=2.5),
        rows("cross-file-edit", CHEAP, 30, fails=2, minutes=6.0, dollars=0.4),
        rows("cross-file-edit", MIDDLE, 25, fails=6, minutes=5.0, dollars=0.8),
        rows("docs", DEAR, 15, fails=9, minutes=2.0, dollars=0.3),
        rows("docs", CHEAP, 4, fails=9, minutes=1.0, dollars=0.03),
        rows("docs", "local", 60, fails=9, minutes=1.4, dollars=0.3),
    )
    with place.daemon() as daemon:
        drawn(daemon, "explore", 80)
    return place

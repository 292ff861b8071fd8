"""`--since`: what it takes, and what it says of anything else."""

from datetime import UTC, datetime

import pytest

from routerd.cli.since import since
from routerd.errors import UsageError

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("text", "ago_s"),
    [
        ("12h", 12 * 3600),
        ("90d", 90 * 86400),
        ("8w", 56 * 86400),
        ("1.5d", 1.5 * 86400),
        ("2026-11-20T11:00:00Z", 3600),
        ("2026-11-20T12:00:00+02:00", 2 * 3600),
    ],
)
def test_a_moment(text: str, ago_s: float) -> None:
    assert since(text, NOW) == pytest.approx(NOW - ago_s)


def test_a_date_without_a_zone_is_local() -> None:
    assert since("2026-08-01", NOW) == datetime(2026, 8, 1).astimezone().timestamp()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("90x", "'x' is no unit"),
        ("soon", "neither a length of time"),
        ("90", "neither a length of time"),
        ("-3d", "neither a length of time"),
        ("", "neither a length of time"),
        ("2026-13-01", "neither a length of time"),
        ("2999-01-01", "lies in the future"),
        ("0d", "more than 0"),
        ("99999999999999999d", "at most 100 years"),
    ],
)
def test_what_is_no_moment(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        since(text, NOW)

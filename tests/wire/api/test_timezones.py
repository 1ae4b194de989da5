"""Time zone names are taken as the reference server takes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from pingmon.wire.api.timezones import LEGACY, canonical, names


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("UTC", "UTC"),
        ("GMT", "GMT"),
        ("Europe/Riga", "Europe/Riga"),
        ("Etc/GMT+5", "Etc/GMT+5"),
        ("America/Montreal", "America/Montreal"),
        ("Europe/Kiev", "Europe/Kyiv"),
        ("UCT", "Etc/UTC"),
        ("CET", "Europe/Brussels"),
        ("US/Eastern", "America/New_York"),
        ("Africa/Asmera", "Africa/Asmara"),
        ("europe/riga", None),
        ("Factory", None),
        ("EST5EDT", "America/New_York"),
        ("../../etc/passwd", None),
        ("", None),
        ("Europe/Atlantis", None),
    ],
)
def test_names(sent: str, kept: str | None) -> None:
    """Present names stay, old ones become present ones, and everything else is no time zone."""
    assert canonical(sent) == kept


def test_every_kept_name_can_be_used() -> None:
    """Every name under which a zone may be kept can be loaded."""
    assert len(names()) > 470
    assert [name for name in names() if not ZoneInfo(name)] == []


def test_old_names_mean_the_same_clock() -> None:
    """In these years, an old name and the present one show the same time in every month."""
    first = datetime(2024, 1, 1, tzinfo=UTC)
    moments = [first + timedelta(days=30 * step) for step in range(36)]
    for old, present in LEGACY.items():
        assert present in names()
        before, after = ZoneInfo(old), ZoneInfo(present)
        for moment in moments:
            assert moment.astimezone(before).utcoffset() == moment.astimezone(after).utcoffset(), old

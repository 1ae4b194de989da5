"""Flips, rounds and hours of a site are shown with who saw what."""

from __future__ import annotations

from pingmon.core.flip import Flip
from pingmon.core.site.probe_result import ProbeResult
from pingmon.core.units import SECOND
from pingmon.core.world.events import Entry, Hour, SiteProbed
from pingmon.testing import START as NOW
from pingmon.wire.api.site_history import decision_json, hour_json, round_json, whole_hours

HERE = ProbeResult("", NOW, 503, "status", 12, "192.0.2.1", "503 Service Unavailable")
TOKYO = ProbeResult("tokyo", NOW + 5, 200, "", 9)


def test_a_flip_of_a_site_says_what_decided_it() -> None:
    """The status before and after, the code, and every look."""
    shown = decision_json(Flip(9, "s", NOW, "suspect", "down", "verdict", code=503, looks=(HERE,)))
    (look,) = shown.pop("looks")
    assert shown == {
        "old": "suspect",
        "new": "down",
        "code": 503,
    }
    assert (look["class"], look["code"], look["node"]) == ("status", 503, "")


def test_a_round_says_who_saw_what() -> None:
    """In words and look by look, with how many were asked."""
    shown = round_json(Entry(7, NOW + 6, "s", SiteProbed((HERE, TOKYO), 2, 1)))
    assert [look["node"] for look in shown.pop("looks")] == ["", "tokyo"]
    assert shown == {
        "seq": 7,
        "at": "2023-11-14T22:13:20.000006+00:00",
        "asked": 2,
        "quorum": 1,
        "summary": "503 Service Unavailable (here); ok (tokyo)",
    }


def test_an_hour_is_shown_with_its_times() -> None:
    """Where no probe was good there are none, and 0 would be a lie."""
    assert hour_json(3, Hour(NOW, 12, 2, 1, 10, 20, 30, 40)) == {
        "seq": 3,
        "start": "2023-11-14T22:13:20+00:00",
        "probes": 12,
        "bad": 2,
        "void": 1,
        "fastest": 10,
        "median": 20,
        "p95": 30,
        "slowest": 40,
    }
    nothing = hour_json(3, Hour(NOW, 2, 2, 0))
    assert [nothing[name] for name in ("fastest", "median", "p95", "slowest")] == [None] * 4


def test_the_parts_of_an_hour_are_one_hour() -> None:
    """All is exact but the quantiles, which are those of the larger part; an hour of one part is as it was."""
    before, later = Hour(NOW - 3600 * SECOND, 9, 0, 0, 1, 2, 3, 4), Hour(NOW + 3600 * SECOND, 2, 2)
    many, few = Hour(NOW, 12, 2, 1, 10, 20, 30, 40), Hour(NOW, 5, 1, 2, 5, 50, 60, 70)
    whole = Hour(NOW, 17, 3, 3, 5, 20, 30, 70)
    for parts in ([many, few], [few, many]):
        rows = enumerate([later, *parts, before])
        assert list(whole_hours(rows)) == [(0, later), (2, whole), (3, before)]
    assert list(whole_hours([])) == []


def test_a_part_without_a_good_probe_says_nothing_of_the_fastest_one() -> None:
    """It took no time at all; three parts are one hour, too."""
    good, bad, void = Hour(NOW, 2, 0, 0, 10, 15, 20, 20), Hour(NOW, 3, 3), Hour(NOW, void=4)
    assert list(whole_hours([(7, bad), (6, good), (5, void)])) == [(5, Hour(NOW, 5, 3, 4, 10, 15, 20, 20))]
    assert list(whole_hours([(7, bad), (6, void)])) == [(6, Hour(NOW, 3, 3, 4))]

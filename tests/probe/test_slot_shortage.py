"""Tests of `pingmon.probe.slot_shortage`: the operator hears which limit keeps looks waiting, and hears it once."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from pingmon.probe.slot_shortage import LATE_S, QUIET_S, WINDOW_S, Limit, Shortage, SlotWaits

REMEDIES: dict[Limit, str] = {"in all": "raise parallel", "at one address": "raise per_address"}


def test_short_waits_are_no_shortage() -> None:
    waits = SlotWaits(Clock().seconds, REMEDIES)
    waits.note("at one address", "192.0.2.1", LATE_S - 0.1)
    assert waits.shortages() == ()


def test_what_waits_long_or_in_vain_is_counted_by_its_limit_for_half_to_a_whole_minute() -> None:
    clock = Clock()
    waits = SlotWaits(clock.seconds, REMEDIES)
    waits.note("at one address", "192.0.2.1", 12.0)
    clock.advance(WINDOW_S)
    waits.note("at one address", "192.0.2.2", 60.0, void=True)
    waits.note("in all", "", 0.0, void=True)
    assert waits.shortages() == (
        Shortage("at one address", "raise per_address", 2, 1, 60.0, "192.0.2.2"),
        Shortage("in all", "raise parallel", 1, 1),
    )
    clock.advance(WINDOW_S)
    assert [shortage.late for shortage in waits.shortages()] == [1, 1]
    clock.advance(WINDOW_S)
    assert waits.shortages() == ()


def test_half_a_minute_without_any_forgets_what_was_before() -> None:
    clock = Clock()
    waits = SlotWaits(clock.seconds, REMEDIES)
    waits.note("in all", "", 12.0)
    clock.advance(10 * WINDOW_S)
    assert waits.shortages() == ()


def test_the_sentence_says_how_many_waited_where_and_how_many_in_vain() -> None:
    assert Shortage("in all", "", 1, 0, 12.4).text == "1 look at a site waited for a place for up to 12 s"
    there = Shortage("at one address", "", 30, 2, 60.0, "192.0.2.1")
    assert there.text == "30 looks at sites waited for a place at 192.0.2.1 for up to 60 s, 2 of them in vain"


def test_the_log_says_it_once_and_again_when_it_comes_back() -> None:
    clock = Clock()
    waits = SlotWaits(clock.seconds, REMEDIES)
    with capturedLogs() as logged:
        for _ in range(100):
            waits.note("at one address", "192.0.2.1", 12.0)
            clock.advance(60)
        assert len(logged) == 1
        clock.advance(QUIET_S)
        waits.note("at one address", "192.0.2.1", 12.0)
    assert [event["remedy"] for event in logged] == ["raise per_address"] * 2

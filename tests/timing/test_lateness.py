"""Tests of `pingmon.timing.lateness`."""

from __future__ import annotations

from pingmon.timing.lateness import Lateness


def test_the_worst_of_the_last_half_to_whole_minute_is_told_and_then_forgotten() -> None:
    late = Lateness()
    assert late.worst(100.0) == 0
    late.note(100.0, 3.0)
    late.note(110.0, 7.0)
    late.note(115.0, 5.0)
    assert late.worst(115.0) == 7
    assert late.worst(149.0) == 7
    assert late.worst(150.0) == 0


def test_what_was_late_in_the_half_minute_before_counts_beside_what_is_late_now() -> None:
    late = Lateness()
    late.note(59.0, 4.0)
    late.note(61.0, 2.0)
    assert late.worst(89.0) == 4
    assert late.worst(91.0) == 2


def test_after_a_long_time_nothing_is_known_of_before() -> None:
    late = Lateness()
    late.note(10.0, 4.0)
    late.note(1000.0, 1.0)
    assert late.worst(1000.0) == 1

"""Tests of `core/site/dark_address`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pingmon.core.site.dark_address import BEYOND_S, ENOUGH, LONGEST_S, DarkAddress, is_dark, is_old, told_of

HERE = DarkAddress("192.0.2.1", at_s=10.0, tried_s=10.0)
NO_WAY = DarkAddress("2001:db8::1", at_s=10.0, tried_s=10.0, told=False)
SECONDS = st.floats(0, 30)


def test_silence_is_known_for_as_long_as_it_was_tried_and_a_moment() -> None:
    assert HERE.speaks_for(10.0, 10.0 + 10.0 + BEYOND_S - 0.1)
    assert not HERE.speaks_for(10.0, 10.0 + 10.0 + BEYOND_S)


def test_silence_speaks_only_for_who_would_hardly_try_for_longer() -> None:
    assert HERE.speaks_for(10.0 / ENOUGH, 10.0)
    assert not HERE.speaks_for(10.0 / ENOUGH + 0.1, 10.0)


def test_a_look_that_began_before_somebody_was_answered_shows_nothing() -> None:
    assert is_dark(10.0, None)
    assert is_dark(10.0, 9.9)
    assert not is_dark(10.0, 10.0)


def test_a_host_is_dark_if_all_its_addresses_are_and_one_was_tried() -> None:
    assert told_of([NO_WAY, HERE]) == HERE
    assert told_of([HERE, None]) is None
    assert told_of([NO_WAY]) is None


@given(SECONDS, SECONDS, st.floats(0, 100))
def test_what_speaks_for_somebody_is_not_old(tried_s: float, wanted_s: float, later_s: float) -> None:
    dark = DarkAddress("192.0.2.1", at_s=0.0, tried_s=tried_s)
    assert not (dark.speaks_for(wanted_s, later_s) and is_old(0.0, later_s))
    assert is_old(0.0, LONGEST_S)

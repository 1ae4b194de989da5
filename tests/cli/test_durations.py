"""Durations as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pingmon.cli.durations import duration_text, seconds_of


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("30m", 1800), ("1h30m", 5400), ("2d", 172_800), ("1w", 604_800)]
)
def test_a_duration_is_read(text: str, seconds: int) -> None:
    """In the units of every day."""
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "h", "1.5h", "30m1h", "-5", "1 h", "5 minutes", "²", "9" * 10])
def test_what_is_no_duration_is_refused_with_the_rule(text: str) -> None:
    """Not guessed."""
    with pytest.raises(ValueError, match="is no duration: write seconds"):
        seconds_of(text)


@given(st.integers(0, 10**8))
def test_what_is_written_is_read_as_the_same(seconds: int) -> None:
    """For any duration."""
    assert seconds_of(duration_text(seconds)) == seconds

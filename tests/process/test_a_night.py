"""`docs/a-night.md` is what `a_night` prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.process.a_night import masked, transcript

pytestmark = [pytest.mark.process, pytest.mark.slow]


@pytest.mark.timeout(300)
def test_the_night_that_the_manual_tells_of_is_as_it_says(tmp_path: Path) -> None:
    """But for ids and times. If what is told has changed, have the script write it anew."""
    told = (Path(__file__).parents[2] / "docs" / "a-night.md").read_text("utf-8")
    assert masked(transcript(tmp_path)).splitlines() == masked(told).splitlines()

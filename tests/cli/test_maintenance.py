"""When a maintenance window is open, as people say it."""

from __future__ import annotations

from typing import Any

import click
import pytest

from pingmon.cli.maintenance import when_fields

NOW = 1_800_000_000.5
T = 1_800_000_000
ONCE = {"schedule": None, "start": "2027-01-15T08:00:00+00:00", "end": "2027-01-15T09:00:00+00:00"}  # T, and 1h later
AGAIN = {"schedule": "@daily", "start": None, "end": None}

Times = tuple[str | None, str | None, int | None]


@pytest.mark.parametrize(
    ("fields", "times", "window", "told"),
    [
        ({}, (None, None, 7200), None, {"start": f"{T}", "end": f"{T + 7200}"}),
        ({}, ("now", "2h", None), None, {"start": f"{T}", "end": f"{T + 7200}"}),
        ({}, ("1d", "2h", None), None, {"start": f"{T + 86_400}", "end": f"{T + 93_600}"}),
        ({}, ("2027-01-15T08:00Z", "2027-01-15 08:01", None), None, {"start": f"{T}", "end": f"{T + 60}"}),
        ({"tz": "Europe/Riga"}, ("2027-01-15 10:00", None, 60), None, {"start": f"{T}", "end": f"{T + 60}"}),
        ({"schedule": "@daily"}, (None, None, 60), None, {"duration": 60}),
        ({"schedule": "@daily"}, ("now", None, 60), None, {"start": "now", "duration": 60}),
        ({"name": "x"}, (None, None, None), ONCE, {}),
        ({}, (None, None, 60), ONCE, {"start": f"{T}", "end": f"{T + 60}"}),
        ({}, (None, "now", None), ONCE, {"start": f"{T}", "end": f"{T}"}),
        ({}, ("30m", None, None), ONCE, {"start": f"{T + 1800}", "end": f"{T + 3600}"}),
        ({"schedule": "@daily"}, (None, None, None), ONCE, {}),
        ({}, (None, None, 60), AGAIN, {"duration": 60}),
        ({}, ("now", None, 60), AGAIN, {"start": f"{T}", "end": f"{T + 60}"}),
    ],
)
def test_when_is_told_as_people_tell_it(
    fields: dict[str, Any], times: Times, window: dict[str, Any] | None, told: dict[str, Any]
) -> None:
    """A duration counts from now, or from the start on; what is not given stays; a time without a zone is of --tz."""
    assert when_fields(fields, times, window, NOW) == told


@pytest.mark.parametrize(
    ("fields", "times", "window", "text"),
    [
        ({}, (None, "1h", 60), None, "say --end or --for, not both"),
        ({}, ("now", None, None), AGAIN, "how long"),
        ({}, (None, "now", None), AGAIN, "it comes again: say --start, too"),
        ({}, ("soon", None, 60), None, "--start: 'soon' is no time: write 2026-12-01T22:00, now, or 2h"),
        ({"tz": "Mars"}, ("2027-01-15 10:00", None, 60), None, "--tz: there is no time zone Mars"),
    ],
)
def test_what_is_no_time_is_a_usage_error(
    fields: dict[str, Any], times: Times, window: dict[str, Any] | None, text: str
) -> None:
    with pytest.raises(click.UsageError, match=text):
        when_fields(fields, times, window, NOW)

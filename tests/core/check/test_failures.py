"""How often a check failed in a row: reported, or passed in silence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pingmon.core.check.failures import failed_often_at, failures_by
from pingmon.core.flip import Flip
from pingmon.core.units import SECOND
from pingmon.core.world.events import CheckPaused
from tests.core.worlds import C1, T0, Log

MINUTE = 60 * SECOND


def down(log: Log) -> Flip:
    (flip,) = [outcome.flip for outcome in log.outcomes if outcome.flip is not None and outcome.flip.new == "down"]
    return flip


@given(often=st.integers(1, 100), timeout=st.integers(60, 3600), grace=st.integers(60, 600))
def test_each_occurrence_that_passes_in_silence_is_a_failure(often: int, timeout: int, grace: int) -> None:
    log = Log()
    log.check(timeout=timeout, grace=grace)
    log.ping()
    log.expire()
    at = failed_often_at(log.world.checks[C1], down(log), often)
    assert at == (0 if often == 1 else T0 + (often * timeout + grace) * SECOND)


@given(often=st.integers(1, 9), minutes=st.integers(20, 300), reported=st.integers(0, 3))
def test_it_has_failed_so_often_when_the_time_for_that_has_come(often: int, minutes: int, reported: int) -> None:
    log = Log()
    log.check(timeout=1200, grace=60)
    log.ping()
    log.expire()
    for _ in range(reported):
        log.ping(signal="fail", at=T0 + 20 * MINUTE)
    check, now = log.world.checks[C1], T0 + minutes * MINUTE
    at = failed_often_at(check, down(log), often)
    assert at is not None
    assert (failures_by(check, down(log), now, often) >= often) == (at <= now or often <= 1 + reported)


def test_what_the_job_reports_counts_from_its_last_report_on() -> None:
    log = Log()
    log.check(timeout=600, grace=60)
    log.ping(signal="fail")
    log.ping(signal="fail", at=T0 + MINUTE)
    check = log.world.checks[C1]
    assert (check.failures, failed_often_at(check, down(log), 2)) == (2, 0)
    assert failed_often_at(check, down(log), 3) == T0 + MINUTE + 660 * SECOND
    assert failed_often_at(check, down(log), 4) == T0 + MINUTE + 1260 * SECOND


@pytest.mark.parametrize("event", ["success", "paused"])
def test_failures_in_a_row_end_with_a_success_or_a_pause(event: str) -> None:
    log = Log()
    log.check()
    log.ping(signal="fail")
    if event == "paused":
        log.add(C1, CheckPaused())
    else:
        log.ping()
    assert log.world.checks[C1].failures == 0


def test_a_schedule_that_runs_out_has_no_more_failures() -> None:
    log = Log()
    log.check(kind="oncalendar", schedule="2023-11-14 22:30:00\n2023-11-14 22:40:00", grace=60)
    log.ping()
    log.expire()
    check = log.world.checks[C1]
    assert failed_often_at(check, down(log), 2) is not None
    assert failed_often_at(check, down(log), 3) is None
    assert failures_by(check, down(log), T0 + 1000 * MINUTE, 9) == 2

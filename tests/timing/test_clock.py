"""Telling a clock that was set from time that passed."""

from __future__ import annotations

import time
from threading import Event

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pingmon.testing import START_S, FakeTime
from pingmon.timing.clock import STEP_S, Timekeeper, busy_seconds, steady_seconds


def keeper(fake: FakeTime) -> tuple[Timekeeper, list[int]]:
    steps: list[int] = []
    return Timekeeper(fake.wall, fake.steady, steps.append), steps


@pytest.mark.parametrize("by", [-3600.0, -STEP_S, STEP_S, 86400.0])
def test_a_step_is_reported_once_before_the_first_reading_after_it(by: float) -> None:
    """In microseconds, with its sign."""
    fake = FakeTime()
    time, steps = keeper(fake)
    fake.set_wall(by)
    assert time.now() == round((START_S + by) * 1e6)
    time.now()
    assert steps == [round(by * 1e6)]


def test_only_a_thread_that_runs_is_busy() -> None:
    """A process that is kept from running uses no processor time, and one that computes does."""
    before = busy_seconds()
    Event().wait(0.05)
    waited = busy_seconds()
    while busy_seconds() < waited + 0.05:
        pass
    assert waited - before < 0.04


def test_time_that_passes_is_no_step_not_even_while_suspended() -> None:
    """Both clocks count it."""
    fake = FakeTime()
    time, steps = keeper(fake)
    fake.sleep(1e6)
    fake.advance(100)
    assert time.now() == round((START_S + 1e6 + 100) * 1e6)
    assert steps == []


@given(drifts=st.lists(st.floats(-1, 1), max_size=50))
def test_drift_that_is_taken_up_each_second_never_becomes_a_step(drifts: list[float]) -> None:
    """A month of it adds up to minutes."""
    fake = FakeTime()
    time, steps = keeper(fake)
    for drift in drifts:
        fake.set_wall(drift)
        time.settle()
    assert steps == []


def test_the_systems_steady_clock_runs() -> None:
    """Whichever clock this system offers."""
    first = steady_seconds()
    assert steady_seconds() >= first
    assert steady_seconds() >= time.monotonic() - 1

"""How it stands with a channel: when it is tried again, and with which secrets it signs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pingmon.core.notify.channel import RETRY_AFTER_S, Channel, Failing, answers, failed, renewed, retry_at, shifted
from pingmon.core.units import DAY, SECOND
from pingmon.testing import START as T0

WELL = Channel("c1", "p", "webhook", "ops", {}, "whsec_new", 1, T0)


def failing(attempts: int) -> Channel:
    channel = WELL
    for number in range(attempts):
        channel = failed(channel, T0 + number, "status 500", T0 + DAY)
    return channel


def due(attempts: int, asked_s: float | None = None, last_call: int = T0 + 365 * DAY) -> int:
    """Seconds until the next attempt."""
    return (retry_at(failing(attempts), T0, spread=0.0, asked_s=asked_s, last_call=last_call) - T0) // SECOND


def test_a_channel_fails_from_its_first_failed_attempt_until_it_answers() -> None:
    """It knows since when, how often, and what is wrong."""
    channel = failed(failing(2), T0 + 9, "timed out", T0 + 99, held=True)
    assert channel.failing == Failing(T0, 3, T0 + 9, T0 + 99, "timed out", held=True)
    assert channel.last_error == "timed out"
    assert answers(channel) == WELL


def test_waits_grow_as_the_ladder_says() -> None:
    """5 s, 30 s, 2 min, 10 min, 30 min, then hourly."""
    assert [due(attempts) for attempts in range(8)] == [*RETRY_AFTER_S, 3600, 3600]


def test_the_receiver_may_ask_for_a_longer_wait_but_not_a_shorter_one() -> None:
    """`Retry-After` is honoured up to the time of giving up."""
    assert due(0, 60) == 60
    assert due(3, 1) == 600
    assert due(0, 1e9, T0 + DAY) == 86_400


@given(attempts=st.integers(0, 100), left=st.integers(-DAY, DAY), spread=st.floats(0, 0.999))
def test_every_wait_is_positive_and_ends_with_the_oldest_message(attempts: int, left: int, spread: float) -> None:
    """No channel is tried in a tight loop, and no message is kept for longer than it may be."""
    again = retry_at(failing(min(attempts, 9)), T0, spread=spread, asked_s=None, last_call=T0 + left)
    assert T0 < again <= max(T0 + left, T0 + SECOND)


def test_an_old_secret_signs_beside_the_new_one_until_its_time_is_over() -> None:
    """Without such a time it signs no more at all; a channel without a secret signs nothing."""
    channel = renewed(WELL, "whsec_newer", T0 + 9)
    assert channel.secrets(T0 + 8) == ("whsec_newer", "whsec_new")
    assert channel.secrets(T0 + 9) == ("whsec_newer",)
    assert renewed(WELL, "whsec_newer", 0) == Channel("c1", "p", "webhook", "ops", {}, "whsec_newer", 1, T0)
    assert Channel("c1", "p", "webhook", "ops", {}, "", 1, T0).secrets(T0) == ()


def test_a_set_clock_moves_what_was_measured_by_it() -> None:
    """But not the instant at which the channel last worked, which is a record."""
    channel = shifted(renewed(failing(1), "s", T0), 5)
    assert channel.failing == Failing(T0 + 5, 1, T0 + 5, T0 + DAY + 5, "status 500")
    assert channel.old_until == T0 + 5
    assert shifted(WELL, 5) == WELL

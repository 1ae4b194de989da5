"""When a channel that fails is tried again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pingmon.core.notify.channel import Channel, failed
from pingmon.core.notify.retry_waits import RETRY_AFTER_S, retry_at
from pingmon.core.units import DAY, SECOND
from pingmon.testing import START as T0


def failing(attempts: int) -> Channel:
    channel = Channel("c1", "p", "webhook", "ops", {}, "whsec_new", 1, T0)
    for number in range(attempts):
        channel = failed(channel, T0 + number, "status 500", T0 + DAY)
    return channel


def due(attempts: int, asked_s: float | None = None, last_call: int = T0 + 365 * DAY) -> int:
    """Seconds until the next attempt."""
    return (retry_at(failing(attempts), T0, spread=0.0, asked_s=asked_s, last_call=last_call) - T0) // SECOND


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

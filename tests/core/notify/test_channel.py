"""How it stands with a channel: whether it takes what is sent, and with which secrets it signs."""

from __future__ import annotations

from pingmon.core.notify.channel import Channel, Failing, answers, failed, renewed, shifted
from pingmon.core.units import DAY
from pingmon.testing import START as T0

WELL = Channel("c1", "p", "webhook", "ops", {}, "whsec_new", 1, T0)


def failing(attempts: int) -> Channel:
    channel = WELL
    for number in range(attempts):
        channel = failed(channel, T0 + number, "status 500", T0 + DAY)
    return channel


def test_a_channel_fails_from_its_first_failed_attempt_until_it_answers() -> None:
    """It knows since when, how often, and what is wrong."""
    channel = failed(failing(2), T0 + 9, "timed out", T0 + 99, held=True)
    assert channel.failing == Failing(T0, 3, T0 + 9, T0 + 99, "timed out", held=True)
    assert channel.last_error == "timed out"
    assert answers(channel) == WELL


def test_attempts_that_were_on_their_way_together_are_one_round() -> None:
    """Else four at once would make the next wait as long as after four rounds."""
    channel = failed(failing(2), T0 + 9, "timed out", T0 + DAY, same_round=True)
    assert channel.failing == Failing(T0, 2, T0 + 9, T0 + DAY, "timed out")


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

"""A disk that hangs is told from a process that stood still, and nobody waits for it for ever."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from pingmon.journal import JournalUnavailable
from pingmon.journal.sqlite.disk_timeout import GIVE_UP_BEATS, HANGS_BEATS, DiskTimeout
from pingmon.testing import result


class Waiting:
    """A journal's patience on a clock of the test's."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.given_up = 0
        reactor: Any = self.clock
        self.patience = DiskTimeout(reactor, self.give_up)
        self.patience.start()

    def give_up(self) -> None:
        self.given_up += 1

    def beats(self, count: int) -> None:
        for _ in range(count):
            self.clock.advance(1)


def test_a_write_that_is_under_way_for_too_long_hangs_until_it_ends() -> None:
    """For as many seconds as are told."""
    it = Waiting()
    it.patience.begun()
    it.beats(HANGS_BEATS - 1)
    assert it.patience.hangs_s == 0
    it.beats(1)
    assert (it.patience.hangs_s, it.given_up) == (HANGS_BEATS, 0)
    it.patience.ended()
    assert it.patience.hangs_s == 0
    it.beats(100)
    assert it.patience.hangs_s == 0


def test_writes_that_end_one_after_another_never_hang() -> None:
    """However many wait."""
    it = Waiting()
    for _ in range(20):
        it.patience.begun()
    for _ in range(20):
        it.beats(HANGS_BEATS - 1)
        it.patience.ended()
    assert (it.patience.hangs_s, it.given_up) == (0, 0)


def test_a_process_that_stood_still_blames_no_disk() -> None:
    """The disk may have answered long ago: one beat is one beat, however long it took."""
    it = Waiting()
    it.patience.begun()
    it.clock.advance(3600)
    assert it.patience.hangs_s == 0


def test_nobody_waits_for_longer_than_that_and_what_comes_later_is_dropped() -> None:
    """The one who waits is refused, and the write goes its way."""
    it = Waiting()
    write: Deferred[None] = Deferred()
    it.patience.begun()
    waiting = it.patience.awaited(write)
    it.beats(GIVE_UP_BEATS)
    assert it.given_up == 1
    with pytest.raises(JournalUnavailable, match="the disk does not answer"):
        result(waiting)
    write.callback(None)
    it.patience.stop()
    assert it.clock.getDelayedCalls() == []


@pytest.mark.parametrize("fails", [False, True])
def test_a_write_that_ends_in_time_is_passed_on(fails: bool) -> None:
    """Well or badly."""
    it = Waiting()
    write: Deferred[None] = Deferred()
    waiting = it.patience.awaited(write)
    if fails:
        write.errback(JournalUnavailable("the disk is full"))
        with pytest.raises(JournalUnavailable, match="the disk is full"):
            result(waiting)
    else:
        write.callback(None)
        assert result(waiting) is None

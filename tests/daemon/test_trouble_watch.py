"""Tests of `pingmon.daemon.trouble_watch`: the operator is told once of each trouble, and once of its end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from twisted.logger import capturedLogs

from pingmon.core.units import SECOND
from pingmon.core.world.events import NotificationDelivered, TroubleBegan, TroubleEnded
from pingmon.daemon.trouble_watch import TroubleWatch
from pingmon.testing import Rig, uuid
from pingmon.wire.api.status import Problem

DISK = Problem("the disk is nearly full", "make room", "disk")
VERIFIERS = Problem("none of 2 answers", "a: dead", "verifiers")


class TroubledRig(Rig):
    """A rig with a watch that tells the channel `hook 1`."""

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self.wrong: list[Problem] = []
        self.unsure: set[str] = set()
        self.watch = TroubleWatch(self.monitor, lambda: self.wrong, lambda: self.unsure, self.clock)
        self.watch.take([uuid(1, "d")], 60)
        self.watch.start()

    def told(self, seconds: float) -> list[str]:
        """What becomes owed in so many seconds, as `disk down`; it is delivered at once."""
        said = []
        for _ in range(round(seconds)):
            self.advance(1)
            for owed in list(self.world.owed.values()):
                trouble = self.world.troubles[owed.flip.subject]
                said.append(f"{trouble.kind} {owed.flip.new}{' late' if owed.down_from is not None else ''}")
                self.submit(owed.channel, NotificationDelivered(owed.id, 1, 200))
        return said


@pytest.fixture
def rig() -> Iterator[TroubledRig]:
    """It is running, and leaves nothing behind."""
    rig = TroubledRig()
    rig.channel()
    yield rig
    rig.watch.stop()


def test_what_lasts_for_a_minute_is_told_once_and_its_end_a_minute_later(rig: TroubledRig) -> None:
    rig.wrong = [DISK]
    began = rig.now
    assert rig.told(59) == []
    assert rig.told(20) == ["disk down"]
    assert rig.told(3600) == []
    rig.wrong = []
    ended = rig.now
    assert rig.told(50) == []
    assert rig.told(20) == ["disk up"]
    assert rig.told(3600) == []
    (first,), (last,) = rig.events(TroubleBegan), rig.events(TroubleEnded)
    assert began < first.since <= began + 5 * SECOND
    assert ended < last.until <= ended + 5 * SECOND


def test_what_comes_and_goes_within_a_minute_is_told_to_nobody(rig: TroubledRig) -> None:
    for _ in range(20):
        rig.wrong = [DISK]
        assert rig.told(50) == []
        rig.wrong = []
        assert rig.told(10) == []


def test_what_flaps_is_over_when_it_has_been_gone_for_an_hour(rig: TroubledRig) -> None:
    """Nobody takes it for mended while it comes back."""
    said = []
    for _ in range(30):
        rig.wrong = [DISK]
        said += rig.told(120)
        rig.wrong = []
        said += rig.told(120)
    assert said == ["disk down", "disk up", "disk down"]
    assert rig.told(3600) == ["disk up"]


def test_two_troubles_are_told_apart(rig: TroubledRig) -> None:
    rig.wrong = [DISK, VERIFIERS]
    assert rig.told(70) == ["disk down", "verifiers down"]
    rig.wrong = [Problem("only 1 of 2 answers", "b: dead", "verifiers")]
    assert rig.told(120) == ["disk up"]


@pytest.mark.parametrize("clean", [True, False])
def test_a_restart_tells_nothing_twice_and_what_is_over(rig: TroubledRig, clean: bool) -> None:
    """However the daemon ended."""
    rig.wrong = [DISK]
    assert rig.told(70) == ["disk down"]
    rig.watch.stop()
    again = rig.restarted(clean=clean, away_s=10)
    again.wrong = [DISK]
    assert again.told(300) == []
    again.wrong = []
    assert again.told(70) == ["disk up"]
    again.watch.stop()


def test_what_is_not_known_yet_is_not_over(rig: TroubledRig) -> None:
    """Verifiers that were not asked since the start may still be gone."""
    rig.wrong = [VERIFIERS]
    assert rig.told(70) == ["verifiers down"]
    rig.wrong, rig.unsure = [], {"verifiers"}
    assert rig.told(300) == []
    rig.unsure = set()
    assert rig.told(70) == ["verifiers up"]


def test_what_was_wrong_while_the_log_took_nothing_is_told_when_it_does(rig: TroubledRig) -> None:
    rig.wrong = [DISK]
    rig.told(30)
    rig.journal.fail_next(100)
    assert rig.told(50) == []
    assert rig.journal.health().failing_since is not None
    rig.wrong = []
    assert rig.told(300) == ["disk down", "disk up"]


def test_a_time_in_which_nothing_was_heard_is_told_in_one_message(rig: TroubledRig) -> None:
    """If it was long enough; after the next start, it is not told again."""
    rig.watch.stop()
    short = rig.restarted(clean=False, away_s=30)
    assert short.told(60) == []
    short.watch.stop()
    long = short.restarted(clean=False, away_s=300)
    assert long.told(60) == ["deaf up late"]
    assert long.told(600) == []
    long.watch.stop()
    again = long.restarted(away_s=5)
    assert again.told(60) == []
    again.watch.stop()


def test_channels_are_named_by_id_or_name_and_one_that_is_not_there_yet_is_told_when_it_is(rig: TroubledRig) -> None:
    """The log warns of it at the start, and when the configuration was read again."""
    with capturedLogs() as logged:
        rig.watch.take(["night", "hook 2"], 60)
    assert [event["name"] for event in logged if "operator.channels" in event["log_format"]] == ["night", "hook 2"]
    rig.wrong = [DISK]
    assert rig.told(300) == []
    rig.channel(2)
    assert [channel.name for channel in rig.watch.told()] == ["hook 2"]
    assert rig.told(10) == ["disk down"]


def test_nobody_is_told_where_no_channel_is_named(rig: TroubledRig) -> None:
    """Who was told before hears of the end."""
    rig.wrong = [DISK]
    assert rig.told(70) == ["disk down"]
    rig.watch.take([], 60)
    rig.wrong = [VERIFIERS]
    assert rig.told(300) == ["disk up"]


def test_a_stop_forgets_what_is_not_in_the_log_yet(rig: TroubledRig) -> None:
    """It waits for nothing."""
    rig.wrong = [DISK]
    rig.journal.fail_next(100)
    rig.told(90)
    rig.watch.stop()
    assert rig.told(300) == []
    assert rig.journal.health().failing_since is None


def test_a_clock_that_is_set_makes_nothing_last_longer(rig: TroubledRig) -> None:
    rig.wrong = [DISK]
    assert rig.told(10) == []
    rig.time.set_wall(3600)
    assert rig.told(40) == []
    assert rig.told(20) == ["disk down"]


def test_a_time_in_which_nothing_was_heard_is_told_when_somebody_can_be(rig: TroubledRig) -> None:
    """If that is within an hour, and as soon as the log takes it."""
    rig.watch.stop()
    again = rig.restarted(clean=False, away_s=300)
    again.watch.take([], 60)
    assert again.told(60) == []
    again.watch.take([uuid(1, "d")], 60)
    again.journal.fail_next(3)
    assert again.told(60) == ["deaf up late"]
    again.watch.stop()

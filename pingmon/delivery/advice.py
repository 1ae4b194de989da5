"""What may be wrong with a check that has gone down: said in the message, from what its log shows.

It is found when a message is about to be sent, in the pings that the log has up to the flip. To keep the times of the
last pings with each check was ruled out: it would cost every ping time and every check memory, for what few alerts
need. And what the log has up to an entry stays the same, so each attempt says the same.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from pingmon.core.check.check import Check
from pingmon.core.check.zone_doctor import zone_finding
from pingmon.core.notify.notification import Notification
from pingmon.core.world.events import PingReceived
from pingmon.core.world.world import World
from pingmon.journal import History
from pingmon.timing.bounded_wait import within
from pingmon.wire.message.advice import zone_sentence

PINGS: Final = 100
"""Pings that are read; a run may send several."""
READ_S: Final = 5.0
"""Seconds for which a message waits for what is read."""


class Advice:
    """Finds a sentence for a message that is owed, or none."""

    log = Logger()

    def __init__(self, world: World, history: History, clock: IReactorTime) -> None:
        self._world = world
        self._history = history
        self._clock = clock

    async def __call__(self, owed: Notification) -> str:
        """It never fails: the message matters more than what it says besides."""
        subject, flip = self._world.topic(owed.flip.subject), owed.flip
        if not isinstance(subject, Check) or flip.cause != "silence" or subject.spec.kind == "simple":
            return ""
        reading = self._history.events(subject.id, PingReceived, upto=flip.seq, limit=PINGS)
        try:
            pings = await within(READ_S, reading, self._clock, list)
        except CancelledError:
            raise
        except Exception:  # noqa: BLE001 -- see above
            self.log.failure("an error while reading the last pings of {check}", check=subject.id)
            return ""
        finding = zone_finding(subject.spec, pings, partial(self._world.zones_of, subject.project))
        return "" if finding is None else zone_sentence(finding)

"""Tells the operator of trouble of pingmon itself, by channels that the configuration names.

    wrong for `hold_s`        ─▶ TroubleBegan, if a channel is there to be told
    well again for as long    ─▶ TroubleEnded; of what has come back within an hour, after an hour
    deaf for `hold_s`         ─▶ both at once, when that is over

The world remembers what was told, so a start tells nothing twice, and what was over meanwhile. While the log takes
nothing, nobody can be told; what lasted long enough then is told when it does. Whether something is wrong is asked of
`health_problems` and `health_warnings`; messages are the outbox's.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Final
from uuid import UUID, uuid5

from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from pingmon.core.flip import Deaf
from pingmon.core.notify.channel import Channel
from pingmon.core.units import DAEMON, HOUR, SECOND, Id
from pingmon.core.world.events import AnyTroubleEvent, TroubleBegan, TroubleEnded
from pingmon.journal import JournalFull, JournalUnavailable
from pingmon.monitor import Monitor
from pingmon.resubmit import submit_until_durable
from pingmon.timing.ticker import Ticker
from pingmon.wire.api.status import Problem
from pingmon.wire.message.message import DEAF_CAUSES

LOOK_S: Final = 5.0
"""Seconds between two looks at what is wrong."""
DEAF: Final = "deaf"


def trouble_id(kind: str) -> Id:
    """The stream of all that is logged of one kind of trouble."""
    return str(uuid5(UUID(DAEMON), kind))


class TroubleWatch:
    """`wrong` is what is wrong now, `unsure` the kinds of which nothing can be said yet.

    Nobody is told before `take` was called with channels.
    """

    log = Logger()

    def __init__(
        self,
        monitor: Monitor,
        wrong: Callable[[], Sequence[Problem]],
        unsure: Callable[[], Collection[str]],
        clock: IReactorTime,
    ) -> None:
        self._monitor = monitor
        self._wrong = wrong
        self._unsure = unsure
        self._clock = clock
        self._named: tuple[str, ...] = ()
        self._hold = 0
        self._since: dict[Id, float] = {}
        """Since when (steady seconds) something is wrong, or has been well although the operator was told otherwise."""
        self._logging: dict[Id, Deferred[None]] = {}
        self._ticker = Ticker("looking for trouble of its own", self._look, LOOK_S, clock, monitor.time.steady)

    def take(self, named: Sequence[str], hold_s: float) -> None:
        """Tell these channels from now on, named by their ids or names, of what lasts for `hold_s`."""
        self._named, self._hold = tuple(named), round(hold_s * SECOND)
        if self._ticker.running:
            self._warn()

    def start(self) -> None:
        """Begin."""
        self._warn()
        self._ticker.start()

    def stop(self) -> Deferred[None]:
        """Look no more. What is not in the log yet is forgotten; it is found again after a start, if it still is so."""
        self._ticker.stop()
        under_way = list(self._logging.values())
        for each in under_way:
            each.cancel()
        return DeferredList(under_way).addCallback(lambda _: None)

    def told(self) -> list[Channel]:
        """The channels that are told, as far as they are there."""
        return [channel for name in self._named for channel in self._called(name)]

    def _called(self, name: str) -> list[Channel]:
        channels = self._monitor.world.channels
        if name in channels:
            return [channels[name]]
        return [channel for channel in channels.values() if channel.name == name]

    def _warn(self) -> None:
        for name in self._named:
            if not self._called(name):
                self.log.warn("operator.channels: there is no channel {name!r}; it is told when there is", name=name)

    # --- looking ------------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        now, steady, world = self._monitor.now(), self._monitor.time.steady(), self._monitor.world
        found = {trouble_id(each.kind): each for each in self._wrong()} if self._named or world.troubles else {}
        down = [id for id, each in world.troubles.items() if each.status == "down"]
        well = [id for id in down if id not in found and world.troubles[id].kind not in self._unsure()]
        fresh = [id for id in found if id not in down]
        self._since = {id: self._since.get(id, steady) for id in (*well, *fresh)}
        for id, since in self._since.items():
            lasts = round((steady - since) * SECOND)
            if id in self._logging:
                continue
            if id in down and lasts >= world.troubles[id].gone_for(self._hold):
                self._end(id, now - lasts)
            elif id not in down and lasts >= self._hold:
                self._begin(id, found[id], now - lasts)
        for span in world.daemon.deaf:
            self._tell_deafness(span, now)

    def _begin(self, id: Id, problem: Problem, since: int) -> None:
        if told := tuple(channel.id for channel in self.told()):
            self.log.warn("the operator is told: {text} ({detail})", text=problem.text, detail=problem.detail)
            self._logged(id, TroubleBegan(problem.kind, problem.text, problem.detail, told, since))

    def _end(self, id: Id, since: int) -> None:
        self.log.info("the operator is told that this is over: {text}", text=self._monitor.world.troubles[id].text)
        self._logged(id, TroubleEnded(since))

    def _logged(self, id: Id, event: AnyTroubleEvent) -> None:
        """Put it into the log, however long that takes."""
        submitted = submit_until_durable(self._monitor, self._clock, id, event, "trouble of its own")
        self._logging[id] = logging = Deferred.fromCoroutine(submitted)
        logging.addErrback(lambda failure: failure.trap(CancelledError) and None)
        logging.addBoth(self._is_logged, id)

    def _is_logged(self, _: None, id: Id) -> None:
        del self._logging[id]

    def _tell_deafness(self, span: Deaf, now: int) -> None:
        """Tell of a time in which no ping was heard, once it is over; of a disk that takes nothing is told anyway."""
        id = trouble_id(DEAF)
        before = self._monitor.world.troubles.get(id)
        known = now - HOUR if before is None else before.since
        if span.cause == "disk" or span.until - span.since < self._hold or span.until <= known:
            return
        told = tuple(channel.id for channel in self.told())
        if not told:
            return
        why = DEAF_CAUSES.get(span.cause, span.cause)
        began = TroubleBegan(DEAF, f"it heard no pings: {why}", "silence of that time was held back", told, span.since)
        for event in (began, TroubleEnded(span.until)):  # in one commit, so that one message tells of both
            self._monitor.submit(id, event).addErrback(self._not_logged)

    def _not_logged(self, failure: Failure) -> None:
        failure.trap(JournalFull, JournalUnavailable)  # the next look tries again

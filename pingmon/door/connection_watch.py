"""One look at all connections every so often, in place of a timer for each.

Whoever takes too long is cut off: a request that does not arrive whole within its deadline, however its bytes drip
in; a connection on which nothing is asked; a reader who does not read.

Note [The door's clock]
    Time at the door is counted in ticks, which are the looks that were made. A process that stood still, or a machine
    that was suspended, made none, so nobody is cut off for time in which nobody could have been heard. A limit is
    therefore kept to within a tick, and never too early. Two readings of a clock are compared only where a short
    time is meant: how long something has kept the loop busy (`loop_turns`), how fast an HTTP/2 client may spend
    (`http2_frames`). The time of day is another matter: what clients are told comes from `http_dates`.
    Timers for each connection were ruled out. A look at ten thousand connections takes 7 ms, once a second; Twisted's
    timers take 3 µs of each request's 45, start anew at each byte, and know no deadline.
"""

from __future__ import annotations

import math
import sys
from typing import Final, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from pingmon.door.caller_address import TrustedProxies
from pingmon.door.connection_lifetime import Ticks
from pingmon.door.http_dates import Dates
from pingmon.door.intake import Intake
from pingmon.door.limits import DoorSettings
from pingmon.door.loop_turns import LoopTurns
from pingmon.door.plain_answer import PlainAnswer
from pingmon.timing.ticker import Ticker

LOOKS: Final = 8
"""Looks within the shorter of the two time limits, unless that is more often than each second."""

LINGER_S: Final = 2.0
"""How long what a refused client still sends is read and dropped, so that the answer reaches it."""

FLUSH_S: Final = 10.0
"""How long a closing connection may take to take the rest of its answer."""

GONE_S: Final = 0.25
"""How long after connections were aborted at the end their ends are waited for."""


TELL_EVERY_S: Final = 600.0
"""How often it is told that connections end by exceptions; strangers must not fill the log."""


class Watched(Protocol):
    """A connection, seen from the watch. `busy`: requests that are being answered on it."""

    @property
    def busy(self) -> int: ...

    def look(self) -> None:
        """Close if it has lasted too long in the state that it is in."""

    def leave(self) -> None:
        """Take no further request: close as soon as nothing is owed."""

    def abort(self) -> None:
        """Close at once."""


class Voice(Protocol):
    """How an application words what the door refuses of requests for `path` (percent-encoded)."""

    def __call__(self, path: bytes, refusal: PlainAnswer) -> PlainAnswer: ...


class ConnectionWatch:
    """What all connections of a door share: who is there, the limits in ticks, the tick, the dates and the intake."""

    log = Logger()

    def __init__(
        self,
        settings: DoorSettings,
        reactor: IReactorTime,
        dates: Dates,
        intake: Intake | None = None,
        voice: Voice = lambda _, refusal: refusal,
    ) -> None:
        self.dates = dates
        self.reactor = reactor
        self.settings = settings
        self.intake = intake
        self.voice = voice
        self.trusted = TrustedProxies(settings.trusted_proxies)
        self.connections: set[Watched] = set()
        self.turns = LoopTurns(reactor)
        self.draining = False
        self.failures = self._tell_at = 0
        self.tick = 1
        self.interval_s = min(1.0, min(settings.request_deadline_s, settings.idle_timeout_s) / LOOKS)
        self.limits = Ticks(
            deadline=self.ticks(settings.request_deadline_s),
            idle=self.ticks(settings.idle_timeout_s),
            linger=self.ticks(LINGER_S),
            flush=self.ticks(FLUSH_S),
        )
        self._drained: Deferred[None] | None = None
        self._drain_timer: IDelayedCall | None = None
        self._ending = False
        self._ticker = Ticker("looking after connections", self._look, self.interval_s, reactor, reactor.seconds)
        self.looked_at = reactor.seconds()

    def start(self) -> None:
        """Begin to look; does nothing if it has begun."""
        self._ending = False
        if not self._ticker.running:
            self.looked_at = self.reactor.seconds()
            self._ticker.start()

    def stop(self) -> None:
        """Look no more, once nobody is there."""
        self._ending = True
        if not self.connections:
            self._ticker.stop()

    def drain(self, timeout_s: float) -> Deferred[None]:
        """Close each connection as soon as nothing is owed on it; abort the rest after `timeout_s`.

        Fires when no connection is left, at the latest `GONE_S` after `timeout_s`, and by then nothing is scheduled any
        more. Call it once, after listening has ended. Cancelling it drops the result, nothing else.
        """
        self.draining = True
        drained: Deferred[None] = Deferred()
        self._drained = drained
        self._drain_timer = self.reactor.callLater(timeout_s, self._abort_all)
        for connection in tuple(self.connections):
            connection.leave()
        self.left()
        return drained

    def left(self) -> None:
        """A connection is gone; if it was the last one of a draining door, that is told."""
        if self.connections:
            return
        self.turns.stop()
        if self._ending or self._drained is not None:
            self.stop()
        drained, self._drained = self._drained, None
        timer, self._drain_timer = self._drain_timer, None
        if timer is not None:
            timer.cancel()
        if drained is not None:
            drained.callback(None)

    def count_failure(self) -> None:
        """To be called while handling an exception that a connection ended by: it is told now and then."""
        self.failures += 1
        if self.tick >= self._tell_at:
            self._tell_at = self.tick + self.ticks(TELL_EVERY_S)
            error = sys.exc_info()[1]
            self.log.warn(
                "the door closed a connection because of an unexpected error: {error} ({count} since the start)",
                error=repr(error)[:200],
                count=self.failures,
            )

    def _abort_all(self) -> None:
        self._drain_timer = self.reactor.callLater(GONE_S, self._forget)
        for connection in tuple(self.connections):
            with self.log.failuresHandled("an error while the door closed a connection"):
                connection.abort()
        self.left()

    def _forget(self) -> None:
        """A connection whose end nobody tells must not keep the process from ending."""
        self._drain_timer = None
        self.log.warn("{count} connections do not end: pingmon stops without them", count=len(self.connections))
        self.connections.clear()
        self.left()

    def ticks(self, seconds: float) -> int:
        """How many looks there are in so many seconds; one at least."""
        return max(1, math.ceil(seconds / self.interval_s))

    def _look(self) -> None:
        """Whatever trouble one connection has, the others are looked at."""
        self.tick += 1
        self.looked_at = self.reactor.seconds()
        for connection in tuple(self.connections):
            try:
                connection.look()
            except Exception:  # noqa: BLE001
                self.log.failure("an error while the door looked after a connection")

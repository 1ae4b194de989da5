"""One look at all connections every so often, in place of a timer for each.

Whoever takes too long is cut off: a request that does not arrive whole within its deadline, however its bytes drip
in; a connection on which nothing is asked; a reader who does not read. Time is counted in looks (ticks), so a clock
that is set and a machine that was suspended cut nobody off. A look at ten thousand connections takes 7 ms, once a
second; Twisted's timers take 3 µs of each request's 45, start anew at each byte, and know no deadline.
"""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Final, Protocol

from msgspec import Struct
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from pingmon.http.dates import Dates
from pingmon.http.peers import TrustedProxies
from pingmon.http.turns import Turns

if TYPE_CHECKING:
    from pingmon.http.connections import Connection
    from pingmon.http.proxied import Awaiting
    from pingmon.http.request import Request

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


class DoorSettings(Struct, frozen=True, kw_only=True):
    """The limits for everybody who connects.

    `request_deadline_s`: from the first byte of a request to its last. `idle_timeout_s`: between two requests, and
    for reading an answer. `body_cap`: bytes of a ping's body after which the connection is closed (the ping counts);
    `api_body_limit`: bytes of any other body. `trusted_proxies`: see `peers.TrustedProxies`.
    `other_files`: how many of the process's files may be open for probes and the like.
    """

    request_deadline_s: float = 30.0
    idle_timeout_s: float = 60.0
    max_connections: int = 10_000
    body_cap: int = 1 << 20
    api_body_limit: int = 65_536
    trusted_proxies: tuple[str, ...] = ()
    other_files: int = 0


class Root(Protocol):
    """Which requests are pings, and who takes them."""

    @property
    def ping_body_limit(self) -> int: ...
    def names_ping(self, path: bytes) -> bool: ...
    def take_ping(self, request: Request) -> object: ...


class Watch:
    """What all connections of a door share: who is there, the limits in ticks, the tick and the dates."""

    log = Logger()

    def __init__(self, root: Root, settings: DoorSettings, reactor: IReactorTime, dates: Dates) -> None:
        self.root = root
        self.dates = dates
        self.reactor = reactor
        self.settings = settings
        self.trusted = TrustedProxies(settings.trusted_proxies)
        self.connections: set[Connection | Awaiting] = set()
        self.turns = Turns(reactor)
        self.draining = False
        self.failures = self._tell_at = 0
        self.tick = 1
        self.interval_s = min(1.0, min(settings.request_deadline_s, settings.idle_timeout_s) / LOOKS)
        self.deadline = self._ticks(settings.request_deadline_s)
        self.idle = self._ticks(settings.idle_timeout_s)
        self.linger = self._ticks(LINGER_S)
        self.flush = self._ticks(FLUSH_S)
        self._drained: Deferred[None] | None = None
        self._patience: IDelayedCall | None = None
        self._ending = False
        self._loop = LoopingCall(self._look)
        self._loop.clock = reactor
        self.looked_at = reactor.seconds()

    def start(self) -> None:
        """Begin to look; does nothing if it has begun."""
        self._ending = False
        if not self._loop.running:
            self.looked_at = self.reactor.seconds()
            looking = self._loop.start(self.interval_s, now=False)
            looking.addErrback(lambda failure: self.log.failure("nobody looks after connections any more", failure))

    def stop(self) -> None:
        """Look no more, once nobody is there."""
        self._ending = True
        if self._loop.running and not self.connections:
            self._loop.stop()

    def drain(self, timeout_s: float) -> Deferred[None]:
        """Close each connection as soon as nothing is owed on it; abort the rest after `timeout_s`.

        Fires when no connection is left, at the latest `GONE_S` after `timeout_s`, and by then nothing is scheduled any
        more. Call it once, after listening has ended. Cancelling it drops the result, nothing else.
        """
        self.draining = True
        drained: Deferred[None] = Deferred()
        self._drained = drained
        self._patience = self.reactor.callLater(timeout_s, self._abort_all)
        for connection in tuple(self.connections):
            connection.leave_if_free()
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
        patience, self._patience = self._patience, None
        if patience is not None:
            patience.cancel()
        if drained is not None:
            drained.callback(None)

    def count_failure(self) -> None:
        """To be called while handling an exception that a connection ended by: it is told now and then."""
        self.failures += 1
        if self.tick >= self._tell_at:
            self._tell_at = self.tick + self._ticks(TELL_EVERY_S)
            error = sys.exc_info()[1]
            self.log.warn(
                "a connection ended by {error} ({count} so far)", error=repr(error)[:200], count=self.failures
            )

    def _abort_all(self) -> None:
        self._patience = self.reactor.callLater(GONE_S, self._forget)
        for connection in tuple(self.connections):
            with self.log.failuresHandled("while aborting a connection"):
                connection.transport.abortConnection()
        self.left()

    def _forget(self) -> None:
        """A connection whose end nobody tells must not keep the process from ending."""
        self._patience = None
        self.log.warn("{count} connections did not end when they were aborted", count=len(self.connections))
        self.connections.clear()
        self.left()

    def _ticks(self, seconds: float) -> int:
        return max(1, math.ceil(seconds / self.interval_s))

    def _look(self) -> None:
        """A LoopingCall dies of its first exception, so no connection's trouble may get out."""
        self.tick += 1
        self.looked_at = self.reactor.seconds()
        for connection in tuple(self.connections):
            try:
                connection.judge(self.tick)
            except Exception:  # noqa: BLE001
                self.log.failure("while looking after a connection")

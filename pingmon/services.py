"""The daemon as a Twisted service: what is started in which order, and stopped in the reverse one.

    bind ports ─▶ load the world ─▶ journal ─▶ watchers ─▶ tellers ─▶ (the reactor runs: connections are served)
    watchers ─▶ stop listening ─▶ finish requests in flight ─▶ tellers ─▶ save the world, close the journal

Watchers find things out (deadlines that pass, sites that fail), tellers pass them on (to partners, to channels).

Ports are bound before the world is loaded, so the kernel keeps connections that arrive meanwhile. What cannot be
served at all ends the process at once with one line (`Refused`), never a daemon that runs but does not listen.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from typing import Protocol

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IProtocolFactory
from twisted.python.failure import Failure

from pingmon.datadir import DataDir, DataDirError
from pingmon.journal import JournalDamaged, JournalFormatError, JournalFull, JournalUnavailable
from pingmon.listening import Listener, Listening, Refused, maybe
from pingmon.monitor import Monitor


class Part(Protocol):
    """Something that runs. `stop` may take its time."""

    def start(self) -> None: ...
    def stop(self) -> Deferred[None] | None: ...


class Door(Protocol):
    """Lets requests in; `drain` fires when those in flight are answered, or after `timeout_s`."""

    def drain(self, timeout_s: float) -> Deferred[None]: ...


class Daemon(Listening):
    """All of pingmon. `started` is called once the journal runs (first start, greetings)."""

    def __init__(
        self,
        *,
        data: DataDir,
        monitor: Monitor,
        watchers: Sequence[Part],
        tellers: Sequence[Part],
        door: Door,
        factory: IProtocolFactory,
        listeners: Sequence[Listener],
        drain_s: float,
        started: Callable[[Sequence[Listener]], Deferred[None]],
    ) -> None:
        super().__init__(factory, listeners)
        self.setName("pingmon")
        self._data = data
        self._monitor = monitor
        self._watchers = watchers
        self._tellers = tellers
        self._door = door
        self._drain_s = drain_s
        self._started = started

    def startService(self) -> None:
        """Load the world and begin. Raises `Refused`, before anything has been served."""
        self._data.claim()
        super().startService()
        try:
            self._monitor.open()
        except (JournalDamaged, JournalFormatError, JournalUnavailable) as error:
            raise Refused(f"pingmon: {error}") from error
        # The loaded world lives as long as the process: let no garbage collection ever walk over it.
        gc.collect()
        gc.freeze()
        self._monitor.start()
        for part in (*self._watchers, *self._tellers):
            part.start()
        self._started(self._listeners).addErrback(self._not_greeted)

    def _not_greeted(self, failure: Failure) -> None:
        if failure.check(DataDirError, JournalUnavailable, JournalFull):
            self.log.error("the first start is not complete, start again: {why}", why=failure.getErrorMessage())
        else:
            self.log.failure("while greeting on the first start", failure)

    def stopService(self) -> Deferred[None]:
        """Fires when nothing is in flight any more and everything is on disk; no part's trouble keeps another up."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        # Whoever calls from now on may not be heard: silence proves nothing any more.
        await self._stop_parts(self._watchers)
        with self.log.failuresHandled("while noting that nothing is heard any more"):
            await self._monitor.end_listening()
        await self.close_ports()
        with self.log.failuresHandled("while finishing requests"):
            await self._door.drain(self._drain_s)
        await self._stop_parts(self._tellers)
        with self.log.failuresHandled("while closing the journal"):
            await self._monitor.stop()
        self._data.release()

    async def _stop_parts(self, parts: Sequence[Part]) -> None:
        """Tell each, in reverse order, and then wait for all: each bounds its own time, and times must not add up."""
        await gatherResults([Deferred.fromCoroutine(self._stop_part(part)) for part in reversed(parts)])

    async def _stop_part(self, part: Part) -> None:
        with self.log.failuresHandled("while stopping {part}", part=type(part).__name__):
            await maybe(part.stop())

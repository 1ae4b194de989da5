"""The daemon as a Twisted service: what is started in which order, and stopped in the reverse one.

    bind ports ─▶ load the world ─▶ journal ─▶ first start ─▶ watchers ─▶ tellers ─▶ open ports
    watchers ─▶ stop listening ─▶ finish requests in flight ─▶ tellers ─▶ save the world, close the journal

Watchers find things out (deadlines that pass, sites that fail), tellers pass them on (to partners, to channels).

The start is over when `startService` returns, though the reactor does not run yet: whoever starts a daemon learns from
its exit status whether it serves. What cannot be served at all ends the process with words (`StartupRefused`), never in
a daemon that runs but does not listen.
"""

from __future__ import annotations

import gc
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, Protocol, TypeVar

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IProtocolFactory
from twisted.python.failure import Failure

from pingmon.daemon.data_directory import DataDir, DataDirError
from pingmon.daemon.listening import Listening
from pingmon.daemon.log_level import LogFilter
from pingmon.daemon.ports import Listener, maybe
from pingmon.daemon.startup_errors import StartupRefused
from pingmon.journal import JournalDamaged, JournalFormatError, JournalFull, JournalUnavailable
from pingmon.monitor import Monitor

T = TypeVar("T")

DISK_WAIT_S: Final = 60.0
"""How long a start, or its undoing, waits for the disk."""
TURN_S: Final = 0.05


class Part(Protocol):
    """Something that runs. `stop` may take its time."""

    def start(self) -> None: ...
    def stop(self) -> Deferred[None] | None: ...


class Door(Protocol):
    """Lets requests in; `drain` fires when those in flight are answered, or after `timeout_s`."""

    def drain(self, timeout_s: float) -> Deferred[None]: ...


class Daemon(Listening):
    """All of pingmon. `prepare` is called when the journal runs and must be done before anybody is let in."""

    def __init__(
        self,
        *,
        reactor: Any,
        log_filter: LogFilter,
        data: DataDir,
        monitor: Monitor,
        watchers: Sequence[Part],
        tellers: Sequence[Part],
        door: Door,
        factory: IProtocolFactory,
        listeners: Sequence[Listener],
        drain_s: float,
        prepare: Callable[[], Deferred[None]],
        started: Callable[[], object],
        reload: Callable[[], None],
    ) -> None:
        super().__init__(factory, listeners, reactor=reactor, log_filter=log_filter, started=started)
        self.setName("pingmon")
        self._data = data
        self._monitor = monitor
        self._watchers = watchers
        self._tellers = tellers
        self._door = door
        self._drain_s = drain_s
        self._prepare = prepare
        self._reload = reload

    def privilegedStartService(self) -> None:
        """Bind the ports. Raises `StartupRefused`, and leaves no data directory that was made in vain."""
        try:
            super().privilegedStartService()
        except StartupRefused:
            self._data.abandon()
            raise

    def begin(self) -> None:
        """Load the world and begin. Raises `StartupRefused`."""
        self._data.claim()
        try:
            self._monitor.open()
        except (JournalDamaged, JournalFormatError, JournalUnavailable) as error:
            self._data.abandon()
            raise StartupRefused(str(error)) from error
        # The loaded world lives as long as the process: let no garbage collection ever walk over it.
        gc.collect()
        gc.freeze()
        try:
            with _interrupts_held():  # half of a journal's threads could not be stopped
                self._waited_for(self._monitor.start())
                self._waited_for(self._prepare())
        except BaseException as error:
            self._waited_for(self._monitor.stop())  # its threads would keep the process from ending
            if isinstance(error, DataDirError | JournalUnavailable | JournalFull):
                raise StartupRefused(
                    f"the first start is not complete: {error}; start again when that is mended"
                ) from error
            raise
        for part in (*self._watchers, *self._tellers):
            part.start()

    def reload(self) -> None:
        """Read certificates and the configuration again."""
        super().reload()
        self._reload()

    def _waited_for(self, work: Deferred[T]) -> T:
        """The result of `work`, waited for before the reactor runs. Raises `StartupRefused` after a minute."""
        results: list[T | Failure] = []
        work.addBoth(results.append)
        end = self._reactor.seconds() + DISK_WAIT_S
        try:
            with _interrupts_held() as interrupts:
                while not (results or interrupts):
                    if self._reactor.seconds() > end:
                        raise StartupRefused(f"{self._data.path}: the disk has taken nothing for {DISK_WAIT_S:.0f} s")
                    self._reactor.iterate(TURN_S)
        except BaseException:
            work.cancel()  # it would go on while the start is undone
            raise
        (result,) = results
        if isinstance(result, Failure):
            result.raiseException()
        return result

    def stopService(self) -> Deferred[None]:
        """Fires when nothing is in flight any more and everything is on disk; no part's trouble keeps another up."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        # Whoever calls from now on may not be heard: silence proves nothing any more.
        await self._stop_parts(self._watchers)
        with self.log.failuresHandled("an error while logging that pingmon listens no more"):
            await self._monitor.end_listening()
        await self.close_ports()
        with self.log.failuresHandled("an error while finishing requests"):
            await self._door.drain(self._drain_s)
        await self._stop_parts(self._tellers)
        with self.log.failuresHandled("an error while closing the journal"):
            await self._monitor.stop()
        self._data.release()
        self.log.info("{name} has stopped", name=self.name)

    async def _stop_parts(self, parts: Sequence[Part]) -> None:
        """Tell each, in reverse order, and then wait for all: each bounds its own time, and times must not add up."""
        await gatherResults([Deferred.fromCoroutine(self._stop_part(part)) for part in reversed(parts)])

    async def _stop_part(self, part: Part) -> None:
        with self.log.failuresHandled("an error while stopping {part}", part=type(part).__name__):
            await maybe(part.stop())


@contextmanager
def _interrupts_held() -> Iterator[list[int]]:
    """Collects SIGINTs, and raises `KeyboardInterrupt` at the end if there were any.

    As an exception in the midst of a turn of the reactor, one would be logged and forgotten.
    """
    interrupts: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: interrupts.append(number))
    try:
        yield interrupts
    finally:
        signal.signal(signal.SIGINT, before)
    if interrupts:
        raise KeyboardInterrupt

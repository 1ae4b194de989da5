"""The side of a journal that writes: one thread, to which each write is handed with the flips that wait."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar, TypeVarTuple

from twisted.internet.defer import Deferred, fail

from pingmon.core.units import SECOND
from pingmon.journal.errors import HANGS, JournalDamaged, JournalUnavailable
from pingmon.journal.health import HealthTracker
from pingmon.journal.interface import FlipRow, Reactor
from pingmon.journal.pending_flips import PendingFlips
from pingmon.journal.sqlite.disk_timeout import DiskTimeout
from pingmon.journal.sqlite.threads import JournalThreads

R = TypeVar("R")
A = TypeVarTuple("A")


class WriteSide:
    """Hands work to the writer's thread and takes note of how it ends, before anybody else hears of it.

    `given_up` is called when nobody waits for the disk any more, see `DiskTimeout`.
    """

    def __init__(
        self, reactor: Reactor, health: HealthTracker, pending: PendingFlips, given_up: Callable[[], None]
    ) -> None:
        self._reactor = reactor
        self._health = health
        self._pending = pending
        self._thread = JournalThreads(reactor, 1, "pingmon-journal-write")
        self.timeout = DiskTimeout(reactor, given_up)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()
        self.timeout.start()

    def stop(self) -> bool:
        """End the thread, unless the disk keeps it; whether it ended. Blocks for what was handed over."""
        ends = not self.timeout.is_over
        if ends:
            self._thread.stop()
        self.timeout.stop()
        return ends

    def write_for(
        self,
        well: Callable[[R], object],
        badly: Callable[[Exception], object],
        work: Callable[[tuple[FlipRow, ...], *A], R],
        *args: *A,
    ) -> None:
        """Hand over one write, to whose function the flips that wait are given first."""
        flips = self._pending.all()
        self.timeout.begun()
        self._thread.run_for(_Write(self, flips, well, badly), work, flips, *args)

    def write(
        self, well: Callable[[None], None], work: Callable[[tuple[FlipRow, ...], *A], None], *args: *A
    ) -> Deferred[None]:
        """As `write_for`; fires when that is done. Errbacks with JournalUnavailable also when the disk hangs."""
        if self.timeout.hangs_s:
            return fail(JournalUnavailable(HANGS, HANGS))
        done: Deferred[None] = Deferred()
        self.write_for(done.callback, done.errback, work, *args)
        return self.timeout.awaited(done.addCallback(well))

    def run(self, work: Callable[[*A], R], *args: *A) -> Deferred[R]:
        """Hand over what nobody waits for urgently, and what takes no flips along."""
        return self._thread.run(work, *args).addErrback(self._health.noted)

    def close(self, work: Callable[[tuple[FlipRow, ...]], R]) -> Deferred[R]:
        """Hand over the last write."""
        self.timeout.begun()
        done = self._thread.run(work, self._pending.all())

        def ended(result: R) -> R:
            self.timeout.ended()
            return result

        return done.addBoth(ended)

    def _wrote(self, flips: tuple[FlipRow, ...]) -> None:
        self.timeout.ended()
        self._pending.written(flips)
        self._health.wrote(self.now())

    def _not_written(self, error: Exception) -> None:
        self.timeout.ended()
        self._health.failed(self.now(), str(error), error.gist if isinstance(error, JournalUnavailable) else "")
        if isinstance(error, JournalDamaged):
            self._health.damaged(error.damage)

    def now(self) -> int:
        """Microseconds by the reactor's clock."""
        return int(self._reactor.seconds() * SECOND)


class _Write(Generic[R]):
    """A write that is under way, and the flips that it takes along. It waits for its end."""

    __slots__ = ("_badly", "_flips", "_side", "_well")

    def __init__(
        self,
        side: WriteSide,
        flips: tuple[FlipRow, ...],
        well: Callable[[R], object],
        badly: Callable[[Exception], object],
    ) -> None:
        self._side = side
        self._flips = flips
        self._well = well
        self._badly = badly

    def callback(self, result: R) -> None:
        self._side._wrote(self._flips)
        self._well(result)

    def errback(self, error: Exception) -> None:
        self._side._not_written(error)
        self._badly(error)

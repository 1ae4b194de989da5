"""A loop that goes on, whatever happens in it, and whose age can be seen."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from pingmon.timing.lateness import Lateness


class Ticker:
    """Calls `body` every `every_s` seconds, from `start` to `stop`; `steady`: seconds on a clock that is never set.

    Where `body` returns a Deferred, it is not called again before that has fired.

    A LoopingCall ends at its first exception, and a monitor that silently stops to monitor is the worst failure there
    is: what `body` raises is logged, with `doing` in it, and the loop goes on.

    `last`: when `body` last ended well, or the start. `lateness`: by how much later than they should the calls began,
    which is how much later than it should the loop comes round.
    """

    log = Logger()

    def __init__(
        self, doing: str, body: Callable[[], object], every_s: float, clock: IReactorTime, steady: Callable[[], float]
    ) -> None:
        self._doing = doing
        self._body = body
        self._every_s = every_s
        self._steady = steady
        self._loop = LoopingCall(self._tick)
        self._loop.clock = clock
        self.last = self._due = steady()
        self.lateness = Lateness()

    @property
    def running(self) -> bool:
        """Whether it has been started and not stopped."""
        return bool(self._loop.running)

    def start(self) -> None:
        """Begin, one period from now."""
        self.last = self._steady()
        self._due = self.last + self._every_s
        self._loop.start(self._every_s, now=False)

    def stop(self) -> None:
        """Call `body` no more. May be called at any time."""
        if self._loop.running:
            self._loop.stop()

    def _tick(self) -> Deferred[None]:
        now = self._steady()
        self.lateness.note(now, now - self._due)
        ended = maybeDeferred(self._body).addCallbacks(self._went_well, self._failed)
        return ended.addCallback(self._await_next)

    def _await_next(self, _: None) -> None:
        """The loop keeps to the beats that it began with, and leaves out those that it has missed."""
        self._due += self._every_s * (1 + (self._steady() - self._due) // self._every_s)

    def _went_well(self, _: object) -> None:
        self.last = self._steady()

    def _failed(self, failure: Failure) -> None:
        self.log.failure("an error while pingmon was {doing}", failure, doing=self._doing)

"""Waits for the looks of several until what is missing can change nothing any more, and a moment longer.

The verdict (`core.site.verdict`) is certain when more than half of those asked found the site well, or when at least
`quorum` found it failing and the rest cannot make up that half. As long as nobody found it well, one that did could
still have the round repeated: whoever may be expected to answer is waited for then. Those that come within `GRACE_S`
after that are kept, for they are evidence; the others are called off. Looks that saw nothing decide nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from pingmon.core.site.probe_result import ProbeResult

GRACE_S: Final = 1.0
"""Seconds for which those are waited for that can change nothing."""


class QuorumWait:
    """Waits for `calls`, which fail only by being cancelled. `quorum`: 0 waits for all of them.

    `awaited(number, unanimous)`: whether one that is missing is to be waited for although the verdict is certain;
    `unanimous` if nobody yet has found the site well. `left_out(number)` is the look of one that was called off. `done`
    fires with a look of each, in their order, and does not fail; cancelling it cancels all.
    """

    def __init__(
        self,
        calls: Sequence[Deferred[ProbeResult]],
        quorum: int,
        clock: IReactorTime,
        *,
        awaited: Callable[[int, bool], bool],
        left_out: Callable[[int], ProbeResult],
    ) -> None:
        self.done: Deferred[tuple[ProbeResult, ...]] = Deferred(lambda _: self._call_off())
        self._calls = tuple(calls)
        self._quorum = quorum
        self._clock = clock
        self._awaited = awaited
        self._left_out = left_out
        self._looks: dict[int, ProbeResult] = {}
        self._over = False
        self._grace: IDelayedCall | None = None
        for number, call in enumerate(self._calls):
            call.addCallback(self._came, number).addErrback(self._failed)
        if not self._calls:
            self._end()

    def _came(self, look: ProbeResult, number: int) -> None:
        if self._over:
            return
        self._looks[number] = look
        if len(self._looks) == len(self._calls):
            self._end()
        elif self._grace is None and certain(tuple(self._looks.values()), len(self._calls), self._quorum):
            unanimous = not any(look.counts and look.good for look in self._looks.values())
            if not any(self._awaited(number, unanimous) for number in self._missing()):
                self._grace = self._clock.callLater(GRACE_S, self._end)

    def _failed(self, failure: Failure) -> None:
        if not self._over:
            self._call_off()
            self.done.errback(failure)
        elif not failure.check(CancelledError):
            failure.raiseException()

    def _missing(self) -> list[int]:
        return [number for number in range(len(self._calls)) if number not in self._looks]

    def _end(self) -> None:
        missing = self._missing()
        self._call_off()
        self._looks |= {number: self._left_out(number) for number in missing}
        self.done.callback(tuple(self._looks[number] for number in range(len(self._calls))))

    def _call_off(self) -> None:
        self._over = True
        if self._grace is not None and self._grace.active():
            self._grace.cancel()
        for number in self._missing():
            self._calls[number].cancel()


def certain(looks: Sequence[ProbeResult], asked: int, quorum: int) -> bool:
    """Whether `looks`, of `asked` in all, leave only one verdict; `quorum` as for `QuorumWait`."""
    counting = [look for look in looks if look.counts]
    good = sum(look.good for look in counting)
    bad, missing = len(counting) - good, asked - len(looks)
    if quorum < 1:
        return not missing
    return good > asked / 2 or (bad >= quorum and good + missing <= asked / 2)

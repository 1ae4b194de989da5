"""A bound on how long somebody waits, whatever becomes of what is waited for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from pingmon.timing.expiry import Expiry

T = TypeVar("T")


def within(seconds: float, work: Deferred[T], clock: IReactorTime, late: Callable[[], T]) -> Deferred[T]:
    """The result of `work`, or `late()` if it takes longer; it is cancelled then, and what it still gives is dropped.

    Unlike `Deferred.addTimeout`, it does not rely on `work` to react to being cancelled. Cancelling cancels `work`.
    """
    over = False

    def settle(result: T | Failure) -> None:
        nonlocal over
        if not over:
            over = True
            if timer.active():
                timer.cancel()
            done.callback(result)

    def expire() -> None:
        settle(late())
        work.cancel()

    def cancel(_: Deferred[T]) -> None:
        nonlocal over
        over = True
        timer.cancel()
        work.cancel()

    done: Deferred[T] = Deferred(cancel)
    timer = Expiry(clock, seconds, expire)
    work.addBoth(settle)
    return done

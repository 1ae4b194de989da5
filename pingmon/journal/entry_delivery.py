"""Who waits for what a journal does, and how they are told. A Deferred is a waiter; what costs less may be one too.

The way from a commit to those who wait is taken by each ping, and a Deferred with two callbacks costs 2 µs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol, TypeVar

from twisted.logger import Logger

from pingmon.core.world.events import Entry

log = Logger()

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)


class Waiter(Protocol[T_contra]):
    """One of the two is called, once, on the reactor's thread.

    What the waiter for an entry raises is logged, and harms nobody else.
    """

    def callback(self, outcome: T_contra, /) -> object:
        """It is done. For an entry: it is durable and was delivered, which returned `outcome`."""

    def errback(self, error: Exception, /) -> object:
        """It failed. For an entry: its draft was refused, or its delivery raised `error`."""


class Nobody:
    """Nobody waits, or not any more."""

    def callback(self, outcome: object, /) -> None:
        """It is done."""

    def errback(self, error: Exception, /) -> None:
        """It failed."""


NOBODY: Final = Nobody()


def deliver_one(deliver: Callable[[Entry], T], entry: Entry, waiter: Waiter[T]) -> None:
    """Tell `waiter` what the delivery of `entry` returned or raised. No bug in either must harm the next entries."""
    try:
        outcome = deliver(entry)
    except Exception as error:  # noqa: BLE001 -- whatever it is, it belongs to the one who waits for this entry
        log.failure("delivering entry {seq} of {stream}", seq=entry.seq, stream=entry.stream)
        refuse_one(waiter, error)
        return
    try:
        waiter.callback(outcome)
    except Exception:  # noqa: BLE001 -- others wait as well
        log.failure("telling of entry {seq} of {stream}", seq=entry.seq, stream=entry.stream)


def refuse_one(waiter: Waiter[T], error: Exception) -> None:
    """Tell `waiter` that there will be no entry."""
    try:
        waiter.errback(error)
    except Exception:  # noqa: BLE001 -- others wait as well
        log.failure("telling of an entry that was refused")

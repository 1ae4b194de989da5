"""How an entry is delivered, and how those are told who wait for it, so that no bug of theirs harms the next entry.

Each ping goes this way, and a Deferred with two callbacks costs 2 µs: so a waiter need not be one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from twisted.logger import Logger

from pingmon.core.world.events import Entry
from pingmon.journal.interface import Waiter

log = Logger()

T = TypeVar("T")


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
        log.failure("an error while delivering entry {seq} of {stream}", seq=entry.seq, stream=entry.stream)
        refuse_one(waiter, error)
        return
    try:
        waiter.callback(outcome)
    except Exception:  # noqa: BLE001 -- others wait as well
        log.failure("an error while telling of entry {seq} of {stream}", seq=entry.seq, stream=entry.stream)


def refuse_one(waiter: Waiter[T], error: Exception) -> None:
    """Tell `waiter` that there will be no entry."""
    try:
        waiter.errback(error)
    except Exception:  # noqa: BLE001 -- others wait as well
        log.failure("an error while telling of an entry that was refused")

"""Turns of the event loop, and how much of one those may take who send more than can be handled at once.

One thread does everything, so whoever keeps it busy keeps everybody waiting. What comes on a connection is handled at
once while the turn has time for it. What is left waits in line: each turn takes up the line where the one before left
it, and gives nobody more than a share. So a turn lasts a few milliseconds, however many connections send how much, and
between two turns all sockets are looked at, all timers run, and the journal's thread gets the interpreter.
"""

from __future__ import annotations

from collections import deque
from typing import Final, Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime

TURN_S: Final = 0.002
"""What all who wait in line may take of a turn, and once more all who have only come."""

SHARE_S: Final = 0.0005
"""What one connection may take of a turn, give or take one request or a few frames."""


class Guest(Protocol):
    """Who may wait in line. `in_line` belongs to the line."""

    in_line: bool

    def go_on(self, until: float) -> bool: ...


class LoopTurns:
    """Gives turns. A guest goes on until nothing is left, or a moment (by the reactor's clock) has come.

    `go_on` tells whether something is left that could be handled at once. Who has not had a share goes before those who
    want another one.
    """

    def __init__(self, reactor: IReactorTime) -> None:
        self._reactor = reactor
        self._first = deque[Guest]()
        self._again = deque[Guest]()
        self._spent_s = 0.0
        self._next: IDelayedCall | None = None

    def come(self, guest: Guest) -> None:
        """Something has come for `guest`: it goes on at once, if this turn has time for that."""
        if guest.in_line:
            return
        if self.has_time():
            self._serve(guest)
        else:
            guest.in_line = True
            self._first.append(guest)
        if self._again or not self.has_time():
            self._turn_soon()

    def wait(self, guest: Guest) -> None:
        """`guest` goes on in one of the next turns."""
        if not guest.in_line:
            guest.in_line = True
            self._again.append(guest)
            self._turn_soon()

    @property
    def behind(self) -> bool:
        """Whether somebody waits who has not been served since something came from him."""
        return bool(self._first)

    def has_time(self) -> bool:
        """Whether more can be done before those who wait have a turn."""
        return self._spent_s < TURN_S

    def spend(self, seconds: float) -> None:
        """Something will take that long in this turn that nobody can measure."""
        self._spent_s += seconds

    def stop(self) -> None:
        """Nobody is there any more."""
        self._first.clear()
        self._again.clear()
        self._spent_s = 0.0
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def _turn_soon(self) -> None:
        if self._next is None:
            self._next = self._reactor.callLater(0, self._turn)

    def _turn(self) -> None:
        self._next, self._spent_s = None, 0.0
        try:
            # Who has had no share yet goes before those who want another. Each line is gone through once at most: who
            # is put back in line by `_serve` has to wait for the next turn, or one guest could fill this one.
            for line in (self._first, self._again):
                for number in range(len(line)):
                    if not line or (number and not self.has_time()):  # one of each, however long the others take
                        break
                    self._serve(line.popleft())
        finally:
            self._spent_s = 0.0
            if self._first or self._again:
                self._turn_soon()

    def _serve(self, guest: Guest) -> None:
        guest.in_line = False
        began = self._reactor.seconds()
        if guest.go_on(began + SHARE_S) and not guest.in_line:
            guest.in_line = True
            self._again.append(guest)
        self._spent_s += self._reactor.seconds() - began

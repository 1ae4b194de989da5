"""The life of a connection: what it is doing, and how long it may. Pure; times are ticks.

What a tick is: Note [The door's clock] in `connection_watch`.

The state is the first of these that holds, and `verdict` says what is to become of the connection in it:

    state      it holds when                                verdict, and after which time (`Ticks`)
    closing    it was closed, and has not ended             CLOSE   1, and so on, as TLS waits; ABORT   flush
    lingering  a request was refused, the answer is sent    CLOSE   linger, or at once when no more can come
    stalled    the client reads nothing of its answers      ABORT   idle
    arriving   a request has begun and is not whole         CUT     deadline, or at once when no more can come
    busy       a request is being answered                  STAY
    held       something has come that has to wait          STAY
    sending    answers wait for a client's HTTP/2 window    ABORT   idle
    leaving    no more is wanted here, or can come          FINISH  at once
    quiet      none of these                                FINISH  idle; deadline before the first request;
                                                                    none after one that was cut short (HTTP/2)

What happens, and the state it leads to (`.`: it stays as it is; `-`: this cannot be):

    event        quiet      arriving   busy       stalled    leaving    lingering  closing
    opens        arriving   .          arriving   -          arriving   -          -
    whole        busy       busy       .          -          busy       -          -
    gone         -          quiet      -          -          -          .          .
    answered     -          -          quiet      -          -          -          -
    stalls       stalled    stalled    stalled    .          stalled    .          .
    flows        .          .          .          quiet      .          .          .
    half_closes  leaving    .          .          .          .          .          .
    leaves       leaving    .          .          .          .          .          .
    cuts_short   -          .          .          -          -          -          -
    hurries      .          .          .          .          .          -          -
    refused      lingering  lingering  lingering  lingering  lingering  .          .
    closes       closing    closing    closing    closing    closing    closing    .
    turned_out   closing    closing    closing    closing    closing    closing    .

From lingering on, whatever comes is dropped. A request that was taken is answered all the same, if it can be.
"""

from __future__ import annotations

import math
from enum import Enum
from typing import Final, Literal, TypeAlias

from msgspec import Struct

NEVER: Final = math.inf

State: TypeAlias = Literal["closing", "lingering", "stalled", "arriving", "busy", "held", "sending", "leaving", "quiet"]


class Ticks(Struct, frozen=True):
    """The limits. `deadline`: from a request's first byte to its last. `idle`: between requests, and for readers.

    `linger`: how long what a refused client still sends is read and dropped, so that the answer reaches it. `flush`:
    how long a closing connection may take to take the rest of its answer.
    """

    deadline: int
    idle: int
    linger: int
    flush: int


class Verdict(Enum):
    """What is to become of a connection now."""

    STAY = "nothing"
    CUT = "requests are to be cut off that come too slowly: those of `late`"
    FINISH = "it is to be closed in good order: nothing is owed to its client"
    CLOSE = "it is to be closed once what is written has been sent"
    ABORT = "it is to be closed at once"


class Lifetime:
    """The state of one connection. HTTP/1 has one request at a time, HTTP/2 many, each named by anything hashable."""

    __slots__ = (
        "_abort_at",
        "_arriving",
        "_close_at",
        "_closed",
        "_leaving",
        "_limits",
        "_quiet_max",
        "_quiet_since",
        "_stalled",
        "busy",
        "drops",
        "ended",
    )

    def __init__(self, limits: Ticks, tick: int) -> None:
        self._limits = limits
        self._arriving: dict[object, int] = {}
        self._quiet_since = tick
        self._quiet_max = limits.deadline
        self._stalled: float = NEVER
        self._close_at: float = NEVER
        self._abort_at: float = NEVER
        self._leaving = self._closed = False
        self.busy = 0
        self.drops = False
        self.ended = False

    # --- what it is ---------------------------------------------------------------------------------------------------

    def state(self, *, held: bool = False, sending: bool = False) -> State:
        """`held`, `sending`: whether something waits to be handled, or to be sent, as the connection knows."""
        if self.closing:
            return "closing" if self._closed else "lingering"
        if self.stalled:
            return "stalled"
        if self._arriving:
            return "arriving"
        if self.busy:
            return "busy"
        return "held" if held else "sending" if sending else "leaving" if self.leaving else "quiet"

    @property
    def stalled(self) -> bool:
        """Whether the client reads nothing."""
        return self._stalled is not NEVER

    @property
    def closing(self) -> bool:
        """Whether it was closed, or soon will be because a request was refused."""
        return self._abort_at is not NEVER

    @property
    def leaving(self) -> bool:
        """Whether it ends with what is being answered now."""
        return self._leaving or self.ended

    def verdict(self, tick: int, *, held: bool = False, sending: bool = False) -> Verdict:
        """What is to become of it now."""
        limits, quiet = self._limits, tick - self._quiet_since
        match self.state(held=held, sending=sending):
            case "closing" | "lingering":
                if tick > self._abort_at:
                    return Verdict.ABORT
                return Verdict.CLOSE if tick >= self._close_at else Verdict.STAY
            case "stalled":
                return Verdict.ABORT if tick - self._stalled > limits.idle else Verdict.STAY
            case "arriving":
                return Verdict.CUT if self.late(tick, held=held) else Verdict.STAY
            case "busy" | "held":
                return Verdict.STAY
            case "sending":
                return Verdict.ABORT if quiet > limits.idle else Verdict.STAY
            case "leaving":
                return Verdict.FINISH
            case "quiet":
                return Verdict.FINISH if quiet > self._quiet_max else Verdict.STAY

    def late(self, tick: int, *, held: bool = False) -> list[object]:
        """The requests that should have been whole by now, or will never be."""
        if self.ended and not held:
            return list(self._arriving)
        return [request for request, begun in self._arriving.items() if tick - begun > self._limits.deadline]

    # --- what happens -------------------------------------------------------------------------------------------------

    def opens(self, request: object, tick: int) -> None:
        """The first byte of a request has come; does nothing if that is known."""
        if request not in self._arriving:
            self._arriving[request] = self._quiet_since = tick

    def whole(self, request: object) -> None:
        """A request has come whole, or all of it that will be taken; it is being answered from now on."""
        self._arriving.pop(request, None)
        self.busy += 1
        self._quiet_max = self._limits.idle

    def gone(self, request: object) -> None:
        """A request ends that was not whole."""
        self._arriving.pop(request, None)

    def answered(self, tick: int) -> None:
        """A request that was whole has been answered, or nobody is there to hear it."""
        self.busy -= 1
        self._quiet_since = tick

    def moves(self, tick: int) -> None:
        """A part of an answer has been sent."""
        self._quiet_since = tick

    def stalls(self, tick: int) -> None:
        """The client does not read its answers."""
        self._stalled = tick

    def flows(self) -> None:
        """The client reads again."""
        self._stalled = NEVER

    def half_closes(self) -> None:
        """The client sends no more, but may still read."""
        self.ended = True
        if self.closing:
            self._close_at = 0

    def leaves(self) -> None:
        """No further request is wanted."""
        self._leaving = True

    def cuts_short(self) -> None:
        """The rest of a request is not wanted: what comes is dropped, and the connection ends with its answer."""
        self.drops = self._leaving = True

    def hurries(self) -> None:
        """A stream was cut short: the connection ends as soon as it has been quiet for a tick."""
        self._quiet_max = 0

    def refused(self, tick: int) -> None:
        """A request was refused, or cut short and answered: closing at once would destroy the answer on its way."""
        self.drops = True
        if not self.closing:
            self._close_at = tick if self.ended else tick + self._limits.linger
            self._abort_at = self._close_at + self._limits.flush

    def closes(self, tick: int) -> None:
        """It has been closed; what is written is still being sent."""
        self.drops = self._closed = True
        self._close_at = tick + 1
        self._abort_at = min(self._abort_at, tick + self._limits.flush)

    def turned_out(self, tick: int) -> None:
        """It has been closed, and its client has until the next tick to read why: who floods comes again at once."""
        self.closes(tick)
        self._abort_at = tick

"""What a kind of channel has to offer, and one attempt at delivering a message, with the deadline that binds all."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Final, Protocol, TypeAlias

from msgspec import Struct
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from pingmon.core.notify.channel import Channel
from pingmon.timing.bounded_wait import within
from pingmon.wire.message.digest import AnyMessage

ATTEMPT_S: Final = 30.0
"""Seconds an attempt may take, from its first lookup to the last byte of the answer."""

log = Logger()


class Delivered(Struct, frozen=True):
    """The receiver took it, or there was `nothing` to tell it. `status` is the answer's, where there is one.

    `receipt`: what the receiver calls the message, for kinds that change it when there is more to say of the outage;
    later messages about it have it as `letter.owed.receipt`.
    """

    status: int | None = None
    nothing: bool = False
    receipt: str = ""


class NotDelivered(Struct, frozen=True):
    """It did not work. `error` is short and may be shown to users.

    `permanent`: trying this message again is pointless. `gone`: so is all that waits for this receiver, which wants no
    more. `retry_after_s`: for how many seconds the receiver asked to be left alone.
    """

    error: str
    permanent: bool = False
    gone: bool = False
    retry_after_s: float | None = None


Result: TypeAlias = Delivered | NotDelivered


class Deliver(Protocol):
    """How a kind of channel is told. Cancelling must end the attempt and free what it holds; what raises is its bug."""

    def __call__(self, message: AnyMessage, /) -> Coroutine[Deferred[Any], Any, Result]: ...


class Ask(Protocol):
    """How the receiver of a channel is asked, at `now`, whether it wants messages; like `Deliver` in all else."""

    def __call__(self, channel: Channel, now: int, /) -> Coroutine[Deferred[Any], Any, Result]: ...


class ChannelKind(Struct, frozen=True):
    """A kind of channel: how it is told, and what the outbox has to know of that.

    `parallel`: messages that may be on their way to one channel at once. `digests`: whether it can be told much in one
    message; to a kind that cannot, each message goes by itself, however many there are. `ask`: how its receivers are
    asked whether they want messages, if they are.
    """

    deliver: Deliver
    parallel: int = 1
    digests: bool = True
    ask: Ask | None = None


def attempt(
    deliver: Deliver, message: AnyMessage, clock: IReactorTime, timeout_s: float = ATTEMPT_S
) -> Deferred[Result]:
    """Have `message` delivered, as `bounded` has it."""
    return bounded(deliver(message), message.channel, clock, timeout_s)


def bounded(
    delivery: Coroutine[Deferred[Any], Any, Result], channel: Channel, clock: IReactorTime, timeout_s: float = ATTEMPT_S
) -> Deferred[Result]:
    """What comes of `delivery`. Fires within `timeout_s`, also if the kind does not react to being cancelled.

    Cancelling ends the attempt at once, and then there is no result; otherwise it never fails.
    """

    def late() -> Result:
        return NotDelivered(f"timed out after {timeout_s:g} s")

    def broken(failure: Failure) -> Result:
        if not failure.check(CancelledError):  # which, from a deadline or the caller, nobody waits for any more
            log.failure("an error while delivering to channel {channel}", failure, channel=channel.id)
        return NotDelivered("pingmon could not deliver this by its own fault; its log says more")

    delivering: Deferred[Result] = Deferred.fromCoroutine(delivery)
    return within(timeout_s, delivering.addErrback(broken), clock, late)

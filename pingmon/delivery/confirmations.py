"""Asks the receivers of channels whether they want messages, before they are sent any.

That a question is due is in the world, with when an attempt that failed is repeated; so a restart neither forgets a
question nor sends one more. Attempts are repeated like those of messages, for a day; a receiver that is refused for
good is not asked again. A question that was sent is repeated only when a user wants it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from pingmon.core.notify.channel import Channel
from pingmon.core.notify.notification import GIVE_UP_AFTER, Attempted
from pingmon.core.notify.retry_waits import retry_at
from pingmon.core.units import Id
from pingmon.core.world.events import ChannelEvent, ClockStepped, ConsentAsked, ConsentEvent, Entry
from pingmon.core.world.outcome import Outcome
from pingmon.delivery.attempt import ChannelKind, Delivered, NotDelivered, Result, bounded
from pingmon.delivery.outbox import ERROR_MAX, STOP_S, TICK_S
from pingmon.monitor import Monitor
from pingmon.resubmit import submit_until_durable
from pingmon.timing.deadline_heap import DeadlineHeap
from pingmon.timing.ticker import Ticker
from pingmon.wire.message.message import called

PARALLEL: Final = 8
"""Questions on their way at once."""


class Confirmations:
    """The service. `kinds` are the kinds of channels by name, `random` gives numbers in [0, 1)."""

    log = Logger()

    def __init__(
        self, monitor: Monitor, kinds: Mapping[str, ChannelKind], clock: IReactorTime, random: Callable[[], float]
    ) -> None:
        self._monitor = monitor
        self._kinds = kinds
        self._clock = clock
        self._random = random
        self._due = DeadlineHeap()
        self._asking: dict[Id, Deferred[Attempted]] = {}
        self._ticker = Ticker("looking for questions that are due", self._tick, TICK_S, clock, monitor.time.steady)

    def start(self) -> None:
        """Take up what the loaded world has to ask."""
        self._take_up()
        self._monitor.listen(self._heard, ChannelEvent, ConsentEvent, ClockStepped)
        self._ticker.start()

    def stop(self) -> Deferred[None]:
        """Ask nothing more. Fires when all questions have ended, by being cancelled after `STOP_S` if need be."""
        self._ticker.stop()
        ended = DeferredList(list(self._asking.values()), consumeErrors=True)
        ended.addTimeout(STOP_S, self._clock, lambda result, timeout: result)
        return ended.addCallback(lambda _: None)

    def ask(self, channel: Id) -> Deferred[Attempted]:
        """Ask the receiver of an unconfirmed channel now, or join the question under way; what became of it.

        Fires within the deadline of an attempt once the log knows. Cancelling ends only the waiting.
        """
        asking = self._asking.get(channel)
        if asking is None:
            asking = self._asking[channel] = Deferred.fromCoroutine(self._asked(channel))
            asking.addBoth(self._ended, channel)
        waiting: Deferred[Attempted] = Deferred()
        asking.addBoth(_pass_on, waiting)
        return waiting

    # --- what is due ----------------------------------------------------------------------------------------------

    def _take_up(self) -> None:
        due = {channel.id: _due_at(channel) for channel in self._monitor.world.channels.values() if _is_due(channel)}
        self._due.refill(due)

    def _heard(self, entry: Entry, outcome: Outcome) -> None:
        if outcome.everything:
            self._take_up()
            return
        channel = self._monitor.world.channels.get(entry.stream)
        if channel is not None and _is_due(channel):
            self._due.put(channel.id, _due_at(channel))
        else:
            self._due.drop(entry.stream)

    def _tick(self) -> None:
        now = self._monitor.now()
        while len(self._asking) < PARALLEL and (due := self._due.pop(now)) is not None:
            self.ask(due[0]).addErrback(self._failed, due[0])

    def _failed(self, failure: Failure, channel: Id) -> None:
        if not failure.check(CancelledError):
            self.log.failure("an error while asking the receiver of channel {channel}", failure, channel=channel)

    def _ended(self, result: Attempted | Failure, channel: Id) -> Attempted | Failure:
        del self._asking[channel]
        return result

    # --- one question ---------------------------------------------------------------------------------------------

    async def _asked(self, id: Id) -> Attempted:
        began, channel = self._monitor.time.steady(), self._monitor.world.channels[id]
        kind = self._kinds.get(channel.kind)
        result: Result = NotDelivered(f"this pingmon cannot ask receivers of kind {channel.kind!r}")
        if kind is not None and kind.ask is not None:
            result = await bounded(kind.ask(channel, self._monitor.now()), channel, self._clock)
        took_ms = round((self._monitor.time.steady() - began) * 1000)
        if isinstance(result, Delivered):
            self.log.info(
                "the receiver of channel {channel} was asked whether it wants messages", channel=called(channel)
            )
            event = ConsentAsked(took_ms, result.status)
        else:
            event = self._not_asked(channel, result, took_ms)
        await submit_until_durable(self._monitor, self._clock, id, event, "that a receiver was asked")
        return Attempted(self._monitor.now(), took_ms, event.status, event.error)

    def _not_asked(self, channel: Channel, result: NotDelivered, took_ms: int) -> ConsentAsked:
        now, error = self._monitor.now(), result.error[:ERROR_MAX]
        channel = self._monitor.world.channels.get(channel.id, channel)
        last_call = (now if channel.failing is None else channel.failing.since) + GIVE_UP_AFTER
        over = result.permanent or result.gone or now >= last_call or channel.consent != "due"
        spread, asked_s = self._random(), result.retry_after_s
        again = 0 if over else retry_at(channel, now, spread=spread, asked_s=asked_s, last_call=last_call)
        self.log.warn(
            "the receiver of channel {channel} could not be asked whether it wants messages: {error}; {again}",
            channel=called(channel),
            error=error,
            again="it is tried again" if again else "it is not tried again",
        )
        return ConsentAsked(took_ms, error=error, retry_at=again)


def _is_due(channel: Channel) -> bool:
    return channel.consent == "due"


def _due_at(channel: Channel) -> int:
    return 0 if channel.failing is None else channel.failing.retry_at


def _pass_on(result: Attempted | Failure, waiting: Deferred[Attempted]) -> Attempted | Failure | None:
    """Give a result to one who waits, too."""
    if not waiting.called:
        waiting.callback(result) if not isinstance(result, Failure) else waiting.errback(result)
    return result if not isinstance(result, Failure) else None

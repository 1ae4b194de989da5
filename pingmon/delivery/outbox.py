"""Delivers what is owed, at least once.

    the world owes a message ─▶ attempt ─▶ delivered, failed or abandoned, as an event ─▶ the world owes it no more,
                                                                                          or later, or to others

A message leaves the world's outbox only by such an event in the log, so a crash at any moment repeats messages (with
the same id) and loses none. While an event cannot be logged, its channel waits and nothing is sent twice. The outbox
decides neither who is told nor when an attempt is repeated (`core.notify.notification`), only that it happens now.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from pingmon.core.notify.channel import Channel
from pingmon.core.notify.notification import GIVE_UP_AFTER, Delivery, Notification
from pingmon.core.notify.retry_waits import retry_at
from pingmon.core.units import SECOND, Id
from pingmon.core.world.events import (
    AnyEvent,
    ChannelChanged,
    ChannelDeleted,
    ChannelEvent,
    ChannelTested,
    ClockStepped,
    Entry,
    NotificationAbandoned,
    NotificationDelivered,
    NotificationFailed,
)
from pingmon.core.world.outcome import Outcome
from pingmon.delivery.attempt import ATTEMPT_S, ChannelKind, Delivered, NotDelivered, Result, attempt
from pingmon.delivery.send_order import SendOrder
from pingmon.monitor import Monitor
from pingmon.resubmit import submit_until_durable
from pingmon.timing.ticker import Ticker
from pingmon.wire.message.message import Letter, called
from pingmon.wire.time_texts import duration_text

TICK_S: Final = 1.0
STOP_S: Final = 1.0
"""Seconds that attempts in flight get to end by themselves when pingmon stops."""
ERROR_MAX: Final = 200
"""Characters of an error that are kept."""


async def no_advice(owed: Notification) -> str:
    """Advice of one who has none."""
    return ""


class Outbox:
    """The service. `kinds` are the kinds of channels by name, `random` gives numbers in [0, 1).

    `advice` finds a sentence about what may be wrong, or none, which a message says besides; it must not take long.
    """

    log = Logger()

    def __init__(
        self,
        monitor: Monitor,
        kinds: Mapping[str, ChannelKind],
        clock: IReactorTime,
        random: Callable[[], float],
        *,
        advice: Callable[[Notification], Awaitable[str]] = no_advice,
        max_parallel: int = 64,
        attempt_s: float = ATTEMPT_S,
    ) -> None:
        self._monitor = monitor
        self._kinds = kinds
        self._clock = clock
        self._random = random
        self._advice = advice
        self._attempt_s = attempt_s
        self._order = SendOrder(monitor.world, max_parallel)
        self._tasks: dict[Id, Deferred[None]] = {}
        self._soon: IDelayedCall | None = None
        self._running = False
        self._ticker = Ticker("looking for messages that are due", self._tick, TICK_S, clock, monitor.time.steady)

    # --- life -----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Take up what the loaded world owes, and begin to deliver."""
        self._running = True
        self._order.take_up()
        self._monitor.listen(self.heard, ChannelEvent, ClockStepped, owed=True)
        self._ticker.start()
        self._go_soon()

    def stop(self) -> Deferred[None]:
        """Start nothing more. Fires when all attempts have ended, by being cancelled after `STOP_S` if need be.

        What was cancelled, or delivered without its result having reached the log, is repeated after a restart.
        """
        self._running = False
        self._ticker.stop()
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None
        ended = DeferredList(list(self._tasks.values()))
        ended.addTimeout(STOP_S, self._clock, lambda result, timeout: result)
        return ended.addCallback(lambda _: None)

    @property
    def last_tick(self) -> float:
        """When messages that are due were last looked for, in steady seconds."""
        return self._ticker.last

    @property
    def in_flight(self) -> int:
        """How many attempts are under way."""
        return self._order.in_flight

    @property
    def pending(self) -> int:
        """How many messages are owed."""
        return len(self._monitor.world.owed)

    def overdue(self, now: int) -> int:
        """For how many microseconds the message that waits longest for a place has been due; 0 if none waits."""
        return self._order.overdue(now)

    # --- what is due ----------------------------------------------------------------------------------------------

    def heard(self, entry: Entry, outcome: Outcome) -> None:
        """Follow what an entry did to channels and to what is owed."""
        event, turns = entry.event, self._order
        for ended in outcome.ended:
            turns.forget(ended.owed.id)
            self._log_overtaken(ended)
        if isinstance(event, NotificationFailed):
            owed = self._monitor.world.owed.get(event.id)
            if owed is not None:
                turns.plan(owed)
            turns.close(entry.stream, event.retry_at)
        elif isinstance(event, NotificationDelivered | ChannelChanged | ChannelTested):
            self._opened(entry.stream)
        elif isinstance(event, ChannelDeleted) and (task := self._tasks.get(entry.stream)) is not None:
            task.cancel()
        if outcome.everything:
            turns.take_up()
        for channel in outcome.channels:
            turns.plan_newest(channel, entry.at)
        if outcome.channels or outcome.everything:
            self._go_soon()

    def _opened(self, id: Id) -> None:
        channel = self._monitor.world.channels.get(id)
        if channel is not None and channel.failing is None:
            self._order.open(id)
            self._go_soon()

    def _log_overtaken(self, ended: Delivery) -> None:
        """A message that is never sent leaves a line; what is delivered or given up is told where that is seen."""
        owed = ended.owed
        channel = self._monitor.world.channels.get(owed.channel)
        if ended.became not in ("replaced", "void") or channel is None:
            return
        self.log.info(
            "message {id} ({new}) was not delivered to channel {channel} and will not be: {why}",
            id=owed.id,
            new=owed.flip.new,
            channel=called(channel),
            why=f"message {ended.by} takes its place" if ended.by else ended.why,
        )

    def _go_soon(self) -> None:
        """Send after this turn of the reactor: what the same commit overtakes is then not sent at all."""
        if self._soon is None and self._running:
            self._soon = self._clock.callLater(0, self._go)

    def _tick(self) -> None:
        self._order.ripen(self._monitor.now())
        self._start_due()

    def _go(self) -> None:
        self._soon = None
        with self.log.failuresHandled("an error while looking for messages that are due"):
            self._start_due()

    def _start_due(self) -> None:
        while (owed := self._order.next()) is not None:
            task = Deferred.fromCoroutine(self._see_to(owed))
            self._tasks[owed.channel] = task
            task.addErrback(self._ended_badly, owed).addBoth(self._ended, owed.channel)

    def _ended_badly(self, failure: Failure, owed: Notification) -> None:
        if not failure.check(CancelledError):
            self.log.failure("an error while delivering message {id}", failure, id=owed.id)

    def _ended(self, _: None, channel: Id) -> None:
        self._tasks.pop(channel, None)
        self._order.free(channel)
        self._go_soon()

    # --- one message ----------------------------------------------------------------------------------------------

    async def _see_to(self, owed: Notification) -> None:
        """Try to deliver `owed`, and log how it went."""
        began = self._monitor.time.steady()
        self.log.debug("message {id} is sent: attempt {n}", id=owed.id, n=owed.attempts + 1)
        channel = self._monitor.world.channels[owed.channel]
        try:
            result = await self._attempt(owed, channel)
        finally:
            self._order.landed(owed.channel)
            self._go_soon()
        took_ms = round((self._monitor.time.steady() - began) * 1000)
        event = self._event(owed, channel, result, took_ms)
        await submit_until_durable(self._monitor, self._clock, owed.channel, event, f"what became of message {owed.id}")

    async def _attempt(self, owed: Notification, channel: Channel) -> Result:
        world = self._monitor.world
        kind = self._kinds.get(channel.kind)
        if kind is None:
            # Not for good: an operator may install what is missing.
            return NotDelivered(f"this pingmon cannot deliver to channels of kind {channel.kind!r}")
        lost = world.channels.get(owed.relays) if owed.relays is not None else None
        name, subject = "" if lost is None else lost.name, world.subject(owed.flip.subject)
        advice = await self._advice(owed)
        letter = Letter(owed, subject, channel, self._monitor.now(), name, advice=advice)
        return await attempt(kind.deliver, letter, self._clock, self._attempt_s)

    def _event(self, owed: Notification, channel: Channel, result: Result, took_ms: int) -> AnyEvent:
        """What to log of an attempt at `owed`; the operator is told once for each attempt, and of nothing else."""
        channel = self._monitor.world.channels.get(channel.id, channel)  # its times have moved if the clock was set
        waiting = self._monitor.world.outbox.get(channel.id, {})
        if isinstance(result, Delivered):
            if channel.failing is not None and not result.nothing:
                _log_answers(channel, self._monitor.now(), len(waiting) - 1)
            self.log.debug("message {id} was delivered in {ms} ms", id=owed.id, ms=took_ms)
            return NotificationDelivered(owed.id, took_ms, result.status, result.nothing, result.receipt)
        error = result.error[:ERROR_MAX]
        if result.permanent:
            self.log.error(
                "channel {channel} was not told, and will not be: {error} (message {id})",
                channel=called(channel),
                error=error,
                id=owed.id,
            )
            return NotificationAbandoned(owed.id, took_ms, error)
        return self._failed(owed, channel, list(waiting.values()) or [owed], result, took_ms)

    def _failed(
        self, owed: Notification, channel: Channel, waiting: list[Notification], result: NotDelivered, took_ms: int
    ) -> NotificationFailed:
        now, error = self._monitor.now(), result.error[:ERROR_MAX]
        given_up = now if result.gone else now - GIVE_UP_AFTER
        lost = sum(each.created <= given_up for each in waiting)
        last_call = min((each.created for each in waiting if each.created > given_up), default=now) + GIVE_UP_AFTER
        asked_s = result.retry_after_s
        again = retry_at(channel, now, spread=self._random(), asked_s=asked_s, last_call=last_call)
        if lost:
            self.log.error(
                "channel {channel} was not told: {error}; {lost} given up, others are told instead; {left} left",
                channel=called(channel),
                error=error,
                lost=_messages(lost),
                left=_messages(len(waiting) - lost),
            )
        else:
            self.log.warn(
                "channel {channel} was not told: {error}; will try again in {wait:.0f} s, {left}",
                channel=called(channel),
                error=error,
                wait=(again - now) / SECOND,
                left="one message waits" if len(waiting) == 1 else f"{len(waiting)} messages wait",
            )
        held = asked_s is not None and again >= now + round(asked_s * SECOND)
        return NotificationFailed(owed.id, took_ms, error, again, held, given_up if lost else 0)


def _messages(count: int) -> str:
    return "one message" if count == 1 else f"{count} messages"


def _log_answers(channel: Channel, now: int, waiting: int) -> None:
    assert channel.failing is not None
    going = f"{_messages(waiting)} {'goes' if waiting == 1 else 'go'}"
    Outbox.log.info(
        "channel {channel} answers again, after {lasted}; {left} now",
        channel=called(channel),
        lasted=duration_text((now - channel.failing.since) // SECOND),
        left=going if waiting else "nothing waits for it",
    )

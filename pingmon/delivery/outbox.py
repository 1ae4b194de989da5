"""Delivers what is owed, at least once.

    the world owes a message ─▶ attempt ─▶ delivered, failed or abandoned, as an event ─▶ the world owes it no more,
                                                                                          or later, or to others

A message leaves the world's outbox only by such an event in the log, so a crash at any moment repeats messages (with
the same id) and loses none. So does a digest, which is one message about all that waits: the event names the newest
entry that it tells of. A digest that is repeated has the same id as long as nothing has become owed since. While an
event cannot be logged, its channel waits and nothing is sent twice. The outbox decides neither who is told nor when an
attempt is repeated (`core.notify`), only that it happens now.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Final

from msgspec.structs import replace
from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from pingmon.core.notify.channel import Channel
from pingmon.core.notify.notification import GIVE_UP_AFTER, Delivery, Notification
from pingmon.core.notify.quiet_hours import longest_quiet
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
from pingmon.delivery.send_order import SendOrder, Turn
from pingmon.monitor import Monitor
from pingmon.resubmit import submit_until_durable
from pingmon.timing.ticker import Ticker
from pingmon.wire.message.digest import AnyMessage, digest
from pingmon.wire.message.message import Letter, called
from pingmon.wire.time_texts import duration_text

TICK_S: Final = 1.0
STOP_S: Final = 1.0
"""Seconds that attempts in flight get to end by themselves when pingmon stops."""
ERROR_MAX: Final = 200
"""Characters of an error that are kept."""
FOLDED_MAX: Final = 200
"""Messages that one event may end; they are folded in about 5 ms, for which pings wait."""


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
        self._order = SendOrder(monitor.world, kinds, max_parallel)
        self._tasks: dict[Deferred[None], Id] = {}
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
        ended = DeferredList(list(self._tasks))
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
            if isinstance(event, ChannelChanged):
                turns.changed(entry.stream, entry.at)
            self._opened(entry.stream)
        elif isinstance(event, ChannelDeleted):
            turns.changed(entry.stream, entry.at)
            for task, channel in list(self._tasks.items()):
                if channel == entry.stream:
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
        while (turn := self._order.next(self._monitor.now())) is not None:
            task = Deferred.fromCoroutine(self._see_to(turn))
            self._tasks[task] = turn.channel
            task.addErrback(self._ended_badly, turn).addBoth(self._ended, task, turn)

    def _ended_badly(self, failure: Failure, turn: Turn) -> None:
        if not failure.check(CancelledError):
            self.log.failure("an error while delivering message {id}", failure, id=turn.id)

    def _ended(self, _: None, task: Deferred[None], turn: Turn) -> None:
        del self._tasks[task]
        self._order.free(turn)
        self._go_soon()

    # --- one message ----------------------------------------------------------------------------------------------

    async def _see_to(self, turn: Turn) -> None:
        """Try to deliver what has its turn, and log how it went."""
        began = self._monitor.time.steady()
        self.log.debug("message {id} is sent: attempt {n}", id=turn.id, n=turn.owed[0].attempts + 1)
        channel = self._monitor.world.channels[turn.channel]
        try:
            result = await self._attempt(turn, channel)
        finally:
            self._order.landed(turn)
            self._go_soon()
        took_ms = round((self._monitor.time.steady() - began) * 1000)
        for event in self._events(turn, channel, result, took_ms):
            await submit_until_durable(
                self._monitor, self._clock, turn.channel, event, f"what became of message {turn.id}"
            )

    async def _attempt(self, turn: Turn, channel: Channel) -> Result:
        kind = self._kinds.get(channel.kind)
        if kind is None:
            # Not for good: an operator may install what is missing.
            return NotDelivered(f"this pingmon cannot deliver to channels of kind {channel.kind!r}")
        message: AnyMessage
        if turn.digest:
            now = self._monitor.now()
            message = digest(channel, now, turn.through, (self._letter(owed, channel, now) for owed in turn.owed))
        else:
            advice = await self._advice(turn.owed[0])
            message = self._letter(turn.owed[0], channel, self._monitor.now(), advice)
        return await attempt(kind.deliver, message, self._clock, self._attempt_s)

    def _letter(self, owed: Notification, channel: Channel, now: int, advice: str = "") -> Letter:
        world = self._monitor.world
        lost = world.channels.get(owed.relays) if owed.relays is not None else None
        return Letter(
            owed, world.topic(owed.flip.subject), channel, now, "" if lost is None else lost.name, False, advice
        )

    def _events(self, turn: Turn, sent_to: Channel, result: Result, took_ms: int) -> Iterator[AnyEvent]:
        """What to log of an attempt; the operator is told once for each attempt, and of nothing else.

        `sent_to` is the channel as it was when the attempt began.
        """
        channel = self._monitor.world.channels.get(turn.channel, sent_to)
        waiting = self._monitor.world.outbox.get(turn.channel, {})
        if isinstance(result, Delivered):
            if channel.failing is not None and not result.nothing:
                _log_answers(channel, self._monitor.now(), len(waiting) - len(turn.owed))
            self.log.debug("message {id} was delivered in {ms} ms", id=turn.id, ms=took_ms)
            told = NotificationDelivered(turn.id, took_ms, result.status, result.nothing, result.receipt)
            yield from self._digest_taken(turn, channel, told) if turn.digest else (told,)
            return
        error = result.error[:ERROR_MAX]
        if turn.digest:
            self._order.digest_refused(turn.channel, for_good=result.permanent)
        if not result.permanent:
            together = sent_to.failing is None
            yield self._failed(turn, channel, list(waiting.values()) or list(turn.owed), result, took_ms, together)
            return
        self.log.error(
            "channel {channel} was not told, and will not be: {error} (message {id})",
            channel=called(channel),
            error=error,
            id=turn.id,
        )
        if not turn.digest:  # what it was to tell goes one by one
            yield NotificationAbandoned(turn.id, took_ms, error)

    def _digest_taken(
        self, turn: Turn, channel: Channel, told: NotificationDelivered
    ) -> Iterator[NotificationDelivered]:
        """One event, or one for every `FOLDED_MAX` of its messages."""
        self._order.digest_taken(turn.channel)
        self.log.info(
            "channel {channel} was told in a digest: {count}", channel=called(channel), count=_messages(len(turn.owed))
        )
        entries = sorted(owed.owed_by for owed in turn.owed)
        marks = [*entries[FOLDED_MAX - 1 : -1 : FOLDED_MAX], entries[-1]]
        return (replace(told, through=through) for through in marks)

    def _failed(
        self,
        turn: Turn,
        channel: Channel,
        waiting: list[Notification],
        result: NotDelivered,
        took_ms: int,
        together: bool,
    ) -> NotificationFailed:
        now, error, failing = self._monitor.now(), result.error[:ERROR_MAX], channel.failing
        tried_for = GIVE_UP_AFTER + longest_quiet(channel.settings.quiet)
        given_up = now if result.gone else now - tried_for
        lost = sum(each.created <= given_up for each in waiting)
        last_call = min((each.created for each in waiting if each.created > given_up), default=now) + tried_for
        asked_s = result.retry_after_s
        again = retry_at(channel, now, spread=self._random(), asked_s=asked_s, last_call=last_call)
        same_round = together and failing is not None and failing.retry_at > now
        if same_round and failing is not None:
            again = failing.retry_at if asked_s is None else max(failing.retry_at, again)
        if lost:
            self.log.error(
                "channel {channel} was not told: {error}; {lost} given up, others are told instead; {left} left",
                channel=called(channel),
                error=error,
                lost=_messages(lost),
                left=_messages(len(waiting) - lost),
            )
        elif not same_round:
            self.log.warn(
                "channel {channel} was not told: {error}; will try again in {wait:.0f} s, {left}",
                channel=called(channel),
                error=error,
                wait=(again - now) / SECOND,
                left="one message waits" if len(waiting) == 1 else f"{len(waiting)} messages wait",
            )
        held = asked_s is not None and again >= now + round(asked_s * SECOND)
        return NotificationFailed(turn.id, took_ms, error, again, held, given_up if lost else 0, same_round)


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

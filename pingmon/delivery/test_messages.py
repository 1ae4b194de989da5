"""Sends test messages: at once, whatever waits for the channel, and once.

A test that went well is a reason to try at once what waits for the channel, so it is logged as an event.
"""

from __future__ import annotations

from collections.abc import Mapping

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from pingmon.core.notify.notification import Attempted
from pingmon.core.units import Id
from pingmon.core.world.events import ChannelTested
from pingmon.delivery.attempt import ATTEMPT_S, ChannelKind, Delivered, attempt
from pingmon.delivery.outbox import ERROR_MAX
from pingmon.journal import JournalFull, JournalUnavailable
from pingmon.monitor import Monitor
from pingmon.wire.message.message import called, trial_letter


class ChannelTester:
    """Sends them. `kinds` are the kinds of channels by name."""

    log = Logger()

    def __init__(
        self, monitor: Monitor, kinds: Mapping[str, ChannelKind], clock: IReactorTime, attempt_s: float = ATTEMPT_S
    ) -> None:
        self._monitor = monitor
        self._kinds = kinds
        self._clock = clock
        self._attempt_s = attempt_s

    def test(self, channel: Id, *, up: bool) -> Deferred[Attempted]:
        """Have a channel that there is sent a test message, about a way down or `up`; what became of it.

        Fires within the deadline of an attempt, and does not fail. Cancelling ends the attempt.
        """
        return Deferred.fromCoroutine(self._tested(channel, up))

    async def _tested(self, id: Id, up: bool) -> Attempted:
        channel, began = self._monitor.world.channels[id], self._monitor.time.steady()
        kind = self._kinds.get(channel.kind)
        if kind is None:
            return self._now(began, f"this pingmon cannot deliver to channels of kind {channel.kind!r}")
        letter = trial_letter(channel, self._monitor.now(), up=up)
        result = await attempt(kind.deliver, letter, self._clock, self._attempt_s)
        if isinstance(result, Delivered) and result.nothing:
            happens = "comes back" if up else "goes down"
            return self._now(began, f"this channel is sent nothing when something {happens}")
        error = "" if isinstance(result, Delivered) else result.error[:ERROR_MAX]
        status = result.status if isinstance(result, Delivered) else None
        tested = self._now(began, error, status)
        self.log.info(
            "a test message to channel {channel} {became}",
            channel=called(channel),
            became=f"failed: {error}" if error else "was delivered",
        )
        try:
            await self._monitor.submit(id, ChannelTested(tested.took_ms, status, error))
        except (JournalFull, JournalUnavailable) as trouble:
            self.log.warn(
                "pingmon could not log that it tested channel {channel}: {why}",
                channel=called(channel),
                why=str(trouble),
            )
        return tested

    def _now(self, began: float, error: str, status: int | None = None) -> Attempted:
        took_ms = round((self._monitor.time.steady() - began) * 1000)
        return Attempted(self._monitor.now(), took_ms, status, error)

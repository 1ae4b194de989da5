"""An outbox over a journal in memory, with receivers that the test controls."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from pingmon.core.units import Id
from pingmon.core.world.events import Event, NotificationAbandoned, NotificationDelivered, NotificationFailed
from pingmon.delivery.attempt import ChannelKind, Result
from pingmon.delivery.outbox import STOP_S, Outbox
from pingmon.journal import Memory
from pingmon.testing import FakeTime, Rig, result
from pingmon.wire.message.digest import AnyMessage
from pingmon.wire.message.message import Letter


class Receivers:
    """A kind of channel under the test's control: messages stay in flight until they are answered."""

    def __init__(self) -> None:
        self.sent: list[Letter] = []
        self.open: dict[Id, Deferred[Result]] = {}
        self.at_once: dict[Id, Result] = {}

    async def __call__(self, letter: AnyMessage) -> Result:
        assert isinstance(letter, Letter)
        assert letter.channel.id not in self.open, "two messages to one channel at once"
        self.sent.append(letter)
        if letter.channel.id in self.at_once:
            return self.at_once[letter.channel.id]
        answer: Deferred[Result] = Deferred()
        self.open[letter.channel.id] = answer
        try:
            return await answer
        finally:
            del self.open[letter.channel.id]

    def answer(self, channel: Id, found: Result) -> None:
        """Let the attempt at `channel` end."""
        self.open[channel].callback(found)

    @property
    def told(self) -> list[tuple[Id, str]]:
        """What was sent: the channel and the check's new status."""
        return [(letter.channel.id, letter.owed.flip.new) for letter in self.sent]


class Post(Rig):
    """A rig with an outbox. `random` always gives `spread`; `more` goes to the outbox."""

    def __init__(
        self,
        time: FakeTime | None = None,
        memory: Memory | None = None,
        *,
        max_parallel: int = 64,
        spread: float = 0.0,
        **more: Any,
    ) -> None:
        super().__init__(time, memory)
        self.max_parallel = max_parallel
        self.receivers = Receivers()
        self.outbox = Outbox(
            self.monitor,
            {"webhook": ChannelKind(self.receivers)},
            self.clock,
            lambda: spread,
            max_parallel=max_parallel,
            **more,
        )
        self.outbox.start()

    def flip(self, check: Id, *, down: bool = True) -> None:
        """Let the check go down, or up; and its messages leave."""
        self.ping(check, "fail" if down else "success")
        self.clock.advance(0)

    def reply(self, channel: Id, found: Result) -> None:
        """Let the attempt at `channel` end; and the next message leave."""
        self.receivers.answer(channel, found)
        self.clock.advance(0)

    @property
    def results(self) -> list[Event]:
        """What became of attempts, in the log."""
        return self.events(NotificationDelivered, NotificationFailed, NotificationAbandoned)

    def killed(self) -> Post:
        """The next daemon over the same log, after this one was killed: it does not get to log anything any more."""
        self.journal.fail_next(1000)
        self.close()
        return self.restarted(clean=False, max_parallel=self.max_parallel)

    def close(self) -> None:
        """Stop, which takes no longer than it may."""
        ended = self.outbox.stop()
        self.clock.advance(STOP_S)
        result(ended)
        self.alarms.stop()

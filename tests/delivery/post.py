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
from pingmon.wire.message.digest import AnyMessage, Digest
from pingmon.wire.message.message import Letter


class Receivers:
    """A kind of channel under the test's control: messages stay in flight until they are answered."""

    def __init__(self, parallel: int = 1) -> None:
        self.parallel = parallel
        self.messages: list[AnyMessage] = []
        self.open: dict[str, Deferred[Result]] = {}
        self.at_once: dict[Id, Result] = {}
        self.on_their_way: list[AnyMessage] = []

    async def __call__(self, message: AnyMessage) -> Result:
        self.allowed(message)
        self.messages.append(message)
        channel = message.channel.id
        if channel in self.at_once:
            return self.at_once[channel]
        answer: Deferred[Result] = Deferred()
        key = channel if self.parallel == 1 else message.id
        self.open[key] = answer
        self.on_their_way.append(message)
        try:
            return await answer
        finally:
            del self.open[key]
            self.on_their_way.remove(message)

    def allowed(self, message: AnyMessage) -> None:
        """A channel gets no more at once than it takes, nothing beside a digest, and no two about one check."""
        beside = [each for each in self.on_their_way if each.channel.id == message.channel.id]
        assert len(beside) < self.parallel, "too many messages to one channel at once"
        for each in beside:
            assert isinstance(each, Letter), "something beside a digest"
            assert isinstance(message, Letter), "a digest beside something"
            assert each.subject.id != message.subject.id, "two messages about one check at once"

    def answer(self, key: str, found: Result) -> None:
        """Let the attempt at a channel end; where several may be on their way, that of a message."""
        self.open[key].callback(found)

    @property
    def sent(self) -> list[Letter]:
        """What was sent one by one."""
        return [message for message in self.messages if isinstance(message, Letter)]

    @property
    def digests(self) -> list[Digest]:
        """The digests that were sent."""
        return [message for message in self.messages if isinstance(message, Digest)]

    @property
    def told(self) -> list[tuple[Id, str]]:
        """What was sent: the channel and the check's new status."""
        return [(letter.channel.id, letter.owed.flip.new) for letter in self.sent]


class Post(Rig):
    """A rig with an outbox. `random` always gives `spread`; `more` goes to the outbox.

    `parallel` and `digests` are the kind's.
    """

    def __init__(
        self,
        time: FakeTime | None = None,
        memory: Memory | None = None,
        *,
        max_parallel: int = 64,
        spread: float = 0.0,
        parallel: int = 1,
        digests: bool = True,
        **more: Any,
    ) -> None:
        super().__init__(time, memory)
        self.max_parallel = max_parallel
        self.receivers = Receivers(parallel)
        self.kinds = {"webhook": ChannelKind(self.receivers, parallel, digests)}
        self.outbox = Outbox(self.monitor, self.kinds, self.clock, lambda: spread, max_parallel=max_parallel, **more)
        self.outbox.start()

    def flip(self, check: Id, *, down: bool = True) -> None:
        """Let the check go down, or up; and its messages leave."""
        self.ping(check, "fail" if down else "success")
        self.clock.advance(0)

    def reply(self, key: str, found: Result) -> None:
        """Let an attempt end (see `Receivers.answer`); and the next message leave."""
        self.receivers.answer(key, found)
        self.clock.advance(0)

    @property
    def results(self) -> list[Event]:
        """What became of attempts, in the log."""
        return self.events(NotificationDelivered, NotificationFailed, NotificationAbandoned)

    def killed(self) -> Post:
        """The next daemon over the same log, after this one was killed: it does not get to log anything any more."""
        self.journal.fail_next(1000)
        self.close()
        return self.restarted(clean=False, max_parallel=self.max_parallel, parallel=self.receivers.parallel)

    def close(self) -> None:
        """Stop, which takes no longer than it may."""
        ended = self.outbox.stop()
        self.clock.advance(STOP_S)
        result(ended)
        self.alarms.stop()

"""Whatever happens in whatever order, nobody is left with a stale message and no newest message is lost."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pingmon.core.flip import Flip
from pingmon.core.notify.channel_settings import ChannelSettings
from pingmon.core.notify.notification import matters
from pingmon.core.units import Id
from pingmon.delivery.attempt import Delivered, NotDelivered
from pingmon.journal import JournalUnavailable
from pingmon.testing import uuid
from pingmon.wire.message.digest import AnyMessage, Digest
from tests.delivery.post import Post

CHECKS = [uuid(number) for number in (1, 2, 3, 4, 5)]
CHANNELS = [uuid(number, "d") for number in (1, 2)]


class Deliveries(RuleBasedStateMachine):
    """Flips, answers, failures, failing disks, passing time and kills, interleaved.

    `received` is what receivers have got, in the order they got it: a message counts as received when it was answered
    with success, whatever becomes of the result; when pingmon is killed before it could log that, the message comes
    again with the same id.
    """

    def __init__(self) -> None:
        super().__init__()
        self.post = Post(max_parallel=3, parallel=3)
        self.post.channel(1, settings=ChannelSettings(digest_over=1))
        self.post.channel(2)
        for number in range(1, len(CHECKS) + 1):
            self.post.check(number, channels=tuple(CHANNELS), timeout=10**7)
        self.received: list[tuple[Id, Id, int, str]] = []
        self.sent: list[tuple[Id, Id, int, str]] = []
        self.seen = 0
        self.past: list[Flip] = []

    def look(self) -> None:
        """Take down what was sent since the last look."""
        for message in self.post.receivers.messages[self.seen :]:
            self.sent += self.entries(message)
        self.seen = len(self.post.receivers.messages)

    def entries(self, message: AnyMessage) -> list[tuple[Id, Id, int, str]]:
        """What a message tells, or each of those of a digest."""
        letters = message.letters if isinstance(message, Digest) else (message,)
        flips = [letter.owed.flip for letter in letters]
        return [(message.channel.id, flip.subject, flip.seq, message.id) for flip in flips]

    @rule(check=st.sampled_from(CHECKS), down=st.booleans())
    def flip(self, check: Id, down: bool) -> None:
        with suppress(JournalUnavailable):  # answered 503: that ping never was
            self.post.flip(check, down=down)

    @rule(check=st.sampled_from(CHECKS), down=st.booleans())
    def flip_twice_in_one_turn(self, check: Id, down: bool) -> None:
        with suppress(JournalUnavailable):
            self.post.ping(check, "fail" if down else "success")
            self.post.flip(check, down=not down)

    @precondition(lambda self: self.post.receivers.open)
    @rule(data=st.data(), works=st.booleans(), wait=st.sampled_from([None, 0.0, 40.0]))
    def answer(self, data: st.DataObject, works: bool, wait: float | None) -> None:
        self.settle(data.draw(st.sampled_from(sorted(self.post.receivers.open))), works, wait)

    def settle(self, id: str, works: bool, wait: float | None = None) -> None:
        message = next(each for each in self.post.receivers.on_their_way if each.id == id)
        if works:
            self.received += self.entries(message)
        self.look()
        self.post.reply(id, Delivered(200) if works else NotDelivered("status 503", retry_after_s=wait))

    @rule(seconds=st.sampled_from([0.5, 2.0, 6.0, 31.0, 700.0]))
    def time_passes(self, seconds: float) -> None:
        self.post.time.advance(seconds, step=5)

    @rule(seconds=st.sampled_from([-3600.0, 3600.0]))
    def the_clock_is_set(self, seconds: float) -> None:
        self.post.time.set_wall(seconds)

    @rule(writes=st.integers(1, 4))
    def the_disk_fails(self, writes: int) -> None:
        """The results of attempts cannot be logged for a while."""
        self.post.journal.fail_next(writes)
        for id in sorted(self.post.receivers.open):
            self.settle(id, works=True)

    @rule()
    def killed(self) -> None:
        self.look()
        self.past += self.post.flips
        self.post = self.post.killed()
        self.seen = 0
        self.post.clock.advance(0)

    @invariant()
    def never_an_older_message_of_a_check_after_a_newer_one(self) -> None:
        """So never a "down" after the "up" that ended it."""
        self.look()
        newest: dict[tuple[Id, Id], int] = {}
        for channel, check, seq, _ in self.sent:
            assert seq >= newest.get((channel, check), 0)
            newest[channel, check] = seq

    @invariant()
    def no_more_in_flight_than_allowed(self) -> None:
        assert self.post.outbox.in_flight == len(self.post.receivers.open) <= 3

    def teardown(self) -> None:
        """In the end everything that is owed arrives, and what arrived last about a check is its present status."""
        post = self.post
        post.receivers.at_once = dict.fromkeys(CHANNELS, Delivered(200))
        answered = len(post.receivers.messages)
        for id in sorted(post.receivers.open):
            self.settle(id, works=True)
        while post.outbox.pending and post.clock.seconds() < 10**6:
            post.time.advance(600, step=30)
        for message in post.receivers.messages[answered:]:
            self.received += self.entries(message)
        assert post.world.owed == {}
        for channel in CHANNELS:
            for check in CHECKS:
                self.latest_is_true(channel, check)
        post.close()
        assert post.clock.getDelayedCalls() == []

    def latest_is_true(self, channel: Id, check: Id) -> None:
        flips = [flip for flip in (*self.past, *self.post.flips) if flip.subject == check and matters(flip)]
        got = [seq for to, about, seq, _ in self.received if (to, about) == (channel, check)]
        assert (max(got) if got else None) == (flips[-1].seq if flips else None)


TestDeliveries = Deliveries.TestCase
TestDeliveries.settings = settings(max_examples=60, stateful_step_count=30)

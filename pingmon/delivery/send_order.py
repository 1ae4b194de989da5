"""Whose turn it is: the order in which owed messages leave, and how many may be on their way.

In a channel the message that is due first goes first. Those that have failed go behind the others: if it is the message
that is refused, it holds up none. As many as the channel's kind allows are on their way at once, but never two about
the same check or site: an up cannot overtake its down. If more waits than is to be sent one by one, all of it goes as
one digest (`core.notify.send_pace`), which travels alone. In its quiet hours a channel is sent what is urgent, and when
they end the rest.

Channels take turns. One that fails has one attempt when that is due, and those get at most half of the places, so that
endpoints that swallow their whole deadline cannot keep the others waiting. What waits is not looked at, so a tick costs
what is due and not what is owed.

After a start all channels may be tried at once, whatever failed before: the operator may have mended it. Only a
receiver that has itself asked to be left alone is.

Entries that the world has moved on from are dropped when they come up: a place in a queue counts only while the
message is still owed and has failed no more often.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from heapq import heapify, heappop, heappush
from typing import Final

from msgspec import Struct

from pingmon.core.notify.notification import Notification
from pingmon.core.notify.retry_waits import NEWS_S
from pingmon.core.notify.send_pace import pace
from pingmon.core.units import SECOND, Id
from pingmon.core.world.world import World
from pingmon.delivery.attempt import ChannelKind
from pingmon.timing.deadline_heap import DeadlineHeap
from pingmon.wire.message.digest import digest_id

REFUSED_MAX: Final = 3
"""Digests in a row that a channel may fail at, before it is told one by one: it may be that it cannot read them."""


class Turn(Struct, frozen=True):
    """What goes now to a channel: one message, or all of them as a digest. `ailing`: the channel has failed."""

    channel: Id
    owed: tuple[Notification, ...]
    ailing: bool
    digest: bool = False

    @property
    def id(self) -> str:
        """The id of what goes."""
        return digest_id(self.channel, self.through) if self.digest else self.owed[0].id

    @property
    def through(self) -> int:
        """The newest entry of the log by which one of them became owed."""
        return max(owed.owed_by for owed in self.owed)


class SendOrder:
    """Knows what is due in `world` and who is next. `max_parallel`: messages on their way at once, in all."""

    def __init__(self, world: World, kinds: Mapping[str, ChannelKind], max_parallel: int) -> None:
        self._world = world
        self._kinds = kinds
        self._max_parallel = max_parallel
        self._max_ailing = max(1, max_parallel // 2)
        self._flying = {False: 0, True: 0}
        self._queues: dict[Id, list[tuple[int, int, str]]] = {}
        self._planned: dict[str, int] = {}
        self._closed = DeadlineHeap()
        """Channels that are not to be tried before an instant."""
        self._gathering = DeadlineHeap()
        """Channels whose messages wait for a digest, for their turn one by one, or for the end of quiet hours."""
        self._held: dict[Id, list[tuple[int, int, str]]] = {}
        """Of channels that are in their quiet hours, what is not urgent."""
        self._lines: dict[bool, deque[Id]] = {False: deque(), True: deque()}
        self._lined: set[Id] = set()
        self._busy: dict[Id, dict[Id, str]] = {}
        """What is on its way until its result is in the log: by channel, about whom which message."""
        self._digesting: set[Id] = set()
        self._sent: dict[Id, list[int]] = {}
        """When the last messages to a channel left one by one."""
        self._ailing: set[Id] = set()
        self._late: set[Id] = set()
        self._refused: Counter[Id] = Counter()
        self._next_line = False

    # --- what is due --------------------------------------------------------------------------------------------------

    def take_up(self) -> None:
        """Plan everything anew: at the start, and when all times have moved."""
        known = set(self._closed)
        for each in (self._closed, self._gathering):
            each.refill({})
        for queues in (self._queues, self._planned, self._sent, self._held):
            queues.clear()
        for channel in self._world.outbox:
            failing = self._world.channels[channel].failing
            if failing is None:
                continue
            self._ailing.add(channel)
            if failing.held or channel in known:
                self.close(channel, failing.retry_at)
        for owed in self._world.owed.values():
            self.plan(owed)

    def plan_newest(self, channel: Id, now: int) -> None:
        """Plan what has become owed to `channel`. The world keeps a channel's newest messages last.

        It is a reason to try a channel that fails sooner, but not much: else each message would cost an attempt.
        """
        failing = self._world.channels[channel].failing
        if channel in self._closed and failing is not None and not failing.held:
            self._closed.put_earlier(channel, max(now, failing.tried_at + NEWS_S * SECOND))
        for owed in reversed(self._world.outbox.get(channel, {}).values()):
            if self._planned.get(owed.id) == owed.attempts:
                break
            self.plan(owed)

    def plan(self, owed: Notification) -> None:
        """Give a message its place in the queue of its channel."""
        self._planned[owed.id] = owed.attempts
        place = (owed.attempts, owed.created, owed.id)
        held = self._held.get(owed.channel)
        if held is not None and not self._is_urgent(owed):
            held.append(place)
            return
        heappush(self._queues.setdefault(owed.channel, []), place)
        self._line_up(owed.channel)

    def close(self, channel: Id, until: int) -> None:
        """Try `channel`, which fails, no more until an instant."""
        self._ailing.add(channel)
        self._closed.put(channel, until)

    def open(self, channel: Id) -> None:
        """Try `channel` as soon as it is its turn."""
        if channel in self._ailing:
            self._ailing.discard(channel)
            if channel in self._world.outbox:
                self._late.add(channel)
        self._closed.drop(channel)
        self._line_up(channel)

    def ripen(self, now: int) -> None:
        """Let the channels to which something may be due by now take their turn."""
        for waiting in (self._closed, self._gathering):
            for channel, _ in waiting.due(now):
                self._keep_quiet(channel, now)
                self._line_up(channel)

    def forget(self, id: str) -> None:
        """A message has been settled."""
        self._planned.pop(id, None)

    def changed(self, channel: Id, now: int) -> None:
        """A channel has been deleted, or is another one now: nothing is known of how it was told."""
        for known in (self._sent, self._refused):
            known.pop(channel, None)
        self._release(channel)
        self._keep_quiet(channel, now)

    def overdue(self, now: int) -> int:
        """For how many microseconds the message that waits longest for a place has been due; 0 if none waits.

        What waits behind an attempt of its own channel, or is due to a channel that fails, is not pingmon's delay.
        """
        return max(
            (now - self._queues[channel][0][1] for channel in self._lines[False] if channel in self._queues), default=0
        )

    # --- who is next ----------------------------------------------------------------------------------------------

    def next(self, now: int) -> Turn | None:
        """What goes now; its channel is busy with it from here on. None if nothing is due or no place is free."""
        self._next_line = not self._next_line
        for ailing in (self._next_line, not self._next_line):
            while self._lines[ailing] and self._has_place(ailing):
                channel = self._lines[ailing].popleft()
                self._lined.discard(channel)
                turn = self._turn(channel, ailing, now) if self._may_go(channel) else None
                if turn is not None:
                    self._flying[ailing] += 1
                    self._line_up(channel)
                    return turn
        return None

    def landed(self, turn: Turn) -> None:
        """The attempt is over: its place is free, but the channel stays busy with it until its result is in the log."""
        self._flying[turn.ailing] -= 1

    def free(self, turn: Turn) -> None:
        """The result is in the log; the channel may have its next turn, behind those who wait."""
        if turn.digest:
            self._digesting.discard(turn.channel)
        else:
            busy = self._busy[turn.channel]
            del busy[turn.owed[0].flip.subject]
            if not busy:
                del self._busy[turn.channel]
        self._line_up(turn.channel)

    def digest_taken(self, channel: Id) -> None:
        """The channel can be told much in one message."""
        self._refused.pop(channel, None)

    def digest_refused(self, channel: Id, *, for_good: bool) -> None:
        """A digest has failed, where `for_good` says that it always will; it may be that a single message does not."""
        self._refused[channel] += REFUSED_MAX if for_good else 1

    @property
    def in_flight(self) -> int:
        """How many messages are on their way; a digest is one."""
        return self._flying[False] + self._flying[True]

    def _has_place(self, ailing: bool) -> bool:
        return self.in_flight < self._max_parallel and (not ailing or self._flying[True] < self._max_ailing)

    def _line_up(self, channel: Id) -> None:
        if channel in self._queues and channel not in self._lined and self._may_go(channel):
            self._lined.add(channel)
            self._lines[self._fails(channel)].append(channel)

    def _fails(self, channel: Id) -> bool:
        known = self._world.channels.get(channel)
        return known is not None and known.failing is not None

    def _kind(self, channel: Id) -> ChannelKind | None:
        known = self._world.channels.get(channel)
        return None if known is None else self._kinds.get(known.kind)

    def _may_go(self, channel: Id) -> bool:
        """Whether one more message may be on its way to the channel."""
        if channel in self._closed or channel in self._digesting:
            return False
        kind, busy = self._kind(channel), len(self._busy.get(channel, ()))
        return busy < (1 if kind is None or self._fails(channel) else kind.parallel)

    def _keep_quiet(self, channel: Id, now: int) -> None:
        """Hold what is not urgent while the channel's quiet hours last, and no longer."""
        known = self._world.channels.get(channel)
        until = None if known is None else known.settings.quiet_until(now)
        if until is None:
            self._release(channel)
            return
        self._gathering.put_earlier(channel, until)
        if channel in self._held:
            return
        held: list[tuple[int, int, str]] = []
        urgent: list[tuple[int, int, str]] = []
        for place in self._queues.pop(channel, []):
            owed = self._world.owed.get(place[2])
            (urgent if owed is not None and self._is_urgent(owed) else held).append(place)
        self._held[channel] = held
        if urgent:
            heapify(urgent)
            self._queues[channel] = urgent

    def _release(self, channel: Id) -> None:
        """What was held is late now."""
        held = self._held.pop(channel, None)
        if held:
            queue = self._queues.setdefault(channel, [])
            queue += held
            heapify(queue)
            self._late.add(channel)

    def _is_urgent(self, owed: Notification) -> bool:
        settings = self._world.channels[owed.channel].settings
        return bool(settings.urgent) and settings.is_urgent(self._world.topic(owed.flip.subject).spec.tags)

    def _turn(self, channel: Id, ailing: bool, now: int) -> Turn | None:
        self._keep_quiet(channel, now)
        outbox, busy = self._world.outbox.get(channel, {}), self._busy.get(channel, {})
        waiting, oldest = self._waiting(channel, set(busy.values()))
        if not waiting:
            self._queues.pop(channel, None)
            return None
        over = self._digest_over(channel)
        sent = self._sent.setdefault(channel, [])
        how = pace(over, sent, waiting, oldest, now, late=channel in self._late)
        if isinstance(how, int):
            self._gathering.put_earlier(channel, how)
            return None
        if how == "digest":
            if busy:
                return None
            self._late.discard(channel)
            self._digesting.add(channel)
            return Turn(channel, tuple(outbox.values()), ailing, digest=True)
        owed = self._first(channel, busy)
        if owed is None:
            return None
        self._late.discard(channel)
        self._busy.setdefault(channel, {})[owed.flip.subject] = owed.id
        sent.append(now)
        del sent[: -over or None]
        return Turn(channel, (owed,), ailing)

    def _waiting(self, channel: Id, busy: set[str]) -> tuple[int, int]:
        """How many messages may go now, and since when the oldest of them waits."""
        outbox = self._world.outbox.get(channel, {})
        if channel in self._held:  # what is urgent; a queue of few
            waiting = [outbox[id].created for _, _, id in self._queues.get(channel, ()) if id in outbox]
            return len(waiting), min(waiting, default=0)
        count = len(outbox) - sum(id in outbox for id in busy)
        return count, next(owed.created for owed in outbox.values() if owed.id not in busy) if count else 0

    def _digest_over(self, channel: Id) -> int:
        """How many messages within a minute go one by one; 0 if all do, as to a channel that may be dead."""
        kind = self._kind(channel)
        if kind is None or not kind.digests or self._fails(channel) or self._refused[channel] >= REFUSED_MAX:
            return 0
        return self._world.channels[channel].settings.digest_over

    def _first(self, channel: Id, busy: Mapping[Id, str]) -> Notification | None:
        """The channel's first message that is still owed and not about a subject of `busy`, taken out of its queue."""
        queue = self._queues.pop(channel, [])
        put_back = []
        found = None
        while queue and found is None:
            attempts, created, id = heappop(queue)
            owed = self._world.owed.get(id)
            if owed is None or owed.attempts != attempts:
                if self._planned.get(id) == attempts:
                    del self._planned[id]
            elif owed.flip.subject in busy:
                put_back.append((attempts, created, id))
            else:
                found = owed
        for place in put_back:
            heappush(queue, place)
        if queue:
            self._queues[channel] = queue
        return found

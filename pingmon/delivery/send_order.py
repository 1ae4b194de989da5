"""Whose turn it is: the order in which owed messages leave, and how many may be on their way.

In a channel the message that is due first goes first, one at a time. Those that have failed go behind the others: if
it is the message that is refused, it holds up none. Channels take turns. One that fails has a turn when its next
attempt is due, and those get at most half of the places, so that endpoints that swallow their whole deadline cannot
keep the others waiting. What waits is not looked at, so a tick costs what is due and not what is owed.

After a start all channels may be tried at once, whatever failed before: the operator may have mended it. Only a
receiver that has itself asked to be left alone is.

Entries that the world has moved on from are dropped when they come up: a place in a queue counts only while the
message is still owed and has failed no more often.
"""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush

from pingmon.core.notify.notification import Notification
from pingmon.core.notify.retry_waits import NEWS_S
from pingmon.core.units import SECOND, Id
from pingmon.core.world.world import World
from pingmon.timing.deadline_heap import DeadlineHeap


class SendOrder:
    """Knows what is due in `world` and who is next. `max_parallel`: messages on their way at once."""

    def __init__(self, world: World, max_parallel: int) -> None:
        self._world = world
        self._max_parallel = max_parallel
        self._max_ailing = max(1, max_parallel // 2)
        self._flying = {False: 0, True: 0}
        self._queues: dict[Id, list[tuple[int, int, str]]] = {}
        self._planned: dict[str, int] = {}
        self._closed = DeadlineHeap()
        """Channels that are not to be tried before an instant."""
        self._lines: dict[bool, deque[Id]] = {False: deque(), True: deque()}
        self._lined: set[Id] = set()
        self._busy: dict[Id, bool | None] = {}
        self._next_line = False

    # --- what is due --------------------------------------------------------------------------------------------------

    def take_up(self) -> None:
        """Plan everything anew: at the start, and when all times have moved."""
        known = set(self._closed)
        self._closed.refill({})
        self._queues.clear()
        self._planned.clear()
        for channel in self._world.outbox:
            failing = self._world.channels[channel].failing
            if failing is not None and (failing.held or channel in known):
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
        heappush(self._queues.setdefault(owed.channel, []), (owed.attempts, owed.created, owed.id))
        self._line_up(owed.channel)

    def close(self, channel: Id, until: int) -> None:
        """Try `channel` no more until an instant."""
        self._closed.put(channel, until)

    def open(self, channel: Id) -> None:
        """Try `channel` as soon as it is its turn."""
        self._closed.drop(channel)
        self._line_up(channel)

    def ripen(self, now: int) -> None:
        """Let the channels whose next attempt is due by now take their turn."""
        for channel, _ in self._closed.due(now):
            self._line_up(channel)

    def forget(self, id: str) -> None:
        """A message has been settled."""
        self._planned.pop(id, None)

    def overdue(self, now: int) -> int:
        """For how many microseconds the message that waits longest for a place has been due; 0 if none waits.

        What waits behind an attempt of its own channel, or is due to a channel that fails, is not pingmon's delay.
        """
        return max(
            (now - self._queues[channel][0][1] for channel in self._lines[False] if channel in self._queues), default=0
        )

    # --- who is next ----------------------------------------------------------------------------------------------

    def next(self) -> Notification | None:
        """The message that goes now; its channel is busy from here on. None if none is due or no place is free."""
        self._next_line = not self._next_line
        for ailing in (self._next_line, not self._next_line):
            while self._lines[ailing] and self._has_place(ailing):
                channel = self._lines[ailing].popleft()
                self._lined.discard(channel)
                owed = None if channel in self._closed else self._first(channel)
                if owed is not None:
                    self._busy[channel] = ailing
                    self._flying[ailing] += 1
                    return owed
        return None

    def landed(self, channel: Id) -> None:
        """The attempt is over: its place is free, but the channel stays busy until its result is in the log."""
        ailing = self._busy[channel]
        if ailing is not None:
            self._flying[ailing] -= 1
            self._busy[channel] = None

    def free(self, channel: Id) -> None:
        """The channel may have its next turn, behind those who wait."""
        del self._busy[channel]
        self._line_up(channel)

    @property
    def in_flight(self) -> int:
        """How many messages are on their way."""
        return self._flying[False] + self._flying[True]

    def _has_place(self, ailing: bool) -> bool:
        return self.in_flight < self._max_parallel and (not ailing or self._flying[True] < self._max_ailing)

    def _line_up(self, channel: Id) -> None:
        if channel in self._queues and not (channel in self._lined or channel in self._busy or channel in self._closed):
            known = self._world.channels.get(channel)
            self._lined.add(channel)
            self._lines[known is not None and known.failing is not None].append(channel)

    def _first(self, channel: Id) -> Notification | None:
        """The channel's first message that is still owed, taken out of its queue."""
        queue = self._queues.pop(channel, [])
        while queue:
            attempts, _, id = heappop(queue)
            owed = self._world.owed.get(id)
            if owed is not None and owed.attempts == attempts:
                if queue:
                    self._queues[channel] = queue
                return owed
            if self._planned.get(id) == attempts:
                del self._planned[id]
        return None

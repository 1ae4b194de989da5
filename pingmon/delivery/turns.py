"""Whose turn it is: the order in which owed messages leave, and how many may be on their way.

In a channel the message that is due first goes first, one at a time. Channels take turns. Those whose last attempt
failed get at most half of the places, so that endpoints that swallow their whole deadline cannot keep the others
waiting. Messages that wait for their next attempt lie in one heap, so looking costs what is due and not what is owed.

Entries that the world has moved on from are dropped when they come up: a place in a heap counts only while the
message is still owed and due at that very time.
"""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush

from pingmon.core.ids import Id
from pingmon.core.notify import Notification
from pingmon.core.world import World


class Turns:
    """Knows what is due in `world` and who is next. `max_parallel`: messages on their way at once."""

    def __init__(self, world: World, max_parallel: int) -> None:
        self._world = world
        self._max_parallel = max_parallel
        self._max_ailing = max(1, max_parallel // 2)
        self._flying = {False: 0, True: 0}
        self._later: list[tuple[int, str]] = []
        self._due: dict[Id, list[tuple[int, int, str]]] = {}
        self._planned: dict[str, int] = {}
        self._lines: dict[bool, deque[Id]] = {False: deque(), True: deque()}
        self._lined: set[Id] = set()
        self._busy: dict[Id, bool | None] = {}
        self._next_line = False

    # --- what is due --------------------------------------------------------------------------------------------------

    def take_up(self, now: int) -> None:
        """Plan everything anew: at the start, and when all times have moved."""
        self._later.clear()
        self._due.clear()
        self._planned.clear()
        for owed in self._world.owed.values():
            self.plan(owed, now)

    def plan_newest(self, channel: Id, now: int) -> None:
        """Plan what has become owed to `channel`. The world keeps a channel's newest messages last."""
        for owed in reversed(self._world.outbox.get(channel, {}).values()):
            if self._planned.get(owed.id) == owed.next_at:
                break
            self.plan(owed, now)

    def plan(self, owed: Notification, now: int) -> None:
        """Plan the next attempt at a message."""
        self._planned[owed.id] = owed.next_at
        if owed.next_at > now:
            heappush(self._later, (owed.next_at, owed.id))
        else:
            self._ripe(owed)

    def ripen(self, now: int) -> None:
        """Let what is due by now take its turn."""
        while self._later and self._later[0][0] <= now:
            at, id = heappop(self._later)
            owed = self._current(id, at)
            if owed is not None:
                self._ripe(owed)

    def forget(self, id: str) -> None:
        """A message has been settled."""
        self._planned.pop(id, None)

    def overdue(self, now: int) -> int:
        """For how many microseconds the message that waits longest for a place has been due; 0 if none waits.

        What waits behind an attempt of its own channel, or is due to a channel that fails, is not pingmon's delay.
        """
        return max(
            (now - self._due[channel][0][0] for channel in self._lines[False] if channel in self._due), default=0
        )

    def _ripe(self, owed: Notification) -> None:
        heappush(self._due.setdefault(owed.channel, []), (owed.next_at, owed.created, owed.id))
        self._line_up(owed.channel)

    def _current(self, id: str, at: int) -> Notification | None:
        """The message, if it is still owed and its attempt is still due at `at`."""
        owed = self._world.owed.get(id)
        if owed is not None and owed.next_at == at:
            return owed
        if self._planned.get(id) == at:
            del self._planned[id]
        return None

    # --- who is next ----------------------------------------------------------------------------------------------

    def next(self) -> Notification | None:
        """The message that goes now; its channel is busy from here on. None if none is due or no place is free."""
        self._next_line = not self._next_line
        for ailing in (self._next_line, not self._next_line):
            while self._lines[ailing] and self._has_place(ailing):
                channel = self._lines[ailing].popleft()
                self._lined.discard(channel)
                owed = self._first(channel)
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
        if channel in self._due and channel not in self._lined and channel not in self._busy:
            known = self._world.channels.get(channel)
            self._lined.add(channel)
            self._lines[known is not None and known.last_error != ""].append(channel)

    def _first(self, channel: Id) -> Notification | None:
        """The channel's first message that is still owed, taken out of its heap."""
        heap = self._due.pop(channel, [])
        while heap:
            at, _, id = heappop(heap)
            owed = self._current(id, at)
            if owed is not None:
                if heap:
                    self._due[channel] = heap
                return owed
        return None

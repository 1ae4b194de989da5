"""One commit for many drafts: they gather on the reactor's thread while the batch before them is being written.

Note [Group commit]
A ping is answered when it is durable, and to make it so costs an fsync: one for each would bound a disk to some
hundred pings a second. So one commit is made at a time, and what arrives meanwhile is the next batch. The busier
pingmon is, the larger its batches are, and one fsync pays for all of a batch.

    append ─▶ buffer ─▶ batch ─▶ commit (engine) ─▶ durable ─▶ each entry: deliver, then tell its waiter
                                                 └▶ failed  ─▶ each waiter: refused; nothing was delivered

The first draft of an idle journal waits for the end of the reactor's turn, so that what else comes in that turn shares
its commit. After a batch of `SIBLINGS` or more the next commit begins `SPACING` after that one at the earliest: a fast
disk would else be given more and smaller batches than anybody is served by, and each costs as much as some pings do
(PostgreSQL's `commit_delay` and `commit_siblings`). A lone pinger never waits, nor does anybody at a slow disk.

The buffer is bounded in number and bytes; what does not fit is refused at once. So memory is never ahead of the disk,
and a commit that fails has changed nothing.

Nothing here knows how a batch is written.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, Generic, TypeAlias, TypeVar

from twisted.internet.defer import Deferred, succeed

from pingmon.core.world.events import Draft, Entry
from pingmon.journal.codec import Row, encoded
from pingmon.journal.entry_delivery import NOBODY, deliver_one, refuse_one
from pingmon.journal.errors import HANGS, JournalFull, JournalUnavailable
from pingmon.journal.interface import Waiter

T = TypeVar("T")

BATCH_ROWS: Final = 2_000
BATCH_BYTES: Final = 4 * 1024 * 1024
BUFFER_BYTES: Final = 64 * 1024 * 1024
SIBLINGS: Final = 8
"""Drafts in a batch that are many enough for the next one to wait for more."""
SPACING: Final = 0.005
"""Seconds from the beginning of such a batch's commit to the next one's."""


Waiting: TypeAlias = tuple[Draft, Row, Waiter[T]]


class GroupCommit(Generic[T]):
    """`commit` begins to write rows; whoever writes them calls `durable` or `failed` when that has ended.

    `later` calls a function so many seconds later, by the clock of `seconds`; 0: in the reactor's next turn. `refused`
    is told the time of the oldest of drafts that are refused, before those hear of it who wait for them.
    """

    def __init__(
        self,
        *,
        commit: Callable[[list[Row]], object],
        deliver: Callable[[Entry], T],
        refused: Callable[[int], object],
        later: Callable[[float, Callable[[], object]], object],
        seconds: Callable[[], float],
        max_buffered: int,
    ) -> None:
        self._commit = commit
        self._deliver = deliver
        self._refused = refused
        self._later = later
        self._seconds = seconds
        self._began = 0.0
        self.max_buffered = max_buffered
        self._buffer: deque[Waiting[T]] = deque()
        self._bytes = 0
        self._committing = 0
        self._busy = False
        self._idle: list[Deferred[None]] = []
        self._batch: list[Waiting[T]] = []
        self._appended = self._ended = 0
        self._deciding: deque[tuple[int, Deferred[None]]] = deque()

    @property
    def buffered(self) -> int:
        """The number of drafts that are not durable yet."""
        return len(self._buffer) + self._committing

    def append_for(self, draft: Draft, waiter: Waiter[T]) -> None:
        """Put a draft into the buffer, or refuse it with JournalFull if that has reached its bound, in number or bytes.

        `waiter` is told what the delivery of its entry returned.
        """
        if len(self._buffer) >= self.max_buffered or self._bytes >= BUFFER_BYTES:
            self._refused(draft.at)
            refuse_one(waiter, JournalFull(f"{len(self._buffer)} entries ({self._bytes} bytes) wait for the disk"))
            return
        row = encoded(draft)
        self._buffer.append((draft, row, waiter))
        self._bytes += len(row.canon)
        self._appended += 1
        if not self._busy:
            self._busy = True
            self._later(0, self._next)  # not at once: what else arrives in this turn of the reactor shares the commit

    def give_up(self) -> None:
        """Refuse all who wait. What is being written may become durable yet, and is then delivered; the rest is not."""
        given_up, dropped = [*self._batch, *self._buffer], len(self._buffer)
        self._batch[:] = [(draft, row, NOBODY) for draft, row, _ in self._batch]
        self._buffer.clear()
        self._bytes = 0
        self._refuse(given_up, HANGS, HANGS)
        self._decide(dropped)

    def _refuse(self, waiting: list[Waiting[T]], cause: str, gist: str) -> None:
        if waiting:
            self._refused(waiting[0][0].at)
        for _, _, waiter in waiting:
            refuse_one(waiter, JournalUnavailable(cause, gist))  # each its own, as whoever raises it writes into it

    def idle(self) -> Deferred[None]:
        """Fires when nothing is buffered or being written any more."""
        if not self._busy:
            return succeed(None)
        waiter: Deferred[None] = Deferred()
        self._idle.append(waiter)
        return waiter

    def decided(self) -> Deferred[None]:
        """Fires when all drafts that were appended by now are delivered or refused."""
        if self._ended == self._appended:
            return succeed(None)
        self._deciding.append((self._appended, Deferred()))
        return self._deciding[-1][1]

    def _decide(self, count: int) -> None:
        self._ended += count
        while self._deciding and self._deciding[0][0] <= self._ended:
            self._deciding.popleft()[1].callback(None)

    def _next(self) -> None:
        self._batch = batch = self._taken()
        self._committing = len(batch)
        if batch:
            self._began = self._seconds()
            self._commit([row for _, row, _ in batch])
            return
        self._busy = False
        waiters, self._idle = self._idle, []
        for waiter in waiters:
            waiter.callback(None)

    def _taken(self) -> list[Waiting[T]]:
        if len(self._buffer) <= BATCH_ROWS and self._bytes <= BATCH_BYTES:
            batch, self._bytes = list(self._buffer), 0
            self._buffer.clear()
            return batch
        batch, size = [], 0
        while self._buffer and len(batch) < BATCH_ROWS and size < BATCH_BYTES:
            batch.append(self._buffer.popleft())
            size += len(batch[-1][1].canon)
        self._bytes -= size
        return batch

    def durable(self, last: int) -> None:
        """The commit is durable, up to entry `last`."""
        batch = self._batch
        wait = self._began + SPACING - self._seconds() if len(batch) >= SIBLINGS else 0
        if 0 < wait <= SPACING and len(self._buffer) < BATCH_ROWS:
            self._batch, self._committing = [], 0
            self._later(wait, self._next)
        else:
            self._next()  # first, so that the disk works while the entries are delivered
        for seq, (draft, _, waiter) in enumerate(batch, last - len(batch) + 1):
            deliver_one(self._deliver, Entry(seq, draft.at, draft.stream, draft.event, draft.payload), waiter)
        self._decide(len(batch))

    def failed(self, error: Exception) -> None:
        """The commit failed."""
        batch = self._batch
        self._next()
        cause, gist = str(error), ""
        if isinstance(error, JournalUnavailable):
            cause, gist = error.cause, error.gist
        self._refuse(batch, cause, gist)
        self._decide(len(batch))

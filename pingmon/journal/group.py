"""Group commit: drafts gather on the reactor's thread while one batch of them is being written.

When that is durable, its entries are delivered in order, and what has gathered is the next batch. So one fsync is paid
for all that came during the one before. Nothing here knows how a batch is written.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final, Generic, TypeAlias, TypeVar

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from pingmon.core.events import Draft, Entry
from pingmon.journal.codec import Row, encoded
from pingmon.journal.errors import JournalFull, JournalUnavailable

log = Logger()

T = TypeVar("T")
Waiting: TypeAlias = tuple[Draft, Row, Deferred[T]]

BATCH_ROWS: Final = 2_000
BATCH_BYTES: Final = 4 * 1024 * 1024
BUFFER_BYTES: Final = 64 * 1024 * 1024
HANGS: Final = "the disk does not answer"


def deliver_one(deliver: Callable[[Entry], T], entry: Entry, done: Deferred[T]) -> None:
    """Fire `done` with what the delivery of `entry` returned or raised. A bug in it must not harm the next entries."""
    try:
        result = deliver(entry)
    except Exception:  # noqa: BLE001 -- whatever it is, it belongs to the one who waits for this entry
        log.failure("delivering entry {seq} of {stream}", seq=entry.seq, stream=entry.stream)
        done.errback(Failure())
    else:
        done.callback(result)


def _unheard() -> Deferred[Any]:
    """A Deferred for which nobody waits any more."""
    return Deferred().addErrback(lambda failure: None)


class GroupCommit(Generic[T]):
    """`commit` writes rows and fires with the seq of the last; `soon` calls a function in the reactor's next turn."""

    def __init__(
        self,
        *,
        commit: Callable[[list[Row]], Deferred[int]],
        deliver: Callable[[Entry], T],
        soon: Callable[[Callable[[], object]], object],
        max_buffered: int,
    ) -> None:
        self._commit = commit
        self._deliver = deliver
        self._soon = soon
        self._max_buffered = max_buffered
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

    def append(self, draft: Draft) -> Deferred[T]:
        """Put a draft into the buffer. JournalFull if that has reached its bound, in number or bytes.

        Fires with the result of its entry's delivery. It has no canceller: cancelling it drops the result only.
        """
        if len(self._buffer) >= self._max_buffered or self._bytes >= BUFFER_BYTES:
            raise JournalFull(f"{len(self._buffer)} entries ({self._bytes} bytes) wait for the disk")
        row = encoded(draft)
        done: Deferred[T] = Deferred()
        self._buffer.append((draft, row, done))
        self._bytes += len(row.canon)
        self._appended += 1
        if not self._busy:
            self._busy = True
            self._soon(self._next)  # not at once: what else arrives in this turn of the reactor shares the commit
        return done

    def give_up(self) -> None:
        """Refuse all who wait. What is being written may become durable yet, and is then delivered; the rest is not."""
        given_up, dropped = [*self._batch, *self._buffer], len(self._buffer)
        self._batch[:] = [(draft, row, _unheard()) for draft, row, _ in self._batch]
        self._buffer.clear()
        self._bytes = 0
        for _, _, done in given_up:
            done.errback(JournalUnavailable(HANGS, HANGS))
        self._decide(dropped)

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
            self._commit([row for _, row, _ in batch]).addCallbacks(
                self._durable, self._refused, callbackArgs=(batch,), errbackArgs=(batch,)
            )
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

    def _durable(self, last: int, batch: list[Waiting[T]]) -> None:
        self._next()  # first, so that the disk works while the entries are delivered
        for seq, (draft, _, done) in enumerate(batch, last - len(batch) + 1):
            deliver_one(self._deliver, Entry(seq, draft.at, draft.stream, draft.event, draft.payload), done)
        self._decide(len(batch))

    def _refused(self, failure: Failure, batch: list[Waiting[T]]) -> None:
        self._next()
        cause, gist = str(failure.value), ""
        if isinstance(failure.value, JournalUnavailable):
            cause, gist = failure.value.cause, failure.value.gist
        for _, _, done in batch:
            done.errback(JournalUnavailable(cause, gist))
        self._decide(len(batch))

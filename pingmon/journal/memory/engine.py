"""A journal in memory, for the tests of what stands on one: the same interface, no file, no thread, no waiting.

It keeps what a real one would keep: events go through their JSON, so that one which cannot be stored fails here too.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Generic, TypeVar

from twisted.internet.defer import Deferred, fail, succeed

from pingmon.core.units import Id
from pingmon.core.world.events import Draft, Entry, Event
from pingmon.core.world.parts import Block, Outdated
from pingmon.journal.codec import Row, decoded, encoded
from pingmon.journal.entry_delivery import NOBODY, Waiter, deliver_one, refuse_one
from pingmon.journal.errors import JournalFull, JournalUnavailable
from pingmon.journal.group_commit import HANGS
from pingmon.journal.health import HealthTracker
from pingmon.journal.values import (
    DEFAULT_RETENTION,
    MEASUREMENTS,
    STOPPED,
    FlipRow,
    JournalHealth,
    Retention,
    Trimmed,
    Window,
    newest_seq,
)

T = TypeVar("T")


class Memory:
    """What survives a restart: give it to the next MemoryJournal."""

    def __init__(self) -> None:
        self.rows: dict[int, Row] = {}
        self.last_seq = 0
        self.state: dict[int, Block] = {}
        self.flips: dict[tuple[int, Id], FlipRow] = {}
        self.snapshot_seq = 0
        self.alive_at: int | None = None

    def entry(self, seq: int) -> Entry:
        """The entry as it is read back."""
        row = self.rows[seq]
        return decoded(seq, row.at, row.stream, row.kind.encode(), row.body.encode(), row.payload)

    def newest_first(self, stream: Id, kind: type[Event], upto: int) -> list[Entry]:
        """The stream's entries with an event of this kind, up to entry `upto`."""
        entries = (self.entry(seq) for seq in sorted(self.rows, reverse=True) if seq <= upto)
        return [entry for entry in entries if entry.stream == stream and isinstance(entry.event, kind)]


class MemoryJournal(Generic[T]):
    """See `SqliteJournal` for the interface.

    With `at_once`, an append is committed and delivered before it returns (or, from within a delivery, after that).
    Otherwise `flush` commits what is buffered. `fail_next` lets the next writes fail; while `hangs_s` is set, nothing
    is taken. `memory` is the disk.
    """

    def __init__(
        self,
        *,
        memory: Memory | None = None,
        retention: Retention = DEFAULT_RETENTION,
        max_buffered: int = 20_000,
        at_once: bool = True,
    ) -> None:
        self.memory = memory or Memory()
        self.at_once = at_once
        self.snapshot_seq = self.last_seq = 0
        self.alive_at: int | None = None
        self._retention = retention
        self._max_buffered = max_buffered
        self._buffer: deque[tuple[Draft, Row, Waiter[T]]] = deque()
        self._deciding: list[Deferred[None]] = []
        self._flips: dict[tuple[int, Id], FlipRow] = {}
        self._deliver: Callable[[Entry], T] | None = None
        self._refused: Callable[[int], object] = lambda at: None
        self._running = False
        self._flushing = False
        self._failures: deque[tuple[str | None, bool]] = deque()
        self._kept: list[int] = []
        self.tracker = HealthTracker()
        self.hangs_s = 0
        self._now = 0

    def open(self, now: int) -> None:
        """Begin where the memory ends. `now` is the time of the health report until something newer is appended."""
        self._now = now
        self.snapshot_seq = self.memory.snapshot_seq
        self.last_seq = self.memory.last_seq
        self.alive_at = self.memory.alive_at

    def load(self) -> Iterator[Block]:
        """The snapshot's blocks, in order."""
        for number in sorted(self.memory.state):
            yield self.memory.state[number]

    def replay(self) -> Iterator[Entry]:
        """The entries after the snapshot, in order."""
        for seq in sorted(self.memory.rows):
            if seq > self.memory.snapshot_seq:
                yield self.memory.entry(seq)

    def upgrade(self) -> None:
        """Memory has no older format."""

    def start(self, deliver: Callable[[Entry], T], refused: Callable[[int], object] = lambda at: None) -> None:
        """As in `SqliteJournal.start`."""
        self._deliver, self._refused = deliver, refused
        self._running = True

    def fail_next(
        self, writes: int = 1, cause: str = "the disk is full", *, after: int = 0, kept: bool = False
    ) -> None:
        """Let `writes` writes (a commit is one, however many entries it has) fail with `cause`, `after` so many.

        `kept`: their entries are in the log all the same, and are found and delivered with the next write.
        """
        self._failures.extend([(None, False)] * after + [(cause, kept)] * writes)

    def append_for(self, draft: Draft, waiter: Waiter[T]) -> None:
        """As in `SqliteJournal.append_for`."""
        if not self._running:
            self._refuse(draft, waiter, JournalUnavailable(STOPPED))
        elif self.hangs_s:
            self._refuse(draft, waiter, JournalUnavailable(HANGS, HANGS))
        elif len(self._buffer) >= self._max_buffered:
            self._refuse(draft, waiter, JournalFull(f"{len(self._buffer)} entries wait"))
        else:
            self._buffer.append((draft, encoded(draft), waiter))
            if self.at_once:
                self.flush()

    def append(self, draft: Draft) -> Deferred[T]:
        """As in `SqliteJournal.append`."""
        done: Deferred[T] = Deferred()
        self.append_for(draft, done)
        return done

    def _refuse(self, draft: Draft, waiter: Waiter[T], error: Exception) -> None:
        self._refused(draft.at)
        refuse_one(waiter, error)

    def flush(self) -> None:
        """Commit what is buffered, as one commit, and deliver it; then what came meanwhile."""
        if self._flushing:
            return
        self._flushing = True
        try:
            while self._buffer:
                batch = list(self._buffer)
                self._buffer.clear()
                self._commit(batch)
        finally:
            self._flushing = False
        waiters, self._deciding = self._deciding, []
        for waiter in waiters:
            waiter.callback(None)

    def _commit(self, batch: list[tuple[Draft, Row, Waiter[T]]]) -> None:
        self._now = max(draft.at for draft, _, _ in batch)
        kept = bool(self._failures) and self._failures[0][1]
        cause = self._write(self._now)
        first = self.memory.last_seq + 1
        if cause is None or kept:
            self.memory.rows.update(enumerate((row for _, row, _ in batch), first))
            self.last_seq = self.memory.last_seq = first + len(batch) - 1
            self.alive_at = self.memory.alive_at = self._now
        if cause is not None:
            self._kept += range(first, self.last_seq + 1) if kept else ()
            self._refused(batch[0][0].at)
            for _, _, waiter in batch:
                refuse_one(waiter, JournalUnavailable(cause, cause))
            return
        self.tracker.committed(self._now, 0.0)
        assert self._deliver is not None
        for seq, (draft, _, waiter) in enumerate(batch, first):
            deliver_one(self._deliver, Entry(seq, draft.at, draft.stream, draft.event, draft.payload), waiter)

    def _write(self, now: int) -> str | None:
        """Take the waiting flips into the memory; or the cause, if this write is to fail."""
        cause, _ = self._failures.popleft() if self._failures else (None, False)
        if cause is not None:
            self.tracker.failed(now, cause, cause)
            return cause
        found, self._kept = self._kept, []
        for seq in found:
            assert self._deliver is not None
            deliver_one(self._deliver, self.memory.entry(seq), NOBODY)
        for key, flip in self._flips.items():
            if flip.anew or key not in self.memory.flips:
                self.memory.flips[key] = flip
        self._flips.clear()
        self.tracker.wrote(now)
        return None

    def decided(self) -> Deferred[None]:
        """As in `SqliteJournal.decided`."""
        if not self._buffer:
            return succeed(None)
        self._deciding.append(Deferred())
        return self._deciding[-1]

    def derive(self, flip: FlipRow) -> None:
        """As in `SqliteJournal.derive`."""
        self._flips[flip.seq, flip.stream] = flip

    def snapshot(
        self, seq: int, blocks: Iterable[Block], alive: int, outdated: Iterable[Outdated] = ()
    ) -> Deferred[None]:
        """As in `SqliteJournal.snapshot`."""
        if not self._running:
            return fail(JournalUnavailable(STOPPED))
        if not self.memory.snapshot_seq <= seq <= self.memory.last_seq:
            return fail(ValueError(f"a snapshot at {seq} in a log that ends at {self.memory.last_seq}"))
        cause = self._write(alive)
        if cause is not None:
            return fail(JournalUnavailable(cause))
        for old in outdated:
            self.memory.state = {n: block for n, block in self.memory.state.items() if not old.holds(block)}
        self.memory.state |= {block.number: block for block in blocks}
        self.snapshot_seq = self.memory.snapshot_seq = seq
        self.alive_at = self.memory.alive_at = alive
        return succeed(None)

    def touch(self, now: int) -> Deferred[None]:
        """As in `SqliteJournal.touch`."""
        if not self._running:
            return fail(JournalUnavailable(STOPPED))
        cause = self._write(now)
        if cause is not None:
            return fail(JournalUnavailable(cause))
        self.alive_at = self.memory.alive_at = now
        return succeed(None)

    def trim(self, now: int, budget_rows: int = 500) -> Deferred[Trimmed]:
        """As in `SqliteJournal.trim`, but all in one step."""
        if not self._running:
            return fail(JournalUnavailable(STOPPED))
        entries = [self.memory.entry(seq) for seq in sorted(self.memory.rows)]
        deleted = sum(self._trim(entries, kind, now) for kind in MEASUREMENTS)
        return succeed(Trimmed(len(entries), deleted, wrapped=True))

    def _trim(self, entries: list[Entry], kind: type[Event], now: int) -> int:
        """Delete what is due of one kind of measurements; their number."""
        gone = {entry.stream for entry in entries if isinstance(entry.event, MEASUREMENTS[kind])}
        measured = [entry for entry in entries if isinstance(entry.event, kind)]
        left = Counter(entry.stream for entry in measured)
        stays: set[Id] = set()
        deleted = 0
        for entry in measured:
            left[entry.stream] -= 1
            newer = left[entry.stream]
            old = newer > 0 and self._retention.too_old(entry.at, now)
            due = old or newer >= self._retention.newest(kind) or entry.stream in gone
            if due and entry.stream not in stays and entry.seq <= self.memory.snapshot_seq:
                del self.memory.rows[entry.seq]
                deleted += 1
            else:
                stays.add(entry.stream)
        return deleted

    def health(self) -> JournalHealth:
        """As in `SqliteJournal.health`; times are those of the drafts."""
        return self.tracker.health(buffered=len(self._buffer), entries_total=self.last_seq, hangs_s=self.hangs_s)

    def stop(self) -> Deferred[None]:
        """Commit what is buffered; take nothing any more."""
        if self._running:
            self.flush()
            self._running = False
            self._write(self._now)
        return succeed(None)

    def events(
        self,
        stream: Id,
        kind: type[Event],
        *,
        upto: int,
        before: int | None = None,
        skip: int = 0,
        limit: int = 100,
    ) -> Deferred[list[Entry]]:
        """As in `SqliteJournal.events`."""
        return succeed(self.memory.newest_first(stream, kind, newest_seq(upto, before))[skip : skip + limit])

    def flips(
        self,
        stream: Id,
        *,
        upto: int,
        start: int | None = None,
        end: int | None = None,
        before: int | None = None,
        limit: int | None = None,
    ) -> Deferred[list[FlipRow]]:
        """As in `SqliteJournal.flips`."""
        window = Window(stream, newest_seq(upto, before), start, end)
        return succeed(window.newest([*self.memory.flips.values(), *self._flips.values()], limit))

    def flips_at(self, seqs: Collection[int]) -> Deferred[list[FlipRow]]:
        """As in `SqliteJournal.flips_at`."""
        kept = (self.memory.flips | self._flips).values()
        return succeed(sorted((flip for flip in kept if flip.seq in seqs), key=lambda flip: (flip.seq, flip.stream)))

    def entries(self, stream: Id | None, *, after: int = 0, limit: int = 100) -> Deferred[list[Entry]]:
        """As in `SqliteJournal.entries`."""
        entries = (self.memory.entry(seq) for seq in sorted(self.memory.rows) if seq > after)
        return succeed([entry for entry in entries if stream in (None, entry.stream)][:limit])

"""A journal in memory, for tests of what stands on one: no file, no thread, no waiting.

It keeps what a real one would keep: events go through their JSON, so that one which cannot be stored fails here too.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import partial
from typing import TypeVar

from twisted.internet.defer import Deferred, fail, succeed

from pingmon.core.units import Id
from pingmon.core.world.events import Draft, Entry, Event
from pingmon.core.world.snapshot_blocks import Block, Outdated
from pingmon.journal.codec import Row, decoded
from pingmon.journal.entry_delivery import NOBODY, deliver_one, refuse_one
from pingmon.journal.errors import HANGS, STOPPED, JournalUnavailable
from pingmon.journal.group_commit import GroupCommit
from pingmon.journal.health import HealthTracker
from pingmon.journal.interface import FlipRow, Journal, JournalHealth, Trimmed, Waiter
from pingmon.journal.pending_flips import PendingFlips, Window, newest_seq, together
from pingmon.journal.retention import DEFAULT_RETENTION, MEASUREMENTS, Retention

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


class MemoryJournal(Journal[T]):
    """With `at_once`, an append is committed and delivered before it returns (or, from within a delivery, after that).

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
        self._turns: deque[Callable[[], object]] = deque()
        self._group: GroupCommit[T] = GroupCommit(
            commit=self._commit,
            deliver=lambda entry: self._deliver(entry),
            refused=lambda at: self._refused(at),
            later=lambda _, call: self._turns.append(call),
            seconds=lambda: 0,
            max_buffered=max_buffered,
        )
        self._pending = PendingFlips()
        self._deliver: Callable[[Entry], T]
        self._refused: Callable[[int], object] = lambda at: None
        self._running = False
        self._flushing = False
        self._failures: deque[tuple[str | None, bool]] = deque()
        self._kept: list[int] = []
        self.tracker = HealthTracker()
        self.hangs_s = 0
        self._now = 0

    # --- life -----------------------------------------------------------------------------------------------------

    def open(self, now: int) -> None:
        self._now = now
        self.snapshot_seq = self.memory.snapshot_seq
        self.last_seq = self.memory.last_seq
        self.alive_at = self.memory.alive_at

    def load(self) -> Iterator[Block]:
        for number in sorted(self.memory.state):
            yield self.memory.state[number]

    def replay(self) -> Iterator[Entry]:
        for seq in sorted(self.memory.rows):
            if seq > self.memory.snapshot_seq:
                yield self.memory.entry(seq)

    def upgrade(self) -> None:
        pass

    def start(self, deliver: Callable[[Entry], T], refused: Callable[[int], object] = lambda at: None) -> None:
        self._deliver, self._refused = deliver, refused
        self._running = True

    def stop(self) -> Deferred[None]:
        if self._running:
            self.flush()
            self._running = False
            self._write(self._now)
        return succeed(None)

    def health(self) -> JournalHealth:
        """Its times are those of the drafts."""
        return self.tracker.health(buffered=self._group.buffered, entries_total=self.last_seq, hangs_s=self.hangs_s)

    # --- what a test lets happen ----------------------------------------------------------------------------------

    def fail_next(
        self, writes: int = 1, cause: str = "the disk is full", *, after: int = 0, kept: bool = False
    ) -> None:
        """Let `writes` writes (a commit is one, however many entries it has) fail with `cause`, `after` so many.

        `kept`: their entries are in the log all the same, and are found and delivered with the next write.
        """
        self._failures.extend([(None, False)] * after + [(cause, kept)] * writes)

    def bound_buffer(self, max_buffered: int) -> None:
        """Let at most so many drafts wait from now on."""
        self._group.max_buffered = max_buffered

    def flush(self) -> None:
        """Commit what is buffered, as one commit, and deliver it; then what came meanwhile."""
        if self._flushing:
            return
        self._flushing = True
        try:
            while self._turns:
                self._turns.popleft()()
        finally:
            self._flushing = False

    # --- writing --------------------------------------------------------------------------------------------------

    def append_for(self, draft: Draft, waiter: Waiter[T]) -> None:
        if not self._running:
            self._refuse(draft, waiter, JournalUnavailable(STOPPED))
        elif self.hangs_s:
            self._refuse(draft, waiter, JournalUnavailable(HANGS, HANGS))
        else:
            self._group.append_for(draft, waiter)
            if self.at_once:
                self.flush()

    def _refuse(self, draft: Draft, waiter: Waiter[T], error: Exception) -> None:
        self._refused(draft.at)
        refuse_one(waiter, error)

    def _commit(self, rows: list[Row]) -> None:
        self._now = max(row.at for row in rows)
        kept = bool(self._failures) and self._failures[0][1]
        cause = self._write(self._now)
        first = self.memory.last_seq + 1
        if cause is None or kept:
            self.memory.rows.update(enumerate(rows, first))
            self.last_seq = self.memory.last_seq = first + len(rows) - 1
            self.alive_at = self.memory.alive_at = self._now
        if cause is not None:
            self._kept += range(first, self.last_seq + 1) if kept else ()
            self._turns.append(partial(self._group.failed, JournalUnavailable(cause, cause)))
        else:
            self.tracker.committed(self._now, 0.0)
            self._turns.append(partial(self._group.durable, self.last_seq))

    def _write(self, now: int) -> str | None:
        """Take the waiting flips into the memory; or the cause, if this write is to fail."""
        cause, _ = self._failures.popleft() if self._failures else (None, False)
        if cause is not None:
            self.tracker.failed(now, cause, cause)
            return cause
        found, self._kept = self._kept, []
        for seq in found:
            deliver_one(self._deliver, self.memory.entry(seq), NOBODY)
        flips = self._pending.all()
        for flip in flips:
            if flip.anew or (flip.seq, flip.stream) not in self.memory.flips:
                self.memory.flips[flip.seq, flip.stream] = flip
        self._pending.written(flips)
        self.tracker.wrote(now)
        return None

    def decided(self) -> Deferred[None]:
        return self._group.decided()

    def derive(self, flip: FlipRow) -> None:
        self._pending.add(flip)

    def snapshot(
        self, seq: int, blocks: Iterable[Block], alive: int, outdated: Iterable[Outdated] = ()
    ) -> Deferred[None]:
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
        if not self._running:
            return fail(JournalUnavailable(STOPPED))
        cause = self._write(now)
        if cause is not None:
            return fail(JournalUnavailable(cause))
        self.alive_at = self.memory.alive_at = now
        return succeed(None)

    # --- trimming and history -------------------------------------------------------------------------------------

    def trim(self, now: int, budget_rows: int = 500) -> Deferred[Trimmed]:
        """All in one step."""
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
        window = Window(stream, newest_seq(upto, before), start, end)
        return succeed(window.newest([*self.memory.flips.values(), *self._pending.all()], limit))

    def flips_at(self, seqs: Collection[int]) -> Deferred[list[FlipRow]]:
        written = (flip for flip in self.memory.flips.values() if flip.seq in seqs)
        return succeed(together(written, self._pending.at(seqs)))

    def entries(self, stream: Id | None, *, after: int = 0, limit: int = 100) -> Deferred[list[Entry]]:
        entries = (self.memory.entry(seq) for seq in sorted(self.memory.rows) if seq > after)
        return succeed([entry for entry in entries if stream in (None, entry.stream)][:limit])

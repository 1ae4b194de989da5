"""The engine of the daemon: one SQLite file, one thread that writes, two that read."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar, TypeVarTuple

from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from pingmon.core.units import SECOND, Id
from pingmon.core.world.events import Draft, Entry, Event
from pingmon.core.world.parts import Block, Outdated
from pingmon.journal.codec import Row
from pingmon.journal.entry_delivery import NOBODY, Waiter, deliver_one, refuse_one
from pingmon.journal.errors import JournalDamaged, JournalUnavailable, translated
from pingmon.journal.group_commit import HANGS, GroupCommit
from pingmon.journal.health import HealthTracker
from pingmon.journal.sqlite.commit_chain import LogEnd, replayed
from pingmon.journal.sqlite.disk_timeout import DiskTimeout
from pingmon.journal.sqlite.history_queries import read_entries, read_events, read_flips, read_flips_at
from pingmon.journal.sqlite.readers import Readers
from pingmon.journal.sqlite.stream_index import PART
from pingmon.journal.sqlite.threads import JournalThreads, Reactor
from pingmon.journal.sqlite.writer import Writer
from pingmon.journal.values import (
    DEFAULT_RETENTION,
    STOPPED,
    FlipRow,
    JournalHealth,
    Retention,
    Trimmed,
    Window,
    newest_seq,
)

log = Logger()

T = TypeVar("T")
R = TypeVar("R")
A = TypeVarTuple("A")


class _Write(Generic[R]):
    """A write that is under way on the writer's thread, and the flips that it takes along. It waits for its end."""

    __slots__ = ("_badly", "_flips", "_journal", "_well")

    def __init__(
        self,
        journal: SqliteJournal[Any],
        flips: tuple[FlipRow, ...],
        well: Callable[[R], object],
        badly: Callable[[Exception], object],
    ) -> None:
        self._journal = journal
        self._flips = flips
        self._well = well
        self._badly = badly

    def callback(self, result: R) -> None:
        self._journal._wrote(self._flips)
        self._well(result)

    def errback(self, error: Exception) -> None:
        self._journal._not_written(error)
        self._badly(error)


class SqliteJournal(Generic[T]):
    """A journal in the file `path`. `T` is what the delivery of an entry returns.

    Nothing is read or written before `open`. `begun`: there has been one here, so that none is begun if it is missing.
    At most `max_buffered` drafts (and 64 MB of them) wait for a commit.
    All methods belong to the reactor's thread. Cancelling a Deferred drops its result, never the work: an entry
    whose Deferred was cancelled is committed and delivered in its turn.
    """

    snapshot_seq: int
    """The entry that the snapshot stands at, as found by `open`, then as saved; 0: there is no snapshot."""
    last_seq: int
    """The newest entry known to be durable."""
    alive_at: int | None
    """The last sign of life on disk, in microseconds since the epoch: a commit, heartbeat or snapshot. None: never."""

    def __init__(
        self,
        path: Path,
        *,
        reactor: Reactor,
        retention: Retention = DEFAULT_RETENTION,
        max_buffered: int = 20_000,
        begun: bool = False,
    ) -> None:
        self.snapshot_seq = self.last_seq = 0
        self.alive_at = None
        self._path = path
        self._begun = begun
        self._reactor = reactor
        self._max_buffered = max_buffered
        self._writer = Writer(path, retention, self._found)
        self._thread = JournalThreads(reactor, 1, "pingmon-journal-write")
        self._readers = Readers(path, reactor, lambda: self._writer.renewals)
        self._health = HealthTracker()
        self._group: GroupCommit[T] | None = None
        self._deliver: Callable[[Entry], T] | None = None
        self._refused: Callable[[int], object] = lambda at: None
        self._flips: dict[tuple[int, Id], FlipRow] = {}
        self._stopping: Deferred[None] | None = None
        self._placed = 0
        self._commit_began = 0.0
        self._timeout = DiskTimeout(reactor, self._given_up)

    # --- before the first write -----------------------------------------------------------------------------------

    def open(self, now: int) -> None:
        """Open the file, or begin a new journal at `now` (microseconds since the epoch). Blocks.

        To be called after the daemon has forked: a SQLite connection does not survive a fork.

        Raises JournalDamaged, JournalFormatError or JournalUnavailable. All files are then as they were, also if it is
        stopped before it was started.
        """
        self._writer.open(now, begun=self._begun)
        self.snapshot_seq = self._writer.meta.snapshot_seq
        self.last_seq = self._writer.log_end.last
        self.alive_at = self._writer.alive_at

    def load(self) -> Iterator[Block]:
        """The snapshot's blocks, in order. Blocks. To be read to their end before any of them is used.

        Raises, perhaps after the last of them, SnapshotDamaged: forget them, there is no snapshot, the log alone gives
        the state; or JournalDamaged.
        """
        try:
            with translated(self._path):
                yield from self._writer.state()
        finally:
            self.snapshot_seq = self._writer.meta.snapshot_seq

    def replay(self) -> Iterator[Entry]:
        """The entries after the snapshot, in order, checked against the hashes of their commits. Blocks.

        Raises JournalDamaged, and JournalFormatError for an event that a newer pingmon wrote.
        """
        with translated(self._path):
            yield from replayed(self._writer.reader(), self._writer.meta)

    def upgrade(self) -> None:
        """Bring a journal of an older format to this one, once all of it was read. Blocks, for a million entries some
        seconds; the log is told.

        Raises JournalDamaged or JournalUnavailable; the journal then has the format that it had.
        """
        self._writer.upgrade()

    def start(self, deliver: Callable[[Entry], T], refused: Callable[[int], object] = lambda at: None) -> None:
        """Start the threads. From now on `deliver` gets each entry, once and in order, when it is durable.

        When drafts are refused, `refused` gets the time of the oldest of them, before those hear of it who wait.
        """
        self._writer.reader()
        self._placed = self._writer.meta.placed
        self._deliver, self._refused = deliver, refused
        self._group = GroupCommit(
            commit=self._commit,
            deliver=deliver,
            refused=refused,
            soon=partial(self._reactor.callLater, 0),  # callFromThread wakes a reactor by a socket, which costs 9 µs
            max_buffered=self._max_buffered,
        )
        self._thread.start()
        self._readers.start()
        self._timeout.start()

    # --- writing --------------------------------------------------------------------------------------------------

    def append_for(self, draft: Draft, waiter: Waiter[T]) -> None:
        """Add a draft to the log. `waiter` is told, in the log's order, what the delivery of its entry returned.

        Or one of these: JournalFull, at once, if the buffer is full; JournalUnavailable if the commit failed, if the
        disk does not answer or if the journal is stopped; what the delivery raised. After JournalUnavailable the entry
        may still be found in the log, or become durable when the disk answers; then it is delivered.

        Raises what `codec.encoded` raises for a draft that cannot be kept.
        """
        if self._group is None or self._stopping is not None:
            self._refuse(draft, waiter, JournalUnavailable(STOPPED))
        elif self._timeout.hangs_s:
            self._refuse(draft, waiter, JournalUnavailable(HANGS, HANGS))
        else:
            self._group.append_for(draft, waiter)

    def append(self, draft: Draft) -> Deferred[T]:
        """As `append_for`, for one who waits with a Deferred. It has no canceller."""
        done: Deferred[T] = Deferred()
        self.append_for(draft, done)
        return done

    def _refuse(self, draft: Draft, waiter: Waiter[T], error: Exception) -> None:
        self._refused(draft.at)
        refuse_one(waiter, error)

    def decided(self) -> Deferred[None]:
        """Fires when all that was appended by now is delivered or refused; it does not fail."""
        return succeed(None) if self._group is None else self._group.decided()

    def derive(self, flip: FlipRow) -> None:
        """Keep a flip; it is written with the next commit, heartbeat or snapshot, unless its key is taken already."""
        self._flips[flip.seq, flip.stream] = flip

    def snapshot(
        self, seq: int, blocks: Iterable[Block], alive: int, outdated: Iterable[Outdated] = ()
    ) -> Deferred[None]:
        """Save blocks of the state as it is after entry `seq`, with a sign of life at `alive` (microseconds).

        One transaction, flips included; errbacks with JournalUnavailable with nothing changed. `blocks` is walked over
        on the writer's thread, so that encoding a large state holds up nothing.
        """

        def saved(_: None) -> None:
            self.snapshot_seq, self.alive_at = seq, alive

        return self._awaited(
            lambda: self._write(self._writer.snapshot, seq, blocks, alive, outdated).addCallback(saved)
        )

    def touch(self, now: int) -> Deferred[None]:
        """Write a sign of life (microseconds since the epoch), durably. Errbacks with JournalUnavailable."""

        def touched(_: None) -> None:
            self.alive_at = now

        return self._awaited(lambda: self._write(self._writer.touch, now).addCallback(touched))

    def trim(self, now: int, budget_rows: int = 500) -> Deferred[Trimmed]:
        """One step of the retention at `now` (microseconds), on the writer's thread, for some milliseconds.

        Errbacks with JournalUnavailable, or JournalDamaged if what should go is not what was written (and stays).
        """
        if not self._running:
            return fail(JournalUnavailable(STOPPED))
        return self._thread.run(self._writer.trim, now, budget_rows).addErrback(self._damaged)

    def health(self) -> JournalHealth:
        """How the journal is, as known on the reactor's thread."""
        buffered = self._group.buffered if self._group is not None else 0
        hangs_s = self._timeout.hangs_s
        return self._health.health(buffered=buffered, entries_total=self.last_seq, hangs_s=hangs_s)

    def stop(self) -> Deferred[None]:
        """Write what is buffered, close the file, end the threads. Fires when that is true; it does not fail.

        If the disk does not answer, it fires after some seconds, and nothing more is done.
        """
        if self._stopping is None:
            self._stopping = Deferred()
            if self._group is None:
                with log.failuresHandled("closing the journal"):
                    self._writer.abandon()
                self._stopping.callback(None)
            else:
                self._group.idle().addCallback(self._close, self._stopping)
        done: Deferred[None] = Deferred()
        self._stopping.addCallback(lambda _: done.callback(None))
        return done

    # --- history: private threads with read-only connections -------------------------------------------------------

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
        """Entries of a stream with an event of this kind, with seq <= `upto` and < `before`, newest first.

        At most `limit`, without the `skip` newest: passing over 100,000 takes 20 ms. Errbacks with JournalUnavailable
        or JournalDamaged.
        """
        last = newest_seq(upto, before)
        return self._read(lambda db: read_events(db, stream, kind, last, limit, skip))

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
        """Flips of a stream with seq <= `upto` and < `before`, and `start` <= at < `end` (microseconds), newest first.

        Those that wait for the next write are among them. Errbacks with JournalUnavailable or JournalDamaged.
        """
        window = Window(stream, newest_seq(upto, before), start, end)
        waiting = list(self._flips.values())
        found = self._read(lambda db: read_flips(db, window, limit))
        return found.addCallback(lambda rows: window.newest([*rows, *waiting], limit))

    def flips_at(self, seqs: Collection[int]) -> Deferred[list[FlipRow]]:
        """All that was derived under these entries, whatever its stream, in order of entry and stream.

        At most 1,000 entries may be asked for. Errbacks with JournalUnavailable or JournalDamaged.
        """
        waiting = {key: flip for key, flip in self._flips.items() if flip.seq in seqs}

        def whole(rows: list[FlipRow]) -> list[FlipRow]:
            kept = {(row.seq, row.stream): row for row in rows} | waiting
            return [kept[key] for key in sorted(kept)]

        return self._read(lambda db: read_flips_at(db, seqs)).addCallback(whole)

    def entries(self, stream: Id | None, *, after: int = 0, limit: int = 100) -> Deferred[list[Entry]]:
        """Up to `limit` entries with seq > `after`, in order, of one stream or of all (None).

        Errbacks with JournalUnavailable, JournalDamaged, or JournalFormatError for an event of a newer pingmon.
        """
        return self._read(lambda db: read_entries(db, stream, after, limit))

    def _read(self, query: Callable[[sqlite3.Connection], R]) -> Deferred[R]:
        """The result of `query`; its end is kept in mind."""

        def well(result: R) -> R:
            self._health.read(None)
            return result

        def badly(failure: Failure) -> Failure:
            if failure.check(JournalUnavailable):
                self._health.read(failure.getErrorMessage())
            return self._damaged(failure)

        return self._readers.run(query).addCallbacks(well, badly) if self._running else self._readers.run(query)

    def _damaged(self, failure: Failure) -> Failure:
        if isinstance(failure.value, JournalDamaged):
            self._health.damaged(failure.value.damage)
        return failure

    # --- the writer's thread ----------------------------------------------------------------------------------------

    @property
    def _running(self) -> bool:
        return self._group is not None and self._stopping is None

    def _now(self) -> int:
        return int(self._reactor.seconds() * SECOND)

    def _write_for(
        self,
        well: Callable[[R], object],
        badly: Callable[[Exception], object],
        work: Callable[[tuple[FlipRow, ...], *A], R],
        *args: *A,
    ) -> None:
        """Hand one write, with the flips that wait, to the writer's thread; tell of its end once the journal knows."""
        flips = tuple(self._flips.values())
        self._timeout.begun()
        self._thread.run_for(_Write(self, flips, well, badly), work, flips, *args)

    def _write(self, work: Callable[[tuple[FlipRow, ...], *A], R], *args: *A) -> Deferred[R]:
        done: Deferred[R] = Deferred()
        self._write_for(done.callback, done.errback, work, *args)
        return done

    def _wrote(self, flips: tuple[FlipRow, ...]) -> None:
        """A write has ended well, and with it these flips are on disk."""
        self._timeout.ended()
        for flip in flips:
            key = (flip.seq, flip.stream)
            if self._flips.get(key) is flip:  # not if it was derived anew meanwhile
                del self._flips[key]
        self._health.wrote(self._now())

    def _not_written(self, error: Exception) -> None:
        """A write has failed."""
        self._timeout.ended()
        gist = error.gist if isinstance(error, JournalUnavailable) else ""
        self._health.failed(self._now(), str(error), gist)
        if isinstance(error, JournalDamaged):
            self._health.damaged(error.damage)

    def _awaited(self, write: Callable[[], Deferred[None]]) -> Deferred[None]:
        if not self._running:
            return fail(JournalUnavailable(STOPPED))
        if self._timeout.hangs_s:
            return fail(JournalUnavailable(HANGS, HANGS))
        return self._timeout.awaited(write())

    def _given_up(self) -> None:
        if self._group is not None:
            self._group.give_up()
        if self._stopping is not None:
            self._ended(Failure(JournalUnavailable(HANGS, HANGS)), self._stopping)

    def _commit(self, rows: list[Row]) -> None:
        assert self._group is not None
        self._commit_began = self._reactor.seconds()
        self._write_for(self._committed, self._group.failed, self._writer.commit, rows)

    def _committed(self, end: LogEnd) -> None:
        assert self._group is not None
        self._health.committed(self._now(), self._reactor.seconds() - self._commit_began)
        self.last_seq, self.alive_at = end.last, end.at
        if end.last - self._placed >= PART:
            self._place(end.last)
        self._group.durable(end.last)

    def _place(self, last: int) -> None:
        """Have entries given their place; what fails is tried again when as many more have come."""
        self._placed = last
        self._thread.run(self._writer.place).addErrback(self._damaged).addErrback(self._not_placed)

    def _not_placed(self, failure: Failure) -> None:
        if not failure.check(JournalDamaged, JournalUnavailable):  # what is wrong with the disk, commits will tell
            log.failure("while entries were given their place", failure)

    def _found(self, entries: list[Entry]) -> None:
        self._reactor.callFromThread(self._deliver_found, entries)

    def _deliver_found(self, entries: list[Entry]) -> None:
        self.last_seq = entries[-1].seq
        for entry in entries:
            if self._deliver is not None:
                deliver_one(self._deliver, entry, NOBODY)

    def _close(self, _: None, stopping: Deferred[None]) -> None:
        flips = tuple(self._flips.values())
        self._timeout.begun()
        self._thread.run(self._writer.close, flips).addBoth(self._closed, stopping)

    def _closed(self, result: Failure | None, stopping: Deferred[None]) -> None:
        self._timeout.ended()
        self._ended(result, stopping)

    def _ended(self, result: Failure | None, stopping: Deferred[None]) -> None:
        if stopping.called:
            return  # the disk has answered in the end
        if result is not None:
            log.warn("the journal was not closed in full: {error}", error=result.getErrorMessage())
        if not self._timeout.is_over:
            self._thread.stop()
            self._readers.stop()
        self._timeout.stop()
        stopping.callback(None)

"""The engine of the daemon: one SQLite file, one thread that writes, two that read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from pingmon.core.world.events import Draft, Entry
from pingmon.core.world.snapshot_blocks import Block, Outdated
from pingmon.journal.codec import Row
from pingmon.journal.entry_delivery import NOBODY, deliver_one, refuse_one
from pingmon.journal.errors import HANGS, STOPPED, JournalDamaged, JournalUnavailable
from pingmon.journal.group_commit import GroupCommit
from pingmon.journal.interface import FlipRow, Journal, JournalHealth, Reactor, Trimmed, Waiter
from pingmon.journal.retention import DEFAULT_RETENTION, Retention
from pingmon.journal.sqlite.commit_chain import LogEnd, replayed
from pingmon.journal.sqlite.error_codes import translated
from pingmon.journal.sqlite.history import SqliteHistory
from pingmon.journal.sqlite.stream_index import PART
from pingmon.journal.sqlite.write_side import WriteSide
from pingmon.journal.sqlite.writer import Writer

log = Logger()

T = TypeVar("T")


class SqliteJournal(SqliteHistory, Journal[T]):
    """A journal in the file `path`, which is neither read nor written before `open`.

    `begun`: there has been one here, so that none is begun if it is missing. At most `max_buffered` drafts (and 64 MB
    of them) wait for a commit.
    """

    def __init__(
        self,
        path: Path,
        *,
        reactor: Reactor,
        retention: Retention = DEFAULT_RETENTION,
        max_buffered: int = 20_000,
        begun: bool = False,
    ) -> None:
        super().__init__(path, reactor, lambda: self._writer.renewals)
        self.snapshot_seq = self.last_seq = 0
        self.alive_at: int | None = None
        self._path = path
        self._begun = begun
        self._reactor = reactor
        self._max_buffered = max_buffered
        self._writer = Writer(path, retention, self._found)
        self._writes = WriteSide(reactor, self._health, self._pending, self._given_up)
        self._group: GroupCommit[T] | None = None
        self._deliver: Callable[[Entry], T] | None = None
        self._refused: Callable[[int], object] = lambda at: None
        self._stopping: Deferred[None] | None = None
        self._placed = 0
        self._commit_began = 0.0

    # --- before the first write -----------------------------------------------------------------------------------

    def open(self, now: int) -> None:
        self._writer.open(now, begun=self._begun)
        self.snapshot_seq = self._writer.meta.snapshot_seq
        self.last_seq = self._writer.log_end.last
        self.alive_at = self._writer.alive_at

    def load(self) -> Iterator[Block]:
        try:
            with translated(self._path):
                yield from self._writer.state()
        finally:
            self.snapshot_seq = self._writer.meta.snapshot_seq

    def replay(self) -> Iterator[Entry]:
        with translated(self._path):
            yield from replayed(self._writer.reader(), self._writer.meta)

    def upgrade(self) -> None:
        self._writer.upgrade()

    def start(self, deliver: Callable[[Entry], T], refused: Callable[[int], object] = lambda at: None) -> None:
        self._writer.reader()
        self._placed = self._writer.meta.placed
        self._deliver, self._refused = deliver, refused
        self._group = GroupCommit(
            commit=self._commit,
            deliver=deliver,
            refused=refused,
            later=self._reactor.callLater,  # callFromThread wakes a reactor by a socket, which costs 9 µs
            seconds=self._reactor.seconds,
            max_buffered=self._max_buffered,
        )
        self._readers.start()
        self._writes.start()

    # --- writing --------------------------------------------------------------------------------------------------

    def append_for(self, draft: Draft, waiter: Waiter[T]) -> None:
        if self._group is None or self._stopping is not None:
            self._refuse(draft, waiter, JournalUnavailable(STOPPED))
        elif self._writes.timeout.hangs_s:
            self._refuse(draft, waiter, JournalUnavailable(HANGS, HANGS))
        else:
            self._group.append_for(draft, waiter)

    def _refuse(self, draft: Draft, waiter: Waiter[T], error: Exception) -> None:
        self._refused(draft.at)
        refuse_one(waiter, error)

    def decided(self) -> Deferred[None]:
        return succeed(None) if self._group is None else self._group.decided()

    def derive(self, flip: FlipRow) -> None:
        self._pending.add(flip)

    def snapshot(
        self, seq: int, blocks: Iterable[Block], alive: int, outdated: Iterable[Outdated] = ()
    ) -> Deferred[None]:
        def saved(_: None) -> None:
            self.snapshot_seq, self.alive_at = seq, alive

        if not self._running:
            return fail(JournalUnavailable(STOPPED))
        return self._writes.write(saved, self._writer.snapshot, seq, blocks, alive, outdated)

    def touch(self, now: int) -> Deferred[None]:
        def touched(_: None) -> None:
            self.alive_at = now

        if not self._running:
            return fail(JournalUnavailable(STOPPED))
        return self._writes.write(touched, self._writer.touch, now)

    def trim(self, now: int, budget_rows: int = 500) -> Deferred[Trimmed]:
        if not self._running:
            return fail(JournalUnavailable(STOPPED))
        return self._writes.run(self._writer.trim, now, budget_rows)

    @property
    def _running(self) -> bool:
        return self._group is not None and self._stopping is None

    def _commit(self, rows: list[Row]) -> None:
        assert self._group is not None
        self._commit_began = self._reactor.seconds()
        self._writes.write_for(self._committed, self._group.failed, self._writer.commit, rows)

    def _committed(self, end: LogEnd) -> None:
        assert self._group is not None
        self._health.committed(self._writes.now(), self._reactor.seconds() - self._commit_began)
        self.last_seq, self.alive_at = end.last, end.at
        if end.last - self._placed >= PART:
            self._place(end.last)
        self._group.durable(end.last)

    def _place(self, last: int) -> None:
        """Have entries given their place; what fails is tried again when as many more have come."""
        self._placed = last
        self._writes.run(self._writer.place).addErrback(self._not_placed)

    def _not_placed(self, failure: Failure) -> None:
        if not failure.check(JournalDamaged, JournalUnavailable):  # what is wrong with the disk, commits will tell
            log.failure("an error while indexing entries by their streams", failure)

    def _found(self, entries: list[Entry]) -> None:
        self._reactor.callFromThread(self._deliver_found, entries)

    def _deliver_found(self, entries: list[Entry]) -> None:
        self.last_seq = entries[-1].seq
        for entry in entries:
            if self._deliver is not None:
                deliver_one(self._deliver, entry, NOBODY)

    # --- how it is, and its end -----------------------------------------------------------------------------------

    def health(self) -> JournalHealth:
        buffered = self._group.buffered if self._group is not None else 0
        hangs_s = self._writes.timeout.hangs_s
        return self._health.health(buffered=buffered, entries_total=self.last_seq, hangs_s=hangs_s)

    def stop(self) -> Deferred[None]:
        if self._stopping is None:
            self._stopping = Deferred()
            if self._group is None:
                with log.failuresHandled("an error while closing the journal"):
                    self._writer.abandon()
                self._stopping.callback(None)
            else:
                self._group.idle().addCallback(self._close, self._stopping)
        done: Deferred[None] = Deferred()
        self._stopping.addCallback(lambda _: done.callback(None))
        return done

    def _close(self, _: None, stopping: Deferred[None]) -> None:
        self._writes.close(self._writer.close).addBoth(self._ended, stopping)

    def _given_up(self) -> None:
        if self._group is not None:
            self._group.give_up()
        if self._stopping is not None:
            self._ended(Failure(JournalUnavailable(HANGS, HANGS)), self._stopping)

    def _ended(self, result: Failure | None, stopping: Deferred[None]) -> None:
        if stopping.called:
            return  # the disk has answered in the end
        if result is not None:
            log.warn("pingmon could not close the journal in full: {error}", error=result.getErrorMessage())
        if self._writes.stop():
            self._readers.stop()
        stopping.callback(None)

"""Group commit bounds what one commit holds and what waits, and fails a batch as a whole."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.python.failure import Failure

from pingmon.core.world.events import Draft, Entry
from pingmon.journal import JournalFull, JournalUnavailable, MemoryJournal
from pingmon.journal.codec import Row
from pingmon.journal.group_commit import BATCH_BYTES, BATCH_ROWS, BUFFER_BYTES, SIBLINGS, SPACING, GroupCommit
from pingmon.testing import START, result

Ping = Callable[..., Draft]


class Disk:
    """Commits that the test ends by hand."""

    def __init__(self) -> None:
        self.batches: list[list[Row]] = []
        self.ended = 0
        self.last = 0
        self.clock = Clock()
        self.refused: list[int] = []
        self.group: GroupCommit[int] = GroupCommit(
            commit=self.commit,
            deliver=self.deliver,
            refused=self.refused.append,
            later=self.clock.callLater,
            seconds=self.clock.seconds,
            max_buffered=10_000,
        )

    def append(self, draft: Draft) -> Deferred[int]:
        done: Deferred[int] = Deferred()
        self.group.append_for(draft, done)
        return done

    def commit(self, rows: list[Row]) -> None:
        assert self.ended == len(self.batches), "one at a time"
        self.batches.append(rows)

    def deliver(self, entry: Entry) -> int:
        return entry.seq

    def turn(self) -> None:
        """The reactor's next turn."""
        self.clock.advance(0)

    def confirm(self) -> None:
        self.last += len(self.batches[-1])
        self.ended += 1
        self.group.durable(self.last)

    def refuse(self) -> None:
        self.ended += 1
        self.group.failed(JournalUnavailable("the disk is full"))


@pytest.fixture
def disk() -> Disk:
    return Disk()


def test_nobody_waits_for_ever_and_what_was_being_written_is_delivered_all_the_same(disk: Disk, ping: Ping) -> None:
    """Who is refused knows nothing: what was being written counts when it is durable, what was not has not happened."""
    delivered: list[int] = []

    def deliver(entry: Entry) -> int:
        delivered.append(entry.seq)
        return entry.seq

    disk.group._deliver = deliver
    waiting = [disk.append(ping())]
    disk.turn()
    waiting.append(disk.append(ping()))
    decided = disk.group.decided()
    failed: list[str] = []

    def refused(failure: Failure) -> int:
        failed.append(failure.getErrorMessage())
        return 0

    for each in waiting:
        each.addErrback(refused)
    disk.group.give_up()
    assert failed == ["the disk does not answer"] * 2
    assert disk.refused == [START]
    assert (delivered, decided.called) == ([], False)
    disk.confirm()
    assert (delivered, decided.called) == ([1], True)
    disk.append(ping())
    disk.turn()
    assert [len(batch) for batch in disk.batches] == [1, 1]
    disk.confirm()
    assert delivered == [1, 2]


def test_what_comes_in_one_turn_is_one_commit_and_what_comes_meanwhile_the_next(disk: Disk, ping: Ping) -> None:
    for _ in range(3):
        disk.append(ping())
    disk.turn()
    for _ in range(5):
        disk.append(ping())
    disk.turn()
    assert [len(batch) for batch in disk.batches] == [3]
    disk.confirm()
    assert [len(batch) for batch in disk.batches] == [3, 5]


@pytest.mark.parametrize(("rows", "takes", "waits"), [(SIBLINGS, 0.001, True), (SIBLINGS - 1, 0.001, False)])
def test_after_a_batch_of_siblings_the_next_commit_waits_for_more_of_them(
    disk: Disk, ping: Ping, rows: int, takes: float, waits: bool
) -> None:
    done = [disk.append(ping()) for _ in range(rows)]
    disk.turn()
    late = disk.append(ping())
    disk.clock.advance(takes)
    disk.confirm()
    assert all(one.called for one in done), "nobody waits for the next commit's sake"
    assert (len(disk.batches), disk.group.buffered) == (1 if waits else 2, 1)
    disk.append(ping())
    disk.clock.advance(SPACING - takes)
    assert [len(batch) for batch in disk.batches] == [rows, 2 if waits else 1]
    assert not late.called


def test_a_disk_that_is_slow_is_given_the_next_batch_at_once(disk: Disk, ping: Ping) -> None:
    for _ in range(SIBLINGS):
        disk.append(ping())
    disk.turn()
    disk.append(ping())
    disk.clock.advance(SPACING)
    disk.confirm()
    assert [len(batch) for batch in disk.batches] == [SIBLINGS, 1]


def test_who_waits_between_two_commits_is_refused_when_the_disk_is_given_up(disk: Disk, ping: Ping) -> None:
    """What the first of them made durable stays so."""
    done = [disk.append(ping()) for _ in range(SIBLINGS)]
    disk.turn()
    late = disk.append(ping())
    disk.confirm()
    disk.group.give_up()
    with pytest.raises(JournalUnavailable):
        result(late)
    disk.clock.advance(SPACING)
    assert disk.group.idle().called
    assert [one.result for one in done] == list(range(1, SIBLINGS + 1))
    assert len(disk.batches) == 1


def test_one_commit_is_bounded_in_rows(disk: Disk, ping: Ping) -> None:
    done = [disk.append(ping()) for _ in range(BATCH_ROWS + 1)]
    disk.turn()
    assert len(disk.batches[0]) == BATCH_ROWS
    assert disk.group.buffered == BATCH_ROWS + 1
    disk.clock.advance(SPACING)
    disk.confirm()
    assert len(disk.batches[1]) == 1
    disk.confirm()
    assert [one.result for one in done] == list(range(1, BATCH_ROWS + 2))
    assert disk.group.buffered == 0


def test_one_commit_and_the_buffer_are_bounded_in_bytes(disk: Disk, ping: Ping) -> None:
    big = bytes(1024 * 1024)
    for _ in range(BUFFER_BYTES // len(big)):
        disk.append(ping(payload=big))
    with pytest.raises(JournalFull, match="bytes"):
        result(disk.append(ping()))
    disk.turn()
    assert len(disk.batches[0]) == BATCH_BYTES // len(big)
    disk.append(ping(payload=big))


def test_idle_waits_for_all_that_was_buffered(disk: Disk, ping: Ping) -> None:
    assert disk.group.idle().called
    disk.append(ping())
    idle = disk.group.idle()
    disk.turn()
    disk.append(ping())
    disk.confirm()
    assert not idle.called
    disk.confirm()
    assert idle.called


def test_a_batch_fails_as_a_whole_and_the_next_is_tried(disk: Disk, ping: Ping) -> None:
    """Before anybody who waits hears of it, the time of the oldest entry is told."""
    told: list[tuple[str, list[int]]] = []

    def hear(failure: Failure) -> int:
        told.append((failure.getErrorMessage(), list(disk.refused)))
        return 0

    for n in range(2):
        disk.append(ping(START + n)).addErrback(hear)
    disk.turn()
    later = disk.append(ping())
    disk.refuse()
    assert told == [("the disk is full", [START])] * 2
    disk.confirm()
    assert later.result == 1
    assert disk.refused == [START]


def test_a_memory_journal_can_be_told_to_fail(ping: Ping) -> None:
    journal: MemoryJournal[int] = MemoryJournal()
    journal.open(START)
    journal.start(lambda entry: entry.seq)
    journal.fail_next(2)
    told: list[object] = []
    with capturedLogs() as logged:
        journal.append(ping()).addBoth(told.append)
        journal.touch(START).addBoth(told.append)
        assert journal.health().failing_since == START
        journal.append(ping()).addBoth(told.append)
    assert journal.health().failing_since is None
    assert [getattr(one, "value", one).__class__ for one in told] == [JournalUnavailable, JournalUnavailable, int]
    assert [event["log_level"].name for event in logged] == ["error", "info"]

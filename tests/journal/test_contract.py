"""What every journal promises to the rest of pingmon, whichever engine keeps it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.logger import capturedLogs

from pingmon.core.units import DAY, SECOND, Id
from pingmon.core.world.events import (
    CheckPaused,
    Draft,
    Entry,
    PingReceived,
    SiteDeleted,
    SitePaused,
    SiteProbed,
    SiteResumed,
)
from pingmon.core.world.snapshot_blocks import Block, Outdated
from pingmon.journal import FlipRow, JournalFull, JournalUnavailable, Retention
from pingmon.testing import START

Ping = Callable[..., Draft]
Stream = Callable[[int], Id]
JournalStage = Any


@ensureDeferred
async def test_entries_are_numbered_and_delivered_in_the_order_in_which_they_were_appended(
    house: JournalStage, ping: Ping
) -> None:
    journal = house.journal()
    waiting = [journal.append(ping(START + n, n % 7)) for n in range(300)]
    house.settle(journal)
    assert await gatherResults(waiting) == list(range(1, 301))
    assert [(entry.seq, entry.at) for entry in house.delivered] == [(n + 1, START + n) for n in range(300)]
    assert journal.last_seq == 300


@ensureDeferred
async def test_a_deferred_fires_just_after_its_own_entry_was_delivered(house: JournalStage, ping: Ping) -> None:
    journal = house.journal()
    seen: list[tuple[int, int]] = []
    waiting = [
        journal.append(ping()).addCallback(lambda seq: seen.append((seq, len(house.delivered)))) for _ in range(9)
    ]
    house.settle(journal)
    await gatherResults(waiting)
    assert seen == [(n, n) for n in range(1, 10)]


@ensureDeferred
async def test_decided_fires_when_all_that_was_appended_before_is_delivered(house: JournalStage, ping: Ping) -> None:
    journal = house.journal()
    await journal.decided()
    for n in range(9):
        journal.append(ping(START + n))
    decided = journal.decided()
    assert not decided.called
    house.settle(journal)
    await decided
    assert len(house.delivered) == 9


@ensureDeferred
async def test_what_is_appended_from_a_callback_comes_after_what_was_appended_before(
    house: JournalStage, ping: Ping
) -> None:
    journal = house.journal()
    inner: list[Deferred[int]] = []
    first = journal.append(ping()).addCallback(lambda seq: inner.append(journal.append(ping())))
    second = journal.append(ping())
    house.settle(journal)
    await first
    assert await second == 2
    house.settle(journal)
    assert await inner[0] == 3


@ensureDeferred
async def test_an_entry_whose_deferred_was_cancelled_is_kept_all_the_same(house: JournalStage, ping: Ping) -> None:
    journal = house.journal()
    waiting = [journal.append(ping(START + n)) for n in range(3)]
    waiting[1].cancel()
    house.settle(journal)
    with pytest.raises(CancelledError):
        await waiting[1]
    assert [await waiting[0], await waiting[2]] == [1, 3]
    assert [entry.at for entry in house.delivered] == [START, START + 1, START + 2]


@ensureDeferred
async def test_a_bug_in_the_delivery_of_one_entry_does_not_touch_the_others(house: JournalStage, ping: Ping) -> None:
    journal = house.unstarted()

    def deliver(entry: Entry) -> int:
        if entry.seq == 2:
            raise LookupError("a bug")
        return entry.seq

    journal.start(deliver)
    with capturedLogs() as logged:
        waiting = [journal.append(ping()) for _ in range(3)]
        house.settle(journal)
        assert [await waiting[0], await waiting[2]] == [1, 3]
        with pytest.raises(LookupError):
            await waiting[1]
    assert [event["log_level"].name for event in logged] == ["critical"]


class Told:
    """Who waits without a Deferred. Each of `raises` is raised by one, whatever it is told."""

    def __init__(self, raises: type[Exception] | None = None) -> None:
        self.told: list[object] = []
        self._raises = raises

    def callback(self, outcome: int) -> None:
        self._hear(outcome)

    def errback(self, error: Exception) -> None:
        self._hear(type(error))

    def _hear(self, told: object) -> None:
        self.told.append(told)
        if self._raises is not None:
            raise self._raises


@ensureDeferred
async def test_a_waiter_that_is_no_deferred_is_told_the_same(house: JournalStage, ping: Ping) -> None:
    journal = house.unstarted()

    def deliver(entry: Entry) -> int:
        if entry.at == 0:
            raise LookupError("a bug")
        return entry.seq

    journal.start(deliver)
    waiters = [Told() for _ in range(3)]
    with capturedLogs():
        for waiter, at in zip(waiters, (START, 0, START), strict=True):
            journal.append_for(ping(at), waiter)
        house.settle(journal)
        await journal.decided()
    assert [waiter.told for waiter in waiters] == [[1], [LookupError], [3]]


@ensureDeferred
async def test_a_waiter_that_raises_is_logged_and_takes_nothing_from_others(house: JournalStage, ping: Ping) -> None:
    journal = house.journal(max_buffered=3)
    waiters = [Told(), Told(ZeroDivisionError), Told(), Told(ZeroDivisionError)]
    with capturedLogs() as logged:
        for waiter in waiters:
            journal.append_for(ping(), waiter)
        house.settle(journal)
        await journal.decided()
    assert [waiter.told for waiter in waiters] == [[1], [2], [3], [JournalFull]]
    assert [event["log_failure"].type for event in logged] == [ZeroDivisionError] * 2
    assert len(house.delivered) == 3


@ensureDeferred
async def test_the_time_of_what_is_refused_is_told_before_who_waits_hears_of_it(
    house: JournalStage, ping: Ping
) -> None:
    """Whether the buffer is full or the journal is stopped."""
    journal = house.unstarted(max_buffered=1)
    told: list[object] = []
    journal.start(house.deliver, told.append)
    for at in (START, START + 1):
        journal.append(ping(at)).addBoth(lambda result: told.append(getattr(result, "type", result)))
    house.settle(journal)
    await journal.stop()
    journal.append(ping(START + 2)).addErrback(lambda failure: told.append(failure.type))
    assert told == [START + 1, JournalFull, 1, START + 2, JournalUnavailable]


@ensureDeferred
async def test_a_full_buffer_refuses_at_once_and_takes_again_when_it_has_room(house: JournalStage, ping: Ping) -> None:
    journal = house.journal(max_buffered=5)
    waiting = [journal.append(ping()) for _ in range(5)]
    refused = journal.append(ping())
    assert refused.called
    with pytest.raises(JournalFull):
        await refused
    assert journal.health().buffered == 5
    house.settle(journal)
    assert await gatherResults(waiting) == [1, 2, 3, 4, 5]
    again = journal.append(ping())
    house.settle(journal)
    assert await again == 6


@ensureDeferred
async def test_a_draft_that_cannot_be_kept_is_refused_to_its_author_alone(house: JournalStage, ping: Ping) -> None:
    journal = house.journal()
    waiting = journal.append(ping())
    with pytest.raises(ValueError, match="not a canonical UUID"):
        journal.append(Draft(START, "ABCDEFAB-0000-0000-0000-000000000000", CheckPaused()))
    house.settle(journal)
    assert await waiting == 1


@ensureDeferred
async def test_replay_after_a_restart_gives_what_was_delivered(house: JournalStage, ping: Ping) -> None:
    journal = house.journal()
    waiting = [journal.append(ping(START + n, n % 3, payload=bytes([n]) if n % 2 else None)) for n in range(50)]
    house.settle(journal)
    await gatherResults(waiting)
    await journal.stop()
    reopened = house.unstarted()
    assert list(reopened.replay()) == house.delivered
    assert reopened.last_seq == 50
    assert reopened.alive_at == START + 49


@ensureDeferred
async def test_a_snapshot_replaces_the_replay_of_what_came_before_it(house: JournalStage, ping: Ping) -> None:
    journal = house.journal()
    waiting = [journal.append(ping(START + n)) for n in range(10)]
    house.settle(journal)
    await gatherResults(waiting)
    await journal.snapshot(3, [Block(1, "check", b"[1]"), Block(2, "check", b"[2]", b"[]", 1, 9)], START + 20)
    await journal.snapshot(7, [Block(3, "check", b'["\xc3\xa9"]', b"[4]")], START + 30)
    assert (journal.snapshot_seq, journal.alive_at) == (7, START + 30)
    await journal.stop()
    reopened = house.unstarted()
    assert reopened.snapshot_seq == 7
    assert list(reopened.load()) == [
        Block(1, "check", b"[1]"),
        Block(2, "check", b"[2]", b"[]", 1, 9),
        Block(3, "check", b'["\xc3\xa9"]', b"[4]"),
    ]
    assert [entry.seq for entry in reopened.replay()] == [8, 9, 10]
    assert reopened.alive_at == START + 30


@ensureDeferred
@pytest.mark.parametrize(
    ("outdated", "left"),
    [
        (Outdated("check", 4), [3, 4, 5, 6]),
        (Outdated("check", 4, 20), [2, 3, 4, 5, 6]),
        (Outdated("check", 6, 21), [2, 3, 5, 6]),
        (Outdated("site", 9), [1, 2, 4, 5, 6]),
    ],
)
async def test_a_snapshot_drops_what_it_replaces(house: JournalStage, outdated: Outdated, left: list[int]) -> None:
    """Blocks of that kind with a lower number; with a lower mark too, if there is one, so that those without stay."""
    journal = house.journal()
    blocks = [Block(1, "check", b"[]", b"[]", 1, 10), Block(2, "check", b"[]"), Block(3, "site", b"[]", b"[]", 3, 1)]
    blocks += [Block(4, "check", b"[]", b"[]", 1, 20), Block(5, "check", b"[]", b"[]", 1, 30)]
    await journal.snapshot(0, blocks, START)
    await journal.snapshot(0, [Block(6, "check", b"[]")], START, [outdated])
    await journal.stop()
    assert [block.number for block in house.unstarted().load()] == left


@ensureDeferred
async def test_a_snapshot_of_what_is_not_in_the_log_is_refused(house: JournalStage, ping: Ping) -> None:
    journal = house.journal()
    with pytest.raises(ValueError, match="a snapshot at 1"):
        await journal.snapshot(1, [], START)
    assert journal.snapshot_seq == 0


@ensureDeferred
async def test_a_heartbeat_is_found_after_a_restart(house: JournalStage) -> None:
    journal = house.journal()
    assert journal.alive_at is None
    await journal.touch(START + 5)
    assert journal.alive_at == START + 5
    await journal.stop()
    assert house.unstarted().alive_at == START + 5


@ensureDeferred
async def test_what_was_buffered_is_written_by_stop_and_nothing_is_taken_after(house: JournalStage, ping: Ping) -> None:
    journal = house.journal()
    waiting = [journal.append(ping()) for _ in range(20)]
    await journal.stop()
    assert await gatherResults(waiting) == list(range(1, 21))
    with pytest.raises(JournalUnavailable):
        await journal.append(ping())
    with pytest.raises(JournalUnavailable):
        await journal.touch(START)
    await journal.stop()
    assert len(list(house.unstarted().replay())) == 20


@ensureDeferred
async def test_entries_of_one_kind_come_newest_first_and_page_by_page(
    house: JournalStage, ping: Ping, stream: Stream
) -> None:
    journal = house.journal()
    site, other = stream(1), stream(2)
    drafts = [Draft(START + n, site if n % 3 else other, SiteProbed(asked=n)) for n in range(9)]
    drafts[4:4] = [ping(START, 1), Draft(START, site, SitePaused())]
    waiting = [journal.append(draft) for draft in drafts]
    house.settle(journal)
    await gatherResults(waiting)

    async def got(**wanted: Any) -> list[int]:
        return [entry.seq for entry in await journal.events(site, SiteProbed, **wanted)]

    assert await journal.events(site, SiteProbed, upto=11) == [house.delivered[n - 1] for n in (11, 10, 8, 7, 3, 2)]
    assert await journal.events(site, SitePaused, upto=11) == [house.delivered[5]]
    assert await got(upto=8, limit=2) == [8, 7]
    assert await got(upto=8, skip=1, limit=2) == [7, 3]
    assert await got(upto=11, skip=9) == []
    assert await got(upto=11, before=8, limit=2) == [7, 3]
    assert await got(upto=2, before=8) == [2]
    assert await got(upto=11, before=2) == await got(upto=11, before=-(10**30)) == await got(upto=0) == []
    assert await journal.events(stream(9), SiteProbed, upto=11) == []
    assert await journal.events(site, SiteResumed, upto=11) == []


@ensureDeferred
@pytest.mark.parametrize("payloads", [[b"\0", None, b"", b"\xff\n,", b"[]"], [None, None], [b""], [b"", None]])
async def test_each_entry_of_a_page_has_its_own_payload(
    house: JournalStage, ping: Ping, stream: Stream, payloads: list[bytes | None]
) -> None:
    """Byte for byte; none, and an empty one, are told apart."""
    journal = house.journal()
    waiting = [journal.append(ping(START, 1, "success", payload)) for payload in payloads]
    house.settle(journal)
    await gatherResults(waiting)
    found = await journal.events(stream(1), PingReceived, upto=9)
    assert found == house.delivered[::-1]
    assert [entry.payload for entry in found] == payloads[::-1]


@ensureDeferred
async def test_flips_are_found_whether_or_not_they_are_written_yet(
    house: JournalStage, ping: Ping, stream: Stream
) -> None:
    journal = house.journal()
    one, other = stream(1), stream(2)
    flips = [FlipRow(n, one, START + n * SECOND, b'{"n":%d}' % n) for n in range(1, 6)]
    waiting = [journal.append(ping()) for _ in range(6)]
    house.settle(journal)
    await gatherResults(waiting)
    for flip in [*flips, FlipRow(3, other, START, b"{}")]:
        journal.derive(flip)
    journal.derive(flips[0])
    for moment in ("buffered", "written", "reopened"):
        if moment == "written":
            await journal.touch(START)
        if moment == "reopened":
            await journal.stop()
            journal = house.journal()
        assert await journal.flips(one, upto=9) == flips[::-1], moment
        assert await journal.flips(one, upto=4, limit=2) == [flips[3], flips[2]], moment
        assert await journal.flips(one, upto=9, before=3) == [flips[1], flips[0]], moment
        window = await journal.flips(one, upto=9, start=START + 2 * SECOND, end=START + 4 * SECOND)
        assert window == [flips[2], flips[1]], moment


@ensureDeferred
async def test_a_flip_that_is_derived_again_by_a_replay_is_kept_once_as_it_was(
    house: JournalStage, ping: Ping, stream: Stream
) -> None:
    journal = house.journal()
    waiting = journal.append(ping())
    house.settle(journal)
    await waiting
    journal.derive(FlipRow(1, stream(1), START, b'{"first":true}'))
    await journal.touch(START)
    journal.derive(FlipRow(1, stream(1), START, b'{"first":false}'))
    await journal.touch(START)
    assert [flip.body for flip in await journal.flips(stream(1), upto=1)] == [b'{"first":true}']


@ensureDeferred
async def test_what_is_known_better_now_takes_the_place_of_what_was_derived_before(
    house: JournalStage, ping: Ping, stream: Stream
) -> None:
    """Before it is written, after that, and over a restart; and the journal stays sound."""
    journal = house.journal()
    waiting = [journal.append(ping()) for _ in range(2)]
    house.settle(journal)
    await gatherResults(waiting)
    for seq in (1, 2):
        journal.derive(FlipRow(seq, stream(1), START, b'{"sure":false}'))
    journal.derive(FlipRow(1, stream(1), START, b'{"sure":true}', anew=True))
    await journal.touch(START)
    journal.derive(FlipRow(2, stream(1), START, b'{"sure":true}', anew=True))
    for moment in ("buffered", "written", "reopened"):
        if moment == "written":
            await journal.touch(START)
        if moment == "reopened":
            await journal.stop()
            journal = house.journal()
        assert [flip.body for flip in await journal.flips(stream(1), upto=2)] == [b'{"sure":true}'] * 2, moment


@ensureDeferred
async def test_all_that_was_derived_under_an_entry_is_found(house: JournalStage, ping: Ping, stream: Stream) -> None:
    """Flips and what became of messages about them, whether or not they are written yet."""
    journal = house.journal()
    waiting = [journal.append(ping()) for _ in range(3)]
    house.settle(journal)
    await gatherResults(waiting)
    rows = [FlipRow(seq, stream(n), START, b"{}") for seq in (1, 2, 3) for n in (1, 2)]
    for row in rows:
        journal.derive(row)
    for moment in ("buffered", "written"):
        if moment == "written":
            await journal.touch(START)
        assert await journal.flips_at({1, 3}) == [*rows[:2], *rows[4:]], moment
        assert await journal.flips_at(set()) == []


@ensureDeferred
async def test_entries_are_read_in_order_by_stream_or_all(house: JournalStage, ping: Ping, stream: Stream) -> None:
    journal = house.journal()
    waiting = [journal.append(ping(START + n, n % 2)) for n in range(8)]
    house.settle(journal)
    await gatherResults(waiting)
    assert await journal.entries(None) == house.delivered
    assert [entry.seq for entry in await journal.entries(None, after=3, limit=3)] == [4, 5, 6]
    assert [entry.seq for entry in await journal.entries(stream(1), after=2)] == [4, 6, 8]


@ensureDeferred
async def test_trimming_keeps_the_newest_pings_of_each_check_and_all_that_is_no_ping(
    house: JournalStage, ping: Ping, stream: Stream
) -> None:
    journal = house.journal(retention=Retention(pings_per_check=3))
    waiting = [journal.append(ping(START + n, n % 2)) for n in range(20)]
    waiting.append(journal.append(Draft(START, stream(1), CheckPaused())))
    house.settle(journal)
    await gatherResults(waiting)
    await journal.trim(START + DAY)
    assert len(await journal.entries(None)) == 21, "nothing goes that no snapshot stands for"
    await journal.snapshot(21, [], START + DAY)
    for _ in range(10):
        await journal.trim(START + DAY, 5)
    assert [entry.seq for entry in await journal.entries(None)] == [15, 16, 17, 18, 19, 20, 21]
    assert len(await journal.events(stream(1), PingReceived, upto=21)) == 3
    await journal.stop()
    assert house.unstarted().last_seq == 21


@ensureDeferred
async def test_trimming_by_age_leaves_the_newest_ping_of_a_silent_check(house: JournalStage, ping: Ping) -> None:
    journal = house.journal(retention=Retention(max_age_days=2))
    waiting = [journal.append(ping(START + n * DAY)) for n in range(3)] + [journal.append(ping(START, 2))]
    house.settle(journal)
    await gatherResults(waiting)
    await journal.snapshot(4, [], START)
    trimmed = await journal.trim(START + 3 * DAY)
    assert (trimmed.deleted, trimmed.wrapped) == (1, True)
    assert [entry.seq for entry in await journal.entries(None)] == [2, 3, 4]


@ensureDeferred
async def test_trimming_keeps_the_newest_probes_of_each_site_by_their_own_number(
    house: JournalStage, ping: Ping, stream: Stream
) -> None:
    journal = house.journal(retention=Retention(pings_per_check=1, max_age_days=5, probes_per_site=2))
    drafts = [Draft(START + n, stream(n % 2), SiteProbed(asked=n)) for n in range(8)]
    drafts += [Draft(START + 8, stream(1), SitePaused()), ping(START, 3), ping(START + 9, 3)]
    waiting = [journal.append(draft) for draft in drafts]
    house.settle(journal)
    await gatherResults(waiting)
    await journal.snapshot(11, [], START + DAY)
    assert (await journal.trim(START + DAY)).deleted == 5
    assert [entry.seq for entry in await journal.entries(None)] == [5, 6, 7, 8, 9, 11]
    assert [entry.seq for entry in await journal.events(stream(1), SiteProbed, upto=11)] == [8, 6]
    await journal.trim(START + 6 * DAY)
    assert [entry.seq for entry in await journal.entries(None)] == [7, 8, 9, 11], "the newest stays, however old"


@ensureDeferred
async def test_trimming_takes_all_probes_of_a_deleted_site(house: JournalStage, ping: Ping, stream: Stream) -> None:
    journal = house.journal()
    drafts = [Draft(START, stream(n), SiteProbed()) for n in (1, 2, 1)] + [Draft(START, stream(1), SiteDeleted())]
    waiting = [journal.append(draft) for draft in drafts]
    house.settle(journal)
    await gatherResults(waiting)
    await journal.snapshot(4, [], START)
    await journal.trim(START)
    assert [entry.seq for entry in await journal.entries(None)] == [2, 4]


@ensureDeferred
async def test_health_tells_what_was_written(house: JournalStage, ping: Ping) -> None:
    journal = house.journal()
    before = journal.health()
    assert (before.entries_total, before.commits, before.last_commit_at, before.failing_since) == (0, 0, None, None)
    waiting = [journal.append(ping()) for _ in range(4)]
    house.settle(journal)
    await gatherResults(waiting)
    after = journal.health()
    assert (after.entries_total, after.commits, after.buffered, after.failing_since) == (4, 1, 0, None)
    assert after.last_commit_at is not None
    assert sum(after.commit_times.counts) == after.commits
    assert after.commit_times.sum_s >= 0

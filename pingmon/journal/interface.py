"""What a journal offers to the rest of pingmon, whichever engine keeps it.

A journal is the append-only log of events, and beside it what was derived from them: flips, and a snapshot of the
folded state. An engine is a folder of this package; its class states `Journal` as its base, and
`tests/journal/test_contract.py` holds it to what is promised here. Each part of the house takes the smallest of these
protocols that it needs. What can go wrong is in `errors`.

    open ─▶ load, replay ─▶ upgrade ─▶ start ─▶ everything else ─▶ stop

All is called on the reactor's thread. Instants are microseconds since the epoch, UTC. Cancelling a Deferred drops its
result, never the work: an entry whose Deferred was cancelled is committed and delivered in its turn.

Not all entries need be this process's own: `start`'s `deliver` gets every entry, and a waiter hears only of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import Protocol, TypeAlias, TypeVar

from msgspec import Struct
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from pingmon.core.units import Id
from pingmon.core.world.events import Draft, Entry, Event
from pingmon.core.world.snapshot_blocks import Block, Outdated

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)

Progress: TypeAlias = Callable[[int, int], object]
"""Told how much of a long task is done, and how much there is."""


def unheard(done: int, total: int) -> None:
    """Progress that nobody wants to hear of."""


# --- values ---------------------------------------------------------------------------------------------------------


class FlipRow(Struct, frozen=True, gc=False):
    """A flip that the fold derived from entry `seq`, or what became of a message about it (`stream`: the channel).

    `body`: JSON, opaque here. The first one with a key (`seq`, `stream`) is kept, so that no replay changes what was,
    unless a later one says that it is known better now (`anew`).
    """

    seq: int
    stream: Id
    at: int
    body: bytes
    anew: bool = False


class Trimmed(Struct, frozen=True):
    """What one step of trimming did. `wrapped`: the sweep has seen all that may be trimmed and starts over."""

    scanned: int
    deleted: int
    wrapped: bool


class CommitTimes(Struct, frozen=True):
    """How long commits took. `counts`: how many took up to each of `bounds_s` and longer than the one before, and
    last how many took longer than all. `sum_s`: what all of them took, in seconds."""

    bounds_s: tuple[float, ...]
    counts: tuple[int, ...]
    sum_s: float


class JournalHealth(Struct, frozen=True):
    """The journal's own report. Instants are by the reactor's clock, whatever that counts from.

    `failing_since` is None while writes succeed; `last_error` stays after recovery, and so does its `gist`, which names
    no path. `damage`: what was read or trimmed and is not what was written; it stays. `unreadable`: why the last read
    failed, if it did. `hangs_s`: for how many seconds a write has been under way, once that is too long, else 0.
    `entries_total` counts all entries ever written. `commit_times`: how long the commits have taken since the start.
    """

    failing_since: int | None
    last_error: str | None
    gist: str
    damage: str | None
    unreadable: str | None
    hangs_s: int
    buffered: int
    entries_total: int
    last_commit_at: int | None
    commits: int
    commit_times: CommitTimes


class Verified(Struct, frozen=True):
    """What was examined, and the damage that was found, in words; none: the journal is sound."""

    entries: int
    last: int
    trimmed: int
    commits: int
    state: int
    flips: int
    damage: tuple[str, ...]


# --- a journal that runs --------------------------------------------------------------------------------------------


class Waiter(Protocol[T_contra]):
    """Who waits for what a journal does. A Deferred is a waiter; what costs less may be one too.

    One of the two is called, once, on the reactor's thread. What the waiter for an entry raises is logged, and harms
    nobody else.
    """

    def callback(self, outcome: T_contra, /) -> object:
        """It is done. For an entry: it is durable and was delivered, which returned `outcome`."""

    def errback(self, error: Exception, /) -> object:
        """It failed. For an entry: its draft was refused, or its delivery raised `error`."""


class Reactor(Protocol):
    """What an engine may need of the reactor: `IReactorFromThreads`, and the clock of `IReactorTime`."""

    def callFromThread(self, callable: Callable[..., object], /, *args: object) -> object:
        """Call it on the reactor's thread."""

    def seconds(self) -> float:
        """The time, in seconds since the epoch."""

    def callLater(self, delay: float, callable: Callable[..., object], *args: object) -> IDelayedCall:
        """Call it so many seconds later."""


class EventLog(Protocol[T]):
    """The log: what goes in comes out in order, durable. `T` is what the delivery of an entry returns."""

    snapshot_seq: int
    """The entry that the snapshot stands at, as found by `open`, then as saved; 0: there is no snapshot."""
    last_seq: int
    """The newest entry known to be durable."""
    alive_at: int | None
    """The last sign of life on disk: a commit, heartbeat or snapshot. None: never."""

    def open(self, now: int) -> None:
        """Open the journal, or begin a new one at `now`. Blocks.

        To be called after the daemon has forked. Raises JournalDamaged, JournalFormatError or JournalUnavailable; all
        is then as it was, also if it is stopped before it was started.
        """

    def load(self) -> Iterator[Block]:
        """The snapshot's blocks, in order. Blocks. To be read to their end before any of them is used.

        Raises, perhaps after the last of them, SnapshotDamaged: forget them, there is no snapshot, the log alone gives
        the state; or JournalDamaged.
        """

    def replay(self) -> Iterator[Entry]:
        """The entries after the snapshot, in order, none of which is given out before it is proved. Blocks.

        Raises JournalDamaged, and JournalFormatError for an event that a newer pingmon wrote.
        """

    def upgrade(self) -> None:
        """Bring a journal of an older format to this one, once all of it was read. Blocks; the log file is told.

        Raises JournalDamaged or JournalUnavailable; the journal then has the format that it had.
        """

    def start(self, deliver: Callable[[Entry], T], refused: Callable[[int], object] = lambda at: None) -> None:
        """Begin to write. From now on `deliver` gets each entry, once and in order, when it is durable.

        When drafts are refused, `refused` gets the time of the oldest of them, before those hear of it who wait.
        """

    def append_for(self, draft: Draft, waiter: Waiter[T]) -> None:
        """Add a draft to the log. `waiter` is told, in the log's order, what the delivery of its entry returned.

        Or one of these: JournalFull, at once, if the buffer is full; JournalUnavailable if the commit failed, if the
        disk does not answer or if the journal is stopped; what the delivery raised. After JournalUnavailable the entry
        may still be found in the log, or become durable when the disk answers; then it is delivered.

        Raises what `codec.encoded` raises for a draft that cannot be kept.
        """

    def append(self, draft: Draft) -> Deferred[T]:
        """As `append_for`, for one who waits with a Deferred. It has no canceller."""
        done: Deferred[T] = Deferred()
        self.append_for(draft, done)
        return done

    def decided(self) -> Deferred[None]:
        """Fires when all that was appended by now is delivered or refused; it does not fail."""

    def derive(self, flip: FlipRow) -> None:
        """Keep a flip; it is written with the next commit, heartbeat or snapshot, unless its key is taken already."""

    def snapshot(
        self, seq: int, blocks: Iterable[Block], alive: int, outdated: Iterable[Outdated] = ()
    ) -> Deferred[None]:
        """Save blocks of the state as it is after entry `seq`, with a sign of life at `alive`; drop `outdated` ones.

        All or nothing, flips included. Errbacks with JournalUnavailable. `blocks` may be walked over on another thread,
        so that encoding a large state holds up nothing.
        """

    def touch(self, now: int) -> Deferred[None]:
        """Write a sign of life, durably. Errbacks with JournalUnavailable."""

    def health(self) -> JournalHealth:
        """How the journal is, as known on the reactor's thread."""

    def stop(self) -> Deferred[None]:
        """Write what is buffered, close the journal. Fires when that is true; it does not fail.

        If the disk does not answer, it fires after some seconds, and nothing more is done.
        """


class History(Protocol):
    """What was, by check, site or channel: its `stream`.

    Each method errbacks with JournalUnavailable or JournalDamaged.
    """

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

        At most `limit`, without the `skip` newest: passing over 100,000 takes 20 ms.
        """

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
        """Flips of a stream with seq <= `upto` and < `before`, and `start` <= at < `end`, newest first.

        Those that wait for the next write are among them.
        """

    def entries(self, stream: Id | None, *, after: int = 0, limit: int = 100) -> Deferred[list[Entry]]:
        """Up to `limit` entries with seq > `after`, in order, of one stream or of all (None).

        Errbacks with JournalFormatError, too, for an event of a newer pingmon.
        """

    def flips_at(self, seqs: Collection[int]) -> Deferred[list[FlipRow]]:
        """All that was derived under these entries, 1,000 at most, whatever its stream; by entry, then by stream."""


class Trimming(Protocol):
    """The part of a journal that forgets old measurements; see `retention.Retention`."""

    def trim(self, now: int, budget_rows: int = 500) -> Deferred[Trimmed]:
        """One step at `now`, over about so many entries, for some milliseconds. Nothing that runs waits for it.

        Errbacks with JournalUnavailable, or JournalDamaged if what should go is not what was written (and stays).
        """


class Journal(EventLog[T], History, Trimming, Protocol[T]):
    """All that an engine implements."""


# --- a journal at rest ----------------------------------------------------------------------------------------------


class StoredJournal(Protocol):
    """A journal as commands see it, which only read; a daemon may run over it meanwhile. All methods block.

    They raise JournalDamaged, JournalFormatError or JournalUnavailable.
    """

    def last_seq(self) -> int:
        """The seq of the newest entry."""

    def entries_after(self, after: int, stream: Id | None = None) -> Iterator[Entry]:
        """All entries with seq > `after`, in order, up to where the log ends by then; of one stream or of all."""

    def newest_entries(self, count: int, stream: Id | None = None) -> list[Entry]:
        """The `count` newest entries, oldest first; of one stream or of all."""

    def verify(self, progress: Progress = unheard) -> Verified:
        """Examine all of it; `progress` is told (entries read, entries in all). Damage is found, never raised."""

    def backup(self, target: Path, progress: Progress = unheard) -> Verified:
        """Copy it to the new file `target` and examine the copy. `progress` is told what is copied, in its own unit.

        If that fails, or the copy is not sound, nothing is left at `target`. JournalUnavailable also if there is one.
        """

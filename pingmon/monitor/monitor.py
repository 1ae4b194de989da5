"""The one mutable heart: what happened goes in, is made durable, changes the world, and is answered.

    submit(event) ─▶ journal (durable, ordered) ─▶ fold(world, entry) ─▶ Outcome ─▶ listeners, then the submitter

Nothing else changes the world, and nothing here decides what an event means. The monitor also saves the world now
and then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final, TypeAlias

import msgspec
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from pingmon.core.units import DAEMON, Id
from pingmon.core.world.events import ALL, AnyEvent, ClockStepped, Draft, Entry, Event, ListeningEnded
from pingmon.core.world.fold import fold
from pingmon.core.world.outcome import Outcome
from pingmon.core.world.snapshot import Saver
from pingmon.core.world.world import World
from pingmon.journal import (
    EventLog,
    FlipRow,
    JournalFormatError,
    JournalFull,
    JournalUnavailable,
    SnapshotDamaged,
    Waiter,
)
from pingmon.monitor.deafness import Deafness
from pingmon.timing.clock import Timekeeper
from pingmon.wire.message.message import kind, name, printable, why_of

SNAPSHOT_EVERY: Final = 50_000
"""Entries after which the world is saved; replaying as many takes about a second."""

log = Logger()

Listener: TypeAlias = Callable[[Entry, Outcome], None]


def derived(outcome: Outcome) -> Iterator[FlipRow]:
    """What is kept beside the log of what an entry did: a flip, and what became of messages about flips.

    A message has the place of its flip, under the id of its channel: each channel is told of a flip once. A reminder
    has that of the entry that made it due.
    """
    if (flip := outcome.flip) is not None:
        yield FlipRow(flip.seq, flip.subject, flip.at, msgspec.json.encode(flip))
    for ended in outcome.ended:
        owed, body = ended.owed, msgspec.json.encode(ended)
        yield FlipRow(owed.place, owed.channel, owed.created, body, ended.after_all)


class Monitor:
    """Owns the world. `hold_s`: for how many seconds silence is held after pingmon was deaf."""

    log = log

    def __init__(self, journal: EventLog[Outcome], time: Timekeeper, *, hold_s: float = 60.0) -> None:
        self.world = World()
        self.journal = journal
        self.time = time
        self.deafness = Deafness(journal, time, hold_s=hold_s)
        self._listeners: dict[tuple[type[Event], bool], list[Listener]] = {
            (event, owed): [] for event in ALL for owed in (False, True)
        }
        self._saver = Saver(self.world)
        self._saving = False
        self._tried_to_save = 0

    def now(self) -> int:
        """Microseconds since the epoch, UTC."""
        return self.time.now()

    def listen(self, listener: Listener, *events: type[Event], owed: bool = False) -> None:
        """Have `listener` called after each live entry with one of these events (none named: any), in log order.

        A base class stands for its events. `owed`: also after each entry that made a message due or ended one. Nearly
        all entries are pings that do neither, and each call that leads nowhere costs 0.3 µs. It must not raise and must
        be quick.
        """
        for (event, owes), listeners in self._listeners.items():
            if issubclass(event, events or Event) or (owed and owes):
                listeners.append(listener)

    # --- life -----------------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Load the world, synchronously; then, if the journal has an older format, it is brought to this one.

        Raises what the journal's `open`, `load`, `replay` and `upgrade` raise; it is then closed, and as it was.
        """
        self.journal.open(self.now())
        try:
            self._load()
            self.journal.upgrade()
        except BaseException:
            self.journal.stop()
            raise

    def _load(self) -> None:
        try:
            with suppress(SnapshotDamaged):  # which was told
                self._saver.restore(self.journal.snapshot_seq, self.journal.load())
        except ValueError as error:
            raise JournalFormatError(
                f"the saved state cannot be used: {error}; did a newer pingmon save it?"
            ) from error
        self._tried_to_save = self.journal.snapshot_seq
        for entry in self.journal.replay():
            self._derive(fold(self.world, entry))

    def start(self) -> Deferred[None]:
        """Begin to take events. Fires when it is logged, or could not be, for how long pingmon was away."""
        alive_at = self._take_events()
        if alive_at is None:
            return succeed(None)
        ended = alive_at if self.world.daemon.ended is None else self.world.daemon.ended
        self.deafness.begin(min(alive_at, ended, self.now()), "stopped")
        return self.deafness.try_to_listen()

    def start_deaf(self) -> Deferred[None]:
        """Begin to take events of a daemon that is stopped and stays so: nobody pings, and no silence is judged.

        Fires when it is sure that the next daemon will know since when it was deaf; what is submitted after that is no
        sign of its life. Errback: `JournalUnavailable`, and nothing else may be submitted.
        """
        alive_at = self._take_events()
        if alive_at is None or self.world.daemon.ended is not None:
            return succeed(None)
        return self.submit(DAEMON, ListeningEnded(min(alive_at, self.now()))).addCallback(lambda _: None)

    def _take_events(self) -> int | None:
        """The last sign of life before, by the clock as it was then; if that was set back since, it is logged."""
        alive_at, now = self.journal.alive_at, self.now()
        self.journal.start(self._deliver, self._refused)
        if alive_at is not None and now < alive_at:
            self.deafness.clock_set(now - alive_at)
        return alive_at

    def stop(self) -> Deferred[None]:
        """Save the world and close the journal; fires when both are done, also if saving failed."""
        saved = self.save().addErrback(self._not_saved)
        saved.addErrback(lambda failure: self.log.failure("an error while saving the state", failure))
        return saved.addCallback(lambda _: self.journal.stop())

    def end_listening(self) -> Deferred[None]:
        """Say that no further connections are taken: the next daemon was deaf from now on. Fires when it is logged."""
        ended = self.submit(DAEMON, ListeningEnded())
        return ended.addCallbacks(lambda _: None, lambda failure: failure.trap(JournalFull, JournalUnavailable))

    # --- events ---------------------------------------------------------------------------------------------------

    def submit(self, stream: Id, event: AnyEvent, payload: bytes | None = None) -> Deferred[Outcome]:
        """Put `event` into the log; fires with what it did, when it is durable.

        Errback: `JournalFull`, and nothing has happened; `JournalUnavailable`, and nothing has happened so far: a disk
        that fails or hangs may have kept the event, which is folded when that is known. Cancelling undoes nothing.
        """
        done: Deferred[Outcome] = Deferred()
        self.submit_for(stream, event, payload, done)
        return done

    def submit_for(self, stream: Id, event: AnyEvent, payload: bytes | None, waiter: Waiter[Outcome]) -> None:
        """As `submit`, for one who waits without a Deferred, which costs 1 µs; perhaps told before this returns.

        When `waiter` hears that it was refused, the monitor is deaf already. What `waiter` raises is logged.
        """
        now = self.time.now()
        if self.deafness.step_owed:
            self.deafness.log_owed_step()  # in the same commit at the latest, and before this event
        self.journal.append_for(Draft(now, stream, event, payload), waiter)

    def _refused(self, at: int) -> None:
        self.deafness.begin(at, "disk")

    def _deliver(self, entry: Entry) -> Outcome:
        outcome = fold(self.world, entry)
        if isinstance(entry.event, ClockStepped):
            self.deafness.step_logged(entry.at, entry.event.by)
        if outcome.flip is not None or outcome.ended:
            self._derive(outcome)
            self._log_flip(outcome)
        for listener in self._listeners[type(entry.event), bool(outcome.channels or outcome.ended)]:
            try:
                listener(entry, outcome)
            except Exception:  # noqa: BLE001 -- what is durable is answered, whatever comes after
                self.log.failure("an error while following an entry")
        if entry.seq - self._tried_to_save >= SNAPSHOT_EVERY:
            self.save().addErrback(self._not_saved)
        return outcome

    def _derive(self, outcome: Outcome) -> None:
        for row in derived(outcome):
            self.journal.derive(row)

    def _log_flip(self, outcome: Outcome) -> None:
        flip, subject = outcome.flip, outcome.check or outcome.site
        # That something begins well is no news, and where jobs make their checks it would be most of the log.
        if flip is None or subject is None or (flip.old, flip.new) == ("new", "up"):
            return
        # Of what keeps pingmon from seeing anything at all, the operator is told elsewhere, and once.
        disputed = flip.new == "unknown" and any(look.counts for look in flip.looks)
        silent = flip.new == "down" and not subject.spec.channels
        log = self.log.warn if disputed or silent else self.log.info
        why = why_of(flip)
        log(
            "{what} {id} ({name}) went {new}, was {old}{cause}{nobody}",
            what=kind(subject),
            id=subject.id[:8],  # a check's whole id is as good as its ping URL
            name=printable(called if (called := name(subject)) != subject.id else "no name"),
            new=flip.new,
            old=flip.old,
            cause=why and f": {why}",
            nobody="; nobody is told: it has no channels" if silent else "",
        )

    # --- saving ---------------------------------------------------------------------------------------------------

    def save(self) -> Deferred[None]:
        """Save the world as it is now; at once if nothing changed. Errback: `JournalUnavailable`; nothing is lost."""
        if self._saving or not self.world.unsaved:
            return succeed(None)
        self._saving = True
        self._tried_to_save = self.world.seq
        save = self._saver.save()
        saved = self.journal.snapshot(self.world.seq, save.blocks, self.now(), save.outdated)

        def done(result: object) -> object:
            self._saving = False
            if isinstance(result, Failure):
                save.failed()
            return result

        return saved.addBoth(done)

    def _not_saved(self, failure: Failure) -> None:
        failure.trap(JournalUnavailable)
        self.log.warn("pingmon could not save its state and will try again: {why}", why=failure.getErrorMessage())

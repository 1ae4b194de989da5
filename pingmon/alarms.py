"""Turns deadlines that pass into events.

One heap holds the deadlines of all checks; one `Ticker` looks at its top each second, so a tick costs what
is due and not what is watched. A check whose deadline moves later keeps its place in the heap and is put back when it
is reached, so a ping costs no more than a comparison.

A tick does not judge at once what is due. Pings that came before it may still be in the kernel's queues, above all when
the tick is late because the process did not run. So the loop goes round first, often enough to read all that, and what
was read is decided by the journal; then deadlines are judged, and no later than the tick's own time. However busy the
loop is, each judgement is for the time of one tick, and the next begins when it is done: nothing can hold them off.

The tick also notices that the process did not run for long (a suspended machine), and that the disk hangs; both make
pingmon deaf, see Note [Deafness] in `monitor/deafness`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from pingmon.core.check.check import Check, fires_at, has_run_out
from pingmon.core.units import SECOND, Id
from pingmon.core.world.events import CheckEvent, CheckExpired, ClockStepped, Entry, ScheduleEnded
from pingmon.core.world.outcome import Outcome
from pingmon.journal import JournalFull, JournalUnavailable
from pingmon.monitor import Monitor
from pingmon.timing.deadline_heap import DeadlineHeap
from pingmon.timing.ticker import Ticker

TICK_S: Final = 1.0
TURNS: Final = 25
"""Turns of the reactor between a tick and its judgement. In the first, Twisted takes one connection at least from the
queue of a port, and in each after a full one 20 more: 21 turns take all that the queue holds (4096). The others read
what was sent on the last of them."""
BEHIND_S: Final = 2.0
"""How much longer requests that were read and wait for their turn may keep deadlines from being judged."""
SUSPENDED_S: Final = 10.0
"""A tick this much late means that the process did not run, unless it used at least `BUSY` of that time."""
BUSY: Final = 0.25
ALIVE_EVERY_S: Final = 10.0
"""How often an idle daemon leaves a durable sign of life, from which the next one tells how long it was away."""
MAX_EXPIRING: Final = 1000
"""Expiries that may be on their way into the log at once, so that a storm of them leaves room for pings."""


class Alarms:
    """Watches the deadlines of a monitor's world.

    `behind` tells whether requests have been read that nobody has had the time to handle; the door sets it.
    """

    log = Logger()
    behind: Callable[[], bool] = staticmethod(lambda: False)

    def __init__(self, monitor: Monitor, clock: IReactorTime) -> None:
        self._monitor = monitor
        self._deadlines = DeadlineHeap()
        self._expiring: set[Id] = set()
        self._run_out: set[Id] = set()
        self._busy = False
        self._judging = False
        self._judged_at = self._wait_until = 0.0
        self._turning: IDelayedCall | None = None
        self._due_until = 0
        self._alive_at = 0.0
        self._clock = clock
        self._used_s = 0.0
        self._ticker = Ticker("looking for deadlines that passed", self.tick, TICK_S, clock, monitor.time.steady)

    # --- life -----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Take up the deadlines of the loaded world and begin to watch them."""
        self._rearm_all()
        self._monitor.listen(self.heard, CheckEvent, ClockStepped)
        self._used_s, self._judged_at = self._monitor.time.busy(), self._monitor.time.steady()
        self._ticker.start()

    def stop(self) -> None:
        """Watch no more."""
        self._ticker.stop()
        if self._turning is not None:
            self._turning.cancel()
            self._turning = None

    @property
    def last_tick(self) -> float:
        """When deadlines were last judged, or held while pingmon is deaf, in steady seconds."""
        return self._judged_at

    def loop_lag_s(self) -> float:
        """By how many seconds the loop came round later than it should, at most, within the last minute or less."""
        return self._ticker.lateness.worst(self._monitor.time.steady())

    # --- what is due when -----------------------------------------------------------------------------------------

    def heard(self, entry: Entry, outcome: Outcome) -> None:
        """Follow what an entry did to deadlines."""
        check = outcome.check
        if outcome.everything:
            self._rearm_all()
        elif check is not None and check.id not in self._monitor.world.checks:
            self._deadlines.drop(check.id)
        elif check is not None:
            self._follow(check)

    def _follow(self, check: Check) -> None:
        if check.deadline is not None:
            self._deadlines.put_earlier(check.id, check.deadline)
        if has_run_out(check) and not check.ended:
            self._run_out.add(check.id)

    def _rearm_all(self) -> None:
        deadlines, self._run_out = {}, set()
        for check in self._monitor.world.checks.values():
            if check.deadline is not None:
                deadlines[check.id] = check.deadline
            if check.expected is None and has_run_out(check) and not check.ended:
                self._run_out.add(check.id)
        self._deadlines.refill(deadlines)

    @property
    def watched(self) -> int:
        """How many checks have a deadline."""
        return len(self._deadlines)

    def overdue(self, now: int) -> int:
        """By how many microseconds the telling of the next missed ping is late; 0 if it is not."""
        first = self._deadlines.first()
        check = None if first is None else self._monitor.world.checks.get(first)
        fires = None if check is None else fires_at(check, self._monitor.world.daemon.deaf)
        return 0 if fires is None else max(0, now - fires)

    # --- the tick -------------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Begin to judge what is due."""
        monitor = self._monitor
        monitor.time.settle()
        now, steady = monitor.now(), monitor.time.steady()
        gap = steady - self._ticker.last
        if self._used() < BUSY * gap > BUSY * SUSPENDED_S:
            monitor.deafness.begin(now - round(gap * SECOND), "suspended")
        if hangs_s := monitor.journal.health().hangs_s:
            monitor.deafness.begin(now - hangs_s * SECOND, "disk")
        if monitor.deafness.since is not None:
            self._judged_at = steady
            monitor.deafness.try_to_listen()
            return
        if not self._judging:
            self._judging, self._wait_until = True, steady + BEHIND_S
            self._turn(TURNS, now)
        self._tell_what_has_run_out()
        if steady - self._alive_at >= ALIVE_EVERY_S:
            self._alive_at = steady
            monitor.journal.touch(now).addErrback(self._not_alive, now)

    def _used(self) -> float:
        """Seconds of processor time since the last tick."""
        before, self._used_s = self._used_s, self._monitor.time.busy()
        return self._used_s - before

    def _turn(self, turns: int, upto: int) -> None:
        """Judge deadlines up to `upto` when the reactor has gone round so often and what it read is decided."""
        if turns or (self.behind() and self._monitor.time.steady() < self._wait_until):
            self._turning = self._clock.callLater(0, self._turn, max(0, turns - 1), upto)
        else:
            self._turning = None
            self._monitor.journal.decided().addCallback(lambda _: self._judge(upto))

    def _judge(self, upto: int) -> None:
        self._judging = False
        if self._ticker.running:
            with self.log.failuresHandled("an error while judging deadlines that passed"):
                self._expire(upto)
                self._monitor.deafness.heard_until = upto
                self._judged_at = self._monitor.time.steady()

    def _expire(self, upto: int) -> None:
        upto = min(upto, self._monitor.now())  # the clock may have been set back meanwhile
        self._due_until = upto
        self._busy = True
        try:
            self._expire_due(upto)
        finally:
            self._busy = False

    def _expire_due(self, now: int) -> None:
        world = self._monitor.world
        while self._monitor.deafness.since is None and len(self._expiring) < MAX_EXPIRING:
            due = self._deadlines.pop(now)
            if due is None:
                break
            id = due[0]
            check = world.checks.get(id)
            fires = None if check is None else fires_at(check, world.daemon.deaf)
            if check is None or check.deadline is None or fires is None:
                continue
            if fires > now:
                self._deadlines.put_earlier(id, fires)
            elif id not in self._expiring:
                self._expiring.add(id)
                self._submit(id, check.deadline, check.armed_by)

    def _submit(self, id: Id, deadline: int, armed_by: int) -> None:
        submitted = self._monitor.submit(id, CheckExpired(deadline, armed_by))
        submitted.addBoth(self._submitted, id).addErrback(
            lambda failure: self.log.failure("an error while check {check} was called down", failure, check=id)
        )

    def _submitted(self, result: Outcome | Failure, id: Id) -> None:
        self._expiring.discard(id)
        check = self._monitor.world.checks.get(id)
        if check is not None and check.deadline is not None:
            self._deadlines.put_earlier(id, check.deadline)
        if isinstance(result, Failure):
            result.trap(JournalFull, JournalUnavailable)
        elif not self._expiring and not self._busy and self._ticker.running:
            # No further than the tick that began it, which knows that the process had not been suspended till then.
            self._expire(self._due_until)

    def _tell_what_has_run_out(self) -> None:
        run_out, self._run_out = self._run_out, set()
        for id in run_out:
            self.log.warn(
                "check {check} cannot go down any more: its schedule has no further occurrence, so give it another one",
                check=id[:8],
            )
            self._monitor.submit(id, ScheduleEnded()).addErrback(self._not_told, id)

    def _not_told(self, failure: Failure, id: Id) -> None:
        failure.trap(JournalFull, JournalUnavailable)
        self._run_out.add(id)

    def _not_alive(self, failure: Failure, now: int) -> None:
        self._monitor.deafness.begin(now, "disk")
        if not failure.check(JournalUnavailable):
            self.log.failure("an error while writing a sign of life", failure)

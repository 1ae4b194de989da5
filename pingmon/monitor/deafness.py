"""When pingmon could not hear pings, and when its clock was set: what the log must know before silence is judged.

Note [Deafness]
A ping that pingmon could not take, by its own fault, was not missed by the job. pingmon is *deaf* in such a time:

* `stopped`: from the last sign of life before a start (a commit, or what `alarms` leaves every ten seconds) until then.
* `suspended`: the process stood still for more than ten seconds. One that was busy for as long did hear; otherwise
  whoever floods it could hold alerts back.
* `disk`: from the first event that the journal refused, because its disk is full, fails or hangs, or its file is gone.

While pingmon is deaf, `since` is set and nobody judges silence. `alarms` calls `try_to_listen` each second; when that
has logged `ListeningResumed`, deafness is over and the fold knows its span. A check whose grace time overlaps the span
goes down `[monitor] hold` seconds later at the earliest, and its alert says that pingmon was deaf. The whole grace time
counts and not only the deadline, because the ping that was missed would have come somewhere in it.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from pingmon.core.units import DAEMON, SECOND
from pingmon.core.world.events import ClockStepped, Draft, ListeningResumed
from pingmon.core.world.outcome import Outcome
from pingmon.journal import EventLog, JournalFull, JournalUnavailable
from pingmon.timing.clock import Timekeeper

log = Logger()

DeafCause: TypeAlias = Literal["stopped", "suspended", "disk"]
_DEAF: Final[dict[DeafCause, str]] = {
    "stopped": "was stopped",
    "suspended": "stood still",
    "disk": "could not write to its journal",
}


class Deafness:
    """`since`: when it began, microseconds since the epoch; None while pingmon hears. `hold_s` as in Note [Deafness].

    `heard_until`: all that had arrived by then is decided. A ping that fails may have arrived at any time since.
    `step_owed`: by how much the clock was set without the log knowing it.
    """

    def __init__(self, journal: EventLog[Outcome], time: Timekeeper, *, hold_s: float) -> None:
        self.since: int | None = None
        self.heard_until: int | None = None
        self.step_owed = 0
        self._journal = journal
        self._time = time
        self._hold = round(hold_s * SECOND)
        self._cause: DeafCause = "disk"
        self._trying = False
        self._lost_steps: set[int] = set()
        """The times of steps that were not logged, as far as is known; a failed disk may have kept one all the same."""
        time.stepped = self.clock_set

    def begin(self, since: int, cause: DeafCause) -> None:
        """Take note that pings could not be taken since `since` (microseconds since the epoch); Note [Deafness]."""
        if self.since is None:
            self.since = since if self.heard_until is None else min(since, self.heard_until)
            self._cause = cause
            if cause == "disk":
                log.error(
                    "pingmon cannot write to its journal: until it can, it answers pings 503 and calls no check down"
                )

    def try_to_listen(self) -> Deferred[None]:
        """While deaf, try to log the end of it. Fires when that is durable, or when it has failed once more.

        A step of the clock that could not be logged comes first, alone: deadlines must not be judged without it.
        """
        now = self._time.now()
        if self.step_owed:
            return self.log_owed_step()
        if self.since is None or self._trying:
            return succeed(None)
        self._trying = True
        resumed = self._log(now, ListeningResumed(self.since, now + self._hold, self._cause))
        return resumed.addCallbacks(self._listening, self._still_deaf)

    def _listening(self, _: Outcome) -> None:
        since, self.since, self._trying = self.since, None, False
        log.info(
            "pingmon {cause} for {seconds:.1f} s; checks that came due meanwhile get {hold:.0f} s more to ping",
            seconds=(self._time.now() - (since or 0)) / SECOND,
            cause=_DEAF[self._cause],
            hold=self._hold / SECOND,
        )

    def _still_deaf(self, failure: Failure) -> None:
        self._trying = False
        failure.trap(JournalFull, JournalUnavailable)

    # --- the clock ------------------------------------------------------------------------------------------------

    def clock_set(self, by: int) -> None:
        """Take note that the wall clock was set by so many microseconds, and log it."""
        log.warn(
            "the wall clock was set by {seconds:.1f} s; pingmon moves all deadlines by as much", seconds=by / SECOND
        )
        if self.heard_until is not None:
            self.heard_until += by
        self._log_step(by)

    def log_owed_step(self) -> Deferred[None]:
        """Try again to log what could not be. Fires as `try_to_listen`."""
        step, self.step_owed = self.step_owed, 0
        return self._log_step(step)

    def step_logged(self, at: int, by: int) -> None:
        """The step of that time is in the log. If it seemed lost, it is owed no more."""
        if at in self._lost_steps:
            self._lost_steps.discard(at)
            self.step_owed -= by

    def _log_step(self, by: int) -> Deferred[None]:
        at = self._time.now()

        def not_logged(failure: Failure) -> None:
            failure.trap(JournalFull, JournalUnavailable)
            self.step_owed += by
            self._lost_steps.add(at)

        return self._log(at, ClockStepped(by)).addCallbacks(lambda _: None, not_logged)

    def _log(self, at: int, event: ListeningResumed | ClockStepped) -> Deferred[Outcome]:
        logged: Deferred[Outcome] = Deferred()
        self._journal.append_for(Draft(at, DAEMON, event), logged)
        return logged

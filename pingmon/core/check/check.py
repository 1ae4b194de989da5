"""The state machine of a check: what pings, deadlines and users do to it.

    status     success     fail        start          log, ign   deadline passes   pause      resume
    new        → up        → down      run opens      -          → down            → paused   refused
    up         stays       → down      run opens      -          → down            → paused   refused
    down       → up        stays       run opens      -          (has none)        → paused   refused
    paused     → up        → down      run opens      -          → down            refused    → new

Deadlines. *Expected* is when the next ping is due after the last success or failure (period, cron, OnCalendar; only
while up). A run is one execution of the job, from its start signal on. The deadline is the earliest of *expected*
and the starts of all open runs, plus the grace time; a check that is down has none. New and paused checks have one
only while a run is open. A flip by deadline is stamped with the deadline, one by ping with the ping's time.

Runs. A start with a run id opens a run of its own; starts without an id are one run, which a newer start restarts.
Success or failure closes the run with its id; without an id it closes the id-less run, or, if there is none, all of
them (as the reference server does: such a signal does not say whose it is, and a false alarm would be worse). A run
that raised an alert, or outlived its grace while the check was down, is *overdue*: still open, no longer watched.

Source of the rules: the pinging API as the reference server behaves; watching every run is pingmon's own.
Every function here is pure; instants are integer microseconds since the epoch, UTC.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from pingmon.core.check.schedule import next_expected
from pingmon.core.check.settings import CheckSpec
from pingmon.core.flip import Cause, Deaf, Flip
from pingmon.core.notify.notification import Audience, audience_shifted
from pingmon.core.units import SECOND, Id
from pingmon.core.world.events import PingReceived

Status: TypeAlias = Literal["new", "up", "down", "paused"]
ShownStatus: TypeAlias = Literal["new", "up", "grace", "down", "paused"]

MAX_OPEN_RUNS: Final = 32
"""Open runs kept per check; a further start drops the oldest and counts it in `dropped_runs`."""


class Run(Struct, frozen=True, omit_defaults=True, gc=False):
    """One execution of the job that has said it started and not yet that it ended; `rid` is its id, if it has one."""

    rid: str | None
    started: int
    overdue: bool = False


class Check(Struct, frozen=True, omit_defaults=True, gc=False):
    """A check as the log has made it. `last_duration` is in microseconds; `since` is when `status` began.

    `born` is the log entry (`seq`) that created the check, `armed_by` the one that set its deadline: an expiry that
    names another one is void. `relayed` are channels that were told of the current down in another's stead, `audience`
    are all who were to be told of the newest flip that people are told of (None: nobody ever, or an older pingmon).
    `ended`: people were told that the schedule has run out. `failures`: failures in a row, as far as there are entries
    about them (`core.check.failures`).
    """

    id: Id
    project: Id
    spec: CheckSpec
    born: int
    created: int
    since: int
    status: Status = "new"
    n_pings: int = 0
    last_ping: int | None = None
    last_success: int | None = None
    last_start: int | None = None
    last_duration: int | None = None
    exitstatus: int | None = None
    runs: tuple[Run, ...] = ()
    dropped_runs: int = 0
    expected: int | None = None
    deadline: int | None = None
    armed_by: int = 0
    relayed: tuple[Id, ...] = ()
    ended: bool = False
    audience: Audience | None = None
    failures: int = 0


def pinged(check: Check, seq: int, at: int, ping: PingReceived) -> tuple[Check, Flip | None]:
    """The check after `ping`, and the flip it caused, if any."""
    signal = ping.signal
    if signal == "log" or signal == "ign" or (check.status == "paused" and check.spec.manual_resume):
        return replace(check, n_pings=check.n_pings + 1), None
    if signal == "start":
        return _started(check, seq, at, ping.rid), None
    runs, duration = _closed(check, at, ping)
    status: Status = "up" if signal == "success" else "down"
    if status == "up" and check.status == "down":
        runs = _with_overdue(runs, at, check.spec.grace)
    expected = _expected(check, at) if status == "up" else None
    after = replace(
        check,
        status=status,
        runs=runs,
        since=check.since if status == check.status else at,
        n_pings=check.n_pings + 1,
        last_ping=at,
        last_success=at if status == "up" else check.last_success,
        last_duration=duration,
        exitstatus=ping.exitstatus,
        expected=expected,
        deadline=_deadline(check.spec, status, runs, expected),
        armed_by=seq,
        failures=0 if status == "up" else check.failures + 1,
    )
    if status == check.status:
        return after, None
    cause: Cause = "" if status == "up" else "signal"
    return after, Flip(seq, check.id, at, check.status, status, cause, check.since, ping.exitstatus)


def expired(check: Check, seq: int, deadline: int, armed_by: int) -> tuple[Check, Flip | None]:
    """The check after its deadline passed; unchanged if the deadline has been moved or met since it was armed."""
    if check.deadline is None or check.armed_by != armed_by:
        return check, None
    runs = _with_overdue(check.runs, deadline, check.spec.grace)
    at = max(deadline, check.since)  # a run may have outlived its grace in the very second another one went well
    after = replace(
        check,
        status="down",
        since=at,
        runs=runs,
        expected=None,
        deadline=None,
        armed_by=seq,
        failures=check.failures + 1,
    )
    cause: Cause = "run" if runs != check.runs else "silence"
    return after, Flip(seq, check.id, at, check.status, "down", cause, check.since)


def paused(check: Check, seq: int, at: int) -> tuple[Check, Flip | None]:
    """Paused: no deadlines, open runs forgotten. A paused check stays as it is."""
    if check.status == "paused":
        return check, None
    after = replace(check, status="paused", since=at, runs=(), expected=None, deadline=None, armed_by=seq, failures=0)
    return after, Flip(seq, check.id, at, check.status, "paused", "", check.since)


def resumed(check: Check, seq: int, at: int) -> tuple[Check, Flip | None]:
    """As new: waiting for its first ping. A check that is not paused stays as it is."""
    if check.status != "paused":
        return check, None
    after = replace(
        check,
        status="new",
        since=at,
        runs=(),
        last_ping=None,
        last_start=None,
        expected=None,
        deadline=None,
        armed_by=seq,
    )
    return after, Flip(seq, check.id, at, "paused", "new", "", check.since)


def respecified(check: Check, seq: int, spec: CheckSpec) -> Check:
    """The check under new settings; its deadline moves with them."""
    if spec == check.spec:
        return check
    expected = next_expected(spec, check.last_ping) if check.status == "up" and check.last_ping is not None else None
    ended = check.ended and _same_schedule(spec, check.spec)
    deadline = _deadline(spec, check.status, check.runs, expected)
    return replace(check, spec=spec, ended=ended, expected=expected, deadline=deadline, armed_by=seq)


def _same_schedule(one: CheckSpec, other: CheckSpec) -> bool:
    return (one.kind, one.schedule, one.tz) == (other.kind, other.schedule, other.tz)


def has_run_out(check: Check) -> bool:
    """Whether nothing is expected of an up check any more, because its schedule has no further occurrence."""
    return check.status == "up" and check.expected is None and check.spec.kind != "simple"


def schedule_ended(check: Check, seq: int, at: int) -> tuple[Check, Flip | None]:
    """The check, of which people know from now on that its schedule has run out; and the flip that tells them.

    The check as it is, and None, if they know already or the schedule goes on.
    """
    if check.ended or not has_run_out(check):
        return check, None
    return replace(check, ended=True), Flip(seq, check.id, at, "up", "up", "ended", check.since)


def shifted(check: Check, seq: int, by: int) -> Check:
    """The check after the wall clock was set by `by`: what was measured on the old clock moves along."""

    def moved(instant: int | None) -> int | None:
        return None if instant is None else instant + by

    last_ping = moved(check.last_ping)
    runs = tuple(replace(run, started=run.started + by) for run in check.runs)
    expected = next_expected(check.spec, last_ping) if check.status == "up" and last_ping is not None else None
    return replace(
        check,
        since=check.since + by,
        runs=runs,
        last_ping=last_ping,
        last_success=moved(check.last_success),
        last_start=moved(check.last_start),
        expected=expected,
        deadline=_deadline(check.spec, check.status, runs, expected),
        armed_by=seq,
        audience=None if check.audience is None else audience_shifted(check.audience, by),
    )


def watched_since(runs: tuple[Run, ...]) -> int | None:
    """When the oldest watched run started; None if no run is watched."""
    return min((run.started for run in runs if not run.overdue), default=None)


def overlap(deaf: tuple[Deaf, ...], deadline: int, grace: int) -> Deaf | None:
    """The newest deafness that may have swallowed the ping a deadline waited for; `grace` in seconds."""
    for span in reversed(deaf):
        if deadline >= span.since and deadline - grace * SECOND <= span.until:
            return span
    return None


def fires_at(check: Check, deaf: tuple[Deaf, ...]) -> int | None:
    """When the check's silence may be told: its deadline, or the end of the hold if pingmon was deaf meanwhile."""
    fires = check.deadline
    if fires is None:
        return None
    waited_from = fires - check.spec.grace * SECOND
    for span in deaf:  # oldest first: what one hold put off may fall into the next deafness
        if fires >= span.since and waited_from <= span.until:
            fires = max(fires, span.hold_until)
    return fires


def shown_status(check: Check, now: int) -> ShownStatus:
    """The status people see: what is known, and `grace` while the ping is late.

    A check is `down` when the log says so and not when the clock does. Silence proves nothing while pingmon is deaf, or
    has not yet read what arrived.
    """
    if check.status == "up" and check.expected is not None and now >= check.expected:
        return "grace"
    return check.status


def next_ping(check: Check) -> int | None:
    """When the next signal is expected, the end of the oldest watched run included (then it is the run's start)."""
    return None if check.deadline is None else check.deadline - check.spec.grace * SECOND


def _started(check: Check, seq: int, at: int, rid: str | None) -> Check:
    runs = (*(run for run in check.runs if run.rid != rid), Run(rid, at))
    excess = max(0, len(runs) - MAX_OPEN_RUNS)
    runs = runs[excess:]
    return replace(
        check,
        n_pings=check.n_pings + 1,
        last_start=at,
        runs=runs,
        dropped_runs=check.dropped_runs + excess,
        deadline=_deadline(check.spec, check.status, runs, check.expected),
        armed_by=seq,
    )


def _closed(check: Check, at: int, ping: PingReceived) -> tuple[tuple[Run, ...], int | None]:
    """The runs left open after `ping`, and the duration to show. A foreign run id changes neither."""
    if not check.runs:
        return (), None if ping.rid is None else check.last_duration
    for run in check.runs:
        if run.rid == ping.rid:
            return tuple(other for other in check.runs if other is not run), max(0, at - run.started)
    if ping.rid is None:
        return (), None
    return check.runs, check.last_duration


def _with_overdue(runs: tuple[Run, ...], now: int, grace: int) -> tuple[Run, ...]:
    if not runs:
        return runs
    limit = now - grace * SECOND
    return tuple(run if run.overdue or run.started > limit else replace(run, overdue=True) for run in runs)


def _expected(check: Check, at: int) -> int | None:
    """When the ping after one at `at` is due. The occurrence found before still holds if none lies in between."""
    expected, last = check.expected, check.last_ping
    if expected is not None and last is not None and last <= at < expected and check.spec.kind != "simple":
        return expected
    return next_expected(check.spec, at)


def _deadline(spec: CheckSpec, status: Status, runs: tuple[Run, ...], expected: int | None) -> int | None:
    """The deadline of a check with these values. It is set together with them, so that a ping makes one new check."""
    first = expected
    if runs and (watched := watched_since(runs)) is not None:
        first = watched if expected is None else min(expected, watched)
    return None if first is None or status == "down" else first + spec.grace * SECOND

"""Why a check has its status, what happens next and when, and what would change it.

    kind          topic   said when
    new           state   no success or failure came yet; `resumed`: not since it was resumed
    up, down, paused      (the status; with the flip that led to it)
    last_ping     state   a success or failure came
    late          state   a success is overdue, and that is not judged yet
    ended         state   its schedule has no further occurrence
    was_deaf      state   pingmon itself heard nothing when the ping was due
    ignored       state   the newest ping counts for nothing, `why`: `methods`, `paused`, `keywords`, or `then`: as
                          the check was at that time
    logged        state   the newest ping is only a message
    run           state   a run is open; `overdue_run`: it has lasted for too long
    expected      next    a success is due
    run_must_end  next    a run is open and watched, and not too long yet
    goes_down     next    the deadline for the success; `due`: it is over, and about to be judged
    held          next    the alert waits longer than that, because pingmon was deaf
    waits, unwatched, stays_down, no_more         (nothing will happen by itself; by status)
    first_ping, failure, success, resume, ping_or_resume    change, by status
    post_only, keywords                           change: what pings count, by its settings
    zone          advice  see `zone_doctor`
    not_kept      advice  the pings of that time are gone: what is said comes from the changes of status alone

Each fact names the entries of the log that it rests on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Struct

from pingmon.core.check.check import Check, Status, fires_at, has_run_out, next_ping, overlap, watched_since
from pingmon.core.check.zone_doctor import ZoneFinding
from pingmon.core.facts import Fact
from pingmon.core.flip import Deaf, Flip
from pingmon.core.units import SECOND
from pingmon.core.world.events import Entry, PingReceived

RUNS: Final = 5
"""Open runs that are told of."""

_NOTHING: Final[dict[Status, str]] = {"new": "waits", "up": "no_more", "down": "stays_down", "paused": "unwatched"}
_CHANGE: Final[dict[Status, str]] = {
    "new": "first_ping",
    "up": "failure",
    "down": "success",
    "paused": "ping_or_resume",
}


class CheckEvidence(Struct, frozen=True, kw_only=True):
    """What is known of a check at `now` besides its state. `turned` is its newest flip, `pings` its newest, that first.

    `settings` is the entry that set its settings, `resumed` are the entries that tell of `deaf` times. `kept`: the
    pings that made its state are still there.
    """

    now: int
    turned: Flip | None
    pings: Sequence[Entry]
    settings: int
    deaf: tuple[Deaf, ...] = ()
    resumed: Sequence[Entry] = ()
    finding: ZoneFinding | None = None
    kept: bool = True


def check_facts(check: Check, seen: CheckEvidence) -> list[Fact]:
    """All that there is to say, but for who was told."""
    if not seen.kept:
        return [_status(check, seen), Fact(topic="advice", kind="not_kept", entries=_turned(check, seen))]
    return [_status(check, seen), *_state(check, seen), *_next(check, seen), *_change(check, seen), *_advice(seen)]


def _status(check: Check, seen: CheckEvidence) -> Fact:
    turned = seen.turned
    kind = "resumed" if check.status == "new" and turned is not None else check.status
    entries = _turned(check, seen)
    if turned is not None and turned.cause == "silence" and check.last_ping is not None:
        entries = (*_ping_at(check, seen, check.last_ping), *entries)
    return Fact(topic="state", kind=kind, entries=entries, at=check.since, flip=turned)


def _state(check: Check, seen: CheckEvidence) -> Iterator[Fact]:
    turned = seen.turned
    if turned is not None and turned.deaf is not None and check.status == "down":
        deaf, told = turned.deaf, _resumed(seen, turned.deaf)
        entries = (turned.seq, *told)
        yield Fact(topic="state", kind="was_deaf", entries=entries, at=deaf.since, until=deaf.until, why=deaf.cause)
    if check.last_ping is not None:
        yield Fact(topic="state", kind="last_ping", entries=_ping_at(check, seen, check.last_ping), at=check.last_ping)
    if has_run_out(check):
        yield Fact(topic="state", kind="ended", entries=(check.armed_by,))
    elif check.expected is not None and seen.now >= check.expected:
        yield Fact(topic="state", kind="late", entries=(check.armed_by,), at=check.expected)
    yield from _uncounted(check, seen)
    for run in check.runs[:RUNS]:
        kind, entries = "overdue_run" if run.overdue else "run", _ping_at(check, seen, run.started)
        yield Fact(topic="state", kind=kind, entries=entries, at=run.started, who=run.rid or "")


def _uncounted(check: Check, seen: CheckEvidence) -> Iterator[Fact]:
    """The newest ping, if it has changed nothing: whoever sent it may think that it has."""
    newest = seen.pings[0] if seen.pings else None
    ping = None if newest is None else newest.event
    if newest is None or not isinstance(ping, PingReceived):
        return
    if ping.signal == "log":
        yield Fact(topic="state", kind="logged", entries=(newest.seq,), at=newest.at)
    if ping.signal == "ign":
        why = _ignored_by(check, seen, newest.seq, ping)
        yield Fact(topic="state", kind="ignored", entries=(newest.seq, seen.settings), at=newest.at, why=why)


def _ignored_by(check: Check, seen: CheckEvidence, seq: int, ping: PingReceived) -> str:
    """Why `ping` was ignored, by the entry `seq`, as far as settings and status are still those of then."""
    spec, (turned,) = check.spec, _turned(check, seen)
    if seen.settings > seq:
        return "then"
    if turned < seq and check.status == "paused" and spec.manual_resume:
        return "paused"
    if spec.methods == "POST" and ping.method != "POST":
        return "methods"
    if spec.manual_resume and turned > seq:  # it may have been paused then
        return "then"
    return "keywords"


def _next(check: Check, seen: CheckEvidence) -> Iterator[Fact]:
    fires, armed = fires_at(check, seen.deaf), (check.armed_by,)
    if fires is None or check.deadline is None:
        yield Fact(topic="next", kind=_NOTHING[check.status], entries=_turned(check, seen))
        return
    if check.expected is not None and seen.now < check.expected:
        yield Fact(topic="next", kind="expected", entries=armed, at=check.expected)
    started = watched_since(check.runs)
    if started is not None and seen.now < (ends := started + check.spec.grace * SECOND):
        entries = _ping_at(check, seen, started)
        yield Fact(topic="next", kind="run_must_end", entries=entries, at=started, until=ends)
    deaf = overlap(seen.deaf, check.deadline, check.spec.grace)
    if seen.now >= fires:
        yield Fact(topic="next", kind="due", entries=armed, at=fires)
    elif deaf is not None and fires > check.deadline:
        entries = (*armed, *_resumed(seen, deaf))
        yield Fact(topic="next", kind="held", entries=entries, at=check.deadline, until=fires, why=deaf.cause)
    elif next_ping(check) == check.expected:
        yield Fact(topic="next", kind="goes_down", entries=armed, at=fires, seconds=check.spec.grace)


def _change(check: Check, seen: CheckEvidence) -> Iterator[Fact]:
    spec, settings = check.spec, (seen.settings,)
    if check.status == "paused" and spec.manual_resume:
        yield Fact(topic="change", kind="resume", entries=(*_turned(check, seen), *settings))
    else:
        yield Fact(topic="change", kind=_CHANGE[check.status], entries=_turned(check, seen))
    if spec.methods == "POST":
        yield Fact(topic="change", kind="post_only", entries=settings)
    if spec.filter_http_body:
        yield Fact(topic="change", kind="keywords", entries=settings)


def _advice(seen: CheckEvidence) -> Iterator[Fact]:
    finding = seen.finding
    if finding is not None:
        yield Fact(topic="advice", kind="zone", entries=finding.entries, count=len(finding.entries), finding=finding)


def _turned(check: Check, seen: CheckEvidence) -> tuple[int, ...]:
    """The entry that made its status what it is."""
    return (check.born,) if seen.turned is None else (seen.turned.seq,)


def _ping_at(check: Check, seen: CheckEvidence, at: int) -> tuple[int, ...]:
    """The entry of the ping of this instant; that which set the deadline, if it is too old or the clock was set."""
    found = next((entry.seq for entry in seen.pings if entry.at == at), check.armed_by)
    return (found,)


def _resumed(seen: CheckEvidence, deaf: Deaf) -> tuple[int, ...]:
    return tuple(entry.seq for entry in seen.resumed if entry.at == deaf.until)

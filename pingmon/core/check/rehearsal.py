"""What a check's own history would have been under other settings: its pings, replayed by the fold.

The world of a rehearsal holds the check alone. Its pings, pauses, and what the log says of deafness and of the clock go
through the same fold as ever; a deadline expires where no ping has met it by then. What is left out is what the
settings were at the time, for they are what is tried. An outage that ends before there were failures enough
(`notify_after`) is no alert. Reminders, escalation, parents and maintenance are left out as well.

A ping's signal is decided before it is logged (`core.check.ping`), so it is decided anew. That is exact where a body
decides. Where the URL does, only what came of it is kept: of a ping that was ignored then, and would not be now, the
exit status decides, and without one it is taken for a success.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from pingmon.core.check.check import Check, fires_at
from pingmon.core.check.failures import failed_often_at
from pingmon.core.check.ping import meaning
from pingmon.core.check.settings import CheckSpec
from pingmon.core.flip import Flip
from pingmon.core.world.events import (
    AnyEvent,
    CheckExpired,
    CheckPaused,
    CheckResumed,
    ClockStepped,
    Entry,
    Event,
    ListeningResumed,
    PingReceived,
)
from pingmon.core.world.fold import fold
from pingmon.core.world.project import Project
from pingmon.core.world.world import World

REPLAYED: Final[tuple[type[Event], ...]] = (PingReceived, CheckPaused, CheckResumed, ListeningResumed, ClockStepped)
"""The events that a rehearsal needs: the check's, and the daemon's."""


class Alert(Struct, frozen=True):
    """A way down that would have been told, and until when it would have lasted; None: it still would."""

    flip: Flip
    until: int | None = None

    def lasted(self, now: int) -> int:
        """For how long it was down, in microseconds."""
        return max(0, (now if self.until is None else self.until) - self.flip.at)


def reread(entry: Entry, spec: CheckSpec) -> tuple[Entry, bool]:
    """A ping as a check with `spec` would have taken it, without its body, and whether that is a guess."""
    ping = entry.event
    if not isinstance(ping, PingReceived):
        return entry, False
    action = "success" if ping.signal == "ign" else ping.signal
    signal = meaning(spec, "new", action, ping.exitstatus, ping.method, entry.payload or b"")
    if spec.filter_http_body:
        guessed = signal != "ign" and ping.left_out > 0
    else:
        guessed = signal != "ign" and ping.signal == "ign"
    return replace(entry, event=replace(ping, signal=signal, create=None), payload=None), guessed


class Rehearsal:
    """Replays what it is given, in the order of the log, for a check with `spec`; alerts since `since` count."""

    def __init__(self, check: Check, spec: CheckSpec, since: int) -> None:
        self.alerts: list[Alert] = []
        self._untold: Flip | None = None
        self._since = since
        self._world = World()
        self._world.put_project(Project(check.project, "", "", 0, 0))
        fresh = Check(check.id, check.project, replace(spec, channels=()), 0, check.created, check.created)
        self._world.put_check(fresh)
        self._id = check.id

    def take(self, entry: Entry) -> None:
        """Go on with the next entry; its event is one of `REPLAYED`."""
        moment = _moment(entry)
        self._expire(moment)
        if not isinstance(entry.event, PingReceived) or entry.event.signal in ("success", "fail"):
            self._tell(moment)
        self._fold(entry.seq, entry.at, entry.stream, entry.event)

    def end(self, now: int) -> list[Alert]:
        """The alerts until `now`."""
        self._expire(now)
        self._tell(now)
        return [alert for alert in self.alerts if alert.flip.at >= self._since]

    def _expire(self, now: int) -> None:
        """Let the deadline expire if it was not met before `now`."""
        check = self._world.checks[self._id]
        if check.deadline is None or check.deadline >= now:
            return
        fires = fires_at(check, self._world.daemon.deaf)
        if fires is not None and fires < now:
            self._fold(self._world.seq, fires, check.id, CheckExpired(check.deadline, check.armed_by))

    def _fold(self, seq: int, at: int, stream: str, event: AnyEvent) -> None:
        flip = fold(self._world, Entry(seq, at, stream, event)).flip
        if flip is None:
            return
        if flip.old == "down" and self._untold is None:
            self.alerts[-1] = replace(self.alerts[-1], until=flip.at)
        self._untold = flip if flip.new == "down" else None

    def _tell(self, now: int) -> None:
        """Make an alert of the outage that lasts, if there were failures enough before `now`."""
        flip, check = self._untold, self._world.checks[self._id]
        often = check.spec.alerts.notify_after
        if flip is not None and (often == 1 or failed_often_at(check, flip, often, now) is not None):
            self.alerts.append(Alert(flip))
            self._untold = None


def _moment(entry: Entry) -> int:
    """By when, on the clock as it was before, deadlines were judged that `entry` has not moved.

    While pingmon was deaf nobody judged, and a clock that was set showed another time before.
    """
    event = entry.event
    if isinstance(event, ListeningResumed):
        return event.since
    return entry.at - event.by if isinstance(event, ClockStepped) else entry.at

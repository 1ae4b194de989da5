"""Finds that a schedule is read in another time zone than the one in which its job runs, from the job's pings alone.

The complaint is an old one: `0 5 * * *` in UTC, and pings at 05:00 in Bucharest. It is found by arithmetic on clocks
on the wall. A ping *fits* a zone if the zone's clock shows a time of the schedule, or up to `LATE` after it (a job
takes its time), or up to `EARLY` before it (clocks go wrong). Together that is a quarter of an hour, and the zones of
the world lie whole quarters apart: so a ping fits at most one of them for each time of the schedule.

Something is found if the newest pings, at least `LEAST` of them for as many times of the schedule, all miss the zone of
the schedule, and all fit the same other zone, winter and summer. Nothing is said where two answers are possible: of
schedules that are dense, or that look the same when they are shifted.

Starts tell when a job begins, so only they count if there are any. Of a job that says only how it ended, and takes
longer than `LATE`, nothing is found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from msgspec import Struct

from pingmon.core.check.schedule import next_expected, utc_offset, wall_clock
from pingmon.core.check.settings import CheckSpec
from pingmon.core.units import DAY, HOUR, MINUTE, SECOND
from pingmon.core.world.events import Entry, PingReceived

LEAST: Final = 3
MOST: Final = 30
"""Pings that are looked at."""
EARLY: Final = 5 * MINUTE
LATE: Final = 10 * MINUTE
DENSE: Final = 12
"""Times of a schedule within the day, and two hours, of all clocks on earth from which on it is dense."""
WEST, EAST = 12 * HOUR, 14 * HOUR
"""How far the clocks of the world are behind, and ahead."""

ZONES: Final = (
    *("UTC", "Europe/London", "Europe/Berlin", "America/New_York", "America/Los_Angeles", "America/Chicago"),
    *("America/Denver", "Asia/Kolkata", "Asia/Shanghai", "Asia/Tokyo", "Australia/Sydney", "Europe/Bucharest"),
    *("Europe/Moscow", "America/Sao_Paulo", "Africa/Johannesburg", "Africa/Lagos", "Asia/Dubai", "Asia/Karachi"),
    *("Asia/Dhaka", "Asia/Bangkok", "Pacific/Auckland", "Asia/Jerusalem", "Africa/Cairo", "Asia/Tehran"),
    *("America/Mexico_City", "America/Bogota", "America/Caracas", "America/Phoenix", "America/Halifax"),
    *("America/Santiago", "Australia/Brisbane", "Australia/Adelaide", "Australia/Darwin", "Asia/Kathmandu"),
    *("Asia/Yangon", "Asia/Kabul", "Asia/Beirut", "Asia/Gaza", "Africa/Casablanca", "America/Anchorage"),
    *("Pacific/Honolulu", "America/St_Johns", "Atlantic/Azores", "Atlantic/Cape_Verde", "America/Nuuk"),
    *("America/Noronha", "America/Miquelon", "Pacific/Guadalcanal", "Pacific/Fiji", "Pacific/Tongatapu"),
    *("Pacific/Norfolk", "Pacific/Chatham", "Pacific/Marquesas", "Pacific/Gambier", "Pacific/Pitcairn"),
    *("Pacific/Easter", "America/Adak", "Australia/Eucla", "Australia/Lord_Howe", "Antarctica/Troll"),
)
"""One zone for each set of rules that is kept today, those of most servers first.

Left out are three that differ by a whole day from others (Kiritimati, Pago Pago, and UTC-12, where nobody lives): daily
pings there look like those of Hawaii and New Zealand, of which nothing could be said then.
"""


class ZoneFinding(Struct, frozen=True):
    """The newest `entries` fit `fits` and not `zone`, which is the schedule's.

    They came `least` to `most` microseconds after their expected times; before them if that is negative.
    """

    zone: str
    fits: tuple[str, ...]
    entries: tuple[int, ...]
    least: int
    most: int


class _Fit(Struct, frozen=True):
    """A ping that fits a zone: the time on the wall that it was meant for; how much later it came by the schedule's."""

    entry: int
    at: int
    meant: int
    missed_by: int


def zone_finding(
    spec: CheckSpec, pings: Sequence[Entry], likely: Callable[[], Iterable[str]] = tuple
) -> ZoneFinding | None:
    """What `pings` (newest first) say about the zone of the schedule; None if nothing can be said.

    `likely` gives zones that are named before others with the same clocks: those of the neighbours.
    """
    clock, beats = wall_clock(spec), _beats(pings)
    if clock is None or len(beats) < LEAST:
        return None
    plain, own = clock
    zones: list[str] = []
    fits: list[_Fit] = []
    for beat in beats:
        if _on_time(plain, beat.at + utc_offset(beat.at, own)) or (times := _times(plain, beat.at)) is None:
            break
        if not zones:
            zones = [zone for zone in dict.fromkeys((*likely(), *ZONES)) if zone != own]
        left = [zone for zone in zones if _meant(times, beat.at, zone) is not None]
        if left:
            zones = left
            meant = _meant(times, beat.at, zones[0]) or 0
            fits.append(_Fit(beat.seq, beat.at, meant, beat.at + utc_offset(beat.at, own) - meant))
        elif not fits or not any(_clock_changed(beat.at, zone) for zone in zones):
            break
    return _found(own, zones, fits)


def _beats(pings: Iterable[Entry]) -> list[Entry]:
    """The pings that tell when the job runs."""
    said = [(entry, entry.event.signal) for entry in pings if isinstance(entry.event, PingReceived)]
    starts = [entry for entry, signal in said if signal == "start"]
    return (starts or [entry for entry, signal in said if signal in ("success", "fail")])[:MOST]


def _times(plain: CheckSpec, at: int) -> list[int] | None:
    """The times of the schedule that a ping at `at` may be meant for, whatever the zone; None if there are many."""
    times: list[int] = []
    after: int | None = at - WEST - LATE - 1
    while len(times) <= DENSE and after is not None:
        after = next_expected(plain, after)
        if after is None or after > at + EAST + EARLY:
            return times
        times.append(after)
    return None


def _on_time(plain: CheckSpec, shown: int) -> bool:
    """Whether a ping is on time for which the clock on the wall shows `shown`."""
    due = next_expected(plain, shown - max(LATE, plain.grace * SECOND) - 1)
    return due is not None and due <= shown + EARLY


def _meant(times: Iterable[int], at: int, zone: str) -> int | None:
    """The time of the schedule at which a ping fits `zone`; None if it does not."""
    shown = at + utc_offset(at, zone)
    return next((time for time in times if -EARLY <= shown - time <= LATE), None)


def _clock_changed(at: int, zone: str) -> bool:
    """Whether the zone's clock was just changed: then a job may run at another time than its schedule says."""
    return utc_offset(at - DAY, zone) != utc_offset(at, zone)


def _found(own: str, zones: Sequence[str], fits: Sequence[_Fit]) -> ZoneFinding | None:
    alike = all(len({utc_offset(fit.at, zone) for zone in zones}) == 1 for fit in fits)
    if not alike or len({fit.meant for fit in fits}) < LEAST:
        return None
    missed = [fit.missed_by for fit in fits]
    return ZoneFinding(own, tuple(zones), tuple(fit.entry for fit in fits), min(missed), max(missed))

"""When a site is to be looked at.

    up        on its own grid: each interval, at its own phase, so that sites spread evenly and stay where they are
    down      every `DOWN_PACE_S`, and when a silence ends
    in doubt  every `LOCAL_PACE_S`, or half of its patience; when rounds lead to nothing, as `UNKNOWN_PACE_S` says; and
              when its patience ends, or the time for which it may be unknown

Instants are integer microseconds since the epoch, UTC.

Source: the site monitoring spec.
"""

from __future__ import annotations

from typing import Final

from pingmon.core.site.site import Site, patience_ends, unopposed_ends
from pingmon.core.units import SECOND, Id

LOCAL_PACE_S: Final = 10
"""Seconds between looks, or rounds, that lead to a verdict."""
DOWN_PACE_S: Final = 30
"""Seconds between probes of a site that is down."""
UNKNOWN_PACE_S: Final = (10, 30, 60, 120, 300)
"""Seconds until a round without a verdict is repeated; the last wait repeats."""
SOON_S: Final = 10
"""Seconds over which the sites are spread that need a look at the start, because they are not up."""


def first_probe(site: Site, now: int) -> int:
    """When to look at a site for the first time since the start. One that may be down comes soon."""
    if site.status == "up":
        return on_grid(site, now)
    return now + phase(site.id, SOON_S) * SECOND


def on_grid(site: Site, now: int) -> int:
    """The first instant after `now` on the site's own grid."""
    interval = site.spec.interval * SECOND
    due = now - now % interval + phase(site.id, site.spec.interval) * SECOND
    return due if due > now else due + interval


def next_probe(site: Site, planned: int, silent_until: int = 0) -> int:
    """When the site is to be probed after a probe that was planned for `planned`; both on the site's own grid.

    One that is down in a silence (see `escalation.silent_until`) is looked at again at the instant at which the silence
    ends. One that fails is looked at again at the instant at which its patience ends.
    """
    if site.status == "down":
        due = planned + min(DOWN_PACE_S, site.spec.interval) * SECOND
        return due if site.told or silent_until <= planned else min(due, silent_until)
    if site.status in ("suspect", "unknown"):
        return _next_in_doubt(site, planned)
    return planned + site.spec.interval * SECOND


def phase(site: Id, interval: int) -> int:
    """Seconds into its interval at which a site is probed, so that sites spread evenly and stay where they are."""
    return int(site.replace("-", ""), 16) % interval


def _next_in_doubt(site: Site, planned: int) -> int:
    """When to look at a site again that is suspect or unknown.

    The look that decides begins exactly when its patience ends, or the time for which it may be unknown, so that it
    ends no sooner. Other looks are not made shortly before: they would decide nothing.
    """
    if site.incident is None:  # nobody could see it, and nothing is known against it: there is no hurry
        return planned + min(UNKNOWN_PACE_S[-1], site.spec.interval) * SECOND
    pace = max(LOCAL_PACE_S, site.spec.patience // 2)
    if site.rounds:
        pace = UNKNOWN_PACE_S[min(site.rounds, len(UNKNOWN_PACE_S)) - 1]
    due, least = planned + min(pace, site.spec.interval) * SECOND, LOCAL_PACE_S * SECOND
    for ends in sorted((patience_ends(site), unopposed_ends(site) if site.rounds else 0)):
        if planned < ends < due + least:
            return max(ends, planned + least)
    return due

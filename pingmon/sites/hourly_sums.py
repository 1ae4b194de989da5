"""Sums up what the daemon's own probes measured, site by site and hour by hour, and puts each ended hour into the log.

One probe of a healthy site is not worth a row; twelve in an hour are, once. The hour is written at the site's first
probe of the next one, so that thousands of sites do not write at the same moment. What a crash takes with it is the
hour that had begun.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from itertools import islice
from math import ceil
from typing import Final

from twisted.internet.defer import Deferred, DeferredList, succeed

from pingmon.core.site.probe_result import ProbeResult
from pingmon.core.units import HOUR, Id
from pingmon.core.world.events import Hour

BATCH: Final = 1_000


class _Tally:
    """An hour that has begun. `took`: milliseconds of each good look."""

    __slots__ = ("bad", "start", "took", "void")

    def __init__(self, start: int) -> None:
        self.start = start
        self.took = array("i")
        self.bad = 0
        self.void = 0


class Hours:
    """`write(site, hour)` is called with each hour that has ended; it fires when that is written, or cannot be."""

    def __init__(self, write: Callable[[Id, Hour], Deferred[None]]) -> None:
        self._write = write
        self._tallies: dict[Id, _Tally] = {}

    def add(self, site: Id, look: ProbeResult) -> None:
        """Count one look of the daemon's own."""
        start = look.at - look.at % HOUR
        tally = self._tallies.get(site)
        if tally is not None and tally.start != start:
            self.close(site)
            tally = None
        if tally is None:
            tally = self._tallies[site] = _Tally(start)
        if not look.counts:
            tally.void += 1
        elif look.good:
            tally.took.append(look.ms)
        else:
            tally.bad += 1

    def close(self, site: Id) -> Deferred[None]:
        """Write what there is of the site's hour, as if it had ended: it is probed no more."""
        tally = self._tallies.pop(site, None)
        if tally is None:
            return succeed(None)
        return self._write(site, summed(tally.start, tally.took, tally.bad, tally.void))

    def forget(self, site: Id) -> None:
        """The site is gone."""
        self._tallies.pop(site, None)

    async def close_all(self) -> None:
        """Write all that there is, some at a time, so that the log takes them all: the daemon stops."""
        while self._tallies:
            await DeferredList([self.close(site) for site in islice(list(self._tallies), BATCH)])


def summed(start: int, took: array[int], bad: int, void: int) -> Hour:
    """The hour from `start` on. Quantiles are those of the nearest rank."""
    if not took:
        return Hour(start, bad, bad, void)
    ranked = sorted(took)
    count = len(ranked)
    return Hour(
        start,
        probes=count + bad,
        bad=bad,
        void=void,
        fastest=ranked[0],
        median=ranked[ceil(count * 0.5) - 1],
        p95=ranked[ceil(count * 0.95) - 1],
        slowest=ranked[-1],
    )

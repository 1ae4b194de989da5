"""What a rule told, held against what was true: the columns of the table of `verdicts.py`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from verdict_rules import Notice
from verdict_world import Fault, SiteWorld


@dataclass
class Tally:
    """Of one rule at one interval, over all sites. Delays are seconds from an outage's true start to the notice.

    `long_missed` are outages of at least two intervals, `flaky_missed` those among them that answer some probes well.
    `again` counts alerts of an outage after the first.
    """

    interval: float
    sick_daemon: int = 0
    noise: int = 0
    blips: int = 0
    outages: int = 0
    missed: int = 0
    long_outages: int = 0
    long_missed: int = 0
    flaky_missed: int = 0
    again: int = 0
    late: int = 0
    never: int = 0
    delays: list[float] = field(default_factory=list)

    def add(self, site: SiteWorld, notices: list[Notice]) -> None:
        """Count one site."""
        for notice in notices:
            if notice.kind == "down" and not _overlap(site.outages, notice):
                self._false(site, notice)
        for outage in site.outages:
            self._outage(outage, notices)

    def _false(self, site: SiteWorld, notice: Notice) -> None:
        if _overlap(site.blips, notice):
            self.blips += 1
        elif _overlap(site.world.daemon.faults, notice):
            self.sick_daemon += 1
        else:
            self.noise += 1

    def _outage(self, outage: Fault, notices: list[Notice]) -> None:
        long = outage.end - outage.start >= 2 * self.interval
        self.outages += 1
        self.long_outages += long
        mine = [index for index, notice in enumerate(notices) if notice.kind == "down" and _during(outage, notice)]
        if mine:
            self.delays.append(max(0.0, notices[mine[0]].at - outage.start))
            self.again += len(mine) - 1
            self._recovery(outage, notices[mine[-1] + 1 :])
        elif not _standing(outage, notices):
            self.missed += 1
            self.long_missed += long
            self.flaky_missed += long and outage.kind == "flaky"

    def _recovery(self, outage: Fault, later: list[Notice]) -> None:
        if not later or later[0].kind != "up":
            self.never += 1
        elif later[0].at - outage.end > 2 * self.interval:
            self.late += 1

    def quantile(self, part: float) -> float:
        """Of the delays; 0 if there are none."""
        ordered = sorted(self.delays)
        return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else 0.0


def _during(fault: Fault, notice: Notice) -> bool:
    return notice.since < fault.end and notice.at > fault.start


def _overlap(faults: Sequence[Fault], notice: Notice) -> bool:
    return any(_during(fault, notice) for fault in faults)


def _standing(outage: Fault, notices: list[Notice]) -> bool:
    """Whether users had been told before it began, and not been told otherwise."""
    before = [notice for notice in notices if notice.at <= outage.start]
    return bool(before) and before[-1].kind == "down"


HEAD = (
    "| rule | false: daemon sick | false: noise | blips told | outages missed | of ≥ 2 intervals (flaky) | "
    "detected, median s | p95 s | told again | up late | up never |\n|---|" + 10 * "---:|"
)


def row(name: str, tally: Tally) -> str:
    """One line of the table."""
    cells = [
        name,
        *(f"{count:,}" for count in (tally.sick_daemon, tally.noise, tally.blips)),
        f"{tally.missed:,}",
        f"{tally.long_missed:,} ({tally.flaky_missed:,})",
        f"{tally.quantile(0.5):,.0f}",
        f"{tally.quantile(0.95):,.0f}",
        f"{tally.again:,}",
        f"{tally.late:,}",
        f"{tally.never:,}",
    ]
    return "| " + " | ".join(cells) + " |"

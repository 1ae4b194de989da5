"""The daemon's own measurements in Prometheus' text format, for `/metrics`.

The parts count as they work, which costs next to nothing; what they have counted is gathered when somebody asks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import accumulate
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from pingmon import __version__
from pingmon.core.check.check import Check
from pingmon.core.units import SECOND
from pingmon.core.world.events import Entry, Event, NotificationAbandoned, NotificationDelivered, NotificationFailed
from pingmon.core.world.outcome import Outcome
from pingmon.daemon.health_problems import Parts, problems
from pingmon.pings.intake import PingIntake

SLICE: Final = 2_000
"""Checks that are counted in one turn of the loop (less than a millisecond)."""
PAUSE_S: Final = 0.002

OUTCOMES: Final[dict[type[Event], str]] = {
    NotificationDelivered: "delivered",
    NotificationFailed: "failed",
    NotificationAbandoned: "given up",
}


class DaemonMetrics(Collector):
    """`data`: where the journal's files are."""

    def __init__(self, parts: Parts, intake: PingIntake, data: Path, clock: IReactorTime) -> None:
        self._parts = parts
        self._intake = intake
        self._data = data
        self._clock = clock
        self._told: Counter[tuple[str, str]] = Counter()
        self._checks: Counter[str] = Counter()
        self._runs = 0
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)
        parts.monitor.listen(self._count_attempt, *OUTCOMES)

    async def text(self) -> str:
        """All measurements, as they are now."""
        checks, runs = list(self._parts.monitor.world.checks.values()), 0
        found: Counter[str] = Counter()
        for start in range(0, len(checks), SLICE):
            if start:
                await deferLater(self._clock, PAUSE_S)
            some = checks[start : start + SLICE]
            found.update(check.status for check in some)
            runs += sum(map(_runs, some))
        self._checks, self._runs = found, runs
        return generate_latest(self._registry).decode()

    def collect(self) -> Iterator[Metric]:
        """Called by the registry."""
        reasons = len(problems(self._parts))
        yield _gauge("pingmon_info", "The version that runs.", {__version__: 1}, "version")
        yield _gauge("pingmon_problems", "Reasons why the daemon is not well; status/ tells them.", reasons)
        yield from self._of_pings()
        yield from self._of_the_journal()
        yield from self._of_time()
        yield from self._of_messages()
        yield from self._of_probes()

    def _of_pings(self) -> Iterator[Metric]:
        yield _counter("pingmon_pings", "Pings, by what they were answered.", self._intake.answered, "answer")
        yield _gauge("pingmon_checks", "Checks, by status.", self._checks, "status")
        yield _gauge("pingmon_open_runs", "Jobs that have started and not ended.", self._runs)

    def _of_the_journal(self) -> Iterator[Metric]:
        health = self._parts.monitor.journal.health()
        times, took = HistogramMetricFamily("pingmon_commit_seconds", "How long commits took."), health.commit_times
        bounds = (*map(str, took.bounds_s), "+Inf")
        times.add_metric([], list(zip(bounds, accumulate(took.counts), strict=True)), took.sum_s)
        yield times
        yield _gauge("pingmon_journal_entries", "Entries ever written to the journal.", health.entries_total)
        yield _gauge("pingmon_journal_waiting", "Entries that are not on disk yet.", health.buffered)
        failing = health.failing_since is not None
        yield _gauge("pingmon_journal_failing", "Whether the journal takes no writes.", failing)
        yield _gauge("pingmon_journal_bytes", "Size of the journal's files.", _sizes(self._data))

    def _of_time(self) -> Iterator[Metric]:
        parts, now, steady = self._parts, self._parts.monitor.now(), self._parts.monitor.time.steady()
        lag = parts.alarms.loop_lag_s()
        yield _gauge("pingmon_loop_lag_seconds", "The most that the event loop was late within a minute or less.", lag)
        ages = {
            "deadlines": steady - parts.alarms.last_tick,
            "outages": steady - parts.reviews.last_tick,
            "notifications": steady - parts.outbox.last_tick,
            "sites": steady - parts.site_watch.last_tick,
        }
        yield _gauge("pingmon_tick_age_seconds", "How long ago each loop last went round.", ages, "loop")
        yield _gauge("pingmon_deadlines", "Deadlines of checks that are watched.", parts.alarms.watched)
        late = {
            "deadline": parts.alarms.overdue(now) / SECOND,
            "notification": parts.outbox.overdue(now) / SECOND,
            "question": parts.inquiries.overdue(now) / SECOND,
        }
        yield _gauge("pingmon_overdue_seconds", "By how much the oldest of each is late.", late, "what")
        deaf = parts.monitor.deafness.since is not None
        yield _gauge("pingmon_deaf", "Whether the daemon cannot hear pings, and judges no silence.", deaf)

    def _of_messages(self) -> Iterator[Metric]:
        attempts = CounterMetricFamily(
            "pingmon_notification_attempts", "Attempts to tell somebody.", labels=["kind", "outcome"]
        )
        for labels, count in sorted(self._told.items()):
            attempts.add_metric(labels, count)
        yield attempts
        yield _gauge("pingmon_notifications_waiting", "Messages that are owed.", self._parts.outbox.pending)

    def _of_probes(self) -> Iterator[Metric]:
        parts = self._parts
        seen = {fault or "ok": count for fault, count in parts.prober.seen.items()}
        yield _counter("pingmon_probes", "Probes from here, by what was seen.", seen, "result")
        health = parts.site_watch.health()
        yield _gauge("pingmon_sites", "Sites that are watched.", health.sites)
        yield _gauge("pingmon_probes_late_seconds", "The most that a probe was late of late.", health.late_s)
        peers = parts.verifier_health()
        asked, of_use = ({each.name: getattr(each, name) for each in peers} for name in ("asked", "answered"))
        yield _counter("pingmon_verifier_questions", "Questions to each verifier.", asked, "verifier")
        yield _counter("pingmon_verifier_answers", "Answers of use of each verifier.", of_use, "verifier")
        well = {each.name: each.last_ok > each.last_error_at for each in peers if each.asked}
        yield _gauge("pingmon_verifier_up", "Whether each verifier's last answer was of use.", well, "verifier")

    def _count_attempt(self, entry: Entry, outcome: Outcome) -> None:
        channel = self._parts.monitor.world.channels.get(entry.stream)
        kind = "deleted" if channel is None else channel.kind
        self._told[kind, OUTCOMES[type(entry.event)]] += 1


def _runs(check: Check) -> int:
    return len(check.runs)


def _gauge(name: str, help: str, values: Mapping[str, float] | float, label: str = "") -> Metric:
    return _filled(GaugeMetricFamily(name, help, labels=[label] if label else []), values)


def _counter(name: str, help: str, values: Mapping[str, float], label: str) -> Metric:
    return _filled(CounterMetricFamily(name, help, labels=[label]), values)


def _filled(family: GaugeMetricFamily | CounterMetricFamily, values: Mapping[str, float] | float) -> Metric:
    if isinstance(values, Mapping):
        for label, value in sorted(values.items()):
            family.add_metric([label], value)
    else:
        family.add_metric([], values)
    return family


def _sizes(journal: Path) -> int:
    """Bytes in the database and its write-ahead log."""
    files = (journal, journal.with_name(f"{journal.name}-wal"))
    return sum(file.stat().st_size for file in files if file.exists())

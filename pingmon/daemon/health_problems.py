"""What keeps the daemon from doing its work: every sign of it that its parts show, looked for at each `status/`.

A part knows how it does; what of that is a problem, and what is to be done about it, is said here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from msgspec import Struct

from pingmon.alarms import Alarms
from pingmon.core.units import SECOND
from pingmon.daemon.housekeeping import Housekeeping
from pingmon.daemon.trouble_watch import TroubleWatch
from pingmon.daemon.watchdog import Watchdog
from pingmon.delivery.confirmations import Confirmations
from pingmon.delivery.outage_reviews import OutageReviews
from pingmon.delivery.outbox import Outbox
from pingmon.delivery.test_messages import ChannelTester
from pingmon.monitor import Monitor
from pingmon.probe.prober import Prober
from pingmon.sites.host_detection import HostDetection
from pingmon.sites.partner_inquiries import Inquiries
from pingmon.sites.rounds import ROUNDS, Rounds
from pingmon.sites.site_watch import SiteWatch
from pingmon.verify.verifier_health import PeerHealth
from pingmon.wire.api.status import Problem

TICK_TOO_OLD_S: Final = 10.0
"""Age of the last look at what is due, and lateness of what is, from which the daemon reports itself unwell."""
OWED_TOO_LONG_S: Final = 120.0
"""Lateness of a notification from which it does; a channel's queue may wait for attempts of 30 s."""

OVERLOADED: Final = "the machine or its disk is too slow for what is asked of it"
VERIFIERS: Final = "verifiers"
"""The kind of the trouble that too few verifiers are of use."""
STANDS_STILL: Final = "a fault in pingmon: the daemon's log has more; a restart may help"


class Parts(Struct, frozen=True):
    """What runs in a daemon. `verifier_health`: how each verifier has done.

    `disk_space`: how many bytes are free where the journal is, and of how many. `certificates`: where those are that
    endpoints show, and when the first of them ends (microseconds since the epoch).
    """

    monitor: Monitor
    alarms: Alarms
    housekeeping: Housekeeping
    reviews: OutageReviews
    outbox: Outbox
    tester: ChannelTester
    confirmations: Confirmations
    inquiries: Inquiries
    hosts: HostDetection
    site_watch: SiteWatch
    rounds: Rounds
    prober: Prober
    watchdog: Watchdog
    troubles: TroubleWatch
    verifier_health: Callable[[], Sequence[PeerHealth]]
    disk_space: Callable[[], tuple[int, int]]
    certificates: Callable[[], Sequence[tuple[str, int]]]


def problems(parts: Parts) -> list[Problem]:
    """What is wrong now; empty if the daemon is well."""
    return [*grave_problems(parts), *_of_looks(parts)]


def grave_problems(parts: Parts) -> list[Problem]:
    """What keeps pings from being taken, or alerts from being sent."""
    return [*_of_the_journal(parts), *_of_loops(parts), *_of_what_is_late(parts)]


def unsure(parts: Parts) -> frozenset[str]:
    """The kinds of problems of which nothing can be said yet: a verifier shows how it does when it is asked."""
    unasked = any(not each.asked for each in parts.verifier_health())
    return frozenset({VERIFIERS} if unasked else ())


def _of_the_journal(parts: Parts) -> Iterator[Problem]:
    health = parts.monitor.journal.health()
    then = "pings are answered 503, silence is not told; once that is mended, pingmon goes on by itself"
    if health.hangs_s:
        yield Problem(f"the disk has not answered the journal for {health.hangs_s} s", then, "journal")
    elif health.failing_since is not None:
        gist = f": {health.gist}" if health.gist else ""
        yield Problem(f"the journal takes no events{gist}", f"{health.last_error}; {then}", "journal")
    elif parts.monitor.deafness.since is not None:
        why = "it could not keep up, or pingmon stood still; it tries again"
        yield Problem("the journal takes no events", why, "journal")
    if health.damage is not None:
        why = f"{health.damage}; see docs/log-format.md, «When a journal is damaged»"
        yield Problem("the journal is damaged", why, "damage")
    elif health.unreadable is not None:
        yield Problem("the journal cannot be read", health.unreadable, "unreadable")


def _of_loops(parts: Parts) -> Iterator[Problem]:
    steady = parts.monitor.time.steady()
    for what, last_tick in (
        ("deadlines", parts.alarms.last_tick),
        ("outages", parts.reviews.last_tick),
        ("notifications", parts.outbox.last_tick),
        ("sites", parts.site_watch.last_tick),
        ("the hosts of sites", parts.hosts.last_tick),
    ):
        if steady - last_tick > TICK_TOO_OLD_S:
            why = f"for {steady - last_tick:.0f} s now: {STANDS_STILL}"
            yield Problem(f"{what} are not being looked at", why, f"loop {what}")


def _of_what_is_late(parts: Parts) -> Iterator[Problem]:
    now, deaf = parts.monitor.now(), parts.monitor.deafness.since is not None
    for what, late, most_s, why in (
        ("a deadline", 0 if deaf else parts.alarms.overdue(now), TICK_TOO_OLD_S, OVERLOADED),
        (
            "a notification",
            parts.outbox.overdue(now),
            OWED_TOO_LONG_S,
            "as many messages as may be are under way: raise [outgoing] parallel",
        ),
        ("a question to a partner", 0 if deaf else parts.inquiries.overdue(now), TICK_TOO_OLD_S, OVERLOADED),
    ):
        if late > most_s * SECOND:
            yield Problem(f"{what} is overdue by {late / SECOND:.0f} s", why, f"overdue {what}")


def _of_looks(parts: Parts) -> Iterator[Problem]:
    watch, rounds = parts.site_watch.health(), parts.rounds.health()
    if rounds.trouble:
        why = "either pingmon's own network is at fault, or its canaries are; no outage is told from here alone"
        yield Problem(f"probes from here count for nothing: {rounds.trouble}", why, "network")
    if rounds.blind > watch.sites / 2:
        why = "the flips and probes of a site say why; the network or the name servers of this machine may be at fault"
        yield Problem(f"{rounds.blind} of {watch.sites} sites cannot be looked at from here", why, "blind")
    if parts.rounds.verifiers is not None and (trouble := parts.rounds.verifiers.trouble()):
        text, _, who = trouble.partition(": ")
        why = f"{who}; outages are told all the same, later and with less certainty"
        yield Problem(text, why, VERIFIERS)
    if watch.late_s > TICK_TOO_OLD_S:
        yield Problem(f"sites are probed {watch.late_s:.0f} s late", OVERLOADED, "late sites")
    if rounds.queued_s > TICK_TOO_OLD_S:
        why = f"{ROUNDS} sites that fail are being verified at once; the others have to wait"
        yield Problem(f"verifiers are asked {rounds.queued_s:.0f} s late", why, "late verifiers")
    for shortage in parts.prober.waits.shortages():
        yield Problem(
            shortage.text, f"so they come late, or see nothing: {shortage.remedy}", f"places {shortage.limit}"
        )

"""What each entry of the log does to the world.

`fold` is the only thing that changes a world, and it asks nothing but the entry: no clock, no random number, no I/O.
The same entries in the same order make the same world, on every machine and after every restart.

What is about the daemon itself is here. The rest is in `fold_checks`, `fold_sites` (with partners), `fold_outages`
(with maintenance windows), `fold_channels`, `fold_troubles` and `fold_projects` (with keys).
"""

from __future__ import annotations

from typing import Final, assert_never

from msgspec.structs import replace

from pingmon.core.check import check
from pingmon.core.flip import Deaf
from pingmon.core.notify import channel, notification, trouble
from pingmon.core.notify.outage import release
from pingmon.core.site import site
from pingmon.core.world import (
    events,
    fold_channels,
    fold_checks,
    fold_outages,
    fold_projects,
    fold_sites,
    fold_troubles,
)
from pingmon.core.world.events import Entry
from pingmon.core.world.outcome import Outcome
from pingmon.core.world.world import DaemonState, World

MAX_DEAF_SPANS: Final = 32
"""Times of deafness that are remembered, the newest ones; each start and each full disk is one."""


def fold(world: World, entry: Entry) -> Outcome:
    """Take the next entry of the log into `world`, and say what it did."""
    world.seq, event = entry.seq, entry.event
    if isinstance(event, events.PingReceived):
        outcome = fold_checks.ping_received(world, entry, event)
    else:
        outcome = _rare(world, entry, event)
    if world.held_by and outcome.flip is not None and outcome.flip.old == "down":
        release(world, outcome.id, entry.at, back=outcome.flip.new == "up")
    if world.ended:
        outcome, world.ended = replace(outcome, ended=tuple(world.ended)), []
    return outcome


def _rare(world: World, entry: Entry, event: events.AnyRareEvent) -> Outcome:
    match event:
        case events.CheckEvent():
            return fold_checks.check_event(world, entry, event)
        case events.SiteEvent():
            return fold_sites.site_event(world, entry, event)
        case events.OutageEvent():
            return fold_outages.outage_event(world, entry, event)
        case events.WindowEvent():
            return fold_outages.window_event(world, entry, event)
        case events.PartnerEvent():
            return fold_sites.partner_event(world, entry, event)
        case events.ChannelEvent():
            return fold_channels.channel_event(world, entry, event)
        case events.ConsentEvent():
            return fold_channels.consent_event(world, entry, event)
        case events.ProjectEvent():
            return fold_projects.project_event(world, entry, event)
        case events.TroubleEvent():
            return fold_troubles.trouble_event(world, entry, event)
        case events.DaemonEvent():
            return _daemon_event(world, entry, event)
        case _:
            assert_never(event)


def _daemon_event(world: World, entry: Entry, event: events.AnyDaemonEvent) -> Outcome:
    match event:
        case events.ListeningEnded():
            world.put_daemon(replace(world.daemon, ended=entry.at if event.since is None else event.since))
        case events.ListeningResumed():
            span = Deaf(event.since, entry.at, event.hold_until, event.cause)
            world.put_daemon(DaemonState(deaf=(*world.daemon.deaf, span)[-MAX_DEAF_SPANS:]))
        case events.ClockStepped():
            return _clock_stepped(world, entry, event)
        case _:
            assert_never(event)
    return Outcome()


def _clock_stepped(world: World, entry: Entry, event: events.ClockStepped) -> Outcome:
    by = event.by
    for a_check in list(world.checks.values()):
        world.keep_check(check.shifted(a_check, entry.seq, by))
    for a_site in list(world.sites.values()):
        world.put_site(site.shifted(a_site, by))
    for a_trouble in list(world.troubles.values()):
        world.put_trouble(trouble.shifted(a_trouble, by))
    for a_channel in list(world.channels.values()):
        world.put_channel(channel.shifted(a_channel, by))
    for owed in list(world.owed.values()):
        world.owe(notification.shifted(owed, by))
    spans = tuple(
        replace(span, since=span.since + by, until=span.until + by, hold_until=span.hold_until + by)
        for span in world.daemon.deaf
    )
    ended = None if world.daemon.ended is None else world.daemon.ended + by
    world.put_daemon(DaemonState(spans, ended))
    return Outcome(everything=True)

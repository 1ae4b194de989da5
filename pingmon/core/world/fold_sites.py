"""What entries about sites and partners do to the world. Part of `fold`, which is to be called instead.

The machine of a site (`site`) says what its status is, `escalation` who is to hear of it; here that is kept and owed.
"""

from __future__ import annotations

from typing import Final, assert_never

from msgspec.structs import replace

from pingmon.core.changes import applied
from pingmon.core.flip import Flip
from pingmon.core.notify.notification import matters
from pingmon.core.notify.outage import look_again
from pingmon.core.notify.owed_messages import owe, unowe
from pingmon.core.notify.silences import marked
from pingmon.core.partner import partner
from pingmon.core.partner.inquiry import PartnerAnswer, counted, silent_until
from pingmon.core.partner.partner import Partner
from pingmon.core.site import escalation
from pingmon.core.site.site import Site, Word, looked, paused, respecified, resumed
from pingmon.core.site.verdict import Round
from pingmon.core.units import Id
from pingmon.core.world import events
from pingmon.core.world.events import Entry
from pingmon.core.world.outcome import Outcome
from pingmon.core.world.project import is_full
from pingmon.core.world.world import World

GONE: Final = PartnerAnswer("no answer", detail="the partner was deleted")


# --- sites --------------------------------------------------------------------------------------------------------


def site_event(world: World, entry: Entry, event: events.AnySiteEvent) -> Outcome:
    """What an entry about a site does."""
    if isinstance(event, events.SiteCreated):
        return _site_created(world, entry, event)
    if isinstance(event, events.PartnerAnswered):
        return _partner_answered(world, entry, event)
    site = world.sites.get(entry.stream)
    if site is None:
        return Outcome("unknown", entry.stream)
    match event:
        case events.SiteProbed():
            return _site_probed(world, entry, event, site)
        case events.SiteHostSeen():
            return _kept(world, replace(site, hosting=partner.seen(site.hosting, event.host, entry.at, event.failed)))
        case events.SiteChanged():
            return _site_changed(world, entry, event, site)
        case events.SiteDeleted():
            world.drop_site(site, entry.at)
            look_again(world, site.project, entry.at)
            return Outcome("done", site.id, site=site)
        case events.SitePaused():
            return _kept(world, *paused(site, entry.seq, entry.at))
        case events.SiteResumed():
            return _kept(world, *resumed(site, entry.seq, entry.at))
        case _:
            assert_never(event)


def _site_created(world: World, entry: Entry, event: events.SiteCreated) -> Outcome:
    members = world.members.get(event.project)
    if members is None:
        return Outcome("unknown", entry.stream)
    if entry.stream in world.sites:
        return Outcome("exists", entry.stream, site=world.sites[entry.stream])
    if is_full(members.sites, event.most):
        return Outcome("full", entry.stream)
    fresh = Site(entry.stream, event.project, event.spec, entry.seq, entry.at, entry.at)
    world.put_site(fresh)
    return Outcome("created", fresh.id, site=fresh)


def _site_changed(world: World, entry: Entry, event: events.SiteChanged, site: Site) -> Outcome:
    after = respecified(site, entry.seq, event.changes.applied_to(site.spec))
    after = unowe(world, entry.at, site, after)
    channels = _told(world, entry, *escalation.called_off(site, after))
    look_again(world, site.project, entry.at)
    return Outcome("done", site.id, site=world.sites[site.id], channels=channels)


def _site_probed(world: World, entry: Entry, event: events.SiteProbed, site: Site) -> Outcome:
    seen = Round(event.looks, event.asked, event.quorum, event.place)
    after, flip = looked(site, entry.seq, seen)
    news = flip = None if flip is None else marked(world, after, flip, entry.at)
    if flip is None and escalation.overdue(after, world.host_of(after), entry.at):
        news = escalation.still_down(after, entry.seq, seen, world.host_of(after))
    if news is None:
        return _kept(world, after)
    if not matters(news):
        world.put_site(after)
        _void_alerts(world, entry, after, news)
        return Outcome("done", after.id, site=world.sites[after.id], flip=flip)
    if news.new == "down":
        after, tell = escalation.went_down(after, news, world.host_of(after), entry.at)
    else:
        asked = world.partners.get(escalation.asked_about(after) or "")
        after, tell = escalation.came_back(after, news, asked, entry.at)
    channels = _told(world, entry, after, news if tell else None)
    return Outcome("done", after.id, site=world.sites[after.id], flip=flip, channels=channels)


def _void_alerts(world: World, entry: Entry, site: Site, flip: Flip) -> None:
    """Alerts that are still owed from before a pause are void once the site is up by `flip`, of which nobody is told.

    Except while users wait for a partner's answer to hear of a recovery: that message will take the alert's place.
    """
    if not site.told:
        owe(world, entry.at, site, flip)


def _told(world: World, entry: Entry, site: Site, news: Flip | None) -> tuple[Id, ...]:
    """Keep the site as it is now; the channels that are owed `news` of it, if there are any."""
    world.put_site(site)
    return () if news is None else owe(world, entry.at, site, news)


def _kept(world: World, site: Site, flip: Flip | None = None) -> Outcome:
    world.put_site(site)
    return Outcome("done", site.id, site=site, flip=flip)


# --- partners -----------------------------------------------------------------------------------------------------


def partner_event(world: World, entry: Entry, event: events.AnyPartnerEvent) -> Outcome:
    """What an entry about a partner does."""
    match event:
        case events.PartnerCreated():
            return _partner_created(world, entry, event)
        case events.PartnerChanged():
            return _partner_changed(world, entry, event)
        case events.PartnerDeleted():
            return _partner_deleted(world, entry)
        case _:
            assert_never(event)


def _partner_created(world: World, entry: Entry, event: events.PartnerCreated) -> Outcome:
    slugs = {known.spec.slug: known for known in world.partners.values()}
    twin = world.partners.get(entry.stream) or slugs.get(event.spec.slug)
    if twin is not None:
        return Outcome("exists", twin.id, partner=twin)
    fresh = Partner(entry.stream, event.spec, entry.seq, entry.at)
    world.put_partner(fresh)
    return Outcome("created", fresh.id, partner=fresh)


def _partner_changed(world: World, entry: Entry, event: events.PartnerChanged) -> Outcome:
    known = world.partners.get(entry.stream)
    if known is None:
        return Outcome("unknown", entry.stream)
    spec = applied(event.changes, known.spec)
    after = replace(known, spec=spec, silent_until=known.silent_until if spec.scope == "partner" else None)
    world.put_partner(after)
    return Outcome("done", after.id, partner=after)


def _partner_deleted(world: World, entry: Entry) -> Outcome:
    """Nobody waits for its answers any more, and its silences are over."""
    known = world.partners.get(entry.stream)
    if known is None:
        return Outcome("unknown", entry.stream)
    world.drop_partner(known)
    told: dict[Id, None] = {}
    for id in list(world.inquiring):
        inquiry = world.sites[id].inquiry
        if inquiry is not None and inquiry.partner == known.id:
            told |= dict.fromkeys(_answered(world, entry, world.sites[id], None, inquiry.question.id, GONE))
    return Outcome("done", known.id, partner=known, channels=tuple(told))


def _partner_answered(world: World, entry: Entry, event: events.PartnerAnswered) -> Outcome:
    answer, known = event.answer, world.partners.get(event.partner)
    if known is not None:
        until = silent_until(known.silent_until, answer) if known.spec.scope == "partner" else known.silent_until
        malformed = (answer.detail or answer.kind) if answer.kind == "malformed" else ""
        known = replace(known, answers=counted(known.answers, answer), silent_until=until, malformed=malformed)
        world.put_partner(known)
    site = world.sites.get(entry.stream)
    if site is None:
        return Outcome("unknown", entry.stream)
    if not escalation.concerns(site, event.id):
        return Outcome("done", site.id, site=site)
    site = replace(site, word=Word(event.partner, entry.at, answer))
    channels = _answered(world, entry, site, known, event.id, answer)
    return Outcome("done", site.id, site=world.sites[site.id], channels=channels)


def _answered(
    world: World, entry: Entry, site: Site, known: Partner | None, id: str, answer: PartnerAnswer
) -> tuple[Id, ...]:
    """Keep what an answer makes of `site`; the channels that are owed something by it."""
    return _told(world, entry, *escalation.answered(site, known, id, answer, entry.at))

"""Who is told of a site that went down or came back, and when: the partner that hosts it first, then its users.

    news               partner to ask, and not silent   silent by its word            none to ask
    goes down          asked; then users by its answer  users only if it leaves them  users
    still down after   (the same, once the silence is over and a fresh look says so)
    comes back         asked; then users if told        users if told                 users if told

A partner is asked about a recovery only if it was asked about the outage, and users hear of one only if they heard of
the outage. Whoever was told that a site is down is told that it is back, whatever a partner said meanwhile. An answer
`until` holds for the site, or for all of the partner's, as the partner's scope says; it silences users too if the
partner may do that. No other answer ends a silence before its time. But all silences of one outage together last no
longer than the partner's `max_suppression`, from the first one on; then users are told, whatever it says. A pause ends
all that an outage had begun. What was asked and said about one address of a site does not hold for another.

Source: the site monitoring spec and the partner webhook. Nothing here asks or sends anything: it says what is due.
"""

from __future__ import annotations

from msgspec.structs import replace

from pingmon.core.flip import Flip
from pingmon.core.partner.inquiry import PartnerAnswer, question
from pingmon.core.partner.partner import Partner
from pingmon.core.site.site import Inquiry, PartnerSilence, Site, flip_of
from pingmon.core.site.verdict import Round, verdict
from pingmon.core.units import SECOND


def silent_until(site: Site, partner: Partner | None) -> int:
    """Until when the site is silent by the word of `partner`, who hosts it; 0 if it is not, or nobody can be asked."""
    if partner is None or not partner.spec.webhook:
        return 0
    silence = site.silence
    own = silence.until if silence is not None and silence.partner == partner.id else 0
    until = max(own, partner.silent_until or 0)
    return until if site.hushed is None else min(until, site.hushed + partner.spec.max_suppression * SECOND)


def exhausted(site: Site, partner: Partner, now: int) -> bool:
    """Whether `partner` has silenced this outage for as long as it may."""
    return site.hushed is not None and now >= site.hushed + partner.spec.max_suppression * SECOND


def went_down(site: Site, flip: Flip, partner: Partner | None, now: int) -> tuple[Site, bool]:
    """The site once `flip` says that it is down, and whether users are told at once."""
    if partner is None or not partner.spec.webhook:
        return replace(site, told=True, inquiry=None), True
    if now < silent_until(site, partner):
        tell = _leaves_users(partner)
        return replace(_hushed(site, now), told=site.told or tell, inquiry=None), tell
    return _inquiring(site, flip, partner), False


def came_back(site: Site, flip: Flip, partner: Partner | None, now: int) -> tuple[Site, bool]:
    """The site once `flip` says that it is back, and whether users are told at once. `partner`: see `asked_about`."""
    if partner is not None and partner.spec.webhook and now >= silent_until(site, partner):
        return _inquiring(replace(site, hushed=None), flip, partner), False
    return _closed(site), site.told


def asked_about(site: Site) -> str | None:
    """The id of the partner that was asked about the outage, or may have been: its answer is not there yet."""
    return site.partner_told if site.inquiry is None else site.inquiry.partner


def answered(site: Site, partner: Partner | None, id: str, answer: PartnerAnswer, now: int) -> tuple[Site, Flip | None]:
    """The site after an answer to the question `id`, and the flip that users are now told of, if any.

    `partner` is as the answer has left it, None if it is gone. An answer to a question that does not matter any more
    may still ask for silence.
    """
    if partner is not None and answer.until is not None and partner.spec.scope == "site":
        site = replace(site, silence=PartnerSilence(partner.id, answer.until))
    inquiry = site.inquiry
    if inquiry is None or inquiry.question.id != id:
        return site, None
    if inquiry.flip.new == "up":
        return _closed(site), inquiry.flip if site.told else None
    if now < silent_until(site, partner):
        site = _hushed(site, now)
    tell = now >= silent_until(site, partner) or _leaves_users(partner)
    asked = site.partner_told if answer.shared else inquiry.partner
    return replace(site, inquiry=None, told=site.told or tell, partner_told=asked), inquiry.flip if tell else None


def called_off(before: Site, site: Site) -> tuple[Site, Flip | None]:
    """`site`, which `before` has become, and the flip that users are told of without the answer they waited for.

    If it lost a question about an outage, that outage is overdue to be told (see below). If it lost one about a
    recovery, users who know of the outage are told at once.
    """
    lost = before.inquiry
    if lost is None or site.inquiry is not None or lost.flip.new == "down":
        return site, None
    return _closed(site), lost.flip if site.told else None


def concerns(site: Site, id: str) -> bool:
    """Whether the question `id` was about the site's present address."""
    entry = id.rpartition("_")[2]
    return not entry.isdecimal() or int(entry) >= site.moved


def overdue(site: Site, partner: Partner | None, now: int) -> bool:
    """Whether users should know that the site is down, and do not.

    The silence in which it went down is over, or nobody has been asked about it at its present address.
    """
    if site.status != "down" or site.told or site.inquiry is not None:
        return False
    return now >= silent_until(site, partner) or _leaves_users(partner)


def still_down(site: Site, seq: int, seen: Round, partner: Partner | None) -> Flip | None:
    """The news that a fresh look makes of a site whose outage is overdue to be told; None if it does not confirm it.

    The outage was decided on once, so here the daemon's own look is enough unless a verifier saw the site well:
    verifiers that see nothing, now as ever, must not keep it from the users.
    """
    own = seen.own
    uncontradicted = own is not None and not own.good and not seen.seen_well
    if not uncontradicted and verdict(seen) not in ("down", "failing"):
        return None
    flip = flip_of(site, seq, "down", site.since, seen)
    until = silent_until(site, partner)
    return replace(flip, old="suspect", first=site.turned, known_until=until if until > site.since else None)


def _leaves_users(partner: Partner | None) -> bool:
    """Whether users are told even while `partner` has asked for silence."""
    return partner is not None and not partner.spec.suppress_users


def _hushed(site: Site, now: int) -> Site:
    """The site in a silence, which may be the first of this outage."""
    return replace(site, hushed=now if site.hushed is None else site.hushed)


def _inquiring(site: Site, flip: Flip, partner: Partner) -> Site:
    id = f"{site.id}_{flip.seq}"
    asked = question(id, site.spec.url, partner.spec.slug, flip.looks, down=flip.new == "down")
    return replace(site, inquiry=Inquiry(asked, partner.id, flip))


def _closed(site: Site) -> Site:
    return replace(site, told=False, partner_told=None, inquiry=None, hushed=None)

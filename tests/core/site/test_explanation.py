"""Why a site is as it is: what is said, and the entries of the log that it rests on."""

from __future__ import annotations

from typing import Any

from pingmon.core.facts import Fact
from pingmon.core.site.explanation import SiteEvidence, site_facts
from pingmon.core.site.settings import SiteSpec
from pingmon.core.world.events import Entry, PartnerAnswered, SiteCreated, SitePaused, SiteProbed, SiteResumed
from tests.core.worlds import MINUTE, S1, T0, URL, Log, P, bad, good


def facts(log: Log, **more: Any) -> list[Fact]:
    """What is to be said of the site, from all of its log."""

    def newest(kind: type[Any]) -> list[Entry]:
        return [entry for entry in reversed(log.entries) if isinstance(entry.event, kind)]

    site = log.world.sites[S1]
    flips = [outcome.flip for outcome in reversed(log.outcomes) if outcome.flip is not None]
    seen: dict[str, Any] = {
        "now": log.now,
        "turned": flips[0] if flips else None,
        "rounds": newest(SiteProbed),
        "hosted": site.born,
        "host": log.world.host_of(site),
        "answers": newest(PartnerAnswered),
    }
    return site_facts(site, SiteEvidence(**seen | more))


def said(log: Log, topic: str = "", **more: Any) -> list[tuple[str, tuple[int, ...]]]:
    """What is said, of one topic or of all, and what it rests on."""
    return [(fact.kind, fact.entries) for fact in facts(log, **more) if topic in ("", fact.topic)]


def one(log: Log, kind: str, **more: Any) -> Fact:
    """The only fact of this kind."""
    (fact,) = [fact for fact in facts(log, **more) if fact.kind == kind]
    return fact


def watched(**spec: Any) -> Log:
    """A site without a host that was seen well: project 1, site 2, look 3."""
    log = Log()
    log.site(S1, **{"host": "", "interval": 60} | spec)
    return log


def hosted(**spec: Any) -> Log:
    """A site of a partner that can be asked: project 1, partner 2, site 3, look 4."""
    log = Log()
    log.partner(**spec)
    log.site()
    return log


def test_a_new_site_was_not_looked_at() -> None:
    """The first look is soon, and decides."""
    log = Log()
    log.add(S1, SiteCreated(P, SiteSpec(url=URL)))
    assert said(log) == [("new", (2,)), ("looks", (2,)), ("first_look", (2,))]


def test_a_site_that_is_well() -> None:
    """It is looked at on its own grid; a newest look that says nothing new is not in the log."""
    log = watched()
    assert said(log) == [("up", (3,)), ("last_look", (3,)), ("look", (3,)), ("bad_look", (3,))]
    look = one(log, "look")
    assert look.at is not None
    assert 0 < look.at - log.now <= MINUTE
    assert look.seconds == 60
    last = one(log, "last_look", latest=good(at=T0 + MINUTE))
    assert (last.at, last.entries) == (T0 + MINUTE, ())
    assert one(log, "last_look", latest=good(at=T0 - MINUTE)).entries == (3,)


def test_a_site_that_is_being_verified() -> None:
    """Since its first failure; with patience it must fail until that ends."""
    log = watched(patience=120)
    log.now += MINUTE
    log.probe(S1, bad(at=log.now))
    assert said(log) == [
        ("suspect", (4,)),
        ("last_look", (4,)),
        ("failing", (4,)),
        ("looks", (4,)),
        ("patience", (4,)),
        ("unopposed", (4,)),
        ("verdict", (4,)),
    ]
    assert one(log, "patience").at == log.now + 2 * MINUTE
    assert one(log, "unopposed").at == log.now + 4 * MINUTE
    assert one(log, "failing", rounds=()).entries == (4,)


def test_a_site_that_nobody_can_tell_of() -> None:
    """It is looked at less and less often."""
    log = watched()
    log.probe(S1, bad(at=log.now))
    log.probe(S1, bad(at=log.now), good("berlin", log.now), bad("tokyo", log.now), asked=3)
    assert said(log)[:2] == [("unknown", (5,)), ("last_look", (5,))]
    assert said(log, "next") == [("looks", (5,))]
    assert one(log, "looks").seconds == 10


def test_a_site_that_is_down() -> None:
    """So many good looks are left until it is up again."""
    log = watched()
    log.fails()
    assert said(log) == [("down", (5,)), ("last_look", (5,)), ("looks", (5,)), ("good_looks", (5,))]
    assert one(log, "looks").seconds == 30
    assert one(log, "good_looks").count == 2
    log.now += MINUTE
    log.probe(S1, good(at=log.now))
    assert one(log, "good_looks").count == 1


def test_a_pause() -> None:
    """Until it is resumed nothing happens; then it has to be looked at anew."""
    log = watched()
    log.add(S1, SitePaused())
    assert said(log) == [("paused", (4,)), ("last_look", (3,)), ("unwatched", (4,)), ("resume", (4,))]
    log.add(S1, SiteResumed())
    assert said(log)[0] == ("resumed", (5,))


def test_the_host_is_asked_first() -> None:
    """Then what it says is told, and until when its users are not told."""
    log = hosted(name="Hosty Inc.")
    log.fails()
    assert one(log, "host").who == "Hosty Inc."
    assert said(log, "told") == [("asked", (6,))]
    log.until(log.now + 10 * MINUTE)
    assert said(log, "told") == [("said", (7,)), ("hushed", (7,))]
    assert (one(log, "said").why, one(log, "said").who) == ("until", "Hosty Inc.")
    assert one(log, "hush_ends").at == one(log, "hushed").until == log.now + 10 * MINUTE
    assert one(log, "hush_ends").entries == (7,)


def test_a_silence_of_all_sites_of_a_partner() -> None:
    """It may rest on what was said of another one; then the change of status stands for it."""
    log = hosted(scope="partner")
    log.fails()
    log.until(log.now + 10 * MINUTE)
    assert [one(log, kind, answers=()).entries for kind in ("hushed", "hush_ends", "said")] == [(6,), (6,), (6,)]
    assert one(log, "hushed").who == "a"
    assert said(log, "told", now=log.now + 11 * MINUTE) == [("said", (7,))]


def test_a_partner_that_is_no_more() -> None:
    """What it said is still known."""
    log = hosted()
    log.fails()
    log.answer()
    assert one(log, "said", host=None).who == ""


def test_of_looks_that_are_not_kept_nothing_is_made_up() -> None:
    """What is known is the status, from the change that led to it."""
    assert said(watched(), kept=False) == [("up", (3,)), ("not_kept", (3,))]

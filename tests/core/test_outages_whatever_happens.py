"""What holds of sites, partners and their users whatever happens, in whatever order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from pingmon.core.partner.inquiry import PartnerAnswer
from pingmon.core.partner.partner import Partner, PartnerChanges, PartnerSpec
from pingmon.core.site.settings import SiteChanges, SiteSpec
from pingmon.core.site.site import Site
from pingmon.core.units import SECOND
from pingmon.core.world import events as e
from tests.core.worlds import H1, H2, HOOK, HOUR, MINUTE, S1, S2, URL, A, B, Log, P, Saves, bad, good, replayed, state

SITES: Final = (S1, S2)
HOSTS: Final = {"a": A, "b": B}
CHANNELS: Final = {S1: (H1,), S2: (H1, H2)}
OTHERS: Final = {S1: {H2}, S2: set[str]()}


class Users:
    """What the people behind the channels know, told from what was ever owed to them; and who asked for silence.

    It knows nothing of `telling`: `alerts` are the channels that were told that a site is down and not yet that it is
    back, `silences` until when a partner has asked for silence about a site ("": about all of its sites).
    """

    def __init__(self, log: Log) -> None:
        self.log = log
        self.alerts: set[tuple[str, str]] = set()
        self.outages: set[str] = set()
        self.silences: dict[tuple[str, str], int] = {}
        self.outdated: set[str] = set()
        """Questions about an address that their site has left."""
        self._seen: set[str] = set()

    def heard(self, stream: str, event: e.Event) -> None:
        """Take in what an entry did, and that nobody was told of what they should not know."""
        world = self.log.world
        if isinstance(event, e.PartnerAnswered) and event.answer.until is not None and event.partner in world.partners:
            scope = world.partners[event.partner].spec.scope
            if scope == "partner" or event.id not in self.outdated:
                self.silences[event.partner, stream if scope == "site" else ""] = event.answer.until
        site = world.sites.get(stream)
        if isinstance(event, e.SitePaused | e.SiteDeleted) and not (site and site.told):
            self.alerts -= {(stream, channel) for channel in CHANNELS[stream]}  # nobody's concern any more
        if isinstance(event, e.NotificationDelivered):  # perhaps in another channel's stead
            self.alerts |= {(id, stream) for id, site in world.sites.items() if stream in OTHERS[id] & {*site.relayed}}
        fresh = [owed for id, owed in world.owed.items() if id not in self._seen and owed.relays is None]
        self._seen |= set(world.owed)
        for owed in fresh:
            place = (owed.flip.subject, owed.channel)
            if owed.flip.new == "up":
                assert place in self.alerts, "users were told that it is back, and did not know that it was down"
                self.alerts.discard(place)
            else:
                told = world.sites[owed.flip.subject]
                assert told.status == "down"
                assert not self.hushed(told, self.asked(event, told)), "told in silence"
                self.alerts.add(place)
        downs = [owed.flip.subject for owed in fresh if owed.flip.new == "down" and owed.channel == H1]
        if site is None or site.status != "down":
            self.outages.discard(stream)
        assert not self.outages.intersection(downs), "told twice of one outage"
        self.outages.update(downs)

    def asked(self, event: e.Event, site: Site) -> Partner | None:
        """Who had a word in whether users are told: who answered, or who hosts the site."""
        partners = self.log.world.partners
        return partners.get(event.partner) if isinstance(event, e.PartnerAnswered) else self.log.world.host_of(site)

    def hushed(self, site: Site, partner: Partner | None) -> bool:
        """Whether `partner` may keep news of the site from its users now, and does."""
        if partner is None or not partner.spec.webhook or not partner.spec.suppress_users:
            return False
        own = self.silences.get((partner.id, site.id), 0)
        whole = self.silences.get((partner.id, ""), 0) if partner.spec.scope == "partner" else 0
        return self.log.now < max(own, whole)


class Town:
    """A log of two sites and two partners in which anything may happen, with its users."""

    def __init__(self) -> None:
        self.log = Log()
        self.users = Users(self.log)
        self.saves = Saves(self.log)
        self.questions: list[tuple[str, str, str]] = []
        for channel in (H1, H2):
            self.log.channel(channel)

    def add(self, stream: str, event: e.Event) -> None:
        if isinstance(event, e.PartnerChanged) and event.changes.scope == "site":
            self.users.silences.pop((stream, ""), None)
        if isinstance(event, e.PartnerDeleted):  # another one of its slug and id has nothing of its
            self.users.silences = {key: until for key, until in self.users.silences.items() if key[0] != stream}
        moves = isinstance(event, e.SiteChanged) and stream in self.log.world.sites and event.changes.url is not UNSET
        if moves:
            self.users.outdated |= {question for site, question, _ in self.questions if site == stream}
        if moves or isinstance(event, e.SiteDeleted):
            self.users.silences = {key: until for key, until in self.users.silences.items() if key[1] != stream}
        self.log.now += 1  # messages of one instant may be restored in another order
        self.log.add(stream, event)
        self.users.heard(stream, event)
        self.note_questions()
        self.check()

    def note_questions(self) -> None:
        """Keep what was ever asked, so that it can be answered late."""
        for id in self.log.world.inquiring:
            inquiry = self.log.world.sites[id].inquiry
            assert inquiry is not None
            if (id, inquiry.question.id, inquiry.partner) not in self.questions:
                self.questions.append((id, inquiry.question.id, inquiry.partner))

    def check(self) -> None:
        """What holds at every moment."""
        world = self.log.world
        assert set(world.inquiring) == {id for id, site in world.sites.items() if site.inquiry is not None}
        for id, site in world.sites.items():
            if site.inquiry is not None and site.inquiry.flip.new == "down":
                assert site.status == "down"
            asked_of_recovery = site.inquiry is not None and site.inquiry.flip.new == "up"
            assert not site.told or site.status == "down" or asked_of_recovery, "an alert that nothing will close"
            if site.inquiry is not None:
                assert site.inquiry.question.url == site.spec.url, "a stranger is told of an address"
            for channel in CHANNELS[id]:
                assert ((id, channel) in self.users.alerts) == site.told

    # --- what may happen ------------------------------------------------------------------------------------------

    def look(self, id: str, what: str) -> None:
        now = self.log.now
        looks, asked = {
            "good": ((good(at=now),), 0),
            "bad": ((bad(at=now),), 0),
            "all good": ((good(at=now), good("v", now), good("w", now)), 2),
            "all bad": ((bad(at=now), bad("v", now), bad("w", now)), 2),
            "mixed": ((bad(at=now), bad("v", now), good("w", now)), 2),
            "void": ((bad(at=now, fault="void"), good("v", now)), 2),
            "blind": ((bad(at=now, fault="void"), bad("v", now, fault="void")), 1),
        }[what]
        self.add(id, e.SiteProbed(looks, asked, asked, place="unsure" if asked else ""))

    def reply(self, which: int, until: int | None, shared: bool) -> None:
        """Answer one of the last questions, whether it still matters or not."""
        if self.questions:
            site, question, partner = self.questions[-1 - which % min(3, len(self.questions))]
            answer = (
                PartnerAnswer("ok") if until is None else PartnerAnswer("until", self.log.now + until, shared=shared)
            )
            self.add(site, e.PartnerAnswered(question, partner, answer, 1))

    def deliver(self, channel: str, what: str) -> None:
        for id in list(self.log.world.outbox.get(channel, {}))[:1]:
            event: e.Event = {
                "delivered": e.NotificationDelivered(id, 1, 200),
                "failed": e.NotificationFailed(id, 1, "no", self.log.now + SECOND),
                "abandoned": e.NotificationAbandoned(id, 1, "no"),
            }[what]
            self.add(channel, event)

    def pass_time(self, seconds: int) -> None:
        self.log.now += seconds * SECOND

    def settle(self) -> None:
        """Every partner answers, every silence ends, and every site that is down is seen to be down once more."""
        for _ in range(2):
            for id in list(self.log.world.inquiring):
                inquiry = self.log.world.sites[id].inquiry
                assert inquiry is not None
                self.add(id, e.PartnerAnswered(inquiry.question.id, inquiry.partner, PartnerAnswer("ok"), 1))
            self.log.now = max([self.log.now, *self.users.silences.values()])
            for id, site in list(self.log.world.sites.items()):
                if site.status == "down" and site.inquiry is None:
                    self.look(id, "all bad")


Act = Callable[[Town], object]

PARTNERS = st.sampled_from(sorted(HOSTS))
SPEC = st.fixed_dictionaries(
    {"scope": st.sampled_from(["site", "partner"]), "suppress_users": st.booleans()},
    optional={"webhook": st.sampled_from(["", HOOK])},
)


def an_event(stream: str, event: e.Event) -> Act:
    return lambda town: town.add(stream, event)


def a_site(id: str, host: str) -> Act:
    return an_event(id, e.SiteCreated(P, SiteSpec(url=URL, host=host, channels=CHANNELS[id])))


def a_partner(slug: str, spec: dict[str, Any]) -> Act:
    return an_event(HOSTS[slug], e.PartnerCreated(PartnerSpec(**{"webhook": HOOK} | spec, slug=slug)))


def a_move(id: str) -> Act:
    """To an address at which the site never was."""
    return lambda town: town.add(id, e.SiteChanged(SiteChanges(url=f"{URL}{town.log.world.seq}")))


def a_change(slug: str, spec: dict[str, Any]) -> Act:
    return an_event(HOSTS[slug], e.PartnerChanged(PartnerChanges(**spec)))


LOOKS = st.builds(
    lambda id, whats: lambda town: [town.look(id, what) for what in whats],
    st.sampled_from(SITES),
    st.sampled_from(
        [
            *(2 * [["bad", "all bad"], ["all good"]]),
            *(["bad"] * 3, ["good"], ["all bad"], ["bad"], ["mixed"], ["void"], ["blind"]),
        ]
    ),
)
REPLIES = st.builds(
    lambda which, until, shared: lambda town: town.reply(which, until, shared),
    st.integers(0, 2),
    st.sampled_from([None, None, 2 * MINUTE, HOUR, 3 * HOUR]),
    st.booleans(),
)
TIMES = st.builds(lambda seconds: lambda town: town.pass_time(seconds), st.sampled_from([1, 30, 600, 4000]))
MAIL = st.builds(
    lambda channel, what: lambda town: town.deliver(channel, what),
    st.sampled_from([H1, H2]),
    st.sampled_from(["delivered", "failed", "abandoned"]),
)
USERS = st.builds(an_event, st.sampled_from(SITES), st.sampled_from([e.SitePaused(), e.SiteResumed(), e.SiteDeleted()]))
USERS |= st.builds(a_site, st.sampled_from(SITES), st.sampled_from(["a", "b", ""])) | st.builds(
    a_move, st.sampled_from(SITES)
)
OPERATORS = st.one_of(
    st.builds(a_partner, PARTNERS, SPEC),
    st.builds(a_change, PARTNERS, SPEC),
    st.builds(lambda slug: an_event(HOSTS[slug], e.PartnerDeleted()), PARTNERS),
    st.builds(
        lambda id, host: an_event(id, e.SiteChanged(SiteChanges(host=host))),
        st.sampled_from(SITES),
        st.sampled_from(["a", "b", ""]),
    ),
)
SAVING = st.just(lambda town: town.saves.save())
OFTEN = st.sampled_from([*[LOOKS] * 3, *[REPLIES] * 2, TIMES]).flatmap(lambda act: act)
ACTS = st.sampled_from([*[OFTEN] * 6, MAIL, USERS, OPERATORS, SAVING]).flatmap(lambda act: act)
BEGINNINGS = st.tuples(SPEC, SPEC).map(
    lambda specs: [a_partner("a", specs[0]), a_partner("b", specs[1]), a_site(S1, "a"), a_site(S2, "a")]
)


@settings(max_examples=200)
@given(beginning=BEGINNINGS, acts=st.lists(ACTS, min_size=15, max_size=60))
def test_no_alert_is_false_or_lost_and_a_restart_changes_nothing(beginning: list[Act], acts: list[Act]) -> None:
    """Nobody is told in silence, nor twice of one outage; whoever was told is told of the end; in the end all know.

    And the log gives the same world again, replayed whole or from any snapshot on.
    """
    town = Town()
    for act in (*beginning, *acts):
        act(town)
    town.settle()
    assert all(site.told or site.status != "down" for site in town.log.world.sites.values())
    assert state(replayed(town.log)) == state(town.log.world)
    assert state(town.saves.restored()) == state(town.log.world)


@settings(max_examples=50)
@given(beginning=BEGINNINGS, acts=st.lists(OFTEN, min_size=10, max_size=40))
def test_every_outage_ends_in_peace(beginning: list[Act], acts: list[Act]) -> None:
    """Once all sites are well and all questions answered, no user is left with an alert."""
    town = Town()
    for act in (*beginning, *acts):
        act(town)
    for id in SITES:
        town.look(id, "all good")
        town.look(id, "all good")
    town.settle()
    assert town.users.alerts == set()
    assert {site.status for site in town.log.world.sites.values()} == {"up"}

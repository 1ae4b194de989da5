"""Tests of `pingmon.sites.host_detection`: who hosts a site is looked up while it is well, again and again."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import pairwise
from typing import Any, Self

import pytest
from msgspec.structs import replace
from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import capturedLogs

from pingmon.core.partner.partner import (
    AGAIN_S,
    LOOK_EVERY_S,
    Attribution,
    Hosting,
    HostRule,
    Kind,
    PartnerChanges,
    Signals,
)
from pingmon.core.site.probe_result import ProbeResult
from pingmon.core.site.settings import SiteChanges
from pingmon.core.units import SECOND, Id
from pingmon.core.world.events import (
    PartnerChanged,
    PartnerDeleted,
    SiteChanged,
    SiteDeleted,
    SiteHostSeen,
)
from pingmon.journal import Memory
from pingmon.sites.host_detection import PARALLEL, START_SPREAD_S, HostDetection
from pingmon.testing import FakeTime, Rig, result, uuid

CNAME = HostRule("cname", "hosts.example")
PREFIX = HostRule("prefix", "192.0.2.0/24")
THERE = Signals(cnames=("site1.example", "a.hosts.example"), addresses=("192.0.2.1",))
ELSEWHERE = Signals(cnames=("site1.example", "b.other.example"), addresses=("198.51.100.1",))
FAILED = Signals(failed=("cname", "prefix"))
HOSTED = Attribution("example", "cname", "hosts.example", "a.hosts.example")


class FakeLookup:
    """Finds `found` for all but those named in `of`; holds every answer back while `holds`."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.found = THERE
        self.of: dict[str, Signals] = {}
        self.looked: list[tuple[float, str]] = []
        self.kinds: list[tuple[Kind, ...]] = []
        self.holds = self.breaks = False
        self.held: dict[str, Deferred[Signals]] = {}

    def signals(self, host: str, kinds: Collection[Kind], /) -> Deferred[Signals]:
        assert host not in self.held
        self.looked.append((self.rig.time.steady(), host))
        self.kinds.append(tuple(kinds))
        if self.breaks:
            return fail(ZeroDivisionError())
        if self.holds:
            self.held[host] = Deferred(lambda _: self.held.__delitem__(host))
            return self.held[host]
        return succeed(self.of.get(host, self.found))

    def let_go(self) -> None:
        self.holds = False
        held, self.held = self.held, {}
        for host, done in held.items():
            done.callback(self.of.get(host, self.found))


class Survey(Rig):
    """A rig with hosts over a lookup under the test's control."""

    def __init__(self, time: FakeTime | None = None, memory: Memory | None = None) -> None:
        super().__init__(time, memory)
        self.lookup = FakeLookup(self)
        self.hosts = HostDetection(self.monitor, self.lookup, self.clock)
        self.hosts.start()

    def add_partner(self, slug: str = "example", *rules: HostRule) -> Id:
        return self.partner(len(self.world.partners) + 1, slug=slug, webhook="", rules=rules)

    def site(self, number: int = 1, *, up: bool = True, **spec: Any) -> Id:
        site = super().site(number, **({"url": f"https://site{number}.example/"} | spec))
        if up:
            self.look(site)
        return site

    def look(self, site: Id, fault: Any = "", times: int = 1) -> None:
        """What probes of the site see."""
        for _ in range(times):
            self.probe(site, ProbeResult(at=self.now, code=200, fault=fault))

    def change(self, site: Id, **changes: Any) -> None:
        self.submit(site, SiteChanged(SiteChanges(**changes)))

    def hosting(self, site: Id) -> Hosting:
        return self.world.sites[site].hosting

    @property
    def times(self) -> list[float]:
        """When sites were looked at, in seconds since the start."""
        return [at for at, _ in self.lookup.looked]

    @property
    def waits(self) -> list[int]:
        """The times between two looks, in units of `AGAIN_S`."""
        return [round((later - at) / AGAIN_S) for at, later in pairwise(self.times)]

    def restarted(self, **how: Any) -> Self:
        result(self.hosts.stop())
        return super().restarted(**how)


@pytest.fixture
def survey() -> Iterator[Survey]:
    survey = Survey()
    yield survey
    result(survey.hosts.stop())
    survey.alarms.stop()
    assert survey.time.clock.getDelayedCalls() == []


# --- what is looked at --------------------------------------------------------------------------------------------


def test_a_site_is_looked_at_once_it_is_up_and_what_was_found_is_logged(survey: Survey) -> None:
    survey.add_partner("example", CNAME, PREFIX)
    site = survey.site(up=False)
    survey.advance(60)
    assert survey.lookup.looked == []
    survey.look(site)
    with capturedLogs() as logged:
        survey.advance(1)
    assert not any("hosts site" in event["log_format"] for event in logged)
    assert survey.lookup.looked == [(61.0, "site1.example")]
    assert survey.lookup.kinds == [("cname", "prefix")]
    assert survey.events(SiteHostSeen) == [SiteHostSeen(HOSTED)]
    assert survey.hosting(site).found == HOSTED


def test_that_nobody_is_known_is_logged_the_first_time_too(survey: Survey) -> None:
    survey.add_partner("example", CNAME)
    survey.lookup.found = ELSEWHERE
    survey.site()
    survey.advance(2 * LOOK_EVERY_S + 60, step=60)
    assert len(survey.times) == 3
    assert survey.events(SiteHostSeen) == [SiteHostSeen(None)]


@pytest.mark.parametrize("host", ["example", ""])
def test_a_site_whose_host_was_set_by_hand_is_not_looked_at(survey: Survey, host: str) -> None:
    survey.add_partner("example", CNAME)
    site = survey.site(host=host)
    survey.advance(60)
    assert survey.lookup.looked == []
    survey.change(site, host="auto")
    survey.advance(2)
    assert len(survey.times) == 1
    survey.change(site, host=host)
    survey.advance(LOOK_EVERY_S + 60, step=60)
    assert len(survey.times) == 1


def test_nothing_is_looked_up_while_no_partner_has_rules(survey: Survey) -> None:
    survey.site()
    partner = survey.add_partner("example")
    survey.advance(60)
    assert survey.lookup.looked == []
    survey.submit(partner, PartnerChanged(PartnerChanges(rules=(CNAME,))))
    survey.advance(2)
    assert len(survey.times) == 1
    survey.submit(partner, PartnerChanged(PartnerChanges(rules=())))
    survey.advance(LOOK_EVERY_S + 60, step=60)
    assert len(survey.times) == 1


def test_a_site_is_never_looked_at_during_an_outage_but_soon_after_it(survey: Survey) -> None:
    survey.add_partner("example", CNAME)
    site = survey.site()
    survey.advance(2)
    survey.look(site, "dns", 3)
    survey.advance(LOOK_EVERY_S + 60, step=60)
    assert len(survey.times) == 1
    survey.look(site, "", 2)
    survey.advance(2)
    assert len(survey.times) == 2


def test_what_dns_says_of_a_site_that_fails_meanwhile_counts_for_nothing(survey: Survey) -> None:
    survey.add_partner("example", CNAME)
    survey.lookup.holds = True
    site = survey.site()
    survey.advance(2)
    survey.look(site, "dns")
    survey.lookup.let_go()
    assert survey.events(SiteHostSeen) == []
    survey.look(site, "", 1)
    survey.advance(2)
    assert survey.events(SiteHostSeen) == [SiteHostSeen(HOSTED)]


def test_a_url_that_cannot_be_probed_has_no_host(survey: Survey) -> None:
    survey.add_partner("example", CNAME)
    survey.site(url="http://a..example/")
    survey.site(2, url="https://Site2.example.:8443/")
    survey.advance(60)
    assert [host for _, host in survey.lookup.looked] == ["site2.example"]


# --- how often ----------------------------------------------------------------------------------------------------


def test_a_site_is_looked_at_daily_and_the_log_grows_only_by_what_is_new(survey: Survey) -> None:
    survey.add_partner("example", CNAME, PREFIX)
    site = survey.site()
    survey.advance(3 * LOOK_EVERY_S + 60, step=30)
    assert [round(at / LOOK_EVERY_S) for at in survey.times] == [0, 1, 2, 3]
    assert len(survey.events(SiteHostSeen)) == 1
    survey.lookup.found = Signals(addresses=("192.0.2.7",))
    survey.advance(2 * LOOK_EVERY_S, step=60)
    assert survey.events(SiteHostSeen)[1:] == [
        SiteHostSeen(Attribution("example", "prefix", "192.0.2.0/24", "192.0.2.7"))
    ]
    assert survey.hosting(site).since == survey.world.sites[site].created + 30 * SECOND


def test_another_host_counts_when_it_was_seen_again_ten_minutes_later(survey: Survey) -> None:
    survey.add_partner("example", CNAME)
    survey.add_partner("other", HostRule("cname", "other.example"))
    site = survey.site()
    survey.advance(2)
    survey.lookup.found = ELSEWHERE
    with capturedLogs() as logged:
        survey.advance(LOOK_EVERY_S + AGAIN_S - 30, step=60)
        assert (len(survey.times), survey.hosting(site).found) == (2, HOSTED)
        survey.advance(60)
    assert len(survey.times) == 3
    assert AGAIN_S <= survey.times[2] - survey.times[1] <= AGAIN_S + 2
    found = survey.hosting(site).found
    assert found is not None
    assert (found.slug, len(survey.events(SiteHostSeen))) == ("other", 3)
    told = [event["log_format"].format(**event) for event in logged if "hosts site" in event["log_format"]]
    assert told == [f"partner other hosts site {site[:8]}, by its cname b.other.example"]
    survey.advance(LOOK_EVERY_S - AGAIN_S, step=60)
    assert len(survey.times) == 3


def test_a_new_host_that_was_seen_once_and_is_gone_again_is_forgotten_in_the_log_too(survey: Survey) -> None:
    survey.add_partner("example", CNAME)
    site = survey.site()
    survey.advance(2)
    survey.lookup.found = ELSEWHERE
    survey.advance(LOOK_EVERY_S, step=60)
    survey.lookup.found = THERE
    survey.advance(AGAIN_S + 2)
    assert survey.events(SiteHostSeen) == [SiteHostSeen(HOSTED), SiteHostSeen(None), SiteHostSeen(HOSTED)]
    assert survey.hosting(site).candidate_at == 0


def test_a_lookup_that_fails_says_nothing_and_is_repeated_after_growing_waits(survey: Survey) -> None:
    survey.add_partner("example", CNAME, PREFIX)
    survey.lookup.found = FAILED
    survey.site()
    survey.advance(LOOK_EVERY_S * 4, step=60)
    waits = survey.waits
    day = LOOK_EVERY_S // AGAIN_S
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, day, day][: len(waits)]
    assert len(waits) > 8
    assert survey.events(SiteHostSeen) == []
    survey.lookup.found = THERE
    survey.advance(LOOK_EVERY_S, step=60)
    assert survey.events(SiteHostSeen) == [SiteHostSeen(HOSTED)]
    survey.lookup.found = FAILED
    well = len(survey.times) - 1
    survey.advance(LOOK_EVERY_S + AGAIN_S, step=60)
    assert survey.waits[well : well + 3] == [day, 1, 2]


def test_what_could_not_be_had_is_logged_beside_what_was_found(survey: Survey) -> None:
    survey.add_partner("example", CNAME, HostRule("ns", "dns.example"))
    survey.lookup.found = Signals(cnames=THERE.cnames, failed=("ns",))
    survey.site()
    survey.advance(2)
    assert survey.events(SiteHostSeen) == [SiteHostSeen(HOSTED, ("ns",))]


# --- what brings a look forward -----------------------------------------------------------------------------------


def test_a_site_at_another_address_than_before_is_looked_at_sooner(survey: Survey) -> None:
    survey.add_partner("example", CNAME)
    site = survey.site()
    survey.advance(2)
    for _ in range(3):
        survey.hosts.address_seen(site, "192.0.2.1")
        survey.advance(AGAIN_S)
    assert len(survey.times) == 1
    survey.hosts.address_seen(site, "198.51.100.1")
    survey.advance(2)
    assert len(survey.times) == 2


def test_addresses_that_come_by_turns_cost_one_look_each_and_never_two_in_ten_minutes(survey: Survey) -> None:
    survey.add_partner("example", CNAME)
    site = survey.site()
    for turn in range(12 * 60):
        survey.hosts.address_seen(site, f"192.0.2.{turn % 4}")
        survey.advance(60, step=10)
    assert 2 <= len(survey.times) <= 4
    assert all(later - at >= AGAIN_S for at, later in pairwise(survey.times))


def test_of_very_many_addresses_only_a_few_are_remembered(survey: Survey) -> None:
    survey.add_partner("example", CNAME)
    site = survey.site()
    for number in range(250):
        survey.hosts.address_seen(site, f"192.0.2.{number}")
    assert len(survey.hosts._known[site].addresses) == 16
    survey.hosts.address_seen(uuid(99, "e"), "192.0.2.1")
    assert list(survey.hosts._known) == [site]


def test_another_address_puts_off_nothing_that_is_due_anyway(survey: Survey) -> None:
    partner = survey.add_partner("example", CNAME)
    site = survey.site()
    survey.advance(2)
    survey.submit(partner, PartnerChanged(PartnerChanges(rules=(PREFIX,))))
    for number in (1, 2):
        survey.hosts.address_seen(site, f"192.0.2.{number}")
    survey.advance(2)
    assert len(survey.times) == 2


def test_partners_without_rules_change_nothing(survey: Survey) -> None:
    survey.add_partner("example", CNAME)
    survey.site()
    survey.advance(2)
    other = survey.add_partner("other")
    survey.submit(other, PartnerDeleted())
    survey.advance(60)
    assert len(survey.times) == 1


@pytest.mark.parametrize("rules", [[CNAME], [CNAME, PREFIX]])
def test_new_rules_have_all_sites_looked_at_again(survey: Survey, rules: list[HostRule]) -> None:
    partner = survey.add_partner("example", CNAME)
    for number in range(1, 41):
        survey.site(number)
    survey.advance(60)
    assert len(survey.times) == 40
    survey.submit(partner, PartnerChanged(PartnerChanges(rules=tuple(rules), name="Example")))
    survey.advance(60)
    changed = len(rules) > 1
    assert len(survey.times) == (80 if changed else 40)
    assert not changed or len({round(at) for at in survey.times[40:]}) >= 8
    survey.submit(partner, PartnerDeleted())
    survey.add_partner("other", PREFIX)
    survey.advance(60)
    assert len(survey.times) == (120 if changed else 80)


def test_what_was_looked_up_under_old_rules_counts_for_nothing(survey: Survey) -> None:
    partner = survey.add_partner("example", PREFIX)
    survey.lookup.holds = True
    survey.site()
    survey.advance(2)
    survey.submit(partner, PartnerChanged(PartnerChanges(rules=(CNAME,))))
    survey.advance(5)
    assert len(survey.times) == 1
    survey.lookup.let_go()
    assert survey.events(SiteHostSeen) == []
    survey.advance(2)
    assert survey.lookup.kinds == [("prefix",), ("cname",)]
    assert survey.events(SiteHostSeen) == [SiteHostSeen(HOSTED)]


def test_a_site_at_a_new_url_is_looked_at_at_once_and_nothing_of_the_old_one_counts(survey: Survey) -> None:
    survey.add_partner("example", CNAME)
    site = survey.site()
    survey.advance(2)
    survey.change(site, url="https://new.example/")
    survey.lookup.holds = True
    survey.advance(2)
    survey.change(site, url="https://newer.example/", name="shop")
    survey.lookup.of["new.example"] = Signals(cnames=("new.example", "b.hosts.example"))
    survey.lookup.let_go()
    survey.advance(2)
    assert [host for _, host in survey.lookup.looked] == ["site1.example", "new.example", "newer.example"]
    assert survey.events(SiteHostSeen) == [SiteHostSeen(HOSTED)] * 2


def test_a_site_that_is_deleted_is_forgotten(survey: Survey) -> None:
    survey.add_partner("example", CNAME)
    gone, going = survey.site(1), survey.site(2)
    survey.submit(gone, SiteDeleted())
    survey.lookup.holds = True
    survey.advance(1)
    assert survey.hosts.last_tick == survey.time.steady()
    survey.submit(going, SiteDeleted())
    survey.lookup.let_go()
    survey.advance(LOOK_EVERY_S + 60, step=60)
    assert [host for _, host in survey.lookup.looked] == ["site2.example"]
    assert survey.events(SiteHostSeen) == []
    assert survey.hosts._known == {}


# --- pace ---------------------------------------------------------------------------------------------------------


def test_lookups_are_spread_and_only_a_few_are_under_way_at_once(survey: Survey) -> None:
    survey.add_partner("example", CNAME)
    for number in range(1, 101):
        survey.site(number)
    survey.lookup.holds = True
    survey.advance(30)
    assert len(survey.lookup.held) == survey.hosts.looking == PARALLEL
    survey.lookup.let_go()
    survey.advance(60)
    assert len(survey.times) == 100
    assert all(survey.times.count(at) <= 10 for at in survey.times)


def test_a_site_that_is_down_takes_no_place(survey: Survey) -> None:
    survey.add_partner("example", CNAME)
    for number in range(1, 101):
        survey.site(number, up=False)
    survey.site(101)
    survey.advance(1)
    assert len(survey.times) == 1


def test_after_a_restart_sites_are_looked_at_within_the_hour_and_new_ones_at_once(survey: Survey) -> None:
    survey.add_partner("example", CNAME)
    for number in range(1, 31):
        survey.site(number)
    survey.site(40, host="")
    survey.advance(30)
    new = survey.site(31)
    after = survey.restarted(away_s=5)
    after.advance(2)
    assert (0, "site31.example") in [(round(at - after.times[0]), host) for at, host in after.lookup.looked]
    assert after.hosting(new).found is not None
    after.advance(START_SPREAD_S + 10)
    assert len(after.times) == 31
    assert len({round(at) for at in after.times}) > 15
    assert len(after.events(SiteHostSeen)) == 31
    result(after.hosts.stop())
    after.alarms.stop()


def test_a_host_that_waits_to_be_seen_again_waits_no_longer_because_of_a_restart(survey: Survey) -> None:
    survey.add_partner("example", CNAME)
    site = survey.site()
    survey.advance(2)
    survey.lookup.found = ELSEWHERE
    survey.advance(LOOK_EVERY_S, step=60)
    assert survey.hosting(site).candidate_at
    after = survey.restarted(away_s=300)
    after.lookup.found = ELSEWHERE
    after.advance(AGAIN_S - 300 + 2)
    assert len(after.times) == 1
    assert after.hosting(site).found is None
    result(after.hosts.stop())
    after.alarms.stop()


def test_no_instant_in_the_future_puts_off_the_second_look(survey: Survey) -> None:
    """The clock may have been set back while pingmon was stopped."""
    survey.add_partner("example", CNAME)
    site = survey.site()
    survey.advance(2)
    after = survey.restarted()
    result(after.hosts.stop())
    later = replace(survey.hosting(site), candidate_at=after.now + 365 * LOOK_EVERY_S * SECOND)
    after.world.put_site(replace(after.world.sites[site], hosting=later))
    after.hosts = HostDetection(after.monitor, after.lookup, after.clock)
    after.hosts.start()
    after.advance(AGAIN_S + 2)
    assert len(after.times) == 1
    result(after.hosts.stop())
    after.alarms.stop()


# --- life, and what goes wrong ------------------------------------------------------------------------------------


def test_stopping_ends_what_is_under_way_and_nothing_is_begun_any_more(survey: Survey) -> None:
    survey.add_partner("example", CNAME)
    survey.lookup.holds = True
    survey.site()
    survey.advance(2)
    result(survey.hosts.stop())
    assert survey.lookup.held == {}
    assert survey.hosts.looking == 0
    survey.site(2)
    survey.advance(60)
    assert len(survey.times) == 1


def test_what_cannot_be_logged_is_looked_up_again(survey: Survey) -> None:
    survey.add_partner("example", CNAME)
    survey.site()
    survey.alarms.stop()  # its signs of life would use up the failure
    survey.journal.fail_next(1)
    survey.advance(AGAIN_S - 5)
    assert (len(survey.times), survey.events(SiteHostSeen)) == (1, [])
    survey.advance(10)
    assert survey.events(SiteHostSeen) == [SiteHostSeen(HOSTED)]


def test_a_lookup_that_breaks_is_reported_and_repeated_and_holds_up_no_other(survey: Survey) -> None:
    survey.add_partner("example", CNAME)
    survey.lookup.breaks = True
    survey.site()
    with capturedLogs() as logged:
        survey.advance(2)
    assert [event["log_failure"].type for event in logged if "log_failure" in event] == [ZeroDivisionError]
    survey.lookup.breaks = False
    survey.site(2)
    survey.advance(2)
    assert len(survey.events(SiteHostSeen)) == 1
    survey.advance(AGAIN_S)
    assert len(survey.events(SiteHostSeen)) == 2


def test_a_tick_that_breaks_is_not_the_last_one(survey: Survey) -> None:
    agenda = survey.hosts._due
    due, agenda.due = agenda.due, lambda now: 1 // 0  # type: ignore[method-assign, assignment, return-value]
    ticked = survey.hosts.last_tick
    with capturedLogs():
        survey.advance(3)
    assert survey.hosts.last_tick == ticked
    agenda.due = due  # type: ignore[method-assign]
    survey.advance(1)
    assert survey.hosts.last_tick == survey.time.steady()


def test_a_clock_that_is_set_brings_no_look_forward_and_puts_none_off(survey: Survey) -> None:
    survey.add_partner("example", CNAME)
    survey.site()
    survey.advance(2)
    survey.time.set_wall(30 * LOOK_EVERY_S)
    survey.advance(60)
    assert len(survey.times) == 1
    survey.time.set_wall(-60 * LOOK_EVERY_S)
    survey.advance(LOOK_EVERY_S, step=60)
    assert len(survey.times) == 2

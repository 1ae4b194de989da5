"""Tests of `pingmon.sites.host_lookup`: what DNS says of who hosts a site."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.task import Clock

from pingmon.core.partner.partner import KINDS, Kind, Signals
from pingmon.dns.results import CannotAsk, NoAnswer, NoSuchName, RecordKind, Resolved
from pingmon.sites.as_numbers import Cymru
from pingmon.sites.host_lookup import ADDRESSES_MAX, LOOKUP_S, NAMES_MAX, ZONES_MAX, HostLookup
from pingmon.testing import result

SITE = "www.shop.example"
PTR_1 = "1.2.0.192.in-addr.arpa"


class FakeDns:
    """Knows what it was told; `asked` in order. A name that is not there does not exist; None never answers."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, str], Any] = {}
        self.cancelled = 0
        self.asked: list[tuple[str, str]] = []
        self.waiting: list[Deferred[Any]] = []

    def has(self, name: str, kind: str, *values: str, chain: Iterable[str] = ()) -> FakeDns:
        self.known[name, kind] = Resolved(values, tuple(chain)) if kind == "A" else values
        return self

    def raises(self, name: str, kind: str, error: Exception | None) -> FakeDns:
        self.known[name, kind] = error
        return self

    def addresses(self, name: str, /) -> Deferred[Resolved]:
        return self._answer(name, "A")

    def records(self, name: str, kind: RecordKind, /) -> Deferred[tuple[str, ...]]:
        return self._answer(name, kind)

    def _answer(self, name: str, kind: str) -> Deferred[Any]:
        self.asked.append((name, kind))
        found = self.known.get((name, kind), NoSuchName("there is no such name"))
        if found is None:
            self.waiting.append(Deferred(self._cancel))
            return self.waiting[-1]
        return fail(found) if isinstance(found, Exception) else succeed(found)

    def _cancel(self, _: object) -> None:
        self.cancelled += 1


class FakeOrigins:
    def __init__(self) -> None:
        self.asked: list[str] = []

    def asns(self, address: str, /) -> Deferred[tuple[int, ...]]:
        self.asked.append(address)
        return succeed((64500,))


@pytest.fixture
def dns() -> FakeDns:
    return (
        FakeDns()
        .has(SITE, "A", "192.0.2.1", "2001:db8::1", chain=["shop.hosts.example"])
        .has("shop.example", "NS", "NS2.dns.example.", "ns1.dns.example")
        .has(PTR_1, "PTR", "Web7.Hosts.Example.")
        .has("web7.hosts.example", "A", "192.0.2.1", "192.0.2.9")
    )


def signals(dns: FakeDns, host: str = SITE, kinds: Iterable[Kind] = KINDS, origins: Any = None) -> Signals:
    return result(HostLookup(dns, Clock(), origins).signals(host, tuple(kinds)))


def test_all_that_dns_says_of_a_healthy_site(dns: FakeDns) -> None:
    assert signals(dns) == Signals(
        cnames=(SITE, "shop.hosts.example"),
        addresses=("192.0.2.1", "2001:db8::1"),
        ptrs=("web7.hosts.example",),
        nameservers=("ns1.dns.example", "ns2.dns.example"),
    )


@pytest.mark.parametrize(
    ("kinds", "lookups"),
    [
        ([], set()),
        (["cname"], {"A"}),
        (["prefix", "asn"], {"A"}),
        (["ptr"], {"A", "PTR"}),
        (["ns"], {"A", "NS"}),
    ],
)
def test_only_what_some_rule_uses_is_looked_up(dns: FakeDns, kinds: list[Kind], lookups: set[str]) -> None:
    signals(dns, kinds=kinds)
    assert {kind for _, kind in dns.asked} == lookups


def test_the_addresses_come_in_one_order_however_the_servers_turn_them(dns: FakeDns) -> None:
    dns.has(SITE, "A", "2001:db8::1", "192.0.2.10", "192.0.2.9")
    assert signals(dns, kinds=["prefix"]).addresses == ("192.0.2.9", "192.0.2.10", "2001:db8::1")


def test_an_address_in_the_place_of_a_name_has_no_names_and_no_zone(dns: FakeDns) -> None:
    assert signals(dns, "192.0.2.1") == Signals(addresses=("192.0.2.1",), ptrs=("web7.hosts.example",))
    assert not any(kind == "NS" for _, kind in dns.asked)


# --- PTR ----------------------------------------------------------------------------------------------------------


def test_a_ptr_that_does_not_lead_back_is_not_believed(dns: FakeDns) -> None:
    dns.has("web7.hosts.example", "A", "192.0.2.2")
    assert signals(dns).ptrs == ()
    dns.raises("web7.hosts.example", "A", NoSuchName("gone"))
    assert signals(dns) == Signals(
        (SITE, "shop.hosts.example"), ("192.0.2.1", "2001:db8::1"), nameservers=("ns1.dns.example", "ns2.dns.example")
    )


def test_an_ipv6_address_is_confirmed_however_it_is_written(dns: FakeDns) -> None:
    reverse = "1" + ".0" * 23 + ".8.b.d.0.1.0.0.2.ip6.arpa"
    dns.has(reverse, "PTR", "v6.hosts.example").has("v6.hosts.example", "A", "2001:0DB8:0::1")
    assert signals(dns, kinds=["ptr"]).ptrs == ("web7.hosts.example", "v6.hosts.example")


def test_of_many_addresses_and_names_only_a_few_are_looked_at(dns: FakeDns) -> None:
    dns.has(SITE, "A", *(f"192.0.2.{number}" for number in range(1, 20)))
    dns.has(PTR_1, "PTR", *(f"{letter}.hosts.example" for letter in "abcdefgh"))
    found = signals(dns, kinds=["ptr"])
    assert len(found.addresses) == 19
    assert len([kind for _, kind in dns.asked if kind == "PTR"]) == ADDRESSES_MAX
    assert len([kind for _, kind in dns.asked if kind == "A"]) == 1 + NAMES_MAX


# --- NS -----------------------------------------------------------------------------------------------------------


def test_the_zone_is_searched_from_the_name_upwards_and_never_at_a_top_level_domain(dns: FakeDns) -> None:
    dns.has("a.b.example", "A", "192.0.2.1")
    assert signals(dns, "a.b.example", ["ns"]).nameservers == ()
    assert [name for name, kind in dns.asked if kind == "NS"] == ["a.b.example", "b.example"]


def test_the_nearest_zone_that_has_name_servers_counts(dns: FakeDns) -> None:
    dns.has("a.shop.example", "A", "192.0.2.1").has("a.shop.example", "NS", "ns.other.example")
    assert signals(dns, "a.shop.example", ["ns"]).nameservers == ("ns.other.example",)


def test_an_alias_is_not_asked_for_name_servers_because_its_targets_would_answer(dns: FakeDns) -> None:
    dns.has(SITE, "NS", "ns.platform.example")
    assert signals(dns, kinds=["ns"]).nameservers == ("ns1.dns.example", "ns2.dns.example")


def test_a_name_with_very_many_labels_costs_few_lookups(dns: FakeDns) -> None:
    name = "x." * 50 + "shop.example"
    dns.has(name, "A", "192.0.2.1")
    assert signals(dns, name, ["ns"]).nameservers == ("ns1.dns.example", "ns2.dns.example")
    assert len([kind for _, kind in dns.asked if kind == "NS"]) == ZONES_MAX


# --- AS numbers ---------------------------------------------------------------------------------------------------


def test_as_numbers_are_looked_up_for_every_kind_that_a_cdn_could_spoil(dns: FakeDns) -> None:
    dns.has(SITE, "A", "1.1.1.1")
    for kind in KINDS:
        origins = FakeOrigins()
        found = signals(dns, kinds=[kind], origins=origins)
        wanted = kind in ("prefix", "asn", "ptr")
        assert (found.asns, origins.asked) == (((64500,), ["1.1.1.1"]) if wanted else ((), []))


def test_nobody_is_told_of_private_addresses(dns: FakeDns) -> None:
    origins = FakeOrigins()
    dns.has(SITE, "A", "10.0.0.1", "127.0.0.1", "fd00::1", "1.1.1.1")
    assert signals(dns, kinds=["asn"], origins=origins).asns == (64500,)
    assert origins.asked == ["1.1.1.1"]


def test_as_numbers_may_be_asked_of_team_cymru_through_the_same_resolver(dns: FakeDns) -> None:
    dns.has(SITE, "A", "1.2.3.4")
    dns.has("4.3.2.1.origin.asn.cymru.com", "TXT", "64500 64501 | 1.2.3.0/24 | XX | ripencc | 2001-01-01")
    assert signals(dns, kinds=["asn"], origins=Cymru(dns)).asns == (64500, 64501)
    del dns.known["4.3.2.1.origin.asn.cymru.com", "TXT"]
    assert signals(dns, kinds=["asn"], origins=Cymru(dns)) == Signals((SITE,), ("1.2.3.4",))


# --- what goes wrong ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [NoAnswer("silent"), CannotAsk("nobody to ask")])
@pytest.mark.parametrize(
    ("name", "kind", "failed"),
    [(PTR_1, "PTR", "ptr"), ("web7.hosts.example", "A", "ptr"), ("shop.example", "NS", "ns")],
)
def test_a_lookup_that_fails_is_named_and_spoils_no_other(
    dns: FakeDns, error: Exception, name: str, kind: str, failed: str
) -> None:
    whole = signals(dns)
    found = signals(dns.raises(name, kind, error))
    assert found.failed == (failed,)
    assert (found.cnames, found.addresses) == (whole.cnames, whole.addresses)
    assert found.ptrs == (() if failed == "ptr" else whole.ptrs)
    assert found.nameservers == (() if failed == "ns" else whole.nameservers)


def test_origins_that_fail_are_named_too(dns: FakeDns) -> None:
    dns.has(SITE, "A", "1.2.3.4").raises("4.3.2.1.origin.asn.cymru.com", "TXT", NoAnswer("silent"))
    assert signals(dns, origins=Cymru(dns)).failed == ("asn",)


@pytest.mark.parametrize("error", [NoAnswer("silent"), NoSuchName("gone")])
def test_without_an_address_the_site_is_not_healthy_and_nothing_is_known(dns: FakeDns, error: Exception) -> None:
    dns.raises(SITE, "A", error)
    assert signals(dns) == Signals(failed=KINDS)
    assert signals(dns, kinds=["ns", "cname"]) == Signals(failed=("cname", "ns"))
    assert signals(dns.has(SITE, "A")) == Signals(failed=KINDS)


def test_every_lookup_is_bounded_in_time_on_the_given_clock(dns: FakeDns) -> None:
    clock = Clock()
    dns.raises(PTR_1, "PTR", None).raises("shop.example", "NS", None)
    running = HostLookup(dns, clock).signals(SITE)
    clock.advance(LOOKUP_S - 0.01)
    assert len(dns.waiting) == 1
    clock.advance(0.01)
    assert len(dns.waiting) == 2
    clock.advance(LOOKUP_S)
    assert result(running).failed == ("ptr", "ns")
    assert not clock.getDelayedCalls()


def test_cancelling_cancels_the_lookup_that_runs(dns: FakeDns) -> None:
    clock = Clock()
    dns.raises(SITE, "A", None)
    running = HostLookup(dns, clock).signals(SITE)
    running.cancel()
    with pytest.raises(CancelledError):
        result(running)
    assert dns.cancelled == 1
    assert not clock.getDelayedCalls()

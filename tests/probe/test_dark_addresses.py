"""Tests of `probe/dark_addresses`, and of many sites at one address that goes dark, on a network without sockets."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pingmon.core.site.dark_address import LONGEST_S, DarkAddress
from pingmon.probe.dark_addresses import DarkAddresses
from pingmon.testing import result
from pingmon.verifier_tap import PER_ADDRESS
from pingmon.verify.verifier import WAIT_S
from tests.probe.net import Watched

HERE = "192.0.2.1"
ELSEWHERE = "192.0.2.2"
IPV6 = "2001:db8::1"
MANY = [f"s{number}.example" for number in range(300)]
LIKE_OTHERS = f"no answer from {HERE} for 10 s, like other sites there"


def shared(*addresses: str, **limits: Any) -> Watched:
    """300 sites at the same addresses, each looked at once a minute, and well so far."""
    watched = Watched(dict.fromkeys(MANY, addresses), **limits)
    watched.watch(60.0)
    watched.net.pass_s(61.0)
    assert set(watched.faults()) == {""}
    return watched


# --- a hosting address with many sites ----------------------------------------------------------------------------


def test_every_site_at_an_address_that_goes_dark_is_seen_failing_in_two_rounds() -> None:
    watched = shared(HERE)
    watched.net.dark = {HERE}
    watched.net.pass_s(120.0)
    assert "void" not in watched.faults()
    assert [site for site, looks in watched.seen.items() if looks[-1][1].fault != "timeout"] == []
    details = {look.detail for looks in watched.seen.values() for _, look in looks if not look.good}
    assert details == {"timed out after 10 s while connecting", LIKE_OTHERS}


def test_every_site_is_seen_well_soon_after_its_address_is_back() -> None:
    watched = shared(HERE)
    watched.net.dark = {HERE}
    watched.net.pass_s(120.0)
    watched.net.dark = set()
    back_s = watched.net.seconds()
    watched.net.pass_s(60.0)
    assert set(watched.faults(back_s + 10.0)) == {""}
    assert watched.prober.targets.empty


def test_a_verifier_whose_places_are_waited_for_shortly_says_what_it_knows_of_the_address_too() -> None:
    watched = shared(HERE, per_address=PER_ADDRESS, max_wait_s=WAIT_S)
    watched.net.dark = {HERE}
    dark_s = watched.net.seconds()
    watched.net.pass_s(120.0)
    assert set(watched.faults(dark_s + 15.0)) == {"timeout"}


def test_sites_with_a_long_time_limit_are_no_worse_off() -> None:
    watched = shared(HERE, timeout_s=30.0, max_wait_s=WAIT_S)
    watched.net.dark = {HERE}
    dark_s = watched.net.seconds()
    watched.net.pass_s(150.0)
    assert set(watched.faults(dark_s + 35.0)) == {"timeout"}


def test_sites_with_an_address_that_this_machine_cannot_reach_besides_are_no_worse_off() -> None:
    watched = shared(HERE, IPV6)
    watched.net.dark = {HERE}
    watched.net.pass_s(120.0)
    assert "void" not in watched.faults()


def test_the_only_site_at_an_address_is_always_looked_at_for_itself() -> None:
    watched = Watched({"a.example": [HERE]}, per_address=1)
    watched.net.dark = {HERE}
    for _ in range(3):
        watched.look("a.example")
        watched.net.pass_s(10.0)
    assert watched.net.tried == [HERE] * 3
    assert {look.detail for _, look in watched.seen["a.example"]} == {"timed out after 10 s while connecting"}


# --- who is told, and who is not ----------------------------------------------------------------------------------


def contended(**sites: list[str]) -> Watched:
    """A place at `HERE`, which is dark, that is taken again after ten seconds without an answer."""
    watched = Watched({"a.example": [HERE], **sites}, per_address=1)
    watched.net.dark = {HERE}
    watched.look("a.example")
    watched.net.pass_s(10.0)
    watched.look("a.example")
    return watched


def test_who_would_have_to_wait_is_told_at_once_and_costs_nothing() -> None:
    watched = contended()
    look = result(watched.look("a.example"))
    assert (look.code, look.fault, look.detail, look.ms, look.address) == (0, "timeout", LIKE_OTHERS, 0, "")
    assert len(watched.net.tried) == 2


def test_those_who_wait_already_are_told_when_the_first_gives_up() -> None:
    watched = Watched({"a.example": [HERE]}, per_address=1)
    watched.net.dark = {HERE}
    waiting = [watched.look("a.example") for _ in range(1000)]
    watched.net.pass_s(9.9)
    assert not any(each.called for each in waiting)
    watched.net.pass_s(0.1)
    assert [result(each).detail for each in waiting[1:]] == [LIKE_OTHERS] * 999
    assert watched.prober.targets.empty
    assert watched.prober.flight.empty


def test_who_would_have_tried_for_longer_waits_for_its_turn() -> None:
    watched = contended()
    patient, hasty = watched.look("a.example", timeout_s=30.0), watched.look("a.example", timeout_s=5.0)
    assert result(hasty).fault == "timeout"
    assert not patient.called
    watched.net.pass_s(41.0)
    assert result(patient).detail == "timed out after 30 s while connecting"


def test_another_port_of_the_address_and_another_address_of_the_site_are_tried() -> None:
    watched = contended(**{"b.example": [HERE, ELSEWHERE]})
    port = watched.look("a.example", url="http://a.example:8080/")
    both = watched.look("b.example")
    assert not port.called
    assert not both.called
    watched.net.pass_s(30.0)
    assert result(both).address == ELSEWHERE


def test_an_address_that_refuses_is_not_dark() -> None:
    watched = Watched({"a.example": [ELSEWHERE]}, per_address=1)
    watched.net.refusing = {ELSEWHERE}
    looking = [watched.look("a.example") for _ in range(50)]
    watched.net.pass_s(5.0)
    assert {result(each).detail for each in looking} == {"connection refused"}
    assert len(watched.net.tried) == 50


def test_what_this_machine_has_no_way_to_is_nobodys_silence() -> None:
    """Nothing is said of a site that has only IPv6, however many others keep its place."""
    watched = Watched({"a.example": [HERE, IPV6], "six.example": [IPV6]}, per_address=1)
    watched.net.dark = {HERE}
    watched.look("a.example")
    watched.net.pass_s(10.0)
    watched.look("a.example")
    six = watched.look("six.example")
    watched.net.pass_s(11.0)
    assert result(six).fault == "void"


def test_one_answer_ends_the_silence_for_all() -> None:
    watched = contended()
    watched.net.dark = set()
    watched.net.pass_s(2.0)
    watched.net.dark = {HERE}
    watched.look("a.example")
    told = watched.look("a.example")
    assert not told.called


# --- what is remembered -------------------------------------------------------------------------------------------


def test_a_shorter_silence_does_not_hide_a_longer_one() -> None:
    dark = DarkAddresses()
    dark.tried([HERE], [], 80, 0.0, 30.0)
    dark.tried([HERE], [], 80, 31.0, 32.0)
    assert dark.found([HERE], 80, 1.0, 32.0) == DarkAddress(HERE, 32.0, 1.0)
    assert dark.found([HERE], 80, 30.0, 32.0) == DarkAddress(HERE, 30.0, 30.0)


def test_silence_counts_for_nothing_if_somebody_was_answered_meanwhile() -> None:
    dark = DarkAddresses()
    dark.heard(HERE, 80, 9.0)
    dark.tried([HERE], [], 80, 0.0, 10.0)
    assert dark.found([HERE], 80, 10.0, 10.0) is None
    dark.tried([HERE], [], 80, 9.5, 19.5)
    assert dark.found([HERE], 80, 10.0, 19.5) is not None


@given(
    st.lists(
        st.tuples(st.sampled_from(["heard", "tried"]), st.integers(0, 9), st.floats(0, 30), st.floats(0, 20)),
        max_size=60,
    )
)
def test_everything_is_forgotten_in_time(events: list[tuple[str, int, float, float]]) -> None:
    dark, now_s = DarkAddresses(), 0.0
    for kind, number, tried_s, later_s in events:
        now_s += later_s
        if kind == "heard":
            dark.heard(f"192.0.2.{number}", 80, now_s)
        else:
            dark.tried([f"192.0.2.{number}"], [], 80, now_s - tried_s, now_s)
    dark.heard("192.0.2.99", 80, now_s + LONGEST_S)
    assert len(dark) == 1


@pytest.mark.parametrize("known", [[], [HERE]])
def test_a_host_is_dark_only_if_all_its_addresses_are(known: list[str]) -> None:
    dark = DarkAddresses()
    dark.tried(known, [IPV6], 80, 0.0, 10.0)
    assert dark.found([HERE, ELSEWHERE], 80, 10.0, 10.0) is None
    assert (dark.found([HERE, IPV6], 80, 10.0, 10.0) is not None) is bool(known)
    assert dark.found([IPV6], 80, 10.0, 10.0) is None

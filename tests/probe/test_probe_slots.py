"""Tests of how many probes go on at once, and of telling pingmon's own trouble from the sites'."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectBindError, ConnectError
from twisted.internet.task import Clock

from pingmon.core.site.probe_result import ProbeResult
from pingmon.probe.network_faults import connect_failed
from pingmon.probe.probe_timer import ProbeTimer
from pingmon.probe.prober import Prober
from pingmon.probe.slots import Slots
from pingmon.testing import result
from tests.dns.names import Names
from tests.probe.sites import OK, Site, Timers, Visitor, advanced_until, gist, prober, to, until

pytestmark = pytest.mark.usefixtures("nothing_left")

HOSTS = {f"h{n}.example": [f"127.0.0.{n}"] for n in range(1, 9)}


@contextmanager
def no_descriptors() -> Iterator[None]:
    """Until it ends, nothing more can be opened."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


class Held:
    """A site that answers when the test says, and probes of it whose time stands still."""

    def __init__(self, site: Site, port: int, **limits: Any) -> None:
        self.running = Timers()
        self.visitors: list[Visitor] = []
        site.reply = self.visitors.append
        self.port = port
        self.prober: Prober = prober(hosts=HOSTS, running=self.running, **limits)

    def look(self, number: int, timeout_s: float = 5.0) -> Deferred[ProbeResult]:
        return self.prober.look(f"http://h{number}.example:{self.port}/", timeout_s)

    async def asked(self, count: int) -> None:
        """Wait until the site has `count` requests, and a little to see that there are no more."""
        await advanced_until(self.running, lambda: len(self.visitors) >= count)
        for _ in range(5):
            await advanced_until(self.running, [True])
        assert len(self.visitors) == count


@pytest_twisted.ensureDeferred
async def test_only_so_many_probes_go_to_one_address_and_the_others_are_not_held_up(site: Site) -> None:
    held = Held(site, await site.listen("0.0.0.0"), per_address=2, max_in_flight=3)
    first = [held.look(1) for _ in range(5)]
    await held.asked(2)
    other = held.look(2)
    await held.asked(3)
    held.visitors.pop().write(OK)
    await until(lambda: other.called)
    assert not any(each.called for each in first)
    while held.visitors:
        held.visitors.pop(0).write(OK)
        await advanced_until(held.running, [True])
        await until(lambda: held.visitors or all(each.called for each in first))
    assert all(result(each).good for each in first)
    assert held.prober.flight.empty
    assert held.prober.targets.empty


@pytest_twisted.ensureDeferred
async def test_waiting_for_a_turn_does_not_use_up_the_timeout(site: Site) -> None:
    held = Held(site, await site.listen("0.0.0.0"), max_in_flight=1)
    first, second = held.look(1, 30.0), held.look(2, 5.0)
    await held.asked(1)
    held.running.clock.advance(20.0)
    held.visitors.pop().write(OK)
    await until(lambda: first.called)
    await held.asked(1)
    held.running.clock.advance(4.0)
    held.visitors.pop().write(OK)
    await until(lambda: second.called)
    assert (result(first).ms, result(second).ms) == (20_000, 4000)
    third, fourth = held.look(1, 5.0), held.look(2, 5.0)
    await held.asked(1)
    held.running.clock.advance(5.0)
    assert (result(third).fault, fourth.called) == ("timeout", False)
    held.visitors.clear()
    await held.asked(1)
    held.running.clock.advance(5.0)
    assert result(fourth).fault == "timeout"


@pytest_twisted.ensureDeferred
async def test_who_waits_too_long_for_a_turn_has_not_looked(site: Site) -> None:
    held = Held(site, await site.listen("0.0.0.0"), per_address=1, max_wait_s=10.0)
    first, second = held.look(1, 30.0), held.look(1)
    await held.asked(1)
    held.running.clock.advance(10.0)
    assert gist(result(second)) == (0, "void", "pingmon had no place free for 10 s")
    (shortage,) = held.prober.waits.shortages()
    assert shortage.text == "1 look at a site waited for a place at 127.0.0.1 for up to 10 s, 1 of them in vain"
    assert "[sites] per_address" in shortage.remedy
    held.visitors[0].write(OK)
    await until(lambda: first.called)
    assert held.prober.targets.empty


@pytest_twisted.ensureDeferred
async def test_when_too_many_wait_the_next_is_told_at_once(site: Site) -> None:
    held = Held(site, await site.listen("0.0.0.0"), max_in_flight=1, max_waiting=1)
    looking = [held.look(1) for _ in range(3)]
    assert gist(result(looking[2])) == (0, "void", "pingmon has too many probes waiting already")
    (shortage,) = held.prober.waits.shortages()
    assert (shortage.void, shortage.remedy) == (1, "raise [sites] parallel")
    for each in looking[:2]:
        each.cancel()
        with pytest.raises(CancelledError):
            await each
    assert held.prober.looks == 0
    assert held.prober.flight.empty


@pytest_twisted.ensureDeferred
async def test_a_redirect_gives_up_its_place_before_it_takes_the_next(site: Site) -> None:
    port = await site.listen("0.0.0.0")
    site.pages = {"/": to("/b"), "/b": to(f"http://h2.example:{port}/c")}
    looker = prober(hosts=HOSTS, max_in_flight=1, per_address=1)
    assert (await looker.look(f"http://h1.example:{port}/", 5.0)).good


# --- pingmon's own trouble ----------------------------------------------------------------------------------------


@pytest_twisted.ensureDeferred
async def test_without_descriptors_nothing_is_said_of_a_site(site: Site, names: Names) -> None:
    port, server = await site.listen(), names.listen()
    names.add("h.example", "A", "127.0.0.1")
    looker = prober(servers=[server])
    with no_descriptors():
        look = await looker.look(f"http://127.0.0.1:{port}/", 5.0)
        named = await looker.look(f"http://h.example:{port}/", 5.0)
    assert gist(look) == (0, "void", "pingmon cannot connect: too many open files")
    assert gist(named) == (0, "void", "pingmon cannot look up names: no socket to ask with")
    assert (await looker.look(f"http://h.example:{port}/", 5.0)).good


@pytest_twisted.ensureDeferred
async def test_without_name_servers_nothing_is_said_of_a_site() -> None:
    look = await prober().look("http://h.example/", 5.0)
    assert gist(look) == (0, "void", "pingmon cannot look up names: no name server is configured")


@pytest_twisted.ensureDeferred
async def test_a_name_that_does_not_exist_is_the_sites_fault(names: Names) -> None:
    looker = prober(servers=[names.listen()])
    assert gist(await looker.look("http://h.example/", 5.0)) == (0, "dns", "there is no such name")
    names.codes["broken.example"] = 2
    look = await looker.look("http://broken.example/", 5.0)
    assert gist(look) == (0, "dns", "its name servers do not answer (SERVFAIL)")


@pytest.mark.parametrize(("silent", "fault"), [("", "void"), ("h.example", "dns")])
@pytest_twisted.ensureDeferred
async def test_silence_about_one_name_is_told_from_name_servers_that_are_gone(
    names: Names, silent: str, fault: str
) -> None:
    names.silent = {silent}
    running = Timers()
    looking = prober(servers=[names.listen()], running=running).look("http://h.example/", 1.5)
    await advanced_until(running, lambda: len(names.asked) == 2)
    running.clock.advance(1.0)
    await advanced_until(running, lambda: "NS " in names.asked)
    if silent:
        await advanced_until(running, lambda: names.asked.count("A h.example") == 2)
    running.clock.advance(0.5)
    if not silent:
        await until(lambda: names.asked.count("NS ") == 2)
        running.clock.advance(1.0)
    look = await looking
    assert look.fault == fault
    assert look.phases.dns == 1500


@pytest.mark.parametrize(
    ("errors", "fault", "detail"),
    [
        ([("::1", errno.ENETUNREACH), ("192.0.2.1", errno.ECONNREFUSED)], "connect", "connection refused"),
        ([("::1", errno.ECONNREFUSED), ("192.0.2.1", errno.ENETUNREACH)], "connect", "connection refused"),
        ([("::1", errno.EADDRNOTAVAIL), ("192.0.2.1", errno.EHOSTUNREACH)], "connect", "no route to host"),
        ([("192.0.2.1", errno.ECONNRESET)], "connect", "connection reset by peer"),
        ([("192.0.2.1", None)], "connect", "connection failed"),
        ([("::1", errno.ECONNREFUSED), ("192.0.2.1", errno.EADDRNOTAVAIL)], "void", "pingmon cannot connect: "),
        ([("::1", errno.ECONNREFUSED), ("192.0.2.1", errno.EMFILE)], "void", "pingmon cannot connect: too many "),
        ([("::1", errno.ENETUNREACH)] * 2, "void", "pingmon has no network for this address: network is unreach"),
    ],
)
def test_what_failed_attempts_come_to(errors: list[tuple[str, int | None]], fault: str, detail: str) -> None:
    failed = connect_failed([(address, ConnectError(number)) for address, number in errors])
    assert failed.fault == fault
    assert failed.detail.startswith(detail)
    assert connect_failed([("::1", ConnectBindError(errno.EMFILE, "x"))]).fault == "void"


# --- places and time ----------------------------------------------------------------------------------------------


def test_places_are_given_in_turn_and_thousands_in_a_row_do_not_nest() -> None:
    places, order = Slots(1), list[int]()
    assert places.take("x")
    assert places.take("y")

    def at_once(number: int, _: None) -> None:
        order.append(number)
        places.free("x")

    for number in range(5000):
        places.wait("x").addCallback(partial(at_once, number))
    left = places.wait("x")
    left.addErrback(lambda failure: failure.trap(CancelledError))
    left.cancel()
    places.free("x")
    assert order == list(range(5000))
    places.free("y")
    assert places.empty


def test_the_timer_adds_up_phases_and_leaves_waiting_out() -> None:
    clock, ended = Clock(), list[tuple[float, float]]()
    halves: list[float] = []
    watch = ProbeTimer(
        clock,
        10.0,
        100.0,
        lambda late_s: ended.append((clock.seconds(), late_s)),
        5.0,
        lambda: halves.append(clock.seconds()),
    )
    for phase, seconds in (("wait", 5), ("dns", 1), ("wait", 50), ("connect", 2), ("answer", 3), ("dns", 1)):
        watch.enter(phase)  # type: ignore[arg-type]
        clock.advance(seconds)
    watch.enter("tls")
    assert (watch.ms, watch.phases.dns, watch.phases.connect, watch.phases.answer) == (7000, 2000, 2000, 3000)
    clock.advance(3)
    assert (halves, ended) == ([61.0], [(65.0, 0.0)])
    assert watch.late
    watch.stop()
    assert clock.getDelayedCalls() == []

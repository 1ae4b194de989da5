"""Tests of `pingmon.dns.resolver` against real name servers on loopback."""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import capturedLogs
from twisted.names import dns

from pingmon.dns.resolver import Resolver
from pingmon.dns.results import CannotAsk, LookupFailed, NoAnswer, NoSuchName, Resolved
from pingmon.testing import result
from tests.dns.names import Names
from tests.probe.sites import Timers, advanced_until, until

pytestmark = pytest.mark.usefixtures("nothing_left")


class Asker:
    """A resolver whose time the test advances."""

    def __init__(self, *servers: tuple[str, int], **more: Any) -> None:
        self.running = Timers()
        self.clock = self.running.clock
        self.resolver = Resolver(self.running, servers, hosts=more.pop("hosts", {}), **more)

    async def found(self, name: str = "h.example") -> Resolved:
        found: Resolved = await self._over(self.resolver.addresses(name))
        return found

    async def reached(self, name: str = "h.example") -> Resolved:
        found: Resolved = await self._over(self.resolver.reachable(name))
        return found

    async def failed(self, name: str = "h.example") -> LookupFailed:
        with pytest.raises(LookupFailed) as raised:
            await self.found(name)
        return raised.value

    async def records(self, name: str, kind: Any) -> tuple[str, ...]:
        found: tuple[str, ...] = await self._over(self.resolver.records(name, kind))
        return found

    async def _over(self, looking: Deferred[Any]) -> Any:
        await advanced_until(self.running, lambda: looking.called)
        return await looking

    async def pass_s(self, seconds: float, asked: Callable[[], object]) -> None:
        """Let time pass, once `asked` is true."""
        await advanced_until(self.running, asked)
        self.clock.advance(seconds)


@pytest_twisted.ensureDeferred
async def test_addresses_of_both_kinds_are_asked_apart_and_given_by_turns(names: Names) -> None:
    for address in ("192.0.2.1", "192.0.2.2", "192.0.2.1"):
        names.add("h.example", "A", address, 300)
    names.add("h.example", "AAAA", "2001:db8::1", 200)
    found = await Asker(names.listen()).found("H.Example.")
    assert found == Resolved(("2001:db8::1", "192.0.2.1", "192.0.2.2"), (), 200.0, False)
    assert sorted(names.asked) == ["A h.example", "AAAA h.example"]


@pytest_twisted.ensureDeferred
async def test_a_name_with_only_ipv6_has_an_address(names: Names) -> None:
    names.add("h.example", "AAAA", "2001:db8::1")
    assert (await Asker(names.listen()).found()).addresses == ("2001:db8::1",)


@pytest_twisted.ensureDeferred
async def test_the_chain_of_cnames_is_kept_the_canonical_name_last(names: Names) -> None:
    names.add("h.example", "CNAME", "A.cdn.example", 90)
    names.add("A.cdn.example", "CNAME", "b.cdn.example", 80)
    names.add("b.cdn.example", "A", "192.0.2.1", 100)
    found = await Asker(names.listen()).found()
    assert found == Resolved(("192.0.2.1",), ("a.cdn.example", "b.cdn.example"), 80.0, False)


@pytest_twisted.ensureDeferred
async def test_a_chain_that_the_server_does_not_follow_is_followed(names: Names) -> None:
    """And one that goes round in a circle is not followed for ever."""
    asker = Asker(names.listen())
    full = names.reply

    def half(message: Any, name: str, kind: int) -> Any:
        reply = full(message, name, kind)
        reply.answers, reply.authority = reply.answers[:1], []
        return reply

    names.reply = half  # type: ignore[method-assign]
    names.add("h.example", "CNAME", "a.example")
    names.add("a.example", "A", "192.0.2.1")
    assert (await asker.found()).chain == ("a.example",)
    names.add("x.example", "CNAME", "y.example")
    names.add("y.example", "CNAME", "x.example")
    names.records["z.example"] = [("CNAME", "z.example", 60)]
    for name in ("x.example", "z.example"):
        assert str(await asker.failed(name)) == "its CNAMEs go round in a circle"
    for number in range(20):
        names.add(f"n{number}.example", "CNAME", f"n{number + 1}.example")
    names.add("n20.example", "A", "192.0.2.1")
    assert str(await asker.failed("n3.example")) == "more than 16 CNAMEs lead on from it"
    assert len((await asker.found("n4.example")).chain) == 16
    names.add("d.example", "CNAME", "gone.example")
    assert str(await asker.failed("d.example")) == "its CNAME leads to a name that does not exist"
    assert len(names.asked) < 160


@pytest_twisted.ensureDeferred
async def test_other_records_are_found_too(names: Names) -> None:
    asker = Asker(names.listen())
    names.add("1.2.0.192.in-addr.arpa", "PTR", "Web.Host.example")
    names.add("example", "NS", "ns1.host.example")
    names.add("example", "NS", "ns2.host.example")
    names.add("origin.example", "TXT", "64500 | 192.0.2.0/24 | ZZ")
    names.add("www.example", "CNAME", "host.example")
    assert await asker.records("1.2.0.192.in-addr.arpa", "PTR") == ("web.host.example",)
    assert await asker.records("example", "NS") == ("ns1.host.example", "ns2.host.example")
    assert await asker.records("origin.example", "TXT") == ("64500 | 192.0.2.0/24 | ZZ",)
    assert await asker.records("www.example", "CNAME") == ("host.example",)
    with pytest.raises(NoSuchName):
        await asker.records("example", "TXT")


@pytest_twisted.ensureDeferred
async def test_a_name_that_does_not_exist_is_told_from_one_without_addresses(names: Names) -> None:
    asker = Asker(names.listen())
    assert str(await asker.failed()) == "there is no such name"
    names.add("mail.example", "TXT", "x")
    error = await asker.failed("mail.example")
    assert isinstance(error, NoSuchName)
    assert str(error) == "this name has no address"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (dns.ESERVER, "its name servers do not answer (SERVFAIL)"),
        (dns.EREFUSED, "the name server refuses to look up this name (REFUSED)"),
        (dns.ENOTIMP, "the name server cannot look up this name (code 4)"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_errors_of_all_servers_are_told_apart(names: Names, code: int, words: str) -> None:
    """They are about this name if a second one is answered, else they are our own name servers' trouble."""
    names.codes["h.example"] = code
    error = await Asker(names.listen(), names.listen()).failed()
    assert type(error) is NoAnswer
    assert str(error) == words
    assert names.asked.count("A h.example") == 2
    names.codes[""] = code
    names.add("nas.lan", "A", "192.168.1.2")
    router = Asker(names.listen())
    looking = router.resolver.addresses("nas.lan")
    error = await router.failed()
    assert (await looking).addresses == ("192.168.1.2",), "a router whose line is down knows its own names"
    assert type(error) is CannotAsk
    assert str(error) == "the name servers answer nothing but errors"


@pytest_twisted.ensureDeferred
async def test_questions_leave_no_lines_in_the_log(names: Names) -> None:
    """A daemon with thousands of sites asks all day."""
    names.add("h.example", "A", "192.0.2.1")
    asker = Asker(names.listen())
    with capturedLogs() as events:
        await asker.found()
    assert [event.get("log_text") or event.get("log_format") for event in events] == []


@pytest_twisted.ensureDeferred
async def test_nobody_to_ask_is_not_the_names_fault() -> None:
    assert isinstance(await Asker().failed(), CannotAsk)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        free = taken.getsockname()
    error = await Asker(free).failed()
    assert isinstance(error, CannotAsk)
    assert str(error) == "no name server answers"


@pytest_twisted.ensureDeferred
async def test_the_next_server_is_asked_when_one_is_silent_or_in_trouble_and_then_stays_first(names: Names) -> None:
    other = Names()
    try:
        names.silent = {""}
        other.add("h.example", "A", "192.0.2.1")
        other.add("i.example", "A", "192.0.2.1")
        asker = Asker(names.listen(), other.listen())
        looking = asker.resolver.addresses("h.example")
        await asker.pass_s(1.0, lambda: len(names.asked) == 2)
        await until(lambda: looking.called)
        assert result(looking).addresses == ("192.0.2.1",)
        await asker.found("i.example")
        assert "A i.example" not in names.asked
    finally:
        await other.close()


def _asked(names: Names, times: int) -> bool:
    return names.asked.count("AAAA h.example") == times


@pytest_twisted.ensureDeferred
async def test_silence_about_one_name_ends_after_three_rounds(names: Names) -> None:
    names.silent = {"h.example"}
    asker = Asker(names.listen(), deadline_s=60.0)
    looking = asker.resolver.addresses("h.example")
    for number, seconds in enumerate((1.0, 2.0, 4.0), 1):
        await asker.pass_s(seconds, partial(_asked, names, number))
    await asker.pass_s(0, lambda: looking.called)
    with pytest.raises(NoAnswer, match="timed out") as raised:
        await looking
    assert type(raised.value) is NoAnswer
    assert names.asked.count("NS ") == 1


@pytest_twisted.ensureDeferred
async def test_a_lookup_has_a_deadline_of_its_own(names: Names) -> None:
    names.silent = {"h.example"}
    asker = Asker(names.listen(), deadline_s=1.5)
    looking = asker.resolver.addresses("h.example")
    await asker.pass_s(1.0, lambda: len(names.asked) == 2)
    await asker.pass_s(0.5, lambda: names.asked.count("A h.example") == 2)
    with pytest.raises(NoAnswer, match="timed out"):
        await looking


@pytest_twisted.ensureDeferred
async def test_a_server_that_never_answers_for_ipv6_does_not_hold_up_ipv4_for_long(names: Names) -> None:
    names.add("h.example", "A", "192.0.2.1", 3000)
    names.silent = {"AAAA h.example"}
    asker = Asker(names.listen())
    looking = asker.resolver.addresses("h.example")
    await advanced_until(asker.running, lambda: any(call.getTime() == 0.5 for call in asker.clock.getDelayedCalls()))
    asker.clock.advance(0.5)
    await until(lambda: looking.called)
    assert result(looking) == Resolved(("192.0.2.1",), (), 5.0, False)


@pytest_twisted.ensureDeferred
async def test_one_kind_that_fails_does_not_spoil_the_other(names: Names) -> None:
    names.add("h.example", "AAAA", "2001:db8::1", 3000)
    full = names.reply

    def reply(message: Any, name: str, kind: int) -> Any:
        made = full(message, name, kind)
        made.rCode = dns.ESERVER if kind == dns.A else made.rCode
        return made

    names.reply = reply  # type: ignore[method-assign]
    asker = Asker(names.listen())
    assert await asker.found() == Resolved(("2001:db8::1",), (), 5.0, False)
    names.records["h.example"] = [("TXT", "x", 60)]
    asker.clock.advance(400)
    assert type(await asker.failed()) is NoAnswer


@pytest_twisted.ensureDeferred
async def test_a_reply_that_is_cut_off_is_asked_for_again_over_tcp(names: Names) -> None:
    for number in range(60):
        names.add("h.example", "A", f"192.0.2.{number}")
    names.truncated = {""}
    found = await Asker(names.listen()).found()
    assert len(found.addresses) == 60
    assert sorted(names.over_tcp) == ["A h.example", "AAAA h.example"]


@pytest.mark.parametrize("close", ["refuse", "hang up", "mute"])
@pytest_twisted.ensureDeferred
async def test_a_server_without_tcp_gives_no_answer_to_what_is_cut_off(names: Names, close: str) -> None:
    names.truncated = {"A h.example", "AAAA h.example"}
    names.records = {"h.example": [("A", "192.0.2.1", 60)]}
    asker = Asker(names.listen(), deadline_s=2.0)
    if close == "refuse":
        await names.ports.pop(0).stopListening()
    elif close == "hang up":
        names.connectionMade = lambda protocol: protocol.transport.abortConnection()  # type: ignore[method-assign]
        names.connectionLost = lambda protocol: None  # type: ignore[method-assign]
    else:
        names.mute_tcp = True
    looking = asker.resolver.addresses("h.example")
    if close == "mute":
        await asker.pass_s(2.0, lambda: len(names.over_tcp) == 2)
    await advanced_until(asker.running, lambda: looking.called)
    with pytest.raises(NoAnswer):
        await looking


@pytest_twisted.ensureDeferred
async def test_replies_that_do_not_fit_the_question_are_passed_over(names: Names) -> None:
    names.add("h.example", "A", "192.0.2.1")
    other = dns.Message(4711, answer=1)
    other.queries = [dns.Query(b"h.example", dns.A)]
    names.raw = [b"", b"\x00" * 11, b"\xff" * 40, other.toStr()]
    assert (await Asker(names.listen()).found()).addresses == ("192.0.2.1",)


@pytest_twisted.ensureDeferred
async def test_servers_may_have_ipv6_addresses(names: Names) -> None:
    names.add("h.example", "A", "192.0.2.1")
    assert (await Asker(names.listen("::1")).found()).addresses == ("192.0.2.1",)


# --- without asking -----------------------------------------------------------------------------------------------


@pytest_twisted.ensureDeferred
async def test_addresses_and_the_machines_own_names_need_no_server() -> None:
    asker = Asker(hosts={"nas": ["192.168.1.2", "fd00::2"]})
    assert await asker.found("192.0.2.1") == Resolved(("192.0.2.1",))
    assert await asker.found("2001:db8::1") == Resolved(("2001:db8::1",))
    assert (await asker.found("NAS")).addresses == ("192.168.1.2", "fd00::2")
    assert (await asker.found("localhost")).addresses == ("::1", "127.0.0.1")
    assert (await asker.found("x.localhost")).addresses == ("::1", "127.0.0.1")


@pytest_twisted.ensureDeferred
async def test_international_names_are_asked_for_in_ascii(names: Names) -> None:
    names.add("xn--bcher-kva.example", "A", "192.0.2.1")
    assert (await Asker(names.listen()).found("Bücher.example")).addresses == ("192.0.2.1",)


@pytest.mark.parametrize("name", ["", ".", "a..b", "a b", "a\n", "x" * 64, "a." * 127 + "b", "\u2f86.\u0378"])
@pytest_twisted.ensureDeferred
async def test_what_is_no_name_is_not_asked_for(names: Names, name: str) -> None:
    assert isinstance(await Asker(names.listen()).failed(name), NoSuchName)
    assert names.asked == []


def test_by_default_the_machines_own_files_are_read() -> None:
    resolver = Resolver(Timers())
    assert result(resolver.addresses("localhost")).addresses


# --- what is known already ----------------------------------------------------------------------------------------


@pytest_twisted.ensureDeferred
async def test_an_answer_holds_for_its_ttl_within_limits(names: Names) -> None:
    asker = Asker(names.listen())
    for name, ttl in (("zero.example", 0), ("h.example", 60), ("year.example", 31_536_000)):
        names.add(name, "A", "192.0.2.1", ttl)
        names.add(name, "AAAA", "2001:db8::1", ttl)
    assert [(await asker.found(name)).ttl_s for name in names.records] == [5.0, 60.0, 3600.0]
    asker.clock.advance(4)
    for name, left in zip(names.records, (1.0, 56.0, 3596.0), strict=True):
        again = await asker.found(name)
        assert (again.ttl_s, again.from_cache) == (left, True)
    assert len(names.asked) == 6
    asker.clock.advance(56)
    assert not (await asker.found("h.example")).from_cache
    assert len(names.asked) == 8


@pytest_twisted.ensureDeferred
async def test_that_there_is_no_such_name_is_believed_for_a_short_time(names: Names) -> None:
    asker = Asker(names.listen())
    await asker.failed()
    count = len(names.asked)
    asker.clock.advance(19)
    assert str(await asker.failed()) == "there is no such name"
    assert len(names.asked) == count
    names.add("h.example", "A", "192.0.2.1")
    asker.clock.advance(1)
    assert (await asker.found()).addresses == ("192.0.2.1",)


@pytest_twisted.ensureDeferred
async def test_that_there_was_no_answer_is_not_remembered(names: Names) -> None:
    """A second look after a failure is one of its own."""
    asker = Asker(names.listen())
    names.codes["h.example"] = dns.ESERVER
    await asker.failed()
    names.codes.clear()
    names.add("h.example", "A", "192.0.2.1")
    assert (await asker.found()).addresses == ("192.0.2.1",)


@pytest_twisted.ensureDeferred
async def test_an_answer_that_has_run_out_stands_in_for_a_while_for_who_only_wants_to_get_there(names: Names) -> None:
    """Whoever wants to know how the name is, is told at once that its servers do not answer."""
    asker = Asker(names.listen())
    names.add("h.example", "A", "192.0.2.1", 60)
    assert asker.resolver.remembered("h.example") is None
    assert (await asker.reached()).addresses == (await asker.found()).addresses
    names.codes["h.example"] = dns.ESERVER
    asker.clock.advance(61)
    for _ in range(2):
        assert type(await asker.failed()) is NoAnswer
        assert (await asker.reached()).addresses == ("192.0.2.1",)
    asker.clock.advance(300)
    assert asker.resolver.remembered("h.example") is None
    with pytest.raises(NoAnswer):
        await asker.reached()


@pytest_twisted.ensureDeferred
async def test_that_there_is_no_such_name_any_more_takes_the_place_of_what_there_was(names: Names) -> None:
    asker = Asker(names.listen())
    names.add("h.example", "A", "192.0.2.1", 60)
    await asker.found()
    names.records.clear()
    asker.clock.advance(61)
    with pytest.raises(NoSuchName):
        await asker.reached()
    assert asker.resolver.remembered("h.example") is None
    assert asker.resolver.remembered("no name") is None


@pytest_twisted.ensureDeferred
async def test_silent_servers_do_not_delay_an_answer_that_has_run_out_for_long(names: Names) -> None:
    asker = Asker(names.listen())
    names.add("h.example", "A", "192.0.2.1", 60)
    await asker.found()
    names.silent = {""}
    asker.clock.advance(61)
    looking = asker.resolver.reachable("h.example")
    await asker.pass_s(1.0, lambda: len(names.asked) == 4)
    await asker.pass_s(1.0, lambda: "NS " in names.asked)
    assert result(looking).addresses == ("192.0.2.1",)


@pytest_twisted.ensureDeferred
async def test_those_who_want_the_same_name_share_one_question(names: Names) -> None:
    names.add("h.example", "A", "192.0.2.1")
    asker = Asker(names.listen())
    looking = [asker.resolver.addresses("h.example") for _ in range(5)]
    looking[0].cancel()
    with pytest.raises(CancelledError):
        await looking[0]
    await until(lambda: looking[4].called)
    assert {result(each).addresses for each in looking[1:]} == {("192.0.2.1",)}
    assert len(names.asked) == 2


@pytest.mark.parametrize("silent", [{"h.example"}, {""}])
@pytest_twisted.ensureDeferred
async def test_a_lookup_that_nobody_wants_any_more_is_ended(names: Names, silent: set[str]) -> None:
    asker = Asker(names.listen())
    names.silent = silent
    looking = [asker.resolver.addresses("h.example") for _ in range(2)]
    await asker.pass_s(1.0, lambda: len(names.asked) == 2)
    await until(lambda: "NS " in names.asked)
    for each in looking:
        each.cancel()
        with pytest.raises(CancelledError):
            await each
    assert asker.clock.getDelayedCalls() == []

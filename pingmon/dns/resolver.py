"""Names to addresses, without threads and with a memory: IPv6 and IPv4 asked apart, CNAMEs kept, failures told apart.

The platform's resolver will not do: it answers in ten threads that cannot be called off, and does not say whether a
name does not exist or its servers are silent; and twisted.names' own cache is never filled. /etc/hosts comes first,
as everywhere; search domains are not tried, for a monitored name is complete.

What failed for lack of an answer is not remembered, so that the next look is one of its own. What was known before is,
for a while (RFC 8767), and who only wants to get there may have that instead (`reachable`). A look at a site may not:
that its name servers do not answer is a failure of the site, from the first moment.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final, TypeAlias

from msgspec import structs
from twisted.internet.defer import CancelledError, Deferred, TimeoutError, fail, succeed
from twisted.logger import Logger
from twisted.names import dns
from twisted.python.failure import Failure

from pingmon.core.domain_names import NAME_MAX
from pingmon.core.site.failures import CNAME_CHAIN, CNAME_CIRCLE, DANGLING, DNS_SILENT, NO_ADDRESS, NO_SUCH_NAME
from pingmon.dns import etc_files
from pingmon.dns.cache import CACHE_MAX, NEGATIVE_S, TTL_S, DnsCache, clamped
from pingmon.dns.dns_message import MAX_CHAIN, DnsAnswer, read
from pingmon.dns.etc_files import Reread
from pingmon.dns.name_servers import NameServers
from pingmon.dns.results import CannotAsk, Found, LookupFailed, NoAnswer, NoSuchName, RecordKind, Resolved
from pingmon.dns.shared_lookups import SharedLookups
from pingmon.timing.bounded_wait import within
from pingmon.timing.expiry import expiry_clock
from pingmon.wire.web_url import in_ascii, is_literal

DEADLINE_S: Final = 8.0
"""Seconds for a lookup in all."""
STALE_WAIT_S: Final = 2.0
"""The same when there is an answer that has only just run out (RFC 8767)."""
SECOND_S: Final = 0.5
"""Seconds that the answer for IPv6 gets after the one for IPv4: some servers never answer for it."""
LOOPBACK: Final = ("::1", "127.0.0.1")
KINDS: Final[dict[RecordKind, int]] = {"TXT": dns.TXT, "PTR": dns.PTR, "NS": dns.NS, "CNAME": dns.CNAME}

_NAME: Final = re.compile(r"[!-\-/-~]{1,63}(\.[!-\-/-~]{1,63})*")

Value: TypeAlias = Found | NoSuchName
Ask: TypeAlias = Callable[[str], Coroutine[Deferred[Any], Any, Found]]
Key: TypeAlias = tuple[str, str]

log = Logger()


class Resolver:
    """Looks up names. `reactor`: IReactorTCP, IReactorUDP and IReactorTime.

    `servers`: recursive name servers as (address, port), by default those of /etc/resolv.conf. `hosts`: names that
    are known without asking, by default those of /etc/hosts. Where it is the files that say so, `resolv_conf` and
    `hosts_file`, lookups follow what becomes of them within `etc_files.FRESH_S`.
    """

    def __init__(
        self,
        reactor: Any,
        servers: Sequence[tuple[str, int]] | None = None,
        *,
        hosts: Mapping[str, Sequence[str]] | None = None,
        deadline_s: float = DEADLINE_S,
        cache_max: int = CACHE_MAX,
        resolv_conf: Path = etc_files.RESOLV_CONF,
        hosts_file: Path = etc_files.HOSTS,
    ) -> None:
        self._reactor = reactor
        self._given_hosts = None if hosts is None else dict(hosts)
        self._hosts_file = Reread(hosts_file, etc_files.hosts, reactor.seconds())
        self._resolv_conf = Reread(resolv_conf, etc_files.servers, reactor.seconds())
        self._follows = servers is None
        self._servers = NameServers(reactor, self._resolv_conf.value if servers is None else servers)
        self._deadline_s = deadline_s
        self._cache: DnsCache[Key, Value] = DnsCache(cache_max)
        self._shared: SharedLookups[Key, Value] = SharedLookups()

    def addresses(self, name: str) -> Deferred[Resolved]:
        """All addresses of `name`, which may be international, or an address itself.

        Fails with `NoSuchName` (no such name, or no address), or `NoAnswer`, whose kind `CannotAsk` says nothing
        about the name. Cancelling frees what it holds.
        """
        if is_literal(name):
            return succeed(Resolved((name,)))
        return self._known_or_found("address", name, self._both).addCallback(_resolved)

    def remembered(self, name: str) -> Resolved | None:
        """The addresses that `name` had when its servers last answered, if that holds or has only just run out."""
        try:
            known = self._cache.get(("address", plain(name)), self._reactor.seconds())
        except ValueError:
            return None
        return None if known is None or isinstance(known.value, NoSuchName) else _resolved(known.value)

    def reachable(self, name: str) -> Deferred[Resolved]:
        """As `addresses`, but if there is no answer, or none within `STALE_WAIT_S`, what is remembered will do."""
        found, known = self.addresses(name), self.remembered(name)
        if known is None:
            return found

        def instead(failure: Failure) -> Resolved:
            failure.trap(NoAnswer)
            return known

        return within(STALE_WAIT_S, found.addErrback(instead), self._reactor, lambda: known)

    def records(self, name: str, kind: RecordKind) -> Deferred[tuple[str, ...]]:
        """What there is under `name` of that kind, names in lower case. Fails as `addresses` does."""

        async def ask(name: str) -> Found:
            answer = await self._chased(name, KINDS[kind])
            if not answer.values:
                raise NoSuchName(f"there is no {kind} record of this name", answer.ttl_s)
            return Found(answer.values, answer.chain, answer.ttl_s)

        return self._known_or_found(kind, name, ask).addCallback(lambda found: found.values)

    def sound(self) -> Deferred[bool]:
        """Whether any name server answers anything at all, found out now; within about a second."""
        return self._servers.sound()

    def sound_since(self, at_s: float) -> bool:
        """Whether it was found out since `at_s`, by the reactor's clock, that one does."""
        return self._servers.sound_s >= at_s

    # --- what is known --------------------------------------------------------------------------------------------

    def _known_or_found(self, kind: str, name: str, ask: Ask) -> Deferred[Found]:
        try:
            name = plain(name)
        except ValueError:
            return fail(NoSuchName("this is not a name"))
        self._reread()
        own = self._own(name) if kind == "address" else None
        if own is not None:
            return succeed(Found(tuple(own), (), TTL_S[1], True))
        key, now = (kind, name), self._reactor.seconds()
        known = self._cache.get(key, now)
        if known is not None and now < known.until_s:
            return _told(known.value, known.until_s - now)
        found = self._shared.get(key, lambda: self._fetched(key, ask))
        return found.addCallback(lambda value: _told(value, None))

    def _reread(self) -> None:
        """Follow the machine's own files."""
        now_s = self._reactor.seconds()
        if self._given_hosts is None:
            self._hosts_file.changed(now_s)
        if self._follows and self._resolv_conf.changed(now_s):
            self._servers.servers = self._resolv_conf.value
            log.info("the name servers are now {servers}", servers=", ".join(host for host, _ in self._servers.servers))

    def _own(self, name: str) -> Sequence[str] | None:
        """What this machine itself says; `localhost` is nobody else's business (RFC 6761)."""
        hosts: Mapping[str, Sequence[str]] = self._hosts_file.value if self._given_hosts is None else self._given_hosts
        known = hosts.get(name)
        if known is None and (name == "localhost" or name.endswith(".localhost")):
            return LOOPBACK
        return known

    async def _fetched(self, key: Key, ask: Ask) -> Value:
        """The servers' answer, kept. Raises `NoAnswer`."""
        began_s = self._reactor.seconds()
        try:
            found = await self._bounded(ask(key[1]), began_s, self._deadline_s)
        except NoSuchName as error:
            self._cache.put(key, error, clamped(error.ttl_s, NEGATIVE_S), self._reactor.seconds(), stale_s=0)
            return error
        ttl_s = clamped(found.ttl_s)
        self._cache.put(key, found, ttl_s, self._reactor.seconds())
        return structs.replace(found, ttl_s=ttl_s)

    async def _bounded(self, asking: Coroutine[Deferred[Any], Any, Found], began_s: float, wait_s: float) -> Found:
        try:
            return await Deferred.fromCoroutine(asking).addTimeout(wait_s, expiry_clock(self._reactor))
        except TimeoutError as error:
            if self.sound_since(began_s) or await self.sound():
                raise NoAnswer(DNS_SILENT()) from error
            raise CannotAsk("no name server answers") from error

    # --- what the servers say -------------------------------------------------------------------------------------

    async def _both(self, name: str) -> Found:
        """The addresses of both kinds. One kind without an answer does not spoil the other, but is soon asked again."""
        asking = {kind: Deferred.fromCoroutine(_tried(self._chased(name, kind))) for kind in (dns.A, dns.AAAA)}
        try:
            old = await asking[dns.A]
            if isinstance(old, NoSuchName):
                raise old
            new = asking[dns.AAAA]
            if isinstance(old, DnsAnswer) and old.values:
                new.addTimeout(SECOND_S, expiry_clock(self._reactor))
            try:
                later = await new
            except TimeoutError:
                later = NoAnswer("its name servers do not answer for IPv6")
        finally:
            for each in asking.values():
                each.addErrback(lambda failure: failure.trap(CancelledError))
                each.cancel()
        return _joined(old, later)

    async def _chased(self, name: str, kind: int) -> DnsAnswer:
        """The answer at the end of the chain of CNAMEs, should the servers not have followed it themselves."""
        chain: tuple[str, ...] = ()
        ttls: list[int] = []
        while True:
            asked = chain[-1] if chain else name
            message = await self._servers.ask(asked, kind)
            answer = read(message, asked, kind)
            chain += answer.chain
            ttls.append(answer.ttl_s)
            if message.rCode == dns.ENAME:
                raise NoSuchName((DANGLING if chain else NO_SUCH_NAME)(), answer.ttl_s)
            if answer.values:
                return DnsAnswer(answer.values, chain, min(ttls), settled=True)
            if answer.circle or len({name, *chain}) <= len(chain):
                raise NoSuchName(CNAME_CIRCLE(), min(ttls))
            if len(chain) > MAX_CHAIN:
                raise NoSuchName(CNAME_CHAIN(most=MAX_CHAIN), min(ttls))
            if answer.settled:
                return DnsAnswer((), chain, min(ttls), settled=True)


async def _tried(asking: Coroutine[Deferred[Any], Any, DnsAnswer]) -> DnsAnswer | LookupFailed:
    try:
        return await asking
    except CancelledError:
        raise
    except LookupFailed as error:
        return error


def _joined(old: DnsAnswer | LookupFailed, new: DnsAnswer | LookupFailed) -> Found:
    """IPv6 and IPv4 addresses by turns. Raises the graver failure if there are none."""
    answers = [each for each in (new, old) if isinstance(each, DnsAnswer)]
    pairs = zip_longest(*(each.values for each in answers))
    addresses = tuple(address for pair in pairs for address in pair if address is not None)
    failures = [each for each in (old, new) if isinstance(each, LookupFailed)]
    ttl_s = min((each.ttl_s for each in answers if each.values or not addresses), default=0)
    if addresses:
        chain = max((each.chain for each in answers), key=len)
        return Found(addresses, chain, 0 if any(isinstance(each, NoAnswer) for each in failures) else ttl_s)
    for failure in failures:
        if isinstance(failure, NoAnswer):
            raise failure
    raise NoSuchName(NO_ADDRESS(), ttl_s)


def _resolved(found: Found) -> Resolved:
    return Resolved(found.values, found.chain, found.ttl_s, found.from_cache)


def _told(value: Value, ttl_s: float | None) -> Deferred[Found]:
    if isinstance(value, NoSuchName):
        return fail(NoSuchName(str(value), value.ttl_s))
    return succeed(value if ttl_s is None else structs.replace(value, ttl_s=ttl_s, from_cache=True))


def plain(name: str) -> str:
    """`name` in ASCII and lower case, without a dot at the end. ValueError if it cannot be a name."""
    if not name.isascii():
        name = in_ascii(name)
    name = name.lower().rstrip(".")
    if len(name) > NAME_MAX or not _NAME.fullmatch(name):
        raise ValueError("not a name")
    return name

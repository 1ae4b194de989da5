"""A real name server on loopback, over UDP and TCP, that answers as the test says."""

from __future__ import annotations

from typing import Any, cast

from twisted.internet import reactor
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory
from twisted.names import dns

KINDS = {"A": dns.A, "AAAA": dns.AAAA, "CNAME": dns.CNAME, "TXT": dns.TXT, "PTR": dns.PTR, "NS": dns.NS}
SOA = dns.Record_SOA(b"ns.example", b"mail.example", 1, 2, 3, 4, minimum=20, ttl=25)


class Names:
    """`asked`: the questions as "kind name". `silent` and `truncated` name questions likewise, "" all of them.

    `codes` are errors by name; a name without records, kind and code does not exist. `raw` is sent as it is.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.over_tcp: list[str] = []
        self.silent: set[str] = set()
        self.truncated: set[str] = set()
        self.mute_tcp = False
        self.codes: dict[str, int] = {}
        self.raw: list[bytes] = []
        self.records: dict[str, list[tuple[str, str, int]]] = {}
        self.ports: list[Any] = []
        self.streams: list[Any] = []

    def add(self, name: str, kind: str, value: str, ttl: int = 60) -> None:
        """Add a record."""
        self.records.setdefault(name, []).append((kind, value, ttl))

    def listen(self, host: str = "127.0.0.1") -> tuple[str, int]:
        """Listen there as well, UDP and TCP on one port; the server's address."""
        running = cast(Any, reactor)
        for _ in range(20):
            stream = running.listenTCP(0, _Streams(self), interface=host)
            port = stream.getHost().port
            try:
                udp = dns.DNSDatagramProtocol(self, reactor)
                udp.noisy = False
                datagram = running.listenUDP(port, udp, interface=host)
            except CannotListenError:
                stream.stopListening()
                continue
            self.ports += [stream, datagram]
            return host, port
        raise AssertionError("no port is free for both")

    async def close(self) -> None:
        while self.ports:
            await self.ports.pop().stopListening()
        for stream in tuple(self.streams):
            stream.transport.abortConnection()

    # --- as twisted.names wants it --------------------------------------------------------------------------------

    def connectionMade(self, protocol: Any) -> None:
        self.streams.append(protocol)

    def connectionLost(self, protocol: Any) -> None:
        self.streams.remove(protocol)

    def messageReceived(self, message: Any, protocol: Any, address: Any = None) -> None:
        (query,) = message.queries
        name = query.name.name.decode().lower()
        kind = next(text for text, number in KINDS.items() if number == query.type)
        asked = f"{kind} {name}"
        (self.asked if address else self.over_tcp).append(asked)
        if self.silent & {"", name, asked} or (address is None and self.mute_tcp):
            return
        for raw in self.raw:
            protocol.transport.write(raw, address)
        reply = self.reply(message, name, query.type)
        if address is None:
            reply.maxSize = 0
            protocol.writeMessage(reply)
        else:
            if self.truncated & {"", asked}:
                reply.trunc, reply.answers = 1, []
            protocol.writeMessage(reply, address)

    def reply(self, message: Any, name: str, kind: int) -> Any:
        reply = dns.Message(message.id, answer=1, recDes=1, recAv=1, rCode=self.codes.get(name, dns.OK))
        reply.queries = message.queries
        if name in self.codes:
            return reply
        if name not in self.records:
            reply.rCode = dns.ENAME
        at: str | None = name
        for _ in range(30):
            here, at = at or "", None
            for record, value, ttl in self.records.get(here, ()):
                if KINDS[record] in (kind, dns.CNAME):
                    reply.answers.append(_header(here, record, value, ttl))
                    if record == "CNAME" and value in self.records:
                        at = value
                    elif record == "CNAME" and kind != dns.CNAME:
                        reply.rCode = dns.ENAME
        if not any(record.type == kind for record in reply.answers):
            reply.authority = [dns.RRHeader(b"example", dns.SOA, dns.IN, 25, SOA)]
        return reply


class _Streams(Factory[Any]):
    noisy = False

    def __init__(self, names: Names) -> None:
        self.names = names

    def buildProtocol(self, addr: object) -> Any:
        return dns.DNSProtocol(self.names, reactor)


def _header(name: str, kind: str, value: str, ttl: int) -> Any:
    payload: Any = {
        "A": dns.Record_A,
        "AAAA": dns.Record_AAAA,
        "CNAME": dns.Record_CNAME,
        "PTR": dns.Record_PTR,
        "NS": dns.Record_NS,
        "TXT": dns.Record_TXT,
    }[kind]
    made = payload(value.encode() if kind == "TXT" else value, ttl=ttl)
    return dns.RRHeader(name.encode(), KINDS[kind], dns.IN, ttl, made)

"""The fast path: requests for the intake that are proven plain are taken without Twisted's objects for a request.

A strict pattern says what is plain: HTTP/1.1, GET, HEAD or POST, ordinary header fields each given once, and no body,
or a small one whose length is declared. All else goes the general path, with all of its bytes, and so may whatever is
plain: both ways mean the same. So two parsers cannot disagree, and there is nothing to smuggle between them.

A job sends the same head each time, so heads are remembered: those that the intake found something for, from the second
time on. So who knows no check can push nobody's out, and a job whose head is another one each time (a run id) fills no
memory, which would cost it more than parsing does.
"""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http_headers import Headers

from pingmon.door.caller_address import Caller
from pingmon.door.connection_interface import Connection
from pingmon.door.intake import Intake
from pingmon.door.plain_answer import OUR_FAULT, PlainAnswer

HEAD_MAX: Final = 2048
"""Bytes of a head that may be plain."""

FIELDS_MAX: Final = 24
"""Header fields of a head that may be plain. The general path takes more (`limits.HEADERS_MAX`); curl sends three."""

REMEMBERED: Final = 16_384
REMEMBERED_BYTES: Final = 512
"""Heads that are remembered, and how long one of them may be. So many of curl's take 16 MiB. Somebody who knows a check
can make them take 69 MiB, and no more."""

BODY_MAX: Final = 65_536
"""Bytes of a body that may be plain; it is collected until it is whole."""

_TEXT: Final = rb"[!$%&'()*+,\-./0-9:;=@A-Z_a-z~]"
_head: Final = re.compile(
    rb"(GET|HEAD|POST) ((/" + _TEXT + rb"*)(?:\?((?:" + _TEXT + rb"|\?)*))?) HTTP/1\.1\r\n"
    rb"((?:[0-9A-Za-z-]+:[\t -~]*\r\n)*)\r\n"
).fullmatch
_length: Final = re.compile(rb"[0-9]{1,5}").fullmatch

NOT_PLAIN: Final = frozenset({b"transfer-encoding", b"expect", b"upgrade", b"trailer", b"te"})
"""Fields that ask for more than an answer."""
CLOSES: Final = {b"": False, b"keep-alive": False, b"close": True}
"""What may stand in a `Connection` field, and whether the connection ends with the answer."""

log = Logger()


class PlainHead(Struct, frozen=True, gc=False):
    """A plain head of `size` bytes, which a body of `length` bytes follows. The names of `fields` are lower case."""

    method: bytes
    target: bytes
    path: bytes
    query: bytes
    fields: dict[bytes, bytes]
    length: int
    closes: bool
    size: int


def plain_head(head: bytes) -> PlainHead | None:
    """What the bytes of a whole head say, up to and with the empty line; None if they are not plain."""
    found = _head(head) if len(head) <= HEAD_MAX else None
    if found is None:
        return None
    method, target, path, query, lines = found.groups()
    fields: dict[bytes, bytes] = {}
    for line in lines.split(b"\r\n")[:-1]:
        name, _, value = line.partition(b":")
        fields[name.lower()] = value.strip(b" \t")
    length = fields.get(b"content-length", b"0")
    closes = CLOSES.get(fields.get(b"connection", b"").lower())
    if len(fields) != lines.count(b"\r\n") or len(fields) > FIELDS_MAX or not NOT_PLAIN.isdisjoint(fields):
        return None
    if closes is None or not _length(length) or int(length) > BODY_MAX:
        return None
    return PlainHead(method, target, path, query or b"", fields, int(length), closes, len(head))


class FastPath:
    """Finds plain requests that the intake wants. `cap`: bytes after which a body is cut short, on the general path."""

    def __init__(self, intake: Intake, cap: int) -> None:
        self._intake = intake
        self._cap = cap
        self._remembered: dict[bytes, PlainHead] = {}
        self._seen_once: set[int] = set()

    def head(self, data: bytes) -> PlainHead | None:
        """The head that `data` begins with, if it is whole and plain and the intake wants it."""
        head = self._remembered.get(data)
        if head is None:
            end = data.find(b"\r\n\r\n", 0, HEAD_MAX) + 4
            if end < 4:
                return None
            raw = data[:end]
            head = self._remembered.get(raw) or plain_head(raw)
            if head is None or head.length > self._cap:
                return None
        return head if self._intake.wants(head.path) else None

    def take(self, connection: Connection, head: PlainHead, data: bytes) -> None:
        """Hand the request with this head that `data` begins with to the intake."""
        kept = min(head.length, self._intake.keeps)
        request = FastRequest(connection, head, data[head.size : head.size + kept] if kept else b"")
        try:
            known = self._intake.take(request)
        except Exception:  # noqa: BLE001 - the outer guard of a request
            request.failed(Failure())
            return
        if known and head.size <= REMEMBERED_BYTES:
            self._remember(data[: head.size], head)

    def _remember(self, raw: bytes, head: PlainHead) -> None:
        if raw in self._remembered:
            return
        if (sign := hash(raw)) not in self._seen_once:
            if len(self._seen_once) >= REMEMBERED:
                self._seen_once.clear()
            self._seen_once.add(sign)
            return
        if len(self._remembered) >= REMEMBERED:
            del self._remembered[next(iter(self._remembered))]
        self._remembered[raw] = head


class FastRequest:
    """A request on the fast path: what `intake.Taken` and `access_log.Logged` ask for, and nothing else."""

    __slots__ = ("_connection", "_kept", "came", "code", "head", "method", "path", "query", "sentLength")

    clientproto = b"HTTP/1.1"

    def __init__(self, connection: Connection, head: PlainHead, kept: bytes) -> None:
        self.head = head
        self.method = head.method
        self.path = head.path
        self.query = head.query
        self.came = head.length
        self.code = 0
        self._kept = kept
        self._connection = connection

    @property
    def uri(self) -> bytes:
        return self.head.target

    def kept(self) -> bytes:
        """The part of the body that was kept."""
        return self._kept

    def caller(self) -> Caller:
        """The client's address and scheme, as a trusted proxy reports them if it is one that called."""
        peer = self._connection.peer
        if not peer.trusted:
            return peer.caller
        headers = Headers({name: [value] for name, value in self.head.fields.items()})
        return self._connection.watch.trusted.caller(peer, headers)

    def field(self, name: bytes) -> bytes:
        """The value of a header field; empty if there is none."""
        return self.head.fields.get(name, b"")

    def answer(self, answer: PlainAnswer) -> None:
        """Send `answer`; nothing is sent if the client is gone."""
        connection, head = self._connection, self.head
        if connection.lost:
            return
        watch = connection.watch
        closes, bodiless = head.closes or watch.draining, head.method == b"HEAD"
        self.code = answer.status
        self.sentLength = 0 if bodiless else len(answer.body)
        connection.send(answer.http1(b"HTTP/1.1", watch.dates.header(), close=closes, head=bodiless))
        connection.log(self)
        if closes:
            connection.close()
        connection.answered()

    def failed(self, failure: Failure) -> None:
        """Our fault: logged with its traceback, and answered without if that has not begun."""
        log.failure("an error while pingmon answered a request", failure)
        if self.code:
            self._connection.fail()
        else:
            self.answer(OUR_FAULT)

"""The head of an HTTP/1 answer: its status, where it redirects to, and the cookies that it gives on the way.

Source: RFC 9112, and curl for what servers really send. Read leniently where that does no harm: a bare LF ends a line
(§2.2), and CRs before it do not matter; some gateways write `HTTP/2 200` out; blanks may be too many; lines that are no
headers are passed over. Interim answers (1xx) are skipped. 101 is refused, because nobody asked to change the protocol.
"""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct

from pingmon.core.site.failures import LONG_HEADER, NO_STATUS, NOT_HTTP, SWITCHED

HEAD_MAX: Final = 64 * 1024
"""Bytes of one answer's head, interim answers before it included."""

_START: Final = b"HTTP/"
_STATUS: Final = re.compile(rb"HTTP/(?:1\.[0-9]|2(?:\.0)?)[ \t]+([1-9][0-9][0-9])(?![0-9])[^\n]*\n", re.IGNORECASE)
_END: Final = re.compile(rb"\n\r*\n")
_LOCATION: Final = re.compile(rb"\nlocation[ \t]*:[ \t]*([^\r\n]*)", re.IGNORECASE)
_COOKIE: Final = re.compile(rb"\nset-cookie[ \t]*:[ \t]*([^\r\n]*)", re.IGNORECASE)


class ResponseHead(Struct, frozen=True, gc=False):
    """The final answer. `location` is the first of that header, as text without surrounding blanks; "" if none.

    `cookies` are the values of all `Set-Cookie`, where there is a `location`: nobody else will be asked with them.
    """

    status: int
    location: str = ""
    cookies: tuple[str, ...] = ()


class NotHttp(ValueError):
    """What came is not the head of an HTTP/1 answer, or is too large. The message says which, in words for people."""


class HeadReader:
    """Takes an answer as it arrives. What follows its head is not looked at."""

    def __init__(self) -> None:
        self._received = bytearray()
        self._skipped = 0
        self._searched = 0
        self._begun = False

    def feed(self, data: bytes) -> ResponseHead | None:
        """The head, as soon as it is complete. Raises `NotHttp` as soon as it cannot become one."""
        self._received += data
        while True:
            self._check_begin()
            end = _END.search(self._received, self._searched)
            length = len(self._received) if end is None else end.end()
            if self._skipped + length > HEAD_MAX:
                raise NotHttp(LONG_HEADER(most=HEAD_MAX // 1024))
            if end is None:
                # The end's first bytes may be here already.
                self._searched = max(0, self._received.rfind(b"\n"))
                return None
            head = _head(bytes(self._received[:length]))
            if head.status >= 200:
                return head
            if head.status == 101:
                raise NotHttp(SWITCHED())
            self._skip(length)

    def ended(self) -> ResponseHead | None:
        """The head, after the server has closed the connection in good order: the empty line at its end may be missing.

        A last line that is not whole is no part of it. None if there is no whole status line.
        """
        if not self._begun:
            return None
        head = _head(bytes(self._received[: self._received.rfind(b"\n") + 1]))
        return head if head.status >= 200 else None

    def _check_begin(self) -> None:
        """Refuse what does not begin as it must without waiting for an end that may never come."""
        if not self._begun:
            begin = bytes(self._received[: len(_START)]).upper()
            if not _START.startswith(begin):
                raise NotHttp(NOT_HTTP())
            if b"\n" in self._received:
                self._begun = True
                if _STATUS.match(self._received) is None:
                    raise NotHttp(NO_STATUS())

    def _skip(self, length: int) -> None:
        del self._received[:length]
        self._skipped += length
        self._searched, self._begun = 0, False


def _head(head: bytes) -> ResponseHead:
    status, location = _STATUS.match(head), _LOCATION.search(head)
    assert status is not None
    if location is None:
        return ResponseHead(int(status[1]))
    return ResponseHead(int(status[1]), _text(location[1]), tuple(map(_text, _COOKIE.findall(head))))


def _text(value: bytes) -> str:
    try:
        return value.decode().strip(" \t")
    except UnicodeDecodeError:
        return value.decode("latin-1").strip(" \t")

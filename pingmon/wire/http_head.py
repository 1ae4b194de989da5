"""The head of an HTTP/1 answer: its status and where it redirects to; the rest is nobody's business here.

Source: RFC 9112. Taken leniently where it does no harm: a bare LF ends a line (§2.2), and lines that are no headers
are passed over. Interim answers (1xx) are skipped. 101 is refused, because nobody asked to change the protocol.
"""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct

HEAD_MAX: Final = 64 * 1024
"""Bytes of one answer's head, interim answers before it included."""

_START: Final = b"HTTP/1."
_STATUS: Final = re.compile(rb"HTTP/1\.[0-9] ([1-9][0-9][0-9])(?:[ \t][^\r\n]*)?\r?\n")
_END: Final = re.compile(rb"\n\r?\n")
_LOCATION: Final = re.compile(rb"\nlocation[ \t]*:[ \t]*([^\r\n]*)", re.IGNORECASE)


class Head(Struct, frozen=True, gc=False):
    """The final answer. `location` is the first of that header, as text without surrounding blanks; "" if none."""

    status: int
    location: str = ""


class NotHttp(ValueError):
    """What came is not the head of an HTTP/1 answer, or is too large. The message says which, in words for people."""


class HeadReader:
    """Takes an answer as it arrives. What follows its head is not looked at."""

    def __init__(self) -> None:
        self._received = bytearray()
        self._skipped = 0
        self._searched = 0
        self._begun = False

    def feed(self, data: bytes) -> Head | None:
        """The head, as soon as it is complete. Raises `NotHttp` as soon as it cannot become one."""
        self._received += data
        while True:
            self._check_begin()
            end = _END.search(self._received, self._searched)
            length = len(self._received) if end is None else end.end()
            if self._skipped + length > HEAD_MAX:
                raise NotHttp(f"the header is longer than {HEAD_MAX // 1024} KiB")
            if end is None:
                # The end's first bytes may be here already.
                self._searched = max(0, length - 2)
                return None
            head = _head(bytes(self._received[:length]))
            if head.status >= 200:
                return head
            if head.status == 101:
                raise NotHttp("the server changed the protocol, unasked")
            self._skip(length)

    def _check_begin(self) -> None:
        """Refuse what does not begin as it must without waiting for an end that may never come."""
        if not self._begun:
            if not self._received.startswith(_START[: len(self._received)]):
                raise NotHttp("the answer is not HTTP")
            if b"\n" in self._received:
                self._begun = True
                if _STATUS.match(self._received) is None:
                    raise NotHttp("the answer has no valid status line")

    def _skip(self, length: int) -> None:
        del self._received[:length]
        self._skipped += length
        self._searched, self._begun = 0, False


def _head(head: bytes) -> Head:
    status = _STATUS.match(head)
    assert status is not None
    location = _LOCATION.search(head)
    return Head(int(status[1]), "" if location is None else _text(location[1]))


def _text(value: bytes) -> str:
    try:
        return value.decode().strip(" \t")
    except UnicodeDecodeError:
        return value.decode("latin-1").strip(" \t")
